package jose

import (
	"crypto"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
)

// Signer signs tokens with one private key. It is safe for concurrent use if the
// key is, as those of the standard library are.
type Signer struct {
	key     Key
	private crypto.Signer
}

// NewSigner makes a signer of a private key: on P-256 it signs with ES256, an RSA
// key with PS256, an Ed25519 key with EdDSA. The key may lie in other hardware. The
// id is the kid of its tokens, and may not be empty.
func NewSigner(id string, private crypto.Signer) (*Signer, error) {
	if id == "" {
		return nil, errors.New("jose: a signing key needs a kid")
	}
	k, err := NewKey(id, private.Public())
	if err != nil {
		return nil, err
	}
	return &Signer{key: k, private: private}, nil
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
	header, err := json.Marshal(struct {
		Algorithm Algorithm `json:"alg"`
		Type      string    `json:"typ"`
		ID        string    `json:"kid"`
	}{s.key.Algorithm, typ, s.key.ID})
	if err != nil {
		return "", fmt.Errorf("sign token: %w", err)
	}
	return s.compact(header, claims)
}

// Prove returns the DPoP proof of claims: its header brings the public key that
// verifies it (RFC 9449, section 4.2).
func (s *Signer) Prove(claims any) (string, error) {
	bare := s.key
	bare.ID = ""
	header, err := json.Marshal(struct {
		Algorithm Algorithm `json:"alg"`
		Type      string    `json:"typ"`
		Key       Key       `json:"jwk"`
	}{s.key.Algorithm, "dpop+jwt", bare})
	if err != nil {
		return "", fmt.Errorf("sign token: %w", err)
	}
	return s.compact(header, claims)
}

func (s *Signer) compact(header []byte, claims any) (string, error) {
	payload, err := json.Marshal(claims)
	if err != nil {
		return "", fmt.Errorf("sign token: %w", err)
	}
	if payload[0] != '{' {
		return "", errors.New("jose: sign: the claims are no object")
	}
	input := base64.RawURLEncoding.EncodeToString(header) + "." + base64.RawURLEncoding.EncodeToString(payload)
	signature, err := sign(s.private, s.key.Algorithm, input)
	if err != nil {
		return "", fmt.Errorf("sign token: %w", err)
	}
	return input + "." + base64.RawURLEncoding.EncodeToString(signature), nil
}
