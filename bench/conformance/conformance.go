// Package conformance answers: what does an outside judge need to judge the
// authorization server?
//
// The judge is the OpenID Foundation's conformance suite, run by hand as
// docs/conformance.md tells. [Run.Write] writes both sides of a run: clients, accounts
// and policy for waryd, and for each plan of the suite its configuration, with keys made
// for this and nothing else.
package conformance

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/waryauth/wary/authz/ceremony"
	"github.com/waryauth/wary/internal/jose"
)

// Run says who is judged, and where the judge is.
type Run struct {
	Listen string // address of the authorization server, on loopback
	Suite  string // base URL of the suite
}

// password is of the one person there is.
const password = "correct horse battery staple"

// alias names our run in the suite; its redirect URIs follow from it.
const alias = "wary"

// pair is two clients of one kind, which the plans of that kind use.
type pair struct {
	auth, bound string // private_key_jwt or mtls; dpop or mtls
	signed      bool   // only signed requests are taken
}

// plan is a plan of the suite with its variant.
type plan struct {
	name, variant string
	pair          pair
	openid        bool
	detail        bool // authorization_request_type=rar
}

// plans are those that the server is held against: see docs/authorization.md.
func plans() []plan {
	var out []plan
	for _, p := range [...]pair{{"private_key_jwt", "dpop", false}, {"private_key_jwt", "mtls", false}, {"mtls", "dpop", false}, {"mtls", "mtls", false}} {
		kind := strings.TrimPrefix(p.auth, "private_key_") + "-" + p.bound
		security := fmt.Sprintf("fapi2-security-profile-final-test-plan[client_auth_type=%s][sender_constrain=%s]", p.auth, p.bound)
		out = append(out,
			plan{"sp-" + kind + "-openid", security + "[openid=openid_connect][fapi_profile=plain_fapi]", p, true, false},
			plan{"sp-" + kind + "-plain", security + "[openid=plain_oauth][fapi_profile=plain_fapi]", p, false, false},
			plan{"sp-" + kind + "-rar", security + "[openid=openid_connect][fapi_profile=plain_fapi][authorization_request_type=rar]", p, true, true},
			plan{"sp-" + kind + "-client", security + "[openid=plain_oauth][fapi_profile=fapi_client_credentials_grant]", p, false, false},
		)
		signing := p
		signing.signed = true
		message := fmt.Sprintf("fapi2-message-signing-final-test-plan[client_auth_type=%s][sender_constrain=%s][authorization_request_type=simple][openid=openid_connect][fapi_profile=plain_fapi]", p.auth, p.bound)
		out = append(out,
			plan{"ms-" + kind + "-signed", message + "[fapi_request_method=signed_non_repudiation][fapi_response_mode=plain_response]", signing, true, false},
			plan{"ms-" + kind + "-signed-jarm", message + "[fapi_request_method=signed_non_repudiation][fapi_response_mode=jarm]", signing, true, false},
			plan{"ms-" + kind + "-jarm", message + "[fapi_request_method=unsigned][fapi_response_mode=jarm]", p, true, false},
		)
	}
	return out
}

func (p pair) id(n int) string {
	id := fmt.Sprintf("%s-%s-%d", strings.TrimPrefix(p.auth, "private_key_"), p.bound, n)
	if p.signed {
		id = "signing-" + id
	}
	return id
}

// Write writes all files into a folder that is new.
func (c *Run) Write(dir string) error {
	if _, _, err := net.SplitHostPort(c.Listen); err != nil {
		return fmt.Errorf("write conformance: %w", err)
	}
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
		return err
	}
	if err := os.Mkdir(dir, 0o700); err != nil {
		return err
	}
	clients := "clients:\n"
	var lines strings.Builder
	made := map[pair][2]*party{}
	for _, p := range plans() {
		if _, ok := made[p.pair]; !ok {
			var both [2]*party
			for i := range both {
				var err error
				if both[i], err = newParty(p.pair, i+1); err != nil {
					return err
				}
				clients += both[i].row(c.Suite)
			}
			made[p.pair] = both
		}
		text, err := json.MarshalIndent(c.configuration(&p, made[p.pair]), "", "  ")
		if err != nil {
			return err
		}
		file := filepath.Join(dir, p.name+".json")
		if err := os.WriteFile(file, append(text, '\n'), 0o600); err != nil {
			return err
		}
		fmt.Fprintf(&lines, "%s\t%s\t%s\n", p.name, p.variant, file)
	}
	row, _, err := ceremony.NewAccount("alice", password, "", [32]byte{}, false)
	if err != nil {
		return err
	}
	var wrong []error
	for name, text := range map[string]string{
		"clients.yaml": clients, "plans.txt": lines.String(), "accounts.yaml": "accounts:\n" + row + personClaims, "policy.yaml": everythingAllowed,
		"waryd.yaml": fmt.Sprintf("data: %s\npolicy: %s\nscore: {listen: \"127.0.0.1:0\"}\noperators: {listen: \"127.0.0.1:0\"}\n"+
			"authorization: {listen: %q, clients: %s, accounts: %s, demo: true}\n", filepath.Join(dir, "data"), filepath.Join(dir, "policy.yaml"),
			c.Listen, filepath.Join(dir, "clients.yaml"), filepath.Join(dir, "accounts.yaml")),
	} {
		wrong = append(wrong, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600))
	}
	return errors.Join(wrong...)
}

