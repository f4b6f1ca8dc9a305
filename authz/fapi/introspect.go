package fapi

import (
	"encoding/json"
	"errors"
	"net/http"
	"strings"

	"github.com/waryauth/wary/authz"
)

// introspectionType is the media type of a signed introspection answer (RFC 9701).
const introspectionType = "application/token-introspection+jwt"

// introspection is what is told of a token (RFC 7662, section 2.2): of one that is not
// active nothing else.
type introspection struct {
	Active   bool                `json:"active"`
	Issuer   string              `json:"iss,omitempty"`
	Subject  string              `json:"sub,omitempty"`
	Audience []string            `json:"aud,omitempty"`
	ClientID string              `json:"client_id,omitempty"`
	Scope    string              `json:"scope,omitempty"`
	Details  json.RawMessage     `json:"authorization_details,omitempty"`
	Type     string              `json:"token_type,omitempty"`
	ID       string              `json:"jti,omitempty"`
	IssuedAt int64               `json:"iat,omitempty"`
	Expires  int64               `json:"exp,omitempty"`
	ACR      string              `json:"acr,omitempty"`
	AMR      []string            `json:"amr,omitempty"`
	AuthTime int64               `json:"auth_time,omitempty"`
	Confirm  *authz.Confirmation `json:"cnf,omitempty"`
}

func describe(t *authz.Token) *introspection {
	i := &introspection{
		Active: true, Issuer: t.Issuer, Subject: t.Subject, Audience: t.Audience, ClientID: t.ClientID, Scope: strings.Join(t.Scopes, " "),
		Details: authz.MarshalDetails(t.Details), Type: "Bearer", ID: t.ID, IssuedAt: t.IssuedAt.Unix(), Expires: t.Expires.Unix(), ACR: t.ACR, AMR: t.AMR,
		Confirm: (*authz.Confirmation)(&t.Bound),
	}
	if t.Bound.JKT != "" {
		i.Type = "DPoP"
	}
	if !t.AuthTime.IsZero() {
		i.AuthTime = t.AuthTime.Unix()
	}
	return i
}

// introspect is the introspection endpoint (RFC 7662), signed where that is asked for
// (RFC 9701).
func (s *Server) introspect(w http.ResponseWriter, r *http.Request) {
	c, p, err := s.caller(w, r)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	origin := Origin(r)
	i := &introspection{}
	switch t, err := s.a.IntrospectFor(r.Context(), c, p["token"], &origin); {
	case err == nil:
		i = describe(t)
		if t.ClientID != c.ID { // a resource server: the token is being used
			s.a.Used(t, scopesUsed(p, t), nil)
		}
	case !errors.Is(err, authz.ErrInactive):
		s.fail(w, r, err)
		return
	}
	if !accepts(r, introspectionType) {
		s.answer(w, http.StatusOK, i)
		return
	}
	signed, err := s.a.Sign("token-introspection+jwt", map[string]any{"iss": s.a.Issuer(), "aud": c.ID, "iat": s.a.Now().Unix(), "token_introspection": i})
	if err != nil {
		s.fail(w, r, err)
		return
	}
	w.Header().Set("Content-Type", introspectionType)
	w.Header().Set("Cache-Control", "no-store")
	_, _ = w.Write([]byte(signed))
}

// scopesUsed returns what a token is used for: the scopes that a resource server names (a
// further parameter, RFC 7662, section 2.1), or all that the token has.
func scopesUsed(p authz.Params, t *authz.Token) []string {
	if named := strings.Fields(p["scope"]); len(named) > 0 {
		return named
	}
	return t.Scopes
}

// accepts reports whether a request names a media type in Accept.
func accepts(r *http.Request, mediaType string) bool {
	for _, line := range r.Header.Values("Accept") {
		for entry := range strings.SplitSeq(line, ",") {
			name, _, _ := strings.Cut(entry, ";")
			if strings.EqualFold(strings.TrimSpace(name), mediaType) {
				return true
			}
		}
	}
	return false
}
