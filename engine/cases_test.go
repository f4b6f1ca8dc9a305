package engine

import (
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/waryauth/wary/features"
	"github.com/waryauth/wary/internal/journal"
	"github.com/waryauth/wary/signals"
)

// TestCase: what is put to other models is what was scored, with the policy of its
// time; and what was said of it comes as it was said.
func TestCase(t *testing.T) {
	dir := t.TempDir()
	e := open(t, dir, serving(calm(t), nil))
	var scored []*Assessment
	for i := range 6 {
		if i == 3 {
			force(t, e, "[{name: all, verdict: deny, subjects: [anna]}]")
		}
		a := home(fmt.Sprint("a-", i), testStart.Add(time.Duration(i)*time.Hour))
		a.Action = [...]signals.Action{signals.Login, signals.Payment, signals.Authorize}[i%3]
		scored = append(scored, score(t, e, a))
	}
	said := []signals.Feedback{
		{ID: "f-1", DecisionID: scored[1].Decision.ID.String(), Kind: signals.Label, Value: signals.Fraud, Source: signals.Customer, Time: testStart.Add(3 * time.Hour), Note: "family:mule"},
		{ID: "f-2", AttemptID: "a-2", Kind: signals.Outcome, Value: signals.StepUpPassed, Source: signals.System, Time: testStart.Add(4 * time.Hour)},
	}
	when := testStart.Add(48 * time.Hour) // long after the retry window
	for i := range said {
		if err := e.Feedback(&said[i], when); err != nil {
			t.Fatal(err)
		}
	}
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	var told []Told
	i := 0
	r := NewReplayer(nil)
	for rec, err := range journal.Records(filepath.Join(dir, JournalFolder), journal.Address{}) {
		if err != nil {
			t.Fatal(err)
		}
		if got, ok, err := ReadTold(rec); err != nil {
			t.Fatal(err)
		} else if ok {
			told = append(told, *got)
		}
		c, err := r.Case(rec)
		if err != nil {
			t.Fatal(err)
		}
		if c == nil {
			continue
		}
		x := scored[i]
		if c.At != x.Decision.ID.At || fmt.Sprint(*c.Vector) != fmt.Sprint(x.Vector) || c.Action != x.Attempt.Action || c.Policy.Digest != x.Decision.PolicyDigest {
			t.Errorf("case %d is not what was scored: %+v", i, c)
		}
		if c.User == 0 || c.User != x.Trace.User || c.Result != signals.Success || c.Attempt != e.hasher.Key(features.KindAttempt, x.Attempt.ID) {
			t.Errorf("case %d: user %d, result %d, attempt %d", i, c.User, c.Result, c.Attempt)
		}
		if got := c.Outcome(c.Policy, x.Prediction.Probability); got != x.Decision.Outcome {
			t.Errorf("case %d: %v by the model that decided, it was %v", i, got, x.Decision.Outcome)
		}
		if got := c.Outcome(c.Policy, 0.999); got != Deny {
			t.Errorf("case %d: %v for a certain fraud", i, got)
		}
		i++
	}
	if i != len(scored) {
		t.Errorf("%d cases", i)
	}
	want := []Told{
		{Decision: scored[1].Decision.ID.At, Named: scored[1].Decision.ID, Kind: signals.Label, Value: signals.Fraud, Source: signals.Customer, Note: "family:mule"},
		{Attempt: e.hasher.Key(features.KindAttempt, "a-2"), Kind: signals.Outcome, Value: signals.StepUpPassed, Source: signals.System},
	}
	if len(told) != len(want) {
		t.Fatalf("%d facts of feedback, want %d", len(told), len(want))
	}
	for n, got := range told {
		w := want[n]
		w.ID, w.Time, w.Logged = e.hasher.Key(features.KindFeedback, said[n].ID), got.Time, got.Logged
		if got != w || !got.Time.Equal(said[n].Time) || !got.Logged.Equal(when) {
			t.Errorf("feedback %d: %+v, want %+v", n, got, w)
		}
	}
}

// TestCaseOfAnotherSchema is none.
func TestCaseOfAnotherSchema(t *testing.T) {
	dir := t.TempDir()
	e := open(t, dir, serving(calm(t), nil))
	defer e.Close()
	x := score(t, e, home("a", testStart))
	old := &Assessment{}
	if err := old.readDecision(x.buf); err != nil {
		t.Fatal(err)
	}
	r := NewReplayer(nil)
	for rec, err := range journal.Records(filepath.Join(dir, JournalFolder), journal.Address{}) {
		if err != nil {
			t.Fatal(err)
		}
		c, err := r.Case(rec)
		if err != nil || (c != nil) != (rec.Kind == KindDecision) {
			t.Errorf("a case of kind %d: %v, %v", rec.Kind, c, err)
		}
		if rec.Kind == KindDecision {
			old.fact.schema[0] ^= 1
			rec.Payload = old.appendDecision(nil)
			if c, err := r.Case(rec); c != nil || err != nil {
				t.Errorf("a case of another schema: %v, %v", c, err)
			}
		}
	}
}
