package evaluation

import (
	"math"
	"math/rand/v2"
	"slices"
)

// Interval is a figure and where nine tenths and a half of its resamples lie:
// the 2.5th and the 97.5th percentile.
type Interval struct {
	Value, Low, High float64
}

// resamples are how often each user was drawn, by number, for each resample. An
// attack's rows go with its victim, and whoever is challenged often is drawn as a
// whole: rows of one user are not independent.
type resamples struct {
	number map[uint64]int32
	times  [][]uint8
}

// resample draws users with replacement, as many as there are.
func (s *Set) resample(rows []int32) *resamples {
	r := &resamples{number: map[uint64]int32{}}
	for _, i := range rows {
		if _, ok := r.number[s.Rows[i].User]; !ok {
			r.number[s.Rows[i].User] = int32(len(r.number))
		}
	}
	n := s.Resamples
	if n == 0 {
		n = 200
	}
	draw := rand.New(rand.NewPCG(s.Seed, 0x626f6f74))
	for range n {
		times := make([]uint8, len(r.number))
		for range times {
			if t := &times[draw.IntN(len(times))]; *t < math.MaxUint8 {
				*t++
			}
		}
		r.times = append(r.times, times)
	}
	return r
}

// bound gives a score's figures their intervals.
func (j *Judged) bound(s *Set, score int, rows []int32, r *resamples, rates []float64) {
	order := s.order(score, rows)
	auc := make([]float64, 0, len(r.times))
	caught := make([][]float64, len(rates))
	for _, times := range r.times {
		c := s.sorted(order, score, func(user uint64) float64 { return float64(times[r.number[user]]) })
		if h, t := c.totals(); h == 0 || t == 0 {
			continue // nobody of one kind was drawn
		}
		auc = append(auc, c.auc())
		for k, share := range rates {
			caught[k] = append(caught[k], c.caught(share))
		}
	}
	j.AUC.bound(auc)
	for k := range rates {
		j.Caught[k].bound(caught[k])
	}
}

// bound sets the ends; without resamples they are the value.
func (v *Interval) bound(samples []float64) {
	v.Low, v.High = v.Value, v.Value
	if len(samples) == 0 {
		return
	}
	slices.Sort(samples)
	at := func(q float64) float64 { return samples[int(math.Round(q*float64(len(samples)-1)))] }
	v.Low, v.High = at(0.025), at(0.975)
}
