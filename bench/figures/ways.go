package main

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/dmitryikh/leaves"

	"github.com/waryauth/wary/models"
	"github.com/waryauth/wary/models/train"
)

// trial is a LightGBM model, rows, and LightGBM's own raw scores of them.
type trial struct {
	name     string
	text     []byte
	features int
	x        []float32 // row-major
	raw      []float64
}

// openTrial reads DIR/NAME.txt.gz, .rows.f32.gz and .raw.f64.gz.
func openTrial(dir, name string) (*trial, error) {
	var parts [3][]byte
	for i, ext := range []string{".txt.gz", ".rows.f32.gz", ".raw.f64.gz"} {
		f, err := os.Open(filepath.Join(dir, name+ext))
		if err != nil {
			return nil, err
		}
		z, err := gzip.NewReader(f)
		if err == nil {
			parts[i], err = io.ReadAll(z)
		}
		if err := errors.Join(err, f.Close()); err != nil {
			return nil, fmt.Errorf("read %s%s: %w", name, ext, err)
		}
	}
	t := &trial{name: name, text: parts[0], x: make([]float32, len(parts[1])/4), raw: make([]float64, len(parts[2])/8)}
	for i := range t.x {
		t.x[i] = math.Float32frombits(binary.LittleEndian.Uint32(parts[1][4*i:]))
	}
	for i := range t.raw {
		t.raw[i] = math.Float64frombits(binary.LittleEndian.Uint64(parts[2][8*i:]))
	}
	if len(t.raw) < sampled || len(t.raw)%chunk != 0 || len(t.x)%len(t.raw) != 0 {
		return nil, fmt.Errorf("%s: %d values are not %d rows, or too few, or those no multiple of %d", name, len(t.x), len(t.raw), chunk)
	}
	t.features = len(t.x) / len(t.raw)
	return t, nil
}

func (t *trial) row(i int) []float32 { return t.x[i*t.features : (i+1)*t.features] }

// way is one way of scoring a trial's rows.
type way struct {
	name        string
	run         func(first int, out []float64) time.Duration // scores len(out) rows
	cold        func(row int, memory []uint64, out []float64) time.Duration
	allocations float64
}

// inGo makes a way of a function of Go.
func inGo(name string, score func(row int) float64) *way {
	run := func(first int, out []float64) time.Duration {
		before := time.Now()
		for i := range out {
			out[i] = score(first + i)
		}
		return time.Since(before)
	}
	w := &way{name: name, run: run, cold: func(row int, memory []uint64, out []float64) time.Duration {
		for i := range memory {
			memory[i]++
		}
		return run(row, out[:1])
	}}
	i := 0
	w.allocations = testing.AllocsPerRun(sampled-1, func() { score(i); i++ })
	return w
}

// kernelWays are the ways of package models that this processor has, the one that
// serves first.
func kernelWays(t *trial) ([]*way, *models.Ensemble, error) {
	e, err := models.Inspect(t.text)
	if err != nil {
		return nil, nil, err
	}
	var ways []*way
	for _, kernel := range e.Kernels() {
		score := e.Scorer(kernel)
		ways = append(ways, inGo(kernel, func(i int) float64 { return score(t.row(i)) }))
	}
	return ways, e, nil
}

// attributionWay is a whole prediction by the kernel that serves: the score and what
// each family of features added to it.
func attributionWay(t *trial, e *models.Ensemble) (*way, error) {
	score := e.Scorer(e.Kernels()[0] + models.WithAttribution)
	if score == nil {
		return nil, fmt.Errorf("%s: no scorer with attribution", t.name)
	}
	return inGo("attribution", func(i int) float64 { return score(t.row(i)) }), nil
}

// leavesWay hands leaves float64 rows ready made. Version v4 it does not know; the
// tree blocks are those of v3.
func leavesWay(t *trial) (*way, error) {
	text := bytes.Replace(t.text, []byte("\nversion=v4\n"), []byte("\nversion=v3\n"), 1)
	m, err := leaves.LGEnsembleFromReader(bufio.NewReader(bytes.NewReader(text)), false)
	if err != nil {
		return nil, fmt.Errorf("load model into leaves: %w", err)
	}
	wide := make([]float64, len(t.x))
	for i, v := range t.x {
		wide[i] = float64(v)
	}
	return inGo("leaves", func(i int) float64 { return m.PredictSingle(wide[i*t.features:(i+1)*t.features], 0) }), nil
}

// lightgbmWays are LightGBM called from Go a row at a time, and the same call of a
// function that does nothing.
func lightgbmWays(t *trial, path string) (score, nothing *way, err error) {
	l, err := train.Open(path)
	if err != nil {
		return nil, nil, err
	}
	f, err := l.Fast(t.text, t.features) // the process ends with the trial
	if err != nil {
		return nil, nil, err
	}
	score = inGo("lightgbm", func(i int) float64 { return f.Raw(t.row(i)) })
	nothing = inGo("nothing", func(i int) float64 { f.Nothing(t.row(i)); return 0 })
	return score, nothing, nil
}

// Rows are timed so many as one: few, so that even the slowest way is often not
// interrupted. sampled rows stand for all where each is timed by itself, or counted.
const (
	chunk   = 32
	sampled = 256
)

// coldBytes is what is rewritten before a row that finds the caches cold: more than
// the second level holds.
const coldBytes = 4 << 20

// measured is what one way took.
type measured struct {
	way         string
	warm, cold  float64 // nanoseconds a row
	allocations float64
	equal, of   int // rows whose score has LightGBM's bits
	apart       float64
}

// measure takes all rows through every way in turn, rounds times. Warm is the mean
// over chunks of the best time of each; cold is the median over rows of the same.
func (t *trial) measure(ways []*way, rounds int) []measured {
	out, all := make([]float64, len(t.raw)), make([]measured, len(ways))
	best := make([][]time.Duration, len(ways))
	for i, w := range ways {
		best[i] = slices.Repeat([]time.Duration{time.Hour}, len(t.raw)/chunk)
		w.run(0, out)
		all[i] = measured{way: w.name, allocations: w.allocations, of: len(t.raw)}
		for j, raw := range t.raw {
			if math.Float64bits(out[j]) == math.Float64bits(raw) {
				all[i].equal++
			}
			all[i].apart = max(all[i].apart, math.Abs(out[j]-raw))
		}
	}
	for range rounds {
		for i, w := range ways {
			w.run(0, out[:chunk]) // lets the way warm up
			for c := range best[i] {
				best[i][c] = min(best[i][c], w.run(c*chunk, out[:chunk]))
			}
		}
	}
	for i, w := range ways {
		sum := time.Duration(0)
		for _, d := range best[i] {
			sum += d
		}
		all[i].warm = float64(sum.Nanoseconds()) / float64(len(t.raw))
		all[i].cold = t.coldly(w, max(2, rounds/3))
	}
	return all
}

// coldly returns the median, over rows spread through the trial, of the best time of
// each.
func (t *trial) coldly(w *way, rounds int) float64 {
	memory, out := make([]uint64, coldBytes/8), make([]float64, 1)
	best := slices.Repeat([]time.Duration{time.Hour}, sampled)
	for range rounds {
		for i := range best {
			best[i] = min(best[i], w.cold(i*len(t.raw)/sampled, memory, out))
		}
	}
	slices.Sort(best)
	return float64(best[sampled/2].Nanoseconds())
}
