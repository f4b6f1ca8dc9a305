package main

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/waryauth/wary/authz/ceremony"
	"github.com/waryauth/wary/engine"
)

// thirdParty is a client of the authorization server that signs by hand.
type thirdParty struct {
	t       *testing.T
	private ed25519.PrivateKey
	base    string
	http    *http.Client
	nonce   string
}

func newThirdParty(t *testing.T) *thirdParty {
	t.Helper()
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return &thirdParty{t: t, private: private}
}

func (c *thirdParty) jwk() string {
	return `{"crv":"Ed25519","kty":"OKP","x":"` + b64(c.private.Public().(ed25519.PublicKey)) + `"}`
}

// file writes the file of clients in which it is the only one.
func (c *thirdParty) file(path, id string) {
	write(c.t, path, fmt.Appendf(nil, `clients:
- {client_id: %s, token_endpoint_auth_method: private_key_jwt, jwks: {keys: [%s]}, scope: accounts balances transactions, grant_types: [client_credentials]}
`, id, c.jwk()))
}

// reach makes the client know a daemon by the certificate in its data folder.
func (c *thirdParty) reach(r *running) {
	c.t.Helper()
	pem, err := os.ReadFile(filepath.Join(r.c.Data, "authorization.crt"))
	if err != nil {
		c.t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(pem)
	c.http = &http.Client{Timeout: 20 * time.Second, Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}}}
	c.t.Cleanup(c.http.CloseIdleConnections)
	c.base = r.authorization.authority.Issuer()
}

func b64(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

func unique() string {
	b := make([]byte, 12)
	rand.Read(b)
	return b64(b)
}

func (c *thirdParty) sign(header string, claims map[string]any) string {
	text, err := json.Marshal(claims)
	if err != nil {
		c.t.Fatal(err)
	}
	input := b64([]byte(header)) + "." + b64(text)
	return input + "." + b64(ed25519.Sign(c.private, []byte(input)))
}

func (c *thirdParty) proof(method, u, token string) string {
	claims := map[string]any{"jti": unique(), "htm": method, "htu": u, "iat": time.Now().Unix(), "nonce": c.nonce}
	if token != "" {
		sum := sha256.Sum256([]byte(token))
		claims["ath"] = b64(sum[:])
	}
	return c.sign(`{"typ":"dpop+jwt","alg":"EdDSA","jwk":`+c.jwk()+`}`, claims)
}

func (c *thirdParty) do(method, path, token string, form url.Values) (int, map[string]any) {
	c.t.Helper()
	req, err := http.NewRequest(method, c.base+path, strings.NewReader(form.Encode()))
	if err != nil {
		c.t.Fatal(err)
	}
	if form != nil {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	if token != "" {
		req.Header.Set("Authorization", "DPoP "+token)
	}
	req.Header.Set("DPoP", c.proof(method, c.base+path, token))
	res, err := c.http.Do(req)
	if err != nil {
		c.t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		c.t.Fatal(err)
	}
	if n := res.Header.Get("DPoP-Nonce"); n != "" {
		c.nonce = n
	}
	var body map[string]any
	_ = json.Unmarshal(text, &body) // not all answers have a body
	return res.StatusCode, body
}

// token asks for a token of its own, and again with the nonce.
func (c *thirdParty) token(id string) (status int, body map[string]any) {
	c.t.Helper()
	for range 2 {
		now := time.Now().Unix()
		status, body = c.do("POST", "/token", "", url.Values{
			"grant_type": {"client_credentials"}, "scope": {"accounts transactions"}, "client_id": {id},
			"client_assertion_type": {"urn:ietf:params:oauth:client-assertion-type:jwt-bearer"},
			"client_assertion":      {c.sign(`{"alg":"EdDSA"}`, map[string]any{"iss": id, "sub": id, "aud": c.base, "jti": unique(), "iat": now, "exp": now + 30})},
		})
		if body["error"] != "use_dpop_nonce" {
			break
		}
	}
	return status, body
}

// TestAuthorization: a client of the configuration gets a token from the daemon and
// uses it at the bank; the engine beside it decided about it.
func TestAuthorization(t *testing.T) {
	data := t.TempDir()
	clients := filepath.Join(t.TempDir(), "clients.yaml")
	c := newThirdParty(t)
	c.file(clients, "app")
	r := boot(t, data, "-authorization.listen=127.0.0.1:0", "-authorization.demo", "-authorization.clients="+clients, "-policy="+trusting(t))
	c.reach(r)
	status, body := c.token("app")
	token, _ := body["access_token"].(string)
	if status != 200 || token == "" {
		t.Fatalf("token: %d %v", status, body)
	}
	f := func(path string, status int, member string) {
		t.Helper()
		got, body := c.do("GET", path, token, nil)
		if _, ok := body[member]; got != status || !ok {
			t.Errorf("%s: %d %v", path, got, body)
		}
	}
	f("/bank/accounts", 200, "accounts")
	f("/bank/accounts/everyday/transactions", 200, "transactions")
	f("/bank/accounts/nobodys/transactions", 404, "error")
	f("/bank/accounts/everyday/balance", 403, "error")          // its scope was not asked for
	f("/bank/accounts/everyday/transactions/all", 401, "error") // no person stepped up
	if _, metrics := get(t, r, "/metrics"); !strings.Contains(metrics, `wary_resource_refused_total{error="insufficient_scope"}`) {
		t.Error("refusals are not counted")
	}

	c.file(clients, "renamed") // and a client that is gone is gone at once
	r.again <- syscall.SIGHUP
	r.log.await(t, "read again", 1)
	if got, _ := c.do("GET", "/bank/accounts", token, nil); got != 401 {
		t.Errorf("a client that is gone still reads: %d", got)
	}
	if status, body := c.token("renamed"); status != 200 {
		t.Errorf("%d %v", status, body)
	}
}

// TestOutcomesAreTold: that what the engine allowed came to nothing is in its log a moment
// later, by the daemon's own doing.
func TestOutcomesAreTold(t *testing.T) {
	dir := t.TempDir()
	clients, policy := filepath.Join(dir, "clients.yaml"), filepath.Join(dir, "policy.yaml")
	strict := strings.Replace(string(engine.DefaultPolicy().Text), "sender_constraint: {low: any, medium: dpop, high: dpop}", "sender_constraint: {low: mtls, medium: mtls, high: mtls}", 1)
	write(t, policy, []byte(strict))
	c := newThirdParty(t)
	c.file(clients, "app")
	r := boot(t, t.TempDir(), "-authorization.listen=127.0.0.1:0", "-authorization.clients="+clients, "-policy="+policy)
	c.reach(r)
	told := func() string {
		_, text := get(t, r, "/metrics")
		for line := range strings.Lines(text) {
			if after, ok := strings.CutPrefix(line, `wary_authz_outcomes_total{value="failure"} `); ok {
				return after
			}
		}
		return ""
	}
	before := told()
	if status, body := c.token("app"); status != 400 || body["error"] != "invalid_grant" {
		t.Fatalf("%d %v: the policy wants tokens bound to certificates", status, body)
	}
	for end := time.Now().Add(30 * time.Second); told() == before; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("the engine was told nothing")
		}
	}
}

