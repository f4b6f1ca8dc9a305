package fapi_test

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/waryauth/wary/authz"
)

// TestCases are the modules of the OpenID Foundation's FAPI 2.0 Security Profile plan,
// by their names. What each asks is written from its description.
func TestCases(t *testing.T) {
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) { c.run(t, newWorld(t)) })
	}
	if len(cases) != 56 {
		t.Errorf("%d cases, the plan has 56", len(cases))
	}
}

var cases = [...]struct {
	name string
	run  func(*testing.T, *world)
}{
	{"discovery-end-point-verification", discovery},
	{"happy-flow", happyFlow},
	{"user-rejects-authentication", userRejects},
	{"ensure-authorization-request-without-state-success", func(t *testing.T, w *world) {
		if q := w.one.authorized(w.one.push("state", "-")); q.Get("code") == "" || q.Has("state") {
			t.Fatal(q)
		}
	}},
	{"ensure-authorization-request-without-nonce-success", func(t *testing.T, w *world) {
		a := w.one.tokens("nonce", "-")
		if _, ok := claimsOf(t, a.str("id_token"))["nonce"]; ok {
			t.Fatal("a nonce that nobody sent")
		}
	}},
	{"ensure-authorization-request-with-64-char-nonce-success", func(t *testing.T, w *world) { nonceComesBack(t, w, strings.Repeat("n", 64)) }},
	{"ensure-other-scope-order-succeeds", func(t *testing.T, w *world) {
		if a := w.one.tokens("scope", "accounts openid"); a.str("id_token") == "" {
			t.Fatal(a.text)
		}
	}},
	{"test-claims-parameter-identity-claims", identityClaims},
	{"access-token-type-header-case-sensitivity", func(t *testing.T, w *world) {
		token := w.one.tokens().str("access_token")
		for _, scheme := range []string{"DPoP", "dpop", "DPOP", "dPoP"} {
			w.one.resource(scheme, token, w.one.prove("GET", w.issuer+"/userinfo", token, nil)).is(t, http.StatusOK)
		}
	}},
	{"check-dpop-proof-nbf-exp", func(t *testing.T, w *world) {
		now := w.now().Unix()
		w.one.post(withProof(w.one, w.one.code(), object{"nbf": now, "exp": now + 300})).is(t, http.StatusOK)
		w.one.post(withProof(w.one, w.one.code(), object{"exp": now - 5})).is(t, http.StatusBadRequest, "invalid_dpop_proof")
	}},
	{"ensure-dpopproof-with-iat-10seconds-before-succeeds", func(t *testing.T, w *world) {
		w.one.post(withProof(w.one, w.one.code(), object{"iat": w.now().Unix() - 10})).is(t, http.StatusOK)
	}},
	{"ensure-dpopproof-with-iat-10seconds-after-succeeds", func(t *testing.T, w *world) {
		w.one.post(withProof(w.one, w.one.code(), object{"iat": w.now().Unix() + 10})).is(t, http.StatusOK)
	}},
	{"ensure-mismatched-dpop-jkt-fails", func(t *testing.T, w *world) {
		w.one.post(w.one.proven(w.one.push("dpop_jkt", thumbprint(w.two.proofs.Public())), nil)).is(t, http.StatusBadRequest, "invalid_dpop_proof", "invalid_request")
	}},
	{"ensure-token-endpoint-fails-with-mismatched-dpop-proof-jkt", func(t *testing.T, w *world) {
		code := w.one.authorized(w.one.proven(w.one.push(), nil)).Get("code")
		w.one.proofs = w.two.proofs
		w.one.post(w.one.exchange(code)).is(t, http.StatusBadRequest, "invalid_grant", "invalid_dpop_proof")
	}},
	{"ensure-token-endpoint-fails-with-mismatched-dpop-jkt", func(t *testing.T, w *world) {
		code := w.one.code("dpop_jkt", thumbprint(w.two.proofs.Public()))
		w.one.post(w.one.exchange(code)).is(t, http.StatusBadRequest, "invalid_grant", "invalid_dpop_proof")
	}},
	{"ensure-dpopproof-at-par-endpoint-binding-success", func(t *testing.T, w *world) {
		code := w.one.authorized(w.one.proven(w.one.push(), nil)).Get("code")
		w.one.post(w.one.exchange(code)).is(t, http.StatusOK)
	}},
	{"ensure-dpop-auth-code-binding-success", func(t *testing.T, w *world) {
		w.one.post(w.one.exchange(w.one.code("dpop_jkt", thumbprint(w.one.proofs.Public())))).is(t, http.StatusOK)
	}},
	{"ensure-different-nonce-inside-and-outside-request-object", func(t *testing.T, w *world) {
		code := w.one.authorized(w.one.signedPush(object{"nonce": "inside"}).set("nonce", "outside")).Get("code")
		a := w.one.post(w.one.exchange(code))
		a.is(t, http.StatusOK)
		if got := claimsOf(t, a.str("id_token"))["nonce"]; got != "inside" {
			t.Fatalf("nonce %v", got)
		}
	}},
	{"ensure-different-state-inside-and-outside-request-object", func(t *testing.T, w *world) {
		if q := w.one.authorized(w.one.signedPush(object{"state": "inside"}).set("state", "outside")); q.Get("state") != "inside" {
			t.Fatal(q)
		}
	}},
	{"ensure-authorization-request-with-long-nonce", func(t *testing.T, w *world) { nonceComesBack(t, w, strings.Repeat("N", 384)) }},
	{"ensure-authorization-request-with-long-state", func(t *testing.T, w *world) {
		state := strings.Repeat("s", 1000)
		if q := w.one.authorized(w.one.push("state", state)); q.Get("state") != state || q.Get("code") == "" {
			t.Fatal(q)
		}
	}},
	{"state-only-outside-request-object-not-used", func(t *testing.T, w *world) {
		if q := w.one.authorized(w.one.signedPush(object{"state": nil}).set("state", "outside")); q.Has("state") || q.Get("code") == "" {
			t.Fatal(q)
		}
	}},
	{"ensure-request-object-without-redirect-uri-fails", func(t *testing.T, w *world) {
		w.one.post(w.one.signedPush(object{"redirect_uri": nil}).set("redirect_uri", callback)).is(t, http.StatusBadRequest, "invalid_request", "invalid_request_object")
	}},
	{"plain-fapi-tolerate-unregistered-redirect-uri", func(t *testing.T, w *world) { // it may be taken or refused; here it is refused
		for _, uri := range []string{callback + "/", callback + "?x=1", "https://client.example.evil/cb", "https://client.example:443/cb", "https://CLIENT.example/cb", "http://client.example/cb", "https://client.example/cb#f"} {
			w.one.post(w.one.push("redirect_uri", uri)).is(t, http.StatusBadRequest, "invalid_request")
		}
		w.one.post(w.one.push("redirect_uri", "http://127.0.0.1:51004/native")).is(t, http.StatusCreated) // RFC 8252, section 7.3
	}},
	{"ensure-unsigned-authorization-request-without-using-par-fails", func(t *testing.T, w *world) {
		form := w.one.push().form
		form.Del("client_assertion")
		a := w.browser().get(w.issuer + "/authorize?" + form.Encode())
		if a.is(t, http.StatusBadRequest); a.header.Get("Location") != "" {
			t.Fatal("redirected somebody who had not authenticated")
		}
	}},
	{"ensure-redirect-uri-in-authorization-request", func(t *testing.T, w *world) {
		w.one.post(w.one.push("redirect_uri", "-")).is(t, http.StatusBadRequest, "invalid_request")
	}},
	{"ensure-response-type-code-idtoken-fails", func(t *testing.T, w *world) {
		w.one.post(w.one.push("response_type", "code id_token")).is(t, http.StatusBadRequest, "unsupported_response_type", "unauthorized_client", "invalid_request")
	}},
	{"ensure-response-type-token-fails", func(t *testing.T, w *world) {
		w.one.post(w.one.push("response_type", "token")).is(t, http.StatusBadRequest, "unsupported_response_type", "unauthorized_client", "invalid_request")
	}},
	{"ensure-client-id-in-token-endpoint", func(t *testing.T, w *world) { // the other client's id and assertion, signed by this one's key
		k := w.one.exchange(w.one.code())
		forged := *w.two
		forged.key, forged.kid = w.one.key, w.one.kid
		w.one.post(k.set("client_id", w.two.id, "client_assertion", forged.assertion(nil))).is(t, http.StatusUnauthorized, "invalid_client")
	}},
	{"ensure-holder-of-key-required", holderOfKey},
	{"ensure-authorization-code-is-bound-to-client", func(t *testing.T, w *world) {
		code := w.one.code()
		w.two.post(w.two.exchange(code)).is(t, http.StatusBadRequest, "invalid_grant")
		a := w.one.post(w.one.exchange(code)) // the thief has harmed nobody
		a.is(t, http.StatusOK)
		w.two.post(w.two.exchange(code)).is(t, http.StatusBadRequest, "invalid_grant")
		w.one.me(a.str("access_token")).is(t, http.StatusOK)
	}},
	{"attempt-reuse-authorization-code-after-one-second", func(t *testing.T, w *world) {
		code := w.one.code()
		a := w.one.post(w.one.exchange(code))
		a.is(t, http.StatusOK)
		w.one.me(a.str("access_token")).is(t, http.StatusOK)
		w.sleep(time.Second)
		w.one.post(w.one.exchange(code)).is(t, http.StatusBadRequest, "invalid_grant")
		w.one.me(a.str("access_token")).is(t, http.StatusUnauthorized, "invalid_token")
		w.one.post(w.one.refresh(a.str("refresh_token"))).is(t, http.StatusBadRequest, "invalid_grant")
	}},
	{"ensure-token-endpoint-fails-with-expired-auth-code", func(t *testing.T, w *world) {
		code := w.one.code()
		w.sleep(61 * time.Second)
		w.one.nonce = ""
		w.one.post(w.one.exchange(code)).is(t, http.StatusBadRequest, "invalid_grant")
	}},
	{"ensure-signed-client-assertion-with-RS256-fails", func(t *testing.T, w *world) {
		w.one.post(w.one.exchange(w.one.code()).set("client_assertion", rs256Assertion(t, w))).is(t, http.StatusUnauthorized, "invalid_client")
	}},
	{"ensure-client-assertion-in-token-endpoint", func(t *testing.T, w *world) {
		w.one.post(w.one.exchange(w.one.code()).set("client_assertion", "-", "client_assertion_type", "-")).is(t, http.StatusUnauthorized, "invalid_client")
	}},
	{"ensure-client-assertion-with-exp-is-5-minutes-in-past-fails", func(t *testing.T, w *world) {
		now := w.now().Unix()
		assertionFails(t, w, object{"exp": now - 300})
	}},
	{"ensure-client-assertion-with-wrong-aud-fails", func(t *testing.T, w *world) { assertionFails(t, w, object{"aud": "https://other.example"}) }},
	{"ensure-client-assertion-with-no-sub-fails", func(t *testing.T, w *world) { assertionFails(t, w, object{"sub": nil}) }},
	{"dpop-negative-tests", dpopNegative},
	{"refresh-token", refreshToken},
	{"par-ensure-reused-request-uri-prior-to-auth-completion-succeeds", func(t *testing.T, w *world) {
		uri := w.one.pushed(w.one.push())
		b := w.browser()
		b.open(w.one.id, uri).is(t, http.StatusSeeOther)
		if q := b.follow(b.open(w.one.id, uri)).query(t); q.Get("code") == "" {
			t.Fatal(q)
		}
	}},
	{"par-attempt-reuse-request_uri", func(t *testing.T, w *world) {
		uri := w.one.pushed(w.one.push())
		b := w.browser()
		early := b.open(w.one.id, uri)
		b.follow(b.open(w.one.id, uri)).query(t)
		b.open(w.one.id, uri).is(t, http.StatusBadRequest)
		if a := b.follow(early); a.status != http.StatusBadRequest { // begun before, ended after
			t.Fatalf("a second interaction of the same request ended with %d %s", a.status, a.header.Get("Location"))
		}
	}},
	{"par-attempt-to-use-expired-request_uri", func(t *testing.T, w *world) {
		uri := w.one.pushed(w.one.push())
		begun := w.one.pushed(w.one.push())
		b := w.browser()
		page := b.open(w.one.id, begun)
		w.sleep(61 * time.Second)
		w.browser().open(w.one.id, uri).is(t, http.StatusBadRequest)
		b.open(w.one.id, begun).is(t, http.StatusBadRequest) // though its record waits for the person
		if q := b.follow(page).query(t); q.Get("code") == "" {
			t.Fatal(q)
		}
	}},
	{"par-ensure-jwt-client-assertions-nbf-8-seconds-in-the-future-is-accepted", func(t *testing.T, w *world) {
		now := w.now().Unix()
		w.one.post(w.one.push("client_assertion", w.one.assertion(object{"nbf": now + 8, "iat": now + 8}))).is(t, http.StatusCreated)
	}},
	{"par-ensure-jwt-client-assertions-nbf-over-60-seconds-in-the-future-fails", func(t *testing.T, w *world) {
		now := w.now().Unix()
		w.one.post(w.one.push("client_assertion", w.one.assertion(object{"nbf": now + 65, "exp": now + 120}))).is(t, http.StatusUnauthorized, "invalid_client")
	}},
	{"par-attempt-to-use-request_uri-for-different-client", func(t *testing.T, w *world) {
		w.browser().open(w.two.id, w.one.pushed(w.one.push())).is(t, http.StatusBadRequest)
	}},
	{"par-authorization-request-containing-request_uri-form-param", func(t *testing.T, w *world) {
		w.one.post(w.one.push("request_uri", w.one.pushed(w.one.push()))).is(t, http.StatusBadRequest, "invalid_request")
	}},
	{"par-attempt-invalid-http-method", func(t *testing.T, w *world) {
		for _, method := range []string{"GET", "PUT", "DELETE", "PATCH"} {
			r, _ := http.NewRequest(method, w.issuer+"/par", strings.NewReader(w.one.push().form.Encode()))
			a := w.send(w.one.plain, r)
			a.is(t, http.StatusMethodNotAllowed)
			if a.header.Get("Allow") != "POST" {
				t.Fatalf("Allow: %q", a.header.Get("Allow"))
			}
		}
	}},
	{"par-ensure-pkce-required", func(t *testing.T, w *world) {
		w.one.post(w.one.push("code_challenge", "-", "code_challenge_method", "-")).is(t, http.StatusBadRequest, "invalid_request")
	}},
	{"ensure-pkce-code-verifier-required", func(t *testing.T, w *world) {
		w.one.post(w.one.exchange(w.one.code(), "code_verifier", "-")).is(t, http.StatusBadRequest, "invalid_grant", "invalid_request")
	}},
	{"incorrect-pkce-code-verifier-rejected", func(t *testing.T, w *world) {
		w.one.post(w.one.exchange(w.one.code(), "code_verifier", strings.Repeat("v", 43))).is(t, http.StatusBadRequest, "invalid_grant")
	}},
	{"par-plain-pkce-rejected", func(t *testing.T, w *world) {
		w.one.post(w.one.push("code_challenge", verifier, "code_challenge_method", "plain")).is(t, http.StatusBadRequest, "invalid_request")
		w.one.post(w.one.push("code_challenge", verifier, "code_challenge_method", "-")).is(t, http.StatusBadRequest, "invalid_request")
	}},
	{"par-without-duplicate-parameters", func(t *testing.T, w *world) {
		k := w.one.push()
		k.form.Add("scope", "accounts")
		w.one.post(k).is(t, http.StatusBadRequest, "invalid_request")
		w.one.post(w.one.push()).is(t, http.StatusCreated)
	}},
	{"par-test-array-as-audience-fails", func(t *testing.T, w *world) { pushAudienceFails(t, w, []string{w.issuer}) }},
	{"par-test-par-endpoint-url-as-audience-fails", func(t *testing.T, w *world) { pushAudienceFails(t, w, w.issuer+"/par") }},
	{"par-test-token-endpoint-url-as-audience-fails", func(t *testing.T, w *world) { pushAudienceFails(t, w, w.issuer+"/token") }},
}

