package engine

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/waryauth/wary/signals"
)

// life is an engine that goes through a story, and remembers what it was told so
// that two of them can be compared.
type life struct {
	t         *rapid.T
	dir       string
	policy    *Policy
	e         *Engine
	decisions []Decision // of the attempts so far; those that got none are empty
	now       time.Time
}

func newLife(t *rapid.T, root string, p *Policy) *life {
	dir, err := os.MkdirTemp(root, "")
	if err == nil { // the model is kept once for all of them: that takes the most time
		err = os.Symlink(filepath.Join(root, "models"), filepath.Join(dir, "models"))
	}
	if err != nil {
		t.Fatal(err)
	}
	l := &life{t: t, dir: dir, policy: p, now: testStart}
	l.open()
	return l
}

func (l *life) open() {
	m, err := baseline()
	if err == nil {
		l.e, err = Open(l.dir, Options{Secret: [32]byte{1, 2, 3}, Locator: atlas{}, Model: m, Policy: l.policy, MaxEntities: 1 << 16,
			RetryEntries: 1 << 10, JoinEntries: 1 << 10, Now: func() time.Time { return l.now }})
	}
	if err != nil {
		l.t.Fatal(err)
	}
}

// act is one step of a story. Decisions are named by their number in it: their
// ids differ, since every start is a fact in the log.
type act struct {
	what     string
	after    time.Duration
	attempt  signals.Attempt
	previous int // the attempt that is resumed, from 1
	feedback signals.Feedback
	about    int // the attempt it is about, by decision, from 1
	event    signals.Event
	policy   int
}

func (a act) String() string {
	return fmt.Sprintf("%s after %v: %s by %s from %s, %v, previous %d; %s %s about %d %s; %s",
		a.what, a.after, a.attempt.ID, a.attempt.Subject, a.attempt.Network.IP, a.attempt.Authentication.Result, a.previous,
		a.feedback.ID, a.feedback.Value, a.about, a.feedback.AttemptID, a.event.Type)
}

// play does one step and returns all that could be seen of it.
func (l *life) play(a act, policies []*Policy) string {
	l.now = l.now.Add(a.after)
	switch a.what {
	case "score", "evaluate":
		return l.score(a)
	case "feedback":
		f := a.feedback
		if a.about > 0 {
			f.DecisionID = "nonsense"
			if d := l.decision(a.about); d != nil {
				f.DecisionID = d.ID.String()
			}
		}
		return fmt.Sprint(l.e.Feedback(&f, l.now))
	case "event":
		ev := a.event
		return fmt.Sprint(l.e.Event(&ev, l.now))
	case "policy":
		l.policy = policies[a.policy]
		return fmt.Sprint(l.e.SetPolicy(l.policy))
	default: // a restart, of the life that has them
		return ""
	}
}

func (l *life) decision(n int) *Decision {
	if n < 1 || n > len(l.decisions) || l.decisions[n-1].Outcome == 0 {
		return nil
	}
	return &l.decisions[n-1]
}

func (l *life) score(a act) string {
	x := &Assessment{Attempt: a.attempt, Body: []byte(a.String())}
	if d := l.decision(a.previous); d != nil {
		x.Attempt.PreviousDecisionID = d.ID.String()
	}
	if a.what == "evaluate" {
		if err := l.e.Evaluate(x, l.now); err != nil {
			return err.Error()
		}
		return fmt.Sprintf("%x %v", appendAnswer(nil, &x.Decision), x.Vector)
	}
	err := l.e.Score(x, l.now)
	if err != nil {
		l.decisions = append(l.decisions, Decision{})
		return err.Error()
	}
	same := 0
	for i := range l.decisions {
		if l.decisions[i].ID == x.Decision.ID {
			same = i + 1
		}
	}
	kept := x.Decision
	kept.Reasons, kept.Grant = nil, Grant{}
	l.decisions = append(l.decisions, kept)
	return fmt.Sprintf("%v %d %x %v %v", x.Repeated, same, appendAnswer(nil, &x.Decision), x.Decision.History, x.Vector)
}

// receipts is what is known of all decisions in the end.
func (l *life) receipts() string {
	var b strings.Builder
	for i := range l.decisions {
		d := l.decision(i + 1)
		if d == nil {
			continue
		}
		r, err := l.e.Receipt(d.ID.String())
		if err != nil {
			l.t.Fatalf("receipt of %d: %v", i+1, err)
		}
		fmt.Fprintf(&b, "%d: taught %v", i+1, r.Taught)
		for _, s := range r.Said {
			fmt.Fprintf(&b, "; %v %v %v %v %v", s.Kind, s.Value, s.Source, s.Time, s.Resumed != nil)
		}
		b.WriteByte('\n')
	}
	return b.String()
}

