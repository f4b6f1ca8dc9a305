// Package baseline answers: how is the model made that ships with the daemon?
//
// [Recipe.Make] simulates several deployments, grows a model on their attempts
// with LightGBM, ends growing on a later slice of time, calibrates on other
// people, judges on yet others, other campaigns and later days, and prints the
// verdict; [Write] writes the model's folder. The same recipe makes the same
// bytes. [Recipe.Export] writes the rows for those who train elsewhere, and
// [Recipe.Evaluate] judges any model on the same rows.
package baseline

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"iter"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/waryauth/wary/features"
	"github.com/waryauth/wary/models"
	"github.com/waryauth/wary/models/train"
)

// Recipe says how a model is made.
type Recipe struct {
	Library string    // path of LightGBM's library
	Geo     string    // folder with city.mmdb and asn.mmdb, to judge on real address space too
	Version string    // of the model
	Created time.Time // that the card tells
	Seed    uint64    // of the simulations
	Scale   float64   // users of each simulation, as a share of the built-in number
	// Params of growing. Names and directions of the features are the schema's,
	// whatever stands there.
	Params train.Params
	Table  io.Writer // unless nil, Make writes its rows there, as Export does
	// Progress, unless nil, is called now and then, on the calling goroutine: added
	// to a step of so many in total, user days or trees. A step without a name asks
	// for room for a line of the log.
	Progress func(step string, added, total int)
}

// Steps that Progress tells of.
const (
	Simulating     = "simulating"
	SimulatingReal = "simulating real addresses"
	Studying       = "simulating the study"
	Growing        = "growing"
	Fitting        = "fitting peers"
)

// DefaultParams grow the model that ships.
func DefaultParams() train.Params {
	return train.Params{
		Trees: 300, Leaves: 31, LearningRate: 0.12, MinLeafRows: 100, FeatureFraction: 0.5, BaggingFraction: 0.8,
		L2: 5, MaxBin: 63, PositiveWeight: 1, EarlyStopping: 30, Seed: 1,
	}
}

// takeoverPrior is the stated share of takeovers among attempts whose check
// succeeded that probabilities are for. In the RBA data set it is 1.1e-5 over 13
// months of an ordinary service; a service under attack has more.
const takeoverPrior = 0.001

func (c *Recipe) progress(step string, added, total int) {
	if c.Progress != nil {
		c.Progress(step, added, total)
	}
}

// params returns those of growing, with the schema's names and directions.
func (c *Recipe) params() train.Params {
	p := c.Params
	p.FeatureNames, p.Monotone = nil, nil
	for _, f := range features.Schema {
		p.FeatureNames, p.Monotone = append(p.FeatureNames, f.Name), append(p.Monotone, int8(f.Risk))
	}
	return p
}

// Make grows, calibrates and judges a model; the verdict goes to w. When ctx ends
// it returns its error within a simulated day or a tree.
func (c *Recipe) Make(ctx context.Context, w io.Writer) (text []byte, card models.Card, err error) {
	library, err := train.Open(c.Library)
	if err != nil {
		return nil, card, err
	}
	card = models.Card{Version: c.Version, Created: c.Created, Schema: features.Digest(), Calibration: models.Calibration{Kind: models.Uncalibrated}}
	var k rows
	if err := c.table(&k, c.Table, func() error { return c.collect(ctx, &k, populations) }); err != nil {
		return nil, card, err
	}
	k.print(w)
	if err := c.collectReal(ctx, &k); err != nil {
		return nil, card, err
	}
	if text, err = c.grow(ctx, library, &k, &card); err != nil {
		return nil, card, err
	}
	if err := calibrate(text, &card, k.calibrating); err != nil {
		return nil, card, err
	}
	m, err := load(text, card)
	if err != nil {
		return nil, card, err
	}
	card.Ordinary, card.Missing = models.Medians(honest(k.calibrating)), train.MissingShares(honest(k.calibrating))
	if card.Gain, err = train.GainShares(text); err != nil {
		return nil, card, err
	}
	report, err := k.set(m).Judge()
	if err != nil {
		return nil, card, err
	}
	if report.Study, err = c.Study(ctx, m); err != nil {
		return nil, card, err
	}
	card.Reliability, card.Metrics = report.Reliability, report.Metrics()
	card.Notes = c.notes(&card)
	return text, card, report.Print(w)
}

