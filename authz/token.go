package authz

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/waryauth/wary/engine"
	"github.com/waryauth/wary/features/scopes"
	"github.com/waryauth/wary/internal/jose"
)

// AccessTokenType is the typ of access tokens (RFC 9068, section 2.1).
const AccessTokenType = "at+jwt"

// Token is an access token that was found good.
type Token struct {
	ID       string
	Issuer   string
	Subject  string
	ClientID string
	Audience []string
	Scopes   []string
	Details  []Detail
	ACR      string
	AMR      []string
	AuthTime time.Time // zero for a client's own token
	IssuedAt time.Time
	Expires  time.Time
	Bound    Possession
	Status   *jose.StatusReference // where its status is published; nil of tokens that have none
}

// accessClaims are the claims of an access token besides the registered ones
// (RFC 9068, section 2.2; RFC 9396, section 9.1; RFC 7800).
type accessClaims struct {
	Issuer   string          `json:"iss"`
	Subject  string          `json:"sub"`
	Audience string          `json:"aud"`
	ClientID string          `json:"client_id"`
	Expires  int64           `json:"exp"`
	IssuedAt int64           `json:"iat"`
	ID       string          `json:"jti"`
	AuthTime int64           `json:"auth_time,omitempty"`
	ACR      string          `json:"acr,omitempty"`
	AMR      []string        `json:"amr,omitempty"`
	Scope    string          `json:"scope,omitempty"`
	Details  json.RawMessage `json:"authorization_details,omitempty"`
	Confirm  Confirmation    `json:"cnf"`

	Status *jose.StatusReference `json:"status,omitempty"`
}

// Confirmation is the cnf claim (RFC 7800): what the token is bound to.
type Confirmation struct {
	JKT string `json:"jkt,omitempty"`      // RFC 9449, section 6
	X5T string `json:"x5t#S256,omitempty"` // RFC 8705, section 3.1
}

// ParseToken verifies an access token: signature, typ, issuer, times, and that it is
// bound. It does not know whether the token was revoked.
func ParseToken(raw string, keys jose.KeySet, issuer string, now time.Time) (*Token, error) {
	parsed, err := jose.Parse(raw, AccessTokenType)
	if err != nil {
		return nil, err
	}
	claims, err := parsed.Verify(keys)
	if err != nil {
		return nil, err
	}
	if err := claims.Check(jose.Window{Now: now, MaxAge: maxTokenLife, MaxLife: maxTokenLife}); err != nil {
		return nil, err
	}
	var c accessClaims
	if err := claims.Decode(&c); err != nil {
		return nil, err
	}
	t := &Token{
		ID: c.ID, Issuer: c.Issuer, Subject: c.Subject, ClientID: c.ClientID, Audience: []string{c.Audience}, Scopes: strings.Fields(c.Scope), ACR: c.ACR,
		AMR: c.AMR, IssuedAt: time.Unix(c.IssuedAt, 0), Expires: time.Unix(c.Expires, 0), Bound: Possession{JKT: c.Confirm.JKT, X5T: c.Confirm.X5T},
		Status: c.Status,
	}
	if c.AuthTime != 0 {
		t.AuthTime = time.Unix(c.AuthTime, 0)
	}
	if c.Issuer != issuer || c.ID == "" || c.Subject == "" || c.Audience == "" || t.Bound == (Possession{}) {
		return nil, errors.New("a claim of the access token is missing or another's")
	}
	t.Details, err = splitDetails(c.Details)
	return t, err
}

// maxTokenLife bounds the life and age of an access token that is believed.
const maxTokenLife = 310 * time.Second

func splitDetails(raw json.RawMessage) ([]Detail, error) {
	if raw == nil {
		return nil, nil
	}
	var raws []json.RawMessage
	if err := json.Unmarshal(raw, &raws); err != nil {
		return nil, err
	}
	var details []Detail
	for _, r := range raws {
		var d struct {
			Type string `json:"type"`
		}
		if err := json.Unmarshal(r, &d); err != nil {
			return nil, err
		}
		details = append(details, Detail{Type: d.Type, Raw: r})
	}
	return details, nil
}

