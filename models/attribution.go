package models

import (
	"math"

	"github.com/waryauth/wary/features"
)

// Attribution: what moved the score, by family and by feature.
//
// The expected value of a node is the mean of the leaves below it, weighted by
// their training rows. On its path from root to leaf a row moves from one
// expected value to the next, and each difference belongs to the feature that
// split there (Saabas, "Interpreting random forests", 2014; LightGBM's own
// pred_contrib starts from the same root value). The differences of one path add
// up to leaf minus root, so over all trees base + contributions = raw score.
//
// A path depends on nothing but its leaf, so all of this is done when the model
// is loaded. Contributions are kept as whole numbers of 2^-scale: sums are exact,
// the same in every order, and two families fit in one word, so that eight
// families cost four integer additions a tree: 5 to 10 % more than the score alone
// (BenchmarkKernel, predict against kernel).

// familyWords words hold one number for each family; the second line does not
// compile when there are more families than that.
const (
	familyWords = 4
	_           = uint(2*familyWords - features.Families)
)

// leafRow is a leaf as the sum needs it.
type leafRow struct {
	value float64
	moved [familyWords]uint64 // by family, signed 32 bits each: low half even, high half odd
}

// move is what one feature adds on the way to one leaf.
type move struct {
	feature uint16
	by      int32 // in 2^-scale
}

// leafTable holds the leaves of all trees, one tree after the other.
type leafTable struct {
	rows   []leafRow
	moves  []move                    // by leaf, then by feature
	moveAt []uint32                  // moves[moveAt[i]:moveAt[i+1]] belong to leaf i
	base   float64                   // sum of the roots' expected values
	unit   float64                   // 2^-scale
	family []uint8                   // by feature
	first  [features.Families]uint16 // the first feature of each family
}

// path is one leaf's way: what each feature moved.
type path struct {
	feature []uint16 // in order of index
	by      []float64
}

// newLeafTable attributes every leaf; family[i] is the family of feature i.
//
// Predict adds up families alone; Explain adds up features, from a list that does
// not fit the second-level cache beside the rest, and so doubles the time.
func newLeafTable(e *ensemble, family []uint8) *leafTable {
	t := &leafTable{family: family, first: noTop}
	for i := len(family) - 1; i >= 0; i-- {
		t.first[family[i]] = uint16(i)
	}
	paths := make([][]path, len(e.trees))
	var bound [features.Families]float64 // the most a family can move
	longest := 0
	for i := range e.trees {
		tr := &e.trees[i]
		root, ps := tr.paths()
		t.base += root
		paths[i] = ps
		var most [features.Families]float64
		for _, p := range ps {
			longest = max(longest, len(p.feature))
			var sum [features.Families]float64
			for j, f := range p.feature {
				sum[family[f]] += math.Abs(p.by[j])
			}
			for f := range sum {
				most[f] = max(most[f], sum[f])
			}
		}
		for f := range most {
			bound[f] += most[f]
		}
	}
	widest := 0.0
	for _, b := range bound {
		widest = max(widest, b)
	}
	// Rounding puts a leaf's families off by at most a unit for each of its
	// features and one for the whole.
	t.unit = fixedUnit(widest, float64(len(e.trees)*(longest+1)))
	t.moveAt = append(t.moveAt, 0)
	for i := range e.trees {
		for leaf, p := range paths[i] {
			t.add(e.trees[i].leaf[leaf], p)
		}
	}
	return t
}

// fixedUnit returns the least power of two in which widest, and slack units more,
// stay within 31 bits.
func fixedUnit(widest, slack float64) float64 {
	unit := math.Ldexp(1, -40)
	for widest/unit+slack > 1<<30 {
		unit *= 2
	}
	return unit
}

// add appends one leaf. Rounding is done so that the leaf's moves add up to the
// rounded whole: the largest takes what is left over.
func (t *leafTable) add(value float64, p path) {
	row := leafRow{value: value}
	whole, rest, most := 0.0, int64(0), 0
	first := len(t.moves)
	for j, f := range p.feature {
		whole += p.by[j]
		by := int64(math.RoundToEven(p.by[j] / t.unit))
		rest -= by
		t.moves = append(t.moves, move{f, int32(by)})
		if math.Abs(p.by[j]) > math.Abs(p.by[most]) {
			most = j
		}
	}
	if len(p.feature) > 0 {
		t.moves[first+most].by += int32(rest + int64(math.RoundToEven(whole/t.unit)))
	}
	var sum [2 * familyWords]int64
	for _, m := range t.moves[first:] {
		sum[t.family[m.feature]] += int64(m.by)
	}
	for w := range row.moved {
		row.moved[w] = uint64(sum[2*w] + sum[2*w+1]<<32)
	}
	t.rows = append(t.rows, row)
	t.moveAt = append(t.moveAt, uint32(len(t.moves)))
}

