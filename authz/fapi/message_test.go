package fapi_test

import (
	"crypto/tls"
	"crypto/x509"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/waryauth/wary/authz"
	"github.com/waryauth/wary/authz/fapi"
)

// FAPI 2.0 Message Signing: signed requests (JAR, RFC 9101) and responses (JARM).

func TestSignedResponses(t *testing.T) {
	w := newWorld(t)
	for _, mode := range []string{"jwt", "query.jwt"} {
		q := w.one.authorized(w.one.push("response_mode", mode))
		if len(q) != 1 {
			t.Fatalf("beside the response there is more: %v", q)
		}
		c := claimsOf(t, q.Get("response"))
		if c["iss"] != w.issuer || c["aud"] != w.one.id || c["state"] != "st-1" || c["exp"].(float64) > float64(w.now().Add(10*time.Minute).Unix()) {
			t.Fatal(c)
		}
		w.one.post(w.one.exchange(c["code"].(string))).is(t, http.StatusOK)
	}
	w.answer = authz.Answer{Error: authz.AccessDenied}
	q := w.one.authorized(w.one.push("response_mode", "jwt"))
	if c := claimsOf(t, q.Get("response")); c["error"] != "access_denied" || c["code"] != nil {
		t.Fatal(c)
	}
}

func TestSignedRequests(t *testing.T) {
	w := newWorld(t)
	now := w.now().Unix()
	signing := w.one.as("signing")
	signing.post(signing.push()).is(t, http.StatusBadRequest, "invalid_request") // must sign
	if q := signing.authorized(signing.signedPush(object{"scope": "openid", "max_age": 300, "claims": object{"id_token": object{"email": nil}}})); q.Get("code") == "" {
		t.Fatal(q)
	}
	for name, changes := range map[string]object{"several audiences": {"aud": []string{"https://other.example", w.issuer}}, "nbf 8 s ahead": {"nbf": now + 8}} {
		if a := w.one.post(w.one.signedPush(changes)); a.status != http.StatusCreated {
			t.Errorf("%s: status %d, body %s", name, a.status, a.text)
		}
	}
	for name, k := range map[string]*call{
		"iss":             w.one.signedPush(object{"iss": w.two.id}),
		"no iss":          w.one.signedPush(object{"iss": nil}),
		"aud":             w.one.signedPush(object{"aud": "https://other.example"}),
		"no aud":          w.one.signedPush(object{"aud": nil}),
		"client_id":       w.one.signedPush(object{"client_id": w.two.id}),
		"no client_id":    w.one.signedPush(object{"client_id": nil}),
		"no exp":          w.one.signedPush(object{"exp": nil}),
		"no nbf":          w.one.signedPush(object{"nbf": nil}),
		"expired":         w.one.signedPush(object{"exp": now - 5, "nbf": now - 300}),
		"old nbf":         w.one.signedPush(object{"nbf": now - 3700}),
		"far exp":         w.one.signedPush(object{"exp": now + 3700}),
		"nbf to come":     w.one.signedPush(object{"nbf": now + 70, "exp": now + 300}),
		"request inside":  w.one.signedPush(object{"request": "x"}),
		"uri inside":      w.one.signedPush(object{"request_uri": "x"}),
		"wrong structure": w.one.signedPush(object{"scope": []string{"openid"}}),
		"another's key":   w.two.signedPush(nil).set("client_id", w.one.id, "client_assertion", w.one.assertion(nil)),
		"typ":             w.one.push("request", jws(w.one.key, object{"alg": "ES256", "kid": w.one.kid, "typ": "at+jwt"}, claimsOf(t, w.one.signedPush(nil).form.Get("request")))),
		"no JWT":          w.one.push("request", "x"),
		"unsigned":        w.one.push("request", none(claimsOf(t, w.one.signedPush(nil).form.Get("request")))),
	} {
		if a := w.one.post(k); a.status != http.StatusBadRequest || a.str("error") != "invalid_request_object" {
			t.Errorf("%s: status %d, body %s", name, a.status, a.text)
		}
	}
	other := w.one.signedPush(nil).set("client_id", w.two.id)
	w.one.post(other).is(t, http.StatusUnauthorized, "invalid_client")
}

// Mutual TLS (RFC 8705).

func (c *tpp) overTLS(k *call) *call {
	k.mtls = true
	return k
}

