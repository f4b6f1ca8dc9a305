package feedback

import (
	"cmp"
	"math"
	"math/rand/v2"
	"slices"
)

// Interval is a figure and where 95 of 100 resamples of the users lie: the 2.5th and
// the 97.5th percentile of the bootstrap (Efron 1979).
type Interval struct{ Value, Low, High float64 }

// averagePrecision returns the area under the precision-recall curve as the mean
// precision at each positive, by weight: the sum over thresholds of the precision times
// the step in recall. order are the rows by falling score; equal scores are one
// threshold. NaN where there is no positive.
func averagePrecision(order []int32, scores []float64, positive []bool, weight func(i int32) float64) float64 {
	var caught, all, sum float64
	for start := 0; start < len(order); {
		end, pos, neg := start, 0.0, 0.0
		for ; end < len(order) && scores[order[end]] == scores[order[start]]; end++ {
			if w := weight(order[end]); positive[order[end]] { // a weight of 0 changes nothing
				pos += w
			} else {
				neg += w
			}
		}
		caught, all = caught+pos, all+pos+neg
		if pos > 0 {
			sum += pos * caught / all
		}
		start = end
	}
	return sum / caught // 0/0 is NaN
}

// falling returns the rows by falling score.
func falling(scores []float64) []int32 {
	order := make([]int32, len(scores))
	for i := range order {
		order[i] = int32(i)
	}
	slices.SortFunc(order, func(a, b int32) int { return cmp.Or(cmp.Compare(scores[b], scores[a]), cmp.Compare(a, b)) })
	return order
}

// resampled calls draw with how often each user was drawn: users with replacement, as
// many as there are, since the rows of one are not independent. The same seed draws
// the same.
func resampled(users, times int, seed uint64, draw func(drawn []uint8)) {
	r := rand.New(rand.NewPCG(seed, 0x67617465))
	drawn := make([]uint8, users)
	for range times {
		clear(drawn)
		for range users {
			if n := &drawn[r.IntN(users)]; *n < math.MaxUint8 {
				*n++
			}
		}
		draw(drawn)
	}
}

// interval gives a figure its ends. Resamples that could not tell it, NaN, are left out.
func interval(value float64, samples []float64) Interval {
	samples = slices.DeleteFunc(samples, math.IsNaN)
	if len(samples) == 0 {
		return Interval{value, value, value}
	}
	slices.Sort(samples)
	at := func(q float64) float64 { return samples[int(math.Round(q*float64(len(samples)-1)))] }
	return Interval{value, at(0.025), at(0.975)}
}

// calibrationError returns the expected calibration error over bins of the probability
// that are a factor of two of the odds wide: bins of one width would hold all but a
// few rows in the first, since fraud is rare.
func calibrationError(p []float64, positive []bool, weight []float64) float64 {
	type bin struct{ predicted, observed float64 }
	bins := map[int]*bin{}
	total := 0.0
	for i, x := range p {
		n := int(math.Floor(math.Log2(x / (1 - x))))
		b := bins[n]
		if b == nil {
			b = &bin{}
			bins[n] = b
		}
		b.predicted += weight[i] * x
		if positive[i] {
			b.observed += weight[i]
		}
		total += weight[i]
	}
	sum := 0.0
	for _, b := range bins {
		sum += math.Abs(b.predicted - b.observed)
	}
	return sum / total
}

// calibrationSlope returns a of the logistic regression of the truth on a*log-odds+b
// (Cox 1958): 1 where the log-odds mean what they say, below it where they are too
// sure. NaN where no minimum is found: the classes are apart, or all alike.
func calibrationSlope(p []float64, positive []bool, weight []float64) float64 {
	a, b := 1.0, 0.0
	for range 50 {
		var ga, gb, haa, hab, hbb float64
		for i, q := range p {
			x := math.Log(q / (1 - q))
			s := 1 / (1 + math.Exp(-(a*x + b)))
			d := s
			if positive[i] {
				d = s - 1
			}
			w, h := weight[i], weight[i]*s*(1-s)
			ga, gb = ga+w*d*x, gb+w*d
			haa, hab, hbb = haa+h*x*x, hab+h*x, hbb+h
		}
		det := haa*hbb - hab*hab
		if !(det > 1e-12*haa*hbb) {
			return math.NaN()
		}
		da, db := -(hbb*ga-hab*gb)/det, -(haa*gb-hab*ga)/det
		// Far from the minimum Newton's step is too long: at most 1 of the slope, 5 of the
		// intercept.
		if far := max(math.Abs(da), math.Abs(db)/5, 1); far > 1 {
			da, db = da/far, db/far
		}
		a, b = a+da, b+db
		if math.Abs(da) < 1e-9 && math.Abs(db) < 1e-9 {
			return a
		}
	}
	return math.NaN()
}

// psiParts are the parts of a column that is compared: tenths of the first sample.
const psiParts = 10

// columnPSI returns the population stability index of a column between two samples
// (Siddiqi 2006): the sum over bins of (q-p)*ln(q/p). Bins are the tenths of the first,
// each value between two of them, which many rows may share, and what is missing. Below 0.1 nothing
// has moved, above 0.25 much has. before is sorted in place.
func columnPSI(before, after []float32) float64 {
	if len(before) == 0 || len(after) == 0 {
		return 0
	}
	missing := len(before)
	before = slices.DeleteFunc(before, func(x float32) bool { return x != x })
	missing -= len(before)
	slices.Sort(before)
	var edges []float32 // each is the least of its bin
	for k := 1; k < psiParts && len(before) > 0; k++ {
		if e := before[len(before)*k/psiParts]; len(edges) == 0 || e >= edges[len(edges)-1] {
			edges = append(edges, e, math.Nextafter32(e, math.MaxFloat32))
		}
	}
	const unknown = 2*psiParts - 1
	count := func(values []float32) (n [unknown + 1]float64) {
		for _, x := range values {
			if x != x {
				n[unknown]++
				continue
			}
			at, exact := slices.BinarySearch(edges, x)
			if exact {
				at++ // an edge belongs to the bin above it
			}
			n[at]++
		}
		return n
	}
	p, q := count(before), count(after)
	p[unknown] = float64(missing)
	sum := 0.0
	for i := range p {
		if p[i] == 0 && q[i] == 0 {
			continue
		}
		// Half a row where there is none: the logarithm of nothing is infinite.
		a := max(p[i], 0.5) / float64(len(before)+missing)
		b := max(q[i], 0.5) / float64(len(after))
		sum += (b - a) * math.Log(b/a)
	}
	return sum
}
