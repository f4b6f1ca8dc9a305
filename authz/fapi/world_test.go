package fapi_test

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
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"log/slog"
	"maps"
	"math/big"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/waryauth/wary/authz"
	"github.com/waryauth/wary/authz/fapi"
	"github.com/waryauth/wary/authz/resource"
	"github.com/waryauth/wary/engine"
	"github.com/waryauth/wary/internal/store/bolt"
	"github.com/waryauth/wary/signals"
)

var b64 = base64.RawURLEncoding

// world is a running server with its clients, a person who answers, and a clock that
// tests move. The client side is written here by hand from the RFCs, so that nothing
// of the server's own code says what is right.
type world struct {
	t         testing.TB
	server    *httptest.Server
	userinfo  http.Handler // behind its verifier
	fapi      *fapi.Server
	authority *authz.Authority
	keys      *authz.Keys
	store     *bolt.Store
	options   authz.Options
	issuer    string
	one, two  *tpp
	ahead     atomic.Int64 // of the real clock, nanoseconds

	mu     sync.Mutex
	decide func(*engine.Assessment) error // the engine; nil: allow all
	person authz.Person
	answer authz.Answer
	how    ceremonyKind
	seen   []string // stages
	asked  []asked
}

func (w *world) now() time.Time { return time.Now().Add(time.Duration(w.ahead.Load())) }

func (w *world) sleep(d time.Duration) { w.ahead.Add(int64(d)) }

// asked is a question to the engine of the tests: its stage, the decision that answered
// it, and the one that it says was before.
type asked struct{ stage, decision, previous string }

// score is the engine of the tests: by default it allows everything for 300 s. Each
// decision has an id of its own.
func (w *world) score(x *engine.Assessment, now time.Time) error {
	allowAll(x)
	w.mu.Lock()
	decide := w.decide
	x.Decision.ID.Tag = uint64(len(w.asked) + 1)
	w.seen = append(w.seen, stage(x))
	w.asked = append(w.asked, asked{stage(x), x.Decision.ID.String(), x.Attempt.PreviousDecisionID})
	w.mu.Unlock()
	if decide != nil {
		return decide(x)
	}
	return nil
}

// answered returns the newest decision at a stage.
func (w *world) answered(stage string) asked {
	w.t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, a := range slices.Backward(w.asked) {
		if a.stage == stage {
			return a
		}
	}
	w.t.Fatalf("nothing was asked at %s", stage)
	return asked{}
}

func allowAll(x *engine.Assessment) {
	g := engine.Grant{Scopes: slices.Clone(x.Attempt.Intent.Scopes), TTLSeconds: 300}
	for i := range x.Attempt.Intent.Details {
		g.Details[i] = true
	}
	x.Decision = engine.Decision{Outcome: engine.Allow, Probability: 0.001, Grant: g}
}

// stage tells what the engine is asked about.
func stage(x *engine.Assessment) string {
	switch at := &x.Attempt; at.Action {
	case signals.Authorize:
		return "authenticated"
	case signals.TokenRequest:
		return "redeemed"
	case signals.Refresh:
		return "refreshed"
	case signals.API:
		switch {
		case at.Client.RedirectURI != "":
			return "pushed"
		case at.Authentication.Result == signals.Success:
			return "client"
		}
		return "introspected"
	}
	return "unknown"
}

// decides sets the engine's answer at one stage; others are allowed.
func (w *world) decides(at string, f func(*engine.Assessment) error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.decide = func(x *engine.Assessment) error {
		if stage(x) == at {
			return f(x)
		}
		return nil
	}
}

func outcome(o engine.Outcome) func(*engine.Assessment) error {
	return func(x *engine.Assessment) error {
		x.Decision.Outcome = o
		if o == engine.StepUp {
			x.Decision.Challenge = engine.Challenge{ACRValues: []string{strongACR}}
		}
		return nil
	}
}

const (
	weakACR   = "urn:wary:acr:password"
	strongACR = "urn:wary:acr:possession"
	callback  = "https://client.example/cb"
	alice     = "alice-7"
)

// option changes what a world is made of.
type option func(*authz.Options, *fapi.Options)

