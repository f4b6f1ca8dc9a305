package features

import (
	"math"

	"github.com/waryauth/wary/signals"
)

func extractGeo(v *Vector, x *input) {
	geoHistory(v, x)
	geoTravel(v, x)
	geoCrossing(v, x)
	geoClock(v, x)
	geoClaims(v, x)

	c, u := x.t.CountryCode, &x.p.User
	v[GeoLocationMissing] = one(x.t.Flags&Located == 0)
	if x.t.Flags&Located != 0 && x.t.AccuracyKM > 0 {
		v[GeoAccuracyRadiusKM] = x.t.AccuracyKM
	}
	if c != (signals.Country{}) {
		v[GeoCountryShareGlobal] = share(float32(x.p.Country), float32(x.p.Totals.Successes))
		v[GeoIsEUEEA] = one(x.o.Place.InEU || inEEA(c))
	}
	if x.subject {
		v[GeoCountriesDistinct24h] = u.lookAt(&x.now).countriesDay()
	}
}

// geoHistory compares the place with where the user has succeeded.
func geoHistory(v *Vector, x *input) {
	if !x.history {
		return
	}
	u, country := &x.p.User, short(x.t.Country)
	v[GeoCountryNewForUser] = strange(u.of(ofCountry), country)
	v[GeoRegionNewForUser] = strange(u.of(ofRegion), x.t.Region)
	v[GeoCityNewForUser] = strange(u.of(ofCity), x.t.City)
	v[GeoCountryShareUser] = usual(u.of(ofCountry), country, u.Successes)
	if s := seen(u.of(ofCountry), country); s != nil {
		v[GeoDaysSinceCountrySeen] = float32(max(int(x.now.day())-int(s.day), 0))
	}
	if countries := u.of(ofCountry); len(countries) > 0 {
		v[GeoCrossBorderEntropy] = entropy(countries)
	}
}

// leastElapsed keeps two attempts within one moment from making a speed.
const leastElapsed = 60_000 // ms

// flightKMH is faster than people travel from door to door: airliners cruise at some
// 900 km/h, and logins lie before and behind the flight.
const flightKMH = 1000

// roadKMH is faster than people travel on the ground.
const roadKMH = 300

// geoTravel asks whether the person can have come here since the last success.
// Without both places that is not evaluable, and missing: so it is where the address
// is the exit of a network (VPN, private relay, carrier, satellite, hosting, or one
// that many people share), and where the same address was located anew.
func geoTravel(v *Vector, x *input) {
	u := &x.p.User
	if !x.history || x.t.Flags&Located == 0 {
		return
	}
	if d := u.fromHome(x.t.Latitude, x.t.Longitude); d >= 0 {
		v[GeoDistanceKMNearestKnown] = d
	}
	last := &u.place
	if last.at == 0 {
		return
	}
	d := distanceKM(last.latitude, last.longitude, x.t.Latitude, x.t.Longitude)
	v[GeoDistanceKMLastLogin] = d
	same := last.address == short(x.t.Address) && x.t.Address != 0
	moved := same && (last.latitude != x.t.Latitude || last.longitude != x.t.Longitude)
	v[GeoTravelSameIP] = one(moved)
	if moved || x.t.Flags&Displaced != 0 {
		return
	}
	hours := float32(max(absolute(x.now.ms-millis(last.at)), leastElapsed)) / 3_600_000
	v[GeoVelocityKMH] = d / hours
	bound := max(0, d-last.accuracyKM-x.t.AccuracyKM) / hours
	v[GeoVelocityLowerBoundKMH] = bound
	v[GeoTravelClass] = one(bound > 0) + one(bound > roadKMH) + one(bound > flightKMH)
}

// geoCrossing asks whether the person has crossed a border just now. Where both
// places are known, they must lie farther apart than they may be wrong by.
func geoCrossing(v *Vector, x *input) {
	u, here := &x.p.User, x.t.CountryCode
	if !x.history || u.country == (signals.Country{}) || here == (signals.Country{}) || x.t.Flags&Displaced != 0 {
		return
	}
	recent := absolute(x.now.ms-millis(u.place.countryAt)) < 30*60_000
	same := u.place.address == short(x.t.Address)
	covered := v[GeoDistanceKMLastLogin] <= u.place.accuracyKM+x.t.AccuracyKM // false where that is missing
	v[GeoCountryChanged30m] = one(recent && u.country != here && !same && !covered)
}

