// Package evaluation answers: how well does a score tell takeovers from honest
// people, and how sure is that?
//
// A [Set] holds attempts with their truth and what some scores said of them, the
// score that is judged first. [Set.Judge] makes a [Report] of it: detection at
// fixed shares of honest attempts challenged, by family of attack, by length of
// history, by week and by value, with intervals from a bootstrap over users.
// [Report.WritePage] writes it as one HTML page without anything outside it,
// [Report.WriteMarkdown] as text, [Report.Print] its main tables for a terminal.
// [Fit] is the logistic regression that a model is held against, and
// [Set.Alone] says what single features know: a leak check.
package evaluation

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"time"
)

// Set is attempts that are judged, and scores of them.
type Set struct {
	Source   string    // what was judged, in a few words
	Families []string  // names of Row.Family; the first is of honest attempts
	Unseen   int       // the family that the judged score was not trained on, 0 for none
	Settings []Setting // what Row.Setting counts; at least one
	Actions  []string  // what Row.Action counts; may be none
	Rows     []Row
	Scores   []Score // of all rows; the first is judged, the others stand beside it
	// Prior is the share of takeovers that precision, calibration and loss are for;
	// 0 is the share in the rows.
	Prior float64
	Costs Costs
	// Probabilities says that the first score is one: its calibration is judged.
	Probabilities bool
	Resamples     int // of the bootstrap, default 200
	Seed          uint64
}

// Setting is a part of a set with a row of its own. One that is apart is in no
// figure but its own.
type Setting struct {
	Name  string
	Apart bool
}

// Row is the truth about an attempt.
type Row struct {
	At       int64   // Unix milliseconds
	User     uint64  // whose account; rows of one user are drawn together
	History  int32   // successes of the user before
	Family   uint8   // of Set.Families
	Setting  uint8   // of Set.Settings
	Action   uint8   // of Set.Actions
	Takeover bool    // otherwise honest
	Weight   float32 // how many such attempts it stands for
	Value    float32 // of a takeover: what it costs where it passes
	// Rest is, of a takeover, the highest that the first score said of what followed on the
	// account until money was moved, with that; 0 where nothing did or nobody knows.
	Rest float64
}

// Score is what one way of scoring said of every row: higher is riskier. It is
// never NaN.
type Score struct {
	Name   string
	Values []float64
}

// Costs are what the loss is made of, in one currency. They are stated, not
// measured: a user of the report puts in their own.
type Costs struct {
	Challenge float64 // of an honest attempt challenged: support, and who gives up
	Takeover  float64 // of a takeover whose Value is 0: what cannot be counted
}

// DefaultCosts are used where a set has none.
func DefaultCosts() Costs { return Costs{Challenge: 1, Takeover: 200} }

// Rates are the shares of honest attempts challenged at which detection is told.
func Rates() []float64 { return []float64{0.001, 0.005, 0.01, 0.02} }

// mainRate is the place in Rates of the one that tables by family, history and
// week are at: 1 %.
const mainRate = 2

// check says why a set cannot be judged.
func (s *Set) check() error {
	if len(s.Scores) == 0 || len(s.Families) < 2 || len(s.Settings) == 0 {
		return errors.New("evaluate: a set has at least a score, two families and a setting")
	}
	for _, c := range s.Scores {
		if len(c.Values) != len(s.Rows) {
			return fmt.Errorf("evaluate: %d values of %s for %d rows", len(c.Values), c.Name, len(s.Rows))
		}
		if slices.ContainsFunc(c.Values, math.IsNaN) {
			return fmt.Errorf("evaluate: a value of %s is not a number", c.Name)
		}
	}
	for i := range s.Rows {
		r := &s.Rows[i]
		if int(r.Family) >= len(s.Families) || int(r.Setting) >= len(s.Settings) || !(r.Weight > 0) || r.Takeover != (r.Family > 0) ||
			len(s.Actions) > 0 && int(r.Action) >= len(s.Actions) {
			return fmt.Errorf("evaluate: row %d is of family %d and setting %d, takeover %v, weight %g", i, r.Family, r.Setting, r.Takeover, r.Weight)
		}
	}
	return nil
}

