package authz

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/waryauth/wary/engine"
	"github.com/waryauth/wary/features/scopes"
	"github.com/waryauth/wary/internal/jose"
	"github.com/waryauth/wary/internal/store"
)

// Grant is what a person granted a client: what was asked, what was given, and
// why less. Everything issued for it ends when it is removed.
type Grant struct {
	ID           string       `json:"id"`
	Client       string       `json:"client"`
	Person       Person       `json:"person"`
	Asked        []string     `json:"asked,omitempty"`
	AskedDetails []Detail     `json:"asked_details,omitempty"`
	Scopes       []string     `json:"scopes,omitempty"`
	Details      []Detail     `json:"details,omitempty"`
	Removed      []Removal    `json:"removed,omitempty"` // by the engine, or by the person
	Claims       Claims       `json:"claims,omitzero"`
	Decision     string       `json:"decision"`            // that allowed it
	Exchanged    string       `json:"exchanged,omitempty"` // the decision about its code
	Level        engine.Level `json:"level"`
	Created      time.Time    `json:"created"`
	Refreshable  bool         `json:"refreshable,omitempty"`
}

// coded is a code as it lies in the store: the grant that it will give, and what
// its redemption must prove. Used, it stays as a memory that betrays a replay.
type coded struct {
	Grant    Grant  `json:"grant"`
	Redirect string `json:"redirect"`
	PKCE     string `json:"pkce"`
	JKT      string `json:"jkt,omitempty"`
	Nonce    string `json:"nonce,omitempty"`
	Life     int    `json:"life"` // of the tokens, seconds: the most that the approval allows
	Used     bool   `json:"used,omitempty"`
}

// memoryOfCodes is how long a used code is remembered.
const memoryOfCodes = 24 * time.Hour

// issueCode returns a new code for what an approval allows of what the person
// consented to, and the change that keeps it.
func (a *Authority) issueCode(p *Approval, in *Interaction, answer Answer) (string, store.Change, *Error) {
	if !p.take() {
		return "", store.Change{}, a.broke("issue the code", errSpent)
	}
	if !p.binds(in.Client.Constraint) {
		return "", store.Change{}, refuse(AccessDenied, "tokens of this client are not bound as this request needs")
	}
	r := &in.Request
	now := a.now()
	g := Grant{
		ID: randomText(16), Client: in.Client.ID, Person: in.Person, Asked: r.Scopes, AskedDetails: r.Details, Scopes: p.scopes, Details: p.details,
		Removed: p.removed, Claims: r.Claims, Decision: p.decision, Level: p.level, Created: now,
		Refreshable: in.Client.May(RefreshGrant) && p.level < engine.High, // RFC 9700, section 4.14.2: by risk
	}
	g.consent(answer)
	if len(g.Scopes) == 0 && len(g.Details) == 0 {
		return "", store.Change{}, refuse(AccessDenied, "nothing of what was asked is granted")
	}
	code := newSecret()
	c := coded{Grant: g, Redirect: r.RedirectURI, PKCE: r.Challenge, JKT: r.JKT, Nonce: r.Nonce, Life: int(p.life / time.Second)}
	change, err := record{key: keyOf(codeKind, code)}.becomes(&c, store.Until(now.Add(a.o.Lives.Code)))
	if err != nil {
		return "", store.Change{}, a.broke("issue the code", err)
	}
	return code, change, nil
}

// consent narrows a grant to what the person agreed to.
func (g *Grant) consent(answer Answer) {
	if answer.All {
		return
	}
	for _, s := range g.Scopes {
		if !slices.Contains(answer.Scopes, s) {
			g.Removed = append(g.Removed, Removal{Scope: s, Code: scopes.Declined, Because: "the person did not consent"})
		}
	}
	g.Scopes = scopes.Among(g.Scopes, answer.Scopes)
	var kept []Detail
	for i, d := range g.Details {
		if slices.Contains(answer.Details, i) {
			kept = append(kept, d)
		} else {
			g.Removed = append(g.Removed, Removal{Detail: d.Type, Code: scopes.Declined, Because: "the person did not consent"})
		}
	}
	g.Details = kept
}

// Redemption is what a client presents with a code.
type Redemption struct {
	Code, Redirect, Verifier string
	Held                     Possession
	Origin                   *Origin
}

// Issued is what a token request is answered with.
type Issued struct {
	AccessToken  string
	Life         time.Duration
	Binding      Possession // what the access token is bound to
	RefreshToken string
	IDToken      string
	Scopes       []string
	Details      []Detail
	Withheld     []Removal // of what was asked for: at the consent, and now
	Decision     string
}

// Redeem exchanges a code, once. The second time its own client presents it,
// everything that the first gave is revoked (RFC 6749, section 4.1.2); in another
// client's hands it is merely unknown, so that a thief harms nobody.
func (a *Authority) Redeem(ctx context.Context, c *Client, r *Redemption) (*Issued, error) {
	unknown := refuse(InvalidGrant, "the code is unknown, expired or used")
	if !c.May(CodeGrant) {
		return nil, refuse(UnauthorizedClient, "this client may not use codes")
	}
	var code coded
	rec, err := a.read(ctx, keyOf(codeKind, r.Code), &code)
	switch {
	case errors.Is(err, ErrGone):
		return nil, unknown
	case err != nil:
		return nil, a.broke("read the code", err)
	case !jose.Equal(code.Grant.Client, c.ID):
		return nil, unknown
	case code.Used:
		return nil, a.replayed(ctx, &code, unknown)
	}
	if err := code.matches(c, r); err != nil {
		return nil, err
	}
	g := &code.Grant
	if cut, err := a.cutOff(ctx, Holder{Subject: g.Person.Subject, Session: g.Person.Session, Client: g.Client}, g.Created); err != nil {
		return nil, a.broke("read the code", err)
	} else if cut {
		return nil, unknown
	}
	v := a.approve(ctx, &question{
		stage: Redeemed, client: c, subject: g.Person.Subject, person: &g.Person, redirect: r.Redirect, scopes: g.Scopes, details: g.Details,
		possession: r.Held.of(c.Constraint), issued: g.Created, previous: g.Decision, origin: r.Origin,
	})
	switch refused := v.open(); {
	case refused != nil:
		return nil, refused
	case v.outcome == engine.Deny:
		a.spend(ctx, rec, &code)
		if err := a.denied(ctx, g, "redemption", v.decision); err != nil { // another may have redeemed it meanwhile
			return nil, err
		}
		return nil, refuse(InvalidGrant, "the exchange is refused and the grant is revoked")
	case v.outcome == engine.StepUp:
		return nil, stepUp(&v.challenge)
	}
	out, err := a.exchange(ctx, c, r, rec, &code, v.approval, unknown)
	a.ended(v.approval, err)
	return out, err
}

