package authz

import (
	"github.com/VictoriaMetrics/metrics"

	"github.com/waryauth/wary/engine"
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
	}
	// faultsTotal counts questions that the engine did not answer as it should.
	faultsTotal = [stages]*metrics.Counter{
		Pushed:         metrics.NewCounter(`wary_authz_engine_faults_total{stage="pushed"}`),
		Authenticated:  metrics.NewCounter(`wary_authz_engine_faults_total{stage="authenticated"}`),
		Redeemed:       metrics.NewCounter(`wary_authz_engine_faults_total{stage="redeemed"}`),
		Refreshed:      metrics.NewCounter(`wary_authz_engine_faults_total{stage="refreshed"}`),
		ForClientToken: metrics.NewCounter(`wary_authz_engine_faults_total{stage="client"}`),
		Introspected:   metrics.NewCounter(`wary_authz_engine_faults_total{stage="introspected"}`),
	}
	// issuedTotal counts access tokens.
	issuedTotal = [stages]*metrics.Counter{
		Redeemed:       metrics.NewCounter(`wary_authz_access_tokens_total{stage="redeemed"}`),
		Refreshed:      metrics.NewCounter(`wary_authz_access_tokens_total{stage="refreshed"}`),
		ForClientToken: metrics.NewCounter(`wary_authz_access_tokens_total{stage="client"}`),
	}
	// replaysTotal counts codes that their own client presented again.
	replaysTotal = metrics.NewCounter(`wary_authz_replayed_codes_total`)
)
