package models

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"
)

// Four trees by hand. Every leaf is another power of two, so that a score names
// the leaves it came from.
var handTrees = []string{
	// No missing type: NaN is 0.
	handTree(2, "split_feature=0", "threshold=1.5", "decision_type=0", "left_child=-1", "right_child=-2", "leaf_value=1 2", "leaf_count=3 1"),
	// Zero is missing and goes right.
	handTree(2, "split_feature=1", "threshold=0.5", "decision_type=4", "left_child=-1", "right_child=-2", "leaf_value=4 8", "leaf_count=1 1"),
	// NaN is missing and goes left.
	handTree(2, "split_feature=2", "threshold=-2", "decision_type=10", "left_child=-1", "right_child=-2", "leaf_value=16 32", "leaf_count=1 1"),
	// NaN goes right at the root, everything else left; below, zero is missing and goes left of a negative threshold.
	handTree(3, "split_feature=0 1", "threshold=inf -1", "decision_type=8 6", "left_child=1 -1", "right_child=-2 -3", "leaf_value=64 128 256", "leaf_count=1 2 1"),
}

func handTree(leaves int, lines ...string) string {
	return fmt.Sprintf("num_leaves=%d\nnum_cat=0\n%s\nis_linear=0\nshrinkage=1\n\n\n", leaves, strings.Join(lines, "\n"))
}

const handHeader = `tree
version=v4
num_class=1
num_tree_per_iteration=1
label_index=0
max_feature_idx=2
objective=binary sigmoid:1
feature_names=a b c
feature_infos=none none none
`

// handText puts a text together; its tree_sizes are right.
func handText(header string, trees []string) string {
	var sizes []string
	var body strings.Builder
	for i, t := range trees {
		t = fmt.Sprintf("Tree=%d\n%s", i, t)
		sizes = append(sizes, fmt.Sprint(len(t)))
		body.WriteString(t)
	}
	return header + "tree_sizes=" + strings.Join(sizes, " ") + "\n\n" + body.String() + "end of trees\n\nparameters:\nend of parameters\n"
}

// with returns s with the first old replaced; it must be there.
func with(s, old, new string) string {
	if !strings.Contains(s, old) {
		panic("no " + old)
	}
	return strings.Replace(s, old, new, 1)
}

