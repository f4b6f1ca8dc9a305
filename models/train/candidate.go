package train

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"iter"
	"os"

	"github.com/waryauth/wary/features"
	"github.com/waryauth/wary/models"
)

// Candidate is a model to be made from vectors in the order of features.Schema.
type Candidate struct {
	Library string // path of LightGBM's library
	Params  Params // names and directions of the features are the schema's, whatever stands there
	// Prior is the share of fraud that probabilities are for; 0 is that of Calibrating.
	Prior float64
	// Share is that of fraud where Calibrating was drawn, 0 that of its rows: fraud which
	// was stopped may be missing there.
	Share float64
	// Training grows the trees, Stopping ends growing, Calibrating, whose rows weigh as
	// many as they stand for, makes probabilities of scores.
	Training, Stopping, Calibrating Data
	Progress                        func(added, total int) // trees; may be nil
}

// Make grows and calibrates. Trees are grown until the loss on Stopping is smallest,
// and then as many from both, so that what is newest is not left out. It fills in what
// the card has to tell of that; version, time and data are the caller's. The same rows,
// library and parameters give the same bytes.
func (c *Candidate) Make(ctx context.Context, card models.Card) (text []byte, made models.Card, err error) {
	library, err := Open(c.Library)
	if err != nil {
		return nil, card, err
	}
	p := c.params()
	told := func(int, float64, float64) {
		if c.Progress != nil {
			c.Progress(1, 2*p.Trees)
		}
	}
	_, report, err := library.Grow(ctx, &c.Training, &c.Stopping, p, told)
	if err != nil {
		return nil, card, err
	}
	again := p
	again.Trees, again.EarlyStopping = report.Trees, 0
	all := Data{Columns: c.Training.Columns, X: append(c.Training.X, c.Stopping.X...), Y: append(c.Training.Y, c.Stopping.Y...), Weight: append(c.Training.Weight, c.Stopping.Weight...)}
	text, final, err := library.Grow(ctx, &all, nil, again, told)
	if err != nil {
		return nil, card, err
	}
	card.Schema, card.Metrics = features.Digest(), nil
	card.Training = &models.Training{Parameters: p.Text(), Trees: final.Trees, Grown: report.Grown, TreesAtMost: p.trees(), EarlyStopping: p.EarlyStopping, Prior: c.Prior}
	if card.Training.Library, err = FileDigest(c.Library); err != nil {
		return nil, card, err
	}
	if card.Gain, err = GainShares(text); err != nil {
		return nil, card, err
	}
	card.Missing, card.Ordinary = MissingShares(c.legitimate()), models.Medians(c.legitimate())
	card.Calibration, card.Training.CalibrationLoss, err = c.calibrate(library, text)
	return text, card, err
}

func (c *Candidate) params() Params {
	p := c.Params
	p.Trees, p.FeatureNames, p.Monotone = p.trees(), nil, nil
	for _, f := range features.Schema {
		p.FeatureNames, p.Monotone = append(p.FeatureNames, f.Name), append(p.Monotone, int8(f.Risk))
	}
	return p
}

// calibrate fits probabilities to Calibrating. LightGBM's own scores are bit for bit
// those of package models.
func (c *Candidate) calibrate(l *Library, text []byte) (models.Calibration, map[string]float64, error) {
	d := &c.Calibrating
	share, err := Share(d.Y, d.Weight, 1)
	if err != nil {
		return models.Calibration{}, nil, fmt.Errorf("calibrate: %w", err)
	}
	raw, err := l.Predict(text, d.X, d.Columns)
	if err != nil {
		return models.Calibration{}, nil, err
	}
	made, losses, err := Calibrate(raw, d.Y, d.Weight)
	if c.Share > 0 {
		share = c.Share
	}
	if err == nil && c.Prior > 0 {
		made.PriorShift, err = PriorShift(c.Prior, share)
	}
	return made, losses, err
}

// legitimate yields the vectors of legitimate attempts to calibrate by.
func (c *Candidate) legitimate() iter.Seq[*features.Vector] {
	d := &c.Calibrating
	return func(yield func(*features.Vector) bool) {
		for i, y := range d.Y {
			if y == 0 && !yield((*features.Vector)(d.X[i*d.Columns:])) {
				return
			}
		}
	}
}

// FileDigest returns "sha256:<hex>" of a file.
func FileDigest(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", err
	}
	return "sha256:" + hex.EncodeToString(h.Sum(nil)), nil
}
