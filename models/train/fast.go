package train

import (
	"errors"
	"fmt"
	"math"
	"runtime"
	"strings"
	"unsafe"

	"github.com/ebitengine/purego"
)

// Fast scores one row a call, in the way that LightGBM has for it
// (LGBM_BoosterPredictForMatSingleRowFast, one thread): what a service in C would
// do, and what our own kernels are measured against. It is not safe for concurrent
// use and must be closed.
type Fast struct {
	functions       *functions
	free            func(config uintptr) int32
	score, nothing  uintptr
	booster, config uintptr
	columns         int

	// LightGBM writes here.
	n   int64
	raw float64
}

// Fast loads a model for rows of so many columns. The model is trusted as by
// Predict.
func (l *Library) Fast(model []byte, columns int) (*Fast, error) {
	f := &Fast{functions: &l.c, columns: columns}
	if err := f.open(l.handle, string(model)); err != nil {
		return nil, errors.Join(fmt.Errorf("load model for single rows: %w", err), f.Close())
	}
	return f, nil
}

func (f *Fast) open(library uintptr, text string) error {
	if f.columns < 1 || f.columns > math.MaxInt32 || strings.IndexByte(text, 0) >= 0 {
		return fmt.Errorf("%d columns, or a text with a zero byte", f.columns)
	}
	var start func(booster uintptr, kind, first, iterations, dtype, columns int32, params string, out *uintptr) int32
	for _, s := range []struct {
		name     string
		address  *uintptr
		function any
	}{
		{"LGBM_BoosterPredictForMatSingleRowFastInit", nil, &start},
		{"LGBM_FastConfigFree", nil, &f.free},
		{"LGBM_BoosterPredictForMatSingleRowFast", &f.score, nil},
		{"LGBM_GetLastError", &f.nothing, nil},
	} {
		address, err := purego.Dlsym(library, s.name)
		if err != nil {
			return fmt.Errorf("the library has no %s: %w", s.name, err)
		}
		if s.address != nil {
			*s.address = address
		} else {
			purego.RegisterFunc(s.function, address)
		}
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var features, iterations int32
	if err := f.functions.check(f.functions.boosterFromText(text, &iterations, &f.booster)); err != nil {
		return err
	}
	if err := f.functions.check(f.functions.boosterFeatures(f.booster, &features)); err != nil {
		return err
	}
	if int(features) != f.columns {
		return fmt.Errorf("rows of %d columns, the model has %d features", f.columns, features)
	}
	const all = -1
	return f.functions.check(start(f.booster, rawScore, 0, all, float32Data, int32(f.columns), "num_threads=1 verbosity=-1", &f.config))
}

// Raw returns LightGBM's raw score of a row, NaN = missing. It panics unless the
// row has the columns that were told; LightGBM's own refusal gives NaN.
func (f *Fast) Raw(row []float32) float64 {
	if len(row) != f.columns {
		panic(fmt.Sprintf("a row of %d values, not %d", len(row), f.columns))
	}
	rc, _, _ := purego.SyscallN(f.score, f.config, uintptr(unsafe.Pointer(&row[0])), uintptr(unsafe.Pointer(&f.n)), uintptr(unsafe.Pointer(&f.raw)))
	if int32(rc) != 0 {
		return math.NaN()
	}
	return f.raw
}

// Nothing makes the call of Raw to a function of the library that does nothing
// (LGBM_GetLastError): what the way from Go to C and back costs.
func (f *Fast) Nothing(row []float32) {
	purego.SyscallN(f.nothing, f.config, uintptr(unsafe.Pointer(&row[0])), uintptr(unsafe.Pointer(&f.n)), uintptr(unsafe.Pointer(&f.raw)))
}

// Close frees what LightGBM holds.
func (f *Fast) Close() error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var err error
	if f.config != 0 {
		err = f.functions.check(f.free(f.config))
	}
	if f.booster != 0 {
		err = errors.Join(err, f.functions.check(f.functions.boosterFree(f.booster)))
	}
	f.config, f.booster = 0, 0
	return err
}
