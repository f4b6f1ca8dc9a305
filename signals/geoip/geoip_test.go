package geoip

import (
	"encoding/binary"
	"math/rand/v2"
	"net/netip"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/oschwald/geoip2-golang/v2"

	"github.com/waryauth/wary/signals"
)

var _ signals.Locator = (*Database)(nil)

func TestLocateFixture(t *testing.T) {
	d := open(t, fixture(t))
	f := func(ip string, at time.Time, place signals.Place, network signals.Network) {
		t.Helper()
		o := locate(d, ip, at)
		if o.Place != place {
			t.Errorf("%s: place\n got %+v\nwant %+v", ip, o.Place, place)
		}
		if o.Network != network {
			t.Errorf("%s: network\n got %+v\nwant %+v", ip, o.Network, network)
		}
		if o.Missing != 0 {
			t.Errorf("%s: missing %b, want none", ip, o.Missing)
		}
	}
	linkoping := signals.Place{
		Country: signals.Country{'S', 'E'}, Region: 2685867, City: 2694762, Latitude: 58.4167, Longitude: 15.6167, AccuracyKM: 76,
		Located: true, TimezoneMin: 60, TimezoneSet: true, InEU: true,
	}
	vpn := signals.Network{ASN: 1221, Connection: signals.Cellular, Known: true, Anonymous: true, VPN: true, Hosting: true}
	f("1.1.2.3", winter, linkoping, vpn)
	f("::ffff:1.1.2.3", winter, linkoping, vpn)
	linkoping.TimezoneMin = 120
	f("1.1.2.3", summer, linkoping, vpn)
	f("1.1.200.3", summer, linkoping, signals.Network{ASN: 1221, Connection: signals.Cellular, Known: true})

	mumbai := signals.Place{Country: signals.Country{'I', 'N'}, Region: 11, City: 12, Latitude: 19.07, Longitude: 72.87, AccuracyKM: 1000,
		Located: true, TimezoneMin: 330, TimezoneSet: true}
	f("1.2.3.4", winter, mumbai, signals.Network{ASN: 64500, Known: true, Relay: true}) // ISP before ASN

	f("1.3.0.1", winter, signals.Place{Country: signals.Country{'F', 'R'}},
		signals.Network{Known: true, Anonymous: true, Proxy: true, Residential: true, Tor: true})
	f("2a00:1::1", winter, signals.Place{Country: signals.Country{'N', 'P'}, Region: 3, City: 4, Latitude: 27.7, Longitude: 85.3,
		AccuracyKM: 20, Located: true, TimezoneMin: 345, TimezoneSet: true}, signals.Network{Known: true})
	f("9.9.9.9", winter, signals.Place{}, signals.Network{Known: true})
	f("192.0.2.1", winter, signals.Place{}, signals.Network{Known: true}) // documentation
	f("", winter, signals.Place{}, signals.Network{})

	// Bad country codes and zones are unknown, not an error; "Local" would be the server's own zone.
	f("1.6.0.1", winter, signals.Place{Region: 1, City: 2, Latitude: 1, Longitude: 1, AccuracyKM: 1, Located: true}, signals.Network{Known: true})
	f("1.7.0.1", winter, signals.Place{Country: signals.Country{'G', 'B'}, Region: 1, City: 2, Latitude: 1, Longitude: 1, AccuracyKM: 1,
		Located: true}, signals.Network{Known: true})
}

func TestPlacesWithoutIDs(t *testing.T) {
	d := open(t, fixture(t))
	bavaria, saxony := locate(d, "1.4.0.1", winter).Place, locate(d, "1.5.0.1", winter).Place
	if !bavaria.Located || saxony.Located {
		t.Errorf("located: %v and %v, want true (0 and 0 are coordinates) and false", bavaria.Located, saxony.Located)
	}
	if bavaria.City == 0 || bavaria.Region == 0 || bavaria.City == bavaria.Region {
		t.Errorf("city %d and region %d, want two numbers", bavaria.City, bavaria.Region)
	}
	if bavaria.City == saxony.City || bavaria.Region == saxony.Region {
		t.Error("cities of one name in two regions are one")
	}
	if bavaria.City < 1<<31 || bavaria.Region < 1<<31 {
		t.Error("hashes of names mix with GeoNames ids")
	}
}

