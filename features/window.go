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

// Window counts events over a sliding span by two buckets of event time: the
// newest that had an event and the one before it. What it holds is a function
// of the set of events alone, so the order in which they land does not matter:
// an event of the bucket before is added to it, an older one is dropped.
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

// Estimate returns how many events the span before a moment holds, taking those
// of the older bucket to be spread evenly over it. To a moment older than the
// newest bucket it answers with all it holds: a late attempt is never told that
// nothing happened.
func (w *Window) Estimate(m *Moment, s Span) float32 {
	switch b := m.bucket[s]; {
	case b == w.bucket:
		return float32(w.cur) + m.left[s]*float32(w.prev)
	case b == w.bucket+1:
		return m.left[s] * float32(w.cur)
	case b < w.bucket:
		return float32(w.cur) + float32(w.prev)
	}
	return 0
}

func increment(n uint32) uint32 {
	if n == math.MaxUint32 {
		return n
	}
	return n + 1
}

// Distinct counts distinct keys over a sliding span: in each of a Window's two
// buckets a bitmap of 128 bits (linear counting: Whang, Vander-Zanden, Taylor,
// 1990). It is within a few per cent up to about 100 and saturates at 710.
type Distinct struct {
	bucket    uint32
	cur, prev [4]uint32
}

// Add counts a key; the zero key is none.
func (d *Distinct) Add(m *Moment, s Span, k Key) {
	if k == 0 {
		return
	}
	i, bit := k>>62, uint32(1)<<(k>>57&31)
	switch b := m.bucket[s]; {
	case b == d.bucket:
		d.cur[i] |= bit
	case b > d.bucket:
		if b == d.bucket+1 {
			d.prev = d.cur
		} else {
			d.prev = [4]uint32{}
		}
		d.bucket, d.cur = b, [4]uint32{}
		d.cur[i] = bit
	case b+1 == d.bucket:
		d.prev[i] |= bit
	}
}

// Estimate returns how many distinct keys the span before a moment holds.
func (d *Distinct) Estimate(m *Moment, s Span) float32 {
	b := m.bucket[s]
	if b > d.bucket+1 {
		return 0
	}
	// Words of 32 bits keep the record free of padding; 64 at once count faster.
	lo, hi := uint64(d.cur[0])<<32|uint64(d.cur[1]), uint64(d.cur[2])<<32|uint64(d.cur[3])
	cur := bits.OnesCount64(lo) + bits.OnesCount64(hi)
	lo |= uint64(d.prev[0])<<32 | uint64(d.prev[1])
	hi |= uint64(d.prev[2])<<32 | uint64(d.prev[3])
	both := bits.OnesCount64(lo) + bits.OnesCount64(hi)
	return slide(counted128[cur], counted128[both], b, d.bucket, m.left[s])
}

// Few is Distinct in bitmaps of 32 bits, for what one user has few of. It
// saturates at 133.
type Few struct{ bucket, cur, prev uint32 }

// Add counts a key; the zero key is none.
func (f *Few) Add(m *Moment, s Span, k Key) {
	if k == 0 {
		return
	}
	bit := uint32(1) << (k >> 59)
	switch b := m.bucket[s]; {
	case b == f.bucket:
		f.cur |= bit
	case b == f.bucket+1:
		f.bucket, f.cur, f.prev = b, bit, f.cur
	case b > f.bucket:
		f.bucket, f.cur, f.prev = b, bit, 0
	case b+1 == f.bucket:
		f.prev |= bit
	}
}

// Estimate returns how many distinct keys the span before a moment holds.
func (f *Few) Estimate(m *Moment, s Span) float32 {
	b := m.bucket[s]
	if b > f.bucket+1 {
		return 0
	}
	return slide(counted32[bits.OnesCount32(f.cur)], counted32[bits.OnesCount32(f.cur|f.prev)], b, f.bucket, m.left[s])
}

// slide weighs the older bucket as Window.Estimate does; both is cur and prev
// together. b is the moment's bucket, at most one more than the newest.
func slide(cur, both float32, b, newest uint32, left float32) float32 {
	switch {
	case b == newest:
		return cur + left*(both-cur)
	case b > newest:
		return left * cur
	}
	return both
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
