// Package resource answers: may this request touch what it asks for?
//
// It is what a resource server needs: [New] makes a [Verifier], whose Protect stands
// before a handler and lets only requests through that carry a good access token in
// the header, from the sender that the token is bound to, with the scopes and the
// authentication that the handler [Needs] (FAPI 2.0 Security Profile, section 5.3.4;
// RFC 6750, RFC 8705, RFC 9068, RFC 9449, RFC 9470). The handler reads the token with
// [Token].
//
// Beside the authorization server a Verifier asks authz.Authority.Introspect; elsewhere
// it asks a [Remote], which verifies the signature with the issuer's published keys and
// asks the issuer whether the token was revoked: by introspection of each token, or by
// the issuer's status lists. Tokens are kept nowhere.
package resource

import (
	"context"
	"crypto/x509"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/waryauth/wary/authz"
	"github.com/waryauth/wary/internal/jose"
)

// Options of a verifier.
type Options struct {
	// URL is the base of the resource as clients know it: scheme and host, and what a proxy
	// in front takes off the path. The htu of DPoP proofs is compared with it and the
	// request's path, never with what the request says of its host.
	URL      string
	Aliases  []string // further such URLs by which clients know it; the host of a request says which
	Audience string   // identifier of the resource: tokens for another are refused

	// Find returns what a token is, or authz.ErrInactive: authz.Authority.Introspect or
	// Remote.Find. Any other error is a fault, and the answer 503.
	Find   func(ctx context.Context, token string) (*authz.Token, error)
	Proofs *authz.Proofs // of DPoP: authz.Authority.Proofs or authz.NewProofs

	// ACRs are the issuer's authentication context classes, the weakest first: where a handler
	// needs one of them, a stronger one will do. Without them only those it names will.
	ACRs []string

	// Used is told what a request that was let through used of its token: scopes and types
	// of details that were needed, a subset of the token's. authz.Authority's narrowing
	// learns from it. Nil: nobody is told.
	Used func(t *authz.Token, scopes, details []string)

	Log *slog.Logger
	Now func() time.Time // default time.Now
}

// Verifier lets requests through to what is protected. Its methods are safe for
// concurrent use.
type Verifier struct {
	o     Options
	bases []*url.URL // the first is URL
}

// New returns a verifier.
func New(o Options) (*Verifier, error) {
	if o.Log == nil {
		o.Log = slog.Default()
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Audience == "" || o.Find == nil || o.Proofs == nil {
		return nil, errors.New("resource: audience, find and proofs are required")
	}
	v := &Verifier{o: o}
	for _, raw := range append([]string{o.URL}, o.Aliases...) {
		base, err := url.Parse(strings.TrimSuffix(raw, "/"))
		if err != nil || base.Scheme != "https" || base.Host == "" || base.RawQuery != "" || base.Fragment != "" {
			return nil, errors.New("resource: its URL is no https URL without query and fragment")
		}
		v.bases = append(v.bases, base)
	}
	return v, nil
}

// Needs are what a handler wants of a token, besides that it is good.
type Needs struct {
	Scopes []string      // all of these
	Detail string        // an authorization detail of this type (RFC 9396); "": none
	ACRs   []string      // one of these authentication context classes; none: any
	MaxAge time.Duration // greatest time since the person authenticated, in whole seconds; 0: any
}

// key of the token in a request's context.
type key struct{}

// Token returns the token of a request that Protect let through, and nil of any other.
func Token(r *http.Request) *authz.Token {
	t, _ := r.Context().Value(key{}).(*authz.Token)
	return t
}

// Protect returns a handler that lets requests through to next if their token is good
// and satisfies what is needed, and answers the others itself.
func (v *Verifier) Protect(n Needs, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "no-store")
		w.Header().Set("X-Content-Type-Options", "nosniff")
		t, err := v.verify(r)
		if err == nil {
			err = v.satisfied(&n, t)
		}
		if err != nil {
			v.refuse(w, r, &n, err)
			return
		}
		if t.Bound.JKT != "" {
			w.Header().Set("DPoP-Nonce", v.o.Proofs.Nonce())
		}
		v.used(t, &n)
		next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), key{}, t)))
	})
}

// Check reports whether a request that Protect let through satisfies further needs, such
// as only its body tells of: a larger payment wants a stronger authentication. Where it
// does not, Check has answered it.
func (v *Verifier) Check(w http.ResponseWriter, r *http.Request, n Needs) bool {
	t := Token(r)
	err := errNoToken
	if t != nil {
		err = v.satisfied(&n, t)
	}
	if err != nil {
		v.refuse(w, r, &n, err)
		return false
	}
	v.used(t, &n)
	return true
}

// used tells what a request used of its token.
func (v *Verifier) used(t *authz.Token, n *Needs) {
	if v.o.Used == nil || len(n.Scopes) == 0 && n.Detail == "" {
		return
	}
	var details []string
	if n.Detail != "" {
		details = []string{n.Detail}
	}
	v.o.Used(t, n.Scopes, details)
}

