package ceremony

import (
	"fmt"

	"github.com/VictoriaMetrics/metrics"
)

// checked counts a check of what a person proves, or a change of it: docs/step-up.md lists
// methods and results. Accounts that do not exist are failures like any other.
func checked(method, result string) {
	metrics.GetOrCreateCounter(fmt.Sprintf(`wary_ceremony_checks_total{method=%q,result=%q}`, method, result)).Inc()
}
