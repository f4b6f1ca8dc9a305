package models

import (
	"math"
	"path/filepath"
	"strings"
	"testing"
)

// golden is a model of testdata/golden with LightGBM's own raw scores and
// predictions. models/train's TestGoldens makes them.
type golden struct {
	name     string
	text     []byte
	rows     [][]float32
	raw, out []float64
}

func goldens(tb testing.TB) (all []golden) {
	tb.Helper()
	paths, err := filepath.Glob(filepath.Join("testdata", "golden", "*.txt"))
	if err != nil || len(paths) != 16 {
		tb.Fatalf("%d goldens, %v", len(paths), err)
	}
	for _, path := range paths {
		base := filepath.Join("golden", strings.TrimSuffix(filepath.Base(path), ".txt"))
		all = append(all, golden{filepath.Base(base), readTestdata(tb, base+".txt"), floatRows(readTestdata(tb, base+".rows.f32"), 8),
			floats(readTestdata(tb, base+".raw.f64")), floats(readTestdata(tb, base+".out.f64"))})
	}
	return all
}

// TestGoldens: every kernel gives LightGBM's bits for every kind of model.
func TestGoldens(t *testing.T) {
	for _, g := range goldens(t) {
		t.Run(g.name, func(t *testing.T) {
			m, err := Inspect(g.text)
			if err != nil {
				t.Fatal(err)
			}
			if err := m.Verify(); err != nil {
				t.Fatal(err)
			}
			if len(g.rows) != 256 || len(g.raw) != 256 || len(g.out) != 256 {
				t.Fatalf("%d rows, %d raw scores, %d predictions", len(g.rows), len(g.raw), len(g.out))
			}
			for _, kernel := range m.Kernels() {
				for _, name := range []string{kernel, kernel + WithAttribution} {
					score := m.Scorer(name)
					for i, row := range g.rows {
						if got := score(row); math.Float64bits(got) != math.Float64bits(g.raw[i]) {
							t.Fatalf("%s, row %d %v: %v, LightGBM %v", name, i, row, got, g.raw[i])
						}
					}
					if n := testing.AllocsPerRun(20, func() { score(g.rows[0]) }); n != 0 {
						t.Errorf("%s: %v allocations", name, n)
					}
				}
			}
			for i, raw := range g.raw {
				if got := m.e.output(raw); math.Abs(got-g.out[i]) > 1e-12*max(1, math.Abs(g.out[i])) {
					t.Fatalf("row %d: predicts %v, LightGBM %v", i, got, g.out[i])
				}
			}
		})
	}
}

// TestPredictOfEveryKind: a Model's raw score and probability, with the schema's names
// before the features that the golden knows.
func TestPredictOfEveryKind(t *testing.T) {
	loaded := 0
	for _, g := range goldens(t) {
		m, err := Load(schemaText(t, filepath.Join("golden", g.name)), schemaCard("v1", `{"kind": "none"}`))
		if err != nil {
			if !strings.Contains(err.Error(), "gives no probability") {
				t.Errorf("%s: %v", g.name, err)
			}
			continue
		}
		loaded++
		var p Prediction
		for i, row := range g.rows {
			m.Predict(&p, vector(row))
			if math.Float64bits(p.Raw) != math.Float64bits(g.raw[i]) || math.Abs(p.Probability-g.out[i]) > 1e-12 {
				t.Fatalf("%s row %d: raw %v, probability %v, LightGBM %v and %v", g.name, i, p.Raw, p.Probability, g.raw[i], g.out[i])
			}
		}
	}
	if loaded != 9 {
		t.Errorf("%d of the kinds give a probability, want 9", loaded)
	}
}

// output is what LightGBM predicts from a raw score.
func (e *ensemble) output(raw float64) float64 {
	if e.sigmoid == 0 {
		return raw / e.rounds()
	}
	p, _ := (&Calibration{Kind: Uncalibrated}).probability(e.sigmoid * (raw / e.rounds()))
	return p
}

