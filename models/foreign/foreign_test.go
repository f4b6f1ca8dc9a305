package foreign

import (
	"bytes"
	"encoding/binary"
	"flag"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// xgNode is a node of XGBoost's binary format: a split has a left child, a leaf -1.
type xgNode struct {
	Parent, Left, Right int32
	Feature             uint32 // the highest bit: missing goes left
	Value               float32
}

// xgFile writes such a file as XGBoost 0.90 does.
func xgFile(booster string, base float32, features uint32, trees ...[]xgNode) []byte {
	var b bytes.Buffer
	put := func(v ...any) {
		for _, x := range v {
			if err := binary.Write(&b, binary.LittleEndian, x); err != nil {
				panic(err)
			}
		}
	}
	name := func(s string) { put(uint64(len(s)), []byte(s)) }
	put(base, features, [32]int32{})
	name("binary:logistic")
	name(booster)
	put(int32(len(trees)), int32(1), int32(features), int32(0), int64(0), int32(1), int32(0), [32]int32{})
	for _, t := range trees {
		put(int32(1), int32(len(t)), int32(0), int32(0), int32(features), int32(0), [31]int32{})
		for _, n := range t {
			put(n)
		}
		put(make([]byte, 16*len(t)))
	}
	put(make([]int32, len(trees)))
	if booster == "dart" {
		put(uint64(len(trees)))
		for range trees {
			put(float32(0.5))
		}
	}
	return b.Bytes()
}

// Missing goes left at the root and right below; leaves are powers of two.
var xgTree = []xgNode{
	{-1, 1, 2, 0 | 1<<31, 1.5},
	{0, -1, -1, 0, 1},
	{0, 3, 4, 2, -2},
	{2, -1, -1, 0, 2},
	{2, -1, -1, 0, 4},
}

func TestReadXGBoost(t *testing.T) {
	nan := float32(math.NaN())
	below := math.Nextafter32(1.5, 0)
	for _, booster := range []string{"gbtree", "dart"} {
		f, err := Read(xgFile(booster, 16, 3, xgTree, xgTree[1:2]))
		if err != nil {
			t.Fatal(err)
		}
		if all, most := f.Leaves(); f.Name() != "xgboost."+booster || f.Trees() != 2 || f.Features() != 3 || all != 4 || most != 3 {
			t.Errorf("%s, %d trees, %d features, %d leaves, %d in one", f.Name(), f.Trees(), f.Features(), all, most)
		}
		scale := map[string]float64{"gbtree": 1, "dart": 0.5}[booster]
		score := f.Scorer()
		for _, c := range []struct {
			row  []float32
			leaf float64
		}{
			{[]float32{below, 0, 0}, 1}, {[]float32{nan, 0, 0}, 1}, {[]float32{float32(math.Inf(-1)), 0, 0}, 1},
			{[]float32{1.5, 0, -3}, 2}, // XGBoost asks x < threshold
			{[]float32{1.5, 0, -2}, 4}, {[]float32{2, 0, nan}, 4}, {[]float32{float32(math.Inf(1)), 0, 0}, 4},
		} {
			got, err := score(c.row)
			if want := 16 + scale*(c.leaf+1); err != nil || got != want {
				t.Errorf("%s %v: %v, %v, want %v", booster, c.row, got, err, want)
			}
		}
	}
}

var update = flag.Bool("update", false, "write testdata anew")

// TestFixture: the file, rows and scores that wary model check is tried on are what
// xgFile writes and what the tree says; the last row's score is off.
func TestFixture(t *testing.T) {
	rows, err := binary.Append(nil, binary.LittleEndian, []float32{1, 0, 0, 1.5, 0, -3, 2, 0, 0})
	if err != nil {
		t.Fatal(err)
	}
	raw, err := binary.Append(nil, binary.LittleEndian, []float64{17, 18 + 1e-6, 20.1})
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string][]byte{"xgboost.model": xgFile("gbtree", 16, 3, xgTree), "xgboost.rows.f32": rows, "xgboost.raw.f64": raw} {
		path := filepath.Join("testdata", name)
		if *update {
			if err := os.WriteFile(path, want, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		if got, err := os.ReadFile(path); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s: %v, or stale: -update writes it", path, err)
		}
	}
}

func TestReadRefuses(t *testing.T) {
	good := xgFile("gbtree", 0.5, 3, xgTree)
	at := func(n int, v uint32) []byte {
		b := bytes.Clone(good)
		binary.LittleEndian.PutUint32(b[n:], v)
		return b
	}
	const names = 136 + 8 + len("binary:logistic")
	const model = names + 8 + len("gbtree")
	const tree = model + 160
	const node2 = tree + 148 + 2*20
	for _, c := range []struct {
		name, reason string
		file         []byte
	}{
		{"empty", "ends early", nil},
		{"garbage", "not a LightGBM text, and not an XGBoost binary file that is taken: 1919885356 features", []byte("PMML, or something else that " + strings.Repeat("is no model ", 20))},
		{"truncated", "tree 0: the file ends early", good[:tree+200]},
		{"truncated at the end", "the file ends early", good[:len(good)-1]},
		{"no features", "0 features", at(4, 0)},
		{"base score", "base score is no number", at(0, 0x7fc00000)},
		{"absurd name", "ends early, or a size in it is forged", at(136, 1<<31)},
		{"absurd name beyond words", "ends early, or a size in it is forged", at(140, 1<<31)},
		{"linear", `booster "gbtrex" is not gbtree or dart`, at(names+8+2, 0x78657274)},
		{"absurd trees", "2147483647 trees", at(model, 1<<31-1)},
		{"many trees", "tree 1: the file ends early", at(model, 90_000)},
		{"scores a row", "1 trees, 3 scores a row", at(model+24, 3)},
		{"absurd nodes", "tree 0: the file ends early", at(tree+4, 1<<31-1)},
		{"negative nodes", "-1 nodes", at(tree+4, 1<<32-1)},
		{"child out of range", "child 5 of 5 nodes is none", at(node2+4, 5)},
		{"cycle", "child 0 of 5 nodes is none, or reached twice: a cycle", at(node2+4, 0)},
		{"half a leaf", "child -1 of 5 nodes", at(node2+8, 1<<32-1)},
		{"feature", "node 2 splits feature 3 of 3", at(node2+12, 3)},
		{"NaN leaf", "value of node 2 is no number", at(node2+16, 0x7fc00000)},
		{"JSON", "JSON is not read: save LightGBM models as text", []byte(`{"learner":{}}`)},
		{"LightGBM", "a file of format lightgbm is not another", []byte("tree\nversion=v4\n")},
		{"pickle 4", "a pickle of protocol 4", []byte("\x80\x04\x95")},
		{"pickle cut", "load model into leaves", []byte("ccopy_reg\n_reconstructor\np0\n(")},
		{"pickle of something", "load model into leaves", []byte("ccopy_reg\n_reconstructor\np0\n.")},
	} {
		f, err := Read(c.file)
		if f != nil || err == nil || !strings.Contains(err.Error(), c.reason) {
			t.Errorf("%s: %v, want %s", c.name, err, c.reason)
		}
	}
}

// TestPredictionsOfOtherLibraries reads the models that come with leaves' source, with their
// libraries' own predictions beside them.
func TestPredictionsOfOtherLibraries(t *testing.T) {
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/dmitryikh/leaves").Output()
	dir := filepath.Join(strings.TrimSpace(string(out)), "testdata")
	if _, statErr := os.Stat(filepath.Join(dir, "xgagaricus.model")); err != nil || statErr != nil {
		t.Skipf("the source of leaves is not here: %v, %v", err, statErr)
	}
	for _, c := range []struct {
		model, rows, predictions string
		missing                  float32 // what stands for the values a line leaves out
		width                    int
	}{
		{"xgagaricus", "agaricus_test.libsvm", "xgagaricus_true_predictions.txt", float32(math.NaN()), 127},
		{"sk_gradient_boosting_classifier", "sk_gradient_boosting_classifier_test.libsvm", "sk_gradient_boosting_classifier_true_predictions.txt", 0, 20},
	} {
		file, err := os.ReadFile(filepath.Join(dir, c.model+".model"))
		if err != nil {
			t.Fatal(err)
		}
		f, err := Read(file)
		if err != nil {
			t.Errorf("%s: %v", c.model, err)
			continue
		}
		if f.Features() != c.width {
			t.Errorf("%s: %d features", c.model, f.Features())
		}
		score, want := f.Scorer(), fieldsOf(t, filepath.Join(dir, c.predictions))
		for i, line := range fieldsOf(t, filepath.Join(dir, c.rows)) {
			row := make([]float32, f.Features())
			for j := range row {
				row[j] = c.missing
			}
			for _, pair := range line[1:] {
				k, v, _ := strings.Cut(pair, ":")
				n, _ := strconv.Atoi(k)
				x, _ := strconv.ParseFloat(v, 32)
				row[n] = float32(x)
			}
			raw, err := score(row)
			if err != nil {
				t.Fatal(err)
			}
			w, _ := strconv.ParseFloat(want[i][len(want[i])-1], 64)
			if p := 1 / (1 + math.Exp(-raw)); math.Abs(p-w) > 1e-5 && math.Abs(raw-w) > 1e-5 {
				t.Fatalf("%s row %d: raw %v, probability %v, want %v", c.model, i, raw, p, w)
			}
		}
	}
}

// fieldsOf returns the words of every line.
func fieldsOf(tb testing.TB, path string) (lines [][]string) {
	tb.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		tb.Fatal(err)
	}
	for _, line := range strings.Split(strings.TrimSpace(string(b)), "\n") {
		lines = append(lines, strings.Fields(line))
	}
	return lines
}

func FuzzRead(f *testing.F) {
	f.Add(xgFile("gbtree", 0.5, 3, xgTree, xgTree[1:2]))
	f.Add(xgFile("dart", 0.5, 3, xgTree))
	f.Fuzz(func(t *testing.T, file []byte) {
		if FormatOf(file) != XGBoost {
			return // leaves' pickles are not vouched for
		}
		m, err := Read(file)
		if err != nil {
			if m != nil || len(err.Error()) > 1000 {
				t.Fatalf("%v, %v", m, err)
			}
			return
		}
		if _, err := m.Scorer()(make([]float32, m.Features())); err != nil {
			t.Fatal(err)
		}
	})
}
