package jose

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"strings"
	"testing"
	"time"

	gojose "github.com/go-jose/go-jose/v4"
)

func TestCheckTimes(t *testing.T) {
	now := time.Unix(corpusNow, 0)
	at := func(seconds int) string { return fmt.Sprint(corpusNow + seconds) }
	for _, c := range []struct {
		name, claims string
		w            Window
		want         error
	}{
		{"nothing said, nothing asked", `{}`, Window{}, nil},
		// FAPI 2.0 Security Profile 5.3.2.1: up to 10 s ahead shall be accepted, more
		// than 60 s shall be refused, whatever the caller allows.
		{"nbf 8 s ahead", `{"nbf":` + at(8) + `}`, Window{}, nil},
		{"nbf 10 s ahead", `{"nbf":` + at(10) + `}`, Window{Ahead: time.Nanosecond}, nil},
		{"iat 10 s ahead", `{"iat":` + at(10) + `}`, Window{}, nil},
		{"iat 11 s ahead", `{"iat":` + at(11) + `}`, Window{}, ErrEarly},
		{"iat 30 s ahead, allowed", `{"iat":` + at(30) + `}`, Window{Ahead: 30 * time.Second}, nil},
		{"nbf 60 s ahead, allowed", `{"nbf":` + at(60) + `}`, Window{Ahead: time.Hour}, nil},
		{"nbf 61 s ahead", `{"nbf":` + at(61) + `}`, Window{Ahead: time.Hour}, ErrEarly},
		{"iat 61 s ahead", `{"iat":` + at(61) + `}`, Window{Ahead: time.Hour}, ErrEarly},
		{"exp a second ahead", `{"exp":` + at(1) + `}`, Window{}, nil},
		{"exp now", `{"exp":` + at(0) + `}`, Window{}, ErrExpired},
		{"exp five minutes ago", `{"exp":` + at(-300) + `}`, Window{}, ErrExpired},
		{"exp in 1970", `{"exp":0}`, Window{}, ErrExpired},
		{"exp half a second ahead", `{"exp":` + at(0) + `.5}`, Window{}, nil},
		{"exp written as a power", `{"exp":1.78e9}`, Window{}, ErrExpired},
		{"iat 60 s old", `{"iat":` + at(-60) + `}`, Window{MaxAge: time.Minute}, nil},
		{"iat 61 s old", `{"iat":` + at(-61) + `}`, Window{MaxAge: time.Minute}, ErrStale},
		{"no iat", `{"exp":` + at(9) + `}`, Window{MaxAge: time.Minute}, ErrMalformed},
		{"exp a minute ahead", `{"exp":` + at(60) + `}`, Window{MaxLife: time.Minute}, nil},
		{"exp too far ahead", `{"exp":` + at(61) + `}`, Window{MaxLife: time.Minute}, ErrMalformed},
		{"no exp", `{"iat":` + at(0) + `}`, Window{MaxLife: time.Minute}, ErrMalformed},
	} {
		claims, err := parseClaims([]byte(c.claims))
		if err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		c.w.Now = now
		if err := claims.Check(c.w); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", c.name, err, c.want)
		}
	}
}

func TestAudience(t *testing.T) {
	for _, c := range []struct {
		claims          string
		is, has, refuse bool
	}{
		{`{"aud":"a"}`, true, true, false},
		{`{"aud":["a"]}`, false, true, false},
		{`{"aud":["b","a"]}`, false, true, false},
		{`{"aud":["b"]}`, false, false, false},
		{`{"aud":"b"}`, false, false, false},
		{`{"aud":[]}`, false, false, false},
		{`{}`, false, false, false},
		{`{"aud":null}`, false, false, true},
		{`{"aud":7}`, false, false, true},
		{`{"aud":["a",7]}`, false, false, true},
		{`{"aud":{"a":1}}`, false, false, true},
	} {
		claims, err := parseClaims([]byte(c.claims))
		if (err != nil) != c.refuse {
			t.Errorf("%s: %v", c.claims, err)
		}
		if err == nil && (claims.Audience.Is("a") != c.is || claims.Audience.Has("a") != c.has) {
			t.Errorf("%s: is %t, has %t", c.claims, claims.Audience.Is("a"), claims.Audience.Has("a"))
		}
	}
}

