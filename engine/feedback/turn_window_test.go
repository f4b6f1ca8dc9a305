package feedback

import (
	"fmt"
	"iter"
	"slices"
	"testing"
	"time"

	"github.com/waryauth/wary/engine"
	"github.com/waryauth/wary/features"
	"github.com/waryauth/wary/signals"
)

// TestWhatIsKnown: each kind of attempt is grown from, calibrated by and judged by with
// the weight that docs/loop.md says. Labels take 1, 2, 2, 3 and 4 days in this log.
func TestWhatIsKnown(t *testing.T) {
	const day = 24 * time.Hour
	attempt := func(age time.Duration, label signals.FeedbackValue, by signals.Source, outcome engine.Outcome, result signals.Result, weight float32) *Row {
		r := &Row{Label: label, Source: by, Weight: weight}
		if label != 0 {
			r.Said = turnNow.Add(-age)
		}
		r.Case = engine.Case{Vector: &features.Vector{}, Logged: turnNow.Add(-age), Action: signals.Login, User: 1, Result: result,
			Decision: &engine.Decision{Outcome: outcome}, Shadow: &engine.Shadow{}}
		return r
	}
	var log []*Row
	for days := range 4 { // what the delays are learnt from
		r := attempt(30*day, signals.Fraud, signals.Chargeback, engine.Allow, signals.Success, 1)
		r.Said = r.Logged.Add(time.Duration(days+1) * day)
		log = append(log, r)
	}
	log = append(log,
		attempt(29*day, signals.Fraud, signals.Challenge, engine.StepUp, signals.Success, 0.25),
		attempt(28*day, signals.Legitimate, signals.Challenge, engine.StepUp, signals.Success, 0.25),
		attempt(27*day, 0, 0, engine.Allow, signals.Success, 1),
		attempt(26*day, 0, 0, engine.Deny, signals.Success, 1),
		attempt(25*day, 0, 0, engine.StepUp, signals.Success, 1),
		attempt(24*day, 0, 0, engine.Allow, signals.Failure, 1),
		attempt(23*day, signals.Fraud, signals.Analyst, engine.Allow, signals.Failure, 1),
		// The newest days judge.
		attempt(60*time.Hour, signals.Fraud, signals.Challenge, engine.StepUp, signals.Success, 0.25),
		attempt(60*time.Hour, 0, 0, engine.Allow, signals.Success, 1),  // three of five labels have come
		attempt(60*time.Hour, 0, 0, engine.StepUp, signals.Success, 1), // nobody knows
		attempt(60*time.Hour, 0, 0, engine.Deny, signals.Success, 1),   // nor here
		attempt(60*time.Hour, 0, 0, engine.Allow, signals.Failure, 1),  // hurt nobody
		attempt(12*time.Hour, 0, 0, engine.Allow, signals.Success, 1),  // no label has come so fast
		attempt(12*time.Hour, signals.Legitimate, signals.Analyst, engine.Allow, signals.Success, 1),
	)
	named := log[10] // by the analyst, after two days
	named.Said = named.Logged.Add(2 * day)
	late := attempt(59*time.Hour, signals.Fraud, signals.Chargeback, engine.Allow, signals.Success, 1)
	late.Said = turnNow.Add(time.Hour) // after the window's end
	log = append(log, late)
	x := &Turn{Now: turnNow, Rows: func(from, to time.Time) iter.Seq2[*Row, error] {
		return func(yield func(*Row, error) bool) {
			for _, r := range log {
				if !yield(r, nil) {
					return
				}
			}
		}
	}}
	x.defaults()
	w, err := x.read(t.Context(), &Verdict{From: turnNow.Add(-90 * day), To: turnNow})
	if err != nil {
		t.Fatal(err)
	}
	var grown, tried []string
	for i, y := range w.slices.Training.Y {
		grown = append(grown, fmt.Sprintf("%v*%.3g", y, w.slices.Training.Weight[i]))
	}
	for _, r := range w.trial.rows {
		tried = append(tried, fmt.Sprintf("%d*%.3g of %.3g", index(r.fraud), r.weight, r.stands))
	}
	if want := []string{"1*3", "1*3", "1*3", "1*3", "1*0.75", "0*0.25", "0*1", "1*0.5", "1*0.3"}; !slices.Equal(grown, want) {
		t.Errorf("grown from %v, want %v", grown, want)
	}
	if want := []string{"1*0.25 of 1", "0*1 of 1", "0*0 of 1", "0*0 of 1", "0*0 of 1", "0*1 of 1", "0*1 of 1"}; !slices.Equal(tried, want) {
		t.Errorf("judged by %v, want %v", tried, want)
	}

	// Fraud that was let in counts for what is not named yet.
	log[len(log)-1].Said = turnNow.Add(-time.Minute)
	w, err = x.read(t.Context(), &Verdict{From: turnNow.Add(-90 * day), To: turnNow})
	if err != nil {
		t.Fatal(err)
	}
	// Its own delay is among the log's now: 1, 2, 2, 2.5, 3 and 4 days, of which 4 have come.
	if r := w.trial.rows[len(w.trial.rows)-1]; !r.fraud || r.weight != 1.5 {
		t.Errorf("%v, weight %v", r.fraud, r.weight)
	}
}

// TestShareOfFraud: what was stopped counts among the fraud of the days that calibrate.
func TestShareOfFraud(t *testing.T) {
	x := turnIn(t.TempDir(), nil)
	x.defaults()
	all := x.Rows
	x.Rows = func(from, to time.Time) iter.Seq2[*Row, error] {
		return func(yield func(*Row, error) bool) {
			n := 0
			for r, err := range all(from, to) {
				if n++; n%10 == 0 {
					r.Label, r.Decision.Outcome = 0, engine.Deny
				}
				if !yield(r, err) {
					return
				}
			}
		}
	}
	w, err := x.read(t.Context(), &Verdict{From: turnNow.Add(-90 * 24 * time.Hour), To: turnNow})
	if err != nil {
		t.Fatal(err)
	}
	if w.slices.Share < 0.1 || w.slices.Share > 0.13 { // a tenth denied, and one in 48 named
		t.Errorf("a share of %v", w.slices.Share)
	}
}
