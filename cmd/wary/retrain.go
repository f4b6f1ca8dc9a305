package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/waryauth/wary/bench/population/baseline"
	"github.com/waryauth/wary/engine"
	"github.com/waryauth/wary/engine/feedback"
	"github.com/waryauth/wary/features"
	"github.com/waryauth/wary/models"
	"github.com/waryauth/wary/models/train"
)

// retraining is the loop as the flags have it.
type retraining struct {
	store
	turn                          feedback.Turn
	rules                         feedback.Rules
	params                        train.Params
	library, policy, golden, sign string
	release                       []string
	every                         time.Duration
	promote                       bool
	data                          string
	guards                        *feedback.Guards
}

func retrainCommand() *cobra.Command {
	r := retraining{params: baseline.DefaultParams()}
	cmd := &cobra.Command{
		Use:   "retrain DATA",
		Short: "Make a turn of the loop: a candidate from the log, judged by gates, that shadows if none refuses it",
		Long: "Looks first at a challenger that already shadows; with --promote a better one is promoted and a worse one shadows no\n" +
			"more. While one shadows without a word there is no turn, unless --replace. Then the log of a daemon's data folder becomes\n" +
			"a candidate (LightGBM; make deps fetches it), which gates judge on the newest days beside the champion (docs/loop.md).\n" +
			"It may be killed at any moment: run again within a day, it goes on where it was. Ends with 1 if a candidate is refused.\n" +
			"With --every it does so again and again, and tells in its log what came of it.",
		Example: "  wary retrain run/data\n  wary retrain run/data --every 24h --promote --golden golden.jsonl",
		Args:    needs("DATA"),
		RunE: func(cmd *cobra.Command, args []string) error {
			r.data = args[0]
			if !cmd.Flags().Changed("models") {
				r.store.dir = filepath.Join(r.data, engine.ModelFolder)
			}
			if err := errors.Join(r.open(), r.ready(cmd)); err != nil {
				return err
			}
			return r.run(cmd.Context(), cmd.OutOrStdout())
		},
	}
	r.store.flags(cmd)
	fs, t := cmd.Flags(), &r.turn
	const day = 24 * time.Hour
	fs.DurationVar(&t.Window, "window", 90*day, "how far back the log is read")
	fs.DurationVar(&t.Later, "later", 7*day, "the days that end growing and calibrate")
	fs.DurationVar(&t.Judge, "judge", 7*day, "the newest days, that judge")
	fs.DurationVar(&t.Settled, "settled", 30*day, "from this age on an attempt that nobody named fraud is legitimate")
	fs.Float64Var(&t.Prior, "prior", 0, "share of fraud that probabilities are for (default: the champion's)")
	fs.StringVar(&t.Version, "name", "", "version of the candidate (default: turn- and the time)")
	fs.BoolVar(&t.Replace, "replace", false, "the candidate may take the place of a challenger that shadows")
	fs.StringVar(&t.By, "by", os.Getenv("USER"), "who has it done, for the log")
	fs.StringVar(&r.policy, "policy", "", "file of the policy to judge by (default: each attempt's own)")
	fs.StringVar(&r.golden, "golden", "", "file of the golden set: attempts whose answer is settled, as JSON lines")
	fs.StringVar(&r.sign, "sign", "", "file of the private key that signs the candidate")
	fs.StringSliceVar(&r.release, "release", nil, "SOURCE@DAY of labels that are held as a burst and are none")
	fs.StringVar(&r.library, "library", train.DefaultPath(), "LightGBM's library")
	fs.IntVar(&r.params.Trees, "trees", r.params.Trees, "trees at most")
	fs.IntVar(&r.params.MinLeafRows, "min-leaf-rows", 20, "rows in a leaf at least")
	fs.IntVar(&r.params.Threads, "threads", 0, "threads of LightGBM; 0 is as many as there are cores")
	fs.DurationVar(&r.every, "every", 0, "do it again after so long, until it is ended")
	fs.BoolVar(&r.promote, "promote", false, "promote a challenger that the evidence calls better, end one that is worse")
	return cmd
}

