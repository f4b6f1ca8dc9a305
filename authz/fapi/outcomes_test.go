package fapi_test

import (
	"errors"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/waryauth/wary/authz"
	"github.com/waryauth/wary/authz/fapi"
	"github.com/waryauth/wary/engine"
	"github.com/waryauth/wary/signals"
)

// ledger takes what the engine is told.
type ledger struct {
	mu   sync.Mutex
	told []signals.Feedback
	err  error // what telling ends in
	tell int   // calls
}

func (l *ledger) take(f *signals.Feedback, _ time.Time) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.tell++
	if l.err == nil {
		l.told = append(l.told, *f)
	}
	return l.err
}

// has reports whether exactly these were told, each of a decision, and forgets them.
func (l *ledger) has(t *testing.T, want ...signals.Feedback) {
	t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.told) != len(want) {
		t.Errorf("told %v, want %d", l.told, len(want))
	}
	for i := range min(len(l.told), len(want)) {
		got := l.told[i]
		if got.DecisionID != want[i].DecisionID || got.Value != want[i].Value || got.Source != want[i].Source || got.Kind != signals.Outcome || got.ID == "" {
			t.Errorf("told %+v, want %+v", got, want[i])
		}
	}
	l.told = nil
}

func withLedger(t *testing.T) (*world, *ledger) {
	l := &ledger{}
	return newWorld(t, func(o *authz.Options, _ *fapi.Options) { o.Tell = l.take }), l
}

func said(of asked, v signals.FeedbackValue) signals.Feedback {
	f := signals.Feedback{DecisionID: of.decision, Value: v, Source: signals.System}
	if v == signals.StepUpPassed || v == signals.StepUpFailed {
		f.Source = signals.Challenge
	}
	return f
}

// stepped has the engine ask for possession.
func stepped(x *engine.Assessment) error {
	if x.Attempt.Session.ACR != strongACR {
		return outcome(engine.StepUp)(x)
	}
	return nil
}

func TestSuccessIsTold(t *testing.T) {
	w, l := withLedger(t)
	w.one.code()
	w.authority.Report(t.Context())
	l.has(t, said(w.answered("authenticated"), signals.OutcomeSuccess))
	w.answer = authz.Answer{Error: authz.AccessDenied} // the person declines
	w.one.authorized(w.one.push())
	w.authority.Report(t.Context())
	l.has(t)
}

// TestFailureIsTold: what the engine allowed, for its part, came to nothing.
func TestFailureIsTold(t *testing.T) {
	w, l := withLedger(t)
	code, refresh := w.one.code(), w.one.tokens().str("refresh_token")
	w.authority.Report(t.Context())
	l.told = nil
	strict := func(x *engine.Assessment) error { x.Decision.Grant.Constraint = engine.MTLSConstraint; return nil }
	for stage, k := range map[string]*call{"redeemed": w.one.exchange(code), "refreshed": w.one.refresh(refresh), "client": w.one.own("accounts")} {
		w.decides(stage, strict)
		w.one.post(k).is(t, http.StatusBadRequest, "invalid_grant")
		w.authority.Report(t.Context())
		l.has(t, said(w.answered(stage), signals.OutcomeFailure))
	}
	w.decides("refreshed", outcome(engine.Deny)) // is no failure: it was not allowed
	w.one.post(w.one.refresh(refresh)).is(t, http.StatusBadRequest, "invalid_grant")
	w.authority.Report(t.Context())
	l.has(t)
}

func TestAPassedStepUpIsTold(t *testing.T) {
	for _, at := range []string{"authenticated", "pushed"} {
		w, l := withLedger(t)
		w.decides(at, stepped)
		w.one.code()
		w.authority.Report(t.Context())
		var challenged asked
		for _, a := range slices.Backward(w.asked) { // the first of its stage asked for it
			if a.stage == at {
				challenged = a
			}
		}
		if at == "pushed" { // told when it was met, and again when the client's request was let pass: one id, one fact
			if len(l.told) != 3 || l.told[0].ID != l.told[1].ID {
				t.Fatalf("told %v", l.told)
			}
			l.told = l.told[1:]
		}
		l.has(t, said(challenged, signals.StepUpPassed), said(w.answered("authenticated"), signals.OutcomeSuccess))
	}
}

func TestAFailedStepUpIsTold(t *testing.T) {
	w, l := withLedger(t)
	w.decides("authenticated", stepped)
	in := w.begun()
	login := &authz.Login{Person: authz.Person{Subject: alice, ACR: weakACR, AuthTime: w.now()}, Known: true, Result: signals.Success}
	if out, err := w.authority.Authenticated(t.Context(), in, login); out != engine.StepUp || err != nil {
		t.Fatal(out, err)
	}
	challenged := w.answered("authenticated")
	for _, subject := range []string{"somebody-else", alice} { // what another cannot prove says nothing of alice
		bad := &authz.Login{Person: authz.Person{Subject: subject}, Known: true, Result: signals.Failure, Method: signals.OTP}
		if _, err := w.authority.Authenticated(t.Context(), in, bad); err != nil {
			t.Fatal(err)
		}
	}
	w.authority.Report(t.Context())
	l.has(t, said(challenged, signals.StepUpFailed))
}

