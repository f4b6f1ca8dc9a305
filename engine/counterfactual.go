package engine

import (
	"math/bits"
	"strings"

	"github.com/waryauth/wary/features"
	"github.com/waryauth/wary/models"
)

// Counterfactual is the smallest set of families of features that, had they been as
// is usual for this user, would have given allow: by the same model and policy. Of
// several sets of one size it is the one with the least risk.
type Counterfactual struct {
	Families    []features.Family // in order; none where there is no such set
	Probability float64           // with these families as usual
	Points      uint8
	Level       Level
	Because     string // why there is no such set, in plain words
}

// counterfactual looks for one after decide has answered step_up or deny; after allow
// it is nil. user is the record as it was before the attempt. At most 255 predictions
// are made, in memory of their own: decision and prediction stay as they are.
func (x *Assessment) counterfactual(p *Policy, user *features.User) *Counterfactual {
	if x.Decision.Outcome == Allow {
		return nil
	}
	if why := x.regardless(p); why != "" {
		return &Counterfactual{Because: why}
	}
	var usual features.Vector
	if x.Trace.Flags&features.Unattended != 0 {
		return &Counterfactual{Because: "the person is not present: a client's server has no habits"}
	}
	if !features.Usual(&usual, &x.Vector, &x.Trace, user) {
		return &Counterfactual{Because: "nothing is known yet of what is usual for this subject"}
	}
	x.model.Complete(&usual, &x.Vector)
	differ := x.Vector.Differ(&usual)
	prediction := new(models.Prediction)
	for size := 1; size <= bits.OnesCount(differ); size++ {
		var best *Counterfactual
		for set := uint(1); set < 1<<features.Families; set++ {
			if set&^differ != 0 || bits.OnesCount(set) != size {
				continue
			}
			v := x.Vector
			v.Take(&usual, set)
			x.model.Predict(prediction, &v)
			d := Decision{Degraded: x.inputs.degraded}
			d.judge(p, &x.inputs, prediction.Probability)
			if d.Outcome == Allow && (best == nil || d.Probability < best.Probability) {
				best = &Counterfactual{Families: familiesOf(set), Probability: d.Probability, Points: d.Points, Level: d.Level}
			}
		}
		if best != nil {
			return best
		}
	}
	return &Counterfactual{Because: "with everything as is usual for this subject it would still not have been an allow"}
}

// regardless says why the policy would not allow the attempt at any risk, or "".
func (x *Assessment) regardless(p *Policy) string {
	d := Decision{Degraded: x.Decision.Degraded} // with that of a model which gave no probability
	d.judge(p, &x.inputs, 0)
	if d.Outcome == Allow {
		return ""
	}
	why := "the policy asks for " + OutcomeNames[d.Outcome] + " at any risk"
	for _, r := range x.Decision.Reasons {
		if r.Family == "policy" {
			why += ", " + strings.TrimSpace(r.Code+" "+r.Feature)
		}
	}
	return why
}

func familiesOf(set uint) (out []features.Family) {
	for ; set != 0; set &= set - 1 {
		out = append(out, features.Family(bits.TrailingZeros(set)))
	}
	return out
}
