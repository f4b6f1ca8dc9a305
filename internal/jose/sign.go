package jose

import (
	"crypto"
	"encoding/json"
	"errors"
	"fmt"

	gojose "github.com/go-jose/go-jose/v4"
)

// Signer signs tokens with one private key. It is safe for concurrent use.
type Signer struct {
	key     Key
	private gojose.SigningKey
}

// NewSigner makes a signer of an *ecdsa.PrivateKey on P-256 (ES256), an
// *rsa.PrivateKey (PS256) or an ed25519.PrivateKey (EdDSA). The id is the kid of
// its tokens, and may not be empty.
func NewSigner(id string, private crypto.Signer) (*Signer, error) {
	if id == "" {
		return nil, errors.New("jose: a signing key needs a kid")
	}
	k, err := NewKey(id, private.Public())
	if err != nil {
		return nil, err
	}
	s := &Signer{key: k, private: gojose.SigningKey{
		Algorithm: signatureAlgorithm(k.Algorithm),
		Key:       gojose.JSONWebKey{Key: private, KeyID: id},
	}}
	if _, err := gojose.NewSigner(s.private, nil); err != nil {
		return nil, fmt.Errorf("%w: %v", ErrKey, err)
	}
	return s, nil
}

// Key returns the public key that verifies what this signer signs.
func (s *Signer) Key() Key { return s.key }

// Sign returns the compact token of claims, which encoding/json makes an object
// of. The typ is required: it is what keeps one kind of token from being taken
// for another (RFC 8725, section 3.11).
func (s *Signer) Sign(typ string, claims any) (string, error) {
	if typ == "" {
		return "", errors.New("jose: sign: no typ")
	}
	payload, err := json.Marshal(claims)
	if err != nil {
		return "", fmt.Errorf("sign token: %w", err)
	}
	if len(payload) == 0 || payload[0] != '{' {
		return "", errors.New("jose: sign: the claims are no object")
	}
	signer, err := gojose.NewSigner(s.private, (&gojose.SignerOptions{}).WithType(gojose.ContentType(typ)))
	if err != nil {
		return "", fmt.Errorf("sign token: %w", err)
	}
	signed, err := signer.Sign(payload)
	if err != nil {
		return "", fmt.Errorf("sign token: %w", err)
	}
	return signed.CompactSerialize()
}
