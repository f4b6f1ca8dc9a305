package features

import (
	"math"

	"github.com/waryauth/wary/signals"
)

func extractGeo(v *Vector, x *input) {
	geoHistory(v, x)
	geoTravel(v, x)
	geoClock(v, x)
	geoClaims(v, x)

	c, u := x.o.Place.Country, &x.p.User
	v[GeoLocationMissing] = one(x.t.Flags&Located == 0)
	if x.t.Flags&Located != 0 && x.t.AccuracyKM > 0 {
		v[GeoAccuracyRadiusKM] = x.t.AccuracyKM
	}
	if c != (signals.Country{}) {
		v[GeoCountryShareGlobal] = share(float32(x.p.Country), float32(x.p.Totals.Successes))
		v[GeoIsEUEEA] = one(x.o.Place.InEU)
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
	if u.country != (signals.Country{}) && x.t.CountryCode != (signals.Country{}) {
		recent := absolute(x.now.ms-u.LastSuccess) < 30*60_000
		v[GeoCountryChanged30m] = one(recent && u.country != x.t.CountryCode)
	}
}

// leastElapsed keeps two attempts within one moment from making a speed.
const leastElapsed = 60_000 // ms

// geoTravel asks whether the person can have come here since the last success.
// Without both places that is not evaluable, and missing.
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
	if moved {
		return
	}
	hours := float32(max(absolute(x.now.ms-last.at), leastElapsed)) / 3_600_000
	v[GeoVelocityKMH] = d / hours
	v[GeoVelocityLowerBoundKMH] = max(0, d-last.accuracyKM-x.t.AccuracyKM) / hours
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
	local := x.now.ms + int64(x.t.LocalMin)*60_000
	v[GeoNightLocalTime] = one(local >= 0 && hourOf(local) < 5)
	if x.t.OffsetMin == NoOffset {
		return
	}
	gap := absolute(int64(x.t.OffsetMin) - int64(x.t.LocalMin))
	v[GeoTimezoneGapH] = float32(gap) / 60
	v[GeoCountryMismatchIPVsTimezone] = one(gap > 0)
}

// geoClaims compares the address's place with what the device says of itself.
func geoClaims(v *Vector, x *input) {
	d := &x.a.Device
	if c := x.o.Place.Country; c != (signals.Country{}) {
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
