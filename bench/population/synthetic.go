package population

import (
	"cmp"
	"encoding/binary"
	"math/rand/v2"
	"net/netip"
	"slices"
	"time"

	"github.com/waryauth/wary/signals"
)

// astray is the share of blocks that the engine's database places far from the
// people who use them: two databases of addresses differ by more than 1,000 km
// for 15 to 30 % of them.
const astray = 0.2

// SyntheticWorld returns a world that needs no files: made-up networks with
// numbers for private use (RFC 6996) in public address space, and a Locator that
// knows them as a database would, its errors included.
func SyntheticWorld(seed uint64) *World {
	a := &almanac{}
	m := maker{World: &World{Locator: a, Source: "synthetic"}, almanac: a, Rand: rand.New(rand.NewPCG(seed, 0x776f726c64)), next: 1 << 24, six: 0x2001_1000 << 32}
	for _, c := range atlas {
		m.addCountry(c.code, c.languages, c.share, c.cities)
	}
	for i := range m.countries {
		m.addAccess(int32(i))
	}
	m.addServers()
	a.finish()
	return m.World
}

type maker struct {
	*World
	*rand.Rand
	almanac *almanac
	next    uint32 // first IPv4 address not given out
	six     uint64 // the same of IPv6, its first half
	asn     uint32
}

func (m *maker) addCountry(code, languages string, share float64, cities []atlasCity) {
	id := int32(len(m.countries))
	c := country{code: code, languages: languages}
	for i, at := range cities {
		zone, err := time.LoadLocation(at.zone)
		if err != nil { // a machine without zone data: by the sun
			zone = time.FixedZone(at.zone, int(at.longitude/15)*3600)
		}
		c.cities = append(c.cities, int32(len(m.cities)))
		c.bySize = c.bySize.add(1 / float64(i+1))
		m.cities = append(m.cities, city{country: id, latitude: at.latitude, longitude: at.longitude, zone: zone})
	}
	m.countries = append(m.countries, c)
	m.byCountry = m.byCountry.add(share)
}

// addAccess gives a country its providers, carriers and offices.
func (m *maker) addAccess(id int32) {
	cities := m.countries[id].cities
	for i := range 5 {
		n := m.network(id, residential)
		for _, c := range cities {
			for range 3 {
				n.blocks = append(n.blocks, m.four(c, 20, entry{asn: n.asn, connection: signals.CableDSL}))
			}
			if i%2 == 0 {
				n.blocks = append(n.blocks, m.sixBlock(c, entry{asn: n.asn, connection: signals.CableDSL}))
			}
		}
		m.addNetwork(n, 1/float64(i+1))
	}
	for i := range 3 {
		n := m.network(id, mobile)
		for range 4 { // a carrier has few places where its users come out
			n.blocks = append(n.blocks, m.four(cities[m.IntN(len(cities))], 24, entry{asn: n.asn, connection: signals.Cellular}))
		}
		m.addNetwork(n, 1/float64(i+1))
	}
	for i := range 6 {
		n := m.network(id, corporate)
		for _, c := range cities {
			n.blocks = append(n.blocks, m.four(c, 24, entry{asn: n.asn, connection: signals.Corporate}))
		}
		m.addNetwork(n, 1/float64(i+1))
	}
}

// addServers adds hosting companies, VPNs, relays and Tor exits, as far as an
// operator of anonymizer lists knows them: about four in five.
func (m *maker) addServers() {
	homes := []string{"US", "US", "US", "DE", "DE", "NL", "NL", "FR", "FR", "GB", "SG", "RU", "CA", "PL", "RO", "IN", "BR", "AU"}
	for i, code := range homes {
		id := m.countryOf(code)
		n := m.network(id, hosting)
		listed := i%5 != 4
		for range 8 {
			n.blocks = append(n.blocks, m.four(m.anyCity(id), 22, entry{asn: n.asn, connection: signals.Corporate, hosting: listed}))
		}
		m.addNetwork(n, 1)
	}
	for i := range 8 {
		n := m.network(-1, vpn)
		for range 30 {
			n.blocks = append(n.blocks, m.four(m.somewhere(), 25, entry{asn: n.asn, connection: signals.Corporate, vpn: m.Float64() < 0.8, hosting: i%2 == 0}))
		}
		m.addNetwork(n, 1)
	}
	for range 2 {
		n := m.network(-1, relay)
		for c := range m.cities {
			n.blocks = append(n.blocks, m.four(int32(c), 25, entry{asn: n.asn, relay: true}))
		}
		m.addNetwork(n, 1)
	}
	n := m.network(-1, torExit)
	for range 60 {
		n.blocks = append(n.blocks, m.four(m.somewhere(), 29, entry{asn: n.asn, tor: m.Float64() < 0.9, hosting: true}))
	}
	m.addNetwork(n, 1)
}

// somewhere draws any city of the world.
func (m *maker) somewhere() int32 { return int32(m.IntN(len(m.cities))) }

func (m *maker) anyCity(country int32) int32 {
	c := m.countries[country].cities
	return c[m.IntN(len(c))]
}

func (m *maker) network(country int32, use purpose) network {
	m.asn++
	return network{asn: 4_200_000_000 + m.asn, country: country, use: use}
}

