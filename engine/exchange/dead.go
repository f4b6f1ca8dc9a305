package exchange

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"time"

	"github.com/segmentio/kafka-go"
)

// deadJSON says what could not go on and why.
type deadJSON struct {
	Node   uint16    `json:"node"`
	Time   time.Time `json:"time"`
	Reason string    `json:"reason"`
	ID     string    `json:"id,omitempty"`    // of the event
	Topic  string    `json:"topic,omitempty"` // for which it was, or from which it came
	Place  string    `json:"place"`           // in our log (segment:offset), or in the topic (partition:offset)
	Bytes  int       `json:"bytes"`           // of its value
	Value  []byte    `json:"value,omitempty"` // of what came to us, the beginning
}

// maxDeadValue is how much of a poison message's value is kept with it, in bytes.
const maxDeadValue = 64 << 10

// deadMessage returns the message for the topic of the dead. Its event id follows from
// what died, so that it too may be published twice and be counted once.
func deadMessage(d *deadJSON, node uint16, key []byte) kafka.Message {
	d.Node = node
	if len(d.Reason) > 1000 {
		d.Reason = d.Reason[:1000]
	}
	value, err := json.Marshal(d)
	if err != nil {
		panic(err) // strings, numbers and bytes have a JSON form
	}
	name := sha256.Sum256(fmt.Appendf(nil, "%s %s %s %d", d.ID, d.Topic, d.Place, node))
	return kafka.Message{Topic: Dead, Key: key, Value: value, Headers: headersOf(deadType, hex.AppendEncode(nil, name[:16]), node, d.Time.UTC().AppendFormat(nil, time.RFC3339Nano))}
}