// fromHome returns the distance to the nearest usual place, -1 without one.
func (u *User) fromHome(latitude, longitude float32) float32 {
	least := 2.0 // more than any haversine
	for i := range u.homes {
		h := &u.homes[i]
		if h.count > 0 {
			least = min(least, haversine(h.latitude, h.longitude, latitude, longitude))
		}
	}
	if least > 1 {
		return -1
	}
	return arcKM(least)
}

// geoClock compares clocks: the device's with the place's, and the place's with
// the night.
func geoClock(v *Vector, x *input) {
	if x.t.LocalMin == NoOffset {
		return
	}
	local := x.t.local(&x.now)
	v[GeoNightLocalTime] = one(hourOf(local) < 5)
	if known, holiday := publicHoliday(x.t.CountryCode, local); known {
		v[GeoPublicHoliday] = one(holiday)
	}
	if x.t.OffsetMin == NoOffset {
		return
	}
	gap := absolute(int64(x.t.OffsetMin) - int64(x.t.LocalMin))
	v[GeoTimezoneGapH] = float32(gap) / 60
	if x.t.Flags&Displaced == 0 {
		v[GeoCountryMismatchIPVsTimezone] = one(gap > neighbourMin)
	}
}

// neighbourMin is how far the clock of the next time zone is from here: near a
// border, the address may lie on the other side of it than the device.
const neighbourMin = 60

// local returns a moment in milliseconds by the clock of the place, daylight saving
// included; where that is unknown by the device's, and else UTC.
func (t *Trace) local(m *Moment) int64 {
	offset := t.LocalMin
	if offset == NoOffset {
		offset = t.OffsetMin
	}
	if offset == NoOffset {
		return m.ms
	}
	return max(m.ms+int64(offset)*60_000, 0)
}

// geoClaims compares the address's place with what the device says of itself.
func geoClaims(v *Vector, x *input) {
	d := &x.a.Device
	if c := x.t.CountryCode; c != (signals.Country{}) {
		if named, match := regionsOf(x.a.Headers.AcceptLanguage, c); named {
			v[GeoCountryMismatchIPVsLanguage] = one(!match)
		}
	}
	if x.t.Flags&Located == 0 || !d.Latitude.Set || !d.Longitude.Set {
		return
	}
	km := distanceKM(float32(d.Latitude.Value), float32(d.Longitude.Value), x.t.Latitude, x.t.Longitude)
	v[GeoDeviceGPSVsIPKM] = max(0, km-x.t.AccuracyKM)
}

// inEEA reports whether a country is in the European Economic Area and not in the
// Union.
func inEEA(c signals.Country) bool {
	return c == signals.Country{'N', 'O'} || c == signals.Country{'I', 'S'} || c == signals.Country{'L', 'I'}
}

// regionsOf looks through an Accept-Language list (RFC 9110, 12.5.4) for region
// subtags of two letters (RFC 5646): is any named, and is one of them the
// country?
func regionsOf(list string, c signals.Country) (named, match bool) {
	const letters = 0x20 // lower case to upper
	for i := 0; i+2 < len(list); i++ {
		if list[i] != '-' || !letter(list[i+1]) || !letter(list[i+2]) {
			continue
		}
		if i+3 < len(list) && list[i+3] != ',' && list[i+3] != ';' && list[i+3] != ' ' && list[i+3] != '-' {
			continue // a longer subtag: a script
		}
		named = true
		match = match || list[i+1]&^letters == c[0] && list[i+2]&^letters == c[1]
	}
	return named, match
}

func letter(b byte) bool { return b|0x20 >= 'a' && b|0x20 <= 'z' }

func absolute(n int64) int64 {
	if n < 0 {
		return -n
	}
	return n
}

// EarthRadiusKM is the mean radius of the Earth (IUGG).
const EarthRadiusKM = 6371.0088

// distanceKM returns the great-circle distance of two points in degrees, by the
// haversine formula.
func distanceKM(lat1, lon1, lat2, lon2 float32) float32 {
	return arcKM(haversine(lat1, lon1, lat2, lon2))
}

// haversine returns (1-cos a)/2 of the angle a between two points: it orders
// distances, at most 1.
func haversine(lat1, lon1, lat2, lon2 float32) float64 {
	if lat1 == lat2 && lon1 == lon2 {
		return 0
	}
	const rad = math.Pi / 180
	a1, a2 := float64(lat1)*rad, float64(lat2)*rad
	dLat, dLon := math.Sin((a2-a1)/2), math.Sin((float64(lon2)-float64(lon1))*rad/2)
	return min(float64(dLat*dLat)+float64(math.Cos(a1)*math.Cos(a2)*dLon*dLon), 1)
}

func arcKM(h float64) float32 { return float32(2 * EarthRadiusKM * math.Asin(math.Sqrt(h))) }
