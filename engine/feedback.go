package engine

import (
	"errors"
	"strings"
	"time"

	"github.com/waryauth/wary/features"
	"github.com/waryauth/wary/internal/journal"
	"github.com/waryauth/wary/signals"
)

// progress is how far a decision has come, by the facts about it so far.
type progress struct {
	decision                          *Assessment
	last                              journal.Address // the newest fact about it
	succeeded, failed, passed, taught bool
}

// progressOf reads a decision and what was said of it.
func (e *Engine) progressOf(at journal.Address) (progress, error) {
	x, err := e.decisionAt(at)
	if err != nil {
		return progress{}, err
	}
	p := progress{decision: x, passed: x.Decision.Outcome == Allow, taught: x.fact.teaches}
	p.succeeded, p.failed = x.Trace.Result == signals.Success, x.Trace.Result == signals.Failure
	entry, _ := e.joins.get(joinKey(at))
	p.last = entry.at
	err = e.about(entry.at, func(rec journal.Record, f *feedbackFact, later *Assessment) {
		if later != nil {
			p.taught = p.taught || later.fact.teaches
			return
		}
		p.taught = p.taught || f.teaches
		p.passed = p.passed || f.value == signals.StepUpPassed
		p.succeeded = p.succeeded || f.value == signals.OutcomeSuccess
		p.failed = p.failed || f.fails
	})
	return p, err
}

// longestChain bounds how many facts about one decision are read.
const longestChain = 64

// about visits the facts about a decision, the newest first: feedback, or a
// later attempt that resumed it.
func (e *Engine) about(at journal.Address, visit func(journal.Record, *feedbackFact, *Assessment)) error {
	for range longestChain {
		if at == (journal.Address{}) {
			return nil
		}
		rec, err := e.log.Read(at, nil)
		if errors.Is(err, journal.ErrNotFound) {
			return nil // retired
		}
		if err != nil {
			return err
		}
		switch rec.Kind {
		case KindFeedback:
			var f feedbackFact
			if err := f.read(rec.Payload); err != nil {
				return err
			}
			visit(rec, &f, nil)
			at = f.previous
		case KindDecision:
			x := &Assessment{}
			if err := x.readDecision(rec.Payload); err != nil {
				return err
			}
			visit(rec, nil, x)
			at = x.fact.before
		default:
			return errFact
		}
	}
	return nil
}

// Feedback takes how an attempt ended or what it turned out to be. When it
// returns nil the fact is in the log. The same id with the same content changes
// nothing; with other content it is ErrConflict.
func (e *Engine) Feedback(f *signals.Feedback, now time.Time) error {
	if f.Time.IsZero() {
		f.Time = now
	}
	if f.Time.After(now.Add(maxAhead)) {
		return &InputError{"/time", "is more than 5 minutes ahead of the server's clock"}
	}
	ff := feedbackFact{
		id: e.hasher.Key(features.KindFeedback, f.ID), attempt: e.hasher.Key(features.KindAttempt, f.AttemptID),
		kind: f.Kind, value: f.Value, source: f.Source, time: millis(f.Time), note: f.Note,
	}
	if f.DecisionID != "" {
		ff.named, _ = e.seal.parse(f.DecisionID) // unknown: kept, and joined by whoever knows it
	}
	ff.content = e.feedbackContent(f)
	return e.once(e.feedback, ff.id, ff.content, now, func() (journal.Address, error) { return e.appendFeedback(&ff, now) })
}

// feedbackContent is the key of what is said, without the id. The time counts
// only where it was given: an absent time is the server's.
func (e *Engine) feedbackContent(f *signals.Feedback) features.Key {
	var b strings.Builder
	for _, s := range [...]string{f.DecisionID, f.AttemptID, f.Kind.String(), f.Value.String(), f.Source.String(), f.Note} {
		b.WriteString(s)
		b.WriteByte(0)
	}
	return e.hasher.Key(features.KindFeedback, b.String())
}

// once runs write for an id that was not used before.
func (e *Engine) once(in *ledger, id, content features.Key, now time.Time, write func() (journal.Address, error)) error {
	for try := 0; ; try++ {
		old, fresh := in.begin(id, content, millis(now), 0)
		switch {
		case fresh:
			at, err := write()
			if err != nil {
				in.giveUp(id)
				return errors.Join(ErrJournal, err)
			}
			in.put(entry{key: id, content: content, at: at, when: millis(now)})
			return nil
		case old.content != content:
			return ErrConflict
		case old.at != journal.Address{}:
			return nil
		case try == 50:
			return ErrBusy
		}
		time.Sleep(time.Millisecond)
	}
}

// appendFeedback joins feedback to its decision, appends it and folds what it
// teaches.
func (e *Engine) appendFeedback(f *feedbackFact, now time.Time) (journal.Address, error) {
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
		p.close(f)
	} else if last, ok := e.joins.get(unknownKey(f)); ok {
		f.previous = last.at
	}
	at, err := e.log.Append(KindFeedback, now, f.append(nil))
	if err != nil {
		return at, err
	}
	e.foldFeedback(f, p.decision, at, now)
	feedbackTotal(f.kind)
	return at, nil
}

// resolve returns the address of the decision that feedback names, or zero.
func (e *Engine) resolve(f *feedbackFact, now time.Time) journal.Address {
	if f.named.Tag != 0 {
		if f.named.Node == e.o.Node {
			return f.named.At
		}
		return journal.Address{}
	}
	if old, ok := e.attempts.get(f.attempt); ok && old.when > millis(now.Add(-e.o.RetryWindow)) {
		return old.at
	}
	return journal.Address{}
}

// close says what an outcome does to the profile, given how far its decision has
// come: it teaches once, when the check has succeeded and no challenge is open.
func (p *progress) close(f *feedbackFact) {
	f.previous = p.last
	if f.kind != signals.Outcome || p.decision.Decision.Outcome == Deny {
		return
	}
	succeeded, passed := p.succeeded, p.passed
	switch f.value {
	case signals.OutcomeSuccess:
		succeeded = true
		if p.decision.Trace.Result == signals.Failure {
			correctionsTotal.Inc()
		}
	case signals.StepUpPassed:
		passed = true
	case signals.OutcomeFailure:
		if p.succeeded {
			correctionsTotal.Inc()
		}
		f.fails = !p.failed
		return
	case signals.StepUpFailed:
		f.fails = !p.failed
		return
	default: // abandoned teaches nothing
		return
	}
	f.teaches = succeeded && passed && !p.taught && p.decision.Trace.User != 0
}

// unknownKey is where feedback about a decision that is not here is found.
func unknownKey(f *feedbackFact) features.Key {
	if f.named.Tag != 0 {
		return joinKey(f.named.At)
	}
	return f.attempt
}

// foldFeedback is what feedback in the log does to memory: live, and again when
// the log is read at start.
func (e *Engine) foldFeedback(f *feedbackFact, decision *Assessment, at journal.Address, now time.Time) {
	if decision != nil && f.teaches {
		e.state.Succeed(&decision.Trace)
	}
	if decision != nil && f.fails {
		e.state.Fail(&decision.Trace)
	}
	key := unknownKey(f)
	if f.decision != (journal.Address{}) {
		key = joinKey(f.decision)
	}
	e.joins.put(entry{key: key, at: at, when: millis(now)})
	e.feedback.put(entry{key: f.id, content: f.content, at: at, when: millis(now)})
}
