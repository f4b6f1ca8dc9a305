package feedback

import (
	"math"
	"math/rand/v2"
	"testing"
)

func near(t *testing.T, what string, got, want, within float64) {
	t.Helper()
	if !(math.Abs(got-want) <= within) {
		t.Errorf("%s is %v, want %v", what, got, want)
	}
}

// TestAveragePrecision: scikit-learn's example of average_precision_score, and its
// definition computed the slow way over every threshold.
func TestAveragePrecision(t *testing.T) {
	one := func(int32) float64 { return 1 }
	scores := []float64{0.1, 0.4, 0.35, 0.8}
	near(t, "average precision", averagePrecision(falling(scores), scores, []bool{false, false, true, true}, one), 0.8333333333333333, 1e-15)

	r := rand.New(rand.NewPCG(1, 2))
	for range 300 {
		n := 5 + r.IntN(40)
		scores, truth, weight := make([]float64, n), make([]bool, n), make([]float64, n)
		for i := range scores {
			scores[i], truth[i], weight[i] = float64(r.IntN(8)), r.IntN(3) == 0, float64(r.IntN(3))
		}
		truth[0], weight[0] = true, 1
		want, recalled, all := 0.0, 0.0, 0.0
		for i := range truth {
			if truth[i] {
				all += weight[i]
			}
		}
		for threshold := 7.0; threshold >= 0; threshold-- {
			var caught, above float64
			for i, s := range scores {
				if s >= threshold {
					above += weight[i]
					if truth[i] {
						caught += weight[i]
					}
				}
			}
			if above > 0 {
				want += (caught/all - recalled) * caught / above
				recalled = caught / all
			}
		}
		near(t, "average precision", averagePrecision(falling(scores), scores, truth, func(i int32) float64 { return weight[i] }), want, 1e-12)
	}
	if got := averagePrecision(falling(scores), scores, make([]bool, 4), one); !math.IsNaN(got) {
		t.Errorf("of no positive: %v", got)
	}
}

// TestCalibrationSlope: probabilities drawn from a logistic curve have the slope that
// they were bent by, and no error where they were not bent.
func TestCalibrationSlope(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	const n = 60_000
	told, truth, weight := make([]float64, n), make([]bool, n), make([]float64, n)
	for _, want := range []float64{0.5, 1, 2} {
		for i := range told {
			x := 2*r.NormFloat64() - 3
			told[i], weight[i] = 1/(1+math.Exp(-x)), 1
			truth[i] = r.Float64() < 1/(1+math.Exp(-want*x))
		}
		near(t, "slope", calibrationSlope(told, truth, weight), want, 0.05) // about four standard errors
		if ece := calibrationError(told, truth, weight); (ece < 0.008) != (want == 1) {
			t.Errorf("slope %v: calibration error %v", want, ece)
		}
	}
	if slope := calibrationSlope([]float64{0.2, 0.3, 0.4, 0.5}, []bool{false, false, true, true}, []float64{1, 1, 1, 1}); !math.IsNaN(slope) {
		t.Errorf("classes that are apart have slope %v", slope)
	}
}

// TestCalibrationError: three bins by hand.
func TestCalibrationError(t *testing.T) {
	p := []float64{0.1, 0.1, 0.1, 0.1, 0.5, 0.5, 0.8, 0.8}
	truth := []bool{true, false, false, false, true, false, true, true}
	want := (math.Abs(0.4-1) + math.Abs(1.0-1) + math.Abs(1.6-2)) / 8
	near(t, "ECE", calibrationError(p, truth, []float64{1, 1, 1, 1, 1, 1, 1, 1}), want, 1e-12)
}

// TestColumnPSI: the definition by hand, nothing where nothing moved, and much where a
// column went missing or moved.
func TestColumnPSI(t *testing.T) {
	nan := float32(math.NaN())
	draw := func(n int, f func(r *rand.Rand) float32) []float32 {
		r, out := rand.New(rand.NewPCG(uint64(n), 6)), make([]float32, n)
		for i := range out {
			out[i] = f(r)
		}
		return out
	}
	uniform := func(r *rand.Rand) float32 { return r.Float32() }
	near(t, "PSI of one source", columnPSI(draw(5000, uniform), draw(5001, uniform)), 0, 0.02)
	// 0 and 1 in halves, then in a quarter and three: (3/4-1/2) ln(3/2) + (1/4-1/2) ln(1/2).
	coin := func(one int) (out []float32) {
		for i := range 1000 {
			out = append(out, 0)
			if i < one {
				out[i] = 1
			}
		}
		return out
	}
	near(t, "PSI of a coin", columnPSI(coin(500), coin(750)), 0.25*math.Log(1.5)+0.25*math.Log(2), 1e-12)
	if psi := columnPSI(draw(5000, uniform), draw(5000, func(*rand.Rand) float32 { return nan })); psi < 5 {
		t.Errorf("PSI of a column that went missing is %v", psi)
	}
	if psi := columnPSI(draw(5000, uniform), draw(5000, func(r *rand.Rand) float32 { return r.Float32() + 0.5 })); psi < 1 {
		t.Errorf("PSI of a column that moved is %v", psi)
	}
	if psi := columnPSI(nil, coin(1)); psi != 0 {
		t.Errorf("PSI of nothing is %v", psi)
	}
}

// TestInterval: the bootstrap of a mean over users covers what the theory of a mean
// says, and rows of one user count as one.
func TestInterval(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 8))
	const users, each = 400, 5
	of := make([]float64, users) // all rows of a user are alike
	mean := 0.0
	for u := range of {
		of[u] = r.NormFloat64()
		mean += of[u] / users
	}
	variance := 0.0
	for _, x := range of {
		variance += (x - mean) * (x - mean) / (users - 1)
	}
	var samples []float64
	resampled(users, 2000, 1, func(drawn []uint8) {
		sum, n := 0.0, 0.0
		for u, times := range drawn {
			sum, n = sum+float64(times)*each*of[u], n+float64(times)*each
		}
		samples = append(samples, sum/n)
	})
	got, half := interval(mean, samples), 1.96*math.Sqrt(variance/users)
	near(t, "low end", got.Low, mean-half, half/8)
	near(t, "high end", got.High, mean+half, half/8)
	if got := interval(1, []float64{math.NaN()}); got != (Interval{1, 1, 1}) {
		t.Errorf("without a sample: %v", got)
	}
}
