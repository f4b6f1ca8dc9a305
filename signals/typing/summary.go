package typing

import (
	"math"
	"slices"
	"strings"
)

// Fields is how many numbers a [Summary] has: signals.RhythmSlots of an attempt.
const Fields = 78

// A Summary is all that leaves the page: statistics of one typed text, NaN where
// there was too little to measure. It names no key and holds no order: keys count
// as 9 fingers, pairs of keys as 11 classes. In order:
//
//	 0..10  flight by class of pair, mean of asinh(ms/60); negative in a rollover
//	11..21  share of rollovers by class
//	22..32  flight by class, standard deviation
//	33..50  hold by finger, mean of log(ms), then their standard deviations; the ninth is the space bar
//	51..70  all keys: p10 p25 p50 p75 p90 of hold, flight and latency; log spread of hold and of flight;
//	        square roots of the shares of rollovers, corrections and pauses
//	71..77  correlations hold-latency, hold-hold and latency-latency of neighbours; hold in rollovers against
//	        others; square root of the share with three keys down; log overlap of rollovers; log time to correct
//
// Hold is the time that a key is down, flight the time from a release to the next
// press, latency from press to press. A rollover presses a key before the last one
// is released.
type Summary [Fields]float32

// First and end of the fields that are measured of a password: which fingers were
// used would narrow down a short secret.
const (
	passwordFirst = 51
	passwordEnd   = 71
)

// Password returns what may be told of a password: fields 51..70, the others NaN.
func (s *Summary) Password() Summary {
	p := *s
	for i := range p {
		if i < passwordFirst || i >= passwordEnd {
			p[i] = float32(math.NaN())
		}
	}
	return p
}

// A Key is one key press.
type Key struct {
	Press, Release float64 // milliseconds since any one moment
	// Code is the key's place on the keyboard, reduced from KeyboardEvent.code: a
	// letter of QWERTY ("a", in either case), "SPACE", "BKSP" (Backspace), "SHIFT",
	// "CAPS_LOCK", "CTRL" or "ALT" (either side). Any other text is a key that counts
	// but that belongs to no finger.
	Code string
}

// Limits of what is measured, in milliseconds.
const (
	minHold, maxHold     = 5, 500
	minFlight, maxFlight = -300, 1000
	pause                = 1000 // a longer latency is a pause, of which only the share is told
	maxCorrect           = 3000 // a later correction is of something else
	minCorrect           = 20
)

// Fewest values that a statistic is made of.
const (
	minSpread      = 3 // of a class or finger
	minLatencies   = 4
	minCorrelation = 5
)

// fingers are the letters of the eight fingers on QWERTY, left little finger
// first; the ninth is the space bar.
var fingers = [9]string{"qaz", "wsx", "edc", "rfvtgb", "yhnujm", "ik", "ol", "p", " "}

// hands gives the class of a pair of keys by the sides of its keys, where the
// fingers differ: left, right, space bar. Two keys of one finger are the next class,
// the same key twice sameKey.
var hands = [3][3]int{{0, 2, 3}, {4, 5, 7}, {8, 9, sameKey}}

const (
	classes = 11
	sameKey = 10
)

// Summarize is the reference of what signals/collector computes in the page: the
// summary of keys, which stand in the order in which they were pressed.
func Summarize(keys []Key) Summary {
	var m measured
	m.all(keys)
	for i := range keys {
		m.single(keys, i)
		m.pair(keys, i)
	}
	var s Summary
	for i, x := range m.statistics(len(keys)) {
		s[i] = float32(x)
	}
	return s
}

// series is what was measured of one thing.
type series []float64

// measured is what Summarize counts before it makes statistics of it.
type measured struct {
	flight, over [classes]series // of a class: asinh(ms/60), and 1 for a rollover
	hold         [9]series       // of a finger: log(ms)

	holds, flights, latencies, pauses series // of all keys but modifiers

	rolled, apart, overlap, correct series
	holdLatency, holdHold, rhythm   [2]series // neighbours to correlate
	three, triples, corrections     float64
}

// all measures what needs no finger: every key but the modifiers, and the one before.
func (m *measured) all(keys []Key) {
	last := -1
	for i, k := range keys {
		if k.corrects() {
			m.corrections++
		}
		if k.modifies() {
			continue
		}
		m.holds = append(m.holds, k.held())
		if last >= 0 {
			latency := k.Press - keys[last].Press
			m.pauses = append(m.pauses, truth(latency > pause))
			if latency > 0 && latency <= pause {
				m.latencies = append(m.latencies, latency)
				m.flights = append(m.flights, between(minFlight, maxFlight, k.Press-keys[last].Release))
			}
		}
		last = i
	}
}

// single measures the key at i by its finger.
func (m *measured) single(keys []Key, i int) {
	if f := finger(keys[i].character()); f >= 0 {
		m.hold[f] = append(m.hold[f], math.Log(keys[i].held()))
	}
}

// pair measures the key at i and the one after it, modifiers too.
func (m *measured) pair(keys []Key, i int) {
	if i+1 >= len(keys) {
		return
	}
	k, next := keys[i], keys[i+1]
	latency := next.Press - k.Press
	if !k.corrects() && next.corrects() && latency < maxCorrect {
		m.correct = append(m.correct, math.Log(max(latency, minCorrect)))
	}
	a, b := k.character(), next.character()
	if finger(a) < 0 || finger(b) < 0 || a == ' ' && b == ' ' || latency <= 0 || latency > pause {
		return
	}
	flight, hold := between(minFlight, maxFlight, next.Press-k.Release), math.Log(k.held())
	c := class(a, b)
	m.flight[c] = append(m.flight[c], math.Asinh(flight/60))
	m.over[c] = append(m.over[c], truth(flight < 0))
	if flight < 0 {
		m.rolled, m.overlap = append(m.rolled, hold), append(m.overlap, -flight)
	} else {
		m.apart = append(m.apart, hold)
	}
	join(&m.holdLatency, hold, math.Log(latency))
	join(&m.holdHold, hold, math.Log(next.held()))
	if i+2 >= len(keys) {
		return
	}
	m.triples++
	m.three += truth(k.Release > keys[i+2].Press)
	if then := keys[i+2].Press - next.Press; then > 0 && then <= pause {
		join(&m.rhythm, math.Log(latency), math.Log(then))
	}
}

