package models

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// drawn says what a random ensemble is like.
type drawn struct {
	name       string
	features   int
	trees      int
	leaves     int // at most, of a tree
	thresholds int // to choose from, by feature
	missing    []uint8
}

// draw makes an ensemble of random shape: one tree in eight is a single leaf, or has
// one leaf more, until leaves is reached. Thresholds lie on both sides of zero, at
// it, beside float32 values and beyond them all.
func (d drawn) draw(r *rand.Rand) *ensemble {
	pool := make([][]float64, d.features)
	for f := range pool {
		pool[f] = append(pool[f], 0, math.Copysign(0, -1), 1e-40, -1e-35, 1e300, -1e300, math.MaxFloat32)
		for len(pool[f]) < d.thresholds {
			pool[f] = append(pool[f], r.NormFloat64())
		}
	}
	e := &ensemble{names: make([]string, d.features), sigmoid: 1}
	for range d.trees {
		leaves := d.leaves
		if r.IntN(8) == 0 {
			leaves = 1 + r.IntN(d.leaves)
		}
		e.trees = append(e.trees, d.tree(r, leaves, pool))
	}
	return e
}

// tree splits a random leaf until there are enough.
func (d drawn) tree(r *rand.Rand, leaves int, pool [][]float64) (t tree) {
	t.leaf, t.count = []float64{r.NormFloat64()}, []float64{1}
	for len(t.leaf) < leaves {
		n := int32(len(t.left))
		leaf := int32(r.IntN(len(t.leaf)))
		for i := range t.left {
			for _, child := range [2]*int32{&t.left[i], &t.right[i]} {
				if *child == ^leaf {
					*child = n
				}
			}
		}
		f := int32(r.IntN(d.features))
		t.feature = append(t.feature, f)
		t.threshold = append(t.threshold, pool[f][r.IntN(len(pool[f]))])
		t.missing = append(t.missing, d.missing[r.IntN(len(d.missing))])
		t.defaultLeft = append(t.defaultLeft, r.IntN(2) == 0)
		left, right := ^leaf, ^int32(len(t.leaf))
		if r.IntN(2) == 0 {
			left, right = right, left
		}
		t.left, t.right = append(t.left, left), append(t.right, right)
		t.leaf, t.count = append(t.leaf, r.NormFloat64()), append(t.count, float64(1+r.IntN(9)))
	}
	return t
}

var anyMissing = []uint8{missingNone, missingZero, missingNaN}

var drawings = []drawn{
	{"one tree", 3, 1, 8, 20, anyMissing},
	{"single leaves", 1, 5, 1, 20, anyMissing},
	{"31 leaves", 20, 37, 31, 40, anyMissing},
	{"32 leaves", 20, 16, 32, 40, anyMissing},
	{"33 leaves", 20, 17, 33, 40, anyMissing},
	{"64 leaves", 30, 24, 64, 30, anyMissing},
	{"no missing", 30, 16, 31, 40, []uint8{missingNone}},
	{"zero as missing", 30, 16, 31, 40, []uint8{missingZero}},
	{"128 columns", 128, 60, 48, 30, []uint8{missingNaN}},
	{"200 columns", 200, 60, 64, 30, []uint8{missingNaN}},
	{"more than 254 thresholds", 4, 90, 40, 2000, anyMissing},
	{"more columns than AVX-512 has room for", 300, 40, 64, 30, []uint8{missingNaN}},
	{"more columns than AVX2 has room for", 470, 80, 64, 30, []uint8{missingNaN}},
	{"65 leaves", 20, 9, 65, 40, anyMissing},
	{"300 leaves", 20, 9, 300, 40, anyMissing},
	{"more trees than the inline scratch has room for", 20, 401, 8, 40, anyMissing},
}

// TestKernelsFindTheSameLeaves compares every kernel with the plain walk, leaf by leaf.
func TestKernelsFindTheSameLeaves(t *testing.T) {
	for _, d := range drawings {
		t.Run(d.name, func(t *testing.T) {
			e := d.draw(rand.New(rand.NewPCG(3, uint64(d.trees))))
			f := newForest(e, someFamilies(d.features))
			for _, k := range f.kernels {
				if row, tree := differs(f, k, e); row >= 0 {
					t.Errorf("%s: row %d, tree %d: another leaf", k.name(), row, tree)
				}
			}
		})
	}
}

// differs returns the first row and tree for which k finds another leaf than the
// trees as drawn, or -1.
func differs(f *forest, k kernel, e *ensemble) (row, tree int) {
	g, v := newRowMaker(e), make([]float32, len(e.names))
	var s scratch
	leaf := s.leaves(len(e.trees))
	for row := range 300 {
		g.fill(v)
		k.leaves(leaf, &s, v)
		for tree := range e.trees {
			// Leaves are renumbered; their values tell them apart.
			want := e.trees[tree].leaf[e.trees[tree].find(v)]
			if f.table.rows[f.table.first[tree]+uint32(leaf[tree])].value != want {
				return row, tree
			}
		}
	}
	return -1, -1
}

