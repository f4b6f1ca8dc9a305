package authz

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/waryauth/wary/internal/store"
	"github.com/waryauth/wary/internal/store/statuslist"
	"github.com/waryauth/wary/signals"
)

// Holder names whose grants and tokens end together.
type Holder struct {
	Subject string `json:"subject,omitempty"` // a person: after a change of password, say (RFC 9700, section 4.14.2)
	Session string `json:"session,omitempty"` // a login session
	Client  string `json:"client,omitempty"`  // a client
}

// Target is what is revoked: of its fields one is set.
type Target struct {
	Holder
	Grant string `json:"grant,omitempty"` // what began with one consent: the jti of its tokens begins with its id
	Token string `json:"token,omitempty"` // an access token or its jti; a refresh token, which ends its grant
}

// only returns the field that is set, with the kind of its marks.
func (t *Target) only() (what string, kind byte, name string, err error) {
	fields := [...]struct {
		what, name string
		kind       byte
	}{{"subject", t.Subject, ofSubject}, {"session", t.Session, ofSession}, {"client", t.Client, ofClient}, {"grant", t.Grant, ofGrant}, {"token", t.Token, ofToken}}
	for _, f := range fields {
		if f.name != "" && what == "" {
			what, kind, name = f.what, f.kind, f.name
		} else if f.name != "" {
			return "", 0, "", errTarget
		}
	}
	if what == "" {
		return "", 0, "", errTarget
	}
	return what, kind, name, nil
}

var errTarget = errors.New("just one of subject, session, client, grant and token is wanted")

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

// Revoke ends what was granted and issued until now: everything of a holder, a grant, or
// a token. by says who wants it and because why: both go into the log of facts. It
// counts at once at introspection and refresh, and in the status lists. What has ended
// already, or never was, is no error. After an error it may have ended and not be in the
// log: try again.
func (a *Authority) Revoke(ctx context.Context, t Target, by, because string) error {
	if strings.Count(t.Token, ".") != 1 && t.Token != "" { // a token itself, not its jti
		token, err := a.named(ctx, t.Token)
		if err != nil || token == nil {
			return err
		}
		t = *token
	}
	what, kind, name, err := t.only()
	if err != nil {
		return fmt.Errorf("revoke: %w", err)
	}
	ev := &signals.Event{Type: signals.SessionRevoked, Subject: t.Subject, Client: t.Client}
	switch what {
	case "grant":
		ev.Type = signals.ConsentWithdrawn
		err = a.endGrant(ctx, name, ev)
	case "token":
		err = a.endToken(ctx, name, ev)
	case "client":
		ev.Type = signals.ClientChanged
		fallthrough
	default:
		err = a.endHolder(ctx, t.Holder)
	}
	if err == nil {
		err = a.publish(ctx, kind, name, statuslist.Invalid)
	}
	if err == nil {
		ev.Attributes = signals.EventAttributes{Kind: what, SessionID: t.Session, ConsentID: t.Grant, By: by, Because: because}
		err = a.tell(ev)
	}
	if err != nil {
		return fmt.Errorf("revoke: %w", err)
	}
	revocationsTotal[what].Inc()
	return nil
}

// tell puts an event into the log of facts.
func (a *Authority) tell(ev *signals.Event) error {
	if a.o.Record == nil {
		return nil
	}
	ev.ID, ev.Time = "authz:"+randomText(16), a.now()
	return a.o.Record(ev, ev.Time)
}

// named returns what a token in its own words stands for, or nil: an access token by its
// jti, a refresh token by its grant.
func (a *Authority) named(ctx context.Context, token string) (*Target, error) {
	values, err := a.o.Store.Get(ctx, keyOf(refreshKind, token))
	if err != nil {
		return nil, fmt.Errorf("revoke: find the token: %w", err)
	}
	if id := values[0].Data; id != nil {
		return &Target{Grant: string(id)}, nil
	}
	t, err := ParseToken(token, a.o.Keys.Public(), a.o.Issuer, a.now())
	if err != nil {
		return nil, nil // expired, or none of ours
	}
	return &Target{Token: t.ID}, nil
}

func (a *Authority) endHolder(ctx context.Context, h Holder) error {
	now := a.now()
	text, err := json.Marshal(now)
	if err != nil {
		return err
	}
	end := store.Until(now.Add(a.o.Lives.Grant + a.o.Lives.Access))
	return store.Update(ctx, a.o.Store, h.keys()[0], func(store.Value) ([]byte, store.Deadline, error) { return text, end, nil })
}