func withProof(c *tpp, code string, changes object) *call {
	k := c.exchange(code)
	k.proofs = nil
	return c.proven(k, changes)
}

func assertionFails(t *testing.T, w *world, changes object) {
	t.Helper()
	w.one.post(w.one.exchange(w.one.code()).set("client_assertion", w.one.assertion(changes))).is(t, http.StatusUnauthorized, "invalid_client")
}

func pushAudienceFails(t *testing.T, w *world, aud any) {
	t.Helper()
	w.one.post(w.one.push("client_assertion", w.one.assertion(object{"aud": aud}))).is(t, http.StatusUnauthorized, "invalid_client")
}

func nonceComesBack(t *testing.T, w *world, nonce string) {
	t.Helper()
	a := w.one.tokens("nonce", nonce)
	if got := claimsOf(t, a.str("id_token"))["nonce"]; got != nonce {
		t.Fatalf("nonce %v", got)
	}
}

// signedPush pushes a signed request object with some of its claims changed.
func (c *tpp) signedPush(changes object) *call {
	now := c.w.now().Unix()
	claims := object{"iss": c.id, "aud": c.w.issuer, "client_id": c.id, "nbf": now, "exp": now + 300, "jti": random()}
	for name, v := range c.push().form {
		if !strings.HasPrefix(name, "client_") {
			claims[name] = v[0]
		}
	}
	return c.call("/par", "request", jws(c.key, object{"alg": "ES256", "kid": c.kid, "typ": "oauth-authz-req+jwt"}, claims.with(changes)))
}