func TestPrivate(t *testing.T) {
	d := open(t, fixture(t))
	f := func(want bool, addresses ...string) {
		t.Helper()
		for _, ip := range addresses {
			o := locate(d, ip, winter)
			if o.Network.Private != want {
				t.Errorf("%s: private %v, want %v", ip, o.Network.Private, want)
			}
			if want && (o.Place != signals.Place{} || o.Network != signals.Network{Private: true}) {
				t.Errorf("%s: has a place or network: %+v", ip, o)
			}
		}
	}
	f(true, "10.0.0.1", "10.255.255.255", "172.16.0.1", "172.31.255.255", "192.168.1.1", "127.0.0.1", "127.9.9.9", "169.254.1.1",
		"100.64.0.0", "100.127.255.255", "0.0.0.0", "224.0.0.1", "239.1.1.1", "::", "::1", "fc00::1", "fdff::1", "fe80::1", "ff02::1",
		"::ffff:10.0.0.1", "::ffff:100.64.0.1")
	f(false, "9.255.255.255", "11.0.0.0", "172.15.255.255", "172.32.0.0", "192.167.255.255", "192.169.0.0", "126.255.255.255",
		"100.63.255.255", "100.128.0.0", "192.0.2.1", "198.51.100.1", "203.0.113.1", "2001:db8::1", "2a00::1", "fec0::1")
}

func TestMissing(t *testing.T) {
	all := fixture(t)
	f := func(change func(*Files), want signals.Missing) {
		t.Helper()
		files := all
		change(&files)
		if got := locate(open(t, files), "1.1.2.3", winter); got.Missing != want {
			t.Errorf("%+v: missing %03b, want %03b", files, got.Missing, want)
		}
	}
	f(func(*Files) {}, 0)
	f(func(f *Files) { f.City = "" }, signals.MissingPlace)
	f(func(f *Files) { f.ASN = "" }, 0) // ISP has numbers too
	f(func(f *Files) { f.ISP, f.ConnectionType = "", "" }, 0)
	f(func(f *Files) { f.ASN, f.ISP = "", "" }, signals.MissingNetwork)
	f(func(f *Files) { f.Anonymous = "" }, signals.MissingAnonymity)
	everything := signals.MissingPlace | signals.MissingNetwork | signals.MissingAnonymity
	f(func(f *Files) { *f = Files{} }, everything)
	f(func(f *Files) { *f = Find(filepath.Join(t.TempDir(), "none")) }, everything)

	o := locate(open(t, Files{}), "1.1.2.3", winter)
	if o.Network.Known || o.Place != (signals.Place{}) {
		t.Errorf("without files: %+v", o)
	}
	if o = locate(open(t, Files{}), "10.1.2.3", winter); !o.Network.Private || o.Missing != everything {
		t.Errorf("without files, private: %+v", o)
	}
}

func TestFind(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"GeoLite2-City.mmdb", "GeoLite2-ASN.mmdb", "GeoIP2-Anonymous-IP.mmdb", "GeoIP2-ISP.mmdb",
		"GeoIP2-Connection-Type.mmdb", "GeoLite2-Country.mmdb", "notes.txt"} {
		write(t, dir, name, nil)
	}
	want := Files{City: filepath.Join(dir, "GeoLite2-City.mmdb"), ASN: filepath.Join(dir, "GeoLite2-ASN.mmdb"),
		Anonymous: filepath.Join(dir, "GeoIP2-Anonymous-IP.mmdb"), ISP: filepath.Join(dir, "GeoIP2-ISP.mmdb"),
		ConnectionType: filepath.Join(dir, "GeoIP2-Connection-Type.mmdb"), dir: dir}
	if got := Find(dir); got != want {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
	want.City = write(t, dir, "city.mmdb", nil)
	if got := Find(dir); got != want {
		t.Errorf("the short name does not win: %+v", got)
	}
	if got := Find(""); got != (Files{}) {
		t.Errorf("no folder: %+v", got)
	}
}

