package feedback

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/waryauth/wary/engine"
	"github.com/waryauth/wary/features"
	"github.com/waryauth/wary/signals"
)

// window is a turn's attempts: by step of making a candidate, and those that judge it.
type window struct {
	slices Slices
	before Matrix // attempts of the days before those that judge, of all kinds
	trial  *Trial
}

// Weights of fraud in growing, against 1 of what is legitimate: takeovers are few and
// what matters; failed guesses are many and give nobody access; what was denied and
// never named is what the champion believed.
const (
	takenWeight  = 3
	failedWeight = 0.3
	deniedWeight = 0.5
)

// leastShare of the labels must have come by the age of an attempt, or nothing is said
// by there being none; mostScaled bounds what one that is there stands for.
const (
	leastShare = 0.05
	mostScaled = 5
)

// survey is what one pass over the window tells before the rows are kept.
type survey struct {
	from   time.Time // of the first attempt
	delays delays    // of labels of fraud, ascending
	others int       // attempts that nobody named fraud
	later  int       // attempts of the days that end growing and calibrate
}

// sample is an attempt of the window and what was known of it when the window ended.
type sample struct {
	*Row
	known  bool // what it was
	fraud  bool
	denied bool    // and nobody has said anything: what the champion believed
	share  float64 // of the labels that have come by its age
}

// delays are how long labels of fraud took, ascending.
type delays []time.Duration

// share returns the share of labels that have come by an age.
func (d delays) share(age time.Duration) float64 {
	n, _ := slices.BinarySearch(d, age+1)
	return float64(n) / float64(max(len(d), 1))
}

// read reads the window: once to learn how long labels take and how much there is,
// and once to keep it.
//
// Labels come late, so what nobody has named fraud may still be, and of new fraud only
// a share is known: as large a share as labels have come by that age, in this window, 0
// in the first minutes, 1 from Settled on. Trees are grown from what nobody named with
// that weight, so that fraud not yet named does not speak against what is named. Where
// figures are wanted, fraud that was let in and named counts for what is not named yet,
// 1 by that share: or the fraud that judges would be nearly all such as the champion
// stopped, which the challenge shows at once, and every candidate would look worse.
func (t *Turn) read(ctx context.Context, v *Verdict) (*window, error) {
	judgeFrom, laterFrom := v.To.Add(-t.Judge), v.To.Add(-t.Judge-t.Later)
	s, err := t.survey(ctx, v, laterFrom, judgeFrom)
	if err != nil {
		return nil, err
	}
	if s.from.IsZero() || !s.from.Before(laterFrom) {
		return nil, fmt.Errorf("the log has no attempt older than %s, before the days that end growing, calibrate and judge", laterFrom.UTC().Format(time.DateTime))
	}
	trial, stride, thin := t.Trial, s.others/t.Most+1, s.later/mostCompared+1
	w := &window{slices: Slices{Prior: t.Prior}, trial: &trial}
	trial.Prior, trial.Before = t.Prior, &w.before
	others, later := 0, 0
	var fraud, all float64
	err = t.each(ctx, v, s.delays, func(x *sample) {
		between := !x.Logged.Before(laterFrom) && x.Logged.Before(judgeFrom)
		if between && x.Result != signals.Failure {
			if later++; later%thin == 0 {
				w.before.add(x.Logged, x.Vector, x.fraud, 1)
			}
		}
		if !x.fraud && !x.denied {
			if others++; others%stride != 0 {
				return
			}
		}
		if between && x.Result != signals.Failure {
			n := x.all(stride)
			if all += n; x.fraud || x.denied {
				fraud += n
			}
		}
		switch {
		case !x.Logged.Before(judgeFrom):
			if x.Result != signals.Failure {
				w.trial.Add(&x.Case, x.fraud || x.denied, x.standing(stride), x.all(stride), x.family())
			}
		case !between:
			w.slices.Training.grow(x)
		case group(x.User, x.At.Offset) < 4:
			w.slices.Stopping.grow(x)
		case x.Result != signals.Failure:
			if weight := x.standing(stride); weight > 0 {
				w.slices.Calibrating.add(x.Logged, x.Vector, x.fraud, weight)
			}
		}
	})
	w.slices.Share = fraud / max(all, 1)
	return w, err
}

