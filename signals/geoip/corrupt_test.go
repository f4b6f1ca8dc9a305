package geoip

import (
	"math/rand/v2"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/oschwald/maxminddb-golang/v2"

	"github.com/waryauth/wary/signals"
)

// damaged writes content as a City file and looks addresses up in it, if it is
// not refused. It must not panic, hang or answer what is not possible.
func damaged(tb testing.TB, path string, content []byte) (refused bool) {
	tb.Helper()
	if err := os.WriteFile(path, content, 0o644); err != nil {
		tb.Fatal(err)
	}
	d, err := Open(Files{City: path})
	if err != nil {
		if !strings.Contains(err.Error(), filepath.Base(path)) {
			tb.Fatalf("%q does not name the file", err)
		}
		return true
	}
	for _, ip := range []string{"1.1.0.1", "1.2.0.1", "1.3.0.1", "1.6.0.1", "2a00::1", "9.9.9.9", "2002:101:1::"} {
		o := signals.Observation{Address: signals.Address{IP: netip.MustParseAddr(ip)}}
		d.Locate(&o, summer)
		if p := o.Place; !(p.Latitude >= -90 && p.Latitude <= 90 && p.Longitude >= -180 && p.Longitude <= 180) {
			tb.Fatalf("%s is at %v, %v", ip, p.Latitude, p.Longitude)
		}
	}
	return false
}

func TestTruncated(t *testing.T) {
	whole, err := os.ReadFile(fixture(t).City)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "city.mmdb")
	for n := range len(whole) {
		if !damaged(t, path, whole[:n]) {
			t.Errorf("the first %d of %d bytes were not refused", n, len(whole))
		}
	}
	if damaged(t, path, whole) {
		t.Error("control: the whole file was refused")
	}
}

func TestDamaged(t *testing.T) {
	whole, err := os.ReadFile(fixture(t).City)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "city.mmdb")
	r := rand.New(rand.NewPCG(3, 4))
	refused := 0
	const rounds = 1000
	for range rounds {
		b := append([]byte(nil), whole...)
		for range 1 + r.IntN(4) {
			b[r.IntN(len(b))] ^= byte(1 + r.IntN(255))
		}
		if damaged(t, path, b) {
			refused++
		}
	}
	t.Logf("%d of %d damaged files refused; the others differ in a value or lead to another record", refused, rounds)
	if refused == 0 {
		t.Error("no damaged file was refused")
	}
	for range 200 {
		b := make([]byte, r.IntN(4096))
		for i := range b {
			b[i] = byte(r.Uint32())
		}
		if !damaged(t, path, b) {
			t.Error("random bytes were not refused")
		}
	}
}

// A node that points back to the root makes a tree with no end; lookups have one.
func TestCycle(t *testing.T) {
	content := build(t, "GeoLite2-City", entry{"1.1.0.0/16", cityOf("SE", "", 1, 2, 3, 4, 5, false)}, entry{"2a00::/16", cityOf("SE", "", 1, 2, 3, 4, 5, false)})
	reader, err := maxminddb.OpenBytes(content)
	if err != nil {
		t.Fatal(err)
	}
	if reader.Metadata.RecordSize != 28 {
		t.Fatalf("the test knows 28-bit records only, not %d", reader.Metadata.RecordSize)
	}
	clear(content[:7*reader.Metadata.NodeCount]) // every node leads to the root
	if reader.Verify() == nil {
		t.Fatal("control: the tree is sound")
	}
	damaged(t, filepath.Join(t.TempDir(), "city.mmdb"), content)
}

func FuzzOpen(f *testing.F) {
	whole, err := os.ReadFile(fixture(f).City)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(whole)
	f.Add(whole[:len(whole)/2])
	f.Add(build(f, "GeoLite2-City"))
	f.Fuzz(func(t *testing.T, content []byte) {
		damaged(t, filepath.Join(t.TempDir(), "city.mmdb"), content)
	})
}
