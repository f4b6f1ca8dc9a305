package jose

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"encoding/base64"
	"fmt"
	"slices"

	gojose "github.com/go-jose/go-jose/v4"
	gojson "github.com/go-jose/go-jose/v4/json"
)

// Bounds of RSA keys. Verifying costs the square of the size, and a key that comes
// with a proof is chosen by a stranger.
const (
	minRSABits = 2048 // FAPI 2.0 Security Profile 5.4.1
	maxRSABits = 4096
	minRSAExp  = 65537 // FIPS 186-5, section 5.1
)

// Key is a public key that verifies signatures of one algorithm.
type Key struct {
	ID        string    // kid; may be empty
	Algorithm Algorithm // by the type of the key, whether its JWK names it or not

	public     crypto.PublicKey
	thumbprint string
}

// NewKey makes a key of a P-256, RSA or Ed25519 public key. It returns ErrKey for
// any other, and for an RSA key outside 2048 to 4096 bits.
func NewKey(id string, public crypto.PublicKey) (Key, error) {
	if len(id) > maxName {
		return Key{}, fmt.Errorf("%w: a kid of %d bytes", ErrMalformed, len(id))
	}
	algorithm, err := algorithmOf(public)
	if err != nil {
		return Key{}, err
	}
	sum, err := (&gojose.JSONWebKey{Key: public}).Thumbprint(crypto.SHA256)
	if err != nil {
		return Key{}, fmt.Errorf("%w: %v", ErrKey, err)
	}
	return Key{
		ID: id, Algorithm: algorithm,
		public: public, thumbprint: base64.RawURLEncoding.EncodeToString(sum),
	}, nil
}

func algorithmOf(public crypto.PublicKey) (Algorithm, error) {
	switch k := public.(type) {
	case *ecdsa.PublicKey:
		if k == nil || k.Curve != elliptic.P256() {
			return "", fmt.Errorf("%w: the curve is not P-256", ErrKey)
		}
		if _, err := k.Bytes(); err != nil {
			return "", fmt.Errorf("%w: not a point of its curve", ErrKey)
		}
		return ES256, nil
	case *rsa.PublicKey:
		if k == nil || k.N == nil || k.N.BitLen() < minRSABits || k.N.BitLen() > maxRSABits {
			return "", fmt.Errorf("%w: RSA keys have %d to %d bits", ErrKey, minRSABits, maxRSABits)
		}
		if k.E < minRSAExp || k.E%2 == 0 || k.N.Bit(0) == 0 {
			return "", fmt.Errorf("%w: an RSA key with a weak exponent or modulus", ErrKey)
		}
		return PS256, nil
	case ed25519.PublicKey:
		if len(k) != ed25519.PublicKeySize {
			return "", fmt.Errorf("%w: an Ed25519 key of %d bytes", ErrKey, len(k))
		}
		return EdDSA, nil
	}
	return "", fmt.Errorf("%w: neither P-256 nor RSA nor Ed25519", ErrKey)
}

// Public returns the *ecdsa.PublicKey, *rsa.PublicKey or ed25519.PublicKey.
func (k Key) Public() crypto.PublicKey { return k.public }

// Thumbprint returns the SHA-256 JWK thumbprint in base64url (RFC 7638): the jkt of
// RFC 9449.
func (k Key) Thumbprint() string { return k.thumbprint }

// MarshalJSON returns the public JWK, with alg and use.
func (k Key) MarshalJSON() ([]byte, error) { return k.jwk().MarshalJSON() }

func (k Key) jwk() gojose.JSONWebKey {
	return gojose.JSONWebKey{Key: k.public, KeyID: k.ID, Algorithm: string(k.Algorithm), Use: "sig"}
}

// members is what decides, before anything is computed, whether a JWK is for us.
type members struct {
	Type       string   `json:"kty"`
	Curve      string   `json:"crv"`
	Use        string   `json:"use"`
	Operations []string `json:"key_ops"`
	Algorithm  string   `json:"alg"`
	ID         string   `json:"kid"`
	X          string   `json:"x"`
	Y          string   `json:"y"`
	N          string   `json:"n"`
	E          string   `json:"e"`
}

// ParseKey reads one public JWK (RFC 7517, section 4). Private or symmetric
// material is refused as ErrMalformed; a key of a type, algorithm, use or size
// that verifies nothing here as ErrKey.
func ParseKey(jwk []byte) (Key, error) {
	if len(jwk) > MaxKeySet {
		return Key{}, fmt.Errorf("%w: a key of %d bytes", ErrMalformed, len(jwk))
	}
	if err := checkObject(jwk); err != nil {
		return Key{}, err
	}
	k, usable, err := parseMember(jwk)
	if err == nil && !usable {
		err = fmt.Errorf("%w: a key for something else", ErrKey)
	}
	if err != nil {
		return Key{}, err
	}
	return k, nil
}

