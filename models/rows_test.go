package models

import (
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/waryauth/wary/features"
)

// checkPairs compares predictPair of rows, each beside the next, with predict of each.
func checkPairs(t *testing.T, f *forest, rows [][]float32) {
	t.Helper()
	want, p, q := new(Prediction), new(Prediction), new(Prediction)
	moved := make([]int32, len(rows[0]))
	for i, v := range rows {
		w := rows[(i+1)%len(rows)]
		f.predictPair(p, q, v, w)
		for _, c := range []struct {
			row []float32
			got *Prediction
		}{{v, p}, {w, q}} {
			f.predict(want, c.row)
			f.explain(want, moved)
			f.explain(c.got, moved)
			if math.Float64bits(c.got.Raw) != math.Float64bits(want.Raw) || c.got.Base != want.Base ||
				c.got.Contributions != want.Contributions || c.got.Top != want.Top {
				t.Fatalf("%s, row %d and the next: %v %v %v, one by one %v %v %v", f.kernels[0].name(), i,
					c.got.Raw, c.got.Contributions, c.got.Top, want.Raw, want.Contributions, want.Top)
			}
		}
	}
}

// TestPairs: two rows at once are what each is by itself, for every kernel and kind of
// ensemble, whatever the other row is.
func TestPairs(t *testing.T) {
	for _, d := range drawings {
		e := d.draw(rand.New(rand.NewPCG(11, 11)))
		f := newForest(e, someFamilies(d.features))
		g, rows := newRowMaker(e), make([][]float32, 100)
		for i := range rows {
			rows[i] = make([]float32, d.features)
			g.fill(rows[i])
		}
		for _, k := range f.kernels {
			checkPairs(t, f.with(k.name()), rows)
		}
	}
}

// TestPairsOfGoldens, and LightGBM's own bits.
func TestPairsOfGoldens(t *testing.T) {
	for _, g := range goldens(t) {
		m, err := Inspect(g.text)
		if err != nil {
			t.Fatal(err)
		}
		for _, k := range m.f.kernels {
			f := m.f.with(k.name())
			checkPairs(t, f, g.rows)
			score := f.asPairs("pairs")
			for i, row := range g.rows {
				if got := score.raw(row); math.Float64bits(got) != math.Float64bits(g.raw[i]) {
					t.Fatalf("%s, %s, row %d: %v, LightGBM %v", g.name, k.name(), i, got, g.raw[i])
				}
			}
		}
	}
}

// TestPairsOfShared: 4,096 rows of the models whose figures are told, by what serves.
func TestPairsOfShared(t *testing.T) {
	for _, name := range sharedModels {
		s := loadShared(t, name)
		score := s.f.asPairs("pairs")
		for i, row := range s.rows {
			if got := score.raw(row); math.Float64bits(got) != math.Float64bits(s.raw[i]) {
				t.Fatalf("%s, row %d: %v, LightGBM %v", name, i, got, s.raw[i])
			}
		}
	}
}

// crossed gives each of two rows what belongs to the other.
type crossed struct{ *plain }

func (k crossed) pair(s, u *scratch, t *leafTable, v, w []float32) {
	for _, c := range []struct {
		s *scratch
		v []float32
	}{{u, v}, {s, w}} {
		leaf := c.s.leaves(len(k.trees))
		k.leaves(leaf, c.s, c.v)
		k.add(&c.s.sums, t, leaf)
	}
}

// TestLoadComparesPairs: two rows that are mistaken for one another are seen, though
// either by itself is right.
func TestLoadComparesPairs(t *testing.T) {
	g := goldens(t)[0]
	e, err := parse(g.text)
	if err != nil {
		t.Fatal(err)
	}
	f := newForest(e, someFamilies(len(e.names)))
	if err := f.verify(g.text, e, 200); err != nil {
		t.Fatal(err)
	}
	f.kernels = []kernel{crossed{f.plain}}
	if err := f.verify(g.text, e, 200); err == nil || !strings.Contains(err.Error(), "two rows") {
		t.Errorf("rows changed places: %v", err)
	}
}

func TestPairsAllocateNothing(t *testing.T) {
	for _, d := range drawings {
		e := d.draw(rand.New(rand.NewPCG(7, 7)))
		all := newForest(e, someFamilies(d.features))
		v, w := make([]float32, d.features), make([]float32, d.features)
		for _, k := range all.kernels {
			f, p, q := all.with(k.name()), new(Prediction), new(Prediction)
			if n := testing.AllocsPerRun(10, func() { f.predictPair(p, q, v, w) }); n != 0 {
				t.Errorf("%s, %s: %v allocations", d.name, k.name(), n)
			}
		}
	}
}

// TestPredictRows: Predict's values, of an odd number of rows and an even one.
func TestPredictRows(t *testing.T) {
	m, rows := loadModel(t, "nan", "v1"), loadFixture(t, "nan").rows
	var want Prediction
	for n := range 6 {
		p, v := make([]Prediction, n), make([]*features.Vector, n)
		for i := range v {
			v[i] = vector(rows[i])
		}
		m.PredictRows(p, v)
		for i := range v {
			m.Predict(&want, v[i])
			if p[i].Raw != want.Raw || p[i].Probability != want.Probability || p[i].LogOdds != want.LogOdds || p[i].Contributions != want.Contributions {
				t.Errorf("row %d of %d: %v, want %v", i, n, p[i].Probability, want.Probability)
			}
		}
	}
}

// TestPredictRowsAllocatesNothing, however many rows.
func TestPredictRowsAllocatesNothing(t *testing.T) {
	m := loadModel(t, "nan", "v1")
	p, v := make([]Prediction, 5), make([]*features.Vector, 5)
	for i := range v {
		v[i] = vector(loadFixture(t, "nan").rows[i])
	}
	m.PredictRows(p, v)
	if n := testing.AllocsPerRun(10, func() { m.PredictRows(p, v) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
