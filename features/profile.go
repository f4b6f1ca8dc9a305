package features

import "github.com/waryauth/wary/signals"

// Profile is what is remembered of the entities of one attempt: copies, filled
// by features/history, so that extraction takes no lock. A record that does not
// exist is the zero value.
type Profile struct {
	User    User
	Address Shared
	Subnet  Shared
	ASN     Shared
	Device  Shared
	Print   Shared // fingerprint
	Client  Party
	Pair    Pair // user and client
	Here    Pair // user and address
	Payee   Shared

	Account, Registration Account // what events told of the user and of the client

	// Successes with this value, over all users: the global terms of the
	// Freeman score.
	Country, Agent, Browser, OS, Class uint32

	Totals Totals
}

// Totals are sums over all users.
type Totals struct {
	Successes uint64 // N
	Users     uint64 // M, users with at least one success
	// Distinct values that came with a success so far, V_s.
	Addresses, ASNs, Countries, Agents, Browsers, Systems, Classes uint64
	Attempts, Failures                                             Window // Hour
	Peers                                                          Peers
}

// Attempt counts an attempt that was decided, and its failure if it failed. m is
// the moment of the trace, tie the user's to the client.
func (c *Totals) Attempt(t *Trace, m *Moment, tie Tie) {
	if t.Client != 0 {
		c.Peers.Attempt(t, m, tie)
	}
	c.Attempts.Add(m, Hour)
	if t.Result == signals.Failure {
		c.Failures.Add(m, Hour)
	}
}

// Fail counts a failure that became known after its attempt.
func (c *Totals) Fail(t *Trace, m *Moment) {
	if t.Client != 0 {
		c.Peers.Failures.Add(m, Day)
	}
	c.Failures.Add(m, Hour)
}

// Add adds sums to sums, windows left out.
func (c *Totals) Add(d *Totals) {
	c.Successes += d.Successes
	c.Users += d.Users
	c.Addresses += d.Addresses
	c.ASNs += d.ASNs
	c.Countries += d.Countries
	c.Agents += d.Agents
	c.Browsers += d.Browsers
	c.Systems += d.Systems
	c.Classes += d.Classes
}