// personClaims are all that the suite may ask for by the claims parameter.
const personClaims = `  claims:
    name: Alice Example
    given_name: Alice
    family_name: Example
    middle_name: Eve
    nickname: Al
    preferred_username: alice
    profile: https://alice.example/
    picture: https://alice.example/picture.png
    website: https://alice.example/
    gender: female
    birthdate: "1990-01-01"
    zoneinfo: Europe/London
    locale: en-GB
    updated_at: 1767225600
    email: alice@example.com
    email_verified: true
    phone_number: "+44 20 7946 0000"
    phone_number_verified: true
    address: {formatted: "1 High Street, London"}
`

// everythingAllowed is a policy for the suite and for nothing else.
const everythingAllowed = `version: 1
name: conformance
levels: {medium: 0.9998, high: 0.9999}
actions: {default: {step_up: 0.9998, deny: 0.9999}}
challenge: {acr_values: ["urn:wary:acr:possession"], amr: [otp], max_age: 0}
scopes: {openid: 0, accounts: 1, unknown: 3}
authorization_details: {account_information: 1, unknown: 3}
ceilings: {low: 9, medium: 9, high: 9}
token_ttl_s: {low: 300, medium: 300, high: 300}
sender_constraint: {low: any, medium: dpop, high: dpop}
history: {none: {default: allow}, learning: {default: allow}}
degraded: {geo: {default: allow}, model: {default: step_up}, journal: {default: step_up}, state: {default: step_up}}
`

// party is a client with all its keys.
type party struct {
	pair pair
	id   string
	jwk  map[string]string // private
	cert *x509.Certificate
	pem  map[string]string // cert and key
}

// newParty makes the n-th client of a kind. The first signs with PS256, since one
// module signs with the same key by RS256 and wants that to be refused.
func newParty(p pair, n int) (*party, error) {
	out := &party{pair: p, id: p.id(n)}
	out.jwk = map[string]string{"use": "sig", "kid": out.id + "-key"}
	var err error
	if n == 1 {
		err = out.rsaKey()
	} else {
		err = out.ecKey()
	}
	return out, errors.Join(err, out.certify())
}

func (p *party) rsaKey() error {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return err
	}
	for name, n := range map[string]*big.Int{
		"n": key.N, "e": big.NewInt(int64(key.E)), "d": key.D, "p": key.Primes[0], "q": key.Primes[1],
		"dp": key.Precomputed.Dp, "dq": key.Precomputed.Dq, "qi": key.Precomputed.Qinv,
	} {
		p.jwk[name] = base64.RawURLEncoding.EncodeToString(n.Bytes())
	}
	p.jwk["kty"], p.jwk["alg"] = "RSA", "PS256"
	return nil
}

func (p *party) ecKey() error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	point, err := key.PublicKey.Bytes()
	if err != nil {
		return err
	}
	d, err := key.Bytes()
	if err != nil {
		return err
	}
	b64 := base64.RawURLEncoding.EncodeToString
	p.jwk["kty"], p.jwk["crv"], p.jwk["alg"] = "EC", "P-256", "ES256"
	p.jwk["x"], p.jwk["y"], p.jwk["d"] = b64(point[1:33]), b64(point[33:]), b64(d)
	return nil
}

// certify gives a party a certificate that it signed itself, by another key.
func (p *party) certify() error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	if err != nil {
		return err
	}
	template := &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: p.id}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().AddDate(1, 0, 0),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return err
	}
	if p.cert, err = x509.ParseCertificate(der); err != nil {
		return err
	}
	raw, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return err
	}
	p.pem = map[string]string{
		"cert": string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})),
		"key":  string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: raw})),
	}
	return nil
}

// row returns the party as our server has it: the public half.
func (p *party) row(suite string) string {
	public := map[string]string{}
	for _, name := range [...]string{"kty", "use", "alg", "kid", "crv", "x", "y", "n", "e"} {
		if v := p.jwk[name]; v != "" {
			public[name] = v
		}
	}
	jwk, _ := json.Marshal(public) // of strings alone
	callback := suite + "/test/a/" + alias + "/callback"
	row := fmt.Sprintf(`- client_id: %s
  client_name: Conformance suite
  redirect_uris: [%q, %q]
  jwks: {keys: [%s]}
  sender_constraint: %s
  scope: openid accounts
  grant_types: [authorization_code, refresh_token, client_credentials]
  authorization_details_types: [account_information]
`, p.id, callback, callback+"?dummy1=lorem&dummy2=ipsum", jwk, p.pair.bound)
	if p.pair.auth == "mtls" {
		row += "  token_endpoint_auth_method: self_signed_tls_client_auth\n  certificate_thumbprints: [" + jose.CertificateThumbprint(p.cert) + "]\n"
	} else {
		row += "  token_endpoint_auth_method: private_key_jwt\n"
	}
	if p.pair.signed {
		row += "  require_signed_request_object: true\n"
	}
	return row
}