// TestDecodeIsExact: a claim in another case is another claim.
func TestDecodeIsExact(t *testing.T) {
	claims, err := parseClaims([]byte(`{"Scope":"all","SCOPE":"all","scope":"some"}`))
	if err != nil {
		t.Fatal(err)
	}
	var c struct {
		Scope string `json:"scope"`
	}
	if err := claims.Decode(&c); err != nil || c.Scope != "some" {
		t.Errorf("scope is %q, %v", c.Scope, err)
	}
	var loose struct {
		Scope string `json:"scope"`
	}
	if err := json.Unmarshal([]byte(`{"scope":"some","SCOPE":"all"}`), &loose); err != nil || loose.Scope != "all" {
		t.Errorf("control: encoding/json reads %q, %v", loose.Scope, err)
	}
	if got, err := claims.Text("scope"); err != nil || got != "some" {
		t.Errorf("scope is %q, %v", got, err)
	}
	if got, err := claims.Text("sCope"); err != nil || got != "" {
		t.Errorf("a claim that is not there is %q, %v", got, err)
	}
	if err := claims.Decode(&struct {
		Scope int `json:"scope"`
	}{}); !errors.Is(err, ErrMalformed) {
		t.Errorf("a claim of another type: %v, want %v", err, ErrMalformed)
	}
}

