package resource_test

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/big"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/waryauth/wary/authz"
	"github.com/waryauth/wary/authz/resource"
	"github.com/waryauth/wary/engine"
	"github.com/waryauth/wary/internal/store/bolt"
)

const (
	issuer = "https://as.example"
	base   = "https://bank.example/api"
)

var quiet = slog.New(slog.NewTextHandler(io.Discard, nil))

// world is an authority with two clients and a resource server beside it.
type world struct {
	t         *testing.T
	issuer    string
	ahead     atomic.Int64
	stopped   atomic.Int64
	keys      *authz.Keys
	authority *authz.Authority
	key       *ecdsa.PrivateKey
	cert      *x509.Certificate
}

// now is the real time and what tests slept, or, with the clock stopped, that alone.
func (w *world) now() time.Time {
	at := time.Now()
	if stopped := w.stopped.Load(); stopped != 0 {
		at = time.Unix(0, stopped)
	}
	return at.Add(time.Duration(w.ahead.Load()))
}

// stop stops the clock, so that a slow machine is not told apart from a quick one.
func (w *world) stop() { w.stopped.Store(time.Now().UnixNano()) }

func (w *world) sleep(d time.Duration) { w.ahead.Add(int64(d)) }

// allow is an engine that allows everything, each time by another decision.
func allow(x *engine.Assessment, _ time.Time) error {
	x.Decision.ID.Tag = rand64()
	x.Decision.Outcome = engine.Allow
	x.Decision.Grant.Scopes = append(x.Decision.Grant.Scopes[:0], x.Attempt.Intent.Scopes...)
	x.Decision.Grant.TTLSeconds = 300
	return nil
}

func newWorld(t *testing.T, at string) *world {
	t.Helper()
	w := &world{t: t, issuer: at}
	var err error
	if w.key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, w.key.Public(), w.key)
	if err != nil {
		t.Fatal(err)
	}
	if w.cert, err = x509.ParseCertificate(der); err != nil {
		t.Fatal(err)
	}
	s, err := bolt.Open(filepath.Join(t.TempDir(), "store"), bolt.Options{NoSync: true, Now: w.now})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	if w.keys, err = authz.OpenKeys(t.Context(), authz.KeyOptions{Store: s, Secret: [32]byte{1}, Now: w.now}); err != nil {
		t.Fatal(err)
	}
	clients, err := authz.ParseClients(fmt.Appendf(nil, `
clients:
- {client_id: proving, token_endpoint_auth_method: private_key_jwt, jwks: {keys: [%[1]s]}, scope: accounts payments, grant_types: [client_credentials]}
- {client_id: certified, token_endpoint_auth_method: private_key_jwt, jwks: {keys: [%[1]s]}, scope: accounts, grant_types: [client_credentials], sender_constraint: mtls}
- {client_id: bank, token_endpoint_auth_method: private_key_jwt, jwks: {keys: [%[1]s]}, grant_types: [client_credentials], resource: %[2]q}
`, jwk(w.key, "k1"), base))
	if err != nil {
		t.Fatal(err)
	}
	w.authority, err = authz.New(authz.Options{Issuer: at, Audience: base, ACRs: []string{"weak", "strong"}, Clients: clients, Keys: w.keys, Store: s, Score: allow,
		Now: w.now, Deadline: 5 * time.Second, Log: quiet})
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// token returns an access token of a client for a scope.
func (w *world) token(client, scope string) string {
	w.t.Helper()
	held := authz.Possession{JKT: thumbprint(w.key), X5T: sum(w.cert.Raw)}
	out, err := w.authority.ForClient(w.t.Context(), w.authority.Clients().Find(client), scope, "", held, &authz.Origin{})
	if err != nil {
		w.t.Fatal(err)
	}
	return out.AccessToken
}

// guard returns a verifier of the world's own tokens.
func (w *world) guard(change func(*resource.Options)) *resource.Verifier {
	w.t.Helper()
	o := resource.Options{URL: base, Audience: base, Find: w.authority.Introspect, Proofs: w.authority.Proofs(), Now: w.now, Log: quiet}
	if change != nil {
		change(&o)
	}
	v, err := resource.New(o)
	if err != nil {
		w.t.Fatal(err)
	}
	return v
}

// request returns a GET of the accounts with a token and a proof of it.
func (w *world) request(token string) *http.Request {
	r := httptest.NewRequest("GET", "https://inner.example/accounts", nil) // what a proxy makes of base + "/accounts"
	r.TLS = nil
	r.Header.Set("Authorization", "DPoP "+token)
	r.Header.Set("DPoP", w.proof(token, nil))
	return r
}

type object = map[string]any

