package baseline

import (
	"context"
	"fmt"
	"iter"
	"slices"
	"strings"

	"github.com/waryauth/wary/bench/evaluation"
	"github.com/waryauth/wary/bench/population"
	"github.com/waryauth/wary/features"
	"github.com/waryauth/wary/models"
	"github.com/waryauth/wary/models/train"
	"github.com/waryauth/wary/signals"
)

// Evaluate judges a model on the rows that Make judges on, beside the RBA score, a
// rule, and a logistic regression fitted to the rows that Make grows from; repeats
// the published study on new people; and tells what single features know.
func (c *Recipe) Evaluate(ctx context.Context, m *models.Model) (*evaluation.Report, error) {
	k := rows{only: []part{training, judging}}
	if err := c.collect(ctx, &k, 1); err != nil {
		return nil, err
	}
	if err := c.collectReal(ctx, &k); err != nil {
		return nil, err
	}
	set := k.set(m)
	logistic, leaks, err := c.peers(ctx, &k, set)
	if err != nil {
		return nil, err
	}
	set.Scores = append(set.Scores, logistic)
	report, err := set.Judge()
	if err != nil {
		return nil, err
	}
	report.Model, report.Digest, report.Leaks, report.Limits = m.Version(), m.Digest(), leaks, limits
	report.Notes = append(c.told(), k.servers(m, report.Scores[0].Cuts[2].Score))
	report.Study, err = c.Study(ctx, m)
	return report, err
}

// judged are the samples that a model is judged by.
func judged(samples []sample) (out []*sample) {
	for i := range samples {
		if s := &samples[i]; s.Judged() {
			out = append(out, s)
		}
	}
	return out
}

// predictions yields each sample with what m says of it, which is good until the next.
func predictions(m *models.Model, samples []*sample) iter.Seq2[*sample, *models.Prediction] {
	return func(yield func(*sample, *models.Prediction) bool) {
		var p [2]models.Prediction
		var v [2]*features.Vector
		for pair := range slices.Chunk(samples, len(p)) {
			for i, s := range pair {
				v[i] = &s.Vector
			}
			m.PredictRows(p[:len(pair)], v[:len(pair)])
			for i, s := range pair {
				if !yield(s, &p[i]) {
					return
				}
			}
		}
	}
}

// set returns the judged rows with a model's score and those of two rules.
func (k *rows) set(m *models.Model) *evaluation.Set {
	s := &evaluation.Set{
		Source: "simulated people, campaigns and days that it was not trained on", Unseen: int(held),
		Prior: takeoverPrior, Probabilities: true, Seed: 1,
		Scores: []evaluation.Score{{Name: "model"}, {Name: "RBA score"}, {Name: "new network"}},
	}
	for f := range population.Family(population.FamilyCount) {
		s.Families = append(s.Families, f.String())
	}
	for _, d := range settings {
		s.Settings = append(s.Settings, evaluation.Setting{Name: d.name})
	}
	s.Settings = append(s.Settings, evaluation.Setting{Name: real.name, Apart: true})
	s.Actions = signals.Actions[:]
	rest := k.rest(m)
	for x, p := range predictions(m, judged(k.judging)) {
		for i, v := range [...]float64{p.Probability, population.FreemanScore(&x.Row), population.NewNetwork(&x.Row)} {
			s.Scores[i].Values = append(s.Scores[i].Values, v)
		}
		_, weight := x.label(judging)
		row := evaluation.Row{
			At: x.At, User: uint64(x.setting)<<32 | uint64(uint32(x.User)), Setting: uint8(x.setting),
			Takeover: x.Takeover, Weight: weight, Action: uint8(x.Action),
		}
		if n := x.Vector[features.HisNLogins]; n > 0 { // not where nobody is known by the name
			row.History = int32(n)
		}
		if x.Takeover {
			row.Family, row.Value, row.Rest = uint8(x.Family), k.loot[x.theft()], rest[x.theft()]
		}
		s.Rows = append(s.Rows, row)
	}
	return s
}

// rest returns the highest that a model says of what follows a way into an account, until
// money is moved and with that.
func (k *rows) rest(m *models.Model) map[theft]float64 {
	var p models.Prediction
	highest, moved := map[theft]float64{}, map[theft]bool{}
	for i := range k.judging {
		x := &k.judging[i]
		way := x.theft()
		if !x.Takeover || x.Entry && x.Action != signals.Payment || moved[way] {
			continue
		}
		moved[way] = x.Action == signals.Payment
		if m.Predict(&p, &x.Vector); !x.Entry {
			highest[way] = max(highest[way], p.Probability)
		}
	}
	return highest
}

// peers fits logistic regressions to the rows that trees are grown from: to all
// features, and to each family of them alone.
func (c *Recipe) peers(ctx context.Context, k *rows, s *evaluation.Set) (evaluation.Score, *evaluation.Leaks, error) {
	judged := judged(k.judging)
	d := thinned(&k.grown[training], mostFitted)
	var of [features.Families][]int
	var all []int
	for i := range features.Schema {
		f := features.Schema[i].Family
		of[f], all = append(of[f], i), append(all, i)
	}
	fit := func(columns []int) ([]float64, error) {
		l, err := evaluation.Fit(ctx, d, columns)
		if err != nil {
			return nil, err
		}
		out := make([]float64, len(judged))
		for i, x := range judged {
			out[i] = l.LogOdds(x.Vector[:])
		}
		c.progress(Fitting, len(columns), 2*features.Width)
		return out, nil
	}
	leaks := &evaluation.Leaks{}
	column := make([]float32, len(judged))
	for f, columns := range of {
		if len(columns) == 0 {
			continue
		}
		odds, err := fit(columns)
		if err != nil {
			return evaluation.Score{}, nil, fmt.Errorf("%s: %w", features.FamilyNames[f], err)
		}
		for i, x := range odds {
			column[i] = float32(x)
		}
		leaks.Note(s, s.Alone(features.FamilyNames[f], column), false, reason)
		for _, i := range columns {
			for n, x := range judged {
				column[n] = x.Vector[i]
			}
			leaks.Note(s, s.Alone(features.Schema[i].Name, column), true, reason)
		}
	}
	values, err := fit(all)
	c.progress("", 0, 0)
	return evaluation.Score{Name: "logistic regression", Values: values}, leaks, err
}

