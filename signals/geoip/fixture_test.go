package geoip

import (
	"bytes"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/maxmind/mmdbwriter"
	"github.com/maxmind/mmdbwriter/mmdbtype"

	"github.com/waryauth/wary/signals"
)

// entry is a network and its record.
type entry struct {
	network string
	record  mmdbtype.Map
}

// build makes the bytes of a MaxMind file.
func build(tb testing.TB, databaseType string, entries ...entry) []byte {
	tb.Helper()
	return buildWith(tb, mmdbwriter.Options{DatabaseType: databaseType}, entries...)
}

func buildWith(tb testing.TB, options mmdbwriter.Options, entries ...entry) []byte {
	tb.Helper()
	options.BuildEpoch = 1750000000
	options.IncludeReservedNetworks = true
	w, err := mmdbwriter.New(options)
	if err != nil {
		tb.Fatal(err)
	}
	for _, e := range entries {
		_, network, err := net.ParseCIDR(e.network)
		if err != nil {
			tb.Fatal(err)
		}
		if err := w.Insert(network, e.record); err != nil {
			tb.Fatal(err)
		}
	}
	var b bytes.Buffer
	if _, err := w.WriteTo(&b); err != nil {
		tb.Fatal(err)
	}
	return b.Bytes()
}

// write puts content under a name in dir the way operators should: complete,
// then renamed.
func write(tb testing.TB, dir, name string, content []byte) string {
	tb.Helper()
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path+".new", content, 0o644); err != nil {
		tb.Fatal(err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		tb.Fatal(err)
	}
	return path
}

func cityOf(country, zone string, region, city uint32, lat, lon float64, radius uint16, eu bool) mmdbtype.Map {
	return mmdbtype.Map{
		"city":         mmdbtype.Map{"geoname_id": mmdbtype.Uint32(city), "names": mmdbtype.Map{"en": mmdbtype.String("a city")}},
		"country":      mmdbtype.Map{"iso_code": mmdbtype.String(country), "is_in_european_union": mmdbtype.Bool(eu)},
		"subdivisions": mmdbtype.Slice{mmdbtype.Map{"geoname_id": mmdbtype.Uint32(region)}, mmdbtype.Map{"geoname_id": mmdbtype.Uint32(1)}},
		"location": mmdbtype.Map{
			"latitude": mmdbtype.Float64(lat), "longitude": mmdbtype.Float64(lon),
			"accuracy_radius": mmdbtype.Uint16(radius), "time_zone": mmdbtype.String(zone),
		},
	}
}

