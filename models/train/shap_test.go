package train

import (
	"encoding/json"
	"math"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/waryauth/wary/features"
	"github.com/waryauth/wary/models"
)

// shapRows is how many rows of a golden have their contributions committed.
const shapRows = 64

// TestContributionGoldens has LightGBM explain the committed models: package models
// is judged by these files where LightGBM is not. With -update it writes them.
func TestContributionGoldens(t *testing.T) {
	l := lightgbm(t)
	f := func(name, base string, columns int) {
		t.Run(name, func(t *testing.T) {
			x := floats32(file(t, base+".rows.f32"))[:shapRows*columns]
			got, err := l.Contributions(file(t, base+".txt"), x, columns)
			if err != nil {
				t.Fatal(err)
			}
			path := filepath.Join("..", "testdata", "shap", name+".contrib.f64")
			if *update {
				writeGolden(t, path, bytesOf(got))
			}
			if !slices.Equal(got, floats64(file(t, path))) {
				t.Error("LightGBM's contributions are not the stored ones")
			}
		})
	}
	for _, name := range []string{"nan", "zero"} {
		f(name, filepath.Join("..", "testdata", name), 10)
	}
	for _, g := range goldens {
		f(g.name, filepath.Join("..", "testdata", "golden", g.name), goldenColumns)
	}
}

// farthest compares the contributions of rows with LightGBM's.
func farthest(t *testing.T, l *Library, text []byte, x []float32, columns int, shap func(row []float32) (float64, []float64)) float64 {
	t.Helper()
	want, err := l.Contributions(text, x, columns)
	if err != nil {
		t.Fatal(err)
	}
	most := 0.0
	for i := range len(x) / columns {
		base, phi := shap(x[i*columns:][:columns])
		for f, w := range want[i*(columns+1):][:columns+1] {
			got := base
			if f < columns {
				got = phi[f]
			}
			most = max(most, math.Abs(got-w))
		}
	}
	return most
}

// TestSHAPIsLightGBMsOnLargeModels compares on the models that figures are of.
func TestSHAPIsLightGBMsOnLargeModels(t *testing.T) {
	l := lightgbm(t)
	f := func(name string, columns int) {
		t.Run(name, func(t *testing.T) {
			base := filepath.Join("..", "..", "..", "shared", "data", "models", name)
			text := gunzip(t, base+".txt")
			x := floats32(gunzip(t, base+".rows.f32"))
			e, err := models.Inspect(text)
			if err != nil {
				t.Fatal(err)
			}
			if off := farthest(t, l, text, x[:shapRows*columns], columns, e.SHAP); off > 1e-6 {
				t.Errorf("off by %g", off)
			} else {
				t.Logf("at most %.1g off", off)
			}
		})
	}
	f("300x31x120", 120)
	f("500x63x200", 200)
}

// TestSHAPIsLightGBMsOnTheSchema grows a model over the schema, loads it as a daemon
// does and explains rows by name.
func TestSHAPIsLightGBMsOnTheSchema(t *testing.T) {
	l := lightgbm(t)
	r := rand.New(rand.NewPCG(31, 13))
	d := &Data{Columns: features.Width}
	for range 1500 {
		z := 0.0
		for f := range features.Width {
			x := r.NormFloat64()
			if f < 12 {
				z += x * float64(f%3-1)
			}
			if r.IntN(8) == 0 {
				x = math.NaN()
			}
			d.X = append(d.X, float32(x))
		}
		y := float32(0)
		if z > 0 {
			y = 1
		}
		d.Y = append(d.Y, y)
	}
	p := Params{Trees: 20, Leaves: 15}
	for _, f := range features.Schema {
		p.FeatureNames = append(p.FeatureNames, f.Name)
	}
	text, _ := grow(t, l, d, nil, p)
	at := time.Date(2026, 1, 2, 0, 0, 0, 0, time.UTC)
	card, err := json.Marshal(models.Card{Version: "shap", Created: at, Schema: features.Digest(), Data: models.Data{Generator: "test", Rows: len(d.Y), From: at, To: at},
		Calibration: models.Calibration{Kind: models.Uncalibrated}})
	if err != nil {
		t.Fatal(err)
	}
	m, err := models.Load(text, card)
	if err != nil {
		t.Fatal(err)
	}
	off := farthest(t, l, text, d.X[:100*features.Width], features.Width, func(row []float32) (float64, []float64) {
		return m.SHAP((*features.Vector)(row))
	})
	if off > 1e-6 {
		t.Errorf("off by %g", off)
	}
}
