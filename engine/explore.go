package engine

import (
	"math/rand/v2"

	"github.com/waryauth/wary/signals"
)

// explore is the policy's random-allow bucket: the share of people who for a day are let
// in although the model alone would challenge or deny them, so that it is learned what
// such attempts turn out to be. The zero value is none.
type explore struct {
	Share float64 `yaml:"share"`
	Below float64 `yaml:"below"` // only below this probability
}

// RandomAllow is the code of the reason that the bucket let an attempt in; its value is
// the share: the attempt's propensity.
const RandomAllow = "RANDOM_ALLOW"

// explore reads the section explore.
func (c *compiler) explore(e explore) {
	if e != (explore{}) && !(e.Share > 0 && e.Share <= 0.05 && e.Below > 0 && e.Below <= 0.5) {
		c.fail("explore", "needs a share above 0 and at most 0.05, and below above 0 and at most 0.5")
	}
	c.policy.explored = e
}

// explored reports whether the bucket lets the attempt in: nobody who asks for a payment
// or more, whom a list, a fault or their history speaks of, or whose check failed. Of one
// person all attempts of a day get the same draw: trying again does not help.
func (x *Assessment) explored(p *Policy) bool {
	in, t := &x.inputs, &x.Trace
	if p.explored.Share == 0 || x.Decision.Outcome == Allow || x.Decision.Degraded != 0 || !(x.Decision.Probability < p.explored.Below) ||
		t.User == 0 || t.Result == signals.Failure || in.action == signals.Payment || in.action == signals.AccountChange || in.listed != [len(in.listed)]uint8{} ||
		p.ClassOf(in.scopes, in.details) != Ordinary {
		return false
	}
	if least, _ := p.stranger(in); least > Allow {
		return false
	}
	var draw rand.PCG
	draw.Seed(uint64(t.User), uint64(t.Time/(24*60*60*1000)))
	return float64(draw.Uint64()>>11)/(1<<53) < p.explored.Share
}