func TestParseRefuses(t *testing.T) {
	header := func(old, new string) string { return handText(with(handHeader, old, new), handTrees) }
	in := func(tree int, old, new string) string {
		trees := append([]string(nil), handTrees...)
		trees[tree] = with(trees[tree], old, new)
		return handText(handHeader, trees)
	}
	text := handText(handHeader, handTrees)
	if _, err := parse([]byte(text)); err != nil {
		t.Fatalf("without a defect: %v", err)
	}
	// Ten lines of header and a blank one; a tree has twelve lines and two blank ones:
	// tree 1 begins on line 26, tree 2 on 40, tree 3 on 54, the end is on 68.
	for _, c := range []struct {
		name, text string
		line       int
		reason     string
	}{
		{"empty", "", 1, `not a LightGBM text model`},
		{"another format", "treeing\n", 1, `not a LightGBM text model`},
		{"version", header("v4", "v5"), 2, `version "v5" is not v2, v3 or v4`},
		{"no version", header("version=v4\n", ""), 10, `header has no version`},
		{"classes", header("num_class=1", "num_class=3"), 3, `num_class is "3", not 1`},
		{"trees a round", header("iteration=1", "iteration=3"), 4, `num_tree_per_iteration is "3", not 1`},
		{"feature index", header("idx=2", "idx=1"), 8, `3 feature_names, but max_feature_idx is 1`},
		{"negative feature index", header("idx=2", "idx=-1"), 6, `max_feature_idx is "-1"`},
		{"absurd feature index", header("idx=2", "idx=99999999999"), 6, `not a whole number in 0..4095`},
		{"regression", header("binary sigmoid:1", "regression"), 7, `objective "regression" is not`},
		{"cross entropy", header("binary sigmoid:1", "cross_entropy"), 7, `objective "cross_entropy" is not`},
		{"multiclass", header("binary sigmoid:1", "multiclass num_class:3"), 7, `is not "binary sigmoid`},
		{"objective with more", header("sigmoid:1", "sigmoid:1 sqrt"), 7, `sigmoid "1 sqrt" is not a number`},
		{"sigmoid zero", header("sigmoid:1", "sigmoid:0"), 7, `sigmoid "0" is not a number above 0`},
		{"no objective", header("objective=binary sigmoid:1\n", ""), 10, `header has no objective`},
		{"random forest", header("objective", "average_output\nobjective"), 7, `average_output: a random forest`},
		{"unknown header key", header("label_index", "label_idx"), 5, `unknown key "label_idx"`},
		{"key twice", header("label_index=0", "label_index=0\nversion=v3"), 6, `version stands twice, first on line 2`},
		{"no value", header("label_index=0", "label_index"), 5, `want key=value, got "label_index"`},
		{"carriage returns", strings.ReplaceAll(text, "\n", "\r\n"), 1, `not a LightGBM text model`},
		{"empty feature name", header("a b c", "a  c"), 8, `feature_names: name 1 is ""`},
		{"no trees", handText(handHeader, nil), 10, `tree_sizes: size 0 is ""`},
		{"absurd tree size", with(text, "tree_sizes=", "tree_sizes=99999999 "), 10, `not a number of bytes within the text`},
		{"tree sizes off", with(text, "tree_sizes=1", "tree_sizes=2"), 26, `tree_sizes puts tree 1 at byte`},
		{"a size too few", with(text, text[strings.LastIndex(text[:strings.Index(text, "\n\n")], " "):strings.Index(text, "\n\n")], ""), 54, `want "end of trees" after 3 trees, got "Tree=3"`},
		{"a size too many", with(text, "tree_sizes=", "tree_sizes=180 "), 26, `tree_sizes puts tree 1`},
		{"tree missing", with(text, "Tree=1", "Tree=2"), 26, `want "Tree=1", got "Tree=2"`},
		{"truncated in the header", text[:150], 9, `ends in the middle of a block`},
		{"truncated in a tree", text[:strings.Index(text, "leaf_value=16")+5], 48, `ends in the middle of a block`},
		{"truncated between trees", text[:strings.Index(text, "Tree=2")], 40, `ends before "end of trees"`},
		{"truncated before the end", text[:strings.Index(text, "end of trees")], 68, `ends before "end of trees"`},
		{"truncated in the end", text[:strings.Index(text, "end of trees")+5], 68, `ends before "end of trees"`},

		{"linear tree", in(1, "is_linear=0", "is_linear=1"), 36, `is_linear is "1": linear trees are refused`},
		{"linear leaves", in(1, "is_linear=0", "is_linear=0\nleaf_coeff=1 2"), 37, `leaf_coeff: linear trees are refused`},
		{"categorical", in(1, "num_cat=0", "num_cat=1"), 28, `num_cat is "1": categorical splits are refused`},
		{"categorical split", in(1, "decision_type=4", "decision_type=1"), 31, `decision_type 0 is 1: categorical`},
		{"categories", in(1, "num_cat=0", "num_cat=0\ncat_threshold=1"), 29, `cat_threshold: categorical`},
		{"missing type", in(1, "decision_type=4", "decision_type=12"), 31, `missing type 3 is unknown`},
		{"decision type", in(1, "decision_type=4", "decision_type=16"), 31, `decision_type 0 is "16", not a whole number in 0..15`},
		{"no leaves", in(1, "num_leaves=2", "num_leaves=0"), 27, `num_leaves is "0", not a whole number in 1..4096`},
		{"absurd leaves", in(1, "num_leaves=2", "num_leaves=2000000000"), 27, `num_leaves is "2000000000"`},
		{"too few values", in(1, "num_leaves=2", "num_leaves=3"), 34, `leaf_value has 2 entries, not 3`},
		{"too many thresholds", in(1, "threshold=0.5", "threshold=0.5 1"), 30, `threshold has 2 entries, not 1`},
		{"no threshold", in(1, "threshold=0.5\n", ""), 37, `tree 1 has no threshold`},
		{"no shrinkage", in(1, "shrinkage=1\n", ""), 37, `tree 1 has no shrinkage`},
		{"shrinkage", in(1, "shrinkage=1", "shrinkage=nan"), 37, `shrinkage is "nan"`},
		{"unknown tree key", in(1, "shrinkage=1", "shrinkage=1\nleaf_bias=0"), 38, `unknown key "leaf_bias"`},
		{"NaN threshold", in(1, "threshold=0.5", "threshold=nan"), 30, `threshold 0 is "nan", not a finite number`},
		{"hexadecimal threshold", in(1, "threshold=0.5", "threshold=0x1p-1"), 30, `threshold 0 is "0x1p-1"`},
		{"infinite leaf", in(1, "leaf_value=4", "leaf_value=inf"), 34, `leaf_value 0 is "inf"`},
		{"overflowing leaf", in(1, "leaf_value=4", "leaf_value=1e999"), 34, `leaf_value 0 is "1e999"`},
		{"absurd leaf", in(1, "leaf_value=4", "leaf_value=1e7"), 34, `leaf_value 0 is 1e+07, beyond 10000`},
		{"negative count", in(1, "leaf_count=1 1", "leaf_count=1 -1"), 35, `leaf_count 1 is -1, not a count`},
		{"feature out of range", in(1, "split_feature=1", "split_feature=3"), 29, `split_feature 0 is "3", not a whole number in 0..2`},
		{"feature below zero", in(1, "split_feature=1", "split_feature=-1"), 29, `split_feature 0 is "-1"`},
		{"child out of range", in(3, "left_child=1", "left_child=2"), 60, `left_child 0 is "2", not a whole number in -3..1`},
		{"leaf out of range", in(3, "left_child=1 -1", "left_child=1 -4"), 60, `left_child 1 is "-4"`},
		{"leaf twice", in(3, "right_child=-2 -3", "right_child=-2 -1"), 61, `right_child 1 is -1, which is reached twice`},
		{"back to the root", in(3, "left_child=1 -1", "left_child=0 -1"), 60, `left_child 0 is 0, which is reached twice`},
		{"a cycle apart", in(3, "left_child=1 -1", "left_child=-1 1"), 60, `the root reaches 1 of 2 nodes: a cycle`},
	} {
		e, err := parse([]byte(c.text))
		var pe *ParseError
		if !errors.As(err, &pe) || e != nil {
			t.Errorf("%s: %v, want a *ParseError", c.name, err)
			continue
		}
		if pe.Line != c.line || !strings.Contains(pe.Reason, c.reason) {
			t.Errorf("%s: %v; want line %d, %s", c.name, err, c.line, c.reason)
		}
	}
}

