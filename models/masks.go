package models

import (
	"cmp"
	"math"
	"slices"
)

// The mask kernels ask every node of a tree at once and walk nowhere (QuickScorer,
// Lucchese et al., SIGIR 2015, turned from rows to trees).
//
//   - The leaves of a tree are numbered from left to right. A node whose answer is
//     "right" rules out the leaves below its left child; of the leaves that no node
//     rules out, the first is the one that the walk reaches.
//   - A row becomes one byte for each column, and a node the comparison of a byte with
//     a byte. A vector holds the nodes of as many trees as it has 32-bit lanes, four of
//     each tree, and the leaves they rule out gather in one lane for each tree.
//   - A missing value is 0 before a node takes off shift: without it 0 is less than
//     every threshold, with it 0 becomes 255, which is more. So the default side
//     costs one subtraction and no branch.
//   - 32 lanes' bits are 32 leaves. Of larger trees the leaves from 32 on are a second
//     pass, over those nodes alone that rule any of them out.
//
// Bytes are stored less 128, because AVX2 compares signed ones.
//
// What one block costs bounds the whole: of AVX2's 224 bytes that are streamed and 35
// instructions, 23 on vectors, there are 304 with 300 trees of 31 leaves, 1248 with 500
// of 63 and 134 with the baseline.
const (
	maskLeaves   = 64
	blockDepth   = 4 // nodes of one tree in a block
	maskBias     = 128
	neverGreater = 127
)

// masks is an ensemble laid out for the mask kernels. The assembly reads it.
type masks struct {
	lanes   int
	columns int
	trees   int

	// Rows to bytes: as many columns at once as there are lanes.
	features   []int32
	nanIsZero  []uint32  // by column: all bits where NaN counts as 0
	keepAbove  []float32 // by column: the value is missing unless its magnitude is above
	pairs      []int32   // by group of columns: half the thresholds of its longest
	thresholds []float32 // by group and threshold, one for each column

	// Trees, as many in a group as there are lanes.
	counts []int32 // by group: blocks of its lower and of its upper leaves
	bases  []uint8 // by block: the first column it reads, in 16ths
	blocks []byte  // index of a column from base on, shift, threshold by node; then the leaves ruled out
}

// maskShape is what differs between processors.
type maskShape struct {
	lanes int
	span  int // columns that a block can read
	limit int // columns at all
	// place is the byte of a lane's node in each part of a block.
	place func(node, lane int) int
	// index is what looks up a column within reach.
	index func(column int) int
}

// ruling is a node as one lane sees it.
type ruling struct {
	column, threshold, shift int
	out                      uint32
}

// newMasks lays the ensemble out, or returns nil where it does not fit. The leaves
// of e must be in order.
func newMasks(e *ensemble, shape maskShape) *masks {
	if e.categorical() {
		return nil
	}
	for i := range e.trees {
		if len(e.trees[i].leaf) > maskLeaves {
			return nil
		}
	}
	c := newColumns(e)
	if len(c.all) > shape.limit {
		return nil
	}
	m := &masks{lanes: shape.lanes, columns: len(c.all), trees: len(e.trees)}
	for group := range slices.Chunk(c.all, shape.lanes) {
		m.addColumns(group)
	}
	for group := range slices.Chunk(e.trees, shape.lanes) {
		for half := range 2 {
			m.addTrees(group, 32*half, c, shape)
		}
	}
	return m
}

// addColumns appends up to lanes columns.
func (m *masks) addColumns(group []column) {
	inf := float32(math.Inf(1)) // nothing is above: it fills up
	longest := 0
	for _, c := range group {
		longest = max(longest, len(c.thresholds))
	}
	m.pairs = append(m.pairs, int32((longest+1)/2))
	for i := range (longest + 1) / 2 * 2 {
		for lane := range m.lanes {
			x := inf
			if lane < len(group) && i < len(group[lane].thresholds) {
				x = group[lane].thresholds[i]
			}
			m.thresholds = append(m.thresholds, x)
		}
	}
	for lane := range m.lanes {
		c := group[min(lane, len(group)-1)]
		zero, above := uint32(0), float32(-1) // NaN alone is not above -1
		switch c.missing {
		case missingNone:
			zero = math.MaxUint32
		case missingZero:
			above = float32(zeroLimit)
		}
		m.features = append(m.features, c.feature)
		m.nanIsZero = append(m.nanIsZero, zero)
		m.keepAbove = append(m.keepAbove, above)
	}
}

