package fapi

import (
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"time"

	"github.com/waryauth/wary/authz"
	"github.com/waryauth/wary/internal/jose"
)

// statusList publishes a status list (draft-ietf-oauth-status-list-21, section 8).
func (s *Server) statusList(w http.ResponseWriter, r *http.Request) {
	token, err := s.a.StatusList(r.Context(), r.PathValue("id"))
	if errors.Is(err, authz.ErrGone) {
		err = &httpError{refusal(authz.InvalidRequest, "there is no such status list, or no longer"), http.StatusNotFound}
	}
	if err != nil {
		s.fail(w, r, err)
		return
	}
	s.brief(w, "application/"+jose.StatusListType, []byte(token))
}

// statusLists is the status list aggregation: it names the lists (section 9).
func (s *Server) statusLists(w http.ResponseWriter, r *http.Request) {
	uris, err := s.a.StatusLists(r.Context())
	var text []byte
	if err == nil {
		text, err = json.Marshal(map[string][]string{"status_lists": uris})
	}
	if err != nil {
		s.fail(w, r, err)
		return
	}
	s.brief(w, "application/json", text)
}

// brief writes what everyone may read, a script of another origin too, and keep as long
// as a copy of a status list is good. It names nobody.
func (s *Server) brief(w http.ResponseWriter, contentType string, text []byte) {
	h := w.Header()
	h.Set("Content-Type", contentType)
	h.Set("Cache-Control", "public, max-age="+strconv.Itoa(int(s.a.StatusTTL()/time.Second)))
	h.Set("Access-Control-Allow-Origin", "*")
	_, _ = w.Write(text)
}
