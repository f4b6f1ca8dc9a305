package engine

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/waryauth/wary/features"
	"github.com/waryauth/wary/features/history"
	"github.com/waryauth/wary/internal/journal"
	"github.com/waryauth/wary/models"
	"github.com/waryauth/wary/signals"
)

// Explanation is why a decision of a log came out as it did.
type Explanation struct {
	ID       ID
	Logged   time.Time
	Decision Decision
	Vector   features.Vector
	// Raw is the model's score as logged. It is Base plus all Exact, which are the
	// Shapley values of every feature (models.Model.SHAP), and within 1e-5 the path
	// contributions' own base plus all Inline, which the receipt holds.
	Raw, Base float64
	Exact     []float64
	Inline    [features.Families]float32

	Counterfactual *Counterfactual // nil of an allow
	// Past is how many of the Decision.History.Successes that were known then the log
	// still holds: what is usual is told by these.
	Past uint32
}

// Explain explains one decision of the log in a folder, from its receipt and the
// model of the time. For a step_up or deny it reads the log up to it: the policy and
// the user's record of the time are folds of it. The error is ErrID where no decision
// stands at the id's address.
func (r *Replayer) Explain(dir string, id ID) (*Explanation, error) {
	x, out := &r.logged, &Explanation{ID: id}
	err := decisionOf(dir, id.At, x, &out.Logged)
	if err != nil {
		return nil, err
	}
	if x.fact.schema != r.schema {
		return nil, errors.New("the decision was scored under another feature schema")
	}
	if x.Decision.ModelDigest == "" {
		return nil, errors.New("no model answered: there is nothing to attribute")
	}
	m, err := r.model(x.Decision.ModelDigest)
	if err != nil {
		return nil, err
	}
	var p models.Prediction
	m.Predict(&p, &x.Vector)
	if math.Float64bits(p.Raw) != math.Float64bits(x.Prediction.Raw) {
		return nil, fmt.Errorf("the model gives %v, the receipt says %v: `wary replay` says more", p.Raw, x.Prediction.Raw)
	}
	out.Decision, out.Vector, out.Raw, out.Inline = x.Decision, x.Vector, p.Raw, x.Prediction.Contributions
	out.Decision.ID = id
	out.Base, out.Exact = m.SHAP(&x.Vector)
	if out.Decision.Outcome == Allow {
		return out, nil
	}
	x.model = m
	out.Counterfactual, out.Past, err = r.counterfactualOf(dir, id.At, x)
	return out, err
}

// decisionOf reads the decision at an address.
func decisionOf(dir string, at journal.Address, x *Assessment, logged *time.Time) error {
	for rec, err := range journal.Records(dir, at) {
		if errors.Is(err, journal.ErrNotFound) {
			return fmt.Errorf("%w: %w", ErrID, err)
		}
		if err != nil {
			return err
		}
		if rec.At != at || rec.Kind != KindDecision {
			return ErrID
		}
		*logged = rec.Time
		rec.Payload = append([]byte(nil), rec.Payload...) // what is read points into it
		return x.readDecision(rec.Payload)
	}
	return ErrID
}

// counterfactualOf makes the user's record and the policy of the time again, and
// looks for the counterfactual.
func (r *Replayer) counterfactualOf(dir string, at journal.Address, x *Assessment) (c *Counterfactual, past uint32, err error) {
	user, err := r.userBefore(dir, at, x)
	if err != nil {
		return nil, 0, err
	}
	p, err := r.policy(x.Decision.PolicyDigest)
	if err != nil {
		return &Counterfactual{Because: err.Error()}, user.Successes, nil
	}
	for _, n := range x.inputs.listed {
		if int(n) > len(p.lists) {
			return nil, 0, fmt.Errorf("the receipt names list %d, the policy has %d", n, len(p.lists))
		}
	}
	if user.Successes == 0 && x.inputs.history.Successes > 0 {
		return &Counterfactual{Because: "the log no longer holds the successes of this subject"}, 0, nil
	}
	return x.counterfactual(p, user), user.Successes, nil
}

// userBefore folds the facts about the decision's user that stand before it in the
// log, and learns the policies among them.
func (r *Replayer) userBefore(dir string, at journal.Address, x *Assessment) (*features.User, error) {
	state := history.New(history.Options{MaxEntities: 1}) // its least holds one user
	old := &r.again
	for rec, err := range journal.Records(dir, journal.Address{}) {
		if err != nil {
			return nil, err
		}
		if !rec.At.Less(at) {
			break
		}
		if err := r.foldOne(state, x.Trace.User, rec, old); err != nil {
			return nil, fmt.Errorf("log %d:%d: %w", rec.At.Segment, rec.At.Offset, err)
		}
	}
	p := new(features.Profile)
	state.Recall(p, &x.Trace)
	return &p.User, nil
}

// foldOne is Engine.fold for the facts about one user. old is memory to read into.
func (r *Replayer) foldOne(state *history.Store, user features.Key, rec journal.Record, old *Assessment) error {
	switch rec.Kind {
	case KindChange:
		return r.learn(rec)
	case KindDecision:
		if err := old.readDecision(rec.Payload); err != nil {
			return err
		}
		if old.Trace.User != user {
			return nil
		}
		old.fact.fold(state, &old.Trace)
	case KindFeedback:
		var f feedbackFact
		if err := f.read(rec.Payload); err != nil {
			return err
		}
		if f.trace.User != user {
			return nil
		}
		f.fold(state)
	case KindEvent:
		var f EventFact
		if err := json.Unmarshal(rec.Payload, &f); err != nil {
			return err
		}
		if f.Type == signals.SubjectErased && f.Subject == user {
			state.Erase(user)
		}
	}
	return nil
}
