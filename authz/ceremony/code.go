package ceremony

import (
	"errors"
	"slices"
	"strings"

	"github.com/waryauth/wary/authz"
	"github.com/waryauth/wary/signals"
)

// proving returns the person's position where a form that proves more is welcome: where
// it would do, or on the way to their passkeys. Where it returns false the answer is
// written.
func (s *Server) proving(f *submission, m method) bool {
	at, err := s.next(f.r.Context(), f.in)
	if err != nil {
		s.failed(f.w, f.r, "find the next step", err)
		return false
	}
	welcome := at.at == proveMore && slices.Contains(at.ways, m)
	if f.keys() && at.at == giveConsent {
		var ways []method
		if ways, err = s.ways(f.r.Context(), f.in, at.held); err != nil {
			s.failed(f.w, f.r, "find the next step", err)
			return false
		}
		welcome = slices.Contains(ways, m)
	}
	if !welcome { // the form of a step that is past
		s.onward(f.w, f.in, "")
	}
	return welcome
}

// keys reports whether a form leads to the person's passkeys.
func (f *submission) keys() bool { return f.form["then"] == "passkeys" }

// back shows the page that a form was on, with what went wrong.
func (s *Server) back(f *submission, p problem) {
	path := ""
	if f.keys() {
		path = keysPath
	}
	s.onwardTo(f.w, path, f.in, p)
}

// code checks the code of an authenticator app: a step-up. A code works once.
func (s *Server) code(f *submission) {
	if !s.proving(f, byCode) {
		return
	}
	typed := strings.TrimSpace(f.form["otp"])
	if typed == "" {
		s.back(f, emptyCode)
		return
	}
	ctx, now := f.r.Context(), s.o.Now()
	person := f.in.Person
	phone, err := unseal(s.seal, s.active(person.Subject))
	if err != nil {
		s.failed(f.w, f.r, "open the secret of an app", err)
		return
	}
	tries := try{limits.code, person.Subject}
	failures, err := spend(ctx, s.o.Store, now, tries)
	if errors.Is(err, errTooMany) {
		checked(amrOTP, "limited")
		s.back(f, tooMany)
		return
	}
	var right bool
	if err == nil {
		right, err = phone.use(ctx, s.o.Store, typed, now)
	}
	if err != nil {
		s.failed(f.w, f.r, "check a code", err)
		return
	}
	login := &authz.Login{Person: person, Known: true, Result: signals.Failure, Method: signals.OTP, RecentFailures: failures, Origin: s.origin(f)}
	if !right {
		checked(amrOTP, "failure")
		s.tell(f, login)
		s.back(f, wrongCode)
		return
	}
	checked(amrOTP, "success")
	if err := restore(ctx, s.o.Store, now, tries); err != nil {
		s.failed(f.w, f.r, "limit tries", err)
		return
	}
	login.Result, login.Person = signals.Success, s.raised(f.in, byCode, []string{amrOTP, amrMultiple})
	s.met(ctx, person.Subject)
	s.prove(f, login)
}