func (c *tpp) refresh(token string, pairs ...string) *call {
	return c.proven(c.call("/token", "grant_type", "refresh_token", "refresh_token", token).set(pairs...), nil)
}

func discovery(t *testing.T, w *world) {
	for _, path := range []string{"/.well-known/openid-configuration", "/.well-known/oauth-authorization-server"} {
		a := w.browser().get(w.issuer + path)
		a.is(t, http.StatusOK)
		if a.header.Get("Content-Type") != "application/json" || a.str("issuer") != w.issuer {
			t.Fatalf("%s: %s", path, a.text)
		}
		for name, want := range map[string][]string{
			"response_types_supported": {"code"}, "code_challenge_methods_supported": {"S256"}, "response_modes_supported": {"jwt"},
			"token_endpoint_auth_methods_supported": {"private_key_jwt", "tls_client_auth"}, "grant_types_supported": {"authorization_code", "refresh_token"},
			"scopes_supported": {"openid"}, "subject_types_supported": {"public"}, "dpop_signing_alg_values_supported": {"PS256", "ES256", "EdDSA"},
			"authorization_details_types_supported": {"account_information"}, "acr_values_supported": {weakACR, strongACR},
		} {
			list, _ := a.json[name].([]any)
			for _, v := range want {
				if !slices.Contains(list, any(v)) {
					t.Errorf("%s: %s has no %q: %v", path, name, v, list)
				}
			}
		}
		for _, name := range []string{"dpop_signing_alg_values_supported", "id_token_signing_alg_values_supported", "token_endpoint_auth_signing_alg_values_supported", "request_object_signing_alg_values_supported"} {
			for _, alg := range a.json[name].([]any) {
				if !slices.Contains([]string{"PS256", "ES256", "EdDSA"}, alg.(string)) {
					t.Errorf("%s: %s has %v", path, name, alg)
				}
			}
		}
		for _, name := range []string{"require_pushed_authorization_requests", "authorization_response_iss_parameter_supported", "tls_client_certificate_bound_access_tokens", "claims_parameter_supported"} {
			if a.json[name] != true {
				t.Errorf("%s: %s is %v", path, name, a.json[name])
			}
		}
		if _, ok := a.json["mtls_endpoint_aliases"].(map[string]any)["token_endpoint"]; !ok {
			t.Errorf("%s: no mtls_endpoint_aliases", path)
		}
	}
	keys := w.browser().get(w.issuer + "/jwks")
	keys.is(t, http.StatusOK)
	if strings.Contains(keys.text, `"d"`) || len(keys.json["keys"].([]any)) != 2 {
		t.Fatal(keys.text)
	}
}

