package authz

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"slices"
	"sync/atomic"
	"time"

	"github.com/waryauth/wary/engine"
	"github.com/waryauth/wary/features/scopes"
	"github.com/waryauth/wary/signals"
)

// Stage is where in the exchange the engine is asked.
type Stage = engine.Stage

// Stages.
const (
	Pushed         = engine.Pushed
	Authenticated  = engine.Authenticated
	Redeemed       = engine.Redeemed
	Refreshed      = engine.Refreshed
	ForClientToken = engine.ForClientToken
	Introspected   = engine.Introspected
	Changed        = engine.Changed
	stages         = engine.Stages
)

// stageActions are the attempts that the stages are to the engine. Where a client
// acts for itself, or for nobody in particular, the action is api, so that a policy
// can tell what is usual of servers from what is usual of people.
var stageActions = [...]signals.Action{
	Pushed: signals.API, Authenticated: signals.Authorize, Redeemed: signals.TokenRequest, Refreshed: signals.Refresh,
	ForClientToken: signals.API, Introspected: signals.API, Changed: signals.AccountChange,
}

// Approval is the engine's leave to grant something: what it let pass of what was
// asked, for how long, and the decision that says so. Its fields are this
// package's own and only approve fills them: the zero Approval, all that another
// package can make, names no decision, and issue refuses it. It is good once.
type Approval struct {
	stage      Stage
	client     string
	subject    string
	scopes     []string
	details    []Detail
	removed    []Removal
	life       time.Duration
	constraint engine.Constraint
	level      engine.Level
	decision   string
	spent      atomic.Bool
}

// question is what the engine is asked.
type question struct {
	stage      Stage
	client     *Client
	subject    string
	person     *Person // nil before one has come, and for a client's own tokens
	login      *Login  // at Authenticated
	redirect   string
	scopes     []string
	details    []Detail
	possession Possession
	issued     time.Time // of the token or code that is presented
	previous   string    // the decision before in this exchange
	origin     *Origin
	habits     habits // at Authenticated
}

// verdict is the engine's answer: an approval with Allow, a challenge with StepUp.
// Where the engine gave none it is the policy's, and fault says why.
type verdict struct {
	outcome   engine.Outcome
	approval  *Approval
	challenge engine.Challenge
	decision  string // "" with a fault
	fault     error
}

// approve asks the engine. Where there is no answer in time, none that makes sense, or a
// failure, the policy's table of faults answers.
func (a *Authority) approve(ctx context.Context, q *question) *verdict {
	x := a.scratch.Get().(*engine.Assessment)
	x.Reset()
	a.attempt(&x.Attempt, q)
	x.Body = []byte(x.Attempt.ID) // the id is new and random: no other bytes come under it
	if err := a.ask(ctx, x); err != nil {
		return a.unanswered(q, err) // x may still be in the engine's hands: it is not pooled again
	}
	v, err := a.judge(q, &x.Decision)
	a.scratch.Put(x)
	if err != nil {
		return a.unanswered(q, err)
	}
	decisionsTotal[q.stage][v.outcome].Inc()
	return v
}

// Faults of the engine.
var (
	errSlow    = errors.New("the engine did not answer in time")
	errBusy    = errors.New("too many questions to the engine are under way")
	errPanic   = errors.New("the engine panicked")
	errGarbage = errors.New("the engine's answer makes no sense")
)

// ask scores an assessment within the deadline. With errSlow the engine may go on
// using x.
func (a *Authority) ask(ctx context.Context, x *engine.Assessment) error {
	select {
	case a.asking <- struct{}{}:
	default:
		return errBusy
	}
	answered := make(chan error, 1)
	go func() {
		defer func() { <-a.asking }()
		defer func() {
			if p := recover(); p != nil {
				a.o.Log.Error("the engine panicked", "fault", p, "stack", string(debug.Stack()))
				answered <- errPanic
			}
		}()
		answered <- a.o.Score(x, a.now())
	}()
	deadline := time.NewTimer(a.o.Deadline)
	defer deadline.Stop()
	select {
	case err := <-answered:
		if err != nil {
			return fmt.Errorf("ask the engine: %w", err)
		}
		return nil
	case <-deadline.C:
		return errSlow
	case <-ctx.Done():
		return ctx.Err()
	}
}

