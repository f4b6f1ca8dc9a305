package resource_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/waryauth/wary/authz"
	"github.com/waryauth/wary/authz/resource"
)

// listed is a remote world whose resource server looks at status lists.
type listed struct {
	*remote
	lists    *atomic.Int64 // fetched
	spoil    atomic.Pointer[func(http.ResponseWriter) bool]
	verifier *resource.Verifier
	proofs   *authz.Proofs
}

func newListed(t *testing.T) *listed {
	t.Helper()
	l := &listed{lists: &atomic.Int64{}}
	l.remote = newRemote(t)
	behind := l.server.Config.Handler
	l.server.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, authz.StatusPath+"/") {
			l.lists.Add(1)
			if f := l.spoil.Load(); f != nil && (*f)(w) {
				return
			}
		}
		behind.ServeHTTP(w, r)
	})
	found, err := resource.NewRemote(t.Context(), resource.RemoteOptions{
		Issuer: l.issuer, ClientID: "bank", Key: l.key, KeyID: "k1", HTTP: l.server.Client(), Now: l.now, StatusLists: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	l.proofs = authz.NewProofs(l.now)
	l.verifier = l.guard(func(o *resource.Options) { o.Find, o.Proofs = found.Find, l.proofs })
	return l
}

// get asks for the accounts with a token and returns the status.
func (l *listed) get(token string) int {
	r := l.request(token)
	r.Header.Set("DPoP", l.proof(token, object{"nonce": l.proofs.Nonce()}))
	return send(l.verifier, resource.Needs{Scopes: []string{"accounts"}}, r).Code
}

// TestStatusLists: one fetch serves all tokens of a list for half of its ttl, nobody is
// introspected, and what was revoked is refused by the next.
func TestStatusLists(t *testing.T) {
	l := newListed(t)
	l.stop()
	first, second := l.token("proving", "accounts"), l.token("proving", "accounts")
	for range 5 {
		for _, token := range []string{first, second} {
			if got := l.get(token); got != 200 {
				t.Fatalf("the control: %d", got)
			}
		}
	}
	if lists, asked := l.lists.Load(), l.asked.Load(); lists != 1 || asked != 0 {
		t.Errorf("10 requests fetched %d lists and asked %d times, want 1 and 0", lists, asked)
	}
	if err := l.authority.RevokeToken(t.Context(), l.authority.Clients().Find("proving"), first); err != nil {
		t.Fatal(err)
	}
	l.sleep(500 * time.Millisecond) // half of the ttl
	if a, b := l.get(first), l.get(second); a != 401 || b != 200 {
		t.Errorf("revoked: %d, the other: %d", a, b)
	}
	if lists := l.lists.Load(); lists != 2 {
		t.Errorf("%d lists were fetched, want 2", lists)
	}
}

// TestStatusListsThatAreNoGood: what cannot be fetched or believed lets nothing through,
// and is not asked for at every request.
func TestStatusListsThatAreNoGood(t *testing.T) {
	for name, f := range map[string]func(http.ResponseWriter) bool{
		"down": func(w http.ResponseWriter) bool { w.WriteHeader(500); return true },
		"gone": func(w http.ResponseWriter) bool { w.WriteHeader(404); return true },
		"elsewhere": func(w http.ResponseWriter) bool {
			w.Header().Set("Location", "https://elsewhere.example")
			w.WriteHeader(302)
			return true
		},
		"another type": func(w http.ResponseWriter) bool {
			w.Header().Set("Content-Type", "text/html")
			w.WriteHeader(200)
			return true
		},
		"no list": func(w http.ResponseWriter) bool {
			w.Header().Set("Content-Type", "application/statuslist+jwt")
			w.Write([]byte("a.b.c"))
			return true
		},
		"longer than 64": func(w http.ResponseWriter) bool {
			w.Header().Set("Content-Type", "application/statuslist+jwt")
			w.Write(make([]byte, 65<<10))
			return true
		},
	} {
		t.Run(name, func(t *testing.T) {
			l := newListed(t)
			l.stop()
			token := l.token("proving", "accounts")
			if got := l.get(token); got != 200 {
				t.Fatalf("the control: %d", got)
			}
			l.spoil.Store(&f)
			l.sleep(time.Second)
			before := l.lists.Load()
			for range 5 {
				if got := l.get(token); got != 503 {
					t.Errorf("%d, want 503", got)
				}
			}
			if n := l.lists.Load() - before; n != 1 {
				t.Errorf("5 requests asked %d times", n)
			}
			l.spoil.Store(nil)
			l.sleep(time.Second)
			if got := l.get(token); got != 200 {
				t.Errorf("when it is good again: %d", got)
			}
		})
	}
}

// TestRevocationIsFelt measures, by the real clock, how long after a revocation a
// resource server elsewhere lets its token through: introspection asks each time, so the
// first request after it is refused; with status lists those that find the copy from
// before the revocation still fresh pass, and none that fetched one after it.
func TestRevocationIsFelt(t *testing.T) {
	l := newListed(t)
	introspecting := authz.NewProofs(l.now)
	v := l.guard(func(o *resource.Options) { o.Find, o.Proofs = l.found.Find, introspecting })
	ask := func(token string) int {
		r := l.request(token)
		r.Header.Set("DPoP", l.proof(token, object{"nonce": introspecting.Nonce()}))
		return send(v, resource.Needs{}, r).Code
	}
	token := l.token("proving", "accounts")
	if a, b := l.get(token), ask(token); a != 200 || b != 200 {
		t.Fatalf("the control: %d and %d", a, b)
	}
	revoked := time.Now()
	if err := l.authority.Revoke(t.Context(), authz.Target{Holder: authz.Holder{Client: "proving"}}, "test", "measured"); err != nil {
		t.Fatal(err)
	}
	if got := ask(token); got != 401 {
		t.Errorf("by introspection: %d", got)
	}
	byIntrospection := time.Since(revoked)
	fetched, passed := l.lists.Load(), 0
	for l.get(token) == 200 {
		if l.lists.Load() > fetched {
			t.Fatal("a list that was fetched after the revocation lets the token through")
		}
		passed++
		time.Sleep(5 * time.Millisecond)
	}
	t.Logf("from the revocation to the first refusal: introspection %v, status list %v (ttl 1s; %d requests passed on the copy from before)",
		byIntrospection, time.Since(revoked), passed)
}

// TestUsed: what a request used of its token is told once it was let through, and not
// otherwise.
func TestUsed(t *testing.T) {
	w := newWorld(t, issuer)
	var used []string
	v := w.guard(func(o *resource.Options) {
		o.Used = func(t *authz.Token, scopes, details []string) {
			used = append(used, t.ClientID+" "+strings.Join(append(scopes, details...), " "))
		}
	})
	is(t, send(v, resource.Needs{Scopes: []string{"payments"}}, w.request(w.token("proving", "accounts"))), 403, "insufficient_scope")
	is(t, send(v, resource.Needs{}, w.request(w.token("proving", "accounts"))), 200, "proving")
	is(t, send(v, resource.Needs{Scopes: []string{"accounts"}}, w.request(w.token("proving", "accounts payments"))), 200, "proving")
	if len(used) != 1 || used[0] != "proving accounts" {
		t.Errorf("used: %q", used)
	}
}

// TestCheck: what only the body tells of is asked for by the handler; a handler that
// nobody protects lets nothing through.
func TestCheck(t *testing.T) {
	w := newWorld(t, issuer)
	v := w.guard(nil)
	handler := http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if v.Check(rw, r, resource.Needs{Scopes: []string{"payments"}}) {
			rw.WriteHeader(http.StatusNoContent)
		}
	})
	serve := func(h http.Handler, scope string) *httptest.ResponseRecorder {
		rec := httptest.NewRecorder()
		h.ServeHTTP(rec, w.request(w.token("proving", scope)))
		return rec
	}
	is(t, serve(v.Protect(resource.Needs{}, handler), "payments"), 204, "")
	is(t, serve(v.Protect(resource.Needs{}, handler), "accounts"), 403, "insufficient_scope")
	is(t, serve(handler, "payments"), 401, "DPoP")
}

