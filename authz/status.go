package authz

import (
	"context"
	"errors"
	"time"

	"github.com/waryauth/wary/internal/jose"
	"github.com/waryauth/wary/internal/store"
	"github.com/waryauth/wary/internal/store/statuslist"
)

// StatusPath is where the names of the status lists are published, behind the issuer; a
// list is at this path, a slash and its id.
const StatusPath = "/statuslists"

// statusLife is how long a published list may be believed, where its ttl is no longer.
const statusLife = 30 * time.Second

// Kinds of what ends.
const (
	ofToken, ofGrant, ofSubject, ofSession, ofClient = 't', 'g', 'u', 's', 'c'
	ofPair                                           = 'p' // what a client holds of a person
)

func pairOf(subject, client string) string { return subject + "\x00" + client }

// place gives an access token an entry in a status list
// (draft-ietf-oauth-status-list-21), so that a resource server can see a revocation
// without asking about every token.
func (a *Authority) place(ctx context.Context, token string, g *Grant) (*jose.StatusReference, error) {
	p := &g.Person
	ref := &jose.StatusReference{}
	id, index, err := a.statuses.Place(ctx, g.Created, statuslist.Marks{
		statuslist.MarkOf(ofToken, token), statuslist.MarkOf(ofGrant, g.ID), statuslist.MarkOf(ofSubject, p.Subject), statuslist.MarkOf(ofSession, p.Session),
		statuslist.MarkOf(ofClient, g.Client), statuslist.MarkOf(ofPair, pairOf(p.Subject, g.Client)),
	})
	ref.List.Index, ref.List.URI = index, a.statusURI(id)
	return ref, err
}

func (a *Authority) statusURI(id string) string { return a.o.Issuer + StatusPath + "/" + id }

// publish has status lists say a status of all that was given to one until now.
func (a *Authority) publish(ctx context.Context, kind byte, name string, status statuslist.Status) error {
	overflowed, err := a.statuses.End(ctx, statuslist.MarkOf(kind, name), status)
	if overflowed {
		overflowsTotal.Inc()
		a.o.Log.Warn("more ended lately than status lists tell apart: everything given until now is invalid there")
	}
	return err
}

// KeepStatus writes what status lists need to know of tokens issued since the last call.
// Call it a few times a second. With last it is the end: no token is issued after it.
func (a *Authority) KeepStatus(ctx context.Context, last bool) error {
	return a.statuses.Keep(ctx, last)
}

// StatusTTL returns how long a copy of a status list may be used.
func (a *Authority) StatusTTL() time.Duration { return a.o.StatusTTL }

// StatusList returns the signed status list of an id, or ErrGone.
func (a *Authority) StatusList(ctx context.Context, id string) (string, error) {
	token, err := a.statuses.Publish(ctx, id, func(statuses []statuslist.Status) (string, error) {
		list, err := jose.NewStatusList(2, len(statuses))
		if err != nil {
			return "", err
		}
		for i, s := range statuses {
			list.Set(i, jose.Status(s))
		}
		return a.o.Keys.current().SignStatusList(&jose.StatusListToken{
			URI: a.statusURI(id), List: list, Issued: a.now(), Life: max(statusLife, 2*a.o.StatusTTL), TTL: a.o.StatusTTL,
		})
	})
	switch {
	case errors.Is(err, store.ErrAbsent):
		return "", ErrGone
	case err != nil:
		return "", a.broke("publish a status list", err)
	}
	return token, nil
}

// StatusLists returns the URIs of the lists that are published.
func (a *Authority) StatusLists(ctx context.Context) ([]string, error) {
	ids, err := a.statuses.IDs(ctx)
	if err != nil {
		return nil, a.broke("list status lists", err)
	}
	uris := make([]string, len(ids))
	for i, id := range ids {
		uris[i] = a.statusURI(id)
	}
	return uris, nil
}
