package models

import (
	"bytes"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
)

// Limits of a model text. They are far above what a model that answers in
// microseconds can need; they keep a hostile file from costing more memory than
// its own size.
const (
	MaxTextBytes   = 256 << 20
	MaxTrees       = 100_000
	MaxLeaves      = 4_096 // per tree
	MaxDepth       = 256
	MaxFeatures    = 1 << 15
	maxAllLeaves   = 1 << 20
	maxNameBytes   = 256
	maxQuotedBytes = 60
)

// ParseError says where and why a model text is refused.
type ParseError struct {
	Line   int // from 1
	Reason string
}

func (e *ParseError) Error() string { return fmt.Sprintf("model line %d: %s", e.Line, e.Reason) }

// missing types of a split, bits 2 and 3 of LightGBM's decision_type.
const (
	missingNone = 0
	missingZero = 1
	missingNaN  = 2
)

// tree is one tree as written. Node n is an inner node; a child c < 0 is leaf ^c.
type tree struct {
	line        int // of its "Tree=" line
	feature     []int32
	threshold   []float64
	missing     []uint8 // missing type by node
	defaultLeft []bool
	left, right []int32
	leaf        []float64
	count       []float64 // training rows by leaf; nil where not written
	// categories is nil in a tree without categorical splits. Elsewhere it holds by
	// node the bits of the categories that go left, 32 to a word, and nil for a
	// numeric split.
	categories [][]uint32
}

// ensemble is a parsed text. Every tree is one: each node and leaf is reached
// exactly once from the root, so a walk ends.
type ensemble struct {
	names    []string // of the features, by index
	nameLine int
	version  string // v2, v3 or v4
	boosting string // one of boostings
	average  bool   // it predicts the mean of its trees: a random forest

	objective     string // as written
	objectiveLine int
	sigmoid       float64 // probability = 1/(1+exp(-sigmoid*score)); 0 where the score is no log-odds

	trees []tree
}

// parser reads lines; line and start belong to the last one read.
type parser struct {
	text  []byte
	pos   int
	start int
	line  int

	use []uint8 // by feature: whether the splits so far compare it, or look it up
}

// uses of a feature.
const (
	asNumber   = 1
	asCategory = 2
)

func (p *parser) fail(format string, args ...any) error {
	return &ParseError{Line: p.line, Reason: fmt.Sprintf(format, args...)}
}

// next returns the next line without its end; false at the end of the text. A
// last line without a newline is a truncated one and is not returned.
func (p *parser) next() (string, bool) {
	p.start = p.pos
	p.line++
	end := bytes.IndexByte(p.text[p.pos:], '\n')
	if end < 0 {
		p.pos = len(p.text)
		return "", false
	}
	s := p.text[p.pos : p.pos+end]
	p.pos += end + 1
	return string(s), true
}

// parse reads a LightGBM text model of one score a row, versions v2, v3 and v4
// (LightGBM src/boosting/gbdt_model_text.cpp, src/io/tree.cpp). What it does not
// know, it refuses with a *ParseError.
func parse(text []byte) (*ensemble, error) {
	p := &parser{text: text}
	if len(text) > MaxTextBytes {
		return nil, &ParseError{1, fmt.Sprintf("the text has %d bytes, more than %d", len(text), MaxTextBytes)}
	}
	e := &ensemble{}
	sizes, err := p.header(e)
	if err != nil {
		return nil, err
	}
	p.use = make([]uint8, len(e.names))
	if err := p.trees(e, sizes); err != nil {
		return nil, err
	}
	if err := p.tail(e); err != nil {
		return nil, err
	}
	return e, nil
}

// trees reads up to "end of trees".
func (p *parser) trees(e *ensemble, sizes []int) error {
	due := p.pos // where the next tree must begin
	leaves := 0
	for i := 0; ; {
		s, ok := p.next()
		switch {
		case !ok:
			return p.fail("text ends before \"end of trees\"")
		case s == "":
			continue
		case p.start != due:
			return p.fail("tree_sizes puts tree %d at byte %d, this is byte %d", i, due, p.start)
		case s == "end of trees" && i == len(sizes):
			return nil
		case s == "end of trees":
			return p.fail("end of trees after %d of %d trees", i, len(sizes))
		case i == len(sizes):
			return p.fail("want \"end of trees\" after %d trees, got %s", i, quote(s))
		case s != "Tree="+strconv.Itoa(i):
			return p.fail("want \"Tree=%d\", got %s", i, quote(s))
		}
		t, err := p.tree(i, e)
		if err != nil {
			return err
		}
		e.trees = append(e.trees, t)
		if leaves += len(t.leaf); leaves > maxAllLeaves {
			return p.fail("more than %d leaves", maxAllLeaves)
		}
		due += sizes[i]
		i++
	}
}

