package train

import (
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/waryauth/wary/models"
)

// The rows of testdata/make.py, which computes the expected values.
var (
	sampleRaw    = []float64{-2.5, -2, -1.5, -1.5, -1, -0.5, -0.5, 0, 0, 0.5, 1, 1, 1.5, 2, 2.5, 3}
	sampleLabel  = []float32{0, 0, 1, 0, 0, 0, 1, 0, 1, 0, 1, 0, 1, 1, 0, 1}
	sampleWeight = []float32{1, 2, 0.5, 1, 3, 1, 1.5, 1, 1, 2, 1, 0.25, 1, 4, 1, 1}
)

func near(t *testing.T, what string, got, want, tolerance float64) {
	t.Helper()
	if !(math.Abs(got-want) <= tolerance) {
		t.Errorf("%s = %.17g, want %.17g", what, got, want)
	}
}

func sigmoid(raw []float64) []float64 {
	p := make([]float64, len(raw))
	for i, x := range raw {
		p[i] = 1 / (1 + math.Exp(-x))
	}
	return p
}

// tied returns n random rows with few distinct scores that say something of the label.
func tied(r *rand.Rand, n, distinct int) (scores []float64, labels, weights []float32) {
	for i := range n {
		score := r.IntN(distinct)
		var y float32
		if r.IntN(distinct) < (score+distinct/2)/2 {
			y = 1
		}
		if i < 2 {
			y = float32(i) // both classes
		}
		scores, labels, weights = append(scores, float64(score)/8-1), append(labels, y), append(weights, float32(1+r.IntN(8))/4)
	}
	return scores, labels, weights
}

func TestMeasuresAgainstScikitLearn(t *testing.T) {
	f := func(what string, measure func([]float64, []float32, []float32) (float64, error), x []float64, w []float32, want float64) {
		t.Helper()
		got, err := measure(x, sampleLabel, w)
		if err != nil {
			t.Fatal(err)
		}
		near(t, what, got, want, 1e-14)
	}
	f("AUC", AUC, sampleRaw, nil, 0.7142857142857143)
	f("weighted AUC", AUC, sampleRaw, sampleWeight, 0.8255102040816327)
	f("log loss", LogLoss, sigmoid(sampleRaw), nil, 0.6757983157754953)
	f("weighted log loss", LogLoss, sigmoid(sampleRaw), sampleWeight, 0.5201110581238821)
}

func TestLogLossOfASureMistake(t *testing.T) {
	got, err := LogLoss([]float64{0, 0}, []float32{1, 0}, nil)
	if err != nil {
		t.Fatal(err)
	}
	near(t, "log loss", got, -math.Log(1e-15)/2, 1e-12)
}

func TestAUCCountsPairs(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 300 {
		scores, labels, weights := tied(r, 2+r.IntN(40), 1+r.IntN(12))
		var won, pairs float64
		for i := range scores {
			for j := range scores {
				if labels[i] != 1 || labels[j] != 0 {
					continue
				}
				w := float64(weights[i]) * float64(weights[j])
				pairs += w
				switch {
				case scores[i] > scores[j]:
					won += w
				case scores[i] == scores[j]:
					won += w / 2
				}
			}
		}
		got, err := AUC(scores, labels, weights)
		if err != nil {
			t.Fatal(err)
		}
		near(t, "AUC", got, won/pairs, 1e-12)
	}
}

func TestRecallAtFPRTriesEveryThreshold(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for range 300 {
		scores, labels, _ := tied(r, 2+r.IntN(40), 1+r.IntN(12))
		fpr := float64(r.IntN(21)) / 20
		want, at := 0.0, math.Inf(1)
		for _, threshold := range scores {
			recall, challenged := shares(scores, labels, threshold)
			if challenged <= fpr && (recall > want || recall == want && threshold < at) {
				want, at = recall, threshold
			}
		}
		got, threshold, err := RecallAtFPR(scores, labels, fpr)
		if err != nil {
			t.Fatal(err)
		}
		if got != want || threshold != at {
			t.Fatalf("recall at %g = %g (threshold %g), want %g (%g)\n%v\n%v", fpr, got, threshold, want, at, scores, labels)
		}
	}
}

