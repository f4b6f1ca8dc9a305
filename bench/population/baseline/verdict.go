package baseline

import (
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"text/tabwriter"

	"github.com/waryauth/wary/bench/population"
	"github.com/waryauth/wary/models"
	"github.com/waryauth/wary/models/train"
)

// judge prints how the model does beside two rules on each setting's judging
// part and over all, and returns the metrics of the card.
func judge(w io.Writer, m *models.Model, rows []sample) (map[string]float64, error) {
	var p models.Prediction
	scores := []struct {
		name string
		of   func(*population.Row) float64
	}{
		{"model", func(r *population.Row) float64 { m.Predict(&p, &r.Vector); return p.Probability }},
		{"RBA score", population.FreemanScore},
		{"new network", population.NewNetwork},
	}
	metrics := map[string]float64{}
	for number := -1; number <= len(settings); number++ {
		name := "all synthetic settings"
		if number == len(settings) {
			name = real.name
		} else if number >= 0 {
			name = settings[number].name
		}
		var verdicts []population.Verdict
		for _, s := range scores {
			var scored []population.Scored
			for i := range rows {
				if r := &rows[i]; (number < 0 && r.setting < len(settings) || r.setting == number) && r.Judged() {
					scored = append(scored, population.Scored{Score: s.of(&r.Row), Family: r.Family, Takeover: r.Takeover})
				}
			}
			if len(scored) == 0 {
				break
			}
			verdicts = append(verdicts, population.Judge(s.name, scored, 0.01))
			if s.name == "model" {
				strict := population.Judge(s.name, scored, 0.002)
				fmt.Fprintf(w, "\n%s: 1 %% of %d honest successes are above %.3g, 0.2 %% above %.3g (%.3f of takeovers caught there)\n",
					name, verdicts[0].Counts[population.Ordinary], verdicts[0].Threshold, strict.Threshold, strict.Caught)
				note(metrics, number, &verdicts[0], &strict)
				shares(w, scored)
			}
		}
		if len(verdicts) == 0 {
			continue
		}
		if err := population.Print(w, verdicts, held); err != nil {
			return nil, err
		}
		if number < 0 {
			metrics["rba_caught_at_0.01"], metrics["new_network_caught_at_0.01"] = round(verdicts[1].Caught), round(verdicts[2].Caught)
		}
	}
	servers(w, m, rows, metrics["threshold_at_0.01"])
	return metrics, nil
}

// servers prints how many honest calls of clients' servers, whom nobody can
// challenge, would be above a threshold.
func servers(w io.Writer, m *models.Model, rows []sample, threshold float64) {
	var p models.Prediction
	n, above := 0.0, 0.0
	for i := range rows {
		r := &rows[i]
		if r.Fraud || r.Present || !r.Success {
			continue
		}
		n++
		if m.Predict(&p, &r.Vector); p.Probability >= threshold {
			above++
		}
	}
	fmt.Fprintf(w, "\n%.3f%% of %.0f honest calls of clients' servers are above %g\n", 100*above/max(n, 1), n, threshold)
}

// shares prints who reaches fixed probabilities: what a policy chooses from.
func shares(w io.Writer, scored []population.Scored) {
	fmt.Fprint(w, "  from probability:")
	for _, p := range [...]float64{0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 0.9} {
		var n, above [2]float64 // honest, takeovers
		for i := range scored {
			k := 0
			if scored[i].Takeover {
				k = 1
			}
			n[k]++
			if scored[i].Score >= p {
				above[k]++
			}
		}
		fmt.Fprintf(w, "  %g %.3f%%/%.0f%%", p, 100*above[0]/n[0], 100*above[1]/max(n[1], 1))
	}
	fmt.Fprintln(w, " (honest/takeovers)")
}

// note enters the model's own figures over all settings.
func note(metrics map[string]float64, number int, v, strict *population.Verdict) {
	if number >= 0 {
		return
	}
	metrics["auc"] = round(v.AUC)
	metrics["caught_at_0.01"], metrics["caught_at_0.002"] = round(v.Caught), round(strict.Caught)
	metrics["threshold_at_0.01"], metrics["threshold_at_0.002"] = round(v.Threshold), round(strict.Threshold)
	for f := population.Stuffing; int(f) < population.FamilyCount; f++ {
		metrics["caught_at_0.01_"+f.String()] = round(v.Families[f])
	}
}

