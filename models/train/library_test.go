package train

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestDefaultPath(t *testing.T) {
	t.Setenv("WARY_LIGHTGBM", "")
	if got := DefaultPath(); got != "data/lightgbm/lib_lightgbm.so" {
		t.Error(got)
	}
	t.Setenv("WARY_LIGHTGBM", "/opt/lgb.so")
	if got := DefaultPath(); got != "/opt/lgb.so" {
		t.Error(got)
	}
}

func TestOpenSaysWhatIsMissing(t *testing.T) {
	missing := filepath.Join(t.TempDir(), "lib_lightgbm.so")
	_, err := Open(missing)
	if !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), missing) || !strings.Contains(err.Error(), "make deps") {
		t.Error(err)
	}
	if err := os.WriteFile(missing, []byte("no library"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err = Open(missing)
	if err == nil || errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), missing) || !strings.Contains(err.Error(), "make deps") {
		t.Error(err)
	}
}

func TestOpenRefusesAnotherLibrary(t *testing.T) {
	others, err := filepath.Glob("/lib/*/libm.so.6")
	if err != nil || len(others) == 0 {
		t.Skipf("no other shared library found to open: %v", err)
	}
	_, err = Open(others[0])
	if err == nil || !strings.Contains(err.Error(), others[0]) || !strings.Contains(err.Error(), "has no LGBM_") {
		t.Error(err)
	}
}

// The scores came with the models: LightGBM 4.7.0's own, one row at a time.
func TestPredictGivesTheStoredScores(t *testing.T) {
	l := lightgbm(t)
	f := func(base string, columns int, read func(testing.TB, string) []byte) {
		t.Run(filepath.Base(base), func(t *testing.T) {
			model := read(t, base+".txt")
			x := floats32(read(t, base+".rows.f32"))
			want := floats64(read(t, base+".raw.f64"))
			got, err := l.Predict(model, x, columns)
			if err != nil {
				t.Fatal(err)
			}
			if len(got) != len(want) || len(want) < 1000 {
				t.Fatalf("%d scores, %d stored", len(got), len(want))
			}
			for i := range got {
				if math.Float64bits(got[i]) != math.Float64bits(want[i]) {
					t.Fatalf("row %d: %x, stored %x", i, got[i], want[i])
				}
			}
		})
	}
	f(filepath.Join("..", "testdata", "nan"), 10, file)
	f(filepath.Join("..", "testdata", "zero"), 10, file)
	shared := filepath.Join("..", "..", "..", "shared", "data", "models")
	f(filepath.Join(shared, "300x31x120"), 120, gunzip)
	f(filepath.Join(shared, "500x63x200"), 200, gunzip)
}

func file(tb testing.TB, path string) []byte {
	tb.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		tb.Fatal(err)
	}
	return b
}

func gunzip(tb testing.TB, path string) []byte {
	tb.Helper()
	b, err := os.ReadFile(path + ".gz")
	if os.IsNotExist(err) {
		tb.Skipf("shared data is not here: %v", err)
	}
	if err != nil {
		tb.Fatal(err)
	}
	z, err := gzip.NewReader(bytes.NewReader(b))
	if err != nil {
		tb.Fatal(err)
	}
	out, err := io.ReadAll(z)
	if err != nil {
		tb.Fatal(err)
	}
	return out
}

func floats32(b []byte) []float32 {
	x := make([]float32, len(b)/4)
	for i := range x {
		x[i] = math.Float32frombits(binary.LittleEndian.Uint32(b[4*i:]))
	}
	return x
}

func floats64(b []byte) []float64 {
	x := make([]float64, len(b)/8)
	for i := range x {
		x[i] = math.Float64frombits(binary.LittleEndian.Uint64(b[8*i:]))
	}
	return x
}

func TestLightGBMsOwnMessages(t *testing.T) {
	l := lightgbm(t)
	d := rows(20, 200)
	f := func(want string, p Params) {
		t.Helper()
		_, _, err := l.Grow(context.Background(), d, nil, p, nil)
		if err == nil || !strings.Contains(err.Error(), "LightGBM says: ") || !strings.Contains(err.Error(), want) || strings.ContainsAny(err.Error(), "/\n") {
			t.Errorf("error %v, want LightGBM's about %s, in one line, without a path", err, want)
		}
	}
	f("Check failed: (num_leaves) > (1)", Params{Leaves: 1})
	f("learning_rate", Params{LearningRate: -1})
	f("learning_rate", Params{LearningRate: math.NaN()})
	f("feature_fraction", Params{FeatureFraction: 1.5})
	f("bagging_fraction", Params{BaggingFraction: -0.5})
	f("lambda_l2", Params{L2: -1})
	f("max_bin", Params{MaxBin: 1})
	f("scale_pos_weight", Params{PositiveWeight: -1})
	f("min_data_in_leaf", Params{MinLeafRows: -1})

	if _, err := l.Predict([]byte("tree\nversion=v4\n"), d.X, 5); err == nil || !strings.Contains(err.Error(), "LightGBM says: ") {
		t.Errorf("a text without a model: %v", err)
	}
}

