package features

import (
	"math"

	"github.com/waryauth/wary/signals"
)

// User is what is remembered of one account. It holds no pointer and no padding,
// and what it does not use lies at its end, so that a store may keep and save the
// first Size bytes of it. Its folds depend on the order of the account's attempts;
// whoever folds keeps that order.
//
// Attempts are counted as they come. Everything that says what is usual for the
// user is learnt by Succeed alone. Counts of 16 bits end at 65,535.
type User struct {
	LastAttempt, LastSuccess int64 // Unix milliseconds, 0 never

	scopes uint64 // ever granted, as bits of their hashes
	place  place  // of the last success whose address shows where the person was

	Successes    uint32 // successes that taught the profile
	FirstSuccess uint32 // Unix seconds, 0 never
	newest       clock
	// Of the last success.
	browser, system uint32

	minute two[userMinute]
	hour   two[userHour]
	day    two[userDay]
	month  two[userMonth]

	homes                        [4]home
	gap, amount                  moments // logarithms of seconds between successes; of hundredths paid
	SuccessDays                  uint16  // days (UTC) with a success
	StepUpsPassed, StepUpsFailed uint16
	results                      uint16 // last checks, newest in bit 0, 1 a failure
	browserMajor                 uint16
	country                      signals.Country // of the last success whose address shows it, see place
	kinds                        [kinds]uint16
	filled, pasted               habit // credentials
	keyed, proven                habit // a key of the device; more than a password
	checks                       uint8 // how many of results mean something, at most 16
	hours                        [24]uint8
	weekdays                     [7]uint8

	traits
}

// What a user did in a bucket of each span.
type (
	userMinute struct{ attempts, failures uint16 }
	userHour   struct {
		attempts, failures, stepUps uint16
		_                           uint16
		addresses, failing, devices few // failing are the addresses of failures
	}
	userDay struct {
		attempts, failures, stepUpFailures uint16
		_                                  uint16
		addresses, asns, countries, payees few
	}
	userMonth struct {
		attempts, failures, stepUps, denies uint16
		devices                             few
	}
)

