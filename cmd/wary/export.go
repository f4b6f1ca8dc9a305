package main

import (
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/waryauth/wary/engine/feedback"
)

func exportCommand() *cobra.Command {
	var data, dir, since string
	var release []string
	var out output
	cmd := &cobra.Command{
		Use:   "export",
		Short: "Write the decisions of a log with their labels as Parquet, a folder for each day",
		Long: "Writes each decision with the vector as it was scored, the label that stands and its weight (docs/feedback.md), for\n" +
			"DuckDB, Spark, pandas: DIR/day=2026-06-01/*.parquet. docs/data.md tells the columns. Identifiers are keyed hashes.\n" +
			"Files appear whole. Those whose rows have not changed are left as they are: run it as often as you like, and again\n" +
			"after it was broken off. The daemon may run meanwhile.\n\n" +
			"A sudden burst of labels from one source is held, and said: it counts for nothing until --release names it.",
		Example: "  wary export --data run/data --parquet run/lake\n  wary export --parquet run/lake --release chargeback@2026-06-01",
		Args:    needs(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := out.check(); err != nil {
				return err
			}
			if dir == "" {
				return misused(cmd, "--parquet must say where to write")
			}
			if _, err := logOf(data); err != nil {
				return err
			}
			o, err := exportOptions(since, release)
			if err != nil {
				return err
			}
			bar := progress(-1, "files")
			defer bar.Close()
			o.Progress = func(string, bool) { _ = bar.Add(1) } // only a picture
			x, err := feedback.Export(cmd.Context(), data, dir, o)
			if err != nil {
				return err
			}
			_ = bar.Clear() // only a picture
			if out == "json" {
				return writeJSON(cmd.OutOrStdout(), x)
			}
			return printExport(cmd.OutOrStdout(), x, dir)
		},
	}
	out.flag(cmd)
	fs := cmd.Flags()
	fs.StringVar(&data, "data", "run/data", "data folder of the daemon")
	fs.StringVar(&dir, "parquet", "", "folder to write to")
	fs.StringVar(&since, "since", "", "decisions from this day on (YYYY-MM-DD)")
	fs.StringArrayVar(&release, "release", nil, "a burst of labels that counts all the same, as SOURCE@DAY (may be repeated)")
	return cmd
}

func exportOptions(since string, release []string) (o feedback.ExportOptions, err error) {
	if since != "" {
		if o.From, err = time.Parse(time.DateOnly, since); err != nil {
			return o, usageError{fmt.Sprintf("--since: %q is no day such as 2026-06-01", since)}
		}
	}
	guards, err := guardsOf(release)
	o.Window.Guards = guards
	return o, err
}

// guardsOf returns the guards with bursts released.
func guardsOf(release []string) (*feedback.Guards, error) {
	g := feedback.DefaultGuards()
	var bad []error
	for _, text := range release {
		r, err := feedback.ParseRelease(text)
		if err != nil {
			bad = append(bad, usageError{"--release: " + err.Error()})
		}
		g.Release = append(g.Release, r)
	}
	return &g, errors.Join(bad...)
}

func printExport(w io.Writer, x *feedback.Exported, dir string) error {
	r := &x.Report
	fmt.Fprintf(w, "%d decisions: %d fraud, %d legitimate (%d told by challenges alone)\n", r.Decisions, r.Fraud, r.Legitimate, r.Challenges)
	fmt.Fprintf(w, "%d of %d files written, %d rows: %s\n", x.Written, x.Files, x.Rows, filepath.Join(dir, "day=*", "*.parquet"))
	for _, line := range []struct {
		n    int
		what string
	}{
		{r.OtherSchema, "decisions of another feature schema are left out"},
		{r.Late, "words came after the horizon and do not count"},
		{r.Elsewhere, "words are about no decision of this time or log"},
		{r.Capped, "rows weigh less because their source or their person says so much"},
		{x.Kept, "file stays as it was: the log has retired a part of its day"},
	} {
		if line.n > 0 {
			fmt.Fprintf(w, "%d %s\n", line.n, line.what)
		}
	}
	return printHolds(w, r)
}

// printHolds says which bursts are held, and how to release them.
func printHolds(w io.Writer, r *feedback.Report) error {
	if len(r.Holds) == 0 {
		return nil
	}
	fmt.Fprintf(w, "\nbursts of labels; %d rows are as if what is held had not been said (docs/feedback.md)\n", r.Held)
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, h := range r.Holds {
		state := "held: --release " + h.String()
		if h.Released {
			state = "released"
		}
		fmt.Fprintf(tw, "  %s\t%s\t%d labels, at most %d expected\t%s\n", h.Source, h.Day, h.Labels, h.Bound, state)
	}
	return tw.Flush()
}
