package geoip

import (
	"errors"
	"fmt"
	"net/netip"
	"time"

	"github.com/oschwald/geoip2-golang/v2"

	"github.com/waryauth/wary/signals"
)

// Answer is what geo files say of some addresses.
type Answer struct {
	Addresses []Named    `json:"addresses"`
	Files     []FileInfo `json:"files"`
}

// Named is what the engine sees of an address, with the names that it does not need.
type Named struct {
	Address      string   `json:"address"`
	Country      string   `json:"country,omitempty"`
	Region       string   `json:"region,omitempty"`
	City         string   `json:"city,omitempty"`
	Latitude     *float64 `json:"latitude,omitempty"`
	Longitude    *float64 `json:"longitude,omitempty"`
	AccuracyKM   float64  `json:"accuracy_km,omitempty"`
	TimezoneMin  *int16   `json:"timezone_min,omitempty"` // minutes east of UTC, now
	InEU         bool     `json:"in_eu,omitempty"`
	ASN          uint32   `json:"asn,omitempty"`
	Organization string   `json:"organization,omitempty"`
	Flags        []string `json:"flags"`
	Missing      []string `json:"missing,omitempty"` // lookups that have no file
}

// Lookup asks the files what they say of addresses at a time.
func Lookup(files Files, addresses []string, at time.Time) (*Answer, error) {
	ips := make([]netip.Addr, len(addresses))
	for i, text := range addresses {
		ip, err := netip.ParseAddr(text)
		if err != nil || ip.Zone() != "" {
			return nil, fmt.Errorf("%q is not an IP address", text)
		}
		ips[i] = ip
	}
	database, err := Open(files)
	if err != nil {
		return nil, err
	}
	names, err := openNames(files)
	if err != nil {
		return nil, err
	}
	defer names.close()
	answer := &Answer{Files: database.Describe()}
	for _, ip := range ips {
		o := signals.Observation{Address: signals.Address{IP: ip}}
		database.Locate(&o, at)
		row := nameless(&o)
		if !o.Network.Private {
			if err := names.add(&row, ip.Unmap()); err != nil {
				return nil, fmt.Errorf("look up %s: %w", ip, err)
			}
		}
		answer.Addresses = append(answer.Addresses, row)
	}
	return answer, nil
}

func nameless(o *signals.Observation) Named {
	p, n := &o.Place, &o.Network
	a := Named{Address: o.Address.IP.String(), Country: p.Country.String(), AccuracyKM: p.AccuracyKM, InEU: p.InEU, ASN: n.ASN, Flags: []string{}}
	if p.Located {
		a.Latitude, a.Longitude = &p.Latitude, &p.Longitude
	}
	if p.TimezoneSet {
		a.TimezoneMin = &p.TimezoneMin
	}
	for _, f := range []struct {
		name string
		is   bool
	}{
		{"private", n.Private}, {"anonymous", n.Anonymous}, {"vpn", n.VPN}, {"hosting", n.Hosting}, {"proxy", n.Proxy},
		{"residential", n.Residential}, {"tor", n.Tor}, {"relay", n.Relay}, {"dial-up", n.Connection == signals.DialUp},
		{"cable-dsl", n.Connection == signals.CableDSL}, {"corporate", n.Connection == signals.Corporate},
		{"cellular", n.Connection == signals.Cellular}, {"satellite", n.Connection == signals.Satellite},
	} {
		if f.is {
			a.Flags = append(a.Flags, f.name)
		}
	}
	for _, m := range []struct {
		bit  signals.Missing
		name string
	}{{signals.MissingPlace, "place"}, {signals.MissingNetwork, "network"}, {signals.MissingAnonymity, "anonymity"}} {
		if o.Missing&m.bit != 0 {
			a.Missing = append(a.Missing, m.name)
		}
	}
	return a
}

// nameFiles reads the names that the engine has no use for. Files that are not
// there are nil.
type nameFiles struct{ city, network *geoip2.Reader }

func openNames(files Files) (*nameFiles, error) {
	n := &nameFiles{}
	network := files.ISP
	if network == "" {
		network = files.ASN
	}
	for path, into := range map[string]**geoip2.Reader{files.City: &n.city, network: &n.network} {
		if path == "" {
			continue
		}
		reader, err := geoip2.Open(path)
		if err != nil {
			n.close()
			return nil, fmt.Errorf("open %s: %w", path, err)
		}
		*into = reader
	}
	return n, nil
}

func (n *nameFiles) close() {
	for _, r := range []*geoip2.Reader{n.city, n.network} {
		if r != nil {
			r.Close()
		}
	}
}

func (n *nameFiles) add(a *Named, ip netip.Addr) error {
	var failed error
	if n.city != nil {
		city, err := n.city.City(ip)
		failed = errors.Join(failed, err)
		a.City = city.City.Names.English
		if len(city.Subdivisions) > 0 {
			a.Region = city.Subdivisions[0].Names.English
		}
	}
	if n.network != nil {
		network, err := n.network.ASN(ip)
		failed = errors.Join(failed, err)
		a.Organization = network.AutonomousSystemOrganization
	}
	return failed
}