// Values are those of maxmind/MaxMind-DB source-data/*.json.
func TestLocateMaxMind(t *testing.T) {
	d := open(t, Files{
		City:           shared(t, "mmdb", "GeoIP2-City-Test.mmdb"),
		ASN:            shared(t, "mmdb", "GeoLite2-ASN-Test.mmdb"),
		Anonymous:      shared(t, "mmdb", "GeoIP2-Anonymous-IP-Test.mmdb"),
		ConnectionType: shared(t, "mmdb", "GeoIP2-Connection-Type-Test.mmdb"),
		ISP:            shared(t, "mmdb", "GeoIP2-ISP-Test.mmdb"),
	})
	place := func(ip, country string, region, city uint32, lat, lon, radius float64, zone int16, eu bool) {
		t.Helper()
		want := signals.Place{Region: region, City: city, Latitude: lat, Longitude: lon, AccuracyKM: radius,
			Located: true, TimezoneMin: zone, TimezoneSet: true, InEU: eu}
		copy(want.Country[:], country)
		if got := locate(d, ip, winter).Place; got != want {
			t.Errorf("%s\n got %+v\nwant %+v", ip, got, want)
		}
	}
	place("81.2.69.142", "GB", 6269131, 2643743, 51.5142, -0.0931, 10, 0, false)
	place("81.2.69.160", "GB", 6269131, 2643743, 51.5142, -0.0931, 100, 0, false)
	place("2.125.160.216", "GB", 6269131, 2655045, 51.75, -1.25, 100, 0, false)
	place("89.160.20.112", "SE", 2685867, 2694762, 58.4167, 15.6167, 76, 60, true)
	place("216.160.83.56", "US", 5815135, 5803556, 47.2513, -122.3149, 22, -8*60, false)
	place("175.16.199.1", "CN", 2036500, 2038180, 43.88, 125.3228, 100, 8*60, false)
	place("2001:218::1", "JP", 0, 0, 35.68536, 139.75309, 100, 9*60, false)

	if got, want := locate(d, "2001:250::1", winter).Place, (signals.Place{Country: signals.Country{'C', 'N'}, Latitude: 35, Longitude: 105,
		AccuracyKM: 100, Located: true}); got != want {
		t.Errorf("without a time zone: got %+v", got)
	}
	if got := locate(d, "214.1.1.5", winter).Place; got != (signals.Place{}) {
		t.Errorf("anycast without a place: %+v", got)
	}

	network := func(ip string, want signals.Network) {
		t.Helper()
		want.Known = true
		if got := locate(d, ip, winter).Network; got != want {
			t.Errorf("%s\n got %+v\nwant %+v", ip, got, want)
		}
	}
	network("1.128.0.1", signals.Network{ASN: 1221})
	network("12.81.92.7", signals.Network{ASN: 7018})
	network("1.0.0.1", signals.Network{ASN: 15169, Connection: signals.CableDSL})
	network("1.2.0.1", signals.Network{Anonymous: true, VPN: true})
	network("1.124.213.1", signals.Network{Anonymous: true, VPN: true, Tor: true})
	network("6.1.0.4", signals.Network{Anonymous: true, Residential: true})
	network("71.160.223.5", signals.Network{Anonymous: true, Hosting: true})
	network("186.30.236.5", signals.Network{Anonymous: true, Proxy: true})
	network("201.243.200.1", signals.Network{Connection: signals.Corporate})
	network("214.78.120.1", signals.Network{ASN: 721, Connection: signals.Satellite})
	network("80.214.0.1", signals.Network{Connection: signals.Cellular})
}

