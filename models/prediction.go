package models

import "github.com/waryauth/wary/features"

// NoFeature stands in Prediction.Top until Explain has been asked. It is no index.
const NoFeature = 1<<16 - 1

// Prediction is what a model says of one vector, and the memory in which it works
// that out. The caller owns it; it has some 1.4 KB: keep it and hand on a
// pointer. The zero value is ready. Predict writes every exported field; Top says
// NoFeature until Explain is asked.
type Prediction struct {
	// Raw is the ensemble's own score, bit for bit LightGBM's raw_score.
	Raw float64
	// Probability is the calibrated probability of fraud, within (0, 1); LogOdds is
	// log(p/(1-p)) of it. Both rise with Raw.
	Probability float64
	LogOdds     float64

	// Base and Contributions explain Raw, the ensemble's own log-odds before
	// calibration: Base is Raw's mean over the training rows, each family adds its
	// part, and Base plus all Contributions is Raw within 1e-5 (of scores of ordinary
	// size: float32 carries seven digits of each). Positive raises the risk.
	Base          float64
	Contributions [features.Families]float32

	// Top is, for each family, the index of the feature with the greatest
	// contribution of the family's own sign; of a family that moved nothing, its first
	// feature. Explain writes it.
	Top [features.Families]uint16

	scratch scratch
}