// addTrees appends the blocks of up to lanes trees that rule out any of the 32 leaves
// from first on.
func (m *masks) addTrees(group []tree, first int, c *columns, shape maskShape) {
	left := make([][]ruling, len(group))
	for lane := range group {
		left[lane] = rulings(&group[lane], first, c)
	}
	blocks := int32(0)
	for {
		base := math.MaxInt
		for _, l := range left {
			if len(l) > 0 {
				base = min(base, l[0].column)
			}
		}
		if base == math.MaxInt {
			break
		}
		base = base / 16 * 16
		if shape.span >= shape.limit {
			base = 0
		}
		m.addBlock(left, base, shape)
		blocks++
	}
	m.counts = append(m.counts, blocks)
}

// addBlock takes from each lane's list up to blockDepth nodes that read the columns
// within reach of base.
func (m *masks) addBlock(left [][]ruling, base int, shape maskShape) {
	nodes := shape.lanes * blockDepth
	block := make([]byte, 3*nodes+4*nodes)
	for i := range nodes {
		block[2*nodes+i] = neverGreater
	}
	for lane := range left {
		for n := range blockDepth {
			if len(left[lane]) == 0 || left[lane][0].column >= base+shape.span {
				break
			}
			r := left[lane][0]
			left[lane] = left[lane][1:]
			at := shape.place(n, lane)
			block[at] = byte(shape.index(r.column - base))
			block[nodes+at] = byte(r.shift)
			block[2*nodes+at] = byte(r.threshold)
			for b := range 4 {
				block[3*nodes+4*(n*shape.lanes+lane)+b] = byte(r.out >> (8 * b))
			}
		}
	}
	m.bases = append(m.bases, uint8(base/16))
	m.blocks = append(m.blocks, block...)
}

// rulings returns the nodes of t that rule out any of the 32 leaves from first on, by
// column.
func rulings(t *tree, first int, c *columns) (all []ruling) {
	for n := range t.left {
		low, high := t.firstLeaf(t.left[n])-first, t.firstLeaf(t.right[n])-first
		low, high = max(low, 0), min(high, 32)
		if low >= high {
			continue
		}
		r := ruling{out: uint32(uint64(1)<<high - uint64(1)<<low)}
		r.column, r.threshold = c.find(t, n)
		// The value is above threshold i if its byte is above i+1, or less 1 above i.
		if t.missing[n] != missingNone && !t.defaultLeft[n] {
			r.shift = 1
		}
		r.threshold += 1 - r.shift - maskBias
		all = append(all, r)
	}
	slices.SortStableFunc(all, func(a, b ruling) int { return cmp.Compare(a.column, b.column) })
	return all
}

// firstLeaf returns the leftmost leaf below child c.
func (t *tree) firstLeaf(c int32) int {
	for c >= 0 {
		c = t.left[c]
	}
	return int(^c)
}

// inOrder returns e with the leaves of every tree numbered from left to right.
func (e *ensemble) inOrder() *ensemble {
	o := *e
	o.trees = slices.Clone(e.trees)
	for i := range o.trees {
		o.trees[i].sortLeaves()
	}
	return &o
}

func (t *tree) sortLeaves() {
	if len(t.left) == 0 {
		return
	}
	left, right, leaf, count := slices.Clone(t.left), slices.Clone(t.right), t.leaf, t.count
	t.leaf, t.count = nil, nil
	place := func(child *int32) {
		from := ^*child
		*child = ^int32(len(t.leaf))
		t.leaf = append(t.leaf, leaf[from])
		if count != nil {
			t.count = append(t.count, count[from])
		}
	}
	var visit func(n int32) // MaxDepth bounds it
	visit = func(n int32) {
		for _, child := range [2]*int32{&left[n], &right[n]} {
			if *child >= 0 {
				visit(*child)
			} else {
				place(child)
			}
		}
	}
	visit(0)
	t.left, t.right = left, right
}
