package signals

import (
	"net/netip"
	"time"
)

// Observation is what an attempt shows by itself: the place and network of the
// client's address, and the device that its headers describe.
type Observation struct {
	Address Address
	Place   Place
	Network Network
	Agent   Agent
	Missing Missing // what could not be looked at
}

// Missing says which lookups had nothing to look in.
type Missing uint8

// Lookups that can be missing.
const (
	MissingPlace     Missing = 1 << iota // no City file
	MissingNetwork                       // no ASN file
	MissingAnonymity                     // no Anonymous-IP file
)

// Address is the client's address, found behind trusted proxies.
type Address struct {
	IP        netip.Addr // unmapped, without zone; invalid where nothing could be believed
	Hops      uint8      // entries read of the forwarding header; 0 where the peer is no trusted proxy
	Forwarded bool       // taken from the forwarding header
	Spoofed   bool       // the header held a private or malformed entry that was not believed
}

// Country is an ISO 3166-1 alpha-2 code; the zero value is unknown.
type Country [2]byte

func (c Country) String() string {
	if c == (Country{}) {
		return ""
	}
	return string(c[:])
}

// Place is where an address is, as far as a geo database knows.
type Place struct {
	Country     Country
	Region      uint32 // GeoNames id of the largest subdivision, or a hash of its name; 0 unknown
	City        uint32 // GeoNames id of the city, or a hash of its name; 0 unknown
	Latitude    float64
	Longitude   float64
	AccuracyKM  float64 // radius; 0 unknown
	Located     bool    // Latitude and Longitude are known
	TimezoneMin int16   // minutes east of UTC at the attempt's time; meaningful where TimezoneSet
	TimezoneSet bool
	InEU        bool
}

// ConnectionType is how an address is connected.
type ConnectionType uint8

// Connection types (GeoIP2 Connection-Type).
const (
	DialUp ConnectionType = iota + 1
	CableDSL
	Corporate
	Cellular
	Satellite
)

// Network is who runs an address and what it is used for.
type Network struct {
	ASN         uint32 // 0 unknown
	Connection  ConnectionType
	Private     bool // not a public address (RFC 1918, loopback, ULA, link-local, CGNAT)
	Known       bool // an anonymizer file was asked: the flags below mean something
	Anonymous   bool
	VPN         bool
	Hosting     bool
	Proxy       bool // public proxy
	Residential bool // residential proxy
	Tor         bool
	Relay       bool // private relay (Apple, Cloudflare WARP)
}

// DeviceClass is the kind of device a user agent names.
type DeviceClass uint8

// Device classes.
const (
	Desktop DeviceClass = iota + 1
	Mobile
	Tablet
	Bot
	OtherDevice
)

// Agent is what the user agent and client hints say of the device. Strings are
// owned by the parser's cache and safe to keep.
type Agent struct {
	Class          DeviceClass // 0 unknown
	Browser        string
	BrowserMajor   uint16 // 0 unknown
	OS             string
	OSMajor        uint16
	Empty          bool // no user agent was sent
	Unparseable    bool // one was sent, nothing was recognised
	HintsMismatch  bool // client hints contradict the user agent, or are malformed
	BrowserVersion string
	OSVersion      string
}

// Locator finds the place and network of an address. signals/geoip implements
// it over MaxMind-format files. It must not allocate, and fills Place, Network
// and Missing of the observation for its Address.
type Locator interface {
	Locate(o *Observation, at time.Time)
}
