package fapi

import (
	"crypto/rand"
	"encoding/base64"
	"errors"
	"net/http"
	"net/url"
	"time"

	"github.com/waryauth/wary/authz"
)

// authorize is the authorization endpoint (RFC 6749, section 3.1; FAPI 2.0, section
// 5.3.2.2): of its parameters only client_id and request_uri count (RFC 9126, section
// 4). What goes wrong is shown here and sent nowhere, since nobody has authenticated.
func (s *Server) authorize(w http.ResponseWriter, r *http.Request) {
	p, err := authorizeParams(w, r)
	if err != nil {
		s.errorPage(w, r, http.StatusBadRequest, authz.InvalidRequest)
		return
	}
	if p["request_uri"] == "" || p["client_id"] == "" {
		s.errorPage(w, r, http.StatusBadRequest, authz.InvalidRequest)
		return
	}
	browser := s.browser(w, r)
	in, err := s.a.Begin(r.Context(), p["client_id"], p["request_uri"], browser)
	switch {
	case errors.Is(err, authz.ErrGone):
		s.errorPage(w, r, http.StatusBadRequest, authz.InvalidRequestURI)
	case err != nil:
		s.o.Log.Error("fapi: an interaction could not begin", "error", err)
		s.errorPage(w, r, http.StatusServiceUnavailable, authz.TemporarilyUnavailable)
	default:
		redirect(w, s.base.Path+s.o.Ceremony+"?interaction="+url.QueryEscape(in.ID))
	}
}

func authorizeParams(w http.ResponseWriter, r *http.Request) (authz.Params, error) {
	if r.Method == http.MethodPost {
		return form(w, r)
	}
	if len(r.URL.RawQuery) > maxQuery {
		return nil, refusal(authz.InvalidRequest, "the query is too long")
	}
	return params(r.URL.RawQuery)
}

// browserBytes of randomness name a browser.
const browserBytes = 24

// browser returns the secret of the browser's cookie and sets one where there is none.
func (s *Server) browser(w http.ResponseWriter, r *http.Request) string {
	if c, err := r.Cookie(authz.BrowserCookie); err == nil {
		if b, err := base64.RawURLEncoding.DecodeString(c.Value); err == nil && len(b) == browserBytes {
			return c.Value
		}
	}
	b := make([]byte, browserBytes)
	rand.Read(b) // never fails (crypto/rand, Go 1.24)
	secret := base64.RawURLEncoding.EncodeToString(b)
	http.SetCookie(w, &http.Cookie{Name: authz.BrowserCookie, Value: secret, Path: "/", Secure: true, HttpOnly: true, SameSite: http.SameSiteLaxMode})
	return secret
}

// redirect sends a browser on with a GET, whatever it came with (FAPI 2.0, section
// 5.3.2.2: 303, never 307).
func redirect(w http.ResponseWriter, to string) {
	Page(w.Header(), "")
	w.Header().Set("Location", to)
	w.WriteHeader(http.StatusSeeOther)
}

// Finish ends an interaction as a person, or the ceremony for them, answered it, and
// sends the browser back to the client with a code or an error.
func (s *Server) Finish(w http.ResponseWriter, r *http.Request, in *authz.Interaction, answer authz.Answer) {
	code, err := s.a.Finish(r.Context(), in, answer)
	response := map[string]string{}
	var refused *authz.Error
	switch {
	case errors.As(err, &refused):
		response["error"], response["error_description"] = string(refused.Code), refused.Description
	case errors.Is(err, authz.ErrGone):
		s.errorPage(w, r, http.StatusBadRequest, authz.InvalidRequestURI)
		return
	case err != nil:
		s.o.Log.Error("fapi: an interaction could not end", "error", err)
		s.errorPage(w, r, http.StatusServiceUnavailable, authz.TemporarilyUnavailable)
		return
	default:
		response["code"] = code
	}
	if in.Request.State != "" {
		response["state"] = in.Request.State
	}
	to, err := s.response(&in.Request, response)
	if err != nil {
		s.o.Log.Error("fapi: an authorization response could not be written", "error", err)
		s.errorPage(w, r, http.StatusInternalServerError, authz.ServerError)
		return
	}
	redirect(w, to)
}

// lifeOfResponse is how long a signed response is good (JARM, section 2.1).
const lifeOfResponse = 5 * time.Minute

// response returns the redirect URI with a response on it: in the query with iss
// (RFC 9207), or signed (JARM, section 2.3.1).
func (s *Server) response(r *authz.Request, response map[string]string) (string, error) {
	u, err := url.Parse(r.RedirectURI)
	if err != nil {
		return "", err
	}
	q := url.Values{}
	if r.ResponseJWT {
		signed, err := s.signResponse(r.ClientID, response)
		if err != nil {
			return "", err
		}
		q.Set("response", signed)
	} else {
		for name, value := range response {
			q.Set(name, value)
		}
		q.Set("iss", s.a.Issuer())
	}
	if u.RawQuery != "" { // the query of a registered URI stays as it is
		u.RawQuery += "&"
	}
	u.RawQuery += q.Encode()
	return u.String(), nil
}

func (s *Server) signResponse(client string, response map[string]string) (string, error) {
	claims := map[string]any{"iss": s.a.Issuer(), "aud": client, "exp": s.a.Now().Add(lifeOfResponse).Unix()}
	for name, value := range response {
		claims[name] = value
	}
	return s.a.Sign("JWT", claims)
}
