package models

import (
	"bufio"
	"bytes"
	"fmt"
	"math"
	"math/bits"
	"math/rand/v2"

	"github.com/dmitryikh/leaves"
)

// oracleRows is the number of rows on which every loaded model must give the
// bits that leaves gives.
const oracleRows = 4096

// oracle answers with an independent reader and walk of the same text.
type oracle struct {
	model      *leaves.Ensemble
	row        []float64
	categories []bool // by feature
}

// newOracle loads a text that parse has accepted. leaves panics on some malformed
// texts; that is a refusal here. Three things it reads otherwise than LightGBM, and
// they are kept from it:
//
//   - It does not know version v4, whose tree blocks are those of v3 (linear trees,
//     which it gets wrong, parse has refused).
//   - It multiplies each tree of a random forest by one over their number, where
//     LightGBM's raw score is the sum, and its prediction divides that once. Here it
//     sees the forest as boosted trees.
//   - It looks a NaN up as category 0 on processors whose conversion makes it that,
//     unless the split's missing type is NaN. LightGBM sends it right always, as it
//     does a category below 0, which is what leaves is given.
func newOracle(text []byte, e *ensemble) (o *oracle, err error) {
	defer func() {
		if r := recover(); r != nil {
			o, err = nil, fmt.Errorf("load model into leaves: %v", r)
		}
	}()
	// Parse has seen that the first of these lines are in the header.
	if e.average {
		text = bytes.Replace(text, []byte("\naverage_output\n"), []byte("\n"), 1)
	}
	if e.version == "v4" {
		text = bytes.Replace(text, []byte("\nversion=v4\n"), []byte("\nversion=v3\n"), 1)
	}
	m, err := leaves.LGEnsembleFromReader(bufio.NewReader(bytes.NewReader(text)), false)
	if err != nil {
		return nil, fmt.Errorf("load model into leaves: %w", err)
	}
	if m.NEstimators() != len(e.trees) {
		return nil, fmt.Errorf("leaves reads %d trees, not %d", m.NEstimators(), len(e.trees))
	}
	o = &oracle{m, make([]float64, len(e.names)), make([]bool, len(e.names))}
	for i := range e.trees {
		for n, c := range e.trees[i].categories {
			if c != nil {
				o.categories[e.trees[i].feature[n]] = true
			}
		}
	}
	return o, nil
}

// raw returns the score of a row as leaves sees it.
func (o *oracle) raw(v []float32) float64 {
	for i, x := range v {
		o.row[i] = float64(x)
		if o.categories[i] && x != x {
			o.row[i] = -1
		}
	}
	return o.model.PredictSingle(o.row, 0)
}

// walk is one way of scoring a row.
type walk struct {
	name string
	raw  func(v []float32) float64
}

// check compares walks with the oracle, bit by bit, over so many rows.
func (o *oracle) check(e *ensemble, rows int, walks ...walk) error {
	g := newRowMaker(e)
	v := make([]float32, len(e.names))
	for i := range rows {
		g.fill(v)
		want := o.raw(v)
		for _, w := range walks {
			if got := w.raw(v); math.Float64bits(want) != math.Float64bits(got) {
				return fmt.Errorf("check model against leaves: row %d of %d: %s scores %v, leaves %v", i, rows, w.name, got, want)
			}
		}
	}
	return nil
}

// rowMaker makes rows that try the edges of an ensemble: half of them are led to
// a leaf, drawn anew each time, and all draw their values from the thresholds, the
// float32 values beside them, categories and what lies around them, both
// infinities, both zeros, NaN and the normal distribution. The same ensemble gets the same rows.
type rowMaker struct {
	rand  *rand.Rand
	trees []tree
	edges [][]float32 // by feature
	zeros []bool      // by feature: some split takes zero as missing
	tree  int
}

func newRowMaker(e *ensemble) *rowMaker {
	g := &rowMaker{rand: rand.New(rand.NewPCG(1, 2)), trees: e.trees}
	g.edges, g.zeros = make([][]float32, len(e.names)), make([]bool, len(e.names))
	down, up := float32(math.Inf(-1)), float32(math.Inf(1))
	for i := range e.trees {
		t := &e.trees[i]
		for n, f := range t.feature {
			g.zeros[f] = g.zeros[f] || t.missing[n] == missingZero
			if t.categories != nil && t.categories[n] != nil {
				g.edges[f] = appendCategories(g.edges[f], t.categories[n])
				continue
			}
			x := float32(t.threshold[n])
			g.edges[f] = append(g.edges[f], x, math.Nextafter32(x, down), math.Nextafter32(x, up))
		}
	}
	return g
}

// appendCategories appends members of a set and categories beside them, a fraction
// that is cut to one, and what is no category at all.
func appendCategories(to []float32, words []uint32) []float32 {
	to = append(to, float32(32*len(words)), -1, -0.5, 1<<31, -1<<31, 1<<32)
	for i, most := 0, 16; i < len(words) && most > 0; i++ {
		for w := words[i]; w != 0 && most > 0; w &= w - 1 {
			c := float32(32*i + bits.TrailingZeros32(w))
			to = append(to, c, c+1, c+0.75)
			most--
		}
	}
	return to
}

// fill writes the next row.
func (g *rowMaker) fill(v []float32) {
	for f := range v {
		v[f] = g.value(f)
	}
	g.tree++
	if g.tree%2 == 0 {
		g.lead(v, &g.trees[g.tree/2%len(g.trees)])
	}
}

func (g *rowMaker) value(f int) float32 {
	var x float32
	switch r := g.rand.IntN(32); {
	case r < 4:
		x = float32(math.NaN())
	case r < 5:
		x = float32(math.Inf(1))
	case r < 6:
		x = float32(math.Inf(-1))
	case r < 8:
		x = 0
	case r < 9:
		x = float32(math.Copysign(0, -1))
	case r < 24 && len(g.edges[f]) > 0:
		x = g.edges[f][g.rand.IntN(len(g.edges[f]))]
	default:
		x = float32(g.rand.NormFloat64() * math.Exp(4*g.rand.NormFloat64()))
	}
	// LightGBM's zero reaches to float32(1e-35), which leaves writes as the
	// float64 1e-35 and so misses by these two values.
	if g.zeros[f] && (float64(x) == zeroLimit || float64(x) == -zeroLimit) {
		x = 0
	}
	return x
}

// lead changes v so that it goes down t by coin toss wherever the earlier choices
// on its path leave both ways open.
func (g *rowMaker) lead(v []float32, t *tree) {
	if len(t.left) == 0 {
		return
	}
	fixed := make(map[int32]bool)
	for n := int32(0); n >= 0; {
		f := t.feature[n]
		left := t.goesLeft(n, float64(v[f]))
		if want := g.rand.IntN(2) == 0; want != left && !fixed[f] {
			for range 8 {
				old := v[f]
				v[f] = g.value(int(f))
				if left = t.goesLeft(n, float64(v[f])); left == want {
					break
				}
				v[f] = old
			}
			left = t.goesLeft(n, float64(v[f]))
		}
		fixed[f] = true
		if left {
			n = t.left[n]
		} else {
			n = t.right[n]
		}
	}
}
