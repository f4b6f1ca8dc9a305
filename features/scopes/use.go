package scopes

import "time"

// Count is how many grants that are in use had an item, and in how many of them it was
// used: both fade, so that neither is a whole number.
type Count struct {
	Granted, Used float64
}

// Counts are counts by item (see ItemOf).
type Counts map[string]Count

// Evidence is what is known of how a client uses what it is granted.
type Evidence struct {
	Person Counts   // by this client, of this person's grants
	Client Counts   // by this client, of all grants
	Peers  []Counts // by each other client
}

// HalfLife is the time in which a count fades to a half.
func (r *Rules) HalfLife() time.Duration { return r.halfLife }

// Expect returns the expected share of grants in which an item is used, from 0 to 1.
//
// It is the mean of a Beta distribution, three times over: with a prior of mean p
// that is worth m grants, u uses in g grants give
//
//	(m p + u) / (m + g)
//
// (Gelman et al., Bayesian Data Analysis, 3rd ed., section 2.4). The prior of a person's
// grants is the client's share, and the prior of the client's is that of its peers,
// estimated from their counts, of which none weighs more than m grants: empirical
// Bayes (Casella, An Introduction to Empirical Bayes Data Analysis, The American
// Statistician 39, 1985). Before anybody has used anything the share is 1: what
// nothing is known of is not withheld. m is the policy's strength.
func (r *Rules) Expect(item string, e *Evidence) float64 {
	granted, used := 0.0, 0.0
	for _, peer := range e.Peers {
		c := peer[item].sane()
		weight := 1.0
		if c.Granted > r.strength {
			weight = r.strength / c.Granted
		}
		granted += weight * c.Granted
		used += weight * c.Used
	}
	share := r.shrunk(1, granted, used)
	for _, counts := range [...]Counts{e.Client, e.Person} {
		c := counts[item].sane()
		share = r.shrunk(share, c.Granted, c.Used)
	}
	return share
}

// shrunk returns the share of uses, drawn to a prior.
func (r *Rules) shrunk(prior, granted, used float64) float64 {
	return (r.strength*prior + used) / (r.strength + granted)
}

// sane makes nothing of what is no count, and never more uses than grants.
func (c Count) sane() Count {
	if !(c.Granted >= 0 && c.Granted < 1e15) || !(c.Used >= 0) {
		return Count{}
	}
	return Count{c.Granted, min(c.Used, c.Granted)}
}
