package evaluation

import (
	"cmp"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/waryauth/wary/engine"
	"github.com/waryauth/wary/features"
	"github.com/waryauth/wary/models"
	"github.com/waryauth/wary/models/train"
)

// Truth is what is known of an attempt that a duel is about.
type Truth uint8

// Truths.
const (
	Unlabelled Truth = iota
	Legitimate
	Fraud
)

// Duel is two models and what they said of the same attempts.
type Duel struct {
	Models  [2]*models.Model
	From    string // where the attempts are from
	Skipped int    // attempts of another feature schema

	rows    int
	logOdds [2][]float64
	known   [2][]float64 // log-odds of the labelled rows
	labels  []float32    // of those
	table   [engine.Deny + 1][engine.Deny + 1]int
	changed []Changed
	p       models.Prediction
}

// Changed is a decision that would be another one.
type Changed struct {
	At     string    `json:"at"` // in the log: segment:offset
	First  string    `json:"first"`
	Second string    `json:"second"`
	Points [2]uint8  `json:"points"`
	Top    [2]string `json:"top"` // the family that raised the risk most, by each
}

// mostChanged is how many changed decisions are shown: those whose points differ most.
const mostChanged = 10

// Row puts an attempt to both. at is its place in a log, "" where it is of none.
func (d *Duel) Row(c *engine.Case, p *engine.Policy, t Truth, at string) {
	var x Changed
	var outcomes [2]engine.Outcome
	for i, m := range d.Models {
		m.Predict(&d.p, c.Vector)
		outcomes[i] = c.Outcome(p, d.p.Probability)
		x.Points[i] = engine.Points(d.p.Probability)
		x.Top[i] = strongest(&d.p.Contributions)
		d.logOdds[i] = append(d.logOdds[i], d.p.LogOdds)
		if t != Unlabelled {
			d.known[i] = append(d.known[i], d.p.LogOdds)
		}
	}
	d.rows++
	d.table[outcomes[0]][outcomes[1]]++
	switch t {
	case Fraud:
		d.labels = append(d.labels, 1)
	case Legitimate:
		d.labels = append(d.labels, 0)
	}
	if at != "" && outcomes[0] != outcomes[1] {
		x.At, x.First, x.Second = at, engine.OutcomeNames[outcomes[0]], engine.OutcomeNames[outcomes[1]]
		d.keep(x)
	}
}

// strongest returns the family that raised the risk most, or "".
func strongest(c *[features.Families]float32) string {
	best, name := float32(0), ""
	for f, v := range c {
		if v > best {
			best, name = v, features.FamilyNames[f]
		}
	}
	return name
}

// keep keeps the decisions that change most.
func (d *Duel) keep(x Changed) {
	apart := func(x Changed) int { return max(int(x.Points[0])-int(x.Points[1]), int(x.Points[1])-int(x.Points[0])) }
	at, _ := slices.BinarySearchFunc(d.changed, x, func(a, b Changed) int { return cmp.Compare(apart(b), apart(a)) })
	if d.changed = slices.Insert(d.changed, at, x); len(d.changed) > mostChanged {
		d.changed = d.changed[:mostChanged]
	}
}

// Comparison is what came of a duel.
type Comparison struct {
	From       string         `json:"from"`
	Attempts   int            `json:"attempts"`
	Skipped    int            `json:"skipped,omitempty"` // of another feature schema
	Fraud      int            `json:"fraud"`
	Legitimate int            `json:"legitimate"`
	Models     [2]Fighter     `json:"models"`
	Agreement  float64        `json:"agreement"`  // share of the attempts with the same decision
	Agreements map[string]int `json:"agreements"` // attempts by both decisions: "allow/step_up"
	PSI        float64        `json:"psi"`
	Shift      float64        `json:"shift"` // mean of the second's log-odds less the first's
	Changed    []Changed      `json:"changed"`
	table      [4][4]int      // by outcome
	names      [4]string      // of them
}

// Fighter is one of the two.
type Fighter struct {
	Version string   `json:"version"`
	Digest  string   `json:"digest"`
	AUC     *float64 `json:"auc,omitempty"`
	Median  float64  `json:"median"` // of the probability
	P99     float64  `json:"p99"`
}

// Rows returns how many attempts both were put to.
func (d *Duel) Rows() int { return d.rows }