// shares returns which share of positives and negatives scores at or above a threshold.
func shares(scores []float64, labels []float32, threshold float64) (positives, negatives float64) {
	var hit, all [2]float64
	for i, y := range labels {
		all[int(y)]++
		if scores[i] >= threshold {
			hit[int(y)]++
		}
	}
	return hit[1] / all[1], hit[0] / all[0]
}

func TestRecallAtFPRAtExactShares(t *testing.T) {
	// 100 negatives below 0 and one positive between any two of them: at n % exactly n are challenged.
	var scores []float64
	var labels []float32
	for i := range 100 {
		scores, labels = append(scores, float64(-2*i), float64(-2*i-1)), append(labels, 0, 1)
	}
	for n := range 101 {
		recall, _, err := RecallAtFPR(scores, labels, float64(n)/100)
		if err != nil {
			t.Fatal(err)
		}
		near(t, "recall", recall, float64(n)/100, 0)
	}
	// Tied at the top: conservative means none of them.
	recall, threshold, err := RecallAtFPR([]float64{1, 1, 1, 0}, []float32{1, 1, 0, 0}, 0.49)
	if err != nil || recall != 0 || !math.IsInf(threshold, 1) {
		t.Errorf("tied: recall %g, threshold %g, %v", recall, threshold, err)
	}
}

func TestReliability(t *testing.T) {
	// By hand: weight 8 in 4 bins of 2; the three rows at 0.5 stay together, their middle (4.5 of 8) in the third.
	p := []float64{0.1, 0.2, 0.3, 0.5, 0.5, 0.5, 0.9}
	y := []float32{0, 1, 0, 1, 0, 0, 1}
	w := []float32{1, 1, 1, 1, 1, 1, 2}
	table, err := Reliability(p, y, w, 4)
	if err != nil {
		t.Fatal(err)
	}
	want := []models.Bin{
		{Low: 0.1, High: 0.2, Rows: 2, Weight: 2, Predicted: 0.15, Observed: 0.5},
		{Low: 0.3, High: 0.3, Rows: 1, Weight: 1, Predicted: 0.3, Observed: 0},
		{Low: 0.5, High: 0.5, Rows: 3, Weight: 3, Predicted: 0.5, Observed: 1.0 / 3},
		{Low: 0.9, High: 0.9, Rows: 1, Weight: 2, Predicted: 0.9, Observed: 1},
	}
	if len(table) != len(want) {
		t.Fatalf("%d bins, want %d: %+v", len(table), len(want), table)
	}
	for i, b := range table {
		near(t, "predicted", b.Predicted, want[i].Predicted, 1e-15)
		near(t, "observed", b.Observed, want[i].Observed, 1e-15)
		b.Predicted, b.Observed = want[i].Predicted, want[i].Observed
		if b != want[i] {
			t.Errorf("bin %d: %+v, want %+v", i, b, want[i])
		}
	}
	near(t, "ECE", models.ECE(table), (2*0.35+0.3+3*(0.5-1.0/3)+2*0.1)/8, 1e-15)
	near(t, "ECE of nothing", models.ECE(nil), 0, 0)
}

func TestReliabilityBetween(t *testing.T) {
	p := []float64{0, 0.1, 0.0999, 0.5, 0.2, 1}
	y := []float32{0, 1, 0, 1, 0, 1}
	w := []float32{1, 1, 2, 1, 3, 1}
	table, err := ReliabilityBetween(p, y, w, []float64{0.01, 0.05, 0.1, 0.3, 1})
	if err != nil {
		t.Fatal(err)
	}
	want := []models.Bin{ // by hand; nothing lies from 0.01 to 0.05
		{Low: 0, High: 0, Rows: 1, Weight: 1, Predicted: 0, Observed: 0},
		{Low: 0.0999, High: 0.0999, Rows: 1, Weight: 2, Predicted: 0.0999, Observed: 0},
		{Low: 0.1, High: 0.2, Rows: 2, Weight: 4, Predicted: 0.175, Observed: 0.25},
		{Low: 0.5, High: 0.5, Rows: 1, Weight: 1, Predicted: 0.5, Observed: 1},
		{Low: 1, High: 1, Rows: 1, Weight: 1, Predicted: 1, Observed: 1},
	}
	if len(table) != len(want) {
		t.Fatalf("%+v", table)
	}
	for i, b := range table {
		near(t, "predicted", b.Predicted, want[i].Predicted, 1e-8)
		b.Predicted = want[i].Predicted
		if b != want[i] {
			t.Errorf("bin %d: %+v, want %+v", i, b, want[i])
		}
	}
	for _, edges := range [][]float64{{0.2, 0.1}, {math.NaN()}} {
		if _, err := ReliabilityBetween(p, y, w, edges); err == nil {
			t.Errorf("edges %v: no error", edges)
		}
	}
}