// Export writes the rows of every slice to table as Parquet (train.Table), in
// bounded memory and without LightGBM, and tells w what they are.
func (c *Recipe) Export(ctx context.Context, table, w io.Writer) error {
	k := rows{forget: true}
	if err := c.table(&k, table, func() error { return c.collect(ctx, &k, populations) }); err != nil {
		return err
	}
	k.print(w)
	return nil
}

// table has collect write into a table, which it begins and ends; without a
// writer it only collects.
func (c *Recipe) table(k *rows, w io.Writer, collect func() error) (err error) {
	if w == nil {
		return collect()
	}
	p := c.params()
	if k.table, err = train.NewTable(w, p.FeatureNames); err != nil {
		return err
	}
	k.table.NoteParams(&p)
	k.table.Note("wary.schema", features.Digest())
	if err := collect(); err != nil {
		return err
	}
	return k.table.Close()
}

// grow grows the model and tells the card how: a first time to see at how many trees
// the loss on the later slice is smallest, and then as many from all rows, so that
// what is newest is not left out of the model that serves.
func (c *Recipe) grow(ctx context.Context, l *train.Library, k *rows, card *models.Card) ([]byte, error) {
	digest, err := train.FileDigest(c.Library)
	if err != nil {
		return nil, err
	}
	p := c.params()
	_, report, err := l.Grow(ctx, &k.grown[training], &k.grown[stopping], p, func(int, float64, float64) { c.progress(Growing, 1, p.Trees) })
	if err != nil {
		return nil, err
	}
	c.progress("", 0, 0)
	all := together(&k.grown[training], &k.grown[stopping])
	again := p
	again.Trees, again.EarlyStopping = report.Trees, 0
	text, final, err := l.Grow(ctx, &all, nil, again, func(int, float64, float64) { c.progress(Growing, 1, again.Trees) })
	if err != nil {
		return nil, err
	}
	c.progress("", 0, 0)
	slog.Info("grown", "trees", report.Trees, "of", report.Grown, "bytes", len(text), "training loss", final.TrainLoss, "later loss", report.ValidLoss)
	t := &k.slices[training]
	card.Data = models.Data{Generator: "bench/population/baseline, synthetic world", Seed: c.Seed, Rows: len(all.Y), From: t.From, To: k.slices[stopping].To}
	card.Training = &models.Training{
		Library: digest, Parameters: p.Text(), Trees: report.Trees, Grown: report.Grown, TreesAtMost: p.Trees, EarlyStopping: p.EarlyStopping,
		Slices: k.told(), Prior: takeoverPrior,
	}
	return text, nil
}

// together appends one table to another, which is not used any more.
func together(first, second *train.Data) train.Data {
	return train.Data{
		Columns: first.Columns, X: append(first.X, second.X...), Y: append(first.Y, second.Y...), Weight: append(first.Weight, second.Weight...),
	}
}

// honest yields the vectors of honest attempts that decisions are about.
func honest(samples []sample) iter.Seq[*features.Vector] {
	return func(yield func(*features.Vector) bool) {
		for i := range samples {
			if s := &samples[i]; !s.Fraud && s.Judged() && !yield(&s.Vector) {
				return
			}
		}
	}
}

func load(text []byte, card models.Card) (*models.Model, error) {
	b, err := json.Marshal(card)
	if err != nil {
		return nil, err
	}
	return models.Load(text, b)
}

// calibrate fits a calibration on people the model was not grown from, over the
// attempts that decisions are about, and corrects the share of takeovers there to
// the stated prior. Raw scores are log-odds: Params has no sigmoid but LightGBM's 1.
func calibrate(text []byte, card *models.Card, samples []sample) error {
	m, err := load(text, *card)
	if err != nil {
		return err
	}
	var raw []float64
	var labels, weights []float32
	for s, p := range predictions(m, judged(samples)) {
		y, w := s.label(calibrating)
		raw, labels, weights = append(raw, p.Raw), append(labels, y), append(weights, w)
	}
	share, err := train.Share(labels, weights, 1)
	if err != nil {
		return fmt.Errorf("calibrate: the simulation is too small: %w", err)
	}
	if card.Calibration, card.Training.CalibrationLoss, err = train.Calibrate(raw, labels, weights); err != nil {
		return err
	}
	card.Calibration.PriorShift, err = train.PriorShift(takeoverPrior, share)
	slog.Info("calibrated", "kind", card.Calibration.Kind, "losses", card.Training.CalibrationLoss, "shift", card.Calibration.PriorShift)
	return err
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
