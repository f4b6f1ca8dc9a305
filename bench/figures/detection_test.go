package main

import (
	"context"
	"maps"
	"slices"
	"testing"
)

// Every figure of the group comes from a metric of the card, and none is told that
// the group does not have.
func TestDetected(t *testing.T) {
	metrics := map[string]float64{
		"auc": 0.99, "caught_at_0.01": 0.9, "caught_at_0.001": 0.7, "unseen_caught_at_0.01": 0.6, "rba_ratio_at_0.83": 0.1, "rba_ratio_at_0.94": 0.2,
		"rba_score_caught_at_0.01": 0.2, "new_network_caught_at_0.01": 0.3, "caught_at_0.01_in_everything_reported_all_files": 0.95,
	}
	got := slices.Sorted(maps.Keys(detected(metrics)))
	var want []string
	for _, g := range groups() {
		if g.name == "detection" {
			for _, f := range g.figures {
				want = append(want, f.name)
			}
		}
	}
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("figures %v, want %v", got, want)
	}
	if v := detected(metrics)["takeovers_caught_vs_best_rule"]; v < 2.999 || v > 3.001 {
		t.Errorf("against the best rule %v, want 3", v)
	}
	if none := detected(nil); len(none) > 0 {
		t.Errorf("of no metrics: %v", none)
	}
}

// The embedded model's card has them.
func TestDetectionOfTheCard(t *testing.T) {
	values, err := detection(context.Background(), nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"detection_auc", "takeovers_caught_at_1_percent", "takeovers_caught_at_1_percent_where_all_is_reported"} {
		if values[name] <= 0 {
			t.Errorf("%s: %v", name, values[name])
		}
	}
}
