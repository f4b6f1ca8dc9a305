package fapi

import (
	"net/http"
	"net/url"
	"slices"

	"github.com/waryauth/wary/authz"
)

// Logout is a request to end a login session (OpenID Connect RP-Initiated Logout 1.0).
type Logout struct {
	Subject  string // of the ID token that came as a hint, "" where none did
	ClientID string
	Redirect string // where to go afterwards, with state; "" for a page of our own
	Hinted   bool   // an ID token of ours names subject and client: no need to ask the person
}

// logout is the end-session endpoint. Only a client that an ID token of ours, or
// client_id, names may have the person sent on, and only to a URI of its own.
func (s *Server) logout(w http.ResponseWriter, r *http.Request) {
	p, err := authorizeParams(w, r)
	if err != nil {
		s.errorPage(w, r, http.StatusBadRequest, authz.InvalidRequest)
		return
	}
	l := Logout{ClientID: p["client_id"]}
	if hint := p["id_token_hint"]; hint != "" {
		subject, client, err := s.a.Hint(hint)
		if err != nil || l.ClientID != "" && l.ClientID != client {
			s.errorPage(w, r, http.StatusBadRequest, authz.InvalidRequest)
			return
		}
		l.Subject, l.ClientID, l.Hinted = subject, client, true
	}
	if to := p["post_logout_redirect_uri"]; to != "" {
		c := s.a.Clients().Find(l.ClientID)
		if c == nil || !slices.Contains(c.LogoutURIs, to) {
			s.errorPage(w, r, http.StatusBadRequest, authz.InvalidRequest)
			return
		}
		l.Redirect = withState(to, p["state"])
	}
	Page(w.Header(), l.Redirect)
	if s.o.Logout == nil {
		w.WriteHeader(http.StatusNoContent)
		return
	}
	s.o.Logout(w, r, l)
}

func withState(to, state string) string {
	u, err := url.Parse(to)
	if err != nil || state == "" {
		return to
	}
	if u.RawQuery != "" {
		u.RawQuery += "&"
	}
	u.RawQuery += "state=" + url.QueryEscape(state)
	return u.String()
}
