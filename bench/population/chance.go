package population

import (
	"math"
	"sort"
)

// chance reports true with probability p.
func (r *run) chance(p float64) bool { return r.Float64() < p }

// between draws evenly from [a, b).
func (r *run) between(a, b float64) float64 { return a + r.Float64()*(b-a) }

// logNormal draws a value of the median whose logarithm has the deviation sigma.
func (r *run) logNormal(median, sigma float64) float64 {
	return median * math.Exp(sigma*r.NormFloat64())
}

// poisson draws a count of the mean (Knuth; a rounded normal where it is large).
func (r *run) poisson(mean float64) int {
	if mean > 30 {
		return max(0, int(math.Round(mean+math.Sqrt(mean)*r.NormFloat64())))
	}
	n, p := 0, r.Float64()
	for limit := math.Exp(-mean); p > limit; n++ {
		p *= r.Float64()
	}
	return n
}

// skewed draws an index below n, of which low ones come more often: the square
// of an even draw, so that half of all draws fall on the first quarter.
func (r *run) skewed(n int) int {
	u := r.Float64()
	return int(u * u * float64(n))
}

// cumulated are rising sums of weights.
type cumulated []float64

func (c cumulated) add(weight float64) cumulated {
	if len(c) > 0 {
		weight += c[len(c)-1]
	}
	return append(c, weight)
}

// pick draws an index by its weight; there must be one.
func (r *run) pick(c cumulated) int {
	return min(sort.SearchFloat64s(c, r.Float64()*c[len(c)-1]), len(c)-1)
}

func weights(w ...float64) (c cumulated) {
	for _, x := range w {
		c = c.add(x)
	}
	return c
}

// choose draws one of a list that is not empty.
func choose[T any](r *run, list []T) T { return list[r.IntN(len(list))] }
