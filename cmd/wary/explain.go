package main

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/waryauth/wary/engine"
	"github.com/waryauth/wary/engine/scoreapi"
	"github.com/waryauth/wary/features"
	"github.com/waryauth/wary/models"
)

func explainCommand() *cobra.Command {
	var data, modelDir string
	var top int
	var docs bool
	var out output
	cmd := &cobra.Command{
		Use:   "explain DECISION_ID",
		Short: "Say what each feature added to a decision of the log",
		Long: "Reads the receipt from the log of a data folder and attributes the score, with the model of the time, exactly to the\n" +
			"features (TreeSHAP: the mean over every order in which they could have become known). Beside the sums of the families\n" +
			"stand the path contributions that the receipt holds. Of a step_up or deny it also says with which families as is usual\n" +
			"for the user it would have been an allow; that reads the log up to the decision. The daemon may run meanwhile.",
		Example: "  wary explain ID\n  wary explain ID --top 5 --docs\n  wary explain ID -o json",
		Args:    needs("DECISION_ID"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := out.check(); err != nil {
				return err
			}
			if top < 0 {
				return misused(cmd, "--top must not be negative")
			}
			id, err := engine.ParseAddress(args[0])
			if err != nil {
				return misused(cmd, "%q is no id of a decision", args[0])
			}
			dir, err := logOf(data)
			if err != nil {
				return err
			}
			if modelDir == "" {
				modelDir = filepath.Join(data, engine.ModelFolder)
			}
			r := engine.NewReplayer(func(digest string) (*models.Model, error) {
				return models.LoadDir(filepath.Join(modelDir, strings.TrimPrefix(digest, "sha256:")))
			})
			r.Policies = filepath.Join(data, engine.PolicyFolder)
			x, err := r.Explain(dir, id)
			if errors.Is(err, engine.ErrID) {
				return fmt.Errorf("the log in %s has no decision %s: --data names the data folder of the daemon that made it, and retention removes the oldest (%w)", dir, args[0], err)
			}
			if err != nil {
				return fmt.Errorf("explain %s: %w", args[0], err)
			}
			e := explanationOf(x, args[0], top, docs)
			if out == "json" {
				return writeJSON(cmd.OutOrStdout(), e)
			}
			return e.print(cmd.OutOrStdout(), docs)
		},
	}
	out.flag(cmd)
	fs := cmd.Flags()
	fs.StringVar(&data, "data", "run/data", "data folder of the daemon")
	fs.StringVar(&modelDir, "models", "", "folder of models by digest (default: DATA/models)")
	fs.IntVar(&top, "top", 15, "how many features are shown, the largest first; 0 is all that added something")
	fs.BoolVar(&docs, "docs", false, "say what each feature is")
	return cmd
}

// explanation is what is printed. Contributions are log-odds of the model's raw
// score, before calibration.
type explanation struct {
	DecisionID string    `json:"decision_id"`
	Logged     time.Time `json:"logged"`
	Decision   string    `json:"decision"`
	Risk       struct {
		Probability float64 `json:"probability"`
		Points      uint8   `json:"points"`
		Level       string  `json:"level"`
	} `json:"risk"`
	Model struct {
		Version string `json:"version"`
		Digest  string `json:"digest"`
	} `json:"model"`
	Raw            float64         `json:"raw"`  // base and all contributions
	Base           float64         `json:"base"` // mean of the rows the model was trained on
	Features       []explained     `json:"features"`
	Others         rest            `json:"others"` // features that are not shown
	Families       []family        `json:"families"`
	Counterfactual json.RawMessage `json:"counterfactual,omitempty"` // as the score API has it
	Successes      *successes      `json:"successes,omitempty"`
}

type explained struct {
	Feature      string   `json:"feature"`
	Family       string   `json:"family"`
	Value        *float64 `json:"value"` // null: missing
	Contribution float64  `json:"contribution"`
	Unit         string   `json:"unit,omitempty"`
	Doc          string   `json:"doc,omitempty"`
}

type rest struct {
	Count        int     `json:"count"`
	Contribution float64 `json:"contribution"`
}

