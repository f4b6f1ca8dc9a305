package engine

import (
	"slices"

	"github.com/waryauth/wary/features"
	"github.com/waryauth/wary/features/lists"
	"github.com/waryauth/wary/models"
	"github.com/waryauth/wary/signals"
)

// inputs are what a decision depends on besides the prediction and the policy.
// The fact carries them: with the vector they make the answer again.
type inputs struct {
	action    signals.Action
	listed    lists.Listed
	degraded  Degraded
	satisfied bool // the challenge of the policy has been met
	history   History
	scopes    []string // as asked
	details   []string // types, as asked
}

// decide fills the decision from its inputs, the prediction and the policy. It
// depends on nothing else, so a receipt makes the same decision again.
func (x *Assessment) decide(p *Policy) {
	d, in := &x.Decision, &x.inputs
	*d = Decision{ID: d.ID, History: in.history, Degraded: in.degraded, ModelVersion: d.ModelVersion, ModelDigest: d.ModelDigest,
		PolicyVersion: p.Version, PolicyDigest: p.Digest}
	d.judge(p, in, x.Prediction.Probability)
	explored := x.explored(p)
	if explored {
		d.Outcome = Allow
	}
	if d.Outcome == StepUp {
		d.Challenge = p.challenge
	}
	if d.Outcome != Deny {
		x.narrow(p)
	}
	x.explain(p)
	if explored {
		d.Reasons = slices.Insert(d.Reasons[:min(len(d.Reasons), MaxReasons-1)], 0, Reason{Code: RandomAllow, Family: "policy", Value: float32(p.explored.Share)})
	}
}

// judge fills in what a model's probability is worth. in.degraded is in d already.
func (d *Decision) judge(p *Policy, in *inputs, probability float64) {
	d.Probability = probability
	if !(d.Probability >= 0 && d.Probability <= 1) { // NaN as well: no model, no trust
		d.Probability, d.Degraded = 1, d.Degraded|DegradedModel
	}
	d.Points, d.Level = Points(d.Probability), p.level(d.Probability)
	d.Outcome = outcome(p, in, d)
}

// outcome orders the voices: thresholds, lists, history, faults, then a challenge already
// met, which answers every step_up but that of a log that fails. A deny is never
// lifted.
func outcome(p *Policy, in *inputs, d *Decision) Outcome {
	t := p.actions[in.action]
	out := Allow
	switch {
	case d.Degraded&DegradedModel != 0: // the fault's own row says what follows
	case d.Probability >= t.Deny:
		out = Deny
	case d.Probability >= t.StepUp && in.listed[Allow] == 0:
		out = StepUp
	}
	if in.listed[StepUp] != 0 {
		out = max(out, StepUp)
	}
	stranger, _ := p.stranger(in)
	out = max(out, stranger)
	for b := range DegradedBits {
		if d.Degraded&(1<<b) != 0 {
			out = max(out, p.degraded[b][in.action])
		}
	}
	if out == StepUp && in.satisfied && d.Degraded&DegradedJournal == 0 {
		out = Allow
	}
	if in.listed[Deny] != 0 {
		out = Deny
	}
	return out
}

// narrow fills the grant: what was asked, less what is too sensitive at this risk.
func (x *Assessment) narrow(p *Policy) {
	g, in := &x.Decision.Grant, &x.inputs
	level := x.Decision.Level
	ceiling := p.ceilings[level]
	g.Scopes, g.Removed = x.scopes[:0], x.removed[:0]
	for _, s := range in.scopes {
		if level := lookup(p.scopes, s, p.unknown.scope); level > ceiling {
			g.Removed = append(g.Removed, Removal{Scope: s, Sensitivity: level, Ceiling: ceiling})
		} else {
			g.Scopes = append(g.Scopes, s)
		}
	}
	for i, t := range in.details {
		g.Details[i] = lookup(p.details, t, p.unknown.detail) <= ceiling
	}
	g.TTLSeconds, g.Constraint = p.ttl[level], p.constraint[level]
}

// minContribution is the least log-odds of a family that is worth a reason.
const minContribution = 0.1

// explain fills the reasons: lists, history and faults first, then the families that
// raise the risk, the strongest first.
func (x *Assessment) explain(p *Policy) {
	d, in := &x.Decision, &x.inputs
	rs := x.reasons[:0]
	for _, v := range [...]Outcome{Deny, StepUp} {
		if n := in.listed[v]; n != 0 && len(rs) < MaxReasons {
			rs = append(rs, Reason{Code: listCodes[v], Family: "policy", Feature: p.lists[n-1].Name, Value: 1})
		}
	}
	if least, code := p.stranger(in); least > Allow {
		rs = append(rs, Reason{Code: code, Family: "policy"})
	}
	for b := range DegradedBits {
		if d.Degraded&(1<<b) != 0 && len(rs) < MaxReasons && p.degraded[b][in.action] > Allow {
			rs = append(rs, Reason{Code: degradedCodes[b], Family: "policy"})
		}
	}
	ordinary := d.Outcome == Allow && d.Level == Low // needs no reason, and is spared the cost of one
	if d.Degraded&DegradedModel == 0 && !ordinary {
		x.model.Explain(&x.Prediction)
		rs = appendFamilies(rs, &x.Prediction, &x.Vector)
	}
	d.Reasons = rs
}

var (
	listCodes = [...]string{Allow: "LISTED_ALLOW", StepUp: "LISTED_STEP_UP", Deny: "LISTED_DENY"}
	// unusual are the codes of features that have none of their own.
	unusual = [features.Families]string{
		features.Geo: "UNUSUAL_PLACE", features.Network: "UNUSUAL_NETWORK", features.Device: "UNUSUAL_DEVICE", features.Velocity: "UNUSUAL_VELOCITY",
		features.Baseline: "UNUSUAL_HISTORY", features.Session: "UNUSUAL_SESSION", features.Intent: "UNUSUAL_INTENT", features.Client: "UNUSUAL_CLIENT",
	}
	degradedCodes = [DegradedBits]string{"DEGRADED_GEO", "DEGRADED_MODEL", "DEGRADED_JOURNAL", "DEGRADED_STATE"}
)

// appendFamilies appends a reason for each family that raises the risk, named
// after the feature that mattered most in it.
func appendFamilies(rs []Reason, pr *models.Prediction, v *features.Vector) []Reason {
	first := len(rs)
	for f := range features.Families {
		c := pr.Contributions[f]
		if !(c >= minContribution) {
			continue
		}
		at := len(rs)
		for at > first && rs[at-1].Contribution < c {
			at--
		}
		if at < MaxReasons {
			rs = slices.Insert(rs[:min(len(rs), MaxReasons-1)], at, reasonOf(features.Family(f), c, pr.Top[f], v))
		}
	}
	return rs
}

// reasonOf names a family's reason after the feature that mattered most in it.
func reasonOf(f features.Family, contribution float32, top uint16, v *features.Vector) Reason {
	r := Reason{Code: unusual[f], Family: f.String(), Contribution: contribution}
	if int(top) >= features.Width {
		return r
	}
	row := &features.Schema[top]
	r.Feature, r.Value = row.Name, v[top]
	if row.Reason != "" {
		r.Code = row.Reason
	}
	return r
}