// ready reads what the flags name.
func (r *retraining) ready(cmd *cobra.Command) error {
	t := &r.turn
	if t.Window <= 0 || t.Later <= 0 || t.Judge <= 0 || t.Settled <= 0 || r.every < 0 || !(t.Prior >= 0 && t.Prior < 1) {
		return misused(cmd, "--window, --later, --judge and --settled must be above 0, --every not below, --prior a share")
	}
	if _, err := logOf(r.data); err != nil {
		return err
	}
	var err error
	if r.guards, err = guardsOf(r.release); err != nil {
		return err
	}
	if r.policy != "" {
		text, err := input(r.policy)
		if err == nil {
			t.Trial.Policy, err = engine.ParsePolicy(text)
		}
		if err != nil {
			return fmt.Errorf("--policy: %w", err)
		}
	}
	if r.golden != "" {
		f, err := os.Open(r.golden)
		if err != nil {
			return err
		}
		defer f.Close()
		if t.Trial.Golden, err = feedback.ReadGolden(f); err != nil {
			return fmt.Errorf("--golden: %w", err)
		}
	}
	if r.sign != "" {
		s, err := readSigner(r.sign)
		if err != nil {
			return fmt.Errorf("--sign: %w", err)
		}
		t.Sign = func(dir string) error { _, err := s.SignDir(dir); return err }
	}
	t.Folder, t.Registry, t.Train, t.Rows = filepath.Join(r.data, "retrain"), r.Registry, r.train, r.rows
	t.Progress = func(step string) { slog.Info("retrain", "step", step) }
	return nil
}

func (r *retraining) rows(from, to time.Time) iter.Seq2[*feedback.Row, error] {
	return feedback.Window(r.data, from, to, feedback.WindowOptions{Known: to, Guards: r.guards})
}

// train grows a candidate with LightGBM.
func (r *retraining) train(ctx context.Context, s *feedback.Slices) ([]byte, models.Card, error) {
	data := func(m *feedback.Matrix) train.Data {
		return train.Data{Columns: features.Width, X: m.X, Y: m.Y, Weight: m.Weight}
	}
	c := train.Candidate{Library: r.library, Params: r.params, Prior: s.Prior, Share: s.Share,
		Training: data(&s.Training), Stopping: data(&s.Stopping), Calibrating: data(&s.Calibrating)}
	return c.Make(ctx, models.Card{})
}

// run makes one turn, or turn after turn.
func (r *retraining) run(ctx context.Context, w io.Writer) error {
	version := r.turn.Version
	for {
		err := r.once(ctx, w)
		if r.every == 0 || ctx.Err() != nil {
			return err
		}
		if err != nil && !errors.Is(err, errSaid) {
			slog.Error("retrain", "why", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(r.every):
		}
		r.turn.Version = version
	}
}

// once looks at the challenger, then makes a turn.
func (r *retraining) once(ctx context.Context, w io.Writer) error {
	names, err := r.names()
	if err != nil {
		return err
	}
	if names.Challenger != "" {
		watch, err := r.watch(ctx, r.data, r.rules)
		if err == nil {
			err = watch.Print(w)
		}
		if err == nil && r.promote {
			_, err = feedback.Settle(r.Registry, watch, r.turn.By)
		}
		if err != nil {
			return err
		}
	}
	champion, err := r.find(models.ChampionRole)
	if err != nil {
		return err
	}
	turn := r.turn
	if turn.Now = time.Now(); turn.Prior == 0 && champion.Card().Training != nil {
		turn.Prior = champion.Card().Training.Prior
	}
	v, err := turn.Run(ctx)
	if err != nil {
		return err
	}
	if err := v.Print(w); err != nil {
		return err
	}
	if v.Refused != "" {
		return errSaid
	}
	return nil
}
