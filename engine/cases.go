package engine

import (
	"time"

	"github.com/waryauth/wary/features"
	"github.com/waryauth/wary/internal/journal"
	"github.com/waryauth/wary/signals"
)

// Case is an attempt as it was scored, to be put to models and policies that did not
// decide it, see [Replayer.Case].
type Case struct {
	At      journal.Address // of its decision
	Logged  time.Time
	Attempt features.Key    // of its id
	Resumes journal.Address // the decision before in its exchange, or zero; the one it was challenged by where Trace.Resumed
	Trace   *features.Trace
	Vector  *features.Vector
	Action  signals.Action
	User    features.Key   // keyed hash of the subject, 0 where nobody is known by it
	Result  signals.Result // of the check, as it was told when scored
	Policy  *Policy        // that decided it

	Decision *Decision // as logged
	Shadow   *Shadow   // of the challenger of its time

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

// Case returns the case of the next record of a log, in order: nil where it is no
// decision, or one of another feature schema. It is good until the next.
func (r *Replayer) Case(rec journal.Record) (*Case, error) {
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
	return &Case{
		At: rec.At, Logged: rec.Time, Attempt: x.fact.attempt, Resumes: x.fact.previous, Trace: &x.Trace, Vector: &x.Vector, Action: x.inputs.action,
		User: x.Trace.User, Result: x.Trace.Result, Policy: p, Decision: &x.Decision, Shadow: &x.Shadow, inputs: x.inputs,
	}, nil
}

// Told is feedback as the log holds it, for those who join it to cases.
type Told struct {
	ID       features.Key    // of its own id
	Decision journal.Address // that it was joined to when it came, or zero
	Named    ID              // the decision as it was named, or zero
	Attempt  features.Key    // as it was named, or 0
	Kind     signals.FeedbackKind
	Value    signals.FeedbackValue
	Source   signals.Source
	Note     string
	Time     time.Time // when it was said
	Logged   time.Time // when it came
}

// ReadTold returns the feedback that a record of a log holds, and false where it holds
// none.
func ReadTold(rec journal.Record) (*Told, bool, error) {
	var f feedbackFact
	if rec.Kind != KindFeedback {
		return nil, false, nil
	}
	err := f.read(rec.Payload)
	return &Told{f.id, f.decision, f.named, f.attempt, f.kind, f.value, f.source, f.note, time.UnixMilli(f.time), rec.Time}, true, err
}
