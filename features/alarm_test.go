package features

import (
	"math"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/waryauth/wary/signals"
)

// travelAlarms names what in a vector says that the person cannot be where the
// address is.
func travelAlarms(v *Vector) (alarms []string) {
	for _, a := range []struct {
		feature int
		above   float32
	}{{GeoVelocityLowerBoundKMH, 1000}, {GeoTravelClass, 2}, {GeoCountryChanged30m, 0}, {GeoCountryMismatchIPVsTimezone, 0}, {NetIPNewForUser, 0}} {
		if v[a.feature] > a.above {
			alarms = append(alarms, Schema[a.feature].Name)
		}
	}
	return alarms
}

// falseAlarm is something harmless for which others' products alarm. Without what
// makes it harmless, the same attempt must alarm too: else nothing was shown.
type falseAlarm struct {
	name     string
	scene    *scene
	without  *scene
	evidence int // the feature by which without alarms
}

// overseas is another address, in New York.
func overseas(a *signals.Attempt, o *signals.Observation) {
	address("198.51.100.1")(a, o)
	at("US", 40.7, -74, 20)(a, o)
	o.Network.ASN, o.Place.TimezoneMin, o.Place.InEU = 64999, -240, false
}

func network(change func(n *signals.Network)) edit {
	return func(_ *signals.Attempt, o *signals.Observation) { change(&o.Network) }
}

func both(edits ...edit) edit {
	return func(a *signals.Attempt, o *signals.Observation) {
		for _, e := range edits {
			e(a, o)
		}
	}
}

// soon is Anna overseas ten minutes after a success at home.
func soon(more ...edit) *scene {
	return atHome().succeeded(10 * time.Minute).edit(both(append([]edit{overseas}, more...)...))
}

// back is Anna at home ten minutes after a success overseas, and two days after
// the one before that, at home.
func back(more ...edit) *scene {
	return atHome().succeeded(2*day).succeeded(10*time.Minute, append([]edit{overseas}, more...)...)
}

// busyPlace has so many people succeed at Anna's overseas address, twice each.
func busyPlace(s *scene, people int) *scene {
	for i := range people {
		who := subject("shopper " + strconv.Itoa(i))
		s.succeeded(5*day, overseas, who).succeeded(4*day, overseas, who)
	}
	return s
}

// The thirteen kinds of false alarm that users of other products report.
func falseAlarms() []falseAlarm {
	border := func(radius float64, offset float64) *scene {
		elvas := func(a *signals.Attempt, o *signals.Observation) {
			address("198.51.100.1")(a, o)
			at("PT", 38.88, -7.16, radius)(a, o)
			o.Place.TimezoneMin, a.Device.TimezoneOffsetMin = 0, signals.Some(offset)
		}
		return atHome().edit(at("ES", 38.88, -6.97, radius)).succeeded(10 * time.Minute).edit(elvas) // Badajoz, 16 km east
	}
	flight := func(hours float64) *scene {
		return atHome().edit(at("GB", 51.47, -0.45, 5)).succeeded(time.Duration(hours * float64(time.Hour))).
			edit(both(address("198.51.100.1"), at("US", 40.64, -73.78, 5))) // Heathrow to Kennedy
	}
	north := both(address("198.51.100.1"), at("NO", 69.5, 13.5, 20)) // 17 degrees of latitude
	v6 := func(a, b string) *scene {
		return atHome().edit(address(a)).succeeded(10 * time.Minute).edit(both(overseas, address(b)))
	}
	vpn := network(func(n *signals.Network) { n.VPN = true })
	relay := network(func(n *signals.Network) { n.Relay = true })
	hosting := network(func(n *signals.Network) { n.Hosting = true })
	cellular := network(func(n *signals.Network) { n.Connection = signals.Cellular })
	satellite := network(func(n *signals.Network) { n.Connection = signals.Satellite })
	private := network(func(n *signals.Network) { n.Private = true })
	nowhere := func(_ *signals.Attempt, o *signals.Observation) { o.Place = signals.Place{} }
	nought := func(_ *signals.Attempt, o *signals.Observation) { o.Place.Latitude, o.Place.Longitude = 0, 0 }
	return []falseAlarm{
		{"missing coordinates", soon(nowhere), soon(), GeoTravelClass},
		{"missing coordinates of the last success", back(nowhere), back(), GeoTravelClass},
		{"coordinates of 0, 0 for missing", soon(nought, func(_ *signals.Attempt, o *signals.Observation) { o.Place.Country = signals.Country{} }), soon(), GeoTravelClass},
		{"private addresses", soon(private, address("10.0.0.5")), soon(), GeoTravelClass},
		{"database updates", soon(address("203.0.113.7")), soon(address("203.0.113.8")), GeoTravelClass},
		{"carrier gateways", soon(cellular), soon(), GeoCountryChanged30m},
		{"carrier gateways, left again", back(cellular), back(), GeoTravelClass},
		{"carrier gateways that no file names", busyPlace(soon(), 30), busyPlace(soon(), 10), GeoTravelClass},
		{"VPN exit", soon(vpn), soon(), GeoTravelClass},
		{"VPN exit, left again", back(vpn), back(), GeoCountryChanged30m},
		{"private relay", soon(relay), soon(), GeoTravelClass},
		{"private relay, left again", back(relay), back(), GeoTravelClass},
		{"satellite", soon(satellite), soon(), GeoTravelClass},
		{"chain-store Wi-Fi", busyPlace(soon(), 30), busyPlace(soon(), 10), GeoCountryChanged30m},
		// 1,850 km beyond the radii in 119 minutes are 933 km/h; in whole hours, of
		// which there is one, they would be 1,850.
		{"whole-hour cliffs", atHome().succeeded(119 * time.Minute).edit(north), atHome().succeeded(time.Hour).edit(north), GeoTravelClass},
		{"data-centre egress", soon(hosting), soon(), GeoTravelClass},
		// 5,540 km in 7 h 20 min, gate to gate, are 755 km/h; in 5 hours 1,106.
		{"airports", flight(7 + 1.0/3), flight(5), GeoTravelClass},
		{"time-zone borders", border(20, 60), border(20, 150), GeoCountryMismatchIPVsTimezone},
		{"time-zone borders, the country", border(20, 0), border(1, 0), GeoCountryChanged30m},
		{"IPv6 privacy addresses", v6("2001:db8:1:2::1", "2001:db8:1:2:a:b:c:d"), v6("2001:db8:1:2::1", "2001:db8:1:3::1"), NetIPNewForUser},
		{"IPv6 privacy addresses, located anew", v6("2001:db8:1:2::1", "2001:db8:1:2:a:b:c:d"), v6("2001:db8:1:2::1", "2001:db8:1:3::1"), GeoTravelClass},
	}
}