// begun pushes a request and begins to answer it.
func (w *world) begun() *authz.Interaction {
	w.t.Helper()
	in, err := w.authority.Begin(w.t.Context(), w.one.id, w.one.pushed(w.one.push()), "browser")
	if err != nil {
		w.t.Fatal(err)
	}
	return in
}

// TestAbandonedIsTold: when the time to answer is all but over and nobody has.
func TestAbandonedIsTold(t *testing.T) {
	w, l := withLedger(t)
	w.decides("authenticated", stepped)
	w.begun() // and nobody comes
	pushed := w.answered("pushed")
	in := w.begun()
	login := &authz.Login{Person: authz.Person{Subject: alice, ACR: weakACR, AuthTime: w.now()}, Known: true, Result: signals.Success}
	if out, err := w.authority.Authenticated(t.Context(), in, login); out != engine.StepUp || err != nil {
		t.Fatal(out, err)
	}
	challenged := w.answered("authenticated")
	w.one.code() // ends in time
	w.authority.Report(t.Context())
	l.told = nil
	w.sleep(10*time.Minute - 10*time.Second)
	w.authority.Report(t.Context())
	l.has(t)
	w.sleep(9 * time.Second)
	w.authority.Report(t.Context())
	l.has(t, said(pushed, signals.Abandoned), said(challenged, signals.Abandoned))
	w.authority.Report(t.Context())
	l.has(t)
}

// TestAChallengeThatIsLeftIsAbandoned, at once.
func TestAChallengeThatIsLeftIsAbandoned(t *testing.T) {
	w, l := withLedger(t)
	w.how = unable
	w.decides("authenticated", stepped)
	w.one.authorized(w.one.push())
	w.authority.Report(t.Context())
	l.has(t, said(w.answered("authenticated"), signals.Abandoned))
}

// TestTellingIsTriedAgain, but not for ever, and never what cannot be taken at all.
func TestTellingIsTriedAgain(t *testing.T) {
	w, l := withLedger(t)
	l.err = engine.ErrJournal
	w.one.code()
	w.authority.Report(t.Context())
	w.authority.Report(t.Context())
	l.err = nil
	w.authority.Report(t.Context())
	l.has(t, said(w.answered("authenticated"), signals.OutcomeSuccess))
	for err, want := range map[error]int{errors.New("broken"): 5, &engine.InputError{Pointer: "/x"}: 1, engine.ErrConflict: 1} {
		l.err, l.tell = err, 0
		w.one.code()
		for range 9 {
			w.authority.Report(t.Context())
		}
		if l.tell != want {
			t.Errorf("%v: told %d times, want %d", err, l.tell, want)
		}
	}
}

// TestOutcomesReachTheEngine's own log.
func TestOutcomesReachTheEngine(t *testing.T) {
	var e *engine.Engine
	decisions := map[string]string{}
	real, option := withEngine(t, func(e *engine.Engine) func(*engine.Assessment, time.Time) error {
		return func(x *engine.Assessment, now time.Time) error {
			err := e.Score(x, now)
			decisions[stage(x)] = x.Decision.ID.String()
			allowAll(x)
			x.Decision.ID, _ = engine.ParseAddress(decisions[stage(x)])
			return err
		}
	})
	e = real
	w := newWorld(t, option, func(o *authz.Options, _ *fapi.Options) { o.Tell = e.Feedback })
	a := w.one.tokens()
	w.one.post(w.one.refresh(a.str("refresh_token"))).is(t, http.StatusOK)
	w.introspected(a.str("access_token")).is(t, http.StatusOK)
	w.authority.Report(t.Context())
	for stage, before := range map[string]string{"pushed": "", "authenticated": "pushed", "redeemed": "authenticated", "refreshed": "redeemed", "introspected": "redeemed"} {
		r, err := e.Receipt(decisions[stage])
		if err != nil {
			t.Fatal(stage, err)
		}
		if got := r.Resumes; (got != nil) != (before != "") || got != nil && got.String() != decisions[before] {
			t.Errorf("%s: the decision before is %v, want that at %q", stage, got, before)
		}
		if stage == "authenticated" && (len(r.Said) != 1 || r.Said[0].Value != signals.OutcomeSuccess) {
			t.Errorf("said of it: %v", r.Said)
		}
	}
}
