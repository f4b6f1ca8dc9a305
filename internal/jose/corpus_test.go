package jose

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"strings"
	"testing"
	"time"

	gojose "github.com/go-jose/go-jose/v4"
)

// party is one whose keys are registered, and signs by the standard library
// alone, whatever header it is given.
type party struct {
	ec  *ecdsa.PrivateKey
	rsa *rsa.PrivateKey
	ed  ed25519.PrivateKey
}

func newParty(t testing.TB) *party {
	t.Helper()
	ec, e1 := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	r, e2 := rsa.GenerateKey(rand.Reader, 2048)
	_, ed, e3 := ed25519.GenerateKey(rand.Reader)
	if err := errors.Join(e1, e2, e3); err != nil {
		t.Fatal(err)
	}
	return &party{ec, r, ed}
}

func (p *party) keys(t testing.TB) KeySet {
	t.Helper()
	var keys []Key
	for id, pub := range map[string]crypto.PublicKey{"ec": p.ec.Public(), "rsa": p.rsa.Public(), "ed": p.ed.Public()} {
		k, err := NewKey(id, pub)
		if err != nil {
			t.Fatal(err)
		}
		keys = append(keys, k)
	}
	s, err := NewKeySet(keys...)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func encode(text string) string { return base64.RawURLEncoding.EncodeToString([]byte(text)) }

// input is what is signed.
func input(header, payload string) string { return encode(header) + "." + encode(payload) }

func (p *party) es256(in string) string {
	sum := sha256.Sum256([]byte(in))
	r, s, err := ecdsa.Sign(rand.Reader, p.ec, sum[:])
	if err != nil {
		panic(err)
	}
	sig := make([]byte, 64)
	r.FillBytes(sig[:32])
	s.FillBytes(sig[32:])
	return in + "." + encode(string(sig))
}

func (p *party) ps256(in string) string {
	sum := sha256.Sum256([]byte(in))
	sig, err := rsa.SignPSS(rand.Reader, p.rsa, crypto.SHA256, sum[:], &rsa.PSSOptions{SaltLength: 32})
	if err != nil {
		panic(err)
	}
	return in + "." + encode(string(sig))
}

func (p *party) rs256(in string) string {
	sum := sha256.Sum256([]byte(in))
	sig, err := rsa.SignPKCS1v15(rand.Reader, p.rsa, crypto.SHA256, sum[:])
	if err != nil {
		panic(err)
	}
	return in + "." + encode(string(sig))
}

func (p *party) eddsa(in string) string {
	return in + "." + encode(string(ed25519.Sign(p.ed, []byte(in))))
}

func hs256(key []byte, in string) string {
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(in))
	return in + "." + encode(string(mac.Sum(nil)))
}

const (
	corpusNow = 1_780_000_000
	server    = "https://as.example"
	good      = `{"iss":"tpp","sub":"tpp","aud":"https://as.example","jti":"j1","iat":1780000000,"exp":1780000055}`
)

// accept is what an authorization server does with a client assertion (RFC 7523,
// section 3): a caller of this package, and no more than that.
func accept(compact string, keys KeySet) error {
	token, err := Parse(compact, "", "JWT", "client-authentication+jwt")
	if err != nil {
		return err
	}
	if token.UnverifiedClaims().Subject != "tpp" {
		return errors.New("another client's keys would be asked")
	}
	c, err := token.Verify(keys)
	if err != nil {
		return err
	}
	if c.Issuer != "tpp" || c.Subject != "tpp" || !c.Audience.Is(server) || c.ID == "" {
		return fmt.Errorf("claims of another: %+v", c)
	}
	return c.Check(Window{Now: time.Unix(corpusNow, 0), MaxLife: time.Minute})
}

