package fapi_test

import (
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/waryauth/wary/authz"
	"github.com/waryauth/wary/authz/fapi"
)

func TestWhatIsNoForm(t *testing.T) {
	w := newWorld(t)
	send := func(path, contentType, body string) *answer {
		r, _ := http.NewRequest("POST", w.issuer+path, strings.NewReader(body))
		r.Header.Set("Content-Type", contentType)
		return w.send(w.one.plain, r)
	}
	const form = "application/x-www-form-urlencoded"
	for _, path := range []string{"/par", "/token", "/introspect", "/revoke"} {
		good := w.one.push().form.Encode()
		for name, c := range map[string]struct {
			contentType, body string
			status            int
		}{
			"JSON":              {"application/json", "{}", http.StatusUnsupportedMediaType},
			"no type":           {"", good, http.StatusUnsupportedMediaType},
			"malformed type":    {"application/x-www-form-urlencoded; =", good, http.StatusUnsupportedMediaType},
			"multipart":         {"multipart/form-data; boundary=x", "--x--", http.StatusUnsupportedMediaType},
			"too large":         {form, good + "&x=" + strings.Repeat("x", 64<<10), http.StatusRequestEntityTooLarge},
			"repeated":          {form, good + "&client_id=" + w.one.id, http.StatusBadRequest},
			"repeated, unknown": {form, good + "&foo=1&foo=2", http.StatusBadRequest},
			"bad escape":        {form, "a=%zz", http.StatusBadRequest},
			"not UTF-8":         {form, "a=%ff", http.StatusBadRequest},
			"NUL":               {form, "client_id=a%00b", http.StatusBadRequest},
			"semicolons":        {form, "a=1;b=2", http.StatusBadRequest},
			"too many":          {form, strings.Repeat("a", 1) + "=1" + many(80), http.StatusBadRequest},
		} {
			a := send(path, c.contentType, c.body)
			if a.status != c.status || a.str("error") != "invalid_request" || a.header.Get("Content-Type") != "application/json" || a.header.Get("Cache-Control") != "no-store" {
				t.Errorf("%s, %s: status %d, want %d; %s", path, name, a.status, c.status, a.text)
			}
		}
		if a := send(path+"?client_id="+w.one.id, form, good); a.status != http.StatusBadRequest {
			t.Errorf("%s: parameters in the query: status %d", path, a.status)
		}
		if a := send(path, form, ""); a.status != http.StatusUnauthorized || a.str("error") != "invalid_client" {
			t.Errorf("%s: an empty body: %d %s", path, a.status, a.text)
		}
	}
}

func many(n int) string {
	var b strings.Builder
	for i := range n {
		b.WriteString("&p" + string(rune('a'+i%26)) + string(rune('a'+i/26)) + "=1")
	}
	return b.String()
}

func TestMethods(t *testing.T) {
	w := newWorld(t)
	for path, allow := range map[string]string{
		"/token": "POST", "/introspect": "POST", "/revoke": "POST", "/jwks": "GET, HEAD", "/.well-known/openid-configuration": "GET, HEAD",
		"/authorize": "GET, POST", "/userinfo": "GET, POST", "/logout": "GET, POST",
	} {
		for _, method := range []string{"DELETE", "PUT", "OPTIONS", "TRACE"} {
			r, _ := http.NewRequest(method, w.issuer+path, nil)
			a := w.send(w.one.plain, r)
			if a.status != http.StatusMethodNotAllowed || a.header.Get("Allow") != allow {
				t.Errorf("%s %s: status %d, Allow %q", method, path, a.status, a.header.Get("Allow"))
			}
			if a.header.Get("Access-Control-Allow-Origin") != "" {
				t.Errorf("%s %s: CORS", method, path)
			}
		}
	}
}

