package train

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/waryauth/wary/models"
)

func TestPlattFitAgainstOtherMinimisers(t *testing.T) {
	f := func(w []float32, wantA, wantB float64) {
		t.Helper()
		a, b, err := PlattFit(sampleRaw, sampleLabel, w)
		if err != nil {
			t.Fatal(err)
		}
		near(t, "a", a, wantA, 2e-7)
		near(t, "b", b, wantB, 2e-7)
	}
	f(nil, 0.39919742, -0.31111196) // scikit-learn
	f(sampleWeight, 0.73235286, -0.38999085)
}

func TestPlattFitFindsWhatWasDrawn(t *testing.T) {
	r := rand.New(rand.NewPCG(9, 10))
	raw, y := make([]float64, 50_000), make([]float32, 50_000)
	for i := range raw {
		raw[i] = 3 * r.NormFloat64()
		if r.Float64() < 1/(1+math.Exp(-(0.7*raw[i]-2))) {
			y[i] = 1
		}
	}
	a, b, err := PlattFit(raw, y, nil)
	if err != nil {
		t.Fatal(err)
	}
	near(t, "a", a, 0.7, 0.03) // four standard errors
	near(t, "b", b, -2, 0.08)

	for i := range raw {
		raw[i] = -1e4*raw[i] + 3e4 // the scale and sign of raw do not matter
	}
	c, d, err := PlattFit(raw, y, nil)
	if err != nil {
		t.Fatal(err)
	}
	near(t, "rescaled a", c*-1e4, a, 1e-6)
	near(t, "rescaled b", d+c*3e4, b, 1e-6)
}

func TestPlattFitOfSeparatedClasses(t *testing.T) {
	// Without smoothed targets a would grow for ever.
	a, b, err := PlattFit([]float64{-1, -1, 1, 1}, []float32{0, 0, 1, 1}, nil)
	if err != nil {
		t.Fatal(err)
	}
	near(t, "a", a, math.Log(3), 1e-8) // a+b = log-odds of 3/4, b-a of 1/4
	near(t, "b", b, 0, 1e-8)
}

func TestIsotonicAgainstScikitLearn(t *testing.T) {
	at := []float64{-9, -2.5, -1.75, -1, -0.5, 0, 0.25, 1, 1.2, 2, 2.6, 3, 9}
	f := func(w []float32, want ...float64) {
		t.Helper()
		x, p, err := Isotonic(sampleRaw, sampleLabel, w)
		if err != nil {
			t.Fatal(err)
		}
		for i, v := range at {
			near(t, "isotonic", between(x, p, v), want[i], 1e-12)
		}
	}
	f(nil, 0, 0, 0.16666666666666666, 0.3333333333333333, 0.4, 0.4, 0.4, 0.5, 0.5666666666666667, 0.6666666666666666, 0.7333333333333334, 1, 1)
	f(sampleWeight, 0, 0, 0.05555555555555555, 0.1111111111111111, 0.38461538461538464, 0.38461538461538464, 0.38461538461538464,
		0.8, 0.8133333333333334, 0.8333333333333334, 0.8666666666666667, 1, 1)
}

// between joins points by straight lines, flat beyond them.
func between(x, p []float64, at float64) float64 {
	for i := range x {
		switch {
		case at <= x[i] && i == 0, at == x[i]:
			return p[i]
		case at < x[i]:
			return p[i-1] + (p[i]-p[i-1])*(at-x[i-1])/(x[i]-x[i-1])
		}
	}
	return p[len(p)-1]
}

// The least-squares fit has a closed form: at the i-th score, the largest over
// j <= i of the smallest over k >= i of the mean from j to k (Robertson, Wright
// and Dykstra 1988).
func TestIsotonicIsTheMaxOfMins(t *testing.T) {
	r := rand.New(rand.NewPCG(11, 12))
	for range 200 {
		raw, y, w := tied(r, 3+r.IntN(30), 2+r.IntN(12))
		if raw[0] == raw[1] {
			raw[1]++
		}
		x, p, err := Isotonic(raw, y, w)
		if err != nil {
			t.Fatal(err)
		}
		for i := 1; i < len(x); i++ {
			if x[i] <= x[i-1] || p[i] < p[i-1] {
				t.Fatalf("points %v %v do not rise", x, p)
			}
		}
		for _, v := range raw {
			highest := math.Inf(-1)
			for _, low := range raw {
				lowest := math.Inf(1)
				for _, high := range raw {
					if low <= v && v <= high {
						lowest = min(lowest, mean(raw, y, w, low, high))
					}
				}
				if low <= v {
					highest = max(highest, lowest)
				}
			}
			near(t, "isotonic", between(x, p, v), highest, 1e-12)
		}
	}
}

func mean(raw []float64, y, w []float32, low, high float64) float64 {
	var sum, total float64
	for i, v := range raw {
		if low <= v && v <= high {
			sum, total = sum+float64(w[i]*y[i]), total+float64(w[i])
		}
	}
	return sum / total
}

