package features

import (
	"math"
	"testing"
	"time"

	"github.com/waryauth/wary/signals"
)

// Degrees of latitude are 111.1949 km on a sphere of 6371.0088 km.
const degree = math.Pi / 180 * 6371.0088

func geoExamples() []example {
	unlocated := func(_ *signals.Attempt, o *signals.Observation) { o.Place = signals.Place{} }
	return []example{
		{"nobody known, at home", atHome(), map[int]float64{
			GeoCountryNewForUser: none, GeoRegionNewForUser: none, GeoCityNewForUser: none, GeoCountryShareUser: none, GeoCountryShareGlobal: none,
			GeoDistanceKMLastLogin: none, GeoVelocityKMH: none, GeoVelocityLowerBoundKMH: none, GeoDistanceKMNearestKnown: none, GeoTravelSameIP: none,
			GeoDaysSinceCountrySeen: none, GeoCrossBorderEntropy: none, GeoCountryChanged30m: none, GeoLocationMissing: 0, GeoAccuracyRadiusKM: 20,
			GeoIsEUEEA: 1, GeoNightLocalTime: 0, GeoTimezoneGapH: none, GeoCountryMismatchIPVsTimezone: none, GeoCountryMismatchIPVsLanguage: 0,
			GeoCountriesDistinct24h: 0, GeoDeviceGPSVsIPKM: none,
		}},
		// Three successes at home, one two degrees of latitude north in Denmark two
		// hours ago; now at home again from the usual address.
		{"back from a trip", atHome().succeeded(5*day).succeeded(4*day).succeeded(3*day).
			succeeded(2*time.Hour, at("DK", 54.5, 13.5, 30), address("198.51.100.1")), map[int]float64{
			GeoCountryNewForUser: 0, GeoCountryShareUser: 0.75, GeoCountryShareGlobal: 0.75, GeoRegionNewForUser: 0, GeoCityNewForUser: 0,
			GeoDaysSinceCountrySeen: 3, GeoDistanceKMLastLogin: 2 * degree, GeoDistanceKMNearestKnown: 0,
			GeoVelocityKMH: degree, GeoVelocityLowerBoundKMH: (2*degree - 50) / 2, GeoTravelClass: 1, GeoTravelSameIP: 0,
			GeoCountriesDistinct24h: linear(32, 1), GeoCountryChanged30m: 0,
			GeoCrossBorderEntropy: 0.75*math.Log2(4/3.0) + 0.25*2,
		}},
		// The radii cover the distance: nothing is proven, so the bound is 0 where
		// the plain speed is 667 km/h.
		{"two networks in one region", atHome().succeeded(10*time.Minute, at("DE", 53.5, 13.5, 100), address("198.51.100.1")), map[int]float64{
			GeoVelocityKMH: 6 * degree, GeoVelocityLowerBoundKMH: 0, GeoTravelClass: 0, GeoTravelSameIP: 0, GeoCountryChanged30m: 0,
		}},
		{"the geo file changed, not the person", atHome().succeeded(10*time.Minute, at("DE", 48.5, 13.5, 20)), map[int]float64{
			GeoTravelSameIP: 1, GeoVelocityKMH: none, GeoVelocityLowerBoundKMH: none, GeoTravelClass: none, GeoDistanceKMLastLogin: 4 * degree,
		}},
		{"elsewhere within a second", atHome().succeeded(time.Second, at("PL", 51.5, 13.5, 10), address("198.51.100.1")), map[int]float64{
			GeoVelocityKMH: 60 * degree, GeoVelocityLowerBoundKMH: 60 * (degree - 30), GeoTravelClass: 3, GeoCountryChanged30m: 1, GeoCountryNewForUser: 1,
		}},
		{"a new region and city", atHome().succeeded(day, func(_ *signals.Attempt, o *signals.Observation) { o.Place.Region, o.Place.City = 11, 111 }), map[int]float64{
			GeoRegionNewForUser: 1, GeoCityNewForUser: 1, GeoCountryNewForUser: 0, GeoCrossBorderEntropy: 0,
		}},
		{"not located", atHome().succeeded(day).edit(unlocated), map[int]float64{
			GeoLocationMissing: 1, GeoAccuracyRadiusKM: none, GeoVelocityKMH: none, GeoVelocityLowerBoundKMH: none, GeoDistanceKMLastLogin: none,
			GeoDistanceKMNearestKnown: none, GeoTravelSameIP: none, GeoCountryNewForUser: none, GeoIsEUEEA: none, GeoNightLocalTime: none,
			GeoCountryMismatchIPVsLanguage: none,
		}},
		{"never located before", atHome().succeeded(day, unlocated), map[int]float64{
			GeoVelocityKMH: none, GeoDistanceKMLastLogin: none, GeoDistanceKMNearestKnown: none, GeoCountryNewForUser: none, GeoCrossBorderEntropy: none,
		}},
		{"a client's server calls", atHome().succeeded(time.Minute, at("US", 40, -100, 10), address("198.51.100.1")).edit(unattended), map[int]float64{
			GeoVelocityKMH: none, GeoCountryNewForUser: none, GeoDistanceKMNearestKnown: none,
		}},
		{"at night in Tokyo, with a clock and language of Berlin", atHome().edit(at("JP", 35.5, 139.5, 50)).edit(func(a *signals.Attempt, o *signals.Observation) {
			a.Time = time.Date(2026, 3, 10, 18, 0, 0, 0, time.UTC) // 03:00 in Tokyo
			o.Place.TimezoneMin, o.Place.InEU = 540, false
			a.Device.TimezoneOffsetMin = signals.Some(60.0)
			a.Device.Latitude, a.Device.Longitude = signals.Some(37.5), signals.Some(139.5)
		}), map[int]float64{
			GeoNightLocalTime: 1, GeoTimezoneGapH: 8, GeoCountryMismatchIPVsTimezone: 1, GeoCountryMismatchIPVsLanguage: 1, GeoIsEUEEA: 0,
			GeoDeviceGPSVsIPKM: 2*degree - 50, GeoAccuracyRadiusKM: 50,
		}},
		// Midnight of Ascension Day in Berlin, while it is Wednesday in UTC.
		{"a holiday that has begun", atHome().edit(when(time.Date(2026, 5, 13, 23, 0, 0, 0, time.UTC))), map[int]float64{GeoPublicHoliday: 1, GeoNightLocalTime: 1}},
		{"the day before", atHome().edit(when(time.Date(2026, 5, 13, 22, 59, 0, 0, time.UTC))), map[int]float64{GeoPublicHoliday: 0, GeoNightLocalTime: 0}},
		{"in Norway", atHome().edit(both(at("NO", 60, 10, 10), func(_ *signals.Attempt, o *signals.Observation) { o.Place.InEU = false })), map[int]float64{GeoIsEUEEA: 1}},
		{"no holidays known", atHome().edit(at("CN", 31, 121, 10)), map[int]float64{GeoPublicHoliday: none}},
		{"a clock that agrees", atHome().edit(func(a *signals.Attempt, _ *signals.Observation) {
			a.Device.TimezoneOffsetMin = signals.Some(60.0)
			a.Device.Latitude, a.Device.Longitude = signals.Some(52.5), signals.Some(13.5)
			a.Headers.AcceptLanguage = "en"
		}), map[int]float64{
			GeoTimezoneGapH: 0, GeoCountryMismatchIPVsTimezone: 0, GeoDeviceGPSVsIPKM: 0, GeoCountryMismatchIPVsLanguage: none,
		}},
	}
}

