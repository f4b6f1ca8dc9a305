package resource

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/waryauth/wary/internal/jose"
)

// Times of an issuer's keys.
const (
	keysFresh = 5 * time.Minute  // used without looking again
	keysStale = time.Hour        // used where looking again fails
	keysPause = 10 * time.Second // between two looks, whatever tokens ask for
)

// keys are an issuer's keys, fetched and kept for a while: one set, and at most one
// look at the issuer in every keysPause.
type keys struct {
	fetch func(context.Context) (jose.KeySet, error)
	now   func() time.Time
	held  atomic.Pointer[fetched]

	mu     sync.Mutex // one look at a time
	looked time.Time
}

type fetched struct {
	set jose.KeySet
	at  time.Time
}

// current returns keys that are fresh, or, where none can be fetched, not yet stale.
func (k *keys) current(ctx context.Context) (jose.KeySet, error) {
	h := k.held.Load()
	if h != nil && k.now().Sub(h.at) < keysFresh {
		return h.set, nil
	}
	err := k.look(ctx, h)
	switch h = k.held.Load(); {
	case h != nil && k.now().Sub(h.at) < keysStale:
		return h.set, nil
	case err == nil:
		err = errors.New("there are none")
	}
	return jose.KeySet{}, err
}

// renew looks for newer keys, for a token by a key that is not held, and reports
// whether it found any.
func (k *keys) renew(ctx context.Context) (jose.KeySet, bool) {
	h := k.held.Load()
	if err := k.look(ctx, h); err != nil {
		return jose.KeySet{}, false
	}
	next := k.held.Load()
	return next.set, next != h
}

var errPause = errors.New("they were looked for a moment ago")

// look fetches the keys, unless that was done since seen was held.
func (k *keys) look(ctx context.Context, seen *fetched) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.held.Load() != seen {
		return nil
	}
	now := k.now()
	if now.Sub(k.looked) < keysPause {
		return errPause
	}
	k.looked = now
	set, err := k.fetch(ctx)
	if err != nil {
		return err
	}
	k.held.Store(&fetched{set, now})
	return nil
}
