package engine

import (
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/waryauth/wary/features"
	"github.com/waryauth/wary/features/history"
	"github.com/waryauth/wary/internal/journal"
	"github.com/waryauth/wary/signals"
)

// admit takes the attempt's id. It reports true where the attempt was answered
// before and the assessment now holds that answer.
func (e *Engine) admit(x *Assessment, now time.Time) (answered bool, err error) {
	x.fact = fact{
		attempt: e.hasher.Key(features.KindAttempt, x.Attempt.ID),
		body:    e.contentKey(x.Body),
		schema:  e.schema,
	}
	since := millis(now.Add(-e.o.RetryWindow))
	for try := 0; ; try++ {
		old, fresh := e.attempts.Begin(x.fact.attempt, x.fact.body, millis(now), since)
		switch {
		case fresh:
			return false, nil
		case old.Content != x.fact.body:
			return false, ErrConflict
		case old.At != journal.Address{}:
			err := e.repeat(x, old.At)
			if !errors.Is(err, journal.ErrNotFound) {
				return err == nil, err
			}
			e.attempts.Forget(old) // retired: the log keeps less than the window
			continue
		case try == patience:
			return false, ErrBusy
		}
		time.Sleep(time.Millisecond) // its twin is being answered right now
	}
}

// contentKey is what tells a request's bytes from others in ledgers and facts.
func (e *Engine) contentKey(body []byte) features.Key {
	return e.hasher.Number(features.KindAttempt, e.content.Of(body))
}

// patience is how many milliseconds one waits for a twin to be answered.
const patience = 50

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
	x.Decision.ID = e.seal.Seal(e.o.Node, at)
	x.Repeated = true
	repeatedTotal.Inc()
	return nil
}

// resume looks whether the attempt continues one that was challenged, or is a later
// step of one client's exchange, which the fact then says and nothing follows from.
// Another previous decision is ignored and counted.
func (e *Engine) resume(x *Assessment) {
	if x.Attempt.PreviousDecisionID == "" {
		return
	}
	id, err := e.seal.Parse(x.Attempt.PreviousDecisionID)
	if err == nil && id.Node == e.o.Node {
		old, err := e.decisionAt(id.At)
		switch {
		case err != nil:
		case old.Decision.Outcome == StepUp && continues(&x.Trace, &old.Trace):
			x.Trace.Resumed = true
			x.fact.previous, x.fact.first = id.At, old.firstOf(id.At)
			return
		case x.Trace.Client != 0 && x.Trace.Client == old.Trace.Client && x.Trace.Time >= old.Trace.Time:
			x.fact.previous = id.At
			return
		}
	}
	unknownPreviousTotal.Inc()
}

// longestChallenge is how long a challenged attempt may be resumed.
const longestChallenge = time.Hour

// continues reports whether an attempt can be the challenged one, made again: of
// the same person and client, about the same thing, asking for no more, and not
// long after. A challenge that was passed for one payment is none for another.
func continues(t, old *features.Trace) bool {
	age := t.Time - old.Time
	return t.Typed == old.Typed && t.User == old.User && t.Client == old.Client &&
		t.Action == old.Action && t.Payee == old.Payee && t.AmountMinor == old.AmountMinor &&
		t.Scopes&^old.Scopes == 0 && t.Details&^old.Details == 0 &&
		age >= 0 && age <= longestChallenge.Milliseconds()
}

// firstOf returns the address of the first of the row of attempts, each the
// challenged one made again, in which the decision at an address stands. What is
// said of one of them stands in one chain: together they teach once.
func (x *Assessment) firstOf(at journal.Address) journal.Address {
	if x.fact.first != (journal.Address{}) {
		return x.fact.first
	}
	return at
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
// id. Where the log fails, nothing is folded and the decision is made anew under
// that fault.
func (e *Engine) remember(x *Assessment, p *Policy, now time.Time) {
	e.pause.RLock()
	defer e.pause.RUnlock()
	stripe := &e.stripes[uint64(x.Trace.Typed)%uint64(len(e.stripes))]
	stripe.Lock()
	defer stripe.Unlock()

	x.Trace.Outcome = x.Decision.Outcome
	x.fact.teaches = e.teachesAtOnce(x)
	x.buf = x.appendDecision(x.buf[:0])
	at, err := e.append(KindDecision, now, x.buf)
	if err != nil {
		e.unlogged(x, p)
		return
	}
	x.stamp(stageAppend, e.o.Now)
	e.foldDecision(x, at, now)
	x.Decision.ID = e.seal.Seal(e.o.Node, at)
	x.stamp(stageFold, e.o.Now)
	decisions(x.Decision.Outcome, x.Decision.Degraded)
	if x.Shadow.Digest != "" {
		challengedTotal[x.Decision.Outcome][x.Shadow.Outcome].Inc()
	}
}

// append writes a fact to the log, and tells operators once that the log fails,
// and once that it works again.
func (e *Engine) append(kind journal.Kind, now time.Time, payload []byte) (journal.Address, error) {
	at, err := e.log.Append(kind, now, payload)
	switch {
	case err == nil && e.failing.Load() && e.failing.CompareAndSwap(true, false):
		slog.Info("the log can be written again")
	case err != nil && e.failing.CompareAndSwap(false, true):
		slog.Error("the log cannot be written: no answer is an allow until it can", "why", err)
	}
	return at, err
}

// unlogged makes the decision again, now that the log is known to fail.
func (e *Engine) unlogged(x *Assessment, p *Policy) {
	x.inputs.degraded |= DegradedJournal
	x.decide(p)
	// The address 0 is no record's: such an id has no receipt.
	x.Decision.ID = e.seal.Seal(e.o.Node, journal.Address{Offset: uint32(x.fact.attempt)})
	decisions(x.Decision.Outcome, x.Decision.Degraded)
}

// foldDecision is what a decision in the log does to memory: live, and again when
// the log is read at start.
func (e *Engine) foldDecision(x *Assessment, at journal.Address, now time.Time) {
	e.attempts.Put(entry{Key: x.fact.attempt, Content: x.fact.body, At: at, When: millis(now)})
	if x.fact.first != (journal.Address{}) {
		e.joins.Put(entry{Key: joinKey(x.fact.first), At: at, When: millis(now)})
	}
	x.fact.fold(e.state, &x.Trace)
}

// fold is what a decision does to state.
func (f *fact) fold(state *history.Store, t *features.Trace) {
	if f.teaches {
		state.AttemptSucceed(t)
	} else {
		state.Attempt(t)
	}
}

// joinKey is the key under which the last fact about a decision, or about a row
// of them, is found by the address of the first.
func joinKey(at journal.Address) features.Key {
	k := uint64(at.Segment)<<32 | uint64(at.Offset)
	return features.Key(k * 0x9e3779b97f4a7c15) // spread over the shards
}

// teachesAtOnce reports whether the profile learns from the attempt now: its
// check succeeded, nothing more is asked, and the challenged attempt that it
// resumes has not taught already. Denied attempts never teach.
func (e *Engine) teachesAtOnce(x *Assessment) bool {
	may := x.Attempt.Authentication.Result == signals.Success && x.Decision.Outcome == Allow && x.Trace.User != 0
	if x.fact.first == (journal.Address{}) {
		return may
	}
	p, err := e.progressOf(x.fact.previous)
	x.fact.before = p.last
	return may && err == nil && !p.taught
}
