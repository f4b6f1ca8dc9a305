package models

import (
	"fmt"
	"math"
	"math/bits"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/waryauth/wary/features"
)

// shapRows is how many rows of a golden have LightGBM's contributions beside them.
// models/train writes them (TestContributionGoldens -update).
const shapRows = 64

// near reports whether two sums of log-odds agree within 1e-6, relative where they
// are large.
func near(a, b float64) bool { return math.Abs(a-b) <= 1e-6*max(1, math.Abs(a), math.Abs(b)) }

// TestSHAPIsLightGBMs compares with pred_contrib.
func TestSHAPIsLightGBMs(t *testing.T) {
	paths, err := filepath.Glob(filepath.Join("testdata", "shap", "*.contrib.f64"))
	if err != nil || len(paths) < 10 {
		t.Fatalf("%d goldens, %v", len(paths), err)
	}
	for _, path := range paths {
		name := strings.TrimSuffix(filepath.Base(path), ".contrib.f64")
		t.Run(name, func(t *testing.T) {
			base := filepath.Join("testdata", "golden", name)
			if name == "nan" || name == "zero" {
				base = filepath.Join("testdata", name)
			}
			e, err := Inspect(read(t, base+".txt"))
			if err != nil {
				t.Fatal(err)
			}
			want := floats(read(t, path))
			rows := floatRows(read(t, base+".rows.f32"), e.Features())
			wrong := sumOff(e, rows[:shapRows])
			for i, row := range rows[:shapRows] {
				base, phi := e.SHAP(row)
				for f, w := range want[i*(len(row)+1):][:len(row)+1] {
					got := base
					if f < len(row) {
						got = phi[f]
					}
					if !near(got, w) {
						wrong = append(wrong, fmt.Sprintf("row %d, feature %d: %v, LightGBM says %v", i, f, got, w))
					}
				}
			}
			if len(wrong) > 0 {
				t.Errorf("%d wrong, as %s", len(wrong), wrong[0])
			}
		})
	}
}

func read(tb testing.TB, path string) []byte {
	tb.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		tb.Fatal(err)
	}
	return b
}

// sumOff says of which rows base and contributions are not the score.
func sumOff(e *Ensemble, rows [][]float32) (wrong []string) {
	score := e.Scorer("plain")
	for i, row := range rows {
		sum, phi := e.SHAP(row)
		for _, x := range phi {
			sum += x
		}
		if raw := score(row); !near(sum, raw) {
			wrong = append(wrong, fmt.Sprintf("row %d: contributions add up to %v, the score is %v", i, sum, raw))
		}
	}
	return wrong
}

// randomTree grows a tree of random splits; a feature may be asked twice on a way,
// and some leaves have no row.
func randomTree(r *rand.Rand, leaves, columns int, counted bool) tree {
	t := tree{leaf: []float64{r.NormFloat64()}}
	if counted {
		t.count = []float64{1}
	}
	for len(t.leaf) < leaves {
		old, node := int32(r.IntN(len(t.leaf))), int32(len(t.left))
		fresh := int32(len(t.leaf))
		for i := range t.left {
			if t.left[i] == ^old {
				t.left[i] = node
			}
			if t.right[i] == ^old {
				t.right[i] = node
			}
		}
		t.feature = append(t.feature, int32(r.IntN(columns)))
		t.threshold = append(t.threshold, math.Round(r.NormFloat64()*2)/2)
		t.missing = append(t.missing, uint8(r.IntN(3)))
		t.defaultLeft = append(t.defaultLeft, r.IntN(2) == 0)
		t.left, t.right = append(t.left, ^old), append(t.right, ^fresh)
		t.leaf = append(t.leaf, r.NormFloat64())
		if counted {
			t.count = append(t.count, 1)
		}
	}
	for i := range t.count {
		t.count[i] = float64(r.IntN(5)) // none of them, now and then
	}
	return t
}

// expected is the mean of the tree where the features of set alone are known: both
// ways of a split that is not are taken, by their rows (algorithm 1 of the paper).
func (t *tree) expected(c int32, v []float32, set uint) float64 {
	if c < 0 {
		return t.leaf[^c]
	}
	f := t.feature[c]
	if set>>f&1 == 1 {
		if t.goesLeft(c, float64(v[f])) {
			return t.expected(t.left[c], v, set)
		}
		return t.expected(t.right[c], v, set)
	}
	left, right := t.below(t.left[c]), t.below(t.right[c])
	if left+right == 0 {
		left, right = 1, 1
	}
	return (left*t.expected(t.left[c], v, set) + right*t.expected(t.right[c], v, set)) / (left + right)
}

func (t *tree) below(c int32) float64 {
	switch {
	case c >= 0:
		return t.below(t.left[c]) + t.below(t.right[c])
	case t.count == nil:
		return 1
	}
	return t.count[^c]
}

