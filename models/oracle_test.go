package models

import (
	"math"
	"slices"
	"strings"
	"testing"
)

// TestOracleCatchesDefects plants one defect in a walk that was right, and leaves
// must see it. Without the check, each would go unnoticed.
func TestOracleCatchesDefects(t *testing.T) {
	for _, name := range fixtures {
		x := loadFixture(t, name)
		o, err := newOracle(x.text, x.e)
		if err != nil {
			t.Fatal(err)
		}
		if err := o.check(x.e, oracleRows, x.f.as("kernel"), x.f.with("plain").as("plain walk")); err != nil {
			t.Fatalf("%s without a defect: %v", name, err)
		}
		for _, d := range []struct {
			name  string
			plant func(t *tree, n int)
		}{
			{"default side flipped", func(t *tree, n int) { t.defaultLeft[n] = !t.defaultLeft[n] }},
			{"missing type lost", func(t *tree, n int) { t.missing[n] = missingNone }},
			{"children swapped", func(t *tree, n int) { t.left[n], t.right[n] = t.right[n], t.left[n] }},
			{"threshold two float32 lower", func(t *tree, n int) {
				down := float32(math.Inf(-1))
				t.threshold[n] = float64(math.Nextafter32(math.Nextafter32(float32(t.threshold[n]), down), down))
			}},
			{"leaf a billionth off", func(t *tree, n int) { t.leaf[n] *= 1 + 1e-9 }},
			{"feature beside", func(t *tree, n int) { t.feature[n] = (t.feature[n] + 1) % 10 }},
		} {
			planted := 0
			for i := range x.e.trees {
				// The last node of the tree where the missing go another way than zero.
				n := lastMissing(&x.e.trees[i])
				if n < 0 {
					continue
				}
				planted++
				bad := x.e.clone()
				d.plant(&bad.trees[i], n)
				f := newForest(bad, x.f.table.family)
				if err := o.check(x.e, oracleRows, f.as("kernel")); err == nil || !strings.Contains(err.Error(), "kernel scores") {
					t.Errorf("%s, tree %d node %d, %s: kernel not caught: %v", name, i, n, d.name, err)
				}
				if err := o.check(x.e, oracleRows, f.with("plain").as("plain walk")); err == nil {
					t.Errorf("%s, tree %d node %d, %s: plain walk not caught", name, i, n, d.name)
				}
				if planted == 3 {
					break
				}
			}
			if planted == 0 {
				t.Errorf("%s: %s was planted nowhere", name, d.name)
			}
		}
	}
}

func lastMissing(t *tree) int {
	for n := len(t.missing) - 1; n >= 0; n-- {
		if t.missing[n] != missingNone && t.defaultLeft[n] != (0 <= t.threshold[n]) {
			return n
		}
	}
	return -1
}

func (e *ensemble) clone() *ensemble {
	c := *e
	c.trees = slices.Clone(e.trees)
	for i := range c.trees {
		t := &c.trees[i]
		t.feature, t.threshold, t.missing = slices.Clone(t.feature), slices.Clone(t.threshold), slices.Clone(t.missing)
		t.defaultLeft, t.left, t.right = slices.Clone(t.defaultLeft), slices.Clone(t.left), slices.Clone(t.right)
		t.leaf = slices.Clone(t.leaf)
	}
	return &c
}

// TestOracleRowsReachTheLeaves: a leaf no row reaches is not proven.
func TestOracleRowsReachTheLeaves(t *testing.T) {
	f := func(t *testing.T, s *shared) {
		g := newRowMaker(s.e)
		v, leaf := make([]float32, len(s.e.names)), make([]uint16, len(s.e.trees))
		seen := make([]bool, len(s.f.table.rows))
		for range oracleRows {
			g.fill(v)
			s.f.plain.leaves(leaf, nil, v)
			for i, l := range leaf {
				seen[s.f.table.first[i]+uint32(l)] = true
			}
		}
		reached := 0
		for _, ok := range seen {
			if ok {
				reached++
			}
		}
		if share := float64(reached) / float64(len(seen)); share < 0.98 {
			t.Errorf("%d of %d leaves reached", reached, len(seen))
		}
	}
	for _, name := range fixtures {
		t.Run(name, func(t *testing.T) { f(t, &loadFixture(t, name).shared) })
	}
	t.Run(sharedModels[0], func(t *testing.T) { f(t, loadShared(t, sharedModels[0])) })
}