// judge turns a decision into a verdict whose grant is within what was asked, or
// refuses it: garbage is a fault. A challenge that the person met moments ago, in
// this very exchange, is not put again where nobody is there to meet it.
func (a *Authority) judge(q *question, d *engine.Decision) (*verdict, error) {
	v := &verdict{outcome: d.Outcome, decision: d.ID.String()}
	switch d.Outcome {
	case engine.Deny:
		return v, nil
	case engine.StepUp:
		v.challenge = engine.Challenge{ACRValues: slices.Clone(d.Challenge.ACRValues), AMR: slices.Clone(d.Challenge.AMR), MaxAge: d.Challenge.MaxAge}
		if len(v.challenge.ACRValues)+len(v.challenge.AMR) == 0 {
			return nil, errGarbage
		}
		if d.Degraded&engine.DegradedJournal == 0 && a.met(q, &v.challenge) {
			v.outcome = engine.Allow
		}
	case engine.Allow:
	default:
		return nil, errGarbage
	}
	g := &d.Grant
	if g.TTLSeconds <= 0 || int(d.Level) >= engine.Levels || int(g.Constraint) >= len(engine.ConstraintNames) || !(d.Probability >= 0 && d.Probability <= 1) {
		return nil, errGarbage
	}
	if v.outcome == engine.Allow {
		v.approval = &Approval{
			stage: q.stage, client: q.client.ID, subject: q.subject, scopes: scopes.Among(q.scopes, g.Scopes), life: time.Duration(g.TTLSeconds) * time.Second,
			constraint: g.Constraint, level: d.Level, decision: v.decision,
		}
		a.narrow(v.approval, q, g)
	}
	return v, nil
}

// met reports whether the person of an exchange has met a challenge since it began.
func (a *Authority) met(q *question, c *engine.Challenge) bool {
	within := time.Duration(c.MaxAge) * time.Second
	switch q.stage {
	case Redeemed:
		within = max(within, a.o.Lives.Interaction+a.o.Lives.Code)
	case Changed:
		within = max(within, a.o.Lives.Interaction)
	case Introspected:
		within = max(within, a.o.Lives.Interaction+a.o.Lives.Code+a.o.Lives.Access)
	}
	return q.stage != Authenticated && q.person != nil && q.person.proves(c) && a.now().Sub(q.person.AuthTime) < within
}

// take spends an approval and reports whether it was good: a decision's, and not
// spent before.
func (p *Approval) take() bool {
	return p != nil && p.decision != "" && p.stage != 0 && p.spent.CompareAndSwap(false, true)
}

// binds reports whether a client's way of binding tokens is as strong as the
// engine asks: a certificate, which the TLS layer proves, counts for a DPoP key.
func (p *Approval) binds(c engine.Constraint) bool {
	return c != engine.AnyConstraint && c >= p.constraint
}

// attempt fills the engine's attempt from a question.
func (a *Authority) attempt(at *signals.Attempt, q *question) {
	at.ID = randomText(16)
	at.Time = a.now()
	at.Action = stageActions[q.stage]
	at.Subject = q.subject
	present := q.stage == Authenticated || q.stage == Changed
	at.UserPresent = signals.Some(present)
	at.PreviousDecisionID = q.previous
	at.Client = signals.Client{ID: q.client.ID, RedirectURI: q.redirect, AuthMethod: q.client.Auth, SoftwareVersion: q.client.SoftwareVersion}
	if q.stage != Pushed && !present { // what is presented, or bound to
		at.Token = signals.Token{DPoPJKT: q.possession.JKT, Binding: q.possession.binding(), Issued: q.issued}
	}
	at.Intent.Scopes = append(at.Intent.Scopes, q.scopes...)
	for _, d := range q.details {
		at.Intent.Details = append(at.Intent.Details, signals.Detail{Type: d.Type, Raw: string(d.Raw)})
	}
	at.Intent.Amount, at.Intent.Currency = scopes.Ordered(q.details)
	if o := q.origin; o != nil {
		at.Network, at.Headers, at.Device, at.Behaviour = o.Network, o.Headers, o.Device, o.Behaviour
	}
	if q.stage != Introspected { // nobody authenticates there, and so nothing is to be learned
		at.Authentication.Result = signals.Success
	}
	if q.login != nil {
		fillLogin(at, q.login)
	}
}

// fillLogin fills in the check of a person's credentials. Of exchanges without the
// person the session is left out: that they were there before is not that they are.
func fillLogin(at *signals.Attempt, l *Login) {
	at.SubjectKnown = signals.Some(l.Known)
	at.Authentication = signals.Authentication{Result: l.Result, Method: l.Method, RecentFailures: signals.Some(float64(l.RecentFailures))}
	p := &l.Person
	at.Session.ID, at.Session.ACR, at.Session.AuthTime = p.Session, p.ACR, p.AuthTime
	at.Session.AMR = append(at.Session.AMR, p.AMR[:min(len(p.AMR), signals.MaxAMR)]...)
}
