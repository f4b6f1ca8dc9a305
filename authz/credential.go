package authz

import (
	"context"

	"github.com/waryauth/wary/engine"
	"github.com/waryauth/wary/signals"
)

// MayChange asks the engine about the person of an interaction who is about to change
// how they prove who they are: to add a passkey, or to take one away. What they proved in
// this interaction counts as the answer to a challenge. Where the engine fails the
// policy's table of faults answers.
func (a *Authority) MayChange(ctx context.Context, in *Interaction, origin *Origin) engine.Outcome {
	p := &in.state.Person
	if p.Subject == "" || in.state.Challenge != nil || p.AuthTime.Before(in.Created) {
		return engine.StepUp
	}
	return a.approve(ctx, &question{
		stage: Changed, client: in.Client, subject: p.Subject, person: p, redirect: in.state.Request.RedirectURI,
		login: &Login{Person: *p, Known: true, Result: signals.Success, Method: signals.NoMethod}, previous: in.state.Decision, origin: origin,
	}).outcome
}
