package features

import (
	"math"
	"math/bits"
)

// Span is the length of a window.
type Span uint8

// Spans.
const (
	Minute Span = iota
	Hour
	Day
	Month     // 30 days
	Spans int = iota
)

// Moment is a time, divided once into the buckets of every span.
type Moment struct {
	ms     int64 // Unix milliseconds, at least 1
	bucket [Spans]uint32
	left   [Spans]float32 // share of the bucket before that the window still covers
}

// MomentOf returns the moment of a time in Unix milliseconds. Times before 1970
// are the first millisecond of it.
func MomentOf(ms int64) Moment {
	ms = max(ms, 1)
	m := Moment{ms: ms}
	m.split(Minute, ms, 60_000)
	m.split(Hour, ms, 3_600_000)
	m.split(Day, ms, 86_400_000)
	m.split(Month, ms, 30*86_400_000)
	return m
}

// split is inlined with a constant width, which turns division into a product.
func (m *Moment) split(s Span, ms, width int64) {
	b := ms / width
	m.bucket[s] = uint32(b)
	m.left[s] = 1 - float32(ms-b*width)/float32(width)
}

func (m *Moment) day() uint16 { return uint16(min(m.bucket[Day], math.MaxUint16)) }

// seconds returns the moment in Unix seconds, at least 1: 0 is never.
func (m *Moment) seconds() uint32 { return uint32(max(m.ms/1000, 1)) }

// A record counts over sliding spans by two buckets of event time for each: that
// of its newest event and the one before it. One clock serves all its buckets.
// What they hold is a function of the set of events alone, so that the order in
// which events land does not matter: one of the bucket before is added to it, an
// older one is dropped. So an event may come at least one span late, and less
// than two, and still count in that span.
//
// An estimate weighs the older bucket by the share of it that the span still
// covers, as if its events were spread evenly. It is wrong by at most the count
// of that bucket times the greater of that share and the rest.

// clock is the minute since 1970 of a record's newest event.
type clock uint32

// distance says for each span how many buckets a moment is after the newest: 0
// in it, below 0 before it.
type distance [Spans]int32

func (c clock) until(m *Moment) distance {
	if uint32(c) == m.bucket[Minute] {
		return distance{}
	}
	hour := uint32(c) / 60
	day := hour / 24
	return distance{int32(m.bucket[Minute] - uint32(c)), int32(m.bucket[Hour] - hour), int32(m.bucket[Day] - day), int32(m.bucket[Month] - day/30)}
}

// advance moves the clock to a moment unless that is past.
func (c *clock) advance(m *Moment) { *c = max(*c, clock(m.bucket[Minute])) }

// two are the buckets of one span.
type two[B any] struct{ cur, prev B }

// at makes the bucket of an event the newest if it is, and returns it: nil where
// the event is too late.
func (w *two[B]) at(distance int32) *B {
	switch {
	case distance == 0:
	case distance == 1:
		w.prev = w.cur
		w.cur = *new(B)
	case distance > 1:
		*w = two[B]{}
	case distance == -1:
		return &w.prev
	default:
		return nil
	}
	return &w.cur
}

// estimate returns how many events the span before a moment holds. To a moment
// older than the newest bucket it answers with all it holds: a late attempt is
// never told that nothing happened.
func estimate(distance int32, left float32, cur, prev uint32) float32 {
	switch {
	case distance == 0:
		return float32(cur) + left*float32(prev)
	case distance == 1:
		return left * float32(cur)
	case distance < 0:
		return float32(cur) + float32(prev)
	}
	return 0
}

// slide weighs the older bucket as estimate does; both is cur and prev together.
func slide(distance int32, left, cur, both float32) float32 {
	switch {
	case distance == 0:
		return cur + left*(both-cur)
	case distance == 1:
		return left * cur
	case distance < 0:
		return both
	}
	return 0
}

// Window counts events over one span, with a clock of its own.
type Window struct{ bucket, cur, prev uint32 }

// Add counts one event.
func (w *Window) Add(m *Moment, s Span) {
	switch b := m.bucket[s]; {
	case b == w.bucket:
		w.cur = increment(w.cur)
	case b == w.bucket+1:
		w.bucket, w.cur, w.prev = b, 1, w.cur
	case b > w.bucket:
		w.bucket, w.cur, w.prev = b, 1, 0
	case b+1 == w.bucket:
		w.prev = increment(w.prev)
	}
}

// Estimate returns how many events the span before a moment holds.
func (w *Window) Estimate(m *Moment, s Span) float32 {
	return estimate(int32(m.bucket[s]-w.bucket), m.left[s], w.cur, w.prev)
}

// increment counts, up to the greatest number and no further.
func increment[N uint16 | uint32](n N) N {
	if n+1 == 0 {
		return n
	}
	return n + 1
}

// many is a set of keys in 128 bits, of which the number is estimated by linear
// counting (Whang, Vander-Zanden, Taylor, 1990). Its standard error is
// sqrt(128(e^t-t-1)) keys for 128t: 3 at 40, 10 at 128. It ends at 710.
type many [2]uint64

// add takes in a key; the zero key is none.
func (s *many) add(k Key) {
	if k != 0 {
		s[k>>63] |= 1 << (k >> 57 & 63)
	}
}

// manyOver returns how many distinct keys the span before a moment holds.
func manyOver(distance int32, left float32, cur, prev *many) float32 {
	if distance > 1 {
		return 0
	}
	alone := bits.OnesCount64(cur[0]) + bits.OnesCount64(cur[1])
	both := bits.OnesCount64(cur[0]|prev[0]) + bits.OnesCount64(cur[1]|prev[1])
	return slide(distance, left, counted128[alone], counted128[both])
}

// few is many in 32 bits, for what one user has few of. It saturates at 133.
type few uint32

// add takes in a key; the zero key is none.
func (s *few) add(k Key) {
	if k != 0 {
		*s |= 1 << (k >> 59)
	}
}

func fewOver(distance int32, left float32, cur, prev few) float32 {
	return slide(distance, left, counted32[bits.OnesCount32(uint32(cur))], counted32[bits.OnesCount32(uint32(cur|prev))])
}

// Linear counting by bits set: -m ln(1 - n/m). A full map counts as if half a
// bit were free.
var (
	counted128 = linear128()
	counted32  = linear32()
)

func linear128() (t [129]float32) {
	for n := range t {
		t[n] = float32(-128 * math.Log(max(128-float64(n), 0.5)/128))
	}
	return t
}

func linear32() (t [33]float32) {
	for n := range t {
		t[n] = float32(-32 * math.Log(max(32-float64(n), 0.5)/32))
	}
	return t
}

// bloom is a small set of keys that never forgets: a Bloom filter of 128 bits
// and two hashes. Eight members make it wrong for a stranger in 1.4 %.
type bloom [2]uint64

func (b *bloom) add(k Key) {
	if k != 0 {
		b[k>>6&1] |= 1 << (k & 63)
		b[k>>13&1] |= 1 << (k >> 7 & 63)
	}
}

func (b *bloom) has(k Key) bool {
	return b[k>>6&1]>>(k&63)&1 == 1 && b[k>>13&1]>>(k>>7&63)&1 == 1
}

func (b *bloom) empty() bool { return b[0]|b[1] == 0 }
