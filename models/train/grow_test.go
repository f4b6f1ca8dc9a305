package train

import (
	"bytes"
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"
	"unsafe"

	"github.com/waryauth/wary/models"
)

// lightgbm opens the library where `make deps` puts it, or skips the test.
func lightgbm(tb testing.TB) *Library {
	tb.Helper()
	path := DefaultPath()
	if os.Getenv("WARY_LIGHTGBM") == "" {
		path = filepath.Join("..", "..", path)
	}
	l, err := Open(path)
	if errors.Is(err, os.ErrNotExist) {
		tb.Skipf("without LightGBM nothing can be grown: %v", err)
	}
	if err != nil {
		tb.Fatal(err)
	}
	return l
}

// rows draws n rows of five columns: 0 raises the risk, 1 lowers it, 2 raises it
// up to a point and lowers it beyond, 3 matters with 0, 4 is noise; a tenth of
// column 3 is missing.
func rows(seed uint64, n int) *Data {
	const columns = 5
	r := rand.New(rand.NewPCG(seed, 13))
	d := &Data{Columns: columns, X: make([]float32, n*columns), Y: make([]float32, n), Weight: make([]float32, n)}
	for i := range n {
		x := d.X[i*columns:][:columns]
		for j := range x {
			x[j] = float32(r.NormFloat64())
		}
		z := float64(x[0] - 0.7*x[1] - x[2]*x[2] + x[0]*x[3])
		if r.IntN(10) == 0 {
			x[3] = float32(math.NaN())
		}
		if r.Float64() < 1/(1+math.Exp(-z)) {
			d.Y[i] = 1
		}
		d.Weight[i] = 0.5 + d.Y[i]
	}
	return d
}

func grow(tb testing.TB, l *Library, train, valid *Data, p Params) ([]byte, Report) {
	tb.Helper()
	if p.Threads == 0 {
		p.Threads = 1 // tests of other packages run beside this one
	}
	model, report, err := l.Grow(context.Background(), train, valid, p, nil)
	if err != nil {
		tb.Fatal(err)
	}
	return model, report
}

func predict(tb testing.TB, l *Library, model []byte, x []float32) []float64 {
	tb.Helper()
	scores, err := l.Predict(model, x, 5)
	if err != nil {
		tb.Fatal(err)
	}
	return scores
}

func treesOf(model []byte) int { return bytes.Count(model, []byte("\nTree=")) }

func TestSameSeedSameBytes(t *testing.T) {
	l := lightgbm(t)
	train, valid := rows(1, 8000), rows(2, 1000)
	p := Params{Trees: 6, LearningRate: 0.1, FeatureFraction: 0.8, BaggingFraction: 0.7, Seed: 4, Threads: 1}
	want, _ := grow(t, l, train, valid, p)
	for _, threads := range []int{1, 2, 3} {
		p.Threads = threads
		if got, _ := grow(t, l, train, valid, p); !bytes.Equal(got, want) {
			t.Errorf("with %d threads another model", threads)
		}
	}
	p.Seed++
	other, _ := grow(t, l, train, valid, p)
	if slices.Equal(predict(t, l, other, valid.X), predict(t, l, want, valid.X)) {
		t.Error("another seed, the same model: the seed does not arrive")
	}
}

func TestMonotoneDirections(t *testing.T) {
	l := lightgbm(t)
	train, valid := rows(3, 4000), rows(4, 200)
	p := Params{Trees: 60, MinLeafRows: 5}
	free, _ := grow(t, l, train, nil, p)
	p.Monotone = []int8{1, -1, 1, 0, 0}
	bound, _ := grow(t, l, train, nil, p)
	for column, direction := range p.Monotone {
		rises, falls := moves(t, l, bound, valid, column)
		if direction > 0 && falls > 0 || direction < 0 && rises > 0 {
			t.Errorf("column %d of direction %d: %d rises, %d falls", column, direction, rises, falls)
		}
		// Control: nothing is monotone by itself.
		if rises, falls := moves(t, l, free, valid, column); rises == 0 || falls == 0 {
			t.Errorf("column %d without direction: %d rises, %d falls", column, rises, falls)
		}
	}
}

