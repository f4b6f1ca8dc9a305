package ceremony

import (
	"errors"
	"strings"

	"github.com/waryauth/wary/authz"
	"github.com/waryauth/wary/signals"
)

// code checks the code of an authenticator app: the step-up. A code works once.
func (s *Server) code(f *submission) {
	if s.next(f.in) != provePossession { // the form of a step that is past
		s.onward(f.w, f.in, "")
		return
	}
	typed := strings.TrimSpace(f.form["otp"])
	if typed == "" {
		s.onward(f.w, f.in, emptyCode)
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
		s.onward(f.w, f.in, tooMany)
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
	login := &authz.Login{Person: person, Known: true, Result: signals.Failure, Method: signals.OTP, RecentFailures: failures, Origin: s.o.Origin(f.r)}
	if !right {
		checked(amrOTP, "failure")
		s.tell(f, login)
		s.onward(f.w, f.in, wrongCode)
		return
	}
	checked(amrOTP, "success")
	if err := restore(ctx, s.o.Store, now, tries); err != nil {
		s.failed(f.w, f.r, "limit tries", err)
		return
	}
	login.Result = signals.Success
	login.Person.ACR, login.Person.AMR, login.Person.AuthTime = PossessionACR, []string{amrPassword, amrOTP, amrMultiple}, now
	s.prove(f, login)
}
