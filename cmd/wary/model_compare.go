package main

import (
	"cmp"
	"fmt"
	"io"
	"math"
	"slices"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/waryauth/wary/bench/evaluation"
	"github.com/waryauth/wary/bench/population"
	"github.com/waryauth/wary/engine"
	"github.com/waryauth/wary/features"
	"github.com/waryauth/wary/models"
	"github.com/waryauth/wary/models/train"
	"github.com/waryauth/wary/signals"
)

// rowsFrom says on which rows two models are compared.
type rowsFrom struct {
	data   string // a daemon's data folder; "" is a simulation
	since  string
	policy string
	most   int
	sim    population.Options
}

func modelCompareCommand() *cobra.Command {
	var s store
	var from rowsFrom
	var out output
	cmd := &cobra.Command{
		Use:   "compare MODEL MODEL",
		Short: "Put two models to the same attempts: who tells fraud better, which decisions change",
		Long: "The attempts are those of a daemon's log (--data), with the labels that were given since, or of simulated people.\n" +
			"Of a log each attempt is judged by the policy of its time, of simulated people by the default one; --policy names another.\n\n" +
			"AUC is the chance that fraud scores above what is legitimate: of a log where labels tell both, of simulated people over\n" +
			"honest successes and first entries of attackers. PSI is the population stability index of the first model's deciles:\n" +
			"below 0.1 the scores lie as before, above 0.25 thresholds mean something else.",
		Example: "  wary model compare champion challenger --data run/data\n  wary model compare baseline run/candidate --users 2000",
		Args:    needs("MODEL", "MODEL"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := out.check(); err != nil {
				return err
			}
			if from.most < 1 || from.sim.Users < 1 || from.sim.Days < 1 {
				return misused(cmd, "--most, --users and --days must be above 0")
			}
			var d duel
			for i := range d.models {
				var err error
				if d.models[i], err = s.find(args[i]); err != nil {
					return err
				}
			}
			if err := from.fight(cmd, &d); err != nil {
				return err
			}
			c, err := d.result()
			if err != nil {
				return err
			}
			if out == "json" {
				return writeJSON(cmd.OutOrStdout(), c)
			}
			return c.print(cmd.OutOrStdout())
		},
	}
	s.flags(cmd)
	out.flag(cmd)
	fs := cmd.Flags()
	fs.StringVar(&from.data, "data", "", "data folder of a daemon, whose log has the attempts (default: simulated people)")
	fs.StringVar(&from.since, "since", "", "of a log: attempts from this day on (YYYY-MM-DD)")
	fs.StringVar(&from.policy, "policy", "", "file of the policy that decides")
	fs.IntVar(&from.most, "most", 1_000_000, "attempts at most")
	fs.Uint64Var(&from.sim.Seed, "seed", 4242, "seed of the simulation: not one that a model was trained with")
	fs.IntVar(&from.sim.Users, "users", 1000, "simulated people")
	fs.IntVar(&from.sim.Days, "days", 60, "simulated days")
	return cmd
}

// fight puts every row to both models.
func (f *rowsFrom) fight(cmd *cobra.Command, d *duel) error {
	var policy *engine.Policy
	if f.policy != "" {
		text, err := input(f.policy)
		if err != nil {
			return err
		}
		if policy, err = engine.ParsePolicy(text); err != nil {
			return fmt.Errorf("%s: %w", f.policy, err)
		}
	}
	bar := progress(-1, "attempts")
	defer bar.Close()
	next := func() error {
		_ = bar.Add(1) // only a picture
		return cmd.Context().Err()
	}
	if f.data != "" {
		return f.fightLog(d, policy, next)
	}
	return f.fightSimulation(d, policy, next)
}

func (f *rowsFrom) fightLog(d *duel, policy *engine.Policy, next func() error) error {
	if _, err := logOf(f.data); err != nil {
		return err
	}
	var since time.Time
	if f.since != "" {
		var err error
		if since, err = time.Parse(time.DateOnly, f.since); err != nil {
			return usageError{fmt.Sprintf("--since: %q is no day such as 2026-06-01", f.since)}
		}
	}
	d.from = f.data
	for c, err := range engine.Cases(f.data, &d.skipped) {
		if err == nil {
			err = next()
		}
		if err != nil {
			return err
		}
		if c.Logged.Before(since) {
			continue
		}
		truth := unlabelled
		switch c.Label {
		case signals.Fraud:
			truth = fraud
		case signals.Legitimate:
			truth = legitimate
		}
		p := policy
		if p == nil {
			p = c.Policy
		}
		d.row(c, p, truth, fmt.Sprintf("%d:%d", c.At.Segment, c.At.Offset))
		if d.rows == f.most {
			return nil
		}
	}
	return nil
}

