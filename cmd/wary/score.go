package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"
)

// output is how a command prints: json or table.
type output string

func (o *output) flag(cmd *cobra.Command) {
	cmd.Flags().StringVarP((*string)(o), "output", "o", "table", "how to print: json or table")
	_ = cmd.RegisterFlagCompletionFunc("output", cobra.FixedCompletions([]string{"json", "table"}, cobra.ShellCompDirectiveNoFileComp)) // the flag stands above
}

func (o output) check() error {
	if o != "json" && o != "table" {
		return usageError{fmt.Sprintf("--output: %q is neither json nor table", string(o))}
	}
	return nil
}

// input reads a file, or standard input for "-".
func input(path string) ([]byte, error) {
	if path == "-" {
		return io.ReadAll(io.LimitReader(os.Stdin, 16<<20))
	}
	return os.ReadFile(path)
}

// answer is the answer to an attempt.
type answer struct {
	DecisionID string `json:"decision_id"`
	AttemptID  string `json:"attempt_id"`
	Decision   string `json:"decision"`
	Risk       struct {
		Probability float64 `json:"probability"`
		Points      int     `json:"points"`
		Level       string  `json:"level"`
	} `json:"risk"`
	Reasons []struct {
		Code, Family, Feature string
		Contribution          float64
		Value                 *float64
	} `json:"reasons"`
	StepUp *struct {
		ACRValues []string `json:"acr_values"`
		AMR       []string `json:"amr"`
	} `json:"step_up"`
	Grant struct {
		Scopes  []string `json:"scopes"`
		Removed []struct{ Scope, Because string }
		TTL     int `json:"token_ttl_s"`
	} `json:"grant"`
	History struct {
		Successes  int
		Confidence string
	} `json:"history"`
	Model struct {
		Version, Digest string
	} `json:"model"`
	Degraded []string `json:"degraded"`
	Explain  struct {
		Counterfactual *counterfactual
	}
}

// counterfactual says what of an attempt that is as usual would have made it an allow.
type counterfactual struct {
	Families []string
	Risk     struct {
		Probability float64
		Points      int
		Level       string
	}
	Because string
}

func (c *counterfactual) String() string {
	if len(c.Families) == 0 {
		return "nothing usual would have made it an allow: " + c.Because
	}
	return fmt.Sprintf("with %s as is usual for this user: ALLOW, risk %d (%s, probability %.3g)", strings.Join(c.Families, " and "), c.Risk.Points, c.Risk.Level, c.Risk.Probability)
}

// print writes an answer for a person.
func (a *answer) print(w io.Writer, timing string) {
	fmt.Fprintf(w, "%s  risk %d (%s, probability %.3g)  history %d, %s", strings.ToUpper(a.Decision), a.Risk.Points, a.Risk.Level,
		a.Risk.Probability, a.History.Successes, a.History.Confidence)
	if timing != "" {
		fmt.Fprintf(w, "  %s ms", strings.TrimPrefix(timing, "score;dur="))
	}
	fmt.Fprintln(w)
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, r := range a.Reasons {
		fmt.Fprintf(tw, "  because\t%s\t%s\t%+.2f\t", r.Code, r.Feature, r.Contribution)
		if r.Value != nil {
			fmt.Fprintf(tw, "= %.4g", *r.Value)
		}
		fmt.Fprintln(tw)
	}
	_ = tw.Flush() // w is a terminal or a buffer
	if a.Decision != "deny" {
		fmt.Fprintf(w, "  may grant %s for %d s\n", strings.Join(a.Grant.Scopes, " "), a.Grant.TTL)
	}
	for _, r := range a.Grant.Removed {
		fmt.Fprintf(w, "  withheld  %s: %s\n", r.Scope, r.Because)
	}
	if a.StepUp != nil {
		fmt.Fprintf(w, "  first prove %s\n", strings.Join(slices.Concat(a.StepUp.ACRValues, a.StepUp.AMR), " or "))
	}
	if c := a.Explain.Counterfactual; c != nil {
		fmt.Fprintln(w, " ", c)
	}
	if len(a.Degraded) > 0 {
		fmt.Fprintf(w, "  degraded  %s\n", strings.Join(a.Degraded, " "))
	}
}

func scoreCommand() *cobra.Command {
	var c client
	var out output
	var evaluate, explain bool
	cmd := &cobra.Command{
		Use:     "score FILE|-",
		Short:   "Score an attempt (JSON) with a daemon",
		Example: "  wary score attempt.json\n  wary simulate --attempts 1 | wary score - --evaluate --explain -o json",
		Args:    needs("FILE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := out.check(); err != nil {
				return err
			}
			body, err := input(args[0])
			if err != nil {
				return err
			}
			path := "/v1/score"
			if evaluate || explain {
				path = "/v1/evaluate"
			}
			if explain {
				path += "?explain=1"
			}
			res, err := c.post(cmd.Context(), path, bytes.TrimSpace(body))
			if err != nil {
				return err
			}
			return printAnswer(cmd.OutOrStdout(), out, res)
		},
	}
	c.flags(cmd)
	out.flag(cmd)
	cmd.Flags().BoolVar(&evaluate, "evaluate", false, "ask without being remembered")
	cmd.Flags().BoolVar(&explain, "explain", false, "with the whole vector, and what as usual would have made it an allow (implies --evaluate)")
	return cmd
}

