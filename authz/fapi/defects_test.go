package fapi_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/json"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/waryauth/wary/authz"
	"github.com/waryauth/wary/authz/fapi"
	"github.com/waryauth/wary/engine"
)

// Defects found in other servers, each as a test (specs: fapi2, "Defects").

// atOnce sends n requests at the same moment and counts the answers by status.
func atOnce(w *world, n int, send func(i int) *http.Request, client *http.Client) (good int32, bodies []string) {
	var start, done sync.WaitGroup
	var mu sync.Mutex
	start.Add(1)
	for i := range n {
		r := send(i)
		done.Add(1)
		go func() {
			defer done.Done()
			start.Wait()
			resp, err := client.Do(r)
			if err != nil {
				mu.Lock()
				bodies = append(bodies, err.Error())
				mu.Unlock()
				return
			}
			defer resp.Body.Close()
			if resp.StatusCode == http.StatusOK {
				atomic.AddInt32(&good, 1)
			}
			var body struct {
				Error string `json:"error"`
				Token string `json:"access_token"`
			}
			_ = json.NewDecoder(resp.Body).Decode(&body) // userinfo has neither
			mu.Lock()
			bodies = append(bodies, body.Error+body.Token)
			mu.Unlock()
		}()
	}
	start.Done()
	done.Wait()
	return good, bodies
}

func (c *tpp) request(k *call) *http.Request {
	r, err := http.NewRequest("POST", c.w.issuer+k.path, strings.NewReader(k.form.Encode()))
	if err != nil {
		c.w.t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header["Dpop"] = k.proofs
	return r
}

func TestOneCodeRedeemedBy64AtOnceGivesOneGrantAndItIsRevoked(t *testing.T) {
	w := newWorld(t)
	code := w.one.code()
	good, bodies := atOnce(w, 64, func(int) *http.Request { return w.one.request(w.one.exchange(code)) }, w.one.plain)
	if good != 1 {
		t.Fatalf("%d of 64 redeemed one code", good)
	}
	tokens := 0
	for _, b := range bodies {
		switch {
		case strings.Contains(b, "."):
			tokens++
			w.one.me(b).is(t, http.StatusUnauthorized, "invalid_token")
			if a := w.introspected(b); a.json["active"] != false {
				t.Error("what the first redemption gave was not revoked")
			}
		case b != "invalid_grant":
			t.Errorf("a replay was answered with %q", b)
		}
	}
	if tokens != 1 {
		t.Fatalf("%d tokens", tokens)
	}
}

func TestOneProofSent1000TimesSucceedsOnce(t *testing.T) {
	for name, shared := range map[string]bool{"in memory": false, "in the store": true} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, func(o *authz.Options, _ *fapi.Options) { o.SharedReplay, o.Secret = shared, [32]byte{2} })
			token := w.one.tokens().str("access_token")
			request := func(proof string) *http.Request {
				r, _ := http.NewRequest("GET", w.issuer+"/userinfo", nil)
				r.Header.Set("Authorization", "DPoP "+token)
				r.Header.Set("DPoP", proof)
				return r
			}
			proof := w.one.prove("GET", w.issuer+"/userinfo", token, nil)
			if good, _ := atOnce(w, 1000, func(int) *http.Request { return request(proof) }, w.one.plain); good != 1 {
				t.Errorf("%d of 1000 uses of one proof succeeded", good)
			}
			// The control: what is refused above is the repetition, not the crowd.
			fresh := func(int) *http.Request { return request(w.one.prove("GET", w.issuer+"/userinfo", token, nil)) }
			if good, bodies := atOnce(w, 100, fresh, w.one.plain); good != 100 {
				t.Errorf("%d of 100 proofs succeeded: %q", good, bodies)
			}
		})
	}
}

