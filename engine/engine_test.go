package engine

import (
	"bytes"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/waryauth/wary/internal/journal"
	"github.com/waryauth/wary/models"
	"github.com/waryauth/wary/models/modeltest"
	"github.com/waryauth/wary/signals"
)

// crash closes the log and leaves no snapshot, as a kill would.
func (e *Engine) crash() error { return e.log.Close() }

// atlas is a small world: the first byte of an address is its country.
type atlas struct{}

func (atlas) Locate(o *signals.Observation, _ time.Time) {
	if !o.Address.IP.Is4() {
		return
	}
	b := o.Address.IP.As4()
	o.Network.ASN = uint32(b[0])*1000 + uint32(b[1])
	switch b[0] {
	case 20:
		o.Place = signals.Place{Country: signals.Country{'G', 'B'}, Region: 1, City: 1, Latitude: 51.5, Longitude: -0.1, AccuracyKM: 20, Located: true, TimezoneSet: true}
	case 30:
		o.Place = signals.Place{Country: signals.Country{'B', 'R'}, Region: 2, City: 2, Latitude: -23.5, Longitude: -46.6, AccuracyKM: 50, Located: true, TimezoneSet: true, TimezoneMin: -180}
	}
}

var testStart = time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)

// baseline loads the embedded model once: proving it against leaves takes a while.
var baseline = sync.OnceValues(models.Baseline)

