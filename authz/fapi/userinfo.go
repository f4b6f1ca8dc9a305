package fapi

import (
	"errors"
	"net/http"

	"github.com/waryauth/wary/authz"
)

// UserInfoPath is where the metadata says that userinfo is, behind the issuer.
const UserInfoPath = "/userinfo"

// UserInfo returns the userinfo endpoint (OpenID Connect Core, section 5.3). It is a
// resource: protect is resource.Verifier.Protect for the scope openid, token is
// resource.Token.
func (s *Server) UserInfo(protect func(http.Handler) http.Handler, token func(*http.Request) *authz.Token) http.Handler {
	claims := protect(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		claims, err := s.a.UserInfo(r.Context(), token(r))
		if errors.Is(err, authz.ErrInactive) { // between the verifier's look and ours
			w.Header().Set("WWW-Authenticate", `DPoP error="invalid_token"`)
			err = refusal(authz.InvalidToken, "the access token is revoked")
		}
		if err != nil {
			s.fail(w, r, err)
			return
		}
		s.answer(w, http.StatusOK, claims)
	}))
	return s.guard(endpoint{UserInfoPath, []string{"GET", "POST"}, func(_ *Server, w http.ResponseWriter, r *http.Request) { claims.ServeHTTP(w, r) }})
}
