package ceremony

import "github.com/waryauth/wary/authz"

// consent ends an interaction with what the person was offered. It is given to what
// the page said: the offer of an interaction changes only with a new authentication,
// and then the form's is another.
func (s *Server) consent(f *submission) {
	at, err := s.next(f.r.Context(), f.in)
	if err != nil {
		s.failed(f.w, f.r, "find the next step", err)
		return
	}
	if at.at != giveConsent || f.form["offer"] != offerOf(f.in) {
		s.onward(f.w, f.in, "")
		return
	}
	s.o.Finish(f.w, f.r, f.in, authz.Answer{All: true})
}

// leave ends an interaction as the person wishes: without anything.
func (s *Server) leave(f *submission) {
	answer := authz.Answer{Error: authz.AccessDenied}
	at, err := s.next(f.r.Context(), f.in)
	if err != nil {
		s.failed(f.w, f.r, "find the next step", err)
		return
	}
	if at.at == cannotProve {
		answer.Error = authz.UnmetAuthentication // OpenID Connect Core Unmet Authentication Requirements 1.0
		if f.in.Challenge != nil {
			answer.Error = authz.InteractionRequired
		}
	}
	s.o.Finish(f.w, f.r, f.in, answer)
}
