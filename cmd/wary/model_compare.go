package main

import (
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/waryauth/wary/bench/evaluation"
	"github.com/waryauth/wary/bench/population"
	"github.com/waryauth/wary/engine"
	"github.com/waryauth/wary/engine/feedback"
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
			var d evaluation.Duel
			for i := range d.Models {
				var err error
				if d.Models[i], err = s.find(args[i]); err != nil {
					return err
				}
			}
			if err := from.fight(cmd, &d); err != nil {
				return err
			}
			c, err := d.Result()
			if err != nil {
				return err
			}
			if out == "json" {
				return writeJSON(cmd.OutOrStdout(), c)
			}
			return c.Print(cmd.OutOrStdout())
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
func (f *rowsFrom) fight(cmd *cobra.Command, d *evaluation.Duel) error {
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

func (f *rowsFrom) fightLog(d *evaluation.Duel, policy *engine.Policy, next func() error) error {
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
	d.From = f.data
	var report feedback.Report
	defer func() { d.Skipped = report.OtherSchema }()
	for r, err := range feedback.Window(f.data, since, time.Time{}, feedback.WindowOptions{Guards: &feedback.Guards{}, Report: &report}) {
		if err == nil {
			err = next()
		}
		if err != nil {
			return err
		}
		truth := evaluation.Unlabelled
		switch {
		case r.Source == signals.Challenge: // told by what the champion challenged: it would judge itself
		case r.Label == signals.Fraud:
			truth = evaluation.Fraud
		case r.Label == signals.Legitimate:
			truth = evaluation.Legitimate
		}
		p := policy
		if p == nil {
			p = r.Policy
		}
		d.Row(&r.Case, p, truth, fmt.Sprintf("%d:%d", r.At.Segment, r.At.Offset))
		if d.Rows() == f.most {
			return nil
		}
	}
	return nil
}

func (f *rowsFrom) fightSimulation(d *evaluation.Duel, policy *engine.Policy, next func() error) error {
	if policy == nil {
		policy = engine.DefaultPolicy()
	}
	f.sim.Reports = population.ReportAll
	d.From = fmt.Sprintf("%d simulated people, seed %d", f.sim.Users, f.sim.Seed)
	var c engine.Case
	for r := range population.Rows(population.New(f.sim), 0) {
		if err := next(); err != nil {
			return err
		}
		truth := evaluation.Unlabelled
		if r.Judged() {
			truth = evaluation.Legitimate
			if r.Takeover {
				truth = evaluation.Fraud
			}
		}
		c.Vector, c.Action = &r.Vector, r.Action
		d.Row(&c, policy, truth, "")
		if d.Rows() == f.most {
			break
		}
	}
	return nil
}