func newWorld(t testing.TB, options ...option) *world {
	t.Helper()
	w := &world{t: t, answer: authz.Answer{All: true}, person: authz.Person{Subject: alice, ACR: weakACR, AMR: []string{"pwd"}}}
	mux := http.NewServeMux()
	w.server = httptest.NewUnstartedServer(mux)
	w.server.EnableHTTP2 = true
	w.server.Config.ErrorLog = log.New(io.Discard, "", 0) // of handshakes that are meant to fail
	w.issuer = "https://" + w.server.Listener.Addr().String()
	var err error
	if w.store, err = bolt.Open(filepath.Join(t.TempDir(), "store"), bolt.Options{NoSync: true, Now: w.now}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.store.Close() })
	if w.keys, err = authz.OpenKeys(t.Context(), authz.KeyOptions{Store: w.store, Secret: [32]byte{1}, Now: w.now}); err != nil {
		t.Fatal(err)
	}
	w.one, w.two = newTPP(t, w, "client-one"), newTPP(t, w, "client-two")
	clients, err := authz.ParseClients([]byte(w.clients()))
	if err != nil {
		t.Fatal(err)
	}
	quiet := slog.New(slog.NewTextHandler(io.Discard, nil))
	ao := authz.Options{Issuer: w.issuer, ACRs: []string{weakACR, strongACR}, Clients: clients, Keys: w.keys, Store: w.store, Score: w.score, Now: w.now,
		Claims: identity, ClaimNames: func() []string { return []string{"name", "email", "email_verified"} }, Deadline: 2 * time.Second, Log: quiet}
	fo := fapi.Options{Ceremony: "/login", Log: quiet}
	for _, o := range options {
		o(&ao, &fo)
	}
	w.serves(ao, fo)
	w.options = ao
	mux.HandleFunc(fapi.UserInfoPath, func(rw http.ResponseWriter, r *http.Request) { w.userinfo.ServeHTTP(rw, r) })
	mux.HandleFunc("/", func(rw http.ResponseWriter, r *http.Request) { w.fapi.Handler().ServeHTTP(rw, r) })
	mux.HandleFunc("/login", w.ceremony)
	w.server.TLS = fapi.TLS()
	w.server.StartTLS()
	t.Cleanup(w.server.Close)
	return w
}

// serves puts an authority behind the running server.
func (w *world) serves(ao authz.Options, fo fapi.Options) {
	w.t.Helper()
	var err error
	if w.authority, err = authz.New(ao); err != nil {
		w.t.Fatal(err)
	}
	fo.Authority = w.authority
	if w.fapi, err = fapi.New(fo); err != nil {
		w.t.Fatal(err)
	}
	guard, err := resource.New(resource.Options{URL: ao.Issuer, Audience: w.authority.Audience(), Find: w.authority.Introspect, Proofs: w.authority.Proofs(), Now: ao.Now, Log: ao.Log})
	if err != nil {
		w.t.Fatal(err)
	}
	openid := func(h http.Handler) http.Handler { return guard.Protect(resource.Needs{Scopes: []string{"openid"}}, h) }
	w.userinfo = w.fapi.UserInfo(openid, resource.Token)
}

func identity(_ context.Context, subject string) (map[string]any, error) {
	return map[string]any{"name": "Alice Example", "email": "alice@example.com", "email_verified": true, "iss": "nobody may say this", "sub": "nor this"}, nil
}

