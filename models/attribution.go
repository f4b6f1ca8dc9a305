package models

import (
	"math"
	"slices"

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
// A path depends on nothing but its leaf, so all of this is done when the model is
// loaded. Contributions are kept as whole numbers of 2^-scale: sums are exact, and the
// same in every order and on every processor.

// leafRow is a leaf as the sum needs it: half a cache line, and no line is crossed.
//
// A family's part is a whole number of 24 bits, less its least. A word holds two of
// them, each below a free byte; the last two families are spread over the free bytes,
// one byte in each word. So two additions a word add up all eight.
type leafRow struct {
	value float64
	moved [rowWords]uint64
}

const (
	rowWords  = 3
	fieldBias = 1 << 23
	fieldMask = 1<<24 - 1
	pairMask  = fieldMask<<32 | fieldMask
	freeMask  = 0xff<<32 | 0xff
	rowBytes  = 8 * (1 + rowWords)
	freeField = 2 * rowWords // the first family in the free bytes

	_ = uint(freeField + 2 - features.Families) // no room for more families
)

// move is what one feature adds on the way to one leaf.
type move struct {
	feature uint16
	by      int32 // in 2^-scale
}

// leafTable holds the leaves of all trees, one tree after the other.
type leafTable struct {
	rows   []leafRow
	moves  []move                    // by leaf, then by feature
	moveAt []uint32                  // moves[moveAt[i]:moveAt[i+1]] belong to row i
	first  []uint32                  // row of each tree's leaf 0
	base   float64                   // sum of the roots' expected values
	unit   float64                   // 2^-scale
	family []uint8                   // by feature
	top    [features.Families]uint16 // the first feature of each family
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
	t := &leafTable{family: family, top: noTop}
	for i := len(family) - 1; i >= 0; i-- {
		t.top[family[i]] = uint16(i)
	}
	paths := make([][]path, len(e.trees))
	var all [features.Families]float64 // the most a family can move, in all trees
	one, longest := 0.0, 0             // in one tree; features of a path
	for i := range e.trees {
		root, ps := e.trees[i].paths()
		t.base += root
		paths[i] = ps
		most, n := widest(ps, family)
		for f := range most {
			all[f] += most[f]
			one, longest = max(one, most[f]), max(longest, n)
		}
	}
	// Rounding puts a leaf's families off by at most a unit for each of its
	// features and one for the whole.
	slack := float64(longest + 1)
	t.unit = max(fixedUnit(one, slack, fieldBias-1), fixedUnit(slices.Max(all[:]), slack*float64(len(e.trees)), 1<<30))
	t.moveAt = append(t.moveAt, 0)
	for i := range e.trees {
		t.first = append(t.first, uint32(len(t.rows)))
		for leaf, p := range paths[i] {
			t.place(e.trees[i].leaf[leaf], p)
		}
	}
	return t
}

// widest returns the most that a tree's paths move each family either way, and the
// features of the longest.
func widest(ps []path, family []uint8) (most [features.Families]float64, longest int) {
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
	return most, longest
}

// fixedUnit returns the least power of two from 2^-40 on in which x, and slack units
// more, are at most limit.
func fixedUnit(x, slack, limit float64) float64 {
	unit := math.Ldexp(1, -40)
	for x/unit+slack > limit {
		unit *= 2
	}
	return unit
}

// place appends one leaf. Rounding is done so that the leaf's moves add up to the
// rounded whole: the largest takes what is left over.
func (t *leafTable) place(value float64, p path) {
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
	var sum [features.Families]int64
	for _, m := range t.moves[first:] {
		sum[t.family[m.feature]] += int64(m.by)
	}
	row.put(&sum)
	t.rows = append(t.rows, row)
	t.moveAt = append(t.moveAt, uint32(len(t.moves)))
}

// put writes what each family moves.
func (r *leafRow) put(sum *[features.Families]int64) {
	for f, by := range sum {
		u := uint64(by + fieldBias)
		if f < freeField {
			r.moved[f/2] |= u << (32 * (f % 2))
			continue
		}
		for w := range r.moved {
			r.moved[w] |= u >> (8 * w) & 0xff << (32*(f%2) + 24)
		}
	}
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

// sums is what rows add up to, before the bias is taken off: every 32-bit half of a
// row, wrapped, without its free byte and that byte alone. The first two are the
// halves of value and mean nothing.
type sums struct {
	raw  float64
	main [rowBytes / 4]uint32
	free [rowBytes / 4]uint32
}

// add adds the leaves up in the order of the trees, which makes raw the same float64
// as LightGBM's.
func (t *leafTable) add(s *sums, leaf []uint16) {
	raw := 0.0
	var a, b, c, d, e, f uint64 // arrays would live in memory
	first := t.first[:len(leaf)]
	for i, l := range leaf {
		r := &t.rows[first[i]+uint32(l)]
		raw += r.value
		x, y, z := r.moved[0], r.moved[1], r.moved[2]
		a, b, c = a+x&pairMask, b+y&pairMask, c+z&pairMask
		d, e, f = d+x>>24&freeMask, e+y>>24&freeMask, f+z>>24&freeMask
	}
	s.raw = raw
	bias := uint32(len(leaf)) * fieldBias
	for w, x := range [rowWords]uint64{a, b, c} {
		// The low half, made whole again, says what it carried into the high one.
		low := int64(int32(uint32(x)-bias)) + int64(len(leaf))*fieldBias
		s.main[2*w+2], s.main[2*w+3] = uint32(x), uint32(x>>32)-uint32(low>>32)
	}
	for w, x := range [rowWords]uint64{d, e, f} {
		s.free[2*w+2], s.free[2*w+3] = uint32(x), uint32(x>>32)
	}
}

// fill writes Raw, Base and Contributions from what the leaves of all trees add up to.
func (t *leafTable) fill(p *Prediction, s *sums) {
	p.Raw, p.Base = s.raw, t.base
	bias := uint32(len(t.first)) * fieldBias
	for f := range p.Contributions {
		x := s.main[(f+2)%len(s.main)]
		if i := f - freeField; i >= 0 {
			x = s.free[i+2] + s.free[i+4]<<8 + s.free[i+6]<<16
		}
		p.Contributions[f] = float32(float64(int32(x-bias)) * t.unit)
	}
}

// raw adds up the scores alone.
func (t *leafTable) raw(leaf []uint16) (sum float64) {
	first := t.first[:len(leaf)]
	for i, l := range leaf {
		sum += t.rows[first[i]+uint32(l)].value
	}
	return sum
}