// proof returns a DPoP proof for request, with changes to its claims: nil removes one.
func (w *world) proof(token string, changes object) string {
	claims := object{"jti": random(), "htm": "GET", "htu": base + "/accounts", "iat": w.now().Unix(), "ath": sum([]byte(token)), "nonce": w.authority.Proofs().Nonce()}
	for name, v := range changes {
		if claims[name] = v; v == nil {
			delete(claims, name)
		}
	}
	return sign(w.key, object{"typ": "dpop+jwt", "alg": "ES256", "jwk": json.RawMessage(jwk(w.key, ""))}, claims)
}

// send sends a request through a verifier and returns the answer. The handler behind
// it says whose token it was shown.
func send(v *resource.Verifier, n resource.Needs, r *http.Request) *httptest.ResponseRecorder {
	rec := httptest.NewRecorder()
	v.Protect(n, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, resource.Token(r).ClientID) })).ServeHTTP(rec, r)
	return rec
}

func is(t *testing.T, rec *httptest.ResponseRecorder, status int, code string) {
	t.Helper()
	if rec.Code != status || !strings.Contains(rec.Header().Get("WWW-Authenticate")+rec.Body.String(), code) {
		t.Errorf("%d %v %s, want %d %s", rec.Code, rec.Header(), rec.Body, status, code)
	}
}

// TestProtect sends one good request, changed in one way each time. The unchanged one
// is the control.
func TestProtect(t *testing.T) {
	w := newWorld(t, issuer)
	v := w.guard(nil)
	accounts := resource.Needs{Scopes: []string{"accounts"}}
	token := w.token("proving", "accounts")
	f := func(name string, status int, code string, change func(r *http.Request)) {
		t.Helper()
		t.Run(name, func(t *testing.T) {
			r := w.request(token)
			change(r)
			is(t, send(v, accounts, r), status, code)
		})
	}
	proof := func(name string, changes object) {
		t.Helper()
		f(name, 401, "invalid_dpop_proof", func(r *http.Request) { r.Header.Set("DPoP", w.proof(token, changes)) })
	}
	f("control", 200, "proving", func(*http.Request) {})
	f("scheme in another case", 200, "proving", func(r *http.Request) { r.Header.Set("Authorization", "dpop "+token) })
	f("htu with query", 200, "proving", func(r *http.Request) {
		r.Header.Set("DPoP", w.proof(token, object{"htu": base + "/accounts?a=b#c"}))
	})
	f("no token", 401, "DPoP algs", func(r *http.Request) { r.Header.Del("Authorization") })
	f("token in the query alone", 401, "DPoP algs", func(r *http.Request) {
		r.Header.Del("Authorization")
		r.URL.RawQuery = "access_token=" + token
	})
	f("token in the query too", 400, "invalid_request", func(r *http.Request) { r.URL.RawQuery = "access_token=" + token })
	f("two headers", 400, "invalid_request", func(r *http.Request) { r.Header.Add("Authorization", "DPoP "+token) })
	f("as a bearer token", 401, "invalid_token", func(r *http.Request) { r.Header.Set("Authorization", "Bearer "+token) })
	f("basic", 401, "DPoP algs", func(r *http.Request) { r.Header.Set("Authorization", "Basic "+token) })
	f("integrity", 401, "invalid_token", func(r *http.Request) {
		r.Header.Set("Authorization", "DPoP "+token[:len(token)-4]+"AAAA")
	})
	f("no proof", 401, "invalid_dpop_proof", func(r *http.Request) { r.Header.Del("DPoP") })
	f("two proofs", 401, "invalid_dpop_proof", func(r *http.Request) { r.Header.Add("DPoP", w.proof(token, nil)) })
	proof("other method", object{"htm": "POST"})
	proof("other path", object{"htu": base + "/payments"})
	proof("the host of the request", object{"htu": "https://inner.example/accounts"})
	proof("other token", object{"ath": sum([]byte("other"))})
	proof("no ath", object{"ath": nil})
	proof("no jti", object{"jti": nil})
	proof("an hour old", object{"iat": w.now().Add(-time.Hour).Unix()})
	proof("an hour ahead", object{"iat": w.now().Add(time.Hour).Unix()})
	f("no nonce", 401, "use_dpop_nonce", func(r *http.Request) { r.Header.Set("DPoP", w.proof(token, object{"nonce": nil})) })
	f("another's key", 401, "invalid_token", func(r *http.Request) {
		mine := w.key
		w.key, _ = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		r.Header.Set("DPoP", w.proof(token, nil))
		w.key = mine
	})
}

