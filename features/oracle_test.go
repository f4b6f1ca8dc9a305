package features

import (
	"math"
	"math/rand/v2"
	"os"
	"strconv"
	"testing"

	"github.com/waryauth/wary/signals"
)

// seedsOf is how many simulated lives a test goes through: 10,000 with
// WARY_SEEDS=10000.
func seedsOf(t *testing.T, usual int) uint64 {
	s := os.Getenv("WARY_SEEDS")
	if s == "" {
		return uint64(usual)
	}
	n, err := strconv.Atoi(s)
	if err != nil {
		t.Fatal(err)
	}
	return uint64(n)
}

// happened is an attempt as the oracle keeps it.
type happened struct {
	ms           int64
	failed       bool
	user, device Key
}

// oracle keeps every attempt, and counts them when it is asked.
type oracle []happened

// between counts attempts, failures, users and devices of times in [from, to).
func (o oracle) between(from, to int64) (attempts, failures int, users, devices map[Key]bool) {
	users, devices = map[Key]bool{}, map[Key]bool{}
	for _, e := range o {
		if e.ms >= from && e.ms < to {
			attempts++
			users[e.user], devices[e.device] = true, true
			if e.failed {
				failures++
			}
		}
	}
	return attempts, failures, users, devices
}

var widths = [Spans]int64{60_000, 3_600_000, 86_400_000, 30 * 86_400_000}

// TestWindowsAgainstOracle simulates days of attempts, in bursts and pauses, some
// of which arrive late by up to a minute, an hour, a day or a month. For each span,
// those late by no more than it must be counted. The estimate is that of the two
// buckets as the oracle counts them, and off the true count of the span by no more
// than the older bucket's uncertain share.
func TestWindowsAgainstOracle(t *testing.T) {
	h := NewHasher(5, 6)
	worst := [Spans]float64{}
	for seed := range seedsOf(t, 400) {
		r := rand.New(rand.NewPCG(seed, 9))
		var s Shared
		var members Members
		var u User
		var o oracle
		now, newest := int64(1_790_000_000_000)+r.Int64N(30*86_400_000), int64(0)
		for range 1 + r.IntN(300) {
			now += int64(math.Exp(r.Float64()*math.Log(3e8))) % (3 * 86_400_000)
			at := now
			if r.IntN(4) == 0 {
				at -= r.Int64N(widths[r.IntN(Spans)])
			}
			e := happened{at, r.IntN(3) == 0, h.Number(KindUser, uint64(1+r.IntN(40))), h.Number(KindDevice, uint64(1+r.IntN(9)))}
			o, newest = append(o, e), max(newest, at)
			tr := Trace{Time: at, User: e.user, Typed: e.user, Device: e.device, Result: signals.Success}
			if e.failed {
				tr.Result = signals.Failure
			}
			m := MomentOf(at)
			s.Attempt(&tr, &m, &members)
			u.Attempt(&tr, &m)
		}
		asked := newest + r.Int64N(2*widths[r.IntN(Spans)])
		m := MomentOf(asked)
		is, tries := s.lookAt(&m), u.lookAt(&m).tries()
		for i, width := range widths {
			begin := asked / width * width
			left := 1 - float64(asked-begin)/float64(width)
			cur, curFailed, _, _ := o.between(begin, asked+1)
			prev, prevFailed, _, _ := o.between(begin-width, begin)
			want, wantFailed := float64(cur)+left*float64(prev), float64(curFailed)+left*float64(prevFailed)
			mine := u.lookAt(&m).estimate(Span(i), tries[i].cur.attempts, tries[i].prev.attempts)
			for what, got := range map[string][2]float64{"attempts": {float64(is.attempts(Span(i))), want}, "failures": {float64(is.failures(Span(i))), wantFailed}, "user's attempts": {float64(mine), want}} {
				if math.Abs(got[0]-got[1]) > 1e-4*max(1, got[1]) {
					t.Fatalf("seed %d, span %d, %s: %v, want %v", seed, i, what, got[0], got[1])
				}
			}
			truth, _, _, _ := o.between(asked-width+1, asked+1)
			off := math.Abs(want - float64(truth))
			if off > max(left, 1-left)*float64(prev)+1e-9 {
				t.Fatalf("seed %d, span %d: %v, in truth %d, with %d in the older bucket", seed, i, want, truth, prev)
			}
			worst[i] = max(worst[i], off)
		}
		checkDistinct(t, seed, o, asked, is)
	}
	t.Logf("farthest from the truth by span: %.1f", worst)
}

// checkDistinct holds estimates of distinct keys to six deviations of linear
// counting, and two keys where they are few, around what lies between the newest
// bucket alone and both.
func checkDistinct(t *testing.T, seed uint64, o oracle, asked int64, is sharedAt) {
	t.Helper()
	deviation := func(bits, n float64) float64 { return math.Sqrt(bits * (math.Exp(n/bits) - n/bits - 1)) }
	for i, width := range widths {
		begin := asked / width * width
		_, _, cur, _ := o.between(begin, asked+1)
		_, _, both, _ := o.between(begin-width, asked+1)
		left := 1 - float64(asked-begin)/float64(width)
		want := float64(len(cur)) + left*float64(len(both)-len(cur))
		got := float64(is.users(Span(i)))
		if slack := 6*deviation(registers, float64(len(both))) + 2; math.Abs(got-want) > slack {
			t.Fatalf("seed %d, span %d: %v users, want %v within %v", seed, i, got, want, slack)
		}
	}
}

// TestTooLate is the control of lateness: what comes two spans late is not
// counted, so that the oracle's bound is not one that anything would keep.
func TestTooLate(t *testing.T) {
	var s Shared
	at := MomentOf(1_790_000_000_000)
	late := MomentOf(1_790_000_000_000 - 2*widths[Hour])
	s.Attempt(&Trace{}, &at, &Members{})
	s.Attempt(&Trace{}, &late, &Members{})
	is := s.lookAt(&at)
	if is.attempts(Hour) != 1 || is.attempts(Day) != 2 {
		t.Errorf("%v in the hour, %v in the day", is.attempts(Hour), is.attempts(Day))
	}
}

// TestCountsEnd: a count that is full stays so.
func TestCountsEnd(t *testing.T) {
	var u User
	var p Pair
	var s Shared
	m := MomentOf(1_790_000_000_000)
	u.minute.cur.attempts, u.kinds[0] = math.MaxUint16, math.MaxUint16
	p.hour.cur.attempts, p.Successes = math.MaxUint16, math.MaxUint16
	s.spans[Minute].cur.attempts = math.MaxUint32
	u.newest.advance(&m)
	p.newest.advance(&m)
	s.newest.advance(&m)
	u.Attempt(&Trace{}, &m)
	u.Succeed(&Trace{}, &m)
	p.Attempt(&Trace{}, &m)
	p.Succeed(&Trace{}, &m)
	s.Attempt(&Trace{}, &m, &Members{})
	if u.minute.cur.attempts != math.MaxUint16 || u.kinds[0] != math.MaxUint16 || p.hour.cur.attempts != math.MaxUint16 ||
		p.Successes != math.MaxUint16 || s.spans[Minute].cur.attempts != math.MaxUint32 || u.month.cur.attempts != 1 {
		t.Errorf("%+v\n%+v\n%+v", u.minute, p, s.spans[Minute])
	}
}
