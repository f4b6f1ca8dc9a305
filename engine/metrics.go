package engine

import (
	"time"

	"github.com/VictoriaMetrics/metrics"

	"github.com/waryauth/wary/signals"
)

// Steps of a score whose time is taken on sampled requests.
const (
	stageObserve = iota
	stageRecall
	stageExtract
	stagePredict
	stageDecide
	stageChallenge
	stageAppend
	stageFold
	stages int = iota
)

var (
	stageSeconds = [stages]*metrics.PrometheusHistogram{
		metrics.NewPrometheusHistogramExt(`wary_stage_seconds{stage="observe"}`, stageBounds[:]),
		metrics.NewPrometheusHistogramExt(`wary_stage_seconds{stage="recall"}`, stageBounds[:]),
		metrics.NewPrometheusHistogramExt(`wary_stage_seconds{stage="extract"}`, stageBounds[:]),
		metrics.NewPrometheusHistogramExt(`wary_stage_seconds{stage="predict"}`, stageBounds[:]),
		metrics.NewPrometheusHistogramExt(`wary_stage_seconds{stage="decide"}`, stageBounds[:]),
		metrics.NewPrometheusHistogramExt(`wary_stage_seconds{stage="challenge"}`, stageBounds[:]),
		metrics.NewPrometheusHistogramExt(`wary_stage_seconds{stage="append"}`, stageBounds[:]),
		metrics.NewPrometheusHistogramExt(`wary_stage_seconds{stage="fold"}`, stageBounds[:]),
	}
	stageBounds = [...]float64{.25e-6, .5e-6, 1e-6, 2e-6, 4e-6, 8e-6, 16e-6, 32e-6, 64e-6, 128e-6, 256e-6, 512e-6, 1e-3, 4e-3, 16e-3, 64e-3, .25, 1}

	decisionsTotal = [Deny + 1]*metrics.Counter{
		Allow:  metrics.NewCounter(`wary_decisions_total{decision="allow"}`),
		StepUp: metrics.NewCounter(`wary_decisions_total{decision="step_up"}`),
		Deny:   metrics.NewCounter(`wary_decisions_total{decision="deny"}`),
	}
	// challengedTotal counts decisions that a challenger looked at: what the champion
	// decided, and what the challenger would have.
	challengedTotal = [Deny + 1][Deny + 1]*metrics.Counter{
		Allow: {
			Allow:  metrics.NewCounter(`wary_challenger_decisions_total{champion="allow",challenger="allow"}`),
			StepUp: metrics.NewCounter(`wary_challenger_decisions_total{champion="allow",challenger="step_up"}`),
			Deny:   metrics.NewCounter(`wary_challenger_decisions_total{champion="allow",challenger="deny"}`),
		},
		StepUp: {
			Allow:  metrics.NewCounter(`wary_challenger_decisions_total{champion="step_up",challenger="allow"}`),
			StepUp: metrics.NewCounter(`wary_challenger_decisions_total{champion="step_up",challenger="step_up"}`),
			Deny:   metrics.NewCounter(`wary_challenger_decisions_total{champion="step_up",challenger="deny"}`),
		},
		Deny: {
			Allow:  metrics.NewCounter(`wary_challenger_decisions_total{champion="deny",challenger="allow"}`),
			StepUp: metrics.NewCounter(`wary_challenger_decisions_total{champion="deny",challenger="step_up"}`),
			Deny:   metrics.NewCounter(`wary_challenger_decisions_total{champion="deny",challenger="deny"}`),
		},
	}
	degradedTotal = [DegradedBits]*metrics.Counter{
		metrics.NewCounter(`wary_degraded_total{fault="geo"}`),
		metrics.NewCounter(`wary_degraded_total{fault="model"}`),
		metrics.NewCounter(`wary_degraded_total{fault="journal"}`),
		metrics.NewCounter(`wary_degraded_total{fault="state"}`),
	}
	feedbackTotals = [len(signals.FeedbackKinds)]*metrics.Counter{
		signals.Outcome: metrics.NewCounter(`wary_feedback_total{kind="outcome"}`),
		signals.Label:   metrics.NewCounter(`wary_feedback_total{kind="label"}`),
	}
	swapsTotal           = metrics.NewCounter(`wary_model_swaps_total`)
	repeatedTotal        = metrics.NewCounter(`wary_repeated_attempts_total`)
	unknownExternalTotal = metrics.NewCounter(`wary_unknown_external_total`)
	unknownPreviousTotal = metrics.NewCounter(`wary_unknown_previous_decision_total`)
	correctionsTotal     = metrics.NewCounter(`wary_outcome_corrections_total`)
)

// stamp takes the time since the last stamp of a sampled request.
func (x *Assessment) stamp(stage int, now func() time.Time) {
	if !x.Sampled {
		return
	}
	t := now()
	stageSeconds[stage].Update(t.Sub(x.lastAt).Seconds())
	x.lastAt = t
}

// decisions counts a decision and the faults it was made under.
func decisions(o Outcome, d Degraded) {
	decisionsTotal[o].Inc()
	for b := range DegradedBits {
		if d&(1<<b) != 0 {
			degradedTotal[b].Inc()
		}
	}
}

func feedbackTotal(k signals.FeedbackKind) { feedbackTotals[k].Inc() }

// Metrics registers what is read when the metrics are scraped.
func (e *Engine) Metrics(set *metrics.Set) {
	set.NewGauge(`wary_policy_version`, func() float64 { return float64(e.Policy().Version) })
	set.NewGauge(`wary_challengers`, func() float64 {
		if e.Models().Challenger == nil {
			return 0
		}
		return 1
	})
	for name, f := range map[string]func() float64{
		"wary_journal_records_total":       func() float64 { return float64(e.log.Stats().Records) },
		"wary_journal_bytes_total":         func() float64 { return float64(e.log.Stats().Bytes) },
		"wary_journal_failed_writes_total": func() float64 { return float64(e.log.Stats().FailedWrites) },
		"wary_journal_released_total":      func() float64 { return float64(e.log.Stats().Released) },
		"wary_journal_torn_bytes_total":    func() float64 { return float64(e.log.Stats().TornBytes) },
	} {
		set.NewGauge(name, f)
	}
}
