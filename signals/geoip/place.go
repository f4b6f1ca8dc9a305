package geoip

import (
	"errors"
	"fmt"
	"hash/fnv"
	"time"
	_ "time/tzdata" // offsets must not depend on what the machine or image has installed

	"github.com/oschwald/maxminddb-golang/v2"

	"github.com/waryauth/wary/signals"
)

// place is a City record, packed.
type place struct {
	latitude, longitude float64
	region, city        uint32
	radiusKM            uint16
	zone                uint16 // in zones; 0 none
	country             signals.Country
	located, inEU       bool
}

// cityRecord is the part of a City record that matters.
type cityRecord struct {
	City struct {
		ID uint32 `maxminddb:"geoname_id"`
	} `maxminddb:"city"`
	Country struct {
		ISO  string `maxminddb:"iso_code"`
		InEU bool   `maxminddb:"is_in_european_union"`
	} `maxminddb:"country"`
	Subdivisions []struct {
		ID uint32 `maxminddb:"geoname_id"`
	} `maxminddb:"subdivisions"`
	Location struct {
		Latitude  *float64 `maxminddb:"latitude"`
		Longitude *float64 `maxminddb:"longitude"`
		RadiusKM  uint16   `maxminddb:"accuracy_radius"`
		Zone      string   `maxminddb:"time_zone"`
	} `maxminddb:"location"`
}

// zones are the time zones that a file names, in the order they are met, after
// a first that stands for none.
type zones struct {
	locations []*time.Location
	numbers   map[string]uint16
}

// maxZones bounds what a file can make us load; the tz database has 600 names.
const maxZones = 2048

// decode turns a City record into a place.
func (z *zones) decode(r maxminddb.Result) (place, error) {
	var c cityRecord
	if err := r.Decode(&c); err != nil {
		return place{}, err
	}
	p := place{city: c.City.ID, radiusKM: c.Location.RadiusKM, inEU: c.Country.InEU}
	if iso := c.Country.ISO; len(iso) == 2 && isUpper(iso[0]) && isUpper(iso[1]) {
		p.country = signals.Country{iso[0], iso[1]}
	}
	if len(c.Subdivisions) > 0 {
		p.region = c.Subdivisions[0].ID
	}
	if lat, lon := c.Location.Latitude, c.Location.Longitude; lat != nil && lon != nil {
		// Written so that NaN is refused too.
		if !(*lat >= -90 && *lat <= 90 && *lon >= -180 && *lon <= 180) {
			return place{}, fmt.Errorf("latitude %v and longitude %v are not on Earth", *lat, *lon)
		}
		p.latitude, p.longitude, p.located = *lat, *lon, true
	}
	var err error
	if p.zone, err = z.number(c.Location.Zone); err != nil {
		return place{}, err
	}
	return p, p.nameless(r)
}

func isUpper(b byte) bool { return b >= 'A' && b <= 'Z' }

// nameless gives a number to a region and a city for which the file has a name
// and no GeoNames id (DB-IP's free files).
func (p *place) nameless(r maxminddb.Result) error {
	if p.region != 0 && p.city != 0 {
		return nil
	}
	var region, city string
	err := errors.Join(
		r.DecodePath(&region, "subdivisions", 0, "names", "en"),
		r.DecodePath(&city, "city", "names", "en"),
	)
	if err != nil {
		return err
	}
	if p.region == 0 && region != "" {
		p.region = nameID(p.country, region, "")
	}
	if p.city == 0 && city != "" {
		p.city = nameID(p.country, region, city)
	}
	return nil
}

// nameID is a hash (FNV-1a) with the highest bit set, where no GeoNames id is.
func nameID(country signals.Country, region, city string) uint32 {
	h := fnv.New32a()
	h.Write(country[:])
	h.Write([]byte("/" + region + "/" + city))
	return h.Sum32() | 1<<31
}

// number returns the number of a time zone, and loads it when it is new. A name
// that the tz database does not have is a zone without an offset.
func (z *zones) number(name string) (uint16, error) {
	if z.numbers == nil {
		z.numbers = map[string]uint16{"": 0}
		z.locations = []*time.Location{nil}
	}
	if n, ok := z.numbers[name]; ok {
		return n, nil
	}
	if len(z.locations) == maxZones {
		return 0, fmt.Errorf("more than %d time zones", maxZones-1)
	}
	location, err := time.LoadLocation(name)
	if err != nil || name == "Local" {
		location = nil
	}
	n := uint16(len(z.locations))
	z.numbers[name] = n
	z.locations = append(z.locations, location)
	return n, nil
}

// fill writes the place, with the offset of its time zone at a time.
func (p *place) fill(into *signals.Place, zones []*time.Location, at time.Time) {
	into.Country, into.Region, into.City = p.country, p.region, p.city
	into.Latitude, into.Longitude, into.Located = p.latitude, p.longitude, p.located
	into.AccuracyKM, into.InEU = float64(p.radiusKM), p.inEU
	if location := zones[p.zone]; location != nil {
		_, seconds := at.In(location).Zone()
		into.TimezoneMin, into.TimezoneSet = int16(seconds/60), true
	}
}
