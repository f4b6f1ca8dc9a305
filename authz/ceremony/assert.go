package ceremony

import (
	"errors"

	"github.com/waryauth/wary/authz"
	"github.com/waryauth/wary/signals"
)

// passkey checks what a passkey said: instead of a password, where whose it is follows
// from it alone, or as a step-up of the person who is known already.
func (s *Server) passkey(f *submission) {
	first := f.in.Person.Subject == ""
	switch {
	case s.party == nil || first && s.bank != nil:
		s.onward(f.w, f.in, "")
		return
	case !first && !s.proving(f, byPasskey):
		return
	}
	ctx, now := f.r.Context(), s.o.Now()
	origin := s.origin(f)
	tries := try{limits.place, s.place(&origin)}
	failures, err := spend(ctx, s.o.Store, now, tries)
	if errors.Is(err, errTooMany) {
		checked("passkey", "limited")
		s.back(f, tooMany)
		return
	}
	var said *assertion
	var amr []string
	if err == nil {
		said, err = s.read(ctx, f.in.ID, f.in.Person.Subject, f.form["credential"])
	}
	if err == nil && s.active(said.subject) == nil {
		err = errPasskey
	}
	if err == nil {
		amr, err = s.believe(ctx, said)
	}
	login := &authz.Login{Known: true, Result: signals.Failure, Method: signals.Passkey, RecentFailures: failures, Origin: origin}
	switch {
	case errors.Is(err, errNoChallenge): // the form was sent twice, or lay too long
		s.back(f, oldPasskey)
		return
	case errors.Is(err, errPasskey):
		checked("passkey", "failure")
		if login.Person = f.in.Person; said != nil && s.active(said.subject) != nil {
			login.Person.Subject = said.subject
		}
		if login.Person.Subject != "" {
			s.tell(f, login)
		}
		s.back(f, wrongPasskey)
		return
	case err == nil:
		err = restore(ctx, s.o.Store, now, tries)
	}
	if err != nil {
		s.failed(f.w, f.r, "check a passkey", err)
		return
	}
	checked("passkey", "success")
	if login.Result, login.Person = signals.Success, s.raised(f.in, byPasskey, amr); first {
		login.Person.Subject, login.Person.Session = said.subject, newSessionID()
		dropPage(f.w)
	}
	s.met(ctx, said.subject)
	s.prove(f, login)
}
