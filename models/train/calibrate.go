package train

import (
	"errors"
	"fmt"
	"math"
)

// PlattFit fits the probability 1/(1+exp(-(a*raw+b))) to labels by Newton's
// method with a line search, on Platt's smoothed targets (Platt 1999; Lin, Lin
// and Weng, A note on Platt's probabilistic outputs, 2007). a and b have the
// signs of models.Calibration, which are the opposite of the papers'. a <= 0 says
// that the score does not rank. Use rows the model was not grown from.
func PlattFit(raw []float64, labels, weights []float32) (a, b float64, err error) {
	if err := checkFinite(raw, labels, weights); err != nil {
		return 0, 0, fmt.Errorf("fit Platt: %w", err)
	}
	var largest float64
	for _, x := range raw {
		largest = max(largest, math.Abs(x))
	}
	positives, negatives := sums(labels, weights)
	f := plattFit{raw: raw, labels: labels, weights: weights}
	f.high, f.low = smoothed(labels, weights)
	enough := 1e-10 * (positives + negatives) * max(1, largest) // of a gradient
	b = math.Log((positives + 1) / (negatives + 1))
	for range 200 {
		ga, gb, da, db := f.step(a, b)
		if math.Abs(ga) < enough && math.Abs(gb) < enough {
			return a, b, nil
		}
		share, ok := f.search(a, b, da, db, ga*da+gb*db)
		if !ok {
			if math.Abs(ga) < 1e5*enough && math.Abs(gb) < 1e5*enough {
				return a, b, nil // rounding hides what is left to gain
			}
			break
		}
		a, b = a+share*da, b+share*db
	}
	return 0, 0, fmt.Errorf("fit Platt: no minimum found: at a %g, b %g", a, b)
}

// smoothed returns Platt's targets for positives and negatives.
func smoothed(labels, weights []float32) (high, low float64) {
	positives, negatives := sums(labels, weights)
	return (positives + 1) / (positives + 2), 1 / (negatives + 2)
}

func sums(labels, weights []float32) (positives, negatives float64) {
	for i, y := range labels {
		if w := weightOf(weights, i); y == 1 {
			positives += w
		} else {
			negatives += w
		}
	}
	return positives, negatives
}

type plattFit struct {
	raw             []float64
	labels, weights []float32
	high, low       float64 // targets of positives and of negatives
}

func (f *plattFit) target(i int) float64 {
	if f.labels[i] == 1 {
		return f.high
	}
	return f.low
}

// step returns the gradient of the loss and Newton's step.
func (f *plattFit) step(a, b float64) (ga, gb, da, db float64) {
	haa, hab, hbb := 1e-12, 0.0, 1e-12 // the papers' sigma keeps the Hessian regular
	for i, x := range f.raw {
		w, p := weightOf(f.weights, i), 1/(1+math.Exp(-(a*x+b)))
		d, h := w*(p-f.target(i)), w*p*(1-p)
		ga, gb = ga+d*x, gb+d
		haa, hab, hbb = haa+h*x*x, hab+h*x, hbb+h
	}
	det := haa*hbb - hab*hab
	return ga, gb, -(hbb*ga - hab*gb) / det, -(haa*gb - hab*ga) / det
}

// search halves the step until the loss falls enough (Armijo's rule). slope is
// the loss's along the step.
func (f *plattFit) search(a, b, da, db, slope float64) (share float64, ok bool) {
	now := f.loss(a, b)
	for share = 1; share >= 1e-10; share /= 2 {
		if f.loss(a+share*da, b+share*db) < now+1e-4*share*slope {
			return share, true
		}
	}
	return 0, false
}

func (f *plattFit) loss(a, b float64) float64 {
	var sum float64
	for i, x := range f.raw {
		z, t := a*x+b, f.target(i)
		// log(1+e^-|z|) and a straight line: the cross-entropy without overflow.
		sum += weightOf(f.weights, i) * (max(z, 0) - t*z + math.Log1p(math.Exp(-math.Abs(z))))
	}
	return sum
}

// Isotonic fits the probability that rises with raw and is closest to the labels
// in weighted squares, by pooling adjacent violators (Ayer et al. 1955; for
// calibration Zadrozny and Elkan 2002). It returns points with x rising and p not
// falling, to be joined by straight lines and continued flat: both ends of every
// step, as models.Calibration takes them. Use rows the model was not grown from.
func Isotonic(raw []float64, labels, weights []float32) (x, p []float64, err error) {
	if err := checkFinite(raw, labels, weights); err != nil {
		return nil, nil, fmt.Errorf("fit isotonic: %w", err)
	}
	type step struct{ low, high, positives, weight float64 }
	var steps []step
	for group := range ties(raw) {
		pos, neg := classes(group, labels, weights)
		at := raw[group[0]]
		s := step{at, at, pos, pos + neg}
		for len(steps) > 0 {
			before := steps[len(steps)-1]
			if before.positives/before.weight < s.positives/s.weight { // rises
				break
			}
			s = step{before.low, s.high, before.positives + s.positives, before.weight + s.weight}
			steps = steps[:len(steps)-1]
		}
		steps = append(steps, s)
	}
	for _, s := range steps {
		share := s.positives / s.weight
		x, p = append(x, s.low), append(p, share)
		if s.high > s.low {
			x, p = append(x, s.high), append(p, share)
		}
	}
	return x, p, nil
}

// Share returns the share of rows labelled 1, by weight, as a model sees it that
// is grown from them with Params.PositiveWeight (0 is 1): what PriorShift wants to
// know of training.
func Share(labels, weights []float32, positiveWeight float64) (float64, error) {
	if err := checkLabels(labels, weights); err != nil {
		return 0, fmt.Errorf("share: %w", err)
	}
	if positiveWeight == 0 {
		positiveWeight = 1
	}
	if !(positiveWeight > 0 && positiveWeight <= math.MaxFloat32) {
		return 0, fmt.Errorf("share: a positive weight of %g", positiveWeight)
	}
	positives, negatives := sums(labels, weights)
	return positiveWeight * positives / (positiveWeight*positives + negatives), nil
}

// PriorShift returns what to add to a model's log-odds when the share of
// positives among its training rows (by weight) was raised to train while the
// true share is truth: the difference of their log-odds (Saerens, Latinne and
// Decaestecker 2002; King and Zeng 2001). It is right when only the share
// changed: positives and negatives were each drawn at random.
func PriorShift(truth, train float64) (float64, error) {
	for _, share := range []float64{truth, train} {
		if !(share > 0 && share < 1) {
			return 0, fmt.Errorf("prior shift: %g is not a share between 0 and 1", share)
		}
	}
	return math.Log(truth) - math.Log1p(-truth) - (math.Log(train) - math.Log1p(-train)), nil
}

func checkFinite(raw []float64, labels, weights []float32) error {
	if err := checkScored(raw, labels, weights); err != nil {
		return err
	}
	distinct := false
	for _, x := range raw {
		if math.IsInf(x, 0) {
			return errors.New("a score is infinite")
		}
		distinct = distinct || x != raw[0]
	}
	if !distinct {
		return errors.New("all scores are alike")
	}
	return nil
}
