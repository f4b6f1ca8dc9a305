package engine

import (
	"fmt"
	"iter"
	"path/filepath"
	"strconv"

	"github.com/waryauth/wary/features"
	"github.com/waryauth/wary/internal/journal"
	"github.com/waryauth/wary/signals"
	"github.com/waryauth/wary/signals/typing"
)

// listen completes the trace by how the attempt was typed. What was measured goes
// into the fact as it came: the next table is learnt from it.
func (e *Engine) listen(x *Assessment, t *typing.Table) {
	features.DescribeTyping(&x.Trace, &x.Attempt, &x.Observation, t, e.hasher)
	if x.Trace.Rhythm.Mark != 0 {
		x.fact.summary = typing.Summary(x.Attempt.Behaviour.Keys.Rhythm)
	}
}

// Typing returns the table by which rhythms are read, or nil.
func (e *Engine) Typing() *typing.Table { return e.live.Load().typing }

// SetTyping puts a typing table in force, or nil for none, and writes it to the log.
// Rhythms that were learnt with another are learnt anew.
func (e *Engine) SetTyping(t *typing.Table) error {
	e.swap.Lock()
	defer e.swap.Unlock()
	next := *e.live.Load()
	next.typing = t
	if err := e.recordTyping(t); err != nil {
		return fmt.Errorf("typing table not put in force: %w", err)
	}
	e.live.Store(&next)
	return nil
}

func (e *Engine) recordTyping(t *typing.Table) error {
	c := change{What: "typing"}
	if t != nil {
		c.Digest, c.Version = t.Digest(), strconv.Itoa(int(t.ID()))
	}
	return e.appendChange(c)
}

// Typed is what was typed at an attempt that taught its user's profile.
type Typed struct {
	User    features.Key
	Class   signals.DeviceClass
	Summary typing.Summary
}

// TypedLogins yields what was typed at the attempts in the log of a data folder that
// were accepted, in the order in which they were. An error is yielded once and ends
// it. The daemon may run meanwhile.
func TypedLogins(data string) iter.Seq2[*Typed, error] {
	return func(yield func(*Typed, error) bool) {
		w := waiting{now: map[journal.Address]*Typed{}}
		x := &Assessment{}
		for rec, err := range journal.Records(filepath.Join(data, JournalFolder), journal.Address{}) {
			var accepted *Typed
			if err == nil {
				accepted, err = x.typed(rec, &w)
			}
			if err != nil {
				yield(nil, fmt.Errorf("log %d:%d: %w", rec.At.Segment, rec.At.Offset, err))
				return
			}
			if accepted != nil && !yield(accepted, nil) {
				return
			}
		}
	}
}

// waiting are attempts whose outcome is not known. Beyond mostWaiting, those that have
// waited longest are given up: most are never told of.
type waiting struct{ now, before map[journal.Address]*Typed }

const mostWaiting = 1 << 16

func (w *waiting) put(at journal.Address, t *Typed) {
	if len(w.now) == mostWaiting/2 {
		w.now, w.before = map[journal.Address]*Typed{}, w.now
	}
	w.now[at] = t
}

func (w *waiting) take(at journal.Address) *Typed {
	t := w.now[at]
	if t == nil {
		t = w.before[at]
	}
	delete(w.now, at)
	delete(w.before, at)
	return t
}

// typed returns what was typed at the attempt that a record tells is accepted, or
// nil. x is memory to read into.
func (x *Assessment) typed(rec journal.Record, w *waiting) (*Typed, error) {
	switch rec.Kind {
	case KindDecision:
		if err := x.readDecision(rec.Payload); err != nil {
			return nil, err
		}
		t := &x.Trace
		if t.Rhythm.Mark == 0 || t.Outcome == features.Denied {
			return nil, nil
		}
		typed := &Typed{t.User, t.Rhythm.Class, x.fact.summary}
		if x.fact.teaches {
			return typed, nil
		}
		w.put(rec.At, typed)
	case KindFeedback:
		var f feedbackFact
		if err := f.read(rec.Payload); err != nil {
			return nil, err
		}
		if f.teaches || f.fails {
			typed := w.take(f.decision)
			if f.teaches {
				return typed, nil
			}
		}
	}
	return nil, nil
}