// TestScope: RFC 6750, section 3.1.
func TestScope(t *testing.T) {
	w := newWorld(t, issuer)
	v := w.guard(nil)
	rec := send(v, resource.Needs{Scopes: []string{"accounts", "payments"}}, w.request(w.token("proving", "accounts")))
	is(t, rec, 403, "insufficient_scope")
	if got := rec.Header().Get("WWW-Authenticate"); !strings.Contains(got, `scope="accounts payments"`) {
		t.Errorf("%s does not say which scope is wanted", got)
	}
	is(t, send(v, resource.Needs{Scopes: []string{"accounts", "payments"}}, w.request(w.token("proving", "accounts payments"))), 200, "proving")
}

// TestAudience: a token for another resource is of no use here.
func TestAudience(t *testing.T) {
	w := newWorld(t, issuer)
	v := w.guard(func(o *resource.Options) { o.Audience = "https://other.example" })
	is(t, send(v, resource.Needs{}, w.request(w.token("proving", "accounts"))), 401, "invalid_token")
}

// TestExpired and revoked tokens: good before, refused after.
func TestExpiredAndRevoked(t *testing.T) {
	w := newWorld(t, issuer)
	v := w.guard(nil)
	token := w.token("proving", "accounts")
	is(t, send(v, resource.Needs{}, w.request(token)), 200, "proving")
	if err := w.authority.RevokeToken(t.Context(), w.authority.Clients().Find("proving"), token); err != nil {
		t.Fatal(err)
	}
	is(t, send(v, resource.Needs{}, w.request(token)), 401, "invalid_token")
	token = w.token("proving", "accounts")
	is(t, send(v, resource.Needs{}, w.request(token)), 200, "proving")
	w.sleep(301 * time.Second)
	is(t, send(v, resource.Needs{}, w.request(token)), 401, "invalid_token")
}

// TestReplay: a proof works once.
func TestReplay(t *testing.T) {
	w := newWorld(t, issuer)
	v := w.guard(nil)
	r := w.request(w.token("proving", "accounts"))
	is(t, send(v, resource.Needs{}, r), 200, "proving")
	is(t, send(v, resource.Needs{}, r), 401, "invalid_dpop_proof")
}

// TestCertificate: RFC 8705, section 3.
func TestCertificate(t *testing.T) {
	w := newWorld(t, issuer)
	v := w.guard(nil)
	token := w.token("certified", "accounts")
	f := func(status int, code, scheme string, certs ...*x509.Certificate) {
		t.Helper()
		r := httptest.NewRequest("GET", "https://inner.example/accounts", nil)
		r.TLS = &tls.ConnectionState{PeerCertificates: certs}
		r.Header.Set("Authorization", scheme+token)
		r.Header.Set("X-Client-Cert", base64.StdEncoding.EncodeToString(w.cert.Raw)) // believed from nobody
		is(t, send(v, resource.Needs{}, r), status, code)
	}
	other := newWorld(t, issuer).cert
	f(200, "certified", "Bearer ", w.cert)
	f(401, "invalid_token", "Bearer ", other)
	f(401, "invalid_token", "Bearer ")
	f(401, "invalid_token", "DPoP ", w.cert)
}

// TestStepUp: RFC 9470.
func TestStepUp(t *testing.T) {
	w := newWorld(t, issuer)
	person := authz.Token{ClientID: "proving", Audience: []string{base}, Expires: w.now().Add(time.Minute), Bound: authz.Possession{JKT: thumbprint(w.key)}}
	v := w.guard(func(o *resource.Options) {
		o.Find = func(context.Context, string) (*authz.Token, error) { t := person; return &t, nil }
	})
	needs := resource.Needs{ACRs: []string{"strong", "stronger"}, MaxAge: 5 * time.Minute}
	f := func(acr string, ago time.Duration, status int, code string) {
		t.Helper()
		person.ACR, person.AuthTime = acr, w.now().Add(-ago)
		rec := send(v, needs, w.request("token"))
		is(t, rec, status, code)
		if got := rec.Header().Get("WWW-Authenticate"); status == 401 && !strings.Contains(got, `acr_values="strong stronger", max_age="300"`) {
			t.Errorf("%s does not say what is wanted", got)
		}
	}
	f("strong", time.Minute, 200, "proving")
	f("weak", time.Minute, 401, "insufficient_user_authentication")
	f("", time.Minute, 401, "insufficient_user_authentication")
	f("strongest", time.Minute, 401, "insufficient_user_authentication") // nobody said that it is
	v = w.guard(func(o *resource.Options) {
		o.Find = func(context.Context, string) (*authz.Token, error) { t := person; return &t, nil }
		o.ACRs = []string{"weak", "strong", "strongest"}
	})
	f("strongest", time.Minute, 200, "proving")
	f("strong", time.Minute, 200, "proving")
	f("stronger", time.Minute, 200, "proving")
	f("weak", time.Minute, 401, "insufficient_user_authentication")
	f("unknown", time.Minute, 401, "insufficient_user_authentication")
	f("", time.Minute, 401, "insufficient_user_authentication")
	f("strong", 6*time.Minute, 401, "insufficient_user_authentication")
	person.ACR, person.AuthTime = "strong", time.Time{} // a client's own token
	is(t, send(v, needs, w.request("token")), 401, "insufficient_user_authentication")
}

