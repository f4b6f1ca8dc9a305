package main

import (
	"compress/gzip"
	"maps"
	"math"
	"os"
	"path/filepath"
	"testing"
)

// smallTrial packs a fixture of package models as a trial is packed.
func smallTrial(t *testing.T) *trial {
	dir := t.TempDir()
	for from, to := range map[string]string{".txt": ".txt.gz", ".rows.f32": ".rows.f32.gz", ".raw.f64": ".raw.f64.gz"} {
		b, err := os.ReadFile(filepath.Join("..", "..", "models", "testdata", "nan"+from))
		if err != nil {
			t.Fatal(err)
		}
		f, err := os.Create(filepath.Join(dir, "nan"+to))
		if err != nil {
			t.Fatal(err)
		}
		z := gzip.NewWriter(f)
		if _, err := z.Write(b); err != nil {
			t.Fatal(err)
		}
		if err := z.Close(); err != nil {
			t.Fatal(err)
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
	}
	s, err := openTrial(dir, "nan")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestMeasure: what has LightGBM's bits is counted, and a way that is off in one
// row, by the least there is, is not.
func TestMeasure(t *testing.T) {
	s := smallTrial(t)
	if s.features != 10 || len(s.raw) != 1024 {
		t.Fatalf("%d features, %d rows", s.features, len(s.raw))
	}
	ways, e, err := kernelWays(s)
	if err != nil {
		t.Fatal(err)
	}
	whole, err := attributionWay(s, e)
	if err != nil {
		t.Fatal(err)
	}
	leaves, err := leavesWay(s)
	if err != nil {
		t.Fatal(err)
	}
	off := inGo("off", func(i int) float64 {
		if i == 700 {
			return math.Nextafter(s.raw[i], 9)
		}
		return s.raw[i]
	})
	ways = append(ways, whole, leaves, off)
	for i, m := range s.measure(ways, 1) {
		want := 1024
		if m.way == "off" {
			want--
		}
		if m.way != ways[i].name || m.equal != want || m.of != 1024 || m.warm <= 0 || m.cold <= 0 {
			t.Errorf("%+v, want %d equal", m, want)
		}
		if (m.apart != 0) != (m.way == "off") {
			t.Errorf("%+v", m)
		}
	}
}

func TestOpenTrialRefuses(t *testing.T) {
	if _, err := openTrial(t.TempDir(), "none"); !os.IsNotExist(err) {
		t.Error(err)
	}
}

// TestWithoutCall: the call is taken off LightGBM and no one else.
func TestWithoutCall(t *testing.T) {
	got := withoutCall([]measured{{way: "go", warm: 5}, {way: "lightgbm", warm: 30, cold: 40}, {way: "nothing", warm: 2, cold: 3}})
	if len(got) != 2 || got[0].warm != 5 || got[1].warm != 28 || got[1].cold != 37 {
		t.Errorf("%+v", got)
	}
}

// TestCompare: the goals are against the fastest of each kind.
func TestCompare(t *testing.T) {
	got := compare("t", []measured{
		{way: "avx2", warm: 2, equal: 10, of: 10},
		{way: "go", warm: 5, equal: 9, of: 10, allocations: 1},
		{way: "attribution", warm: 2.5},
		{way: "leaves", warm: 30},
		{way: "lightgbm", warm: 28},
		{way: "lightgbm_c_loop", warm: 25},
		{way: "lleaves", warm: 12},
		{way: "tl2cgen_quantized", warm: 10},
		{way: "onnxruntime", warm: 1},
	}, 2)
	want := map[string]float64{
		"avx2_t_vs_leaves": 15, "avx2_t_vs_lightgbm": 12.5, "avx2_t_vs_best_compiled": 5, "avx2_t_vs_go": 2.5,
		"go_t_vs_leaves": 6, "go_t_vs_lightgbm": 5, "go_t_vs_best_compiled": 2,
		"attribution_t_vs_kernel": 1.25, "model_allocations:t": 1, "model_rows_equal_share:t": 0.9,
	}
	if !maps.Equal(got, want) {
		t.Errorf("%v", got)
	}
}