// four gives out a block of IPv4 addresses in a city.
func (m *maker) four(c int32, bits int, e entry) block {
	size := uint32(1) << (32 - bits)
	m.next = (m.next + size - 1) / size * size
	for reserved(m.next) {
		m.next = m.next&0xff000000 + 1<<24
	}
	var b [4]byte
	binary.BigEndian.PutUint32(b[:], m.next)
	m.next += size * 16 // far enough apart that no two share a /24
	return m.enter(netip.PrefixFrom(netip.AddrFrom4(b), bits), c, e)
}

// reserved reports whether an address lies in a /8 that holds some of special
// purpose (RFC 6890), and is left out whole.
func reserved(a uint32) bool {
	first := a >> 24
	return first == 0 || first == 10 || first == 100 || first == 127 || first == 169 || first == 172 ||
		first == 192 || first == 198 || first == 203 || first >= 224
}

func (m *maker) sixBlock(c int32, e entry) block {
	var b [16]byte
	binary.BigEndian.PutUint64(b[:8], m.six)
	m.six += 1 << 24
	return m.enter(netip.PrefixFrom(netip.AddrFrom16(b), 40), c, e)
}

// enter writes a block into the almanac, a share of them at a wrong place.
func (m *maker) enter(p netip.Prefix, c int32, e entry) block {
	e.prefix, e.city = p, c
	radii := [...]float64{1, 5, 5, 10, 20, 20, 50, 50, 100, 200, 500, 1000}
	if e.connection == signals.Cellular {
		radii = [...]float64{20, 50, 50, 100, 100, 200, 200, 500, 500, 500, 1000, 1000}
	}
	if e.connection != 0 && m.Float64() < astray {
		e.city = m.far(c)
		radii = [...]float64{10, 20, 50, 100, 200, 500, 500, 1000, 1000, 1000, 1000, 1000}
	}
	e.radius = radii[m.IntN(len(radii))]
	e.place(m.World)
	e.named = m.Float64() < 0.85
	e.nearby = [2]float64{m.NormFloat64() * 0.15, m.NormFloat64() * 0.15}
	m.almanac.entries = append(m.almanac.entries, e)
	return block{p, c}
}

// far draws a city more than 1,000 km away: half the time of the same country
// where it has one.
func (m *maker) far(from int32) int32 {
	own := m.countries[m.cities[from].country].cities
	for range 4 {
		if c := own[m.IntN(len(own))]; distanceKM(&m.cities[from], &m.cities[c]) > 1000 {
			return c
		}
	}
	for {
		if c := m.somewhere(); distanceKM(&m.cities[from], &m.cities[c]) > 1000 {
			return c
		}
	}
}

// almanac is the synthetic world's database of addresses: a Locator.
type almanac struct{ entries []entry }

type entry struct {
	prefix     netip.Prefix
	asn        uint32
	city       int32
	country    signals.Country
	eu         bool
	named      bool // city and region are known
	lat, lon   float64
	nearby     [2]float64 // degrees beside the city's middle
	zone       *time.Location
	radius     float64
	connection signals.ConnectionType
	hosting    bool
	vpn, relay bool
	tor        bool
}

func (e *entry) place(w *World) {
	c := &w.cities[e.city]
	code := w.countries[c.country].code
	e.country = signals.Country{code[0], code[1]}
	e.eu = slices.Contains(european[:], code)
	e.lat, e.lon, e.zone = c.latitude, c.longitude, c.zone
}

func (a *almanac) finish() {
	slices.SortFunc(a.entries, func(x, y entry) int { return x.prefix.Addr().Compare(y.prefix.Addr()) })
}

// Locate fills place and network of an address; of one that is in no block it
// knows nothing.
func (a *almanac) Locate(o *signals.Observation, at time.Time) {
	o.Place, o.Network, o.Missing = signals.Place{}, signals.Network{Known: true}, 0
	ip := o.Address.IP
	if !ip.IsValid() {
		return
	}
	if o.Network.Private = signals.Private(ip); o.Network.Private {
		return
	}
	i, exact := slices.BinarySearchFunc(a.entries, ip, func(e entry, ip netip.Addr) int { return cmp.Compare(e.prefix.Addr().Compare(ip), 0) })
	if !exact {
		i--
	}
	if i < 0 || !a.entries[i].prefix.Contains(ip) {
		return
	}
	e := &a.entries[i]
	_, seconds := at.In(e.zone).Zone()
	o.Place = signals.Place{
		Country: e.country, Latitude: e.lat + e.nearby[0], Longitude: e.lon + e.nearby[1], AccuracyKM: e.radius, Located: true,
		TimezoneMin: int16(seconds / 60), TimezoneSet: true, InEU: e.eu,
	}
	if e.named {
		o.Place.City, o.Place.Region = uint32(e.city)+1, uint32(e.city)/2+1
	}
	o.Network.ASN, o.Network.Connection = e.asn, e.connection
	o.Network.Anonymous = e.vpn || e.tor || e.hosting
	o.Network.VPN, o.Network.Hosting, o.Network.Tor, o.Network.Relay = e.vpn, e.hosting, e.tor, e.relay
}