// TestSecretsAndBasicAreNotTaken: only confidential clients, by key or certificate.
func TestSecretsAndBasicAreNotTaken(t *testing.T) {
	w := newWorld(t)
	k := w.one.push("client_assertion", "-", "client_assertion_type", "-", "client_secret", "s3cret")
	w.one.post(k).is(t, http.StatusUnauthorized, "invalid_client")
	k = w.one.push()
	k.header.Set("Authorization", "Basic Y2xpZW50LW9uZTpzM2NyZXQ=")
	a := w.one.post(k)
	if a.is(t, http.StatusUnauthorized, "invalid_client"); a.header.Get("WWW-Authenticate") == "" {
		t.Error("no WWW-Authenticate")
	}
	w.one.post(w.one.push("client_assertion_type", "urn:other")).is(t, http.StatusUnauthorized, "invalid_client")
	w.one.post(w.one.call("/token", "grant_type", "password", "username", "a", "password", "b").set()).is(t, http.StatusBadRequest)
	w.one.post(w.one.proven(w.one.call("/token", "grant_type", "password"), nil)).is(t, http.StatusBadRequest, "unsupported_grant_type")
	w.one.post(w.one.proven(w.one.call("/token"), nil)).is(t, http.StatusBadRequest, "invalid_request")
}

func TestRequestsThatAreRefused(t *testing.T) {
	w := newWorld(t)
	for name, c := range map[string]struct {
		params []string
		want   string
	}{
		"unknown scope":           {[]string{"scope", "openid admin"}, "invalid_scope"},
		"nothing asked":           {[]string{"scope", "-"}, "invalid_scope"},
		"no response_type":        {[]string{"response_type", "-"}, "invalid_request"},
		"response_mode fragment":  {[]string{"response_mode", "fragment"}, "invalid_request"},
		"form_post":               {[]string{"response_mode", "form_post"}, "invalid_request"},
		"prompt":                  {[]string{"prompt", "sing"}, "invalid_request"},
		"prompt none and more":    {[]string{"prompt", "none login"}, "invalid_request"},
		"max_age":                 {[]string{"max_age", "soon"}, "invalid_request"},
		"negative max_age":        {[]string{"max_age", "-5"}, "invalid_request"},
		"claims":                  {[]string{"claims", "{"}, "invalid_request"},
		"doubled claims":          {[]string{"claims", `{"id_token":{"a":null,"a":null}}`}, "invalid_request"},
		"claims, too deep":        {[]string{"claims", strings.Repeat(`{"a":`, 20) + "1" + strings.Repeat("}", 20)}, "invalid_request"},
		"dpop_jkt":                {[]string{"dpop_jkt", "short"}, "invalid_request"},
		"code_challenge":          {[]string{"code_challenge", strings.Repeat("a", 44)}, "invalid_request"},
		"resource":                {[]string{"resource", "https://other.example"}, "invalid_target"},
		"long state":              {[]string{"state", strings.Repeat("s", 5000)}, "invalid_request"},
		"details, no array":       {[]string{"authorization_details", `{"type":"account_information"}`}, "invalid_authorization_details"},
		"details, empty":          {[]string{"authorization_details", `[]`}, "invalid_authorization_details"},
		"details, no type":        {[]string{"authorization_details", `[{"x":1}]`}, "invalid_authorization_details"},
		"details, unknown type":   {[]string{"authorization_details", `[{"type":"root"}]`}, "invalid_authorization_details"},
		"details, doubled member": {[]string{"authorization_details", `[{"type":"account_information","type":"payment_initiation"}]`}, "invalid_authorization_details"},
		"details, no JSON":        {[]string{"authorization_details", `[{]`}, "invalid_authorization_details"},
		"details, too many":       {[]string{"authorization_details", "[" + strings.Repeat(`{"type":"account_information"},`, 20) + `{"type":"account_information"}]`}, "invalid_authorization_details"},
	} {
		if a := w.one.post(w.one.push(c.params...)); a.status != http.StatusBadRequest || a.str("error") != c.want {
			t.Errorf("%s: status %d, body %s, want %s", name, a.status, a.text, c.want)
		}
	}
	w.one.post(w.one.push("resource", w.issuer)).is(t, http.StatusCreated)
}

