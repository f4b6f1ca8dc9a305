package jose

import (
	"fmt"
	"slices"
	"strings"
)

// Token is a token that was read and not yet believed.
type Token struct {
	Algorithm Algorithm
	Type      string // typ as it stands there; empty where there is none
	KeyID     string // kid; empty where there is none

	key       []byte // jwk, as it stands there; nil where there is none
	input     string // what is signed
	signature []byte
	claims    *Claims
}

// Parse reads a token whose typ is one of types, "" standing for none at all. They
// are compared as media types: without regard to case, and "application/" may be
// left out (RFC 7515, section 4.1.9). Its error is ErrMalformed.
func Parse(compact string, types ...string) (*Token, error) {
	t, err := parse(compact, types)
	if err != nil {
		return nil, err
	}
	if t.key != nil {
		return nil, fmt.Errorf("%w: the header brings its own key", ErrMalformed)
	}
	return t, nil
}

// UnverifiedClaims returns what the token claims, signed by whomever: to find out
// whose keys it must be verified with, and for nothing else.
func (t *Token) UnverifiedClaims() *Claims { return t.claims }

// Verify returns the claims if one of the keys has signed them. It returns ErrKey
// unless just one key fits the kid and the algorithm, and ErrSignature.
func (t *Token) Verify(keys KeySet) (*Claims, error) {
	k, err := keys.find(t.KeyID, t.Algorithm)
	if err != nil {
		return nil, err
	}
	return t.verify(k)
}

func (t *Token) verify(k Key) (*Claims, error) {
	if t.Algorithm != k.Algorithm || !k.valid(t.input, t.signature) {
		return nil, ErrSignature
	}
	return t.claims, nil
}

// ParseProof reads a DPoP proof (RFC 9449, section 4.2) and verifies it with the
// key it brings, which it returns: typ, alg, jwk and signature of section 4.3. That
// the claims fit the request, that the proof is new, and whose key it is are left
// to the caller.
func ParseProof(compact string) (*Claims, Key, error) { return parseProof(compact, nil) }

func parseProof(compact string, known *ProofKeys) (*Claims, Key, error) {
	t, err := parse(compact, []string{"dpop+jwt"})
	if err != nil {
		return nil, Key{}, err
	}
	if t.key == nil {
		return nil, Key{}, fmt.Errorf("%w: a proof without a key", ErrMalformed)
	}
	k, ok := known.find(t.key)
	if !ok {
		if k, err = ParseKey(t.key); err != nil {
			return nil, Key{}, err
		}
	}
	if k.Algorithm != t.Algorithm {
		return nil, Key{}, fmt.Errorf("%w: the proof's key is for another algorithm", ErrKey)
	}
	claims, err := t.verify(k)
	if err != nil {
		return nil, Key{}, err
	}
	if !ok {
		known.put(t.key, k)
	}
	return claims, k, nil
}

func parse(compact string, types []string) (*Token, error) {
	if len(compact) > MaxToken {
		return nil, fmt.Errorf("%w: a token of %d bytes", ErrMalformed, len(compact))
	}
	if strings.Count(compact, ".") != 2 {
		return nil, fmt.Errorf("%w: not three parts", ErrMalformed)
	}
	var parts [3][]byte
	for i, text := range strings.Split(compact, ".") {
		var err error
		if parts[i], err = decodeBase64(text); err != nil {
			return nil, err
		}
	}
	t, err := parseHeader(parts[0], types)
	if err != nil {
		return nil, err
	}
	if t.claims, err = parseClaims(parts[1]); err != nil {
		return nil, err
	}
	t.input, t.signature = compact[:strings.LastIndexByte(compact, '.')], parts[2]
	return t, nil
}

func parseHeader(data []byte, types []string) (*Token, error) {
	header, err := parseObject(data)
	if err != nil {
		return nil, err
	}
	for _, refused := range []string{"crit", "b64", "jku", "x5u", "x5c", "zip", "enc"} {
		if header.get(refused) != nil {
			return nil, fmt.Errorf("%w: the header has %s", ErrMalformed, refused)
		}
	}
	algorithm := ""
	t := &Token{key: header.get("jwk")}
	for _, m := range [...]struct {
		name  string
		place *string
	}{{"alg", &algorithm}, {"typ", &t.Type}, {"kid", &t.KeyID}} {
		if *m.place, err = header.text(m.name); err != nil {
			return nil, err
		}
		if present := header.get(m.name) != nil; present && *m.place == "" || len(*m.place) > maxName {
			return nil, fmt.Errorf("%w: %s is empty or too long", ErrMalformed, m.name)
		}
	}
	t.Algorithm = Algorithm(algorithm)
	if !known(t.Algorithm) {
		return nil, fmt.Errorf("%w: alg is none of %s, %s, %s", ErrMalformed, ES256, PS256, EdDSA)
	}
	if !slices.ContainsFunc(types, func(want string) bool { return sameType(t.Type, want) }) {
		return nil, fmt.Errorf("%w: typ is none of %q", ErrMalformed, types)
	}
	return t, nil
}

func sameType(got, want string) bool {
	if want == "" || got == "" {
		return got == want
	}
	return strings.EqualFold(bare(got), bare(want))
}

func bare(mediaType string) string {
	const prefix = "application/"
	if len(mediaType) > len(prefix) && strings.EqualFold(mediaType[:len(prefix)], prefix) {
		return mediaType[len(prefix):]
	}
	return mediaType
}
