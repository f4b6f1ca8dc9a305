package authz

import (
	"fmt"

	"github.com/VictoriaMetrics/metrics"

	"github.com/waryauth/wary/engine"
)

// stageNames are the stages in metrics.
var stageNames = [...]string{Pushed: "pushed", Authenticated: "authenticated", Redeemed: "redeemed", Refreshed: "refreshed", ForClientToken: "client",
	Introspected: "introspected"}

// replaysTotal counts codes that their own client presented again.
var replaysTotal = metrics.NewCounter(`wary_authz_replayed_codes_total`)

func decisionsTotal(s Stage, o engine.Outcome) *metrics.Counter {
	return metrics.GetOrCreateCounter(fmt.Sprintf(`wary_authz_decisions_total{stage=%q,decision=%q}`, stageNames[s], engine.OutcomeNames[o]))
}

// faultsTotal counts questions that the engine did not answer as it should.
func faultsTotal(s Stage) *metrics.Counter {
	return metrics.GetOrCreateCounter(fmt.Sprintf(`wary_authz_engine_faults_total{stage=%q}`, stageNames[s]))
}

// issuedTotal counts access tokens.
func issuedTotal(s Stage) *metrics.Counter {
	return metrics.GetOrCreateCounter(fmt.Sprintf(`wary_authz_access_tokens_total{stage=%q}`, stageNames[s]))
}
