package features

import (
	"time"

	"github.com/waryauth/wary/signals"
)

// calendar is a country's public holidays, those of the whole country and of every
// year. A day off instead of one that falls on a weekend is none of them.
type calendar struct {
	country  signals.Country
	orthodox bool // Easter by the Julian calendar
	days     []holiday
}

// holiday is a date, or where month is 0 so many days after Easter Sunday, or where
// on is set the first such weekday from the date on, or with only the date alone and
// only if it is that weekday.
type holiday struct {
	month time.Month
	day   int
	on    time.Weekday // never a Sunday
	only  bool
	since int // the first year; 0 is always
}

// Days that many countries share.
var (
	newYear       = holiday{month: time.January, day: 1}
	epiphany      = holiday{month: time.January, day: 6}
	goodFriday    = holiday{day: -2}
	easter        = holiday{day: 0}
	easterMonday  = holiday{day: 1}
	ascension     = holiday{day: 39}
	pentecost     = holiday{day: 49}
	whitMonday    = holiday{day: 50}
	corpusChristi = holiday{day: 60}
	mayDay        = holiday{month: time.May, day: 1}
	assumption    = holiday{month: time.August, day: 15}
	allSaints     = holiday{month: time.November, day: 1}
	immaculate    = holiday{month: time.December, day: 8}
	christmas     = holiday{month: time.December, day: 25}
	christmas2    = holiday{month: time.December, day: 26}
)

// calendars are the countries whose holidays follow from the Gregorian calendar and
// Easter. Those by the moon (China, India, Islamic countries) have none here, so the
// feature is missing there. The source is each country's law on public holidays; a
// test holds them against a published table. Left out is what comes every few years
// (a Dutch 5 May, Mexico's change of president, Ireland's first of February where it
// is a Friday).
var calendars = []calendar{
	{country: signals.Country{'A', 'U'}, days: []holiday{newYear, {month: time.January, day: 26}, goodFriday, easterMonday, {month: time.April, day: 25}, christmas, christmas2}},
	{country: signals.Country{'B', 'R'}, days: []holiday{newYear, goodFriday, {month: time.April, day: 21}, mayDay, {month: time.September, day: 7}, {month: time.October, day: 12},
		{month: time.November, day: 2}, {month: time.November, day: 15}, {month: time.November, day: 20, since: 2024}, christmas}},
	{country: signals.Country{'C', 'A'}, days: []holiday{newYear, goodFriday, {month: time.July, day: 1}, {month: time.September, day: 1, on: time.Monday}, christmas}},
	{country: signals.Country{'D', 'E'}, days: []holiday{newYear, goodFriday, easterMonday, mayDay, ascension, whitMonday, {month: time.October, day: 3}, christmas, christmas2}},
	{country: signals.Country{'E', 'S'}, days: []holiday{newYear, epiphany, goodFriday, mayDay, assumption, {month: time.October, day: 12}, allSaints, {month: time.December, day: 6}, immaculate, christmas}},
	{country: signals.Country{'F', 'R'}, days: []holiday{newYear, easterMonday, mayDay, {month: time.May, day: 8}, ascension, whitMonday, {month: time.July, day: 14}, assumption, allSaints,
		{month: time.November, day: 11}, christmas}},
	{country: signals.Country{'G', 'B'}, days: []holiday{newYear, goodFriday, {month: time.May, day: 1, on: time.Monday}, {month: time.May, day: 25, on: time.Monday}, christmas, christmas2}},
	{country: signals.Country{'I', 'E'}, days: []holiday{newYear, {month: time.February, day: 1, on: time.Monday, since: 2023}, {month: time.March, day: 17}, easterMonday,
		{month: time.May, day: 1, on: time.Monday}, {month: time.June, day: 1, on: time.Monday}, {month: time.August, day: 1, on: time.Monday}, {month: time.October, day: 25, on: time.Monday}, christmas, christmas2}},
	{country: signals.Country{'I', 'T'}, days: []holiday{newYear, epiphany, easter, easterMonday, {month: time.April, day: 25}, mayDay, {month: time.June, day: 2}, assumption,
		{month: time.October, day: 4, since: 2026}, allSaints, immaculate, christmas, christmas2}},
	{country: signals.Country{'M', 'X'}, days: []holiday{newYear, {month: time.February, day: 1, on: time.Monday}, {month: time.March, day: 15, on: time.Monday}, mayDay, {month: time.September, day: 16},
		{month: time.November, day: 15, on: time.Monday}, christmas}},
	{country: signals.Country{'N', 'L'}, days: []holiday{newYear, goodFriday, easter, easterMonday, {month: time.April, day: 26, on: time.Saturday, only: true}, {month: time.April, day: 27}, ascension, pentecost, whitMonday, christmas, christmas2}},
	{country: signals.Country{'N', 'O'}, days: []holiday{newYear, {day: -3}, goodFriday, easter, easterMonday, mayDay, {month: time.May, day: 17}, ascension, pentecost, whitMonday, christmas, christmas2}},
	{country: signals.Country{'P', 'L'}, days: []holiday{newYear, epiphany, easter, easterMonday, mayDay, {month: time.May, day: 3}, pentecost, corpusChristi, assumption, allSaints,
		{month: time.November, day: 11}, {month: time.December, day: 24, since: 2025}, christmas, christmas2}},
	{country: signals.Country{'P', 'T'}, days: []holiday{newYear, goodFriday, easter, {month: time.April, day: 25}, mayDay, corpusChristi, {month: time.June, day: 10}, assumption,
		{month: time.October, day: 5}, allSaints, {month: time.December, day: 1}, immaculate, christmas}},
	{country: signals.Country{'R', 'O'}, orthodox: true, days: []holiday{newYear, {month: time.January, day: 2}, {month: time.January, day: 6, since: 2024}, {month: time.January, day: 7, since: 2024},
		{month: time.January, day: 24}, goodFriday, easter, easterMonday, mayDay, pentecost, whitMonday, {month: time.June, day: 1}, assumption, {month: time.November, day: 30}, {month: time.December, day: 1}, christmas, christmas2}},
	{country: signals.Country{'S', 'E'}, days: []holiday{newYear, epiphany, goodFriday, easter, easterMonday, mayDay, ascension, pentecost, {month: time.June, day: 6},
		{month: time.June, day: 20, on: time.Saturday}, {month: time.October, day: 31, on: time.Saturday}, christmas, christmas2}},
	{country: signals.Country{'U', 'S'}, days: []holiday{newYear, {month: time.January, day: 15, on: time.Monday}, {month: time.February, day: 15, on: time.Monday}, {month: time.May, day: 25, on: time.Monday},
		{month: time.June, day: 19}, {month: time.July, day: 4}, {month: time.September, day: 1, on: time.Monday}, {month: time.October, day: 8, on: time.Monday}, {month: time.November, day: 11},
		{month: time.November, day: 22, on: time.Thursday}, christmas}},
	{country: signals.Country{'Z', 'A'}, days: []holiday{newYear, {month: time.March, day: 21}, goodFriday, easterMonday, {month: time.April, day: 27}, mayDay, {month: time.June, day: 16},
		{month: time.August, day: 9}, {month: time.September, day: 24}, {month: time.December, day: 16}, christmas, christmas2}},
}

