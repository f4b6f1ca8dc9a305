package engine

import (
	"fmt"
	"time"

	"github.com/waryauth/wary/features"
	"github.com/waryauth/wary/internal/journal"
	"github.com/waryauth/wary/signals"
)

// admit takes the attempt's id. It reports true where the attempt was answered
// before and the assessment now holds that answer.
func (e *Engine) admit(x *Assessment, now time.Time) (answered bool, err error) {
	x.fact = fact{
		attempt: e.hasher.Key(features.KindAttempt, x.Attempt.ID),
		body:    e.hasher.Key(features.KindAttempt, view(x.Body)),
		schema:  e.schema,
	}
	since := millis(now.Add(-e.o.RetryWindow))
	for try := 0; ; try++ {
		old, fresh := e.attempts.begin(x.fact.attempt, x.fact.body, millis(now), since)
		switch {
		case fresh:
			e.resume(x)
			return false, nil
		case old.content != x.fact.body:
			return false, ErrConflict
		case old.at != journal.Address{}:
			return true, e.repeat(x, old.at)
		case try == 50:
			return false, ErrBusy
		}
		time.Sleep(time.Millisecond) // its twin is being answered right now
	}
}

// repeat fills the decision with the one that was given before.
func (e *Engine) repeat(x *Assessment, at journal.Address) error {
	rec, err := e.log.Read(at, x.read[:0])
	if err != nil {
		return fmt.Errorf("read decision: %w", err)
	}
	x.read = rec.Payload
	if err := x.readDecision(rec.Payload); err != nil {
		return err
	}
	x.Decision.ID = e.seal.seal(e.o.Node, at)
	x.Repeated = true
	repeatedTotal.Inc()
	return nil
}

// resume looks whether the attempt continues one that was challenged: of the
// same user, stepped up, and not long ago. Anything else is ignored and counted.
func (e *Engine) resume(x *Assessment) {
	x.Trace.Resumed = false
	if x.Attempt.PreviousDecisionID == "" {
		return
	}
	at, ok := e.challenged(x)
	if !ok {
		unknownPreviousTotal.Inc()
		return
	}
	x.Trace.Resumed, x.fact.previous = true, at
}

// longestChallenge is how long a challenged attempt may be resumed.
const longestChallenge = time.Hour

func (e *Engine) challenged(x *Assessment) (at journal.Address, ok bool) {
	id, err := e.seal.parse(x.Attempt.PreviousDecisionID)
	if err != nil || id.Node != e.o.Node {
		return at, false
	}
	old, err := e.decisionAt(id.At)
	if err != nil {
		return at, false
	}
	age := x.Trace.Time - old.Trace.Time
	return id.At, old.Decision.Outcome == StepUp && old.Trace.Typed == x.Trace.Typed &&
		old.inputs.action == x.Attempt.Action && age >= 0 && age <= longestChallenge.Milliseconds()
}

// decisionAt reads a decision from the log into memory of its own.
func (e *Engine) decisionAt(at journal.Address) (*Assessment, error) {
	rec, err := e.log.Read(at, nil)
	if err != nil {
		return nil, err
	}
	if rec.Kind != KindDecision {
		return nil, ErrID
	}
	x := &Assessment{}
	return x, x.readDecision(rec.Payload)
}

// remember appends the decision to the log, folds it into state and gives it its
// id. Where the log fails, nothing is folded, the attempt's id is free again, and
// the decision is made anew under that fault.
func (e *Engine) remember(x *Assessment, p *Policy, now time.Time) error {
	e.pause.RLock()
	defer e.pause.RUnlock()
	stripe := &e.stripes[uint64(x.Trace.Typed)%uint64(len(e.stripes))]
	stripe.Lock()
	defer stripe.Unlock()

	x.Trace.Outcome = x.Decision.Outcome
	x.fact.teaches = e.teachesAtOnce(x)
	x.buf = x.appendDecision(x.buf[:0])
	at, err := e.log.Append(KindDecision, now, x.buf)
	if err != nil {
		e.attempts.giveUp(x.fact.attempt)
		e.unlogged(x, p)
		return nil
	}
	x.stamp(stageAppend, e.o.Now)
	e.foldDecision(x, at, now)
	x.Decision.ID = e.seal.seal(e.o.Node, at)
	x.stamp(stageFold, e.o.Now)
	decisions(x.Decision.Outcome, x.Decision.Degraded)
	return nil
}

// unlogged makes the decision again, now that the log is known to fail.
func (e *Engine) unlogged(x *Assessment, p *Policy) {
	x.inputs.degraded |= DegradedJournal
	x.decide(p)
	// The address 0 is no record's: such an id has no receipt.
	x.Decision.ID = e.seal.seal(e.o.Node, journal.Address{Offset: uint32(x.fact.attempt)})
	decisions(x.Decision.Outcome, x.Decision.Degraded)
}

// foldDecision is what a decision in the log does to memory: live, and again when
// the log is read at start.
func (e *Engine) foldDecision(x *Assessment, at journal.Address, now time.Time) {
	e.state.Attempt(&x.Trace)
	if x.fact.teaches {
		e.state.Succeed(&x.Trace)
	}
	e.attempts.put(entry{key: x.fact.attempt, content: x.fact.body, at: at, when: millis(now)})
	if x.fact.previous != (journal.Address{}) {
		e.joins.put(entry{key: joinKey(x.fact.previous), at: at, when: millis(now)})
	}
}

// joinKey is the key under which the last fact about a decision is found.
func joinKey(at journal.Address) features.Key {
	k := uint64(at.Segment)<<32 | uint64(at.Offset)
	return features.Key(k * 0x9e3779b97f4a7c15) // spread over the shards
}

// teachesAtOnce reports whether the profile learns from the attempt now: its
// check succeeded, nothing more is asked, and the challenged attempt that it
// resumes has not taught already. Denied attempts never teach.
func (e *Engine) teachesAtOnce(x *Assessment) bool {
	may := x.Attempt.Authentication.Result == signals.Success && x.Decision.Outcome == Allow && x.Trace.User != 0
	if x.fact.previous == (journal.Address{}) {
		return may
	}
	p, err := e.progressOf(x.fact.previous)
	x.fact.before = p.last
	return may && err == nil && !p.taught
}
