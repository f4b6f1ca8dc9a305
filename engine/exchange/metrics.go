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

	replicaFolded   = metrics.NewCounter(`wary_replica_folded_total`)
	replicaKnown    = metrics.NewCounter(`wary_replica_known_total`)
	replicaRefused  = metrics.NewCounter(`wary_replica_refused_total`)
	replicaGaps     = metrics.NewCounter(`wary_replica_gaps_total`)
	replicaNewLogs  = metrics.NewCounter(`wary_replica_new_logs_total`)
	replicaOthers   = metrics.NewCounter(`wary_replica_number_taken_total`)
	replicaFailures = metrics.NewCounter(`wary_replica_failures_total`)
	replicaLag      = metrics.NewGauge(`wary_replica_lag_messages`, nil)

	takenTotal    = metrics.NewCounter(`wary_inbox_taken_total`)
	othersTotal   = metrics.NewCounter(`wary_inbox_others_total`)
	inboxDead     = metrics.NewCounter(`wary_inbox_dead_total`)
	inboxFailures = metrics.NewCounter(`wary_inbox_failures_total`)
	rebalances    = metrics.NewCounter(`wary_inbox_generations_total`)
)
