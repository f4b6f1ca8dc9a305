package fapi

import (
	"net/http"
	"time"

	"github.com/waryauth/wary/authz"
	"github.com/waryauth/wary/internal/jose"
)

// push is the pushed authorization request endpoint (RFC 9126).
func (s *Server) push(w http.ResponseWriter, r *http.Request) {
	s.nonce(w)
	uri, life, err := s.pushed(w, r)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	s.answer(w, http.StatusCreated, struct {
		RequestURI string `json:"request_uri"`
		Life       int    `json:"expires_in"`
	}{uri, int(life / time.Second)})
}

func (s *Server) pushed(w http.ResponseWriter, r *http.Request) (string, time.Duration, error) {
	p, err := form(w, r)
	if err != nil {
		return "", 0, err
	}
	c, assertion, err := s.authenticate(r, p)
	if err != nil {
		return "", 0, err
	}
	if !s.allow(c) {
		return "", 0, &httpError{refusal(authz.TemporarilyUnavailable, "too many requests"), http.StatusTooManyRequests}
	}
	asked, err := s.asked(c, p)
	if err != nil {
		return "", 0, err
	}
	request, refused := authz.ParseRequest(c, asked, s.a.Audience())
	if refused != nil {
		return "", 0, refused
	}
	held, err := s.possession(r, parPath)
	if err == nil {
		err = s.a.Use(r.Context(), assertion)
	}
	if err != nil {
		return "", 0, err
	}
	if held.JKT != "" { // RFC 9449, section 10.1: the proof's key is the code's
		if request.JKT != "" && !jose.Equal(request.JKT, held.JKT) {
			return "", 0, refusal(authz.InvalidProof, "dpop_jkt is not the key of the DPoP proof")
		}
		request.JKT = held.JKT
	}
	origin := Origin(r)
	return s.a.Push(r.Context(), c, request, &origin)
}

// asked returns the parameters of the authorization request: of a request object,
// where there is one, those in it and no others (RFC 9101, section 6.3).
func (s *Server) asked(c *authz.Client, p authz.Params) (authz.Params, error) {
	if p["request_uri"] != "" {
		return nil, refusal(authz.InvalidRequest, "request_uri cannot be pushed")
	}
	if p["request"] == "" {
		if c.SignedRequests {
			return nil, refusal(authz.InvalidRequest, "this client must sign its requests")
		}
		return p, nil
	}
	inside, refused := s.a.RequestObject(c, p["request"])
	if refused != nil {
		return nil, refused
	}
	return inside, nil
}