func (f *rowsFrom) fightSimulation(d *duel, policy *engine.Policy, next func() error) error {
	if policy == nil {
		policy = engine.DefaultPolicy()
	}
	f.sim.Reports = population.ReportAll
	d.from = fmt.Sprintf("%d simulated people, seed %d", f.sim.Users, f.sim.Seed)
	var c engine.Case
	for r := range population.Rows(population.New(f.sim), 0) {
		if err := next(); err != nil {
			return err
		}
		truth := unlabelled
		if r.Judged() {
			truth = legitimate
			if r.Takeover {
				truth = fraud
			}
		}
		c.Vector, c.Action = &r.Vector, r.Action
		d.row(&c, policy, truth, "")
		if d.rows == f.most {
			break
		}
	}
	return nil
}

// truth is what is known of a row.
type truth uint8

const (
	unlabelled truth = iota
	legitimate
	fraud
)

// duel is two models and what they said of the same rows.
type duel struct {
	models  [2]*models.Model
	from    string
	rows    int
	skipped int
	logOdds [2][]float64
	known   [2][]float64 // log-odds of the labelled rows
	labels  []float32    // of those
	table   [engine.Deny + 1][engine.Deny + 1]int
	changed []changed
	p       models.Prediction
}

// changed is a decision that would be another one.
type changed struct {
	At     string    `json:"at"` // in the log: segment:offset
	First  string    `json:"first"`
	Second string    `json:"second"`
	Points [2]uint8  `json:"points"`
	Top    [2]string `json:"top"` // the family that raised the risk most, by each
}

// mostChanged is how many changed decisions are shown: those whose points differ most.
const mostChanged = 10

func (d *duel) row(c *engine.Case, p *engine.Policy, t truth, at string) {
	var x changed
	var outcomes [2]engine.Outcome
	for i, m := range d.models {
		m.Predict(&d.p, c.Vector)
		outcomes[i] = c.Outcome(p, d.p.Probability)
		x.Points[i] = engine.Points(d.p.Probability)
		x.Top[i] = strongest(&d.p.Contributions)
		d.logOdds[i] = append(d.logOdds[i], d.p.LogOdds)
		if t != unlabelled {
			d.known[i] = append(d.known[i], d.p.LogOdds)
		}
	}
	d.rows++
	d.table[outcomes[0]][outcomes[1]]++
	switch t {
	case fraud:
		d.labels = append(d.labels, 1)
	case legitimate:
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
func (d *duel) keep(x changed) {
	apart := func(x changed) int { return max(int(x.Points[0])-int(x.Points[1]), int(x.Points[1])-int(x.Points[0])) }
	at, _ := slices.BinarySearchFunc(d.changed, x, func(a, b changed) int { return cmp.Compare(apart(b), apart(a)) })
	if d.changed = slices.Insert(d.changed, at, x); len(d.changed) > mostChanged {
		d.changed = d.changed[:mostChanged]
	}
}

// comparison is what `wary model compare` prints.
type comparison struct {
	From       string         `json:"from"`
	Attempts   int            `json:"attempts"`
	Skipped    int            `json:"skipped,omitempty"` // of another feature schema
	Fraud      int            `json:"fraud"`
	Legitimate int            `json:"legitimate"`
	Models     [2]judgedModel `json:"models"`
	Agreement  float64        `json:"agreement"`  // share of the attempts with the same decision
	Agreements map[string]int `json:"agreements"` // attempts by both decisions: "allow/step_up"
	PSI        float64        `json:"psi"`
	Shift      float64        `json:"shift"` // mean of the second's log-odds less the first's
	Changed    []changed      `json:"changed"`
	table      [4][4]int      // by outcome
	names      [4]string      // of them
}

// judgedModel is one of the two.
type judgedModel struct {
	Version string   `json:"version"`
	Digest  string   `json:"digest"`
	AUC     *float64 `json:"auc,omitempty"`
	Median  float64  `json:"median"` // of the probability
	P99     float64  `json:"p99"`
}

func (d *duel) result() (*comparison, error) {
	if d.rows == 0 {
		return nil, fmt.Errorf("there is no attempt to compare on in %s (%d are of another feature schema)", d.from, d.skipped)
	}
	c := &comparison{From: d.from, Attempts: d.rows, Skipped: d.skipped, PSI: evaluation.PSI(d.logOdds[0], d.logOdds[1]), Changed: d.changed,
		Agreements: map[string]int{}, table: d.table, names: engine.OutcomeNames}
	if c.Changed == nil {
		c.Changed = []changed{}
	}
	for _, y := range d.labels {
		if y == 1 {
			c.Fraud++
		} else {
			c.Legitimate++
		}
	}
	var mean [2]float64
	for i, m := range d.models {
		c.Models[i] = judgedModel{Version: m.Version(), Digest: m.Digest()}
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

func (c *comparison) print(w io.Writer) error {
	fmt.Fprintf(w, "%d attempts of %s; %d known fraud, %d known legitimate\n", c.Attempts, c.From, c.Fraud, c.Legitimate)
	if c.Skipped > 0 {
		fmt.Fprintf(w, "%d more are of another feature schema\n", c.Skipped)
	}
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(tw, "\tFIRST\tSECOND")
	a, b := &c.Models[0], &c.Models[1]
	fmt.Fprintf(tw, "model\t%s\t%s\n\t%s\t%s\n", a.Version, b.Version, short(a.Digest), short(b.Digest))
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