// clients is the document of the two clients and of a resource server.
func (w *world) clients() string {
	var b strings.Builder
	b.WriteString("clients:\n")
	for _, c := range []*tpp{w.one, w.two} {
		fmt.Fprintf(&b, `
- client_id: %s
  client_name: The %s
  redirect_uris: [%q, %q, "http://127.0.0.1/native"]
  post_logout_redirect_uris: ["https://client.example/bye"]
  token_endpoint_auth_method: private_key_jwt
  jwks: {keys: [%s]}
  scope: openid profile email accounts payments
  grant_types: [authorization_code, refresh_token, client_credentials]
  authorization_details_types: [account_information, payment_initiation]
`, c.id, c.id, callback, callback+"?dummy1=lorem&dummy2=ipsum", jwk(c.key.Public(), c.kid, "ES256"))
		for _, m := range [...]struct{ id, method, constraint string }{{"-mtls", "self_signed_tls_client_auth", "mtls"}, {"-bound", "private_key_jwt", "mtls"}} {
			fmt.Fprintf(&b, `
- client_id: %s%s
  redirect_uris: [%q]
  token_endpoint_auth_method: %s
  certificate_thumbprints: [%s]
  jwks: {keys: [%s]}
  sender_constraint: %s
  scope: openid accounts
  grant_types: [authorization_code, refresh_token, client_credentials]
`, c.id, m.id, callback, m.method, c.x5t(), jwk(c.key.Public(), c.kid, "ES256"), m.constraint)
		}
	}
	fmt.Fprintf(&b, `
- client_id: signing
  redirect_uris: [%q]
  token_endpoint_auth_method: private_key_jwt
  jwks: {keys: [%s]}
  scope: openid accounts
  require_signed_request_object: true
- client_id: everything
  redirect_uris: [%q]
  token_endpoint_auth_method: private_key_jwt
  jwks: {keys: [%s]}
  scope: openid accounts payments admin
  grant_types: [authorization_code, refresh_token, client_credentials]
  authorization_details_types: [payment_initiation]
- client_id: bank
  token_endpoint_auth_method: private_key_jwt
  jwks: {keys: [%s]}
  grant_types: [client_credentials]
  resource: %s
`, callback, jwk(w.one.key.Public(), w.one.kid, "ES256"), callback, jwk(w.one.key.Public(), w.one.kid, "ES256"), jwk(w.one.key.Public(), w.one.kid, "ES256"), w.issuer)
	return b.String()
}

// ceremonyKind is how well the ceremony of the tests does its work.
type ceremonyKind int

const (
	careful  ceremonyKind = iota
	careless              // takes every answer of the engine for an allow
	unable                // has people who can prove no more than they did
	skipping              // asks nobody to log in
)

// ceremony shows a form and does what the world's person does with it.
func (w *world) ceremony(rw http.ResponseWriter, r *http.Request) {
	browser := ""
	if c, err := r.Cookie(authz.BrowserCookie); err == nil {
		browser = c.Value
	}
	in, err := w.authority.Interaction(r.Context(), r.URL.Query().Get("interaction"), browser)
	if err != nil {
		http.Error(rw, "gone", http.StatusBadRequest)
		return
	}
	if r.Method != http.MethodPost {
		fapi.Page(rw.Header(), in.Request.RedirectURI)
		fmt.Fprint(rw, "login page")
		return
	}
	w.mu.Lock()
	person, answer, how := w.person, w.answer, w.how
	w.mu.Unlock()
	if answer.Error != "" || how == skipping {
		w.fapi.Finish(rw, r, in, answer)
		return
	}
	if person.AuthTime.IsZero() {
		person.AuthTime = w.now()
	}
	login := &authz.Login{Person: person, Known: true, Result: signals.Success, Method: signals.Password, Origin: fapi.Origin(r)}
	out, err := w.authority.Authenticated(r.Context(), in, login)
	if how == careless {
		w.fapi.Finish(rw, r, in, answer)
		return
	}
	if err == nil && out == engine.StepUp && how != unable {
		login.Person.ACR, login.Person.AMR = strongACR, []string{"hwk"}
		out, err = w.authority.Authenticated(r.Context(), in, login)
	}
	switch {
	case err != nil:
		answer = authz.Answer{Error: authz.TemporarilyUnavailable}
	case out == engine.StepUp:
		answer = authz.Answer{Error: authz.InteractionRequired}
	case out == engine.Deny:
		answer = authz.Answer{Error: authz.AccessDenied}
	}
	w.fapi.Finish(rw, r, in, answer)
}

// browser is a person's browser: it keeps cookies and follows no redirect by itself.
type browser struct {
	w      *world
	client *http.Client
}

func (w *world) browser() *browser {
	jar, err := cookiejar.New(nil)
	if err != nil {
		w.t.Fatal(err)
	}
	return &browser{w, &http.Client{Jar: jar, Transport: w.server.Client().Transport, CheckRedirect: stay}}
}

func stay(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }

