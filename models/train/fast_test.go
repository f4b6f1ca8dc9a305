package train

import (
	"math"
	"path/filepath"
	"strings"
	"testing"
)

// The scores came with the models: LightGBM 4.7.0's own, one row at a time.
func TestFastGivesTheStoredScores(t *testing.T) {
	l := lightgbm(t)
	const columns = 10
	for _, name := range []string{"nan", "zero"} {
		base := filepath.Join("..", "testdata", name)
		f, err := l.Fast(file(t, base+".txt"), columns)
		if err != nil {
			t.Fatal(err)
		}
		x, want := floats32(file(t, base+".rows.f32")), floats64(file(t, base+".raw.f64"))
		for i := range want {
			row := x[i*columns : (i+1)*columns]
			f.Nothing(row)
			if got := f.Raw(row); math.Float64bits(got) != math.Float64bits(want[i]) {
				t.Fatalf("%s, row %d: %x, stored %x", name, i, got, want[i])
			}
		}
		if err := f.Close(); err != nil {
			t.Error(err)
		}
		if err := f.Close(); err != nil {
			t.Errorf("closed twice: %v", err)
		}
	}
}

func TestFastRefuses(t *testing.T) {
	l := lightgbm(t)
	model := file(t, filepath.Join("..", "testdata", "nan.txt"))
	for _, c := range []struct {
		model   []byte
		columns int
		want    string
	}{
		{model, 9, "the model has 10 features"},
		{model, 0, "0 columns"},
		{append(append([]byte{}, model...), 0), 10, "zero byte"},
		{[]byte("tree\nversion=v4\n"), 10, "LightGBM says: "},
	} {
		f, err := l.Fast(c.model, c.columns)
		if f != nil || err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%d columns: error %v, want one that says %q", c.columns, err, c.want)
		}
	}
}

func BenchmarkFast(b *testing.B) {
	l := lightgbm(b)
	f, err := l.Fast(file(b, filepath.Join("..", "testdata", "nan.txt")), 10)
	if err != nil {
		b.Fatal(err)
	}
	defer f.Close()
	row := make([]float32, 10)
	b.Run("raw", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			f.Raw(row)
		}
	})
	b.Run("nothing", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			f.Nothing(row)
		}
	})
}