func happyFlow(t *testing.T, w *world) {
	for _, c := range []*tpp{w.one, w.two} {
		b := w.browser()
		back := b.follow(b.open(c.id, c.pushed(c.push("redirect_uri", callback+"?dummy1=lorem&dummy2=ipsum"))))
		q := back.query(t)
		if q.Get("iss") != w.issuer || q.Get("state") != "st-1" || q.Get("dummy1") != "lorem" || q.Get("dummy2") != "ipsum" || back.header.Get("Referrer-Policy") != "no-referrer" {
			t.Fatal(back.header)
		}
		a := c.post(c.exchange(q.Get("code"), "redirect_uri", callback+"?dummy1=lorem&dummy2=ipsum"))
		a.is(t, http.StatusOK)
		token := a.str("access_token")
		if h := headerOf(t, token); h["typ"] != "at+jwt" || h["alg"] != "ES256" {
			t.Fatal(h)
		}
		at := claimsOf(t, token)
		want := object{"iss": w.issuer, "aud": w.issuer, "sub": alice, "client_id": c.id, "scope": "openid accounts", "acr": weakACR}
		for name, v := range want {
			if at[name] != v {
				t.Errorf("access token: %s is %v, want %v", name, at[name], v)
			}
		}
		if at["exp"].(float64)-at["iat"].(float64) != 300 || at["cnf"].(map[string]any)["jkt"] != thumbprint(c.proofs.Public()) {
			t.Error(at)
		}
		id := claimsOf(t, a.str("id_token"))
		half := sha256.Sum256([]byte(token))
		want = object{"iss": w.issuer, "aud": c.id, "sub": alice, "nonce": "n-1", "acr": weakACR, "at_hash": b64.EncodeToString(half[:16])}
		for name, v := range want {
			if id[name] != v {
				t.Errorf("ID token: %s is %v, want %v", name, id[name], v)
			}
		}
		c.me(token).is(t, http.StatusOK)
		if got := c.resource("DPoP", token+"x", c.prove("GET", w.issuer+"/userinfo", token, nil)); got.status != http.StatusUnauthorized {
			t.Errorf("a changed token: status %d", got.status)
		}
		r, _ := http.NewRequest("GET", w.issuer+"/userinfo?access_token="+token, nil)
		if got := w.send(c.plain, r); got.status != http.StatusUnauthorized {
			t.Errorf("a token in the query: status %d", got.status)
		}
	}
}

