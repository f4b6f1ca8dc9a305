package engine

import (
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/waryauth/wary/features"
	"github.com/waryauth/wary/features/lists"
)

// Stage is where in an exchange an authorization server asks the engine.
type Stage uint8

// Stages.
const (
	Pushed         Stage = iota + 1 // the client pushes a request
	Authenticated                   // a person has proved who they are, or failed to
	Redeemed                        // a code is exchanged
	Refreshed                       // a refresh token is used
	ForClientToken                  // a client asks for a token of its own
	Introspected                    // a resource server asks whether a token is good
	Changed                         // a person changes how they prove who they are
	Stages         int   = iota + 1
)

// Fault is how an engine may leave an authorization server without an answer.
type Fault uint8

// Faults.
const (
	FaultError   Fault = iota // an error, or a panic
	FaultSlow                 // no answer by the deadline
	FaultGarbage              // an answer that makes no sense
	FaultBusy                 // too many questions are under way
	Faults       int   = iota
)

// Class is what is asked for, as far as a fault distinguishes it.
type Class uint8

// Classes, the more harm they can do the later.
const (
	Ordinary Class = iota
	Payments
	Administration
	Classes int = iota
)

// Wire names by value.
var (
	StageNames = [Stages]string{"", "pushed", "authenticated", "redeemed", "refreshed", "client", "introspected", "changed"}
	FaultNames = [Faults]string{"error", "slow", "garbage", "busy"}
	ClassNames = [Classes]string{"ordinary", "payments", "administration"}
)

// faultTable is the policy's section faults. Where it says nothing, the answer is deny.
type faultTable struct {
	payments, administration uint8 // least sensitivities
	life                     time.Duration
	answers                  [Faults][Stages][Classes]Outcome
}

type faultsDocument struct {
	Payments       uint8                                   `yaml:"payments"`
	Administration uint8                                   `yaml:"administration"`
	Life           int                                     `yaml:"life_s"`
	Answers        map[string]map[string]map[string]string `yaml:"answers"`
}

// ClassOf returns the class of what is asked: that of its most sensitive part. types
// are those of authorization details.
func (p *Policy) ClassOf(scopes, types []string) Class {
	most := uint8(0)
	for _, s := range scopes {
		most = max(most, lookup(p.scopes, s, p.unknown.scope))
	}
	for _, t := range types {
		most = max(most, lookup(p.details, t, p.unknown.detail))
	}
	switch {
	case most >= p.faults.administration:
		return Administration
	case most >= p.faults.payments:
		return Payments
	}
	return Ordinary
}

// UnderFault returns what follows for a subject of a client where the engine itself gives
// no answer, and how long what is granted nevertheless lives at most. Whom a list denies
// by name is denied, and a policy without the section denies everyone.
func (p *Policy) UnderFault(f Fault, s Stage, c Class, subject, client string) (Outcome, time.Duration) {
	if out := p.faults.answers[f][s][c]; out != features.Undecided && !lists.Denies(p.lists, subject, client) {
		return out, p.faults.life
	}
	return Deny, 0
}

// faultsTable reads the section faults: rows by fault and stage, "default" for those
// that have none of their own.
func (c *compiler) faultsTable(d *faultsDocument) {
	if d == nil {
		return
	}
	t := &c.policy.faults
	t.payments, t.administration, t.life = d.Payments, d.Administration, time.Duration(d.Life)*time.Second
	if d.Payments == 0 || d.Administration < d.Payments {
		c.fail("faults", "need 0 < payments <= administration")
	}
	if d.Life < 10 || d.Life > c.policy.ttl[High] {
		c.fail("faults.life_s", "is %d, must be 10 seconds to token_ttl_s.high, %d: what nobody judged is no better than high risk", d.Life, c.policy.ttl[High])
	}
	c.faultClasses()
	c.faultNames("faults.answers", slices.Collect(maps.Keys(d.Answers)), FaultNames[:])
	for _, f := range slices.Sorted(maps.Keys(d.Answers)) {
		c.faultNames("faults.answers."+f, slices.Collect(maps.Keys(d.Answers[f])), StageNames[1:])
		for _, s := range slices.Sorted(maps.Keys(d.Answers[f])) {
			c.faultRow("faults.answers."+f+"."+s, d.Answers[f][s], s)
		}
	}
	if _, ok := d.Answers["default"]["default"]; !ok {
		c.fail("faults.answers", "need a row \"default\" with a stage \"default\"")
	}
	for f, fault := range FaultNames {
		for s, stage := range StageNames {
			for _, row := range [...]map[string]string{d.Answers[fault][stage], d.Answers[fault]["default"], d.Answers["default"][stage], d.Answers["default"]["default"]} {
				if row != nil {
					for class, name := range ClassNames {
						t.answers[f][s][class] = Outcome(max(slices.Index(OutcomeNames[:], row[name]), 0))
					}
					break
				}
			}
		}
	}
}

// faultClasses refuses boundaries by which payments or administration were ordinary.
func (c *compiler) faultClasses() {
	p := c.policy
	for _, n := range [...]struct {
		path          string
		scopes, types []string
		atLeast       Class
	}{
		{"faults.payments", []string{"payments"}, nil, Payments}, {"faults.payments", nil, []string{"payment_initiation"}, Payments},
		{"faults.administration", []string{"admin"}, nil, Administration},
	} {
		if p.ClassOf(n.scopes, n.types) < n.atLeast {
			c.fail(n.path, "is above the sensitivity of %s", strings.Join(append(n.scopes, n.types...), " "))
		}
	}
}

func (c *compiler) faultNames(path string, names, known []string) {
	for _, n := range names {
		if n != "default" && !slices.Contains(known, n) {
			c.fail(path+"."+n, "must be default or one of %s", strings.Join(known, ", "))
		}
	}
}

// faultRow checks a row. Without the engine nothing new is simply allowed, and neither
// payments nor administration are: allow is for what was granted before.
func (c *compiler) faultRow(path string, row map[string]string, stage string) {
	for name := range row {
		if !slices.Contains(ClassNames[:], name) {
			c.fail(path+"."+name, "is no class; write %s", strings.Join(ClassNames[:], ", "))
		}
	}
	granted := stage == StageNames[Refreshed] || stage == StageNames[Introspected]
	for class, name := range ClassNames {
		if out := c.outcome(path+"."+name, row[name]); out == Allow && !(granted && Class(class) == Ordinary) {
			c.fail(path+"."+name, "says allow: without an answer only what is ordinary and was granted before may be allowed, at %s and %s",
				StageNames[Refreshed], StageNames[Introspected])
		}
	}
}