// mostFitted bounds the honest rows that logistic regressions are fitted to: for a
// few hundred weights no more are needed.
const mostFitted = 60_000

// thinned returns all rows of fraud, and of the honest ones every so many, each
// standing for as many, that no more than most are left.
func thinned(d *train.Data, most int) *train.Data {
	honest := 0
	for _, y := range d.Y {
		if y == 0 {
			honest++
		}
	}
	stride := (honest + most - 1) / most
	if stride <= 1 {
		return d
	}
	out, n := &train.Data{Columns: d.Columns}, 0
	for i, y := range d.Y {
		w := d.Weight[i]
		if y == 0 {
			if n++; n%stride != 0 {
				continue
			}
			w *= float32(stride)
		}
		out.X = append(out.X, d.X[i*d.Columns:(i+1)*d.Columns]...)
		out.Y, out.Weight = append(out.Y, y), append(out.Weight, w)
	}
	return out
}

// servers tells how many honest calls of clients' servers, whom nobody can
// challenge, would be above a threshold.
func (k *rows) servers(m *models.Model, threshold float64) string {
	var p models.Prediction
	n, above := 0.0, 0.0
	for i := range k.judging {
		r := &k.judging[i]
		if r.Fraud || r.Present || !r.Success {
			continue
		}
		n++
		if m.Predict(&p, &r.Vector); p.Probability >= threshold {
			above++
		}
	}
	return fmt.Sprintf("Of %.0f honest calls of clients' servers, whom nobody can challenge, %.3f %% are above the threshold of 1 %%.", n, 100*above/max(n, 1))
}

// limits says why takeovers are missed. What it says is in the tables beside it.
const limits = "A program on the victim's own device shows the victim's address, device, language and cookies, at an hour when the victim may be awake: " +
	"where it begins with a login and the caller reports no behaviour, nothing that is asked for tells it from its owner; where it begins with a payment, payee and amount do. " +
	"A very targeted attacker comes from the victim's own provider and city with the victim's user agent, half of the time with a copy of all that a page can see. " +
	"That leaves an address that is new for somebody whose address seldom changes, a key that the device no longer proves, a weaker proof than usual, the hour and the hands: " +
	"a deployment that reports address and browser only sees the first of these. A targeted one differs there by provider and place, as everybody does who visits friends. " +
	"A client that was taken over asks what an honest client asks that has grown; its first victims come before its servers, its redirect URI or the crowd of its users can show it. " +
	"In a small deployment a network that nobody came from before has no failures yet, and looks better than one that no file knows. A threshold of its own for each deployment changes little: what is missing is evidence, not scale."

// told says how the judged rows came about.
func (c *Recipe) told() []string {
	return []string{
		fmt.Sprintf("Rows: bench/population, seed %d, scale %g; three users of ten, campaigns and days that no step of making the model has seen (docs/training.md).", c.Seed, c.Scale),
		"An honest attempt is a success with the person present; a takeover is the first success of a campaign on an account. Later ones are left out: memory has learned the attacker by then.",
		fmt.Sprintf("Takeovers are drawn more often than they come: precision, calibration and loss are for %g of the attempts.", float64(takeoverPrior)),
		"The RBA score here is the feature his.freeman_score, over every success of the user; in the published study it is computed from logins alone, with exact counts.",
		"The logistic regression is fitted to the first of the two populations that the trees are grown from, missing values by the median, standardized.",
	}
}

// notes tell how the model was made, beyond what the card has fields for.
func (c *Recipe) notes(card *models.Card) string {
	var b strings.Builder
	fmt.Fprintf(&b, "Trained on simulated people, not on anybody's data. Deployments simulated: ")
	for i, s := range settings {
		if i > 0 {
			b.WriteString("; ")
		}
		fmt.Fprintf(&b, "%s (%d users, %d days)", s.name, c.users(s), s.days)
	}
	fmt.Fprintf(&b, ", %d times each with other people, of which the first are judged by. Addresses are of synthetic worlds: no geo file entered training. ", populations)
	fmt.Fprintf(&b, "Monotone where the schema says so. Fraud share of the training rows is enriched; takeovers weigh %g, what follows them on the account %g, failed guesses %g. ", float64(takeoverWeight), float64(laterWeight), failedWeight)
	fmt.Fprintf(&b, "Growing ended on later days of the same people, campaigns begun before them left out; calibrated (%s) on those days of other people. ", card.Calibration.Kind)
	fmt.Fprintf(&b, "Probabilities are for a share of takeovers of %g among attempts whose check succeeded: ", takeoverPrior)
	fmt.Fprintf(&b, "add log(p/(1-p)) - log(%g/(1-%g)) to prior_shift for another share p. ", takeoverPrior, takeoverPrior)
	fmt.Fprintf(&b, "Metrics and reliability: people, campaigns and days that no step before has seen; caught_at_x is the share of takeovers above the threshold that the share x of honest successes reaches; bins are parted at every ten points. ")
	fmt.Fprintf(&b, "Not trained on at all: family %s. What the engine remembers of its own decisions was empty in training, so the model does not use it.", held)
	return b.String()
}