// pick returns the rows that keep wants, by number.
func (s *Set) pick(keep func(*Row) bool) []int32 {
	var rows []int32
	for i := range s.Rows {
		if keep(&s.Rows[i]) {
			rows = append(rows, int32(i))
		}
	}
	return rows
}

// together reports whether a row is in the figures over all settings.
func (s *Set) together(r *Row) bool { return !s.Settings[r.Setting].Apart }

// Judge makes the report. There must be a takeover and an honest attempt in the
// settings that are not apart.
func (s *Set) Judge() (*Report, error) {
	if err := s.check(); err != nil {
		return nil, err
	}
	if s.Costs == (Costs{}) {
		s.Costs = DefaultCosts()
	}
	all := s.pick(s.together)
	r := &Report{Source: s.Source, Rates: Rates(), Costs: s.Costs, Honest: s.Families[0]}
	users := map[uint64]bool{}
	var weights [2]float64
	for _, i := range all {
		row := &s.Rows[i]
		users[row.User] = true
		r.Counts[truth(row)]++
		weights[truth(row)] += float64(row.Weight)
	}
	if r.Counts[0] == 0 || r.Counts[1] == 0 {
		return nil, fmt.Errorf("evaluate: %d honest attempts and %d takeovers: both are needed", r.Counts[0], r.Counts[1])
	}
	r.Users, r.Observed = len(users), weights[1]/(weights[0]+weights[1])
	if r.Prior = s.Prior; r.Prior == 0 {
		r.Prior = r.Observed
	}
	s.scores(r, all)
	s.families(r, all)
	s.histories(r, all)
	s.weeks(r, all)
	s.settings(r)
	s.missed(r, all)
	s.inTime(r, all)
	s.own(r)
	var err error
	if s.Probabilities {
		s.above(r, all)
		r.Reliability, err = s.reliability(all, r.Prior)
	}
	return r, err
}

// truth is 1 of a takeover, 0 of an honest attempt.
func truth(r *Row) int {
	if r.Takeover {
		return 1
	}
	return 0
}

// scores enters what each score does over all rows.
func (s *Set) scores(r *Report, all []int32) {
	samples := s.resample(all)
	for k := range s.Scores {
		c := s.curve(k, all, nil)
		j := Judged{Name: s.Scores[k].Name, AUC: Interval{Value: c.auc()}, Precision: c.precision(r.Prior)}
		for _, share := range r.Rates {
			cut := c.cut(share)
			j.Cuts = append(j.Cuts, cut)
			j.Caught = append(j.Caught, Interval{Value: c.caught(share)})
		}
		j.bound(s, k, all, samples, r.Rates)
		j.ROC, j.PR = c.points(), c.precisions(r.Prior)
		s.losses(r, &j, k, c, all)
		r.Scores = append(r.Scores, j)
	}
}

// share is a sum of weights over another, told as NaN where that is nothing.
type share struct{ part, whole float64 }

func (s *share) add(part, weight float64) { s.part, s.whole = s.part+part*weight, s.whole+weight }

func (s share) value() float64 {
	if s.whole == 0 {
		return math.NaN()
	}
	return s.part / s.whole
}

// families enters the share of each family's takeovers that is caught at each rate
// by each score.
func (s *Set) families(r *Report, all []int32) {
	for f := 1; f < len(s.Families); f++ {
		row := Family{Name: s.Families[f], Unseen: f == s.Unseen, Caught: make([][]float64, len(s.Scores))}
		for k := range s.Scores {
			for rate := range r.Rates {
				var caught share
				for _, i := range all {
					if x := &s.Rows[i]; int(x.Family) == f {
						caught.add(r.Scores[k].Cuts[rate].Challenged(s.Scores[k].Values[i]), float64(x.Weight))
					}
				}
				row.Caught[k] = append(row.Caught[k], caught.value())
			}
		}
		for _, i := range all {
			if int(s.Rows[i].Family) == f {
				row.Rows++
			}
		}
		r.Families = append(r.Families, row)
	}
}

// longest is the longest history with a point of its own.
const longest = 39

// bands are lengths of history that takeovers are counted in: enough of them.
func bands() []Band {
	return []Band{{From: 0, To: 0}, {From: 1, To: 3}, {From: 4, To: 11}, {From: 12, To: 38}, {From: 39, To: math.MaxInt32}}
}