func userRejects(t *testing.T, w *world) {
	w.answer = authz.Answer{Error: authz.AccessDenied}
	q := w.one.authorized(w.one.push())
	if q.Get("error") != "access_denied" || q.Get("state") != "st-1" || q.Get("iss") != w.issuer || q.Has("code") {
		t.Fatal(q)
	}
}

func identityClaims(t *testing.T, w *world) {
	a := w.one.tokens("claims", `{"id_token":{"email":{"essential":true},"iss":null,"nonsense":null},"userinfo":{"name":null,"iss":null,"sub":{"value":"x"}}}`)
	id, me := claimsOf(t, a.str("id_token")), w.one.me(a.str("access_token"))
	if id["email"] != "alice@example.com" || id["iss"] != w.issuer || id["name"] != nil {
		t.Errorf("ID token: %v", id)
	}
	if want := (map[string]any{"sub": alice, "name": "Alice Example"}); !maps.Equal(me.json, want) {
		t.Errorf("userinfo: %v, want %v", me.json, want)
	}
}

func holderOfKey(t *testing.T, w *world) {
	k := w.one.exchange(w.one.code())
	k.proofs = nil
	w.one.post(k).is(t, http.StatusBadRequest, "invalid_request", "invalid_grant", "invalid_dpop_proof")
	bound := w.one.as(w.one.id + "-bound")
	bound.post(bound.call("/token", "grant_type", "client_credentials", "scope", "accounts")).is(t, http.StatusBadRequest, "invalid_request")
	mtls := w.one.as(w.one.id + "-mtls")
	mtls.post(mtls.call("/token", "grant_type", "client_credentials", "scope", "accounts", "client_assertion", "-")).is(t, http.StatusUnauthorized, "invalid_client")
	checkTLS(t, w)
}