func TestNoProofOutlivesARestart(t *testing.T) {
	for name, shared := range map[string]bool{"in memory": false, "in the store": true} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			o := authz.Options{Issuer: w.issuer, ACRs: []string{weakACR}, Clients: w.authority.Clients(), Keys: w.keys, Store: w.store, Score: w.score, Now: w.now,
				SharedReplay: shared, Secret: [32]byte{2}}
			before, err := authz.New(o)
			if err != nil {
				t.Fatal(err)
			}
			w.one.nonce = before.Proofs().Nonce()
			p := authz.Presented{Proofs: []string{w.one.prove("GET", w.issuer+"/userinfo", "", nil)}, Method: "GET", URL: w.issuer + "/userinfo"}
			if _, err := before.Proofs().Verify(t.Context(), p); err != nil {
				t.Fatal(err)
			}
			assertion := w.one.assertion(nil)
			undated := w.one.assertion(object{"iat": nil, "nbf": nil})
			for _, a := range []string{assertion, undated} {
				if err := use(t, before, w.one.id, a); err != nil {
					t.Fatal(err)
				}
			}
			w.sleep(2e9)
			after, err := authz.New(o)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := after.Proofs().Verify(t.Context(), p); err == nil {
				t.Error("a proof was good before and after a restart")
			}
			for _, a := range []string{assertion, undated} {
				if err := use(t, after, w.one.id, a); err == nil {
					t.Error("a client assertion was good before and after a restart")
				}
			}
			w.one.nonce = after.Proofs().Nonce() // the control: the restart does not refuse everything
			p.Proofs = []string{w.one.prove("GET", w.issuer+"/userinfo", "", nil)}
			if _, err := after.Proofs().Verify(t.Context(), p); err != nil {
				t.Error(err)
			}
			if err := use(t, after, w.one.id, w.one.assertion(nil)); err != nil {
				t.Error(err)
			}
		})
	}
}

func use(t *testing.T, a *authz.Authority, client, assertion string) error {
	t.Helper()
	_, s, err := a.Assert(client, assertion)
	if err != nil {
		return err
	}
	return a.Use(t.Context(), s)
}

// TestASecondRedemptionThatOvertakesTheFirst has the code taken while the engine is
// still being asked about it: whoever comes late revokes what the other got.
func TestASecondRedemptionThatOvertakesTheFirst(t *testing.T) {
	w := newWorld(t)
	code := w.one.code()
	var inner *answer
	nested := false
	w.decides("redeemed", func(*engine.Assessment) error {
		if !nested {
			nested = true
			inner = w.one.post(w.one.exchange(code))
		}
		return nil
	})
	w.one.post(w.one.exchange(code)).is(t, http.StatusBadRequest, "invalid_grant")
	inner.is(t, http.StatusOK)
	w.one.me(inner.str("access_token")).is(t, http.StatusUnauthorized, "invalid_token")
}

// TestAnAssertionSurvivesANonce: a client that is asked for a nonce may send the same
// assertion again, as RFC 9449, section 8, has it repeat the request.
func TestAnAssertionSurvivesANonce(t *testing.T) {
	w := newWorld(t)
	for _, k := range []*call{w.one.exchange(w.one.code()), w.one.proven(w.one.push(), nil)} {
		path := w.issuer + k.path
		k.proofs = []string{w.one.prove("POST", path, "", object{"nonce": nil})}
		a := w.one.post(k)
		a.is(t, http.StatusBadRequest, "use_dpop_nonce")
		k.proofs = []string{w.one.prove("POST", path, "", object{"nonce": a.header.Get("DPoP-Nonce")})}
		if a := w.one.post(k); a.status >= 400 {
			t.Errorf("%s: status %d, body %s", k.path, a.status, a.text)
		}
		k.proofs = []string{w.one.prove("POST", path, "", nil)}
		w.one.post(k).is(t, http.StatusUnauthorized, "invalid_client")
	}
}

func TestABadProofDoesNotUseUpAGoodOne(t *testing.T) {
	w := newWorld(t)
	token := w.one.tokens().str("access_token")
	u := w.issuer + "/userinfo"
	id := object{"jti": random()}
	for name, changes := range map[string]object{"htm": {"htm": "POST"}, "htu": {"htu": u + "x"}, "ath": {"ath": "x"}, "iat": {"iat": 1}, "nonce": {"nonce": "old"}} {
		if a := w.one.resource("DPoP", token, w.one.prove("GET", u, token, id.with(changes))); a.status != http.StatusUnauthorized {
			t.Errorf("%s: status %d", name, a.status)
		}
	}
	other := *w.one
	other.proofs = newKey(t)
	w.one.resource("DPoP", token, other.prove("GET", u, token, id)).is(t, http.StatusUnauthorized) // another's key: another's jti
	w.one.resource("DPoP", token, w.one.prove("GET", u, token, id)).is(t, http.StatusOK)
	w.one.resource("DPoP", token, w.one.prove("GET", u, token, id)).is(t, http.StatusUnauthorized)
}