func TestInspectTells(t *testing.T) {
	for _, g := range goldens(t) {
		m, err := Inspect(g.text)
		if err != nil {
			t.Fatal(err)
		}
		boosting, version := "gbdt", "v4" // goss is a way of sampling since LightGBM 4
		if strings.HasPrefix(g.name, "rf") {
			boosting = "rf"
		}
		if g.name == "dart" {
			boosting = "dart"
		}
		if g.name == "v2" || g.name == "v3" {
			version = g.name
		}
		categorical := strings.Contains(g.name, "categorical") || g.name == "v2"
		kernels := strings.Join(m.Kernels(), " ")
		all, most := m.Leaves()
		if m.Boosting() != boosting || m.Version() != version || m.Categorical() != categorical || m.Features() != 8 || m.Trees() != 6 ||
			most != 7 || all < 30 || (kernels == "plain") != categorical || !strings.HasSuffix(kernels, "plain") {
			t.Errorf("%s: %s %s, categorical %t, %d features, %d trees, %d leaves, at most %d, kernels %s", g.name, m.Version(), m.Boosting(),
				m.Categorical(), m.Features(), m.Trees(), all, most, kernels)
		}
		if m.Scorer("none") != nil || m.Scorer(WithAttribution) != nil {
			t.Errorf("%s: a scorer of no kernel", g.name)
		}
	}
}

// TestOracleCatchesCategories plants a defect in the categories of a walk that was
// right, and leaves must see it.
func TestOracleCatchesCategories(t *testing.T) {
	for _, g := range goldens(t) {
		e, err := parse(g.text)
		if err != nil {
			t.Fatal(err)
		}
		if !e.categorical() {
			continue
		}
		o, err := newOracle(g.text, e)
		if err != nil {
			t.Fatal(err)
		}
		for name, plant := range map[string]func(words []uint32) []uint32{
			"a category more":  func(w []uint32) []uint32 { w[0] ^= ^w[0] & -^w[0]; return w },
			"a category fewer": func(w []uint32) []uint32 { w[0] &= w[0] - 1; return w },
			"one over":         func(w []uint32) []uint32 { return append(w[:0:0], w[0]<<1) },
			"a word lost":      func(w []uint32) []uint32 { return w[:len(w)-1] },
		} {
			bad, err := parse(g.text)
			if err != nil {
				t.Fatal(err)
			}
			tr, n := categoricalSplit(bad)
			tr.categories[n] = plant(tr.categories[n])
			if err := o.check(e, oracleRows, newForest(bad, someFamilies(8)).with("plain").as("plain walk")); err == nil {
				t.Errorf("%s, %s: not caught", g.name, name)
			}
		}
	}
}

// categoricalSplit returns a categorical split whose first word has a bit set and one
// unset.
func categoricalSplit(e *ensemble) (*tree, int) {
	for i := range e.trees {
		for n, c := range e.trees[i].categories {
			if c != nil && c[0] != 0 && ^c[0] != 0 {
				return &e.trees[i], n
			}
		}
	}
	panic("no such split")
}

// TestCategoriesAreCutAsLightGBMDoes: Tree::CategoricalDecision, on the values at the
// edges of C's conversion to int.
func TestCategoriesAreCutAsLightGBMDoes(t *testing.T) {
	nan, inf := math.NaN(), math.Inf(1)
	set := []uint32{1<<0 | 1<<3 | 1<<31, 1 << 1} // 0, 3, 31, 33
	for _, c := range []struct {
		x    float64
		left bool
	}{
		{0, true}, {math.Copysign(0, -1), true}, {-0.5, true}, {-0.999, true}, {-1, false}, {-3, false}, {0.999, true}, {1, false},
		{3, true}, {3.99, true}, {4, false}, {2.99, false}, {31, true}, {32, false}, {33, true}, {33.5, true}, {34, false}, {64, false}, {65, false},
		{1 << 31, false}, {1<<31 - 1, false}, {1 << 32, false}, {1<<32 + 3, false}, {-1 << 31, false}, {1e300, false}, {nan, false}, {inf, false}, {-inf, false},
	} {
		if got := inSet(set, c.x); got != c.left {
			t.Errorf("%v goes left: %t", c.x, got)
		}
	}
}
