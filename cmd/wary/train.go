package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/schollz/progressbar/v3"
	"github.com/spf13/cobra"

	"github.com/waryauth/wary/bench/population/baseline"
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
	r := baseline.Recipe{Params: baseline.DefaultParams()}
	var out, table, created string
	cmd := &cobra.Command{
		Use:   "train",
		Short: "Grow a model on simulated people, judge it and write its folder",
		Long: "Grows with LightGBM (make deps fetches it), ends growing on later days, calibrates on those days of other people, and\n" +
			"judges on people, campaigns and days that no step has seen, beside the published risk-based-authentication score and\n" +
			"the rule \"network new for this user\". The card tells library, parameters, slices, calibration and reliability.\n" +
			"The same flags write the same bytes; the defaults write the model that the daemon embeds. Takes a few minutes.\n\n" +
			"With --export the rows are written as Parquet, for training in Python or on a cluster (docs/training.md): a float\n" +
			"column for each feature (NaN: missing), label, weight, slice (training, stopping, calibrating, judging) and time.\n" +
			"With --export alone nothing is grown, and LightGBM is not needed.",
		Example: "  wary train --out models/baseline\n  wary train --scale 0.05 --out run/model && waryd -model run/model\n" +
			"  wary train --export run/rows.parquet && python scripts/train.py run/rows.parquet run/model.txt",
		Args: needs(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if out == "" && table == "" {
				return misused(cmd, "--out or --export must say what to write")
			}
			if err := checkTraining(&r); err != nil {
				return err
			}
			var err error
			if r.Created, err = time.Parse(time.RFC3339, created); err != nil {
				return fmt.Errorf("--created: %w", err)
			}
			var ended func()
			r.Progress, ended = steps()
			defer ended()
			return writeWhole(table, func(w io.Writer) error {
				if out == "" {
					return r.Export(cmd.Context(), w, cmd.OutOrStdout())
				}
				r.Table = w
				return trainModel(cmd, &r, out)
			})
		},
	}
	recipeFlags(cmd, &r)
	fs := cmd.Flags()
	fs.StringVar(&out, "out", "", "folder to write the model to")
	fs.StringVar(&table, "export", "", "file to write the rows to, as Parquet")
	fs.StringVar(&r.Library, "library", train.DefaultPath(), "LightGBM's library")
	fs.StringVar(&r.Version, "name", "baseline-1", "version of the model, shown in every decision")
	fs.StringVar(&created, "created", "2026-11-25T00:00:00Z", "time that the card tells, RFC 3339")
	p := &r.Params
	fs.IntVar(&p.Trees, "trees", p.Trees, "trees at most; a score's cost grows with them")
	fs.IntVar(&p.Leaves, "leaves", p.Leaves, "leaves of a tree at most; up to 32 the kernels are fastest")
	fs.Float64Var(&p.LearningRate, "learning-rate", p.LearningRate, "how much of its step a tree takes")
	fs.IntVar(&p.MinLeafRows, "min-leaf-rows", p.MinLeafRows, "rows in a leaf at least")
	fs.IntVar(&p.EarlyStopping, "early-stopping", p.EarlyStopping, "end after so many trees without a smaller loss on the later days; 0 is never")
	fs.Float64Var(&p.PositiveWeight, "positive-weight", p.PositiveWeight, "multiplies the weight of fraud; probabilities are corrected for it")
	fs.IntVar(&p.Threads, "threads", 0, "threads of LightGBM; 0 is as many as there are cores. The model is the same")
	return cmd
}

func checkTraining(r *baseline.Recipe) error {
	if err := checkScale(r.Scale); err != nil {
		return err
	}
	p := &r.Params
	switch {
	case p.Trees < 1 || p.Trees > 10_000:
		return fmt.Errorf("--trees: %d is not in 1..10000", p.Trees)
	case p.Leaves < 2 || p.Leaves > 1024:
		return fmt.Errorf("--leaves: %d is not in 2..1024", p.Leaves)
	case !(p.LearningRate > 0 && p.LearningRate <= 1):
		return fmt.Errorf("--learning-rate: %v is not above 0 and at most 1", p.LearningRate)
	case !(p.PositiveWeight > 0 && p.PositiveWeight <= 1e6):
		return fmt.Errorf("--positive-weight: %v is not above 0 and at most 1e6", p.PositiveWeight)
	case p.MinLeafRows < 1:
		return fmt.Errorf("--min-leaf-rows: %d is below 1", p.MinLeafRows)
	case p.EarlyStopping < 0:
		return fmt.Errorf("--early-stopping: %d is below 0", p.EarlyStopping)
	}
	return nil
}

// trainModel makes a model and writes its folder.
func trainModel(cmd *cobra.Command, r *baseline.Recipe, out string) error {
	text, card, err := r.Make(cmd.Context(), cmd.OutOrStdout())
	if err != nil {
		return err
	}
	if err := baseline.Write(out, text, card); err != nil {
		return err
	}
	fmt.Fprintf(cmd.OutOrStdout(), "\n%s: model %s, %d trees, %d bytes of text\n", out, card.Version, card.Training.Trees, len(text))
	return nil
}

// steps returns a function that shows a bar for each step of training, and one
// that takes the last away.
func steps() (told func(step string, added, total int), ended func()) {
	var bar *progressbar.ProgressBar
	var at string
	ended = func() {
		if bar != nil {
			_ = bar.Close() // only a picture
		}
	}
	return func(step string, added, total int) {
		if step == "" && bar != nil {
			_ = bar.Clear() // only a picture
		}
		if step == "" {
			return
		}
		if step != at {
			ended()
			bar, at = progress(int64(total), step), step
		}
		_ = bar.Add(added) // only a picture
	}, ended
}

// writeWhole has a file written beside its place and renames it, so that it is
// there whole or not at all. Without a path, write gets a nil writer.
func writeWhole(path string, write func(w io.Writer) error) error {
	if path == "" {
		return write(nil)
	}
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name()) // renamed away where all went well
	w := bufio.NewWriterSize(f, 1<<20)
	if err := errors.Join(write(w), w.Flush(), f.Chmod(0o644), f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}
