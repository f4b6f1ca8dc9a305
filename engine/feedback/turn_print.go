package feedback

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/waryauth/wary/engine"
)

// Print tells what became of a turn, gate by gate.
func (v *Verdict) Print(w io.Writer) error {
	fmt.Fprintf(w, "%s, of the log from %s to %s\n", v.Version, v.From.UTC().Format(time.DateOnly), v.To.UTC().Format(time.DateOnly))
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, g := range v.Gates {
		var figures []string
		for _, name := range slices.Sorted(maps.Keys(g.Figures)) {
			figures = append(figures, fmt.Sprintf("%s %.4g", name, g.Figures[name]))
		}
		word := "ok"
		if g.Refused != "" {
			word = "refused"
		}
		fmt.Fprintf(tw, "%s\t%s\t%s\n", g.Name, word, strings.Join(figures, ", "))
	}
	if err := tw.Flush(); err != nil {
		return err
	}
	if v.Refused != "" {
		_, err := fmt.Fprintf(w, "refused: %s\n", v.Refused)
		return err
	}
	_, err := fmt.Fprintf(w, "challenger from now on: %s\n", v.Digest)
	return err
}

// Print tells the evidence on a challenger.
func (w *Watch) Print(out io.Writer) error {
	fmt.Fprintf(out, "champion    %s\nchallenger  %s\n", w.Champion, w.Challenger)
	if w.Attempts == 0 {
		_, err := fmt.Fprintln(out, "no decision yet that both looked at")
		return err
	}
	fmt.Fprintf(out, "%d decisions that both looked at, %s to %s\n", w.Attempts, w.From.UTC().Format(time.DateTime), w.To.UTC().Format(time.DateTime))
	tw := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprint(tw, "champion \\ challenger\t")
	for _, name := range engine.OutcomeNames[engine.Allow:] {
		fmt.Fprintf(tw, "%s\t", name)
	}
	for was := engine.Allow; was <= engine.Deny; was++ {
		fmt.Fprintf(tw, "\n%s\t", engine.OutcomeNames[was])
		for is := engine.Allow; is <= engine.Deny; is++ {
			fmt.Fprintf(tw, "%d\t", w.Decisions[was][is])
		}
	}
	fmt.Fprintln(tw, "\n\nstopped by\tboth\tchampion alone\tchallenger alone\tneither\t")
	for _, s := range [...]struct {
		name string
		*Swap
	}{{"fraud", &w.Fraud}, {"of that, ripe", &w.Ripe}, {"legitimate, or nothing said", &w.Honest}} {
		fmt.Fprintf(tw, "%s\t%d\t%d\t%d\t%d\t\n", s.name, s.Both, s.Champion, s.Challenger, s.Neither)
	}
	if err := tw.Flush(); err != nil {
		return err
	}
	_, err := fmt.Fprintf(out, "\nlikelihood ratios: more fraud %.3g, less fraud %.3g, harmless %.3g, harm %.3g\n%s: %s\n", w.MoreFraud, w.LessFraud, w.Harmless, w.Harm, w.Word, w.Why)
	return err
}
