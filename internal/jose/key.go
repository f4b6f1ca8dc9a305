package jose

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math/big"
	"slices"
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
	k := Key{ID: id, Algorithm: algorithm, public: public}
	k.thumbprint = Digest(k.required())
	return k, nil
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

// numbers returns the numbers of a key in base64url: x and y, n and e, or x alone.
func (k Key) numbers() (first, second string) {
	encode := base64.RawURLEncoding.EncodeToString
	switch pub := k.public.(type) {
	case *ecdsa.PublicKey:
		if point, err := pub.Bytes(); err == nil { // its form was checked by algorithmOf
			return encode(point[1 : 1+p256Size]), encode(point[1+p256Size:])
		}
	case *rsa.PublicKey:
		return encode(pub.N.Bytes()), encode(big.NewInt(int64(pub.E)).Bytes())
	case ed25519.PublicKey:
		return encode(pub), ""
	}
	return "", ""
}

// required returns the required members in the order and form that a thumbprint is
// made of (RFC 7638, section 3.2; RFC 8037, section 2).
func (k Key) required() string {
	first, second := k.numbers()
	switch k.Algorithm {
	case ES256:
		return `{"crv":"P-256","kty":"EC","x":"` + first + `","y":"` + second + `"}`
	case PS256:
		return `{"e":"` + second + `","kty":"RSA","n":"` + first + `"}`
	}
	return `{"crv":"Ed25519","kty":"OKP","x":"` + first + `"}`
}

// MarshalJSON returns the public JWK, with alg and use. It fails for the zero Key.
func (k Key) MarshalJSON() ([]byte, error) {
	if k.public == nil {
		return nil, fmt.Errorf("%w: nothing to write", ErrKey)
	}
	about, err := json.Marshal(struct {
		ID        string    `json:"kid,omitempty"`
		Algorithm Algorithm `json:"alg"`
		Use       string    `json:"use"`
	}{k.ID, k.Algorithm, "sig"})
	if err != nil {
		return nil, err
	}
	required := k.required()
	return append([]byte(required[:len(required)-1]+","), about[1:]...), nil
}

// ParseKey reads one public JWK (RFC 7517, section 4). Private or symmetric
// material is refused as ErrMalformed; a key of a type, algorithm, use or size
// that verifies nothing here as ErrKey.
func ParseKey(jwk []byte) (Key, error) {
	if len(jwk) > MaxKeySet {
		return Key{}, fmt.Errorf("%w: a key of %d bytes", ErrMalformed, len(jwk))
	}
	m, err := parseObject(jwk)
	if err != nil {
		return Key{}, err
	}
	k, usable, err := m.key()
	if err == nil && !usable {
		err = fmt.Errorf("%w: a key for something else", ErrKey)
	}
	if err != nil {
		return Key{}, err
	}
	return k, nil
}

// key makes a key of the members of a JWK. It is not usable if it is a public key
// for something else.
func (m members) key() (k Key, usable bool, err error) {
	for _, private := range []string{"d", "p", "q", "dp", "dq", "qi", "oth", "k", "priv"} {
		if m.get(private) != nil {
			return Key{}, false, fmt.Errorf("%w: a private or symmetric key where a public one belongs", ErrMalformed)
		}
	}
	kid, err := m.text("kid")
	if err != nil {
		return Key{}, false, err
	}
	algorithm, err := m.verifies()
	if err != nil || algorithm == "" {
		return Key{}, false, err
	}
	public, err := m.public(algorithm)
	if err != nil {
		return Key{}, false, err
	}
	k, err = NewKey(kid, public)
	return k, err == nil, err
}