func TestGrowRefuses(t *testing.T) {
	var l Library // nothing below reaches LightGBM
	f := func(want string, change func(train, valid *Data, p *Params)) {
		t.Helper()
		train, valid := rows(21, 100), rows(22, 100)
		p := Params{}
		change(train, valid, &p)
		model, _, err := l.Grow(context.Background(), train, valid, p, nil)
		if err == nil || model != nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want one that says %q", err, want)
		}
	}
	f("training data: 0 columns", func(train, _ *Data, _ *Params) { train.Columns = 0 })
	f("training data: 499 values, want 500", func(train, _ *Data, _ *Params) { train.X = train.X[1:] })
	f("validation data: 500 values, want 495", func(_, valid *Data, _ *Params) { valid.Y = valid.Y[1:] })
	f("training data: label of row 7 is 2", func(train, _ *Data, _ *Params) { train.Y[7] = 2 })
	f("validation data: 0 of 100 labels are 1", func(_, valid *Data, _ *Params) { clear(valid.Y) })
	f("training data: 0 of 0 labels", func(train, _ *Data, _ *Params) { train.X, train.Y, train.Weight = nil, nil, nil })
	f("training data: 99 weights for 100 labels", func(train, _ *Data, _ *Params) { train.Weight = train.Weight[1:] })
	f("training data: weight of row 3 is 0", func(train, _ *Data, _ *Params) { train.Weight[3] = 0 })
	f("validation data: weight of row 3 is +Inf", func(_, valid *Data, _ *Params) { valid.Weight[3] = float32(math.Inf(1)) })
	f("training data: row 2 column 4 is infinite", func(train, _ *Data, _ *Params) { train.X[14] = float32(math.Inf(-1)) })
	f("validation data: 4 columns, training data has 5", func(_, valid *Data, _ *Params) { valid.Columns, valid.X = 4, valid.X[:400] })
	f("-1 trees", func(_, _ *Data, p *Params) { p.Trees = -1 })
	f("early stopping after -1", func(_, _ *Data, p *Params) { p.EarlyStopping = -1 })
	f("seed -1", func(_, _ *Data, p *Params) { p.Seed = -1 })
	f("-1 threads", func(_, _ *Data, p *Params) { p.Threads = -1 })
	f("2 monotone directions for 5 columns", func(_, _ *Data, p *Params) { p.Monotone = []int8{0, 1} })
	f("direction of column 1 is 2", func(_, _ *Data, p *Params) { p.Monotone = []int8{0, 2, 0, 0, 0} })
	f("1 feature names for 5 columns", func(_, _ *Data, p *Params) { p.FeatureNames = []string{"a"} })
	f(`feature name 2 is "a b"`, func(_, _ *Data, p *Params) { p.FeatureNames = []string{"a", "b", "a b", "c", "d"} })
	f(`feature name 4 is ""`, func(_, _ *Data, p *Params) { p.FeatureNames = []string{"a", "b", "c", "d", ""} })
	f(`feature name 1 is "b\x00"`, func(_, _ *Data, p *Params) { p.FeatureNames = []string{"a", "b\x00", "c", "d", "e"} })
	f(`features 1 and 3 are both called "b"`, func(_, _ *Data, p *Params) { p.FeatureNames = []string{"a", "b", "c", "b", "d"} })

	if _, _, err := l.Grow(context.Background(), nil, nil, Params{}, nil); err == nil {
		t.Error("no training data: no error")
	}
	if _, _, err := l.Grow(context.Background(), rows(21, 100), nil, Params{EarlyStopping: 5}, nil); err == nil {
		t.Error("early stopping without validation data: no error")
	}
}

func TestGrowWithoutASplit(t *testing.T) {
	l := lightgbm(t)
	model, _, err := l.Grow(context.Background(), rows(23, 30), nil, Params{MinLeafRows: 20}, nil)
	if err == nil || model != nil || !strings.Contains(err.Error(), "no split") {
		t.Error(err)
	}
}

func TestPredictRefuses(t *testing.T) {
	l := lightgbm(t)
	model := file(t, filepath.Join("..", "testdata", "nan.txt"))
	f := func(want string, model []byte, x []float32, columns int) {
		t.Helper()
		_, err := l.Predict(model, x, columns)
		_, errContributions := l.Contributions(model, x, columns)
		for _, err := range []error{err, errContributions} {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("error %v, want one that says %q", err, want)
			}
		}
	}
	f("11 values are not rows of 10 columns", model, make([]float32, 11), 10)
	f("not rows of 0 columns", model, nil, 0)
	f("rows of 9 columns, the model has 10 features", model, make([]float32, 18), 9)
	f("zero byte", append(bytes.Clone(model), 0), make([]float32, 10), 10)
	three := bytes.Replace(model, []byte("\nnum_tree_per_iteration=1\n"), []byte("\nnum_tree_per_iteration=3\n"), 1)
	three = bytes.Replace(three, []byte("\nnum_class=1\n"), []byte("\nnum_class=3\n"), 1)
	f("more than one score a row", three, make([]float32, 10), 10)

	scores, err := l.Predict(model, nil, 10)
	if err != nil || len(scores) != 0 {
		t.Errorf("no rows: %v, %v", scores, err)
	}
}
