package models

import "github.com/waryauth/wary/features"

// forest is an ensemble laid out for prediction.
type forest struct {
	kernel *kernel // nil where the ensemble does not fit
	plain  *plain
	table  *leafTable
}

func newForest(e *ensemble, family []uint8) *forest {
	return &forest{kernel: newKernel(e), plain: newPlain(e), table: newLeafTable(e, family)}
}

// scratch is what one prediction needs to remember.
type scratch struct {
	keys  slotKeys
	leaf  [maxTrees]uint32
	many  []uint32 // leaves of a forest with more than maxTrees trees
	moved [features.Width]int32
	by    *forest // that filled leaf
}

// leaves returns room for the leaf of each tree. It allocates only when a forest
// without kernel is larger than any this scratch has seen.
func (s *scratch) leaves(n int) []uint32 {
	if n <= maxTrees {
		return s.leaf[:n]
	}
	if cap(s.many) < n {
		s.many = make([]uint32, n)
	}
	return s.many[:n]
}

// noTop is Top before it is asked for.
var noTop = func() (top [features.Families]uint16) {
	for i := range top {
		top[i] = NoFeature
	}
	return top
}()

// predict fills Raw, Base and Contributions from row v.
func (f *forest) predict(p *Prediction, v []float32) {
	leaf := p.scratch.leaves(len(f.plain.trees))
	if f.kernel != nil {
		f.kernel.walk(&p.scratch.leaf, &p.scratch.keys, v)
	} else {
		f.plain.walk(leaf, v)
	}
	p.scratch.by = f
	f.table.sum(p, leaf)
	p.Top = noTop
}

// explain fills Top after predict. moved is scratch, one entry for each feature.
func (f *forest) explain(p *Prediction, moved []int32) {
	if p.scratch.by != f {
		p.Top = noTop
		return
	}
	clear(moved)
	t := f.table
	for _, i := range p.scratch.leaves(len(f.plain.trees)) {
		for _, m := range t.moves[t.moveAt[i]:t.moveAt[i+1]] {
			moved[m.feature] += m.by
		}
	}
	p.Top = t.first
	var most [features.Families]int32
	for i, by := range moved {
		g := t.family[i]
		if p.Contributions[g] < 0 {
			by = -by
		}
		if by > most[g] {
			most[g], p.Top[g] = by, uint16(i)
		}
	}
}

// without returns the forest without its kernel.
func (f *forest) without() *forest { return &forest{plain: f.plain, table: f.table} }

// as names the forest for a check.
func (f *forest) as(name string) walk {
	p := new(Prediction)
	return walk{name, func(v []float32) float64 {
		f.predict(p, v)
		return p.Raw
	}}
}
