package exchange

import "github.com/VictoriaMetrics/metrics"

var (
	publishedTotal = metrics.NewCounter(`wary_outbox_published_total`)
	outboxDead     = metrics.NewCounter(`wary_outbox_dead_total`)
	outboxFailures = metrics.NewCounter(`wary_outbox_failures_total`)
	outboxGaps     = metrics.NewCounter(`wary_outbox_gaps_total`)
	outboxUnkept   = metrics.NewCounter(`wary_outbox_place_failures_total`)
	backlogBytes   = metrics.NewGauge(`wary_outbox_backlog_bytes`, nil)
	lagSeconds     = metrics.NewGauge(`wary_outbox_lag_seconds`, nil)

	takenTotal    = metrics.NewCounter(`wary_inbox_taken_total`)
	othersTotal   = metrics.NewCounter(`wary_inbox_others_total`)
	inboxDead     = metrics.NewCounter(`wary_inbox_dead_total`)
	inboxFailures = metrics.NewCounter(`wary_inbox_failures_total`)
	rebalances    = metrics.NewCounter(`wary_inbox_generations_total`)
)
