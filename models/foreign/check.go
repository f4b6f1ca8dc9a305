package foreign

import (
	"encoding/binary"
	"fmt"
	"math"

	"github.com/waryauth/wary/models"
)

// Check is what a file of any library says of itself, and how its scores compare with
// given ones: Inspect makes it, Compare fills Rows.
type Check struct {
	Format    string     `json:"format"`         // with the version: "lightgbm v4"
	Boosting  string     `json:"boosting"`       // gbdt, dart, goss, rf, or leaves' name of another library's
	Objective string     `json:"objective"`      // as the file has it; empty where nothing reads it
	Trees     int        `json:"trees"`          // all
	Leaves    int        `json:"leaves"`         // of all trees
	Largest   int        `json:"largest_tree"`   // its leaves
	Features  int        `json:"features"`       // values of a row
	Kernels   []string   `json:"kernels"`        // the first serves
	Engine    string     `json:"engine"`         // empty, or why the daemon would not serve it
	Rows      *Rows      `json:"rows,omitempty"` // what was given
	Checked   string     `json:"-"`              // what it was compared with by itself, in words
	scorers   []rowScore // of the kernels
	tolerant  bool       // another library's: its sums are not ours
}

// rowScore scores a row.
type rowScore func(row []float32) (float64, error)

// Rows compares given rows with given scores.
type Rows struct {
	Rows      int     `json:"rows"`
	Equal     []int   `json:"equal"`              // bit for bit, by kernel
	Largest   float64 `json:"largest_difference"` // of any kernel
	Different int     `json:"different"`          // rows that are not as they should be by some kernel
	First     string  `json:"first,omitempty"`    // the first of these
}

// tolerance is how far, relative to the larger of 1 and the score, another
// library's score may lie from that of leaves: sums of float32 against float64.
const tolerance = 1e-5

// Inspect reads a model and compares it with what it can be compared with by itself.
func Inspect(file []byte) (*Check, error) {
	if FormatOf(file) != LightGBM {
		return inspectForeign(file)
	}
	e, err := models.Inspect(file)
	if err != nil {
		return nil, err
	}
	if err := e.Verify(); err != nil {
		return nil, err
	}
	c := &Check{Format: "lightgbm " + e.Version(), Boosting: e.Boosting(), Objective: e.Objective(), Trees: e.Trees(), Features: e.Features(), Kernels: e.Kernels()}
	c.Leaves, c.Largest = e.Leaves()
	c.Checked = "4096 rows of its own: every kernel gives the bits of leaves"
	if err := e.Fits(); err != nil {
		c.Engine = err.Error()
	}
	for _, kernel := range c.Kernels {
		score := e.Scorer(kernel)
		c.scorers = append(c.scorers, func(row []float32) (float64, error) { return score(row), nil })
	}
	return c, nil
}

func inspectForeign(file []byte) (*Check, error) {
	f, err := Read(file)
	if err != nil {
		return nil, err
	}
	c := &Check{Format: string(FormatOf(file)), Boosting: f.Name(), Trees: f.Trees(), Features: f.Features(), Kernels: []string{"leaves"}}
	c.Leaves, c.Largest = f.Leaves()
	c.Engine = "the daemon serves LightGBM texts: this file does not name its features, and nothing but leaves reads it"
	c.Checked = "nothing by itself: leaves alone reads it"
	c.scorers, c.tolerant = []rowScore{f.Scorer()}, true
	return c, nil
}

// Compare scores rows by every kernel and sets c.Rows: rows are little-endian float32, one
// row after the other, raw their scores as little-endian float64.
func (c *Check) Compare(rows, raw []byte) error {
	width := 4 * c.Features
	if len(rows) == 0 || len(rows)%width != 0 {
		return fmt.Errorf("rows: %d bytes are not rows of %d features, %d bytes each", len(rows), c.Features, width)
	}
	n := len(rows) / width
	if len(raw) != 8*n {
		return fmt.Errorf("raw scores: %d bytes are not the %d scores of %d bytes that the rows need", len(raw), n, 8)
	}
	c.Rows = &Rows{Rows: n, Equal: make([]int, len(c.Kernels))}
	row := make([]float32, c.Features)
	for i := range n {
		for j := range row {
			row[j] = math.Float32frombits(binary.LittleEndian.Uint32(rows[i*width+4*j:]))
		}
		if err := c.row(i, row, math.Float64frombits(binary.LittleEndian.Uint64(raw[8*i:]))); err != nil {
			return fmt.Errorf("row %d: %w", i, err)
		}
	}
	return nil
}

// row compares one row.
func (c *Check) row(i int, row []float32, want float64) error {
	different := false
	for k, score := range c.scorers {
		got, err := score(row)
		if err != nil {
			return err
		}
		if math.Float64bits(got) == math.Float64bits(want) {
			c.Rows.Equal[k]++
			continue
		}
		d := math.Abs(got - want)
		if math.IsNaN(d) || math.IsInf(d, 0) { // a given score that is no number
			d = math.MaxFloat64
		}
		c.Rows.Largest = max(c.Rows.Largest, d)
		if c.tolerant && d <= tolerance*max(1, math.Abs(want)) {
			continue
		}
		if !different && c.Rows.Different == 0 {
			c.Rows.First = fmt.Sprintf("row %d scores %v by %s, the file says %v", i, got, c.Kernels[k], want)
		}
		different = true
	}
	if different {
		c.Rows.Different++
	}
	return nil
}
