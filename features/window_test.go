package features

import (
	"math"
	"testing"

	"pgregory.net/rapid"

	"github.com/waryauth/wary/signals"
)

func near(t *testing.T, what string, got, want, relative float64) {
	t.Helper()
	if math.Abs(got-want) > relative*math.Max(math.Abs(want), 1e-9) {
		t.Errorf("%s: got %v, want %v", what, got, want)
	}
}

func TestWindow(t *testing.T) {
	const hour = 3_600_000
	at := func(hours float64) *Moment { m := MomentOf(int64(hours * hour)); return &m }
	var w Window
	for range 4 {
		w.Add(at(10.1), Hour)
	}
	for range 2 {
		w.Add(at(11.2), Hour)
	}
	w.Add(at(10.9), Hour) // late, into the bucket before: 5 and 2
	w.Add(at(8), Hour)    // too late for either
	for _, c := range []struct{ now, want float64 }{
		{11.25, 2 + 0.75*5}, // a quarter into the newest bucket
		{11, 2 + 5},
		{12.25, 0.75 * 2},
		{13, 0},
		{99, 0},
		{10.5, 7}, // before the newest event: all that is held
	} {
		near(t, "estimate", float64(w.Estimate(at(c.now), Hour)), c.want, 1e-6)
	}
}

// TestWindowGaps jumps over an empty bucket, which empties both.
func TestWindowGaps(t *testing.T) {
	var w Window
	m := MomentOf(60_000 * 5)
	w.Add(&m, Minute)
	m = MomentOf(60_000 * 7)
	w.Add(&m, Minute)
	if got := w.Estimate(&m, Minute); got != 1 {
		t.Errorf("got %v, want 1", got)
	}
}

// TestDistinct holds linear counting against true counts. The expected error of
// 128 bits at n keys is sqrt(128(e^(n/128)-n/128-1)) (Whang et al. 1990): 3.0 at
// 40 and 11 at 128. few has 3.3 at 20.
func TestDistinct(t *testing.T) {
	h := NewHasher(1, 2)
	for _, n := range []int{0, 1, 2, 5, 40, 128} {
		var d many
		var f few
		for i := range n {
			for range 3 {
				d.add(h.Number(KindUser, uint64(i+1)))
			}
			if i < 20 {
				f.add(h.Number(KindUser, uint64(i+1)))
			}
		}
		d.add(0) // absent
		f.add(0)
		deviation := func(bits, n float64) float64 { return math.Sqrt(bits * (math.Exp(n/bits) - n/bits - 1)) }
		got, want := float64(manyOver(0, 0, &d, &many{})), float64(n)
		if math.Abs(got-want) > 3*deviation(128, want)+0.3 {
			t.Errorf("many, of %d: %v", n, got)
		}
		some := math.Min(want, 20)
		if got := float64(fewOver(0, 0, f, 0)); math.Abs(got-some) > 3*deviation(32, some)+0.3 {
			t.Errorf("few, of %v: %v", some, got)
		}
	}
}

// TestDistinctSlides: of keys in the older bucket only, a share that falls with
// time is left; a key in both buckets counts once.
func TestDistinctSlides(t *testing.T) {
	const hour = 3_600_000
	at := func(hours float64) *Moment { m := MomentOf(int64(hours * hour)); return &m }
	var s Shared
	var c Members
	var u User
	a, b := Key(1), Key(1)<<63 // bits of the bitmaps are taken from the top
	for _, k := range []Key{a, b} {
		tr := Trace{Typed: k, Address: k}
		s.Attempt(&tr, at(10), &c)
		u.Attempt(&tr, at(10))
	}
	tr := Trace{Typed: a, Address: a}
	s.Attempt(&tr, at(11), &c)
	u.Attempt(&tr, at(11))
	many := func(hours float64) float64 { return float64(s.lookAt(at(hours)).users(Hour)) }
	few := func(hours float64) float64 { return float64(u.lookAt(at(hours)).addressesHour()) }
	// -m ln(1-n/m): one of 256 is 1.0020, two 2.0079; one of 32 is 1.0160, two 2.0652.
	near(t, "many", many(11.5), 1.0020+0.5*(2.0079-1.0020), 1e-4)
	near(t, "few", few(11.5), 1.0160+0.5*(2.0652-1.0160), 1e-4)
	near(t, "many, next hour", many(12.5), 0.5*1.0020, 1e-4)
	near(t, "few, before", few(10), 2.0652, 1e-4)
	if many(14) != 0 || few(14) != 0 {
		t.Error("keys outlive their span")
	}
}

