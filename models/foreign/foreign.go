// Package foreign answers: what do the models of other libraries score?
//
// [Read] takes an XGBoost or scikit-learn file, by way of github.com/dmitryikh/leaves
// alone. What it gives can be checked against its library's own scores; the engine
// does not take it, for three reasons: the file does not name its features, so that
// nobody can see whether they are the schema's; there is no second reader whose bits
// would prove the first; and leaves does not hand out its trees, of which kernels and
// attributions are made.
package foreign

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"math"

	"github.com/dmitryikh/leaves"

	"github.com/waryauth/wary/models"
)

// Format is what a file holds, by its first bytes.
type Format string

// Formats that FormatOf knows. Anything else is taken for XGBoost, whose old binary
// files begin with a number.
const (
	LightGBM    Format = "lightgbm"     // text
	XGBoost     Format = "xgboost"      // binary, written before version 3.1
	ScikitLearn Format = "scikit-learn" // pickle
	JSON        Format = "json"         // of either, or UBJSON: nothing here reads it
)

// FormatOf tells the format of a file.
func FormatOf(file []byte) Format {
	switch {
	case bytes.HasPrefix(file, []byte("tree\n")) || bytes.HasPrefix(file, []byte("tree\r")):
		return LightGBM
	case bytes.HasPrefix(file, []byte("{")):
		return JSON
	case bytes.HasPrefix(file, []byte("ccopy_reg\n")) || bytes.HasPrefix(file, []byte("\x80")):
		return ScikitLearn
	default:
		return XGBoost
	}
}

// Model is a model of another library.
type Model struct {
	name   string
	model  *leaves.Ensemble
	strict bool // a split asks x < threshold, where leaves asks x <= threshold
}

// Read reads an XGBoost file of one score a row (boosters gbtree and dart)
// or a scikit-learn GradientBoostingClassifier (pickle of protocol 0, written before
// version 0.21). An XGBoost file is checked before leaves sees it; a pickle is
// not: one that was forged may ask for more memory than there is, so check your own.
func Read(file []byte) (m *Model, err error) {
	defer func() {
		if r := recover(); r != nil {
			m, err = nil, fmt.Errorf("load model into leaves: %v", r)
		}
	}()
	if len(file) > models.MaxTextBytes {
		return nil, fmt.Errorf("load model: %d bytes, more than %d", len(file), models.MaxTextBytes)
	}
	m = new(Model)
	r := bufio.NewReader(bytes.NewReader(file))
	switch format := FormatOf(file); format {
	case XGBoost:
		if err := checkXGBoost(file); err != nil {
			return nil, fmt.Errorf("load model: not a LightGBM text, and not an XGBoost binary file that is taken: %w", err)
		}
		m.strict = true
		m.model, err = leaves.XGEnsembleFromReader(r, false)
	case ScikitLearn:
		if file[0] == 0x80 {
			return nil, fmt.Errorf("load model: a pickle of protocol %d: leaves reads those of protocol 0 alone", file[min(1, len(file)-1)])
		}
		m.model, err = leaves.SKEnsembleFromReader(r, false)
	case JSON:
		return nil, errors.New("load model: JSON is not read: save LightGBM models as text (save_model), XGBoost's in the binary format that versions before 3.1 write")
	default:
		return nil, fmt.Errorf("load model: a file of format %s is not another library's", format)
	}
	if err != nil {
		return nil, fmt.Errorf("load model into leaves: %w", err)
	}
	if m.model.NRawOutputGroups() != 1 {
		return nil, fmt.Errorf("load model: %d scores a row, not 1", m.model.NRawOutputGroups())
	}
	m.name = m.model.Name()
	return m, nil
}

// Name is leaves' of the booster: "xgboost.gbtree".
func (m *Model) Name() string { return m.name }

// Trees returns the number of trees.
func (m *Model) Trees() int { return m.model.NEstimators() }

// Leaves returns the number of leaves of all trees, and of the largest.
func (m *Model) Leaves() (all, most int) {
	for _, n := range m.model.NLeaves() {
		all, most = all+n, max(most, n)
	}
	return all, most
}

// Features returns how many values a row has.
func (m *Model) Features() int { return max(m.model.NFeatures(), 1) } // leaves says 0 of 1

// Scorer returns a function that gives a row's raw score, NaN = missing; it fails
// where the file's splits do not fit the row. The score is a sum of float64, where
// XGBoost adds up float32: expect 1e-5 between them, not the same bits. The function
// is not safe for concurrent use.
func (m *Model) Scorer() func(row []float32) (float64, error) {
	values := make([]float64, m.Features())
	return func(row []float32) (score float64, err error) {
		defer func() {
			if r := recover(); r != nil {
				err = fmt.Errorf("score a row with leaves: %v", r)
			}
		}()
		for i, x := range row {
			values[i] = float64(x)
			if m.strict { // for float32 thresholds, the next float64 is <= exactly where x is <
				values[i] = math.Nextafter(values[i], math.Inf(1))
			}
		}
		return m.model.PredictSingle(values, 0), nil
	}
}
