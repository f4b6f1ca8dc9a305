package engine

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/waryauth/wary/features"
	"github.com/waryauth/wary/internal/journal"
	"github.com/waryauth/wary/signals"
)

// small makes segments of a few facts, of which retention keeps about two.
func small(o *Options) {
	o.Journal = journal.Options{SegmentBytes: 8 << 10, RetainBytes: 16 << 10}
}

// fill scores attempts of others until segments of the log can be retired.
func fill(t testing.TB, e *Engine, prefix string, n int, at time.Time) {
	t.Helper()
	for i := range n {
		a := home(fmt.Sprint(prefix, i), at)
		a.Subject, a.Network.IP, a.Device.ID = "other", "30.9.0.9", "other"
		score(t, e, a)
	}
}

func retire(t testing.TB, e *Engine) {
	t.Helper()
	if err := e.Snapshot(); err != nil {
		t.Fatal(err)
	}
	if n, err := e.Retire(); err != nil || n == 0 {
		t.Fatalf("%d segments retired, %v", n, err)
	}
}

// TestRetiredDecision: of a decision that the log no longer keeps there is no
// receipt, a retry is a new attempt, and feedback is kept. None is a fault.
func TestRetiredDecision(t *testing.T) {
	e := open(t, t.TempDir(), small)
	defer e.Close()
	first := score(t, e, home("x", testStart))
	fill(t, e, "fill-", 40, testStart)
	retire(t, e)
	if _, err := e.Receipt(first.Decision.ID.String()); !errors.Is(err, ErrID) {
		t.Errorf("receipt: %v, want ErrID", err)
	}
	f := signals.Feedback{ID: "f", DecisionID: first.Decision.ID.String(), Kind: signals.Outcome, Value: signals.OutcomeSuccess, Source: signals.System}
	if err := e.Feedback(&f, testStart); err != nil {
		t.Errorf("feedback: %v", err)
	}
	again := score(t, e, home("x", testStart))
	if again.Repeated || again.Decision.ID == first.Decision.ID {
		t.Errorf("the retry: repeated %v", again.Repeated)
	}
	if third := score(t, e, home("x", testStart)); !third.Repeated || third.Decision.ID != again.Decision.ID {
		t.Errorf("the retry of the retry: repeated %v", third.Repeated)
	}
}

// TestFailedAttemptIsFree: an attempt that got no decision, by a refusal or a
// fault, can be sent again at once, corrected or not.
func TestFailedAttemptIsFree(t *testing.T) {
	e := open(t, t.TempDir())
	defer e.Close()
	bad := home("x", testStart)
	bad.Network.IP = "1.2.3"
	var input *InputError
	if err := e.Score(&Assessment{Attempt: bad, Body: []byte("bad")}, testStart); !errors.As(err, &input) {
		t.Fatalf("an address that is none: %v", err)
	}
	state := e.state
	e.state = nil
	func() {
		defer func() {
			if recover() == nil {
				t.Error("no panic without state")
			}
		}()
		_ = e.Score(&Assessment{Attempt: home("x", testStart), Body: []byte("good")}, testStart)
	}()
	e.state = state
	if err := e.Score(&Assessment{Attempt: home("x", testStart), Body: []byte("better")}, testStart); err != nil {
		t.Errorf("after a refusal and a fault: %v", err)
	}
	if err := e.Score(&Assessment{Attempt: home("x", testStart), Body: []byte("good")}, testStart); !errors.Is(err, ErrConflict) {
		t.Errorf("control: other bytes after the decision: %v", err)
	}
}

// TestFailedFeedbackIsFree: the same of feedback and events, whose ids have no window.
func TestFailedFeedbackIsFree(t *testing.T) {
	e := open(t, t.TempDir())
	defer e.Close()
	log := e.log
	give := func() error {
		f := signals.Feedback{ID: "f", AttemptID: "a", Kind: signals.Label, Value: signals.Fraud, Source: signals.Analyst}
		ev := signals.Event{ID: "e", Type: signals.Logout, Subject: "anna"}
		return errors.Join(e.Feedback(&f, testStart), e.Event(&ev, testStart))
	}
	e.log = nil
	for _, do := range []func(){
		func() {
			_ = e.Feedback(&signals.Feedback{ID: "f", AttemptID: "a", Kind: signals.Label, Value: signals.Legitimate, Source: signals.Analyst}, testStart)
		},
		func() { _ = e.Event(&signals.Event{ID: "e", Type: signals.Logout, Subject: "bert"}, testStart) },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Error("no panic without a log")
				}
			}()
			do()
		}()
	}
	e.log = log
	if err := give(); err != nil {
		t.Errorf("after a fault: %v", err)
	}
}

