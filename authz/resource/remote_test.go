package resource_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/waryauth/wary/authz"
	"github.com/waryauth/wary/authz/fapi"
	"github.com/waryauth/wary/authz/resource"
)

// remote is a world whose issuer is asked over HTTPS.
type remote struct {
	*world
	server *httptest.Server
	asked  atomic.Int64 // introspections
	looked atomic.Int64 // for keys
	down   atomic.Bool
	found  *resource.Remote
}

func newRemote(t *testing.T) *remote {
	t.Helper()
	r := &remote{}
	var wire http.Handler
	r.server = httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		switch req.URL.Path {
		case "/introspect":
			r.asked.Add(1)
		case "/jwks":
			r.looked.Add(1)
		}
		if r.down.Load() {
			w.WriteHeader(http.StatusInternalServerError)
			return
		}
		wire.ServeHTTP(w, req)
	}))
	t.Cleanup(r.server.Close)
	r.world = newWorld(t, r.server.URL)
	s, err := fapi.New(fapi.Options{Authority: r.authority, Ceremony: "/login", Log: quiet})
	if err != nil {
		t.Fatal(err)
	}
	wire = s.Handler()
	r.found, err = resource.NewRemote(t.Context(), resource.RemoteOptions{
		Issuer: r.issuer, ClientID: "bank", Key: r.key, KeyID: "k1", HTTP: r.server.Client(), Now: r.now,
	})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// TestRemote: a resource server elsewhere believes a token until its issuer revokes
// it, and asks nobody about one that the issuer did not sign.
func TestRemote(t *testing.T) {
	r := newRemote(t)
	proofs := authz.NewProofs(r.now)
	v := r.guard(func(o *resource.Options) { o.Find, o.Proofs = r.found.Find, proofs })
	token := r.token("proving", "accounts")
	with := func(token string) *http.Request {
		req := r.request(token)
		req.Header.Set("DPoP", r.proof(token, object{"nonce": proofs.Nonce()}))
		return req
	}
	is(t, send(v, resource.Needs{Scopes: []string{"accounts"}}, with(token)), 200, "proving")
	before := r.asked.Load()
	is(t, send(v, resource.Needs{}, with(token[:len(token)-4]+"AAAA")), 401, "invalid_token")
	is(t, send(v, resource.Needs{}, with("nonsense")), 401, "invalid_token")
	if n := r.asked.Load() - before; n != 0 {
		t.Errorf("the issuer was asked %d times about made-up tokens", n)
	}
	if err := r.authority.RevokeToken(t.Context(), r.authority.Clients().Find("proving"), token); err != nil {
		t.Fatal(err)
	}
	is(t, send(v, resource.Needs{}, with(token)), 401, "invalid_token")
	r.down.Store(true)
	is(t, send(v, resource.Needs{}, with(token)), 503, "temporarily_unavailable")
}

// TestRemoteKeys: the set is fetched once, again for a newer key, and not at the will
// of whoever sends tokens.
func TestRemoteKeys(t *testing.T) {
	r := newRemote(t)
	find := func(token string) {
		t.Helper()
		if _, err := r.found.Find(t.Context(), token); err != nil {
			t.Error(err)
		}
	}
	for range 3 {
		find(r.token("proving", "accounts"))
	}
	if n := r.looked.Load(); n != 1 {
		t.Errorf("keys were fetched %d times, want once", n)
	}
	for range 2 { // the first moves to a key that was published already, the second to a new one
		if err := r.keys.Rotate(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	r.sleep(time.Minute)
	find(r.token("proving", "accounts"))
	if n := r.looked.Load(); n != 2 {
		t.Errorf("keys were fetched %d times after a rotation, want twice", n)
	}
	unknown := sign(r.key, object{"typ": "at+jwt", "alg": "ES256", "kid": "unknown"}, object{"iss": r.issuer})
	for range 20 {
		if _, err := r.found.Find(t.Context(), unknown); !errors.Is(err, authz.ErrInactive) {
			t.Error(err)
		}
	}
	if n := r.looked.Load(); n > 3 {
		t.Errorf("20 tokens by an unknown key made us fetch keys %d times", n-2)
	}
	r.down.Store(true)
	r.sleep(2 * time.Hour)
	if _, err := r.found.Find(t.Context(), unknown); err == nil || errors.Is(err, authz.ErrInactive) {
		t.Errorf("keys of two hours ago are believed: %v", err)
	}
}

func TestRemoteRefuses(t *testing.T) {
	r := newRemote(t)
	f := func(want string, o resource.RemoteOptions) {
		t.Helper()
		o.HTTP = r.server.Client()
		if _, err := resource.NewRemote(context.Background(), o); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
	f("no client id", resource.RemoteOptions{Issuer: r.issuer})
	f("no https URL", resource.RemoteOptions{Issuer: "http://as.example", ClientID: "bank"})
	f("answered 404", resource.RemoteOptions{Issuer: r.issuer + "/other", ClientID: "bank"})
	liar := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write([]byte(`{"issuer":"https://as.example","jwks_uri":"https://as.example/jwks","introspection_endpoint":"https://as.example/introspect"}`))
	}))
	defer liar.Close()
	if _, err := resource.NewRemote(t.Context(), resource.RemoteOptions{Issuer: liar.URL, ClientID: "bank", HTTP: liar.Client()}); err == nil {
		t.Error("metadata of another issuer is believed")
	}
}
