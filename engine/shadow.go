package engine

import (
	"time"

	"github.com/waryauth/wary/features"
	"github.com/waryauth/wary/models"
)

// Shadow is what the challenger, a model that does not decide, made of the same
// vector, and what the same policy would have answered to that. The zero value is
// that of no challenger.
type Shadow struct {
	Version, Digest string
	Raw             float64 // before calibration
	Probability     float64 // 1 where it gave none: Degraded says so
	Contributions   [features.Families]float32
	Points          uint8
	Level           Level
	Outcome         Outcome
	Degraded        Degraded
}

// challenge asks the challenger, where there is one, and fills the shadow. It reads
// nothing but the vector, the inputs, the model and the policy, so a receipt makes the
// same again; and the decision and its prediction stay as they are.
func (x *Assessment) challenge(m *models.Model, p *Policy, now func() time.Time) {
	x.Shadow = Shadow{}
	if m == nil {
		return
	}
	if x.second == nil {
		x.second = new(models.Prediction)
	}
	m.Predict(x.second, &x.Vector)
	d := Decision{Degraded: x.inputs.degraded}
	d.judge(p, &x.inputs, x.second.Probability)
	x.Shadow = Shadow{
		Version: m.Version(), Digest: m.Digest(), Raw: x.second.Raw, Probability: d.Probability, Contributions: x.second.Contributions,
		Points: d.Points, Level: d.Level, Outcome: d.Outcome, Degraded: d.Degraded,
	}
	x.stamp(stageChallenge, now)
}

// append appends the shadow to a fact: a byte where there is none.
func (s *Shadow) append(b []byte) []byte {
	b = appendBool(b, s.Digest != "")
	if s.Digest == "" {
		return b
	}
	b = appendString(appendString(b, s.Version), s.Digest)
	b = appendF64(appendF64(b, s.Raw), s.Probability)
	b = append(b, s.Points, uint8(s.Level), uint8(s.Outcome), uint8(s.Degraded), uint8(features.Families))
	for _, c := range s.Contributions {
		b = appendF32(b, c)
	}
	return b
}

// read reads what append appended. Contributions of other families read as none,
// as those of the decision do. Texts point into the fact.
func (s *Shadow) read(r *reader) {
	if !r.bool() {
		return
	}
	s.Version, s.Digest = r.string(), r.string()
	s.Raw, s.Probability = r.f64(), r.f64()
	s.Points, s.Level, s.Outcome, s.Degraded = r.u8(), Level(r.u8()), Outcome(r.u8()), Degraded(r.u8())
	families := reader{b: r.take(int(r.u8()) * 4)}
	if s.Digest == "" || int(s.Level) >= Levels || s.Outcome < Allow || s.Outcome > Deny {
		r.bad = true
	}
	if len(families.b) != 4*features.Families {
		return
	}
	for i := range s.Contributions {
		s.Contributions[i] = families.f32()
	}
}
