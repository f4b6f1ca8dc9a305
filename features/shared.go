package features

import "github.com/waryauth/wary/signals"

// Shared is what is remembered of an entity that many users share: an address,
// a subnet, an autonomous system, a device, a fingerprint or a client. Its folds
// commute: what it holds is a function of the set of traces folded into it,
// whatever their order. It holds no pointer and no padding.
type Shared struct {
	First, Last int64 // of its attempts, Unix milliseconds, 0 never
	// What succeeded with it: scopes and types of authorization details as bits
	// of their hashes, redirect URIs, and systems that called unattended.
	scopes, details     uint64
	redirects, backends bloom

	Successes          uint32
	attempts, failures [Spans]Window
	users              [Spans]Distinct
	unknown            Window   // Hour: attempts on subjects that do not exist
	denies             Window   // Month
	newHour, newDay    Window   // users who came through it for the first time
	declarations       Distinct // Day: what a client said of people's devices
	devices            Few      // Hour
	_                  uint32
}

// Attempt counts an attempt that was decided, and its failure if it failed.
func (s *Shared) Attempt(t *Trace) {
	m := MomentOf(t.Time)
	if s.First == 0 || m.ms < s.First {
		s.First = m.ms
	}
	s.Last = max(s.Last, m.ms)
	for i := range s.attempts {
		s.attempts[i].Add(&m, Span(i))
		s.users[i].Add(&m, Span(i), t.Typed)
	}
	if t.Result == signals.Failure {
		s.fail(&m)
	}
	if t.Flags&UnknownSubject != 0 {
		s.unknown.Add(&m, Hour)
	}
	if t.Outcome == Denied {
		s.denies.Add(&m, Month)
	}
	s.devices.Add(&m, Hour, t.Device)
	s.declarations.Add(&m, Day, t.Declared)
}

// Newcomer counts a user who came through it for the first time.
func (s *Shared) Newcomer(t *Trace) {
	m := MomentOf(t.Time)
	s.newHour.Add(&m, Hour)
	s.newDay.Add(&m, Day)
}

// Fail counts a failure that became known after its attempt.
func (s *Shared) Fail(t *Trace) {
	m := MomentOf(t.Time)
	s.fail(&m)
}

func (s *Shared) fail(m *Moment) {
	for i := range s.failures {
		s.failures[i].Add(m, Span(i))
	}
}

// Succeed learns from a success. Successes counts those of people alone: it is
// a term of the Freeman score, which knows no servers.
func (s *Shared) Succeed(t *Trace) {
	s.scopes |= t.Scopes
	s.details |= t.Details
	s.redirects.add(t.Redirect)
	if t.Flags&Unattended != 0 {
		s.backends.add(t.ASN)
		return
	}
	s.Successes = increment(s.Successes)
}

// Pair is what is remembered of a user together with a client or an address.
// As the user's, its folds depend on the order of the user's attempts.
type Pair struct {
	First, Last int64 // of its attempts, Unix milliseconds, 0 never
	LastSuccess int64
	scopes      uint64 // granted the last time any were

	Successes                 uint32
	attemptsHour, attemptsDay Window
	failuresHour, failuresDay Window
	unattended                Window // Day
	// The last use of a token.
	asn, agent, country uint32
	_                   uint32
}

// Attempt counts an attempt that was decided, and its failure if it failed.
func (p *Pair) Attempt(t *Trace) {
	m := MomentOf(t.Time)
	if p.First == 0 || m.ms < p.First {
		p.First = m.ms
	}
	p.Last = max(p.Last, m.ms)
	p.attemptsHour.Add(&m, Hour)
	p.attemptsDay.Add(&m, Day)
	if t.Flags&Unattended != 0 {
		p.unattended.Add(&m, Day)
	}
	if t.Result == signals.Failure {
		p.fail(&m)
	}
}

// Fail counts a failure that became known after its attempt.
func (p *Pair) Fail(t *Trace) {
	m := MomentOf(t.Time)
	p.fail(&m)
}

func (p *Pair) fail(m *Moment) {
	p.failuresHour.Add(m, Hour)
	p.failuresDay.Add(m, Day)
}

// Succeed learns from a success.
func (p *Pair) Succeed(t *Trace) {
	p.Successes = increment(p.Successes)
	p.LastSuccess = max(p.LastSuccess, MomentOf(t.Time).ms)
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
