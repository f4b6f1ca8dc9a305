package engine

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/waryauth/wary/signals"
)

// TestSameContent: the same id says the same by meaning. A time that was given is
// part of it, in whatever zone; one that was not is the server's.
func TestSameContent(t *testing.T) {
	e := open(t, t.TempDir())
	defer e.Close()
	x := score(t, e, home("x", testStart))
	given := testStart.Add(-time.Hour)
	feedback := func(id string, at time.Time) error {
		f := signals.Feedback{ID: id, DecisionID: x.Decision.ID.String(), Kind: signals.Label, Value: signals.Fraud, Source: signals.Analyst, Time: at}
		return e.Feedback(&f, testStart)
	}
	event := func(id string, at time.Time) error {
		return e.Event(&signals.Event{ID: id, Type: signals.Logout, Subject: "anna", Time: at}, testStart)
	}
	for name, say := range map[string]func(string, time.Time) error{"feedback": feedback, "event": event} {
		f := func(id string, at time.Time, want error) {
			t.Helper()
			if err := say(id, at); !errors.Is(err, want) {
				t.Errorf("%s %s at %v: %v, want %v", name, id, at, err, want)
			}
		}
		f("given", given, nil)
		f("given", given, nil)
		f("given", given.In(time.FixedZone("", 7200)), nil)
		f("given", given.Add(time.Millisecond), ErrConflict)
		f("given", time.Time{}, ErrConflict)
		f("absent", time.Time{}, nil)
		f("absent", time.Time{}, nil)
		f("absent", testStart, ErrConflict)
	}
	// Texts cannot be moved from one member to the next.
	credential := func(method, id string) error {
		return e.Event(&signals.Event{ID: "moved", Type: signals.CredentialAdded, Subject: "anna", Attributes: signals.EventAttributes{Method: method, CredentialID: id}}, testStart)
	}
	if err := credential("otp CredentialID:a", "b"); err != nil {
		t.Fatal(err)
	}
	if err := credential("otp", "a CredentialID:b"); !errors.Is(err, ErrConflict) {
		t.Errorf("moved text: %v", err)
	}
}

func TestFeedbackRefused(t *testing.T) {
	e := open(t, t.TempDir())
	defer e.Close()
	good := signals.Feedback{ID: "f", AttemptID: "a", Kind: signals.Outcome, Value: signals.Abandoned, Source: signals.Challenge}
	f := func(pointer string, change func(*signals.Feedback)) {
		t.Helper()
		g := good
		change(&g)
		var input *InputError
		if err := e.Feedback(&g, testStart); !errors.As(err, &input) || input.Pointer != pointer {
			t.Errorf("%s: %v", pointer, err)
		}
	}
	f("/feedback_id", func(f *signals.Feedback) { f.ID = "" })
	f("/decision_id", func(f *signals.Feedback) { f.AttemptID = "" })
	f("/decision_id", func(f *signals.Feedback) { f.DecisionID = "d" })
	f("/kind", func(f *signals.Feedback) { f.Kind = 9 })
	f("/value", func(f *signals.Feedback) { f.Value = signals.Fraud })
	f("/value", func(f *signals.Feedback) { f.Kind, f.Value = signals.Label, 99 })
	f("/source", func(f *signals.Feedback) { f.Source = 99 })
	f("/time", func(f *signals.Feedback) { f.Time = testStart.Add(5*time.Minute + 1) })
	if err := e.Feedback(&good, testStart); err != nil {
		t.Errorf("control: %v", err)
	}
	for _, ev := range []signals.Event{{Type: signals.Logout, Subject: "a"}, {ID: "e", Subject: "a"}, {ID: "e", Type: 99}} {
		var input *InputError
		if err := e.Event(&ev, testStart); !errors.As(err, &input) {
			t.Errorf("%+v: %v", ev, err)
		}
	}
}

