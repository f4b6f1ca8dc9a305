package fapi_test

import (
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/waryauth/wary/authz"
	"github.com/waryauth/wary/authz/fapi"
	"github.com/waryauth/wary/engine"
)

// faults are the ways in which an engine may fail: done is closed once the request that
// it was asked for is answered, over when the test ends.
var faults = map[string]func(x *engine.Assessment, done, over <-chan struct{}) error{
	"error": func(*engine.Assessment, <-chan struct{}, <-chan struct{}) error { return errors.New("broken") },
	"panic": func(*engine.Assessment, <-chan struct{}, <-chan struct{}) error { panic("broken") },
	"hang":  func(_ *engine.Assessment, _, over <-chan struct{}) error { <-over; return nil },
	"slow": func(x *engine.Assessment, done, _ <-chan struct{}) error { // a good answer, when it no longer counts
		<-done
		allowAll(x)
		return nil
	},
	"nothing":      wrong(func(d *engine.Decision) { *d = engine.Decision{} }),
	"garbage":      wrong(func(d *engine.Decision) { d.Outcome = 77 }),
	"no challenge": wrong(func(d *engine.Decision) { d.Outcome, d.Challenge = engine.StepUp, engine.Challenge{} }),
	"no life":      wrong(func(d *engine.Decision) { d.Grant.TTLSeconds = 0 }),
	"bad number":   wrong(func(d *engine.Decision) { d.Probability = 2 }),
}

// whole are the faults of issue 7, tried with everything that may be asked for.
var whole = []string{"error", "hang", "garbage", "slow"}

func wrong(spoil func(*engine.Decision)) func(*engine.Assessment, <-chan struct{}, <-chan struct{}) error {
	return func(x *engine.Assessment, _, _ <-chan struct{}) error {
		allowAll(x)
		spoil(&x.Decision)
		return nil
	}
}

// cell is one case of the matrix.
type cell struct {
	fault, stage, class string
	proved              bool // the person has just proved possession
}

func (c cell) String() string {
	return fmt.Sprintf("%s at %s, %s, proved %v", c.fault, c.stage, c.class, c.proved)
}

// asks are the parameters that ask for something of each class.
var asks = map[string][]string{
	"ordinary": {"scope", "openid accounts"}, "payments": {"scope", "openid payments"}, "administration": {"scope", "openid admin"},
	"payment details": {"scope", "openid", "authorization_details", `[{"type":"payment_initiation"}]`},
}

// demanded is what the engine's failure may end in, as issue 7 has it: a step-up for new
// grants, a shorter life for refreshes, denial for payments and administration. A token
// that is looked at was granted before, but is no refresh: it takes a step-up as well.
func (c cell) demanded() string {
	switch {
	case c.class != "ordinary":
		return "denied"
	case c.stage == "refreshed", c.proved && c.stage != "client":
		return "short"
	case c.stage == "pushed":
		return "stepped up"
	}
	return "denied"
}

// matrix fails the engine in every way, at every stage, for everything that may be asked
// for, under a policy, and returns what was allowed and should not have been, and what
// else came out as it should not. Healthy steps wait for the engine as long as it takes;
// the failing one, which has an authority of its own on the same store, gives up at once.
func matrix(t *testing.T, policy *engine.Policy, names ...string) (allowed, others []string, cells int) {
	w := newWorld(t, func(o *authz.Options, f *fapi.Options) {
		o.Deadline, o.Policy, f.PushesPerSecond = time.Minute, func() *engine.Policy { return policy }, 1e9
		o.SharedReplay, o.Secret = true, [32]byte{9} // the nonces of one are those of the other
	})
	over := make(chan struct{})
	t.Cleanup(func() { close(over) })
	healthy, wire := w.authority, w.fapi
	for _, name := range names {
		broken := faults[name]
		for _, stage := range []string{"pushed", "authenticated", "redeemed", "refreshed", "client", "introspected"} {
			for class, ask := range asks {
				for _, proved := range []bool{false, true} {
					c := cell{name, stage, class, proved}
					if !slices.Contains(whole, name) && (!proved || class == "payment details" || class == "administration") {
						continue // of these one more way of asking is enough: they are told apart by nothing but what the engine does
					}
					done := make(chan struct{})
					failing := func(run func() string) string {
						o := w.options
						o.Deadline = time.Millisecond
						o.Score = func(x *engine.Assessment, _ time.Time) error { return broken(x, done, over) }
						w.serves(o, fapi.Options{Ceremony: "/login", PushesPerSecond: 1e9, Log: o.Log})
						got := run()
						w.authority, w.fapi = healthy, wire
						close(done)
						return got
					}
					cells++
					got := w.under(c, ask, failing)
					if want := c.demanded(); got != want {
						others = append(others, fmt.Sprintf("%v: %s, want %s", c, got, want))
						if got == "allowed" || want == "denied" {
							allowed = append(allowed, fmt.Sprintf("%v: %s", c, got))
						}
					}
				}
			}
		}
	}
	return allowed, others, cells
}