// shapleyByDefinition sums over every set of the other features (Shapley 1953).
func shapleyByDefinition(t *tree, v []float32, feature int) (phi float64) {
	n := len(v)
	for set := range uint(1) << n {
		if set>>feature&1 == 1 {
			continue
		}
		size := bits.OnesCount(set)
		weight := 1 / (float64(n) * binomial(n-1, size))
		phi += weight * (t.expected(0, v, set|1<<feature) - t.expected(0, v, set))
	}
	return phi
}

func binomial(n, k int) float64 {
	b := 1.0
	for i := range k {
		b = b * float64(n-i) / float64(i+1)
	}
	return b
}

// TestSHAPIsTheDefinition compares with all 2^n sets, on trees in which the ways are
// long, features come twice, and leaves have no row. The control is Saabas's
// attribution along one way, which is another number.
func TestSHAPIsTheDefinition(t *testing.T) {
	const columns = 7
	r := rand.New(rand.NewPCG(4, 4))
	differ := 0
	for i := range 300 {
		tr := randomTree(r, 2+r.IntN(24), columns, i%4 != 0)
		v := make([]float32, columns)
		for f := range v {
			v[f] = float32(math.Round(r.NormFloat64()*2) / 2)
			if r.IntN(6) == 0 {
				v[f] = float32(math.NaN())
			}
		}
		w := newPlain(&ensemble{trees: []tree{tr}})
		base, phi := w.shap(v)
		if want := tr.expected(0, v, 0); math.Abs(base-want) > 1e-12 {
			t.Fatalf("tree %d: base %v, want %v", i, base, want)
		}
		_, paths := tr.paths()
		way := paths[tr.find(v)]
		for f := range columns {
			want := shapleyByDefinition(&tr, v, f)
			if !(math.Abs(phi[f]-want) <= 1e-9) {
				t.Fatalf("tree %d (%+v), row %v, feature %d: %v, by definition %v", i, tr, v, f, phi[f], want)
			}
			along := 0.0
			for j, g := range way.feature {
				if int(g) == f {
					along = way.by[j]
				}
			}
			if math.Abs(along-want) > 1e-3 {
				differ++
			}
		}
	}
	if differ < 100 {
		t.Errorf("the control differs %d times only", differ)
	}
}

// TestSHAPOfTheBaseline holds what the paper promises of every row: base and
// contributions are the score, and what no split asks for has no part.
func TestSHAPOfTheBaseline(t *testing.T) {
	m, err := Baseline()
	if err != nil {
		t.Fatal(err)
	}
	asked := map[int32]bool{}
	for i := range m.forest.plain.trees {
		for _, f := range m.forest.plain.trees[i].feature {
			asked[f] = true
		}
	}
	r := rand.New(rand.NewPCG(5, 5))
	var p Prediction
	for range 20 {
		var v features.Vector
		for i := range v {
			v[i] = float32(math.Exp(r.NormFloat64() * 3))
			if r.IntN(3) == 0 {
				v[i] = float32(math.NaN())
			}
		}
		m.Predict(&p, &v)
		base, phi := m.SHAP(&v)
		if !near(base, p.Base) {
			t.Errorf("base %v, path contributions start from %v", base, p.Base)
		}
		sum := base
		for f, x := range phi {
			sum += x
			if x != 0 && !asked[int32(f)] {
				t.Errorf("%s has %v and no split asks for it", features.Schema[f].Name, x)
			}
		}
		if !near(sum, p.Raw) {
			t.Errorf("base and contributions are %v, the score %v", sum, p.Raw)
		}
	}
}

// TestSHAPOfADeepTree has a way as long as the parser lets one be, of as many
// features: the sums must not drift.
func TestSHAPOfADeepTree(t *testing.T) {
	const depth = 200
	var tr tree
	for i := range int32(depth) {
		tr.feature = append(tr.feature, i)
		tr.threshold, tr.missing, tr.defaultLeft = append(tr.threshold, 0), append(tr.missing, missingNaN), append(tr.defaultLeft, false)
		tr.left, tr.right = append(tr.left, ^i), append(tr.right, i+1)
		tr.leaf, tr.count = append(tr.leaf, float64(i%7)), append(tr.count, float64(1+i%3))
	}
	tr.right[depth-1] = ^int32(depth)
	tr.leaf, tr.count = append(tr.leaf, 3), append(tr.count, 2)
	v := make([]float32, depth)
	for i := range v {
		v[i] = float32(i%5) - 0.5
	}
	w := newPlain(&ensemble{trees: []tree{tr}})
	sum, phi := w.shap(v)
	for _, x := range phi {
		sum += x
	}
	if want := tr.leaf[tr.find(v)]; math.Abs(sum-want) > 1e-12 {
		t.Errorf("contributions add up to %v, the leaf is %v", sum, want)
	}
}