func TestParseRefusesDepth(t *testing.T) {
	chain := func(nodes int) string { // node i: leaf on the left, node i+1 on the right
		var f, th, d, l, r, v []string
		for i := range nodes {
			f, th, d = append(f, "0"), append(th, fmt.Sprint(i)), append(d, "2")
			l, r, v = append(l, fmt.Sprint(-i-1)), append(r, fmt.Sprint(i+1)), append(v, "1")
		}
		r[nodes-1] = fmt.Sprint(-nodes - 1)
		s := func(key string, v []string) string { return key + "=" + strings.Join(v, " ") }
		return handText(handHeader, []string{handTree(nodes+1, s("split_feature", f), s("threshold", th), s("decision_type", d),
			s("left_child", l), s("right_child", r), s("leaf_value", append(v, "1")))})
	}
	if _, err := parse([]byte(chain(MaxDepth))); err != nil {
		t.Fatal(err)
	}
	if _, err := parse([]byte(chain(MaxDepth + 1))); err == nil || !strings.Contains(err.Error(), "257 deep") {
		t.Fatal(err)
	}
}

func TestParseOldVersionsAndSingleLeaves(t *testing.T) {
	old := with(with(handTrees[0], "is_linear=0\n", ""), "leaf_count=3 1\n", "")
	constant := "num_leaves=1\nnum_cat=0\nsplit_feature=\nsplit_gain=\nthreshold=\ndecision_type=\nleft_child=\nright_child=\n" +
		"leaf_value=0.25\nleaf_weight=\nleaf_count=\ninternal_value=\nshrinkage=1\n\n\n"
	for _, v := range []string{"v2", "v3", "v4"} {
		text := handText(with(handHeader, "v4", v), []string{old, constant})
		e, err := parse([]byte(text))
		if err != nil {
			t.Fatalf("%s: %v", v, err)
		}
		f := newForest(e, someFamilies(3))
		if err := f.verify([]byte(text), e); err != nil {
			t.Fatalf("%s: %v", v, err)
		}
		var p Prediction
		f.predict(&p, []float32{2, 0, 0})
		if p.Raw != 2.25 || p.Base != 1.75 { // two leaves of equal weight without counts, and the constant
			t.Errorf("%s: raw %v, base %v", v, p.Raw, p.Base)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(handText(handHeader, handTrees)))
	f.Add([]byte(handText(with(handHeader, "v4", "v2"), handTrees[3:])))
	f.Add([]byte("tree\nversion=v3\n\nTree=0\n"))
	f.Fuzz(func(t *testing.T, text []byte) { parseAndWalk(t, text) })
}

// FuzzParseTrees keeps the sizes of the trees right, which FuzzParse seldom does.
func FuzzParseTrees(f *testing.F) {
	for i := range handTrees {
		f.Add(handTrees[i], handTrees[(i+3)%4])
	}
	f.Fuzz(func(t *testing.T, a, b string) { parseAndWalk(t, []byte(handText(handHeader, []string{a, b}))) })
}

// parseAndWalk demands that a text is refused with a line and a reason, or that it
// can be walked and leaves agrees.
func parseAndWalk(t *testing.T, text []byte) {
	e, err := parse(text)
	if err != nil {
		var pe *ParseError
		if !errors.As(err, &pe) || pe.Line < 1 || pe.Reason == "" || len(pe.Reason) > 1000 {
			t.Fatalf("%#v", err)
		}
		return
	}
	if e.checkNames([]string{"a", "b", "c"}) != nil {
		return
	}
	fo := newForest(e, someFamilies(3))
	o, err := newOracle(text, e)
	if err != nil {
		return // leaves may refuse more
	}
	g := newRowMaker(e)
	v, p := make([]float32, 3), new(Prediction)
	for range 32 {
		g.fill(v)
		want := o.raw(v)
		for _, f := range []*forest{fo, fo.without()} {
			f.predict(p, v)
			if math.Float64bits(p.Raw) != math.Float64bits(want) {
				t.Fatalf("%v: %v, leaves %v", v, p.Raw, want)
			}
			sum := p.Base
			for _, c := range p.Contributions {
				sum += float64(c)
			}
			if d := math.Abs(sum - p.Raw); !(d <= 1e-5*max(1, math.Abs(p.Base), fo.table.unit*float64(math.MaxInt32))) {
				t.Fatalf("%v: contributions are off by %v", v, d)
			}
		}
	}
}
