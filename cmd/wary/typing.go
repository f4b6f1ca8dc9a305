package main

import (
	"fmt"
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/waryauth/wary/engine"
	"github.com/waryauth/wary/features"
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
			l := typing.Logins{Most: most}
			if len(args) == 0 {
				if err := readLog(&l, data); err != nil {
					return err
				}
			}
			for _, path := range args {
				if err := readFile(&l, cmd, path); err != nil {
					return err
				}
			}
			return trainTyping(cmd.OutOrStdout(), l.Accounts, out)
		},
	}
	cmd.Flags().StringVar(&data, "data", "run/data", "data folder of the daemon, read where no file is named")
	cmd.Flags().StringVar(&out, "out", "", "file to write the table to")
	cmd.Flags().IntVar(&most, "most", 20, "logins that one account may count, its first")
	return cmd
}

// readLog takes in the accepted logins of a daemon's log.
func readLog(l *typing.Logins, data string) error {
	if _, err := logOf(data); err != nil {
		return err
	}
	for login, err := range engine.TypedLogins(data) {
		if err != nil {
			return err
		}
		l.Add(fmt.Sprint(features.Key(login.User), login.Class), &login.Summary)
	}
	return nil
}

// readFile takes in a file of summaries.
func readFile(l *typing.Logins, cmd *cobra.Command, path string) error {
	in := cmd.InOrStdin()
	if path != "-" {
		f, err := os.Open(path)
		if err != nil {
			return err
		}
		defer f.Close()
		in = f
	}
	if err := l.Read(in); err != nil {
		return fmt.Errorf("%s, %w", path, err)
	}
	return nil
}

// trainTyping writes the table learnt from all accounts, and says how well one that is
// learnt from every other account tells those between apart.
func trainTyping(w io.Writer, accounts [][]typing.Summary, out string) error {
	table, err := typing.Train(accounts, time.Now())
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
	for i, a := range accounts {
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
