package models

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"time"
)

// maxCardBytes is far above a card with the longest calibration.
const maxCardBytes = 1 << 20

// Card says what a model is, how it was made and how its score becomes a
// probability. It is JSON beside the model text, and both make the digest.
type Card struct {
	Version     string             `json:"version"` // shown in every decision: 1 to 64 printable ASCII characters
	Created     time.Time          `json:"created"`
	Schema      string             `json:"schema"` // features.Digest() at training
	Data        Data               `json:"data"`
	Metrics     map[string]float64 `json:"metrics,omitempty"` // on data not trained on, e.g. "auc"
	Calibration Calibration        `json:"calibration"`
	Training    *Training          `json:"training,omitempty"`    // nil: the card is older, or another program made it
	Reliability *Reliability       `json:"reliability,omitempty"` // nil: as above
	Ordinary    map[string]float64 `json:"ordinary,omitempty"`    // median of each feature over honest rows (Medians); what is missing in most is left out
	Gain        map[string]float64 `json:"gain,omitempty"`        // of each feature: its share of what the trees gain (train.GainShares)
	Missing     map[string]float64 `json:"missing,omitempty"`     // of each feature: the share of honest rows without it (train.MissingShares)
	Notes       string             `json:"notes,omitempty"`
}

// Data says what a model was trained on.
type Data struct {
	Generator string    `json:"generator"` // the program and its version, or the log's name
	Seed      uint64    `json:"seed,omitempty"`
	Rows      int       `json:"rows"`
	From      time.Time `json:"from"` // of the first attempt
	To        time.Time `json:"to"`   // of the last
}

// Training says how a model was grown and calibrated: with the same rows, library
// and parameters anybody gets the same text.
type Training struct {
	Library       string  `json:"library"`                  // "sha256:<hex>" of LightGBM's shared library
	Parameters    string  `json:"parameters"`               // as LightGBM was given them: "name=value name=value"
	Trees         int     `json:"trees"`                    // in the model
	Grown         int     `json:"grown"`                    // before growing ended; those after the best are not in the model
	TreesAtMost   int     `json:"trees_at_most"`            // asked for
	EarlyStopping int     `json:"early_stopping,omitempty"` // trees without a smaller loss on the later slice that ended growing
	Slices        []Slice `json:"slices"`
	// CalibrationLoss is the log loss of each kind on rows it was not fitted to, in
	// nats: why the calibration is of its kind.
	CalibrationLoss map[string]float64 `json:"calibration_loss,omitempty"`
	// Prior is the share of fraud that probabilities are for.
	Prior float64 `json:"prior,omitempty"`
}

// Slice is the rows that one step of making a model saw.
type Slice struct {
	Name  string    `json:"name"` // "training", "stopping", "calibrating", "judging"
	From  time.Time `json:"from"` // of the first attempt
	To    time.Time `json:"to"`   // of the last
	Rows  int       `json:"rows"`
	Fraud int       `json:"fraud"` // rows labelled so
	Share float64   `json:"share"` // of fraud by weight, as the step saw it
}

// ParseCard reads a card: one JSON object, no unknown key, nothing after it.
func ParseCard(b []byte) (Card, error) {
	var c Card
	if len(b) > maxCardBytes {
		return c, fmt.Errorf("parse card: %d bytes, more than %d", len(b), maxCardBytes)
	}
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if err := d.Decode(&c); err != nil {
		return Card{}, fmt.Errorf("parse card: %w", err)
	}
	if _, err := d.Token(); err != io.EOF {
		return Card{}, fmt.Errorf("parse card: something follows the object")
	}
	if err := c.check(); err != nil {
		return Card{}, fmt.Errorf("parse card: %w", err)
	}
	return c, nil
}

func (c *Card) check() error {
	if len(c.Version) < 1 || len(c.Version) > 64 {
		return fmt.Errorf("version has %d characters, not 1 to 64", len(c.Version))
	}
	for i := range len(c.Version) {
		if c.Version[i] <= ' ' || c.Version[i] > '~' {
			return fmt.Errorf("version %q has a character that is not printable ASCII", c.Version)
		}
	}
	if c.Created.IsZero() {
		return fmt.Errorf("created is missing")
	}
	if c.Data.Rows < 0 || c.Data.To.Before(c.Data.From) {
		return fmt.Errorf("data: rows below 0, or to before from")
	}
	if err := c.Training.check(); err != nil {
		return err
	}
	if err := c.Reliability.check(); err != nil {
		return err
	}
	if err := checkOrdinary(c.Ordinary); err != nil {
		return err
	}
	if err := checkShares("gain", c.Gain); err != nil {
		return err
	}
	if err := checkShares("missing", c.Missing); err != nil {
		return err
	}
	return c.Calibration.Check()
}

func (t *Training) check() error {
	if t == nil {
		return nil
	}
	if t.Trees < 1 || t.Grown < t.Trees || t.TreesAtMost < t.Grown || t.EarlyStopping < 0 {
		return fmt.Errorf("training: %d trees of %d grown of %d at most, early stopping %d", t.Trees, t.Grown, t.TreesAtMost, t.EarlyStopping)
	}
	if !(t.Prior >= 0 && t.Prior < 1) {
		return fmt.Errorf("training: prior %g is no share", t.Prior)
	}
	for i, s := range t.Slices {
		if s.Name == "" || s.Rows < 1 || s.Fraud < 0 || s.Fraud > s.Rows || !(s.Share >= 0 && s.Share <= 1) || s.To.Before(s.From) {
			return fmt.Errorf("training: slice %d (%.40q): %d rows, %d of fraud, share %g, from %s to %s", i, s.Name, s.Rows, s.Fraud, s.Share,
				s.From.Format(time.RFC3339), s.To.Format(time.RFC3339))
		}
	}
	return nil
}