// restart ends the engine in one of the ways it can end, and opens it again.
func (l *life) restart(how string) {
	var err error
	switch how {
	case "close":
		err = l.e.Close()
	case "snapshot, crash":
		err = errors.Join(l.e.Snapshot(), l.e.crash())
	case "crash":
		err = l.e.crash()
	case "snapshot":
		if err := l.e.Snapshot(); err != nil {
			l.t.Fatal(err)
		}
		return
	default:
		return
	}
	if err != nil {
		l.t.Fatal(err)
	}
	l.open()
}

func drawAct(t *rapid.T, n int, scored *[]act, told *[]act) act {
	choose := func(label string, from ...string) string { return rapid.SampledFrom(from).Draw(t, label) }
	a := act{what: choose("what", "score", "score", "score", "score", "score", "feedback", "feedback", "feedback", "event", "event", "evaluate", "policy",
		"crash", "crash", "crash", "snapshot", "snapshot, crash", "close"),
		after: time.Duration(rapid.IntRange(0, 200).Draw(t, "seconds")) * time.Second}
	if choose("long", "no", "no", "no", "no", "yes") == "yes" {
		a.after *= 1000
	}
	switch a.what {
	case "score", "evaluate":
		if a.what == "score" && len(*scored) > 0 && rapid.IntRange(0, 4).Draw(t, "retry") == 0 {
			again := rapid.SampledFrom(*scored).Draw(t, "again")
			again.after = 0
			return again
		}
		a.attempt = home(fmt.Sprint("attempt-", n), time.Time{})
		a.attempt.Subject = choose("subject", "anna", "anna", "bert", "challenged", "challenged")
		a.attempt.Network.IP = choose("ip", "20.1.0.7", "20.1.0.7", "20.1.0.8", "30.1.0.9")
		a.attempt.Device.ID = choose("device", "phone-1", "phone-1", "phone-2", "")
		a.attempt.Authentication.Result = signals.Result(rapid.SampledFrom([]int{1, 1, 1, 2, 3, 3}).Draw(t, "result"))
		a.attempt.SubjectKnown = signals.Some(choose("known", "yes", "yes", "yes", "no") == "yes")
		if a.previous = rapid.IntRange(0, len(*scored)).Draw(t, "previous"); a.previous > 0 {
			a.attempt.Session.AMR = []string{choose("amr", "pwd", "hwk")}
		}
		if a.what == "score" {
			*scored = append(*scored, a)
		}
	case "feedback":
		if len(*told) > 0 && rapid.IntRange(0, 5).Draw(t, "repeat") == 0 {
			again := rapid.SampledFrom(*told).Draw(t, "again")
			again.after = 0
			return again
		}
		v := signals.FeedbackValue(rapid.IntRange(1, 7).Draw(t, "value"))
		a.feedback = signals.Feedback{ID: fmt.Sprint("feedback-", n), Kind: v.Kind(), Value: v, Source: signals.Source(rapid.IntRange(1, 6).Draw(t, "source"))}
		if choose("by", "decision", "decision", "attempt") == "decision" {
			a.about = rapid.IntRange(1, len(*scored)+1).Draw(t, "about")
		} else {
			a.feedback.AttemptID = fmt.Sprint("attempt-", rapid.IntRange(0, n+3).Draw(t, "attempt"))
		}
		*told = append(*told, a)
	case "event":
		a.event = signals.Event{ID: fmt.Sprint("event-", rapid.IntRange(0, 3).Draw(t, "event")), Subject: choose("subject", "anna", "bert"),
			Type: rapid.SampledFrom([]signals.EventType{signals.SubjectErased, signals.PasswordChanged}).Draw(t, "type")}
	case "policy":
		a.policy = rapid.IntRange(0, 1).Draw(t, "policy")
	}
	return a
}

// TestRestartChangesNothing plays one story twice: straight through, and with
// stops, kills and snapshots in between. Every answer is the same, byte for byte,
// and so is every receipt in the end.
func TestRestartChangesNothing(t *testing.T) {
	root := t.TempDir()
	if err := os.Mkdir(filepath.Join(root, "models"), 0o700); err != nil {
		t.Fatal(err)
	}
	policies := []*Policy{
		policyWith(t, "[{name: known, verdict: allow, subjects: [anna]}, {name: watched, verdict: step_up, subjects: [challenged]}]"),
		policyWith(t, "[{name: watched, verdict: step_up, subjects: [challenged, bert]}]"),
	}
	rapid.Check(t, func(t *rapid.T) {
		straight, stopped := newLife(t, root, policies[0]), newLife(t, root, policies[0])
		defer func() {
			for _, l := range []*life{straight, stopped} {
				_ = l.e.crash()
				_ = os.RemoveAll(l.dir)
			}
		}()
		var scored, told []act
		for n := range rapid.IntRange(10, 30).Draw(t, "steps") {
			a := drawAct(t, n, &scored, &told)
			want, got := straight.play(a, policies), stopped.play(a, policies)
			if got != want {
				t.Fatalf("%v:\n%s\nwithout the restarts:\n%s", a, got, want)
			}
			stopped.restart(a.what)
		}
		if got, want := stopped.receipts(), straight.receipts(); got != want {
			t.Fatalf("receipts:\n%s\nwithout the restarts:\n%s", got, want)
		}
	})
}