// issue signs what an approval allows of a grant. It takes nothing but an approval
// that is not spent, and is the only place where access tokens are signed; every
// check has been made before.
func (a *Authority) issue(ctx context.Context, p *Approval, g *Grant, c *Client, held Possession, nonce string) (*Issued, error) {
	if !p.take() || p.client != c.ID {
		return nil, a.broke("issue tokens", errSpent)
	}
	now := a.now()
	out := &Issued{
		Life: min(p.life, a.o.Lives.Access), Binding: held.of(c.Constraint), Scopes: scopes.Among(p.scopes, g.Scopes), Details: scopes.AmongDetails(p.details, g.Details),
		Decision: p.decision, Withheld: p.removed,
	}
	if len(out.Scopes) == 0 && len(out.Details) == 0 {
		return nil, refuse(InvalidScope, "nothing of what was asked is granted")
	}
	claims := accessClaims{
		Issuer: a.o.Issuer, Subject: g.Person.Subject, Audience: a.o.Audience, ClientID: c.ID, Expires: now.Add(out.Life).Unix(), IssuedAt: now.Unix(),
		ID: g.ID + "." + p.serial(), ACR: g.Person.ACR, AMR: g.Person.AMR, Scope: strings.Join(out.Scopes, " "), Details: MarshalDetails(out.Details),
		Confirm: Confirmation(out.Binding),
	}
	if !g.Person.AuthTime.IsZero() {
		claims.AuthTime = g.Person.AuthTime.Unix()
	}
	signer := a.o.Keys.current()
	var err error
	if claims.Status, err = a.place(ctx, claims.ID, g); err != nil {
		return nil, a.broke("give the access token a status", err)
	}
	if out.AccessToken, err = signer.Sign(AccessTokenType, &claims); err != nil {
		return nil, a.broke("sign the access token", err)
	}
	if p.stage == Redeemed && slices.Contains(out.Scopes, "openid") {
		if out.IDToken, err = a.signIDToken(ctx, signer, g, out.AccessToken, nonce); err != nil {
			return nil, a.broke("sign the ID token", err)
		}
	}
	issuedTotal[p.stage].Inc()
	return out, nil
}

var errSpent = errors.New("the approval is none, another's or spent")

// lifeOfIDTokens is how long an ID token may be used to tell of a login.
const lifeOfIDTokens = 5 * time.Minute

// signIDToken signs an ID token (OpenID Connect Core, section 2) with the identity
// claims that the request asks to have in it.
func (a *Authority) signIDToken(ctx context.Context, signer *jose.Signer, g *Grant, accessToken, nonce string) (string, error) {
	claims, err := a.identity(ctx, g.Person.Subject, g.Claims.IDToken)
	if err != nil {
		return "", err
	}
	now := a.now()
	claims["iss"], claims["sub"], claims["aud"] = a.o.Issuer, g.Person.Subject, g.Client
	claims["iat"], claims["exp"], claims["auth_time"] = now.Unix(), now.Add(lifeOfIDTokens).Unix(), g.Person.AuthTime.Unix()
	claims["at_hash"] = leftHalf(accessToken)
	if nonce != "" {
		claims["nonce"] = nonce
	}
	if g.Person.ACR != "" {
		claims["acr"] = g.Person.ACR
	}
	if len(g.Person.AMR) > 0 {
		claims["amr"] = g.Person.AMR
	}
	return signer.Sign("JWT", claims)
}

// identity returns those claims of a subject that are named. Claims of the
// protocol are not taken from there.
func (a *Authority) identity(ctx context.Context, subject string, names []string) (map[string]any, error) {
	out := map[string]any{}
	if len(names) == 0 || a.o.Claims == nil {
		return out, nil
	}
	all, err := a.o.Claims(ctx, subject)
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		if v, ok := all[name]; ok && !slices.Contains(protocolClaims[:], name) {
			out[name] = v
		}
	}
	return out, nil
}

// protocolClaims are said by the authority alone.
var protocolClaims = [...]string{"iss", "sub", "aud", "iat", "exp", "nbf", "jti", "auth_time", "nonce", "acr", "amr", "azp", "at_hash", "c_hash", "s_hash", "cnf"}

// Introspect returns what a token is, or ErrInactive: not one of ours, expired,
// revoked, its grant ended, or its client gone. It asks the engine nothing.
func (a *Authority) Introspect(ctx context.Context, raw string) (*Token, error) {
	t, err := ParseToken(raw, a.o.Keys.Public(), a.o.Issuer, a.now())
	if err != nil || a.Clients().Find(t.ClientID) == nil {
		return nil, ErrInactive
	}
	values, err := a.o.Store.Get(ctx, keyOf(revokedKind, t.ID), keyOf(suspendedKind, pairOf(t.Subject, t.ClientID)))
	if err != nil {
		return nil, a.broke("look whether the token is revoked", err)
	}
	if values[0].Data != nil || values[1].Data != nil {
		return nil, ErrInactive
	}
	var over bool
	if id, _, _ := strings.Cut(t.ID, "."); id != "" {
		_, _, err = a.grant(ctx, id)
		if over = errors.Is(err, ErrGone); over {
			err = nil
		}
	} else { // a client's own: there is no grant
		over, err = a.cutOff(ctx, Holder{Client: t.ClientID}, t.IssuedAt)
	}
	if err != nil {
		return nil, a.broke("look whether the token is revoked", err)
	}
	if over {
		return nil, ErrInactive
	}
	return t, nil
}

// ErrInactive is the error of a token that is of no use (RFC 7662, section 2.2).
var ErrInactive = errors.New("the token is not active")

