package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/waryauth/wary/bench/population"
	"github.com/waryauth/wary/bench/population/baseline"
	"github.com/waryauth/wary/engine/scoreapi"
)

func simulateCommand() *cobra.Command {
	var o population.Options
	var start, table string
	var most int
	var truth bool
	cmd := &cobra.Command{
		Use:   "simulate",
		Short: "Print attempts of a simulated population, one JSON document a line",
		Long: "The same flags print the same attempts. With --truth each line is {\"truth\": …, \"attempt\": …}: who made it, whether it is\n" +
			"fraud, of which family and campaign, and the label that it gets in the end, after so many seconds. With --export their\n" +
			"vectors are written as Parquet instead, as `wary train --export` writes those it trains on: a float column for\n" +
			"each feature, label (1: fraud), weight, slice (by time) and time.",
		Example: "  wary simulate --users 100 --days 7 --attempts 1 | wary score - --evaluate",
		Args:    needs(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if o.Users < 0 || o.Days < 0 || most < 0 {
				return misused(cmd, "--users, --days and --attempts must not be negative")
			}
			if n := &o.LabelNoise; !(n.Missed >= 0 && n.Missed <= 1 && n.Mistaken >= 0 && n.Mistaken <= 1) {
				return misused(cmd, "--missed and --mistaken are shares, from 0 to 1")
			}
			if truth && table != "" {
				return misused(cmd, "--truth and --export do not go together: a table always tells who is fraud")
			}
			if start != "" {
				var err error
				if o.Start, err = time.Parse(time.DateOnly, start); err != nil {
					return misused(cmd, "--start: %q is no day such as 2026-06-01", start)
				}
			}
			if table == "" {
				return printAttempts(cmd, o, most, truth)
			}
			return writeWhole(table, func(w io.Writer) error {
				n, err := baseline.ExportSimulation(cmd.Context(), o, most, w)
				if err == nil {
					fmt.Fprintf(cmd.OutOrStdout(), "%s: %d attempts\n", table, n)
				}
				return err
			})
		},
	}
	fs := cmd.Flags()
	fs.Uint64Var(&o.Seed, "seed", 1, "seed of everything drawn")
	fs.IntVar(&o.Users, "users", 1000, "people")
	fs.IntVar(&o.Days, "days", 30, "days")
	fs.StringVar(&start, "start", "", "first day (YYYY-MM-DD)")
	fs.IntVar(&most, "attempts", 0, "stop after so many; 0 is all")
	fs.BoolVar(&truth, "truth", false, "with the truth about each")
	fs.Float64Var(&o.LabelNoise.Missed, "missed", 0, "share of attackers' attempts whose label says that they are honest")
	fs.Float64Var(&o.LabelNoise.Mistaken, "mistaken", 0, "share of honest successes whose label says that they are fraud")
	fs.StringVar(&table, "export", "", "file to write their vectors to, as Parquet")
	return cmd
}

// printAttempts prints the attempts of a simulation, or the first most.
func printAttempts(cmd *cobra.Command, o population.Options, most int, truth bool) error {
	w := bufio.NewWriter(cmd.OutOrStdout())
	var line []byte
	n := 0
	for l := range population.New(o).Attempts() {
		if err := cmd.Context().Err(); err != nil {
			return err
		}
		line = line[:0]
		if truth {
			line = appendTruth(line, &l)
		}
		line = scoreapi.AppendAttempt(line, &l.Attempt)
		if truth {
			line = append(line, '}')
		}
		if _, err := w.Write(append(line, '\n')); err != nil {
			return err
		}
		if n++; n == most {
			break
		}
	}
	return w.Flush()
}

func appendTruth(dst []byte, l *population.Labelled) []byte {
	text, err := json.Marshal(map[string]any{
		"fraud": l.Fraud, "takeover": l.Takeover, "family": l.Family.String(), "campaign": l.Campaign, "user": l.UserIndex,
		"label": l.Label, "label_delay_s": l.LabelDelay.Seconds(), "step_up_passed": l.StepUpPassed,
	})
	if err != nil {
		panic(err) // a map of plain values
	}
	dst = append(append(dst, `{"truth":`...), text...)
	return append(dst, `,"attempt":`...)
}

// sampleBodies returns a few thousand attempts of ordinary people and attackers,
// each without its id and time, for withID. There must be a user.
func sampleBodies(users int) [][]byte {
	const most = 5000
	var out [][]byte
	for l := range population.New(population.Options{Seed: 7, Users: users, Days: 30}).Attempts() {
		a := l.Attempt
		a.ID, a.Time, a.PreviousDecisionID = "", time.Time{}, ""
		a.Session.Created, a.Session.AuthTime, a.Token.Issued = time.Time{}, time.Time{}, time.Time{}
		body := scoreapi.AppendAttempt(nil, &a)
		body[0] = ',' // after the id
		if out = append(out, body); len(out) == most {
			break
		}
	}
	return out
}
