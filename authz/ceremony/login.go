package ceremony

import (
	"crypto/rand"
	"encoding/base64"
	"errors"
	"net/http"

	"github.com/waryauth/wary/authz"
	"github.com/waryauth/wary/signals"
)

// problem is what went wrong with a form, by its name in addresses; what is said of
// it stands in text.go. It comes with the request: it chooses a text and no more.
type problem string

const (
	emptyLogin   problem = "empty"
	wrongLogin   problem = "credentials"
	emptyCode    problem = "no_code"
	wrongCode    problem = "code"
	tooMany      problem = "wait"
	wrongPasskey problem = "passkey"
	oldPasskey   problem = "passkey_old"
	notNow       problem = "not_now"
	tooManyKeys  problem = "passkeys"
)

// password checks a name and a password. What it does is the same whether anybody has
// the name: the limits, the hash, and the question to the engine.
func (s *Server) password(f *submission) {
	if f.in.Person.Subject != "" || s.bank != nil { // the form of a step that is past
		s.onward(f.w, f.in, "")
		return
	}
	s.agree(f)
	name, password := typedName(f.form["username"]), f.form["password"]
	if name == "" || password == "" {
		s.onward(f.w, f.in, emptyLogin)
		return
	}
	ctx, now := f.r.Context(), s.o.Now()
	who := s.accounts.Load().find(name, s.nameKey)
	origin := s.origin(f)
	place := s.place(&origin)
	tries := []try{{limits.pair, who.subject + " " + place}, {limits.account, who.subject}, {limits.place, place}}
	failures, err := spend(ctx, s.o.Store, now, tries...)
	if errors.Is(err, errTooMany) {
		checked(amrPassword, "limited")
		s.onward(f.w, f.in, tooMany)
		return
	}
	if err != nil {
		s.failed(f.w, f.r, "limit tries", err)
		return
	}
	right, err := s.hasher.matches(ctx, &who.hash, password)
	if err != nil {
		s.failed(f.w, f.r, "check the password", errors.Join(err, restore(ctx, s.o.Store, now, tries...)))
		return
	}
	login := &authz.Login{
		Person: authz.Person{Subject: who.subject}, Known: who.account != nil, Result: signals.Failure, Method: signals.Password,
		RecentFailures: failures, Origin: origin,
	}
	if !right || who.account == nil || who.account.disabled {
		checked(amrPassword, "failure")
		s.tell(f, login)
		s.onward(f.w, f.in, wrongLogin)
		return
	}
	checked(amrPassword, "success")
	if err := restore(ctx, s.o.Store, now, tries...); err != nil {
		s.failed(f.w, f.r, "limit tries", err)
		return
	}
	dropPage(f.w)
	login.Result = signals.Success
	login.Person.ACR, login.Person.AMR, login.Person.AuthTime, login.Person.Session = s.o.Classes.Password, []string{amrPassword}, now, newSessionID()
	s.prove(f, login)
}

// tell has the engine learn of a failed check. How it sees it changes nothing here,
// since it knows whether the account exists, and whoever is guessing must not.
func (s *Server) tell(f *submission, l *authz.Login) {
	if _, err := s.a.Authenticated(f.r.Context(), f.in, l); err != nil {
		s.o.Log.Error("ceremony: tell the engine of a failure", "error", err)
	}
}

// prove asks the engine about a check that succeeded, and goes on.
func (s *Server) prove(f *submission, l *authz.Login) {
	out, err := s.a.Authenticated(f.r.Context(), f.in, l)
	if !s.judged(f.w, f.r, f.in, out, err) {
		return
	}
	at, err := s.next(f.r.Context(), f.in)
	switch {
	case err != nil:
		s.failed(f.w, f.r, "find the next step", err)
		return
	case at.at == giveConsent:
		s.begin(f)
	}
	s.back(f, "")
}

// dropPage has a browser drop the page that the password was typed on. Chromium keeps
// pages for going back to, and what was typed with them, in spite of no-store, unless a
// cookie that scripts cannot read has changed since. Nobody reads this one.
func dropPage(w http.ResponseWriter) {
	http.SetCookie(w, &http.Cookie{Name: stepCookie, Value: newSessionID(), Path: "/", Secure: true, HttpOnly: true, SameSite: http.SameSiteLaxMode})
}

const stepCookie = "__Host-wary-step"

func newSessionID() string {
	b := make([]byte, 16)
	rand.Read(b) // never fails (crypto/rand, Go 1.24)
	return base64.RawURLEncoding.EncodeToString(b)
}