func TestAuthorizationEndpointSendsNobodyAnywhere(t *testing.T) {
	w := newWorld(t)
	uri := w.one.pushed(w.one.push())
	for name, query := range map[string]string{
		"nothing": "", "no request_uri": "client_id=client-one", "no client": "request_uri=" + url.QueryEscape(uri), "unknown client": "client_id=x&request_uri=" + url.QueryEscape(uri),
		"forged uri": "client_id=client-one&request_uri=urn:ietf:params:oauth:request_uri:x", "fetched uri": "client_id=client-one&request_uri=https://evil.example/r",
		"repeated": "client_id=client-one&client_id=client-one&request_uri=" + url.QueryEscape(uri), "redirect": "client_id=client-one&redirect_uri=https://evil.example",
		"malformed": "client_id=%zz",
	} {
		a := w.browser().get(w.issuer + "/authorize?" + query)
		if a.status != http.StatusBadRequest || a.header.Get("Location") != "" {
			t.Errorf("%s: status %d, Location %q", name, a.status, a.header.Get("Location"))
		}
	}
	// What stands beside client_id and request_uri does not count.
	b := w.browser()
	a := b.get(w.issuer + "/authorize?" + url.Values{"client_id": {w.one.id}, "request_uri": {uri}, "redirect_uri": {"https://evil.example"}, "state": {"evil"}}.Encode())
	if q := b.follow(a).query(t); q.Get("state") != "st-1" {
		t.Error(q)
	}
}

func TestAnInteractionBelongsToItsBrowser(t *testing.T) {
	w := newWorld(t)
	begun := w.browser().open(w.one.id, w.one.pushed(w.one.push()))
	victim := w.browser()
	victim.open(w.one.id, w.one.pushed(w.one.push())) // has a cookie of its own
	if a := victim.get(w.issuer + begun.header.Get("Location")); a.status != http.StatusBadRequest {
		t.Fatalf("another browser went on with the interaction: status %d", a.status)
	}
	cookie := begun.header.Get("Set-Cookie")
	for _, want := range []string{"__Host-", "Secure", "HttpOnly", "SameSite=Lax", "Path=/"} {
		if !strings.Contains(cookie, want) {
			t.Errorf("cookie %q lacks %s", cookie, want)
		}
	}
}

func TestPageHeaders(t *testing.T) {
	w := newWorld(t)
	b := w.browser()
	to := b.open(w.one.id, w.one.pushed(w.one.push()))
	for name, a := range map[string]*answer{"redirect": to, "login": b.get(w.issuer + to.header.Get("Location")), "error": b.get(w.issuer + "/authorize")} {
		for header, want := range map[string]string{
			"Strict-Transport-Security": "max-age=", "X-Frame-Options": "DENY", "Referrer-Policy": "no-referrer", "X-Content-Type-Options": "nosniff",
			"Cross-Origin-Opener-Policy": "same-origin", "Cross-Origin-Resource-Policy": "same-origin", "Permissions-Policy": "camera=()", "Cache-Control": "no-store",
		} {
			if !strings.Contains(a.header.Get(header), want) {
				t.Errorf("%s: %s is %q", name, header, a.header.Get(header))
			}
		}
		csp := a.header.Get("Content-Security-Policy")
		for _, want := range []string{"default-src 'none'", "style-src 'self'", "form-action 'self'", "frame-ancestors 'none'", "base-uri 'none'"} {
			if !strings.Contains(csp, want) {
				t.Errorf("%s: CSP %q lacks %s", name, csp, want)
			}
		}
		if (name == "login") != strings.Contains(csp, "https://client.example") {
			t.Errorf("%s: form-action of %q", name, csp)
		}
	}
}

func TestPushesAreLimited(t *testing.T) {
	w := newWorld(t, func(_ *authz.Options, o *fapi.Options) { o.PushesPerSecond = 0.001 })
	w.one.post(w.one.push()).is(t, http.StatusCreated)
	a := w.one.post(w.one.push())
	if a.is(t, http.StatusTooManyRequests); a.header.Get("Retry-After") == "" {
		t.Error("no Retry-After")
	}
	w.two.post(w.two.push()).is(t, http.StatusCreated) // of one client, not of all
}