// histories enters how many are challenged by the length of their history, at the
// cut of 1 %.
func (s *Set) histories(r *Report, all []int32) {
	r.Histories, r.Bands = make([]History, longest), bands()
	for n := range r.Histories {
		r.Histories[n].Size = n + 1
	}
	for k := range s.Scores {
		var by [longest + 1]share
		challenged, caught := make([]share, len(r.Bands)), make([]share, len(r.Bands))
		for _, i := range all {
			x := &s.Rows[i]
			hit := r.Scores[k].Cuts[mainRate].Challenged(s.Scores[k].Values[i])
			b := slices.IndexFunc(r.Bands, func(b Band) bool { return x.History <= b.To })
			if x.Takeover {
				caught[b].add(hit, float64(x.Weight))
				continue
			}
			challenged[b].add(hit, float64(x.Weight))
			if x.History <= longest {
				by[max(x.History, 0)].add(hit, float64(x.Weight))
			}
		}
		for n := range r.Histories {
			r.Histories[n].Challenged = append(r.Histories[n].Challenged, by[n+1].value())
		}
		for b := range r.Bands {
			r.Bands[b].Challenged = append(r.Bands[b].Challenged, challenged[b].value())
			r.Bands[b].Caught = append(r.Bands[b].Caught, caught[b].value())
		}
	}
	for _, i := range all {
		x := &s.Rows[i]
		b := &r.Bands[slices.IndexFunc(r.Bands, func(b Band) bool { return x.History <= b.To })]
		b.Rows[truth(x)]++
		if n := int(x.History); !x.Takeover && n >= 1 && n <= longest {
			r.Histories[n-1].Rows++
		}
	}
}

// fewest honest attempts that a week needs to have a row.
const fewest = 200

// weeks enters how the judged score does week by week, at the cut of 1 % over all
// weeks, and how far its values have moved since the first.
func (s *Set) weeks(r *Report, all []int32) {
	const week = int64(7 * 24 * time.Hour / time.Millisecond)
	first := s.Rows[all[0]].At
	for _, i := range all {
		first = min(first, s.Rows[i].At)
	}
	by := map[int64][]int32{}
	for _, i := range all {
		n := (s.Rows[i].At - first) / week
		by[n] = append(by[n], i)
	}
	var before []float64 // values of the first week, of honest attempts
	for n := int64(0); len(by) > 0; n++ {
		rows := by[n]
		delete(by, n)
		w := Week{From: time.UnixMilli(first + n*week).UTC(), AUC: math.NaN()}
		var hit [2]share
		var honest []float64
		for _, i := range rows {
			x, v := &s.Rows[i], s.Scores[0].Values[i]
			w.Rows[truth(x)]++
			hit[truth(x)].add(r.Scores[0].Cuts[mainRate].Challenged(v), float64(x.Weight))
			if !x.Takeover {
				honest = append(honest, v)
			}
		}
		if len(honest) < fewest {
			continue
		}
		if w.Rows[1] > 0 {
			w.AUC = s.curve(0, rows, nil).auc()
		}
		if before == nil {
			before = honest
		}
		w.Challenged, w.Caught, w.PSI = hit[0].value(), hit[1].value(), PSI(before, honest)
		r.Weeks = append(r.Weeks, w)
	}
}

// settings enters what each score does in each setting, at that setting's own
// cut of 1 %.
func (s *Set) settings(r *Report) {
	for n, setting := range s.Settings {
		rows := s.pick(func(x *Row) bool { return int(x.Setting) == n })
		p := Part{Name: setting.Name, Apart: setting.Apart}
		for _, i := range rows {
			p.Rows[truth(&s.Rows[i])]++
		}
		if len(s.Settings) == 1 || p.Rows[0] == 0 || p.Rows[1] == 0 {
			continue
		}
		for k := range s.Scores {
			c := s.curve(k, rows, nil)
			p.AUC = append(p.AUC, c.auc())
			p.Caught = append(p.Caught, c.caught(r.Rates[mainRate]))
		}
		r.Settings = append(r.Settings, p)
	}
}