func open(t testing.TB, dir string, change ...func(*Options)) *Engine {
	t.Helper()
	m, err := baseline()
	if err != nil {
		t.Fatal(err)
	}
	o := Options{Secret: [32]byte{1, 2, 3}, Locator: atlas{}, Model: m, RetryEntries: 1 << 12, JoinEntries: 1 << 12, Now: func() time.Time { return testStart }}
	for _, c := range change {
		c(&o)
	}
	e, err := Open(dir, o)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func home(id string, at time.Time) signals.Attempt {
	var a signals.Attempt
	a.ID, a.Time, a.Action, a.Subject = id, at, signals.Login, "anna"
	a.Client.ID = "tpp-1"
	a.Network.IP = "20.1.0.7"
	a.Headers.UserAgent = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 Mobile/15E148 Safari/604.1"
	a.Headers.AcceptLanguage = "en-GB"
	a.Device.ID = "phone-1"
	a.Authentication.Result, a.Authentication.Method = signals.Success, signals.Password
	a.Session.AMR = []string{"pwd"}
	a.Intent.Scopes = []string{"openid", "accounts", "payments"}
	return a
}

// score scores an attempt in memory of its own.
func score(t testing.TB, e *Engine, a signals.Attempt) *Assessment {
	t.Helper()
	x := &Assessment{Attempt: a, Body: []byte(a.ID + a.Subject + a.Network.IP)}
	if err := e.Score(x, a.Time); err != nil {
		t.Fatalf("score %s: %v", a.ID, err)
	}
	return x
}

// settle lets anna log in from home until she is known.
func settle(t testing.TB, e *Engine, days int) time.Time {
	t.Helper()
	at := testStart
	for i := range days {
		at = testStart.Add(time.Duration(i) * 24 * time.Hour)
		x := score(t, e, home(fmt.Sprintf("settle-%d", i), at))
		if x.Decision.Outcome == StepUp {
			say(t, e, x, signals.StepUpPassed, at)
		}
	}
	return at.Add(24 * time.Hour)
}

func say(t testing.TB, e *Engine, x *Assessment, v signals.FeedbackValue, at time.Time) {
	t.Helper()
	f := signals.Feedback{ID: x.Attempt.ID + v.String(), DecisionID: x.Decision.ID.String(), Kind: v.Kind(), Value: v, Source: signals.Challenge, Time: at}
	if err := e.Feedback(&f, at); err != nil {
		t.Fatalf("feedback %s: %v", v, err)
	}
}

// successes returns how many successes of anna the engine has learned.
func successes(t testing.TB, e *Engine, at time.Time) uint32 {
	t.Helper()
	x := &Assessment{Attempt: home("look", at)}
	if err := e.Evaluate(x, at); err != nil {
		t.Fatal(err)
	}
	return x.Decision.History.Successes
}

func TestScoreTwiceIsOnce(t *testing.T) {
	e := open(t, t.TempDir())
	defer e.Close()
	at := settle(t, e, 5)
	before := successes(t, e, at)
	first := score(t, e, home("twice", at))
	answer := appendAnswer(nil, &first.Decision)
	again := score(t, e, home("twice", at))
	if !again.Repeated || again.Decision.ID != first.Decision.ID || !bytes.Equal(appendAnswer(nil, &again.Decision), answer) {
		t.Errorf("the same attempt got another answer: %+v, then %+v", first.Decision, again.Decision)
	}
	if got := successes(t, e, at); got > before+1 {
		t.Errorf("counted twice: %d successes after %d", got, before)
	}
	x := &Assessment{Attempt: home("twice", at), Body: []byte("other bytes")}
	if err := e.Score(x, at); !errors.Is(err, ErrConflict) {
		t.Errorf("other bytes under the same id: %v, want ErrConflict", err)
	}
	late := home("twice", at.Add(6*time.Minute))
	if x := score(t, e, late); x.Repeated {
		t.Error("after the retry window it is still the same attempt")
	}
}

// TestRetriesAtOnce sends one attempt from many callers at the same time.
func TestRetriesAtOnce(t *testing.T) {
	e := open(t, t.TempDir())
	defer e.Close()
	at := settle(t, e, 5)
	before := successes(t, e, at)
	ids := make([]ID, 16)
	var wg sync.WaitGroup
	for i := range ids {
		wg.Go(func() { ids[i] = score(t, e, home("race", at)).Decision.ID })
	}
	wg.Wait()
	for _, id := range ids {
		if id != ids[0] {
			t.Fatalf("one attempt has decisions %v and %v", ids[0], id)
		}
	}
	if got := successes(t, e, at); got > before+1 {
		t.Errorf("%d successes after %d: counted more than once", got, before)
	}
}

func TestEvaluateRemembersNothing(t *testing.T) {
	e := open(t, t.TempDir())
	defer e.Close()
	at := settle(t, e, 5)
	end := e.log.End()
	x := &Assessment{Attempt: home("asked", at)}
	for range 3 {
		if err := e.Evaluate(x, at); err != nil {
			t.Fatal(err)
		}
	}
	vector := x.Vector
	if e.log.End() != end {
		t.Error("an evaluation is in the log")
	}
	y := score(t, e, home("asked", at))
	if fmt.Sprint(y.Vector) != fmt.Sprint(vector) {
		t.Error("evaluations changed what a score sees")
	}
}

// TestWhatTeaches is the table of DESIGN section 2: a profile learns only from
// an attempt whose check succeeded and whose challenge, if any, was passed.
func TestWhatTeaches(t *testing.T) {
	abroad := func(a signals.Attempt) signals.Attempt {
		a.Network.IP, a.Device.ID, a.Headers.UserAgent = "30.1.0.9", "other", "curl/8.0"
		return a
	}
	f := func(name string, want uint32, do func(e *Engine, at time.Time)) {
		t.Run(name, func(t *testing.T) {
			e := open(t, t.TempDir())
			defer e.Close()
			at := settle(t, e, 6)
			before := successes(t, e, at)
			do(e, at)
			if got := successes(t, e, at.Add(time.Minute)) - before; got != want {
				t.Errorf("taught %d times, want %d", got, want)
			}
		})
	}
	pending := func(at time.Time) signals.Attempt {
		a := home("x", at)
		a.Authentication.Result = signals.Pending
		return a
	}
	f("failure", 0, func(e *Engine, at time.Time) {
		a := home("x", at)
		a.Authentication.Result = signals.Failure
		score(t, e, a)
	})
	f("unknown subject", 0, func(e *Engine, at time.Time) {
		a := home("x", at)
		a.SubjectKnown = signals.Some(false)
		score(t, e, a)
	})
	f("challenged, not answered", 0, func(e *Engine, at time.Time) { stepUp(t, score(t, forceStepUp(t, e), abroad(home("x", at)))) })
	f("challenged and abandoned", 0, func(e *Engine, at time.Time) {
		x := stepUp(t, score(t, forceStepUp(t, e), home("x", at)))
		say(t, e, x, signals.Abandoned, at)
	})
	f("challenged and failed", 0, func(e *Engine, at time.Time) {
		x := stepUp(t, score(t, forceStepUp(t, e), home("x", at)))
		say(t, e, x, signals.StepUpFailed, at)
	})
	f("challenged and passed, said twice", 1, func(e *Engine, at time.Time) {
		x := stepUp(t, score(t, forceStepUp(t, e), home("x", at)))
		say(t, e, x, signals.StepUpPassed, at)
		say(t, e, x, signals.OutcomeSuccess, at)
		x.Attempt.ID = "another feedback id"
		say(t, e, x, signals.StepUpPassed, at)
	})
	f("passed, and scored again: one success", 1, func(e *Engine, at time.Time) {
		x := stepUp(t, score(t, forceStepUp(t, e), home("x", at)))
		b := home("y", at.Add(time.Second))
		b.PreviousDecisionID, b.Session.AMR = x.Decision.ID.String(), []string{"pwd", "hwk"}
		if y := score(t, e, b); y.Decision.Outcome != Allow {
			t.Errorf("after the challenge: %s", OutcomeNames[y.Decision.Outcome])
		}
		say(t, e, x, signals.StepUpPassed, at)
	})
	f("passed first, then scored again: one success", 1, func(e *Engine, at time.Time) {
		x := stepUp(t, score(t, forceStepUp(t, e), home("x", at)))
		say(t, e, x, signals.StepUpPassed, at)
		b := home("y", at.Add(time.Second))
		b.PreviousDecisionID, b.Session.AMR = x.Decision.ID.String(), []string{"pwd", "hwk"}
		score(t, e, b)
	})
	f("pending, never closed", 0, func(e *Engine, at time.Time) { score(t, e, pending(at)) })
	f("pending, then success", 1, func(e *Engine, at time.Time) {
		forceAllow(t, e)
		say(t, e, score(t, e, pending(at)), signals.OutcomeSuccess, at)
	})
	f("pending, then failure", 0, func(e *Engine, at time.Time) {
		forceAllow(t, e)
		say(t, e, score(t, e, pending(at)), signals.OutcomeFailure, at)
	})
	f("denied, whatever is said", 0, func(e *Engine, at time.Time) {
		force(t, e, "[{name: all, verdict: deny, subjects: [anna]}]")
		x := score(t, e, home("x", at))
		say(t, e, x, signals.StepUpPassed, at)
		say(t, e, x, signals.OutcomeSuccess, at)
	})
	f("control: an allowed success", 1, func(e *Engine, at time.Time) {
		forceAllow(t, e)
		score(t, e, home("x", at))
	})
}

func force(t testing.TB, e *Engine, lists string) *Engine {
	t.Helper()
	p, err := ParsePolicy([]byte(strings.Replace(string(defaultPolicy), "lists: []", "lists: "+lists, 1)))
	if err != nil {
		t.Fatal(err)
	}
	if err := e.SetPolicy(p); err != nil {
		t.Fatal(err)
	}
	return e
}

func forceStepUp(t testing.TB, e *Engine) *Engine {
	return force(t, e, "[{name: all, verdict: step_up, subjects: [anna]}]")
}

func forceAllow(t testing.TB, e *Engine) *Engine {
	return force(t, e, "[{name: all, verdict: allow, subjects: [anna]}]")
}

func stepUp(t testing.TB, x *Assessment) *Assessment {
	t.Helper()
	if x.Decision.Outcome != StepUp {
		t.Fatalf("%s, want step_up", OutcomeNames[x.Decision.Outcome])
	}
	return x
}

// TestPreviousDecisionMustBeOurs: a session that shows strong methods does not
// meet the challenge by naming somebody else's decision.
func TestPreviousDecisionMustBeOurs(t *testing.T) {
	e := open(t, t.TempDir())
	defer e.Close()
	at := settle(t, e, 6)
	force(t, e, "[{name: all, verdict: step_up, subjects: [anna, bert]}]")
	other := home("bert", at)
	other.Subject = "bert"
	x := stepUp(t, score(t, e, other))
	for i, previous := range []string{x.Decision.ID.String(), "nonsense", ""} {
		a := home(fmt.Sprint("a", i), at)
		a.PreviousDecisionID, a.Session.AMR = previous, []string{"hwk"}
		stepUp(t, score(t, e, a))
	}
	mine := stepUp(t, score(t, e, home("mine", at)))
	a := home("control", at)
	a.PreviousDecisionID, a.Session.AMR = mine.Decision.ID.String(), []string{"hwk"}
	if y := score(t, e, a); y.Decision.Outcome != Allow {
		t.Errorf("control: %s", OutcomeNames[y.Decision.Outcome])
	}
}

// TestNoModelNeverAllows also shows that a fault has its name and its counter.
func TestNoModelNeverAllows(t *testing.T) {
	e := open(t, t.TempDir(), func(o *Options) { o.Model = nil })
	defer e.Close()
	for i := 1; i < len(signals.Actions); i++ {
		a := home(fmt.Sprint(i), testStart)
		a.Action = signals.Action(i)
		x := score(t, e, a)
		if x.Decision.Outcome == Allow || x.Decision.Degraded&DegradedModel == 0 {
			t.Errorf("%s: %s, degraded %v", a.Action, OutcomeNames[x.Decision.Outcome], x.Decision.Degraded)
		}
	}
}

// TestRestart folds the same log twice: once live and, after a stop or a kill,
// from snapshot and log. Every later answer is the same, bit for bit.
func TestRestart(t *testing.T) {
	for name, stop := range map[string]func(*Engine) error{
		"clean": (*Engine).Close,
		"kill":  (*Engine).crash,
		"kill after a snapshot": func(e *Engine) error {
			if err := e.Snapshot(); err != nil {
				return err
			}
			x := &Assessment{Attempt: home("after", testStart.Add(9*24*time.Hour)), Body: []byte("after")}
			return errors.Join(e.Score(x, x.Attempt.Time), e.crash())
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			e := open(t, dir)
			at := settle(t, e, 8)
			pending := home("pending", at)
			pending.Authentication.Result = signals.Pending
			say(t, e, score(t, e, pending), signals.OutcomeSuccess, at)
			last := score(t, e, home("last", at))
			if name == "kill after a snapshot" {
				at = testStart.Add(9*24*time.Hour + time.Hour)
			}
			probe := func(e *Engine) string {
				x := &Assessment{Attempt: home("probe", at.Add(time.Minute))}
				if err := e.Evaluate(x, at.Add(time.Minute)); err != nil {
					t.Fatal(err)
				}
				return fmt.Sprintf("%v %v", x.Vector, x.Decision)
			}
			want := probe(e)
			if err := stop(e); err != nil {
				t.Fatal(err)
			}
			e = open(t, dir)
			defer e.Close()
			if name != "kill after a snapshot" {
				if got := probe(e); got != want {
					t.Errorf("after the restart\n%s, want\n%s", got, want)
				}
			} else if got := successes(t, e, at); got < 9 {
				t.Errorf("%d successes, want those after the snapshot too", got)
			}
			again := &Assessment{Attempt: home("last", last.Attempt.Time), Body: last.Body}
			if err := e.Score(again, last.Attempt.Time); err != nil || !again.Repeated || again.Decision.ID != last.Decision.ID {
				t.Errorf("a retry across the restart: repeated %v, %v", again.Repeated, err)
			}
		})
	}
}