func TestFalseAlarms(t *testing.T) {
	kinds := map[string]bool{}
	for _, c := range falseAlarms() {
		kinds[strings.Split(c.name, ",")[0]] = true
		// A new address is no wonder but where only its last half is new.
		v := c.scene.vector()
		if c.evidence != NetIPNewForUser {
			v[NetIPNewForUser] = 0
		}
		if a := travelAlarms(v); len(a) > 0 {
			t.Errorf("%s: %v", c.name, a)
		}
		alarmed := false
		for _, a := range travelAlarms(c.without.vector()) {
			alarmed = alarmed || a == Schema[c.evidence].Name
		}
		if !alarmed {
			t.Errorf("%s: without it %s is %v: no alarm to be kept from", c.name, Schema[c.evidence].Name, c.without.vector()[c.evidence])
		}
	}
	for _, k := range []string{"missing coordinates", "private addresses", "database updates", "carrier gateways", "VPN exit", "private relay", "satellite",
		"chain-store Wi-Fi", "whole-hour cliffs", "data-centre egress", "airports", "time-zone borders", "IPv6 privacy addresses"} {
		if !kinds[k] {
			t.Errorf("no case of %s", k)
		}
	}
}

// TestTravelIsProven: both radii count, the person's own network hides nothing, and
// a real attack from overseas is seen through whatever came before it.
func TestTravelIsProven(t *testing.T) {
	far := soon().vector()
	// 6,371.0088 km times the angle between (52.5, 13.5) and (40.7, -74) is 6,389.6.
	rad := math.Pi / 180
	angle := math.Acos(math.Sin(52.5*rad)*math.Sin(40.7*rad) + math.Cos(52.5*rad)*math.Cos(40.7*rad)*math.Cos(87.5*rad))
	if want := (6371.0088*angle - 40) * 6; math.Abs(float64(far[GeoVelocityLowerBoundKMH])-want) > 5 {
		t.Errorf("%v km/h, want %v", far[GeoVelocityLowerBoundKMH], want)
	}
	wide := func(_ *signals.Attempt, o *signals.Observation) { o.Place.AccuracyKM = 7000 }
	if v := soon(wide).vector(); v[GeoTravelClass] != 0 || v[GeoVelocityKMH] < 30_000 {
		t.Errorf("a radius of the attempt's: class %v of %v km/h", v[GeoTravelClass], v[GeoVelocityKMH])
	}
	if v := atHome().succeeded(10*time.Minute, wide).edit(overseas).vector(); v[GeoTravelClass] != 0 {
		t.Errorf("a radius of the past's: class %v", v[GeoTravelClass])
	}
	// A VPN in between does not hide that Anna was at home ten minutes ago.
	between := atHome().succeeded(10*time.Minute).succeeded(5*time.Minute, overseas, network(func(n *signals.Network) { n.VPN = true })).edit(overseas)
	if v := between.edit(address("198.51.100.9")).vector(); v[GeoTravelClass] != 3 || v[GeoCountryChanged30m] != 1 {
		t.Errorf("after a VPN: class %v, country changed %v", v[GeoTravelClass], v[GeoCountryChanged30m])
	}
}

// TestCrowdNeedsSuccesses: who tries many accounts from an address makes no gateway
// of it.
func TestCrowdNeedsSuccesses(t *testing.T) {
	s := soon()
	for i := range 100 {
		s.failed(time.Hour, overseas, subject("victim "+strconv.Itoa(i)))
	}
	if v := s.vector(); v[GeoTravelClass] != 3 {
		t.Errorf("class %v after 100 failures", v[GeoTravelClass])
	}
}
