package geoip

import (
	"github.com/oschwald/maxminddb-golang/v2"

	"github.com/waryauth/wary/signals"
)

// decodeASN reads the autonomous system's number from an ASN or ISP record.
func decodeASN(r maxminddb.Result) (uint32, error) {
	var record struct {
		Number uint32 `maxminddb:"autonomous_system_number"`
	}
	err := r.Decode(&record)
	return record.Number, err
}

// anonymity is an Anonymous-IP record. MaxMind has no key for private relays;
// the files that wary geo build makes have one, which other readers pass over.
type anonymity struct {
	Anonymous   bool `maxminddb:"is_anonymous"`
	VPN         bool `maxminddb:"is_anonymous_vpn"`
	Hosting     bool `maxminddb:"is_hosting_provider"`
	Proxy       bool `maxminddb:"is_public_proxy"`
	Residential bool `maxminddb:"is_residential_proxy"`
	Tor         bool `maxminddb:"is_tor_exit_node"`
	Relay       bool `maxminddb:"is_private_relay"`
}

func decodeAnonymity(r maxminddb.Result) (anonymity, error) {
	var record anonymity
	err := r.Decode(&record)
	return record, err
}

func (a *anonymity) fill(into *signals.Network) {
	into.Anonymous, into.VPN, into.Hosting, into.Proxy = a.Anonymous, a.VPN, a.Hosting, a.Proxy
	into.Residential, into.Tor, into.Relay = a.Residential, a.Tor, a.Relay
}

// decodeConnection reads a Connection-Type record; a type that is not one of
// MaxMind's five is unknown.
func decodeConnection(r maxminddb.Result) (signals.ConnectionType, error) {
	var record struct {
		Type string `maxminddb:"connection_type"`
	}
	err := r.Decode(&record)
	switch record.Type {
	case "Dialup":
		return signals.DialUp, err
	case "Cable/DSL":
		return signals.CableDSL, err
	case "Corporate":
		return signals.Corporate, err
	case "Cellular":
		return signals.Cellular, err
	case "Satellite":
		return signals.Satellite, err
	}
	return 0, err
}