// statistics returns the fields of the summary of n keys.
func (m *measured) statistics(n int) []float64 {
	out := make([]float64, 0, Fields)
	for _, v := range m.flight {
		out = append(out, v.mean())
	}
	for _, v := range m.over {
		out = append(out, v.mean())
	}
	for _, v := range m.flight {
		out = append(out, v.deviation())
	}
	for _, v := range m.hold {
		out = append(out, v.mean())
	}
	for _, v := range m.hold {
		out = append(out, v.deviation())
	}
	if len(m.latencies) < minLatencies {
		m.flights, m.latencies = nil, nil
	}
	rollovers := make(series, len(m.flights))
	for i, f := range m.flights {
		rollovers[i] = truth(f < 0)
	}
	out = m.holds.quantiles(out, math.Log)
	out = m.flights.quantiles(out, signed)
	out = m.latencies.quantiles(out, math.Log)
	return append(out,
		math.Log(m.holds.spread()+3), math.Log(m.flights.spread()+5),
		math.Sqrt(rollovers.mean()), math.Sqrt(m.corrections/float64(n)), math.Sqrt(m.pauses.mean()),
		correlation(m.holdLatency), correlation(m.holdHold), correlation(m.rhythm),
		m.rolled.mean()-m.apart.mean(), math.Sqrt(m.three/max(m.triples, 1)),
		math.Log(m.overlap.mean()+5), m.correct.mean())
}

// held returns how long the key was down, in milliseconds within the limits.
func (k Key) held() float64 { return between(minHold, maxHold, k.Release-k.Press) }

func (k Key) corrects() bool { return k.Code == "BKSP" }

func (k Key) modifies() bool {
	return k.Code == "SHIFT" || k.Code == "CAPS_LOCK" || k.Code == "CTRL" || k.Code == "ALT"
}

// character returns the lower-case letter or the space of the key, 0 for any other.
func (k Key) character() byte {
	if k.Code == "SPACE" {
		return ' '
	}
	if len(k.Code) == 1 && k.Code[0]|0x20 >= 'a' && k.Code[0]|0x20 <= 'z' {
		return k.Code[0] | 0x20
	}
	return 0
}

// finger returns which of the nine presses c, -1 for none.
func finger(c byte) int {
	if c == 0 {
		return -1
	}
	return slices.IndexFunc(fingers[:], func(s string) bool { return strings.IndexByte(s, c) >= 0 })
}

// class returns the class of two keys that fingers press one after the other: left-left,
// left-left of one finger, left-right, left-space, right-left, right-right, right-right
// of one finger, right-space, space-left, space-right, the same key.
func class(a, b byte) int {
	if a == b {
		return sameKey
	}
	fa, fb := finger(a), finger(b)
	c := hands[fa/4][fb/4]
	if fa == fb {
		c++
	}
	return c
}

func between(low, high, x float64) float64 { return min(max(x, low), high) }

func truth(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

// signed is a logarithm for values of both signs.
func signed(x float64) float64 { return math.Copysign(math.Log1p(math.Abs(x)/50), x) }

func join(v *[2]series, x, y float64) { v[0], v[1] = append(v[0], x), append(v[1], y) }

// mean is NaN of nothing.
func (v series) mean() float64 {
	sum := 0.0
	for _, x := range v {
		sum += x
	}
	return sum / float64(len(v))
}

// spread is the standard deviation, the sum divided by the number of values.
func (v series) spread() float64 {
	m, sum := v.mean(), 0.0
	for _, x := range v {
		sum += (x - m) * (x - m)
	}
	return math.Sqrt(sum / float64(len(v)))
}

// deviation is the spread where there are values enough, else NaN.
func (v series) deviation() float64 {
	if len(v) < minSpread {
		return math.NaN()
	}
	return v.spread()
}

// correlation is Pearson's, NaN of too few pairs or where one side does not vary.
func correlation(v [2]series) float64 {
	x, y := v[0], v[1]
	if len(x) < minCorrelation {
		return math.NaN()
	}
	mx, my, sum := x.mean(), y.mean(), 0.0
	for i := range x {
		sum += (x[i] - mx) * (y[i] - my)
	}
	if d := x.spread() * y.spread() * float64(len(x)); d > 0 {
		return sum / d
	}
	return math.NaN()
}

// quantiles appends f of the 10, 25, 50, 75 and 90 % quantiles, interpolated
// linearly between neighbours; NaN of nothing.
func (v series) quantiles(out []float64, f func(float64) float64) []float64 {
	sorted := slices.Sorted(slices.Values(v))
	for _, p := range [...]float64{0.1, 0.25, 0.5, 0.75, 0.9} {
		if len(sorted) == 0 {
			out = append(out, math.NaN())
			continue
		}
		at := p * float64(len(sorted)-1)
		i := int(at)
		next := sorted[min(i+1, len(sorted)-1)]
		out = append(out, f(sorted[i]+(at-float64(i))*(next-sorted[i])))
	}
	return out
}
