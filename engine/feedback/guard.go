package feedback

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/waryauth/wary/engine"
	"github.com/waryauth/wary/features"
	"github.com/waryauth/wary/signals"
)

// Guards bound what labels can do to a training set, so that who poisons few of them
// gains little. The zero value is none: every label weighs 1.
type Guards struct {
	// Weight is what a label counts by who said it; 0 is 1.
	Weight [signals.Challenge + 1]float32
	// Subject is the most that all labels of one kind, fraud or legitimate, about one
	// person count together; 0 is no bound. Beyond it each counts less.
	Subject float64
	// Source is the most that all labels of one source count together, as a multiple of
	// what those of more trusted sources do; 0 is no bound. It holds once those count
	// [Spoken] at least.
	Source float64
	// Inverse is the most attempts that one which the random-allow bucket let in stands
	// for; 0 is 1. Few such are labelled: without a bound one of them would decide.
	Inverse float32
	// Jump is the burst that is held: a source's labels of a day, more than so many
	// times those of its busiest day of the [Lookback] before that was not held; 0 is
	// none. A day with fewer than Floor is none either, nor one in the first week in
	// which a source tells anything.
	Jump  float64
	Floor int
	// Release are days of a source that are not held, though they are bursts.
	Release []Release
}

// Spoken is how much the labels of more trusted sources must count before they bound
// the others: of a few nothing follows.
const Spoken = 100

// Lookback is how many days of a source are compared with a new one: two months of a
// source that tells once a month.
const Lookback = 62

// settling is how many days a source may tell before a burst of it is one.
const settling = 7

// DefaultGuards returns the guards that hold where none are named; docs/feedback.md
// says why these.
func DefaultGuards() Guards {
	g := Guards{Subject: 8, Source: 4, Inverse: 20, Jump: 4, Floor: 100}
	g.Weight[signals.Customer] = 0.8
	g.Weight[signals.System] = 0.5
	g.Weight[signals.Challenge] = 0.3
	return g
}

// Release names a day of a source.
type Release struct {
	Source signals.Source
	Day    time.Time
}

// ErrRelease is the error of a text that names no day of a source.
var ErrRelease = errors.New("want SOURCE@DAY, such as chargeback@2026-06-01")

// ParseRelease returns the release of a text such as chargeback@2026-06-01.
func ParseRelease(text string) (Release, error) {
	name, day, _ := strings.Cut(text, "@")
	source, ok := signals.ParseSource(name)
	at, err := time.Parse(time.DateOnly, day)
	if !ok || err != nil {
		return Release{}, fmt.Errorf("%q: %w", text, ErrRelease)
	}
	return Release{source, at}, nil
}

// Hold is a burst: what a source told on a day counts for nothing until it is released.
type Hold struct {
	Source   string `json:"source"`
	Day      string `json:"day"` // on which it came, UTC
	Labels   int    `json:"labels"`
	Bound    int    `json:"bound"` // what it may have told
	Released bool   `json:"released,omitempty"`
}

// String returns the hold as a release names it.
func (h Hold) String() string { return h.Source + "@" + h.Day }

// hold finds the bursts among the days that labels came on.
func (j *join) hold() {
	if j.guards.Jump <= 0 {
		return
	}
	released := map[arrival]bool{}
	for _, r := range j.guards.Release {
		released[arrival{dayOf(r.Day), r.Source}] = true
	}
	first := map[signals.Source]int32{}
	days := slices.SortedFunc(maps.Keys(j.arrivals), func(a, b arrival) int {
		return cmp.Or(cmp.Compare(a.day, b.day), cmp.Compare(a.source, b.source))
	})
	for i, a := range days {
		if _, known := first[a.source]; !known {
			first[a.source] = a.day
		}
		most := 0
		for k := i - 1; k >= 0 && days[k].day >= a.day-Lookback; k-- {
			if days[k].source == a.source && !j.held[days[k]] {
				most = max(most, j.arrivals[days[k]])
			}
		}
		bound := max(j.guards.Floor, int(j.guards.Jump*float64(most)))
		if j.arrivals[a] <= bound || a.day < first[a.source]+settling {
			continue
		}
		j.held[a] = !released[a]
		j.report.Holds = append(j.report.Holds, Hold{
			signals.Sources[a.source], time.Unix(int64(a.day)*24*60*60, 0).UTC().Format(time.DateOnly), j.arrivals[a], bound, released[a],
		})
	}
}

// stands returns for how many attempts one stands: those that were challenged or denied
// where it was let in by the bucket.
func (g *Guards) stands(d *engine.Decision) float32 {
	return max(min(1/propensity(d), g.Inverse), 1)
}

// about is a subject and what is said of it.
type about struct {
	subject features.Key
	value   signals.FeedbackValue
}

// weigh gives every verdict its weight: by its source, then less by what its subject's
// labels count together, then by what its source's do.
func (j *join) weigh() {
	g := &j.guards
	bySubject := map[about]float64{}
	for i := range j.all {
		v := &j.all[i]
		v.weight = cmp.Or(g.Weight[v.label.source], 1) * v.stands
		if v.label.value != 0 {
			bySubject[about{v.subject, v.label.value}] += float64(v.weight)
		}
	}
	var bySource [signals.Challenge + 1]float64
	for i := range j.all {
		v := &j.all[i]
		if v.label.value == 0 {
			continue
		}
		if sum := bySubject[about{v.subject, v.label.value}]; g.Subject > 0 && sum > g.Subject {
			v.weight *= float32(g.Subject / sum)
			v.capped = true
		}
		bySource[v.label.source] += float64(v.weight)
	}
	scale := g.scales(&bySource)
	for i := range j.all {
		v := &j.all[i]
		if s := scale[v.label.source]; v.label.value != 0 && s < 1 {
			v.weight *= s
			v.capped = true
		}
		if v.capped {
			j.report.Capped++
		}
	}
}

// scales returns by how much the labels of each source weigh less, so that those of none
// count more than a multiple of what those of more trusted ones do.
func (g *Guards) scales(bySource *[signals.Challenge + 1]float64) (scale [signals.Challenge + 1]float32) {
	trusted := 0.0
	for s := range bySource {
		scale[s] = 1
		if bound := g.Source * trusted; g.Source > 0 && trusted >= Spoken && bySource[s] > bound {
			scale[s] = float32(bound / bySource[s])
			trusted += bound
			continue
		}
		trusted += bySource[s]
	}
	return scale
}