// under goes the way to a stage, lets the engine fail there, and tells what came of it:
// denied, stepped up, short (what was granted lives a minute), or allowed.
func (w *world) under(c cell, ask []string, failing func(func() string) string) string {
	w.t.Helper()
	client := w.one.as("everything")
	w.person.ACR, w.person.AMR, w.how = weakACR, []string{"pwd"}, unable
	if c.proved {
		w.person.ACR, w.person.AMR = strongACR, []string{"hwk"}
	}
	if c.stage == "client" {
		ask = slices.Clone(ask)
		ask[1] = strings.TrimPrefix(strings.TrimPrefix(ask[1], "openid"), " ")
		return failing(func() string { return granted(client.post(client.own("", ask...))) })
	}
	if c.stage == "pushed" {
		return w.underPushed(ask, failing)
	}
	uri := client.pushed(client.push(ask...))
	b := w.browser()
	page := b.open(client.id, uri)
	if c.stage == "authenticated" {
		var q map[string][]string
		if got := failing(func() string { q = b.follow(page).query(w.t); return "" }); len(q["code"]) == 0 {
			return "denied" + got
		}
		return granted(client.post(client.exchange(q["code"][0])))
	}
	code := b.follow(page).query(w.t).Get("code")
	redeem := func() string { return granted(client.post(client.exchange(code))) }
	if c.stage == "redeemed" {
		got := failing(redeem)
		if got == "denied" && redeem() != "allowed" {
			return "denied, and the code is used up"
		}
		return got
	}
	a := client.post(client.exchange(code))
	a.is(w.t, http.StatusOK)
	if c.stage == "refreshed" {
		refresh := func() string { return granted(client.post(client.refresh(a.str("refresh_token")))) }
		got := failing(refresh)
		if refresh() != "allowed" {
			return got + ", and the grant is gone"
		}
		return got
	}
	return failing(func() string { return w.looked(a.str("access_token")) })
}

// underPushed fails the engine at a pushed request, and follows what was kept of it.
func (w *world) underPushed(ask []string, failing func(func() string) string) string {
	client := w.one.as("everything")
	var a *answer
	failing(func() string { a = client.post(client.push(ask...)); return "" })
	if a.status != http.StatusCreated {
		a.is(w.t, http.StatusServiceUnavailable, "temporarily_unavailable")
		return "denied"
	}
	b := w.browser()
	if q := b.follow(b.open(client.id, a.str("request_uri"))).query(w.t); !q.Has("code") {
		if q.Get("error") != "interaction_required" {
			return q.Get("error")
		}
		return "stepped up"
	}
	if w.person.ACR == strongACR {
		return "short" // the engine answered for the person, who had proved what was asked instead
	}
	return "allowed"
}

// granted tells what a token response grants.
func granted(a *answer) string {
	switch life, _ := a.json["expires_in"].(float64); {
	case a.status == http.StatusServiceUnavailable && a.str("error") == "temporarily_unavailable":
		return "denied"
	case a.status != http.StatusOK:
		return a.text
	case life > 60:
		return "allowed"
	case a.json["refresh_token"] != nil && a.str("id_token") == "":
		return "short, and may be refreshed"
	}
	return "short"
}

// looked tells what an introspection says of a token.
func (w *world) looked(token string) string {
	a := w.introspected(token)
	switch exp, _ := a.json["exp"].(float64); {
	case a.status == http.StatusServiceUnavailable && a.str("error") == "temporarily_unavailable":
		return "denied"
	case a.json["active"] != true:
		return a.text
	case int64(exp) > w.now().Unix()+60:
		return "allowed"
	}
	return "short"
}

// TestAFaultOfTheEngineAllowsNothingNew is the matrix of faults, stages and what is asked
// for, over the running server.
func TestAFaultOfTheEngineAllowsNothingNew(t *testing.T) {
	allowed, others, cells := matrix(t, engine.DefaultPolicy(), slices.Sorted(maps.Keys(faults))...)
	t.Logf("%d cells, %d unintended allows", cells, len(allowed))
	for _, o := range others {
		t.Error(o)
	}
}

// TestTheMatrixFindsAWrongTable is the control: a table that may be written and is another
// than the one the matrix stands for.
func TestTheMatrixFindsAWrongTable(t *testing.T) {
	text := string(engine.DefaultPolicy().Text)
	text = strings.Replace(text, "      refreshed: {ordinary: allow,", "      introspected: {ordinary: allow, payments: step_up, administration: deny}\n      refreshed: {ordinary: allow,", 1)
	lax, err := engine.ParsePolicy([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	allowed, _, _ := matrix(t, lax, "slow")
	for _, want := range []string{"slow at introspected, ordinary, proved false: short", "slow at introspected, payments, proved true: short"} {
		if !slices.Contains(allowed, want) {
			t.Errorf("not found: %s", want)
		}
	}
	for _, a := range allowed {
		if !strings.Contains(a, "at introspected") {
			t.Errorf("found where the table says nothing: %s", a)
		}
	}
}