// place is where a success came from.
type place struct {
	at, countryAt                   uint32 // Unix seconds, 0 never: when this was, and when User.country
	latitude, longitude, accuracyKM float32
	address                         uint32
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

// userBuckets are those of a moment, nil for which it is too late.
type userBuckets struct {
	minute *userMinute
	hour   *userHour
	day    *userDay
	month  *userMonth
}

func (u *User) slide(m *Moment) userBuckets {
	d := u.newest.until(m)
	u.newest.advance(m)
	return userBuckets{u.minute.at(d[Minute]), u.hour.at(d[Hour]), u.day.at(d[Day]), u.month.at(d[Month])}
}

// Attempt counts an attempt that was decided, and its failure if it failed. m is
// the moment of the trace.
func (u *User) Attempt(t *Trace, m *Moment) {
	u.LastAttempt = max(u.LastAttempt, m.ms)
	b := u.slide(m)
	b.attempt(t)
	switch t.Result {
	case signals.Success:
		u.checked(false)
	case signals.Failure:
		b.fail(t)
		u.checked(true)
	}
}

func (b *userBuckets) attempt(t *Trace) {
	present := t.Flags&Unattended == 0
	if b.minute != nil {
		b.minute.attempts = increment(b.minute.attempts)
	}
	if h := b.hour; h != nil {
		h.attempts = increment(h.attempts)
		if t.Outcome == SteppedUp {
			h.stepUps = increment(h.stepUps)
		}
		if present {
			h.addresses.add(t.Address)
			h.devices.add(t.Device)
		}
	}
	if d := b.day; d != nil {
		d.attempts = increment(d.attempts)
		d.payees.add(t.Payee)
		if present {
			d.addresses.add(t.Address)
			d.asns.add(t.ASN)
			d.countries.add(t.Country)
		}
	}
	if n := b.month; n != nil {
		n.attempts = increment(n.attempts)
		switch t.Outcome {
		case SteppedUp:
			n.stepUps = increment(n.stepUps)
		case Denied:
			n.denies = increment(n.denies)
		}
		if present {
			n.devices.add(t.Device)
		}
	}
}

// Fail counts a failure that became known after its attempt: a pending check
// that failed, or a challenge of an attempt whose check had succeeded.
func (u *User) Fail(t *Trace, m *Moment) {
	b := u.slide(m)
	b.fail(t)
	u.checked(true)
	if t.Outcome == SteppedUp && t.Result == signals.Success {
		u.StepUpsFailed = increment(u.StepUpsFailed)
		if b.day != nil {
			b.day.stepUpFailures = increment(b.day.stepUpFailures)
		}
	}
}

func (b *userBuckets) fail(t *Trace) {
	if b.minute != nil {
		b.minute.failures = increment(b.minute.failures)
	}
	if b.hour != nil {
		b.hour.failures = increment(b.hour.failures)
		b.hour.failing.add(t.Address)
	}
	if b.day != nil {
		b.day.failures = increment(b.day.failures)
	}
	if b.month != nil {
		b.month.failures = increment(b.month.failures)
	}
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
func (u *User) Succeed(t *Trace, m *Moment) {
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
	u.learn(ofPayee, short(t.Payee), m.day())
	u.learn(ofProof, short(t.Proof), m.day())
	if t.Flags&Unattended != 0 {
		return
	}
	u.learnTime(t, m)
	u.learnPlace(t, m)
	u.learnDevice(t, m)
	u.learnRhythm(t, m.day())
	u.filled.learn(t.Flags, FillTold, Filled)
	u.pasted.learn(t.Flags, PasteTold, Pasted)
	u.keyed.learn(t.Flags, KeyTold, Keyed)
	u.proven.learn(t.Flags, ProofTold, Proven)
}

func (u *User) learnTime(t *Trace, m *Moment) {
	if u.LastSuccess > 0 && m.ms > u.LastSuccess {
		u.gap.add(logSeconds(m.ms - u.LastSuccess))
	}
	if u.Successes == 0 || m.bucket[Day] > dayOf(u.LastSuccess) {
		u.SuccessDays = increment(u.SuccessDays)
	}
	u.Successes = increment(u.Successes)
	u.FirstSuccess = earlier(u.FirstSuccess, m)
	u.LastSuccess = max(u.LastSuccess, m.ms)
	local := t.local(m)
	tally(u.hours[:], hourOf(local))
	tally(u.weekdays[:], weekdayOf(local))
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
	u.learn(ofAddress, short(t.Address), day)
	u.learn(ofSubnet, short(t.Subnet), day)
	u.learn(ofASN, short(t.ASN), day)
	u.learn(ofCountry, short(t.Country), day)
	u.learn(ofRegion, t.Region, day)
	u.learn(ofCity, t.City, day)
	k := kindOf(t.Flags)
	u.kinds[k] = increment(u.kinds[k])
	if t.Flags&Located != 0 {
		u.learnHome(t, day)
	}
	if t.Flags&Displaced == 0 {
		u.learnWhere(t, m.seconds())
	}
}

// learnWhere keeps where the person was last. The exit of a network says nothing of
// that: who logs in through a VPN and then without has not travelled.
func (u *User) learnWhere(t *Trace, at uint32) {
	p := &u.place
	if t.CountryCode != (signals.Country{}) && at >= p.countryAt {
		u.country, p.countryAt, p.address = t.CountryCode, at, short(t.Address)
	}
	if t.Flags&Located != 0 && at >= p.at {
		*p = place{at: at, countryAt: p.countryAt, latitude: t.Latitude, longitude: t.Longitude, accuracyKM: t.AccuracyKM, address: short(t.Address)}
	}
}

// entropy returns the entropy of the values' counts in bits.
func entropy(slots []slot) float32 {
	if len(slots) < 2 { // as of most users
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

// homeDegrees of latitude are farther than homeKM.
const homeDegrees = homeKM / EarthRadiusKM * (180 / math.Pi) * 1.01

func (u *User) learnHome(t *Trace, day uint16) {
	worst, nearest, least := 0, -1, float32(homeKM)
	for i := range u.homes {
		h := &u.homes[i]
		// Most are told apart by their latitudes, without a sine.
		if north := h.latitude - t.Latitude; h.count > 0 && north < homeDegrees && north > -homeDegrees {
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
	u.learn(ofDevice, short(t.Device), day)
	u.learn(ofPrint, short(t.Fingerprint), day)
	u.learn(ofAgent, short(t.Agent), day)
	u.learn(ofBrowser, short(t.Browser), day)
	u.learn(ofOS, short(t.OS), day)
	u.learn(ofClass, short(t.Class), day)
	u.learn(ofLanguage, short(t.Language), day)
	u.learn(ofOffset, offsetKey(t.OffsetMin), day)
	u.learn(ofScreen, short(t.Screen), day)
	u.learn(ofHardware, short(t.Hardware), day)
	u.learn(ofTLS, short(t.TLS), day)
	u.browser, u.system, u.browserMajor = t.BrowserFamily, t.OSFamily, t.BrowserMajor
}

// offsetKey makes a slot's key of an offset in minutes, 0 where it is missing.
func offsetKey(min int16) uint32 { return uint32(int32(min) - NoOffset) }

func logSeconds(ms int64) float32 { return float32(math.Log(max(float64(ms)/1000, 1))) }

func dayOf(ms int64) uint32 { return uint32(max(ms, 1) / 86_400_000) }

func hourOf(ms int64) int { return int(ms / 3_600_000 % 24) }

// weekdayOf counts from Sunday; 1 January 1970 was a Thursday.
func weekdayOf(ms int64) int { return int((ms/86_400_000 + 4) % 7) }

// userAt is a user as they look at a moment.
type userAt struct {
	*User
	m *Moment
	distance
}

func (u *User) lookAt(m *Moment) userAt { return userAt{u, m, u.newest.until(m)} }

func (u userAt) estimate(s Span, cur, prev uint16) float32 {
	return estimate(u.distance[s], u.m.left[s], uint32(cur), uint32(prev))
}

func (u userAt) few(s Span, cur, prev few) float32 {
	return fewOver(u.distance[s], u.m.left[s], cur, prev)
}

// tries returns attempts and failures over every span.
func (u userAt) tries() [Spans]two[userMinute] {
	return [Spans]two[userMinute]{
		u.minute,
		{userMinute{u.hour.cur.attempts, u.hour.cur.failures}, userMinute{u.hour.prev.attempts, u.hour.prev.failures}},
		{userMinute{u.day.cur.attempts, u.day.cur.failures}, userMinute{u.day.prev.attempts, u.day.prev.failures}},
		{userMinute{u.month.cur.attempts, u.month.cur.failures}, userMinute{u.month.prev.attempts, u.month.prev.failures}},
	}
}

func (u userAt) stepUpsHour() float32 {
	return u.estimate(Hour, u.hour.cur.stepUps, u.hour.prev.stepUps)
}

func (u userAt) stepUpsMonth() float32 {
	return u.estimate(Month, u.month.cur.stepUps, u.month.prev.stepUps)
}

func (u userAt) stepUpFailuresDay() float32 {
	return u.estimate(Day, u.day.cur.stepUpFailures, u.day.prev.stepUpFailures)
}

func (u userAt) deniesMonth() float32 {
	return u.estimate(Month, u.month.cur.denies, u.month.prev.denies)
}

func (u userAt) addressesHour() float32 {
	return u.few(Hour, u.hour.cur.addresses, u.hour.prev.addresses)
}

func (u userAt) failingHour() float32 {
	return u.few(Hour, u.hour.cur.failing, u.hour.prev.failing)
}

func (u userAt) devicesHour() float32 {
	return u.few(Hour, u.hour.cur.devices, u.hour.prev.devices)
}

func (u userAt) addressesDay() float32 {
	return u.few(Day, u.day.cur.addresses, u.day.prev.addresses)
}

func (u userAt) asnsDay() float32 { return u.few(Day, u.day.cur.asns, u.day.prev.asns) }

func (u userAt) countriesDay() float32 {
	return u.few(Day, u.day.cur.countries, u.day.prev.countries)
}

func (u userAt) payeesDay() float32 { return u.few(Day, u.day.cur.payees, u.day.prev.payees) }

func (u userAt) devicesMonth() float32 {
	return u.few(Month, u.month.cur.devices, u.month.prev.devices)
}
