package ceremony

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strings"
	"unicode/utf8"

	"github.com/waryauth/wary/authz"
	"github.com/waryauth/wary/internal/jose"
)

// Limits of a form.
const (
	maxForm      = 16 << 10 // bytes
	maxFields    = 16
	maxField     = 2 << 10 // bytes
	maxLongField = 8 << 10 // of what a passkey said, and of what was measured
)

var (
	errForm     = errors.New("the form is malformed")
	errTooLarge = errors.New("the form is too large")
	errNotForm  = errors.New("the body is no form")
)

// submission is a form that a person sent, of an interaction that is theirs.
type submission struct {
	w    http.ResponseWriter
	r    *http.Request
	in   *authz.Interaction
	form map[string]string
}

// submitted reads a form and finds its interaction. Where it returns nil it has shown
// an error page.
func (s *Server) submitted(w http.ResponseWriter, r *http.Request) *submission {
	form := s.form(w, r)
	if form == nil {
		return nil
	}
	if !jose.Equal(form["token"], s.formToken(form["interaction"], browser(r))) {
		s.ErrorPage(w, r, http.StatusForbidden, "forged")
		return nil
	}
	in, err := s.a.Interaction(r.Context(), form["interaction"], browser(r))
	if err != nil {
		s.failed(w, r, "read the interaction", err)
		return nil
	}
	s.o.Headers(w.Header(), in.Request.RedirectURI)
	return &submission{w, r, in, form}
}

// asked reads which interaction a page is asked for, and finds it. Where it returns nil
// it has shown an error page.
func (s *Server) asked(w http.ResponseWriter, r *http.Request) (query map[string]string, in *authz.Interaction) {
	query, err := parseForm(r.URL.RawQuery)
	if err != nil {
		s.ErrorPage(w, r, http.StatusBadRequest, string(authz.InvalidRequest))
		return nil, nil
	}
	if in, err = s.a.Interaction(r.Context(), query["interaction"], browser(r)); err != nil {
		s.failed(w, r, "read the interaction", err)
		return nil, nil
	}
	return query, in
}

// form reads a form that a page of this server sent. Where it returns nil it has shown
// an error page.
func (s *Server) form(w http.ResponseWriter, r *http.Request) map[string]string {
	form, err := readForm(w, r)
	switch {
	case errors.Is(err, errTooLarge):
		s.ErrorPage(w, r, http.StatusRequestEntityTooLarge, string(authz.InvalidRequest))
		return nil
	case errors.Is(err, errNotForm):
		s.ErrorPage(w, r, http.StatusUnsupportedMediaType, string(authz.InvalidRequest))
		return nil
	case err != nil:
		s.ErrorPage(w, r, http.StatusBadRequest, string(authz.InvalidRequest))
		return nil
	}
	if site := r.Header.Get("Sec-Fetch-Site"); site != "" && site != "same-origin" && site != "none" {
		s.ErrorPage(w, r, http.StatusForbidden, "forged")
		return nil
	}
	return form
}

// formToken returns the token of the forms of an interaction, or for another purpose, in
// a browser that is known by the secret in a cookie. No other site can know it: it has
// neither the key nor the cookie.
func (s *Server) formToken(purpose, cookie string) string {
	mac := hmac.New(sha256.New, s.formKey)
	mac.Write([]byte(jose.Digest(purpose) + jose.Digest(cookie)))
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

// readForm reads a urlencoded body. Fields stand in the body alone.
func readForm(w http.ResponseWriter, r *http.Request) (map[string]string, error) {
	mediaType, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || mediaType != "application/x-www-form-urlencoded" || r.Header.Get("Content-Encoding") != "" {
		return nil, errNotForm
	}
	if r.URL.RawQuery != "" {
		return nil, errForm
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxForm))
	if err != nil {
		var large *http.MaxBytesError
		if errors.As(err, &large) {
			return nil, errTooLarge
		}
		return nil, errForm
	}
	return parseForm(string(body))
}

// parseForm reads urlencoded fields: each at most once, UTF-8 without control
// characters.
func parseForm(encoded string) (map[string]string, error) {
	if len(encoded) > maxForm || strings.Count(encoded, "&") >= maxFields {
		return nil, errForm
	}
	values, err := url.ParseQuery(encoded)
	if err != nil {
		return nil, errForm
	}
	form := make(map[string]string, len(values))
	for name, v := range values {
		most := maxField
		if name == "credential" || name == measuredField {
			most = maxLongField
		}
		if len(v) != 1 || !isField(name, maxField) || !isField(v[0], most) {
			return nil, errForm
		}
		form[name] = v[0]
	}
	return form, nil
}

func isField(s string, most int) bool {
	return len(s) <= most && utf8.ValidString(s) && !strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r >= 0x7f && r < 0xa0 })
}
