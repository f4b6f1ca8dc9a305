package jose

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Times and sizes of DPoP proofs.
const (
	ProofAge   = 60 * time.Second // the oldest iat
	ProofAhead = 10 * time.Second // the newest iat (FAPI 2.0, section 5.3.2.1)
	maxProof   = 8 << 10          // bytes
	MaxID      = 256              // bytes of a jti
)

// Presented is what a request shows of a DPoP proof. URL is the configured URL of the
// endpoint, never one made of what the request says.
type Presented struct {
	Proofs      []string // the DPoP headers as received
	Method, URL string
	AccessToken string // at a resource: the token that came with it
}

// ProofError is why a proof is not good, for the client's developer.
type ProofError string

func (e ProofError) Error() string { return string(e) }

// Check verifies a proof (RFC 9449, section 4.3) but for what needs a memory: that its
// nonce is of the server's, and that its jti was not used before. The error is a
// ProofError. known holds keys that verified proofs before; it may be nil.
func (r *Presented) Check(now time.Time, known *ProofKeys) (*Claims, Key, error) {
	if len(r.Proofs) != 1 || len(r.Proofs[0]) > maxProof {
		return nil, Key{}, ProofError("one DPoP header is wanted")
	}
	claims, key, err := parseProof(r.Proofs[0], known)
	if err != nil {
		return nil, Key{}, ProofError("the DPoP proof is malformed or its signature is wrong")
	}
	if why := r.differs(claims); why != "" {
		return nil, Key{}, why
	}
	if err := claims.Check(Window{Now: now, Ahead: ProofAhead, MaxAge: ProofAge}); err != nil {
		return nil, Key{}, ProofError("the DPoP proof is too old or of the future")
	}
	return claims, key, nil
}

// differs says how a proof does not fit the request that it came with, or "".
func (r *Presented) differs(claims *Claims) ProofError {
	method, err1 := claims.Text("htm")
	url, err2 := claims.Text("htu")
	hash, err3 := claims.Text("ath")
	switch {
	case err1 != nil || err2 != nil || err3 != nil:
		return "a claim of the DPoP proof is malformed"
	case method != r.Method:
		return "htm is another method"
	case url != r.URL && !sameURL(url, r.URL):
		return "htu is another URL"
	case claims.ID == "" || len(claims.ID) > MaxID:
		return "jti is missing or too long"
	case claims.IssuedAt.IsZero():
		return "iat is missing"
	case r.AccessToken != "" && !Equal(hash, Digest(r.AccessToken)):
		return "ath is not of this access token"
	}
	return ""
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

// ProofKeys remember the keys of proofs that were good, by their JWK as it was written:
// reading one, with the check that its point is on the curve, takes a tenth of a token
// request, and a client uses one key for long. Only who holds a private key can put one
// here. They are bounded: of two generations the older is forgotten when the newer is
// full. The zero value is ready.
type ProofKeys struct {
	mu             sync.RWMutex
	newest, oldest map[string]Key
}

const (
	maxProofKeys = 1 << 12 // of a generation
	maxKnownKey  = 1 << 10 // bytes of a JWK; what is longer is read each time
)

func (p *ProofKeys) find(jwk []byte) (Key, bool) {
	if p == nil || len(jwk) > maxKnownKey {
		return Key{}, false
	}
	p.mu.RLock()
	defer p.mu.RUnlock()
	k, ok := p.newest[string(jwk)]
	if !ok {
		k, ok = p.oldest[string(jwk)]
	}
	return k, ok
}

func (p *ProofKeys) put(jwk []byte, k Key) {
	if p == nil || len(jwk) > maxKnownKey {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.newest == nil || len(p.newest) == maxProofKeys {
		p.newest, p.oldest = map[string]Key{}, p.newest
	}
	p.newest[string(jwk)] = k
}

// nonceSlot is how long a nonce is given out; it is good in its slot and the next.
const nonceSlot = 60 * time.Second

// Nonces are those that proofs must carry (RFC 9449, section 8): the MAC of a slot of
// time, so that no memory of them is needed.
type Nonces struct {
	key  []byte
	last atomic.Pointer[slotNonces]
}

// slotNonces are the nonces that are good in one slot: its own and the one before's.
type slotNonces struct {
	slot        int64
	own, before string
}

// NewNonces returns the nonces of a key.
func NewNonces(key []byte) *Nonces { return &Nonces{key: key} }

// Of returns the nonce to be given out at a time.
func (n *Nonces) Of(now time.Time) string { return n.at(now).own }

// Fresh reports whether a nonce is of the slot of a time or the one before.
func (n *Nonces) Fresh(nonce string, now time.Time) bool {
	s := n.at(now)
	return Equal(nonce, s.own) || Equal(nonce, s.before)
}

// at returns the nonces of a time. They are kept until the slot is over.
func (n *Nonces) at(now time.Time) *slotNonces {
	slot := now.Unix() / int64(nonceSlot/time.Second)
	if s := n.last.Load(); s != nil && s.slot == slot {
		return s
	}
	s := &slotNonces{slot: slot, own: n.nonce(slot), before: n.nonce(slot - 1)}
	n.last.Store(s)
	return s
}

// nonce is the slot's number and its MAC.
func (n *Nonces) nonce(slot int64) string {
	var b [8 + 16]byte
	binary.BigEndian.PutUint64(b[:], uint64(slot))
	mac := hmac.New(sha256.New, n.key)
	mac.Write(b[:8])
	copy(b[8:], mac.Sum(nil))
	return base64.RawURLEncoding.EncodeToString(b[:])
}
