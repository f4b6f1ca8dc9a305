package authz

import (
	"context"
	"errors"
	"slices"

	"github.com/waryauth/wary/engine"
	"github.com/waryauth/wary/internal/jose"
	"github.com/waryauth/wary/internal/store"
)

// Refresh gives new tokens for a refresh token. The token stays the same (FAPI 2.0,
// section 5.3.2.1, note 1) and its idle time begins again. scope, where it is
// given, must be within the grant (RFC 6749, section 6).
func (a *Authority) Refresh(ctx context.Context, c *Client, token, scope string, held Possession, origin *Origin) (*Issued, error) {
	unknown := refuse(InvalidGrant, "the refresh token is unknown, expired or revoked")
	if !c.May(RefreshGrant) {
		return nil, refuse(UnauthorizedClient, "this client may not use refresh tokens")
	}
	values, err := a.o.Store.Get(ctx, keyOf(refreshKind, token))
	if err != nil {
		return nil, a.broke("read the refresh token", err)
	}
	if values[0].Data == nil {
		return nil, unknown
	}
	g, rec, err := a.grant(ctx, string(values[0].Data))
	switch {
	case errors.Is(err, ErrGone):
		return nil, unknown
	case err != nil:
		return nil, a.broke("read the grant", err)
	case !jose.Equal(g.Client, c.ID):
		return nil, unknown
	}
	if held.of(c.Constraint) == (Possession{}) {
		return nil, refuse(InvalidRequest, "no proof of possession came with the refresh token")
	}
	scopes, refused := parseScopes(scope, g.Scopes)
	if refused != nil {
		return nil, refused
	}
	if len(scopes) == 0 {
		scopes = g.Scopes
	}
	p, err := a.approveRefresh(ctx, c, g, scopes, held, origin)
	if err != nil {
		return nil, err
	}
	out, err := a.refresh(ctx, p, record{key: keyOf(refreshKind, token), raw: values[0].Data, deadline: values[0].Deadline}, rec, g, c, held)
	a.ended(p, err)
	return out, err
}

// refresh begins the idle time again and issues what is approved.
func (a *Authority) refresh(ctx context.Context, p *Approval, token, grant record, g *Grant, c *Client, held Possession) (*Issued, error) {
	if !p.binds(c.Constraint) {
		return nil, refuse(InvalidGrant, "tokens of this client are not bound as this refresh needs")
	}
	if err := a.touch(ctx, token, grant, g); err != nil {
		return nil, err
	}
	if err := a.resume(ctx, g.Person.Subject, c.ID); err != nil {
		return nil, err
	}
	return a.issue(ctx, p, g, c, held, "")
}

func (a *Authority) approveRefresh(ctx context.Context, c *Client, g *Grant, scopes []string, held Possession, origin *Origin) (*Approval, error) {
	v := a.approve(ctx, &question{
		stage: Refreshed, client: c, subject: g.Person.Subject, person: &g.Person, scopes: scopes, details: g.Details,
		possession: held.of(c.Constraint), issued: g.Created, previous: g.Exchanged, origin: origin,
	})
	switch refused := v.open(); {
	case refused != nil:
		return nil, refused
	case v.outcome == engine.Deny:
		if err := a.denied(ctx, g, "refresh", v.decision); err != nil {
			return nil, err
		}
		return nil, refuse(InvalidGrant, "the refresh is refused and the grant is revoked")
	case v.outcome == engine.StepUp:
		a.suspend(ctx, g.Person.Subject, c.ID)
		return nil, stepUp(&v.challenge)
	}
	return v.approval, nil
}

// idleStep is how coarsely idle time is kept, as a part of it: a refresh writes to
// the store only when that much of it has passed.
const idleStep = 16

// touch begins the idle time of a refresh token and its grant again.
func (a *Authority) touch(ctx context.Context, token, grant record, g *Grant) error {
	end := a.graceOf(g, a.now())
	if end.Time().Sub(token.deadline.Time()) < a.o.Lives.Idle/idleStep {
		return nil
	}
	err := a.o.Store.Swap(ctx,
		store.Change{Key: token.key, Prev: token.raw, Next: token.raw, Deadline: end},
		store.Change{Key: grant.key, Prev: grant.raw, Next: grant.raw, Deadline: end})
	switch {
	case errors.Is(err, store.ErrConflict):
		return refuse(InvalidGrant, "the refresh token is unknown, expired or revoked")
	case err != nil:
		return a.broke("keep the refresh token", err)
	}
	return nil
}

// ForClient gives a client a token of its own (RFC 6749, section 4.4): no person,
// no refresh token, no ID token.
func (a *Authority) ForClient(ctx context.Context, c *Client, scope, details string, held Possession, origin *Origin) (*Issued, error) {
	if !c.May(ClientGrant) {
		return nil, refuse(UnauthorizedClient, "this client may not ask for tokens of its own")
	}
	scopes, refused := parseScopes(scope, c.Scopes)
	if refused != nil {
		return nil, refused
	}
	wanted, refused := parseDetails(details, c.DetailTypes)
	if refused != nil {
		return nil, refused
	}
	if slices.Contains(scopes, "openid") {
		return nil, refuse(InvalidScope, "openid needs a person")
	}
	if len(scopes) == 0 && len(wanted) == 0 {
		return nil, refuse(InvalidScope, "neither scope nor authorization_details asks for anything")
	}
	if held.of(c.Constraint) == (Possession{}) {
		return nil, refuse(InvalidRequest, "no proof of possession came with the request")
	}
	v := a.approve(ctx, &question{
		stage: ForClientToken, client: c, subject: clientSubject(c), scopes: scopes, details: wanted, possession: held.of(c.Constraint), origin: origin,
	})
	switch refused := v.open(); {
	case refused != nil:
		return nil, refused
	case v.outcome != engine.Allow:
		return nil, refuse(InvalidGrant, "the request is refused") // nobody is there to step up
	}
	out, err := a.issueToClient(ctx, v.approval, c, held)
	a.ended(v.approval, err)
	return out, err
}

func (a *Authority) issueToClient(ctx context.Context, p *Approval, c *Client, held Possession) (*Issued, error) {
	switch {
	case !p.binds(c.Constraint):
		return nil, refuse(InvalidGrant, "tokens of this client are not bound as this request needs")
	case len(p.scopes) == 0 && len(p.details) == 0:
		return nil, refuse(InvalidScope, "nothing of what was asked is granted")
	}
	g := &Grant{Client: c.ID, Person: Person{Subject: c.ID}, Scopes: p.scopes, Details: p.details, Decision: p.decision, Created: a.now()}
	return a.issue(ctx, p, g, c, held, "")
}
