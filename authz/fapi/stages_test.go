package fapi_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/waryauth/wary/authz"
	"github.com/waryauth/wary/engine"
)

func TestEveryStageAsksTheEngine(t *testing.T) {
	w := newWorld(t)
	a := w.one.tokens()
	w.one.post(w.one.refresh(a.str("refresh_token"))).is(t, http.StatusOK)
	w.introspected(a.str("access_token")).is(t, http.StatusOK)
	w.one.post(w.one.own("accounts")).is(t, http.StatusOK)
	if got, want := strings.Join(w.seen, " "), "pushed authenticated redeemed refreshed introspected client"; got != want {
		t.Fatalf("asked at %s, want %s", got, want)
	}
}

// TestStagesAreLinked: each question names the decision before it in its exchange.
func TestStagesAreLinked(t *testing.T) {
	w := newWorld(t)
	w.decides("authenticated", func(x *engine.Assessment) error {
		if x.Attempt.Session.ACR != strongACR {
			return outcome(engine.StepUp)(x)
		}
		return nil
	})
	first := w.one.tokens()
	w.introspected(first.str("access_token")).is(t, http.StatusOK)
	of := func(token string) string { return strings.SplitN(claimsOf(t, token)["jti"].(string), ".", 2)[1] }
	if redeemed, seen := w.answered("redeemed"), w.answered("introspected"); seen.previous != redeemed.decision || of(first.str("access_token")) != redeemed.decision {
		t.Errorf("introspected after %q, the code was redeemed by %q", seen.previous, redeemed.decision)
	}
	second := w.one.post(w.one.refresh(first.str("refresh_token")))
	w.introspected(second.str("access_token")).is(t, http.StatusOK)
	w.one.post(w.one.own("accounts")).is(t, http.StatusOK)
	var row []string
	before := map[string]string{}
	for _, a := range w.asked {
		row = append(row, a.stage+" after "+before[a.previous])
		before[a.decision] = a.stage
	}
	want := "pushed after ; authenticated after pushed; authenticated after authenticated; redeemed after authenticated; introspected after redeemed; " +
		"refreshed after redeemed; introspected after refreshed; client after "
	if got := strings.Join(row, "; "); got != want {
		t.Errorf("asked %s\n want %s", got, want)
	}
}

// own makes a request for a token of the client's own.
func (c *tpp) own(scope string, pairs ...string) *call {
	return c.proven(c.call("/token", "grant_type", "client_credentials", "scope", scope).set(pairs...), nil)
}

func TestDeny(t *testing.T) {
	w := newWorld(t)
	a := w.one.tokens()
	w.decides("pushed", outcome(engine.Deny))
	w.one.post(w.one.push()).is(t, http.StatusBadRequest, "access_denied")
	w.decides("authenticated", outcome(engine.Deny))
	if q := w.one.authorized(w.one.push()); q.Get("error") != "access_denied" || q.Has("code") {
		t.Fatal(q)
	}
	w.decides("introspected", outcome(engine.Deny))
	if got := w.introspected(a.str("access_token")); got.text != `{"active":false}` {
		t.Fatal(got.text)
	}
	w.decides("client", outcome(engine.Deny))
	w.one.post(w.one.own("accounts")).is(t, http.StatusBadRequest, "invalid_grant")
	w.decides("refreshed", outcome(engine.Deny))
	w.one.post(w.one.refresh(a.str("refresh_token"))).is(t, http.StatusBadRequest, "invalid_grant")
	w.decides("", nil)
	w.one.me(a.str("access_token")).is(t, http.StatusUnauthorized, "invalid_token") // the denied refresh revoked the grant
	w.one.post(w.one.refresh(a.str("refresh_token"))).is(t, http.StatusBadRequest, "invalid_grant")
}