type family struct {
	Family string  `json:"family"`
	Exact  float64 `json:"exact"`
	Inline float64 `json:"inline"` // of the paths, as in the receipt
}

// successes says what the counterfactual's usual values are told by.
type successes struct {
	Known uint32 `json:"known"` // before the decision
	InLog uint32 `json:"in_log"`
}

func explanationOf(x *engine.Explanation, id string, top int, docs bool) *explanation {
	d := &x.Decision
	e := &explanation{DecisionID: id, Logged: x.Logged.UTC(), Decision: engine.OutcomeNames[d.Outcome], Raw: x.Raw, Base: x.Base, Features: []explained{}}
	e.Risk.Probability, e.Risk.Points, e.Risk.Level = d.Probability, d.Points, d.Level.String()
	e.Model.Version, e.Model.Digest = d.ModelVersion, d.ModelDigest
	sums := [features.Families]float64{}
	for i, c := range x.Exact {
		f := &features.Schema[i]
		sums[f.Family] += c
		if c == 0 {
			continue
		}
		row := explained{Feature: f.Name, Family: f.Family.String(), Contribution: c}
		if v := float64(x.Vector[i]); !math.IsNaN(v) && !math.IsInf(v, 0) {
			row.Value = &v
		}
		if docs {
			row.Unit, row.Doc = f.Unit, f.Doc
		}
		e.Features = append(e.Features, row)
	}
	slices.SortStableFunc(e.Features, func(a, b explained) int { return cmp.Compare(math.Abs(b.Contribution), math.Abs(a.Contribution)) })
	if top > 0 && len(e.Features) > top {
		for _, f := range e.Features[top:] {
			e.Others.Count++
			e.Others.Contribution += f.Contribution
		}
		e.Features = e.Features[:top]
	}
	for f, sum := range sums {
		e.Families = append(e.Families, family{features.FamilyNames[f], sum, float64(x.Inline[f])})
	}
	if x.Counterfactual != nil {
		e.Counterfactual = scoreapi.AppendCounterfactual(nil, x.Counterfactual)
		e.Successes = &successes{Known: d.History.Successes, InLog: x.Past}
	}
	return e
}

// print writes an explanation for a person.
func (e *explanation) print(w io.Writer, docs bool) error {
	fmt.Fprintf(w, "%s  logged %s\n", e.DecisionID, e.Logged.Format(time.RFC3339))
	fmt.Fprintf(w, "%s  risk %d (%s, probability %.3g)  model %s\n", strings.ToUpper(e.Decision), e.Risk.Points, e.Risk.Level, e.Risk.Probability, e.Model.Version)
	fmt.Fprintf(w, "raw score %+.4f = %+.4f, the mean, and what each feature added:\n", e.Raw, e.Base)
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, f := range e.Features {
		value := "missing"
		if f.Value != nil {
			value = fmt.Sprintf("= %.4g", *f.Value)
		}
		fmt.Fprintf(tw, "  %+.4f\t%s\t%s", f.Contribution, f.Feature, value)
		if docs {
			fmt.Fprintf(tw, "\t%s: %s", f.Unit, f.Doc)
		}
		fmt.Fprintln(tw)
	}
	if e.Others.Count > 0 {
		fmt.Fprintf(tw, "  %+.4f\t%d others\n", e.Others.Contribution, e.Others.Count)
	}
	if err := tw.Flush(); err != nil {
		return err
	}
	fmt.Fprintln(w, "by family, exact and as the receipt has it (along the paths):")
	for _, f := range e.Families {
		fmt.Fprintf(tw, "  %s\t%+.4f\t%+.4f\n", f.Family, f.Exact, f.Inline)
	}
	if err := tw.Flush(); err != nil {
		return err
	}
	if e.Counterfactual != nil {
		c := new(counterfactual)
		if err := json.Unmarshal(e.Counterfactual, c); err != nil {
			return err
		}
		fmt.Fprintln(w, c)
		if s := e.Successes; s.InLog < s.Known {
			fmt.Fprintf(w, "what is usual is told by %d of %d successes: the log no longer holds the others\n", s.InLog, s.Known)
		}
	}
	return nil
}
