package engine

import (
	"errors"
	"fmt"
	"time"

	"github.com/waryauth/wary/features"
	"github.com/waryauth/wary/features/history"
	"github.com/waryauth/wary/internal/journal"
	"github.com/waryauth/wary/signals"
)

// progress is how far a decision has come, by the facts about it so far.
type progress struct {
	decision *Assessment
	last     journal.Address // the newest fact about its row
	check    signals.Result  // of the credential, by the newest word
	passed   bool            // nothing more is asked, by the newest word
	failed   bool            // a failure has been counted
	taught   bool            // its row has taught, or may have
}

// progressOf reads a decision and what was said of it.
func (e *Engine) progressOf(at journal.Address) (progress, error) {
	x, err := e.decisionAt(at)
	if err != nil {
		return progress{}, err
	}
	p := progress{decision: x, check: x.Trace.Result, passed: x.Decision.Outcome == Allow,
		failed: x.Trace.Result == signals.Failure, taught: x.fact.teaches}
	entry, _ := e.joins.Get(joinKey(x.firstOf(at)))
	p.last = entry.At
	var checked, challenged bool // the newest comes first
	whole, err := e.about(entry.At, func(_ journal.Record, f *feedbackFact, later *Assessment) {
		if later != nil {
			p.taught = p.taught || later.fact.teaches
			return
		}
		p.taught = p.taught || f.teaches
		if f.decision != at {
			return
		}
		p.failed = p.failed || f.fails
		switch f.value {
		case signals.OutcomeSuccess, signals.OutcomeFailure:
			if !checked {
				p.check, checked = resultOf(f.value), true
			}
		case signals.StepUpPassed, signals.StepUpFailed:
			if !challenged {
				p.passed, challenged = f.value == signals.StepUpPassed, true
			}
		}
	})
	p.taught = p.taught || !whole // what cannot be read may have taught
	return p, err
}

func resultOf(v signals.FeedbackValue) signals.Result {
	if v == signals.OutcomeSuccess {
		return signals.Success
	}
	return signals.Failure
}

// longestChain bounds how many facts about one decision are read.
const longestChain = 64

// about visits the facts in a chain, the newest first: feedback, or an attempt
// that resumed another. It reports whether it has visited all: the log may have
// retired the oldest.
func (e *Engine) about(at journal.Address, visit func(journal.Record, *feedbackFact, *Assessment)) (whole bool, err error) {
	for range longestChain {
		if at == (journal.Address{}) {
			return true, nil
		}
		rec, err := e.log.Read(at, nil)
		if errors.Is(err, journal.ErrNotFound) {
			return false, nil
		}
		if err != nil {
			return false, err
		}
		switch rec.Kind {
		case KindFeedback:
			var f feedbackFact
			if err := f.read(rec.Payload); err != nil {
				return false, err
			}
			visit(rec, &f, nil)
			at = f.previous
		case KindDecision:
			x := &Assessment{}
			if err := x.readDecision(rec.Payload); err != nil {
				return false, err
			}
			visit(rec, nil, x)
			at = x.fact.before
		default:
			return false, errFact
		}
	}
	return at == (journal.Address{}), nil
}

// Feedback takes how an attempt ended or what it turned out to be. When it
// returns nil the fact is in the log. The same id with the same content changes
// nothing; with other content it is ErrConflict.
func (e *Engine) Feedback(f *signals.Feedback, now time.Time) error {
	if err := checkFeedback(f); err != nil {
		return err
	}
	content := e.feedbackContent(f)
	if f.Time.IsZero() {
		f.Time = now
	}
	if f.Time.After(now.Add(maxAhead)) {
		return &InputError{"/time", "is more than 5 minutes ahead of the server's clock"}
	}
	ff := feedbackFact{
		id: e.hasher.Key(features.KindFeedback, f.ID), attempt: e.hasher.Key(features.KindAttempt, f.AttemptID),
		content: content, kind: f.Kind, value: f.Value, source: f.Source, time: millis(f.Time), note: f.Note,
	}
	if f.DecisionID != "" {
		ff.named, _ = e.seal.Parse(f.DecisionID) // unknown: kept, and joined by whoever knows it
	}
	return e.once(e.feedback, ff.id, ff.content, now, func() error { return e.appendFeedback(&ff, now) })
}

// checkFeedback refuses what means nothing, as a decoder does.
func checkFeedback(f *signals.Feedback) error {
	switch {
	case f.ID == "":
		return &InputError{"/feedback_id", "is required"}
	case (f.DecisionID == "") == (f.AttemptID == ""):
		return &InputError{"/decision_id", "exactly one of decision_id and attempt_id is required"}
	case f.Kind != signals.Outcome && f.Kind != signals.Label:
		return &InputError{"/kind", "is no kind of feedback"}
	case f.Value == 0 || int(f.Value) >= len(signals.FeedbackValues) || f.Value.Kind() != f.Kind:
		return &InputError{"/value", "is no value of this kind"}
	case f.Source == 0 || int(f.Source) >= len(signals.Sources):
		return &InputError{"/source", "is no source"}
	}
	return nil
}

