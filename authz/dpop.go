package authz

import (
	"context"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"github.com/waryauth/wary/internal/jose"
)

// Times of DPoP proofs.
const (
	proofAge    = 60 * time.Second // the oldest iat
	proofAhead  = 10 * time.Second // the newest iat (FAPI 2.0, section 5.3.2.1)
	nonceSlot   = 60 * time.Second // a nonce is good in its slot and the next
	proofMemory = proofAge + proofAhead + time.Second
	maxProof    = 8 << 10 // bytes
	maxID       = 256     // bytes of a jti
)

// Proofs verify DPoP proofs (RFC 9449). Every proof carries a nonce of ours: the
// MAC of a slot of time, so that no memory of it is needed. Its key is made when the
// process starts, unless nodes share one: a proof made before a restart is refused
// like any with an old nonce, and the client makes another.
type Proofs struct {
	key  []byte
	used *marks
	now  func() time.Time
	last atomic.Pointer[slotNonces]
}

// slotNonces are the nonces that are good in one slot: its own and the one before's.
type slotNonces struct {
	slot        int64
	own, before string
}

// NewProofs returns what verifies proofs by the memory of this process alone: for a
// resource server elsewhere.
func NewProofs(now func() time.Time) *Proofs {
	key := make([]byte, 32)
	rand.Read(key) // never fails (crypto/rand, Go 1.24)
	return &Proofs{key: key, used: newMarks(&Options{Now: now}, "proof", proofMemory), now: now}
}

func newProofs(o *Options) (*Proofs, error) {
	p := NewProofs(o.Now)
	if !o.SharedReplay {
		return p, nil
	}
	if o.Secret == ([32]byte{}) {
		return nil, errors.New("shared replay needs a secret")
	}
	var err error
	p.key, err = hkdf.Key(sha256.New, o.Secret[:], nil, "wary dpop nonce", 32)
	p.used = newMarks(o, "proof", proofMemory)
	return p, err
}

// Presented is what a request shows of a proof. URL is the configured URL of the
// endpoint, never one made of what the request says.
type Presented struct {
	Proofs      []string // the DPoP headers as received
	Method, URL string
	AccessToken string // at a resource: the token that came with it
}

// Verify checks a proof (RFC 9449, section 4.3) and returns the thumbprint of its
// key. The jti is marked last, so that a proof that fails another check is not used
// up, and by key, so that nobody uses up another's. The error is an *Error:
// InvalidProof, or UseNonce, after which the client takes Nonce and tries again.
func (p *Proofs) Verify(ctx context.Context, r Presented) (jkt string, err error) {
	if len(r.Proofs) != 1 || len(r.Proofs[0]) > maxProof {
		return "", refuse(InvalidProof, "one DPoP header is wanted")
	}
	claims, key, err := jose.ParseProof(r.Proofs[0])
	if err != nil {
		return "", refuse(InvalidProof, "the DPoP proof is malformed or its signature is wrong")
	}
	if err := r.matches(claims); err != nil {
		return "", err
	}
	now := p.now()
	if err := claims.Check(jose.Window{Now: now, Ahead: proofAhead, MaxAge: proofAge}); err != nil {
		return "", refuse(InvalidProof, "the DPoP proof is too old or of the future")
	}
	if nonce, err := claims.Text("nonce"); err != nil || !p.fresh(nonce, now) {
		return "", refuse(UseNonce, "the DPoP proof must carry the nonce of the DPoP-Nonce header")
	}
	jkt = key.Thumbprint()
	switch err := p.used.mark(ctx, jkt, claims.ID, claims.IssuedAt.Add(proofAge+proofAhead)); {
	case errors.Is(err, errMarked):
		return "", refuse(InvalidProof, "the DPoP proof was used before")
	case err != nil:
		return "", fault("remember the DPoP proof", err)
	}
	return jkt, nil
}

// matches checks what a proof says of the request that it came with.
func (r *Presented) matches(claims *jose.Claims) error {
	method, err1 := claims.Text("htm")
	url, err2 := claims.Text("htu")
	hash, err3 := claims.Text("ath")
	switch {
	case errors.Join(err1, err2, err3) != nil:
		return refuse(InvalidProof, "a claim of the DPoP proof is malformed")
	case method != r.Method:
		return refuse(InvalidProof, "htm is another method")
	case !sameURL(url, r.URL):
		return refuse(InvalidProof, "htu is another URL")
	case claims.ID == "" || len(claims.ID) > maxID:
		return refuse(InvalidProof, "jti is missing or too long")
	case claims.IssuedAt.IsZero():
		return refuse(InvalidProof, "iat is missing")
	case r.AccessToken != "" && !jose.Equal(hash, jose.Digest(r.AccessToken)):
		return refuse(InvalidProof, "ath is not of this access token")
	}
	return nil
}

// sameURL compares an htu with an endpoint's URL, both without query and fragment,
// scheme and host without case (RFC 9449, section 4.3, point 9; RFC 3986, section 6.2).
func sameURL(htu, endpoint string) bool {
	got, err := url.Parse(htu)
	if err != nil || got.Opaque != "" || got.User != nil {
		return false
	}
	want, err := url.Parse(endpoint)
	if err != nil {
		return false
	}
	path := func(u *url.URL) string {
		if u.Path == "" {
			return "/"
		}
		return u.EscapedPath()
	}
	return strings.EqualFold(got.Scheme, want.Scheme) && strings.EqualFold(hostOf(got), hostOf(want)) && path(got) == path(want)
}

// hostOf returns a URL's host without the port that https has anyway.
func hostOf(u *url.URL) string {
	if strings.EqualFold(u.Scheme, "https") {
		return strings.TrimSuffix(u.Host, ":443")
	}
	return u.Host
}

// Nonce returns the nonce to be given out now.
func (p *Proofs) Nonce() string { return p.nonces(p.now()).own }

// nonces returns the nonces of a time. They are kept until the slot is over.
func (p *Proofs) nonces(now time.Time) *slotNonces {
	slot := now.Unix() / int64(nonceSlot/time.Second)
	if n := p.last.Load(); n != nil && n.slot == slot {
		return n
	}
	n := &slotNonces{slot: slot, own: p.nonce(slot), before: p.nonce(slot - 1)}
	p.last.Store(n)
	return n
}

// nonce is the slot's number and its MAC.
func (p *Proofs) nonce(slot int64) string {
	var b [8 + 16]byte
	binary.BigEndian.PutUint64(b[:], uint64(slot))
	mac := hmac.New(sha256.New, p.key)
	mac.Write(b[:8])
	copy(b[8:], mac.Sum(nil))
	return base64.RawURLEncoding.EncodeToString(b[:])
}

// fresh reports whether a nonce is of this slot or the one before.
func (p *Proofs) fresh(nonce string, now time.Time) bool {
	n := p.nonces(now)
	return jose.Equal(nonce, n.own) || jose.Equal(nonce, n.before)
}