// TestDamagedSnapshot: it is set aside, and the log makes the same state.
func TestDamagedSnapshot(t *testing.T) {
	dir := t.TempDir()
	e := open(t, dir)
	at := settle(t, e, 6)
	want := successes(t, e, at)
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "state.snapshot")
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, damage := range []func([]byte) []byte{
		func(b []byte) []byte { return b[:len(b)/2] },
		func(b []byte) []byte { b[len(b)/3] ^= 1; return b },
		func([]byte) []byte { return nil },
	} {
		if err := os.WriteFile(path, damage(bytes.Clone(b)), 0o600); err != nil {
			t.Fatal(err)
		}
		e := open(t, dir)
		if got := successes(t, e, at); got != want {
			t.Errorf("%d successes, want %d", got, want)
		}
		if err := e.crash(); err != nil {
			t.Fatal(err)
		}
	}
}

// TestReplay makes every decision of a log again; a flipped bit in one vector is
// the control that is found.
func TestReplay(t *testing.T) {
	dir := t.TempDir()
	e := open(t, dir)
	at := settle(t, e, 10)
	force(t, e, "[{name: all, verdict: step_up, subjects: [anna]}]")
	a := home("late", at)
	a.Intent.Details = []signals.Detail{{Type: "payment_initiation", Raw: `{"type":"payment_initiation"}`}}
	score(t, e, a)
	m := e.Model()
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	r := NewReplayer(func(string) (*models.Model, error) { return m, nil })
	n := 0
	for rec, err := range journal.Records(filepath.Join(dir, "journal"), journal.Address{}) {
		if err != nil {
			t.Fatal(err)
		}
		got, ok, err := r.Replay(rec)
		if err != nil {
			t.Fatal(err)
		}
		if !ok {
			continue
		}
		n++
		if !got.Identical {
			t.Errorf("%v: %s", got.At, got.Why)
		}
		if out, _, err := r.Replay(corrupt(t, rec)); err == nil && out.Identical {
			t.Errorf("%v: a changed decision replays as identical", got.At)
		}
	}
	if n != 11 {
		t.Errorf("%d decisions, want 11", n)
	}
}

