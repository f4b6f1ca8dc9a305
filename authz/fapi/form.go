package fapi

import (
	"errors"
	"io"
	"mime"
	"net/http"
	"net/url"
	"unicode/utf8"

	"github.com/waryauth/wary/authz"
)

// Limits of a request.
const (
	maxBody   = 64 << 10
	maxQuery  = 32 << 10
	maxParams = 64
)

// form reads the parameters of a POST. Parameters stand in the body alone, each at
// most once (RFC 6749, sections 2.3.1 and 3.2).
func form(w http.ResponseWriter, r *http.Request) (authz.Params, error) {
	mediaType, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || mediaType != "application/x-www-form-urlencoded" || r.Header.Get("Content-Encoding") != "" {
		return nil, &httpError{refusal(authz.InvalidRequest, "the body must be application/x-www-form-urlencoded"), http.StatusUnsupportedMediaType}
	}
	if r.URL.RawQuery != "" {
		return nil, refusal(authz.InvalidRequest, "parameters must stand in the body")
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil {
		var tooLarge *http.MaxBytesError
		if errors.As(err, &tooLarge) {
			return nil, &httpError{refusal(authz.InvalidRequest, "the body is larger than 64 KiB"), http.StatusRequestEntityTooLarge}
		}
		return nil, refusal(authz.InvalidRequest, "the body could not be read")
	}
	return params(string(body))
}

// params reads urlencoded parameters. A repeated one is refused, one without a value
// counts as absent (RFC 6749, section 3.1).
func params(encoded string) (authz.Params, error) {
	values, err := url.ParseQuery(encoded)
	if err != nil || len(values) > maxParams {
		return nil, refusal(authz.InvalidRequest, "the parameters are malformed or too many")
	}
	p := make(authz.Params, len(values))
	for name, v := range values {
		if len(v) > 1 {
			return nil, refusal(authz.InvalidRequest, "a parameter is repeated")
		}
		if !clean(name) || !clean(v[0]) {
			return nil, refusal(authz.InvalidRequest, "a parameter is no UTF-8 text, or has a control character")
		}
		if v[0] != "" {
			p[name] = v[0]
		}
	}
	return p, nil
}

// clean reports whether a text is UTF-8 without control characters other than the
// line ends and tabs that JSON may have.
func clean(s string) bool {
	for _, r := range s {
		if r < ' ' && r != '\n' && r != '\r' && r != '\t' || r == 0x7f {
			return false
		}
	}
	return utf8.ValidString(s)
}
