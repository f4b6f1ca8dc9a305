package feedback

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/waryauth/wary/engine"
	"github.com/waryauth/wary/features"
	"github.com/waryauth/wary/models"
)

// Gate is one question that a candidate must answer before it may shadow, with the
// figures that answered it.
type Gate struct {
	Name    string             `json:"name"`
	Figures map[string]float64 `json:"figures"`
	Refused string             `json:"refused,omitempty"` // why; "" where the candidate passes
}

// Names of gates.
const (
	EvidenceGate    = "evidence"
	PrecisionGate   = "auc_pr"
	RecallGate      = "recall"
	FamiliesGate    = "families"
	RatesGate       = "outcome_rates"
	CalibrationGate = "calibration"
	DriftGate       = "drift"
	LatencyGate     = "latency"
	GoldenGate      = "golden"
)

// Limits say what a candidate may be worse by. The zero value of each has a default.
type Limits struct {
	Fraud   int           // rows of fraud to judge by, at least; 20
	Honest  int           // legitimate ones, at least; 200
	Family  float64       // share of a family's fraud that may be caught less, where chance does not explain it; 0.1
	Rate    float64       // share of all attempts by which allow, step_up and deny may each move; 0.005
	Ratio   float64       // or so much of the champion's share, if that is more; 0.5
	ECE     float64       // expected calibration error; 0.01, or the champion's if that is more
	Slope   [2]float64    // of the calibration; 0.5 to 2
	PSI     float64       // mean of the inputs' population stability indexes, by gain; 0.25
	Latency time.Duration // of one prediction; 20 microseconds, or twice the champion's if that is more

	Resamples int // of the bootstrap; 400
}

func (l *Limits) defaults() {
	l.Fraud, l.Honest = cmp.Or(l.Fraud, 20), cmp.Or(l.Honest, 200)
	l.Family, l.Rate, l.Ratio = cmp.Or(l.Family, 0.1), cmp.Or(l.Rate, 0.005), cmp.Or(l.Ratio, 0.5)
	l.ECE, l.PSI = cmp.Or(l.ECE, 0.01), cmp.Or(l.PSI, 0.25)
	if l.Slope == [2]float64{} {
		l.Slope = [2]float64{0.5, 2}
	}
	l.Latency, l.Resamples = cmp.Or(l.Latency, 20*time.Microsecond), cmp.Or(l.Resamples, 400)
}

// Trial is the attempts that a candidate and the champion are both put to. None of
// them was among those that the candidate was made from.
type Trial struct {
	Limits Limits
	Policy *engine.Policy // that decides; nil: each attempt's own
	// Prior is the share of fraud that probabilities are for, 0 the rows' own: fraud,
	// what was denied included, weighs as much as makes it so.
	Prior  float64
	Golden []Golden
	// Before are the rows of the days before, for the drift of inputs until those that
	// it is judged by. Without any, nothing is said of it.
	Before *Matrix
	// Latency tells how long one prediction takes; nil: it is measured.
	Latency func(*models.Model) time.Duration

	rows []trialRow
}

// trialRow is one attempt of a trial.
type trialRow struct {
	vector features.Vector
	c      engine.Case // what it was besides; its vector is not valid
	fraud  bool        // as far as is known
	denied bool        // and nobody has said anything
	weight float64     // 0: nobody knows what it was
	stands float64
	family string
}

// Add puts an attempt to the trial. weight is how much it counts where fraud and
// legitimate attempts are told apart, 0 where nobody knows what it was; stands is how
// many it stands for where all attempts are counted; family is what kind of fraud it
// was, as far as anybody said. What is fraud of weight 0 was denied, and believed so.
//
// What is not known counts as well: of those whom the champion challenged or denied
// least is known, and a rate over the others would say that it challenges nobody.
func (t *Trial) Add(c *engine.Case, fraud bool, weight, stands float64, family string) {
	r := trialRow{vector: *c.Vector, c: *c, fraud: fraud && weight > 0, denied: fraud && weight == 0, weight: weight, stands: stands, family: family}
	r.c.Vector = nil
	t.rows = append(t.rows, r)
}

