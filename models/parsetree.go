package models

import (
	"math"
	"slices"
	"strconv"
	"strings"
)

// tree reads the block after "Tree=i".
func (p *parser) tree(i int, e *ensemble) (tree, error) {
	t := tree{line: p.line}
	f, err := p.fields(treeKeys)
	if err != nil {
		return t, err
	}
	for _, k := range [...]string{"num_leaves", "num_cat", "leaf_value", "shrinkage"} {
		if _, ok := f[k]; !ok {
			return t, p.fail("tree %d has no %s", i, k)
		}
	}
	n, err := f["num_leaves"].integer(1, MaxLeaves)
	if err != nil {
		return t, err
	}
	categorical, err := f["num_cat"].integer(0, n-1)
	if err != nil {
		return t, err
	}
	if v, ok := f["is_linear"]; ok && v.text != "0" {
		return t, v.fail("is_linear is %s: linear trees are refused", quote(v.text))
	}
	if _, err := number(f["shrinkage"].text); err != nil {
		return t, f["shrinkage"].fail("shrinkage is %s, not a number", quote(f["shrinkage"].text))
	}
	if err := t.leaves(f, n, e.leafLimit()); err != nil {
		return t, err
	}
	if n == 1 {
		return t, nil
	}
	for _, k := range [...]string{"split_feature", "threshold", "decision_type", "left_child", "right_child"} {
		if _, ok := f[k]; !ok {
			return t, p.fail("tree %d has no %s", i, k)
		}
	}
	for _, k := range [...]string{"cat_boundaries", "cat_threshold"} {
		if _, ok := f[k]; ok != (categorical > 0) {
			return t, p.fail("tree %d has num_cat %d, and %s: %t", i, categorical, k, ok)
		}
	}
	if err := t.nodes(f, n, len(e.names)); err != nil {
		return t, err
	}
	if err := t.readCategories(f, categorical); err != nil {
		return t, err
	}
	if err := p.note(&t, f["split_feature"]); err != nil {
		return t, err
	}
	return t, t.shape(f["left_child"], f["right_child"])
}

// leaves reads what stands by leaf, and counts the entries of what is not used.
func (t *tree) leaves(f map[string]field, n int, limit float64) (err error) {
	v := f["leaf_value"]
	if t.leaf, err = v.numbers(n); err != nil {
		return err
	}
	for i, x := range t.leaf {
		if x < -limit || x > limit {
			return v.fail("leaf_value %d is %g, beyond %g", i, x, limit)
		}
	}
	if v, ok := f["leaf_count"]; ok && v.text != "" {
		if t.count, err = v.numbers(n); err != nil {
			return err
		}
		for i, x := range t.count {
			if x < 0 || x > 1e18 {
				return v.fail("leaf_count %d is %g, not a count", i, x)
			}
		}
	}
	if v, ok := f["leaf_weight"]; ok && v.text != "" {
		if _, err := v.list(n); err != nil {
			return err
		}
	}
	for _, k := range [...]string{"split_gain", "internal_value", "internal_weight", "internal_count"} {
		if v, ok := f[k]; ok {
			if _, err := v.list(n - 1); err != nil {
				return err
			}
		}
	}
	return nil
}

// nodes reads what stands by inner node.
func (t *tree) nodes(f map[string]field, leaves, features int) (err error) {
	n := leaves - 1
	if t.feature, err = f["split_feature"].integers(n, 0, features-1); err != nil {
		return err
	}
	if t.threshold, err = f["threshold"].numbers(n, "inf", "-inf"); err != nil { // inf parts the missing from the rest
		return err
	}
	// A child is an inner node other than the root, or ^leaf.
	if t.left, err = f["left_child"].integers(n, -leaves, n-1); err != nil {
		return err
	}
	if t.right, err = f["right_child"].integers(n, -leaves, n-1); err != nil {
		return err
	}
	return t.decisions(f["decision_type"])
}

// bits of LightGBM's decision_type; those above are the missing type.
const (
	categoricalBit = 1
	defaultLeftBit = 2
	missingShift   = 2
)

func (t *tree) decisions(v field) error {
	types, err := v.integers(len(t.feature), 0, 15)
	if err != nil {
		return err
	}
	t.missing, t.defaultLeft = make([]uint8, len(types)), make([]bool, len(types))
	for i, d := range types {
		if d>>missingShift > missingNaN {
			return v.fail("decision_type %d is %d: missing type %d is unknown", i, d, d>>missingShift)
		}
		t.missing[i], t.defaultLeft[i] = uint8(d>>missingShift), d&defaultLeftBit != 0
		if d&categoricalBit != 0 {
			if t.categories == nil {
				t.categories = make([][]uint32, len(types))
			}
			t.categories[i] = []uint32{} // until readCategories
		}
	}
	return nil
}

