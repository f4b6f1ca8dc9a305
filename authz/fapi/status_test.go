package fapi_test

import (
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/waryauth/wary/authz"
	"github.com/waryauth/wary/authz/fapi"
	"github.com/waryauth/wary/engine"
	"github.com/waryauth/wary/internal/jose"
	"github.com/waryauth/wary/signals"
)

// events are those that went into the log of facts.
type events struct {
	mu  sync.Mutex
	all []signals.Event
}

func (e *events) record(ev *signals.Event, _ time.Time) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.all = append(e.all, *ev)
	return nil
}

func (e *events) last() signals.Event {
	e.mu.Lock()
	defer e.mu.Unlock()
	if len(e.all) == 0 {
		return signals.Event{}
	}
	return e.all[len(e.all)-1]
}

func (e *events) into(o *authz.Options, _ *fapi.Options) { o.Record = e.record }

// fetched fetches a URL as anybody would.
func (w *world) fetched(u string) (*http.Response, string) {
	w.t.Helper()
	res, err := w.server.Client().Get(u)
	if err != nil {
		w.t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		w.t.Fatal(err)
	}
	return res, string(text)
}

// reference returns where a token says that its status is.
func (w *world) reference(token string) jose.StatusReference {
	w.t.Helper()
	var ref jose.StatusReference
	raw, err := json.Marshal(claimsOf(w.t, token)["status"])
	if err == nil {
		err = json.Unmarshal(raw, &ref)
	}
	if err != nil || ref.List.URI == "" {
		w.t.Fatalf("status %s: %v", raw, err)
	}
	return ref
}

// status returns what the published list says of a token, read by the published keys.
func (w *world) status(token string) jose.Status {
	w.t.Helper()
	w.sleep(time.Second) // past what the server gives again
	ref := w.reference(token)
	_, keys := w.fetched(w.issuer + "/jwks")
	set, err := jose.ParseKeySet([]byte(keys))
	if err != nil {
		w.t.Fatal(err)
	}
	_, text := w.fetched(ref.List.URI)
	list, err := jose.ParseStatusListToken(text, ref.List.URI, set, w.now(), time.Hour)
	if err != nil {
		w.t.Fatalf("%v: %s", err, text)
	}
	s, ok := list.List.At(ref.List.Index)
	if !ok {
		w.t.Fatalf("entry %d is not in the list", ref.List.Index)
	}
	return s
}

// TestRevokedEverywhere revokes in each of the ways there are, and looks at the status
// list, introspection, refresh and the log of facts. Alice's other tokens are the control.
func TestRevokedEverywhere(t *testing.T) {
	type given struct{ access, refresh, own string }
	holder := func(h authz.Holder) func(*given) authz.Target {
		return func(*given) authz.Target { return authz.Target{Holder: h} }
	}
	jti := func(w *world, token string) string { return claimsOf(w.t, token)["jti"].(string) }
	for name, f := range map[string]struct {
		target  func(*world, *given) authz.Target
		kind    string
		event   signals.EventType
		subject string
		own     bool // the client's own token ends too
		refresh bool // can still be refreshed
	}{
		"subject":       {func(_ *world, g *given) authz.Target { return holder(authz.Holder{Subject: alice})(g) }, "subject", signals.SessionRevoked, alice, false, false},
		"session":       {func(_ *world, g *given) authz.Target { return holder(authz.Holder{Session: "s-1"})(g) }, "session", signals.SessionRevoked, "", false, false},
		"client":        {func(_ *world, g *given) authz.Target { return holder(authz.Holder{Client: "client-one"})(g) }, "client", signals.ClientChanged, "", true, false},
		"grant":         {func(w *world, g *given) authz.Target { return authz.Target{Grant: before(jti(w, g.access), ".")} }, "grant", signals.ConsentWithdrawn, alice, false, false},
		"jti":           {func(w *world, g *given) authz.Target { return authz.Target{Token: jti(w, g.access)} }, "token", signals.SessionRevoked, alice, false, true},
		"access token":  {func(_ *world, g *given) authz.Target { return authz.Target{Token: g.access} }, "token", signals.SessionRevoked, alice, false, true},
		"refresh token": {func(_ *world, g *given) authz.Target { return authz.Target{Token: g.refresh} }, "grant", signals.ConsentWithdrawn, alice, false, false},
	} {
		t.Run(name, func(t *testing.T) {
			var log events
			w := newWorld(t, log.into)
			other := w.two.tokens().str("access_token") // of another client, and of no session
			w.person.Session = "s-1"
			a := w.one.tokens()
			g := &given{a.str("access_token"), a.str("refresh_token"), w.one.post(w.one.own("accounts")).str("access_token")}
			for _, token := range []string{other, g.access, g.own} {
				if s := w.status(token); s != jose.StatusValid {
					t.Fatalf("the control: status %d", s)
				}
			}
			if err := w.authority.Revoke(t.Context(), f.target(w, g), "security, case 7", "a laptop was stolen"); err != nil {
				t.Fatal(err)
			}
			if s := w.status(g.access); s != jose.StatusInvalid {
				t.Errorf("status %d, want invalid", s)
			}
			if got := w.introspected(g.access); got.json["active"] != false {
				t.Errorf("introspection: %s", got.text)
			}
			w.one.me(g.access).is(t, http.StatusUnauthorized, "invalid_token")
			if got := w.one.post(w.one.refresh(g.refresh)); (got.status == http.StatusOK) != f.refresh {
				t.Errorf("refresh: %d %s", got.status, got.text)
			}
			if s := w.status(g.own); (s == jose.StatusInvalid) != f.own {
				t.Errorf("the client's own token: status %d", s)
			}
			if s := w.status(other); (s == jose.StatusInvalid) != (name == "subject") {
				t.Errorf("another client's token: status %d", s)
			}
			ev := log.last()
			if ev.Type != f.event || ev.Subject != f.subject || ev.Attributes.Kind != f.kind || ev.Attributes.By != "security, case 7" ||
				ev.Attributes.Because != "a laptop was stolen" || ev.ID == "" || ev.Time.IsZero() {
				t.Errorf("the log has %+v", ev)
			}
			w.sleep(time.Second)
			if s := w.status(w.one.tokens().str("access_token")); s != jose.StatusValid {
				t.Errorf("what is given afterwards has status %d", s)
			}
		})
	}
}

