package fapi

import (
	"errors"
	"net/http"
	"slices"
	"strings"

	"github.com/waryauth/wary/authz"
	"github.com/waryauth/wary/internal/jose"
)

// userinfo is the userinfo endpoint (OpenID Connect Core, section 5.3): a resource
// that takes bound tokens in the header alone (FAPI 2.0, section 5.3.4).
func (s *Server) userinfo(w http.ResponseWriter, r *http.Request) {
	s.nonce(w)
	t, err := s.presented(r)
	if err == nil && !slices.Contains(t.Scopes, "openid") {
		err = refusal(authz.InsufficientScope, "the token is not of scope openid")
	}
	var claims map[string]any
	if err == nil {
		claims, err = s.a.UserInfo(r.Context(), t)
	}
	if errors.Is(err, authz.ErrInactive) {
		err = refusal(authz.InvalidToken, "the access token is expired, revoked or none of ours")
	}
	if err != nil {
		s.challenge(w, r, err)
		return
	}
	s.answer(w, http.StatusOK, claims)
}

// errNoToken is the error of a request without a token: it is told how to bring one
// and nothing else (RFC 6750, section 3.1).
var errNoToken = errors.New("no access token came with the request")

// presented returns the token of a request whose sender holds what it is bound to.
func (s *Server) presented(r *http.Request) (*authz.Token, error) {
	headers := r.Header.Values("Authorization")
	if len(headers) == 0 {
		return nil, errNoToken
	}
	scheme, raw, ok := strings.Cut(headers[0], " ")
	dpop, bearer := strings.EqualFold(scheme, "DPoP"), strings.EqualFold(scheme, "Bearer")
	if len(headers) > 1 || !ok || !dpop && !bearer || raw == "" {
		return nil, errNoToken
	}
	t, err := s.a.Introspect(r.Context(), raw)
	if err != nil {
		return nil, err
	}
	if dpop != (t.Bound.JKT != "") {
		return nil, refusal(authz.InvalidToken, "the token is bound in another way")
	}
	if dpop && len(r.Header.Values("DPoP")) == 0 {
		return nil, refusal(authz.InvalidProof, "a DPoP proof is wanted")
	}
	held, err := s.possession(r, userinfoPath, raw)
	if err != nil {
		return nil, err
	}
	if dpop && !jose.Equal(held.JKT, t.Bound.JKT) || bearer && !jose.Equal(held.X5T, t.Bound.X5T) {
		return nil, refusal(authz.InvalidToken, "the token is bound to another key")
	}
	return t, nil
}

// challenge answers a request to the resource that is refused (RFC 6750, section 3;
// RFC 9449, section 7.1).
func (s *Server) challenge(w http.ResponseWriter, r *http.Request, err error) {
	h := w.Header()
	const algs = `algs="ES256 PS256 EdDSA"`
	var e *authz.Error
	switch {
	case errors.Is(err, errNoToken):
		h.Add("WWW-Authenticate", "DPoP "+algs)
		h.Add("WWW-Authenticate", "Bearer")
		h.Set("Cache-Control", "no-store")
		w.WriteHeader(http.StatusUnauthorized)
		return
	case errors.As(err, &e) && (e.Code == authz.InvalidProof || e.Code == authz.UseNonce):
		err = &httpError{e, http.StatusUnauthorized}
		fallthrough
	case e != nil && (e.Code == authz.InvalidToken || e.Code == authz.InsufficientScope):
		scheme := "DPoP "
		if strings.EqualFold(strings.SplitN(r.Header.Get("Authorization"), " ", 2)[0], "Bearer") {
			scheme = "Bearer "
		}
		value := scheme + `error="` + string(e.Code) + `", error_description="` + e.Description + `"`
		if scheme == "DPoP " {
			value += ", " + algs
		}
		if e.Code == authz.InsufficientScope {
			value += `, scope="openid"`
		}
		h.Set("WWW-Authenticate", value)
	}
	s.fail(w, r, err)
}
