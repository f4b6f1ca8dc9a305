package authz

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/waryauth/wary/internal/store"
)

// Holder names whose grants and tokens end together. Of its fields one is set.
type Holder struct {
	Subject string // a person: after a change of password, say (RFC 9700, section 4.14.2)
	Session string // a login session
	Client  string // a client
}

// cutoffKind begins the records that say from when on a holder's grants count. One
// record ends however many grants there are, at once, and none of them is looked for.
const cutoffKind = "cutoff:"

func (h Holder) keys() (keys []string) {
	for _, k := range [...]struct{ kind, name string }{{"subject:", h.Subject}, {"session:", h.Session}, {"client:", h.Client}} {
		if k.name != "" {
			keys = append(keys, keyOf(cutoffKind+k.kind, k.name))
		}
	}
	return keys
}

// Revoke ends everything that was granted and issued to a holder until now.
func (a *Authority) Revoke(ctx context.Context, h Holder) error {
	keys := h.keys()
	if len(keys) != 1 {
		return errors.New("revoke: one of subject, session and client is wanted")
	}
	now := a.now()
	text, err := json.Marshal(now)
	if err != nil {
		return fmt.Errorf("revoke: %w", err)
	}
	end := store.Until(now.Add(a.o.Lives.Grant + a.o.Lives.Access))
	err = store.Update(ctx, a.o.Store, keys[0], func(store.Value) ([]byte, store.Deadline, error) { return text, end, nil })
	if err != nil {
		return fmt.Errorf("revoke: %w", err)
	}
	return nil
}

// cutOff reports whether what a holder was given at a time has been revoked since.
// All fields of the holder count.
func (a *Authority) cutOff(ctx context.Context, h Holder, given time.Time) (bool, error) {
	values, err := a.o.Store.Get(ctx, h.keys()...)
	if err != nil {
		return false, fmt.Errorf("read cutoff: %w", err)
	}
	for _, v := range values {
		if v.Data == nil {
			continue
		}
		var at time.Time
		if err := json.Unmarshal(v.Data, &at); err != nil {
			return false, fmt.Errorf("decode cutoff: %w", err)
		}
		if !given.After(at) {
			return true, nil
		}
	}
	return false, nil
}

// grant returns a grant that is in force, or ErrGone.
func (a *Authority) grant(ctx context.Context, id string) (*Grant, record, error) {
	g := &Grant{}
	rec, err := a.read(ctx, grantKind+id, g)
	if err != nil {
		return nil, record{}, err
	}
	cut, err := a.cutOff(ctx, Holder{Subject: g.Person.Subject, Session: g.Person.Session, Client: g.Client}, g.Created)
	if err == nil && (cut || !a.now().Before(g.Created.Add(a.o.Lives.Grant))) {
		err = ErrGone
	}
	return g, rec, err
}

// RevokeGrant ends a grant and everything issued for it. A grant that is not there
// is no error.
func (a *Authority) RevokeGrant(ctx context.Context, id string) error {
	_, err := store.Take(ctx, a.o.Store, grantKind+id)
	if err != nil && !errors.Is(err, store.ErrAbsent) {
		return fmt.Errorf("revoke grant: %w", err)
	}
	return nil
}

// RevokeToken ends a token of a client (RFC 7009): of a refresh token the whole
// grant, of an access token that token. A token that is unknown, expired or no token
// is no error; another client's is UnauthorizedClient.
func (a *Authority) RevokeToken(ctx context.Context, c *Client, token string) error {
	values, err := a.o.Store.Get(ctx, keyOf(refreshKind, token))
	if err != nil {
		return a.broke("revoke the token", err)
	}
	foreign := refuse(UnauthorizedClient, "the token is another client's")
	if id := values[0].Data; id != nil {
		g, _, err := a.grant(ctx, string(id))
		switch {
		case errors.Is(err, ErrGone):
			return nil
		case err != nil:
			return a.broke("revoke the token", err)
		case g.Client != c.ID:
			return foreign
		}
		if err := a.RevokeGrant(ctx, g.ID); err != nil {
			return a.broke("revoke the token", err)
		}
		return nil
	}
	t, err := ParseToken(token, a.o.Keys.Public(), a.o.Issuer, a.now())
	if err != nil {
		return nil
	}
	if t.ClientID != c.ID {
		return foreign
	}
	err = store.PutNew(ctx, a.o.Store, keyOf(revokedKind, t.ID), []byte{1}, store.Until(t.Expires.Add(time.Minute)))
	if err != nil && !errors.Is(err, store.ErrConflict) {
		return a.broke("revoke the token", err)
	}
	return nil
}
