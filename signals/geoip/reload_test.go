package geoip

import (
	"bytes"
	"context"
	"log/slog"
	"net/netip"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/maxmind/mmdbwriter/mmdbtype"

	"github.com/waryauth/wary/signals"
)

func asnFile(tb testing.TB, number uint32) []byte {
	return build(tb, "GeoLite2-ASN", entry{"1.1.0.0/16", mmdbtype.Map{"autonomous_system_number": mmdbtype.Uint32(number)}})
}

func reload(t *testing.T, d *Database, wantErr string, want ...string) {
	t.Helper()
	changed, err := d.Reload()
	if !slices.Equal(changed, want) {
		t.Errorf("changed %v, want %v", changed, want)
	}
	switch {
	case wantErr == "" && err != nil:
		t.Errorf("reload: %v", err)
	case wantErr != "" && (err == nil || !strings.Contains(err.Error(), wantErr)):
		t.Errorf("reload said %v, want %q", err, wantErr)
	}
}

func TestReload(t *testing.T) {
	dir := t.TempDir()
	path := write(t, dir, "asn.mmdb", asnFile(t, 1))
	d := open(t, Find(dir))
	serves := func(number uint32) {
		t.Helper()
		if got := locate(d, "1.1.1.1", winter).Network.ASN; got != number {
			t.Errorf("serves AS%d, want AS%d", got, number)
		}
	}
	reload(t, d, "")
	serves(1)

	write(t, dir, "asn.mmdb", asnFile(t, 2))
	reload(t, d, "", path)
	serves(2)
	reload(t, d, "")

	whole := asnFile(t, 3)
	write(t, dir, "asn.mmdb", whole[:len(whole)/2])
	reload(t, d, "asn.mmdb: is not a whole MaxMind file")
	serves(2)
	reload(t, d, "asn.mmdb: is not a whole MaxMind file") // still told, from memory

	write(t, dir, "asn.mmdb", build(t, "GeoIP2-Anonymous-IP"))
	reload(t, d, `is a "GeoIP2-Anonymous-IP" file; a ASN file is wanted`)
	serves(2)

	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	reload(t, d, "asn.mmdb")
	serves(2)

	write(t, dir, "asn.mmdb", whole)
	reload(t, d, "", path)
	serves(3)

	// Overwritten in place, as cp does.
	if err := os.WriteFile(path, asnFile(t, 4), 0o644); err != nil {
		t.Fatal(err)
	}
	later := time.Now().Add(2 * time.Second)
	if err := os.Chtimes(path, later, later); err != nil { // the clock of the file system is coarse
		t.Fatal(err)
	}
	reload(t, d, "", path)
	serves(4)
}

// One bad file does not keep a good one from being swapped.
func TestReloadEachForItself(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "city.mmdb", build(t, "GeoLite2-City", entry{"1.1.0.0/16", cityOf("SE", "", 1, 2, 3, 4, 5, true)}))
	d := open(t, Find(dir))
	if m := locate(d, "1.1.1.1", winter).Missing; m != signals.MissingNetwork|signals.MissingAnonymity {
		t.Errorf("missing %b", m)
	}
	number := write(t, dir, "GeoLite2-ASN.mmdb", asnFile(t, 7)) // came later
	write(t, dir, "city.mmdb", []byte("broken"))
	reload(t, d, "city.mmdb", number)
	o := locate(d, "1.1.1.1", winter)
	if o.Missing != signals.MissingAnonymity || o.Network.ASN != 7 || o.Place.City != 2 {
		t.Errorf("%+v", o)
	}
	// A file that comes back under another name of its kind.
	if err := os.Remove(number); err != nil {
		t.Fatal(err)
	}
	reload(t, d, "city.mmdb", write(t, dir, "asn.mmdb", asnFile(t, 8)))
}

// Every lookup sees one generation whole: files written together are read
// together, or one after the other, but never a value that no file held.
func TestSwapUnderLookups(t *testing.T) {
	dir := t.TempDir()
	city := func(n uint32) []byte {
		return build(t, "GeoLite2-City", entry{"1.1.0.0/16", cityOf("SE", "Europe/Stockholm", n, n, float64(n), float64(n), uint16(n), true)})
	}
	write(t, dir, "city.mmdb", city(1))
	write(t, dir, "asn.mmdb", asnFile(t, 1))
	d := open(t, Find(dir))

	stop := make(chan struct{})
	var readers sync.WaitGroup
	for range 4 {
		readers.Go(func() {
			var o signals.Observation
			o.Address.IP = netip.MustParseAddr("1.1.1.1")
			last := uint32(0)
			for {
				select {
				case <-stop:
					return
				default:
				}
				d.Locate(&o, winter)
				p := o.Place
				if p.City < last || p.Region != p.City || p.Latitude != float64(p.City) || p.AccuracyKM != p.Latitude || p.TimezoneMin != 60 || o.Network.ASN == 0 {
					t.Errorf("torn: %+v after %d", o, last)
					return
				}
				last = p.City
			}
		})
	}
	for n := uint32(2); n <= 60; n++ {
		write(t, dir, "city.mmdb", city(n))
		write(t, dir, "asn.mmdb", asnFile(t, n))
		if n%7 == 0 {
			write(t, dir, "asn.mmdb", []byte("broken"))
		}
		changed, err := d.Reload()
		if (err != nil) != (n%7 == 0) || len(changed) == 0 {
			t.Errorf("reload %d: %v, %v", n, changed, err)
		}
	}
	close(stop)
	readers.Wait()
	if got := locate(d, "1.1.1.1", winter).Place.City; got != 60 {
		t.Errorf("serves %d at the end, want 60", got)
	}
}

// lines collects a log.
type lines struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func TestWatch(t *testing.T) {
	dir := t.TempDir()
	path := write(t, dir, "asn.mmdb", asnFile(t, 1))
	d := open(t, Find(dir))
	ctx, cancel := context.WithCancel(t.Context())
	var log lines
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		d.Watch(ctx, time.Millisecond, slog.New(slog.NewTextHandler(&log, nil)))
	}()
	until := func(what string, done func() bool) {
		t.Helper()
		for range 5000 {
			if done() {
				return
			}
			time.Sleep(time.Millisecond)
		}
		t.Fatalf("%s: did not happen; log:\n%s", what, &log)
	}
	write(t, dir, "asn.mmdb", asnFile(t, 2))
	until("swap", func() bool { return locate(d, "1.1.1.1", winter).Network.ASN == 2 })
	write(t, dir, "asn.mmdb", []byte("broken"))
	until("warning", func() bool { return strings.Contains(log.String(), "refused") })
	write(t, dir, "asn.mmdb", asnFile(t, 3))
	until("second swap", func() bool { return locate(d, "1.1.1.1", winter).Network.ASN == 3 })
	cancel()
	<-ended
	if n := strings.Count(log.String(), "refused"); n != 1 {
		t.Errorf("the refusal was told %d times, want once:\n%s", n, &log)
	}
	if n := strings.Count(log.String(), path); n < 3 {
		t.Errorf("the log names the file %d times, want at least 3:\n%s", n, &log)
	}
}
