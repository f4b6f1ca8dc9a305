package engine

import (
	"fmt"
	"testing"
	"time"

	"github.com/waryauth/wary/signals"
)

// TestCases: what is put to other models is what was scored, with the policy of its
// time and the label that stands.
func TestCases(t *testing.T) {
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
	n := 0
	say := func(i int, byAttempt bool, v signals.FeedbackValue, s signals.Source, at time.Duration) {
		t.Helper()
		n++
		f := signals.Feedback{ID: fmt.Sprint("f-", n), Kind: v.Kind(), Value: v, Source: s, Time: testStart.Add(at)}
		if f.DecisionID = scored[i].Decision.ID.String(); byAttempt {
			f.DecisionID, f.AttemptID = "", scored[i].Attempt.ID
		}
		if err := e.Feedback(&f, testStart.Add(48*time.Hour)); err != nil { // long after the retry window
			t.Fatal(err)
		}
	}
	say(0, false, signals.OutcomeSuccess, signals.System, 0) // no label
	say(1, false, signals.Fraud, signals.Customer, 3*time.Hour)
	say(1, false, signals.Legitimate, signals.Analyst, 2*time.Hour) // earlier, and more trusted
	say(1, false, signals.Fraud, signals.System, 9*time.Hour)
	say(2, false, signals.Legitimate, signals.Issuer, 2*time.Hour)
	say(2, false, signals.Fraud, signals.Issuer, 3*time.Hour) // the later of two alike
	say(2, false, signals.Legitimate, signals.Issuer, 1*time.Hour)
	say(3, true, signals.Fraud, signals.Chargeback, 0) // by attempt
	say(4, true, signals.Fraud, signals.Chargeback, 0)
	say(4, false, signals.Legitimate, signals.Analyst, 0)
	want := [6]signals.FeedbackValue{0, signals.Legitimate, signals.Fraud, signals.Fraud, signals.Legitimate, 0}
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	i, skipped := 0, 0
	for c, err := range Cases(dir, &skipped) {
		if err != nil {
			t.Fatal(err)
		}
		x := scored[i]
		if c.At != x.Decision.ID.At || fmt.Sprint(*c.Vector) != fmt.Sprint(x.Vector) || c.Action != x.Attempt.Action || c.Policy.Digest != x.Decision.PolicyDigest {
			t.Errorf("case %d is not what was scored: %+v", i, c)
		}
		if c.Label != want[i] {
			t.Errorf("case %d: label %v, want %v", i, c.Label, want[i])
		}
		if c.User == 0 || c.User != x.Trace.User || c.Result != signals.Success {
			t.Errorf("case %d: user %d, result %d", i, c.User, c.Result)
		}
		if got := c.Outcome(c.Policy, x.Prediction.Probability); got != x.Decision.Outcome {
			t.Errorf("case %d: %v by the model that decided, it was %v", i, got, x.Decision.Outcome)
		}
		if got := c.Outcome(c.Policy, 0.999); got != Deny {
			t.Errorf("case %d: %v for a certain fraud", i, got)
		}
		i++
	}
	if i != len(scored) || skipped != 0 {
		t.Errorf("%d cases, %d skipped", i, skipped)
	}
}

// TestCasesOfNoLog is an error, not a log without cases.
func TestCasesOfNoLog(t *testing.T) {
	skipped, n := 0, 0
	for c, err := range Cases(t.TempDir(), &skipped) {
		if n++; err == nil || c != nil {
			t.Errorf("%v, %v", c, err)
		}
	}
	if n != 1 {
		t.Errorf("the error comes %d times", n)
	}
}

// TestCasesOfAnotherSchema are passed over and counted.
func TestCasesOfAnotherSchema(t *testing.T) {
	dir := t.TempDir()
	e := open(t, dir, serving(calm(t), nil))
	x := score(t, e, home("a", testStart))
	old := &Assessment{}
	if err := old.readDecision(x.buf); err != nil {
		t.Fatal(err)
	}
	old.fact.schema[0] ^= 1
	if _, err := e.log.Append(KindDecision, testStart, old.appendDecision(nil)); err != nil {
		t.Fatal(err)
	}
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	skipped, n := 0, 0
	for _, err := range Cases(dir, &skipped) {
		if n++; err != nil {
			t.Error(err)
		}
	}
	if n != 1 || skipped != 1 {
		t.Errorf("%d cases, %d skipped, want 1 and 1", n, skipped)
	}
}