func rs256Assertion(t *testing.T, w *world) string {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	claims := claimsOf(t, w.one.assertion(nil))
	h, _ := json.Marshal(object{"alg": "RS256", "kid": w.one.kid})
	p, _ := json.Marshal(claims)
	input := b64.EncodeToString(h) + "." + b64.EncodeToString(p)
	return input + "." + b64.EncodeToString(rs256(t, key, input))
}

func refreshToken(t *testing.T, w *world) {
	a := w.one.tokens()
	first := a.str("refresh_token")
	if first == "" {
		t.Fatal("no refresh token")
	}
	got := w.one.post(w.one.refresh(first, "scope", "openid"))
	got.is(t, http.StatusOK)
	if rotated := got.str("refresh_token"); rotated != "" && rotated != first {
		t.Error("the refresh token was rotated (FAPI 2.0, section 5.3.2.1)")
	}
	if got.str("scope") != "openid" {
		t.Errorf("scope %q", got.str("scope"))
	}
	w.one.me(got.str("access_token")).is(t, http.StatusOK)
	k := w.one.refresh(first)
	k.proofs = nil
	w.one.post(k).is(t, http.StatusBadRequest, "invalid_request", "invalid_grant", "invalid_client")
	w.two.post(w.two.refresh(first)).is(t, http.StatusBadRequest, "invalid_grant")
	w.one.post(w.one.refresh(first, "scope", "openid payments")).is(t, http.StatusBadRequest, "invalid_scope")
	w.one.post(w.one.refresh(first)).is(t, http.StatusOK) // none of that has harmed it
}