// TestRetryIsAnsweredWhateverItsTime: the greatest age is for new attempts.
func TestRetryIsAnsweredWhateverItsTime(t *testing.T) {
	e := open(t, t.TempDir(), func(o *Options) { o.GreatestAge = time.Minute })
	defer e.Close()
	x := score(t, e, home("x", testStart))
	again := &Assessment{Attempt: home("x", testStart), Body: x.Body}
	if err := e.Score(again, testStart.Add(4*time.Minute)); err != nil || !again.Repeated {
		t.Errorf("repeated %v, %v", again.Repeated, err)
	}
	var input *InputError
	if err := e.Score(&Assessment{Attempt: home("new", testStart)}, testStart.Add(4*time.Minute)); !errors.As(err, &input) {
		t.Errorf("control: a new one of that time: %v", err)
	}
}

// TestEvaluateResumes: an evaluation says what a score would.
func TestEvaluateResumes(t *testing.T) {
	e := open(t, t.TempDir())
	defer e.Close()
	at := settle(t, e, 6)
	x := stepUp(t, score(t, forceStepUp(t, e), home("x", at)))
	a := home("y", at)
	a.PreviousDecisionID, a.Session.AMR = x.Decision.ID.String(), []string{"hwk"}
	asked := &Assessment{Attempt: a}
	if err := e.Evaluate(asked, at); err != nil {
		t.Fatal(err)
	}
	if y := score(t, e, a); y.Decision.Outcome != Allow || asked.Decision.Outcome != y.Decision.Outcome {
		t.Errorf("evaluate says %s, score %s", OutcomeNames[asked.Decision.Outcome], OutcomeNames[y.Decision.Outcome])
	}
	asked.Reset()
	asked.Attempt = home("z", at)
	if err := e.Evaluate(asked, at); err != nil || asked.Decision.Outcome != StepUp {
		t.Errorf("the next one in the same memory: %s, %v", OutcomeNames[asked.Decision.Outcome], err)
	}
}

// TestChallengeIsForOneThing: a challenge that was passed lets through the attempt
// that was challenged and no other, nor more than was asked for.
func TestChallengeIsForOneThing(t *testing.T) {
	e := open(t, t.TempDir())
	defer e.Close()
	at := settle(t, e, 6)
	forceStepUp(t, e)
	payment := func(id string) signals.Attempt {
		a := home(id, at)
		a.Action = signals.Payment
		a.Intent.Scopes = []string{"payments"}
		a.Intent.Details = []signals.Detail{{Type: "payment_initiation"}}
		a.Intent.Amount, a.Intent.Currency, a.Intent.Payee = signals.Some(10.0), "EUR", "shop"
		return a
	}
	n := 0
	f := func(name string, want Outcome, change func(*signals.Attempt)) {
		t.Helper()
		n++
		x := stepUp(t, score(t, e, payment(fmt.Sprint("x", n))))
		a := payment(fmt.Sprint("y", n))
		a.PreviousDecisionID, a.Session.AMR = x.Decision.ID.String(), []string{"hwk"}
		change(&a)
		if y := score(t, e, a); y.Decision.Outcome != want {
			t.Errorf("%s: %s, want %s", name, OutcomeNames[y.Decision.Outcome], OutcomeNames[want])
		}
	}
	f("the same", Allow, func(*signals.Attempt) {})
	f("fewer scopes", Allow, func(a *signals.Attempt) { a.Intent.Scopes = nil })
	f("another payee", StepUp, func(a *signals.Attempt) { a.Intent.Payee = "thief" })
	f("another amount", StepUp, func(a *signals.Attempt) { a.Intent.Amount = signals.Some(10_000.0) })
	f("another client", StepUp, func(a *signals.Attempt) { a.Client.ID = "tpp-2" })
	f("another action", StepUp, func(a *signals.Attempt) { a.Action = signals.AccountChange })
	f("more scopes", StepUp, func(a *signals.Attempt) { a.Intent.Scopes = []string{"payments", "accounts", "admin", "beneficiaries"} })
	f("more details", StepUp, func(a *signals.Attempt) {
		a.Intent.Details = []signals.Detail{{Type: "payment_initiation"}, {Type: "account_information"}, {Type: "x"}}
	})
	f("a subject that is not known", StepUp, func(a *signals.Attempt) { a.SubjectKnown = signals.Some(false) })
	f("the methods not shown", StepUp, func(a *signals.Attempt) { a.Session.AMR = []string{"pwd"} })
	f("two hours later", StepUp, func(a *signals.Attempt) { a.Time = at.Add(2 * time.Hour) })
}

