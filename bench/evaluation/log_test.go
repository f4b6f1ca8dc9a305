package evaluation

import (
	"strings"
	"testing"
	"time"

	"github.com/waryauth/wary/bench/population"
	"github.com/waryauth/wary/engine"
	"github.com/waryauth/wary/engine/feedback"
	"github.com/waryauth/wary/features"
	"github.com/waryauth/wary/models"
	"github.com/waryauth/wary/models/modeltest"
	"github.com/waryauth/wary/signals"
)

// lived scores the attempts of a small simulation with an engine, and labels its
// takeovers. It returns the data folder, how many takeovers there are, and how many
// honest successes five days before the end.
func lived(t *testing.T, m *models.Model) (dir string, frauds, settled int) {
	t.Helper()
	dir = t.TempDir()
	campaigns := population.DefaultCampaigns
	for f := range campaigns {
		campaigns[f] *= 30
	}
	campaigns[population.Stuffing], campaigns[population.Spraying] = 0, 0 // thousands of guesses
	sim := population.New(population.Options{Seed: 9, Users: 120, Days: 10, Campaigns: &campaigns})
	o := sim.Options()
	now := o.Start
	e, err := engine.Open(dir, engine.Options{Secret: [32]byte{1}, Locator: o.World.Locator, Model: m, Now: func() time.Time { return now }})
	if err != nil {
		t.Fatal(err)
	}
	var x engine.Assessment
	var honest []time.Time
	for l := range sim.Attempts() {
		now = l.Attempt.Time
		x = engine.Assessment{Attempt: l.Attempt, Body: []byte(l.Attempt.ID)}
		if err := e.Score(&x, now); err != nil {
			t.Fatal(err)
		}
		if l.Attempt.Authentication.Result == signals.Success && !l.Takeover {
			honest = append(honest, now)
		}
		if !l.Takeover {
			continue
		}
		frauds++
		said := signals.Feedback{ID: "case-" + l.Attempt.ID, DecisionID: x.Decision.ID.String(), Kind: signals.Label, Value: signals.Fraud, Source: signals.Chargeback, Time: now}
		if err := e.Feedback(&said, now); err != nil {
			t.Fatal(err)
		}
	}
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	for _, at := range honest {
		if now.Sub(at) > 5*24*time.Hour {
			settled++
		}
	}
	return dir, frauds, settled
}

// A daemon's log is judged by its labels; what nobody complained of is legitimate
// once it is old enough.
func TestLog(t *testing.T) {
	m, err := models.Load(modeltest.Stump("stump", features.NetASNNewForUser, 0.5, -6, 1))
	if err != nil {
		t.Fatal(err)
	}
	dir, frauds, settled := lived(t, m)
	calls := 0
	r, err := Log(t.Context(), dir, 5*24*time.Hour, m, func() { calls++ })
	if err != nil {
		t.Fatal(err)
	}
	if r.Counts != [2]int{settled, frauds} || frauds < 2*fewestFrauds || calls < settled+frauds {
		t.Errorf("%v judged, want %d and %d; %d decisions", r.Counts, settled, frauds, calls)
	}
	if r.Model != "stump" || len(r.Scores) != 4 || r.Reliability == nil || r.Prior != r.Observed {
		t.Errorf("%s: %d scores, prior %g of %g", r.Model, len(r.Scores), r.Prior, r.Observed)
	}
	if stump, logistic := r.Scores[0].AUC.Value, r.Scores[3].AUC.Value; logistic < stump+0.1 || logistic > 1 {
		t.Errorf("a logistic regression over everything has AUC %.3f, the stump %.3f", logistic, stump)
	}
	if _, err := Log(t.Context(), dir, 0, m, nil); err == nil || !strings.Contains(err.Error(), "both are needed") {
		t.Errorf("no attempt is known to be legitimate: %v", err)
	}
}

// Of more attempts than fit, fraud is kept whole and the others stand for more.
func TestLoggedIsThinned(t *testing.T) {
	const most = 2000
	l := logged{most: most, stride: 1}
	var v features.Vector
	n, frauds := most*2+most/2, 0
	for i := range n {
		c := feedback.Row{Case: engine.Case{Vector: &v, Logged: time.Unix(int64(i), 0), User: features.Key(i + 1), Result: signals.Success}}
		if i%100 == 0 {
			frauds++
			c.Label = signals.Fraud
		}
		l.take(&c)
	}
	rows := l.settle(time.Nanosecond)
	kept := len(rows) - l.said[signals.Fraud]
	if l.said[signals.Fraud] != frauds || len(l.kept) > most {
		t.Errorf("%d of %d frauds kept, %d rows", l.said[signals.Fraud], frauds, len(l.kept))
	}
	if stands := kept * l.stride; l.stride != 4 || stands < n-frauds-most/10 || stands > n-frauds+most/10 {
		t.Errorf("%d kept stand for %d each: %d, there were %d", kept, l.stride, stands, n-frauds)
	}
}
