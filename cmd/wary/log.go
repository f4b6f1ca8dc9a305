package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/schollz/progressbar/v3"
	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/waryauth/wary/engine"
	"github.com/waryauth/wary/internal/journal"
	"github.com/waryauth/wary/models"
)

// progress returns a bar on a terminal, and one that is not shown elsewhere.
func progress(total int64, what string) *progressbar.ProgressBar {
	return progressbar.NewOptions64(total, progressbar.OptionSetDescription(what), progressbar.OptionSetWriter(os.Stderr),
		progressbar.OptionSetVisibility(term.IsTerminal(int(os.Stderr.Fd()))), progressbar.OptionThrottle(100*time.Millisecond),
		progressbar.OptionShowCount(), progressbar.OptionClearOnFinish())
}

func replayCommand() *cobra.Command {
	var data, modelDir string
	var most int
	var out output
	cmd := &cobra.Command{
		Use:   "replay",
		Short: "Make every decision of a log again and compare every bit",
		Long: "Reads the log of a data folder, makes each decision again from its vector with the model and policy of the time,\n" +
			"and compares the answers bit for bit. Ends non-zero if one differs. The daemon may run meanwhile.",
		Args: needs(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := out.check(); err != nil {
				return err
			}
			dir, err := logOf(data)
			if err != nil {
				return err
			}
			if most < 0 {
				return misused(cmd, "--most must not be negative")
			}
			if modelDir == "" {
				modelDir = filepath.Join(data, engine.ModelFolder)
			}
			s, err := replay(cmd, dir, modelDir, most)
			if err != nil {
				return err
			}
			return s.print(cmd.OutOrStdout(), out)
		},
	}
	out.flag(cmd)
	cmd.Flags().StringVar(&data, "data", "run/data", "data folder of the daemon")
	cmd.Flags().StringVar(&modelDir, "models", "", "folder of models by digest (default: DATA/models)")
	cmd.Flags().IntVar(&most, "most", 0, "stop after so many decisions; 0 is all")
	return cmd
}

// logOf returns the folder of the log in a daemon's data folder.
func logOf(data string) (string, error) {
	dir := filepath.Join(data, "journal")
	if _, err := os.Stat(dir); err != nil {
		return "", fmt.Errorf("there is no log in %s: --data names the data folder of a daemon (%w)", data, err)
	}
	return dir, nil
}

// replaySummary says how a log came out.
type replaySummary struct {
	Decisions int      `json:"decisions"`
	Identical int      `json:"identical"`
	Different []string `json:"different"` // the first ten, with why
	Seconds   float64  `json:"seconds"`
}

func replay(cmd *cobra.Command, dir, modelDir string, most int) (*replaySummary, error) {
	r := engine.NewReplayer(func(digest string) (*models.Model, error) {
		return models.LoadDir(filepath.Join(modelDir, strings.TrimPrefix(digest, "sha256:")))
	})
	r.Policies = filepath.Join(filepath.Dir(dir), engine.PolicyFolder)
	s := &replaySummary{Different: []string{}}
	bar := progress(-1, "decisions")
	defer bar.Close()
	started := time.Now()
	for rec, err := range journal.Records(dir, journal.Address{}) {
		if err != nil {
			return nil, err
		}
		if err := cmd.Context().Err(); err != nil {
			return nil, err
		}
		got, ok, err := r.Replay(rec)
		if err != nil {
			return nil, fmt.Errorf("log %d:%d: %w", rec.At.Segment, rec.At.Offset, err)
		}
		if !ok {
			continue
		}
		_ = bar.Add(1) // only a picture
		s.Decisions++
		if got.Identical {
			s.Identical++
		} else if len(s.Different) < 10 {
			s.Different = append(s.Different, fmt.Sprintf("%d:%d: %s", got.At.Segment, got.At.Offset, got.Why))
		}
		if most > 0 && s.Decisions == most {
			break
		}
	}
	s.Seconds = time.Since(started).Seconds()
	return s, nil
}

func (s *replaySummary) print(w io.Writer, out output) error {
	if out == "json" {
		if err := writeJSON(w, s); err != nil {
			return err
		}
	} else {
		fmt.Fprintf(w, "%d of %d decisions are identical, bit for bit (%.1f s)\n", s.Identical, s.Decisions, s.Seconds)
		for _, d := range s.Different {
			fmt.Fprintln(w, "  differs:", d)
		}
	}
	if s.Identical != s.Decisions {
		return errSaid
	}
	return nil
}

func verifyCommand() *cobra.Command {
	var data string
	var out output
	cmd := &cobra.Command{
		Use:   "verify",
		Short: "Check the log of a data folder: checksums and hash chain",
		Long: "Ends with 1 and names the place if a record was changed, removed or moved. The daemon may run meanwhile.\n" +
			"A log that was cut at its end looks like a shorter one: keep the head that is printed, elsewhere.",
		Args: needs(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := out.check(); err != nil {
				return err
			}
			dir, err := logOf(data)
			if err != nil {
				return err
			}
			bar := progress(-1, "bytes")
			report, err := journal.Verify(dir, func(done, total int64) {
				bar.ChangeMax64(total)
				_ = bar.Set64(done) // only a picture
			})
			_ = bar.Close() // only a picture
			if err != nil {
				return fmt.Errorf("the log does not hold: %w", err)
			}
			if out == "json" {
				return writeJSON(cmd.OutOrStdout(), report)
			}
			return printReport(cmd.OutOrStdout(), &report)
		},
	}
	out.flag(cmd)
	cmd.Flags().StringVar(&data, "data", "run/data", "data folder of the daemon")
	return cmd
}

func printReport(w io.Writer, r *journal.Report) error {
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(tw, "the log holds")
	fmt.Fprintf(tw, "  records\t%d, in %d files of %d bytes\n", r.Records, r.Segments, r.Bytes)
	if r.Records > 0 {
		fmt.Fprintf(tw, "  first\t%d:%d, %s\n", r.First.Segment, r.First.Offset, r.From.UTC().Format(time.RFC3339))
		fmt.Fprintf(tw, "  last\t%d:%d, %s\n", r.Last.Segment, r.Last.Offset, r.To.UTC().Format(time.RFC3339))
	}
	if r.TornTail > 0 {
		fmt.Fprintf(tw, "  unfinished\t%d bytes at the end, which the next start cuts off\n", r.TornTail)
	}
	fmt.Fprintf(tw, "  head\t%s\n", r.Head)
	return tw.Flush()
}
