package population

import (
	"cmp"
	"fmt"
	"math"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/oschwald/maxminddb-golang/v2"

	"github.com/waryauth/wary/signals/geoip"
)

// OpenWorld returns the world as geo files know it: real networks, real address
// blocks, real cities, of the countries of the built-in atlas. City and ASN are
// needed; with Anonymous there are VPNs and Tor exits.
//
// Locator reads the City file. Where the people of a block truly are is what truth
// says, another maker's file of cities of IPv4 (records with country_code, city,
// latitude and longitude), as two such files differ. Where it is empty or does not
// know a block of the network's country, they are where the City file says, but for
// a fifth, who are somewhere else in the country. Blocks that a file places outside
// their network's country are believed to be in it.
func OpenWorld(files geoip.Files, truth string, seed uint64) (*World, error) {
	locator, err := geoip.Open(files)
	if err != nil {
		return nil, fmt.Errorf("open world: %w", err)
	}
	s := survey{
		World:  &World{Locator: locator, Source: "geo files"},
		Rand:   rand.New(rand.NewPCG(seed, 0x66696c6573)),
		places: map[uint32]int32{}, zones: map[string]*time.Location{},
	}
	if s.city, err = maxminddb.Open(files.City); err != nil {
		return nil, fmt.Errorf("open world: %w", err)
	}
	defer s.city.Close()
	if truth != "" {
		if s.other, err = maxminddb.Open(truth); err != nil {
			return nil, fmt.Errorf("open world: %w", err)
		}
		defer s.other.Close()
	}
	for _, c := range atlas {
		s.countries = append(s.countries, country{code: c.code, languages: c.languages})
		s.byCountry = s.byCountry.add(c.share)
	}
	if err := s.surveyNetworks(files.ASN); err != nil {
		return nil, fmt.Errorf("open world: %w", err)
	}
	if files.Anonymous != "" {
		if err := s.surveyAnonymous(files.Anonymous); err != nil {
			return nil, fmt.Errorf("open world: %w", err)
		}
	}
	return s.World, s.check()
}

// survey is a world in the making.
type survey struct {
	*World
	*rand.Rand
	city   *maxminddb.Reader
	other  *maxminddb.Reader // where people truly are, nil for none
	places map[uint32]int32  // GeoNames id to city
	zones  map[string]*time.Location
}

// provider is an autonomous system as the ASN file knows it.
type provider struct {
	number   uint32
	name     string
	size     float64        // IPv4 addresses
	prefixes []netip.Prefix // a sample
}

// sampled is how many prefixes of a provider are looked at.
const sampled = 64

func (s *survey) surveyNetworks(path string) error {
	db, err := maxminddb.Open(path)
	if err != nil {
		return err
	}
	defer db.Close()
	byNumber := map[uint32]*provider{}
	var all []*provider
	for result := range db.Networks() {
		var record struct {
			Number uint32 `maxminddb:"autonomous_system_number"`
			Name   string `maxminddb:"autonomous_system_organization"`
		}
		if err := result.Decode(&record); err != nil {
			return err
		}
		p := byNumber[record.Number]
		if p == nil {
			p = &provider{number: record.Number, name: strings.ToLower(record.Name)}
			byNumber[record.Number] = p
			all = append(all, p)
		}
		p.add(result.Prefix(), s.Rand)
	}
	slices.SortFunc(all, func(a, b *provider) int {
		return cmp.Or(cmp.Compare(b.size, a.size), cmp.Compare(a.number, b.number))
	})
	return s.settle(all)
}

func (p *provider) add(prefix netip.Prefix, r *rand.Rand) {
	if prefix.Addr().Is4() {
		p.size += float64(uint64(1) << (32 - prefix.Bits()))
	} else if r.IntN(4) > 0 { // of IPv6 a part is enough
		return
	}
	if len(p.prefixes) < sampled {
		p.prefixes = append(p.prefixes, prefix)
	} else if i := r.IntN(4 * sampled); i < sampled {
		p.prefixes[i] = prefix
	}
}

// most are how many networks of a use a country has at most.
var most = [purposes]int{residential: 8, mobile: 4, corporate: 12, hosting: 5}