// stepUp refuses a request that no person is there to answer, and says what one
// would have to prove.
func stepUp(c *engine.Challenge) *Error {
	needed := append(slices.Clone(c.ACRValues), c.AMR...)
	return &Error{Code: InvalidGrant, Description: "a person must authenticate again, and prove one of: " + strings.Join(needed, " "), ACRValues: c.ACRValues}
}

// matches checks what a redemption must prove (RFC 6749, section 4.1.3; RFC 7636,
// section 4.6; RFC 9449, section 10).
func (c *coded) matches(client *Client, r *Redemption) *Error {
	switch {
	case !jose.Equal(c.Redirect, r.Redirect):
		return refuse(InvalidGrant, "redirect_uri is not that of the request")
	case r.Verifier == "":
		return refuse(InvalidGrant, "code_verifier is missing")
	case len(r.Verifier) < 43 || len(r.Verifier) > 128 || !jose.Equal(c.PKCE, jose.Digest(r.Verifier)):
		return refuse(InvalidGrant, "code_verifier does not match")
	case c.JKT != "" && !jose.Equal(c.JKT, r.Held.JKT):
		return refuse(InvalidGrant, "the code is bound to another key")
	case r.Held.of(client.Constraint) == Possession{}:
		return refuse(InvalidRequest, "no proof of possession came with the code")
	}
	return nil
}

// exchange takes the code and leaves the grant, in one step, and only then signs.
func (a *Authority) exchange(ctx context.Context, c *Client, r *Redemption, rec record, code *coded, p *Approval, unknown *Error) (*Issued, error) {
	now := a.now()
	g := &code.Grant
	if !p.binds(c.Constraint) {
		return nil, refuse(InvalidGrant, "tokens of this client are not bound as this exchange needs")
	}
	if err := a.resume(ctx, g.Person.Subject, c.ID); err != nil { // the person was here, and the engine allows it
		return nil, err
	}
	p.life = min(p.life, time.Duration(code.Life)*time.Second)
	g.Exchanged = p.decision
	used := *code
	used.Used = true
	taken, err := rec.becomes(&used, store.Until(now.Add(memoryOfCodes)))
	if err != nil {
		return nil, a.broke("take the code", err)
	}
	raw, err := json.Marshal(g)
	if err != nil {
		return nil, a.broke("keep the grant", err)
	}
	changes := []store.Change{taken, {Key: grantKind + g.ID, Next: raw, Deadline: a.graceOf(g, now)}}
	refresh := ""
	if g.Refreshable {
		refresh = newSecret()
		changes = append(changes, store.Change{Key: keyOf(refreshKind, refresh), Next: []byte(g.ID), Deadline: store.Until(now.Add(a.o.Lives.Idle))})
	}
	if err := a.o.Store.Swap(ctx, changes...); err != nil {
		if errors.Is(err, store.ErrConflict) { // another took it between: this is the second redemption
			return nil, a.replayed(ctx, code, unknown)
		}
		return nil, a.broke("take the code", err)
	}
	out, err := a.issue(ctx, p, g, c, r.Held, code.Nonce)
	if err != nil {
		return nil, err
	}
	out.RefreshToken, out.Withheld = refresh, slices.Concat(g.Removed, out.Withheld)
	return out, nil
}

// graceOf is until when a grant is kept: with a refresh token until that is idle,
// else as long as an access token of it may live.
func (a *Authority) graceOf(g *Grant, now time.Time) store.Deadline {
	end := now.Add(a.o.Lives.Access + time.Minute)
	if g.Refreshable {
		end = now.Add(a.o.Lives.Idle)
	}
	if last := g.Created.Add(a.o.Lives.Grant); end.After(last) {
		end = last
	}
	return store.Until(end)
}

// replayed revokes what a code gave, since its own client presents it again.
func (a *Authority) replayed(ctx context.Context, code *coded, answer *Error) error {
	replaysTotal.Inc()
	if err := a.Revoke(ctx, Target{Grant: code.Grant.ID}, "server", "its code was presented again"); err != nil {
		return a.broke("revoke the grant of a replayed code", err)
	}
	return answer
}

// spend marks a denied code as used. Where that fails it expires within its minute.
func (a *Authority) spend(ctx context.Context, rec record, code *coded) {
	used := *code
	used.Used = true
	change, err := rec.becomes(&used, store.Until(a.now().Add(memoryOfCodes)))
	if err == nil {
		err = a.o.Store.Swap(ctx, change)
	}
	if err != nil && !errors.Is(err, store.ErrConflict) {
		a.o.Log.Error("authority: spend a denied code", "error", err)
	}
}
