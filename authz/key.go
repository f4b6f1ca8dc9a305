package authz

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/waryauth/wary/internal/jose"
	"github.com/waryauth/wary/internal/store"
)

// Key is a signing key as operators see it. Next is published before it signs, so
// that nobody meets a signature by a key they could not have fetched; Retired is
// published until nothing that it signed is alive.
type Key struct {
	ID    string
	State KeyState
	Since time.Time // when it came into this state
}

// KeyState is what a key is used for.
type KeyState string

// States of a key, in the order it goes through them.
const (
	KeyNext    KeyState = "next"
	KeyCurrent KeyState = "current"
	KeyRetired KeyState = "retired"
)

// Keys are the ES256 keys that an authority signs with. They lie in the store under
// one key, sealed, so that every node has the same and changes them as one. All
// methods are safe for concurrent use.
type Keys struct {
	store store.Store
	seal  cipher.AEAD
	every time.Duration
	now   func() time.Time
	ring  atomic.Pointer[ring]
}

// ring is one state of the keys.
type ring struct {
	keys   []Key
	signer *jose.Signer
	public jose.KeySet
}

const (
	keysRecord = "keys:signing"
	// overlap is how long a retired key is published: longer than anything signed by it
	// lives and than others may cache the set.
	overlap = 24 * time.Hour
	// lead is how long a key is at least published before it signs.
	lead = time.Hour
)

// sealedKeys is what is sealed.
type sealedKeys struct {
	Keys []sealedKey `json:"keys"`
}

type sealedKey struct {
	ID      string    `json:"kid"`
	State   KeyState  `json:"state"`
	Since   time.Time `json:"since"`
	Private []byte    `json:"private"` // PKCS #8
}

// KeyOptions of the signing keys.
type KeyOptions struct {
	Store  store.Store
	Secret [32]byte         // seals the keys at rest; the same on every node
	Every  time.Duration    // how long a key signs; default 30 days
	Now    func() time.Time // default time.Now
}

