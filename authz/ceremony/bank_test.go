package ceremony

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/waryauth/wary/authz"
	"github.com/waryauth/wary/internal/jose"
	"github.com/waryauth/wary/signals"
)

// bankACRs are those of a bank, as they are configured.
const bankACRs = "urn:bank:low=" + PasswordACR + ", urn:bank:sca=" + PossessionACR

func newBank(t testing.TB) *Bank {
	t.Helper()
	acrs, err := ParseACRs(bankACRs)
	if err != nil {
		t.Fatal(err)
	}
	return &Bank{ACRs: acrs, AMRs: []string{"pwd", "otp", "mfa"}}
}

func signerOf(t testing.TB, id string) *jose.Signer {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	s, err := jose.NewSigner(id, key)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func setOf(t testing.TB, signers ...*jose.Signer) jose.KeySet {
	t.Helper()
	var keys []jose.Key
	for _, s := range signers {
		keys = append(keys, s.Key())
	}
	set, err := jose.NewKeySet(keys...)
	if err != nil {
		t.Fatal(err)
	}
	return set
}

// proxied is a world behind a bank's proxy.
type proxied struct {
	*world
	signer *jose.Signer
}

func newProxied(t testing.TB, from string, options ...func(*Options)) *proxied {
	t.Helper()
	bank := newBank(t)
	p := &proxied{signer: signerOf(t, "proxy")}
	trusted, err := signals.ParseProxies([]string{from})
	if err != nil {
		t.Fatal(err)
	}
	bank.Header = &Header{Keys: setOf(t, p.signer), Issuer: "https://login.bank.example", From: trusted}
	p.world = newWorld(t, append(options, func(o *Options) { o.Bank = bank })...)
	return p
}

// claims are those of a right token about a customer.
func (p *proxied) claims() map[string]any {
	now := p.now()
	return map[string]any{"iss": "https://login.bank.example", "aud": p.server.URL, "sub": "customer-7", "jti": newSessionID(), "iat": now.Unix(), "exp": now.Unix() + 50,
		"auth_time": now.Unix(), "acr": "urn:bank:low", "amr": []string{"pwd"}}
}

func (p *proxied) sign(typ string, claims map[string]any) string {
	p.t.Helper()
	token, err := p.signer.Sign(typ, claims)
	if err != nil {
		p.t.Fatal(err)
	}
	return token
}

// through has the proxy let a browser through, to where it is, with headers.
func (b *tab) through(tokens ...string) *tab {
	b.w.t.Helper()
	r, err := http.NewRequest("GET", b.where.String(), nil)
	if err != nil {
		b.w.t.Fatal(err)
	}
	for _, token := range tokens {
		r.Header.Add("Wary-Identity", token)
	}
	return b.send(r)
}

func TestSignedHeader(t *testing.T) {
	p := newProxied(t, "127.0.0.1")
	b := p.browser().come(func(r *authz.Request) { r.LoginHint = "seven" })
	if b.status != http.StatusForbidden || b.where.Path != "/login/bank" || b.where.Query().Get("login_hint") != "seven" || b.where.Query().Get("acr_values") != "" {
		t.Fatalf("status %d at %s", b.status, b.where)
	}
	b.shows("Your bank did not confirm who you are")
	b.through(p.sign(IdentityType, p.claims())).shows("Allow access?", "Signed in as").submit("consent").succeeds()
	told := p.attempts()
	if len(told) != 1 {
		t.Fatalf("the engine was asked %d times", len(told))
	}
	if a := told[0]; a.Subject != "u-customer-7" || a.Authentication.Method != signals.Federated || a.Session.ACR != PasswordACR || !slices.Equal(a.Session.AMR, []string{"pwd"}) {
		t.Errorf("the engine was told %+v", a)
	}
	// Passwords are not taken beside it.
	b = p.browser().come(nil)
	_, fields := p.formOf(b)
	fields.Set("username", "alice")
	fields.Set("password", secretOf)
	b.post("/login/password", fields.Encode())
	if b.where.Path != "/login/bank" || len(p.attempts()) != 0 {
		t.Errorf("a password is taken beside the bank's login: at %s", b.where)
	}
}

// formOf returns a form as a page of the interaction would have it.
func (p *proxied) formOf(b *tab) (string, url.Values) {
	id := b.where.Query().Get("interaction")
	u, _ := url.Parse(p.server.URL)
	for _, c := range b.client.Jar.Cookies(u) {
		if c.Name == authz.BrowserCookie {
			return id, url.Values{"interaction": {id}, "token": {p.pages.formToken(id, c.Value)}}
		}
	}
	p.t.Fatal("the browser has no cookie")
	return "", nil
}

// TestHeadersThatAreNotBelieved changes one thing of a right token each time; the
// control is the right one, and that it works once.
func TestHeadersThatAreNotBelieved(t *testing.T) {
	p := newProxied(t, "127.0.0.1")
	b := p.browser().come(nil)
	f := func(what string, tokens ...string) {
		t.Helper()
		if b.through(tokens...); b.status != http.StatusForbidden {
			t.Fatalf("%s: status %d at %s", what, b.status, b.where)
		}
		if told := p.attempts(); len(told) != 0 {
			t.Fatalf("%s: the engine was told %+v", what, told)
		}
	}
	with := func(change func(c map[string]any)) string {
		c := p.claims()
		change(c)
		return p.sign(IdentityType, c)
	}
	good := p.sign(IdentityType, p.claims())
	f("none")
	f("two", good, good)
	f("empty", "")
	f("another typ", p.sign("JWT", p.claims()))
	mine := p.signer
	p.signer = signerOf(t, "proxy")
	f("another key", p.sign(IdentityType, p.claims()))
	p.signer = mine
	now := p.now().Unix()
	for what, change := range map[string]func(c map[string]any){
		"another issuer":        func(c map[string]any) { c["iss"] = "https://login.bank.example/" },
		"another audience":      func(c map[string]any) { c["aud"] = "https://other.example" },
		"several audiences":     func(c map[string]any) { c["aud"] = []string{p.server.URL, "https://other.example"} },
		"no audience":           func(c map[string]any) { delete(c, "aud") },
		"expired":               func(c map[string]any) { c["exp"] = now - 1 },
		"lives too long":        func(c map[string]any) { c["exp"] = now + 3600 },
		"never expires":         func(c map[string]any) { delete(c, "exp") },
		"old":                   func(c map[string]any) { c["iat"] = now - 100 },
		"from the future":       func(c map[string]any) { c["iat"] = now + 300 },
		"no time":               func(c map[string]any) { delete(c, "iat") },
		"no id":                 func(c map[string]any) { delete(c, "jti") },
		"a short id":            func(c map[string]any) { c["jti"] = "1" },
		"nobody":                func(c map[string]any) { delete(c, "sub") },
		"a subject of spaces":   func(c map[string]any) { c["sub"] = "a b" },
		"a long subject":        func(c map[string]any) { c["sub"] = strings.Repeat("a", maxSubject+1) },
		"many methods":          func(c map[string]any) { c["amr"] = strings.Split(strings.Repeat("a ", maxMethods), " ") },
		"methods that are text": func(c map[string]any) { c["amr"] = "pwd" },
		"a future login":        func(c map[string]any) { c["auth_time"] = now + 300 },
	} {
		f(what, with(change))
	}
	other := p.browser().come(nil)
	good = p.sign(IdentityType, p.claims())
	b.through(good).shows("Allow access?")
	p.attempts()
	if other.through(good); other.status != http.StatusForbidden || len(p.attempts()) != 0 {
		t.Errorf("a token is good twice: status %d", other.status)
	}
	// Classes and methods that are in no list are not passed on.
	other.through(with(func(c map[string]any) { c["acr"], c["amr"] = "urn:wary:acr:passkey", []string{"hwk", "pwd", "pwd"} })).shows("Allow access?")
	if a := p.attempts()[0]; a.Session.ACR != "" || !slices.Equal(a.Session.AMR, []string{"pwd"}) {
		t.Errorf("the engine was told acr %q, amr %q", a.Session.ACR, a.Session.AMR)
	}
}

// TestHeaderFromElsewhere sends a right token past the proxy.
func TestHeaderFromElsewhere(t *testing.T) {
	p := newProxied(t, "192.0.2.7")
	b := p.browser().come(nil).through(p.sign(IdentityType, p.claims()))
	if b.status != http.StatusForbidden {
		t.Errorf("status %d at %s", b.status, b.where)
	}
}

func TestStepUpAtTheBank(t *testing.T) {
	p := newProxied(t, "127.0.0.1")
	p.decides(stepUp)
	low := func() *tab { return p.browser().come(nil).through(p.sign(IdentityType, p.claims())) }
	b := low().shows("Confirm it is you", "Confirm with your bank")
	if strings.Contains(b.page, `name="otp"`) || strings.Contains(b.page, "data-passkey") {
		t.Error("what the person does not have is asked for")
	}
	link := linkOf(b)
	if q := link.Query(); q.Get("acr_values") != "urn:bank:sca" || q.Get("prompt") != "login" {
		t.Errorf("the link asks for %v", q)
	}
	f := func(b *tab, change func(map[string]any)) *tab {
		c := p.claims()
		change(c)
		b.where = linkOf(b)
		return b.through(p.sign(IdentityType, c))
	}
	strong := func(c map[string]any) { c["acr"], c["amr"] = "urn:bank:sca", []string{"pwd", "otp", "mfa"} }
	f(b, strong).shows("Allow access?").submit("consent").succeeds()

	// Another customer, and one who proves no more than before.
	if b = f(low(), func(c map[string]any) { strong(c); c["sub"] = "customer-8" }); b.status != http.StatusForbidden {
		t.Errorf("another customer met the challenge: status %d at %s", b.status, b.where)
	}
	f(low(), func(map[string]any) {}).shows("This needs a stronger sign-in")

	// What the client asks for is passed on at once.
	b = p.browser().come(func(r *authz.Request) { r.ACRValues = []string{PossessionACR} })
	if q := b.where.Query(); q.Get("acr_values") != "urn:bank:sca" || q.Get("prompt") != "" {
		t.Errorf("the bank is asked for %v", q)
	}
}

func linkOf(b *tab) *url.URL {
	b.w.t.Helper()
	_, rest, _ := strings.Cut(b.page, `id="bank_button" href="`)
	href, _, ok := strings.Cut(rest, `"`)
	if !ok {
		b.w.t.Fatalf("no link to the bank on the page:\n%s", b.page)
	}
	u, err := b.where.Parse(strings.ReplaceAll(href, "&amp;", "&"))
	if err != nil {
		b.w.t.Fatal(err)
	}
	return u
}

// idp is an OpenID provider on loopback.
type idp struct {
	*httptest.Server
	t      testing.TB
	w      *world
	secret string

	mu        sync.Mutex
	signer    *jose.Signer
	published *jose.Signer
	codes     map[string]url.Values // the authorization requests they are for
	claims    func(request url.Values, claims map[string]any)
}

func newIDP(t testing.TB, secret string) *idp {
	p := &idp{t: t, secret: secret, signer: signerOf(t, "k1"), codes: map[string]url.Values{}}
	p.published = p.signer
	mux := http.NewServeMux()
	answer := func(w http.ResponseWriter, v any) {
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(v)
	}
	mux.HandleFunc("GET /.well-known/openid-configuration", func(w http.ResponseWriter, _ *http.Request) {
		answer(w, map[string]string{"issuer": p.URL, "authorization_endpoint": p.URL + "/authorize", "token_endpoint": p.URL + "/token", "jwks_uri": p.URL + "/jwks"})
	})
	mux.HandleFunc("GET /jwks", func(w http.ResponseWriter, _ *http.Request) {
		p.mu.Lock()
		defer p.mu.Unlock()
		answer(w, setOf(t, p.published))
	})
	mux.HandleFunc("POST /token", func(w http.ResponseWriter, r *http.Request) {
		p.mu.Lock()
		defer p.mu.Unlock()
		request := p.codes[r.PostFormValue("code")]
		delete(p.codes, r.PostFormValue("code"))
		if request == nil || !p.authenticated(r) || r.PostFormValue("grant_type") != "authorization_code" || r.PostFormValue("redirect_uri") != request.Get("redirect_uri") ||
			jose.Digest(r.PostFormValue("code_verifier")) != request.Get("code_challenge") {
			http.Error(w, `{"error":"invalid_grant"}`, http.StatusBadRequest)
			return
		}
		now := p.w.now().Unix()
		claims := map[string]any{"iss": p.URL, "aud": "wary", "sub": "customer-7", "iat": now, "exp": now + 300, "nonce": request.Get("nonce"), "auth_time": now,
			"acr": "urn:bank:low", "amr": []string{"pwd"}}
		if p.claims != nil {
			p.claims(request, claims)
		}
		token, err := p.signer.Sign("JWT", claims)
		if err != nil {
			t.Error(err)
		}
		answer(w, map[string]any{"access_token": "unused", "token_type": "Bearer", "id_token": token})
	})
	p.Server = httptest.NewTLSServer(mux)
	t.Cleanup(p.Close)
	return p
}

// authenticated reports whether a token request is the client's.
func (p *idp) authenticated(r *http.Request) bool {
	if p.secret != "" {
		id, secret, ok := r.BasicAuth()
		return ok && id == "wary" && secret == url.QueryEscape(p.secret)
	}
	token, err := jose.Parse(r.PostFormValue("client_assertion"), "JWT")
	if err != nil || r.PostFormValue("client_id") != "wary" {
		return false
	}
	claims, err := token.Verify(p.w.authority.Keys().Public())
	return err == nil && claims.Issuer == "wary" && claims.Subject == "wary" && claims.Audience.Is(p.URL) && claims.ID != "" &&
		claims.Check(jose.Window{Now: p.w.now(), MaxLife: 2 * time.Minute}) == nil
}

// consents has the customer log in at the provider, where the browser is, and returns the
// address that they are sent back to.
func (p *idp) consents(b *tab) string {
	p.t.Helper()
	q := b.where.Query()
	if b.where.Host != strings.TrimPrefix(p.URL, "https://") || b.where.Path != "/authorize" || q.Get("response_type") != "code" || q.Get("client_id") != "wary" ||
		q.Get("scope") != "openid" || q.Get("redirect_uri") != "https://example.com/login/bank/callback" || q.Get("code_challenge_method") != "S256" ||
		len(q.Get("state")) < 22 || len(q.Get("nonce")) < 22 || len(q.Get("code_challenge")) != 43 {
		p.t.Fatalf("status %d: the browser is at %s:\n%s", b.status, b.where, b.page)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	code := newSessionID()
	p.codes[code] = q
	return q.Get("redirect_uri") + "?" + url.Values{"code": {code}, "state": {q.Get("state")}, "iss": {p.URL}}.Encode()
}

func (p *idp) says(f func(request url.Values, claims map[string]any)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.claims = f
}

func newFederated(t testing.TB, secret string) (*world, *idp) {
	t.Helper()
	p, bank := newIDP(t, secret), newBank(t)
	bank.Provider = &Provider{Issuer: p.URL, ClientID: "wary", Secret: secret, HTTP: p.Client()}
	if err := bank.Provider.Check(); err != nil {
		t.Fatal(err)
	}
	p.w = newWorld(t, func(o *Options) { o.Bank = bank })
	return p.w, p
}

func TestProvider(t *testing.T) {
	for name, secret := range map[string]string{"private_key_jwt": "", "client_secret_basic": "a secret: with % and ö"} {
		t.Run(name, func(t *testing.T) {
			w, p := newFederated(t, secret)
			age := 60
			b := w.browser().come(func(r *authz.Request) { r.LoginHint, r.MaxAge, r.Prompt = "seven", &age, []string{"login"} })
			if q := b.where.Query(); q.Get("login_hint") != "seven" || q.Get("max_age") != "60" || q.Get("prompt") != "login" {
				t.Errorf("asked for %v", q)
			}
			b.get(p.consents(b)).shows("Allow access?").submit("consent").succeeds()
			if a := w.attempts()[0]; a.Subject != "u-customer-7" || a.Authentication.Method != signals.Federated || a.Session.ACR != PasswordACR || !slices.Equal(a.Session.AMR, []string{"pwd"}) {
				t.Errorf("the engine was told %+v", a)
			}
		})
	}
}

func TestStepUpAtTheProvider(t *testing.T) {
	w, p := newFederated(t, "")
	w.decides(stepUp)
	p.says(func(request url.Values, claims map[string]any) {
		if request.Get("acr_values") == "urn:bank:sca" && request.Get("prompt") == "login" {
			claims["acr"] = "urn:bank:sca"
		}
	})
	b := w.browser().come(nil)
	b.get(p.consents(b)).shows("Confirm it is you")
	b.get(linkOf(b).String())
	b.get(p.consents(b)).shows("Allow access?").submit("consent").succeeds()
}

// TestAnswersOfAProviderThatAreNotBelieved changes one thing of a right answer each time;
// the control is the right one.
func TestAnswersOfAProviderThatAreNotBelieved(t *testing.T) {
	w, p := newFederated(t, "")
	age := 3600
	come := func() *tab { return w.browser().come(func(r *authz.Request) { r.MaxAge = &age }) }
	f := func(what string, change func(claims map[string]any)) {
		t.Helper()
		p.says(func(_ url.Values, claims map[string]any) { change(claims) })
		b := come()
		if b.get(p.consents(b)).shows("Your bank did not confirm who you are"); b.status != http.StatusForbidden || len(w.attempts()) != 0 {
			t.Errorf("%s: status %d", what, b.status)
		}
	}
	now := w.now().Unix()
	f("another issuer", func(c map[string]any) { c["iss"] = p.URL + "/" })
	f("another party", func(c map[string]any) { c["aud"] = "other" })
	f("several parties and no azp", func(c map[string]any) { c["aud"] = []string{"wary", "other"} })
	f("made for another", func(c map[string]any) { c["aud"], c["azp"] = []string{"wary", "other"}, "other" })
	f("azp is another", func(c map[string]any) { c["azp"] = "other" })
	f("another nonce", func(c map[string]any) { c["nonce"] = "other" })
	f("no nonce", func(c map[string]any) { delete(c, "nonce") })
	f("expired", func(c map[string]any) { c["exp"] = now - 1 })
	f("never expires", func(c map[string]any) { delete(c, "exp") })
	f("old", func(c map[string]any) { c["iat"] = now - 3600 })
	f("nobody", func(c map[string]any) { delete(c, "sub") })
	f("no time of login", func(c map[string]any) { delete(c, "auth_time") })
	kept := p.signer
	p.signer = signerOf(t, "k1") // which it does not publish
	f("another key", func(map[string]any) {})
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	if p.signer, err = jose.NewSigner("k1", private); err != nil {
		t.Fatal(err)
	}
	f("another algorithm", func(map[string]any) {})
	p.signer = kept
	p.says(nil)
	b := come()
	b.get(p.consents(b)).shows("Allow access?")

	// New keys are found, once it is time to look again.
	p.signer = signerOf(t, "k2")
	p.published = p.signer
	w.sleep(providerPause)
	b = come()
	b.get(p.consents(b)).shows("Allow access?")
}

func TestReturnsFromAProvider(t *testing.T) {
	w, p := newFederated(t, "")
	b := w.browser().come(nil)
	back := p.consents(b)
	change := func(name, value string) string {
		u, _ := url.Parse(back)
		q := u.Query()
		q.Set(name, value)
		u.RawQuery = q.Encode()
		return u.String()
	}
	w.browser().come(nil).get(change("state", "other")).shows("This page is no longer good")
	w.browser().get(w.server.URL + "/login/bank/callback?code=x").shows("This request cannot be completed")
	// An attacker's answer in the browser of a victim (login CSRF): it is another's state.
	victim := w.browser().come(nil)
	victim.get(back).shows("This page is no longer good")
	b.get(back).shows("This page is no longer good") // and it is used up

	b = w.browser().come(nil)
	back = p.consents(b)
	b.get(change("iss", "https://other.example")).shows("Your bank did not confirm who you are")
	b = w.browser().come(nil)
	back = p.consents(b)
	u, _ := url.Parse(back)
	q := u.Query()
	b.get(w.server.URL + u.Path + "?" + url.Values{"error": {"access_denied"}, "state": {q.Get("state")}}.Encode()).fails(authz.AccessDenied)

	p.Close()
	b = w.browser().come(nil)
	back = p.consents(b) // what the provider said of itself is still held
	if b.get(back); b.status != http.StatusServiceUnavailable {
		t.Errorf("status %d where the provider is down", b.status)
	}
	w.sleep(2 * providerFresh)
	w.browser().come(func(r *authz.Request) { r.Prompt = []string{"none"} }).fails(authz.LoginRequired)
}

func TestParseACRs(t *testing.T) {
	got, err := ParseACRs(bankACRs)
	if err != nil || !slices.Equal(got, []ACR{{"urn:bank:low", PasswordACR}, {"urn:bank:sca", PossessionACR}}) {
		t.Errorf("got %v, %v", got, err)
	}
	if got, err := ParseACRs(""); err != nil || got != nil {
		t.Errorf("got %v, %v", got, err)
	}
	for _, wrong := range []string{"a", "=b", "a=", "a=b=c", "a=b,a=c", `a"=b`} {
		if _, err := ParseACRs(wrong); err == nil {
			t.Errorf("taken: %q", wrong)
		}
	}
}

func TestClasses(t *testing.T) {
	if got := (Classes{Passkey: PossessionACR}).Ordered(); !slices.Equal(got, []string{PasswordACR, PossessionACR}) {
		t.Errorf("got %q", got)
	}
	if (Classes{Passkey: PasswordACR}).Check() == nil || (Classes{Code: PasswordACR}).Check() == nil || (Classes{}).Check() != nil {
		t.Error("classes are not checked")
	}
	w := newWorld(t, func(o *Options) { o.Classes = Classes{Code: PossessionACR, Passkey: PossessionACR} })
	d := newDevice(t, false)
	w.enrol(d)
	b := w.browser().come(nil)
	b.submit("passkey", "credential", d.says(b.options("get"))).shows("Allow access?")
	if a := w.attempts()[0]; a.Session.ACR != PossessionACR {
		t.Errorf("the engine was told acr %q", a.Session.ACR)
	}
}
