package features

import (
	"math"

	"github.com/waryauth/wary/signals"
)

// User is what is remembered of one account. It holds no pointer and no padding,
// so that a store may keep and save it as bytes. Its folds depend on the order
// of the account's attempts; whoever folds keeps that order.
//
// Attempts are counted as they come. Everything that says what is usual for the
// user is learnt by Succeed alone.
type User struct {
	Successes   uint32 // successes that taught the profile
	SuccessDays uint32 // days (UTC) with one
	// Times in Unix milliseconds, 0 never.
	FirstSuccess, LastSuccess, LastAttempt int64

	scopes uint64 // ever granted, as bits of their hashes
	place  place  // of the last success that was located

	StepUpsPassed, StepUpsFailed uint32

	attempts, failures            [Spans]Window
	stepUpsHour, stepUpsMonth     Window
	stepUpFailures                Window // Day
	denies                        Window // Month
	addressesHour, addressesDay   Few
	failingAddresses              Few // Hour
	devicesHour, devicesMonth     Few
	asnsDay, countriesDay         Few
	payeesDay                     Few
	checks                        uint16 // how many of results mean something, at most 16
	results                       uint16 // last checks, newest in bit 0, 1 a failure
	homes                         [4]home
	country                       signals.Country // of the last success
	browserMajor                  uint16
	browser, system               uint32
	spread                        float32 // entropy of the countries in bits
	_                             uint32
	hours                         [24]uint8
	weekdays                      [7]uint8
	_                             [1]uint8
	kinds                         [kinds]uint32
	gap, amount                   moments // logarithms of seconds between successes; of hundredths paid
	addresses                     [8]slot
	asns                          [6]slot
	cities, payees                [6]slot
	countries, devices, classes   [5]slot
	subnets, regions, agents      [4]slot
	browsers, systems             [4]slot
	languages, offsets, screens   [3]slot
	hardware, prints, tls, proofs [3]slot
}

// place is where a success came from.
type place struct {
	latitude, longitude, accuracyKM float32
	_                               uint32
	at                              int64 // Unix milliseconds, 0 never
	address                         Key
}

// home is a usual place of a user: the mean of successes near each other.
type home struct {
	latitude, longitude float32
	count, day          uint16
}

// Kinds of network that a user may be used to.
const (
	kindOther = iota
	kindCellular
	kindHosted
	kindAnonymous
	kinds
)

func kindOf(f TraceFlags) int {
	switch {
	case f&Anonymous != 0:
		return kindAnonymous
	case f&Hosted != 0:
		return kindHosted
	case f&Cellular != 0:
		return kindCellular
	}
	return kindOther
}

// moments are an exponentially weighted mean and variance: each of the first 20
// values weighs the same, then the newest weighs a twentieth.
type moments struct {
	n              uint32
	mean, variance float32
}

// add takes in a value. The conversions keep the compiler from fusing product
// and sum where a processor can: every node computes the same bits.
func (m *moments) add(x float32) {
	m.n = increment(m.n)
	a := max(1/float32(m.n), 0.05)
	d := x - m.mean
	step := float32(a * d)
	m.mean += step
	m.variance = float32((1 - a) * float32(m.variance+float32(d*step)))
}

// z returns x in standard deviations, of which none is taken to be less than
// least; NaN where fewer than 2 values are known.
func (m *moments) z(x, least float32) float32 {
	if m.n < 2 {
		return nan()
	}
	return (x - m.mean) / max(float32(math.Sqrt(float64(m.variance))), least)
}

// Attempt counts an attempt that was decided, and its failure if it failed.
func (u *User) Attempt(t *Trace) {
	m := MomentOf(t.Time)
	for s := range u.attempts {
		u.attempts[s].Add(&m, Span(s))
	}
	u.LastAttempt = max(u.LastAttempt, m.ms)
	u.payeesDay.Add(&m, Day, t.Payee)
	if t.Flags&Unattended == 0 {
		u.addressesHour.Add(&m, Hour, t.Address)
		u.addressesDay.Add(&m, Day, t.Address)
		u.asnsDay.Add(&m, Day, t.ASN)
		u.countriesDay.Add(&m, Day, t.Country)
		u.devicesHour.Add(&m, Hour, t.Device)
		u.devicesMonth.Add(&m, Month, t.Device)
	}
	switch t.Outcome {
	case SteppedUp:
		u.stepUpsHour.Add(&m, Hour)
		u.stepUpsMonth.Add(&m, Month)
	case Denied:
		u.denies.Add(&m, Month)
	}
	switch t.Result {
	case signals.Success:
		u.checked(false)
	case signals.Failure:
		u.fail(t, &m)
	}
}

// Fail counts a failure that became known after its attempt: a pending check
// that failed, or a challenge of an attempt whose check had succeeded.
func (u *User) Fail(t *Trace) {
	m := MomentOf(t.Time)
	u.fail(t, &m)
	if t.Outcome == SteppedUp && t.Result == signals.Success {
		u.StepUpsFailed = increment(u.StepUpsFailed)
		u.stepUpFailures.Add(&m, Day)
	}
}

func (u *User) fail(t *Trace, m *Moment) {
	for s := range u.failures {
		u.failures[s].Add(m, Span(s))
	}
	u.failingAddresses.Add(m, Hour, t.Address)
	u.checked(true)
}

func (u *User) checked(failed bool) {
	u.results <<= 1
	if failed {
		u.results |= 1
	}
	u.checks = min(u.checks+1, 16)
}