func TestIntrospection(t *testing.T) {
	w := newWorld(t)
	a := w.one.tokens("authorization_details", `[{"type":"account_information","accounts":["DE1"]}]`)
	token := a.str("access_token")
	i := w.introspected(token)
	want := object{"active": true, "iss": w.issuer, "sub": alice, "client_id": w.one.id, "scope": "openid accounts", "token_type": "DPoP", "acr": weakACR}
	for name, v := range want {
		if i.json[name] != v {
			t.Errorf("%s is %v, want %v", name, i.json[name], v)
		}
	}
	if i.json["cnf"].(map[string]any)["jkt"] != thumbprint(w.one.proofs.Public()) || i.header.Get("Cache-Control") != "no-store" {
		t.Error(i.text)
	}
	const inactive = `{"active":false}`
	if got := w.two.post(w.two.call("/introspect", "token", token)); got.text != inactive {
		t.Errorf("another client was told %s", got.text)
	}
	if got := w.one.post(w.one.call("/introspect", "token", token)); got.json["active"] != true {
		t.Errorf("its own client was told %s", got.text)
	}
	for _, bad := range []string{"x", token + "x", a.str("id_token"), a.str("refresh_token"), none(claimsOf(t, token))} {
		if got := w.introspected(bad); got.text != inactive {
			t.Errorf("%.20s: %s", bad, got.text)
		}
	}
	bank := w.one.as("bank")
	bank.post(bank.call("/introspect")).is(t, http.StatusBadRequest, "invalid_request")
	bank.post(bank.call("/introspect", "token", token, "client_assertion", "-")).is(t, http.StatusUnauthorized, "invalid_client")

	k := bank.call("/introspect", "token", token) // RFC 9701
	k.header.Set("Accept", "application/json;q=0.1, application/token-introspection+jwt")
	signed := bank.post(k)
	c := claimsOf(t, signed.text)
	inner, _ := c["token_introspection"].(map[string]any)
	if headerOf(t, signed.text)["typ"] != "token-introspection+jwt" || c["iss"] != w.issuer || c["aud"] != "bank" || inner["active"] != true || c["sub"] != nil || c["exp"] != nil {
		t.Errorf("signed answer: %v", c)
	}
	if signed.header.Get("Content-Type") != "application/token-introspection+jwt" {
		t.Error(signed.header)
	}
	w.sleep(301 * time.Second)
	if got := w.introspected(token); got.text != inactive {
		t.Errorf("an expired token: %s", got.text)
	}
}

func TestRevocation(t *testing.T) {
	w := newWorld(t)
	a := w.one.tokens()
	access, refresh := a.str("access_token"), a.str("refresh_token")
	w.two.post(w.two.call("/revoke", "token", access)).is(t, http.StatusBadRequest, "unauthorized_client")
	w.two.post(w.two.call("/revoke", "token", refresh)).is(t, http.StatusBadRequest, "unauthorized_client")
	w.one.me(access).is(t, http.StatusOK) // a stranger harms nobody
	w.one.post(w.one.call("/revoke", "token", "unknown")).is(t, http.StatusOK)
	w.one.post(w.one.call("/revoke")).is(t, http.StatusBadRequest, "invalid_request")
	for range 2 { // twice: RFC 7009, section 2.2
		w.one.post(w.one.call("/revoke", "token", access, "token_type_hint", "refresh_token")).is(t, http.StatusOK)
	}
	w.one.me(access).is(t, http.StatusUnauthorized, "invalid_token")
	if got := w.introspected(access); got.json["active"] != false {
		t.Error(got.text)
	}
	again := w.one.post(w.one.refresh(refresh))
	again.is(t, http.StatusOK) // one token is one token
	for range 2 {
		w.one.post(w.one.call("/revoke", "token", refresh)).is(t, http.StatusOK)
	}
	w.one.me(again.str("access_token")).is(t, http.StatusUnauthorized, "invalid_token")
	w.one.post(w.one.refresh(refresh)).is(t, http.StatusBadRequest, "invalid_grant")
}

func TestUserInfoNeedsOpenID(t *testing.T) {
	w := newWorld(t)
	a := w.one.tokens("scope", "accounts")
	if a.str("id_token") != "" {
		t.Error("an ID token that nobody asked for")
	}
	got := w.one.me(a.str("access_token"))
	if got.is(t, http.StatusForbidden, "insufficient_scope"); !strings.Contains(got.header.Get("WWW-Authenticate"), `scope="openid"`) {
		t.Error(got.header)
	}
	bare := w.one.resource("", "")
	if bare.status != http.StatusUnauthorized || bare.text != "" || len(bare.header.Values("WWW-Authenticate")) != 2 {
		t.Errorf("a request without a token: %d %q %v", bare.status, bare.text, bare.header.Values("WWW-Authenticate"))
	}
	full := w.one.me(w.one.tokens("scope", "openid email").str("access_token"))
	if full.str("email") != "alice@example.com" || full.json["email_verified"] != true || full.json["name"] != nil || full.str("sub") != alice {
		t.Error(full.text)
	}
}

