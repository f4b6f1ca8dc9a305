package population

import (
	"os"
	"testing"

	"github.com/waryauth/wary/signals"
	"github.com/waryauth/wary/signals/geoip"
)

func TestOpenWorld(t *testing.T) {
	files := geoip.Files{City: "../../data/geo/city.mmdb", ASN: "../../data/geo/asn.mmdb"}
	if _, err := os.Stat(files.City); err != nil {
		t.Skip("the geo files are not here: make deps fetches them")
	}
	if testing.Short() {
		t.Skip("reads both files whole")
	}
	w, err := OpenWorld(files, 1)
	if err != nil {
		t.Fatal(err)
	}
	known, right, all := 0, 0, 0
	for l := range New(Options{Seed: 1, Users: 300, Days: 10, World: w}).Attempts() {
		if l.Unattended {
			continue
		}
		address, err := signals.Proxies{}.Client(l.Attempt.Network.IP, nil)
		if err != nil {
			t.Fatal(err)
		}
		o := signals.Observation{Address: address}
		w.Locator.Locate(&o, l.Attempt.Time)
		all++
		if o.Network.ASN != 0 {
			known++
		}
		if d := l.Attempt.Device.TimezoneOffsetMin; d.Set && o.Place.TimezoneSet && d.Value == float64(o.Place.TimezoneMin) {
			right++
		}
	}
	t.Logf("%d attempts of people, %d in a known network, %d where clock and place agree", all, known, right)
	if known < all*97/100 {
		t.Errorf("only %d of %d addresses are in a network that the ASN file knows", known, all)
	}
	if right < all/2 || right == all {
		t.Errorf("clock and place agree in %d of %d attempts: want most, but not all", right, all)
	}
}

func TestUseOf(t *testing.T) {
	for name, want := range map[string]purpose{
		"digitalocean, llc": hosting, "hetzner online gmbh": hosting, "t-mobile usa, inc.": mobile,
		"british telecommunications plc": residential, "deutsche telekom ag": residential, "university of oxford": corporate,
	} {
		if got := useOf(&provider{name: name, size: 1 << 20}); got != want {
			t.Errorf("%s: use %d, want %d", name, got, want)
		}
	}
	if got := useOf(&provider{name: "small net", size: 1 << 10}); got != corporate {
		t.Errorf("a thousand addresses: use %d, want %d", got, corporate)
	}
}
