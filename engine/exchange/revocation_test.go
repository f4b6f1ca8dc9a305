package exchange

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"

	"github.com/waryauth/wary/engine"
	"github.com/waryauth/wary/signals"
)

// TestRevocationsAreHandedOn: by its type a message is a revocation; what can never be
// taken is buried, what cannot be taken now is waited for, and feedback stays feedback.
func TestRevocationsAreHandedOn(t *testing.T) {
	var revoked, told []string
	var answer error
	o := InboxOptions{
		Path: placeFile(t),
		Decode: func(_ *signals.Feedback, text []byte) error {
			told = append(told, string(text))
			return errors.New("no feedback")
		},
		Take:   func(*signals.Feedback, time.Time) error { return nil },
		Revoke: func(_ context.Context, text []byte) error { revoked = append(revoked, string(text)); return answer },
	}
	inbox := func() *Inbox {
		t.Helper()
		i, err := NewInbox(Settings{Brokers: []string{"localhost:9092"}}, o)
		if err != nil {
			t.Fatal(err)
		}
		return i
	}
	m := &kafka.Message{Value: []byte("{}"), Headers: []kafka.Header{{Key: "ce_specversion", Value: []byte("1.0")}, {Key: "ce_type", Value: []byte("io.github.waryauth.revocation.v1")}}}
	var bad poison
	if err := inbox().apply(t.Context(), m); err != nil || len(revoked) != 1 || revoked[0] != "{}" || len(told) != 0 {
		t.Errorf("%v; revoked %q, told %q", err, revoked, told)
	}
	answer = &engine.InputError{Detail: "is no revocation"}
	if err := inbox().apply(t.Context(), m); !errors.As(err, &bad) {
		t.Errorf("%v, want it buried", err)
	}
	answer = errors.New("the store is away")
	if err := inbox().apply(t.Context(), m); err == nil || errors.As(err, &bad) {
		t.Errorf("%v, want it tried again", err)
	}
	if err := inbox().apply(t.Context(), &kafka.Message{Value: []byte("{}")}); !errors.As(err, &bad) || len(told) != 1 || len(revoked) != 3 {
		t.Errorf("%v; revoked %q, told %q", err, revoked, told)
	}
	o.Revoke = nil
	if err := inbox().apply(t.Context(), m); !errors.As(err, &bad) {
		t.Errorf("%v where nothing is granted, want it buried", err)
	}
}
