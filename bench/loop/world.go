package main

import (
	"container/heap"
	"fmt"
	"time"

	"github.com/waryauth/wary/bench/population"
	"github.com/waryauth/wary/engine"
	"github.com/waryauth/wary/signals"
)

// begins is the day, from the first week on, on which the new attack begins: the first
// of the third week.
const begins = 14

// rates are the campaigns a day at 10,000 people: so many more than by default that some
// thousand people meet enough of each.
func rates(of population.Family) *[population.FamilyCount]float64 {
	all := population.DefaultCampaigns
	for f := range all {
		all[f] *= 2.5
	}
	all[of] *= 1.5
	return &all
}

// world feeds attempts to an engine and brings labels back when they are due.
type world struct {
	*plan
	engine  *engine.Engine
	x       *engine.Assessment
	due     labels
	told    int // labels
	stopped map[entrance]bool
	entered map[entrance]bool
	seen    []judged
	first   time.Time // of the first label of the new family
}

// entrance is a campaign's way into an account.
type entrance struct{ campaign, user int }

// judged is an attempt that the deployment's own figures are about: an honest success
// with the person present, or the first success of a campaign on an account.
type judged struct {
	at          time.Time
	family      population.Family
	probability float64
	challenged  bool
}

// dueLabel is a label that somebody will give.
type dueLabel struct {
	at time.Time
	n  int
	f  signals.Feedback
	of population.Family
}

// labels is a heap, the next one due first.
type labels []dueLabel

func (l labels) Len() int { return len(l) }
func (l labels) Less(i, j int) bool {
	if !l[i].at.Equal(l[j].at) {
		return l[i].at.Before(l[j].at)
	}
	return l[i].n < l[j].n
}
func (l labels) Swap(i, j int) { l[i], l[j] = l[j], l[i] }
func (l *labels) Push(x any)   { *l = append(*l, x.(dueLabel)) }
func (l *labels) Pop() any {
	old := *l
	x := old[len(old)-1]
	*l = old[:len(old)-1]
	return x
}

// meet has one attempt decided, unless it would not be made: the new family's before
// its day, and what an attacker does after having been stopped.
func (w *world) meet(l *population.Labelled) error {
	a := &l.Attempt
	if err := w.label(a.Time); err != nil {
		return err
	}
	way := entrance{l.Campaign, l.UserIndex}
	if l.Family == w.family && a.Time.Before(w.start.AddDate(0, 0, begins)) || l.Campaign > 0 && w.stopped[way] {
		return nil
	}
	w.x.Reset()
	w.x.Attempt = *a
	if err := w.engine.Score(w.x, a.Time); err != nil {
		return fmt.Errorf("attempt of %s: %w", a.Time, err)
	}
	d := &w.x.Decision
	success := a.Authentication.Result == signals.Success
	entry := l.Takeover && !w.entered[way]
	if entry {
		w.entered[way] = true
	}
	if entry || !l.Fraud && success && !l.Unattended {
		w.seen = append(w.seen, judged{a.Time, l.Family, d.Probability, d.Outcome > engine.Allow})
	}
	if l.Takeover && (d.Outcome == engine.Deny || d.Outcome == engine.StepUp && !l.StepUpPassed) {
		w.stopped[way] = true
	}
	return w.follow(l, d)
}

// follow tells how a challenge went, and plans the label that will come: of what was
// let in alone, since nobody reports what did not happen.
func (w *world) follow(l *population.Labelled, d *engine.Decision) error {
	a := &l.Attempt
	passed := d.Outcome == engine.Allow
	if d.Outcome == engine.StepUp {
		f := signals.Feedback{ID: "challenge-" + a.ID, DecisionID: d.ID.String(), Kind: signals.Outcome, Value: signals.StepUpFailed, Source: signals.Challenge, Time: a.Time}
		if passed = l.StepUpPassed; passed {
			f.Value = signals.StepUpPassed
		}
		if err := w.engine.Feedback(&f, a.Time); err != nil {
			return err
		}
	}
	if l.Label && passed && a.Authentication.Result == signals.Success {
		w.told++
		heap.Push(&w.due, dueLabel{at: a.Time.Add(l.LabelDelay), n: w.told, of: l.Family, f: signals.Feedback{
			ID: "label-" + a.ID, DecisionID: d.ID.String(), Kind: signals.Label, Value: signals.Fraud, Source: signals.Chargeback, Note: "family:" + l.Family.String()}})
	}
	return nil
}

// label gives the labels that are due by a time.
func (w *world) label(now time.Time) error {
	for len(w.due) > 0 && !w.due[0].at.After(now) {
		l := heap.Pop(&w.due).(dueLabel)
		l.f.Time = l.at
		if err := w.engine.Feedback(&l.f, l.at); err != nil {
			return fmt.Errorf("label: %w", err)
		}
		if l.of == w.family && w.first.IsZero() {
			w.first = l.at
		}
	}
	return nil
}
