package jose

import (
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"strings"
	"testing"
)

// fuzzParty signs by Ed25519, whose signatures are one a text and key: whatever a
// fuzzer finds accepted is one of the tokens that were signed.
func fuzzParty() *party {
	return &party{ed: ed25519.NewKeyFromSeed([]byte("a seed of thirty-two bytes......"))}
}

func FuzzParseJWS(f *testing.F) {
	p := fuzzParty()
	k, err := NewKey("ed", p.ed.Public())
	if err != nil {
		f.Fatal(err)
	}
	keys, err := NewKeySet(k)
	if err != nil {
		f.Fatal(err)
	}
	signed := map[string]bool{}
	for _, header := range []string{`{"alg":"EdDSA","kid":"ed"}`, `{"alg":"EdDSA"}`, `{"typ":"JWT","alg":"EdDSA","kid":"ed"}`} {
		signed[p.eddsa(input(header, good))] = true
	}
	for compact := range signed {
		f.Add(compact)
	}
	for _, compact := range []string{
		rfc7515A1, rfc7515A2, rfc7515A3, rfc7515A5, rfc9449Resource, "..", "", "a.b.c",
		p.eddsa(input(`{"alg":"EdDSA","kid":"ed","jwk":null}`, good)), p.eddsa(input(`{"alg":null,"typ":null,"kid":null}`, `{"aud":null,"exp":null}`)),
	} {
		f.Add(compact)
	}
	f.Fuzz(func(t *testing.T, compact string) {
		token, err := Parse(compact, "", "JWT")
		if err != nil {
			if !errors.Is(err, ErrMalformed) {
				t.Errorf("%q: %v, want %v", compact, err, ErrMalformed)
			}
			return
		}
		if !known(token.Algorithm) || token.UnverifiedClaims() == nil {
			t.Errorf("%q: read as %+v", compact, token)
		}
		if _, err := token.Verify(keys); err == nil && !signed[compact] {
			t.Errorf("%q: verified, and was never signed", compact)
		}
	})
}

func FuzzParseProof(f *testing.F) {
	f.Add(rfc9449Resource)
	f.Add(strings.Replace(rfc9449Resource, ".", ".e30", 1))
	p := fuzzParty()
	f.Add(p.eddsa(input(`{"typ":"dpop+jwt","alg":"EdDSA","jwk":{"kty":"OKP","crv":"Ed25519","x":"`+encode(string(p.ed.Public().(ed25519.PublicKey)))+`"}}`, `{"jti":"a"}`)))
	f.Fuzz(func(t *testing.T, compact string) {
		claims, k, err := ParseProof(compact)
		if err != nil {
			if !errors.Is(err, ErrMalformed) && !errors.Is(err, ErrKey) && !errors.Is(err, ErrSignature) {
				t.Errorf("%q: %v", compact, err)
			}
			return
		}
		if _, err := NewKey("", k.Public()); err != nil || claims == nil || len(k.Thumbprint()) != 43 {
			t.Errorf("%q: verified by %+v, %v", compact, k, err)
		}
	})
}

func FuzzParseJWKS(f *testing.F) {
	for _, s := range []string{
		rfc7517A1, rfc7517A2, rfc7517A3, `{"keys":[` + rfc7515Key + `,` + rfc8037Key + `,{"kty":"RSA","n":"` + rfc7638N + `","e":"AQAB","kid":"r"}]}`,
		`{"keys":[null]}`, `{"keys":[{"kty":"EC","crv":"P-256","x":null,"y":[]}]}`, `{"keys":[{"kty":"OKP","crv":"Ed25519","x":"AQ"}]}`, `{}`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		s, err := ParseKeySet(data)
		if err != nil {
			if !errors.Is(err, ErrMalformed) && !errors.Is(err, ErrKey) {
				t.Errorf("%q: %v", data, err)
			}
			return
		}
		text, err := json.Marshal(s)
		if err != nil {
			t.Fatalf("%q: written: %v", data, err)
		}
		again, err := ParseKeySet(text)
		if err != nil || len(again.Keys()) != len(s.Keys()) {
			t.Fatalf("%q: written as %s, read again: %v", data, text, err)
		}
		for i, k := range s.Keys() {
			if o := again.Keys()[i]; o.ID != k.ID || o.Algorithm != k.Algorithm || o.Thumbprint() != k.Thumbprint() {
				t.Errorf("%q: key %d is %+v, read again %+v", data, i, k, o)
			}
		}
	})
}