// round keeps four significant digits, enough for a card.
func round(x float64) float64 {
	short, err := strconv.ParseFloat(strconv.FormatFloat(x, 'g', 4, 64), 64)
	if err != nil {
		return x
	}
	return short
}

// binEdges parts probabilities at every ten points of the scale 0 to 100, of which
// 40 is 0.001 and 60 is 0.01: a factor of the square root of ten each.
func binEdges() (edges []float64) {
	for points := 10; points < 100; points += 10 {
		edges = append(edges, math.Pow(10, float64(points-100)/20))
	}
	return edges
}

// reliability holds probabilities against what was simulated, on the judged rows
// of all synthetic settings. Takeovers are weighed down to the share that the
// probabilities are for.
func reliability(m *models.Model, rows []sample) (*models.Reliability, error) {
	var p models.Prediction
	var probabilities []float64
	var labels, weights []float32
	for i := range rows {
		s := &rows[i]
		if !s.Judged() || s.setting >= len(settings) {
			continue
		}
		m.Predict(&p, &s.Vector)
		y, w := s.label(judging)
		probabilities, labels, weights = append(probabilities, p.Probability), append(labels, y), append(weights, w)
	}
	share, err := train.Share(labels, weights, 1)
	if err != nil {
		return nil, fmt.Errorf("judge: the simulation is too small: %w", err)
	}
	for i, y := range labels {
		if y == 1 {
			weights[i] *= float32(takeoverPrior / (1 - takeoverPrior) * (1 - share) / share)
		}
	}
	bins, err := train.ReliabilityBetween(probabilities, labels, weights, binEdges())
	return &models.Reliability{ECE: models.ECE(bins), Bins: bins}, err
}

// printReliability prints the table.
func printReliability(w io.Writer, r *models.Reliability) {
	fmt.Fprintf(w, "\nprobabilities, for a share of takeovers of %g: calibration error %.2g\n", float64(takeoverPrior), r.ECE)
	t := tabwriter.NewWriter(w, 0, 8, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "lowest\thighest\tpredicted\tobserved\trows\t")
	for _, b := range r.Bins {
		fmt.Fprintf(t, "%.3g\t%.3g\t%.3g\t%.3g\t%d\t\n", b.Low, b.High, b.Predicted, b.Observed, b.Rows)
	}
	_ = t.Flush() // w tells its own errors
}

// notes tell how the model was made, beyond what the card has fields for.
func (c *Recipe) notes(card *models.Card) string {
	var b strings.Builder
	fmt.Fprintf(&b, "Trained on simulated people, not on anybody's data. Deployments simulated: ")
	for i, s := range settings {
		if i > 0 {
			b.WriteString("; ")
		}
		fmt.Fprintf(&b, "%s (%d users, %d days)", s.name, c.users(s), s.days)
	}
	fmt.Fprintf(&b, ". Addresses are of a synthetic world: no geo file entered training. ")
	fmt.Fprintf(&b, "Monotone where the schema says so. Fraud share of the training rows is enriched; takeovers weigh %g, failed guesses %g. ", float64(takeoverWeight), failedWeight)
	fmt.Fprintf(&b, "Growing ended on later days of the same people, campaigns begun before them left out; calibrated (%s) on those days of other people. ", card.Calibration.Kind)
	fmt.Fprintf(&b, "Probabilities are for a share of takeovers of %g among attempts whose check succeeded: ", takeoverPrior)
	fmt.Fprintf(&b, "add log(p/(1-p)) - log(%g/(1-%g)) to prior_shift for another share p. ", takeoverPrior, takeoverPrior)
	fmt.Fprintf(&b, "Metrics and reliability: people, campaigns and days that no step before has seen; caught_at_x is the share of takeovers above the threshold that the share x of honest successes reaches; bins are parted at every ten points. ")
	fmt.Fprintf(&b, "Not trained on at all: family %s. What the engine remembers of its own decisions was empty in training, so the model does not use it.", held)
	return b.String()
}