// Kinds of calibration.
const (
	Platt        = "platt"
	Isotonic     = "isotonic"
	Uncalibrated = "none"
)

// Calibration turns the ensemble's log-odds x into a probability that never falls
// as x rises:
//
//   - none: 1/(1+exp(-x))
//   - platt: 1/(1+exp(-(A*x+B))), A > 0 (Platt 1999, with his signs turned round)
//   - isotonic: straight lines between the points (X[i], Y[i]), flat beyond them
//     (Zadrozny and Elkan 2002); X in log-odds rising, Y in probability not falling
//
// Then PriorShift is added to the log-odds: log of the odds of fraud where the
// model is used over those in its training rows (Elkan 2001), 0 where they are alike.
type Calibration struct {
	Kind       string    `json:"kind"`
	A          float64   `json:"a,omitempty"`
	B          float64   `json:"b,omitempty"`
	X          []float64 `json:"x,omitempty"`
	Y          []float64 `json:"y,omitempty"`
	PriorShift float64   `json:"prior_shift,omitempty"`
}

// maxShift bounds A, B, X and PriorShift: e^100 to one is beyond any evidence.
const maxShift = 100

// Check says why a calibration is none that a card may hold.
func (c *Calibration) Check() error {
	if !(math.Abs(c.PriorShift) <= maxShift) {
		return fmt.Errorf("calibration: prior_shift %g is beyond %d", c.PriorShift, maxShift)
	}
	if c.Kind != Platt && (c.A != 0 || c.B != 0) || c.Kind != Isotonic && (c.X != nil || c.Y != nil) {
		return fmt.Errorf("calibration: kind %q with the parameters of another", c.Kind)
	}
	switch c.Kind {
	case Uncalibrated:
		return nil
	case Platt:
		if !(c.A > 0 && c.A <= maxShift && math.Abs(c.B) <= maxShift) {
			return fmt.Errorf("calibration: platt a %g, b %g: a must be above 0, neither beyond %d", c.A, c.B, maxShift)
		}
		return nil
	case Isotonic:
		return c.checkPoints()
	default:
		return fmt.Errorf("calibration: kind %q is not platt, isotonic or none", c.Kind)
	}
}

func (c *Calibration) checkPoints() error {
	if len(c.X) != len(c.Y) || len(c.X) < 2 || len(c.X) > 10_000 {
		return fmt.Errorf("calibration: %d x and %d y, want as many of each, 2 to 10000", len(c.X), len(c.Y))
	}
	for i := range c.X {
		if !(math.Abs(c.X[i]) <= maxShift) || !(c.Y[i] >= 0 && c.Y[i] <= 1) {
			return fmt.Errorf("calibration: point %d is (%g, %g): x beyond %d, or y not a probability", i, c.X[i], c.Y[i], maxShift)
		}
		if i > 0 && (c.X[i] <= c.X[i-1] || c.Y[i] < c.Y[i-1]) {
			return fmt.Errorf("calibration: point %d does not rise", i)
		}
	}
	return nil
}

// edge keeps probabilities off 0 and 1: no model knows that much.
const edge = 1e-9

// Probability returns the probability for an ensemble's log-odds (its raw score
// times the objective's sigmoid parameter), within 1e-9 of neither 0 nor 1. The
// calibration must be one that ParseCard accepts.
func (c *Calibration) Probability(logOdds float64) float64 {
	p, _ := c.probability(logOdds)
	return p
}

// probability applies the calibration to x log-odds.
func (c *Calibration) probability(x float64) (p, logOdds float64) {
	switch c.Kind {
	case Platt:
		x = float64(c.A*x) + c.B
	case Isotonic:
		x = logit(clamp(c.between(x)))
	}
	p = clamp(1 / (1 + math.Exp(-(x + c.PriorShift))))
	return p, logit(p)
}

func clamp(p float64) float64 { return min(max(p, edge), 1-edge) }

func logit(p float64) float64 { return math.Log(p) - math.Log1p(-p) }

// between interpolates the isotonic points.
func (c *Calibration) between(x float64) float64 {
	last := len(c.X) - 1
	switch {
	case x <= c.X[0]:
		return c.Y[0]
	case x >= c.X[last]:
		return c.Y[last]
	}
	lo, hi := 0, last // X[lo] < x < X[hi] or x == X[hi]
	for hi-lo > 1 {
		if mid := int(uint(lo+hi) / 2); c.X[mid] < x {
			lo = mid
		} else {
			hi = mid
		}
	}
	share := (x - c.X[lo]) / (c.X[hi] - c.X[lo])
	return c.Y[lo] + float64(share*(c.Y[hi]-c.Y[lo]))
}

// checkShares says why shares are none.
func checkShares(what string, shares map[string]float64) error {
	for name, x := range shares {
		if !(x >= 0 && x <= 1) {
			return fmt.Errorf("%s: %.80q is %g, no share", what, name, x)
		}
	}
	return nil
}