func printAnswer(w io.Writer, out output, res *reply) error {
	if out == "json" {
		return printJSON(w, res.body)
	}
	var a answer
	if err := json.Unmarshal(res.body, &a); err != nil {
		return err
	}
	fmt.Fprintln(w, a.DecisionID)
	a.print(w, res.timing)
	return nil
}

// writeJSON writes a value as printJSON does.
func writeJSON(w io.Writer, v any) error {
	body, err := json.Marshal(v)
	if err != nil {
		return err
	}
	return printJSON(w, body)
}

func printJSON(w io.Writer, body []byte) error {
	var b bytes.Buffer
	if err := json.Indent(&b, body, "", "  "); err != nil {
		return err
	}
	b.WriteByte('\n')
	_, err := b.WriteTo(w)
	return err
}

func feedbackCommand() *cobra.Command {
	var c client
	var out output
	var f struct {
		FeedbackID string `json:"feedback_id"`
		DecisionID string `json:"decision_id,omitempty"`
		AttemptID  string `json:"attempt_id,omitempty"`
		Kind       string `json:"kind"`
		Value      string `json:"value"`
		Source     string `json:"source"`
		Note       string `json:"note,omitempty"`
	}
	cmd := &cobra.Command{
		Use:     "feedback VALUE",
		Short:   "Say how an attempt ended, or what it was",
		Long:    "VALUE is an outcome (success, failure, step_up_passed, step_up_failed, abandoned) or a label (fraud, legitimate).",
		Example: "  wary feedback fraud --decision ID --source analyst --id case-17",
		Args:    needs("VALUE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := out.check(); err != nil {
				return err
			}
			if f.FeedbackID == "" {
				return misused(cmd, "--id is missing: a name for this feedback, such as a case number; the same again changes nothing")
			}
			if (f.DecisionID == "") == (f.AttemptID == "") {
				return misused(cmd, "exactly one of --decision and --attempt says what it is about")
			}
			f.Value, f.Kind = args[0], "outcome"
			if f.Value == "fraud" || f.Value == "legitimate" {
				f.Kind = "label"
			}
			body, err := json.Marshal(f)
			if err != nil {
				return err
			}
			res, err := c.post(cmd.Context(), "/v1/feedback", body)
			if err != nil {
				return err
			}
			if out == "json" {
				return printJSON(cmd.OutOrStdout(), res.body)
			}
			fmt.Fprintf(cmd.OutOrStdout(), "accepted: %s %s (%s)\n", f.Kind, f.Value, f.FeedbackID)
			return nil
		},
	}
	c.flags(cmd)
	out.flag(cmd)
	fs := cmd.Flags()
	fs.StringVar(&f.FeedbackID, "id", "", "id of this feedback: the same again changes nothing")
	fs.StringVar(&f.DecisionID, "decision", "", "the decision it is about")
	fs.StringVar(&f.AttemptID, "attempt", "", "or the attempt it is about")
	fs.StringVar(&f.Source, "source", "analyst", "analyst, chargeback, issuer, customer, system or challenge")
	fs.StringVar(&f.Note, "note", "", "a note for the log; no personal data")
	return cmd
}

// base64url are the characters of a decision's id. A path made of others would
// ask for something else.
const base64url = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"

func decisionCommand() *cobra.Command {
	var c client
	var out output
	cmd := &cobra.Command{
		Use:   "decision ID",
		Short: "Show the receipt of a decision",
		Args:  needs("ID"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := out.check(); err != nil {
				return err
			}
			if strings.ContainsFunc(args[0], func(r rune) bool { return !strings.ContainsRune(base64url, r) }) {
				return misused(cmd, "%q is no id of a decision", args[0])
			}
			res, err := c.do(cmd.Context(), http.MethodGet, "/v1/decisions/"+args[0], "", nil)
			if err != nil {
				return err
			}
			if out == "json" {
				return printJSON(cmd.OutOrStdout(), res.body)
			}
			return printReceipt(cmd.OutOrStdout(), res.body)
		},
	}
	c.flags(cmd)
	out.flag(cmd)
	return cmd
}

// printReceipt writes a receipt for a person: the answer, what was said since,
// and every feature that was not missing.
func printReceipt(w io.Writer, body []byte) error {
	var r struct {
		answer
		Logged string
		Said   []struct {
			Logged, Kind, Value, Source, Note string
			DecisionID                        string `json:"decision_id"`
		}
		Challenger *struct {
			Version, Decision string
			Risk              struct{ Points int }
		}
		Vector map[string]*float64
	}
	if err := json.Unmarshal(body, &r); err != nil {
		return err
	}
	fmt.Fprintf(w, "%s  logged %s\n", r.DecisionID, r.Logged)
	r.print(w, "")
	if c := r.Challenger; c != nil {
		fmt.Fprintf(w, "  challenger %s would have said %s, risk %d\n", c.Version, c.Decision, c.Risk.Points)
	}
	for _, s := range r.Said {
		line := fmt.Sprintf("  said %s  %s %s by %s  %s", s.Logged, s.Kind, s.Value, s.Source, s.Note)
		if s.Kind == "resumed" {
			line = fmt.Sprintf("  said %s  resumed by %s", s.Logged, s.DecisionID)
		}
		fmt.Fprintln(w, strings.TrimRight(line, " "))
	}
	names := make([]string, 0, len(r.Vector))
	for n, v := range r.Vector {
		if v != nil {
			names = append(names, n)
		}
	}
	slices.Sort(names)
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, n := range names {
		fmt.Fprintf(tw, "  %s\t%.6g\n", n, *r.Vector[n])
	}
	return tw.Flush()
}