func TestBloom(t *testing.T) {
	h := NewHasher(3, 4)
	var b bloom
	if !b.empty() || b.has(h.Number(KindASN, 1)) {
		t.Error("an empty set has a member")
	}
	for n := range uint64(8) {
		b.add(h.Number(KindASN, n+1))
	}
	wrong := 0
	for n := range uint64(1000) {
		if has := b.has(h.Number(KindASN, n+1)); n < 8 && !has {
			t.Error("a member is missing")
		} else if n >= 8 && has {
			wrong++
		}
	}
	if wrong > 40 {
		t.Errorf("%d of 992 strangers are members; 14 are expected", wrong)
	}
}

// drawTrace draws a trace of few entities, so that they meet.
func drawTrace(t *rapid.T) Trace {
	h := NewHasher(7, 8)
	key := func(k Kind, n int) Key { return h.Number(k, uint64(rapid.IntRange(0, n).Draw(t, "key"))) }
	tr := Trace{
		Time:  int64(rapid.IntRange(0, 70*24*60).Draw(t, "minute")) * 60_000,
		Typed: key(KindUser, 4), Address: key(KindAddress, 3), ASN: key(KindASN, 2), Device: key(KindDevice, 3), Client: key(KindClient, 2),
		Redirect: key(KindRedirect, 4), Declared: key(KindDeclared, 3),
		Scopes: rapid.Uint64().Draw(t, "scopes"), Details: rapid.Uint64().Draw(t, "details"),
		Result:  rapid.SampledFrom([]signals.Result{0, signals.Success, signals.Failure, signals.Pending}).Draw(t, "result"),
		Outcome: rapid.SampledFrom([]Outcome{Undecided, Allowed, SteppedUp, Denied}).Draw(t, "outcome"),
	}
	if rapid.Bool().Draw(t, "unattended") {
		tr.Flags |= Unattended
	}
	if rapid.Bool().Draw(t, "unknown") {
		tr.Flags |= UnknownSubject
	}
	return tr
}

type crowdedParty struct {
	Party
	Members
}

// TestSharedCommutes folds random traces in two orders into shared entities and
// sums: the same bytes. The control folds what depends on order, a user, and
// finds an order in which it differs.
func TestSharedCommutes(t *testing.T) {
	differs := false
	rapid.Check(t, func(t *rapid.T) {
		traces := rapid.SliceOfN(rapid.Custom(drawTrace), 1, 40).Draw(t, "traces")
		order := rapid.Permutation(traces).Draw(t, "order")
		fold := func(ts []Trace) (s crowdedParty, c Totals, u User) {
			for i := range ts {
				tr := &ts[i]
				m := MomentOf(tr.Time)
				tie := Tie(tr.Scopes >> 8 & 7)
				s.Attempt(tr, &m, tie, &s.Members)
				c.Attempt(tr, &m, tie)
				u.Attempt(tr, &m)
				switch tr.Outcome {
				case Allowed:
					s.Succeed(tr, &m)
					u.Succeed(tr, &m)
				case SteppedUp:
					s.Fail(tr, &m, &s.Members)
					c.Fail(tr, &m)
					u.Fail(tr, &m)
				}
			}
			return s, c, u
		}
		s1, c1, u1 := fold(traces)
		s2, c2, u2 := fold(order)
		if s1 != s2 {
			t.Fatalf("shared differs:\n%+v\n%+v", s1, s2)
		}
		if c1 != c2 {
			t.Fatalf("totals differ:\n%+v\n%+v", c1, c2)
		}
		s3, _, u3 := fold(traces)
		if s3 != s1 || u3 != u1 {
			t.Fatal("the same order made another state")
		}
		differs = differs || u1 != u2
	})
	if !differs {
		t.Error("the control, a record that depends on order, never differed")
	}
}