// OpenKeys reads the keys, or makes the first ones. The error says so where they
// were sealed with another secret.
func OpenKeys(ctx context.Context, o KeyOptions) (*Keys, error) {
	if o.Every == 0 {
		o.Every = 30 * 24 * time.Hour
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Secret == ([32]byte{}) || o.Every < 2*lead {
		return nil, fmt.Errorf("open keys: no secret, or rotation more often than every %v", 2*lead)
	}
	k := &Keys{store: o.Store, every: o.Every, now: o.Now}
	sealing, err := hkdf.Key(sha256.New, o.Secret[:], nil, "wary signing keys", 32)
	if err != nil {
		return nil, fmt.Errorf("open keys: %w", err)
	}
	block, err := aes.NewCipher(sealing)
	if err == nil {
		k.seal, err = cipher.NewGCMWithRandomNonce(block)
	}
	if err != nil {
		return nil, fmt.Errorf("open keys: %w", err)
	}
	if err := k.Refresh(ctx); err != nil {
		return nil, fmt.Errorf("open keys: %w", err)
	}
	return k, nil
}

// Refresh reads the keys that another node may have changed, makes the first ones
// where there are none, and rotates them when it is time. Call it every few minutes.
func (k *Keys) Refresh(ctx context.Context) error {
	return k.change(ctx, func(s *sealedKeys, now time.Time) (bool, error) {
		if len(s.Keys) == 0 {
			return true, errors.Join(s.add(KeyCurrent, now), s.add(KeyNext, now))
		}
		if current := s.find(KeyCurrent); now.Sub(current.Since) >= k.every && now.Sub(s.find(KeyNext).Since) >= lead {
			return true, s.rotate(now)
		}
		return s.drop(now), nil
	})
}

// Rotate makes the next key current at once and retires the current one. Another
// node learns of it by Refresh; until then it signs with the retired key, which
// stays published.
func (k *Keys) Rotate(ctx context.Context) error {
	return k.change(ctx, func(s *sealedKeys, now time.Time) (bool, error) {
		s.drop(now)
		return true, s.rotate(now)
	})
}

// change reads the keys, lets edit change them, and writes them if it did; where
// another node was faster it begins anew.
func (k *Keys) change(ctx context.Context, edit func(s *sealedKeys, now time.Time) (bool, error)) error {
	for {
		values, err := k.store.Get(ctx, keysRecord)
		if err != nil {
			return fmt.Errorf("read keys: %w", err)
		}
		var s sealedKeys
		if values[0].Data != nil {
			if s, err = k.unseal(values[0].Data); err != nil {
				return err
			}
		}
		now := k.now()
		changed, err := edit(&s, now)
		if err != nil {
			return fmt.Errorf("change keys: %w", err)
		}
		if !changed {
			return k.load(&s)
		}
		text, err := json.Marshal(&s)
		if err != nil {
			return fmt.Errorf("change keys: %w", err)
		}
		err = k.store.Swap(ctx, store.Change{Key: keysRecord, Prev: values[0].Data, Next: k.seal.Seal(nil, nil, text, []byte(keysRecord)), Deadline: store.Forever})
		if errors.Is(err, store.ErrConflict) {
			continue
		}
		if err != nil {
			return fmt.Errorf("write keys: %w", err)
		}
		return k.load(&s)
	}
}

func (k *Keys) unseal(sealed []byte) (s sealedKeys, err error) {
	text, err := k.seal.Open(nil, nil, sealed, []byte(keysRecord))
	if err != nil {
		return s, errors.New("the keys were sealed with another secret, or are damaged")
	}
	if err := json.Unmarshal(text, &s); err != nil {
		return s, fmt.Errorf("decode keys: %w", err)
	}
	if s.find(KeyCurrent) == nil || s.find(KeyNext) == nil {
		return s, errors.New("decode keys: there is no current or no next key")
	}
	return s, nil
}

// load puts keys in force.
func (k *Keys) load(s *sealedKeys) error {
	r := &ring{}
	var public []jose.Key
	for _, sk := range s.Keys {
		private, err := x509.ParsePKCS8PrivateKey(sk.Private)
		if err != nil {
			return fmt.Errorf("decode key %s: %w", sk.ID, err)
		}
		ec, ok := private.(*ecdsa.PrivateKey)
		if !ok {
			return fmt.Errorf("decode key %s: is no elliptic curve key", sk.ID)
		}
		signer, err := jose.NewSigner(sk.ID, ec)
		if err != nil {
			return fmt.Errorf("decode key %s: %w", sk.ID, err)
		}
		if sk.State == KeyCurrent {
			r.signer = signer
		}
		public = append(public, signer.Key())
		r.keys = append(r.keys, Key{ID: sk.ID, State: sk.State, Since: sk.Since})
	}
	var err error
	if r.public, err = jose.NewKeySet(public...); err != nil {
		return fmt.Errorf("publish keys: %w", err)
	}
	k.ring.Store(r)
	return nil
}

// List returns the keys.
func (k *Keys) List() []Key { return append([]Key(nil), k.ring.Load().keys...) }

// Public returns the keys to be published, and to verify with.
func (k *Keys) Public() jose.KeySet { return k.ring.Load().public }

func (k *Keys) current() *jose.Signer { return k.ring.Load().signer }

func (s *sealedKeys) find(state KeyState) *sealedKey {
	for i := range s.Keys {
		if s.Keys[i].State == state {
			return &s.Keys[i]
		}
	}
	return nil
}

func (s *sealedKeys) add(state KeyState, now time.Time) error {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	der, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		return err
	}
	s.Keys = append(s.Keys, sealedKey{ID: randomText(9), State: state, Since: now, Private: der})
	return nil
}

// rotate moves every key on and makes a new next one.
func (s *sealedKeys) rotate(now time.Time) error {
	for _, step := range [...]struct{ from, to KeyState }{{KeyCurrent, KeyRetired}, {KeyNext, KeyCurrent}} {
		key := s.find(step.from)
		key.State, key.Since = step.to, now
	}
	return s.add(KeyNext, now)
}

// drop removes keys that have been retired long enough and reports whether it did.
func (s *sealedKeys) drop(now time.Time) bool {
	kept := s.Keys[:0]
	for _, k := range s.Keys {
		if k.State != KeyRetired || now.Sub(k.Since) < overlap {
			kept = append(kept, k)
		}
	}
	dropped := len(kept) < len(s.Keys)
	s.Keys = kept
	return dropped
}
