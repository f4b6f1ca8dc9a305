package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/waryauth/wary/models"
	"github.com/waryauth/wary/models/foreign"
)

// maxRowsBytes bounds files of rows: a million rows of 1,000 features are 4 GB, more
// than a check needs.
const maxRowsBytes = 1 << 30

func modelCheckCommand() *cobra.Command {
	var rows, raw string
	var out output
	cmd := &cobra.Command{
		Use:   "check FILE",
		Short: "Read a model of any features, and compare its scores with your own",
		Long: "Reads a LightGBM text (or, through leaves, an XGBoost binary file or a scikit-learn pickle), says why not where it cannot,\n" +
			"what it is, which kernel serves it, and whether the daemon would take it. Every LightGBM text is compared with an independent\n" +
			"implementation on 4,096 rows of its own making.\n\n" +
			"With --rows and --raw it also counts the rows whose score by every kernel has the very bits of yours: rows of float32 (NaN =\n" +
			"missing) without header, raw scores of float64 (raw_score=True), both little-endian. Scores of another library may differ by 1e-5.\n" +
			"All files may be compressed with gzip. Ends with 1 if any row differs, or if the sizes do not match.",
		Example: "  wary model check model.txt\n  wary model check model.txt.gz --rows rows.f32 --raw raw.f64\n" +
			"  # in Python: x.astype('<f4').tofile('rows.f32'); booster.predict(x, raw_score=True).astype('<f8').tofile('raw.f64')",
		Args: needs("FILE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := out.check(); err != nil {
				return err
			}
			if (rows == "") != (raw == "") {
				return misused(cmd, "--rows and --raw go together")
			}
			file, err := foreign.ReadFile(args[0], models.MaxTextBytes)
			if err != nil {
				return err
			}
			c, err := foreign.Inspect(file)
			if err != nil {
				return fmt.Errorf("%s: %w", args[0], err)
			}
			if rows != "" {
				if err := compare(c, rows, raw); err != nil {
					return err
				}
			}
			if err := printCheck(cmd.OutOrStdout(), c, out); err != nil {
				return err
			}
			if c.Rows != nil && c.Rows.Different > 0 {
				return fmt.Errorf("%s: %d of %d rows differ; %s", args[0], c.Rows.Different, c.Rows.Rows, c.Rows.First)
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&rows, "rows", "", "rows: little-endian float32, one row after the other")
	cmd.Flags().StringVar(&raw, "raw", "", "their raw scores: little-endian float64")
	out.flag(cmd)
	return cmd
}

// compare scores the given rows by every kernel.
func compare(c *foreign.Check, rowsPath, rawPath string) error {
	rows, err := foreign.ReadFile(rowsPath, maxRowsBytes)
	if err != nil {
		return err
	}
	raw, err := foreign.ReadFile(rawPath, maxRowsBytes)
	if err != nil {
		return err
	}
	if err := c.Compare(rows, raw); err != nil {
		return fmt.Errorf("%s, %s: %w", rowsPath, rawPath, err)
	}
	return nil
}

func printCheck(w io.Writer, c *foreign.Check, out output) error {
	if out == "json" {
		return json.NewEncoder(w).Encode(c)
	}
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	line := func(name, format string, args ...any) { fmt.Fprintf(tw, name+"\t"+format+"\n", args...) }
	line("format", "%s", c.Format)
	line("boosting", "%s", c.Boosting)
	line("objective", "%s", orDash(c.Objective))
	line("trees", "%d, %d leaves, at most %d in one", c.Trees, c.Leaves, c.Largest)
	line("features", "%d", c.Features)
	line("kernel", "%s%s", c.Kernels[0], others(c.Kernels[1:]))
	line("daemon", "%s", map[bool]string{true: "would serve it with a card", false: "would refuse it: " + c.Engine}[c.Engine == ""])
	line("checked", "%s", c.Checked)
	if c.Rows != nil {
		for k, equal := range c.Rows.Equal {
			line("rows", "%d of %d equal bit for bit by %s", equal, c.Rows.Rows, c.Kernels[k])
		}
		line("difference", "%g at most", c.Rows.Largest)
	}
	return tw.Flush()
}

func others(kernels []string) string {
	if len(kernels) == 0 {
		return ""
	}
	return " (also here: " + strings.Join(kernels, ", ") + ")"
}
