package train

import (
	"encoding/binary"
	"flag"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unsafe"
)

var update = flag.Bool("update", false, "write models/testdata/golden anew with LightGBM")

// goldens are small models of every kind that package models reads, by LightGBM's
// own parameters. Columns 2 and 5 hold categories where categorical is said.
var goldens = []struct {
	name        string
	objective   string
	categorical bool
	params      string
	alter       func(text string) string // to what an older version would have written
}{
	{name: "categorical", objective: "binary", categorical: true, params: "sigmoid=0.7"},
	{name: "categorical-zero", objective: "binary", categorical: true, params: "zero_as_missing=true"},
	{name: "categorical-none", objective: "cross_entropy", categorical: true, params: "use_missing=false max_cat_to_onehot=1"},
	{name: "cross-entropy", objective: "cross_entropy"},
	{name: "dart", objective: "binary", params: "boosting=dart drop_rate=0.5"},
	{name: "goss", objective: "binary", params: "data_sample_strategy=goss"},
	{name: "rf", objective: "binary", params: "boosting=rf bagging_freq=1 bagging_fraction=0.6 sigmoid=1.3"},
	{name: "rf-categorical", objective: "regression", categorical: true, params: "boosting=rf bagging_freq=1 bagging_fraction=0.6"},
	{name: "regression", objective: "regression"},
	{name: "regression-l1", objective: "regression_l1"},
	{name: "huber", objective: "huber"},
	{name: "fair", objective: "fair"},
	{name: "quantile", objective: "quantile", params: "alpha=0.8"},
	{name: "mape", objective: "mape"},
	{name: "v2", objective: "binary", categorical: true, alter: func(s string) string {
		s = strings.Replace(s, "\nversion=v4\n", "\nversion=v2\n", 1)
		for _, line := range []string{`leaf_weight`, `internal_weight`, `is_linear`} { // none of which v2 had
			s = regexp.MustCompile(`(?m)^`+line+`=.*\n`).ReplaceAllString(s, "")
		}
		return sized(s)
	}},
	{name: "v3", objective: "binary", params: "zero_as_missing=true", alter: func(s string) string {
		return sized(strings.ReplaceAll(strings.Replace(s, "\nversion=v4\n", "\nversion=v3\n", 1), "is_linear=0\n", ""))
	}},
}

const goldenColumns = 8

// sized sets tree_sizes right.
func sized(text string) string {
	at := regexp.MustCompile(`(?m)^(Tree=|end of trees)`).FindAllStringIndex(text, -1)
	var sizes []string
	for i := 1; i < len(at); i++ {
		sizes = append(sizes, strconv.Itoa(at[i][0]-at[i-1][0]))
	}
	return regexp.MustCompile(`(?m)^tree_sizes=.*$`).ReplaceAllString(text, "tree_sizes="+strings.Join(sizes, " "))
}

// TestGoldens has LightGBM score the committed models: package models is judged by
// these files where LightGBM is not. With -update it grows them first.
func TestGoldens(t *testing.T) {
	l := lightgbm(t)
	for i, g := range goldens {
		t.Run(g.name, func(t *testing.T) {
			base := filepath.Join("..", "testdata", "golden", g.name)
			if *update {
				text := growGolden(t, l, uint64(i), g.objective, g.categorical, g.params)
				if g.alter != nil {
					text = g.alter(text)
				}
				writeGolden(t, base+".txt", []byte(text))
				x := goldenRows(text, uint64(i))
				writeGolden(t, base+".rows.f32", bytesOf(x))
				raw, err := l.Predict([]byte(text), x, goldenColumns)
				if err != nil {
					t.Fatal(err)
				}
				writeGolden(t, base+".raw.f64", bytesOf(raw))
				writeGolden(t, base+".out.f64", bytesOf(outputs(t, l, text, x)))
			}
			text, x := file(t, base+".txt"), floats32(file(t, base+".rows.f32"))
			raw, err := l.Predict(text, x, goldenColumns)
			if err != nil {
				t.Fatal(err)
			}
			if want := floats64(file(t, base+".raw.f64")); !slices.Equal(raw, want) {
				t.Error("LightGBM's raw scores are not the stored ones")
			}
			if want := floats64(file(t, base+".out.f64")); !slices.Equal(outputs(t, l, string(text), x), want) {
				t.Error("LightGBM's predictions are not the stored ones")
			}
		})
	}
}

// outputs are LightGBM's predictions: probabilities, or what a regression gives.
func outputs(tb testing.TB, l *Library, text string, x []float32) []float64 {
	tb.Helper()
	const prediction = 0
	out, err := l.predict([]byte(text), x, goldenColumns, prediction, 1)
	if err != nil {
		tb.Fatal(err)
	}
	return out
}