// TestConfusion: of the published ways to have a token believed that nobody
// registered has signed, or signed for something else, none is accepted.
func TestConfusion(t *testing.T) {
	p, attacker := newParty(t), newParty(t)
	keys := p.keys(t)
	for name, compact := range map[string]string{
		"ES256":                                p.es256(input(`{"alg":"ES256","kid":"ec"}`, good)),
		"PS256":                                p.ps256(input(`{"alg":"PS256","kid":"rsa","typ":"JWT"}`, good)),
		"EdDSA":                                p.eddsa(input(`{"alg":"EdDSA","kid":"ed","typ":"Application/Client-Authentication+JWT"}`, good)),
		"no kid, and one key of the algorithm": p.es256(input(`{"alg":"ES256"}`, good)),
		"a parameter nobody knows":             p.es256(input(`{"alg":"ES256","kid":"ec","x-own":{"a":[1]}}`, good)),
	} {
		if err := accept(compact, keys); err != nil {
			t.Errorf("control, %s: %v", name, err)
		}
	}

	for group, tokens := range map[string]func(f func(name, compact string)){
		"algorithms": func(f func(name, compact string)) { confusedAlgorithms(t, p, f) },
		"keys":       func(f func(name, compact string)) { confusedKeys(p, attacker, f) },
		"headers":    func(f func(name, compact string)) { confusedHeaders(p, f) },
		"claims":     func(f func(name, compact string)) { confusedClaims(p, f) },
		"encodings":  func(f func(name, compact string)) { confusedEncodings(p, f) },
		"signatures": func(f func(name, compact string)) { confusedSignatures(p, attacker, f) },
	} {
		accepted, tried, fooled := 0, 0, 0
		tokens(func(name, compact string) {
			tried++
			if err := accept(compact, keys); err == nil {
				accepted++
				t.Errorf("%s: accepted: %s", name, compact)
			}
			if trusting(compact, p) {
				fooled++
			}
		})
		t.Logf("%s: %d of %d accepted; the control accepts %d", group, accepted, tried, fooled)
		if fooled == 0 && group != "signatures" { // its control is the unchanged token above
			t.Errorf("%s: not one would fool a verifier that trusts the token", group)
		}
	}
}

// trusting is the control: a verifier that does as the token says, as many did.
func trusting(compact string, p *party) bool {
	parts := strings.Split(compact, ".")
	if len(parts) < 3 {
		return false
	}
	var decoded [3][]byte
	for i := range decoded {
		decoded[i], _ = base64.RawURLEncoding.DecodeString(parts[i])
	}
	var header struct {
		Alg string
		JWK *gojose.JSONWebKey
	}
	var claims struct{ Sub string }
	_ = json.Unmarshal(decoded[0], &header)
	if json.Unmarshal(decoded[1], &claims) != nil || claims.Sub != "tpp" {
		return false
	}
	in := parts[0] + "." + parts[1]
	ec, r := Key{public: p.ec.Public()}, Key{public: p.rsa.Public()}
	if header.JWK != nil {
		ec.public = header.JWK.Key
	}
	switch strings.ToUpper(header.Alg) {
	case "NONE":
		return true
	case "HS256":
		return compact == hs256(nil, in) // the key that its kid names is empty
	case "ES256":
		return ec.valid(in, decoded[2])
	case "PS256":
		return r.valid(in, decoded[2])
	}
	return false
}

func confusedAlgorithms(t *testing.T, p *party, f func(name, compact string)) {
	for _, none := range []string{"none", "None", "NONE", "nOnE", "none ", ""} {
		in := input(`{"alg":"`+none+`"}`, good)
		f("alg "+none, in+".")
		f("alg "+none+", with a signature", p.es256(in))
	}
	for _, alg := range []string{`null`, `1`, `["ES256"]`, `{"ES256":1}`, `true`, `"es256"`, `"ES256 "`, `"ES256\u0000"`, `"ES384"`, `"ES256K"`, `"RS256"`, `"HS256"`, `"Ed25519"`} {
		f("alg "+alg, p.es256(input(`{"alg":`+alg+`,"kid":"ec"}`, good)))
	}
	f("no alg", p.es256(input(`{"kid":"ec"}`, good)))
	f("RS256", p.rs256(input(`{"alg":"RS256","kid":"rsa"}`, good)))
	f("RS256 called PS256", p.rs256(input(`{"alg":"PS256","kid":"rsa"}`, good)))
	f("ES256 called PS256", p.es256(input(`{"alg":"PS256","kid":"ec"}`, good)))
	f("PS256 called ES256", p.ps256(input(`{"alg":"ES256","kid":"rsa"}`, good)))
	f("PS256 called EdDSA", p.ps256(input(`{"alg":"EdDSA","kid":"ed"}`, good)))

	// The public key as the secret of a MAC.
	for kid, pub := range map[string]crypto.PublicKey{"rsa": p.rsa.Public(), "ec": p.ec.Public(), "ed": p.ed.Public()} {
		der, err := x509.MarshalPKIXPublicKey(pub)
		if err != nil {
			t.Fatal(err)
		}
		k, err := NewKey(kid, pub)
		if err != nil {
			t.Fatal(err)
		}
		jwk, err := json.Marshal(k)
		if err != nil {
			t.Fatal(err)
		}
		secrets := map[string][]byte{
			"der": der, "pem": pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}), "jwk": jwk, "nothing": nil,
		}
		for form, secret := range secrets {
			for _, alg := range []string{"HS256", "ES256", "PS256", "EdDSA"} {
				f("HMAC by the "+form+" of "+kid+" called "+alg, hs256(secret, input(`{"alg":"`+alg+`","kid":"`+kid+`"}`, good)))
			}
		}
	}
}

