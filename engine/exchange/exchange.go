// Package exchange answers: how do facts get to others, and others' words to us?
//
// An [Outbox] publishes the log to Kafka: it reads the log on disk from a place that
// is kept in a file, and moves the place only past what the brokers have
// acknowledged. Every fact is published at least once, facts of one key in the log's
// order; a reader that drops event ids it has seen gets each once. An [Inbox] takes
// feedback that arrives over Kafka, from offsets that it keeps itself. A [Replica]
// folds what other scorers have seen into this one's state. [Init] makes the topics,
// [Lag] says how far readers are behind.
//
// The score path knows nothing of this: it appends to the log, and an outbox is a
// goroutine that reads. A broker that is wrong or away makes the backlog on disk
// grow, nothing else; the memory of an outbox is that of one batch.
//
// Messages are CloudEvents 1.0 in binary mode: attributes in ce_ headers, a JSON
// document as the value, whose JSON Schema is in docs/schemas.
package exchange

// Topics. What is written to Told is meant for us; the others are ours to write.
const (
	Decisions = "wary.decisions" // decisions with the vector as scored; key: the user, or the client
	Feedback  = "wary.feedback"  // outcomes and labels as they were joined; key: the user of the decision
	Changes   = "wary.changes"   // events, and changes of policy, models and typing table; key: who it is about
	Dead      = "wary.dead"      // what could not be published, or not be taken, with the reason
	Told      = "wary.told"      // documents of POST /v1/feedback, written by others
	State     = "wary.state"     // what facts do to state, in binary, for the other scorers; key: the node
)

// prefix is what the names of topics begin with where [Settings].Prefix says nothing
// else.
const prefix = "wary"

// maxValue bounds a message's value, in bytes, and all messages of one batch, so that
// the batch of a partition stays below a broker's default message.max.bytes.
const maxValue = 900 << 10