func before(s, sep string) string { head, _, _ := strings.Cut(s, sep); return head }

// TestTheEngineRevokes: a denied redemption or refresh ends the grant, a denied
// introspection the token, and the log says which decision did.
func TestTheEngineRevokes(t *testing.T) {
	for at, f := range map[string]func(*world, *answer){
		"refreshed":    func(w *world, a *answer) { w.one.post(w.one.refresh(a.str("refresh_token"))) },
		"introspected": func(w *world, a *answer) { w.introspected(a.str("access_token")) },
	} {
		t.Run(at, func(t *testing.T) {
			var log events
			w := newWorld(t, log.into)
			a := w.one.tokens()
			w.decides(at, outcome(engine.Deny))
			f(w, a)
			if s := w.status(a.str("access_token")); s != jose.StatusInvalid {
				t.Errorf("status %d, want invalid", s)
			}
			ev := log.last()
			if ev.Attributes.By != "engine" || !strings.Contains(ev.Attributes.Because, w.answered(at).decision) {
				t.Errorf("the log has %+v", ev.Attributes)
			}
		})
	}
}

// TestSuspended: while a person is to prove more, what the client holds of them is
// suspended; it is valid again when a refresh is allowed, or the person was there.
func TestSuspended(t *testing.T) {
	for at, ask := range map[string]func(*world, *answer){
		"refreshed":    func(w *world, a *answer) { w.one.post(w.one.refresh(a.str("refresh_token"))) },
		"introspected": func(w *world, a *answer) { w.introspected(a.str("access_token")) },
	} {
		for how, pass := range map[string]func(*world, *answer){
			"refresh": func(w *world, a *answer) { w.one.post(w.one.refresh(a.str("refresh_token"))).is(w.t, http.StatusOK) },
			"person":  func(w *world, _ *answer) { w.one.tokens() },
		} {
			t.Run(at+", "+how, func(t *testing.T) {
				w := newWorld(t)
				a, other := w.one.tokens(), w.two.tokens()
				token := a.str("access_token")
				if s := w.status(token); s != jose.StatusValid {
					t.Fatalf("the control: status %d", s)
				}
				w.decides(at, outcome(engine.StepUp))
				ask(w, a)
				if s := w.status(token); s != jose.StatusSuspended {
					t.Errorf("status %d, want suspended", s)
				}
				w.one.me(token).is(t, http.StatusUnauthorized, "invalid_token")
				if s := w.status(other.str("access_token")); s != jose.StatusValid {
					t.Errorf("another client's token: status %d", s)
				}
				w.decides("nothing", nil)
				pass(w, a)
				if s := w.status(token); s != jose.StatusValid {
					t.Errorf("afterwards: status %d, want valid", s)
				}
				w.one.me(token).is(t, http.StatusOK)
			})
		}
	}
}

