package models

import "golang.org/x/sys/cpu"

// vectorKernels returns the kernels of this processor's vectors that have room for e,
// the fastest first.
func vectorKernels(e *ensemble) (all []kernel) {
	if cpu.X86.HasAVX2 && cpu.X86.HasBMI1 {
		if m := newMasks(e, avx2Shape()); m != nil {
			all = append(all, &avx2Kernel{m})
		}
	}
	return all
}

// avx2Kernel asks 32 nodes at once: four of eight trees.
type avx2Kernel struct{ m *masks }

// avx2Shape: a shuffle looks up 16 bytes, and a block reads four times as many. A
// block keeps a tree's four nodes together, in the tree's lane.
func avx2Shape() maskShape {
	return maskShape{
		lanes: 8, span: 64, limit: inlineRanks - 64,
		place: func(node, lane int) int { return 4*lane + node },
		index: func(column int) int { return column%16 | column/16<<5 },
	}
}

func (k *avx2Kernel) name() string { return "avx2" }

func (k *avx2Kernel) size() int { return k.m.size() }

func (k *avx2Kernel) leaves(leaf []uint16, s *scratch, v []float32) {
	if len(leaf) == 0 {
		return
	}
	if k.m.columns > 0 {
		ranksAVX2(&s.ranks[0], k.m, &v[0])
	}
	leavesAVX2(&leaf[0], k.m, &s.ranks[0])
}

func (k *avx2Kernel) add(s *sums, t *leafTable, leaf []uint16) {
	if len(leaf) > 0 {
		addAVX2(s, t, &leaf[0])
	}
}

// ranksAVX2 writes the bytes of row. It reads row at m.features, and writes as many
// bytes as m has columns, rounded up to 8.
//
//go:noescape
func ranksAVX2(ranks *uint8, m *masks, row *float32)

// leavesAVX2 writes the leaf of each tree, rounded up to 8 trees.
//
//go:noescape
func leavesAVX2(leaf *uint16, m *masks, ranks *uint8)

// addAVX2 is leafTable.add of as many leaves as t has trees.
//
//go:noescape
func addAVX2(s *sums, t *leafTable, leaf *uint16)
