package authz

import (
	"strings"
	"testing"
)

// RFC 7517, appendix A.1: the public EC key.
const rfc7517EC = `{kty: EC, crv: P-256, x: MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4, y: 4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM, use: sig, kid: "1"}`

func TestParseClients(t *testing.T) {
	c, err := ParseClients([]byte(`
clients:
- client_id: tpp-1
  client_name: Budget Planner
  redirect_uris: ["https://tpp.example/cb", "http://127.0.0.1/cb", "http://[::1]:8080/cb"]
  token_endpoint_auth_method: private_key_jwt
  jwks: {keys: [` + rfc7517EC + `]}
  scope: openid accounts
  grant_types: [authorization_code, refresh_token]
  authorization_details_types: [account_information]
- client_id: bank
  token_endpoint_auth_method: self_signed_tls_client_auth
  certificate_thumbprints: [A4DtL2JmUMhAsvJj5tKyn64SqzmuXbMrJa0n761y5v0]
  sender_constraint: mtls
  grant_types: [client_credentials]
`))
	if err != nil {
		t.Fatal(err)
	}
	tpp := c.Find("tpp-1")
	if c.Len() != 2 || tpp.Name != "Budget Planner" || len(tpp.Keys.Keys()) != 1 || !tpp.May(RefreshGrant) || tpp.May(ClientGrant) || c.Find("bank").Name != "bank" || c.Find("nobody") != nil {
		t.Fatalf("%+v", tpp)
	}
	for uri, good := range map[string]bool{
		"https://tpp.example/cb": true, "http://127.0.0.1:51004/cb": true, "http://[::1]/cb": true, "http://127.0.0.1:51004/other": false, "http://127.0.0.2/cb": false,
		"https://tpp.example:443/cb": false, "https://tpp.example/cb/": false, "https://127.0.0.1/cb": false, "http://localhost/cb": false, "http://u@127.0.0.1/cb": false, "": false,
	} {
		if tpp.redirects(uri) != good {
			t.Errorf("redirect to %q: want %v", uri, good)
		}
	}
}

func TestParseClientsTellsEveryDefect(t *testing.T) {
	for document, want := range map[string]string{
		`clients: [{client_id: a, surprise: 1}]`:                                 "surprise",
		`clients: [{client_id: a, token_endpoint_auth_method: client_secret}]`:   "is none of private_key_jwt",
		`clients: [{client_id: a, token_endpoint_auth_method: none}]`:            "is none of private_key_jwt",
		`clients: [{client_id: a}]`:                                              "is none of private_key_jwt",
		`clients: [{client_id: "a b"}]`:                                          "client_id",
		`clients: [{client_id: "a:b"}]`:                                          "client_id",
		`clients: [{client_id: a, token_endpoint_auth_method: private_key_jwt}]`: "wants jwks",
		`clients: [{client_id: a, jwks: {keys: []}}]`:                            "jwks",
		`clients: [{client_id: a, jwks: {keys: [{kty: oct, k: AAAA}]}}]`:         "jwks",
		`clients: [{client_id: a, token_endpoint_auth_method: tls_client_auth}]`: "exactly one",
		`clients: [{client_id: a, token_endpoint_auth_method: tls_client_auth, tls_client_auth_san_dns: x, tls_client_auth_san_uri: y}]`: "exactly one",
		`clients: [{client_id: a, token_endpoint_auth_method: tls_client_auth, tls_client_auth_san_ip: x}]`:                              "is no address",
		`clients: [{client_id: a, token_endpoint_auth_method: self_signed_tls_client_auth}]`:                                             "certificate_thumbprints",
		`clients: [{client_id: a, sender_constraint: bearer}]`:                                                                           "neither dpop nor mtls",
		`clients: [{client_id: a, grant_types: [password]}]`:                                                                             "grant_types",
		`clients: [{client_id: a, grant_types: [implicit]}]`:                                                                             "grant_types",
		`clients: [{client_id: a, grant_types: [refresh_token]}]`:                                                                        "without authorization_code",
		`clients: [{client_id: a, grant_types: [authorization_code]}]`:                                                                   "redirect_uris: is missing",
		`clients: [{client_id: a, redirect_uris: ["http://tpp.example/cb"]}]`:                                                            "neither https nor",
		`clients: [{client_id: a, redirect_uris: ["https://tpp.example/cb#f"]}]`:                                                         "fragment",
		`clients: [{client_id: a, redirect_uris: ["https://*.example/cb"]}]`:                                                             "wildcard",
		`clients: [{client_id: a, redirect_uris: ["https://u:p@tpp.example/cb"]}]`:                                                       "user information",
		`clients: [{client_id: a, redirect_uris: ["myapp:/cb"]}]`:                                                                        "no absolute URI",
		`clients: [{client_id: a, redirect_uris: ["javascript:alert(1)"]}]`:                                                              "no absolute URI",
		`clients: [{client_id: a, post_logout_redirect_uris: ["http://x.example"]}]`:                                                     "post_logout_redirect_uris",
		`clients: [{client_id: a, id_token_signed_response_alg: RS256}]`:                                                                 "ES256",
		`clients: [{client_id: a, require_signed_request_object: true}]`:                                                                 "wants jwks",
		`clients: [{client_id: a}, {client_id: a}]`:                                                                                      "stands twice",
		`clients: 7`: "clients",
	} {
		_, err := ParseClients([]byte(document))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", document, err, want)
		}
	}
	_, err := ParseClients([]byte(`clients: [{client_id: a, sender_constraint: x}, {client_id: b, sender_constraint: y}]`))
	if err == nil || !strings.Contains(err.Error(), `"a"`) || !strings.Contains(err.Error(), `"b"`) {
		t.Errorf("not every client's defects are told: %v", err)
	}
	if _, err := ParseClients(make([]byte, MaxClientsBytes+1)); err == nil {
		t.Error("a document too large was read")
	}
}