// TestAttemptLimits: what a fact cannot hold is refused, and the log stays readable.
// TestStepsOfAnExchange: a decision that was no challenge of this attempt is noted as the
// step before where it is the same client's and older, and nothing follows from it.
func TestStepsOfAnExchange(t *testing.T) {
	e := forceAllow(t, open(t, t.TempDir()))
	defer e.Close()
	day := settle(t, e, 6)
	first := score(t, e, home("first", day))
	f := func(name string, want bool, change func(*signals.Attempt)) {
		t.Helper()
		unknown := unknownPreviousTotal.Get()
		a := home(name, day.Add(time.Minute))
		a.Action, a.PreviousDecisionID = signals.Refresh, first.Decision.ID.String()
		change(&a)
		x := score(t, e, a)
		r, err := e.Receipt(x.Decision.ID.String())
		if err != nil {
			t.Fatal(err)
		}
		if got := r.Resumes != nil && *r.Resumes == first.Decision.ID; got != want || (unknownPreviousTotal.Get() > unknown) == want {
			t.Errorf("%s: linked %v, want %v", name, got, want)
		}
		if r.Trace.Resumed || x.inputs.satisfied {
			t.Errorf("%s: was taken for the challenged attempt made again", name)
		}
	}
	f("next", true, func(*signals.Attempt) {})
	f("another person of the client", true, func(a *signals.Attempt) { a.Subject = "client:" + a.Client.ID })
	f("another client", false, func(a *signals.Attempt) { a.Client.ID = "other" })
	f("no client", false, func(a *signals.Attempt) { a.Client.ID = "" })
	f("before it", false, func(a *signals.Attempt) { a.Time = day.Add(-time.Minute) })
	f("nobody's", false, func(a *signals.Attempt) { a.PreviousDecisionID = "nonsense" })

	r, err := e.Receipt(first.Decision.ID.String())
	if err != nil || len(r.Said) != 0 {
		t.Errorf("%v is said of the first, %v: later steps are attempts of their own", r.Said, err)
	}
	before := successes(t, e, day)
	a := home("teaches", day.Add(2*time.Minute))
	a.PreviousDecisionID = first.Decision.ID.String()
	score(t, e, a)
	if got := successes(t, e, day); got != before+1 {
		t.Errorf("%d successes after %d: a step of its own teaches by itself", got, before)
	}
}

func TestAttemptLimits(t *testing.T) {
	dir := t.TempDir()
	e := open(t, dir, serving(calm(t), nil))
	f := func(pointer string, change func(*signals.Attempt)) {
		t.Helper()
		a := home("x", testStart)
		change(&a)
		for name, do := range map[string]func(*Assessment, time.Time) error{"score": e.Score, "evaluate": e.Evaluate} {
			var input *InputError
			if err := do(&Assessment{Attempt: a}, testStart); !errors.As(err, &input) || input.Pointer != pointer {
				t.Errorf("%s: %s: %v", name, pointer, err)
			}
		}
	}
	long := strings.Repeat("x", 70_000)
	f("/attempt_id", func(a *signals.Attempt) { a.ID = "" })
	f("/subject", func(a *signals.Attempt) { a.Subject = "" })
	f("/action", func(a *signals.Attempt) { a.Action = 0 })
	f("/action", func(a *signals.Attempt) { a.Action = signals.Action(len(signals.Actions)) })
	f("/intent/scopes", func(a *signals.Attempt) { a.Intent.Scopes = make([]string, 300) })
	f("/intent/scopes", func(a *signals.Attempt) { a.Intent.Scopes = []string{long} })
	f("/intent/authorization_details", func(a *signals.Attempt) { a.Intent.Details = make([]signals.Detail, 17) })
	f("/intent/authorization_details", func(a *signals.Attempt) { a.Intent.Details = []signals.Detail{{Type: long}} })
	full := home("full", testStart)
	full.Intent.Scopes, full.Intent.Details = nil, make([]signals.Detail, signals.MaxDetails)
	for i := range signals.MaxScopes {
		full.Intent.Scopes = append(full.Intent.Scopes, fmt.Sprint(long[:1000], i))
	}
	score(t, e, full)
	if err := e.crash(); err != nil {
		t.Fatal(err)
	}
	e = open(t, dir, serving(calm(t), nil))
	defer e.Close()
	if x := score(t, e, full); !x.Repeated || len(x.Decision.Grant.Scopes)+len(x.Decision.Grant.Removed) != signals.MaxScopes {
		t.Errorf("repeated %v: %d scopes granted", x.Repeated, len(x.Decision.Grant.Scopes))
	}
}

