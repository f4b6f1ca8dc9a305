package train

import (
	"bytes"
	"encoding/json"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/waryauth/wary/features"
	"github.com/waryauth/wary/models"
)

// wide draws rows of the whole schema in which one feature tells fraud: of those above 0
// a share, of the others a tenth of it.
func wide(seed uint64, n int, share float64) Data {
	r := rand.New(rand.NewPCG(seed, 17))
	d := Data{Columns: features.Width}
	for range n {
		row := make([]float32, features.Width)
		for i := range row {
			row[i] = float32(math.NaN())
		}
		x, p := float32(r.NormFloat64()), share/10
		if row[features.GeoDaysSinceCountrySeen], row[0] = x, 1; x > 0 {
			p = share
		}
		d.X, d.Y, d.Weight = append(d.X, row...), append(d.Y, 0), append(d.Weight, 1)
		if r.Float64() < p {
			d.Y[len(d.Y)-1] = 1
		}
	}
	return d
}

// TestCandidate: what is made loads, tells how it was made, has the probabilities of the
// rows that calibrated it, moved to the prior, and is made again byte for byte.
func TestCandidate(t *testing.T) {
	lightgbm(t) // or skip
	path := DefaultPath()
	if os.Getenv("WARY_LIGHTGBM") == "" {
		path = filepath.Join("..", "..", path)
	}
	made := func(prior, share float64) ([]byte, models.Card) {
		t.Helper()
		trees := 0
		c := Candidate{Library: path, Params: Params{Trees: 12, MinLeafRows: 20, EarlyStopping: 4, Threads: 1}, Prior: prior, Share: share,
			Training: wide(1, 4000, 0.4), Stopping: wide(2, 2000, 0.4), Calibrating: wide(3, 4000, 0.4), Progress: func(added, _ int) { trees += added }}
		text, card, err := c.Make(t.Context(), models.Card{Version: "v", Created: time.Unix(1, 0).UTC()})
		if err != nil {
			t.Fatal(err)
		}
		if trees != card.Training.Grown+card.Training.Trees || card.Training.Trees < 1 || card.Training.Trees > 12 {
			t.Errorf("%d trees were told, the card says %+v", trees, card.Training)
		}
		return text, card
	}
	text, card := made(0, 0)
	again, _ := made(0, 0)
	if !bytes.Equal(text, again) {
		t.Error("made again, the bytes are others")
	}
	if name := features.Schema[features.GeoDaysSinceCountrySeen].Name; card.Gain[name] < 0.9 {
		t.Errorf("of the gain %v is %s's", card.Gain[name], name)
	}
	b, err := json.Marshal(card)
	if err != nil {
		t.Fatal(err)
	}
	m, err := models.Load(text, b)
	if err != nil {
		t.Fatal(err)
	}
	judged := wide(4, 4000, 0.4)
	mean := func(m *models.Model) (above, below float64) {
		var p models.Prediction
		var n [2]float64
		var sum [2]float64
		for i := range judged.Y {
			v := (*features.Vector)(judged.X[i*features.Width:])
			m.Predict(&p, v)
			side := 0
			if v[features.GeoDaysSinceCountrySeen] > 0 {
				side = 1
			}
			n[side]++
			sum[side] += p.Probability
		}
		return sum[1] / n[1], sum[0] / n[0]
	}
	above, below := mean(m)
	near(t, "probability of those above 0", above, 0.4, 0.04) // five standard errors of the draw
	near(t, "of the others", below, 0.04, 0.02)

	_, card = made(0.01, 0) // 22 % are fraud: the odds fall by a factor of 28
	near(t, "prior shift", card.Calibration.PriorShift, math.Log(0.01/0.99)-math.Log(0.22/0.78), 0.15)

	_, card = made(0.01, 0.5) // half of all were fraud, most of it stopped
	near(t, "prior shift by a share", card.Calibration.PriorShift, math.Log(0.01/0.99), 1e-12)

	one := wide(5, 100, 0)
	c := Candidate{Library: path, Training: wide(1, 500, 0.4), Stopping: wide(2, 500, 0.4), Calibrating: one}
	if _, _, err := c.Make(t.Context(), models.Card{}); err == nil {
		t.Error("calibrated without fraud")
	}
}