// TestADeniedRedemptionRevokes: the code is spent, and so is what another redemption of it,
// which the engine allowed meanwhile, gave.
func TestADeniedRedemptionRevokes(t *testing.T) {
	w := newWorld(t)
	code := w.one.code()
	w.decides("redeemed", outcome(engine.Deny))
	w.one.post(w.one.exchange(code)).is(t, http.StatusBadRequest, "invalid_grant")
	w.decides("", nil)
	w.one.post(w.one.exchange(code)).is(t, http.StatusBadRequest, "invalid_grant")

	code = w.one.code()
	rival := *w.one
	var first *answer
	w.decides("redeemed", func(x *engine.Assessment) error {
		if first != nil {
			return nil
		}
		first = &answer{} // the rival is allowed
		first = rival.post(rival.exchange(code))
		return outcome(engine.Deny)(x)
	})
	w.one.post(w.one.exchange(code)).is(t, http.StatusBadRequest, "invalid_grant")
	first.is(t, http.StatusOK)
	if got := w.introspected(first.str("access_token")); got.text != `{"active":false}` {
		t.Error(got.text)
	}
	w.one.post(w.one.refresh(first.str("refresh_token"))).is(t, http.StatusBadRequest, "invalid_grant")
}

func TestStepUp(t *testing.T) {
	for _, at := range []string{"pushed", "authenticated"} {
		t.Run(at, func(t *testing.T) {
			w := newWorld(t)
			w.decides(at, func(x *engine.Assessment) error {
				if x.Attempt.Session.ACR != strongACR {
					return outcome(engine.StepUp)(x)
				}
				return nil
			})
			a := w.one.tokens()
			if acr := claimsOf(t, a.str("id_token"))["acr"]; acr != strongACR {
				t.Fatalf("acr %v: nobody was stepped up", acr)
			}
		})
	}
	t.Run("and cannot", func(t *testing.T) {
		w := newWorld(t)
		w.decides("authenticated", outcome(engine.StepUp)) // whatever the person does
		if q := w.one.authorized(w.one.push()); q.Get("error") != "interaction_required" {
			t.Fatal(q)
		}
	})
	t.Run("at redemption", func(t *testing.T) {
		w := newWorld(t)
		w.decides("redeemed", outcome(engine.StepUp))
		got := w.one.post(w.one.exchange(w.one.code()))
		if got.is(t, http.StatusBadRequest, "invalid_grant"); got.str("acr_values") != strongACR {
			t.Fatal(got.text)
		}
		w.person.ACR, w.person.AMR = strongACR, []string{"hwk"} // the challenge was met moments ago
		w.one.tokens()
		w.person.AuthTime = w.now().Add(-time.Hour) // and this one long ago
		w.one.post(w.one.exchange(w.one.code())).is(t, http.StatusBadRequest, "invalid_grant")
	})
	t.Run("at refresh", func(t *testing.T) {
		w := newWorld(t)
		a := w.one.tokens()
		w.decides("refreshed", outcome(engine.StepUp))
		got := w.one.post(w.one.refresh(a.str("refresh_token")))
		if got.is(t, http.StatusBadRequest, "invalid_grant"); got.str("acr_values") != strongACR {
			t.Fatal(got.text)
		}
		w.decides("", nil)
		w.one.post(w.one.refresh(a.str("refresh_token"))).is(t, http.StatusOK) // not revoked
	})
}

func TestTheGrantShrinks(t *testing.T) {
	w := newWorld(t)
	w.decides("authenticated", func(x *engine.Assessment) error {
		x.Decision.Grant.Scopes = []string{"openid", "admin"} // more than was asked is not more than was asked
		x.Decision.Grant.Removed = []engine.Removal{{Scope: "payments", Sensitivity: 3, Ceiling: 2}}
		return nil
	})
	if a := w.one.tokens("scope", "openid payments"); a.str("scope") != "openid" {
		t.Fatal(a.text)
	}
	if q := w.one.authorized(w.one.push("scope", "payments")); q.Get("error") != "access_denied" {
		t.Fatalf("nothing was left and yet: %v", q)
	}
	w.decides("", nil)
	w.answer = authz.Answer{Scopes: []string{"openid", "admin"}, Details: []int{0, 7, -1}}
	a := w.one.tokens("scope", "openid payments", "authorization_details", `[{"type":"account_information"},{"type":"payment_initiation"}]`)
	if a.str("scope") != "openid" || len(a.json["authorization_details"].([]any)) != 1 {
		t.Fatalf("the person consented to openid and the first detail: %s", a.text)
	}
}

