package models

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/waryauth/wary/features"
)

// schemaText gives a fixture the features of the schema: its ten are the first.
func schemaText(tb testing.TB, name string) []byte {
	names, _ := schema()
	s := string(readTestdata(tb, name+".txt"))
	for key, value := range map[string]string{"max_feature_idx": fmt.Sprint(features.Width - 1), "feature_names": strings.Join(names, " "), "feature_infos": infos(features.Width)} {
		from := strings.Index(s, key+"=")
		to := from + strings.Index(s[from:], "\n")
		s = s[:from] + key + "=" + value + s[to:]
	}
	return []byte(s)
}

// infos is feature_infos of n features that say nothing.
func infos(n int) string { return strings.TrimSuffix(strings.Repeat("none ", n), " ") }

func schemaCard(version, calibration string) []byte {
	return []byte(fmt.Sprintf(`{"version": %q, "created": "2026-01-02T03:04:05Z", "schema": %q, "data": {"generator": "testdata/make.py",
"rows": 4000, "from": "2026-01-01T00:00:00Z", "to": "2026-01-01T00:00:00Z"}, "calibration": %s}`, version, features.Digest(), calibration))
}

func loadModel(tb testing.TB, name, version string) *Model {
	tb.Helper()
	m, err := Load(schemaText(tb, name), schemaCard(version, `{"kind": "none"}`))
	if err != nil {
		tb.Fatal(err)
	}
	return m
}

// vector puts a fixture's row into the first features.
func vector(row []float32) *features.Vector {
	v := new(features.Vector)
	v.Reset()
	copy(v[:], row)
	return v
}

func TestPredict(t *testing.T) {
	for _, name := range fixtures {
		m, x := loadModel(t, name, "v1"), loadFixture(t, name)
		var p Prediction
		for i, row := range x.rows {
			m.Predict(&p, vector(row))
			if math.Float64bits(p.Raw) != math.Float64bits(x.raw[i]) {
				t.Fatalf("%s row %d: raw %v, LightGBM %v", name, i, p.Raw, x.raw[i])
			}
			if i < len(x.probability) && math.Abs(p.Probability-x.probability[i]) > 1e-12 {
				t.Fatalf("%s row %d: probability %v, LightGBM %v", name, i, p.Probability, x.probability[i])
			}
			if p.Top != noTop {
				t.Fatalf("%s row %d: top before it was asked for", name, i)
			}
		}
		m.Explain(&p)
		if p.Top == noTop {
			t.Errorf("%s: nothing explained", name)
		}
		before := p
		loadModel(t, name, "v2").Explain(&p)
		if p.Top != noTop {
			t.Errorf("%s: another model explained", name)
		}
		m.Explain(&p)
		if p.Top != before.Top {
			t.Errorf("%s: explained anew as %v, not %v", name, p.Top, before.Top)
		}
		if m.Version() != "v1" || m.Card().Data.Rows != 4000 || m.Trees() != 24 {
			t.Errorf("%s: %q, %+v, %d trees", name, m.Version(), m.Card(), m.Trees())
		}
	}
}