func TestDescribe(t *testing.T) {
	files := fixture(t)
	infos := open(t, files).Describe()
	var kinds, types []string
	for _, i := range infos {
		kinds, types = append(kinds, i.Kind), append(types, i.Type)
		if i.Built.Unix() != 1750000000 || i.Nodes == 0 || i.Bytes == 0 || len(i.Digest) != len("sha256:")+64 {
			t.Errorf("%+v", i)
		}
	}
	if want := []string{"City", "ASN", "Anonymous-IP", "Connection-Type", "ISP"}; !slices.Equal(kinds, want) {
		t.Errorf("kinds %v, want %v", kinds, want)
	}
	if want := []string{"GeoLite2-City", "GeoLite2-ASN", "GeoIP2-Anonymous-IP", "GeoIP2-Connection-Type", "GeoIP2-ISP"}; !slices.Equal(types, want) {
		t.Errorf("types %v, want %v", types, want)
	}
	if infos[0].Path != files.City {
		t.Errorf("path %q, want %q", infos[0].Path, files.City)
	}
	if got := open(t, Files{}).Describe(); len(got) != 0 {
		t.Errorf("without files: %v", got)
	}
}

func TestOpenRefuses(t *testing.T) {
	files := fixture(t)
	f := func(files Files, wants ...string) {
		t.Helper()
		d, err := Open(files)
		if err == nil || d != nil {
			t.Fatalf("%+v: opened", files)
		}
		for _, want := range wants {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%q does not say %q", err, want)
			}
		}
	}
	dir := t.TempDir()
	f(Files{City: files.ASN}, files.ASN, `"GeoLite2-ASN"`, "City file", "GeoIP2-City")
	f(Files{ASN: files.City}, files.City, `"GeoLite2-City"`, "ASN file")
	f(Files{Anonymous: files.ConnectionType}, `"GeoIP2-Connection-Type"`, "GeoIP-Anonymous-Plus")
	f(Files{City: files.ASN, ISP: files.City}, files.ASN, files.City) // both are told
	f(Files{City: write(t, dir, "own.mmdb", build(t, "My-Own-Type"))}, "own.mmdb", `"My-Own-Type"`, "GeoLite2-City")
	f(Files{City: write(t, dir, "country.mmdb", build(t, "GeoLite2-Country"))}, `"GeoLite2-Country"`)
	f(Files{City: write(t, dir, "text.mmdb", []byte("not a database"))}, "text.mmdb", "not a whole MaxMind file")
	f(Files{City: write(t, dir, "empty.mmdb", nil)}, "empty.mmdb")
	f(Files{City: filepath.Join(dir, "absent.mmdb")}, "absent.mmdb")
	f(Files{City: dir}, "not a regular file")
	f(Files{City: write(t, dir, "nowhere.mmdb", build(t, "GeoLite2-City",
		entry{"1.0.0.0/8", cityOf("SE", "", 1, 2, 1234, 0, 1, false)}))}, "nowhere.mmdb", "record at 0", "not on Earth")
}

// compare checks that d says what geoip2 decodes from the records themselves.
func compare(t *testing.T, d *Database, files Files, addresses []netip.Addr) {
	t.Helper()
	cities, err := geoip2.Open(files.City)
	if err != nil {
		t.Fatal(err)
	}
	defer cities.Close()
	numbers, err := geoip2.Open(files.ASN)
	if err != nil {
		t.Fatal(err)
	}
	defer numbers.Close()
	located := 0
	for _, ip := range addresses {
		o := signals.Observation{Address: signals.Address{IP: ip}}
		d.Locate(&o, summer)
		if o.Network.Private {
			continue
		}
		record, err := cities.City(ip)
		if err != nil {
			t.Fatal(err)
		}
		if want := placeOf(record, summer); o.Place != want {
			t.Fatalf("%s\n got %+v\nwant %+v", ip, o.Place, want)
		}
		number, err := numbers.ASN(ip)
		if err != nil {
			t.Fatal(err)
		}
		if o.Network.ASN != uint32(number.AutonomousSystemNumber) {
			t.Fatalf("%s: AS%d, want AS%d", ip, o.Network.ASN, number.AutonomousSystemNumber)
		}
		if o.Place.Located && o.Network.ASN != 0 {
			located++
		}
	}
	t.Logf("%d addresses, %d with a place and a network", len(addresses), located)
	if located == 0 {
		t.Error("nothing was compared")
	}
}

