package train

import (
	"context"
	"errors"
	"fmt"
	"math"
	"runtime"
	"unsafe"
)

// Report says what Grow did. Losses are mean log losses in nats, as LightGBM
// computes them while it grows.
type Report struct {
	Trees     int       // in the model
	Grown     int       // before growing ended; those after the best are not in the model
	TrainLoss float64   // of the model
	ValidLoss float64   // of the model; NaN without validation data
	Gain      []float64 // for each column, the sum of what its splits took off the training loss
}

// Grow grows a model from train and returns it as a LightGBM text, cut after the
// tree with the smallest validation loss. valid is best a later slice of time,
// since that is what the model will meet; it may be nil: then all trees are in the
// model, and early stopping is an error. The same data and parameters give the
// same bytes. LightGBM reads the rows where they are and keeps their bins alone.
//
// progress, unless nil, is called after every tree (iteration counts from 1;
// validLoss is NaN without validation data) on the goroutine that called Grow.
// When ctx ends, Grow returns its error after the tree that is being grown, or the
// data set that is being binned, with nothing left in LightGBM's memory.
func (l *Library) Grow(ctx context.Context, train, valid *Data, p Params, progress func(iteration int, trainLoss, validLoss float64)) (model []byte, report Report, err error) {
	if err := checkGrow(train, valid, &p); err != nil {
		return nil, Report{}, fmt.Errorf("grow model: %w", err)
	}
	l.growing.Lock()
	defer l.growing.Unlock()
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()

	g, err := l.plant(ctx, train, valid, &p)
	if err == nil {
		report, err = g.grow(ctx, &p, progress)
	}
	if err == nil {
		model, err = g.text(report.Trees)
	}
	if err = errors.Join(err, g.free()); err != nil {
		return nil, Report{}, fmt.Errorf("grow model: %w", err)
	}
	return model, report, nil
}

func checkGrow(train, valid *Data, p *Params) error {
	if train == nil {
		return errors.New("no training data")
	}
	if err := train.check("training"); err != nil {
		return err
	}
	if err := p.check(train.Columns); err != nil {
		return err
	}
	if valid == nil {
		if p.EarlyStopping > 0 {
			return errors.New("params: early stopping without validation data")
		}
		return nil
	}
	if valid.Columns != train.Columns {
		return fmt.Errorf("validation data: %d columns, training data has %d", valid.Columns, train.Columns)
	}
	return valid.check("validation")
}

// growth is a booster and the data it grows from, all in LightGBM's memory.
type growth struct {
	c            *functions
	columns      int
	train, valid uintptr
	booster      uintptr
}

// plant makes the data sets and a booster without trees. What it returns must be
// freed, also with an error.
func (l *Library) plant(ctx context.Context, train, valid *Data, p *Params) (*growth, error) {
	g := &growth{c: &l.c, columns: train.Columns}
	threads := int32(p.Threads)
	if threads == 0 {
		threads = -1 // no limit
	}
	if err := g.c.check(g.c.setMaxThreads(threads)); err != nil {
		return g, err
	}
	if err := ctx.Err(); err != nil {
		return g, err
	}
	if err := g.dataset(train, p, 0, &g.train); err != nil {
		return g, fmt.Errorf("training data: %w", err)
	}
	if err := g.c.check(g.c.boosterCreate(g.train, p.Text(), &g.booster)); err != nil {
		return g, err
	}
	if valid == nil {
		return g, nil
	}
	if err := ctx.Err(); err != nil {
		return g, err
	}
	if err := g.dataset(valid, p, g.train, &g.valid); err != nil {
		return g, fmt.Errorf("validation data: %w", err)
	}
	return g, g.c.check(g.c.boosterAddValid(g.booster, g.valid))
}

// dataset copies rows to LightGBM, in the bins of another data set unless that is 0.
func (g *growth) dataset(d *Data, p *Params, reference uintptr, out *uintptr) error {
	defer runtime.KeepAlive(d)
	rows := int32(len(d.Y))
	if err := g.c.check(g.c.datasetFromMat(unsafe.Pointer(&d.X[0]), float32Data, rows, int32(d.Columns), 1, p.Text(), reference, out)); err != nil {
		return err
	}
	if err := g.c.check(g.c.datasetSetField(*out, "label", unsafe.Pointer(&d.Y[0]), rows, float32Data)); err != nil {
		return err
	}
	if d.Weight != nil {
		if err := g.c.check(g.c.datasetSetField(*out, "weight", unsafe.Pointer(&d.Weight[0]), rows, float32Data)); err != nil {
			return err
		}
	}
	if p.FeatureNames == nil {
		return nil
	}
	return g.names(*out, p.FeatureNames)
}