func TestATokenOfTheClientsOwn(t *testing.T) {
	w := newWorld(t)
	a := w.one.post(w.one.own("accounts"))
	a.is(t, http.StatusOK)
	c := claimsOf(t, a.str("access_token"))
	if c["sub"] != w.one.id || c["client_id"] != w.one.id || c["auth_time"] != nil || a.str("refresh_token") != "" || a.str("id_token") != "" {
		t.Fatal(c)
	}
	if i := w.introspected(a.str("access_token")); i.json["active"] != true {
		t.Error(i.text)
	}
	w.one.post(w.one.own("openid accounts")).is(t, http.StatusBadRequest, "invalid_scope")
	w.one.post(w.one.own("admin")).is(t, http.StatusBadRequest, "invalid_scope")
	w.one.post(w.one.own("")).is(t, http.StatusBadRequest, "invalid_scope")
	w.one.post(w.one.call("/revoke", "token", a.str("access_token"))).is(t, http.StatusOK)
	if i := w.introspected(a.str("access_token")); i.json["active"] != false {
		t.Error(i.text)
	}
}

func TestLogout(t *testing.T) {
	var got []fapi.Logout
	w := newWorld(t, func(_ *authz.Options, o *fapi.Options) {
		o.Logout = func(rw http.ResponseWriter, _ *http.Request, l fapi.Logout) {
			got = append(got, l)
			rw.WriteHeader(http.StatusOK)
		}
	})
	a := w.one.tokens()
	w.sleep(time.Hour) // a hint may be old
	end := func(v url.Values) *answer { return w.browser().get(w.issuer + "/logout?" + v.Encode()) }
	end(url.Values{"id_token_hint": {a.str("id_token")}, "post_logout_redirect_uri": {"https://client.example/bye"}, "state": {"s t"}}).is(t, http.StatusOK)
	end(url.Values{}).is(t, http.StatusOK)
	want := []fapi.Logout{{Subject: alice, ClientID: w.one.id, Redirect: "https://client.example/bye?state=s+t", Hinted: true}, {}}
	if len(got) != 2 || got[0] != want[0] || got[1] != want[1] {
		t.Errorf("%+v, want %+v", got, want)
	}
	for name, v := range map[string]url.Values{
		"foreign redirect":      {"id_token_hint": {a.str("id_token")}, "post_logout_redirect_uri": {"https://evil.example/"}},
		"redirect without hint": {"post_logout_redirect_uri": {"https://client.example/bye"}},
		"forged hint":           {"id_token_hint": {none(claimsOf(t, a.str("id_token")))}},
		"access token as hint":  {"id_token_hint": {a.str("access_token")}},
		"other client":          {"id_token_hint": {a.str("id_token")}, "client_id": {w.two.id}},
	} {
		if a := end(v); a.status != http.StatusBadRequest {
			t.Errorf("%s: status %d", name, a.status)
		}
	}
}

func TestPromptNone(t *testing.T) {
	for _, code := range []authz.ErrorCode{authz.LoginRequired, authz.ConsentRequired, authz.InteractionRequired} {
		w := newWorld(t)
		w.answer = authz.Answer{Error: code}
		if q := w.one.authorized(w.one.push("prompt", "none")); q.Get("error") != string(code) {
			t.Error(q)
		}
	}
}

// TestErrorsSayNothingOfTheInside reads what the client is told when the store fails.
func TestErrorsSayNothingOfTheInside(t *testing.T) {
	w := newWorld(t)
	code := w.one.code()
	if err := w.store.Close(); err != nil {
		t.Fatal(err)
	}
	a := w.one.post(w.one.exchange(code))
	a.is(t, http.StatusServiceUnavailable, "temporarily_unavailable")
	if strings.Contains(a.text, "store") || strings.Contains(a.text, "closed") || a.header.Get("Retry-After") == "" {
		t.Error(a.text)
	}
}