// verifies returns the algorithm that a JWK with these members verifies signatures
// of; "" if it is none of ours.
func (m members) verifies() (Algorithm, error) {
	var kty, crv, use, alg string
	for _, member := range [...]struct {
		name  string
		place *string
	}{{"kty", &kty}, {"crv", &crv}, {"use", &use}, {"alg", &alg}} {
		var err error
		if *member.place, err = m.text(member.name); err != nil {
			return "", err
		}
	}
	var algorithm Algorithm
	switch {
	case kty == "" || kty == "oct":
		return "", fmt.Errorf("%w: a JWK of type %q", ErrMalformed, kty)
	case kty == "EC" && crv == "P-256":
		algorithm = ES256
	case kty == "RSA":
		algorithm = PS256
	case kty == "OKP" && crv == "Ed25519":
		algorithm = EdDSA
	}
	if alg != "" && alg != string(algorithm) || use != "" && use != "sig" {
		return "", nil
	}
	if raw := m.get("key_ops"); raw != nil {
		var operations []string
		if err := json.Unmarshal(raw, &operations); err != nil {
			return "", fmt.Errorf("%w: key_ops: %v", ErrMalformed, err)
		}
		if !slices.Contains(operations, "verify") {
			return "", nil
		}
	}
	return algorithm, nil
}

// public makes the key that the numbers of a JWK are. Its size is left to NewKey.
func (m members) public(a Algorithm) (crypto.PublicKey, error) {
	switch a {
	case ES256:
		x, err := m.number("x", p256Size)
		if err != nil {
			return nil, err
		}
		y, err := m.number("y", p256Size)
		if err != nil {
			return nil, err
		}
		point := append(append([]byte{4}, x...), y...) // SEC 1, section 2.3.3: uncompressed
		pub, err := ecdsa.ParseUncompressedPublicKey(elliptic.P256(), point)
		if err != nil {
			return nil, fmt.Errorf("%w: not a point of its curve", ErrMalformed)
		}
		return pub, nil
	case PS256:
		n, err := m.number("n", 0)
		if err != nil {
			return nil, err
		}
		e, err := m.number("e", 0)
		if err != nil {
			return nil, err
		}
		exponent := new(big.Int).SetBytes(e)
		if exponent.BitLen() > 31 {
			return nil, fmt.Errorf("%w: an exponent of %d bits", ErrKey, exponent.BitLen())
		}
		return &rsa.PublicKey{N: new(big.Int).SetBytes(n), E: int(exponent.Int64())}, nil
	}
	x, err := m.number("x", ed25519.PublicKeySize)
	return ed25519.PublicKey(x), err
}

// number decodes a member. Of a given size it has all its octets, otherwise no
// leading zeros (RFC 7518, sections 6.2.1.2 and 2).
func (m members) number(name string, size int) ([]byte, error) {
	text, err := m.text(name)
	if err != nil {
		return nil, err
	}
	out, err := decodeBase64(text)
	if err != nil {
		return nil, err
	}
	if len(out) == 0 || size > 0 && len(out) != size || size == 0 && out[0] == 0 {
		return nil, fmt.Errorf("%w: %s is missing, or not of its length", ErrMalformed, name)
	}
	return out, nil
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
	set, err := parseObject(jwks)
	if err != nil {
		return KeySet{}, err
	}
	var raw []json.RawMessage
	if err := json.Unmarshal(set.get("keys"), &raw); err != nil {
		return KeySet{}, fmt.Errorf("%w: a key set: %v", ErrMalformed, err)
	}
	if len(raw) > MaxKeys {
		return KeySet{}, fmt.Errorf("%w: a key set of %d keys", ErrMalformed, len(raw))
	}
	var s KeySet
	for _, jwk := range raw {
		m, err := parseObject(jwk)
		if err != nil {
			return KeySet{}, err
		}
		k, usable, err := m.key()
		if err != nil {
			return KeySet{}, err
		}
		if !usable {
			continue
		}
		if slices.ContainsFunc(s.keys, func(o Key) bool { return o.ID == k.ID && o.Algorithm == k.Algorithm }) {
			return KeySet{}, fmt.Errorf("%w: two keys have the same kid and algorithm", ErrKey)
		}
		s.keys = append(s.keys, k)
	}
	if len(s.keys) == 0 {
		return KeySet{}, fmt.Errorf("%w: the set has no key for %s, %s or %s", ErrKey, ES256, PS256, EdDSA)
	}
	return s, nil
}

// Keys returns a copy of the keys.
func (s KeySet) Keys() []Key { return slices.Clone(s.keys) }

// MarshalJSON returns the JWK set.
func (s KeySet) MarshalJSON() ([]byte, error) {
	return json.Marshal(map[string][]Key{"keys": append([]Key{}, s.keys...)})
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
