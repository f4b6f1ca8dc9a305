package authz

import (
	"context"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"time"

	"github.com/waryauth/wary/internal/jose"
	"github.com/waryauth/wary/internal/store"
)

// proofMemory is how long a proof's jti is remembered.
const proofMemory = jose.ProofAge + jose.ProofAhead + time.Second

// Proofs verify DPoP proofs (RFC 9449). Every proof carries a nonce of ours. Its key is
// made when the process starts, unless nodes share one: a proof made before a restart is
// refused like any with an old nonce, and the client makes another.
type Proofs struct {
	nonces *jose.Nonces
	keys   jose.ProofKeys
	used   *store.Marks
	now    func() time.Time
}

// NewProofs returns what verifies proofs by the memory of this process alone: for a
// resource server elsewhere.
func NewProofs(now func() time.Time) *Proofs {
	key := make([]byte, 32)
	rand.Read(key) // never fails (crypto/rand, Go 1.24)
	return &Proofs{nonces: jose.NewNonces(key), used: newMarks(&Options{Now: now}, "proof", proofMemory), now: now}
}

func newProofs(o *Options) (*Proofs, error) {
	if !o.SharedReplay {
		return NewProofs(o.Now), nil
	}
	if o.Secret == ([32]byte{}) {
		return nil, errors.New("shared replay needs a secret")
	}
	key, err := hkdf.Key(sha256.New, o.Secret[:], nil, "wary dpop nonce", 32)
	return &Proofs{nonces: jose.NewNonces(key), used: newMarks(o, "proof", proofMemory), now: o.Now}, err
}

// newMarks returns marks in memory, or in the store where nodes share it.
func newMarks(o *Options, kind string, span time.Duration) *store.Marks {
	if o.SharedReplay {
		return store.SharedMarks(o.Store, kind)
	}
	return store.NewMarks(span, o.Now)
}

// Presented is what a request shows of a proof.
type Presented = jose.Presented

// Verify checks a proof and returns the thumbprint of its key. The jti is marked last,
// so that a proof that fails another check is not used up, and by key, so that nobody
// uses up another's. The error is an *Error: InvalidProof, or UseNonce, after which the
// client takes Nonce and tries again.
func (p *Proofs) Verify(ctx context.Context, r Presented) (jkt string, err error) {
	now := p.now()
	claims, key, err := r.Check(now, &p.keys)
	if err != nil {
		return "", refuse(InvalidProof, err.Error())
	}
	if nonce, err := claims.Text("nonce"); err != nil || !p.nonces.Fresh(nonce, now) {
		return "", refuse(UseNonce, "the DPoP proof must carry the nonce of the DPoP-Nonce header")
	}
	jkt = key.Thumbprint()
	switch err := p.used.Mark(ctx, jkt, claims.ID, claims.IssuedAt.Add(jose.ProofAge+jose.ProofAhead)); {
	case errors.Is(err, store.ErrMarked):
		return "", refuse(InvalidProof, "the DPoP proof was used before")
	case err != nil:
		return "", fault("remember the DPoP proof", err)
	}
	return jkt, nil
}

// Nonce returns the nonce to be given out now.
func (p *Proofs) Nonce() string { return p.nonces.Of(p.now()) }