// IntrospectFor returns what a token is for a client that asks: its own, or, of a
// resource server, one for that resource. The engine is asked too: after a deny the
// token is of no use.
func (a *Authority) IntrospectFor(ctx context.Context, c *Client, raw string, origin *Origin) (*Token, error) {
	t, err := a.Introspect(ctx, raw)
	if err != nil {
		return nil, err
	}
	if t.ClientID != c.ID && (c.Resource == "" || !slices.Contains(t.Audience, c.Resource)) {
		return nil, ErrInactive
	}
	holder := a.Clients().Find(t.ClientID)
	q := &question{stage: Introspected, client: holder, subject: t.Subject, scopes: t.Scopes, details: t.Details, possession: t.Bound, issued: t.IssuedAt, origin: origin}
	_, q.previous, _ = strings.Cut(t.ID, ".") // the decision that issued it
	if t.Subject == t.ClientID {
		q.subject = clientSubject(holder)
	} else {
		q.person = &Person{Subject: t.Subject, ACR: t.ACR, AMR: t.AMR, AuthTime: t.AuthTime}
	}
	v := a.approve(ctx, q)
	switch refused := v.open(); {
	case refused != nil:
		return nil, refused
	case v.outcome == engine.StepUp && v.fault == nil && q.person != nil:
		a.suspend(ctx, t.Subject, t.ClientID)
		return nil, ErrInactive
	case v.outcome == engine.Deny && v.fault == nil:
		if err := a.Revoke(ctx, Target{Token: t.ID}, "engine", "denied at introspection, decision "+v.decision); err != nil {
			return nil, a.broke("revoke a denied token", err)
		}
		return nil, ErrInactive
	case v.outcome != engine.Allow:
		return nil, ErrInactive
	case v.fault != nil: // who asks may believe it no longer than the table says
		if end := a.now().Add(v.approval.life); end.Before(t.Expires) {
			t.Expires = end
		}
	}
	return t, nil
}

// UserInfo returns the claims of the person that a token speaks of (OpenID Connect
// Core, section 5.3): those of its scopes, and those its request named.
func (a *Authority) UserInfo(ctx context.Context, t *Token) (map[string]any, error) {
	var wanted []string
	for _, s := range t.Scopes {
		wanted = append(wanted, scopeClaims[s]...)
	}
	id, _, _ := strings.Cut(t.ID, ".")
	g, _, err := a.grant(ctx, id)
	switch {
	case err == nil:
		wanted = append(wanted, g.Claims.UserInfo...)
	case errors.Is(err, ErrGone):
		return nil, ErrInactive
	default:
		return nil, a.broke("read the grant", err)
	}
	out, err := a.identity(ctx, t.Subject, wanted)
	if err != nil {
		return nil, a.broke("read the person's claims", err)
	}
	out["sub"] = t.Subject
	for s := range scopeClaims {
		a.Used(t, []string{s}, nil)
	}
	return out, nil
}

// scopeClaims are the claims that a scope asks for (OpenID Connect Core, section 5.4).
var scopeClaims = map[string][]string{
	"profile": {"name", "family_name", "given_name", "middle_name", "nickname", "preferred_username", "profile", "picture", "website", "gender", "birthdate",
		"zoneinfo", "locale", "updated_at"},
	"email":   {"email", "email_verified"},
	"address": {"address"},
	"phone":   {"phone_number", "phone_number_verified"},
}

// IdentityClaims returns the names of the claims that people have here, sub first.
func (a *Authority) IdentityClaims() []string {
	if a.o.ClaimNames == nil {
		return []string{"sub"}
	}
	return append([]string{"sub"}, a.o.ClaimNames()...)
}

// Sign signs claims that are no token: introspection answers (RFC 9701) and
// authorization responses (JARM). An access token cannot be made this way.
func (a *Authority) Sign(typ string, claims map[string]any) (string, error) {
	if strings.EqualFold(typ, AccessTokenType) || strings.EqualFold(typ, "application/"+AccessTokenType) || claims["client_id"] != nil {
		return "", errors.New("access tokens are issued, not signed")
	}
	return a.o.Keys.current().Sign(typ, claims)
}

// Hint returns whom and which client an ID token of ours names, however old it is
// (OpenID Connect RP-Initiated Logout 1.0, section 2: id_token_hint).
func (a *Authority) Hint(idToken string) (subject, client string, err error) {
	t, err := jose.Parse(idToken, "JWT")
	if err != nil {
		return "", "", err
	}
	claims, err := t.Verify(a.o.Keys.Public())
	if err != nil {
		return "", "", err
	}
	var c struct {
		Audience string `json:"aud"`
		AuthTime int64  `json:"auth_time"`
	}
	if err := claims.Decode(&c); err != nil {
		return "", "", err
	}
	if claims.Issuer != a.o.Issuer || claims.Subject == "" || c.Audience == "" || c.AuthTime == 0 { // only an ID token has auth_time
		return "", "", errors.New("it is no ID token of this issuer")
	}
	return claims.Subject, c.Audience, nil
}

// leftHalf is the base64url of the left half of a token's SHA-256 (OpenID Connect
// Core, section 3.1.3.6).
func leftHalf(token string) string {
	sum := sha256.Sum256([]byte(token))
	return base64.RawURLEncoding.EncodeToString(sum[:16])
}

// Now returns the authority's time.
func (a *Authority) Now() time.Time { return a.now() }
