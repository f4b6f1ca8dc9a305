package feedback

import (
	"math"
	"math/big"
	"math/rand/v2"
	"testing"
)

// TestMoreThanHalf: the closed form is the integral that it stands for, computed by
// Simpson's rule, and by exact arithmetic.
func TestMoreThanHalf(t *testing.T) {
	for _, c := range [][2]int{{0, 0}, {1, 0}, {0, 1}, {7, 0}, {6, 0}, {5, 3}, {20, 11}, {3, 30}} {
		won, lost := c[0], c[1]
		f := func(p float64) float64 {
			return 2 * math.Pow(p, float64(won)) * math.Pow(1-p, float64(lost)) * math.Pow(2, float64(won+lost))
		}
		const parts = 2000
		h, want := 0.5/parts, f(0.5)+f(1)
		for i := 1; i < parts; i++ {
			want += f(0.5+float64(i)*h) * float64(2+2*(i%2))
		}
		want *= h / 3
		near(t, "integral", moreThanHalf(won, lost)/want, 1, 1e-6)

		n, sum, choose := int64(won+lost), new(big.Int), new(big.Int)
		for k := int64(0); k <= int64(won); k++ {
			sum.Add(sum, choose.Binomial(n+1, k))
		}
		exact, _ := new(big.Rat).SetFrac(sum, choose.Mul(choose.Binomial(n, int64(won)), big.NewInt(n+1))).Float64()
		near(t, "exact", moreThanHalf(won, lost)/exact, 1, 1e-9)
	}
	if moreThanHalf(6, 0) >= 20 || moreThanHalf(7, 0) < 20 {
		t.Error("seven wins in a row are evidence at 5 %, six are not: (2^(n+1)-1)/(n+1)")
	}
	if x := moreThanHalf(5000, 0); math.IsInf(x, 0) {
		t.Error("the evidence is not finite")
	}
}

// simulate lets so many streams of disagreements be looked at after each, and returns
// in which share of them the evidence was ever enough.
func simulate(seed uint64, streams, length int, win float64, enough func(won, lost int) bool) float64 {
	r, found := rand.New(rand.NewPCG(seed, 10)), 0
	for range streams {
		won, lost := 0, 0
		for range length {
			if r.Float64() < win {
				won++
			} else {
				lost++
			}
			if enough(won, lost) {
				found++
				break
			}
		}
	}
	return float64(found) / float64(streams)
}

// TestErrorOfTheSequentialTest: however often one looks, a challenger that is no better
// is called better in at most 5 % of the cases, and one that is better is found. The
// control is the test of a fixed size at the same level, looked at as often.
func TestErrorOfTheSequentialTest(t *testing.T) {
	sequential := func(won, lost int) bool { return moreThanHalf(won, lost) >= 20 }
	fixed := func(won, lost int) bool { // McNemar's, one-sided at 5 %
		n := float64(won + lost)
		return n >= 10 && (float64(won-lost)-1)/math.Sqrt(n) > 1.645
	}
	const streams, length = 3000, 300
	for _, win := range []float64{0.5, 0.45} {
		if share := simulate(1, streams, length, win, sequential); share > 0.05+0.012 { // three standard errors
			t.Errorf("a challenger that wins %v of the disagreements is called better in %.3f of the streams", win, share)
		}
	}
	if share := simulate(1, streams, length, 0.5, fixed); share < 0.15 {
		t.Errorf("the control errs in %.3f of the streams: the test shows nothing", share)
	}
	if share := simulate(2, streams, length, 0.7, sequential); share < 0.95 {
		t.Errorf("a challenger that wins 0.7 of the disagreements is found in %.3f of the streams", share)
	}
}

// TestErrorOfHarmless: a challenger that newly challenges exactly the share that is
// allowed is called harmless in at most 5 % of the cases, one far below nearly always.
func TestErrorOfHarmless(t *testing.T) {
	harmless := func(hits, misses int) bool { return ratio(hits, hits+misses, 0.02, 0.01) >= 20 }
	if share := simulate(3, 2000, 3000, 0.02, harmless); share > 0.05+0.015 { // three standard errors
		t.Errorf("called harmless in %.3f of the streams", share)
	}
	if share := simulate(4, 2000, 3000, 0.004, harmless); share < 0.99 {
		t.Errorf("found harmless in %.3f of the streams", share)
	}
	// Wald's ratio by hand: 1 hit of 3.
	near(t, "ratio", ratio(1, 3, 0.2, 0.1), 0.5*math.Pow(0.9/0.8, 2), 1e-12)
}
