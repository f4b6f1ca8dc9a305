package authz

import (
	"github.com/VictoriaMetrics/metrics"

	"github.com/waryauth/wary/engine"
	"github.com/waryauth/wary/signals"
)

var (
	// decisionsTotal counts the engine's answers.
	decisionsTotal = [stages][engine.Deny + 1]*metrics.Counter{
		Pushed: {
			engine.Allow:  metrics.NewCounter(`wary_authz_decisions_total{stage="pushed",decision="allow"}`),
			engine.StepUp: metrics.NewCounter(`wary_authz_decisions_total{stage="pushed",decision="step_up"}`),
			engine.Deny:   metrics.NewCounter(`wary_authz_decisions_total{stage="pushed",decision="deny"}`),
		},
		Authenticated: {
			engine.Allow:  metrics.NewCounter(`wary_authz_decisions_total{stage="authenticated",decision="allow"}`),
			engine.StepUp: metrics.NewCounter(`wary_authz_decisions_total{stage="authenticated",decision="step_up"}`),
			engine.Deny:   metrics.NewCounter(`wary_authz_decisions_total{stage="authenticated",decision="deny"}`),
		},
		Redeemed: {
			engine.Allow:  metrics.NewCounter(`wary_authz_decisions_total{stage="redeemed",decision="allow"}`),
			engine.StepUp: metrics.NewCounter(`wary_authz_decisions_total{stage="redeemed",decision="step_up"}`),
			engine.Deny:   metrics.NewCounter(`wary_authz_decisions_total{stage="redeemed",decision="deny"}`),
		},
		Refreshed: {
			engine.Allow:  metrics.NewCounter(`wary_authz_decisions_total{stage="refreshed",decision="allow"}`),
			engine.StepUp: metrics.NewCounter(`wary_authz_decisions_total{stage="refreshed",decision="step_up"}`),
			engine.Deny:   metrics.NewCounter(`wary_authz_decisions_total{stage="refreshed",decision="deny"}`),
		},
		ForClientToken: {
			engine.Allow:  metrics.NewCounter(`wary_authz_decisions_total{stage="client",decision="allow"}`),
			engine.StepUp: metrics.NewCounter(`wary_authz_decisions_total{stage="client",decision="step_up"}`),
			engine.Deny:   metrics.NewCounter(`wary_authz_decisions_total{stage="client",decision="deny"}`),
		},
		Introspected: {
			engine.Allow:  metrics.NewCounter(`wary_authz_decisions_total{stage="introspected",decision="allow"}`),
			engine.StepUp: metrics.NewCounter(`wary_authz_decisions_total{stage="introspected",decision="step_up"}`),
			engine.Deny:   metrics.NewCounter(`wary_authz_decisions_total{stage="introspected",decision="deny"}`),
		},
		Changed: {
			engine.Allow:  metrics.NewCounter(`wary_authz_decisions_total{stage="changed",decision="allow"}`),
			engine.StepUp: metrics.NewCounter(`wary_authz_decisions_total{stage="changed",decision="step_up"}`),
			engine.Deny:   metrics.NewCounter(`wary_authz_decisions_total{stage="changed",decision="deny"}`),
		},
	}
	// faultsTotal counts questions that the engine did not answer as it should.
	faultsTotal = [stages]*metrics.Counter{
		Pushed:         metrics.NewCounter(`wary_authz_engine_faults_total{stage="pushed"}`),
		Authenticated:  metrics.NewCounter(`wary_authz_engine_faults_total{stage="authenticated"}`),
		Redeemed:       metrics.NewCounter(`wary_authz_engine_faults_total{stage="redeemed"}`),
		Refreshed:      metrics.NewCounter(`wary_authz_engine_faults_total{stage="refreshed"}`),
		ForClientToken: metrics.NewCounter(`wary_authz_engine_faults_total{stage="client"}`),
		Introspected:   metrics.NewCounter(`wary_authz_engine_faults_total{stage="introspected"}`),
		Changed:        metrics.NewCounter(`wary_authz_engine_faults_total{stage="changed"}`),
	}
	// faultAnswersTotal counts what the policy's table of faults said instead.
	faultAnswersTotal = [engine.Deny + 1]*metrics.Counter{
		engine.Allow:  metrics.NewCounter(`wary_authz_fault_answers_total{decision="allow"}`),
		engine.StepUp: metrics.NewCounter(`wary_authz_fault_answers_total{decision="step_up"}`),
		engine.Deny:   metrics.NewCounter(`wary_authz_fault_answers_total{decision="deny"}`),
	}
	// outcomesTotal counts what the engine was told of how its decisions ended.
	outcomesTotal = [...]*metrics.Counter{
		signals.OutcomeSuccess: metrics.NewCounter(`wary_authz_outcomes_total{value="success"}`),
		signals.OutcomeFailure: metrics.NewCounter(`wary_authz_outcomes_total{value="failure"}`),
		signals.StepUpPassed:   metrics.NewCounter(`wary_authz_outcomes_total{value="step_up_passed"}`),
		signals.StepUpFailed:   metrics.NewCounter(`wary_authz_outcomes_total{value="step_up_failed"}`),
		signals.Abandoned:      metrics.NewCounter(`wary_authz_outcomes_total{value="abandoned"}`),
	}
	// outcomesLostTotal counts outcomes that could not be told, or kept until they were.
	outcomesLostTotal = metrics.NewCounter(`wary_authz_outcomes_lost_total`)
	// issuedTotal counts access tokens.
	issuedTotal = [stages]*metrics.Counter{
		Redeemed:       metrics.NewCounter(`wary_authz_access_tokens_total{stage="redeemed"}`),
		Refreshed:      metrics.NewCounter(`wary_authz_access_tokens_total{stage="refreshed"}`),
		ForClientToken: metrics.NewCounter(`wary_authz_access_tokens_total{stage="client"}`),
	}
	// revocationsTotal counts what was revoked, by the kind of what.
	revocationsTotal = map[string]*metrics.Counter{
		"subject": metrics.NewCounter(`wary_authz_revocations_total{of="subject"}`),
		"session": metrics.NewCounter(`wary_authz_revocations_total{of="session"}`),
		"client":  metrics.NewCounter(`wary_authz_revocations_total{of="client"}`),
		"grant":   metrics.NewCounter(`wary_authz_revocations_total{of="grant"}`),
		"token":   metrics.NewCounter(`wary_authz_revocations_total{of="token"}`),
	}
	// suspensionsTotal counts tokens and refreshes that wait for a step-up.
	suspensionsTotal = metrics.NewCounter(`wary_authz_suspensions_total`)
	// overflowsTotal counts how often more ended than status lists can tell apart.
	overflowsTotal = metrics.NewCounter(`wary_authz_status_overflows_total`)
	// replaysTotal counts codes that their own client presented again.
	replaysTotal = metrics.NewCounter(`wary_authz_replayed_codes_total`)
)