// paths returns the root's expected value and the path of every leaf.
func (t *tree) paths() (root float64, out []path) {
	out = make([]path, len(t.leaf))
	if len(t.left) == 0 {
		return t.leaf[0], out
	}
	mean := t.means()
	type item struct {
		node   int32
		parent int // index in trail, -1 at the root
	}
	type step struct {
		feature uint16
		by      float64
		parent  int
	}
	var trail []step
	for stack := []item{{0, -1}}; len(stack) > 0; {
		it := stack[len(stack)-1]
		stack = stack[:len(stack)-1]
		if it.node < 0 {
			p := &out[^it.node]
			for i := it.parent; i >= 0; i = trail[i].parent {
				p.note(trail[i].feature, trail[i].by)
			}
			continue
		}
		for _, c := range [2]int32{t.left[it.node], t.right[it.node]} {
			to := 0.0
			if c < 0 {
				to = t.leaf[^c]
			} else {
				to = mean[c]
			}
			trail = append(trail, step{uint16(t.feature[it.node]), to - mean[it.node], it.parent})
			stack = append(stack, item{c, len(trail) - 1})
		}
	}
	return mean[0], out
}

// note adds to what feature f moved, keeping the features in order.
func (p *path) note(f uint16, by float64) {
	i := 0
	for i < len(p.feature) && p.feature[i] < f {
		i++
	}
	if i < len(p.feature) && p.feature[i] == f {
		p.by[i] += by
		return
	}
	p.feature, p.by = append(p.feature, 0), append(p.by, 0)
	copy(p.feature[i+1:], p.feature[i:])
	copy(p.by[i+1:], p.by[i:])
	p.feature[i], p.by[i] = f, by
}

// means returns the expected value of every inner node. A tree without counts,
// or without rows below a node, weighs its leaves equally.
func (t *tree) means() []float64 {
	mean, rows := make([]float64, len(t.left)), make([]float64, len(t.left))
	order := make([]int32, 0, len(t.left)) // parents before children
	for stack := []int32{0}; len(stack) > 0; {
		n := stack[len(stack)-1]
		stack = stack[:len(stack)-1]
		order = append(order, n)
		for _, c := range [2]int32{t.left[n], t.right[n]} {
			if c >= 0 {
				stack = append(stack, c)
			}
		}
	}
	at := func(c int32) (float64, float64) {
		if c >= 0 {
			return mean[c], rows[c]
		}
		if t.count == nil {
			return t.leaf[^c], 1
		}
		return t.leaf[^c], t.count[^c]
	}
	for i := len(order) - 1; i >= 0; i-- {
		n := order[i]
		l, lr := at(t.left[n])
		r, rr := at(t.right[n])
		rows[n] = lr + rr
		if rows[n] == 0 {
			mean[n] = (l + r) / 2
			continue
		}
		mean[n] = float64(l*(lr/rows[n])) + float64(r*(rr/rows[n])) // no fused multiply-add: the same on every processor
	}
	return mean
}

// sum adds the leaves up in the order of the trees, which makes Raw the same
// float64 as LightGBM's, and fills Base and Contributions.
func (t *leafTable) sum(p *Prediction, leaf []uint32) {
	raw := 0.0
	var a, b, c, d uint64 // an array would live in memory
	for _, i := range leaf {
		r := &t.rows[i]
		raw += r.value
		a += r.moved[0]
		b += r.moved[1]
		c += r.moved[2]
		d += r.moved[3]
	}
	moved := [familyWords]uint64{a, b, c, d}
	p.Raw, p.Base = raw, t.base
	for f := range p.Contributions {
		w := int64(moved[f/2])
		low := int32(w)
		if f%2 == 1 {
			low = int32((w - int64(low)) >> 32)
		}
		p.Contributions[f] = float32(float64(low) * t.unit)
	}
}
