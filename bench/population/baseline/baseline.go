// Package baseline answers: how is the model made that ships with the daemon?
//
// [Recipe.Make] simulates several deployments, grows a model on their attempts
// with LightGBM, calibrates it on other people's, judges it on other people,
// other campaigns and later days, and prints the verdict; [Write] writes the
// model's folder. The same recipe makes the same bytes. [Recipe.Judge] judges any
// model on the same rows.
package baseline

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/waryauth/wary/bench/population"
	"github.com/waryauth/wary/features"
	"github.com/waryauth/wary/models"
	"github.com/waryauth/wary/models/train"
	"github.com/waryauth/wary/signals/geoip"
)

// Recipe says how a model is made.
type Recipe struct {
	Library string    // path of LightGBM's library
	Geo     string    // folder with city.mmdb and asn.mmdb, to judge on real address space too
	Version string    // of the model
	Created time.Time // that the card tells
	Seed    uint64    // of the simulations
	Scale   float64   // users of each simulation, as a share of the built-in number
	Trees   int       // at most
}

// takeoverPrior is the stated share of takeovers among attempts whose check
// succeeded that probabilities are for. In the RBA data set it is 1.1e-5 over 13
// months of an ordinary service; a service under attack has more.
const takeoverPrior = 0.001

// Make grows, calibrates and judges a model; the verdict goes to w.
func (c *Recipe) Make(ctx context.Context, w io.Writer) (text []byte, card models.Card, err error) {
	library, err := train.Open(c.Library)
	if err != nil {
		return nil, card, err
	}
	kept, data := c.collect()
	if err := c.collectReal(&kept[judging]); err != nil {
		return nil, card, err
	}
	text, report, err := grow(ctx, library, kept, c.Trees)
	if err != nil {
		return nil, card, err
	}
	slog.Info("grown", "trees", report.Trees, "bytes", len(text), "training loss", report.TrainLoss, "validation loss", report.ValidLoss)
	card = models.Card{Version: c.Version, Created: c.Created, Schema: features.Digest(), Data: data, Calibration: models.Calibration{Kind: models.Uncalibrated}}
	if card.Calibration, err = calibrate(text, card, kept[validation]); err != nil {
		return nil, card, err
	}
	m, err := load(text, card)
	if err != nil {
		return nil, card, err
	}
	card.Metrics, err = judge(w, m, kept[judging])
	card.Notes = notes(report, kept)
	return text, card, err
}

// Judge prints how a model does on the rows that Make judges on.
func (c *Recipe) Judge(w io.Writer, m *models.Model) (metrics map[string]float64, err error) {
	kept, _ := c.collect()
	if err := c.collectReal(&kept[judging]); err != nil {
		return nil, err
	}
	return judge(w, m, kept[judging])
}

// collect runs every setting.
func (c *Recipe) collect() (all [parts][]sample, data models.Data) {
	world := population.SyntheticWorld(c.Seed)
	for i := range settings {
		began := time.Now()
		kept, o := collect(settings[i], i, c.Seed, world, c.Scale)
		for p := range kept {
			all[p] = append(all[p], kept[p]...)
		}
		slog.Info("simulated", "setting", settings[i].name, "training", len(kept[training]), "validation", len(kept[validation]),
			"judging", len(kept[judging]), "took", time.Since(began).Round(time.Second))
		if data.From.IsZero() {
			data.From = o.Start
		}
		if to := o.Start.AddDate(0, 0, o.Days*2/3); to.After(data.To) {
			data.To = to
		}
	}
	data.Generator = "bench/population/baseline, synthetic world"
	data.Seed, data.Rows = c.Seed, len(all[training])
	return all, data
}

