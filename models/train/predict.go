package train

import (
	"errors"
	"fmt"
	"math"
	"runtime"
	"strings"
	"unsafe"
)

// Predict returns LightGBM's own raw scores (log-odds, before any sigmoid) of
// the rows in x: row-major, columns values each, NaN = missing. It is the oracle
// for other implementations, not a fast path.
//
// LightGBM trusts a model text and may crash on a forged one: give it texts that
// Grow returned or that models.Load has accepted.
func (l *Library) Predict(model []byte, x []float32, columns int) ([]float64, error) {
	scores, err := l.predict(model, x, columns, rawScore, 1)
	if err != nil {
		return nil, fmt.Errorf("predict: %w", err)
	}
	return scores, nil
}

// Contributions returns what each column added to the raw score of each row, as
// LightGBM computes it (TreeSHAP: Lundberg et al. 2020): row-major, columns+1
// values a row, of which the last is the expected score. A row's values sum to
// its score up to rounding. The rest is as for Predict.
func (l *Library) Contributions(model []byte, x []float32, columns int) ([]float64, error) {
	values, err := l.predict(model, x, columns, contribution, columns+1)
	if err != nil {
		return nil, fmt.Errorf("predict contributions: %w", err)
	}
	return values, nil
}

func (l *Library) predict(model []byte, x []float32, columns int, kind int32, width int) (out []float64, err error) {
	if columns < 1 || columns >= math.MaxInt32 || len(x)%columns != 0 || len(x)/columns > math.MaxInt32 {
		return nil, fmt.Errorf("%d values are not rows of %d columns", len(x), columns)
	}
	text := string(model)
	if strings.IndexByte(text, 0) >= 0 {
		return nil, errors.New("the model text contains a zero byte")
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var booster uintptr
	var iterations int32
	if err := l.c.check(l.c.boosterFromText(text, &iterations, &booster)); err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, l.c.check(l.c.boosterFree(booster))) }()
	return l.c.predict(booster, x, columns, kind, width)
}

// predict has width values computed for every row.
func (c *functions) predict(booster uintptr, x []float32, columns int, kind int32, width int) ([]float64, error) {
	rows := len(x) / columns
	if rows == 0 {
		return nil, nil
	}
	var features int32
	if err := c.check(c.boosterFeatures(booster, &features)); err != nil {
		return nil, err
	}
	if int(features) != columns {
		return nil, fmt.Errorf("rows of %d columns, the model has %d features", columns, features)
	}
	const all = -1
	var n int64
	if err := c.check(c.boosterOutputs(booster, int32(rows), kind, 0, all, &n)); err != nil {
		return nil, err
	}
	if n != int64(rows)*int64(width) { // else it would write past the end of out
		return nil, fmt.Errorf("the model gives %d values for %d rows, not %d: it has more than one score a row", n, rows, rows*width)
	}
	out := make([]float64, n)
	if err := c.check(c.boosterPredict(booster, unsafe.Pointer(&x[0]), float32Data, int32(rows), int32(columns), 1, kind, 0, all, "verbosity=-1", &n, &out[0])); err != nil {
		return nil, err
	}
	runtime.KeepAlive(x)
	return out, nil
}
