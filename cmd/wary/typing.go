package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/waryauth/wary/engine"
	"github.com/waryauth/wary/features"
	"github.com/waryauth/wary/signals"
	"github.com/waryauth/wary/signals/typing"
)

func typingCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "typing", Short: "Learn how people type from accepted logins, and look at what was learnt"}
	cmd.AddCommand(typingTrainCommand(), typingShowCommand())
	return cmd
}

func typingTrainCommand() *cobra.Command {
	var data, out string
	var most int
	cmd := &cobra.Command{
		Use:   "train [FILE...]",
		Short: "Learn a typing table from accepted logins, grouped by account",
		Long: "Reads the log of a data folder, or files of summaries (- is standard input) with one JSON document a line:\n" +
			"{\"account\": \"any text\", \"rhythm\": [78 numbers, null where there was too little to measure]}. An account on two classes\n" +
			"of device counts as two. First half of the accounts is learnt from and the other half judged, to say how well it tells\n" +
			"people apart; the table that is written learns from all. It holds no account: averages and directions alone.",
		Example: "  wary typing train --data run/data --out typing.table\n  waryd -typing.table=typing.table",
		RunE: func(cmd *cobra.Command, args []string) error {
			if most < 2 {
				return misused(cmd, "--most must be 2 or more")
			}
			if out == "" {
				return misused(cmd, "--out FILE is missing")
			}
			l := loginsOf{most: most, seen: map[string]int{}}
			err := l.readLog(data, len(args) == 0)
			for _, path := range args {
				if err == nil {
					err = l.readFile(cmd, path)
				}
			}
			if err != nil {
				return err
			}
			return l.train(cmd.OutOrStdout(), out)
		},
	}
	cmd.Flags().StringVar(&data, "data", "run/data", "data folder of the daemon, read where no file is named")
	cmd.Flags().StringVar(&out, "out", "", "file to write the table to")
	cmd.Flags().IntVar(&most, "most", 20, "logins that one account may count, its first")
	return cmd
}

// loginsOf are summaries of accepted logins by account, in the order of their
// accounts' first.
type loginsOf struct {
	most     int
	seen     map[string]int
	accounts [][]typing.Summary
}

func (l *loginsOf) add(account string, s *typing.Summary) {
	i, known := l.seen[account]
	if !known {
		i = len(l.accounts)
		l.seen[account], l.accounts = i, append(l.accounts, nil)
	}
	if len(l.accounts[i]) < l.most {
		l.accounts[i] = append(l.accounts[i], *s)
	}
}

func (l *loginsOf) readLog(data string, wanted bool) error {
	if !wanted {
		return nil
	}
	if _, err := logOf(data); err != nil {
		return err
	}
	for login, err := range engine.TypedLogins(data) {
		if err != nil {
			return err
		}
		l.add(fmt.Sprint(features.Key(login.User), login.Class), &login.Summary)
	}
	return nil
}

// longestSummary bounds a line of a file, in bytes.
const longestSummary = 1 << 14

func (l *loginsOf) readFile(cmd *cobra.Command, path string) error {
	in := cmd.InOrStdin()
	if path != "-" {
		f, err := os.Open(path)
		if err != nil {
			return err
		}
		defer f.Close()
		in = f
	}
	lines := bufio.NewScanner(in)
	lines.Buffer(nil, longestSummary)
	n := 0
	for n = 1; lines.Scan(); n++ {
		account, s, err := parseSummary(lines.Bytes())
		if err != nil {
			return fmt.Errorf("%s, line %d: %w", path, n, err)
		}
		l.add(account, &s)
	}
	if err := lines.Err(); err != nil {
		return fmt.Errorf("%s, line %d: %w", path, n, err)
	}
	return nil
}

func parseSummary(line []byte) (account string, s typing.Summary, err error) {
	var v struct {
		Account string     `json:"account"`
		Rhythm  []*float32 `json:"rhythm"`
	}
	d := json.NewDecoder(bytes.NewReader(line))
	d.DisallowUnknownFields()
	if err = d.Decode(&v); err != nil {
		return "", s, err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return "", s, errors.New("more than one document")
	}
	if v.Account == "" {
		return "", s, errors.New("account is missing")
	}
	if len(v.Rhythm) != signals.RhythmSlots {
		return "", s, fmt.Errorf("rhythm has %d numbers, want %d", len(v.Rhythm), signals.RhythmSlots)
	}
	for i, x := range v.Rhythm {
		s[i] = float32(math.NaN())
		if x != nil {
			s[i] = *x
		}
	}
	return v.Account, s, nil
}

// train writes the table learnt from all accounts, and says how well one that is
// learnt from every other account tells those between apart.
func (l *loginsOf) train(w io.Writer, out string) error {
	table, err := typing.Train(l.accounts, time.Now())
	if err != nil {
		return err
	}
	b, err := table.AppendBinary(nil)
	if err != nil {
		return err
	}
	if err := writeWhole(out, func(w io.Writer) error { _, err := w.Write(b); return err }); err != nil {
		return err
	}
	fmt.Fprintf(w, "%s: ", out)
	describeTable(w, table)
	var learn, judge [][]typing.Summary
	for i, a := range l.accounts {
		if i%2 == 0 {
			learn = append(learn, a)
		} else {
			judge = append(judge, a)
		}
	}
	half, err := typing.Train(learn, time.Now())
	if err != nil {
		fmt.Fprintln(w, "too few accounts to say how well it tells people apart")
		return nil
	}
	r := typing.Judge(half, judge)
	if r.Accounts == 0 {
		fmt.Fprintf(w, "no accounts of %d logins to say how well it tells people apart\n", typing.MinJudged)
		return nil
	}
	fmt.Fprintf(w, "learnt from every other account, judged on %d of the others: equal error rate %.1f %%, %.0f %% of the genuine accepted at 1 %% false accepts\n",
		r.Accounts, 100*r.Equal, 100*r.AtOne)
	return nil
}

func typingShowCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "show FILE",
		Short: "Check a typing table and say what it is",
		Args:  needs("FILE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			b, err := os.ReadFile(args[0])
			if err != nil {
				return err
			}
			t, err := typing.Parse(b)
			if err != nil {
				return fmt.Errorf("%s: %w", args[0], err)
			}
			describeTable(cmd.OutOrStdout(), t)
			return nil
		},
	}
}

func describeTable(w io.Writer, t *typing.Table) {
	fmt.Fprintf(w, "typing table %d, %s, learnt %s from %d logins of %d accounts\n", t.ID(), t.Digest(), t.Created.Format(time.DateTime), t.Attempts, t.Accounts)
}