// header reads up to the first blank line and returns the trees' sizes in bytes.
func (p *parser) header(e *ensemble) ([]int, error) {
	if s, ok := p.next(); !ok || s != "tree" {
		return nil, p.fail("not a LightGBM text model: the first line is not \"tree\"")
	}
	f, err := p.fields(headerKeys)
	if err != nil {
		return nil, err
	}
	for _, k := range [...]string{"version", "num_class", "num_tree_per_iteration", "max_feature_idx", "objective", "feature_names", "tree_sizes"} {
		if _, ok := f[k]; !ok {
			return nil, p.fail("header has no %s", k)
		}
	}
	if f["version"].text != "v2" && f["version"].text != "v3" && f["version"].text != "v4" {
		return nil, f["version"].fail("version %s is not v2, v3 or v4", quote(f["version"].text))
	}
	e.version = f["version"].text
	for _, k := range [...]string{"num_class", "num_tree_per_iteration"} {
		if f[k].text != "1" {
			return nil, f[k].fail("%s is %s, not 1: one class, one tree a round", k, quote(f[k].text))
		}
	}
	e.boosting = "gbdt" // unless the parameters at the end name another
	if _, e.average = f["average_output"]; e.average {
		e.boosting = "rf"
	}
	e.objective, e.objectiveLine = f["objective"].text, f["objective"].line
	if e.sigmoid, err = f["objective"].objective(); err != nil {
		return nil, err
	}
	if e.names, err = featureNames(f["feature_names"], f["max_feature_idx"]); err != nil {
		return nil, err
	}
	e.nameLine = f["feature_names"].line
	for _, k := range [...]string{"feature_infos", "monotone_constraints"} {
		if v, ok := f[k]; ok {
			if _, err := v.list(len(e.names)); err != nil {
				return nil, err
			}
		}
	}
	return treeSizes(f["tree_sizes"], len(p.text))
}

// field is the value of one "key=value" line.
type field struct {
	line int
	key  string
	text string
}

func (f field) fail(format string, args ...any) error {
	return &ParseError{Line: f.line, Reason: fmt.Sprintf(format, args...)}
}

// Keys LightGBM writes; any other is refused, for it may change the answer.
var (
	headerKeys = []string{"version", "num_class", "num_tree_per_iteration", "label_index", "max_feature_idx", "objective",
		"average_output", "feature_names", "monotone_constraints", "feature_infos", "tree_sizes"}
	treeKeys = []string{"num_leaves", "num_cat", "split_feature", "split_gain", "threshold", "decision_type", "left_child",
		"right_child", "leaf_value", "leaf_weight", "leaf_count", "internal_value", "internal_weight", "internal_count",
		"cat_boundaries", "cat_threshold", "is_linear", "shrinkage"}
	linearKeys = []string{"leaf_const", "num_features", "leaf_features", "leaf_coeff"}
)

// fields reads "key=value" lines up to a blank line.
func (p *parser) fields(keys []string) (map[string]field, error) {
	m := make(map[string]field, len(keys))
	for {
		s, ok := p.next()
		if !ok {
			return nil, p.fail("text ends in the middle of a block")
		}
		if s == "" {
			return m, nil
		}
		k, v, eq := strings.Cut(s, "=")
		switch {
		case eq == (k == "average_output"):
			return nil, p.fail("want key=value, or average_output alone, got %s", quote(s))
		case slices.Contains(linearKeys, k):
			return nil, p.fail("%s: linear trees are refused", k)
		case !slices.Contains(keys, k):
			return nil, p.fail("unknown key %s", quote(k))
		}
		if old, twice := m[k]; twice {
			return nil, p.fail("%s stands twice, first on line %d", k, old.line)
		}
		m[k] = field{p.line, k, v}
	}
}

func featureNames(f, highest field) ([]string, error) {
	last, err := highest.integer(0, MaxFeatures-1)
	if err != nil {
		return nil, err
	}
	names := strings.Split(f.text, " ")
	if len(names) != last+1 {
		return nil, f.fail("%d feature_names, but max_feature_idx is %d", len(names), last)
	}
	for i, n := range names {
		if n == "" || len(n) > maxNameBytes || strings.Contains(n, "=") {
			return nil, f.fail("feature_names: name %d is %s", i, quote(n))
		}
	}
	return names, nil
}

func treeSizes(f field, text int) ([]int, error) {
	n := strings.Count(f.text, " ") + 1
	if n > MaxTrees {
		return nil, f.fail("%d trees, more than %d", n, MaxTrees)
	}
	sizes := make([]int, n)
	for i, s := range strings.Split(f.text, " ") {
		v, err := strconv.ParseUint(s, 10, 31)
		if err != nil || v == 0 || v > uint64(text) {
			return nil, f.fail("tree_sizes: size %d is %s, not a number of bytes within the text", i, quote(s))
		}
		sizes[i] = int(v)
	}
	return sizes, nil
}

func (f field) integer(lo, hi int) (int, error) {
	v, err := strconv.Atoi(f.text)
	if err != nil || strconv.Itoa(v) != f.text || v < lo || v > hi {
		return 0, f.fail("%s is %s, not a whole number in %d..%d", f.key, quote(f.text), lo, hi)
	}
	return v, nil
}

// number parses a finite decimal: no hexadecimal, no "inf", no underscore, all
// of which strconv takes and LightGBM never writes.
func number(s string) (float64, error) {
	for i := range len(s) {
		if c := s[i]; (c < '0' || c > '9') && c != '-' && c != '+' && c != '.' && c != 'e' && c != 'E' {
			return 0, strconv.ErrSyntax
		}
	}
	v, err := strconv.ParseFloat(s, 64)
	if err == nil && (math.IsInf(v, 0) || math.IsNaN(v)) {
		err = strconv.ErrRange
	}
	return v, err
}

// quote shows a piece of the file, shortened, with everything unprintable escaped.
func quote(s string) string {
	if len(s) > maxQuotedBytes {
		s = s[:maxQuotedBytes] + "..."
	}
	return strconv.Quote(s)
}
