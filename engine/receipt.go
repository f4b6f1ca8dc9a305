package engine

import (
	"errors"
	"time"

	"github.com/waryauth/wary/features"
	"github.com/waryauth/wary/internal/journal"
	"github.com/waryauth/wary/signals"
)

// Receipt is a past decision and what was said of it since. Identifiers are
// keyed hashes: the log holds no others.
type Receipt struct {
	ID            ID
	Logged        time.Time // when the decision was written
	Attempt       features.Key
	Resumes       *ID // the decision before in the exchange: a challenged one where Trace.Resumed, else of the step before
	Trace         features.Trace
	Vector        features.Vector
	Contributions [features.Families]float32
	Raw           float64 // of the model, before calibration
	Asked         []string
	AskedDetails  []string // types
	Taught        bool     // state learned from it at once
	Decision      Decision
	Shadow        Shadow
	Said          []Said // the oldest first
}

// Said is one fact about a decision: feedback, or a later attempt that resumed it.
type Said struct {
	Logged  time.Time
	Time    time.Time
	Kind    signals.FeedbackKind // 0 for an attempt that resumed the decision
	Value   signals.FeedbackValue
	Source  signals.Source
	Note    string
	Resumed *ID
}

// Receipt returns a past decision, or ErrID where there is none by that id.
func (e *Engine) Receipt(id string) (*Receipt, error) {
	parsed, err := e.seal.Parse(id)
	if err != nil || parsed.Node != e.o.Node {
		return nil, ErrID
	}
	rec, err := e.log.Read(parsed.At, nil)
	if errors.Is(err, journal.ErrNotFound) {
		return nil, ErrID
	}
	if err != nil {
		return nil, err
	}
	if rec.Kind != KindDecision {
		return nil, ErrID
	}
	var x Assessment
	if err := x.readDecision(rec.Payload); err != nil {
		return nil, err
	}
	r := &Receipt{}
	e.receiptOf(r, &x, rec)
	for _, key := range [...]features.Key{joinKey(x.firstOf(parsed.At)), x.fact.attempt} {
		if err := e.said(r, key); err != nil {
			return nil, err
		}
	}
	return r, nil
}

// receiptOf makes the receipt of a decision that was read, with nothing said of it.
func (e *Engine) receiptOf(r *Receipt, x *Assessment, rec journal.Record) {
	if x.fact.schema != e.schema {
		x.unscored()
	}
	*r = Receipt{
		ID: e.seal.Seal(e.o.Node, rec.At), Logged: rec.Time, Attempt: x.fact.attempt, Trace: x.Trace, Vector: x.Vector, Contributions: x.Prediction.Contributions,
		Raw: x.Prediction.Raw, Asked: x.inputs.scopes, AskedDetails: x.inputs.details, Taught: x.fact.teaches, Decision: x.Decision, Shadow: x.Shadow,
	}
	r.Decision.ID = r.ID
	if x.fact.previous != (journal.Address{}) {
		previous := e.seal.Seal(e.o.Node, x.fact.previous)
		r.Resumes = &previous
	}
}

// said adds the facts found under a key to the receipt: those of its decision, not
// those of others in its row.
func (e *Engine) said(r *Receipt, key features.Key) error {
	last, ok := e.joins.Get(key)
	if !ok {
		return nil
	}
	var newest []Said
	_, err := e.about(last.At, func(rec journal.Record, f *feedbackFact, later *Assessment) {
		s := Said{Logged: rec.Time}
		if later != nil {
			if later.fact.previous != r.ID.At {
				return
			}
			id := e.seal.Seal(e.o.Node, rec.At)
			s.Resumed, s.Time = &id, time.UnixMilli(later.Trace.Time)
		} else {
			if f.decision != (journal.Address{}) && f.decision != r.ID.At {
				return
			}
			s.Kind, s.Value, s.Source, s.Note, s.Time = f.kind, f.value, f.source, f.note, time.UnixMilli(f.time)
		}
		newest = append(newest, s)
	})
	for i := len(newest) - 1; i >= 0; i-- {
		r.Said = append(r.Said, newest[i])
	}
	return err
}
