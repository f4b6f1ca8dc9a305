package evaluation

import (
	"fmt"
	"math"
	"time"

	"github.com/waryauth/wary/bench/rba"
	"github.com/waryauth/wary/models"
	"github.com/waryauth/wary/models/train"
)

// Report is what was found. Slices over scores are in the order of Scores, slices
// over rates in the order of Rates. What was not there to be measured is NaN.
type Report struct {
	Model, Digest string // of the judged model; the caller's
	Source        string
	Notes         []string // the caller's: how the rows came about
	Honest        string   // name of the family of honest attempts
	Counts        [2]int   // honest attempts and takeovers, in rows
	Users         int
	Prior         float64 // share of takeovers that precision, calibration and loss are for
	Observed      float64 // share of takeovers in the rows, by weight
	Rates         []float64
	Nothing       float64 // loss of 1,000 attempts where nothing is challenged
	Costs         Costs
	Scores        []Judged
	InTime        []float64 // of the first score, by rate: caught before money is moved, or with it; none where nobody knows
	Own           []float64 // of the first score, by rate: caught where every setting has its own threshold; none where there is one
	Families      []Family
	Missed        *Missed
	Limits        string    // the caller's: why they are missed
	Histories     []History // of 1 to 39 successes before
	Bands         []Band
	Reliability   *models.Reliability // nil where the score is no probability
	Above         []Above             // fixed probabilities, where the score is one
	Weeks         []Week
	Settings      []Part     // none where there is one
	Study         *rba.Study // the caller's: the published study beside it
	Leaks         *Leaks     // the caller's
}

// Judged is what one score does.
type Judged struct {
	Name      string
	AUC       Interval
	Precision float64    // average precision at the prior
	Caught    []Interval // share of takeovers, by rate
	Cuts      []Cut      // by rate
	ROC       []Point    // share of honest attempts challenged, share of takeovers caught
	PR        []Point    // share of takeovers caught, share of takeovers among the challenged
	Losses    []Point    // share of honest attempts challenged, loss of 1,000 attempts
	Least     Point      // of them
}

// Point is one of a curve.
type Point struct{ X, Y float64 }

// Family is a way of attack.
type Family struct {
	Name   string
	Unseen bool // not trained on
	Rows   int
	Caught [][]float64 // by score and rate
}

// History is the honest attempts of users with a number of successes before.
type History struct {
	Size       int
	Rows       int
	Challenged []float64 // by score, at 1 % of all
}

// Band is the attempts of users with so many successes before.
type Band struct {
	From, To           int32
	Rows               [2]int    // honest attempts, takeovers
	Challenged, Caught []float64 // by score, at 1 % of all
}

// Above is who reaches a fixed probability: what a policy chooses from.
type Above struct {
	Probability       float64
	Honest, Takeovers float64 // shares
}

// Week is how the judged score does in one.
type Week struct {
	From                         time.Time
	Rows                         [2]int
	AUC, Challenged, Caught, PSI float64 // at the cut of 1 % of all weeks; PSI against the first
}

// Part is one setting.
type Part struct {
	Name        string
	Apart       bool
	Rows        [2]int
	AUC, Caught []float64 // by score, at 1 % of its own
}

// losses enters the loss of 1,000 attempts for each share challenged, and the share
// with the least. What is challenged is taken to be stopped.
func (s *Set) losses(r *Report, j *Judged, score int, c *curve, all []int32) {
	values := s.Scores[score].Values
	passing := func(cut Cut) float64 {
		var missed share
		for _, i := range all {
			if x := &s.Rows[i]; x.Takeover {
				missed.add(s.value(x)*(1-cut.Challenged(values[i])), float64(x.Weight))
			}
		}
		return 1000 * r.Prior * missed.value()
	}
	r.Nothing = passing(Cut{Score: math.Inf(1)})
	j.Least = Point{0, r.Nothing}
	for _, challenged := range grid() {
		p := Point{challenged, passing(c.cut(challenged)) + 1000*(1-r.Prior)*challenged*s.Costs.Challenge}
		j.Losses = append(j.Losses, p)
		if p.Y < j.Least.Y {
			j.Least = p
		}
	}
}

