package resource

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"sync"
	"time"

	"github.com/waryauth/wary/internal/jose"
)

// Bounds of status lists that are kept.
const (
	maxLists  = 1024
	listPause = 200 * time.Millisecond // after a list could not be fetched
	listTTL   = time.Second            // of a list that says nothing of it
	listLife  = 5 * time.Minute        // a list that is believed was signed, and expires, within it
)

// lists are an issuer's status lists, each kept for half of its ttl: what was revoked is
// seen within that, and the issuer is asked twice in it however many tokens come. A list
// that cannot be fetched again is not believed any longer.
type lists struct {
	fetch func(ctx context.Context, uri string) (*jose.StatusListToken, error)
	now   func() time.Time

	mu   sync.Mutex
	held map[string]*heldList
}

// heldList is one list. The lock is held while it is fetched, so that one request does.
type heldList struct {
	mu    sync.Mutex
	token *jose.StatusListToken
	err   error
	until time.Time // token, or err, stands
}

// find returns the status list of a URI.
func (l *lists) find(ctx context.Context, uri string) (*jose.StatusList, error) {
	h, err := l.hold(uri)
	if err != nil {
		return nil, err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if now := l.now(); !now.Before(h.until) {
		h.token, h.err = l.fetch(ctx, uri)
		switch {
		case h.err != nil:
			h.until = now.Add(listPause)
		case h.token.TTL == 0:
			h.until = now.Add(listTTL / 2)
		default:
			h.until = now.Add(h.token.TTL / 2)
		}
	}
	if h.err != nil {
		return nil, h.err
	}
	return h.token.List, nil
}

// hold returns the place of a list. When there are too many, those whose time is up go.
func (l *lists) hold(uri string) (*heldList, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if h := l.held[uri]; h != nil {
		return h, nil
	}
	if len(l.held) >= maxLists {
		now := l.now()
		maps.DeleteFunc(l.held, func(_ string, h *heldList) bool {
			if !h.mu.TryLock() {
				return false
			}
			defer h.mu.Unlock()
			return !now.Before(h.until)
		})
	}
	if len(l.held) >= maxLists {
		return nil, errors.New("more status lists are in use than are kept")
	}
	h := &heldList{}
	l.held[uri] = h
	return h, nil
}

// listed reports whether a token is valid by its status list (section 8.3 of the draft):
// invalid, suspended, and an index that the list has not, are all no.
func (r *Remote) listed(ctx context.Context, ref *jose.StatusReference) (bool, error) {
	l, err := r.lists.find(ctx, ref.List.URI)
	if err != nil {
		return false, err
	}
	status, ok := l.At(ref.List.Index)
	return ok && status == jose.StatusValid, nil
}

// fetchList fetches a status list from the issuer itself, wherever a token says it is.
func (r *Remote) fetchList(ctx context.Context, uri string) (*jose.StatusListToken, error) {
	if u, err := url.Parse(uri); err != nil || !secure(uri) || u.Host != r.host {
		return nil, errors.New("the status list of a token is not at its issuer")
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, uri, nil)
	if err != nil {
		return nil, err
	}
	text, err := r.read(req, "application/"+jose.StatusListType)
	if err != nil {
		return nil, err
	}
	set, err := r.keys.current(ctx)
	if err != nil {
		return nil, fmt.Errorf("fetch the issuer's keys: %w", err)
	}
	t, err := jose.ParseStatusListToken(string(text), uri, set, r.o.Now(), listLife)
	if errors.Is(err, jose.ErrKey) {
		if set, renewed := r.keys.renew(ctx); renewed {
			t, err = jose.ParseStatusListToken(string(text), uri, set, r.o.Now(), listLife)
		}
	}
	return t, err
}