func confusedKeys(p, attacker *party, f func(name, compact string)) {
	own, _ := NewKey("ec", attacker.ec.Public())
	jwk, _ := json.Marshal(own)
	for _, header := range []string{
		`"jwk":` + string(jwk),
		`"jku":"https://attacker.example/jwks"`,
		`"jku":"https://as.example/jwks"`,
		`"x5u":"https://attacker.example/cert.pem"`,
		`"x5c":["MIIB"]`,
		`"jku":null`, `"x5u":""`, `"x5c":[]`, `"jwk":null`, `"jwk":{}`,
	} {
		f("signed by a stranger who sends "+header, attacker.es256(input(`{"alg":"ES256","kid":"ec",`+header+`}`, good)))
		f("signed by its owner with "+header, p.es256(input(`{"alg":"ES256","kid":"ec",`+header+`}`, good)))
	}
	f("signed by a stranger", attacker.es256(input(`{"alg":"ES256","kid":"ec"}`, good)))
	for _, kid := range []string{
		`"../../../../../../dev/null"`, `"/dev/null"`, `"file:///dev/null"`, `"ec' OR '1'='1"`, `"ec\u0000"`, `"ec "`, `"EC"`,
		`""`, `null`, `0`, `["ec"]`, `{"kid":"ec"}`, `"|id"`, `"` + strings.Repeat("a", 4096) + `"`, `"rsa"`, `"ed"`,
	} {
		f("kid "+kid, p.es256(input(`{"alg":"ES256","kid":`+kid+`}`, good)))
		f("kid "+kid+" and a MAC by nothing", hs256(nil, input(`{"alg":"HS256","kid":`+kid+`}`, good)))
	}
}

func confusedHeaders(p *party, f func(name, compact string)) {
	for _, header := range []string{
		`{"alg":"ES256","kid":"ec","crit":["exp"],"exp":1}`,
		`{"alg":"ES256","kid":"ec","crit":[]}`,
		`{"alg":"ES256","kid":"ec","crit":null}`,
		`{"alg":"ES256","kid":"ec","crit":["b64"],"b64":true}`,
		`{"alg":"ES256","kid":"ec","b64":true}`,
		`{"alg":"ES256","kid":"ec","b64":false}`,
		`{"alg":"ES256","kid":"ec","zip":"DEF"}`,
		`{"alg":"ES256","alg":"ES256","kid":"ec"}`,
		`{"alg":"none","alg":"ES256","kid":"ec"}`,
		`{"alg":"ES256","alg":"none","kid":"ec"}`,
		`{"alg":"ES256","\u0061lg":"none","kid":"ec"}`,
		`{"alg":"ES256","kid":"ec","kid":"rsa"}`,
		`{"alg":"ES256","kid":"ec","x":{"a":1,"a":2}}`,
		`{"ALG":"ES256","kid":"ec"}`,
		`{"alg":"ES256","kid":"ec","typ":"at+jwt"}`,
		`{"alg":"ES256","kid":"ec","typ":"dpop+jwt"}`,
		`{"alg":"ES256","kid":"ec","typ":"oauth-authz-req+jwt"}`,
		`{"alg":"ES256","kid":"ec","typ":"application/"}`,
		`{"alg":"ES256","kid":"ec","typ":""}`,
		`{"alg":"ES256","kid":"ec","typ":null}`,
		`{"alg":"ES256","kid":"ec","typ":["JWT"]}`,
		`[{"alg":"ES256","kid":"ec"}]`, `"ES256"`, `null`, ``, `{`, `{"alg":"ES256","kid":"ec"}{}`, `{"alg":"ES256","kid":"ec"} x`,
		"{\"alg\":\"ES256\",\"kid\":\"ec\",\"x\":\"\xff\"}",
	} {
		f("header "+header, p.es256(input(header, good)))
	}
}

