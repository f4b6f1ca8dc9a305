package main

import (
	"context"

	"github.com/waryauth/wary/models"
)

// detection reads what the embedded model's card says of people, campaigns and days
// that it was not trained on (bench/evaluation, Report.Metrics).
func detection(context.Context, *run) (map[string]float64, error) {
	m, err := models.Baseline()
	if err != nil {
		return nil, err
	}
	return detected(m.Card().Metrics), nil
}

// detected returns the figures that a card's metrics tell.
func detected(metrics map[string]float64) map[string]float64 {
	values := map[string]float64{}
	for figure, metric := range map[string]string{
		"detection_auc":                                       "auc",
		"takeovers_caught_at_1_percent":                       "caught_at_0.01",
		"takeovers_caught_at_1_percent_where_all_is_reported": "caught_at_0.01_in_everything_reported_all_files",
		"takeovers_caught_at_0.1_percent":                     "caught_at_0.001",
		"unseen_takeovers_caught_at_1_percent":                "unseen_caught_at_0.01",
		"challenges_vs_rba_at_0.83_of_attacks":                "rba_ratio_at_0.83",
		"challenges_vs_rba_at_0.94_of_attacks":                "rba_ratio_at_0.94",
	} {
		if v, ok := metrics[metric]; ok {
			values[figure] = v
		}
	}
	rule := max(metrics["rba_score_caught_at_0.01"], metrics["new_network_caught_at_0.01"])
	if caught, ok := values["takeovers_caught_at_1_percent"]; ok && rule > 0 {
		values["takeovers_caught_vs_best_rule"] = caught / rule
	}
	return values
}