func TestMutualTLS(t *testing.T) {
	w := newWorld(t)
	mtls := w.one.as(w.one.id + "-mtls")
	flow := func(c *tpp, drop ...string) *answer {
		k := c.overTLS(c.push("scope", "openid accounts").set(drop...))
		b := w.browser()
		q := b.follow(b.open(c.id, c.pushed(k))).query(t)
		x := c.overTLS(c.call("/token", "grant_type", "authorization_code", "code", q.Get("code"), "redirect_uri", callback, "code_verifier", verifier).set(drop...))
		return c.post(x)
	}
	for name, c := range map[string]*tpp{"by certificate": mtls, "by key, bound to the certificate": w.one.as(w.one.id + "-bound")} {
		t.Run(name, func(t *testing.T) {
			drop := []string{}
			if c.id == mtls.id {
				drop = []string{"client_assertion", "-", "client_assertion_type", "-"}
			}
			a := flow(c, drop...)
			a.is(t, http.StatusOK)
			token := a.str("access_token")
			if a.str("token_type") != "Bearer" || claimsOf(t, token)["cnf"].(map[string]any)["x5t#S256"] != c.x5t() {
				t.Fatal(a.text)
			}
			use := func(client *http.Client, scheme string) *answer {
				r, _ := http.NewRequest("GET", w.issuer+"/userinfo", nil)
				r.Header.Set("Authorization", scheme+" "+token)
				return w.send(client, r)
			}
			use(c.mtls, "bearer").is(t, http.StatusOK)
			use(c.plain, "Bearer").is(t, http.StatusUnauthorized, "invalid_token")
			use(w.two.mtls, "Bearer").is(t, http.StatusUnauthorized, "invalid_token")
			use(c.mtls, "DPoP").is(t, http.StatusUnauthorized, "invalid_token")
			r := c.overTLS(c.call("/token", "grant_type", "refresh_token", "refresh_token", a.str("refresh_token")).set(drop...))
			c.post(r).is(t, http.StatusOK)
			r.mtls = false
			if got := c.post(r.set("client_assertion", "-", "client_assertion_type", "-")); got.status != http.StatusUnauthorized {
				t.Errorf("refreshed without the certificate: %s", got.text)
			}
		})
	}
	stolen := mtls.overTLS(mtls.push("client_assertion", "-", "client_assertion_type", "-"))
	stolen.form.Set("client_id", w.two.id+"-mtls") // another client's name with this one's certificate
	mtls.post(stolen).is(t, http.StatusUnauthorized, "invalid_client")
	byKey := mtls.push() // a client that authenticates by certificate does not by assertion
	mtls.post(byKey).is(t, http.StatusUnauthorized, "invalid_client")
	header := mtls.push("client_assertion", "-", "client_assertion_type", "-") // nobody's header is a certificate
	header.header.Set("X-Client-Cert", "x")
	header.header.Set("X-SSL-Cert", "x")
	mtls.post(header).is(t, http.StatusUnauthorized, "invalid_client")
}

// TestCertificatesOfAnAuthority authenticates by a name in a certificate that an
// authority signed (RFC 8705, section 2.1).
func TestCertificatesOfAnAuthority(t *testing.T) {
	ca, stranger := newCA(t), newCA(t)
	pool := x509.NewCertPool()
	pool.AddCert(ca.cert)
	w := newWorld(t, func(ao *authz.Options, fo *fapi.Options) {
		fo.ClientCAs = pool
		clients, err := authz.ParseClients([]byte(`
clients:
- {client_id: dn, token_endpoint_auth_method: tls_client_auth, tls_client_auth_subject_dn: "CN=tpp,O=Example", sender_constraint: mtls, scope: accounts, grant_types: [client_credentials]}
- {client_id: dns, token_endpoint_auth_method: tls_client_auth, tls_client_auth_san_dns: tpp.example, sender_constraint: mtls, scope: accounts, grant_types: [client_credentials]}
- {client_id: uri, token_endpoint_auth_method: tls_client_auth, tls_client_auth_san_uri: "https://tpp.example/id", sender_constraint: mtls, scope: accounts, grant_types: [client_credentials]}
- {client_id: ip, token_endpoint_auth_method: tls_client_auth, tls_client_auth_san_ip: 192.0.2.7, sender_constraint: mtls, scope: accounts, grant_types: [client_credentials]}
- {client_id: email, token_endpoint_auth_method: tls_client_auth, tls_client_auth_san_email: tpp@example.com, sender_constraint: mtls, scope: accounts, grant_types: [client_credentials]}
- {client_id: other, token_endpoint_auth_method: tls_client_auth, tls_client_auth_san_dns: other.example, sender_constraint: mtls, scope: accounts, grant_types: [client_credentials]}
- {client_id: pinned, token_endpoint_auth_method: tls_client_auth, tls_client_auth_san_dns: tpp.example, certificate_thumbprints: [AAAA], sender_constraint: mtls, scope: accounts, grant_types: [client_credentials]}
`))
		if err != nil {
			t.Fatal(err)
		}
		ao.Clients = clients
	})
	ask := func(id string, cert tls.Certificate) *answer {
		transport := &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true, Certificates: []tls.Certificate{cert}}}
		defer transport.CloseIdleConnections()
		r, _ := http.NewRequest("POST", w.issuer+"/token", strings.NewReader("grant_type=client_credentials&scope=accounts&client_id="+id))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		return w.send(&http.Client{Transport: transport}, r)
	}
	good := ca.issue(t, x509.ExtKeyUsageClientAuth)
	for _, id := range []string{"dn", "dns", "uri", "ip", "email"} {
		ask(id, good).is(t, http.StatusOK)
	}
	for name, c := range map[string]struct {
		id   string
		cert tls.Certificate
	}{
		"another name": {"other", good}, "not the pinned": {"pinned", good}, "another authority": {"dns", stranger.issue(t, x509.ExtKeyUsageClientAuth)},
		"for servers": {"dns", ca.issue(t, x509.ExtKeyUsageServerAuth)}, "self-signed": {"dns", selfSigned(t, "tpp")},
	} {
		if a := ask(c.id, c.cert); a.status != http.StatusUnauthorized {
			t.Errorf("%s: status %d", name, a.status)
		}
	}
}
