package models

import (
	"errors"
	"fmt"
	"math"
	"runtime"
	"strings"
	"testing"

	"github.com/waryauth/wary/features"
)

// handCategorical looks feature 2 up: 0, 2 and 32 go left.
var handCategorical = handTree(2, "split_feature=2", "threshold=0", "decision_type=9", "left_child=-1", "right_child=-2", "leaf_value=1 2",
	"cat_boundaries=0 2", "cat_threshold=5 1")

func categoricalText() string {
	return handText(handHeader, []string{handTrees[0], with(handCategorical, "num_cat=0", "num_cat=1")})
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(handText(handHeader, handTrees)))
	f.Add([]byte(handText(with(handHeader, "v4", "v2"), handTrees[3:])))
	f.Add([]byte(handText(with(handHeader, "binary sigmoid:1", "regression"), handTrees[1:])))
	f.Add([]byte(handText(with(handHeader, "objective=binary sigmoid:1", "average_output\nobjective=xentropy"), handTrees[:2])))
	f.Add([]byte(categoricalText()))
	f.Add([]byte("tree\nversion=v3\n\nTree=0\n"))
	for _, absurd := range []string{"num_leaves=2000000000", "num_leaves=2\nnum_leaves=4096", "num_leaves=4096"} {
		f.Add([]byte(handText(handHeader, []string{with(handTrees[0], "num_leaves=2", absurd)})))
	}
	f.Add([]byte(with(categoricalText(), "cat_boundaries=0 2", "cat_boundaries=0 2147483647")))
	f.Add([]byte(with(handText(handHeader, handTrees), "max_feature_idx=2", "max_feature_idx=32767")))
	f.Fuzz(func(t *testing.T, text []byte) { parseAndWalk(t, text) })
}

// FuzzParseTrees keeps the sizes of the trees right, which FuzzParse seldom does.
func FuzzParseTrees(f *testing.F) {
	for i := range handTrees {
		f.Add(handTrees[i], handTrees[(i+3)%4])
	}
	f.Add(handTrees[0], with(handCategorical, "num_cat=0", "num_cat=1"))
	f.Fuzz(func(t *testing.T, a, b string) { parseAndWalk(t, []byte(handText(handHeader, []string{a, b}))) })
}

// parseAndWalk demands that a text is refused with a line and a reason, or that it
// can be walked and leaves agrees; either way within a multiple of its size.
func parseAndWalk(t *testing.T, text []byte) {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	e, err := parse(text)
	runtime.ReadMemStats(&after)
	if used := after.TotalAlloc - before.TotalAlloc; used > uint64(64*len(text)+1<<20) {
		t.Fatalf("%d bytes for a text of %d", used, len(text))
	}
	if err != nil {
		var pe *ParseError
		if e != nil || !errors.As(err, &pe) || pe.Line < 1 || pe.Reason == "" || len(pe.Reason) > 1000 {
			t.Fatalf("%#v", err)
		}
		return
	}
	if len(e.names) > features.Width {
		return
	}
	fo := newForest(e, someFamilies(len(e.names)))
	o, err := newOracle(text, e)
	if err != nil {
		return // leaves may refuse more
	}
	walks := append(fo.walks(), fo.as("prediction"), fo.with("plain").as("plain prediction"))
	g := newRowMaker(e)
	v := make([]float32, len(e.names))
	for range 32 {
		g.fill(v)
		want := o.raw(v)
		for _, w := range walks {
			if got := w.raw(v); math.Float64bits(got) != math.Float64bits(want) {
				t.Fatalf("%s of %v: %v, leaves %v", w.name, v, got, want)
			}
		}
		checkAdditive(t, fo, v)
	}
}

func checkAdditive(t *testing.T, f *forest, v []float32) {
	t.Helper()
	var p Prediction
	f.predict(&p, v)
	sum, size := p.Base, math.Abs(p.Base)
	for _, c := range p.Contributions {
		sum += float64(c)
		size += math.Abs(float64(c))
	}
	if d := math.Abs(sum - p.Raw); !(d <= 1e-5*max(1, size, f.table.unit*float64(math.MaxInt32))) {
		t.Fatalf("%v: contributions are off by %v", v, d)
	}
}

// loadSeeds are models that load, text and card.
func loadSeeds() [][2]string {
	names, _ := schema()
	header := with(handHeader, "idx=2", fmt.Sprintf("idx=%d", features.Width-1))
	header = with(header, "feature_names=a b c", "feature_names="+strings.Join(names, " "))
	text := handText(with(header, "none none none", infos(features.Width)), handTrees[:2])
	return [][2]string{
		{text, string(schemaCard("v1", `{"kind": "none"}`))},
		{text, string(schemaCard("v2", `{"kind": "platt", "a": 0.5, "b": -1, "prior_shift": 2}`))},
		{text, string(schemaCard("v3", `{"kind": "isotonic", "x": [-1, 2], "y": [0, 0.75]}`))},
		{with(text, "binary sigmoid:1", "cross_entropy"), string(schemaCard("v4", `{"kind": "none"}`))},
	}
}

func TestLoadSeeds(t *testing.T) {
	for i, s := range loadSeeds() {
		if _, err := Load([]byte(s[0]), []byte(s[1])); err != nil {
			t.Errorf("%d: %v", i, err)
		}
	}
}

// FuzzLoad: text and card together; what is loaded gives a probability.
func FuzzLoad(f *testing.F) {
	for _, s := range loadSeeds() {
		f.Add(s[0], s[1])
	}
	f.Add(handText(handHeader, handTrees), "{}")
	f.Fuzz(func(t *testing.T, text, card string) {
		m, err := load([]byte(text), []byte(card), 8)
		if err != nil {
			if m != nil || err.Error() == "" {
				t.Fatalf("%v, %v", m, err)
			}
			return
		}
		v := new(features.Vector)
		v.Reset()
		var p Prediction
		m.Predict(&p, v)
		m.Explain(&p)
		if !(p.Probability > 0 && p.Probability < 1) || math.IsInf(p.LogOdds, 0) || math.IsNaN(p.LogOdds) || math.IsNaN(p.Raw) {
			t.Fatalf("%+v", p)
		}
	})
}