// TestReplayOfAnOlderPolicy: what this program refuses may have been in force. Its
// decisions cannot be made again; the others can.
func TestReplayOfAnOlderPolicy(t *testing.T) {
	dir := t.TempDir()
	e := open(t, dir)
	x := score(t, e, home("x", testStart))
	old := &Assessment{}
	if err := old.readDecision(x.buf); err != nil {
		t.Fatal(err)
	}
	old.Decision.PolicyDigest, old.fact.attempt = "sha256:old", 1
	if err := e.appendChange(change{What: "policy", Digest: "sha256:old", Text: []byte("version: 0")}); err != nil {
		t.Fatal(err)
	}
	if _, err := e.log.Append(KindDecision, testStart, old.appendDecision(nil)); err != nil {
		t.Fatal(err)
	}
	old.inputs.listed[Deny], old.Decision.PolicyDigest, old.fact.attempt = 200, x.Decision.PolicyDigest, 2
	if _, err := e.log.Append(KindDecision, testStart, old.appendDecision(nil)); err != nil {
		t.Fatal(err)
	}
	r := NewReplayer(func(string) (*models.Model, error) { return e.Model(), nil })
	var why []string
	for rec, err := range e.log.Records(journal.Address{}) {
		if err != nil {
			t.Fatal(err)
		}
		out, ok, err := r.Replay(rec)
		if err != nil {
			t.Fatal(err)
		}
		if ok {
			why = append(why, out.Why)
		}
	}
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	if len(why) != 3 || why[0] != "" || !strings.Contains(why[1], "version") || !strings.Contains(why[2], "list 200") {
		t.Errorf("%q", why)
	}
}