func TestAnAssertionIsUsedOnce(t *testing.T) {
	w := newWorld(t)
	assertion := w.one.assertion(nil)
	w.one.post(w.one.push("client_assertion", assertion)).is(t, http.StatusCreated)
	w.one.post(w.one.push("client_assertion", assertion)).is(t, http.StatusUnauthorized, "invalid_client")
	w.one.post(w.one.push("client_assertion", w.one.assertion(object{"exp": w.now().Unix() + 3600}))).is(t, http.StatusUnauthorized, "invalid_client")
}

// TestNothingIsSignedBeforeTheLastCheck denies at the very end: the code is spent, and
// an engine that would allow it later does not bring it back.
func TestNothingIsSignedBeforeTheLastCheck(t *testing.T) {
	w := newWorld(t)
	code := w.one.code()
	w.decides("redeemed", outcome(engine.Deny))
	w.one.post(w.one.exchange(code)).is(t, http.StatusBadRequest, "invalid_grant")
	w.decides("redeemed", outcome(engine.Allow))
	w.one.post(w.one.exchange(code)).is(t, http.StatusBadRequest, "invalid_grant")
	w.one.post(w.one.exchange(w.one.code())).is(t, http.StatusOK) // the control
}

func TestIntrospectionDoesNotGiveBackWhatNarrowingRemoved(t *testing.T) {
	w := newWorld(t)
	w.decides("redeemed", func(x *engine.Assessment) error {
		x.Decision.Grant.Scopes = []string{"openid"}
		x.Decision.Grant.Details[1] = false
		x.Decision.Grant.TTLSeconds = 45
		return nil
	})
	details := `[{"type":"account_information","accounts":["DE1"]},{"type":"payment_initiation","instructedAmount":{"amount":"12.50","currency":"EUR"}}]`
	a := w.one.tokens("authorization_details", details)
	const kept = `[{"type":"account_information","accounts":["DE1"]}]`
	if a.str("scope") != "openid" || a.json["expires_in"] != 45.0 || !strings.Contains(a.text, `"authorization_details":`+kept) {
		t.Fatal(a.text)
	}
	i := w.introspected(a.str("access_token"))
	if i.json["active"] != true || i.str("scope") != "openid" || !strings.Contains(i.text, `"authorization_details":`+kept+`,`) {
		t.Fatal(i.text)
	}
	w.decides("refreshed", outcome(engine.Allow)) // at less risk the refresh gives what was granted, and no more
	r := w.one.post(w.one.refresh(a.str("refresh_token")))
	if r.str("scope") != "openid accounts" || !strings.Contains(r.text, "payment_initiation") {
		t.Fatal(r.text)
	}
}

