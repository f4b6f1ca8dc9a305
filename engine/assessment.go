package engine

import (
	"time"

	"github.com/waryauth/wary/features"
	"github.com/waryauth/wary/models"
	"github.com/waryauth/wary/signals"
)

// Assessment is the memory of one score request: what was asked, what each step
// made of it, and the answer. Its owner fills Attempt and Body, hands it to
// Engine.Score or Evaluate, reads Decision, and may use it again after Reset.
// It is large; pool it.
type Assessment struct {
	Attempt signals.Attempt
	Body    []byte // the request as received: tells a retry from another request under the same attempt id

	Observation signals.Observation
	Trace       features.Trace
	Profile     features.Profile
	Vector      features.Vector
	Prediction  models.Prediction
	Decision    Decision
	Shadow      Shadow // of the challenger, if there is one

	Repeated  bool // the attempt had been answered before; Decision is that answer
	Sampled   bool // take the time of every step
	Explained bool // Evaluate also looks for the counterfactual

	Counterfactual *Counterfactual // nil unless asked for, and of an allow

	model   *models.Model      // that made the prediction
	second  *models.Prediction // memory of the challenger, made when there is one
	inputs  inputs
	reasons [MaxReasons]Reason
	scopes  [signals.MaxScopes]string
	removed [signals.MaxScopes]Removal
	fact    fact
	buf     []byte // the fact's bytes
	read    []byte // a fact read back
	lastAt  time.Time
}

// Reset empties the assessment and keeps its memory.
func (x *Assessment) Reset() {
	x.Attempt.Reset()
	x.Body = nil
	x.Repeated, x.Sampled, x.Explained = false, false, false
	x.Counterfactual = nil
	x.inputs = inputs{scopes: x.inputs.scopes[:0], details: x.inputs.details[:0]}
	x.Decision = Decision{}
	x.Shadow = Shadow{}
}