// parseMember reads a JWK of which checkObject has approved. It is not usable if
// it is a good key for something else.
func parseMember(jwk []byte) (k Key, usable bool, err error) {
	var present map[string]gojson.RawMessage
	if err := gojson.Unmarshal(jwk, &present); err != nil {
		return Key{}, false, fmt.Errorf("%w: a JWK: %v", ErrMalformed, err)
	}
	for _, private := range []string{"d", "p", "q", "dp", "dq", "qi", "oth", "k", "priv"} {
		if _, ok := present[private]; ok {
			return Key{}, false, fmt.Errorf("%w: a private or symmetric key where a public one belongs", ErrMalformed)
		}
	}
	var m members
	if err := gojson.Unmarshal(jwk, &m); err != nil {
		return Key{}, false, fmt.Errorf("%w: a JWK: %v", ErrMalformed, err)
	}
	if m.Type == "" || m.Type == "oct" {
		return Key{}, false, fmt.Errorf("%w: a JWK of type %q", ErrMalformed, m.Type)
	}
	if !m.verifies() {
		return Key{}, false, nil
	}
	for _, number := range []string{m.X, m.Y, m.N, m.E} {
		if _, err := decodeBase64(number); err != nil {
			return Key{}, false, err
		}
	}
	var parsed gojose.JSONWebKey
	if err := parsed.UnmarshalJSON(jwk); err != nil {
		return Key{}, false, fmt.Errorf("%w: a JWK: %v", ErrMalformed, err)
	}
	k, err = NewKey(m.ID, parsed.Key)
	return k, err == nil, err
}

// verifies reports whether a key with these members may verify signatures of one
// of our algorithms.
func (m members) verifies() bool {
	var algorithm Algorithm
	switch {
	case m.Type == "EC" && m.Curve == "P-256":
		algorithm = ES256
	case m.Type == "RSA":
		algorithm = PS256
	case m.Type == "OKP" && m.Curve == "Ed25519":
		algorithm = EdDSA
	default:
		return false
	}
	return (m.Algorithm == "" || m.Algorithm == string(algorithm)) &&
		(m.Use == "" || m.Use == "sig") &&
		(m.Operations == nil || slices.Contains(m.Operations, "verify"))
}

// KeySet is a set of public keys of one party. No two have both the same kid and
// the same algorithm.
type KeySet struct{ keys []Key }

// NewKeySet makes a set to publish: every key has a kid of its own.
func NewKeySet(keys ...Key) (KeySet, error) {
	for i, k := range keys {
		if k.public == nil || k.ID == "" {
			return KeySet{}, fmt.Errorf("%w: a published key needs a kid", ErrKey)
		}
		for _, other := range keys[:i] {
			if other.ID == k.ID {
				return KeySet{}, fmt.Errorf("%w: two published keys have the same kid", ErrKey)
			}
		}
	}
	return KeySet{slices.Clone(keys)}, nil
}

// ParseKeySet reads a JWK set (RFC 7517, section 5). Keys for something else
// (another kty, crv, use or alg) are passed over, as the RFC asks; private,
// symmetric, weak or malformed ones refuse the whole set, and so do two that no
// token could tell apart, for having the same kid, or none, and the same
// algorithm. A set without any key for us is refused as ErrKey.
func ParseKeySet(jwks []byte) (KeySet, error) {
	if len(jwks) > MaxKeySet {
		return KeySet{}, fmt.Errorf("%w: a key set of %d bytes", ErrMalformed, len(jwks))
	}
	if err := checkObject(jwks); err != nil {
		return KeySet{}, err
	}
	var raw struct {
		Keys []gojson.RawMessage `json:"keys"`
	}
	if err := gojson.Unmarshal(jwks, &raw); err != nil {
		return KeySet{}, fmt.Errorf("%w: a key set: %v", ErrMalformed, err)
	}
	if len(raw.Keys) > MaxKeys {
		return KeySet{}, fmt.Errorf("%w: a key set of %d keys", ErrMalformed, len(raw.Keys))
	}
	var s KeySet
	for _, jwk := range raw.Keys {
		k, usable, err := parseMember(jwk)
		if err != nil {
			return KeySet{}, err
		}
		if !usable {
			continue
		}
		if _, err := s.find(k.ID, k.Algorithm); k.ID != "" && err == nil || k.ID == "" && s.nameless(k.Algorithm) {
			return KeySet{}, fmt.Errorf("%w: two keys have the same kid and algorithm", ErrKey)
		}
		s.keys = append(s.keys, k)
	}
	if len(s.keys) == 0 {
		return KeySet{}, fmt.Errorf("%w: the set has no key for %s, %s or %s", ErrKey, ES256, PS256, EdDSA)
	}
	return s, nil
}

func (s KeySet) nameless(a Algorithm) bool {
	return slices.ContainsFunc(s.keys, func(k Key) bool { return k.ID == "" && k.Algorithm == a })
}

// Keys returns a copy of the keys.
func (s KeySet) Keys() []Key { return slices.Clone(s.keys) }

// MarshalJSON returns the JWK set.
func (s KeySet) MarshalJSON() ([]byte, error) {
	out := gojose.JSONWebKeySet{Keys: []gojose.JSONWebKey{}}
	for _, k := range s.keys {
		out.Keys = append(out.Keys, k.jwk())
	}
	return gojson.Marshal(out)
}

// find returns the one key that a token with this kid, or none, and this algorithm
// can mean. The algorithm stands for kty, crv, use and alg (FAPI 2.0 Security
// Profile 5.4.2: what tells keys with a repeated kid apart).
func (s KeySet) find(kid string, a Algorithm) (Key, error) {
	var found []Key
	for _, k := range s.keys {
		if k.Algorithm == a && (kid == "" || k.ID == kid) {
			found = append(found, k)
		}
	}
	if len(found) != 1 {
		return Key{}, ErrKey
	}
	return found[0], nil
}