// TestConfusedJWTs presents JWTs that other servers took for a client assertion: none
// may be taken (RFC 8725).
func TestConfusedJWTs(t *testing.T) {
	w := newWorld(t)
	c := w.one
	claims := claimsOf(t, c.assertion(nil))
	header := object{"alg": "ES256", "kid": c.kid}
	evil := newKey(t)
	x, y := coordinates(evil.Public())
	a := c.tokens()
	once := func(changes object) object { return claims.with(object{"jti": random()}).with(changes) }
	corpus := map[string]string{
		"none":                  strings.TrimSuffix(none(once(nil)), ".") + ".",
		"none with kid":         unsigned(object{"alg": "none", "kid": c.kid}, once(nil)),
		"None":                  unsigned(object{"alg": "None", "kid": c.kid}, once(nil)),
		"no alg":                jws(c.key, object{"kid": c.kid}, once(nil)),
		"HS256 by public key":   hs256(jwk(c.key.Public(), c.kid, "ES256"), object{"alg": "HS256", "kid": c.kid}, once(nil)),
		"RS256":                 rs256Assertion(t, w),
		"ES384":                 jws(c.key, header.with(object{"alg": "ES384"}), once(nil)),
		"other key":             jws(evil, header, once(nil)),
		"other client's key":    jws(w.two.key, object{"alg": "ES256", "kid": w.two.kid}, once(nil)),
		"jku":                   jws(evil, header.with(object{"jku": "https://evil.example/jwks"}), once(nil)),
		"jku, right key":        jws(c.key, header.with(object{"jku": "https://evil.example/jwks"}), once(nil)),
		"x5u":                   jws(c.key, header.with(object{"x5u": "https://evil.example/cert"}), once(nil)),
		"x5c":                   jws(c.key, header.with(object{"x5c": []string{"AAAA"}}), once(nil)),
		"embedded jwk":          jws(evil, object{"alg": "ES256", "jwk": object{"kty": "EC", "crv": "P-256", "x": x, "y": y}}, once(nil)),
		"kid traversal":         jws(evil, header.with(object{"kid": "../../../../dev/null"}), once(nil)),
		"kid injection":         jws(evil, header.with(object{"kid": "' OR 1=1 --"}), once(nil)),
		"kid of wrong type":     jws(c.key, header.with(object{"kid": 7}), once(nil)),
		"crit":                  jws(c.key, header.with(object{"crit": []string{"exp"}, "exp": 1}), once(nil)),
		"b64":                   jws(c.key, header.with(object{"crit": []string{"b64"}, "b64": false}), once(nil)),
		"typ of access tokens":  jws(c.key, header.with(object{"typ": "at+jwt"}), once(nil)),
		"typ of proofs":         jws(c.key, header.with(object{"typ": "dpop+jwt"}), once(nil)),
		"typ of requests":       jws(c.key, header.with(object{"typ": "oauth-authz-req+jwt"}), once(nil)),
		"another issuer":        jws(c.key, header, once(object{"iss": w.two.id})),
		"another subject":       jws(c.key, header, once(object{"sub": w.two.id})),
		"no audience":           jws(c.key, header, once(object{"aud": nil})),
		"empty audience":        jws(c.key, header, once(object{"aud": ""})),
		"audience with slash":   jws(c.key, header, once(object{"aud": w.issuer + "/"})),
		"no expiry":             jws(c.key, header, once(object{"exp": nil})),
		"expiry as text":        jws(c.key, header, once(object{"exp": "2999"})),
		"no jti":                jws(c.key, header, once(object{"jti": nil})),
		"doubled claim":         es256(c.key, b64.EncodeToString([]byte(`{"alg":"ES256","kid":"`+c.kid+`"}`))+"."+doubled(t, once(nil))),
		"doubled header":        es256(c.key, b64.EncodeToString([]byte(`{"alg":"none","alg":"ES256","kid":"`+c.kid+`"}`))+"."+strings.Split(c.assertion(nil), ".")[1]),
		"padded base64":         es256(c.key, b64.EncodeToString([]byte(`{"alg":"ES256","kid":"`+c.kid+`"}`))+"=."+strings.Split(c.assertion(nil), ".")[1]),
		"zero signature":        zeroSignature(c.assertion(nil)),
		"our access token":      a.str("access_token"),
		"our ID token":          a.str("id_token"),
		"a DPoP proof":          c.prove("POST", w.issuer+"/par", "", once(nil)),
		"a JSON serialisation":  `{"payload":"","signatures":[]}`,
		"four parts":            c.assertion(nil) + ".x",
		"nothing between dots":  "..",
		"a request object of c": strings.Clone(c.signedPush(nil).form.Get("request")),
	}
	for name, assertion := range corpus {
		if got := c.post(c.push("client_assertion", assertion)); got.status != http.StatusUnauthorized || got.str("error") != "invalid_client" {
			t.Errorf("%s: status %d, body %s", name, got.status, got.text)
		}
	}
	c.post(c.push("client_assertion", jws(c.key, header, once(nil)))).is(t, http.StatusCreated) // the control
}

func unsigned(header, claims object) string {
	h, _ := json.Marshal(header)
	p, _ := json.Marshal(claims)
	return b64.EncodeToString(h) + "." + b64.EncodeToString(p) + "."
}

func hs256(key string, header, claims object) string {
	input := strings.TrimSuffix(unsigned(header, claims), ".")
	mac := hmac.New(sha256.New, []byte(key))
	mac.Write([]byte(input))
	return input + "." + b64.EncodeToString(mac.Sum(nil))
}

func doubled(t *testing.T, claims object) string {
	t.Helper()
	text, err := json.Marshal(claims)
	if err != nil {
		t.Fatal(err)
	}
	return b64.EncodeToString([]byte(`{"sub":"client-two",` + string(text[1:])))
}

func zeroSignature(token string) string {
	return token[:strings.LastIndexByte(token, '.')+1] + b64.EncodeToString(make([]byte, 64))
}
