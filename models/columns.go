package models

import (
	"cmp"
	"math"
	"slices"
)

// maxRank is the greatest number of thresholds that one byte can tell apart, besides
// a missing value.
const maxRank = 254

// column is one byte of a row as the mask kernels read it: how many of thresholds
// are below the feature's value, plus one; 0 where the value is missing and the
// split's default side decides. A feature has one column for each missing type, and
// more where it has more than maxRank thresholds.
type column struct {
	feature    int32
	missing    uint8
	thresholds []float32 // rising
}

// source names what a column's bytes come from.
type source struct {
	feature int32
	missing uint8
}

// columns are the columns of an ensemble, those with the most thresholds first.
type columns struct {
	all []column
	of  map[source][]int // indexes in all, by rising thresholds
}

func newColumns(e *ensemble) *columns {
	thresholds := make(map[source][]float32)
	for i := range e.trees {
		t := &e.trees[i]
		for n, f := range t.feature {
			s := source{f, t.missing[n]}
			thresholds[s] = append(thresholds[s], floorFloat(t.threshold[n]))
		}
	}
	c := &columns{of: make(map[source][]int)}
	for s, all := range thresholds {
		slices.Sort(all)
		for part := range slices.Chunk(slices.Compact(all), maxRank) {
			c.all = append(c.all, column{s.feature, s.missing, part})
		}
	}
	slices.SortFunc(c.all, func(a, b column) int {
		return cmp.Or(cmp.Compare(len(b.thresholds), len(a.thresholds)), cmp.Compare(a.feature, b.feature),
			cmp.Compare(a.missing, b.missing), cmp.Compare(a.thresholds[0], b.thresholds[0]))
	})
	for i := range c.all {
		s := source{c.all[i].feature, c.all[i].missing}
		c.of[s] = append(c.of[s], i)
	}
	for _, of := range c.of {
		slices.SortFunc(of, func(a, b int) int { return cmp.Compare(c.all[a].thresholds[0], c.all[b].thresholds[0]) })
	}
	return c
}

// find returns the column that node n of t compares, and the index of its threshold.
func (c *columns) find(t *tree, n int) (column, index int) {
	x := floorFloat(t.threshold[n])
	of := c.of[source{t.feature[n], t.missing[n]}]
	for len(of) > 1 && c.all[of[1]].thresholds[0] <= x {
		of = of[1:]
	}
	index, _ = slices.BinarySearch(c.all[of[0]].thresholds, x)
	return of[0], index
}

// floorFloat returns the greatest float32 that is <= t; x <= t and x <= floorFloat(t)
// are the same for every float32 x.
func floorFloat(t float64) float32 {
	f := float32(t)
	if float64(f) > t {
		f = math.Nextafter32(f, float32(math.Inf(-1)))
	}
	return f + 0 // -0 + 0 is +0
}
