package features

import "github.com/waryauth/wary/signals"

// Pair is what is remembered of a user together with a client or an address.
// As the user's, its folds depend on the order of the user's attempts. It holds
// no pointer and no padding. Its counts end at 2^16-1.
type Pair struct {
	scopes      uint64 // granted the last time any were
	lastSuccess uint32 // Unix seconds, 0 never
	newest      clock
	// The last use of a token.
	asn, agent, country uint32

	hour two[pairHour]
	day  two[pairDay]

	Successes uint16
	known     uint8 // 1 once it had an attempt
	_         [5]uint8
}

type pairHour struct{ attempts, failures uint16 }

type pairDay struct{ attempts, failures, unattended uint16 }

// Known reports whether the pair had an attempt.
func (p *Pair) Known() bool { return p.known != 0 }

// slide returns the buckets of a moment, nil for which it is too late.
func (p *Pair) slide(m *Moment) (*pairHour, *pairDay) {
	d := p.newest.until(m)
	p.newest.advance(m)
	return p.hour.at(d[Hour]), p.day.at(d[Day])
}

// Attempt counts an attempt that was decided, and its failure if it failed. m is
// the moment of the trace.
func (p *Pair) Attempt(t *Trace, m *Moment) {
	p.known = 1
	failed := t.Result == signals.Failure
	hour, day := p.slide(m)
	if hour != nil {
		hour.attempts = increment(hour.attempts)
		if failed {
			hour.failures = increment(hour.failures)
		}
	}
	if day != nil {
		day.attempts = increment(day.attempts)
		if failed {
			day.failures = increment(day.failures)
		}
		if t.Flags&Unattended != 0 {
			day.unattended = increment(day.unattended)
		}
	}
}

// Fail counts a failure that became known after its attempt.
func (p *Pair) Fail(_ *Trace, m *Moment) {
	hour, day := p.slide(m)
	if hour != nil {
		hour.failures = increment(hour.failures)
	}
	if day != nil {
		day.failures = increment(day.failures)
	}
}

// Succeed learns from a success.
func (p *Pair) Succeed(t *Trace, m *Moment) {
	p.Successes = increment(p.Successes)
	p.lastSuccess = max(p.lastSuccess, m.seconds())
	if t.Scopes != 0 {
		p.scopes = t.Scopes
	}
	if usesToken(t.Action) {
		p.asn, p.agent, p.country = short(t.ASN), short(t.Agent), short(t.Country)
	}
}

// usesToken reports whether an action presents a token or code that was issued
// before.
func usesToken(a signals.Action) bool {
	return a == signals.TokenRequest || a == signals.Refresh || a == signals.API
}

func (p *Pair) attemptsHour(m *Moment) float32 {
	return estimate(p.newest.until(m)[Hour], m.left[Hour], uint32(p.hour.cur.attempts), uint32(p.hour.prev.attempts))
}

func (p *Pair) failuresHour(m *Moment) float32 {
	return estimate(p.newest.until(m)[Hour], m.left[Hour], uint32(p.hour.cur.failures), uint32(p.hour.prev.failures))
}

func (p *Pair) attemptsDay(m *Moment) float32 {
	return estimate(p.newest.until(m)[Day], m.left[Day], uint32(p.day.cur.attempts), uint32(p.day.prev.attempts))
}

func (p *Pair) failuresDay(m *Moment) float32 {
	return estimate(p.newest.until(m)[Day], m.left[Day], uint32(p.day.cur.failures), uint32(p.day.prev.failures))
}

func (p *Pair) unattendedDay(m *Moment) float32 {
	return estimate(p.newest.until(m)[Day], m.left[Day], uint32(p.day.cur.unattended), uint32(p.day.prev.unattended))
}