// dpopNegative tries wrong proofs at the resource (RFC 9449, section 4.3).
func dpopNegative(t *testing.T, w *world) {
	token := w.one.tokens().str("access_token")
	u := w.issuer + "/userinfo"
	now := w.now().Unix()
	good := func(changes object) string { return w.one.prove("GET", u, token, changes) }
	claims := claimsOf(t, good(nil))
	signed := func(header object) string { return jws(w.one.proofs, header, claims.with(object{"jti": random()})) }
	other := *w.one
	other.proofs = newKey(t)
	ok := map[string]string{
		"htu with query and fragment": good(object{"htu": u + "?q#f"}), "upper case scheme and host": good(object{"htu": strings.Replace(u, "https", "HTTPS", 1)}),
		"unknown header": signed(w.one.proofHeader().with(object{"tx_id": 1})), "unknown claim": good(object{"tx": true}),
	}
	for name, proof := range ok {
		if a := w.one.resource("DPoP", token, proof); a.status != http.StatusOK {
			t.Errorf("%s: status %d, body %s", name, a.status, a.text)
		}
	}
	used := good(nil)
	w.one.resource("DPoP", token, used).is(t, http.StatusOK)
	x, y := coordinates(w.one.proofs.Public())
	d, err := w.one.proofs.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	private := object{"jwk": object{"kty": "EC", "crv": "P-256", "x": x, "y": y, "d": b64.EncodeToString(d)}}
	parts := strings.Split(good(nil), ".")
	last := "A"
	if strings.HasPrefix(parts[2], "A") {
		last = "B"
	}
	wrong := map[string][]string{
		"no proof": nil, "two headers": {good(nil), good(nil)}, "malformed": {parts[0] + "." + parts[1]}, "no typ": {signed(w.one.proofHeader().with(object{"typ": nil}))},
		"no alg": {signed(w.one.proofHeader().with(object{"alg": nil}))}, "no jwk": {signed(w.one.proofHeader().with(object{"jwk": nil}))},
		"no jti": {good(object{"jti": nil})}, "no htm": {good(object{"htm": nil})}, "no htu": {good(object{"htu": nil})}, "no iat": {good(object{"iat": nil})},
		"no ath": {good(object{"ath": nil})}, "wrong typ": {signed(w.one.proofHeader().with(object{"typ": "dpop+jwt+wrong"}))},
		"RS256": {signed(w.one.proofHeader().with(object{"alg": "RS256"}))}, "none": {none(claims)}, "bad signature": {parts[0] + "." + parts[1] + "." + last + parts[2][1:]},
		"private key": {signed(w.one.proofHeader().with(private))}, "wrong htm": {good(object{"htm": "PUT"})}, "lower case htm": {good(object{"htm": "get"})},
		"other htu": {good(object{"htu": u + "x"})}, "other host": {good(object{"htu": "https://other.example/userinfo"})},
		"iat in an hour": {good(object{"iat": now + 3600})}, "iat an hour ago": {good(object{"iat": now - 3600})}, "used jti": {used},
		"wrong ath": {good(object{"ath": digest("another")})}, "other key": {other.prove("GET", u, token, nil)},
	}
	for name, proofs := range wrong {
		a := w.one.resource("DPoP", token, proofs...)
		if a.status != http.StatusUnauthorized || !strings.Contains(a.header.Get("WWW-Authenticate"), "DPoP") {
			t.Errorf("%s: status %d, WWW-Authenticate %q, body %s", name, a.status, a.header.Get("WWW-Authenticate"), a.text)
		}
	}
	w.one.resource("Bearer", token).is(t, http.StatusUnauthorized)
	stale := w.one.resource("DPoP", token, good(object{"nonce": "wrong"}))
	stale.is(t, http.StatusUnauthorized, "use_dpop_nonce")
	if stale.header.Get("DPoP-Nonce") != w.authority.Proofs().Nonce() {
		t.Error("no fresh nonce came with use_dpop_nonce")
	}
	w.one.me(token).is(t, http.StatusOK)
}

func none(claims object) string {
	p, _ := json.Marshal(claims)
	return b64.EncodeToString([]byte(`{"alg":"none","typ":"dpop+jwt"}`)) + "." + b64.EncodeToString(p) + "."
}