// fixture is a set of files of our own, one of each kind.
func fixture(tb testing.TB) Files {
	tb.Helper()
	dir := tb.TempDir()
	flag := func(keys ...string) mmdbtype.Map {
		m := mmdbtype.Map{}
		for _, k := range keys {
			m[mmdbtype.String(k)] = mmdbtype.Bool(true)
		}
		return m
	}
	write(tb, dir, "city.mmdb", build(tb, "GeoLite2-City",
		entry{"1.1.0.0/16", cityOf("SE", "Europe/Stockholm", 2685867, 2694762, 58.4167, 15.6167, 76, true)},
		entry{"1.2.0.0/16", cityOf("IN", "Asia/Kolkata", 11, 12, 19.07, 72.87, 1000, false)},
		entry{"1.3.0.0/16", mmdbtype.Map{"country": mmdbtype.Map{"iso_code": mmdbtype.String("FR")}}},
		entry{"1.4.0.0/16", mmdbtype.Map{ // DB-IP's shape: names, no ids
			"country":      mmdbtype.Map{"iso_code": mmdbtype.String("DE")},
			"city":         mmdbtype.Map{"names": mmdbtype.Map{"en": mmdbtype.String("Neustadt")}},
			"subdivisions": mmdbtype.Slice{mmdbtype.Map{"names": mmdbtype.Map{"en": mmdbtype.String("Bavaria")}}},
			"location":     mmdbtype.Map{"latitude": mmdbtype.Float64(0), "longitude": mmdbtype.Float64(0)},
		}},
		entry{"1.5.0.0/16", mmdbtype.Map{
			"country":      mmdbtype.Map{"iso_code": mmdbtype.String("DE")},
			"city":         mmdbtype.Map{"names": mmdbtype.Map{"en": mmdbtype.String("Neustadt")}},
			"subdivisions": mmdbtype.Slice{mmdbtype.Map{"names": mmdbtype.Map{"en": mmdbtype.String("Saxony")}}},
		}},
		entry{"1.6.0.0/16", cityOf("XYZ", "Mars/Olympus", 1, 2, 1, 1, 1, false)},
		entry{"1.7.0.0/16", cityOf("GB", "Local", 1, 2, 1, 1, 1, false)},
		entry{"10.0.0.0/8", cityOf("SE", "Europe/Stockholm", 1, 1, 1, 1, 1, true)},
		entry{"2a00::/16", cityOf("NP", "Asia/Kathmandu", 3, 4, 27.7, 85.3, 20, false)},
	))
	write(tb, dir, "asn.mmdb", build(tb, "GeoLite2-ASN",
		entry{"1.1.0.0/16", mmdbtype.Map{"autonomous_system_number": mmdbtype.Uint32(1221)}},
		entry{"1.2.0.0/16", mmdbtype.Map{"autonomous_system_number": mmdbtype.Uint32(4294967295)}},
	))
	write(tb, dir, "isp.mmdb", build(tb, "GeoIP2-ISP",
		entry{"1.2.0.0/16", mmdbtype.Map{"autonomous_system_number": mmdbtype.Uint32(64500), "isp": mmdbtype.String("x")}},
		entry{"1.1.0.0/16", mmdbtype.Map{"isp": mmdbtype.String("no number")}},
	))
	write(tb, dir, "anonymous.mmdb", build(tb, "GeoIP2-Anonymous-IP",
		entry{"1.1.0.0/17", flag("is_anonymous", "is_anonymous_vpn", "is_hosting_provider")},
		entry{"1.2.0.0/17", flag("is_private_relay")},
		entry{"1.3.0.0/17", flag("is_anonymous", "is_public_proxy", "is_residential_proxy", "is_tor_exit_node", "is_unheard_of")},
	))
	write(tb, dir, "connection-type.mmdb", buildWith(tb, mmdbwriter.Options{DatabaseType: "GeoIP2-Connection-Type", IPVersion: 4},
		entry{"1.1.0.0/16", mmdbtype.Map{"connection_type": mmdbtype.String("Cellular")}},
		entry{"1.2.0.0/16", mmdbtype.Map{"connection_type": mmdbtype.String("Carrier pigeon")}},
	))
	return Find(dir)
}

func open(tb testing.TB, files Files) *Database {
	tb.Helper()
	d, err := Open(files)
	if err != nil {
		tb.Fatal(err)
	}
	return d
}

// winter and summer tell daylight saving apart.
var (
	winter = time.Date(2026, 1, 15, 12, 0, 0, 0, time.UTC)
	summer = time.Date(2026, 7, 15, 12, 0, 0, 0, time.UTC)
)

// locate asks into an Observation full of what an earlier attempt left.
func locate(d *Database, ip string, at time.Time) signals.Observation {
	o := signals.Observation{
		Place:   signals.Place{Country: signals.Country{'Z', 'Z'}, City: 9, Located: true, TimezoneSet: true, TimezoneMin: 99},
		Network: signals.Network{ASN: 9, Tor: true, Private: true, Known: true},
		Missing: 0xff,
	}
	if ip != "" {
		o.Address.IP = netip.MustParseAddr(ip)
	}
	d.Locate(&o, at)
	return o
}

// shared returns a path in the data that is shared between checkouts, or skips.
func shared(tb testing.TB, path ...string) string {
	tb.Helper()
	return present(tb, filepath.Join(append([]string{"..", "..", "..", "shared", "data"}, path...)...))
}

// fetched returns a file that make deps fetched, or skips.
func fetched(tb testing.TB, name string) string {
	tb.Helper()
	return present(tb, filepath.Join("..", "..", "data", "geo", name))
}

func present(tb testing.TB, path string) string {
	tb.Helper()
	if _, err := os.Stat(path); err != nil {
		tb.Skipf("%s is not here: the fixture of the other tests stands in for it", path)
	}
	return path
}