// TestRestartControl: the property would see a restart that loses the past.
func TestRestartControl(t *testing.T) {
	dir := t.TempDir()
	e := open(t, dir)
	at := settle(t, e, 6)
	look := func(e *Engine) string {
		x := &Assessment{Attempt: home("look", at)}
		if err := e.Evaluate(x, at); err != nil {
			t.Fatal(err)
		}
		return fmt.Sprint(x.Vector)
	}
	want := look(e)
	if err := errors.Join(e.crash(), os.RemoveAll(filepath.Join(dir, "journal"))); err != nil {
		t.Fatal(err)
	}
	e = open(t, dir)
	defer e.Close()
	if look(e) == want {
		t.Error("control: without its log the engine knows the past")
	}
}

// TestRestartUnderLoad kills an engine that many callers ask at once while
// snapshots are taken. State is what the log makes: afterwards it is the same.
func TestRestartUnderLoad(t *testing.T) {
	dir := t.TempDir()
	e := open(t, dir)
	people := []string{"anna", "bert", "cleo"}
	var wg sync.WaitGroup
	for caller := range 6 {
		wg.Go(func() {
			for i := range 60 {
				at := testStart.Add(time.Duration(i) * time.Hour)
				a := home(fmt.Sprint(caller, "-", i), at)
				a.Subject, a.Network.IP = people[(caller+i)%3], fmt.Sprint("20.1.0.", i%5)
				a.Authentication.Result = signals.Pending
				x := score(t, e, a)
				for _, v := range []signals.FeedbackValue{signals.OutcomeSuccess, signals.StepUpPassed} {
					say(t, e, x, v, at)
				}
			}
		})
	}
	for range 5 {
		if err := e.Snapshot(); err != nil {
			t.Error(err)
		}
	}
	wg.Wait()
	look := func(e *Engine) (out string) {
		for _, name := range people {
			a := home("look", testStart.Add(100*time.Hour))
			a.Subject = name
			x := &Assessment{Attempt: a}
			if err := e.Evaluate(x, a.Time); err != nil {
				t.Fatal(err)
			}
			if !x.Decision.History.Established {
				t.Errorf("%s is not known: %+v", name, x.Decision.History)
			}
			out += fmt.Sprintln(x.Vector, x.Decision.History)
		}
		return out
	}
	want := look(e)
	if err := e.crash(); err != nil {
		t.Fatal(err)
	}
	e = open(t, dir)
	defer e.Close()
	if got := look(e); got != want {
		t.Errorf("after the restart\n%s\nbefore\n%s", got, want)
	}
}

// TestCloseUnderLoad: a stop does not wait for everybody. Whoever is late gets no
// allow, and who had a decision with an id from the log finds it there.
func TestCloseUnderLoad(t *testing.T) {
	dir := t.TempDir()
	e := open(t, dir)
	forceAllow(t, e)
	var mu sync.Mutex
	logged := map[string]Outcome{}
	var wg sync.WaitGroup
	started := make(chan struct{}, 400)
	for caller := range 4 {
		wg.Go(func() {
			for i := range 100 {
				x := score(t, e, home(fmt.Sprint(caller, "-", i), testStart))
				mu.Lock()
				if x.Decision.Degraded&DegradedJournal == 0 {
					logged[x.Decision.ID.String()] = x.Decision.Outcome
				} else if x.Decision.Outcome == Allow {
					t.Error("allowed without a log")
				}
				mu.Unlock()
				started <- struct{}{}
			}
		})
	}
	<-started
	if err := e.Close(); err != nil {
		t.Error(err)
	}
	wg.Wait()
	e = open(t, dir)
	defer e.Close()
	for id, outcome := range logged {
		if r, err := e.Receipt(id); err != nil || r.Decision.Outcome != outcome {
			t.Fatalf("a decision that was answered: %v", err)
		}
	}
	if len(logged) == 400 {
		t.Log("nobody was late")
	}
}
