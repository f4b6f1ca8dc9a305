package features

import (
	"math"

	"github.com/waryauth/wary/signals"
)

// Extract fills the vector of an attempt from what it says, what it shows and
// what is remembered of its entities. It allocates nothing, and takes no time
// but the attempt's own. In the trace it marks as Displaced an address that many
// people share, which the profile alone shows and the fold of the trace must know.
func Extract(v *Vector, a *signals.Attempt, o *signals.Observation, t *Trace, p *Profile) {
	v.Reset()
	x := input{a: a, o: o, t: t, p: p, now: MomentOf(t.Time)}
	x.subject = t.User != 0
	x.present = t.Flags&Unattended == 0
	x.history = x.subject && x.present && p.User.Successes > 0
	if p.Address.crowd(&x.now) {
		t.Flags |= Displaced
	}
	extractGeo(v, &x)
	extractNetwork(v, &x)
	extractDevice(v, &x)
	extractVelocity(v, &x)
	extractBaseline(v, &x)
	extractSession(v, &x)
	extractTyping(v, &x)
	extractIntent(v, &x)
	extractClient(v, &x)
	extractAccount(v, &x)
}

// input is what a family reads.
type input struct {
	a   *signals.Attempt
	o   *signals.Observation
	t   *Trace
	p   *Profile
	now Moment

	subject bool // there is, or will be, a user record
	present bool // the person's own device makes the request
	history bool // present, and the user has succeeded before
}

func one(b bool) float32 {
	if b {
		return 1
	}
	return 0
}

// number returns an optional number as a feature, never an infinite one.
func number(o signals.Opt[float64]) float32 {
	if !o.Set {
		return nan()
	}
	return float32(max(-math.MaxFloat32, min(o.Value, math.MaxFloat32)))
}

// answer returns an optional answer as a feature.
func answer(o signals.Opt[bool]) float32 {
	if !o.Set {
		return nan()
	}
	return one(o.Value)
}

// strange returns whether a value is in none of the slots; NaN where either is
// missing.
func strange(slots []slot, key uint32) float32 {
	if key == 0 || len(slots) == 0 {
		return nan()
	}
	return one(seen(slots, key) == nil)
}

// usual returns the share of n successes that came with a value.
func usual(slots []slot, key uint32, n uint32) float32 {
	if key == 0 || n == 0 {
		return nan()
	}
	s := seen(slots, key)
	if s == nil {
		return 0
	}
	return float32(s.count) / float32(n)
}

// once returns the share of n successes that did not come with a remembered value
// which came more than once; NaN where no value ever came.
func once(slots []slot, n uint32) float32 {
	if len(slots) == 0 || n == 0 {
		return nan()
	}
	again := uint32(0)
	for i := range slots {
		if slots[i].count > 1 {
			again += uint32(slots[i].count)
		}
	}
	return 1 - min(float32(again)/float32(n), 1)
}

// share returns part/whole; NaN where the whole is nothing.
func share(part, whole float32) float32 {
	if whole <= 0 {
		return nan()
	}
	return part / whole
}

const msPerDay = 86_400_000

// daysSince returns the days from a time to now, none for the future; NaN where
// the time is 0, never.
func (x *input) daysSince(at int64) float32 {
	if at == 0 {
		return nan()
	}
	return float32(max(x.now.ms-at, 0)) / msPerDay
}

// agedDays returns the days since a time in Unix seconds, none where it is 0: what
// was never seen before is new.
func (x *input) agedDays(first uint32) float32 {
	if first == 0 {
		return 0
	}
	return x.daysSince(millis(first))
}

// millis returns seconds in milliseconds.
func millis(seconds uint32) int64 { return int64(seconds) * 1000 }
