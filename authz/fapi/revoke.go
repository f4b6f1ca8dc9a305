package fapi

import (
	"net/http"

	"github.com/waryauth/wary/authz"
)

// revoke is the revocation endpoint (RFC 7009). What is revoked already, or never was,
// is answered alike.
func (s *Server) revoke(w http.ResponseWriter, r *http.Request) {
	p, err := form(w, r)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	c, err := s.authenticate(r, p)
	if err == nil && p["token"] == "" {
		err = refusal(authz.InvalidRequest, "token is missing")
	}
	if err == nil {
		err = s.a.RevokeToken(r.Context(), c, p["token"])
	}
	if err != nil {
		s.fail(w, r, err)
		return
	}
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(http.StatusOK)
}