// publicHoliday reports whether a country's holidays are known, and whether a time
// in milliseconds by the clock there is on one.
func publicHoliday(c signals.Country, local int64) (known, holiday bool) {
	for i := range calendars {
		if calendars[i].country == c {
			return true, calendars[i].has(local / msPerDay)
		}
	}
	return false, false
}

// has reports whether a day, counted from 1 January 1970, is a holiday.
func (c *calendar) has(day int64) bool {
	date := time.Unix(day*86_400, 0).UTC()
	year, month, of := date.Date()
	yearDay, weekday := date.YearDay(), date.Weekday()
	sinceEaster := yearDay - easterOf(year, c.orthodox)
	for i := range c.days {
		h := &c.days[i]
		switch {
		case year < h.since:
		case h.month == 0:
			if sinceEaster == h.day {
				return true
			}
		case h.on == 0:
			if of == h.day && month == h.month {
				return true
			}
		case h.on == weekday:
			first := time.Date(year, h.month, h.day, 0, 0, 0, 0, time.UTC)
			if late := yearDay - first.YearDay(); late >= 0 && late < 7 && (late == 0 || !h.only) {
				return true
			}
		}
	}
	return false
}

// easterOf returns on which day of a year Easter Sunday is: by the Gregorian
// calendar (the algorithm of Meeus, Astronomical Algorithms, chapter 8), or by the
// Julian, whose dates are 13 days later from 1900 to 2099.
func easterOf(year int, orthodox bool) int {
	if orthodox {
		d := (19*(year%19) + 15) % 30
		e := (2*(year%4) + 4*(year%7) - d + 34) % 7
		n := d + e + 114
		return time.Date(year, time.Month(n/31), n%31+1+13, 0, 0, 0, 0, time.UTC).YearDay()
	}
	a, b, c := year%19, year/100, year%100
	d, e, f := b/4, b%4, (b+8)/25
	g := (b - f + 1) / 3
	h := (19*a + b - d - g + 15) % 30
	i, k := c/4, c%4
	l := (32 + 2*e + 2*i - h - k) % 7
	m := (a + 11*h + 22*l) / 451
	n := h + l - 7*m + 114
	return time.Date(year, time.Month(n/31), n%31+1, 0, 0, 0, 0, time.UTC).YearDay()
}
