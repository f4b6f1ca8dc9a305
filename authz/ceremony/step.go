package ceremony

import (
	"errors"
	"net/http"
	"net/url"
	"slices"

	"github.com/waryauth/wary/authz"
	"github.com/waryauth/wary/engine"
	"github.com/waryauth/wary/signals"
)

// step is what a person is to do next.
type step uint8

const (
	proveKnowledge  step = iota // type name and password
	provePossession             // type a code
	cannotProve                 // more is asked for than they have
	giveConsent
	refused // nothing: the engine refused
)

// next returns the step that an interaction is at.
func (s *Server) next(in *authz.Interaction) step {
	p := &in.Person
	asked := in.Challenge != nil || !s.a.Satisfies(in, p)
	switch {
	case p.Subject == "":
		return proveKnowledge
	case s.active(p.Subject) == nil: // since they proved who they are
		return refused
	case asked && s.canProve(in):
		return provePossession
	case asked:
		return cannotProve
	case in.Offer != nil:
		return giveConsent
	}
	return refused
}

// active returns the account of a subject that may log in, or nil.
func (s *Server) active(subject string) *account {
	if known := s.accounts.Load().bySubject[subject]; known != nil && !known.disabled {
		return known
	}
	return nil
}

// canProve reports whether a code would meet what is asked of a person. One whose
// code in this very interaction did not meet it is not asked for another.
func (s *Server) canProve(in *authz.Interaction) bool {
	p := in.Person
	if known := s.active(p.Subject); known == nil || known.totp == "" || slices.Contains(p.AMR, amrOTP) && !p.AuthTime.Before(in.Created) {
		return false
	}
	if c := in.Challenge; c != nil && !slices.Contains(c.ACRValues, PossessionACR) &&
		!slices.ContainsFunc(c.AMR, func(amr string) bool { return amr == amrOTP || amr == amrMultiple }) {
		return false
	}
	p.ACR, p.AuthTime = PossessionACR, s.o.Now()
	return s.a.Satisfies(in, &p)
}

// show answers the one address of all steps: it shows the step that the interaction is
// at. A login session stands for the password where it may.
func (s *Server) show(w http.ResponseWriter, r *http.Request) {
	q, err := parseForm(r.URL.RawQuery)
	if err != nil {
		s.ErrorPage(w, r, http.StatusBadRequest, string(authz.InvalidRequest))
		return
	}
	in, err := s.a.Interaction(r.Context(), q["interaction"], browser(r))
	if err != nil {
		s.failed(w, r, "read the interaction", err)
		return
	}
	if in.Person.Subject == "" && !s.resume(w, r, in) {
		return
	}
	at := s.next(in)
	if at == refused {
		s.o.Finish(w, r, in, authz.Answer{Error: authz.AccessDenied})
		return
	}
	if in.Request.Prompts("none") { // nothing may be shown (OpenID Connect Core, section 3.1.2.1)
		s.o.Finish(w, r, in, authz.Answer{Error: silent[at]})
		return
	}
	s.page(w, r, in, at, problem(q["problem"]))
}

// silent holds what a client is told at a step where no page may be shown.
var silent = [...]authz.ErrorCode{
	proveKnowledge: authz.LoginRequired, provePossession: authz.InteractionRequired, cannotProve: authz.InteractionRequired, giveConsent: authz.ConsentRequired,
}

// resume lets a login session stand for the password and reports whether to go on.
func (s *Server) resume(w http.ResponseWriter, r *http.Request, in *authz.Interaction) bool {
	p := s.session(r)
	if p == nil || in.Request.Prompts("select_account") || !s.a.Satisfies(in, p) {
		return true
	}
	out, err := s.a.Authenticated(r.Context(), in, &authz.Login{Person: *p, Known: true, Result: signals.Success, Method: signals.NoMethod, Origin: s.o.Origin(r)})
	return s.judged(w, r, in, out, err)
}

// judged deals with the engine's answer to a check and reports whether there is a next
// step to show.
func (s *Server) judged(w http.ResponseWriter, r *http.Request, in *authz.Interaction, out engine.Outcome, err error) bool {
	var refused *authz.Error
	switch {
	case errors.As(err, &refused):
		s.o.Finish(w, r, in, authz.Answer{Error: authz.TemporarilyUnavailable})
	case err != nil:
		s.failed(w, r, "ask the engine", err)
	case out == engine.Deny:
		s.o.Finish(w, r, in, authz.Answer{Error: authz.AccessDenied})
	default:
		return true
	}
	return false
}

// failed shows why an interaction cannot go on: that it is over, or a fault.
func (s *Server) failed(w http.ResponseWriter, r *http.Request, doing string, err error) {
	switch {
	case errors.Is(err, authz.ErrGone):
		s.ErrorPage(w, r, http.StatusBadRequest, string(authz.InvalidRequestURI))
	case errors.Is(err, errBusy) || errors.Is(err, r.Context().Err()):
		s.ErrorPage(w, r, http.StatusServiceUnavailable, string(authz.TemporarilyUnavailable))
	default:
		s.o.Log.Error("ceremony: "+doing, "error", err)
		s.ErrorPage(w, r, http.StatusServiceUnavailable, string(authz.TemporarilyUnavailable))
	}
}

// onward sends the browser to the step that the interaction is at now (303: with a
// GET), where a problem of the last one is told.
func (s *Server) onward(w http.ResponseWriter, in *authz.Interaction, p problem) {
	q := url.Values{"interaction": {in.ID}}
	if p != "" {
		q.Set("problem", string(p))
	}
	w.Header().Set("Location", s.o.Path+"?"+q.Encode())
	w.WriteHeader(http.StatusSeeOther)
}