// Judge puts candidate and champion to the trial's attempts and asks every gate. It
// says nothing by chance: the same attempts and models give the same figures, but for
// the latency.
func (t *Trial) Judge(champion, candidate *models.Model) []Gate {
	t.Limits.defaults()
	e := t.evidence()
	if e.Refused != "" {
		return []Gate{e}
	}
	b := t.bench(champion, candidate)
	gates := []Gate{e}
	gates = append(gates, b.precisionAndRecall()...)
	return append(gates, b.families(), b.rates(), b.calibration(), t.drift(candidate), t.latency(champion, candidate), t.golden(candidate))
}

// Refusals returns why gates refuse, "" where none does.
func Refusals(gates []Gate) string {
	var why []string
	for _, g := range gates {
		if g.Refused != "" {
			why = append(why, g.Name+": "+g.Refused)
		}
	}
	return strings.Join(why, "; ")
}

// gate makes a gate that passes.
func gate(name string) Gate { return Gate{Name: name, Figures: map[string]float64{}} }

func (g *Gate) refuse(format string, args ...any) {
	if g.Refused != "" {
		g.Refused += "; "
	}
	g.Refused += fmt.Sprintf(format, args...)
}

// evidence asks whether there is enough to judge by.
func (t *Trial) evidence() Gate {
	g, n := gate(EvidenceGate), [2]int{}
	for i := range t.rows {
		if r := &t.rows[i]; r.weight > 0 {
			n[index(r.fraud)]++
		}
	}
	g.Figures["fraud"], g.Figures["legitimate"] = float64(n[1]), float64(n[0])
	if n[1] < t.Limits.Fraud || n[0] < t.Limits.Honest {
		g.refuse("%d attempts of fraud and %d legitimate ones to judge by, fewer than %d and %d", n[1], n[0], t.Limits.Fraud, t.Limits.Honest)
	}
	return g
}

// bench is a trial under way: what both models say of each row. The champion comes
// first.
type bench struct {
	*Trial
	user    []int32 // of each row, by number
	users   int
	fraud   []bool
	weight  []float64 // for the prior; 0 where nobody knows what the attempt was
	stands  []float64 // the same, of all attempts
	p       [2][]float64
	outcome [2][]engine.Outcome
}

func (t *Trial) bench(champion, candidate *models.Model) *bench {
	b := &bench{Trial: t}
	number := map[features.Key]int32{}
	var of [2]float64
	for i := range t.rows {
		r := &t.rows[i]
		n, known := number[r.c.User]
		if !known || r.c.User == 0 { // nobody is known by the name: each is another
			n = int32(b.users)
			number[r.c.User] = n
			b.users++
		}
		b.user, b.fraud = append(b.user, n), append(b.fraud, r.fraud)
		if r.fraud || r.denied {
			of[1] += max(r.weight, 1) // however little it is trusted
		} else {
			of[0] += r.stands
		}
	}
	scale := 1.0
	if t.Prior > 0 {
		scale = t.Prior / (1 - t.Prior) * of[0] / of[1]
	}
	var pr models.Prediction
	for i := range t.rows {
		r := &t.rows[i]
		w := r.weight
		stands := r.stands
		if r.fraud || r.denied {
			w, stands = w*scale, max(w, 1)*scale
		}
		b.weight, b.stands = append(b.weight, w), append(b.stands, stands)
		policy := t.Policy
		if policy == nil {
			policy = r.c.Policy
		}
		for k, m := range [2]*models.Model{champion, candidate} {
			m.Predict(&pr, &r.vector)
			b.p[k], b.outcome[k] = append(b.p[k], pr.Probability), append(b.outcome[k], r.c.Outcome(policy, pr.Probability))
		}
	}
	return b
}

func index(b bool) int {
	if b {
		return 1
	}
	return 0
}

