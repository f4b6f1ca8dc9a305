package models

import (
	"bytes"
	"compress/gzip"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/waryauth/wary/features"
)

// sharedModels were trained by LightGBM 4.7.0; rows and raw scores came with them.
var sharedModels = []string{"300x31x120", "500x63x200"}

// shared is one of them, read in place.
type shared struct {
	text []byte
	e    *ensemble
	f    *forest
	rows [][]float32
	raw  []float64 // LightGBM's own
}

func gunzip(tb testing.TB, path string) []byte {
	tb.Helper()
	b, err := os.ReadFile(path)
	if os.IsNotExist(err) {
		tb.Skipf("shared data is not here: %v", err)
	}
	if err != nil {
		tb.Fatal(err)
	}
	z, err := gzip.NewReader(bytes.NewReader(b))
	if err != nil {
		tb.Fatal(err)
	}
	out, err := io.ReadAll(z)
	if err != nil {
		tb.Fatal(err)
	}
	return out
}

func loadShared(tb testing.TB, name string) *shared {
	tb.Helper()
	base := filepath.Join("..", "..", "shared", "data", "models", name)
	s := &shared{text: gunzip(tb, base+".txt.gz")}
	var err error
	if s.e, err = parse(s.text); err != nil {
		tb.Fatal(err)
	}
	s.f = newForest(s.e, someFamilies(len(s.e.names)))
	s.rows = floatRows(gunzip(tb, base+".rows.f32.gz"), len(s.e.names))
	s.raw = floats(gunzip(tb, base+".raw.f64.gz"))
	if len(s.rows) != 4096 || len(s.raw) != 4096 {
		tb.Fatalf("%d rows, %d scores", len(s.rows), len(s.raw))
	}
	return s
}

// someFamilies gives n features to the families in turn, in runs as a schema does.
func someFamilies(n int) []uint8 {
	f := make([]uint8, n)
	for i := range f {
		f[i] = uint8(i * features.Families / n)
	}
	return f
}