// TestMetadataFollowsAccounts: the claims that people have are named as they are now.
func TestMetadataFollowsAccounts(t *testing.T) {
	accounts := filepath.Join(t.TempDir(), "accounts.yaml")
	row, _, err := ceremony.NewAccount("anna", "a long enough password", "", [32]byte{}, false)
	if err != nil {
		t.Fatal(err)
	}
	claims := func(c string) { write(t, accounts, []byte("accounts:\n"+row+"  claims: {"+c+"}\n")) }
	claims("name: Anna")
	r := boot(t, t.TempDir(), "-authorization.listen=127.0.0.1:0", "-authorization.accounts="+accounts)
	c := newThirdParty(t)
	c.reach(r)
	f := func(want string) {
		t.Helper()
		_, body := c.do("GET", "/.well-known/openid-configuration", "", nil)
		if got := fmt.Sprint(body["claims_supported"]); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
	f("[acr amr auth_time sub name]")
	claims("email: anna@example.com")
	r.again <- syscall.SIGHUP
	r.log.await(t, "read again", 1)
	f("[acr amr auth_time sub email]")
}

// trusting writes the default policy in which no risk is more than low: the engine may
// think little of a client that nobody ever saw, and that is not what is tested.
func trusting(t *testing.T) string {
	t.Helper()
	text := regexp.MustCompile(`(?m)^levels: .*$`).ReplaceAll(engine.DefaultPolicy().Text, []byte("levels: {medium: 0.9998, high: 0.9999}"))
	path := filepath.Join(t.TempDir(), "policy.yaml")
	write(t, path, text)
	return path
}

// TestWithheldIsSaid: a token with less than was asked for says what and why. That of a
// client whom nobody ever saw, under a policy that takes any risk for high.
func TestWithheldIsSaid(t *testing.T) {
	text := regexp.MustCompile(`(?m)^levels: .*$`).ReplaceAll(engine.DefaultPolicy().Text, []byte("levels: {medium: 0.0000001, high: 0.0000002}"))
	policy, clients := filepath.Join(t.TempDir(), "policy.yaml"), filepath.Join(t.TempDir(), "clients.yaml")
	write(t, policy, text)
	c := newThirdParty(t)
	c.file(clients, "app")
	c.reach(boot(t, t.TempDir(), "-authorization.listen=127.0.0.1:0", "-authorization.clients="+clients, "-policy="+policy))
	status, body := c.token("app")
	if said := fmt.Sprint(body["withheld"]); status != 200 || body["scope"] != "accounts" || said != "[map[code:sensitivity scope:transactions]]" {
		t.Errorf("%d %v: %s", status, body, said)
	}
}

func get(t *testing.T, r *running, path string) (int, string) {
	t.Helper()
	status, body, err := ask(r.client, "", "GET", "http://"+loopbackOf(r.operators)+path, "")
	if err != nil {
		t.Fatal(err)
	}
	return status, body
}

// TestSigningKeys: SIGUSR1 rotates them; they outlive a restart, and so does the
// certificate that the daemon made for itself.
func TestSigningKeys(t *testing.T) {
	data := t.TempDir()
	args := []string{"-authorization.listen=127.0.0.1:0"}
	r := boot(t, data, args...)
	if n := len(r.authorization.keys.List()); n != 2 {
		t.Fatalf("%d keys at first, want a current and a next one", n)
	}
	r.again <- syscall.SIGUSR1
	r.log.await(t, "signing key", 3)
	before := fmt.Sprint(r.authorization.keys.List())
	certificate := r.authorization.certificate.Load().Certificate[0]
	if err := r.stop(); err != nil {
		t.Fatal(err)
	}
	r = boot(t, data, args...)
	if after := fmt.Sprint(r.authorization.keys.List()); !sameKeys(before, after) {
		t.Errorf("keys before %s, after %s", before, after)
	}
	if !bytes.Equal(certificate, r.authorization.certificate.Load().Certificate[0]) {
		t.Error("the certificate was made anew")
	}
	if err := r.stop(); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(data, "authorization.secret"), []byte(strings.Repeat("ab", 32)))
	if _, err := start(configure(t, data, args...), r.daemon.log); err == nil || !strings.Contains(err.Error(), "another secret") {
		t.Errorf("started with another secret: %v", err)
	}
}