func TestPriorShift(t *testing.T) {
	f := func(truth, train, want float64) {
		t.Helper()
		got, err := PriorShift(truth, train)
		if err != nil {
			t.Fatal(err)
		}
		near(t, "shift", got, want, 1e-12)
	}
	f(0.5, 0.5, 0)
	f(0.5, 0.75, -math.Log(3))
	f(1.0/11, 0.5, -math.Log(10))

	// Bayes: a score that twice as many positives reach has odds 2 where both classes
	// are even, and 2*p/(1-p) where the share of positives is p.
	shift, err := PriorShift(0.02, 0.5)
	if err != nil {
		t.Fatal(err)
	}
	near(t, "odds", math.Exp(math.Log(2)+shift), 2*0.02/0.98, 1e-12)

	for _, bad := range [][2]float64{{0, 0.5}, {0.5, 0}, {1, 0.5}, {0.5, 1}, {math.NaN(), 0.5}, {0.5, -1}} {
		if _, err := PriorShift(bad[0], bad[1]); err == nil {
			t.Errorf("prior shift of %v: no error", bad)
		}
	}
}

func TestShare(t *testing.T) {
	f := func(w []float32, positiveWeight, want float64) {
		t.Helper()
		got, err := Share([]float32{1, 0, 0, 1}, w, positiveWeight)
		if err != nil {
			t.Fatal(err)
		}
		near(t, "share", got, want, 1e-15)
	}
	f(nil, 0, 0.5)
	f(nil, 3, 0.75)
	f([]float32{1, 2, 4, 2}, 0, 3.0/9)
	f([]float32{1, 2, 4, 2}, 2, 6.0/12)
	for _, bad := range []float64{-1, math.NaN(), math.Inf(1)} {
		if _, err := Share([]float32{1, 0}, nil, bad); err == nil {
			t.Errorf("positive weight %g: no error", bad)
		}
	}
	if _, err := Share([]float32{1, 1}, nil, 0); err == nil {
		t.Error("one class: no error")
	}
}

// Rows drawn from a logistic curve are Platt's; rows drawn from a staircase are
// not, and isotonic regression finds its steps.
func TestCalibrateChooses(t *testing.T) {
	r := rand.New(rand.NewPCG(51, 52))
	draw := func(n int, p func(raw float64) float64) (raw []float64, y, w []float32) {
		for range n {
			x := 3 * r.NormFloat64()
			raw, y, w = append(raw, x), append(y, 0), append(w, 2)
			if r.Float64() < p(x) {
				y[len(y)-1] = 1
			}
		}
		return raw, y, w
	}
	logistic := func(x float64) float64 { return 1 / (1 + math.Exp(-(0.8*x - 1))) }
	stairs := func(x float64) float64 {
		switch {
		case x < -1:
			return 0.02
		case x < 2:
			return 0.3
		}
		return 0.35
	}
	f := func(want string, n int, p func(float64) float64, tolerance float64) {
		t.Helper()
		c, losses, err := Calibrate(draw(n, p))
		if err != nil {
			t.Fatal(err)
		}
		if c.Kind != want || losses[want] == 0 || losses[want] > math.Min(losses[models.Platt], losses[models.Isotonic])+0.002 {
			t.Errorf("%s with losses %v, want %s", c.Kind, losses, want)
		}
		for _, x := range []float64{-4, -2, 0, 1, 3, 5} {
			near(t, want, c.Probability(x), p(x), tolerance)
		}
		last := 0.0
		for x := -12.0; x < 12; x += 1.0 / 16 {
			if p := c.Probability(x); p < last || p <= 0 || p >= 1 {
				t.Fatalf("%s: %g at %g after %g", want, p, x, last)
			} else {
				last = p
			}
		}
	}
	f(models.Platt, 20_000, logistic, 0.03)
	f(models.Isotonic, 20_000, stairs, 0.06)

	// The losses are those of an outside measure: the entropy of the truth is the least.
	raw, y, w := draw(20_000, logistic)
	_, losses, err := Calibrate(raw, y, w)
	if err != nil {
		t.Fatal(err)
	}
	truth := make([]float64, len(raw))
	for i, x := range raw {
		truth[i] = logistic(x)
	}
	least, err := LogLoss(truth, y, w)
	if err != nil {
		t.Fatal(err)
	}
	near(t, "Platt's held-out loss", losses[models.Platt], least, 0.001)

	// Few of a class: nothing to choose by.
	c, losses, err := Calibrate(sampleRaw, sampleLabel, nil)
	if err != nil || c.Kind != models.Platt || losses != nil {
		t.Errorf("16 rows: %+v, %v, %v", c, losses, err)
	}
	near(t, "a", c.A, 0.39919742, 2e-7) // scikit-learn
	for i := range sampleRaw {
		raw[i] = -sampleRaw[i]
	}
	if _, _, err := Calibrate(raw[:16], sampleLabel, nil); err == nil {
		t.Error("a score that ranks the wrong way round: no error")
	}
}

// An isotonic fit never says never: its ends hold Platt's smoothed targets.
func TestIsotonicEnds(t *testing.T) {
	c, err := fitIsotonic([]float64{0, 1, 2, 3, 4}, []float32{0, 0, 0, 1, 1}, nil)
	if err != nil {
		t.Fatal(err)
	}
	near(t, "low", c.Probability(-9), 1.0/5, 1e-12) // 3 negatives: 1/(3+2)
	near(t, "high", c.Probability(9), 3.0/4, 1e-12) // 2 positives: (2+1)/(2+2)
}