// TestKernelsThatServe: which kernels have room for what.
func TestKernelsThatServe(t *testing.T) {
	for _, c := range []struct {
		drawing string
		without []string
	}{
		{"200 columns", nil},
		{"more columns than AVX-512 has room for", []string{"avx512"}},
		{"more columns than AVX2 has room for", []string{"avx512", "avx2"}},
		{"65 leaves", []string{"avx512", "avx2"}},
	} {
		i := slices.IndexFunc(drawings, func(d drawn) bool { return d.name == c.drawing })
		full := newForest(drawings[0].draw(rand.New(rand.NewPCG(3, 3))), someFamilies(drawings[0].features))
		f := newForest(drawings[i].draw(rand.New(rand.NewPCG(3, 3))), someFamilies(drawings[i].features))
		var want, got []string
		for _, k := range full.kernels {
			if !slices.Contains(c.without, k.name()) {
				want = append(want, k.name())
			}
		}
		for _, k := range f.kernels {
			got = append(got, k.name())
		}
		t.Logf("%s: kernels %v", c.drawing, got) // scripts/avx512-emulated.sh looks for it
		if !slices.Equal(got, want) {
			t.Errorf("%s: kernels %v, want %v", c.drawing, got, want)
		}
	}
}

// TestKernelsAddTheSame compares what the rows add up to with exact sums, for each
// kernel's way of adding.
func TestKernelsAddTheSame(t *testing.T) {
	for _, d := range drawings {
		e := d.draw(rand.New(rand.NewPCG(5, 5)))
		family := someFamilies(d.features)
		f := newForest(e, family)
		g, v := newRowMaker(e), make([]float32, d.features)
		want, got := new(Prediction), new(Prediction)
		moved := make([]int32, d.features)
		for range 50 {
			g.fill(v)
			f.with("plain").predict(want, v)
			f.explain(want, moved) // exact: whole numbers, by feature
			var sum [len(want.Contributions)]int64
			for i, by := range moved {
				sum[family[i]] += int64(by)
			}
			for _, k := range f.kernels {
				f.with(k.name()).predict(got, v)
				if math.Float64bits(got.Raw) != math.Float64bits(want.Raw) {
					t.Fatalf("%s, %s: raw %v, want %v", d.name, k.name(), got.Raw, want.Raw)
				}
				for i, c := range got.Contributions {
					if exact := float32(float64(sum[i]) * f.table.unit); c != exact {
						t.Fatalf("%s, %s: family %d: %v, want %v", d.name, k.name(), i, c, exact)
					}
				}
			}
		}
	}
}

func TestKernelsAllocateNothing(t *testing.T) {
	for _, d := range drawings {
		e := d.draw(rand.New(rand.NewPCG(7, 7)))
		all := newForest(e, someFamilies(d.features))
		v := make([]float32, d.features)
		for _, k := range all.kernels {
			f, p := all.with(k.name()), new(Prediction)
			if n := testing.AllocsPerRun(10, func() { f.predict(p, v) }); n != 0 {
				t.Errorf("%s, %s: %v allocations", d.name, k.name(), n)
			}
		}
	}
}

// TestMasksMatter damages what a mask kernel reads, one thing at a time, and the
// comparison above must see it.
func TestMasksMatter(t *testing.T) {
	d := drawn{"", 20, 48, 48, 12, anyMissing}
	e := d.draw(rand.New(rand.NewPCG(9, 9)))
	f := newForest(e, someFamilies(d.features))
	for _, damage := range []struct {
		name string
		do   func(m *masks)
	}{
		{"none", func(*masks) {}},
		{"NaN is not 0", func(m *masks) { clear(m.nanIsZero) }},
		{"zero is not missing", func(m *masks) {
			for i := range m.keepAbove {
				m.keepAbove[i] = -1
			}
		}},
		{"a threshold less", func(m *masks) { m.pairs[0]--; m.thresholds = m.thresholds[2*m.lanes:] }},
		{"no shift", func(m *masks) { clearPart(m, 1) }},
		{"another column", func(m *masks) { clearPart(m, 0) }},
		{"nothing ruled out", func(m *masks) { clearPart(m, 3) }},
		{"no upper leaves", func(m *masks) { m.counts[1] = 0 }},
	} {
		for _, k := range vectorKernels(e.inOrder()) {
			m := masksOf(k)
			damage.do(m)
			row, _ := differs(f, k, e)
			if (row < 0) != (damage.name == "none") {
				t.Errorf("%s, %s: row %d", k.name(), damage.name, row)
			}
		}
	}
}

// clearPart clears column, shift, threshold or the leaves ruled out, in every block.
func clearPart(m *masks, part int) {
	nodes := m.lanes * blockDepth
	for b := range slices.Chunk(m.blocks, 7*nodes) {
		if part < 3 {
			clear(b[part*nodes:][:nodes])
		} else {
			clear(b[3*nodes:])
		}
	}
}