func TestParseKeySet(t *testing.T) {
	ec := func(members string) string {
		return strings.Replace(rfc7515Key, "{", "{"+members, 1)
	}
	rsaKey := func(members string) string { return `{` + members + `"kty":"RSA","n":"` + rfc7638N + `","e":"AQAB"}` }
	ed := func(members string) string { return strings.Replace(rfc8037Key, "{", "{"+members, 1) }
	for _, c := range []struct {
		name string
		keys []string
		want string // kid:alg of the keys, or the error
	}{
		{"three kinds", []string{ec(`"kid":"a",`), rsaKey(`"kid":"b",`), ed(`"kid":"c",`)}, "a:ES256 b:PS256 c:EdDSA"},
		{"a kid of two kinds", []string{ec(`"kid":"a",`), rsaKey(`"kid":"a",`)}, "a:ES256 a:PS256"},
		{"without a kid", []string{ec(``), rsaKey(``)}, ":ES256 :PS256"},
		{"others are passed over", []string{
			ec(`"kid":"a","use":"enc",`), ec(`"kid":"b","alg":"ECDH-ES",`), ec(`"kid":"c","key_ops":["deriveKey"],`), rsaKey(`"kid":"d","alg":"RS256",`),
			`{"kty":"OKP","crv":"X25519","x":"3p7bfXt9wbTTW2HC7OQ1Nz-DQ8hbeGdNrfx-FG-IK08"}`, `{"kty":"EC","crv":"secp256k1"}`, `{"kty":"FUTURE"}`,
			ed(`"kid":"e","alg":"EdDSA","use":"sig","key_ops":["verify"],"x5t":"","own":{"a":1},`),
		}, "e:EdDSA"},
		{"none", nil, "ErrKey"},
		{"none for us", []string{ec(`"use":"enc",`)}, "ErrKey"},
		{"a kid twice of one kind", []string{ec(`"kid":"a",`), ec(`"kid":"a",`)}, "ErrKey"},
		{"two without a kid of one kind", []string{ed(``), ed(``)}, "ErrKey"},
		{"a private key among them", []string{ec(`"kid":"a",`), ed(`"d":"nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A",`)}, "ErrMalformed"},
		{"a private key for encryption", []string{ec(`"kid":"a",`), ed(`"use":"enc","d":"nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A",`)}, "ErrMalformed"},
		{"a secret among them", []string{ec(`"kid":"a",`), `{"kty":"oct","k":"GawgguFyGrWKav7AX4VKUg"}`}, "ErrMalformed"},
		{"a weak key among them", []string{ec(`"kid":"a",`), `{"kty":"RSA","n":"` + encode("\xff"+strings.Repeat("\x01", 127)) + `","e":"AQAB"}`}, "ErrKey"},
		{"a key without its point", []string{`{"kty":"EC","crv":"P-256","kid":"a"}`}, "ErrMalformed"},
		{"a point off the curve", []string{`{"kty":"EC","crv":"P-256","x":"` + encode(strings.Repeat("\x01", 32)) + `","y":"` + encode(strings.Repeat("\x01", 32)) + `"}`}, "ErrMalformed"},
		{"a short coordinate", []string{`{"kty":"EC","crv":"P-256","x":"AQ","y":"AQ"}`}, "ErrMalformed"},
		{"padded base64", []string{strings.Replace(rfc8037Key, `URo"`, `URo="`, 1)}, "ErrMalformed"},
		{"bits left over", []string{strings.Replace(rfc8037Key, `URo"`, `URp"`, 1)}, "ErrMalformed"},
		{"a modulus with a leading zero", []string{`{"kty":"RSA","e":"AQAB","n":"` + encode("\x00"+strings.Repeat("\xff", 256)) + `"}`}, "ErrMalformed"},
		{"a modulus that is missing", []string{`{"kty":"RSA","e":"AQAB"}`}, "ErrMalformed"},
		{"an exponent of 32 bits", []string{strings.Replace(rsaKey(``), "AQAB", "gAAAAQ", 1)}, "ErrKey"},
		{"an exponent of three", []string{strings.Replace(rsaKey(``), "AQAB", "Aw", 1)}, "ErrKey"},
		{"key_ops that are no array", []string{ec(`"key_ops":"verify",`)}, "ErrMalformed"},
		{"a kid that is a number", []string{ec(`"kid":7,`)}, "ErrMalformed"},
		{"a long kid", []string{ec(`"kid":"` + strings.Repeat("a", maxName+1) + `",`)}, "ErrMalformed"},
		{"a member twice", []string{ec(`"kty":"EC",`)}, "ErrMalformed"},
		{"no kty", []string{`{"crv":"P-256"}`}, "ErrMalformed"},
		{"a key that is a string", []string{`"a"`}, "ErrMalformed"},
		{"a key that is null", []string{`null`}, "ErrMalformed"},
		{"too many", strings.Split(strings.Repeat(`{"kty":"FUTURE"} `, MaxKeys)+`{"kty":"FUTURE"}`, " "), "ErrMalformed"},
	} {
		s, err := ParseKeySet([]byte(`{"keys":[` + strings.Join(c.keys, ",") + `]}`))
		var got []string
		switch {
		case errors.Is(err, ErrKey):
			got = []string{"ErrKey"}
		case errors.Is(err, ErrMalformed):
			got = []string{"ErrMalformed"}
		case err != nil:
			got = []string{err.Error()}
		}
		for _, k := range s.Keys() {
			got = append(got, k.ID+":"+string(k.Algorithm))
		}
		if strings.Join(got, " ") != c.want {
			t.Errorf("%s: %q (%v), want %q", c.name, got, err, c.want)
		}
	}
	for _, bad := range []string{``, `[]`, `{}`, `{"keys":{}}`, `{"keys":null}`, `{"keys":[],"keys":[]}`, `{"KEYS":[` + rfc7515Key + `]}`,
		`{"keys":[` + rfc7515Key + `],"x":"` + strings.Repeat("a", MaxKeySet) + `"}`} {
		if _, err := ParseKeySet([]byte(bad)); err == nil {
			t.Errorf("%.60q: read", bad)
		}
	}
}

