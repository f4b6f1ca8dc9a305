package feedback

import (
	"time"

	"github.com/waryauth/wary/features"
	"github.com/waryauth/wary/models"
)

// Matrix is labelled rows as a trainer reads them.
type Matrix struct {
	X         []float32 // row-major, features.Width each; NaN = missing
	Y, Weight []float32 // 1 = fraud, 0 = legitimate; both one a row
	From, To  time.Time // of the first attempt and of the last
}

// Fraud returns how many rows are labelled so.
func (m *Matrix) Fraud() (n int) {
	for _, y := range m.Y {
		n += int(y)
	}
	return n
}

func (m *Matrix) add(at time.Time, v *features.Vector, fraud bool, weight float64) {
	m.X, m.Y, m.Weight = append(m.X, v[:]...), append(m.Y, float32(index(fraud))), append(m.Weight, float32(weight))
	if m.From.IsZero() || at.Before(m.From) {
		m.From = at
	}
	if at.After(m.To) {
		m.To = at
	}
}

// rows returns every so many of the rows, most at most.
func (m *Matrix) rows(most int) (out []*features.Vector) {
	n := len(m.Y)
	for i, stride := 0, n/most+1; i < n; i += stride {
		out = append(out, (*features.Vector)(m.X[i*features.Width:]))
	}
	return out
}

// Slices are the rows that a candidate is made from, by step. Training is the oldest;
// Stopping and Calibrating are of the same later days, of different people. The rows
// that it is judged by are later still, and no trainer sees them.
type Slices struct {
	Training    Matrix // trees are grown from it
	Stopping    Matrix // and ended where the loss on it is smallest
	Calibrating Matrix // probabilities are fitted to it: rows weigh as many as they stand for
	// Share is that of fraud among all attempts of the days that calibrate, what was
	// stopped included: of that Calibrating holds little, since little is known of it.
	Share float64
	Prior float64 // that probabilities are to be for; 0 is the log's own
}

// told returns the slices for the card.
func (s *Slices) told() (out []models.Slice) {
	for _, m := range [...]struct {
		name string
		*Matrix
	}{{"training", &s.Training}, {"stopping", &s.Stopping}, {"calibrating", &s.Calibrating}} {
		var fraud, all float64
		for i, y := range m.Y {
			all += float64(m.Weight[i])
			fraud += float64(y * m.Weight[i])
		}
		if all > 0 {
			out = append(out, models.Slice{Name: m.name, From: m.From, To: m.To, Rows: len(m.Y), Fraud: m.Fraud(), Share: fraud / all})
		}
	}
	return out
}