// open loads the authorization endpoint and returns its answer.
func (b *browser) open(clientID, uri string) *answer {
	return b.get(b.w.issuer + "/authorize?" + url.Values{"client_id": {clientID}, "request_uri": {uri}}.Encode())
}

func (b *browser) get(u string) *answer {
	r, err := http.NewRequest("GET", u, nil)
	if err != nil {
		b.w.t.Fatal(err)
	}
	return b.w.send(b.client, r)
}

// follow answers the ceremony's page that a redirect of the authorization endpoint
// leads to, and returns where that leads.
func (b *browser) follow(a *answer) *answer {
	b.w.t.Helper()
	if a.status != http.StatusSeeOther {
		b.w.t.Fatalf("authorization endpoint: status %d, body %s", a.status, a.text)
	}
	page := b.w.issuer + a.header.Get("Location")
	if got := b.get(page); got.status != http.StatusOK {
		b.w.t.Fatalf("login page: status %d", got.status)
	}
	r, err := http.NewRequest("POST", page, nil)
	if err != nil {
		b.w.t.Fatal(err)
	}
	return b.w.send(b.client, r)
}

// answer is an HTTP answer.
type answer struct {
	status int
	header http.Header
	text   string
	json   map[string]any
}

func (w *world) send(c *http.Client, r *http.Request) *answer {
	w.t.Helper()
	resp, err := c.Do(r)
	if err != nil {
		w.t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		w.t.Fatal(err)
	}
	a := &answer{status: resp.StatusCode, header: resp.Header, text: string(text)}
	_ = json.Unmarshal(text, &a.json) // not every answer is JSON
	return a
}

func (a *answer) is(t testing.TB, status int, codes ...string) {
	t.Helper()
	if a.status != status {
		t.Fatalf("status %d, want %d; body %s", a.status, status, a.text)
	}
	if len(codes) > 0 && !slices.Contains(codes, a.str("error")) {
		t.Fatalf("error %q, want one of %q; body %s", a.str("error"), codes, a.text)
	}
}

func (a *answer) str(name string) string {
	s, _ := a.json[name].(string)
	return s
}

// query returns the parameters that a redirect carries back to the client.
func (a *answer) query(t testing.TB) url.Values {
	t.Helper()
	if a.status != http.StatusSeeOther {
		t.Fatalf("status %d, want 303; body %s", a.status, a.text)
	}
	u, err := url.Parse(a.header.Get("Location"))
	if err != nil || !strings.HasPrefix(u.String(), callback) {
		t.Fatalf("redirected to %q", a.header.Get("Location"))
	}
	return u.Query()
}

// tpp is a client.
type tpp struct {
	w           *world
	id, kid     string
	key, proofs *ecdsa.PrivateKey
	cert        tls.Certificate
	plain, mtls *http.Client
	nonce       string
}

func newTPP(t testing.TB, w *world, id string) *tpp {
	c := &tpp{w: w, id: id, kid: "k-" + id, key: newKey(t), proofs: newKey(t)}
	c.cert = selfSigned(t, id)
	transport := func(certs ...tls.Certificate) *http.Client {
		return &http.Client{CheckRedirect: stay, Transport: &http.Transport{ForceAttemptHTTP2: true, MaxConnsPerHost: 8, TLSClientConfig: &tls.Config{InsecureSkipVerify: true, Certificates: certs}}}
	}
	c.plain, c.mtls = transport(), transport(c.cert)
	t.Cleanup(c.plain.CloseIdleConnections)
	t.Cleanup(c.mtls.CloseIdleConnections)
	return c
}

// as returns the same client under another of its registrations.
func (c *tpp) as(id string) *tpp {
	other := *c
	other.id = id
	return &other
}

func newKey(t testing.TB) *ecdsa.PrivateKey {
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func selfSigned(t testing.TB, name string) tls.Certificate {
	k := newKey(t)
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}
	der, err := x509.CreateCertificate(rand.Reader, template, template, k.Public(), k)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: k}
}

func (c *tpp) x5t() string {
	sum := sha256.Sum256(c.cert.Certificate[0])
	return b64.EncodeToString(sum[:])
}

// jwk writes a P-256 key as RFC 7517 has it.
func jwk(public crypto.PublicKey, kid, alg string) string {
	x, y := coordinates(public)
	return fmt.Sprintf(`{"kty":"EC","crv":"P-256","x":%q,"y":%q,"kid":%q,"alg":%q,"use":"sig"}`, x, y, kid, alg)
}