// TestSelection: a repeated kid is told apart by the kind of key, and a token that
// could mean two keys means none.
func TestSelection(t *testing.T) {
	p, q := newParty(t), newParty(t)
	key := func(id string, pub crypto.PublicKey) Key {
		k, err := NewKey(id, pub)
		if err != nil {
			t.Fatal(err)
		}
		return k
	}
	keys := KeySet{[]Key{key("a", p.ec.Public()), key("a", p.rsa.Public()), key("b", q.ec.Public())}}
	for _, c := range []struct {
		name, compact string
		want          error
	}{
		{"a repeated kid, ES256", p.es256(input(`{"alg":"ES256","kid":"a"}`, good)), nil},
		{"a repeated kid, PS256", p.ps256(input(`{"alg":"PS256","kid":"a"}`, good)), nil},
		{"another kid", q.es256(input(`{"alg":"ES256","kid":"b"}`, good)), nil},
		{"no kid, one key", p.ps256(input(`{"alg":"PS256"}`, good)), nil},
		{"no kid, two keys", p.es256(input(`{"alg":"ES256"}`, good)), ErrKey},
		{"an unknown kid", p.es256(input(`{"alg":"ES256","kid":"c"}`, good)), ErrKey},
		{"no key of the kind", p.eddsa(input(`{"alg":"EdDSA","kid":"a"}`, good)), ErrKey},
		{"the other's kid", p.es256(input(`{"alg":"ES256","kid":"b"}`, good)), ErrSignature},
	} {
		token, err := Parse(c.compact, "")
		if err == nil {
			_, err = token.Verify(keys)
		}
		if !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", c.name, err, c.want)
		}
	}
	if _, err := (&Token{Algorithm: ES256}).Verify(KeySet{}); !errors.Is(err, ErrKey) {
		t.Errorf("no keys: %v, want %v", err, ErrKey)
	}
	for name, keys := range map[string][]Key{
		"a kid twice": {key("a", p.ec.Public()), key("a", p.rsa.Public())}, "no kid": {key("", p.ec.Public())}, "no key": {{ID: "a"}},
	} {
		if _, err := NewKeySet(keys...); !errors.Is(err, ErrKey) {
			t.Errorf("a set to publish with %s: %v, want %v", name, err, ErrKey)
		}
	}
}

// TestSign verifies what is signed with the standard library alone.
func TestSign(t *testing.T) {
	p := newParty(t)
	claims := struct {
		Issuer string `json:"iss"`
		Scope  string `json:"scope"`
	}{"https://as.example", "a & b <c>"}
	for _, c := range []struct {
		private crypto.Signer
		alg     Algorithm
		valid   func(in, sig []byte) bool
	}{
		{p.ec, ES256, func(in, sig []byte) bool {
			sum := sha256.Sum256(in)
			return len(sig) == 64 && ecdsa.Verify(&p.ec.PublicKey, sum[:], new(big.Int).SetBytes(sig[:32]), new(big.Int).SetBytes(sig[32:]))
		}},
		{p.rsa, PS256, func(in, sig []byte) bool {
			sum := sha256.Sum256(in)
			return rsa.VerifyPSS(&p.rsa.PublicKey, crypto.SHA256, sum[:], sig, &rsa.PSSOptions{SaltLength: 32}) == nil
		}},
		{p.ed, EdDSA, func(in, sig []byte) bool { return ed25519.Verify(p.ed.Public().(ed25519.PublicKey), in, sig) }},
	} {
		s, err := NewSigner("k1", c.private)
		if err != nil {
			t.Fatal(err)
		}
		compact, err := s.Sign("at+jwt", claims)
		if err != nil {
			t.Fatal(err)
		}
		dot := strings.LastIndexByte(compact, '.')
		sig, err := base64.RawURLEncoding.DecodeString(compact[dot+1:])
		if err != nil || !c.valid([]byte(compact[:dot]), sig) {
			t.Errorf("%s: the signature of %s is not valid: %v", c.alg, compact, err)
		}
		parts := strings.Split(compact, ".")
		header, _ := base64.RawURLEncoding.DecodeString(parts[0])
		payload, _ := base64.RawURLEncoding.DecodeString(parts[1])
		var h, b map[string]string
		if err := errors.Join(json.Unmarshal(header, &h), json.Unmarshal(payload, &b)); err != nil {
			t.Fatal(err)
		}
		if len(h) != 3 || h["alg"] != string(c.alg) || h["typ"] != "at+jwt" || h["kid"] != "k1" || len(b) != 2 || b["iss"] != claims.Issuer || b["scope"] != claims.Scope {
			t.Errorf("%s: signed %s.%s", c.alg, header, payload)
		}
		published, err := NewKeySet(s.Key())
		if err != nil {
			t.Fatal(err)
		}
		text, err := json.Marshal(published)
		if err != nil || strings.Contains(string(text), `"d"`) {
			t.Fatalf("published as %s, %v", text, err)
		}
		otherOpinion(t, compact, s)
		token, err := Parse(compact, "at+jwt")
		if err != nil {
			t.Fatal(err)
		}
		if got, err := token.Verify(mustKeySet(t, string(text))); err != nil || got.Issuer != claims.Issuer {
			t.Errorf("%s: read back as %+v, %v", c.alg, got, err)
		}
		if _, err := Parse(compact, "JWT", ""); err == nil {
			t.Errorf("%s: an access token is read as a token of another type", c.alg)
		}
	}
}

