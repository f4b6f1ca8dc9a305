package population

import (
	"bufio"
	"compress/gzip"
	"math"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/waryauth/wary/signals"
	"github.com/waryauth/wary/signals/geoip"
)

// openWorld opens the files that make deps fetches, once for each test that reads them.
func openWorld(t *testing.T) *World {
	t.Helper()
	files, truth := geoip.Files{City: "../../data/geo/city.mmdb", ASN: "../../data/geo/asn.mmdb"}, "../../data/geo/truth.mmdb"
	if _, err := os.Stat(files.City); err != nil {
		t.Skip("the geo files are not here: make deps fetches them")
	}
	if testing.Short() {
		t.Skip("reads both files whole")
	}
	if _, err := os.Stat(truth); err != nil {
		truth = ""
	}
	w, err := OpenWorld(files, truth, 1)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func TestOpenWorld(t *testing.T) {
	t.Parallel()
	w := openWorld(t)
	t.Run("attempts", func(t *testing.T) { checkAttempts(t, w) })
	t.Run("truth", func(t *testing.T) { checkTruth(t, w) })
	t.Run("networks", func(t *testing.T) { checkNetworks(t, w) })
}

func checkAttempts(t *testing.T, w *World) {
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
	if known < all*95/100 {
		t.Errorf("only %d of %d addresses are in a network that the ASN file knows", known, all)
	}
	if right < all/2 || right == all {
		t.Errorf("clock and place agree in %d of %d attempts: want most, but not all", right, all)
	}
}

// Two databases of addresses differ by more than 1,000 km for 15 to 30 % of them,
// where a country is large enough: the people of most countries of the atlas cannot be
// so far away within them. Half of that is asked for in the United States, Canada,
// Brazil, India, China, Russia and Australia.
func checkTruth(t *testing.T, w *World) {
	off, all := map[bool]float64{}, map[bool]float64{}
	for _, n := range w.networks {
		if n.use > mobile || n.country < 0 {
			continue
		}
		large := false
		switch w.countries[n.country].code {
		case "US", "CA", "BR", "IN", "CN", "RU", "AU":
			large = true
		}
		for _, b := range n.blocks {
			o := signals.Observation{Address: signals.Address{IP: b.prefix.Addr().Next()}}
			w.Locator.Locate(&o, time.Unix(0, 0))
			if !o.Place.Located || !b.prefix.Addr().Is4() {
				continue
			}
			all[large]++
			limit := 100.0
			if large {
				limit = 1000
			}
			if distanceKM(&w.cities[b.city], &city{latitude: o.Place.Latitude, longitude: o.Place.Longitude}) > limit {
				off[large]++
			}
		}
	}
	t.Logf("in large countries %.3f of %.0f blocks are more than 1,000 km off, in others %.3f of %.0f more than 100 km",
		off[true]/all[true], all[true], off[false]/all[false], all[false])
	for large, n := range off {
		if share := n / all[large]; share < 0.075 || share > 0.6 {
			t.Errorf("large countries %v: %.3f of the blocks are far off, want some, and not most", large, share)
		}
	}
}

// The people of a country are spread over its networks as its addresses are.
func checkNetworks(t *testing.T, w *World) {
	file, err := os.Open("../../../shared/data/marginals/asn-by-country-ipv4.csv.gz")
	if err != nil {
		t.Skip("the marginals are not here")
	}
	defer file.Close()
	z, err := gzip.NewReader(file)
	if err != nil {
		t.Fatal(err)
	}
	addresses := map[string]map[uint32]float64{}
	lines := bufio.NewScanner(z)
	for lines.Scan() { // country, number, "name", addresses
		country, rest, _ := strings.Cut(lines.Text(), ",")
		number, rest, _ := strings.Cut(rest, ",")
		asn, bad := strconv.ParseUint(number, 10, 32)
		n, worse := strconv.ParseFloat(rest[strings.LastIndexByte(rest, ',')+1:], 64)
		if bad != nil || worse != nil {
			continue // the header
		}
		if addresses[country] == nil {
			addresses[country] = map[uint32]float64{}
		}
		addresses[country][uint32(asn)] = n
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	near, all := 0, 0
	for i := range w.countries {
		c, published := &w.countries[i], 0.0
		for _, id := range c.networks[residential] {
			published += addresses[c.code][w.networks[id].asn]
		}
		before := 0.0
		for k, id := range c.networks[residential] {
			share := (c.byUse[residential][k] - before) / c.byUse[residential][len(c.byUse[residential])-1]
			before = c.byUse[residential][k]
			if share < 0.02 {
				continue
			}
			all++
			if want := addresses[c.code][w.networks[id].asn] / published; math.Abs(share-want) < 0.1 {
				near++
			}
		}
	}
	t.Logf("%d of %d networks have within ten points the share of their country's addresses that is published", near, all)
	if all < 40 || near*10 < all*8 {
		t.Errorf("%d of %d networks are as large as published", near, all)
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