// value is what a takeover costs that passes.
func (s *Set) value(x *Row) float64 {
	if x.Value > 0 {
		return float64(x.Value)
	}
	return s.Costs.Takeover
}

// reliability holds the first score against what came, takeovers weighed to the
// prior.
func (s *Set) reliability(all []int32, prior float64) (*models.Reliability, error) {
	var probabilities []float64
	var labels, weights []float32
	for _, i := range all {
		r := &s.Rows[i]
		probabilities = append(probabilities, s.Scores[0].Values[i])
		labels, weights = append(labels, float32(truth(r))), append(weights, r.Weight)
	}
	return Reliability(probabilities, labels, weights, prior)
}

// above enters who reaches fixed probabilities.
func (s *Set) above(r *Report, all []int32) {
	for _, p := range [...]float64{0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 0.9} {
		var reach [2]share
		for _, i := range all {
			x, hit := &s.Rows[i], 0.0
			if s.Scores[0].Values[i] >= p {
				hit = 1
			}
			reach[truth(x)].add(hit, float64(x.Weight))
		}
		r.Above = append(r.Above, Above{p, reach[0].value(), reach[1].value()})
	}
}

// Reliability holds probabilities against labels, with bins parted at every ten
// points of the scale 0 to 100, of which 40 is 0.001 and 60 is 0.01: a factor of
// the square root of ten each. The weight of label 1 is scaled so that its share
// is the prior.
func Reliability(probabilities []float64, labels, weights []float32, prior float64) (*models.Reliability, error) {
	observed, err := train.Share(labels, weights, 1)
	if err != nil {
		return nil, fmt.Errorf("reliability: %w", err)
	}
	weights = append([]float32(nil), weights...)
	for i, y := range labels {
		if y == 1 {
			weights[i] *= float32(prior / (1 - prior) * (1 - observed) / observed)
		}
	}
	var edges []float64
	for points := 10; points < 100; points += 10 {
		edges = append(edges, math.Pow(10, float64(points-100)/20))
	}
	bins, err := train.ReliabilityBetween(probabilities, labels, weights, edges)
	return &models.Reliability{ECE: models.ECE(bins), Bins: bins}, err
}

// Metrics returns the figures of the judged score that a card keeps, rounded to
// four digits: auc, caught_at_RATE, threshold_at_RATE, caught_at_0.01_FAMILY,
// unseen_caught_at_0.01, NAME_caught_at_0.01 of the other scores, and of the study
// rba_ratio_at_TPR.
func (r *Report) Metrics() map[string]float64 {
	m := map[string]float64{"auc": r.Scores[0].AUC.Value}
	for k, rate := range r.Rates {
		m[fmt.Sprintf("caught_at_%g", rate)] = r.Scores[0].Caught[k].Value
		m[fmt.Sprintf("threshold_at_%g", rate)] = r.Scores[0].Cuts[k].Score
	}
	for _, f := range r.Families {
		m["caught_at_0.01_"+f.Name] = f.Caught[0][mainRate]
		if f.Unseen {
			m["unseen_caught_at_0.01"] = f.Caught[0][mainRate]
		}
	}
	for _, s := range r.Scores[1:] {
		m[shortName(s.Name)+"_caught_at_0.01"] = s.Caught[mainRate].Value
	}
	if r.Study != nil {
		for i := range r.Study.Rows {
			if row := &r.Study.Rows[i]; row.Attacker == rba.VeryTargeted {
				m[fmt.Sprintf("rba_ratio_at_%g", row.TPR)] = row.Ratio()
			}
		}
	}
	for _, p := range r.Settings {
		m["caught_at_0.01_in_"+shortName(p.Name)] = p.Caught[0]
	}
	for name, v := range m {
		if math.IsNaN(v) || math.IsInf(v, 0) {
			delete(m, name)
			continue
		}
		m[name] = rounded(v)
	}
	return m
}