// TestDistance holds the haversine to distances known otherwise: along a
// meridian and the equator, and to the antipode.
func TestDistance(t *testing.T) {
	for _, c := range []struct{ lat1, lon1, lat2, lon2, want float64 }{
		{0, 0, 0, 0, 0},
		{0, 0, 1, 0, degree},
		{0, 179.5, 0, -179.5, degree},
		{0, 0, 0, 180, math.Pi * 6371.0088},
		{90, 0, -90, 77, math.Pi * 6371.0088},
		// Nashville BNA to Los Angeles LAX, the haversine's usual example
		// (Rosetta Code: 2886.44 km on 6371.0 km).
		{36.12, -86.67, 33.94, -118.40, 2886.448},
	} {
		got := distanceKM(float32(c.lat1), float32(c.lon1), float32(c.lat2), float32(c.lon2))
		if math.Abs(float64(got)-c.want) > 0.01+1e-5*c.want {
			t.Errorf("%v: got %v", c, got)
		}
	}
}

func TestRegionsOf(t *testing.T) {
	for _, c := range []struct {
		list         string
		named, match bool
	}{
		{"", false, false}, {"de", false, false}, {"de-DE", true, true}, {"de-de;q=0.8", true, true}, {"en-US,de-DE;q=0.5", true, true},
		{"en-US,en;q=0.9", true, false}, {"zh-Hans-CN", true, false}, {"zh-Hans", false, false}, {"es-419", false, false}, {"*", false, false},
		{"de-DEX", false, false}, {"-", false, false}, {"de-D", false, false},
	} {
		named, match := regionsOf(c.list, signals.Country{'D', 'E'})
		if named != c.named || match != c.match {
			t.Errorf("%q: named %v, match %v", c.list, named, match)
		}
	}
}

// TestHomes: successes within 50 km are one place, the mean of them; the fifth
// place takes that of the one worth least.
func TestHomes(t *testing.T) {
	var u User
	at := func(latitude, longitude float32, day int64) {
		m := MomentOf(day*msPerDay + 1)
		u.Succeed(&Trace{User: 1, Flags: Located, Latitude: latitude, Longitude: longitude}, &m)
	}
	at(50, 10, 1)
	at(50.25, 10, 2)
	if h := u.homes[0]; h.latitude != 50.125 || h.longitude != 10 || h.count != 2 || h.day != 2 {
		t.Errorf("home is %+v", h)
	}
	at(0, 0, 3)
	at(20, 0, 4)
	at(40, 0, 5)
	at(60, 60, 6) // in place of the first, of day 2 and two successes: worth 4, as is the second
	if d := u.fromHome(60, 60); d != 0 {
		t.Errorf("the new place is %v km away", d)
	}
	at(0, 179.9, 7)
	at(0, -179.9, 8) // 22 km across the date line
	if d := u.fromHome(0, 179.9); d != 0 {
		t.Errorf("a home across the date line moved by %v km", d)
	}
}