// TestDetailIsNeeded: RFC 9396.
func TestDetailIsNeeded(t *testing.T) {
	w := newWorld(t, issuer)
	v := w.guard(nil)
	is(t, send(v, resource.Needs{Detail: "payment_initiation"}, w.request(w.token("proving", "accounts"))), 403, "insufficient_scope")
	token := &authz.Token{Details: []authz.Detail{{Type: "a", Raw: []byte(`{"type":"a"}`)}, {Type: "b", Raw: []byte(`{"type":"b"}`)}}}
	if got := resource.Details(token, "b"); len(got) != 1 || string(got[0]) != `{"type":"b"}` {
		t.Errorf("%s", got)
	}
}

// TestAliases: a client that knows the resource by another URL proves for that one.
func TestAliases(t *testing.T) {
	w := newWorld(t, issuer)
	v := w.guard(func(o *resource.Options) { o.Aliases = []string{"https://mtls.bank.example/other"} })
	token := w.token("proving", "accounts")
	f := func(host, htu string, status int, code string) {
		t.Helper()
		r := w.request(token)
		r.Host = host
		r.Header.Set("DPoP", w.proof(token, object{"htu": htu}))
		is(t, send(v, resource.Needs{}, r), status, code)
	}
	f("bank.example", base+"/accounts", 200, "proving")
	f("MTLS.bank.example", "https://mtls.bank.example/other/accounts", 200, "proving")
	f("mtls.bank.example", base+"/accounts", 401, "invalid_dpop_proof")
	f("evil.example", "https://evil.example/accounts", 401, "invalid_dpop_proof")
}