func coordinates(public crypto.PublicKey) (x, y string) {
	point, err := public.(*ecdsa.PublicKey).Bytes() // 4, x, y
	if err != nil {
		panic(err)
	}
	return b64.EncodeToString(point[1:33]), b64.EncodeToString(point[33:])
}

// thumbprint is RFC 7638 by hand.
func thumbprint(public crypto.PublicKey) string {
	x, y := coordinates(public)
	return digest(fmt.Sprintf(`{"crv":"P-256","kty":"EC","x":%q,"y":%q}`, x, y))
}

func digest(s string) string {
	sum := sha256.Sum256([]byte(s))
	return b64.EncodeToString(sum[:])
}

func random() string {
	b := make([]byte, 24)
	rand.Read(b)
	return b64.EncodeToString(b)
}

// object is the header or the claims of a JWT.
type object map[string]any

// with returns a copy with some members set, or removed where the value is nil.
func (o object) with(changes object) object {
	out := maps.Clone(o)
	for name, v := range changes {
		if v == nil {
			delete(out, name)
		} else {
			out[name] = v
		}
	}
	return out
}

// jws signs by ES256, by hand (RFC 7515, section 7.1).
func jws(key *ecdsa.PrivateKey, header, claims object) string {
	h, _ := json.Marshal(header)
	p, _ := json.Marshal(claims)
	return es256(key, b64.EncodeToString(h)+"."+b64.EncodeToString(p))
}

func es256(key *ecdsa.PrivateKey, input string) string {
	sum := sha256.Sum256([]byte(input))
	r, s, err := ecdsa.Sign(rand.Reader, key, sum[:])
	if err != nil {
		panic(err)
	}
	sig := make([]byte, 64)
	r.FillBytes(sig[:32])
	s.FillBytes(sig[32:])
	return input + "." + b64.EncodeToString(sig)
}

// claimsOf decodes a JWT's claims without looking at its signature.
func claimsOf(t testing.TB, token string) object {
	t.Helper()
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		t.Fatalf("%q is no JWT", token)
	}
	return decodeObject(t, parts[1])
}

func headerOf(t *testing.T, token string) object {
	return decodeObject(t, strings.Split(token, ".")[0])
}

func decodeObject(t testing.TB, part string) object {
	t.Helper()
	text, err := b64.DecodeString(part)
	if err != nil {
		t.Fatal(err)
	}
	o := object{}
	d := json.NewDecoder(bytes.NewReader(text))
	if err := d.Decode(&o); err != nil {
		t.Fatal(err)
	}
	return o
}

func (c *tpp) assertion(changes object) string {
	now := c.w.now().Unix()
	claims := object{"iss": c.id, "sub": c.id, "aud": c.w.issuer, "jti": random(), "iat": now, "nbf": now, "exp": now + 55}
	return jws(c.key, object{"alg": "ES256", "kid": c.kid}, claims.with(changes))
}

// prove makes a DPoP proof for a request.
func (c *tpp) prove(method, u, accessToken string, changes object) string {
	claims := object{"jti": random(), "htm": method, "htu": u, "iat": c.w.now().Unix(), "nonce": c.nonce}
	if accessToken != "" {
		claims["ath"] = digest(accessToken)
	}
	return jws(c.proofs, c.proofHeader(), claims.with(changes))
}

func (c *tpp) proofHeader() object {
	x, y := coordinates(c.proofs.Public())
	return object{"typ": "dpop+jwt", "alg": "ES256", "jwk": object{"kty": "EC", "crv": "P-256", "x": x, "y": y}}
}

// call is a request to the back channel, before it is sent.
type call struct {
	path   string
	form   url.Values
	proofs []string // DPoP headers
	mtls   bool
	header http.Header
}

// params are form parameters as pairs; a value "-" removes one.
func (k *call) set(pairs ...string) *call {
	for i := 0; i < len(pairs); i += 2 {
		if pairs[i+1] == "-" {
			k.form.Del(pairs[i])
		} else {
			k.form.Set(pairs[i], pairs[i+1])
		}
	}
	return k
}

