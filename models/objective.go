package models

import (
	"slices"
	"strings"
)

// Objectives by what they make of the score (LightGBM src/objective).
var (
	logOddsObjectives = []string{"cross_entropy", "xentropy"} // binary stands apart: it has a sigmoid
	plainObjectives   = []string{"regression", "regression_l1", "huber", "fair", "quantile", "mape"}
	// objectiveRefusals are those that LightGBM knows and that are refused here.
	objectiveRefusals = map[string]string{
		"multiclass":           "one class alone is read",
		"multiclassova":        "one class alone is read",
		"poisson":              "it predicts the exponential of its score",
		"gamma":                "it predicts the exponential of its score",
		"tweedie":              "it predicts the exponential of its score",
		"cross_entropy_lambda": "what it predicts is no probability",
		"xentlambda":           "what it predicts is no probability",
		"lambdarank":           "a rank is no probability",
		"rank_xendcg":          "a rank is no probability",
		"custom":               "what its score means is not written down",
	}
)

// boostings are the ways to boost that LightGBM writes among its parameters. All
// but rf predict the sum of their trees.
var boostings = []string{"gbdt", "dart", "goss", "rf"}

// objective reads "binary sigmoid:<positive number>" or the name alone of another
// objective, and returns the sigmoid: 1 where the score is the log-odds, 0 where it
// is what is predicted.
func (f field) objective() (sigmoid float64, err error) {
	name, rest, more := strings.Cut(f.text, " ")
	reason, refused := objectiveRefusals[name]
	switch {
	case refused:
		return 0, f.fail("objective %s is refused: %s", quote(name), reason)
	case name == "binary":
		s, ok := strings.CutPrefix(rest, "sigmoid:")
		if !ok {
			return 0, f.fail("objective %s is not \"binary sigmoid:<number>\"", quote(f.text))
		}
		v, err := number(s)
		if err != nil || v <= 0 || v > 1000 {
			return 0, f.fail("objective: sigmoid %s is not a number above 0", quote(s))
		}
		return v, nil
	case !slices.Contains(logOddsObjectives, name) && !slices.Contains(plainObjectives, name):
		return 0, f.fail("objective %s is unknown", quote(name))
	case rest == "sqrt":
		return 0, f.fail("objective %s is refused: it predicts the square of its score", quote(f.text))
	case more:
		return 0, f.fail("objective %s has a parameter that is unknown: %s", quote(name), quote(rest))
	case slices.Contains(logOddsObjectives, name):
		return 1, nil
	}
	return 0, nil
}

// leafLimit is the most that a leaf may hold. A log-odds beyond 20 is already
// certainty; of another score only so much is known that sums of it must stay
// within float32, which carries the contributions.
func (e *ensemble) leafLimit() float64 {
	if e.sigmoid > 0 {
		return 1e4
	}
	return 1e30
}

// rounds is what LightGBM divides the sum of the trees by before it predicts: the
// number of trees in a random forest, 1 elsewhere. Its raw score it never divides.
func (e *ensemble) rounds() float64 {
	if e.average {
		return float64(len(e.trees))
	}
	return 1
}

// tail reads what follows the trees: the ways of training, of which only the
// boosting tells anything about the trees, and lists that change no score.
func (p *parser) tail(e *ensemble) error {
	parameters := false
	for {
		s, ok := p.next()
		switch {
		case !ok && parameters:
			return p.fail("text ends before \"end of parameters\"")
		case !ok && p.start < len(p.text):
			return p.fail("text ends in the middle of a line")
		case !ok:
			return nil
		case s == "parameters:":
			parameters = true
		case s == "end of parameters":
			parameters = false
		case parameters && strings.HasPrefix(s, "[boosting: "):
			name := strings.TrimSuffix(strings.TrimPrefix(s, "[boosting: "), "]")
			if !slices.Contains(boostings, name) {
				return p.fail("boosting %s is unknown", quote(name))
			}
			if (name == "rf") != e.average {
				return p.fail("boosting is %s, but the header says average_output: %t", name, e.average)
			}
			e.boosting = name
		}
	}
}
