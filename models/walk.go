package models

import "math"

// zeroLimit is LightGBM's kZeroThreshold, a float32 constant.
const zeroLimit = float64(float32(1e-35))

// isZero is LightGBM's Tree::IsZero.
func isZero(x float64) bool { return x >= -zeroLimit && x <= zeroLimit }

// goesLeft is LightGBM's Tree::Decision.
func (t *tree) goesLeft(n int32, x float64) bool {
	if t.categories != nil && t.categories[n] != nil {
		return inSet(t.categories[n], x)
	}
	missing := t.missing[n]
	if math.IsNaN(x) && missing != missingNaN {
		x = 0
	}
	if (missing == missingZero && isZero(x)) || (missing == missingNaN && math.IsNaN(x)) {
		return t.defaultLeft[n]
	}
	return x <= t.threshold[n]
}

// inSet is LightGBM's Tree::CategoricalDecision: a category is the value cut to a
// whole number, so that -0.5 is category 0. What is no category goes right: NaN,
// numbers below, and what does not fit an int, which C makes the least int.
func inSet(words []uint32, x float64) bool {
	if !(x > -1 && x < 1<<31) {
		return false
	}
	c := uint32(x)
	return int(c/32) < len(words) && words[c/32]>>(c%32)&1 != 0
}

// categorical says whether any split of the ensemble is one.
func (e *ensemble) categorical() bool {
	for i := range e.trees {
		if e.trees[i].categories != nil {
			return true
		}
	}
	return false
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

// plain is the walk as LightGBM does it, tree after tree: what the kernels are
// judged by, and what answers for an ensemble that none of them has room for.
type plain struct{ trees []tree }

func newPlain(e *ensemble) *plain { return &plain{e.trees} }

func (w *plain) name() string { return "plain" }

func (w *plain) add(s *sums, t *leafTable, leaf []uint16) { t.add(s, leaf) }

func (w *plain) leaves(leaf []uint16, _ *scratch, v []float32) {
	for i := range w.trees {
		leaf[i] = uint16(w.trees[i].find(v))
	}
}
