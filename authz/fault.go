package authz

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/waryauth/wary/engine"
	"github.com/waryauth/wary/signals"
)

// faultOf tells how the engine failed.
func faultOf(cause error) engine.Fault {
	switch {
	case errors.Is(cause, errSlow), errors.Is(cause, context.Canceled), errors.Is(cause, context.DeadlineExceeded):
		return engine.FaultSlow
	case errors.Is(cause, errBusy):
		return engine.FaultBusy
	case errors.Is(cause, errGarbage):
		return engine.FaultGarbage
	}
	return engine.FaultError
}

// unanswered answers a question that the engine left open, by the policy's table of
// faults. What is granted then counts as of high risk and lives as short as the table
// says, and its decision is a name that is no decision's.
func (a *Authority) unanswered(q *question, cause error) *verdict {
	types := make([]string, len(q.details))
	for i, d := range q.details {
		types[i] = d.Type
	}
	p := a.o.Policy()
	fault, class := faultOf(cause), p.ClassOf(q.scopes, types)
	v := &verdict{fault: cause}
	var life time.Duration
	v.outcome, life = p.UnderFault(fault, q.stage, class, q.subject, q.client.ID)
	if v.outcome == engine.StepUp {
		v.challenge = *a.strongest()
		if a.met(q, &v.challenge) || a.justProved(q, &v.challenge) {
			v.outcome = engine.Allow
		}
	}
	if v.outcome == engine.Allow {
		v.approval = &Approval{
			stage: q.stage, client: q.client.ID, subject: q.subject, scopes: q.scopes, details: q.details, life: life, level: engine.High,
			decision: noDecision + engine.FaultNames[fault],
		}
		a.need(v.approval, q)
	}
	faultsTotal[q.stage].Inc()
	faultAnswersTotal[v.outcome].Inc()
	a.o.Log.Warn("the engine gave no answer", "stage", engine.StageNames[q.stage], "fault", engine.FaultNames[fault], "asked", engine.ClassNames[class],
		"follows", engine.OutcomeNames[v.outcome], "error", cause)
	return v
}

// noDecision begins the names of approvals that no decision made.
const noDecision = "fault:"

// serial tells a token of an approval from others: the decision, where there is one.
func (p *Approval) serial() string {
	if strings.HasPrefix(p.decision, noDecision) {
		return randomText(12)
	}
	return p.decision
}

// justProved reports whether the very login that is asked about meets a challenge.
func (a *Authority) justProved(q *question, c *engine.Challenge) bool {
	return q.login != nil && q.login.Result == signals.Success && q.person.proves(c) && a.now().Sub(q.person.AuthTime) < a.o.Lives.Interaction
}

// open returns what is told where the engine gave no answer and the policy allows nothing
// for that: nothing is used up and nothing revoked, since the next try may be answered.
func (v *verdict) open() *Error {
	if v.fault == nil || v.outcome == engine.Allow {
		return nil
	}
	return &Error{Code: TemporarilyUnavailable, Description: "the risk of this request cannot be told now; try again", ACRValues: v.challenge.ACRValues, cause: v.fault}
}
