package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/waryauth/wary/bench/population/baseline"
	"github.com/waryauth/wary/models"
	"github.com/waryauth/wary/models/train"
)

// recipeFlags adds the flags that training and evaluation share.
func recipeFlags(cmd *cobra.Command, r *baseline.Recipe) {
	fs := cmd.Flags()
	fs.Uint64Var(&r.Seed, "seed", 1, "seed of the simulations")
	fs.Float64Var(&r.Scale, "scale", 1, "users of each simulation, as a share of the built-in number")
	fs.StringVar(&r.Geo, "geo", "data/geo", "folder with city.mmdb and asn.mmdb, to judge on real address space too")
}

func checkScale(scale float64) error {
	if !(scale > 0 && scale <= 100) {
		return fmt.Errorf("--scale: %v is not above 0 and at most 100", scale)
	}
	return nil
}

func trainCommand() *cobra.Command {
	var r baseline.Recipe
	var out, created string
	cmd := &cobra.Command{
		Use:   "train",
		Short: "Grow a model on simulated people, judge it and write its folder",
		Long: "Grows with LightGBM (make deps fetches it), calibrates on other people, and judges on people, campaigns and days it was not\n" +
			"trained on, beside the published risk-based-authentication score and the rule \"network new for this user\".\n" +
			"The same flags write the same bytes; the defaults write the model that the daemon embeds. Takes a few minutes.",
		Example: "  wary train --out models/baseline\n  wary train --scale 0.05 --out run/model && waryd -model run/model",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := checkScale(r.Scale); err != nil {
				return err
			}
			if r.Trees < 1 || r.Trees > 10_000 {
				return fmt.Errorf("--trees: %d is not in 1..10000", r.Trees)
			}
			var err error
			if r.Created, err = time.Parse(time.RFC3339, created); err != nil {
				return fmt.Errorf("--created: %w", err)
			}
			text, card, err := r.Make(cmd.Context(), cmd.OutOrStdout())
			if err != nil {
				return err
			}
			if err := baseline.Write(out, text, card); err != nil {
				return err
			}
			fmt.Fprintf(cmd.OutOrStdout(), "\n%s: model %s, %d bytes of text\n", out, card.Version, len(text))
			return nil
		},
	}
	recipeFlags(cmd, &r)
	fs := cmd.Flags()
	fs.StringVar(&out, "out", "", "folder to write the model to")
	fs.StringVar(&r.Library, "library", train.DefaultPath(), "LightGBM's library")
	fs.StringVar(&r.Version, "name", "baseline-1", "version of the model, shown in every decision")
	fs.StringVar(&created, "created", "2026-11-25T00:00:00Z", "time that the card tells, RFC 3339")
	fs.IntVar(&r.Trees, "trees", 120, "trees at most")
	_ = cmd.MarkFlagRequired("out") // the flag stands above
	return cmd
}

func evaluateCommand() *cobra.Command {
	var r baseline.Recipe
	var dir string
	var out output
	cmd := &cobra.Command{
		Use:   "evaluate",
		Short: "Judge a model on simulated people it was not trained on",
		Long: "Prints, for each simulated deployment, the AUC and the share of takeovers caught where 1 % of honest successes are\n" +
			"challenged, beside the published risk-based-authentication score and the rule \"network new for this user\".\n" +
			"A seed other than the one trained with gives people, clients and attackers that are all new.",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := out.check(); err != nil {
				return err
			}
			if err := checkScale(r.Scale); err != nil {
				return err
			}
			m, err := models.Baseline()
			if dir != "" {
				m, err = models.LoadDir(dir)
			}
			if err != nil {
				return err
			}
			w := io.Discard
			if out == "table" {
				w = cmd.OutOrStdout()
			}
			metrics, err := r.Judge(w, m)
			if err != nil || out == "table" {
				return err
			}
			return json.NewEncoder(os.Stdout).Encode(map[string]any{"model": m.Version(), "digest": m.Digest(), "metrics": metrics})
		},
	}
	recipeFlags(cmd, &r)
	out.flag(cmd)
	cmd.Flags().StringVar(&dir, "model", "", "folder of the model (default: the embedded baseline)")
	return cmd
}
