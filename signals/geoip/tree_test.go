package geoip

import (
	"net/netip"
	"os"
	"testing"

	"github.com/maxmind/mmdbwriter"
	"github.com/maxmind/mmdbwriter/mmdbtype"
	"github.com/oschwald/maxminddb-golang/v2"
)

// sameNumbers compares a tree with maxminddb's own lookups at both ends of
// every network, with and without data, in copies of the IPv4 tree too, and one
// address before and after.
func sameNumbers(t *testing.T, content []byte) {
	t.Helper()
	reader, err := maxminddb.OpenBytes(content)
	if err != nil {
		t.Fatal(err)
	}
	var numbers *tree[uint32]
	if err := compile(&numbers, &source{content: content, reader: reader}, decodeASN); err != nil {
		t.Fatal(err)
	}
	check := func(ip netip.Addr) {
		if !ip.IsValid() {
			return
		}
		want := reader.Lookup(ip)
		got := numbers.find(ip)
		if want.Found() != (got != nil) {
			t.Fatalf("%s: found %v, want %v", ip, got != nil, want.Found())
		}
		if got == nil {
			return
		}
		number, err := decodeASN(want)
		if err != nil {
			t.Fatal(err)
		}
		if *got != number {
			t.Fatalf("%s: AS%d, want AS%d", ip, *got, number)
		}
	}
	networks, found := 0, 0
	for r := range reader.Networks(maxminddb.IncludeNetworksWithoutData(), maxminddb.IncludeAliasedNetworks()) {
		if err := r.Err(); err != nil {
			t.Fatal(err)
		}
		networks++
		if r.Found() {
			found++
		}
		first := r.Prefix().Addr()
		last := lastOf(r.Prefix())
		for _, ip := range []netip.Addr{first.Prev(), first, last, last.Next()} {
			check(ip)
		}
	}
	if found == 0 {
		t.Error("no network has data: nothing was compared")
	}
	t.Logf("%d networks, %d with data", networks, found)
}

// lastOf returns the last address of a network.
func lastOf(p netip.Prefix) netip.Addr {
	b := p.Addr().AsSlice()
	for i := p.Bits(); i < len(b)*8; i++ {
		b[i/8] |= 1 << (7 - i%8)
	}
	last, _ := netip.AddrFromSlice(b)
	return last
}

func TestTreeSameAsMaxmindDB(t *testing.T) {
	v4 := []entry{
		{"0.0.0.0/9", mmdbtype.Map{"autonomous_system_number": mmdbtype.Uint32(1)}},
		{"1.2.3.4/32", mmdbtype.Map{"autonomous_system_number": mmdbtype.Uint32(2)}},
		{"9.8.0.0/16", mmdbtype.Map{"autonomous_system_number": mmdbtype.Uint32(3)}},
		{"9.9.0.0/15", mmdbtype.Map{"autonomous_system_number": mmdbtype.Uint32(4)}},
		{"255.255.255.254/31", mmdbtype.Map{}},
	}
	v6 := append([]entry{
		{"2a00::/12", mmdbtype.Map{"autonomous_system_number": mmdbtype.Uint32(5)}},
		{"2a00:1:2:3:4:5:6:7/128", mmdbtype.Map{"autonomous_system_number": mmdbtype.Uint32(6)}},
		{"ffff::/16", mmdbtype.Map{"autonomous_system_number": mmdbtype.Uint32(7)}},
	}, v4...)
	for _, size := range []int{24, 28, 32} {
		sameNumbers(t, buildWith(t, mmdbwriter.Options{DatabaseType: "GeoLite2-ASN", RecordSize: size}, v6...))
		sameNumbers(t, buildWith(t, mmdbwriter.Options{DatabaseType: "GeoLite2-ASN", RecordSize: size, IPVersion: 4}, v4...))
	}
	if len(lastOf(netip.MustParsePrefix("10.0.0.0/8")).String()) != len("10.255.255.255") {
		t.Error("the test's own arithmetic is wrong")
	}
}

func TestTreeSameAsMaxmindDBOnItsFiles(t *testing.T) {
	for _, name := range []string{"GeoLite2-ASN-Test.mmdb", "GeoIP2-ISP-Test.mmdb"} {
		content, err := os.ReadFile(shared(t, "mmdb", name))
		if err != nil {
			t.Fatal(err)
		}
		sameNumbers(t, content)
	}
}