// endGrant removes a grant, and fills in whose it was.
func (a *Authority) endGrant(ctx context.Context, id string, ev *signals.Event) error {
	raw, err := store.Take(ctx, a.o.Store, grantKind+id)
	if errors.Is(err, store.ErrAbsent) {
		return nil
	}
	var g Grant
	if err == nil {
		err = json.Unmarshal(raw, &g)
	}
	ev.Subject, ev.Client = g.Person.Subject, g.Client
	return err
}

func (a *Authority) endToken(ctx context.Context, id string, ev *signals.Event) error {
	end := store.Until(a.now().Add(a.o.Lives.Access + time.Minute))
	err := store.PutNew(ctx, a.o.Store, keyOf(revokedKind, id), []byte{1}, end)
	if err != nil && !errors.Is(err, store.ErrConflict) {
		return err
	}
	var g Grant
	grant, _, _ := strings.Cut(id, ".")
	if _, err := a.read(ctx, grantKind+grant, &g); err != nil && !errors.Is(err, ErrGone) {
		return err
	}
	ev.Subject, ev.Client = g.Person.Subject, g.Client
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

// LoginEnded reports whether a person's login session must not stand for a login any
// more: the person or the session was revoked since, or nobody can say.
func (a *Authority) LoginEnded(ctx context.Context, p *Person) bool {
	cut, err := a.cutOff(ctx, Holder{Subject: p.Subject, Session: p.Session}, p.AuthTime)
	if err != nil {
		a.o.Log.Error("authority: look whether a login was revoked", "error", err)
	}
	return cut || err != nil
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

// denied ends a grant that the engine wants no more.
func (a *Authority) denied(ctx context.Context, g *Grant, where, decision string) error {
	if err := a.Revoke(ctx, Target{Grant: g.ID}, "engine", "denied at "+where+", decision "+decision); err != nil {
		return a.broke("revoke a denied grant", err)
	}
	return nil
}

// RevokeToken ends a token of a client (RFC 7009): of a refresh token the whole
// grant, of an access token that token. A token that is unknown, expired or no token
// is no error; another client's is UnauthorizedClient.
func (a *Authority) RevokeToken(ctx context.Context, c *Client, token string) error {
	t, err := a.named(ctx, token)
	if err == nil && t != nil {
		owner := ""
		if owner, err = a.ownerOf(ctx, t, token); err == nil && owner != c.ID && owner != "" {
			return refuse(UnauthorizedClient, "the token is another client's")
		}
		if err == nil && owner != "" {
			err = a.Revoke(ctx, *t, "client "+c.ID, "its client asked for it")
		}
	}
	if err != nil {
		return a.broke("revoke the token", err)
	}
	return nil
}

// ownerOf returns the client of a token, or "" where it has ended.
func (a *Authority) ownerOf(ctx context.Context, t *Target, token string) (string, error) {
	if t.Token != "" {
		access, err := ParseToken(token, a.o.Keys.Public(), a.o.Issuer, a.now())
		if err != nil {
			return "", nil
		}
		return access.ClientID, nil
	}
	g, _, err := a.grant(ctx, t.Grant)
	if errors.Is(err, ErrGone) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	return g.Client, nil
}

// suspendedKind begins the records that say that what a client holds of a person waits
// for that person to prove more.
const suspendedKind = "suspended:"

// suspend makes what a client holds of a person wait: its tokens are inactive, and
// suspended in the status lists, until the person has met a challenge or a refresh is
// allowed. It lasts as long as the tokens that it is about.
func (a *Authority) suspend(ctx context.Context, subject, client string) {
	pair := pairOf(subject, client)
	end := store.Until(a.now().Add(a.o.Lives.Access + time.Minute))
	err := store.Update(ctx, a.o.Store, keyOf(suspendedKind, pair), func(store.Value) ([]byte, store.Deadline, error) { return []byte{1}, end, nil })
	if err == nil {
		err = a.publish(ctx, ofPair, pair, statuslist.Suspended)
	}
	if err != nil {
		_ = a.broke("suspend what waits for a step-up", err) // told; the request is refused all the same
		return
	}
	suspensionsTotal.Inc()
}

// resume ends a suspension, if there is one.
func (a *Authority) resume(ctx context.Context, subject, client string) error {
	pair := pairOf(subject, client)
	key := keyOf(suspendedKind, pair)
	values, err := a.o.Store.Get(ctx, key)
	if err == nil && values[0].Data != nil {
		if err = a.publish(ctx, ofPair, pair, statuslist.Valid); err == nil {
			_, err = store.Take(ctx, a.o.Store, key)
		}
	}
	if err != nil && !errors.Is(err, store.ErrAbsent) {
		return a.broke("end a suspension", err)
	}
	return nil
}
