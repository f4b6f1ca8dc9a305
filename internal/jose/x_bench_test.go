package jose

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/json"
	"testing"

	gojose "github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
)

// BenchmarkVerify reads and verifies a client assertion; bare is the signature
// alone, by the standard library. go-jose does less: it lets doubled names pass.
func BenchmarkVerify(b *testing.B) {
	p := newParty(b)
	keys := p.keys(b)
	sum := sha256.Sum256([]byte("x"))
	ec, _ := ecdsa.SignASN1(rand.Reader, p.ec, sum[:])
	pss, _ := rsa.SignPSS(rand.Reader, p.rsa, crypto.SHA256, sum[:], nil)
	message := make([]byte, 400)
	ed := ed25519.Sign(p.ed, message)
	for _, c := range []struct {
		name, compact string
		bare          func() bool
	}{
		{"ES256", p.es256(input(`{"alg":"ES256","kid":"ec","typ":"JWT"}`, good)), func() bool { return ecdsa.VerifyASN1(&p.ec.PublicKey, sum[:], ec) }},
		{"PS256", p.ps256(input(`{"alg":"PS256","kid":"rsa","typ":"JWT"}`, good)), func() bool {
			return rsa.VerifyPSS(&p.rsa.PublicKey, crypto.SHA256, sum[:], pss, nil) == nil
		}},
		{"EdDSA", p.eddsa(input(`{"alg":"EdDSA","kid":"ed","typ":"JWT"}`, good)), func() bool {
			return ed25519.Verify(p.ed.Public().(ed25519.PublicKey), message, ed)
		}},
	} {
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				token, err := Parse(c.compact, "JWT")
				if err != nil {
					b.Fatal(err)
				}
				if _, err := token.Verify(keys); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(c.name+"-go-jose", func(b *testing.B) {
			algorithm := []gojose.SignatureAlgorithm{gojose.SignatureAlgorithm(c.name)}
			k, err := keys.find("", Algorithm(c.name))
			if err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			for b.Loop() {
				token, err := jwt.ParseSigned(c.compact, algorithm)
				if err != nil {
					b.Fatal(err)
				}
				var claims jwt.Claims
				if err := token.Claims(k.Public(), &claims); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(c.name+"-bare", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if !c.bare() {
					b.Fatal("not valid")
				}
			}
		})
	}
}

func BenchmarkParseProof(b *testing.B) {
	b.Run("ES256", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, _, err := ParseProof(rfc9449Resource); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("ES256-go-jose", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			token, err := jwt.ParseSigned(rfc9449Resource, []gojose.SignatureAlgorithm{gojose.ES256})
			if err != nil {
				b.Fatal(err)
			}
			k := token.Headers[0].JSONWebKey
			var claims map[string]any
			if err := token.Claims(k.Key, &claims); err != nil {
				b.Fatal(err)
			}
			if _, err := k.Thumbprint(crypto.SHA256); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// BenchmarkRefuse is what a token costs that is turned away before any signature
// is looked at.
func BenchmarkRefuse(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Parse(rfc7515A2, ""); err == nil {
			b.Fatal("read")
		}
	}
}

// BenchmarkSign signs an access token; bare is the signature alone.
func BenchmarkSign(b *testing.B) {
	p := newParty(b)
	s, err := NewSigner("k1", p.ec)
	if err != nil {
		b.Fatal(err)
	}
	var claims map[string]any
	if err := json.Unmarshal([]byte(good), &claims); err != nil {
		b.Fatal(err)
	}
	claims["cnf"] = map[string]string{"jkt": "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"}
	b.Run("ES256", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := s.Sign("at+jwt", claims); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("ES256-go-jose", func(b *testing.B) {
		key := gojose.SigningKey{Algorithm: gojose.ES256, Key: gojose.JSONWebKey{Key: p.ec, KeyID: "k1"}}
		signer, err := gojose.NewSigner(key, (&gojose.SignerOptions{}).WithType("at+jwt"))
		if err != nil {
			b.Fatal(err)
		}
		b.ReportAllocs()
		for b.Loop() {
			if _, err := jwt.Signed(signer).Claims(claims).Serialize(); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("ES256-bare", func(b *testing.B) {
		sum := sha256.Sum256([]byte("x"))
		b.ReportAllocs()
		for b.Loop() {
			if _, err := ecdsa.SignASN1(rand.Reader, p.ec, sum[:]); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkParseKeySet(b *testing.B) {
	jwks := []byte(`{"keys":[` + rfc7515Key + `,{"kty":"RSA","n":"` + rfc7638N + `","e":"AQAB","kid":"r"}]}`)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := ParseKeySet(jwks); err != nil {
			b.Fatal(err)
		}
	}
}
