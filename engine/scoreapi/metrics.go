package scoreapi

import "github.com/VictoriaMetrics/metrics"

var (
	requestBounds = [...]float64{4e-6, 8e-6, 16e-6, 24e-6, 32e-6, 48e-6, 64e-6, 96e-6, 128e-6, 256e-6, 512e-6, 1e-3, 2e-3, 4e-3, 16e-3, 64e-3, .25, 1, 5}

	requestSeconds = metrics.NewPrometheusHistogramExt("wary_request_seconds", requestBounds[:])

	unknownFieldsTotal = metrics.NewCounter("wary_unknown_fields_total")
	panicsTotal        = metrics.NewCounter("wary_panics_total")

	answers2xx = metrics.NewCounter(`wary_answers_total{class="2xx"}`)
	answers4xx = metrics.NewCounter(`wary_answers_total{class="4xx"}`)
	answers5xx = metrics.NewCounter(`wary_answers_total{class="5xx"}`)
)

// answered counts an answer by the class of its status.
func answered(status int) {
	switch {
	case status < 400:
		answers2xx.Inc()
	case status < 500:
		answers4xx.Inc()
	default:
		answers5xx.Inc()
	}
}
