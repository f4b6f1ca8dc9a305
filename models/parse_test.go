package models

import (
	"errors"
	"fmt"
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
	// Tree 3 splits feature 1 as a number too, so it is left out.
	cat := func(old, new string) string {
		tree := with(with(handTrees[1], "num_cat=0", "num_cat=1\ncat_boundaries=0 2\ncat_threshold=5 1"), "threshold=0.5", "threshold=0")
		tree = with(tree, "decision_type=4", "decision_type=1")
		return handText(handHeader, []string{handTrees[0], with(tree, old, new), handTrees[2]})
	}
	if e, err := parse([]byte(cat("num_cat", "num_cat"))); err != nil || !e.categorical() {
		t.Fatalf("categorical without a defect: %v", err)
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
		{"absurd feature index", header("idx=2", "idx=99999999999"), 6, `not a whole number in 0..32767`},
		{"multiclass", header("binary sigmoid:1", "multiclass num_class:3"), 7, `objective "multiclass" is refused: one class alone`},
		{"poisson", header("binary sigmoid:1", "poisson"), 7, `objective "poisson" is refused: it predicts the exponential`},
		{"entropy of another kind", header("binary sigmoid:1", "cross_entropy_lambda"), 7, `is no probability`},
		{"ranking", header("binary sigmoid:1", "lambdarank"), 7, `a rank is no probability`},
		{"square root", header("binary sigmoid:1", "regression sqrt"), 7, `objective "regression sqrt" is refused: it predicts the square`},
		{"unknown objective", header("binary sigmoid:1", "regresion"), 7, `objective "regresion" is unknown`},
		{"empty objective", header("binary sigmoid:1", ""), 7, `objective "" is unknown`},
		{"unknown parameter", header("binary sigmoid:1", "huber delta:2"), 7, `objective "huber" has a parameter that is unknown: "delta:2"`},
		{"parameter of nothing", header("binary sigmoid:1", "cross_entropy "), 7, `has a parameter that is unknown: ""`},
		{"binary alone", header("binary sigmoid:1", "binary"), 7, `objective "binary" is not "binary sigmoid:<number>"`},
		{"objective with more", header("sigmoid:1", "sigmoid:1 sqrt"), 7, `sigmoid "1 sqrt" is not a number`},
		{"sigmoid zero", header("sigmoid:1", "sigmoid:0"), 7, `sigmoid "0" is not a number above 0`},
		{"no objective", header("objective=binary sigmoid:1\n", ""), 10, `header has no objective`},
		{"average of something", header("objective", "average_output=1\nobjective"), 7, `average_output alone, got "average_output=1"`},
		{"boosting that adds up", with(text, "parameters:\n", "parameters:\n[boosting: rf]\n"), 71, `boosting is rf, but the header says average_output: false`},
		{"boosting that averages", with(header("objective", "average_output\nobjective"), "parameters:\n", "parameters:\n[boosting: dart]\n"), 72, `boosting is dart, but the header says average_output: true`},
		{"unknown boosting", with(text, "parameters:\n", "parameters:\n[boosting: xgb]\n"), 71, `boosting "xgb" is unknown`},
		{"truncated in the parameters", with(text, "end of parameters\n", "[max_depth: "), 71, `text ends before "end of parameters"`},
		{"truncated before they end", with(text, "end of parameters\n", ""), 71, `text ends before "end of parameters"`},
		{"truncated behind them", text + "pandas_categ", 72, `ends in the middle of a line`},
		{"feature infos", header("none none none", "none none"), 9, `feature_infos has 2 entries, not 3`},
		{"monotone constraints", header("feature_infos", "monotone_constraints=0 1\nfeature_infos"), 9, `monotone_constraints has 2 entries, not 3`},
		{"unknown header key", header("label_index", "label_idx"), 5, `unknown key "label_idx"`},
		{"key twice", header("label_index=0", "label_index=0\nversion=v3"), 6, `version stands twice, first on line 2`},
		{"no value", header("label_index=0", "label_index"), 5, `want key=value, or average_output alone, got "label_index"`},
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
		{"sets without splits", in(1, "num_cat=0", "num_cat=1\ncat_boundaries=0 1\ncat_threshold=1"), 28, `num_cat is 1, but 0 splits are categorical`},
		{"splits without sets", in(1, "decision_type=4", "decision_type=1"), 28, `num_cat is 0, but 1 splits are categorical by their decision_type`},
		{"no sets", in(1, "num_cat=0", "num_cat=1"), 38, `tree 1 has num_cat 1, and cat_boundaries: false`},
		{"sets where none are", in(1, "num_cat=0", "num_cat=0\ncat_threshold=1"), 39, `tree 1 has num_cat 0, and cat_threshold: true`},
		{"absurd sets", in(1, "num_cat=0", "num_cat=2000000000"), 28, `num_cat is "2000000000", not a whole number in 0..1`},
		{"too few boundaries", cat("cat_boundaries=0 2", "cat_boundaries=0"), 29, `cat_boundaries has 1 entries, not 2`},
		{"negative boundary", cat("cat_boundaries=0 2", "cat_boundaries=0 -2"), 29, `cat_boundaries 1 is "-2"`},
		{"boundaries that begin elsewhere", cat("cat_boundaries=0 2", "cat_boundaries=1 2"), 29, `cat_boundaries 0 is 1, not 0`},
		{"absurd boundary", cat("cat_boundaries=0 2", "cat_boundaries=0 2000000000"), 30, `cat_threshold has 2 entries, not 2000000000`},
		{"boundaries of nothing", cat("cat_boundaries=0 2\ncat_threshold=5 1", "cat_boundaries=0 0\ncat_threshold="), 29, `cat_boundaries 0 and the next are 0 and 0`},
		{"too few words", cat("cat_threshold=5 1", "cat_threshold=5"), 30, `cat_threshold has 1 entries, not 2`},
		{"negative word", cat("cat_threshold=5 1", "cat_threshold=5 -1"), 30, `cat_threshold 1 is "-1", not a word of 32 bits`},
		{"large word", cat("cat_threshold=5 1", "cat_threshold=4294967296 1"), 30, `cat_threshold 0 is "4294967296"`},
		{"nobody goes left", cat("cat_threshold=5 1", "cat_threshold=0 0"), 30, `cat_threshold 0 to 1 are 0: no category goes left`},
		{"set out of range", cat("\nthreshold=0", "\nthreshold=1"), 32, `threshold 0 is 1: a categorical split's is the number of its set, 0..0`},
		{"set below zero", cat("\nthreshold=0", "\nthreshold=-1"), 32, `threshold 0 is -1`},
		{"half a set", cat("\nthreshold=0", "\nthreshold=0.5"), 32, `threshold 0 is 0.5`},
		{"set at infinity", cat("\nthreshold=0", "\nthreshold=inf"), 32, `threshold 0 is +Inf`},
		{"number and category", cat("split_feature=1", "split_feature=2"), 45, `split_feature 0 is 2, which is a number in one split and a category in another`},
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
		if err := f.verify([]byte(text), e, oracleRows); err != nil {
			t.Fatalf("%s: %v", v, err)
		}
		var p Prediction
		f.predict(&p, []float32{2, 0, 0})
		if p.Raw != 2.25 || p.Base != 1.75 { // two leaves of equal weight without counts, and the constant
			t.Errorf("%s: raw %v, base %v", v, p.Raw, p.Base)
		}
	}
}