// Details returns a token's authorization details of a type (RFC 9396): the JSON objects
// as they were granted.
func Details(t *authz.Token, kind string) []json.RawMessage {
	var out []json.RawMessage
	for _, d := range t.Details {
		if d.Type == kind {
			out = append(out, d.Raw)
		}
	}
	return out
}

// errNoToken is the error of a request without a token: it is told how to bring one
// and nothing else (RFC 6750, section 3.1).
var errNoToken = errors.New("no access token came with the request")

// verify returns the token of a request whose sender holds what it is bound to. A
// proof is marked as used only when all else of the token is good.
func (v *Verifier) verify(r *http.Request) (*authz.Token, error) {
	dpop, raw, err := presented(r)
	if err != nil {
		return nil, err
	}
	t, err := v.o.Find(r.Context(), raw)
	switch {
	case errors.Is(err, authz.ErrInactive):
		return nil, refusal(authz.InvalidToken, "the access token is expired, revoked or none of the issuer's")
	case err != nil:
		return nil, err
	case !t.Expires.After(v.o.Now()):
		return nil, refusal(authz.InvalidToken, "the access token is expired")
	case !slices.Contains(t.Audience, v.o.Audience):
		return nil, refusal(authz.InvalidToken, "the access token is for another resource")
	case dpop != (t.Bound.JKT != ""):
		return nil, refusal(authz.InvalidToken, "the access token is bound in another way")
	}
	if dpop {
		return t, v.proven(r, t, raw)
	}
	if cert := certificate(r); cert == nil || !jose.Equal(jose.CertificateThumbprint(cert), t.Bound.X5T) {
		return nil, refusal(authz.InvalidToken, "the access token is bound to another certificate")
	}
	return t, nil
}

// presented returns the token of a request and whether it came by the DPoP scheme: in
// the header and nowhere else (FAPI 2.0, section 5.3.4; RFC 6750, section 2).
func presented(r *http.Request) (dpop bool, raw string, err error) {
	headers := r.Header.Values("Authorization")
	if len(headers) == 0 {
		return false, "", errNoToken
	}
	scheme, raw, _ := strings.Cut(headers[0], " ")
	dpop = strings.EqualFold(scheme, "DPoP")
	switch {
	case len(headers) > 1 || r.URL.Query().Has("access_token"):
		return false, "", refusal(authz.InvalidRequest, "the access token must come in one Authorization header and nowhere else")
	case !dpop && !strings.EqualFold(scheme, "Bearer") || raw == "":
		return false, "", errNoToken
	}
	return dpop, raw, nil
}

// proven checks the proof of a token's key (RFC 9449, section 7.1).
func (v *Verifier) proven(r *http.Request, t *authz.Token, raw string) error {
	proofs := r.Header.Values("DPoP")
	if len(proofs) == 0 {
		return refusal(authz.InvalidProof, "a DPoP proof is wanted")
	}
	base := v.bases[0]
	for _, b := range v.bases[1:] {
		if strings.EqualFold(b.Host, r.Host) {
			base = b
		}
	}
	u := base.JoinPath(r.URL.EscapedPath())
	jkt, err := v.o.Proofs.Verify(r.Context(), authz.Presented{Proofs: proofs, Method: r.Method, URL: u.String(), AccessToken: raw})
	if err != nil {
		return err
	}
	if !jose.Equal(jkt, t.Bound.JKT) {
		return refusal(authz.InvalidToken, "the access token is bound to another key")
	}
	return nil
}

// certificate returns the certificate that a client showed in the TLS handshake, or
// nil. Headers of a proxy are never read.
func certificate(r *http.Request) *x509.Certificate {
	if r.TLS == nil || len(r.TLS.PeerCertificates) == 0 {
		return nil
	}
	return r.TLS.PeerCertificates[0]
}

// satisfied checks scopes (RFC 6750, section 3.1) and authentication (RFC 9470, section 3).
func (v *Verifier) satisfied(n *Needs, t *authz.Token) error {
	for _, s := range n.Scopes {
		if !slices.Contains(t.Scopes, s) {
			return refusal(authz.InsufficientScope, "the access token lacks a scope")
		}
	}
	if n.Detail != "" && len(Details(t, n.Detail)) == 0 {
		return refusal(authz.InsufficientScope, "the access token lacks an authorization detail")
	}
	if len(n.ACRs) > 0 && !v.reaches(t.ACR, n.ACRs) {
		return refusal(authz.InsufficientAuth, "a stronger authentication is wanted")
	}
	if n.MaxAge > 0 && (t.AuthTime.IsZero() || v.o.Now().Sub(t.AuthTime) > n.MaxAge) {
		return refusal(authz.InsufficientAuth, "a more recent authentication is wanted")
	}
	return nil
}

// reaches reports whether an authentication context class is one of those that are
// needed, or is stronger than one of them.
func (v *Verifier) reaches(acr string, needed []string) bool {
	have := slices.Index(v.o.ACRs, acr)
	return acr != "" && slices.ContainsFunc(needed, func(n string) bool {
		want := slices.Index(v.o.ACRs, n)
		return n == acr || want >= 0 && have >= want
	})
}
