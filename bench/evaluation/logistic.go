package evaluation

import (
	"context"
	"errors"
	"fmt"
	"math"
	"runtime"
	"slices"
	"sync"

	"github.com/waryauth/wary/models/train"
)

// Logistic is logistic regression over columns of a vector: missing values take
// the column's median, values are standardized and held within eight deviations.
type Logistic struct {
	columns             []int
	median, mean, scale []float64
	weights             []float64 // of the columns, then the intercept
}

// ridge is the penalty on squared weights, in rows: enough that a column that
// parts all rows has a finite weight.
const ridge = 1.0

// widest a standardized value is taken for.
const widest = 8

// Fit fits by Newton's method, with a small ridge, to the columns of the rows'
// matrix. Its result does not depend on the number of processors. When ctx ends it
// returns its error within a step.
func Fit(ctx context.Context, d *train.Data, columns []int) (*Logistic, error) {
	rows := len(d.Y)
	if rows == 0 || len(d.X) != rows*d.Columns || len(columns) == 0 {
		return nil, fmt.Errorf("fit: %d values for %d rows of %d columns, %d of them to use", len(d.X), rows, d.Columns, len(columns))
	}
	if !slices.Contains(d.Y, 1) || !slices.Contains(d.Y, 0) {
		return nil, errors.New("fit: rows of both labels are needed")
	}
	l := &Logistic{columns: columns, weights: make([]float64, len(columns)+1)}
	l.standardize(d)
	before := math.Inf(1)
	for range 30 {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		loss, gradient, hessian := l.derive(d)
		if before-loss < 1e-10*math.Abs(loss) {
			return l, nil
		}
		before = loss
		step, ok := solve(hessian, gradient)
		if !ok {
			return nil, errors.New("fit: the columns are not independent")
		}
		l.advance(d, step, loss)
	}
	return l, nil
}

// standardize measures each column.
func (l *Logistic) standardize(d *train.Data) {
	rows := len(d.Y)
	values := make([]float64, 0, rows)
	for _, c := range l.columns {
		values = values[:0]
		for i := range rows {
			if x := d.X[i*d.Columns+c]; x == x {
				values = append(values, float64(x))
			}
		}
		slices.Sort(values)
		median := 0.0
		if n := len(values); n > 0 {
			median = (values[(n-1)/2] + values[n/2]) / 2
		}
		for range rows - len(values) {
			values = append(values, median)
		}
		mean, variance := 0.0, 0.0
		for _, x := range values {
			mean += x / float64(rows)
		}
		for _, x := range values {
			variance += (x - mean) * (x - mean) / float64(rows)
		}
		scale := 0.0                    // of a column that says nothing
		if variance > 1e-12*mean*mean { // of equal values rounding leaves some
			scale = 1 / math.Sqrt(variance)
		}
		l.median, l.mean, l.scale = append(l.median, median), append(l.mean, mean), append(l.scale, scale)
	}
}

// read writes a vector's standardized columns to x, and 1 for the intercept.
func (l *Logistic) read(x []float64, v []float32) {
	for k, c := range l.columns {
		value := float64(v[c])
		if value != value {
			value = l.median[k]
		}
		x[k] = min(max((value-l.mean[k])*l.scale[k], -widest), widest)
	}
	x[len(l.columns)] = 1
}

// LogOdds returns the log-odds of label 1 for a vector.
func (l *Logistic) LogOdds(v []float32) float64 {
	sum := l.weights[len(l.columns)]
	for k, c := range l.columns {
		value := float64(v[c])
		if value != value {
			value = l.median[k]
		}
		sum += l.weights[k] * min(max((value-l.mean[k])*l.scale[k], -widest), widest)
	}
	return sum
}

// chunks are how many parts the rows are summed in: as many whatever the number of
// processors, so that sums round alike.
const chunks = 16

// each calls sum for each chunk, on all processors.
func each(rows int, sum func(chunk, from, to int)) {
	var wg sync.WaitGroup
	slots := make(chan struct{}, runtime.GOMAXPROCS(0))
	for n := range chunks {
		wg.Add(1)
		slots <- struct{}{}
		go func() {
			defer wg.Done()
			sum(n, rows*n/chunks, rows*(n+1)/chunks)
			<-slots
		}()
	}
	wg.Wait()
}