// collectReal adds the rows of the setting over real address space, where its
// files are.
func (c *Recipe) collectReal(to *[]sample) error {
	files := geoip.Files{City: filepath.Join(c.Geo, "city.mmdb"), ASN: filepath.Join(c.Geo, "asn.mmdb")}
	if _, err := os.Stat(files.City); err != nil {
		slog.Warn("not judged on real address space", "because", err)
		return nil
	}
	world, err := population.OpenWorld(files, c.Seed)
	if err != nil {
		return err
	}
	kept, _ := collect(real, len(settings), c.Seed, world, c.Scale)
	slog.Info("simulated", "setting", real.name, "judging", len(kept[judging]))
	*to = append(*to, kept[judging]...)
	return nil
}

// Weights of fraud in training, against 1 of an honest row: takeovers are few
// and what matters; failed guesses are many and give nobody access.
const (
	takeoverWeight = 3
	failedWeight   = 0.3
)

func table(rows []sample) *train.Data {
	d := &train.Data{Columns: features.Width}
	for i := range rows {
		s := &rows[i]
		d.X = append(d.X, s.Vector[:]...)
		y, w := float32(0), float32(1)
		switch {
		case s.Takeover:
			y, w = 1, takeoverWeight
		case s.Fraud:
			y, w = 1, failedWeight
		}
		d.Y, d.Weight = append(d.Y, y), append(d.Weight, w)
	}
	return d
}

func grow(ctx context.Context, l *train.Library, kept [parts][]sample, trees int) ([]byte, train.Report, error) {
	p := train.Params{
		Trees: trees, Leaves: 31, LearningRate: 0.12, MinLeafRows: 100, FeatureFraction: 0.5, BaggingFraction: 0.8,
		L2: 5, MaxBin: 63, EarlyStopping: 30, Seed: 1,
	}
	for _, f := range features.Schema {
		p.FeatureNames, p.Monotone = append(p.FeatureNames, f.Name), append(p.Monotone, int8(f.Risk))
	}
	return l.Grow(ctx, table(kept[training]), table(kept[validation]), p, func(tree int, training, validation float64) {
		if tree%20 == 0 {
			slog.Info("growing", "trees", tree, "training loss", training, "validation loss", validation)
		}
	})
}

func load(text []byte, card models.Card) (*models.Model, error) {
	b, err := json.Marshal(card)
	if err != nil {
		return nil, err
	}
	return models.Load(text, b)
}

// calibrate fits Platt's line on people the model was not grown from, over the
// attempts that decisions are about, and corrects the share of takeovers there
// to the stated prior.
func calibrate(text []byte, card models.Card, rows []sample) (models.Calibration, error) {
	m, err := load(text, card)
	if err != nil {
		return card.Calibration, err
	}
	var p models.Prediction
	var raw []float64
	var labels, weights []float32
	positives, total := 0.0, 0.0
	for i := range rows {
		s := &rows[i]
		if !s.Judged() {
			continue
		}
		m.Predict(&p, &s.Vector)
		y := float32(0)
		if s.Takeover {
			y = 1
			positives += s.weight
		}
		total += s.weight
		raw, labels, weights = append(raw, p.Raw), append(labels, y), append(weights, float32(s.weight))
	}
	out := models.Calibration{Kind: models.Platt}
	if out.A, out.B, err = train.PlattFit(raw, labels, weights); err != nil {
		return out, err
	}
	out.PriorShift, err = train.PriorShift(takeoverPrior, positives/total)
	slog.Info("calibrated", "a", out.A, "b", out.B, "shift", out.PriorShift)
	return out, err
}

// Write makes a model's folder. The compressed text holds neither time nor
// name, so that its bytes depend on the text alone.
func Write(dir string, text []byte, card models.Card) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	var packed bytes.Buffer
	z, err := gzip.NewWriterLevel(&packed, gzip.BestCompression)
	if err != nil {
		return err
	}
	if _, err := z.Write(text); err != nil {
		return err
	}
	if err := z.Close(); err != nil {
		return err
	}
	b, err := json.MarshalIndent(card, "", "  ")
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, models.CardFile), append(b, '\n'), 0o644); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, models.GzipFile), packed.Bytes(), 0o644)
}
