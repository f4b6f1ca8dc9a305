package jose

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"fmt"
	"math/big"

	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"
)

// p256Size is the length of one coordinate, and of one half of a signature.
const p256Size = 32

// valid reports whether the key has signed the input (RFC 7518, sections 3.4 and
// 3.5; RFC 8037, section 3.1). The algorithm is the key's, never the token's.
func (k Key) valid(input string, signature []byte) bool {
	switch pub := k.public.(type) {
	case *ecdsa.PublicKey:
		if len(signature) != 2*p256Size {
			return false
		}
		sum := sha256.Sum256([]byte(input))
		r, s := new(big.Int).SetBytes(signature[:p256Size]), new(big.Int).SetBytes(signature[p256Size:])
		return ecdsa.Verify(pub, sum[:], r, s)
	case *rsa.PublicKey:
		sum := sha256.Sum256([]byte(input))
		return rsa.VerifyPSS(pub, crypto.SHA256, sum[:], signature, &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash}) == nil
	case ed25519.PublicKey:
		return ed25519.Verify(pub, []byte(input), signature)
	}
	return false
}

// sign is the other side of valid.
func sign(private crypto.Signer, a Algorithm, input string) ([]byte, error) {
	sum := sha256.Sum256([]byte(input))
	switch a {
	case ES256:
		der, err := private.Sign(rand.Reader, sum[:], crypto.SHA256)
		if err != nil {
			return nil, err
		}
		return rawSignature(der)
	case PS256:
		return private.Sign(rand.Reader, sum[:], &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash, Hash: crypto.SHA256})
	case EdDSA:
		return private.Sign(rand.Reader, []byte(input), crypto.Hash(0))
	}
	return nil, ErrKey
}

// rawSignature writes what a crypto.Signer gives in ASN.1 as JWS has it.
func rawSignature(der []byte) ([]byte, error) {
	var r, s []byte
	sequence, inner := cryptobyte.String(der), cryptobyte.String(nil)
	ok := sequence.ReadASN1(&inner, asn1.SEQUENCE) && sequence.Empty() && inner.ReadASN1Integer(&r) && inner.ReadASN1Integer(&s) && inner.Empty()
	if !ok || len(r) == 0 || len(s) == 0 || len(r) > p256Size || len(s) > p256Size {
		return nil, fmt.Errorf("%w: the signer returned no signature on P-256", ErrKey)
	}
	out := make([]byte, 2*p256Size)
	copy(out[p256Size-len(r):], r)
	copy(out[2*p256Size-len(s):], s)
	return out, nil
}