// TestFault: what cannot be checked is not let through, and nothing of it is told.
func TestFault(t *testing.T) {
	w := newWorld(t, issuer)
	v := w.guard(func(o *resource.Options) {
		o.Find = func(context.Context, string) (*authz.Token, error) {
			return nil, errors.New("disk on fire")
		}
	})
	rec := send(v, resource.Needs{}, w.request("token"))
	is(t, rec, 503, "temporarily_unavailable")
	if strings.Contains(rec.Body.String(), "fire") || rec.Header().Get("Retry-After") == "" {
		t.Errorf("%v %s", rec.Header(), rec.Body)
	}
}

func TestNewRefuses(t *testing.T) {
	w := newWorld(t, issuer)
	for _, change := range []func(*resource.Options){
		func(o *resource.Options) { o.URL = "http://bank.example" },
		func(o *resource.Options) { o.URL = "https://bank.example?a=b" },
		func(o *resource.Options) { o.Audience = "" },
		func(o *resource.Options) { o.Find = nil },
		func(o *resource.Options) { o.Proofs = nil },
	} {
		o := resource.Options{URL: base, Audience: base, Find: w.authority.Introspect, Proofs: w.authority.Proofs()}
		change(&o)
		if _, err := resource.New(o); err == nil {
			t.Errorf("%+v is let through", o)
		}
	}
}

// FuzzAuthorization: whatever stands in the header, nothing that Find does not know is
// let through.
func FuzzAuthorization(f *testing.F) {
	for _, s := range []string{"", "DPoP x", "Bearer x", "DPoP", "DPoP  x", "Bearer x, DPoP y", "dpop\tx"} {
		f.Add(s)
	}
	v, err := resource.New(resource.Options{URL: base, Audience: base, Proofs: authz.NewProofs(time.Now), Log: quiet,
		Find: func(context.Context, string) (*authz.Token, error) { return nil, authz.ErrInactive }})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, header string) {
		r := httptest.NewRequest("GET", "https://inner.example/accounts", nil)
		r.Header["Authorization"] = []string{header}
		if rec := send(v, resource.Needs{}, r); rec.Code != 401 || rec.Header().Get("WWW-Authenticate") == "" {
			t.Errorf("%q: %d %v", header, rec.Code, rec.Header())
		}
	})
}

func rand64() uint64 {
	var b [8]byte
	rand.Read(b[:])
	return binary.BigEndian.Uint64(b[:])
}

func random() string {
	b := make([]byte, 12)
	rand.Read(b)
	return base64.RawURLEncoding.EncodeToString(b)
}

func sum(b []byte) string {
	s := sha256.Sum256(b)
	return base64.RawURLEncoding.EncodeToString(s[:])
}

// jwk writes a public key as RFC 7517 has it; thumbprint is RFC 7638's.
func jwk(key *ecdsa.PrivateKey, kid string) string {
	point, _ := key.PublicKey.Bytes()
	b64 := base64.RawURLEncoding.EncodeToString
	rest := ""
	if kid != "" {
		rest = `,"kid":` + strconv.Quote(kid)
	}
	return `{"crv":"P-256","kty":"EC","x":"` + b64(point[1:33]) + `","y":"` + b64(point[33:]) + `"` + rest + `}`
}

func thumbprint(key *ecdsa.PrivateKey) string { return sum([]byte(jwk(key, ""))) }

// sign signs by hand, so that the code under test does not judge itself.
func sign(key *ecdsa.PrivateKey, header, claims object) string {
	var b bytes.Buffer
	for i, part := range []object{header, claims} {
		text, err := json.Marshal(part)
		if err != nil {
			panic(err)
		}
		if i > 0 {
			b.WriteByte('.')
		}
		b.WriteString(base64.RawURLEncoding.EncodeToString(text))
	}
	digest := sha256.Sum256(b.Bytes())
	der, err := key.Sign(rand.Reader, digest[:], crypto.SHA256)
	if err != nil {
		panic(err)
	}
	return b.String() + "." + base64.RawURLEncoding.EncodeToString(fixed(der))
}

// fixed turns a DER signature of P-256 into the 64 bytes of RFC 7518, section 3.4.
func fixed(der []byte) []byte {
	out := make([]byte, 64)
	der = der[2:]
	for i := range 2 {
		n := der[1+0]
		v := bytes.TrimLeft(der[2:2+n], "\x00")
		copy(out[32*(i+1)-len(v):], v)
		der = der[2+n:]
	}
	return out
}