// derived is a chunk's part of the loss and its derivatives.
type derived struct {
	loss     float64
	gradient []float64
	hessian  []float64 // the upper triangle of a square
}

// derive returns the penalized loss at the weights, its gradient and its Hessian,
// of which the upper triangle is filled in.
func (l *Logistic) derive(d *train.Data) (loss float64, gradient, hessian []float64) {
	k := len(l.weights)
	var parts [chunks]derived
	each(len(d.Y), func(chunk, from, to int) {
		p := derived{gradient: make([]float64, k), hessian: make([]float64, k*k)}
		x := make([]float64, k)
		for i := from; i < to; i++ {
			l.read(x, d.X[i*d.Columns:])
			p.add(x, l.weights, float64(d.Y[i]), weightOf(d, i))
		}
		parts[chunk] = p
	})
	total := parts[0]
	for _, p := range parts[1:] {
		total.loss += p.loss
		for i, g := range p.gradient {
			total.gradient[i] += g
		}
		for i, h := range p.hessian {
			total.hessian[i] += h
		}
	}
	for i, w := range l.weights[:k-1] {
		total.loss += ridge / 2 * w * w
		total.gradient[i] += ridge * w
		total.hessian[i*k+i] += ridge
	}
	total.hessian[k*k-1] += 1e-9
	return total.loss, total.gradient, total.hessian
}

// add adds a row.
func (p *derived) add(x, weights []float64, y, weight float64) {
	z := 0.0
	for i, v := range x {
		z += weights[i] * v
	}
	chance := 1 / (1 + math.Exp(-z))
	p.loss += weight * lost(z, y)
	g, h := weight*(chance-y), weight*chance*(1-chance)
	k := len(x)
	for i, v := range x {
		p.gradient[i] += g * v
		if hv := h * v; hv != 0 {
			row := p.hessian[i*k+i : (i+1)*k]
			for j, u := range x[i:] {
				row[j] += hv * u
			}
		}
	}
}

// lost is -log of the chance of label y at log-odds z.
func lost(z, y float64) float64 {
	if y == 1 {
		z = -z
	}
	return max(z, 0) + math.Log1p(math.Exp(-math.Abs(z)))
}

// advance takes a Newton step, or as much of it as makes the loss smaller.
func (l *Logistic) advance(d *train.Data, step []float64, before float64) {
	start := slices.Clone(l.weights)
	for size := 1.0; size > 1e-4; size /= 2 {
		for i := range l.weights {
			l.weights[i] = start[i] - size*step[i]
		}
		if l.loss(d) <= before {
			return
		}
	}
	copy(l.weights, start)
}

func (l *Logistic) loss(d *train.Data) float64 {
	var parts [chunks]float64
	each(len(d.Y), func(chunk, from, to int) {
		for i := from; i < to; i++ {
			parts[chunk] += weightOf(d, i) * lost(l.LogOdds(d.X[i*d.Columns:(i+1)*d.Columns]), float64(d.Y[i]))
		}
	})
	sum := 0.0
	for _, p := range parts {
		sum += p
	}
	for _, w := range l.weights[:len(l.columns)] {
		sum += ridge / 2 * w * w
	}
	return sum
}

func weightOf(d *train.Data, i int) float64 {
	if d.Weight == nil {
		return 1
	}
	return float64(d.Weight[i])
}

// solve solves a x = b for a symmetric positive definite matrix of which the upper
// triangle is given, by Cholesky's decomposition in place. It reports false where
// the matrix is none.
func solve(a, b []float64) ([]float64, bool) {
	n := len(b)
	for i := range n {
		for j := i; j < n; j++ {
			sum := a[i*n+j]
			for k := range i {
				sum -= a[k*n+i] * a[k*n+j]
			}
			if i == j {
				if !(sum > 0) {
					return nil, false
				}
				a[i*n+i] = math.Sqrt(sum)
				continue
			}
			a[i*n+j] = sum / a[i*n+i]
		}
	}
	x := slices.Clone(b)
	for i := range n {
		for k := range i {
			x[i] -= a[k*n+i] * x[k]
		}
		x[i] /= a[i*n+i]
	}
	for i := n - 1; i >= 0; i-- {
		for k := i + 1; k < n; k++ {
			x[i] -= a[i*n+k] * x[k]
		}
		x[i] /= a[i*n+i]
	}
	return x, true
}
