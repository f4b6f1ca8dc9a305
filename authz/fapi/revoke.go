package fapi

import "net/http"

// revoke is the revocation endpoint (RFC 7009). What is revoked already, or never was,
// is answered alike.
func (s *Server) revoke(w http.ResponseWriter, r *http.Request) {
	c, p, err := s.caller(w, r)
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
