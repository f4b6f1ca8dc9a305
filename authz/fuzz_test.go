package authz

import (
	"encoding/json"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/waryauth/wary/engine"
)

func fuzzClient() *Client {
	return &Client{ID: "c", RedirectURIs: []string{"https://c.example/cb", "http://127.0.0.1/cb"}, Scopes: []string{"openid", "accounts"}, Grants: []string{CodeGrant},
		DetailTypes: []string{"account_information", "payment_initiation"}, Constraint: engine.DPoPConstraint}
}

// FuzzParseRequest: whatever is taken keeps what FAPI 2.0 asks of a request.
func FuzzParseRequest(f *testing.F) {
	const good = "response_type=code&redirect_uri=https://c.example/cb&code_challenge=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM&code_challenge_method=S256"
	for _, seed := range []string{
		good + "&scope=openid+accounts&state=s&nonce=n&prompt=login+consent&max_age=5&acr_values=a+b&ui_locales=de",
		good + `&authorization_details=[{"type":"account_information","a":{"b":[1,2]}}]&response_mode=jwt`,
		good + `&scope=openid&claims={"id_token":{"acr":{"essential":true,"values":["a"]},"email":null},"userinfo":{"name":{"value":1}}}`,
		good + "&scope=openid&redirect_uri=http://127.0.0.1:99/cb&dpop_jkt=0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I&resource=https://as.example",
		"response_type=token", "", "scope=%00", "authorization_details=[{}]",
	} {
		f.Add(seed)
	}
	c := fuzzClient()
	f.Fuzz(func(t *testing.T, query string) {
		values, err := url.ParseQuery(query)
		if err != nil {
			return
		}
		p := Params{}
		for name, v := range values {
			p[name] = v[len(v)-1]
		}
		r, refused := ParseRequest(c, p, "https://as.example")
		if refused != nil {
			return
		}
		switch {
		case p["response_type"] != "code", p["code_challenge_method"] != "S256", len(r.Challenge) != 43, p["request_uri"] != "":
			t.Fatalf("taken: %v", p)
		case r.RedirectURI != "https://c.example/cb" && !strings.HasPrefix(r.RedirectURI, "http://127.0.0.1"):
			t.Fatalf("redirects to %q", r.RedirectURI)
		case len(r.Scopes)+len(r.Details) == 0:
			t.Fatal("asks for nothing")
		}
		for _, s := range r.Scopes {
			if !slices.Contains(c.Scopes, s) {
				t.Fatalf("scope %q", s)
			}
		}
		for _, d := range r.Details {
			if !slices.Contains(c.DetailTypes, d.Type) || !json.Valid(d.Raw) {
				t.Fatalf("detail %q", d)
			}
		}
		// What is kept is read back as it was.
		text, err := json.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		var again Request
		if err := json.Unmarshal(text, &again); err != nil {
			t.Fatal(err)
		}
		if second, _ := json.Marshal(&again); string(second) != string(text) {
			t.Fatalf("%s and %s", text, second)
		}
	})
}

func FuzzParseClients(f *testing.F) {
	f.Add([]byte("clients: [{client_id: a, token_endpoint_auth_method: private_key_jwt, jwks: {keys: [" + rfc7517EC + "]}, redirect_uris: [\"https://a.example/\"], scope: openid}]"))
	f.Add([]byte("clients: [{client_id: b, token_endpoint_auth_method: tls_client_auth, tls_client_auth_subject_dn: CN=b, sender_constraint: mtls, grant_types: [client_credentials]}]"))
	f.Add([]byte("clients: []"))
	f.Add([]byte(""))
	f.Add([]byte("{"))
	f.Fuzz(func(t *testing.T, text []byte) {
		c, err := ParseClients(text)
		if err != nil {
			return
		}
		for id, client := range c.byID {
			if id == "" || client.Constraint == engine.AnyConstraint || client.Auth == 0 {
				t.Fatalf("%+v", client)
			}
			for _, uri := range client.RedirectURIs {
				if u, err := url.Parse(uri); err != nil || u.Scheme != "https" && u.Scheme != "http" {
					t.Fatalf("redirects to %q", uri)
				}
			}
		}
	})
}
