package fapi

import (
	"encoding/json"
	"errors"
	"net/http"
	"strings"

	"github.com/waryauth/wary/authz"
)

// statuses are the HTTP statuses of error codes; what is not here is 400.
var statuses = map[authz.ErrorCode]int{
	authz.InvalidClient:          http.StatusUnauthorized,
	authz.InvalidToken:           http.StatusUnauthorized,
	authz.InsufficientAuth:       http.StatusUnauthorized,
	authz.InsufficientScope:      http.StatusForbidden,
	authz.ServerError:            http.StatusInternalServerError,
	authz.TemporarilyUnavailable: http.StatusServiceUnavailable,
}

func statusOf(code authz.ErrorCode) int {
	if s, ok := statuses[code]; ok {
		return s
	}
	return http.StatusBadRequest
}

// errorBody is an error as RFC 6749, section 5.2, writes it. ACRValues is ours: what
// a person would have to prove.
type errorBody struct {
	Error       authz.ErrorCode `json:"error"`
	Description string          `json:"error_description,omitempty"`
	ACRValues   string          `json:"acr_values,omitempty"`
}

// httpError is an error whose status the table of codes does not give.
type httpError struct {
	err    *authz.Error
	status int
}

func (e *httpError) Error() string { return e.err.Error() }
func (e *httpError) Unwrap() error { return e.err }

// refusal returns an error of the protocol that was found on the wire.
func refusal(code authz.ErrorCode, description string) *authz.Error {
	return &authz.Error{Code: code, Description: description}
}

// fail answers a request with an error.
func (s *Server) fail(w http.ResponseWriter, r *http.Request, err error) {
	e := &authz.Error{Code: authz.ServerError, Description: "the request failed"}
	if !errors.As(err, &e) {
		s.o.Log.Error("fapi: a request failed", "path", r.URL.Path, "error", err)
	}
	status := statusOf(e.Code)
	var h *httpError
	if errors.As(err, &h) {
		status = h.status
	}
	switch status {
	case http.StatusServiceUnavailable, http.StatusTooManyRequests:
		w.Header().Set("Retry-After", "1")
	case http.StatusUnauthorized:
		if r.Header.Get("Authorization") != "" && w.Header().Get("WWW-Authenticate") == "" {
			w.Header().Set("WWW-Authenticate", "Basic") // RFC 6749, section 5.2: the scheme that was tried, and is not taken
		}
	}
	s.answer(w, status, errorBody{Error: e.Code, Description: e.Description, ACRValues: strings.Join(e.ACRValues, " ")})
}

// answer writes a JSON answer that nobody may keep.
func (s *Server) answer(w http.ResponseWriter, status int, body any) {
	text, err := json.Marshal(body)
	if err != nil {
		s.o.Log.Error("fapi: an answer could not be written", "error", err)
		status, text = http.StatusInternalServerError, []byte(`{"error":"server_error"}`)
	}
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Cache-Control", "no-store")
	h.Set("Pragma", "no-cache")
	w.WriteHeader(status)
	_, _ = w.Write(text)
}
