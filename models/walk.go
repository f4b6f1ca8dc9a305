package models

import "math"

// zeroLimit is LightGBM's kZeroThreshold, a float32 constant.
const zeroLimit = float64(float32(1e-35))

// isZero is LightGBM's Tree::IsZero.
func isZero(x float64) bool { return x >= -zeroLimit && x <= zeroLimit }

// goesLeft is LightGBM's Tree::NumericalDecision.
func (t *tree) goesLeft(n int32, x float64) bool {
	missing := t.missing[n]
	if math.IsNaN(x) && missing != missingNaN {
		x = 0
	}
	if (missing == missingZero && isZero(x)) || (missing == missingNaN && math.IsNaN(x)) {
		return t.defaultLeft[n]
	}
	return x <= t.threshold[n]
}

// find returns the leaf of row v.
func (t *tree) find(v []float32) int32 {
	if len(t.left) == 0 {
		return 0
	}
	n := int32(0)
	for n >= 0 {
		if t.goesLeft(n, float64(v[t.feature[n]])) {
			n = t.left[n]
		} else {
			n = t.right[n]
		}
	}
	return ^n
}

// plain is the walk as LightGBM does it, tree after tree: what the kernel is
// judged by, and what answers for an ensemble the kernel has no room for.
type plain struct {
	trees []tree
	first []uint32 // index in the leaf table of each tree's leaf 0
}

func newPlain(e *ensemble) *plain {
	w := &plain{trees: e.trees, first: make([]uint32, len(e.trees))}
	at := uint32(0)
	for i := range e.trees {
		w.first[i] = at
		at += uint32(len(e.trees[i].leaf))
	}
	return w
}

// walk writes to leaf[i] the leaf that row v reaches in tree i, as an index into
// the leaf table.
func (w *plain) walk(leaf []uint32, v []float32) {
	for i := range w.trees {
		leaf[i] = w.first[i] + uint32(w.trees[i].find(v))
	}
}
