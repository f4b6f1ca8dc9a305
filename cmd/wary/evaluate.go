package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/waryauth/wary/bench/evaluation"
	"github.com/waryauth/wary/bench/population/baseline"
	"github.com/waryauth/wary/bench/rba"
	"github.com/waryauth/wary/models"
)

// reports says where a report goes besides the terminal.
type reports struct {
	out            output
	page, markdown string
}

func (p *reports) flags(cmd *cobra.Command) {
	p.out.flag(cmd)
	cmd.Flags().StringVar(&p.page, "page", "", "file to write the whole report to, as one HTML page")
	cmd.Flags().StringVar(&p.markdown, "markdown", "", "file to write its tables to, as Markdown")
}

// write writes a report everywhere.
func (p *reports) write(w io.Writer, r *evaluation.Report) error {
	if p.page != "" {
		if err := writeWhole(p.page, r.WritePage); err != nil {
			return err
		}
	}
	if p.markdown != "" {
		if err := writeWhole(p.markdown, r.WriteMarkdown); err != nil {
			return err
		}
	}
	if p.out == "json" {
		return writeJSON(w, map[string]any{"model": r.Model, "digest": r.Digest, "metrics": r.Metrics()})
	}
	return r.Print(w)
}

// modelOf loads a model to be judged: of a folder, or the embedded one.
func modelOf(dir string) (*models.Model, error) {
	if dir == "" {
		return models.Baseline()
	}
	return models.LoadDir(dir)
}

func evaluateCommand() *cobra.Command {
	var r baseline.Recipe
	var data string
	var settled time.Duration
	var dir string
	var to reports
	cmd := &cobra.Command{
		Use:   "evaluate",
		Short: "Judge a model: on simulated people it was not trained on, or on a daemon's log",
		Long: "Tells how many takeovers are caught where 0.1, 0.5, 1 and 2 % of honest attempts are challenged: in all, by family of\n" +
			"attack, length of history, value and week, with intervals from a bootstrap over users, and how true probabilities are;\n" +
			"beside the published risk-based-authentication score, the rule \"network new for this user\" and a logistic regression.\n" +
			"--page writes it all as one HTML page without anything outside it, --markdown its tables.\n\n" +
			"On simulated people it also repeats the published study (as `wary rba` does) and tells what single features know.\n" +
			"A seed other than the one trained with gives people, clients and attackers that are all new.\n\n" +
			"With --data the attempts are those of a daemon's log, with the labels that feedback gave them. An attempt that nobody\n" +
			"complained of for as long as --settled counts as legitimate.",
		Example: "  wary evaluate --page run/quality.html\n  wary evaluate --data run/data --model run/candidate --page run/quality.html",
		Args:    needs(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := errors.Join(to.out.check(), checkScale(r.Scale)); err != nil {
				return err
			}
			m, err := modelOf(dir)
			if err != nil {
				return err
			}
			var report *evaluation.Report
			if data != "" {
				report, err = judgeLog(cmd, m, data, settled)
			} else {
				var ended func()
				r.Progress, ended = steps()
				report, err = r.Evaluate(cmd.Context(), m)
				ended()
			}
			if err != nil {
				return err
			}
			return to.write(cmd.OutOrStdout(), report)
		},
	}
	recipeFlags(cmd, &r)
	to.flags(cmd)
	fs := cmd.Flags()
	fs.StringVar(&dir, "model", "", "folder of the model (default: the embedded baseline)")
	fs.StringVar(&data, "data", "", "data folder of a daemon, whose log has the attempts (default: simulated people)")
	fs.DurationVar(&settled, "settled", 30*24*time.Hour, "of a log: an attempt without a label that is older than this counts as legitimate; 0: none does")
	return cmd
}

// judgeLog judges a model on a daemon's log.
func judgeLog(cmd *cobra.Command, m *models.Model, data string, settled time.Duration) (*evaluation.Report, error) {
	if settled < 0 {
		return nil, misused(cmd, "--settled: %s is below 0", settled)
	}
	if _, err := logOf(data); err != nil {
		return nil, err
	}
	bar := progress(-1, "decisions")
	defer bar.Close()
	return evaluation.Log(cmd.Context(), data, settled, m, func() { _ = bar.Add(1) }) // only a picture
}

func rbaCommand() *cobra.Command {
	var r baseline.Recipe
	var dir string
	cmd := &cobra.Command{
		Use:   "rba [FILE]",
		Short: "Repeat the published study of risk-based authentication beside a model",
		Long: "Repeats Wiefling et al., \"Pump Up Password Security!\" (ACM TOPS 2022, doi 10.1145/3546069): at the threshold that catches a\n" +
			"share of an attacker's attempts, how many of their logins people are challenged at, by the RBA score and by the model.\n\n" +
			"FILE is the study's public data set (CC BY 4.0; CSV, - is standard input); it is streamed, its rows are counted and its\n" +
			"digest is told. Without FILE the logins are those of simulated people that no model was trained on.",
		Example: "  wary rba\n  unzip -p archive.zip rba-dataset.csv | wary rba -",
		Args:    cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := checkScale(r.Scale); err != nil {
				return err
			}
			m, err := modelOf(dir)
			if err != nil {
				return err
			}
			var study *rba.Study
			if len(args) == 1 {
				study, err = rbaFile(cmd, m, args[0])
			} else {
				var ended func()
				r.Progress, ended = steps()
				study, err = r.Study(cmd.Context(), m)
				ended()
			}
			if err != nil {
				return err
			}
			return study.Print(cmd.OutOrStdout())
		},
	}
	fs := cmd.Flags()
	fs.Uint64Var(&r.Seed, "seed", 1, "seed of the simulation")
	fs.Float64Var(&r.Scale, "scale", 1, "users of the simulation, as a share of the built-in number")
	fs.StringVar(&dir, "model", "", "folder of the model (default: the embedded baseline)")
	return cmd
}

// rbaFile takes the public data set through the experiment.
func rbaFile(cmd *cobra.Command, m *models.Model, path string) (*rba.Study, error) {
	in := io.Reader(os.Stdin)
	if path != "-" {
		f, err := os.Open(path)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		in = f
	}
	bar := progress(-1, "logins")
	defer bar.Close()
	study, err := rba.Stream(cmd.Context(), in, m, func() { _ = bar.Add(1) }) // only a picture
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return study, nil
}