// survey makes the first pass.
func (t *Turn) survey(ctx context.Context, v *Verdict, laterFrom, judgeFrom time.Time) (s survey, err error) {
	err = t.each(ctx, v, nil, func(x *sample) {
		if s.from.IsZero() {
			s.from = x.Logged
		}
		if !x.Logged.Before(laterFrom) && x.Logged.Before(judgeFrom) {
			s.later++
		}
		switch {
		case !x.fraud:
			s.others++
		case x.Source != signals.Challenge: // the challenge knows at once
			s.delays = append(s.delays, x.Said.Sub(x.Logged))
		}
	})
	slices.Sort(s.delays)
	return s, err
}

// grow puts an attempt among those that trees are grown from.
func (m *Matrix) grow(x *sample) {
	weight := float64(x.Weight)
	switch {
	case x.denied:
		weight = deniedWeight
	case !x.known:
		return
	case x.fraud && x.Result == signals.Failure:
		weight *= failedWeight
	case x.fraud:
		weight *= takenWeight
	default:
		weight *= x.share
	}
	if weight > 0 {
		m.add(x.Logged, x.Vector, x.fraud || x.denied, weight)
	}
}

// standing returns how many an attempt stands for among those of which is known what
// they were.
func (x *sample) standing(stride int) float64 {
	switch {
	case !x.known:
		return 0
	case x.fraud && x.share > 0:
		return float64(x.Weight) * min(1/x.share, mostScaled)
	case x.fraud:
		return float64(x.Weight) * mostScaled
	case x.share == 0:
		return 0
	}
	return float64(x.Weight) * float64(stride)
}

// all returns how many an attempt stands for among all.
func (x *sample) all(stride int) float64 {
	switch {
	case x.fraud:
		return max(x.standing(stride), 1) // however little its label is trusted
	case x.denied:
		return 1
	}
	return float64(stride)
}

// family names the kind of fraud: as told, or else what was attempted.
func (x *sample) family() string {
	if x.Family != "" {
		return x.Family
	}
	return x.Action.String()
}

// group spreads users evenly over 0 to 6; nobody's attempts are spread by their place.
func group(user features.Key, place uint32) uint64 {
	if user == 0 {
		user = features.Key(place)
	}
	return uint64(user) * 0x9e3779b97f4a7c15 >> 40 % 7
}

// each visits the attempts of the window with what had been said of them when it ended.
// That nobody has said anything tells something of an attempt that was let in alone: a
// failed check hurt nobody, and who was challenged or denied, and why, nobody knows.
func (t *Turn) each(ctx context.Context, v *Verdict, d delays, visit func(x *sample)) error {
	var x sample
	for r, err := range t.Rows(v.From, v.To) {
		if err == nil {
			err = ctx.Err()
		}
		if err != nil {
			return err
		}
		said := r.Label
		if r.Said.After(v.To) {
			said = 0
		}
		x = sample{Row: r, known: said != 0, fraud: said == signals.Fraud, share: 1}
		age := v.To.Sub(r.Logged)
		switch {
		case said == signals.Legitimate, x.fraud && r.Source == signals.Challenge, age >= t.Settled:
		default:
			if x.share = d.share(age); x.share < leastShare {
				x.share = 0
			}
		}
		switch {
		case said != 0:
		case r.Decision.Outcome == engine.Deny:
			x.denied = true
		case r.Decision.Outcome == engine.Allow && r.Result != signals.Failure:
			x.known = true
		}
		visit(&x)
	}
	return nil
}
