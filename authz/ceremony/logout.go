package ceremony

import (
	"net/http"

	"github.com/waryauth/wary/internal/jose"
)

// SignedOut ends the login session of a browser, and sends it on to redirect, or tells
// the person where that is "". The redirect is the caller's to have checked. Unless
// subject, which an ID token named, is the session's, the person is asked first: any
// site can send a browser here (OpenID Connect RP-Initiated Logout 1.0, section 6).
func (s *Server) SignedOut(w http.ResponseWriter, r *http.Request, subject, redirect string) {
	if p := s.session(r); p != nil && p.Subject != subject {
		v := view{T: &english, Title: english.SignOut, Path: s.o.Path, Token: s.formToken("sign out "+redirect, cookieOf(r)), Redirect: redirect}
		if known := s.accounts.Load().bySubject[p.Subject]; known != nil {
			v.SignedInAs = known.name
		}
		s.o.Headers(w.Header(), redirect)
		s.write(w, http.StatusOK, "logout", &v)
		return
	}
	s.end(w, r, redirect)
}

// signOut takes the answer of a person who was asked.
func (s *Server) signOut(w http.ResponseWriter, r *http.Request) {
	form := s.form(w, r)
	if form == nil {
		return
	}
	if !jose.Equal(form["token"], s.formToken("sign out "+form["redirect"], cookieOf(r))) {
		s.ErrorPage(w, r, http.StatusForbidden, "forged")
		return
	}
	s.end(w, r, form["redirect"])
}

func (s *Server) end(w http.ResponseWriter, r *http.Request, redirect string) {
	s.forget(r)
	s.setCookie(w, "", -1)
	s.o.Headers(w.Header(), redirect)
	if redirect != "" {
		w.Header().Set("Location", redirect)
		w.WriteHeader(http.StatusSeeOther)
		return
	}
	s.message(w, http.StatusOK, english.SignedOut)
}
