package models

import "golang.org/x/sys/cpu"

// vectorKernels returns the kernels of this processor's vectors that have room for e,
// the fastest first.
func vectorKernels(e *ensemble) (all []kernel) {
	x := &cpu.X86
	if x.HasAVX512F && x.HasAVX512BW && x.HasAVX512CD && x.HasAVX512VBMI && x.HasAVX2 {
		if m := newMasks(e, avx512Shape()); m != nil {
			all = append(all, &avx512Kernel{m})
		}
	}
	if x.HasAVX2 && x.HasBMI1 {
		if m := newMasks(e, avx2Shape()); m != nil {
			all = append(all, &avx2Kernel{m})
		}
	}
	return all
}

// avx2Kernel asks 32 nodes at once: four of eight trees.
type avx2Kernel struct{ *masks }

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

func (k *avx2Kernel) leaves(leaf []uint16, s *scratch, v []float32) {
	if len(leaf) == 0 {
		return
	}
	if k.columns > 0 {
		ranksAVX2(&s.ranks[0], k.masks, &v[0])
	}
	leavesAVX2(&leaf[0], k.masks, &s.ranks[0])
}

func (k *avx2Kernel) add(s *sums, t *leafTable, leaf []uint16) { addVectors(s, t, leaf) }

// pair is leaves and add of two rows.
func (k *avx2Kernel) pair(s, u *scratch, t *leafTable, v, w []float32) {
	a, b := s.leaves(k.trees), u.leaves(k.trees)
	if len(a) == 0 {
		s.sums, u.sums = sums{}, sums{}
		return
	}
	if k.columns > 0 {
		pairRanksAVX2(&s.ranks[0], &u.ranks[0], k.masks, &v[0], &w[0])
	}
	pairLeavesAVX2(&a[0], &b[0], k.masks, &s.ranks[0], &u.ranks[0])
	pairAddAVX2(&s.sums, &u.sums, t, &a[0], &b[0])
}

// avx512Kernel asks 64 nodes at once: four of sixteen trees.
type avx512Kernel struct{ *masks }

// avx512Shape: a block reads any column, its nodes lie one tree after the other.
func avx512Shape() maskShape {
	return maskShape{
		lanes: 16, span: 256, limit: 256,
		place: func(node, lane int) int { return 16*node + lane },
		index: func(column int) int { return column },
	}
}

func (k *avx512Kernel) name() string { return "avx512" }

func (k *avx512Kernel) leaves(leaf []uint16, s *scratch, v []float32) {
	if len(leaf) == 0 {
		return
	}
	if k.columns > 0 {
		ranksAVX512(&s.ranks[0], k.masks, &v[0])
	}
	if k.columns > 128 {
		leaves256AVX512(&leaf[0], k.masks, &s.ranks[0])
	} else {
		leaves128AVX512(&leaf[0], k.masks, &s.ranks[0])
	}
}

func (k *avx512Kernel) add(s *sums, t *leafTable, leaf []uint16) { addVectors(s, t, leaf) }

func addVectors(s *sums, t *leafTable, leaf []uint16) {
	if len(leaf) == 0 {
		*s = sums{}
		return
	}
	addAVX2(s, t, &leaf[0])
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

// pairRanksAVX2 is ranksAVX2 of rows x and y.
//
//go:noescape
func pairRanksAVX2(a, b *uint8, m *masks, x, y *float32)

// pairLeavesAVX2 is leavesAVX2 of rows whose bytes are x and y.
//
//go:noescape
func pairLeavesAVX2(a, b *uint16, m *masks, x, y *uint8)

// pairAddAVX2 is addAVX2 of leaves a to s and b to u.
//
//go:noescape
func pairAddAVX2(s, u *sums, t *leafTable, a, b *uint16)

// ranksAVX512 is ranksAVX2, in 16s.
//
//go:noescape
func ranksAVX512(ranks *uint8, m *masks, row *float32)

// leaves128AVX512 is leavesAVX2 with at most 128 columns, in 16s.
//
//go:noescape
func leaves128AVX512(leaf *uint16, m *masks, ranks *uint8)

// leaves256AVX512 is leavesAVX2 with at most 256 columns, in 16s.
//
//go:noescape
func leaves256AVX512(leaf *uint16, m *masks, ranks *uint8)
