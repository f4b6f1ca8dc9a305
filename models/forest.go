package models

import "github.com/waryauth/wary/features"

// kernel finds the leaves of a row.
type kernel interface {
	name() string
	// leaves writes to leaf[i] the leaf that row v reaches in tree i. Of leaf it may
	// use the capacity, which is a multiple of 16.
	leaves(leaf []uint16, s *scratch, v []float32)
	// add adds up the leaves' rows in t.
	add(s *sums, t *leafTable, leaf []uint16)
}

// forest is an ensemble laid out for prediction.
type forest struct {
	plain   *plain
	kernels []kernel // that this processor has; the first serves, the last is plain
	table   *leafTable
}

func newForest(e *ensemble, family []uint8) *forest {
	e = e.inOrder()
	f := &forest{plain: newPlain(e), table: newLeafTable(e, family)}
	f.kernels = vectorKernels(e)
	if k := newStepKernel(e); k != nil {
		f.kernels = append(f.kernels, k)
	}
	f.kernels = append(f.kernels, f.plain)
	return f
}

const (
	inlineLeaves = 384
	inlineRanks  = 512
)

// scratch is what one prediction needs to remember.
type scratch struct {
	ranks [inlineRanks]uint8
	leaf  [inlineLeaves]uint16
	sums  sums
	large *largeScratch // made when it is first needed
	by    *leafTable    // whose leaves these are
}

// largeScratch is what ordinary models on processors with vectors do without.
type largeScratch struct {
	keys slotKeys
	leaf []uint16 // of more than inlineLeaves trees
}

// room returns the large scratch.
func (s *scratch) room() *largeScratch {
	if s.large == nil {
		s.large = new(largeScratch)
	}
	return s.large
}

// leaves returns room for the leaf of each tree.
func (s *scratch) leaves(trees int) []uint16 {
	if trees <= inlineLeaves {
		return s.leaf[:trees]
	}
	l := s.room()
	if cap(l.leaf) < trees {
		l.leaf = make([]uint16, (trees+15)/16*16)
	}
	return l.leaf[:trees]
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
	k := f.kernels[0]
	k.leaves(leaf, &p.scratch, v)
	k.add(&p.scratch.sums, f.table, leaf)
	f.finish(p)
}

// finish makes the prediction from what the leaves add up to.
func (f *forest) finish(p *Prediction) {
	f.table.fill(p, &p.scratch.sums)
	p.scratch.by = f.table
	p.Top = noTop
}

// explain fills Top after predict. moved is scratch, one entry for each feature.
func (f *forest) explain(p *Prediction, moved []int32) {
	t := f.table
	if p.scratch.by != t {
		p.Top = noTop
		return
	}
	clear(moved)
	for tree, leaf := range p.scratch.leaves(len(f.plain.trees)) {
		i := t.first[tree] + uint32(leaf)
		for _, m := range t.moves[t.moveAt[i]:t.moveAt[i+1]] {
			moved[m.feature] += m.by
		}
	}
	p.Top = t.top
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

// with returns the forest as the named kernel alone serves it, or nil.
func (f *forest) with(name string) *forest {
	for i, k := range f.kernels {
		if k.name() == name {
			return &forest{plain: f.plain, kernels: f.kernels[i : i+1], table: f.table}
		}
	}
	return nil
}

// as names the forest for a check.
func (f *forest) as(name string) walk {
	p := new(Prediction)
	return walk{name, func(v []float32) float64 {
		f.predict(p, v)
		return p.Raw
	}}
}

// walks returns every way of scoring a row that this processor has, without
// attribution; the first is what serves.
func (f *forest) walks() (all []walk) {
	for _, k := range f.kernels {
		s := new(scratch)
		leaf := s.leaves(len(f.plain.trees))
		all = append(all, walk{k.name(), func(v []float32) float64 {
			k.leaves(leaf, s, v)
			return f.table.raw(leaf)
		}})
	}
	return all
}