// names hands over the features' names as C does: pointers to bytes that end in 0.
func (g *growth) names(dataset uintptr, names []string) error {
	var pin runtime.Pinner
	defer pin.Unpin()
	pointers := make([]*byte, len(names))
	for i, name := range names {
		pointers[i] = &append([]byte(name), 0)[0]
		pin.Pin(pointers[i])
	}
	pin.Pin(&pointers[0])
	return g.c.check(g.c.datasetSetNames(dataset, unsafe.Pointer(&pointers[0]), int32(len(names))))
}

// grow adds trees until there are enough or the validation loss no longer falls.
// LightGBM's own early stopping does not act through this API.
func (g *growth) grow(ctx context.Context, p *Params, progress func(int, float64, float64)) (Report, error) {
	best := Report{ValidLoss: math.NaN()}
	grown := 0
	for grown < p.trees() {
		if err := ctx.Err(); err != nil {
			return best, err
		}
		finished, err := g.add()
		if err != nil {
			return best, err
		}
		if finished { // no split gains anything: the tree was not kept
			break
		}
		grown++
		trainLoss, validLoss, err := g.losses()
		if err != nil {
			return best, err
		}
		if progress != nil {
			progress(grown, trainLoss, validLoss)
		}
		if g.valid == 0 || best.Trees == 0 || validLoss < best.ValidLoss {
			best = Report{Trees: grown, TrainLoss: trainLoss, ValidLoss: validLoss}
		}
		if p.EarlyStopping > 0 && grown-best.Trees >= p.EarlyStopping {
			break
		}
	}
	if grown == 0 {
		return best, errors.New("no split of any column gains anything: too few rows for a leaf, or columns that say nothing")
	}
	best.Grown = grown
	best.Gain = make([]float64, g.columns)
	return best, g.c.check(g.c.boosterGain(g.booster, int32(best.Trees), byGain, &best.Gain[0]))
}

// add grows one tree.
func (g *growth) add() (finished bool, err error) {
	var f int32
	err = g.c.check(g.c.boosterUpdate(g.booster, &f))
	return f != 0, err
}

func (g *growth) losses() (train, valid float64, err error) {
	train, valid = math.NaN(), math.NaN()
	if err := g.loss(0, &train); err != nil || g.valid == 0 {
		return train, valid, err
	}
	return train, valid, g.loss(1, &valid)
}

// loss evaluates data set 0 (training) or 1 (validation).
func (g *growth) loss(dataset int32, out *float64) error {
	var n int32
	if err := g.c.check(g.c.boosterEvalCount(g.booster, &n)); err != nil {
		return err
	}
	if n != 1 {
		return fmt.Errorf("LightGBM evaluates %d metrics, not the log loss alone", n)
	}
	if err := g.c.check(g.c.boosterEval(g.booster, dataset, &n, out)); err != nil {
		return err
	}
	if math.IsNaN(*out) {
		return errors.New("the log loss is no longer a number: the parameters make scores overflow")
	}
	return nil
}

// text saves the first trees as LightGBM writes models.
func (g *growth) text(trees int) ([]byte, error) {
	var size int64
	if err := g.c.check(g.c.boosterSave(g.booster, 0, int32(trees), bySplits, 0, &size, nil)); err != nil {
		return nil, err
	}
	b := make([]byte, size) // with the 0 that ends it
	if err := g.c.check(g.c.boosterSave(g.booster, 0, int32(trees), bySplits, size, &size, unsafe.Pointer(&b[0]))); err != nil {
		return nil, err
	}
	if size != int64(len(b)) || size == 0 {
		return nil, fmt.Errorf("LightGBM wrote a model of %d bytes, then of %d", len(b), size)
	}
	return b[:size-1], nil
}

func (g *growth) free() error {
	var err error
	if g.booster != 0 { // before the data it points to
		err = g.c.check(g.c.boosterFree(g.booster))
	}
	for _, dataset := range []uintptr{g.valid, g.train} {
		if dataset != 0 {
			err = errors.Join(err, g.c.check(g.c.datasetFree(dataset)))
		}
	}
	return err
}
