package authz

import (
	"cmp"
	"context"
	"errors"
	"strings"
	"sync"
	"time"

	"github.com/waryauth/wary/engine"
	"github.com/waryauth/wary/signals"
)

// outcome is how something that the engine decided about has ended.
type outcome struct {
	decision string
	value    signals.FeedbackValue
	tries    int
}

const (
	maxOutcomes = 1 << 12 // that wait to be told
	maxWatched  = 1 << 16 // interactions whose end is waited for
	maxTellings = 5       // of one outcome
	// beforehand is how long before an interaction expires it is looked at: afterwards
	// there is nothing left that tells an end from none.
	beforehand = 2 * time.Second
)

// outcomes are what is to be told, and the interactions that may turn out to be
// abandoned, in the order in which they began, which is that of their deadlines.
type outcomes struct {
	told    chan outcome
	report  sync.Mutex // one Report at a time
	mu      sync.Mutex
	watched []watched
}

type watched struct {
	key string // of the interaction's record
	end time.Time
}

// conclude notes the outcome of a decision, to be told by Report. It never waits: where too
// many wait already, it is lost, and counted.
func (a *Authority) conclude(decision string, v signals.FeedbackValue) {
	if a.o.Tell == nil || decision == "" || strings.HasPrefix(decision, noDecision) {
		return
	}
	a.queue(outcome{decision: decision, value: v})
}

func (a *Authority) queue(o outcome) {
	select {
	case a.outcomes.told <- o:
	default:
		outcomesLostTotal.Inc()
	}
}

// ended tells that what was allowed came to nothing, by the error of a request: refused
// all the same, or overtaken by another. A fault of the server tells nothing.
func (a *Authority) ended(p *Approval, err error) {
	var refused *Error
	if errors.As(err, &refused) && refused.cause == nil {
		a.conclude(p.decision, signals.OutcomeFailure)
	}
}

// watch has Report look whether an interaction ends. Where too many are watched already,
// its being abandoned is lost, and counted.
func (a *Authority) watch(in *Interaction) {
	if a.o.Tell == nil {
		return
	}
	o := &a.outcomes
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.watched) == maxWatched {
		outcomesLostTotal.Inc()
		return
	}
	o.watched = append(o.watched, watched{in.record.key, in.record.deadline.Time()})
}

// Report tells the engine (Options.Tell) how what it decided about has ended: call it
// every second, and once at the end. What cannot be told now is tried again by the next
// calls, a few times. An outcome told twice counts once: its id is made of the decision
// and of what is said.
func (a *Authority) Report(ctx context.Context) {
	o := &a.outcomes
	o.report.Lock()
	defer o.report.Unlock()
	a.abandon(ctx)
	for range len(o.told) {
		out := <-o.told
		f := &signals.Feedback{
			ID: "authz:" + out.decision + ":" + out.value.String(), DecisionID: out.decision, Kind: signals.Outcome, Value: out.value, Source: signals.System,
		}
		if out.value == signals.StepUpPassed || out.value == signals.StepUpFailed {
			f.Source = signals.Challenge
		}
		err := a.o.Tell(f, a.now())
		var bad *engine.InputError
		switch out.tries++; {
		case err == nil:
			outcomesTotal[out.value].Inc()
		case out.tries == maxTellings || errors.As(err, &bad) || errors.Is(err, engine.ErrConflict):
			outcomesLostTotal.Inc()
			a.o.Log.Error("an outcome could not be told", "decision", out.decision, "outcome", out.value, "error", err)
		default:
			a.queue(out)
		}
	}
}

// abandon tells of the interactions whose time is all but over and that nobody ended.
func (a *Authority) abandon(ctx context.Context) {
	for _, key := range a.outcomes.due(a.now().Add(beforehand)) {
		var s answering
		_, err := a.read(ctx, key, &s)
		if err == nil { // its request ends with another load of the page as well
			_, err = a.read(ctx, s.Pushed, &pushed{})
		}
		switch {
		case err == nil:
			a.conclude(cmp.Or(s.ChallengedBy, s.Decision), signals.Abandoned)
		case !errors.Is(err, ErrGone):
			outcomesLostTotal.Inc()
		}
	}
}

// due takes the keys of the interactions that end by a time.
func (o *outcomes) due(by time.Time) (keys []string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for len(o.watched) > len(keys) && !o.watched[len(keys)].end.After(by) {
		keys = append(keys, o.watched[len(keys)].key)
	}
	o.watched = o.watched[len(keys):]
	return keys
}
