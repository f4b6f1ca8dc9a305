package main

import (
	"context"

	"github.com/waryauth/wary/bench/narrowing"
	"github.com/waryauth/wary/bench/population"
)

// narrowed simulates what people grant with the default policy's section narrowing and
// without it (docs/scopes.md).
func narrowed(_ context.Context, r *run) (map[string]float64, error) {
	o := population.Options{Seed: 1}
	if r.quick {
		o.Users, o.Days = 1500, 60
	}
	n := narrowing.Run(o)
	before, after := narrowing.Share(n.UnusedBefore, n.Before), narrowing.Share(n.UnusedAfter, n.After)
	r.note("narrowing: of %d sensitive scopes granted %.1f %% were never used, of %d with narrowing %.1f %%; of %d that were needed %d were granted only when asked for again",
		n.Before, 100*before, n.After, 100*after, n.Used, n.Asked)
	return map[string]float64{
		"unused_sensitive_scopes_vs_before": ratio(after, before),
		"needed_scopes_asked_for_again":     narrowing.Share(n.Asked, n.Used),
		"needed_scopes_refused":             narrowing.Share(n.Refused, n.Used),
	}, nil
}
