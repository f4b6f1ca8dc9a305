package population

import (
	"encoding/binary"
	"math"
	"net/netip"
	"time"

	"github.com/waryauth/wary/signals"
)

// World is where addresses live: countries with cities, and networks with the
// blocks of addresses they use in each city. It is immutable.
//
// The city of a block is where its people truly are. What Locator says of them
// comes from another source, and is more than 1,000 km off for a share of the
// blocks, as two databases of addresses differ.
type World struct {
	Locator signals.Locator
	Source  string // what it was made from

	countries []country
	cities    []city
	networks  []network
	byCountry cumulated
	servers   []int32 // networks of hosting companies
	exits     []int32 // of VPN companies
	relays    []int32
	tor       []int32
}

// purpose is what a network is used for.
type purpose uint8

const (
	residential purpose = iota
	mobile
	corporate
	hosting
	vpn
	relay
	torExit
	purposes int = iota
)

type country struct {
	code      string
	languages string // Accept-Language of most of its people
	cities    []int32
	bySize    cumulated
	networks  [purposes][]int32
	byUse     [purposes]cumulated
}

type city struct {
	country             int32
	latitude, longitude float64
	zone                *time.Location
}

type network struct {
	asn     uint32
	country int32
	use     purpose
	blocks  []block
	byCity  map[int32][]int32 // blocks
}

type block struct {
	prefix netip.Prefix
	city   int32 // true
}

// source is where an attempt comes from.
type source struct {
	ip   netip.Addr
	city int32 // where whoever uses it truly is
}

// addNetwork enters a network whose blocks are complete.
func (w *World) addNetwork(n network, weight float64) {
	id := int32(len(w.networks))
	n.byCity = map[int32][]int32{}
	for i, b := range n.blocks {
		n.byCity[b.city] = append(n.byCity[b.city], int32(i))
	}
	w.networks = append(w.networks, n)
	switch n.use {
	case hosting:
		w.servers = append(w.servers, id)
	case vpn:
		w.exits = append(w.exits, id)
	case relay:
		w.relays = append(w.relays, id)
	case torExit:
		w.tor = append(w.tor, id)
	}
	if n.country >= 0 {
		c := &w.countries[n.country]
		c.networks[n.use] = append(c.networks[n.use], id)
		c.byUse[n.use] = c.byUse[n.use].add(weight)
	}
}

// countryOf returns the index of a country by its code, -1 where it is not.
func (w *World) countryOf(code string) int32 {
	for i := range w.countries {
		if w.countries[i].code == code {
			return int32(i)
		}
	}
	return -1
}

func (r *run) country() int32 { return int32(r.pick(r.world.byCountry)) }

func (r *run) cityOf(country int32) int32 {
	c := &r.world.countries[country]
	return c.cities[r.pick(c.bySize)]
}

// networkOf draws a network of a use in a country; where it has none, a
// residential one.
func (r *run) networkOf(country int32, use purpose) int32 {
	c := &r.world.countries[country]
	if len(c.networks[use]) == 0 {
		use = residential
	}
	return c.networks[use][r.pick(c.byUse[use])]
}

// blockOf draws a block of a network, in the city where it has one.
func (r *run) blockOf(net, city int32) *block {
	n := &r.world.networks[net]
	if near := n.byCity[city]; len(near) > 0 {
		return &n.blocks[choose(r, near)]
	}
	return &n.blocks[r.IntN(len(n.blocks))]
}

// host draws an address of a block: any of a residential one, one of the few that a
// provider sends its users through of the others.
func (r *run) host(b *block, use purpose) netip.Addr {
	size := uint64(1) << min(b.prefix.Addr().BitLen()-b.prefix.Bits(), 40)
	switch use {
	case residential:
		return offset(b.prefix.Addr(), r.Uint64N(size))
	case mobile:
		return offset(b.prefix.Addr(), uint64(r.skewed(int(min(size, 64)))))
	case vpn, relay:
		return offset(b.prefix.Addr(), uint64(r.skewed(int(min(size, 24)))))
	}
	return offset(b.prefix.Addr(), r.Uint64N(min(size, 4096)))
}

// offset returns the n-th address after base. In IPv6 the number is of networks
// of 64 bits, in which the host part is random to the reader and fixed here.
func offset(base netip.Addr, n uint64) netip.Addr {
	if base.Is4() {
		b := base.As4()
		binary.BigEndian.PutUint32(b[:], binary.BigEndian.Uint32(b[:])+uint32(n))
		return netip.AddrFrom4(b)
	}
	b := base.As16()
	binary.BigEndian.PutUint64(b[:8], binary.BigEndian.Uint64(b[:8])+n>>16)
	binary.BigEndian.PutUint64(b[8:], n*0x9e3779b97f4a7c15|1)
	return netip.AddrFrom16(b)
}

// draw draws an address of a network for somebody in a city.
func (r *run) draw(net, city int32) source {
	n := &r.world.networks[net]
	return source{r.host(r.blockOf(net, city), n.use), city}
}

// lodge draws a network of a use in a country, and an address of it for somebody
// in a city: one that has the city, or else the user is in another city.
func (r *run) lodge(country int32, use purpose, city int32) (net int32, s source) {
	for range 12 {
		net = r.networkOf(country, use)
		if len(r.world.networks[net].byCity[city]) > 0 {
			return net, r.draw(net, city)
		}
	}
	n := &r.world.networks[net]
	b := &n.blocks[r.IntN(len(n.blocks))]
	return net, source{r.host(b, n.use), b.city}
}

// anywhere draws an address of one of some networks, used from a city.
func (r *run) anywhere(nets []int32, city int32) source {
	return r.draw(choose(r, nets), city)
}

func distanceKM(a, b *city) float64 {
	const rad = math.Pi / 180
	s, t := math.Sin((a.latitude-b.latitude)*rad/2), math.Sin((a.longitude-b.longitude)*rad/2)
	h := s*s + math.Cos(a.latitude*rad)*math.Cos(b.latitude*rad)*t*t
	return 2 * 6371 * math.Asin(math.Sqrt(min(h, 1)))
}

// sibling draws an address in the same /24 (IPv6: /48) as another.
func sibling(r *run, s source) netip.Addr {
	if s.ip.Is4() {
		b := s.ip.As4()
		b[3] = byte(1 + r.IntN(254))
		return netip.AddrFrom4(b)
	}
	b := s.ip.As16()
	for i := 6; i < 16; i++ {
		b[i] = byte(r.Uint64())
	}
	return netip.AddrFrom16(b)
}