// corrupt returns a decision whose logged risk is another.
func corrupt(t *testing.T, rec journal.Record) journal.Record {
	t.Helper()
	var x Assessment
	if err := x.readDecision(bytes.Clone(rec.Payload)); err != nil {
		t.Fatal(err)
	}
	x.Decision.Points ^= 1
	rec.Payload = x.appendDecision(nil)
	return rec
}

func TestReceipt(t *testing.T) {
	e := open(t, t.TempDir())
	defer e.Close()
	at := settle(t, e, 6)
	early := signals.Feedback{ID: "early", AttemptID: "late", Kind: signals.Label, Value: signals.Fraud, Source: signals.Analyst, Time: at}
	if err := e.Feedback(&early, at); err != nil {
		t.Fatal(err)
	}
	x := score(t, e, home("late", at))
	say(t, e, x, signals.Legitimate, at.Add(time.Hour))
	r, err := e.Receipt(x.Decision.ID.String())
	if err != nil {
		t.Fatal(err)
	}
	if fmt.Sprint(r.Vector) != fmt.Sprint(x.Vector) || r.Decision.Outcome != x.Decision.Outcome || r.Trace.Typed != x.Trace.Typed {
		t.Errorf("the receipt says %+v", r)
	}
	if len(r.Said) != 2 {
		t.Errorf("%d things said, want the label before the decision and the one after: %+v", len(r.Said), r.Said)
	}
	for _, bad := range []string{"", "x", ID{}.String(), e.seal.Seal(0, journal.Address{Segment: 1, Offset: 1}).String(), e.seal.Seal(9, x.Decision.ID.At).String()} {
		if _, err := e.Receipt(bad); !errors.Is(err, ErrID) {
			t.Errorf("receipt of %q: %v, want ErrID", bad, err)
		}
	}
}