// growGolden grows six small trees with parameters that Grow does not offer.
func growGolden(tb testing.TB, l *Library, seed uint64, objective string, categorical bool, more string) string {
	tb.Helper()
	d := goldenData(seed, 1200, objective)
	params := "objective=" + objective + " num_leaves=7 learning_rate=0.3 min_data_in_leaf=10 num_threads=1 deterministic=true " +
		"force_row_wise=true seed=1 verbosity=-1 min_data_per_group=5 cat_smooth=1 " + more
	if categorical {
		params += " categorical_feature=2,5"
	}
	g := &growth{c: &l.c, columns: goldenColumns}
	l.growing.Lock()
	defer l.growing.Unlock()
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	defer func() {
		if err := g.free(); err != nil {
			tb.Error(err)
		}
	}()
	must := func(err error) {
		if err != nil {
			tb.Fatal(err)
		}
	}
	n := int32(len(d.Y))
	must(g.c.check(g.c.datasetFromMat(unsafe.Pointer(&d.X[0]), float32Data, n, goldenColumns, 1, params, 0, &g.train)))
	must(g.c.check(g.c.datasetSetField(g.train, "label", unsafe.Pointer(&d.Y[0]), n, float32Data)))
	must(g.c.check(g.c.boosterCreate(g.train, params, &g.booster)))
	const trees = 6
	for range trees {
		_, err := g.add()
		must(err)
	}
	text, err := g.text(trees)
	must(err)
	runtime.KeepAlive(d)
	return string(text)
}

// goldenData draws rows of which some values are missing, 2 holds one of 12
// categories, 5 one of 90, and 3 is often 0.
func goldenData(seed uint64, n int, objective string) *Data {
	r := rand.New(rand.NewPCG(seed, 77))
	d := &Data{Columns: goldenColumns, X: make([]float32, n*goldenColumns), Y: make([]float32, n)}
	for i := range n {
		x := d.X[i*goldenColumns:][:goldenColumns]
		for j := range x {
			x[j] = float32(r.NormFloat64())
		}
		x[2], x[5] = float32(r.IntN(12)), float32(r.IntN(90))
		if r.IntN(3) == 0 {
			x[3] = 0
		}
		z := float64(x[0]-x[1]*x[4]) + float64(int(x[2])*5%12-6)/3 + float64(int(x[5])*37%90-45)/20 + float64(2*x[3])
		for j := range x {
			if r.IntN(9) == 0 {
				x[j] = float32(math.NaN())
				z += 0.3 * float64(j-3)
			}
		}
		switch objective {
		case "binary":
			if r.Float64() < 1/(1+math.Exp(-z)) {
				d.Y[i] = 1
			}
		case "cross_entropy":
			d.Y[i] = float32(1 / (1 + math.Exp(-z)))
		default:
			d.Y[i] = float32(40 + 10*z)
		}
	}
	return d
}

// goldenRows draws rows from the thresholds, the numbers beside them, categories and
// what is none. Nothing but 0 lies within 1e-35 of 0: LightGBM's C interface makes
// that 0 before it walks.
func goldenRows(text string, seed uint64) []float32 {
	const rows = 256
	r := rand.New(rand.NewPCG(seed, 78))
	var edges [goldenColumns][]float32
	split := regexp.MustCompile(`(?m)^split_feature=(.*)$`).FindAllStringSubmatch(text, -1)
	threshold := regexp.MustCompile(`(?m)^threshold=(.*)$`).FindAllStringSubmatch(text, -1)
	for i := range split {
		thresholds := strings.Fields(threshold[i][1])
		for j, f := range strings.Fields(split[i][1]) {
			v, _ := strconv.ParseFloat(thresholds[j], 64)
			k, _ := strconv.Atoi(f)
			x := float32(v)
			edges[k] = append(edges[k], x, math.Nextafter32(x, 1e38), math.Nextafter32(x, -1e38))
		}
	}
	special := []float32{float32(math.NaN()), float32(math.Inf(1)), float32(math.Inf(-1)), 0, float32(math.Copysign(0, -1)),
		-1, -0.5, -0.999, -3, 0.5, 11.75, 31, 32, 89, 95, 96, 127, 1 << 20, 1 << 31, 3e9, 1 << 32, -3e9, 3e38}
	x := make([]float32, rows*goldenColumns)
	for i := range x {
		switch k, column := r.IntN(10), i%goldenColumns; {
		case k < 3:
			x[i] = special[r.IntN(len(special))]
		case column == 2 || column == 5:
			x[i] = float32(r.IntN(100))
		case k < 6 && len(edges[column]) > 0:
			x[i] = edges[column][r.IntN(len(edges[column]))]
		default:
			x[i] = float32(r.NormFloat64())
		}
		if math.Abs(float64(x[i])) <= float64(float32(1e-35)) {
			x[i] = 0
		}
	}
	return x
}

func bytesOf[T float32 | float64](x []T) []byte {
	b, err := binary.Append(nil, binary.LittleEndian, x)
	if err != nil {
		panic(fmt.Sprint("floats have a size: ", err))
	}
	return b
}

func writeGolden(tb testing.TB, path string, b []byte) {
	tb.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		tb.Fatal(err)
	}
	if err := os.WriteFile(path, b, 0o644); err != nil {
		tb.Fatal(err)
	}
}
