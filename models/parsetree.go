package models

import (
	"slices"
	"strconv"
	"strings"
)

// tree reads the block after "Tree=i".
func (p *parser) tree(i, features int) (tree, error) {
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
	if v := f["num_cat"]; v.text != "0" {
		return t, v.fail("num_cat is %s: categorical splits are refused: every feature of the schema is a number", quote(v.text))
	}
	if v, ok := f["is_linear"]; ok && v.text != "0" {
		return t, v.fail("is_linear is %s: linear trees are refused", quote(v.text))
	}
	if _, err := number(f["shrinkage"].text); err != nil {
		return t, f["shrinkage"].fail("shrinkage is %s, not a number", quote(f["shrinkage"].text))
	}
	if err := t.leaves(f, n); err != nil {
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
	if err := t.nodes(f, n, features); err != nil {
		return t, err
	}
	return t, t.shape(f["left_child"], f["right_child"])
}

// leaves reads what stands by leaf, and counts the entries of what is not used.
func (t *tree) leaves(f map[string]field, n int) (err error) {
	v := f["leaf_value"]
	if t.leaf, err = v.numbers(n); err != nil {
		return err
	}
	for i, x := range t.leaf {
		if x < -maxLeafValue || x > maxLeafValue {
			return v.fail("leaf_value %d is %g, beyond %g", i, x, maxLeafValue)
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
	v := f["decision_type"]
	types, err := v.integers(n, 0, 15)
	if err != nil {
		return err
	}
	t.missing, t.defaultLeft = make([]uint8, n), make([]bool, n)
	for i, d := range types {
		if d&1 != 0 {
			return v.fail("decision_type %d is %d: categorical splits are refused: every feature of the schema is a number", i, d)
		}
		if d>>2 > missingNaN {
			return v.fail("decision_type %d is %d: missing type %d is unknown", i, d, d>>2)
		}
		t.missing[i], t.defaultLeft[i] = uint8(d>>2), d&2 != 0
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
