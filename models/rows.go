package models

import (
	"math"

	"github.com/waryauth/wary/features"
)

// predictPair is predict of two rows: p of v and q of w. The AVX2 kernel takes both at
// once (docs/decisions/017-two-rows.md).
func (f *forest) predictPair(p, q *Prediction, v, w []float32) {
	k, ok := f.kernels[0].(interface {
		pair(s, u *scratch, t *leafTable, v, w []float32)
	})
	if !ok {
		f.predict(p, v)
		f.predict(q, w)
		return
	}
	k.pair(&p.scratch, &q.scratch, f.table, v, w)
	f.finish(p)
	f.finish(q)
}

// asPairs names predictPair for a check: each row is scored beside the one before it,
// which is scored again. It gives NaN where the two scores of a row differ.
func (f *forest) asPairs(name string) walk {
	var last []float32
	var raw float64
	p, q := new(Prediction), new(Prediction)
	return walk{name, func(v []float32) float64 {
		first := last == nil
		if first {
			last = append(last, v...)
		}
		f.predictPair(p, q, last, v)
		if !first && math.Float64bits(p.Raw) != math.Float64bits(raw) {
			return math.NaN()
		}
		copy(last, v)
		raw = q.Raw
		return raw
	}}
}

// PredictRows is Predict of each row: p[i] of v[i]. There must be as many predictions as
// rows. Some kernels score two rows at once, in a seventh less time or better: where
// rows are many and nobody waits for one of them.
func (m *Model) PredictRows(p []Prediction, v []*features.Vector) {
	for ; len(v) > 1; p, v = p[2:], v[2:] {
		m.forest.predictPair(&p[0], &p[1], v[0][:], v[1][:])
		m.calibrate(&p[0])
		m.calibrate(&p[1])
	}
	if len(v) == 1 {
		m.Predict(&p[0], v[0])
	}
}