// settle enters the largest providers of each country and use.
func (s *survey) settle(all []*provider) error {
	taken := make([][purposes]int, len(s.countries))
	for _, p := range all {
		if p.size < 1024 {
			break
		}
		country, found, err := s.find(p)
		if err != nil {
			return err
		}
		use := useOf(p)
		if country < 0 || taken[country][use] >= most[use] {
			continue
		}
		n := network{asn: p.number, country: country, use: use}
		for _, l := range found {
			if c := s.truth(country, l); c >= 0 {
				n.blocks = append(n.blocks, block{l.prefix, c})
			}
		}
		if len(n.blocks) > 0 {
			taken[country][use]++
			s.addNetwork(n, p.size)
		}
	}
	return nil
}

// find looks a provider's prefixes up, and returns the country where most of them
// are; -1 where it has too few in any.
func (s *survey) find(p *provider) (country int32, found []located, err error) {
	votes := make([]int, len(s.countries))
	for _, prefix := range p.prefixes {
		l, err := s.locate(prefix)
		if err != nil {
			return -1, nil, err
		}
		if l.country >= 0 {
			votes[l.country]++
			found = append(found, l)
		}
	}
	best := 0
	for i := range votes {
		if votes[i] > votes[best] {
			best = i
		}
	}
	if votes[best] < 2 || votes[best]*2 < len(found) {
		return -1, nil, nil
	}
	return int32(best), found, nil
}

// located is a prefix and where the City file says it is.
type located struct {
	prefix        netip.Prefix
	country, city int32 // -1 unknown
}

func (s *survey) locate(prefix netip.Prefix) (located, error) {
	l := located{prefix, -1, -1}
	var record struct {
		Country struct {
			ISOCode string `maxminddb:"iso_code"`
		} `maxminddb:"country"`
		City struct {
			ID uint32 `maxminddb:"geoname_id"`
		} `maxminddb:"city"`
		Location struct {
			Latitude  float64 `maxminddb:"latitude"`
			Longitude float64 `maxminddb:"longitude"`
			TimeZone  string  `maxminddb:"time_zone"`
		} `maxminddb:"location"`
	}
	result := s.city.Lookup(inside(s.Rand, prefix))
	if err := result.Decode(&record); err != nil {
		return l, err
	}
	if narrower := result.Prefix(); narrower.IsValid() && narrower.Bits() > prefix.Bits() && narrower.Addr().Is4() == prefix.Addr().Is4() {
		l.prefix = narrower
	}
	l.country = s.countryOf(record.Country.ISOCode)
	if l.country < 0 || record.City.ID == 0 || record.Location.TimeZone == "" {
		return l, nil
	}
	id, ok := s.places[record.City.ID]
	if !ok {
		zone, err := s.zone(record.Location.TimeZone)
		if err != nil {
			return l, nil // a zone that this machine does not know: leave the city out
		}
		id = s.addCity(city{l.country, record.Location.Latitude, record.Location.Longitude, zone})
		s.places[record.City.ID] = id
	}
	l.city = id
	return l, nil
}

func (s *survey) zone(name string) (*time.Location, error) {
	if z, ok := s.zones[name]; ok {
		return z, nil
	}
	z, err := time.LoadLocation(name)
	if err == nil {
		s.zones[name] = z
	}
	return z, err
}

// truth returns where the people of a block are: where the other file says, or where
// the City file says, but for a fifth, and for those that it places abroad or in no
// city. -1: no city known yet.
func (s *survey) truth(country int32, l located) int32 {
	if c := s.elsewhere(country, l.prefix); c >= 0 {
		return c
	}
	if l.country == country && l.city >= 0 && s.Float64() >= astray {
		return l.city
	}
	c := s.countries[country].cities
	if len(c) == 0 {
		return -1
	}
	return c[s.IntN(len(c))]
}

const (
	sameCity = 15  // km: two files may see the middle of one city so far apart
	degreeKM = 111 // of latitude
)

// elsewhere returns the city of a country where the other file has a block, with the
// zone of the nearest that is known; -1 where it does not know.
func (s *survey) elsewhere(country int32, p netip.Prefix) int32 {
	if s.other == nil || !p.Addr().Is4() || len(s.countries[country].cities) == 0 {
		return -1
	}
	var record struct {
		Country   string  `maxminddb:"country_code"`
		City      string  `maxminddb:"city"`
		Latitude  float64 `maxminddb:"latitude"`
		Longitude float64 `maxminddb:"longitude"`
	}
	if err := s.other.Lookup(inside(s.Rand, p)).Decode(&record); err != nil || record.City == "" || record.Country != s.countries[country].code {
		return -1
	}
	there := city{country: country, latitude: record.Latitude, longitude: record.Longitude}
	nearest, far := int32(-1), math.Inf(1)
	for _, id := range s.countries[country].cities {
		c := &s.cities[id]
		if math.Abs(c.latitude-there.latitude)*degreeKM > far {
			continue // most are: a country has thousands
		}
		if d := distanceKM(c, &there); d < far {
			nearest, far = id, d
		}
	}
	if far <= sameCity {
		return nearest
	}
	there.zone = s.cities[nearest].zone
	return s.addCity(there)
}

