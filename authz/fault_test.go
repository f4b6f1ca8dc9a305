package authz

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/waryauth/wary/engine"
)

// TestHowTheEngineFailed: each fault is told by its row of the policy's table.
func TestHowTheEngineFailed(t *testing.T) {
	for want, causes := range map[engine.Fault][]error{
		engine.FaultError:   {errors.New("broken"), errPanic, fmt.Errorf("ask the engine: %w", engine.ErrJournal)},
		engine.FaultSlow:    {errSlow, context.Canceled, fmt.Errorf("asked: %w", context.DeadlineExceeded)},
		engine.FaultGarbage: {errGarbage},
		engine.FaultBusy:    {errBusy},
	} {
		for _, cause := range causes {
			if got := faultOf(cause); got != want {
				t.Errorf("%v: %s, want %s", cause, engine.FaultNames[got], engine.FaultNames[want])
			}
		}
	}
	full := &Authority{asking: make(chan struct{})} // has no room for a question
	if err := full.ask(t.Context(), &engine.Assessment{}); !errors.Is(err, errBusy) {
		t.Errorf("too many questions: %v", err)
	}
}

// TestTokensDoNotTellOfFaults: what is allowed under a fault is named as if a decision had
// allowed it, each anew; its name leads to no decision.
func TestTokensDoNotTellOfFaults(t *testing.T) {
	policy := engine.DefaultPolicy()
	a := &Authority{o: Options{ACRs: []string{"weak", "strong"}, Policy: func() *engine.Policy { return policy }, Now: time.Now, Log: slog.New(slog.NewTextHandler(io.Discard, nil))}}
	seen := map[string]bool{}
	for range 10 {
		v := a.unanswered(&question{stage: Refreshed, client: &Client{ID: "c"}, subject: "s", scopes: []string{"accounts"}}, errSlow)
		if v.outcome != engine.Allow || v.decision != "" || v.approval.level != engine.High || v.approval.life != time.Minute {
			t.Fatalf("%+v", v)
		}
		serial := v.approval.serial()
		if seen[serial] || len(serial) != 16 || strings.Contains(serial, "fault") {
			t.Errorf("serial %q", serial)
		}
		seen[serial] = true
	}
	if got := (&Approval{decision: "d-1"}).serial(); got != "d-1" { // the control
		t.Errorf("serial %q of a decision", got)
	}
}