// TestSchemaChanges: a log that was begun under another schema still makes the
// state, and answers retries; what its vectors mean is not guessed.
func TestSchemaChanges(t *testing.T) {
	dir := t.TempDir()
	e := open(t, dir)
	settle(t, e, 5)
	x := score(t, e, home("x", testStart.Add(120*time.Hour)))
	want := successes(t, e, x.Attempt.Time)
	old := &Assessment{}
	if err := old.readDecision(x.buf); err != nil {
		t.Fatal(err)
	}
	old.fact.schema[0] ^= 1
	old.fact.attempt++
	payload := old.appendDecision(nil)
	// One feature and one family more, at the end of each.
	vector := len(payload) - len(old.appendScored(nil)) - len(after(old))
	scored := old.appendScored(nil)
	length := int(binary.LittleEndian.Uint16(scored[2:]))
	families := 4 + length + 16
	var wide []byte
	wide = append(wide, payload[:vector]...)
	wide = binary.LittleEndian.AppendUint16(wide, uint16(features.Width+1))
	wide = binary.LittleEndian.AppendUint16(wide, uint16(length+4))
	wide = append(wide, scored[4:4+length]...)
	wide = append(wide, 0, 0, 0, 0)
	wide = append(wide, scored[families-16:families]...)
	wide = append(wide, byte(features.Families+1))
	wide = append(wide, scored[families+1:]...)
	wide = append(wide, 0, 0, 128, 63, 5, 0)
	wide = append(wide, after(old)...)
	at, err := e.log.Append(KindDecision, x.Attempt.Time, wide)
	if err != nil {
		t.Fatal(err)
	}
	if err := e.crash(); err != nil {
		t.Fatal(err)
	}
	e = open(t, dir)
	defer e.Close()
	if got := successes(t, e, x.Attempt.Time); got < want {
		t.Errorf("%d successes, want at least %d", got, want)
	}
	r, err := e.Receipt(e.seal.Seal(0, at).String())
	if err != nil {
		t.Fatal(err)
	}
	for i, v := range r.Vector {
		if v == v {
			t.Fatalf("feature %d is %v, by a name that it may not have", i, v)
		}
	}
	if r.Decision.Outcome != x.Decision.Outcome || r.Contributions != [features.Families]float32{} {
		t.Errorf("the receipt says %+v", r)
	}
}

// after returns the part of a fact behind what was scored.
func after(x *Assessment) []byte {
	d := &x.Decision
	b := appendString(nil, d.ModelVersion)
	b = appendString(b, d.ModelDigest)
	b = append(b, byte(d.PolicyVersion), byte(d.PolicyVersion>>8), byte(d.PolicyVersion>>16), byte(d.PolicyVersion>>24))
	return x.Shadow.append(appendAnswer(appendString(b, d.PolicyDigest), d))
}

// TestUnknownExternal: names that no policy maps are counted.
func TestUnknownExternal(t *testing.T) {
	e := open(t, t.TempDir())
	defer e.Close()
	before := unknownExternalTotal.Get()
	a := home("x", testStart)
	a.External = []signals.External{{Name: "sim_swap_days", Value: 3}, {Name: "nonsense", Value: 1}}
	score(t, e, a)
	if got := unknownExternalTotal.Get() - before; got != 1 {
		t.Errorf("%d counted, want 1", got)
	}
}