// feedbackContent is the key of what is said, without the id. The time counts
// only where it was given: an absent time is the server's.
func (e *Engine) feedbackContent(f *signals.Feedback) features.Key {
	return e.hasher.Key(features.KindFeedback, fmt.Sprintf("%q %q %d %d %d %q %s",
		f.DecisionID, f.AttemptID, f.Kind, f.Value, f.Source, f.Note, given(f.Time)))
}

// given is a time that was given, in one form whatever its zone; "" is none.
func given(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339Nano)
}

// once runs write, whose fold puts the fact, for an id that was not used before.
func (e *Engine) once(in *facts, id, content features.Key, now time.Time, write func() error) error {
	for try := 0; ; try++ {
		old, fresh := in.Begin(id, content, millis(now), 0)
		switch {
		case fresh:
			defer in.GiveUp(id) // if there is no fact by then, even by a panic
			if err := write(); err != nil {
				return errors.Join(ErrJournal, err)
			}
			return nil
		case old.Content != content:
			return ErrConflict
		case old.At != journal.Address{}:
			return nil
		case try == patience:
			return ErrBusy
		}
		time.Sleep(time.Millisecond)
	}
}

// appendFeedback joins feedback to its decision, appends it and folds what it
// teaches.
func (e *Engine) appendFeedback(f *feedbackFact, now time.Time) error {
	e.pause.RLock()
	defer e.pause.RUnlock()
	f.decision = e.resolve(f, now)
	var p progress
	if f.decision != (journal.Address{}) {
		first, err := e.decisionAt(f.decision)
		if err == nil {
			stripe := &e.stripes[uint64(first.Trace.Typed)%uint64(len(e.stripes))]
			stripe.Lock()
			defer stripe.Unlock()
			p, err = e.progressOf(f.decision)
		}
		if err != nil {
			f.decision, p = journal.Address{}, progress{} // kept, and joined when the decision can be read
		}
	}
	if p.decision != nil {
		f.first, f.previous = p.decision.firstOf(f.decision), p.last
		p.close(f)
	} else if last, ok := e.joins.Get(e.unknownKey(f)); ok {
		f.previous = last.At
	}
	at, err := e.append(KindFeedback, now, f.append(nil))
	if err != nil {
		return err
	}
	e.foldFeedback(f, at, now)
	feedbackTotal(f.kind)
	return nil
}

// resolve returns the address of the decision that feedback names, or zero.
func (e *Engine) resolve(f *feedbackFact, now time.Time) journal.Address {
	if f.named.Tag != 0 {
		if f.named.Node == e.o.Node {
			return f.named.At
		}
		return journal.Address{}
	}
	if old, ok := e.attempts.Get(f.attempt); ok && old.When > millis(now.Add(-e.o.RetryWindow)) {
		return old.At
	}
	return journal.Address{}
}

// close says what an outcome does to the profile, given how far its decision has
// come: it teaches once, when the check has succeeded and no challenge is open.
func (p *progress) close(f *feedbackFact) {
	x := p.decision
	if f.kind != signals.Outcome || x.Decision.Outcome == Deny {
		return
	}
	switch f.value {
	case signals.OutcomeSuccess, signals.OutcomeFailure:
		if said := resultOf(f.value); said != p.check {
			if p.check == signals.Success || p.check == signals.Failure {
				correctionsTotal.Inc()
			}
			p.check = said
		}
	case signals.StepUpPassed, signals.StepUpFailed:
		p.passed = f.value == signals.StepUpPassed
	default: // abandoned teaches nothing
		return
	}
	if f.value == signals.OutcomeFailure || f.value == signals.StepUpFailed {
		f.fails = !p.failed
	} else {
		f.teaches = p.check == signals.Success && p.passed && !p.taught && x.Trace.User != 0
	}
	if f.fails || f.teaches {
		f.trace = x.Trace
	}
}

// unknownKey is where feedback about a decision that is not here is found: under
// its address once it can be read, or under its attempt. Of what cannot be ours
// it is zero: nothing will ever ask for it.
func (e *Engine) unknownKey(f *feedbackFact) features.Key {
	switch {
	case f.named.Tag == 0:
		return f.attempt
	case f.named.Node == e.o.Node:
		return joinKey(f.named.At)
	}
	return 0
}

// foldFeedback is what feedback in the log does to memory: live, and again when
// the log is read at start.
func (e *Engine) foldFeedback(f *feedbackFact, at journal.Address, now time.Time) {
	e.feedback.Put(entry{Key: f.id, Content: f.content, At: at, When: millis(now)})
	key := e.unknownKey(f)
	if f.decision != (journal.Address{}) {
		key = joinKey(f.first)
	}
	if key != 0 {
		e.joins.Put(entry{Key: key, At: at, When: millis(now)})
	}
	f.fold(e.state)
}

// fold is what feedback does to state.
func (f *feedbackFact) fold(state *history.Store) {
	if f.teaches {
		state.Succeed(&f.trace)
	}
	if f.fails {
		state.Fail(&f.trace)
	}
}
