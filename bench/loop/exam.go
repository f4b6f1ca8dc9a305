package main

import (
	"context"
	"math"
	"slices"

	"github.com/waryauth/wary/bench/population"
	"github.com/waryauth/wary/features"
	"github.com/waryauth/wary/models"
)

// question is one attempt of other people, under other attackers, that no model was
// grown from.
type question struct {
	vector features.Vector
	family population.Family
}

// paper is the questions that every champion is put to.
type paper []question

// exam is how a champion did.
type exam struct {
	caught  [population.FamilyCount]float64 // share of each family at 1 % of the honest challenged
	entries [population.FamilyCount]int
	all     float64
}

// Honest attempts and days of the paper: what comes first in a simulation, when
// everybody is new, is left out.
const (
	paperHonest  = 40_000
	paperDays    = 75
	paperLearned = 25
)

// examine writes the paper while the deployment lives.
func (l *loop) examine(ctx context.Context) (wait func() (paper, error)) {
	var p paper
	var err error
	done := make(chan struct{})
	go func() {
		defer close(done)
		p, err = write(ctx, l.plan)
	}()
	return func() (paper, error) {
		<-done
		return p, err
	}
}

func write(ctx context.Context, o *plan) (p paper, err error) {
	all := population.DefaultCampaigns
	for f := range all {
		all[f] *= 8
	}
	all[population.Stuffing], all[population.Spraying] = 2*population.DefaultCampaigns[population.Stuffing], 2*population.DefaultCampaigns[population.Spraying]
	sim := population.New(population.Options{Seed: o.seed + 1_000_003, Users: o.users, Days: paperDays, Campaigns: &all})
	from := sim.Options().Start.AddDate(0, 0, paperLearned).UnixMilli()
	honest, stride := 0, max(o.users*(paperDays-paperLearned)/paperHonest, 1)
	for r := range population.Rows(sim, 0) {
		if r.At < from || !r.Judged() {
			continue
		}
		if !r.Fraud {
			if honest++; honest%stride != 0 {
				continue
			}
			if honest%1000 == 0 && ctx.Err() != nil {
				return nil, ctx.Err()
			}
		}
		p = append(p, question{r.Vector, r.Family})
	}
	return p, nil
}

// mark puts a model to the paper.
func (p paper) mark(m *models.Model) (e exam) {
	var pr models.Prediction
	scores := make([]float64, len(p))
	var honest []float64
	for i := range p {
		q := &p[i]
		m.Predict(&pr, &q.vector)
		scores[i] = pr.LogOdds
		e.entries[q.family]++
		if q.family == population.Ordinary {
			honest = append(honest, pr.LogOdds)
		}
	}
	threshold := atShare(honest, 0.01)
	var caught, all float64
	for i, s := range scores {
		f := p[i].family
		if f == population.Ordinary {
			continue
		}
		all++
		if s >= threshold {
			e.caught[f]++
			caught++
		}
	}
	for f := range e.caught {
		e.caught[f] /= math.Max(float64(e.entries[f]), 1)
	}
	e.all = caught / math.Max(all, 1)
	return e
}

// atShare returns the lowest threshold that at most a share of scores reaches.
func atShare(scores []float64, share float64) float64 {
	s := slices.Sorted(slices.Values(scores))
	if len(s) == 0 {
		return math.Inf(1)
	}
	at := len(s) - int(share*float64(len(s)))
	for at < len(s) && at > 0 && s[at] == s[at-1] { // all of equal scores, or none
		at++
	}
	if at >= len(s) {
		return math.Inf(1)
	}
	return s[at]
}
