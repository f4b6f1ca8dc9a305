package models

import (
	"fmt"
	"math"
)

// Reliability says how far a model's probabilities can be believed, on rows that
// neither growing nor calibrating has seen.
type Reliability struct {
	ECE  float64 `json:"ece"`  // expected calibration error of Bins
	Bins []Bin   `json:"bins"` // probabilities rising
}

// Bin is one line of a reliability table: rows of nearly the same probability.
type Bin struct {
	Low       float64 `json:"low"`       // smallest probability in it
	High      float64 `json:"high"`      // largest
	Predicted float64 `json:"predicted"` // weighted mean of the probabilities
	Observed  float64 `json:"observed"`  // weighted share of fraud
	Rows      int     `json:"rows"`
	Weight    float64 `json:"weight"` // of the rows
}

// ECE returns the expected calibration error of a reliability table: the mean
// distance between predicted and observed, by weight (Naeini, Cooper and
// Hauskrecht 2015). 0 for no table.
func ECE(table []Bin) float64 {
	var sum, total float64
	for _, b := range table {
		sum += b.Weight * math.Abs(b.Predicted-b.Observed)
		total += b.Weight
	}
	if total == 0 {
		return 0
	}
	return sum / total
}

const maxBins = 1000

func (r *Reliability) check() error {
	if r == nil {
		return nil
	}
	if len(r.Bins) < 1 || len(r.Bins) > maxBins {
		return fmt.Errorf("reliability: %d bins, not 1 to %d", len(r.Bins), maxBins)
	}
	for i, b := range r.Bins {
		switch {
		case !(0 <= b.Low && b.Low <= b.Predicted && b.Predicted <= b.High && b.High <= 1):
			return fmt.Errorf("reliability: bin %d: low %g, predicted %g and high %g are no rising probabilities", i, b.Low, b.Predicted, b.High)
		case !(0 <= b.Observed && b.Observed <= 1):
			return fmt.Errorf("reliability: bin %d: observed %g is no share", i, b.Observed)
		case b.Rows < 1 || !(b.Weight > 0 && b.Weight <= math.MaxFloat32):
			return fmt.Errorf("reliability: bin %d: %d rows of weight %g", i, b.Rows, b.Weight)
		case i > 0 && b.Low <= r.Bins[i-1].High:
			return fmt.Errorf("reliability: bin %d begins at %g, inside the one before", i, b.Low)
		}
	}
	if want := ECE(r.Bins); !(math.Abs(r.ECE-want) <= 1e-9) {
		return fmt.Errorf("reliability: ece %g, its bins say %g", r.ECE, want)
	}
	return nil
}
