package models

import (
	"strings"

	"github.com/waryauth/wary/features"
)

// Ensemble is a LightGBM model by itself, whatever its features and objective are:
// what Load makes a Model of, for those who check or measure a text of their own.
// It is immutable and safe for concurrent use.
type Ensemble struct {
	text []byte
	e    *ensemble
	f    *forest
}

// Inspect reads a text as Load does, but for what only the engine needs: a card, the
// schema's features, a score that is a log-odds. It does not compare any rows, which
// Verify does; until then text must stay as it is. A text that is refused gives a
// *ParseError with the line.
func Inspect(text []byte) (*Ensemble, error) {
	e, err := parse(text)
	if err != nil {
		return nil, err
	}
	family := make([]uint8, len(e.names))
	for i := range family {
		family[i] = uint8(i * features.Families / len(family)) // in runs, as a schema has them
	}
	return &Ensemble{text, e, newForest(e, family)}, nil
}

// Verify compares 4,096 rows bit by bit: every kernel and the plain walk with leaves.
func (e *Ensemble) Verify() error { return e.f.verify(e.text, e.e, oracleRows) }

// Fits says why the engine would not take the ensemble, whatever its card: a
// *ParseError, or nil. Its features must be the schema's, and its score a log-odds.
func (e *Ensemble) Fits() error {
	names, _ := schema()
	return e.e.fits(names)
}

// Version is the text's: v2, v3 or v4.
func (e *Ensemble) Version() string { return e.e.version }

// Boosting is gbdt, dart, goss or rf. A text that does not keep its parameters says
// no more than whether it is rf: then gbdt may be another.
func (e *Ensemble) Boosting() string { return e.e.boosting }

// Objective is the text's, with its parameter: "binary sigmoid:1".
func (e *Ensemble) Objective() string { return e.e.objective }

// Trees returns the number of trees.
func (e *Ensemble) Trees() int { return len(e.e.trees) }

// Leaves returns the number of leaves of all trees, and of the largest.
func (e *Ensemble) Leaves() (all, most int) {
	for i := range e.e.trees {
		n := len(e.e.trees[i].leaf)
		all, most = all+n, max(most, n)
	}
	return all, most
}

// Features returns how many values a row has.
func (e *Ensemble) Features() int { return len(e.e.names) }

// Categorical says whether any split looks a category up, which only the plain walk
// does.
func (e *Ensemble) Categorical() bool { return e.e.categorical() }

// Kernels names what can walk the ensemble on this processor; the first is what
// serves.
func (e *Ensemble) Kernels() []string {
	var names []string
	for _, w := range e.f.walks() {
		names = append(names, w.name)
	}
	return names
}

// WithAttribution after a kernel's name asks Scorer for a whole prediction, with what
// each family added.
const WithAttribution = "+attribution"

// Scorer returns a function that gives a row's raw score by one kernel: LightGBM's
// raw_score, bit for bit. A row has Features values, NaN = missing. The function
// keeps its scratch, so it allocates nothing and is not safe for concurrent use. It
// is nil where there is no such kernel.
func (e *Ensemble) Scorer(kernel string) func(row []float32) float64 {
	name, whole := strings.CutSuffix(kernel, WithAttribution)
	for _, w := range e.f.walks() {
		switch {
		case w.name != name:
			continue
		case !whole:
			return w.raw
		default:
			return e.f.with(name).as(name).raw
		}
	}
	return nil
}