func confusedClaims(p *party, f func(name, compact string)) {
	swap := func(old, new string) string { return strings.Replace(good, old, new, 1) }
	for _, payload := range []string{
		swap(`"aud":"https://as.example"`, `"aud":["https://as.example"]`),
		swap(`"aud":"https://as.example"`, `"aud":["https://as.example","https://other.example"]`),
		swap(`"aud":"https://as.example"`, `"aud":"https://as.example/token"`),
		swap(`"aud":"https://as.example"`, `"aud":"https://as.example/"`),
		swap(`"aud":"https://as.example"`, `"aud":""`), swap(`"aud":"https://as.example"`, `"aud":[]`),
		swap(`"aud":"https://as.example"`, `"aud":null`), swap(`"aud":"https://as.example"`, `"aud":{"a":"https://as.example"}`),
		swap(`"aud":"https://as.example",`, ``), swap(`"aud"`, `"AUD"`),
		swap(`"iss":"tpp"`, `"iss":"other"`), swap(`"iss":"tpp",`, ``), swap(`"iss":"tpp"`, `"iss":["tpp"]`), swap(`"iss"`, `"Iss"`),
		swap(`"iss":"tpp"`, `"iss":"https://as.example"`),
		swap(`"sub":"tpp"`, `"sub":"other"`), swap(`"sub":"tpp",`, ``), swap(`"sub"`, `"SUB"`),
		swap(`"sub":"tpp"`, `"sub":"other","sub":"tpp"`), swap(`"sub":"tpp"`, `"sub":"tpp","sub":"other"`),
		swap(`"sub":"tpp"`, `"sub":"tpp","s\u0075b":"other"`),
		swap(`"jti":"j1",`, ``), swap(`"jti":"j1"`, `"jti":7`),
		swap(`"jti":"j1"`, `"jti":"j1","cnf":{"jkt":"a","jkt":"b"}`),
		swap(`"exp":1780000055`, `"exp":1779999999`), swap(`"exp":1780000055`, `"exp":1780000000`), swap(`,"exp":1780000055`, ``),
		swap(`"exp":1780000055`, `"exp":"1780000055"`), swap(`"exp":1780000055`, `"exp":null`), swap(`"exp":1780000055`, `"exp":1e300`),
		swap(`"exp":1780000055`, `"exp":-1`), swap(`"exp":1780000055`, `"exp":1780000061`), swap(`"exp":1780000055`, `"exp":1780000055000`),
		swap(`"exp":1780000055`, `"exp":1780000055,"nbf":1780000061`), swap(`"iat":1780000000`, `"iat":1780000061`),
		swap(`"iat":1780000000`, `"iat":true`),
		`[` + good + `]`, `"` + `x` + `"`, `null`, ``, `1`, good + good, good + `,`, strings.Replace(good, `}`, `,}`, 1),
		swap(`"jti":"j1"`, `"jti":"j1","x":`+strings.Repeat("[", 200)+strings.Repeat("]", 200)),
		swap(`"jti":"j1"`, `"jti":"j1","x":"`+strings.Repeat("y", MaxToken)+`"`),
		swap(`"jti":"j1"`, "\"jti\":\"j1\",\"x\":\"\xc3\x28\""),
	} {
		f(fmt.Sprintf("claims %.120s", payload), p.es256(input(`{"alg":"ES256","kid":"ec"}`, payload)))
	}
}

func confusedEncodings(p *party, f func(name, compact string)) {
	whole := p.es256(input(`{"alg":"ES256","kid":"ec"}`, good))
	parts := strings.Split(whole, ".")
	for i := range parts {
		for what, other := range map[string]string{
			"padded": parts[i] + "=", "with a line break": parts[i][:4] + "\n" + parts[i][4:], "with a blank": parts[i] + " ",
			"in the other alphabet": parts[i] + "+/", "empty": "", "begun by a line break": "\r\n" + parts[i],
		} {
			changed := append([]string(nil), parts...)
			changed[i] = other
			f(fmt.Sprintf("part %d %s", i, what), strings.Join(changed, "."))
		}
	}
	f("no dot", strings.ReplaceAll(whole, ".", ""))
	f("two parts", parts[0]+"."+parts[1])
	f("four parts", whole+"."+parts[2])
	f("five parts, as a JWE", whole+"..")
	f("empty", "")
	f("dots", "..")
	f("JSON serialization", fmt.Sprintf(`{"protected":%q,"payload":%q,"signature":%q}`, parts[0], parts[1], parts[2]))
	f("blanks around it", " "+whole+" ")

	// 86 characters carry 516 bits: the last four say nothing, and are zero.
	last := strings.IndexByte("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_", whole[len(whole)-1])
	f("bits left over", whole[:len(whole)-1]+string("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"[last|1]))
}