// otherOpinion has go-jose verify a token, and read the key and its thumbprint.
func otherOpinion(t *testing.T, compact string, s *Signer) {
	t.Helper()
	text, err := json.Marshal(s.Key())
	if err != nil {
		t.Fatal(err)
	}
	var k gojose.JSONWebKey
	if err := k.UnmarshalJSON(text); err != nil {
		t.Fatalf("go-jose on %s: %v", text, err)
	}
	sum, err := k.Thumbprint(crypto.SHA256)
	if got := base64.RawURLEncoding.EncodeToString(sum); err != nil || got != s.Key().Thumbprint() || k.KeyID != s.Key().ID || k.Use != "sig" {
		t.Errorf("go-jose on %s: thumbprint %q, %v, want %q", text, got, err, s.Key().Thumbprint())
	}
	token, err := gojose.ParseSignedCompact(compact, []gojose.SignatureAlgorithm{gojose.SignatureAlgorithm(s.Key().Algorithm)})
	if err == nil {
		_, err = token.Verify(k)
	}
	if err != nil {
		t.Errorf("go-jose on %s: %v", compact, err)
	}
}

// TestProve: a proof brings its key, without a kid, and is signed by it. The vectors of
// RFC 9449 hold ParseProof to what a proof is.
func TestProve(t *testing.T) {
	p := newParty(t)
	for _, private := range []crypto.Signer{p.ec, p.rsa, p.ed} {
		s, err := NewSigner("k1", private)
		if err != nil {
			t.Fatal(err)
		}
		compact, err := s.Prove(map[string]string{"jti": "a"})
		if err != nil {
			t.Fatal(err)
		}
		claims, key, err := ParseProof(compact)
		if err != nil {
			t.Fatal(err)
		}
		if jti, err := claims.Text("jti"); jti != "a" || err != nil || key.ID != "" || key.Thumbprint() != s.Key().Thumbprint() {
			t.Errorf("%s: %q by %q %s, %v", key.Algorithm, jti, key.ID, key.Thumbprint(), err)
		}
	}
}

func TestSignRefuses(t *testing.T) {
	p := newParty(t)
	s, err := NewSigner("k1", p.ec)
	if err != nil {
		t.Fatal(err)
	}
	for name, claims := range map[string]any{"an array": []int{1}, "a text": "x", "null": nil, "what has no JSON": func() {}} {
		if _, err := s.Sign("JWT", claims); err == nil {
			t.Errorf("claims that are %s: signed", name)
		}
	}
	if _, err := s.Sign("", map[string]string{}); err == nil {
		t.Error("no typ: signed")
	}
	p384, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	for name, make := range map[string]func() (*Signer, error){
		"no kid":     func() (*Signer, error) { return NewSigner("", p.ec) },
		"P-384":      func() (*Signer, error) { return NewSigner("k", p384) },
		"a long kid": func() (*Signer, error) { return NewSigner(strings.Repeat("k", maxName+1), p.ec) },
	} {
		if _, err := make(); err == nil {
			t.Errorf("%s: made a signer", name)
		}
	}
}
