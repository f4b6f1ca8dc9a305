package engine

import (
	"fmt"
	"iter"
	"path/filepath"
	"time"

	"github.com/waryauth/wary/features"
	"github.com/waryauth/wary/internal/journal"
	"github.com/waryauth/wary/signals"
)

// Case is an attempt as it was scored, to be put to models and policies that did not
// decide it. It is good until the next.
type Case struct {
	At     journal.Address // of its decision
	Logged time.Time
	Vector *features.Vector
	Action signals.Action
	User   features.Key          // keyed hash of the subject, 0 where nobody is known by it
	Result signals.Result        // of the check, as it was told when scored
	Policy *Policy               // that decided it
	Label  signals.FeedbackValue // Fraud, Legitimate, or 0 where nobody has said

	inputs inputs // lists hit, faults, a challenge met: as they were
}

// Outcome returns what a policy answers in this case to a model's probability. What
// the attempt was besides its vector stays as it was: lists of the time that it was
// on, faults, a challenge already met.
func (c *Case) Outcome(p *Policy, probability float64) Outcome {
	in := c.inputs
	in.action = c.Action
	d := Decision{Degraded: in.degraded}
	d.judge(p, &in, probability)
	return d.Outcome
}

// Cases yields the decisions in the log of a data folder, the oldest first, with the
// label that stands: of several the most trusted source's, then the latest. Decisions
// of another feature schema are passed over, and counted in skipped. An error is
// yielded once and ends it. The daemon may run meanwhile.
func Cases(data string, skipped *int) iter.Seq2[*Case, error] {
	return func(yield func(*Case, error) bool) {
		dir := filepath.Join(data, JournalFolder)
		labels, err := readLabels(dir)
		if err != nil {
			yield(nil, err)
			return
		}
		r := NewReplayer(nil) // its policies are wanted, not its models
		r.Policies = filepath.Join(data, PolicyFolder)
		for rec, err := range journal.Records(dir, journal.Address{}) {
			var c *Case
			if err == nil {
				c, err = r.caseOf(rec, labels)
			}
			switch {
			case err != nil:
				yield(nil, fmt.Errorf("log %d:%d: %w", rec.At.Segment, rec.At.Offset, err))
				return
			case c == nil && rec.Kind == KindDecision:
				*skipped++
			case c != nil && !yield(c, nil):
				return
			}
		}
	}
}

// caseOf returns the case of a record: nil where it is none of this schema, or no
// decision.
func (r *Replayer) caseOf(rec journal.Record, labels map[features.Key]label) (*Case, error) {
	if rec.Kind == KindChange {
		return nil, r.learn(rec)
	}
	if rec.Kind != KindDecision {
		return nil, nil
	}
	x := &r.logged
	if err := x.readDecision(rec.Payload); err != nil {
		return nil, err
	}
	if x.fact.schema != r.schema {
		return nil, nil
	}
	p, err := r.policy(x.Decision.PolicyDigest)
	if err != nil {
		return nil, err
	}
	said := labels[joinKey(rec.At)].against(labels[x.fact.attempt])
	return &Case{At: rec.At, Logged: rec.Time, Vector: &x.Vector, Action: x.inputs.action, User: x.Trace.User, Result: x.Trace.Result, Policy: p, Label: said.value, inputs: x.inputs}, nil
}

// label is what somebody said an attempt was.
type label struct {
	value  signals.FeedbackValue
	source signals.Source
	time   int64 // Unix milliseconds
}

// against returns which of two labels stands.
func (l label) against(other label) label {
	trusted := l.source < other.source || l.source == other.source && l.time >= other.time // the most trusted source comes first
	if other.value == 0 || l.value != 0 && trusted {
		return l
	}
	return other
}

// readLabels returns the labels that stand, by joinKey of the decision, or by the
// attempt where no decision was found when it was said.
func readLabels(dir string) (map[features.Key]label, error) {
	out := map[features.Key]label{}
	for rec, err := range journal.Records(dir, journal.Address{}) {
		if err != nil {
			return nil, err
		}
		var f feedbackFact
		if rec.Kind != KindFeedback {
			continue
		}
		if err := f.read(rec.Payload); err != nil {
			return nil, fmt.Errorf("log %d:%d: %w", rec.At.Segment, rec.At.Offset, err)
		}
		key := f.attempt
		if f.decision != (journal.Address{}) {
			key = joinKey(f.decision)
		}
		if f.kind == signals.Label {
			out[key] = label{f.value, f.source, f.time}.against(out[key])
		}
	}
	return out, nil
}
