// Package train answers: how is a model grown, and is it good enough?
//
// [Open] loads LightGBM's shared library, [Library.Grow] makes a candidate from
// labelled vectors with it, and [Library.Predict] is LightGBM's own score, which
// the kernels of package models must reach bit for bit. The judging is plain Go
// and needs no library: [AUC], [RecallAtFPR], [LogLoss] and [Reliability] measure
// a candidate on rows it was not grown from; [Calibrate] and [PriorShift] turn
// its log-odds into probabilities. [Table] writes the rows for those who train
// elsewhere.
//
// LightGBM is reached through its C API without cgo (purego). A program that
// links this package is a dynamic executable, so the daemon never does.
package train

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"unsafe"

	"github.com/ebitengine/purego"
)

// Library is LightGBM, loaded into this process. It is safe for concurrent use;
// LightGBM keeps the number of its threads for the whole process, so one model
// grows at a time and other calls of Grow wait.
type Library struct {
	growing sync.Mutex
	c       functions
	handle  uintptr // of the loader, for what only Fast needs
}

// functions are those of LightGBM's C API (include/LightGBM/c_api.h, 4.7.0) that
// are used here. Those that return int32 give 0, or another number and a message
// in lastError. Message and log level belong to the calling thread of the
// operating system: whoever calls holds it with runtime.LockOSThread.
type functions struct {
	lastError        func() string
	setMaxThreads    func(n int32) int32
	datasetFromMat   func(data unsafe.Pointer, kind, rows, columns, rowMajor int32, params string, reference uintptr, out *uintptr) int32
	datasetSetField  func(dataset uintptr, field string, data unsafe.Pointer, n, kind int32) int32
	datasetSetNames  func(dataset uintptr, names unsafe.Pointer, n int32) int32
	datasetFree      func(dataset uintptr) int32
	boosterCreate    func(dataset uintptr, params string, out *uintptr) int32
	boosterFromText  func(text string, iterations *int32, out *uintptr) int32
	boosterAddValid  func(booster, dataset uintptr) int32
	boosterUpdate    func(booster uintptr, finished *int32) int32
	boosterEvalCount func(booster uintptr, n *int32) int32
	boosterEval      func(booster uintptr, dataset int32, n *int32, out *float64) int32
	boosterSave      func(booster uintptr, start, iterations, importance int32, size int64, needed *int64, out unsafe.Pointer) int32
	boosterGain      func(booster uintptr, iterations, kind int32, out *float64) int32
	boosterFeatures  func(booster uintptr, n *int32) int32
	boosterOutputs   func(booster uintptr, rows, kind, start, iterations int32, n *int64) int32
	boosterPredict   func(booster uintptr, data unsafe.Pointer, dtype, rows, columns, rowMajor, kind, start, iterations int32, params string, n *int64, out *float64) int32
	boosterFree      func(booster uintptr) int32
}

// Numbers that the C API gives to types and to kinds of prediction and importance.
const (
	float32Data  = 0
	rawScore     = 1
	contribution = 3
	bySplits     = 0
	byGain       = 1
)

// DefaultPath returns where the library is looked for: $WARY_LIGHTGBM, or, when
// that is not set, data/lightgbm/lib_lightgbm.so under the working directory,
// where `make deps` puts it.
func DefaultPath() string {
	if path := os.Getenv("WARY_LIGHTGBM"); path != "" {
		return path
	}
	return filepath.Join("data", "lightgbm", "lib_lightgbm.so")
}

// Open loads the library from a file. It stays loaded until the process ends.
// The error names the file and says how to get it.
func Open(path string) (*Library, error) {
	// With its folder, so that the system's own search path is never asked.
	full, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("open LightGBM: %w", err)
	}
	if _, err := os.Stat(full); err != nil {
		return nil, fmt.Errorf("open LightGBM: %w (`make deps PARTS=lightgbm` fetches it; $WARY_LIGHTGBM names another file)", err)
	}
	handle, err := purego.Dlopen(full, purego.RTLD_NOW|purego.RTLD_LOCAL)
	if err != nil {
		return nil, fmt.Errorf("open LightGBM: %s: %w (`make deps PARTS=lightgbm` fetches it and the libgomp it needs)", full, err)
	}
	l := &Library{handle: handle}
	for _, f := range l.c.symbols() {
		address, err := purego.Dlsym(handle, f.name)
		if err != nil {
			return nil, errors.Join(fmt.Errorf("open LightGBM: %s has no %s: version 4.4 or later is needed: %w", full, f.name, err), purego.Dlclose(handle))
		}
		purego.RegisterFunc(f.function, address)
	}
	return l, nil
}

// symbol is a function's name in the library and the pointer it is bound to.
type symbol struct {
	name     string
	function any
}

func (c *functions) symbols() []symbol {
	return []symbol{
		{"LGBM_GetLastError", &c.lastError},
		{"LGBM_SetMaxThreads", &c.setMaxThreads},
		{"LGBM_DatasetCreateFromMat", &c.datasetFromMat},
		{"LGBM_DatasetSetField", &c.datasetSetField},
		{"LGBM_DatasetSetFeatureNames", &c.datasetSetNames},
		{"LGBM_DatasetFree", &c.datasetFree},
		{"LGBM_BoosterCreate", &c.boosterCreate},
		{"LGBM_BoosterLoadModelFromString", &c.boosterFromText},
		{"LGBM_BoosterAddValidData", &c.boosterAddValid},
		{"LGBM_BoosterUpdateOneIter", &c.boosterUpdate},
		{"LGBM_BoosterGetEvalCounts", &c.boosterEvalCount},
		{"LGBM_BoosterGetEval", &c.boosterEval},
		{"LGBM_BoosterSaveModelToString", &c.boosterSave},
		{"LGBM_BoosterFeatureImportance", &c.boosterGain},
		{"LGBM_BoosterGetNumFeature", &c.boosterFeatures},
		{"LGBM_BoosterCalcNumPredict", &c.boosterOutputs},
		{"LGBM_BoosterPredictForMat", &c.boosterPredict},
		{"LGBM_BoosterFree", &c.boosterFree},
	}
}

// check turns what a function returned into an error with LightGBM's message:
// its first line, without the place in LightGBM's source. LightGBM itself writes
// the whole to standard error, whatever its log level.
func (c *functions) check(rc int32) error {
	if rc == 0 {
		return nil
	}
	message, _, _ := strings.Cut(c.lastError(), "\n")
	message, _, _ = strings.Cut(message, " at /")
	return fmt.Errorf("LightGBM says: %s", message)
}
