package main

import (
	"bytes"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/waryauth/wary/bench/population"
	"github.com/waryauth/wary/engine"
	"github.com/waryauth/wary/engine/feedback"
	"github.com/waryauth/wary/models"
	"github.com/waryauth/wary/signals"
)

// TestWorld: the new attack does not come before its day, labels come when they are
// due and of what was let in alone, and who was stopped does not come back.
func TestWorld(t *testing.T) {
	own, err := models.Baseline()
	if err != nil {
		t.Fatal(err)
	}
	o := &plan{seed: 3, users: 400, history: 1, days: 20, family: population.Targeted}
	campaigns := rates(o.family)
	campaigns[o.family] *= 10
	campaigns[population.Stuffing], campaigns[population.Spraying] = 0, 0 // thousands of guesses
	sim := population.New(population.Options{Seed: o.seed, Users: o.users, Days: o.history + o.days, Campaigns: campaigns})
	o.start = sim.Options().Start.AddDate(0, 0, o.history)
	data := filepath.Join(t.TempDir(), "data")
	e, err := engine.Open(data, engine.Options{Secret: [32]byte{1}, Locator: sim.Options().World.Locator, Model: own})
	if err != nil {
		t.Fatal(err)
	}
	w := &world{plan: o, engine: e, x: &engine.Assessment{}, stopped: map[entrance]bool{}, entered: map[entrance]bool{}}
	before := 0
	for l := range sim.Attempts() {
		if l.Family == o.family && l.Attempt.Time.Before(o.start.AddDate(0, 0, begins)) {
			before++
		}
		if err := w.meet(&l); err != nil {
			t.Fatal(err)
		}
	}
	if before == 0 {
		t.Fatal("the simulation has none before its day: the test shows nothing")
	}
	entries, stopped := 0, 0
	for _, x := range w.seen {
		if x.family != o.family {
			continue
		}
		entries++
		stopped += index(x.challenged)
		if x.at.Before(o.start.AddDate(0, 0, begins)) {
			t.Fatalf("%s on %s", x.family, x.at)
		}
	}
	if entries == 0 || stopped == 0 || len(w.stopped) == 0 {
		t.Fatalf("%d entries, %d challenged, %d stopped", entries, stopped, len(w.stopped))
	}
	if err := w.label(sim.Options().Start.AddDate(1, 0, 0)); err != nil || len(w.due) != 0 {
		t.Fatal(len(w.due), err)
	}
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	named := 0
	for r, err := range feedback.Window(data, time.Time{}, time.Time{}, feedback.WindowOptions{}) {
		if err != nil {
			t.Fatal(err)
		}
		if r.Label != signals.Fraud || r.Source != signals.Chargeback {
			continue
		}
		named++
		if r.Family == "" || !r.Said.After(r.Logged) || r.Decision.Outcome == engine.Deny {
			t.Errorf("%s decided %s, named %s as %q", r.Logged, engine.OutcomeNames[r.Decision.Outcome], r.Said, r.Family)
		}
	}
	if named == 0 || named != w.told {
		t.Errorf("%d labels in the log, %d were told", named, w.told)
	}
}

// TestWatchingPolicy: nobody is challenged for what a model says.
func TestWatchingPolicy(t *testing.T) {
	p, err := engine.ParsePolicy(watchingPolicy())
	if err != nil {
		t.Fatal(err)
	}
	c := engine.Case{Action: signals.Login}
	if c.Outcome(p, 0.99) != engine.Allow || c.Outcome(engine.DefaultPolicy(), 0.99) != engine.Deny {
		t.Error("a policy that only watches denies, or the default one does not")
	}
}

func TestAtShare(t *testing.T) {
	f := func(scores []float64, share, want float64) {
		t.Helper()
		if got := atShare(scores, share); got != want {
			t.Errorf("%v at %v: %v, want %v", scores, share, got, want)
		}
	}
	f([]float64{5, 1, 4, 2, 3}, 0.4, 4)
	f([]float64{5, 1, 4, 2, 3}, 0.1, math.Inf(1))
	f([]float64{1, 1, 2, 2, 3}, 0.4, 3) // both of the equal ones, or none
	f(nil, 0.5, math.Inf(1))
}

// TestOutcome: what counts is the champion of the time, and the goals are held to.
func TestOutcome(t *testing.T) {
	reignOf := func(day, fresh, other float64) reign {
		r := reign{day: day}
		r.exam.caught[population.ConsentPhish], r.exam.caught[population.Malware], r.exam.caught[population.Stuffing] = fresh, other, 0
		r.exam.entries[population.ConsentPhish], r.exam.entries[population.Malware], r.exam.entries[population.Stuffing] = 500, 500, 20
		return r
	}
	f := func(want bool, days, lost float64, reigns ...reign) {
		t.Helper()
		s := &story{plan: &plan{family: population.ConsentPhish, days: 35}, first: 16, reigns: reigns}
		o := s.outcome()
		if o.ok() != want || !(o.days == days || math.IsNaN(o.days) && math.IsNaN(days)) || math.Abs(o.lost-lost) > 1e-12 {
			t.Errorf("%+v, ok %v, want %v, %v days, %v lost", o, o.ok(), want, days, lost)
		}
	}
	f(true, 8, 0.01, reignOf(0, 0.1, 0.7), reignOf(8, 0, 0.71), reignOf(24, 0.9, 0.7))
	f(false, 8, 0.03, reignOf(0, 0.1, 0.7), reignOf(24, 0.9, 0.67))
	f(false, 15, -0.01, reignOf(0, 0.1, 0.7), reignOf(31, 0.9, 0.71))
	f(false, math.NaN(), 0, reignOf(0, 0.1, 0.7), reignOf(20, 0.79, 0.7))
	f(false, 4, 0, reignOf(0, 0.1, 0.7), reignOf(20, 0.9, 0.7), reignOf(30, 0.5, 0.7)) // and back again
}

// TestPage: tables and page tell the same, and texts are escaped.
func TestPage(t *testing.T) {
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	r := reign{day: 0}
	r.exam.caught[population.ConsentPhish], r.exam.entries[population.ConsentPhish] = 0.875, 8
	s := &story{plan: &plan{family: population.ConsentPhish, days: 21, users: 10, start: start}, first: 15, reigns: []reign{r},
		events: []event{{2, "<b>refused</b>"}},
		seen: []judged{{start, population.Ordinary, 0, false}, {start.Add(day), population.Ordinary, 0, true}, {start.Add(15 * day), population.ConsentPhish, 0, true},
			{start.Add(16 * day), population.ConsentPhish, 0, false}, {start.Add(-day), population.Ordinary, 0, true}}}
	var out bytes.Buffer
	path := filepath.Join(t.TempDir(), "a", "page.html")
	if err := s.print(&out); err != nil {
		t.Fatal(err)
	}
	if err := s.writePage(path); err != nil {
		t.Fatal(err)
	}
	page, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"87.5 %", "50.0 %", "consent_phishing (new)"} {
		if !strings.Contains(out.String(), want) || !strings.Contains(string(page), want) {
			t.Errorf("%q is missing in\n%s", want, out.String())
		}
	}
	if strings.Contains(string(page), "<b>refused") || strings.Contains(string(page), "NaN") || strings.Count(string(page), "<svg") != 2 {
		t.Error("the page holds what it should not")
	}
}