// precisionAndRecall asks whether the candidate ranks worse, or catches less at the
// policy's thresholds, than chance explains: whether the whole interval of the
// difference, over resamples of the users that both models share, is below 0.
func (b *bench) precisionAndRecall() []Gate {
	order := [2][]int32{falling(b.p[0]), falling(b.p[1])}
	weights := make([]float64, len(b.fraud))
	figures := func(drawn []uint8) (ap, recall [2]float64) {
		for i, w := range b.weight {
			if weights[i] = w; drawn != nil {
				weights[i] *= float64(drawn[b.user[i]])
			}
		}
		for k := range order {
			ap[k] = averagePrecision(order[k], b.p[k], b.fraud, func(i int32) float64 { return weights[i] })
			recall[k] = b.caught(k, func(i int) float64 { return weights[i] })
		}
		return ap, recall
	}
	var ap, recall [2]float64
	var apMoved, recallMoved []float64
	resampled(b.users, b.Limits.Resamples, 1, func(drawn []uint8) {
		a, r := figures(drawn)
		apMoved, recallMoved = append(apMoved, a[1]-a[0]), append(recallMoved, r[1]-r[0])
	})
	ap, recall = figures(nil)
	return []Gate{
		notWorse(PrecisionGate, "the area under the precision-recall curve", ap, interval(ap[1]-ap[0], apMoved)),
		notWorse(RecallGate, "the share of fraud that is challenged or denied", recall, interval(recall[1]-recall[0], recallMoved)),
	}
}

// caught returns the share of fraud that a model has challenged or denied.
func (b *bench) caught(k int, weight func(i int) float64) float64 {
	var caught, all float64
	for i, fraud := range b.fraud {
		if !fraud {
			continue
		}
		w := weight(i)
		if all += w; b.outcome[k][i] > engine.Allow {
			caught += w
		}
	}
	return caught / all // 0/0 is NaN
}

func notWorse(name, what string, of [2]float64, moved Interval) Gate {
	g := gate(name)
	g.Figures["champion"], g.Figures["candidate"] = of[0], of[1]
	g.Figures["low"], g.Figures["high"] = moved.Low, moved.High
	if moved.High < 0 || math.IsNaN(of[1]) {
		g.refuse("%s is %.4f, the champion's is %.4f: the difference lies between %+.4f and %+.4f", what, of[1], of[0], moved.Low, moved.High)
	}
	return g
}

// fewest is how many rows of a family are judged by.
const fewest = 10

