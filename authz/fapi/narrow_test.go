package fapi_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/waryauth/wary/authz"
	"github.com/waryauth/wary/authz/fapi"
	"github.com/waryauth/wary/engine"
)

// learning returns a policy that makes up its mind about use after a few grants.
func learning(t *testing.T) option {
	text := string(engine.DefaultPolicy().Text)
	for old, new := range map[string]string{"least_use: {2: 0.1, 3: 0.2}": "least_use: {1: 0.3}", "strength: 8 ": "strength: 1 "} {
		if !strings.Contains(text, old) {
			t.Fatalf("the default policy has no %q", old)
		}
		text = strings.Replace(text, old, new, 1)
	}
	p, err := engine.ParsePolicy([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return func(o *authz.Options, _ *fapi.Options) { o.Policy = func() *engine.Policy { return p } }
}

// use has the bank say that a token was used for a scope, and the server learn it.
func (w *world) use(a *answer, scope string) {
	w.t.Helper()
	bank := w.one.as("bank")
	if got := bank.post(bank.call("/introspect", "token", a.str("access_token"), "scope", scope)); got.json["active"] != true {
		w.t.Fatal(got.text)
	}
	w.authority.Learn(w.t.Context())
}

// withheld returns what a token response says was withheld: names and codes.
func withheld(t *testing.T, a *answer) string {
	t.Helper()
	var r struct {
		Withheld []struct{ Scope, Type, Part, Code, Because string }
	}
	if err := json.Unmarshal([]byte(a.text), &r); err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, x := range r.Withheld {
		if x.Because != "" {
			t.Errorf("the client is told what is for the person: %s", a.text)
		}
		out = append(out, strings.Trim(x.Scope+x.Type+"/"+x.Part, "/")+":"+x.Code)
	}
	return strings.Join(out, " ")
}

// TestWhatAClientNeverUsesIsWithheld: a client that asks for three things and uses one is
// granted that one, is told what was withheld, and gets the others when it asks for just
// those. What it does is known after a restart, and at other people.
func TestWhatAClientNeverUsesIsWithheld(t *testing.T) {
	w := newWorld(t, learning(t))
	const wide = "openid accounts profile payments"
	for _, who := range []string{"dan-4", "erin-5", alice} { // expected of payments: 1, then 1/2, then 1/3 of the grants
		w.person.Subject = who
		a := w.one.tokens("scope", wide)
		if a.str("scope") != wide || withheld(t, a) != "" {
			t.Fatalf("before anything is known: %s", a.text)
		}
		w.use(a, "accounts")
		w.use(a, "accounts") // counts once
	}
	a := w.one.tokens("scope", wide) // and now 1/4, below the least
	if a.str("scope") != "openid accounts" || withheld(t, a) != "profile:unused payments:unused" {
		t.Fatalf("scope %q, withheld %q", a.str("scope"), withheld(t, a))
	}
	if got := w.introspected(a.str("access_token")); got.str("scope") != "openid accounts" {
		t.Fatal(got.text)
	}
	w.use(a, "accounts")

	w.serves(w.options, fapi.Options{Ceremony: "/login"}) // the same store
	w.one.nonce = ""                                      // it was the other process's
	w.person.Subject = "bob-2"
	if a := w.one.tokens("scope", wide); a.str("scope") != "openid accounts" {
		t.Errorf("at another person, after a restart: %s", a.text)
	}
	if a := w.two.tokens("scope", "openid accounts profile email"); !strings.Contains(a.str("scope"), "profile") {
		t.Errorf("another client, which is new: %s", a.text)
	}

	w.person.Subject = alice
	if a := w.one.tokens("scope", "openid profile payments"); a.str("scope") != "openid profile payments" || withheld(t, a) != "" {
		t.Errorf("just what was withheld from it: %s", a.text)
	}
	w.person.Subject = "carol-3" // the control: from whom nothing was withheld at her
	if a := w.one.tokens("scope", "openid profile payments"); a.str("scope") != "openid" {
		t.Errorf("two things that it never uses, for the first time: %s", a.text)
	}
	if a := w.one.tokens("scope", "openid payments"); a.str("scope") != "openid payments" {
		t.Errorf("one thing: %s", a.text)
	}
}

// TestWithheldForLackOfUseIsNotForRisk: what is above the ceiling stays withheld, however
// a client asks.
func TestWithheldForLackOfUseIsNotForRisk(t *testing.T) {
	w := newWorld(t, learning(t))
	w.decides("authenticated", func(x *engine.Assessment) error {
		x.Decision.Level = engine.High
		return nil
	})
	for range 2 {
		if q := w.one.authorized(w.one.push("scope", "payments")); q.Get("error") != "access_denied" {
			t.Fatal(q)
		}
	}
	a := w.one.tokens("scope", "openid accounts payments")
	if a.str("scope") != "openid accounts" || withheld(t, a) != "payments:sensitivity" {
		t.Fatal(a.text)
	}
}

// TestDetailsShrinkWithRisk: a detail is granted less far, the token says what was
// granted, and the response what was not.
func TestDetailsShrinkWithRisk(t *testing.T) {
	w := newWorld(t)
	const asked = `[{"type":"account_information","actions":["read_balances","read_transactions"],"historyDays":365},` +
		`{"type":"payment_initiation","instructedAmount":{"amount":"12000.00","currency":"EUR"},"creditorName":"Green Grocers"}]`
	w.decides("authenticated", func(x *engine.Assessment) error {
		x.Decision.Level = engine.Medium
		return nil
	})
	a := w.one.tokens("scope", "openid", "authorization_details", asked)
	got, err := json.Marshal(a.json["authorization_details"])
	if err != nil {
		t.Fatal(err)
	}
	var details []map[string]any
	if err := json.Unmarshal(got, &details); err != nil {
		t.Fatal(err)
	}
	if len(details) != 1 || details[0]["historyDays"] != 90.0 || len(details[0]["actions"].([]any)) != 2 {
		t.Errorf("granted %s", got)
	}
	if withheld(t, a) != "account_information/historyDays:history payment_initiation:sensitivity" {
		t.Errorf("withheld %q", withheld(t, a))
	}
	if i := w.introspected(a.str("access_token")); i.json["authorization_details"] == nil || i.status != http.StatusOK {
		t.Error(i.text)
	} else if text, _ := json.Marshal(i.json["authorization_details"]); string(text) != string(got) {
		t.Errorf("the token has %s, the response %s", text, got)
	}
}