// addCity enters a city, of which the first of a country are its largest.
func (s *survey) addCity(c city) int32 {
	id, of := int32(len(s.cities)), &s.countries[c.country]
	s.cities = append(s.cities, c)
	of.cities = append(of.cities, id)
	of.bySize = of.bySize.add(1 / float64(1+len(of.cities)))
	return id
}

// inside draws an address of a prefix.
func inside(r *rand.Rand, p netip.Prefix) netip.Addr {
	return offset(p.Addr(), r.Uint64N(uint64(1)<<min(p.Addr().BitLen()-p.Bits(), 24)))
}

// Words in the names of organizations that tell what a network is for. The first
// list that has one decides.
var (
	hostingWords   = []string{"hosting", "host", "cloud", "server", "datacent", "data cent", "amazon", "google", "digitalocean", "ovh", "hetzner", "linode", "akamai", "vultr", "choopa", "contabo", "leaseweb", "m247", "cdn", "colo", "vps", "scaleway", "ionos", "fastly", "oracle", "alibaba", "tencent"}
	mobileWords    = []string{"mobile", "wireless", "cellular", "cellco", "movil", "mobil", "celular", "vodafone", "three", "telenor", "hutchison", "airtel", "jio", "claro", "megafon", "vodacom", "mtn", "kyivstar", "turkcell"}
	corporateWords = []string{"university", "universit", "bank", "ministry", "government", "department", "institute", "hospital", "college", "school", "council", "corporation", "academic", "research"}
)

func useOf(p *provider) purpose {
	has := func(words []string) bool {
		return slices.ContainsFunc(words, func(w string) bool { return strings.Contains(p.name, w) })
	}
	switch {
	case has(hostingWords):
		return hosting
	case has(mobileWords):
		return mobile
	case has(corporateWords), p.size < 1<<16:
		return corporate
	}
	return residential
}

// surveyAnonymous enters the VPNs and Tor exits of an Anonymous-IP file.
func (s *survey) surveyAnonymous(path string) error {
	db, err := maxminddb.Open(path)
	if err != nil {
		return err
	}
	defer db.Close()
	nets := [purposes]network{}
	for result := range db.Networks() {
		var record struct {
			VPN   bool `maxminddb:"is_anonymous_vpn"`
			Tor   bool `maxminddb:"is_tor_exit_node"`
			Relay bool `maxminddb:"is_private_relay"`
		}
		if err := result.Decode(&record); err != nil {
			return err
		}
		use := residential
		switch {
		case record.VPN:
			use = vpn
		case record.Tor:
			use = torExit
		case record.Relay:
			use = relay
		}
		if use == residential || s.IntN(8) > 0 && use == vpn {
			continue
		}
		nets[use].blocks = append(nets[use].blocks, block{result.Prefix(), int32(s.IntN(len(s.cities)))})
	}
	for use, n := range nets {
		// VPN companies are told apart by chance: the file does not.
		for part := range 8 {
			var own []block
			for i, b := range n.blocks {
				if i%8 == part {
					own = append(own, b)
				}
			}
			if len(own) > 0 {
				s.addNetwork(network{country: -1, use: purpose(use), blocks: own}, 1)
			}
		}
	}
	return nil
}

// check drops countries without cities or providers and demands that some are left.
func (s *survey) check() error {
	var left cumulated
	usable := 0
	for i := range s.countries {
		share := atlas[i].share
		if c := &s.countries[i]; len(c.cities) == 0 || len(c.networks[residential]) == 0 {
			share = 0
		} else {
			usable++
		}
		left = left.add(share)
	}
	if usable < 3 || len(s.servers) == 0 {
		return fmt.Errorf("open world: only %d countries with cities and providers and %d hosting companies in these files", usable, len(s.servers))
	}
	s.byCountry = left
	return nil
}