// moves counts where the score rises and falls while one column grows.
func moves(t *testing.T, l *Library, model []byte, d *Data, column int) (rises, falls int) {
	const steps = 41
	x := make([]float32, 0, len(d.X)*steps)
	for row := range slices.Chunk(d.X, d.Columns) {
		for k := range steps {
			x = append(x, row...)
			x[len(x)-d.Columns+column] = float32(k)/10 - 2
		}
	}
	for scores := range slices.Chunk(predict(t, l, model, x), steps) {
		for k := range scores[1:] {
			switch {
			case scores[k+1] > scores[k]+1e-9: // beyond the rounding of the sum
				rises++
			case scores[k+1] < scores[k]-1e-9:
				falls++
			}
		}
	}
	return rises, falls
}

func TestEarlyStoppingKeepsTheBest(t *testing.T) {
	l := lightgbm(t)
	train, valid := rows(5, 1500), rows(6, 1500)
	p := Params{Trees: 300, LearningRate: 0.3, MinLeafRows: 3, EarlyStopping: 7, Threads: 1}
	var losses, trainLosses []float64
	model, report, err := l.Grow(context.Background(), train, valid, p, func(iteration int, trainLoss, validLoss float64) {
		losses, trainLosses = append(losses, validLoss), append(trainLosses, trainLoss)
		if iteration != len(losses) {
			t.Errorf("iteration %d is told as %d", len(losses), iteration)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	best := 1 + slices.Index(losses, slices.Min(losses))
	if report.Trees != best || report.Grown != len(losses) || report.Grown != best+7 || treesOf(model) != best {
		t.Fatalf("%+v with %d trees in the text, want %d of %d: %v", report, treesOf(model), best, len(losses), losses)
	}
	if report.ValidLoss != losses[best-1] || report.TrainLoss != trainLosses[best-1] {
		t.Errorf("losses %g and %g are not those of tree %d", report.TrainLoss, report.ValidLoss, best)
	}

	// What the text predicts has the loss that LightGBM told, by our own measure.
	for _, f := range []struct {
		d    *Data
		want float64
	}{{train, report.TrainLoss}, {valid, report.ValidLoss}} {
		got, err := LogLoss(sigmoid(predict(t, l, model, f.d.X)), f.d.Y, f.d.Weight)
		if err != nil {
			t.Fatal(err)
		}
		near(t, "log loss", got, f.want, 1e-9)
	}

	// Asked for so many trees and no more, LightGBM grows the same.
	p.Trees, p.EarlyStopping = best, 0
	again, all := grow(t, l, train, nil, p)
	if !bytes.Equal(again, model) {
		t.Error("the cut model is not the first trees of the long one")
	}
	if all.Trees != best || all.Grown != best || !math.IsNaN(all.ValidLoss) || all.TrainLoss != report.TrainLoss {
		t.Errorf("without validation: %+v, then %+v", report, all)
	}
	// Without patience it grows on, and is cut at the best all the same.
	p.Trees = 40
	if _, longer := grow(t, l, train, valid, p); longer.Grown != 40 || longer.Trees != best {
		t.Errorf("without early stopping: %d of %d trees, want %d of 40", longer.Trees, longer.Grown, best)
	}
}

func TestReloadedModelPredictsTheSame(t *testing.T) {
	l := lightgbm(t)
	train, valid := rows(7, 2000), rows(8, 500)
	p := Params{Threads: 1}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	g, err := l.plant(t.Context(), train, valid, &p)
	if err != nil {
		t.Fatal(err)
	}
	for range 20 {
		if _, err := g.add(); err != nil {
			t.Fatal(err)
		}
	}
	grown, err := l.c.predict(g.booster, valid.X, 5, rawScore, 1)
	if err != nil {
		t.Fatal(err)
	}
	model, err := g.text(20)
	if err != nil {
		t.Fatal(err)
	}
	if err := g.free(); err != nil {
		t.Fatal(err)
	}
	if got := predict(t, l, model, valid.X); !slices.Equal(got, grown) {
		t.Error("the text and the booster it was saved from give other scores")
	}
	auc, err := AUC(grown, valid.Y, valid.Weight)
	if err != nil || auc < 0.8 {
		t.Errorf("AUC %g, %v: nothing was learnt", auc, err)
	}
}

// A model grown from rows with too much fraud, whether they were drawn so or
// weighted so, tells the true probabilities once its share is corrected.
func TestPriorShiftOfEnrichedTraining(t *testing.T) {
	l := lightgbm(t)
	r := rand.New(rand.NewPCG(41, 42))
	draw := func(n int, keep float64) *Data {
		d := &Data{Columns: 5}
		for len(d.Y) < n {
			x := [5]float32{}
			for j := range x {
				x[j] = float32(r.NormFloat64())
			}
			y := float32(0)
			if r.Float64() < 1/(1+math.Exp(4-float64(2*x[0]))) {
				y = 1
			}
			if y == 0 && r.Float64() > keep {
				continue
			}
			d.X, d.Y = append(d.X, x[:]...), append(d.Y, y)
		}
		return d
	}
	all := draw(40_000, 1)
	truth, err := Share(all.Y, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	f := func(what string, train *Data, p Params) {
		t.Helper()
		p.Trees, p.Leaves, p.MinLeafRows = 60, 7, 200
		model, _ := grow(t, l, train, nil, p)
		share, err := Share(train.Y, train.Weight, p.PositiveWeight)
		if err != nil {
			t.Fatal(err)
		}
		shift, err := PriorShift(truth, share)
		if err != nil {
			t.Fatal(err)
		}
		ece := func(shift float64) float64 {
			c := models.Calibration{Kind: models.Uncalibrated, PriorShift: shift}
			var probabilities []float64
			for _, raw := range predict(t, l, model, all.X) {
				probabilities = append(probabilities, c.Probability(raw))
			}
			table, err := Reliability(probabilities, all.Y, nil, 20)
			if err != nil {
				t.Fatal(err)
			}
			return models.ECE(table)
		}
		corrected, as := ece(shift), ece(0)
		if corrected > 0.015 || as < 5*corrected {
			t.Errorf("%s: share %.3f for %.3f, calibration error %.4f corrected, %.4f not", what, share, truth, corrected, as)
		}
	}
	f("drawn", draw(20_000, 0.1), Params{})
	f("weighted", draw(40_000, 1), Params{PositiveWeight: 10})
	rowWeights := draw(40_000, 1)
	for _, y := range rowWeights.Y {
		rowWeights.Weight = append(rowWeights.Weight, 1+9*y)
	}
	f("weighted by row", rowWeights, Params{})
}

func TestNamesAndGain(t *testing.T) {
	l := lightgbm(t)
	names := []string{"geo.speed_kmh", "known-device", "hour", "x_3", "noise"}
	model, report := grow(t, l, rows(9, 4000), nil, Params{Trees: 20, FeatureNames: names})
	if !bytes.Contains(model, []byte("\nfeature_names="+strings.Join(names, " ")+"\n")) {
		t.Errorf("the names are not in the model: %.400s", model)
	}
	if len(report.Gain) != 5 || slices.Min(report.Gain[:4]) < 3*report.Gain[4] || report.Gain[4] < 0 {
		t.Errorf("gain %v: the noise should have least", report.Gain)
	}
	if regexp.MustCompile(`(?m)^\[(num_threads: [^0]|verbosity: [^-])`).Match(model) {
		t.Error("the model names the number of threads")
	}
}

func TestContributionsSumToTheScore(t *testing.T) {
	l := lightgbm(t)
	d := rows(10, 2000)
	model, _ := grow(t, l, d, nil, Params{Trees: 20})
	x := d.X[:5*100]
	values, err := l.Contributions(model, x, 5)
	if err != nil {
		t.Fatal(err)
	}
	if len(values) != 100*6 {
		t.Fatalf("%d values", len(values))
	}
	scores := predict(t, l, model, x)
	for i, score := range scores {
		var sum float64
		for _, v := range values[i*6:][:6] {
			sum += v
		}
		near(t, "sum of contributions", sum, score, 1e-9)
	}
	if scores[0] == scores[1] || values[5] != values[11] {
		t.Error("the last value should be the same for all rows, the scores not")
	}
}

func TestGrowEndsWithItsContext(t *testing.T) {
	l := lightgbm(t)
	ctx, cancel := context.WithCancel(context.Background())
	last := 0
	model, report, err := l.Grow(ctx, rows(11, 500), nil, Params{Threads: 1}, func(iteration int, _, _ float64) {
		if last = iteration; iteration == 3 {
			cancel()
		}
	})
	if !errors.Is(err, context.Canceled) || model != nil || report.Trees != 0 || last != 3 {
		t.Errorf("after %d trees: %d bytes, %+v, %v", last, len(model), report, err)
	}
}

// handles counts what LightGBM was asked to make and to free.
type handles struct{ made, freed, trees int }

// watch has every call counted; during(n) runs inside LightGBM's n-th tree, before
// its data sets are n = -1 and -2.
func watch(l *Library, during func(n int)) *handles {
	var h handles
	c, seen := l.c, 0
	l.c.datasetFromMat = func(data unsafe.Pointer, kind, rows, columns, rowMajor int32, params string, reference uintptr, out *uintptr) int32 {
		h.made++
		seen--
		during(seen)
		return c.datasetFromMat(data, kind, rows, columns, rowMajor, params, reference, out)
	}
	l.c.boosterCreate = func(dataset uintptr, params string, out *uintptr) int32 {
		h.made++
		return c.boosterCreate(dataset, params, out)
	}
	l.c.boosterUpdate = func(booster uintptr, finished *int32) int32 {
		h.trees++
		during(h.trees)
		return c.boosterUpdate(booster, finished)
	}
	l.c.datasetFree = func(dataset uintptr) int32 { h.freed++; return c.datasetFree(dataset) }
	l.c.boosterFree = func(booster uintptr) int32 { h.freed++; return c.boosterFree(booster) }
	return &h
}

// Wherever it is cancelled, Grow ends with the step it is in and frees what it made.
func TestCancelFreesEveryHandle(t *testing.T) {
	d, valid := rows(13, 500), rows(14, 300)
	f := func(at int, want handles) {
		t.Helper()
		l := lightgbm(t)
		ctx, cancel := context.WithCancelCause(context.Background())
		h := watch(l, func(n int) {
			if n == at {
				cancel(nil)
			}
		})
		if at == 0 {
			cancel(nil)
		}
		model, _, err := l.Grow(ctx, d, valid, Params{Trees: 20, Threads: 1}, nil)
		if at <= 20 != errors.Is(err, context.Canceled) || at <= 20 == (err == nil) || (model == nil) != (err != nil) {
			t.Errorf("cancelled at %d: %v", at, err)
		}
		if *h != want {
			t.Errorf("cancelled at %d: %+v, want %+v", at, *h, want)
		}
	}
	f(0, handles{})
	f(-1, handles{made: 2, freed: 2}) // the booster is made with its data
	f(-2, handles{made: 3, freed: 3})
	f(1, handles{made: 3, freed: 3, trees: 1})
	f(7, handles{made: 3, freed: 3, trees: 7})
	f(99, handles{made: 3, freed: 3, trees: 20}) // control: never
}

func TestGrowInTwoGoroutines(t *testing.T) {
	l := lightgbm(t)
	d := rows(12, 1000)
	want, _ := grow(t, l, d, nil, Params{Trees: 10, Threads: 1})
	done := make(chan error)
	for i := range 2 {
		go func() {
			got, _, err := l.Grow(context.Background(), d, nil, Params{Trees: 10, Threads: 1 + i}, nil)
			if err == nil && !bytes.Equal(got, want) {
				err = errors.New("another model")
			}
			_, worse := l.Predict([]byte("tree\n"), d.X, 5)
			if worse == nil || !strings.Contains(worse.Error(), "number of classes") {
				err = errors.Join(err, errors.New("the other goroutine's message"))
			}
			done <- err
		}()
	}
	if err := errors.Join(<-done, <-done); err != nil {
		t.Error(err)
	}
}