// TestBindingAsStrongAsDecided: a client whose tokens are bound more weakly than the
// engine demands gets none.
func TestBindingAsStrongAsDecided(t *testing.T) {
	for constraint, good := range map[engine.Constraint]bool{engine.AnyConstraint: true, engine.DPoPConstraint: true, engine.MTLSConstraint: false} {
		w := newWorld(t)
		w.decides("redeemed", func(x *engine.Assessment) error { x.Decision.Grant.Constraint = constraint; return nil })
		if a := w.one.post(w.one.exchange(w.one.code())); (a.status == http.StatusOK) != good {
			t.Errorf("%v: status %d", constraint, a.status)
		}
	}
}

func TestHowStrongAndHowRecent(t *testing.T) {
	essential := `{"id_token":{"acr":{"essential":true,"values":["` + strongACR + `"]}}}`
	for _, c := range [...]struct {
		name   string
		params []string
		acr    string
		age    time.Duration // of the login
		want   string        // error; "" a code
	}{
		{"acr_values reached", []string{"acr_values", weakACR}, weakACR, 0, ""},
		{"acr_values surpassed", []string{"acr_values", weakACR}, strongACR, 0, ""},
		{"acr_values unmet", []string{"acr_values", strongACR}, weakACR, 0, "unmet_authentication_requirements"},
		{"acr_values that nobody can reach", []string{"acr_values", "urn:other"}, weakACR, 0, ""},
		{"essential acr reached", []string{"claims", essential}, strongACR, 0, ""},
		{"essential acr unmet", []string{"claims", essential}, weakACR, 0, "unmet_authentication_requirements"},
		{"old login", nil, weakACR, time.Hour, ""},
		{"max_age kept", []string{"max_age", "7200"}, weakACR, time.Hour, ""},
		{"max_age passed", []string{"max_age", "600"}, weakACR, time.Hour, "login_required"},
		{"max_age 0 by a new login", []string{"max_age", "0"}, weakACR, 0, ""},
		{"max_age 0 by an old one", []string{"max_age", "0"}, weakACR, time.Minute, "login_required"},
		{"prompt=login by an old one", []string{"prompt", "login"}, weakACR, time.Minute, "login_required"},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t)
			w.person.ACR = c.acr
			if c.age > 0 {
				w.person.AuthTime = w.now().Add(-c.age)
			}
			if q := w.one.authorized(w.one.push(c.params...)); q.Get("error") != c.want || q.Has("code") != (c.want == "") {
				t.Fatalf("%v, want error %q", q, c.want)
			}
		})
	}
}

// TestNoPersonIsAClient: a subject that is a client's name, or of the shape that names
// clients to the engine, gets nothing (RFC 9700, section 4.15).
func TestNoPersonIsAClient(t *testing.T) {
	for _, subject := range []string{"client-one", "client:client-one", ""} {
		w := newWorld(t)
		w.person.Subject = subject
		if q := w.one.authorized(w.one.push()); q.Has("code") {
			t.Errorf("%q: %v", subject, q)
		}
	}
}

// TestACarelessCeremonyGetsNoCode: what the engine said stands in the interaction, not
// in what the ceremony makes of it.
func TestACarelessCeremonyGetsNoCode(t *testing.T) {
	for name, c := range map[string]struct {
		how  ceremonyKind
		out  engine.Outcome
		want string
	}{
		"nobody logged in": {skipping, engine.Allow, "login_required"}, "denied": {careless, engine.Deny, "access_denied"},
		"not stepped up": {careless, engine.StepUp, "interaction_required"}, "the control": {careless, engine.Allow, ""},
	} {
		w := newWorld(t)
		w.how = c.how
		w.decides("authenticated", outcome(c.out))
		if q := w.one.authorized(w.one.push()); q.Get("error") != c.want || q.Has("code") != (c.want == "") {
			t.Errorf("%s: %v, want %q", name, q, c.want)
		}
	}
}
