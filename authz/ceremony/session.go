package ceremony

import (
	"encoding/json"
	"errors"
	"net/http"
	"time"

	"github.com/waryauth/wary/authz"
	"github.com/waryauth/wary/internal/jose"
	"github.com/waryauth/wary/internal/store"
)

// sessionCookie names a login session. Its value is a secret; the store holds the
// digest.
const sessionCookie = "__Host-wary-session"

// login is a login session as it lies in the store.
type login struct {
	Person authz.Person `json:"person"`
	Stamp  string       `json:"stamp"` // of the account: another password ends the session
}

func sessionKey(secret string) string { return "session:" + jose.Digest(secret) }

// cookieOf returns the secret of a browser's login session, "" where there is none.
func cookieOf(r *http.Request) string {
	if c, err := r.Cookie(sessionCookie); err == nil {
		return c.Value
	}
	return ""
}

// session returns whom the login session of a browser stands for, or nil.
func (s *Server) session(r *http.Request) *authz.Person {
	secret := cookieOf(r)
	if secret == "" || s.o.Session <= 0 {
		return nil
	}
	held, err := s.o.Store.Get(r.Context(), sessionKey(secret))
	if err != nil || held[0].Data == nil {
		return nil
	}
	var l login
	if json.Unmarshal(held[0].Data, &l) != nil {
		return nil
	}
	known := s.active(l.Person.Subject)
	if known == nil || known.stamp() != l.Stamp || s.o.Authority.LoginEnded(r.Context(), &l.Person) {
		return nil
	}
	return &l.Person
}

// begin keeps a login for the next interactions of the browser, under a new secret:
// whoever planted a cookie before gains nothing. Where it cannot be kept the person
// logs in again.
func (s *Server) begin(f *submission) {
	known := s.active(f.in.Person.Subject)
	if s.o.Session <= 0 || known == nil {
		return
	}
	text, err := json.Marshal(login{f.in.Person, known.stamp()})
	if err != nil {
		return
	}
	secret := newSessionID()
	until := s.o.Now().Add(s.o.Session)
	if err := store.PutNew(f.r.Context(), s.o.Store, sessionKey(secret), text, store.Until(until)); err != nil {
		s.o.Log.Error("ceremony: keep a login session", "error", err)
		return
	}
	s.forget(f.r)
	s.setCookie(f.w, secret, int(s.o.Session/time.Second))
}

func (s *Server) setCookie(w http.ResponseWriter, value string, maxAge int) {
	http.SetCookie(w, &http.Cookie{Name: sessionCookie, Value: value, Path: "/", MaxAge: maxAge, Secure: true, HttpOnly: true, SameSite: http.SameSiteLaxMode})
}

// forget removes the login session of a browser from the store.
func (s *Server) forget(r *http.Request) {
	secret := cookieOf(r)
	if secret == "" {
		return
	}
	if _, err := store.Take(r.Context(), s.o.Store, sessionKey(secret)); err != nil && !errors.Is(err, store.ErrAbsent) {
		s.o.Log.Error("ceremony: end a login session", "error", err)
	}
}
