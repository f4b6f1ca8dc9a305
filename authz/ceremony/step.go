package ceremony

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"time"

	"github.com/waryauth/wary/authz"
	"github.com/waryauth/wary/engine"
	"github.com/waryauth/wary/signals"
)

// step is what a person is to do next.
type step uint8

const (
	proveKnowledge step = iota // say who they are, and prove it
	proveMore                  // type a code, or use a passkey
	cannotProve                // more is asked for than they have
	paused                     // too many were asked for and not met
	giveConsent
	refused       // nothing: the engine refused
	ownKeys       // no step of an interaction: the page of the person's passkeys
	stepCount int = iota
)

// position is where an interaction is.
type position struct {
	at    step
	ways  []method  // at proveMore: of which each would do
	held  *holdings // nil before the person is known
	until time.Time // at paused
}

// next returns where an interaction is. The error is the store's.
func (s *Server) next(ctx context.Context, in *authz.Interaction) (position, error) {
	p := &in.Person
	if p.Subject == "" {
		return position{at: proveKnowledge}, nil
	}
	if s.active(p.Subject) == nil { // since they proved who they are
		return position{at: refused}, nil
	}
	held, err := s.holdings(ctx, p.Subject)
	if err != nil {
		return position{}, err
	}
	at := position{at: refused, held: held}
	switch {
	case in.Challenge == nil && s.a.Satisfies(in, p):
		if in.Offer != nil {
			at.at = giveConsent
		}
		return at, nil
	case in.Request.Prompts("none"):
		at.at = proveMore // which nobody is shown, and so no prompt
		return at, nil
	}
	at.at = cannotProve
	ways, err := s.ways(ctx, in, held)
	if err != nil {
		return at, err
	}
	for _, m := range ways {
		if s.meets(in, m, held) {
			at.ways = append(at.ways, m)
		}
	}
	if len(at.ways) > 0 {
		at.at = proveMore
		if at.until, err = s.prompt(ctx, in); !at.until.IsZero() {
			at.at = paused
		}
	}
	return at, err
}

// ways returns how a person can prove more than they did in an interaction. One whose
// code in this very interaction was not enough is not asked for another.
func (s *Server) ways(ctx context.Context, in *authz.Interaction, held *holdings) (ways []method, err error) {
	if s.party != nil && held.usable() && !proved(in, amrHardware, amrSoftware) {
		ways = append(ways, byPasskey)
	}
	if known := s.active(in.Person.Subject); known != nil && known.totp != "" && !proved(in, amrOTP) {
		ways = append(ways, byCode)
	}
	if s.bank != nil && s.bank.knows(in.Person.Subject) {
		asked, err := s.o.Store.Get(ctx, askedKey(in))
		if err != nil {
			return nil, err
		}
		if asked[0].Data == nil {
			ways = append(ways, byBank)
		}
	}
	return ways, nil
}

// active returns the account of a subject that may log in, or nil. Whom the bank knows
// is the bank's to say, whenever they come.
func (s *Server) active(subject string) *account {
	if s.bank != nil {
		if s.bank.knows(subject) {
			return &account{subject: subject}
		}
		return nil
	}
	if known := s.accounts.Load().bySubject[subject]; known != nil && !known.disabled {
		return known
	}
	return nil
}

// nameOf returns the name of a person, as they know it.
func (s *Server) nameOf(subject string) string {
	if known := s.active(subject); known != nil && known.name != "" {
		return known.name
	}
	return english.You
}

// show answers the one address of all steps: it shows the step that the interaction is
// at. A login session stands for the password where it may.
func (s *Server) show(w http.ResponseWriter, r *http.Request) {
	q, in := s.asked(w, r)
	if in == nil {
		return
	}
	if in.Person.Subject == "" && !s.resume(w, r, in) {
		return
	}
	at, err := s.next(r.Context(), in)
	switch {
	case err != nil:
		s.failed(w, r, "find the next step", err)
	case at.at == refused:
		s.o.Finish(w, r, in, authz.Answer{Error: authz.AccessDenied})
	case in.Request.Prompts("none"): // nothing may be shown (OpenID Connect Core, section 3.1.2.1)
		s.o.Finish(w, r, in, authz.Answer{Error: silent[at.at]})
	case at.at == proveKnowledge && s.bank != nil:
		w.Header().Set("Location", s.bankURL(in))
		w.WriteHeader(http.StatusSeeOther)
	default:
		s.page(w, r, in, at, problem(q["problem"]))
	}
}

// silent holds what a client is told at a step where no page may be shown.
var silent = [...]authz.ErrorCode{
	proveKnowledge: authz.LoginRequired, proveMore: authz.InteractionRequired, cannotProve: authz.InteractionRequired, giveConsent: authz.ConsentRequired,
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
	s.onwardTo(w, "", in, p)
}

// onwardTo sends the browser to a page of an interaction, by its path below Path.
func (s *Server) onwardTo(w http.ResponseWriter, path string, in *authz.Interaction, p problem) {
	q := url.Values{"interaction": {in.ID}}
	if p != "" {
		q.Set("problem", string(p))
	}
	w.Header().Set("Location", s.o.Path+path+"?"+q.Encode())
	w.WriteHeader(http.StatusSeeOther)
}
