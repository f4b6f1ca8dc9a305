package train

import (
	"fmt"
	"math"

	"github.com/waryauth/wary/models"
)

// folds of cross-validation: each row is judged once by a fit to the others.
const folds = 5

// Calibrate fits both kinds of models.Calibration to held-out rows and returns
// one of them, and the mean log loss in nats of each kind in five-fold
// cross-validation. Isotonic is chosen where it is better by more than one
// standard error of the folds' difference (the rule of Breiman et al. 1984):
// else Platt, which has two parameters and gives no two scores one probability.
// With fewer than ten rows of a class there is no choice: Platt, and no losses.
//
// raw is in log-odds. PriorShift is left to the caller.
func Calibrate(raw []float64, labels, weights []float32) (models.Calibration, map[string]float64, error) {
	platt, err := fitPlatt(raw, labels, weights)
	if err != nil {
		return models.Calibration{}, nil, fmt.Errorf("calibrate: %w", err)
	}
	isotonic, err := fitIsotonic(raw, labels, weights)
	positives := 0
	for _, y := range labels {
		positives += int(y)
	}
	if err != nil || min(positives, len(labels)-positives) < 2*folds { // more points than a card holds, or too far out
		return platt, nil, nil
	}
	var losses [2][folds]float64
	fold := fold(labels)
	for k := range folds {
		if losses[0][k], losses[1][k], err = heldOut(raw, labels, weights, fold, k); err != nil {
			return models.Calibration{}, nil, fmt.Errorf("calibrate: %w", err)
		}
	}
	mean := func(of func(k int) float64) (m float64) {
		for k := range folds {
			m += of(k) / folds
		}
		return m
	}
	gain := mean(func(k int) float64 { return losses[0][k] - losses[1][k] })
	variance := mean(func(k int) float64 { d := losses[0][k] - losses[1][k] - gain; return d * d })
	told := map[string]float64{
		models.Platt:    mean(func(k int) float64 { return losses[0][k] }),
		models.Isotonic: mean(func(k int) float64 { return losses[1][k] }),
	}
	if gain > math.Sqrt(variance/(folds-1)) {
		return isotonic, told, nil
	}
	return platt, told, nil
}

// fold deals the rows of each class to the folds in turn.
func fold(labels []float32) []uint8 {
	var dealt [2]int
	out := make([]uint8, len(labels))
	for i, y := range labels {
		out[i] = uint8(dealt[int(y)] % folds)
		dealt[int(y)]++
	}
	return out
}

// heldOut returns the loss on fold k of both kinds fitted to the other folds.
func heldOut(raw []float64, labels, weights []float32, fold []uint8, k int) (platt, isotonic float64, err error) {
	var in, out struct {
		raw             []float64
		labels, weights []float32
	}
	for i := range raw {
		to := &in
		if int(fold[i]) == k {
			to = &out
		}
		to.raw, to.labels, to.weights = append(to.raw, raw[i]), append(to.labels, labels[i]), append(to.weights, float32(weightOf(weights, i)))
	}
	loss := func(c models.Calibration, err error) (float64, error) {
		if err != nil {
			return 0, err
		}
		p := make([]float64, len(out.raw))
		for i, x := range out.raw {
			p[i] = c.Probability(x)
		}
		return LogLoss(p, out.labels, out.weights)
	}
	if platt, err = loss(fitPlatt(in.raw, in.labels, in.weights)); err != nil {
		return 0, 0, err
	}
	isotonic, err = loss(fitIsotonic(in.raw, in.labels, in.weights))
	return platt, isotonic, err
}

func fitPlatt(raw []float64, labels, weights []float32) (models.Calibration, error) {
	a, b, err := PlattFit(raw, labels, weights)
	if err != nil {
		return models.Calibration{}, err
	}
	c := models.Calibration{Kind: models.Platt, A: a, B: b}
	return c, c.Check()
}

// fitIsotonic keeps the ends off 0 and 1, where a step holds one class only, by
// Platt's smoothed targets: a step of a thousand honest rows does not prove that
// the next is honest too.
func fitIsotonic(raw []float64, labels, weights []float32) (models.Calibration, error) {
	x, y, err := Isotonic(raw, labels, weights)
	if err != nil {
		return models.Calibration{}, err
	}
	high, low := smoothed(labels, weights)
	for i := range y {
		y[i] = min(max(y[i], low), high)
	}
	c := models.Calibration{Kind: models.Isotonic, X: x, Y: y}
	return c, c.Check()
}