// sameKeys compares by what stands before the times, whose location a restart changes.
func sameKeys(a, b string) bool {
	return strings.Fields(a)[0] == strings.Fields(b)[0]
}

func TestOwnCertificate(t *testing.T) {
	dir := t.TempDir()
	now := time.Now()
	made := func(at time.Time) string {
		t.Helper()
		c, err := ownCertificate(dir, at)
		if err != nil {
			t.Fatal(err)
		}
		return string(c.Certificate[0])
	}
	first := made(now)
	if made(now.AddDate(0, 6, 0)) != first {
		t.Error("made anew with months left")
	}
	if made(now.AddDate(1, 0, -3)) == first {
		t.Error("kept with days left")
	}
	stat, err := os.Stat(filepath.Join(dir, "authorization.key"))
	if err != nil || stat.Mode().Perm() != 0o600 {
		t.Errorf("the key's file: %v %v", stat.Mode(), err)
	}
}

func TestAuthorizationRefused(t *testing.T) {
	f := func(want string, args ...string) {
		t.Helper()
		_, _, err := load(args, noEnv, io.Discard)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v: %v, want %q", args, err, want)
		}
	}
	open := "-authorization.listen=0.0.0.0:9443"
	f("refused without authorization.certificate", open)
	f("refused without authorization.clients", open)
	f("refused without authorization.issuer", open)
	f("authorization.demo: stays on loopback", open, "-authorization.demo")
	f("is no host:port", "-authorization.listen=9443")
	f("certificate and key go together", "-authorization.listen=127.0.0.1:9443", "-authorization.key=k.pem")
	f("authorization.rotate", "-authorization.listen=127.0.0.1:9443", "-authorization.rotate=1m")
	f("authorization.deadline", "-authorization.listen=127.0.0.1:9443", "-authorization.deadline=0s")
	f("authorization.deadline", "-authorization.listen=127.0.0.1:9443", "-authorization.deadline=6s")
	f("authorization.session", "-authorization.listen=127.0.0.1:9443", "-authorization.session=-1s")
	bad := filepath.Join(t.TempDir(), "clients.yaml")
	write(t, bad, []byte("clients: [{client_id: a, secret: b}]"))
	if _, err := read(configure(t, t.TempDir(), "-authorization.listen=127.0.0.1:0", "-authorization.clients="+bad)); err == nil || !strings.Contains(err.Error(), "secret") {
		t.Errorf("a defect of the clients is not named: %v", err)
	}
}

// TestBrowsersAreNotAskedForACertificate: with a host of its own for mutual TLS, the
// issuer's asks for none. The control is that other host.
func TestBrowsersAreNotAskedForACertificate(t *testing.T) {
	r := boot(t, t.TempDir(), "-authorization.listen=127.0.0.1:0", "-authorization.issuer=https://as.example", "-authorization.mtls_url=https://mtls.as.example")
	f := func(host string, want bool) {
		t.Helper()
		asked := false
		c, err := tls.Dial("tcp", loopbackOf(r.authorization.addr), &tls.Config{ServerName: host, InsecureSkipVerify: true, // of this test's own server
			GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
				asked = true
				return &tls.Certificate{}, nil
			}})
		if err != nil {
			t.Fatal(err)
		}
		c.Close()
		if asked != want {
			t.Errorf("%s asks for a certificate: %v", host, asked)
		}
	}
	f("as.example", false)
	f("mtls.as.example", true)
}