// TestARedemptionMatchesItsRequest: RFC 6749, section 4.1.3.
func TestARedemptionMatchesItsRequest(t *testing.T) {
	w := newWorld(t)
	code := w.one.code()
	for name, params := range map[string][]string{
		"another of the client's redirect URIs": {"redirect_uri", callback + "?dummy1=lorem&dummy2=ipsum"}, "no redirect URI": {"redirect_uri", "-"},
		"no code": {"code", "-"}, "another code": {"code", random()}, "the challenge for the verifier": {"code_verifier", digest(verifier)},
	} {
		if a := w.one.post(w.one.exchange(code, params...)); a.status != http.StatusBadRequest {
			t.Errorf("%s: status %d, body %s", name, a.status, a.text)
		}
	}
	w.one.post(w.one.exchange(code)).is(t, http.StatusOK) // none of that has used it up
}

// TestRevokeByHolder ends what a person, a session or a client was given, by one record,
// and nothing that is given afterwards.
func TestRevokeByHolder(t *testing.T) {
	for name, h := range map[string]authz.Target{"subject": {Holder: authz.Holder{Subject: alice}},
		"session": {Holder: authz.Holder{Session: "s-1"}}, "client": {Holder: authz.Holder{Client: "client-one"}}} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.person.Session = "s-1"
			a, own, code := w.one.tokens(), w.one.post(w.one.own("accounts")), w.one.code()
			w.sleep(time.Second)
			if err := w.authority.Revoke(t.Context(), h, "test", "because"); err != nil {
				t.Fatal(err)
			}
			w.one.me(a.str("access_token")).is(t, http.StatusUnauthorized, "invalid_token")
			w.one.post(w.one.refresh(a.str("refresh_token"))).is(t, http.StatusBadRequest, "invalid_grant")
			w.one.post(w.one.exchange(code)).is(t, http.StatusBadRequest, "invalid_grant")
			if got := w.introspected(own.str("access_token")); got.json["active"] != (h.Client == "") {
				t.Errorf("the client's own token: %s", got.text)
			}
			w.sleep(time.Second)
			w.one.me(w.one.tokens().str("access_token")).is(t, http.StatusOK)
			if got := w.introspected(w.one.post(w.one.own("accounts")).str("access_token")); got.json["active"] != true {
				t.Errorf("a new token of the client's own: %s", got.text)
			}
		})
	}
	w := newWorld(t)
	if w.authority.Revoke(t.Context(), authz.Target{}, "", "") == nil ||
		w.authority.Revoke(t.Context(), authz.Target{Holder: authz.Holder{Subject: "a", Client: "b"}}, "", "") == nil {
		t.Error("nobody in particular was revoked")
	}
}

// TestAPageIsNotLoadedForEver: each load keeps an interaction, so one request has few.
func TestAPageIsNotLoadedForEver(t *testing.T) {
	w := newWorld(t)
	uri := w.one.pushed(w.one.push())
	b := w.browser()
	var last *answer
	for range 16 {
		last = b.open(w.one.id, uri)
		last.is(t, http.StatusSeeOther)
	}
	b.open(w.one.id, uri).is(t, http.StatusBadRequest)
	if q := b.follow(last).query(t); q.Get("code") == "" {
		t.Fatal(q)
	}
}

// TestManyTabsEndOnce loads and answers one request in many tabs at once: one gets the
// code, whoever loads meanwhile.
func TestManyTabsEndOnce(t *testing.T) {
	w := newWorld(t)
	uri := w.one.pushed(w.one.push())
	b := w.browser()
	pages := make([]string, 8)
	for i := range pages {
		pages[i] = b.open(w.one.id, uri).header.Get("Location")
	}
	var codes atomic.Int32
	var wg sync.WaitGroup
	for _, page := range pages {
		wg.Go(func() {
			r, _ := http.NewRequest("POST", w.issuer+page, nil)
			resp, err := b.client.Do(r)
			if err != nil {
				t.Error(err)
				return
			}
			resp.Body.Close()
			if strings.Contains(resp.Header.Get("Location"), "code=") {
				codes.Add(1)
			} else if resp.StatusCode != http.StatusBadRequest {
				t.Errorf("status %d, Location %q", resp.StatusCode, resp.Header.Get("Location"))
			}
		})
		wg.Go(func() {
			resp, err := b.client.Get(w.issuer + "/authorize?" + url.Values{"client_id": {w.one.id}, "request_uri": {uri}}.Encode())
			if err != nil {
				t.Error(err)
				return
			}
			resp.Body.Close()
		})
	}
	wg.Wait()
	if codes.Load() != 1 {
		t.Fatalf("%d codes", codes.Load())
	}
}