func TestReliabilityHasEqualBins(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	p, y := make([]float64, 1000), make([]float32, 1000)
	for i := range p {
		p[i] = r.Float64()
		if r.Float64() < p[i] {
			y[i] = 1
		}
	}
	table, err := Reliability(p, y, nil, 10)
	if err != nil {
		t.Fatal(err)
	}
	for _, b := range table {
		if b.Rows != 100 {
			t.Errorf("a bin of %d rows", b.Rows)
		}
	}
	honest := models.ECE(table)
	for i := range p {
		p[i] *= p[i] // control: what is squared is no longer calibrated
	}
	if table, err = Reliability(p, y, nil, 10); err != nil {
		t.Fatal(err)
	}
	if squared := models.ECE(table); honest > 0.06 || squared < 0.1 {
		t.Errorf("ECE of true probabilities %g, of squared ones %g", honest, squared)
	}
}

func TestJudgesRefuse(t *testing.T) {
	nan := math.NaN()
	f := func(want string, errs ...error) {
		t.Helper()
		for _, err := range errs {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("error %v, want one that says %q", err, want)
			}
		}
	}
	all := func(x []float64, y, w []float32) []error {
		_, a := AUC(x, y, w)
		_, b := LogLoss(x, y, w)
		_, c := Reliability(x, y, w, 2)
		_, _, d := PlattFit(x, y, w)
		_, _, e := Isotonic(x, y, w)
		return []error{a, b, c, d, e}
	}
	f("2 scores for 1 labels", all([]float64{0, 1}, []float32{1}, nil)...)
	f("1 weights for 2 labels", all([]float64{0, 1}, []float32{0, 1}, []float32{1})...)
	f("label of row 1 is 0.5", all([]float64{0, 1}, []float32{0, 0.5}, nil)...)
	f("both classes", all([]float64{0, 1}, []float32{1, 1}, nil)...)
	f("both classes", all(nil, nil, nil)...)
	f("weight of row 0 is 0", all([]float64{0, 1}, []float32{0, 1}, []float32{0, 1})...)
	f("weight of row 1 is NaN", all([]float64{0, 1}, []float32{0, 1}, []float32{1, float32(nan)})...)
	f("not a", all([]float64{0, nan}, []float32{0, 1}, nil)...)
	_, err := LogLoss([]float64{0, 1.5}, []float32{0, 1}, nil)
	f("row 1: 1.5 is not a probability", err)
	_, err = Reliability([]float64{0, 1}, []float32{0, 1}, nil, 0)
	f("0 bins", err)
	_, _, err = RecallAtFPR([]float64{0, 1}, []float32{0, 1}, nan)
	f("not a share", err)
	_, _, err = RecallAtFPR([]float64{0, nan}, []float32{0, 1}, 0.5)
	f("not a number", err)
	_, _, err = Isotonic([]float64{0, math.Inf(1)}, []float32{0, 1}, nil)
	f("infinite", err)
	_, _, err = PlattFit([]float64{3, 3}, []float32{0, 1}, nil)
	f("all scores are alike", err)
}

func TestOrderOfRowsDoesNotMatter(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 8))
	scores, labels, _ := tied(r, 60, 9)
	auc, err := AUC(scores, labels, nil)
	if err != nil {
		t.Fatal(err)
	}
	table, err := Reliability(sigmoid(scores), labels, nil, 5)
	if err != nil {
		t.Fatal(err)
	}
	r.Shuffle(len(scores), func(i, j int) {
		scores[i], scores[j] = scores[j], scores[i]
		labels[i], labels[j] = labels[j], labels[i]
	})
	again, err := AUC(scores, labels, nil)
	if err != nil || again != auc {
		t.Errorf("AUC %g, shuffled %g, %v", auc, again, err)
	}
	shuffled, err := Reliability(sigmoid(scores), labels, nil, 5)
	if err != nil || !slices.Equal(table, shuffled) {
		t.Errorf("reliability %v, shuffled %v, %v", table, shuffled, err)
	}
}