// Succeed learns from a success. The caller tells once for each, after any
// challenge was passed. A success without the person shows a client's server,
// not the person: it teaches nothing of place, device and hours, and is none of
// Successes.
func (u *User) Succeed(t *Trace) {
	m := MomentOf(t.Time)
	if t.Result != signals.Success {
		u.checked(false) // a pending check, closed now
	}
	if t.Outcome == SteppedUp || t.Resumed {
		u.StepUpsPassed = increment(u.StepUpsPassed)
	}
	u.scopes |= t.Scopes
	if t.AmountMinor > 0 {
		u.amount.add(float32(math.Log(float64(t.AmountMinor))))
	}
	learn(u.payees[:], short(t.Payee), m.day())
	learn(u.proofs[:], short(t.Proof), m.day())
	if t.Flags&Unattended != 0 {
		return
	}
	u.learnTime(&m)
	u.learnPlace(t, &m)
	u.learnDevice(t, &m)
}

func (u *User) learnTime(m *Moment) {
	if u.LastSuccess > 0 && m.ms > u.LastSuccess {
		u.gap.add(logSeconds(m.ms - u.LastSuccess))
	}
	if u.Successes == 0 || m.bucket[Day] > dayOf(u.LastSuccess) {
		u.SuccessDays = increment(u.SuccessDays)
	}
	u.Successes = increment(u.Successes)
	if u.FirstSuccess == 0 || m.ms < u.FirstSuccess {
		u.FirstSuccess = m.ms
	}
	u.LastSuccess = max(u.LastSuccess, m.ms)
	tally(u.hours[:], hourOf(m.ms))
	tally(u.weekdays[:], weekdayOf(m.ms))
}

// tally counts in a histogram that halves itself when a bin is full, so that
// old habits fade.
func tally(bins []uint8, i int) {
	if bins[i] == math.MaxUint8 {
		for j := range bins {
			bins[j] /= 2
		}
	}
	bins[i]++
}

func (u *User) learnPlace(t *Trace, m *Moment) {
	day := m.day()
	learn(u.addresses[:], short(t.Address), day)
	learn(u.subnets[:], short(t.Subnet), day)
	learn(u.asns[:], short(t.ASN), day)
	learn(u.countries[:], short(t.Country), day)
	u.spread = entropy(u.countries[:])
	learn(u.regions[:], t.Region, day)
	learn(u.cities[:], t.City, day)
	u.country = t.CountryCode
	k := kindOf(t.Flags)
	u.kinds[k] = increment(u.kinds[k])
	if t.Flags&Located == 0 {
		return
	}
	u.learnHome(t, day)
	if m.ms >= u.place.at {
		u.place = place{latitude: t.Latitude, longitude: t.Longitude, accuracyKM: t.AccuracyKM, at: m.ms, address: t.Address}
	}
}

// entropy returns the entropy of the values' counts in bits.
func entropy(slots []slot) float32 {
	if slots[1].key == 0 { // at most one value, as of most users
		return 0
	}
	total, sum := 0.0, 0.0
	for i := range slots {
		if n := float64(slots[i].count); n > 0 {
			total += n
			sum += float64(n * math.Log(n))
		}
	}
	return float32(max(0, math.Log(total)-sum/total) / math.Ln2)
}

// homeKM is how near a success must be to a usual place to be of it.
const homeKM = 50

func (u *User) learnHome(t *Trace, day uint16) {
	worst, nearest, least := 0, -1, float32(homeKM)
	for i := range u.homes {
		h := &u.homes[i]
		if h.count > 0 {
			if d := distanceKM(h.latitude, h.longitude, t.Latitude, t.Longitude); d <= least {
				nearest, least = i, d
			}
		}
		if h.worth() < u.homes[worst].worth() {
			worst = i
		}
	}
	if nearest < 0 {
		u.homes[worst] = home{latitude: t.Latitude, longitude: t.Longitude, count: 1, day: day}
		return
	}
	h := &u.homes[nearest]
	if h.count < math.MaxUint16 {
		h.count++
	}
	// Degrees are averaged as they are: within 50 km that is right everywhere
	// but across the date line, where the place simply stays.
	if step := t.Longitude - h.longitude; step > -180 && step < 180 {
		weight := 1 / float32(min(h.count, 50))
		h.latitude += float32(weight * (t.Latitude - h.latitude))
		h.longitude += float32(weight * step)
	}
	h.day = max(h.day, day)
}

func (h *home) worth() int {
	if h.count == 0 {
		return -1
	}
	return int(h.day) + min(int(h.count), 90)
}

func (u *User) learnDevice(t *Trace, m *Moment) {
	day := m.day()
	learn(u.devices[:], short(t.Device), day)
	learn(u.prints[:], short(t.Fingerprint), day)
	learn(u.agents[:], short(t.Agent), day)
	learn(u.browsers[:], short(t.Browser), day)
	learn(u.systems[:], short(t.OS), day)
	learn(u.classes[:], short(t.Class), day)
	learn(u.languages[:], short(t.Language), day)
	learn(u.offsets[:], offsetKey(t.OffsetMin), day)
	learn(u.screens[:], short(t.Screen), day)
	learn(u.hardware[:], short(t.Hardware), day)
	learn(u.tls[:], short(t.TLS), day)
	u.browser, u.system, u.browserMajor = t.BrowserFamily, t.OSFamily, t.BrowserMajor
}

// offsetKey makes a slot's key of an offset in minutes, 0 where it is missing.
func offsetKey(min int16) uint32 { return uint32(int32(min) - NoOffset) }

func logSeconds(ms int64) float32 { return float32(math.Log(max(float64(ms)/1000, 1))) }

func dayOf(ms int64) uint32 { return uint32(max(ms, 1) / 86_400_000) }

func hourOf(ms int64) int { return int(ms / 3_600_000 % 24) }

// weekdayOf counts from Sunday; 1 January 1970 was a Thursday.
func weekdayOf(ms int64) int { return int((ms/86_400_000 + 4) % 7) }
