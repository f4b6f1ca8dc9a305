package train

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// Data is labelled rows. Grow reads it and keeps nothing of it.
type Data struct {
	Columns int
	X       []float32 // row-major, len(Y)*Columns; NaN = missing, infinities are refused
	Y       []float32 // 1 = fraud, 0 = legitimate; both must occur
	Weight  []float32 // one a row, finite and above 0; nil = 1 for all
}

// check refuses rows that LightGBM would misread or that no model can be grown
// from. role is what the data is for.
func (d *Data) check(role string) error {
	if d.Columns < 1 || d.Columns > math.MaxInt32 {
		return fmt.Errorf("%s data: %d columns", role, d.Columns)
	}
	if len(d.Y) > math.MaxInt32 {
		return fmt.Errorf("%s data: %d rows, LightGBM takes %d", role, len(d.Y), math.MaxInt32)
	}
	if len(d.X) != len(d.Y)*d.Columns {
		return fmt.Errorf("%s data: %d values, want %d: %d labels of %d columns", role, len(d.X), len(d.Y)*d.Columns, len(d.Y), d.Columns)
	}
	for i, v := range d.X {
		if math.IsInf(float64(v), 0) {
			return fmt.Errorf("%s data: row %d column %d is infinite", role, i/d.Columns, i%d.Columns)
		}
	}
	if err := checkLabels(d.Y, d.Weight); err != nil {
		return fmt.Errorf("%s data: %w", role, err)
	}
	return nil
}

// checkLabels demands labels 0 and 1, both of them, and finite weights above 0.
func checkLabels(labels, weights []float32) error {
	if weights != nil && len(weights) != len(labels) {
		return fmt.Errorf("%d weights for %d labels", len(weights), len(labels))
	}
	positives := 0
	for i, y := range labels {
		switch y {
		case 0:
		case 1:
			positives++
		default:
			return fmt.Errorf("label of row %d is %g, not 0 or 1", i, y)
		}
	}
	for i, w := range weights {
		if !(w > 0 && w <= math.MaxFloat32) {
			return fmt.Errorf("weight of row %d is %g, not finite and above 0", i, w)
		}
	}
	if positives == 0 || positives == len(labels) {
		return fmt.Errorf("%d of %d labels are 1: both classes are needed", positives, len(labels))
	}
	return nil
}

// Params says how to grow. A zero leaves LightGBM's own default, named here.
// Ranges are LightGBM's to judge: its message comes back as Grow's error.
type Params struct {
	Trees           int     // at most; 100
	Leaves          int     // of a tree, at most; 31. The kernels of package models are fastest up to 32
	LearningRate    float64 // 0.1
	MinLeafRows     int     // rows in a leaf, at least; 20
	FeatureFraction float64 // share of the columns a tree may use; 1
	BaggingFraction float64 // share of the rows a tree sees, drawn anew for each; 1
	L2              float64 // penalty of leaf values; 0
	MaxBin          int     // bins of a column; 255. Up to that, a threshold's rank fits a byte
	// PositiveWeight multiplies the weight of rows labelled 1 (LightGBM's
	// scale_pos_weight); 1. Scores are then for the share that Share tells, and
	// PriorShift takes them back.
	PositiveWeight float64
	EarlyStopping  int // end after so many trees without a smaller validation loss; 0 = never
	Seed           int // of bagging, of column sampling and of the rows that bins are made from
	// Threads is how many may work; as many as OpenMP finds. The model is the same
	// for any number. They wait for each other busily: on cores that other programs
	// use too, several were seven times slower than one.
	Threads int
	// Monotone holds, for every column, 1 where the score may not fall as the value
	// rises, -1 where it may not rise, 0 elsewhere; nil = 0 for all. Missing values
	// are outside the order.
	Monotone     []int8
	FeatureNames []string // one a column, distinct, of letters, digits and "_.-"; nil = Column_0, Column_1 ...
}

const (
	defaultTrees = 100
	maxTrees     = 100_000
)

func (p *Params) check(columns int) error {
	if p.Trees < 0 || p.Trees > maxTrees {
		return fmt.Errorf("params: %d trees, not 0 to %d", p.Trees, maxTrees)
	}
	if p.EarlyStopping < 0 {
		return fmt.Errorf("params: early stopping after %d rounds", p.EarlyStopping)
	}
	if p.Seed < 0 || p.Seed > math.MaxInt32 {
		return fmt.Errorf("params: seed %d, not 0 to %d", p.Seed, math.MaxInt32)
	}
	if p.Threads < 0 || p.Threads > 1<<16 {
		return fmt.Errorf("params: %d threads", p.Threads)
	}
	if p.Monotone != nil && len(p.Monotone) != columns {
		return fmt.Errorf("params: %d monotone directions for %d columns", len(p.Monotone), columns)
	}
	for i, m := range p.Monotone {
		if m < -1 || m > 1 {
			return fmt.Errorf("params: monotone direction of column %d is %d, not -1, 0 or 1", i, m)
		}
	}
	return p.checkNames(columns)
}

func (p *Params) checkNames(columns int) error {
	if p.FeatureNames == nil {
		return nil
	}
	if len(p.FeatureNames) != columns {
		return fmt.Errorf("params: %d feature names for %d columns", len(p.FeatureNames), columns)
	}
	column := make(map[string]int, columns)
	for i, name := range p.FeatureNames {
		if name == "" || len(name) > 200 || strings.ContainsFunc(name, notOfName) {
			return fmt.Errorf("params: feature name %d is %.200q: letters, digits and \"_.-\" make a name", i, name)
		}
		if first, again := column[name]; again {
			return fmt.Errorf("params: features %d and %d are both called %q", first, i, name)
		}
		column[name] = i
	}
	return nil
}

// notOfName keeps names to what needs no quoting in a model text, where spaces
// and equals signs separate.
func notOfName(r rune) bool {
	switch {
	case 'a' <= r && r <= 'z', 'A' <= r && r <= 'Z', '0' <= r && r <= '9', r == '_', r == '.', r == '-':
		return false
	}
	return true
}

func (p *Params) trees() int {
	if p.Trees == 0 {
		return defaultTrees
	}
	return p.Trees
}

// Text writes the parameters as LightGBM reads them, "name=value name=value". The
// number of trees and early stopping are not among them, since the loop is
// Grow's, nor is the number of threads, or the model text would name it.
func (p *Params) Text() string {
	// Column-wise histograms are summed by one thread a column, in row order, so
	// that the number of threads cannot change a bit.
	text := "objective=binary metric=binary_logloss deterministic=true force_col_wise=true verbosity=-1 seed=" + strconv.Itoa(p.Seed)
	set := func(name string, value float64) {
		if value != 0 {
			text += " " + name + "=" + strconv.FormatFloat(value, 'g', -1, 64)
		}
	}
	count := func(name string, value int) {
		if value != 0 {
			text += " " + name + "=" + strconv.Itoa(value)
		}
	}
	count("num_leaves", p.Leaves)
	set("learning_rate", p.LearningRate)
	count("min_data_in_leaf", p.MinLeafRows)
	set("feature_fraction", p.FeatureFraction)
	if p.BaggingFraction != 0 {
		set("bagging_fraction", p.BaggingFraction)
		count("bagging_freq", 1)
	}
	set("lambda_l2", p.L2)
	count("max_bin", p.MaxBin)
	set("scale_pos_weight", p.PositiveWeight)
	for i, m := range p.Monotone {
		if i == 0 {
			text += " monotone_constraints="
		} else {
			text += ","
		}
		text += strconv.Itoa(int(m))
	}
	return text
}