// Result returns what came of it; without an attempt it is an error.
func (d *Duel) Result() (*Comparison, error) {
	if d.rows == 0 {
		return nil, fmt.Errorf("there is no attempt to compare on in %s (%d are of another feature schema)", d.From, d.Skipped)
	}
	c := &Comparison{From: d.From, Attempts: d.rows, Skipped: d.Skipped, PSI: PSI(d.logOdds[0], d.logOdds[1]), Changed: d.changed,
		Agreements: map[string]int{}, table: d.table, names: engine.OutcomeNames}
	if c.Changed == nil {
		c.Changed = []Changed{}
	}
	for _, y := range d.labels {
		if y == 1 {
			c.Fraud++
		} else {
			c.Legitimate++
		}
	}
	var mean [2]float64
	for i, m := range d.Models {
		c.Models[i] = Fighter{Version: m.Version(), Digest: m.Digest()}
		if c.Fraud > 0 && c.Legitimate > 0 {
			auc, err := train.AUC(d.known[i], d.labels, nil)
			if err != nil {
				return nil, err
			}
			c.Models[i].AUC = &auc
		}
		sorted := slices.Sorted(slices.Values(d.logOdds[i]))
		c.Models[i].Median, c.Models[i].P99 = logistic(quantile(sorted, 0.5)), logistic(quantile(sorted, 0.99))
		for _, x := range sorted {
			mean[i] += x / float64(d.rows)
		}
	}
	c.Shift = mean[1] - mean[0]
	same := 0
	for i := engine.Allow; i <= engine.Deny; i++ {
		same += d.table[i][i]
		for j := engine.Allow; j <= engine.Deny; j++ {
			c.Agreements[c.names[i]+"/"+c.names[j]] = d.table[i][j]
		}
	}
	c.Agreement = float64(same) / float64(d.rows)
	return c, nil
}

func logistic(x float64) float64 { return 1 / (1 + math.Exp(-x)) }

// quantile of sorted values, the nearest rank.
func quantile(sorted []float64, q float64) float64 {
	return sorted[min(int(q*float64(len(sorted))), len(sorted)-1)]
}

// Print writes the comparison for people.
func (c *Comparison) Print(w io.Writer) error {
	fmt.Fprintf(w, "%d attempts of %s; %d known fraud, %d known legitimate\n", c.Attempts, c.From, c.Fraud, c.Legitimate)
	if c.Skipped > 0 {
		fmt.Fprintf(w, "%d more are of another feature schema\n", c.Skipped)
	}
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(tw, "\tFIRST\tSECOND")
	a, b := &c.Models[0], &c.Models[1]
	fmt.Fprintf(tw, "model\t%s\t%s\n\t%s\t%s\n", a.Version, b.Version, shortDigest(a.Digest), shortDigest(b.Digest))
	if a.AUC != nil {
		fmt.Fprintf(tw, "AUC\t%.4f\t%.4f\n", *a.AUC, *b.AUC)
	}
	fmt.Fprintf(tw, "probability, median\t%.3g\t%.3g\n", a.Median, b.Median)
	fmt.Fprintf(tw, "probability, 99 %% below\t%.3g\t%.3g\n", a.P99, b.P99)
	if err := tw.Flush(); err != nil {
		return err
	}
	fmt.Fprintf(w, "scores: PSI %.3f, log-odds shift %+.3f\n", c.PSI, c.Shift)
	fmt.Fprintf(w, "decisions: %.2f %% the same\n", 100*c.Agreement)
	tw = tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprint(tw, "first \\ second\t")
	for _, name := range c.names[engine.Allow:] {
		fmt.Fprintf(tw, "%s\t", name)
	}
	for i := engine.Allow; i <= engine.Deny; i++ {
		fmt.Fprintf(tw, "\n%s\t", c.names[i])
		for j := engine.Allow; j <= engine.Deny; j++ {
			fmt.Fprintf(tw, "%d\t", c.table[i][j])
		}
	}
	fmt.Fprintln(tw)
	for i, x := range c.Changed {
		if i == 0 {
			fmt.Fprintln(tw, "\nchanged most\tfirst\tpoints\tby\tsecond\tpoints\tby\t")
		}
		fmt.Fprintf(tw, "%s\t%s\t%d\t%s\t%s\t%d\t%s\t\n", x.At, x.First, x.Points[0], x.Top[0], x.Second, x.Points[1], x.Top[1])
	}
	return tw.Flush()
}

// shortDigest is what a person needs of a digest to name a model.
func shortDigest(digest string) string {
	digits := strings.TrimPrefix(digest, "sha256:")
	return digits[:min(len(digits), 12)]
}
