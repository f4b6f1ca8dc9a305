// Package narrowing answers: how much that nobody uses is no longer granted, and who is
// refused what they need?
//
// [Run] lets the simulated people of bench/population grant their third parties what
// these ask for, with the default policy's section narrowing and without. What a client
// really uses is made up here, since the population does not say: of each sensitive scope
// that it asks for a client is, by a coin, one that uses it in Habitual of its grants, or
// one that hardly ever does (Hardly).
package narrowing

import (
	"hash/fnv"
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/waryauth/wary/bench/population"
	"github.com/waryauth/wary/engine"
	"github.com/waryauth/wary/features/scopes"
	"github.com/waryauth/wary/signals"
)

// What clients use.
const (
	Habitual = 0.9  // share of grants
	Hardly   = 0.01 // share of grants
)

// sensitive are the scopes of sensitivity 2 and more in the default policy that the
// population asks for, but for offline_access, which is never withheld.
var sensitive = [...]string{"beneficiaries", "payments", "transactions"}

// Result counts what was granted after the first Warm of the time.
type Result struct {
	Grants       int
	Before       int // sensitive scopes granted without narrowing
	UnusedBefore int // of them, never used
	After        int // and with it
	UnusedAfter  int
	Used         int // sensitive scopes that a client came to need
	Asked        int // of them: withheld at first, and granted when the client asked for just that
	Refused      int // of them: withheld for good
}

// Warm is the share of the time in which clients are only learned.
const Warm = 0.5

// Share is a part of a whole, 0 of nothing.
func Share(part, whole int) float64 {
	if whole == 0 {
		return 0
	}
	return float64(part) / float64(whole)
}

// client is what is known of a client, and what is true of it.
type client struct {
	counts scopes.Counts
	at     time.Time // of the counts
	uses   map[string]float64
}

// run is one simulation.
type run struct {
	rules   *scopes.Rules
	r       *rand.Rand
	clients map[string]*client
	out     Result
}

// Run counts over a population. It is deterministic.
func Run(o population.Options) Result {
	sim := population.New(o)
	o = sim.Options()
	x := run{rules: engine.DefaultPolicy().Narrowing, r: rand.New(rand.NewPCG(o.Seed, 2)), clients: map[string]*client{}}
	warm := o.Start.Add(time.Duration(float64(o.Days) * Warm * float64(24*time.Hour)))
	for l := range sim.Attempts() {
		a := &l.Attempt
		if a.Action != signals.ConsentGrant || l.Fraud || l.Unattended || a.Client.ID == "" || a.Authentication.Result != signals.Success {
			continue
		}
		x.grant(a, a.Time.After(warm))
	}
	return x.out
}

// grant lets a person grant a client what it asks for, and the client use of it what it
// needs.
func (x *run) grant(a *signals.Attempt, counted bool) {
	c := x.find(a.Client.ID, a.Time)
	q := &scopes.Question{Scopes: slices.Clone(a.Intent.Scopes), Use: scopes.Evidence{Client: c.counts}, Now: a.Time}
	for _, id := range slices.Sorted(maps.Keys(x.clients)) {
		if id != a.Client.ID {
			q.Use.Peers = append(q.Use.Peers, x.find(id, a.Time).counts)
		}
	}
	kept := x.rules.Narrow(q).Scopes
	var out Result
	out.Grants = 1
	for _, s := range a.Intent.Scopes {
		if !slices.Contains(sensitive[:], s) {
			continue
		}
		needed := x.r.Float64() < c.uses[s]
		granted := slices.Contains(kept, s)
		out.Before++
		if needed {
			out.Used++
		} else {
			out.UnusedBefore++
		}
		if needed && !granted { // it asks again, for just that
			again := *q
			again.Scopes, again.Withheld = []string{"openid", s}, func(item string) bool { return item == s }
			if granted = slices.Contains(x.rules.Narrow(&again).Scopes, s); granted {
				out.Asked++
			} else {
				out.Refused++
			}
		}
		if !granted {
			continue
		}
		out.After++
		n := c.counts[s]
		n.Granted++
		if needed {
			n.Used++
		} else {
			out.UnusedAfter++
		}
		c.counts[s] = n
	}
	if counted {
		x.out.add(&out)
	}
}

func (r *Result) add(o *Result) {
	r.Grants += o.Grants
	r.Before += o.Before
	r.UnusedBefore += o.UnusedBefore
	r.After += o.After
	r.UnusedAfter += o.UnusedAfter
	r.Used += o.Used
	r.Asked += o.Asked
	r.Refused += o.Refused
}

// find returns a client with its counts as of a time. What it uses is drawn by its name.
func (x *run) find(id string, at time.Time) *client {
	c := x.clients[id]
	if c == nil {
		c = &client{counts: scopes.Counts{}, at: at, uses: map[string]float64{}}
		for _, s := range sensitive {
			h := fnv.New64a()
			h.Write([]byte(id + " " + s)) // never fails
			if c.uses[s] = Hardly; rand.New(rand.NewPCG(h.Sum64(), 1)).IntN(2) == 0 {
				c.uses[s] = Habitual
			}
		}
		x.clients[id] = c
	}
	if by := math.Exp2(-at.Sub(c.at).Hours() / x.rules.HalfLife().Hours()); by < 1 {
		for s, n := range c.counts {
			c.counts[s] = scopes.Count{Granted: n.Granted * by, Used: n.Used * by}
		}
		c.at = at
	}
	return c
}