// families asks whether some kind of fraud is caught much less, beyond chance, that
// the others hide.
func (b *bench) families() Gate {
	g, rows := gate(FamiliesGate), map[string][]int{}
	for i := range b.rows {
		if r := &b.rows[i]; r.fraud {
			rows[r.family] = append(rows[r.family], i)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(rows)) {
		of := rows[name]
		if len(of) < fewest {
			continue
		}
		var caught [2]float64
		var all float64
		change := map[int32]float64{} // of each user's weight that is caught
		for _, i := range of {
			all += b.weight[i]
			for k := range caught {
				if b.outcome[k][i] > engine.Allow {
					caught[k] += b.weight[i]
					change[b.user[i]] += b.weight[i] * float64(2*k-1)
				}
			}
		}
		lost, variance := (caught[0]-caught[1])/all, 0.0
		for _, c := range change {
			variance += c * c / (all * all)
		}
		g.Figures[name+".champion"], g.Figures[name+".candidate"] = caught[0]/all, caught[1]/all
		if lost > b.Limits.Family && lost > 1.96*math.Sqrt(variance) {
			g.refuse("of %s %.1f %% are caught, by the champion %.1f %%", name, 100*caught[1]/all, 100*caught[0]/all)
		}
	}
	return g
}

// rates asks whether people would meet many more challenges or denials, or many
// fewer.
func (b *bench) rates() Gate {
	g := gate(RatesGate)
	var share [2][engine.Deny + 1]float64
	total := 0.0
	for i, w := range b.stands {
		total += w
		for k := range share {
			share[k][b.outcome[k][i]] += w
		}
	}
	for o := engine.Allow; o <= engine.Deny; o++ {
		was, is := share[0][o]/total, share[1][o]/total
		name := engine.OutcomeNames[o]
		g.Figures[name+".champion"], g.Figures[name+".candidate"] = was, is
		if bound := max(b.Limits.Rate, b.Limits.Ratio*was); math.Abs(is-was) > bound {
			g.refuse("%s would be the answer to %.2f %% of the attempts instead of %.2f %%: more than %.2f points apart", name, 100*is, 100*was, 100*bound)
		}
	}
	return g
}

// calibration asks whether the candidate's probabilities mean what they say.
func (b *bench) calibration() Gate {
	g := gate(CalibrationGate)
	var ece [2]float64
	for k := range ece {
		ece[k] = calibrationError(b.p[k], b.fraud, b.weight)
	}
	slope := calibrationSlope(b.p[1], b.fraud, b.weight)
	g.Figures["ece.champion"], g.Figures["ece.candidate"] = ece[0], ece[1]
	if bound := max(b.Limits.ECE, ece[0]); !(ece[1] <= bound) {
		g.refuse("the expected calibration error is %.4f, above %.4f", ece[1], bound)
	}
	if math.IsNaN(slope) { // the classes are apart: no slope is too steep
		return g
	}
	g.Figures["slope"] = slope
	if slope < b.Limits.Slope[0] || slope > b.Limits.Slope[1] {
		g.refuse("the slope of the calibration is %.2f, not between %g and %g", slope, b.Limits.Slope[0], b.Limits.Slope[1])
	}
	return g
}

// mostCompared bounds the rows of a column that the drift is computed from.
const mostCompared = 20_000

// drift asks whether the inputs still lie where they lay in the days before, by which
// the candidate was calibrated. Older days are no measure: ages and counts of thirty
// days grow for weeks on a daemon that has just been set up.
func (t *Trial) drift(candidate *models.Model) Gate {
	g := gate(DriftGate)
	gain := candidate.Card().Gain
	if t.Before == nil {
		return g
	}
	before, after := t.Before.rows(mostCompared), make([]*features.Vector, 0, mostCompared)
	for stride, i := len(t.rows)/mostCompared+1, 0; i < len(t.rows); i += stride {
		after = append(after, &t.rows[i].vector)
	}
	column := func(rows []*features.Vector, i int) []float32 {
		out := make([]float32, len(rows))
		for n, v := range rows {
			out[n] = v[i]
		}
		return out
	}
	var sum, all, worst float64
	name := ""
	for i := range features.Schema {
		w := gain[features.Schema[i].Name]
		if features.Schema[i].Unit == "days" { // ages and times since: they move by themselves
			continue
		}
		if len(gain) == 0 { // a card that does not tell: all alike
			w = 1
		}
		if w <= 0 {
			continue
		}
		psi := columnPSI(column(before, i), column(after, i))
		sum, all = sum+w*psi, all+w
		if w*psi > worst {
			worst, name = w*psi, features.Schema[i].Name
		}
	}
	if all == 0 {
		return g
	}
	g.Figures["psi"] = sum / all
	if sum/all > t.Limits.PSI {
		g.refuse("the inputs have moved since the days before: a population stability index of %.3f, above %g, and most of it is of %s", sum/all, t.Limits.PSI, name)
	}
	return g
}

// latency asks whether the candidate is quick enough for the score path.
func (t *Trial) latency(champion, candidate *models.Model) Gate {
	g, measure := gate(LatencyGate), t.Latency
	if measure == nil {
		measure = t.measure
	}
	was, is := measure(champion), measure(candidate)
	g.Figures["champion_us"], g.Figures["candidate_us"] = was.Seconds()*1e6, is.Seconds()*1e6
	if bound := max(t.Limits.Latency, 2*was); is > bound {
		g.refuse("a prediction takes %.1f us, more than %.1f", is.Seconds()*1e6, bound.Seconds()*1e6)
	}
	return g
}

// measure returns the time of a prediction: the least of several rounds, since what a
// busy machine adds is no model's.
func (t *Trial) measure(m *models.Model) time.Duration {
	rows := t.rows[:min(len(t.rows), 512)]
	var p models.Prediction
	best := time.Duration(math.MaxInt64)
	for range 9 {
		began := time.Now()
		for i := range rows {
			m.Predict(&p, &rows[i].vector)
		}
		best = min(best, time.Since(began))
	}
	return best / time.Duration(len(rows))
}