// placeOf says what an observation should hold, from what geoip2 decodes.
func placeOf(c *geoip2.City, at time.Time) signals.Place {
	p := signals.Place{City: uint32(c.City.GeoNameID), InEU: c.Country.IsInEuropeanUnion, AccuracyKM: float64(c.Location.AccuracyRadius)}
	copy(p.Country[:], c.Country.ISOCode)
	if len(c.Subdivisions) > 0 {
		p.Region = uint32(c.Subdivisions[0].GeoNameID)
	}
	if c.Location.HasCoordinates() {
		p.Latitude, p.Longitude, p.Located = *c.Location.Latitude, *c.Location.Longitude, true
	}
	if location, err := time.LoadLocation(c.Location.TimeZone); err == nil && c.Location.TimeZone != "" {
		_, seconds := at.In(location).Zone()
		p.TimezoneMin, p.TimezoneSet = int16(seconds/60), true
	}
	return p
}

// randomAddresses are n addresses, one in four of them IPv6 in 2000::/3.
func randomAddresses(n int) []netip.Addr {
	r := rand.New(rand.NewPCG(1, 2))
	addresses := make([]netip.Addr, n)
	for i := range addresses {
		if i%4 == 3 {
			var b [16]byte
			// Registries have given out 2001 and 2400 to 2c0f: closer to those is likelier to be known.
			binary.BigEndian.PutUint64(b[:8], r.Uint64())
			b[0] = [...]byte{0x20, 0x24, 0x26, 0x28, 0x2a, 0x2c}[r.IntN(6)]
			b[1] &= 0x0f
			addresses[i] = netip.AddrFrom16(b)
			continue
		}
		var b [4]byte
		binary.BigEndian.PutUint32(b[:], r.Uint32())
		addresses[i] = netip.AddrFrom4(b)
	}
	return addresses
}

// allocates fails where a lookup allocates, at whatever time.
func allocates(t *testing.T, d *Database, addresses []netip.Addr) {
	t.Helper()
	var o signals.Observation
	i := 0
	if n := testing.AllocsPerRun(10_000, func() {
		o.Address.IP = addresses[i%len(addresses)]
		d.Locate(&o, summer.Add(time.Duration(i)*time.Hour))
		i++
	}); n != 0 {
		t.Errorf("%v allocations a lookup", n)
	}
}

// known are addresses that the fixture knows, and some that are private.
func known() []netip.Addr {
	var addresses []netip.Addr
	for _, ip := range []string{"1.1.0.1", "1.2.0.1", "1.3.0.1", "2a00::1", "9.9.9.9", "2002:101:1::", "10.0.0.1", "::1"} {
		addresses = append(addresses, netip.MustParseAddr(ip))
	}
	return addresses
}

func TestSameAsGeoIP2(t *testing.T) {
	files := fixture(t)
	files.ISP = "" // has other numbers
	compare(t, open(t, files), files, known())
}

func TestLocateAllocatesNothing(t *testing.T) {
	allocates(t, open(t, fixture(t)), append(known(), randomAddresses(100)...))
	allocates(t, open(t, Files{}), known())
}

// On whole files: opened once, since that takes seconds under the race detector.
func TestFetched(t *testing.T) {
	files := Files{City: fetched(t, "city.mmdb"), ASN: fetched(t, "asn.mmdb")}
	d := open(t, files)
	addresses := randomAddresses(60_000)
	compare(t, d, files, addresses)
	allocates(t, d, addresses)
}