func TestFeedbackTwice(t *testing.T) {
	e := open(t, t.TempDir())
	defer e.Close()
	x := score(t, e, home("x", testStart))
	f := signals.Feedback{ID: "f", DecisionID: x.Decision.ID.String(), Kind: signals.Label, Value: signals.Fraud, Source: signals.Analyst}
	end := e.log.End()
	for i := range 3 {
		g := f
		if err := e.Feedback(&g, testStart.Add(time.Duration(i)*time.Hour)); err != nil {
			t.Fatal(err)
		}
		if i == 0 {
			end = e.log.End()
		}
	}
	if e.log.End() != end {
		t.Error("the same feedback is in the log twice")
	}
	f.Value = signals.Legitimate
	if err := e.Feedback(&f, testStart); !errors.Is(err, ErrConflict) {
		t.Errorf("other content: %v, want ErrConflict", err)
	}
}

func TestEvents(t *testing.T) {
	e := open(t, t.TempDir())
	defer e.Close()
	at := settle(t, e, 6)
	ev := signals.Event{ID: "e", Type: signals.SubjectErased, Subject: "anna"}
	for range 2 {
		g := ev
		if err := e.Event(&g, at); err != nil {
			t.Fatal(err)
		}
	}
	if got := successes(t, e, at); got != 0 {
		t.Errorf("%d successes are known of an erased subject", got)
	}
	ev.Subject = "bert"
	if err := e.Event(&ev, at); !errors.Is(err, ErrConflict) {
		t.Errorf("other content: %v, want ErrConflict", err)
	}
}

func TestTimes(t *testing.T) {
	e := open(t, t.TempDir(), func(o *Options) { o.GreatestAge = time.Hour })
	defer e.Close()
	f := func(pointer string, change func(*signals.Attempt)) {
		t.Helper()
		a := home("t"+pointer, testStart)
		change(&a)
		var input *InputError
		err := e.Score(&Assessment{Attempt: a}, testStart)
		if !errors.As(err, &input) || input.Pointer != pointer {
			t.Errorf("%s: %v", pointer, err)
		}
	}
	f("/time", func(a *signals.Attempt) { a.Time = testStart.Add(5*time.Minute + 1) })
	f("/time", func(a *signals.Attempt) { a.Time = testStart.Add(-time.Hour - 1) })
	f("/session/created", func(a *signals.Attempt) { a.Session.Created = a.Time.Add(6 * time.Minute) })
	f("/session/auth_time", func(a *signals.Attempt) { a.Session.AuthTime = a.Time.Add(6 * time.Minute) })
	f("/token/issued", func(a *signals.Attempt) { a.Token.Issued = a.Time.Add(6 * time.Minute) })
	f("/network/ip", func(a *signals.Attempt) { a.Network.IP = "1.2.3" })
	a := home("control", testStart.Add(5*time.Minute))
	a.Session.Created = a.Time.Add(5 * time.Minute)
	if err := e.Score(&Assessment{Attempt: a}, testStart); err != nil {
		t.Errorf("control: %v", err)
	}
}