func confusedSignatures(p, attacker *party, f func(name, compact string)) {
	in := input(`{"alg":"ES256","kid":"ec"}`, good)
	order := elliptic.P256().Params().N.FillBytes(make([]byte, 32))
	for what, sig := range map[string]string{
		"none": "", "zeros": strings.Repeat("\x00", 64), "r and s of the order": string(order) + string(order),
		"one and one": strings.Repeat("\x00", 31) + "\x01" + strings.Repeat("\x00", 31) + "\x01",
		"short":       strings.Repeat("\x01", 63), "long": strings.Repeat("\x01", 65),
	} {
		f("a signature of "+what, in+"."+encode(sig))
	}
	sum := sha256.Sum256([]byte(in))
	der, err := ecdsa.SignASN1(rand.Reader, p.ec, sum[:])
	if err == nil {
		f("a signature in DER", in+"."+encode(string(der)))
	}
	for name, whole := range map[string]string{
		"ES256": p.es256(in),
		"PS256": p.ps256(input(`{"alg":"PS256","kid":"rsa"}`, good)),
		"EdDSA": p.eddsa(input(`{"alg":"EdDSA","kid":"ed"}`, good)),
	} {
		dot := strings.LastIndexByte(whole, '.')
		sig, _ := base64.RawURLEncoding.DecodeString(whole[dot+1:])
		for i := range sig {
			sig[i] ^= 1 << (i % 8)
			f(fmt.Sprintf("%s with bit %d of byte %d of its signature changed", name, i%8, i), whole[:dot+1]+encode(string(sig)))
			sig[i] ^= 1 << (i % 8)
		}
		other := strings.Replace(good, "j1", "j2", 1)
		f(name+" with the claims of another", whole[:strings.IndexByte(whole, '.')+1]+encode(other)+whole[dot:])
		f(name+" with a byte more", whole[:dot+1]+encode(string(sig)+"\x00"))
	}
	f("of a stranger with the same kid", attacker.ps256(input(`{"alg":"PS256","kid":"rsa"}`, good)))
}

