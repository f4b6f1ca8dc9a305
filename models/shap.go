package models

import (
	"math"
	"slices"

	"github.com/waryauth/wary/features"
)

// SHAP returns the exact Shapley values of v's features: what each adds to the
// model's mean score over its training rows (base), averaged over every order in
// which the features could have become known. Base plus all contributions is
// Prediction.Raw, up to rounding; a feature that no split asks for has exactly 0.
// A split on what is not known yet sends the row down both sides, by their training
// rows: these are the path-dependent values of TreeSHAP (Lundberg et al., "From
// local explanations to global understanding with explainable AI for trees", Nature
// Machine Intelligence 2, 2020), and LightGBM's pred_contrib.
//
// contributions has features.Width entries. It takes milliseconds, not microseconds,
// and allocates: it is for people, not for the score path.
func (m *Model) SHAP(v *features.Vector) (base float64, contributions []float64) {
	return m.forest.plain.shap(v[:])
}

// SHAP is that of a Model, for a row of Features values.
func (e *Ensemble) SHAP(row []float32) (base float64, contributions []float64) {
	return e.f.plain.shap(row)
}

// The leaf of a tree is a game: it pays its value if the row comes to it. A feature
// on the way that is known lets it pass or not (one is 1 or 0); of one that is not,
// a part of the rows passes (zero). With each feature known by chance q that is a
// product over the features,
//
//	value * prod(zero + (one-zero)*q)
//
// and the Shapley value of feature i is the integral over q from 0 to 1 of its slope
// in i (Owen, "Multilinear extensions of games", Management Science 18, 1972):
//
//	value * (one[i]-zero[i]) * integral of the product over the others
//
// The integrand is a polynomial, which Gauss-Legendre quadrature integrates exactly.
// All of its terms are positive, so nothing cancels: the lists that the paper's
// algorithm 2 extends and unwinds give the same but lose a digit every few features,
// 1e-4 of the score on a way of 64 (TestSHAPOfADeepTree), where this is at 1e-14.

// known is a feature on the way to a node.
type known struct {
	feature   int32
	zero, one float64
}

type shapley struct {
	tree *tree
	v    []float32
	rows []float64 // of training, by inner node
	q, w []float64 // nodes and weights of a quadrature for the longest way
	phi  []float64
}

// shap is SHAP of row v.
func (w *plain) shap(v []float32) (base float64, phi []float64) {
	phi = make([]float64, len(v))
	rules := map[int][2][]float64{} // by depth
	for i := range w.trees {
		t := &w.trees[i]
		if len(t.left) == 0 {
			base += t.leaf[0]
			continue
		}
		s := shapley{tree: t, v: v, rows: make([]float64, len(t.left)), phi: phi}
		t.countRows(0, s.rows)
		depth := t.depth(0)
		if _, ok := rules[depth]; !ok {
			q, w := gaussLegendre((depth + 1) / 2) // exact up to degree depth-1, and more
			rules[depth] = [2][]float64{q, w}
		}
		s.q, s.w = rules[depth][0], rules[depth][1]
		base += s.mean(0)
		s.descend(0, make([]known, 0, depth))
	}
	return base, phi
}

func (t *tree) depth(c int32) int {
	if c < 0 {
		return 0
	}
	return 1 + max(t.depth(t.left[c]), t.depth(t.right[c]))
}

// countRows writes the training rows of every inner node, those of its leaves
// together. A tree without counts has one row to a leaf, as attribution has it.
func (t *tree) countRows(c int32, rows []float64) float64 {
	switch {
	case c >= 0:
		rows[c] = t.countRows(t.left[c], rows) + t.countRows(t.right[c], rows)
		return rows[c]
	case t.count == nil:
		return 1
	}
	return t.count[^c]
}

// share returns the part of a node's rows that go to one of its children, half where
// there are none, as attribution has it.
func (s *shapley) share(n, child int32) float64 {
	all, t := s.rows[n], s.tree
	switch {
	case all == 0:
		return 0.5
	case child >= 0:
		return s.rows[child] / all
	case t.count == nil:
		return 1 / all
	}
	return t.count[^child] / all
}

// mean returns the expected value below c.
func (s *shapley) mean(c int32) float64 {
	t := s.tree
	if c < 0 {
		return t.leaf[^c]
	}
	return s.share(c, t.left[c])*s.mean(t.left[c]) + s.share(c, t.right[c])*s.mean(t.right[c])
}

// descend walks both ways below c. A feature that is asked again stands in the list
// once: what passes both of its splits passes.
func (s *shapley) descend(c int32, way []known) {
	t := s.tree
	if c < 0 {
		s.credit(way, t.leaf[^c])
		return
	}
	f := t.feature[c]
	i := slices.IndexFunc(way, func(k known) bool { return k.feature == f })
	if i < 0 {
		i, way = len(way), append(way, known{feature: f, zero: 1, one: 1})
	}
	before := way[i]
	left := t.goesLeft(c, float64(s.v[f]))
	for _, side := range [...]struct {
		child int32
		taken bool
	}{{t.left[c], left}, {t.right[c], !left}} {
		way[i] = known{feature: f, zero: before.zero * s.share(c, side.child)}
		if side.taken {
			way[i].one = before.one
		}
		if way[i].zero > 0 || way[i].one > 0 { // else no row comes here, known or not
			s.descend(side.child, way)
		}
	}
	way[i] = before
}

// credit gives each feature on the way to a leaf its part of the leaf's value.
func (s *shapley) credit(way []known, leaf float64) {
	for j, q := range s.q {
		product := leaf * s.w[j]
		for _, k := range way {
			product *= k.zero + (k.one-k.zero)*q
		}
		for _, k := range way {
			s.phi[k.feature] += product / (k.zero + (k.one-k.zero)*q) * (k.one - k.zero)
		}
	}
}

// gaussLegendre returns nodes and weights over [0, 1] that integrate every polynomial
// of a degree up to 2n-1 exactly: the zeros of the Legendre polynomial of degree n, by
// Newton's method.
func gaussLegendre(n int) (nodes, weights []float64) {
	for i := range n {
		x := math.Cos(math.Pi * (float64(i) + 0.75) / (float64(n) + 0.5)) // near the zero
		slope := 0.0
		for range 100 {
			p, before := 1.0, 0.0
			for k := range n { // Bonnet's recursion
				p, before = (float64(2*k+1)*x*p-float64(k)*before)/float64(k+1), p
			}
			slope = float64(n) * (x*p - before) / (x*x - 1)
			step := p / slope
			x -= step
			if math.Abs(step) < 1e-15 {
				break
			}
		}
		nodes, weights = append(nodes, (1+x)/2), append(weights, 1/((1-x*x)*slope*slope))
	}
	return nodes, weights
}