// TestStatusListEndpoint: draft-ietf-oauth-status-list-21, sections 8 and 9.
func TestStatusListEndpoint(t *testing.T) {
	w := newWorld(t)
	ref := w.reference(w.one.tokens().str("access_token"))
	res, text := w.fetched(ref.List.URI)
	h := res.Header
	if res.StatusCode != 200 || h.Get("Content-Type") != "application/statuslist+jwt" || h.Get("Access-Control-Allow-Origin") != "*" || h.Get("Cache-Control") != "public, max-age=1" {
		t.Errorf("%d %v", res.StatusCode, h)
	}
	claims := claimsOf(t, text)
	if claims["sub"] != ref.List.URI || claims["ttl"] != float64(1) || claims["exp"] == nil || claims["iat"] == nil {
		t.Errorf("claims %v", claims)
	}
	_, text = w.fetched(w.issuer + "/.well-known/oauth-authorization-server")
	var m struct {
		Lists string `json:"status_list_aggregation_endpoint"`
	}
	if err := json.Unmarshal([]byte(text), &m); err != nil {
		t.Fatal(err)
	}
	res, text = w.fetched(m.Lists)
	var lists struct {
		Lists []string `json:"status_lists"`
	}
	if err := json.Unmarshal([]byte(text), &lists); err != nil || res.Header.Get("Content-Type") != "application/json" || !slices.Contains(lists.Lists, ref.List.URI) {
		t.Errorf("%v %s", res.Header, text)
	}
	for _, id := range []string{"nonsense", strings.Repeat("x", 3000), "a%2Fb"} {
		if res, _ = w.fetched(w.issuer + "/statuslists/" + id); res.StatusCode != 404 || res.Header.Get("Cache-Control") != "no-store" {
			t.Errorf("%.20s: %d %v", id, res.StatusCode, res.Header)
		}
	}
	w.sleep(time.Hour)
	if res, _ = w.fetched(ref.List.URI); res.StatusCode != 404 {
		t.Errorf("an hour later: %d", res.StatusCode)
	}
	if _, text = w.fetched(m.Lists); strings.TrimSpace(text) != `{"status_lists":[]}` {
		t.Errorf("an hour later: %s", text)
	}
}

// TestStatusIndexes: each token has an entry of its own, and which is no count of tokens.
func TestStatusIndexes(t *testing.T) {
	w := newWorld(t)
	seen, ascending := map[jose.StatusReference]bool{}, true
	last := -1
	for range 24 {
		ref := w.reference(w.one.post(w.one.own("accounts")).str("access_token"))
		ascending = ascending && ref.List.Index > last // by chance once in 24!, about 6e23
		last = ref.List.Index
		seen[ref] = true
	}
	if len(seen) != 24 || ascending {
		t.Errorf("%d entries of 24 tokens, ascending %v", len(seen), ascending)
	}
}

// node returns another authority on the same store: another process, or the same after
// a restart.
func (w *world) node() *authz.Authority {
	w.t.Helper()
	a, err := authz.New(w.options)
	if err != nil {
		w.t.Fatal(err)
	}
	return a
}

// published returns what a node publishes of a token.
func (w *world) published(a *authz.Authority, token string) jose.Status {
	w.t.Helper()
	w.sleep(time.Second)
	ref := w.reference(token)
	_, id, _ := strings.Cut(ref.List.URI, authz.StatusPath+"/")
	text, err := a.StatusList(w.t.Context(), id)
	if err != nil {
		w.t.Fatal(err)
	}
	list, err := jose.ParseStatusListToken(text, ref.List.URI, w.keys.Public(), w.now(), time.Hour)
	if err != nil {
		w.t.Fatal(err)
	}
	s, _ := list.List.At(ref.List.Index)
	return s
}

// TestStatusOfSeveralNodes: what one node issues another revokes, and both publish it.
func TestStatusOfSeveralNodes(t *testing.T) {
	w := newWorld(t)
	other := w.node()
	token, untouched := w.one.tokens().str("access_token"), w.two.tokens().str("access_token")
	if err := w.authority.KeepStatus(t.Context(), false); err != nil {
		t.Fatal(err)
	}
	if err := other.Revoke(t.Context(), authz.Target{Token: token}, "test", "because"); err != nil {
		t.Fatal(err)
	}
	for name, node := range map[string]*authz.Authority{"that issued": w.authority, "that revoked": other} {
		if s := w.published(node, token); s != jose.StatusInvalid {
			t.Errorf("the node %s: status %d", name, s)
		}
		if s := w.published(node, untouched); s != jose.StatusValid {
			t.Errorf("the node %s, another token: status %d", name, s)
		}
	}
}

// TestStatusAfterARestart: after a clean end everything is known; after a crash what was
// not written is invalid, and what was written is as it was.
func TestStatusAfterARestart(t *testing.T) {
	for name, f := range map[string]struct {
		end         bool
		late, early jose.Status
	}{"clean": {true, jose.StatusValid, jose.StatusValid}, "crash": {false, jose.StatusInvalid, jose.StatusValid}} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			early := w.one.tokens().str("access_token")
			if err := w.authority.KeepStatus(t.Context(), false); err != nil {
				t.Fatal(err)
			}
			late := w.one.tokens().str("access_token")
			if f.end {
				if err := w.authority.KeepStatus(t.Context(), true); err != nil {
					t.Fatal(err)
				}
			}
			next := w.node()
			w.sleep(5 * time.Second) // without a sign of life
			if s := w.published(next, late); s != f.late {
				t.Errorf("what was issued last: status %d, want %d", s, f.late)
			}
			if s := w.published(next, early); s != f.early {
				t.Errorf("what was issued before: status %d, want %d", s, f.early)
			}
			if err := next.Revoke(t.Context(), authz.Target{Token: early}, "test", "because"); err != nil {
				t.Fatal(err)
			}
			if s := w.published(next, early); s != jose.StatusInvalid {
				t.Errorf("revoked after the restart: status %d", s)
			}
		})
	}
}