// readCategories gives the categorical splits their sets. What stands as such a
// split's threshold is the number of its set; set k is the words
// cat_boundaries[k]..cat_boundaries[k+1] of cat_threshold.
func (t *tree) readCategories(f map[string]field, sets int) error {
	splits := 0
	for _, c := range t.categories {
		if c != nil {
			splits++
		}
	}
	if splits != sets {
		return f["num_cat"].fail("num_cat is %d, but %d splits are categorical by their decision_type", sets, splits)
	}
	if sets == 0 {
		return nil
	}
	limits, err := f["cat_boundaries"].integers(sets+1, 0, math.MaxInt32)
	if err != nil {
		return err
	}
	if limits[0] != 0 {
		return f["cat_boundaries"].fail("cat_boundaries 0 is %d, not 0", limits[0])
	}
	words, err := f["cat_threshold"].words(int(limits[sets]))
	if err != nil {
		return err
	}
	for n, c := range t.categories {
		if c == nil {
			continue
		}
		k := t.threshold[n]
		if k != math.Trunc(k) || k < 0 || k >= float64(sets) {
			return f["threshold"].fail("threshold %d is %g: a categorical split's is the number of its set, 0..%d", n, k, sets-1)
		}
		from, to := limits[int(k)], limits[int(k)+1]
		if from >= to || int(to) > len(words) {
			return f["cat_boundaries"].fail("cat_boundaries %d and the next are %d and %d: no set of words", int(k), from, to)
		}
		t.categories[n] = words[from:to:to]
		if !slices.ContainsFunc(t.categories[n], func(w uint32) bool { return w != 0 }) {
			return f["cat_threshold"].fail("cat_threshold %d to %d are 0: no category goes left", from, to-1)
		}
	}
	return nil
}

// note keeps what features are used as: LightGBM bins a feature one way or the
// other, never both.
func (p *parser) note(t *tree, v field) error {
	for n, f := range t.feature {
		use := uint8(asNumber)
		if t.categories != nil && t.categories[n] != nil {
			use = asCategory
		}
		if p.use[f]|use == asNumber|asCategory {
			return v.fail("split_feature %d is %d, which is a number in one split and a category in another", n, f)
		}
		p.use[f] = use
	}
	return nil
}

// shape checks that the children make one tree: every node but the root and
// every leaf has exactly one parent, and the root reaches them all.
func (t *tree) shape(left, right field) error {
	seenNode, seenLeaf := make([]bool, len(t.left)), make([]bool, len(t.leaf))
	seenNode[0] = true
	visit := func(f field, parent, c int32) error {
		seen, k := seenNode, c
		if c < 0 {
			seen, k = seenLeaf, ^c
		}
		if seen[k] {
			return f.fail("%s %d is %d, which is reached twice", f.key, parent, c)
		}
		seen[k] = true
		return nil
	}
	for i := range t.left {
		if err := visit(left, int32(i), t.left[i]); err != nil {
			return err
		}
		if err := visit(right, int32(i), t.right[i]); err != nil {
			return err
		}
	}
	// n inner nodes name 2n children, n-1 nodes and n+1 leaves: all seen. A cycle
	// could still stand apart from the root.
	reached, depth := 0, 0
	for level := []int32{0}; len(level) > 0; depth++ {
		var below []int32
		for _, n := range level {
			reached++
			for _, c := range [2]int32{t.left[n], t.right[n]} {
				if c >= 0 {
					below = append(below, c)
				}
			}
		}
		level = below
	}
	if reached != len(t.left) {
		return left.fail("%s: the root reaches %d of %d nodes: a cycle", left.key, reached, len(t.left))
	}
	if depth > MaxDepth {
		return left.fail("%s: the tree is %d deep, more than %d", left.key, depth, MaxDepth)
	}
	return nil
}

// list splits the value into exactly n words.
func (f field) list(n int) ([]string, error) {
	text := strings.TrimSuffix(f.text, " ")
	got := 0
	if text != "" {
		got = strings.Count(text, " ") + 1
	}
	if got != n {
		return nil, f.fail("%s has %d entries, not %d", f.key, got, n)
	}
	if n == 0 {
		return nil, nil
	}
	return strings.Split(text, " "), nil
}

// numbers parses n finite numbers, or infinities by the given names.
func (f field) numbers(n int, infinities ...string) ([]float64, error) {
	words, err := f.list(n)
	if err != nil {
		return nil, err
	}
	out := make([]float64, n)
	for i, w := range words {
		if slices.Contains(infinities, w) {
			out[i], err = strconv.ParseFloat(w, 64)
		} else {
			out[i], err = number(w)
		}
		if err != nil {
			return nil, f.fail("%s %d is %s, not a finite number", f.key, i, quote(w))
		}
	}
	return out, nil
}

func (f field) integers(n, lo, hi int) ([]int32, error) {
	words, err := f.list(n)
	if err != nil {
		return nil, err
	}
	out := make([]int32, n)
	for i, w := range words {
		v, err := field{f.line, f.key, w}.integer(lo, hi)
		if err != nil {
			return nil, f.fail("%s %d is %s, not a whole number in %d..%d", f.key, i, quote(w), lo, hi)
		}
		out[i] = int32(v)
	}
	return out, nil
}

// words parses n words of 32 bits.
func (f field) words(n int) ([]uint32, error) {
	list, err := f.list(n)
	if err != nil {
		return nil, err
	}
	out := make([]uint32, n)
	for i, w := range list {
		v, err := strconv.ParseUint(w, 10, 32)
		if err != nil {
			return nil, f.fail("%s %d is %s, not a word of 32 bits", f.key, i, quote(w))
		}
		out[i] = uint32(v)
	}
	return out, nil
}