// TestProofConfusion: a proof brings its own key, so all depends on what key that
// may be.
func TestProofConfusion(t *testing.T) {
	p, other := newParty(t), newParty(t)
	jwkOf := func(pub crypto.PublicKey) string {
		k, err := NewKey("", pub)
		if err != nil {
			t.Fatal(err)
		}
		jwk, err := json.Marshal(k)
		if err != nil {
			t.Fatal(err)
		}
		return string(jwk)
	}
	const claims = `{"jti":"j","htm":"POST","htu":"https://as.example/token","iat":1780000000}`
	header := func(alg, jwk string) string { return `{"typ":"dpop+jwt","alg":"` + alg + `","jwk":` + jwk + `}` }
	ec, r, ed := jwkOf(p.ec.Public()), jwkOf(p.rsa.Public()), jwkOf(p.ed.Public())
	for name, compact := range map[string]string{
		"ES256":               p.es256(input(header("ES256", ec), claims)),
		"PS256":               p.ps256(input(header("PS256", r), claims)),
		"EdDSA":               p.eddsa(input(header("EdDSA", ed), claims)),
		"typ in another case": p.es256(input(strings.Replace(header("ES256", ec), "dpop+jwt", "application/DPoP+JWT", 1), claims)),
	} {
		c, k, err := ParseProof(compact)
		if err != nil || c.ID != "j" || k.Thumbprint() == "" {
			t.Errorf("control, %s: %+v, %v", name, c, err)
		}
	}

	with := func(jwk, member string) string { return strings.Replace(jwk, "{", "{"+member+",", 1) }
	weak, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	weakJWK := fmt.Sprintf(`{"kty":"RSA","n":%q,"e":"AQAB"}`, encode(string(weak.N.Bytes())))
	private, err := p.ec.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	d := encode(string(private))
	off := strings.Replace(ec, `"y":"`, `"y":"AAAA`, 1)
	p384, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	point, err := p384.PublicKey.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	p384JWK := fmt.Sprintf(`{"kty":"EC","crv":"P-384","x":%q,"y":%q}`, encode(string(point[1:49])), encode(string(point[49:])))
	for name, compact := range map[string]string{
		"no jwk":                        p.es256(input(`{"typ":"dpop+jwt","alg":"ES256"}`, claims)),
		"jwk null":                      p.es256(input(header("ES256", "null"), claims)),
		"jwk a string":                  p.es256(input(header("ES256", `"x"`), claims)),
		"jwk an array":                  p.es256(input(header("ES256", "["+ec+"]"), claims)),
		"jwk empty":                     p.es256(input(header("ES256", "{}"), claims)),
		"another's jwk":                 p.es256(input(header("ES256", jwkOf(other.ec.Public())), claims)),
		"a private jwk":                 p.es256(input(header("ES256", with(ec, `"d":"`+d+`"`)), claims)),
		"a private member that is null": p.es256(input(header("ES256", with(ec, `"d":null`)), claims)),
		"a symmetric jwk":               hs256([]byte("secret"), input(header("HS256", `{"kty":"oct","k":"c2VjcmV0"}`), claims)),
		"a symmetric jwk called ES256":  hs256([]byte("secret"), input(header("ES256", `{"kty":"oct","k":"c2VjcmV0"}`), claims)),
		"an RSA key called EC":          p.ps256(input(header("ES256", r), claims)),
		"PS256 with an EC key":          p.es256(input(header("PS256", ec), claims)),
		"a jwk for encryption":          p.es256(input(header("ES256", strings.Replace(ec, `"sig"`, `"enc"`, 1)), claims)),
		"a jwk for another algorithm":   p.ps256(input(header("PS256", strings.Replace(r, `"PS256"`, `"RS256"`, 1)), claims)),
		"a jwk that only signs":         p.es256(input(header("ES256", with(ec, `"key_ops":["sign"]`)), claims)),
		"RS256":                         p.rs256(input(header("RS256", strings.Replace(r, `"PS256"`, `"RS256"`, 1)), claims)),
		"none":                          input(header("none", ec), claims) + ".",
		"RSA of 1024 bits":              (&party{rsa: weak}).ps256(input(header("PS256", weakJWK), claims)),
		"a point off the curve":         p.es256(input(header("ES256", off), claims)),
		"P-384":                         p.es256(input(header("ES256", p384JWK), claims)),
		"a member twice in the jwk":     p.es256(input(header("ES256", with(ec, `"kty":"EC"`)), claims)),
		"typ JWT":                       p.es256(input(strings.Replace(header("ES256", ec), "dpop+jwt", "JWT", 1), claims)),
		"no typ":                        p.es256(input(strings.Replace(header("ES256", ec), `"typ":"dpop+jwt",`, "", 1), claims)),
		"jku beside it":                 p.es256(input(strings.Replace(header("ES256", ec), "{", `{"jku":"https://a.example",`, 1), claims)),
		"crit beside it":                p.es256(input(strings.Replace(header("ES256", ec), "{", `{"crit":["htm"],`, 1), claims)),
		"claims that are no object":     p.es256(input(header("ES256", ec), `[]`)),
		"a claim twice":                 p.es256(input(header("ES256", ec), strings.Replace(claims, `"j",`, `"j","jti":"k",`, 1))),
		"no signature":                  input(header("ES256", ec), claims) + ".",
	} {
		if c, _, err := ParseProof(compact); err == nil {
			t.Errorf("%s: accepted: %+v", name, c)
		}
	}

	// An exponent of one makes every text its own signature.
	size := 2048 / 8
	one := fmt.Sprintf(`{"kty":"RSA","n":%q,"e":"AQ"}`, encode(string(p.rsa.N.Bytes())))
	if _, _, err := ParseProof(input(header("PS256", one), claims) + "." + encode(strings.Repeat("\x01", size))); !errors.Is(err, ErrKey) && !errors.Is(err, ErrMalformed) {
		t.Errorf("an exponent of one: %v", err)
	}
	for name, k := range map[string]*rsa.PublicKey{
		"an exponent of three": {N: p.rsa.N, E: 3},
		"an even exponent":     {N: p.rsa.N, E: 65538},
		"an even modulus":      {N: new(big.Int).Lsh(big.NewInt(3), 2050), E: 65537},
		"8192 bits":            {N: new(big.Int).Add(new(big.Int).Lsh(big.NewInt(1), 8191), big.NewInt(1)), E: 65537},
		"no modulus":           {E: 65537},
	} {
		if _, err := NewKey("", k); !errors.Is(err, ErrKey) {
			t.Errorf("RSA with %s: %v, want %v", name, err, ErrKey)
		}
	}
}