func TestModelPredictAllocatesNothing(t *testing.T) {
	m, v := loadModel(t, "nan", "v1"), vector(loadFixture(t, "nan").rows[0])
	var p Prediction
	if n := testing.AllocsPerRun(100, func() { m.Predict(&p, v); m.Explain(&p) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestLoadRefuses(t *testing.T) {
	text, card := schemaText(t, "nan"), schemaCard("v1", `{"kind": "none"}`)
	names, _ := schema()
	swapped := with(string(text), names[3]+" "+names[4], names[4]+" "+names[3])
	last := names[features.Width-1]
	sized := func(width int, last string) string {
		s := with(string(text), fmt.Sprintf("idx=%d", features.Width-1), fmt.Sprintf("idx=%d", width-1))
		s = with(s, infos(features.Width), infos(width))
		return with(s, " "+names[features.Width-1]+"\n", last+"\n")
	}
	fewer, more := sized(features.Width-1, ""), sized(features.Width+1, " "+last+" more")
	regression := with(string(text), "objective=binary sigmoid:0.7", "objective=regression")
	for _, x := range []struct {
		name, text, card, reason string
	}{
		{"schema", string(text), with(string(card), features.Digest(), strings.Repeat("0", 64)), "trained on schema"},
		{"card", string(text), "{", "parse card"},
		{"text", "tree\n", string(card), "model line"},
		{"order of names", swapped, string(card), fmt.Sprintf("model line 8: feature_names: feature 3 is %q, the schema has %q", names[4], names[3])},
		{"fewer names", fewer, string(card), fmt.Sprintf("feature %d is missing, the schema has %q", features.Width-1, last)},
		{"no probability", regression, string(card), `model line 7: objective "regression" gives no probability`},
		{"more names", more, string(card), fmt.Sprintf(`feature %d is "more", the schema has none`, features.Width)},
	} {
		m, err := Load([]byte(x.text), []byte(x.card))
		if m != nil || err == nil || !strings.Contains(err.Error(), x.reason) {
			t.Errorf("%s: %v, want %s", x.name, err, x.reason)
		}
	}
}

func TestDigest(t *testing.T) {
	a := digest([]byte("text"), []byte("card"))
	if !strings.HasPrefix(a, "sha256:") || len(a) != 7+64 {
		t.Error(a)
	}
	for _, b := range []string{digest([]byte("textc"), []byte("ard")), digest([]byte("card"), []byte("text")), digest([]byte("text"), []byte("card ")), digest([]byte("Text"), []byte("card"))} {
		if a == b {
			t.Error("another text and card, the same digest")
		}
	}
	text, card := schemaText(t, "nan"), schemaCard("v1", `{"kind": "none"}`)
	if got, want := loadModel(t, "nan", "v1").Digest(), digest(text, card); got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

func TestLoadDir(t *testing.T) {
	text, card := schemaText(t, "nan"), schemaCard("v1", `{"kind": "none"}`)
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	z.Write(text)
	z.Close()
	put := func(files map[string][]byte) string {
		dir := t.TempDir()
		for name, b := range files {
			if err := os.WriteFile(filepath.Join(dir, name), b, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		return dir
	}
	var digests []string
	for _, files := range []map[string][]byte{{TextFile: text, CardFile: card}, {GzipFile: packed.Bytes(), CardFile: card}} {
		m, err := LoadDir(put(files))
		if err != nil {
			t.Fatal(err)
		}
		digests = append(digests, m.Digest())
	}
	if want := digest(text, card); digests[0] != want || digests[1] != want {
		t.Errorf("%v, want %s", digests, want)
	}
	for _, x := range []struct {
		files  map[string][]byte
		reason string
	}{
		{map[string][]byte{TextFile: text}, CardFile},
		{map[string][]byte{CardFile: card}, "neither"},
		{map[string][]byte{CardFile: card, TextFile: text, GzipFile: packed.Bytes()}, "both"},
		{map[string][]byte{CardFile: card, GzipFile: text}, "unpack"},
		{map[string][]byte{CardFile: card, GzipFile: packed.Bytes()[:packed.Len()-9]}, "unpack"},
	} {
		if _, err := LoadDir(put(x.files)); err == nil || !strings.Contains(err.Error(), x.reason) {
			t.Errorf("%v, want %s", err, x.reason)
		}
	}
	if _, err := LoadDir(filepath.Join(t.TempDir(), "none")); !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
}

// TestModelTextsDiffer: the fixtures hold what the tests believe they hold.
func TestModelTextsDiffer(t *testing.T) {
	for name, types := range map[string][]uint8{"nan": {missingNone, missingNaN}, "zero": {missingZero}} {
		seen := map[uint8]bool{}
		for _, tr := range loadFixture(t, name).e.trees {
			for _, m := range tr.missing {
				seen[m] = true
			}
		}
		for _, m := range types {
			if !seen[m] {
				t.Errorf("%s has no split of missing type %d", name, m)
			}
		}
	}
}

// TestLongNamesAreComparedWhole: messages shorten names, the comparison must not.
func TestLongNamesAreComparedWhole(t *testing.T) {
	long := strings.Repeat("n", 2*maxQuotedBytes)
	e := &ensemble{names: []string{long + "a"}}
	if err := e.checkNames([]string{long + "a"}); err != nil {
		t.Error(err)
	}
	if err := e.checkNames([]string{long + "b"}); err == nil {
		t.Error("names that differ at their end are taken for the same")
	}
}