// call makes a request in which the client authenticates by an assertion.
func (c *tpp) call(path string, pairs ...string) *call {
	k := &call{path: path, form: url.Values{}, header: http.Header{}}
	k.set("client_id", c.id, "client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer", "client_assertion", c.assertion(nil))
	return k.set(pairs...)
}

// proven adds a DPoP proof.
func (c *tpp) proven(k *call, changes object) *call {
	if c.nonce == "" {
		c.nonce = c.w.authority.Proofs().Nonce()
	}
	k.proofs = append(k.proofs, c.prove("POST", c.w.issuer+k.path, "", changes))
	return k
}

func (c *tpp) post(k *call) *answer {
	c.w.t.Helper()
	r, err := http.NewRequest("POST", c.w.issuer+k.path, strings.NewReader(k.form.Encode()))
	if err != nil {
		c.w.t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	for name, v := range k.header {
		r.Header[name] = v
	}
	if len(k.proofs) > 0 {
		r.Header["Dpop"] = k.proofs
	}
	client := c.plain
	if k.mtls {
		client = c.mtls
	}
	return c.w.send(client, r)
}

const verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk" // RFC 7636, appendix B

// push makes a good pushed request, with some parameters changed.
func (c *tpp) push(pairs ...string) *call {
	k := c.call("/par", "response_type", "code", "redirect_uri", callback, "scope", "openid accounts", "state", "st-1", "nonce", "n-1",
		"code_challenge", "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM", "code_challenge_method", "S256")
	return k.set(pairs...)
}

// pushed sends a pushed request that must be taken and returns its request URI.
func (c *tpp) pushed(k *call) string {
	c.w.t.Helper()
	a := c.post(k)
	a.is(c.w.t, http.StatusCreated)
	return a.str("request_uri")
}

// authorized takes a pushed request through a person's browser and returns what the
// client is told.
func (c *tpp) authorized(k *call) url.Values {
	c.w.t.Helper()
	b := c.w.browser()
	return b.follow(b.open(c.id, c.pushed(k))).query(c.w.t)
}

// code returns a fresh code.
func (c *tpp) code(pairs ...string) string {
	c.w.t.Helper()
	q := c.authorized(c.push(pairs...))
	if q.Get("code") == "" {
		c.w.t.Fatalf("no code: %v", q)
	}
	return q.Get("code")
}

// exchange makes a good token request for a code.
func (c *tpp) exchange(code string, pairs ...string) *call {
	k := c.call("/token", "grant_type", "authorization_code", "code", code, "redirect_uri", callback, "code_verifier", verifier)
	return c.proven(k.set(pairs...), nil)
}

// tokens goes the whole way and returns the token response.
func (c *tpp) tokens(pairs ...string) *answer {
	c.w.t.Helper()
	a := c.post(c.exchange(c.code(pairs...)))
	a.is(c.w.t, http.StatusOK)
	return a
}

// resource asks the userinfo endpoint.
func (c *tpp) resource(scheme, token string, proofs ...string) *answer {
	c.w.t.Helper()
	r, err := http.NewRequest("GET", c.w.issuer+"/userinfo", nil)
	if err != nil {
		c.w.t.Fatal(err)
	}
	if token != "" {
		r.Header.Set("Authorization", scheme+" "+token)
	}
	if len(proofs) > 0 {
		r.Header["Dpop"] = proofs
	}
	return c.w.send(c.plain, r)
}

// me uses a token with a good proof.
func (c *tpp) me(token string) *answer {
	c.w.t.Helper()
	return c.resource("DPoP", token, c.prove("GET", c.w.issuer+"/userinfo", token, nil))
}

// introspected asks as the resource server whether a token is good.
func (w *world) introspected(token string) *answer {
	w.t.Helper()
	bank := w.one.as("bank")
	return bank.post(bank.call("/introspect", "token", token))
}

func decodeBody(t testing.TB, rec *httptest.ResponseRecorder) map[string]any {
	t.Helper()
	var m map[string]any
	if err := json.Unmarshal(rec.Body.Bytes(), &m); err != nil {
		t.Fatalf("status %d, body %s", rec.Code, rec.Body)
	}
	return m
}