// TestNoIdentifierInLog looks for what was typed in every byte on disk.
func TestNoIdentifierInLog(t *testing.T) {
	dir := t.TempDir()
	e := open(t, dir)
	at := settle(t, e, 6)
	x := score(t, e, home("x", at))
	say(t, e, x, signals.StepUpPassed, at)
	ev := signals.Event{ID: "e", Type: signals.DeviceEnrolled, Subject: "anna", Attributes: signals.EventAttributes{DeviceID: "phone-1"}}
	if err := e.Event(&ev, at); err != nil {
		t.Fatal(err)
	}
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		ip := netip.MustParseAddr("20.1.0.7").As4()
		for _, secret := range [][]byte{[]byte("anna"), []byte("phone-1"), []byte("20.1.0.7"), []byte("iPhone"), ip[:]} {
			if bytes.Contains(b, secret) {
				t.Errorf("%s holds %q", filepath.Base(path), secret)
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestScoreAllocates nothing in steady state, from attempt to remembered decision,
// with a challenger and without.
func TestScoreAllocates(t *testing.T) {
	if got := scoreAllocates(t); got != 0 {
		t.Errorf("%v allocations a score", got)
	}
	second := modeltest.Load(t, "second", 1, 2)
	if got := scoreAllocates(t, func(o *Options) { o.Challenger = second }); got != 0 {
		t.Errorf("%v allocations a score with a challenger", got)
	}
	table := must(t, firstHands)
	if got := scoreAllocates(t, func(o *Options) { o.Typing = table }); got != 0 {
		t.Errorf("%v allocations a score with a typing table", got)
	}
}

func scoreAllocates(t *testing.T, change ...func(*Options)) float64 {
	e := open(t, t.TempDir(), change...)
	defer e.Close()
	at := settle(t, e, 6)
	ids := make([]string, 4000)
	for i := range ids {
		ids[i] = fmt.Sprint("attempt-", i)
	}
	x := &Assessment{}
	a := typedBy(anna, 1, at)
	n := 0
	one := func() {
		x.Reset()
		scopes := x.Attempt.Intent.Scopes
		x.Attempt = a
		x.Attempt.Intent.Scopes = append(scopes, a.Intent.Scopes...)
		x.Attempt.ID, n = ids[n], n+1
		if err := e.Score(x, at); err != nil {
			t.Fatal(err)
		}
	}
	for range 500 {
		one()
	}
	return testing.AllocsPerRun(1000, one)
}

func FuzzFact(f *testing.F) {
	e := open(f, f.TempDir())
	x := score(f, e, home("x", testStart))
	f.Add(x.buf)
	f.Add(score(f, e, typedBy(anna, 1, testStart)).buf)
	// Every process that fuzzes comes by here: another model would take it a second.
	x.Shadow = Shadow{Version: "second", Digest: "sha256:02", Raw: -1, Probability: 0.25, Points: 88, Outcome: StepUp}
	f.Add(x.appendDecision(nil))
	if err := e.Close(); err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		var x Assessment
		if x.readDecision(b) != nil {
			return
		}
		again := x.appendDecision(nil)
		var y Assessment
		if err := y.readDecision(again); err != nil {
			t.Fatalf("what was read does not read back: %v", err)
		}
		if !bytes.Equal(y.appendDecision(nil), again) {
			t.Fatal("reading and writing is not stable")
		}
	})
}

// TestReplayAfterRetention: the change that holds a policy's text is gone from the
// log; the data folder still has it. The control has no such folder.
func TestReplayAfterRetention(t *testing.T) {
	dir := t.TempDir()
	e := open(t, dir)
	x := score(t, e, home("x", testStart))
	rec, err := e.log.Read(x.Decision.ID.At, nil)
	if err != nil {
		t.Fatal(err)
	}
	m := e.Model()
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	for folder, want := range map[string]bool{filepath.Join(dir, PolicyFolder): true, t.TempDir(): false} {
		r := NewReplayer(func(string) (*models.Model, error) { return m, nil })
		r.Policies = folder
		got, _, err := r.Replay(rec)
		if err != nil || got.Identical != want {
			t.Errorf("%s: identical %v, %q, %v", folder, got.Identical, got.Why, err)
		}
	}
}
