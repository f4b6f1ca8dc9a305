package evaluation

import (
	"cmp"
	"math"
	"slices"
	"sort"
)

// Cut is a threshold: what scores above it is challenged, and of what scores the
// same, the share Lot by lot, so that a wanted share is met exactly also by a rule
// of yes or no.
type Cut struct {
	Score float64
	Lot   float64
}

// Challenged returns how likely an attempt of that score is challenged.
func (c Cut) Challenged(score float64) float64 {
	switch {
	case score > c.Score:
		return 1
	case score == c.Score:
		return c.Lot
	}
	return 0
}

// curve is what a threshold at each distinct score challenges, the highest score
// first: weights of honest attempts and of takeovers at or above it.
type curve struct {
	scores            []float64
	honest, takeovers []float64
}

// curve returns the curve of a score over rows. times, unless nil, multiplies the
// weight of each user's rows: a resample of the bootstrap.
func (s *Set) curve(score int, rows []int32, times func(user uint64) float64) *curve {
	return s.sorted(s.order(score, rows), score, times)
}

// order returns rows by falling score.
func (s *Set) order(score int, rows []int32) []int32 {
	v := s.Scores[score].Values
	rows = slices.Clone(rows)
	slices.SortFunc(rows, func(i, j int32) int { return cmp.Or(cmp.Compare(v[j], v[i]), cmp.Compare(i, j)) })
	return rows
}

func (s *Set) sorted(order []int32, score int, times func(user uint64) float64) *curve {
	c := &curve{}
	v := s.Scores[score].Values
	honest, takeovers := 0.0, 0.0
	for n, i := range order {
		r := &s.Rows[i]
		w := float64(r.Weight)
		if times != nil {
			w *= times(r.User)
		}
		if r.Takeover {
			takeovers += w
		} else {
			honest += w
		}
		if n+1 == len(order) || v[order[n+1]] != v[i] {
			c.scores, c.honest, c.takeovers = append(c.scores, v[i]), append(c.honest, honest), append(c.takeovers, takeovers)
		}
	}
	return c
}

// totals returns the weight of all honest attempts and of all takeovers.
func (c *curve) totals() (honest, takeovers float64) {
	if len(c.scores) == 0 {
		return 0, 0
	}
	return c.honest[len(c.honest)-1], c.takeovers[len(c.takeovers)-1]
}

// at finds the first score at which more than a share of the honest attempts would
// be challenged, the part of its ties that still fit, and what is above it.
func (c *curve) at(share float64) (i int, lot, honestAbove, takeoversAbove float64) {
	total, _ := c.totals()
	budget := share * total
	i = sort.Search(len(c.honest), func(i int) bool { return c.honest[i] > budget })
	if i == len(c.honest) {
		i--
	}
	if i > 0 {
		honestAbove, takeoversAbove = c.honest[i-1], c.takeovers[i-1]
	}
	lot = 1
	if here := c.honest[i] - honestAbove; here > 0 {
		lot = min((budget-honestAbove)/here, 1)
	}
	return i, lot, honestAbove, takeoversAbove
}

// cut returns the threshold that challenges a share of the honest attempts.
func (c *curve) cut(share float64) Cut {
	i, lot, _, _ := c.at(share)
	return Cut{c.scores[i], lot}
}

// caught returns the share of the takeovers challenged at that cut.
func (c *curve) caught(share float64) float64 {
	i, lot, _, above := c.at(share)
	_, total := c.totals()
	return (above + lot*(c.takeovers[i]-above)) / total
}

// auc returns the area under the ROC curve, a tie counting as half.
func (c *curve) auc() float64 {
	honest, takeovers := c.totals()
	area, h, t := 0.0, 0.0, 0.0
	for i := range c.scores {
		area += (c.takeovers[i] - t) * (honest - (h+c.honest[i])/2)
		h, t = c.honest[i], c.takeovers[i]
	}
	return area / (honest * takeovers)
}

// precisionAt returns the share of takeovers among the challenged, at a share of
// takeovers among all.
func precisionAt(prior, caught, challenged float64) float64 {
	hit := prior * caught
	if hit == 0 {
		return 0
	}
	return hit / (hit + (1-prior)*challenged)
}

// precision returns the average precision: the mean of the precision at each
// takeover found.
func (c *curve) precision(prior float64) float64 {
	honest, takeovers := c.totals()
	sum, before := 0.0, 0.0
	for i := range c.scores {
		sum += (c.takeovers[i] - before) / takeovers * precisionAt(prior, c.takeovers[i]/takeovers, c.honest[i]/honest)
		before = c.takeovers[i]
	}
	return sum
}

// Where curves are drawn: shares of honest attempts challenged, twelve a decade
// from one in ten thousand to all.
func grid() (shares []float64) {
	for i := -48; i <= 0; i++ {
		shares = append(shares, math.Pow(10, float64(i)/12))
	}
	return shares
}

// points returns the ROC curve on the grid.
func (c *curve) points() (points []Point) {
	for _, share := range grid() {
		points = append(points, Point{share, c.caught(share)})
	}
	return points
}

// precisions returns the precision (Y) at each share of takeovers caught (X), on
// the grid.
func (c *curve) precisions(prior float64) (points []Point) {
	for _, share := range grid() {
		caught := c.caught(share)
		points = append(points, Point{caught, precisionAt(prior, caught, share)})
	}
	return points
}

// PSI is the population stability index of values now against the deciles of
// values before: the sum of (share now - share before) * ln(share now / share
// before). Below 0.1 scores lie as before, above 0.25 thresholds mean something
// else. An empty bin counts as half a row; deciles that fall together make one bin.
func PSI(before, now []float64) float64 {
	sorted := slices.Sorted(slices.Values(before))
	var edges []float64
	for i := 1; i < 10; i++ {
		if e := sorted[i*len(sorted)/10]; e > sorted[0] && (len(edges) == 0 || e > edges[len(edges)-1]) {
			edges = append(edges, e)
		}
	}
	was, is := binned(edges, before), binned(edges, now)
	sum := 0.0
	for i := range is {
		sum += (is[i] - was[i]) * math.Log(is[i]/was[i])
	}
	return sum
}

// binned returns the share of values in each bin; an edge belongs to the bin above
// it.
func binned(edges, values []float64) []float64 {
	out := make([]float64, len(edges)+1)
	for _, v := range values {
		out[sort.Search(len(edges), func(i int) bool { return v < edges[i] })]++
	}
	for i := range out {
		out[i] = max(out[i], 0.5) / float64(len(values))
	}
	return out
}
