package fapi

import (
	"encoding/json"
	"net/http"
	"strings"
	"time"

	"github.com/waryauth/wary/authz"
	"github.com/waryauth/wary/engine"
)

// tokenResponse is a token request's answer (RFC 6749, section 5.1; RFC 9396, section 7).
type tokenResponse struct {
	AccessToken  string          `json:"access_token"`
	Type         string          `json:"token_type"`
	Life         int             `json:"expires_in"`
	RefreshToken string          `json:"refresh_token,omitempty"`
	IDToken      string          `json:"id_token,omitempty"`
	Scope        string          `json:"scope,omitempty"`
	Details      json.RawMessage `json:"authorization_details,omitempty"`
	Withheld     []withheld      `json:"withheld,omitempty"`
}

// withheld is what was asked for and is not in the token, or not whole, and why in a
// word: a member of this server's own. What it says to the person stays with them.
type withheld struct {
	Scope string `json:"scope,omitempty"`
	Type  string `json:"type,omitempty"` // of the authorization detail
	Part  string `json:"part,omitempty"` // of the detail
	Code  string `json:"code"`
}

// token is the token endpoint (RFC 6749, section 3.2).
func (s *Server) token(w http.ResponseWriter, r *http.Request) {
	s.nonce(w)
	issued, err := s.issued(w, r)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	t := tokenResponse{
		AccessToken: issued.AccessToken, Type: "Bearer", Life: int(issued.Life / time.Second), RefreshToken: issued.RefreshToken, IDToken: issued.IDToken,
		Scope: strings.Join(issued.Scopes, " "), Details: authz.MarshalDetails(issued.Details),
	}
	for _, r := range issued.Withheld {
		t.Withheld = append(t.Withheld, withheld{r.Scope, r.Detail, r.Part, string(r.Code)})
	}
	if issued.Binding.JKT != "" {
		t.Type = "DPoP"
	}
	s.answer(w, http.StatusOK, &t)
}

// issued authenticates the client, verifies its proof of possession, and has tokens
// issued by the grant that it names.
func (s *Server) issued(w http.ResponseWriter, r *http.Request) (*authz.Issued, error) {
	p, err := form(w, r)
	if err != nil {
		return nil, err
	}
	c, assertion, err := s.authenticate(r, p)
	if err != nil {
		return nil, err
	}
	held, err := s.possession(r, tokenPath)
	if err == nil {
		err = s.a.Use(r.Context(), assertion)
	}
	if err != nil {
		return nil, err
	}
	if c.Constraint == engine.DPoPConstraint && held.JKT == "" {
		return nil, refusal(authz.InvalidRequest, "a DPoP proof is wanted")
	}
	if c.Constraint == engine.MTLSConstraint && held.X5T == "" {
		return nil, refusal(authz.InvalidRequest, "a client certificate is wanted")
	}
	origin := Origin(r)
	switch p["grant_type"] {
	case authz.CodeGrant:
		if p["code"] == "" {
			return nil, refusal(authz.InvalidRequest, "code is missing")
		}
		return s.a.Redeem(r.Context(), c, &authz.Redemption{Code: p["code"], Redirect: p["redirect_uri"], Verifier: p["code_verifier"], Held: held, Origin: &origin})
	case authz.RefreshGrant:
		if p["refresh_token"] == "" {
			return nil, refusal(authz.InvalidRequest, "refresh_token is missing")
		}
		return s.a.Refresh(r.Context(), c, p["refresh_token"], p["scope"], held, &origin)
	case authz.ClientGrant:
		return s.a.ForClient(r.Context(), c, p["scope"], p["authorization_details"], held, &origin)
	case "":
		return nil, refusal(authz.InvalidRequest, "grant_type is missing")
	}
	return nil, refusal(authz.UnsupportedGrantType, "grant_type is none of this server's")
}