// TestOneSuccess: a row of attempts, each the challenged one made again, is one
// success, whichever of them is told first, and however often.
func TestOneSuccess(t *testing.T) {
	f := func(name string, want uint32, result signals.Result, do func(e *Engine, x, y *Assessment, at time.Time)) {
		t.Run(name, func(t *testing.T) {
			e := open(t, t.TempDir())
			defer e.Close()
			at := settle(t, e, 6)
			before := successes(t, e, at)
			a := home("x", at)
			a.Authentication.Result = result
			x := stepUp(t, score(t, forceStepUp(t, e), a))
			b := home("y", at.Add(time.Second))
			b.PreviousDecisionID, b.Session.AMR, b.Authentication.Result = x.Decision.ID.String(), []string{"hwk"}, result
			y := &Assessment{Attempt: b, Body: []byte("y")}
			do(e, x, y, at)
			if got := successes(t, e, at.Add(time.Minute)) - before; got != want {
				t.Errorf("taught %d times, want %d", got, want)
			}
		})
	}
	again := func(e *Engine, y *Assessment) {
		if err := e.Score(y, y.Attempt.Time); err != nil || y.Decision.Outcome != Allow {
			t.Errorf("the second: %s, %v", OutcomeNames[y.Decision.Outcome], err)
		}
	}
	f("passed, again, success of the second", 1, signals.Success, func(e *Engine, x, y *Assessment, at time.Time) {
		say(t, e, x, signals.StepUpPassed, at)
		again(e, y)
		say(t, e, y, signals.OutcomeSuccess, at)
	})
	f("pending: again, success of the second, passed", 1, signals.Pending, func(e *Engine, x, y *Assessment, at time.Time) {
		again(e, y)
		say(t, e, y, signals.OutcomeSuccess, at)
		say(t, e, x, signals.StepUpPassed, at)
		say(t, e, x, signals.OutcomeSuccess, at)
	})
	f("twice again", 1, signals.Success, func(e *Engine, x, y *Assessment, at time.Time) {
		z := &Assessment{Attempt: y.Attempt, Body: []byte("z")}
		z.Attempt.ID = "z"
		again(e, y)
		again(e, z)
		say(t, e, z, signals.OutcomeSuccess, at)
		say(t, e, x, signals.StepUpPassed, at)
	})
	f("the opposite wins", 0, signals.Success, func(e *Engine, x, y *Assessment, at time.Time) {
		say(t, e, x, signals.OutcomeFailure, at)
		say(t, e, x, signals.StepUpPassed, at)
	})
	f("the newest word wins", 1, signals.Success, func(e *Engine, x, y *Assessment, at time.Time) {
		say(t, e, x, signals.OutcomeFailure, at)
		say(t, e, x, signals.StepUpPassed, at)
		say(t, e, x, signals.OutcomeSuccess, at)
	})
	f("passed at last", 1, signals.Success, func(e *Engine, x, y *Assessment, at time.Time) {
		say(t, e, x, signals.StepUpFailed, at)
		say(t, e, x, signals.StepUpPassed, at)
	})
	f("failed at last", 0, signals.Pending, func(e *Engine, x, y *Assessment, at time.Time) {
		say(t, e, x, signals.StepUpPassed, at)
		say(t, e, x, signals.StepUpFailed, at)
		say(t, e, x, signals.OutcomeSuccess, at)
	})
	f("more words than are read", 1, signals.Success, func(e *Engine, x, y *Assessment, at time.Time) {
		say(t, e, x, signals.StepUpPassed, at)
		for i := range longestChain + 1 {
			x.Attempt.ID = fmt.Sprint("more-", i)
			say(t, e, x, signals.Abandoned, at)
		}
		x.Attempt.ID = "last"
		say(t, e, x, signals.StepUpPassed, at)
	})
	f("control: two attempts", 2, signals.Success, func(e *Engine, x, y *Assessment, at time.Time) {
		say(t, e, x, signals.StepUpPassed, at)
		y.Attempt.PreviousDecisionID = ""
		say(t, e, stepUp(t, score(t, e, y.Attempt)), signals.StepUpPassed, at)
	})
}

// TestCorrections: the same again changes nothing; only the opposite is counted.
func TestCorrections(t *testing.T) {
	e := open(t, t.TempDir(), serving(calm(t), nil))
	defer e.Close()
	x := score(t, e, home("x", testStart)) // a success
	for i, step := range []struct {
		value       signals.FeedbackValue
		corrections uint64
	}{
		{signals.OutcomeSuccess, 0}, {signals.OutcomeFailure, 1}, {signals.OutcomeFailure, 0}, {signals.OutcomeSuccess, 1}, {signals.OutcomeSuccess, 0},
	} {
		before := correctionsTotal.Get()
		x.Attempt.ID = fmt.Sprint("word-", i)
		say(t, e, x, step.value, testStart)
		if got := correctionsTotal.Get() - before; got != step.corrections {
			t.Errorf("word %d, %s: %d corrections, want %d", i, step.value, got, step.corrections)
		}
	}
}

// TestFeedbackOfOthers: what is said of another scorer's decision, or of what is
// no decision, is kept, and touches none of ours.
func TestFeedbackOfOthers(t *testing.T) {
	e := open(t, t.TempDir())
	defer e.Close()
	at := settle(t, e, 6)
	before := successes(t, e, at)
	x := home("x", at)
	x.Authentication.Result = signals.Pending
	d := stepUp(t, score(t, forceStepUp(t, e), x))
	for i, id := range []string{e.seal.Seal(9, d.Decision.ID.At).String(), "nonsense", "other nonsense"} {
		f := signals.Feedback{ID: fmt.Sprint("f", i), DecisionID: id, Kind: signals.Outcome, Value: signals.StepUpPassed, Source: signals.Challenge}
		if err := e.Feedback(&f, at); err != nil {
			t.Fatal(err)
		}
	}
	r, err := e.Receipt(d.Decision.ID.String())
	if err != nil || len(r.Said) != 0 {
		t.Errorf("the receipt says %+v, %v", r.Said, err)
	}
	say(t, e, d, signals.OutcomeSuccess, at)
	if got := successes(t, e, at); got != before {
		t.Error("a challenge that was passed elsewhere taught here")
	}
	say(t, e, d, signals.StepUpPassed, at)
	if got := successes(t, e, at); got != before+1 {
		t.Errorf("control: %d successes after %d", got, before)
	}
	if _, ok := e.joins.Get(0); ok {
		t.Error("what can never be asked for takes a place in the ledger")
	}
}

// TestReceiptsOfARow: each shows what was said of itself.
func TestReceiptsOfARow(t *testing.T) {
	e := open(t, t.TempDir())
	defer e.Close()
	at := settle(t, e, 6)
	x := stepUp(t, score(t, forceStepUp(t, e), home("x", at)))
	say(t, e, x, signals.StepUpPassed, at)
	b := home("y", at)
	b.PreviousDecisionID, b.Session.AMR = x.Decision.ID.String(), []string{"hwk"}
	y := score(t, e, b)
	say(t, e, y, signals.Fraud, at)
	say(t, e, x, signals.Legitimate, at)
	f := func(d *Assessment, want ...string) {
		t.Helper()
		r, err := e.Receipt(d.Decision.ID.String())
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, s := range r.Said {
			if s.Resumed != nil {
				got = append(got, "resumed by "+s.Resumed.String())
			} else {
				got = append(got, s.Value.String())
			}
		}
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("%s: %q, want %q", d.Attempt.ID, got, want)
		}
	}
	f(x, "step_up_passed", "resumed by "+y.Decision.ID.String(), "legitimate")
	f(y, "fraud")
}
