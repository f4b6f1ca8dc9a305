package features

import "github.com/waryauth/wary/signals"

// Shared is what is remembered of an entity that many users share: an address,
// a subnet, an autonomous system, a device or a fingerprint. Its folds commute:
// what it holds is a function of the set of traces folded into it, whatever their
// order. It holds no pointer and no padding. Its counts end at 2^32-1.
type Shared struct {
	Successes uint32
	first     uint32 // attempt, Unix seconds, 0 never
	newest    clock
	_         uint32
	spans     [Spans]two[visits]
	hour      two[visitsHour]
}

// visits are what many users did in a bucket.
type visits struct {
	attempts, failures uint32
	users              many
}

type visitsHour struct {
	unknown uint32 // attempts on subjects that do not exist
	devices few
}

// Attempt counts an attempt that was decided, and its failure if it failed. m is
// the moment of the trace.
func (s *Shared) Attempt(t *Trace, m *Moment) {
	s.first = earlier(s.first, m)
	d := s.newest.until(m)
	for i := range s.spans {
		c := s.spans[i].at(d[i])
		if c == nil {
			continue
		}
		c.attempts = increment(c.attempts)
		if t.Result == signals.Failure {
			c.failures = increment(c.failures)
		}
		c.users.add(t.Typed)
	}
	if h := s.hour.at(d[Hour]); h != nil {
		if t.Flags&UnknownSubject != 0 {
			h.unknown = increment(h.unknown)
		}
		h.devices.add(t.Device)
	}
	s.newest.advance(m)
}

func earlier(first uint32, m *Moment) uint32 {
	if at := m.seconds(); first == 0 || at < first {
		return at
	}
	return first
}

// Fail counts a failure that became known after its attempt.
func (s *Shared) Fail(_ *Trace, m *Moment) {
	d := s.newest.until(m)
	for i := range s.spans {
		if c := s.spans[i].at(d[i]); c != nil {
			c.failures = increment(c.failures)
		}
	}
	s.hour.at(d[Hour])
	s.newest.advance(m)
}

// Succeed learns from a success. Successes counts those of people alone: it is
// a term of the Freeman score, which knows no servers.
func (s *Shared) Succeed(t *Trace, _ *Moment) {
	if t.Flags&Unattended == 0 {
		s.Successes = increment(s.Successes)
	}
}

// sharedAt is a shared entity as it looks at a moment.
type sharedAt struct {
	*Shared
	m *Moment
	distance
}

func (s *Shared) lookAt(m *Moment) sharedAt { return sharedAt{s, m, s.newest.until(m)} }

func (c sharedAt) attempts(s Span) float32 {
	w := &c.spans[s]
	return estimate(c.distance[s], c.m.left[s], w.cur.attempts, w.prev.attempts)
}

func (c sharedAt) failures(s Span) float32 {
	w := &c.spans[s]
	return estimate(c.distance[s], c.m.left[s], w.cur.failures, w.prev.failures)
}

func (c sharedAt) users(s Span) float32 {
	w := &c.spans[s]
	return manyOver(c.distance[s], c.m.left[s], &w.cur.users, &w.prev.users)
}

func (c sharedAt) unknown() float32 {
	return estimate(c.distance[Hour], c.m.left[Hour], c.hour.cur.unknown, c.hour.prev.unknown)
}

func (c sharedAt) devices() float32 {
	return fewOver(c.distance[Hour], c.m.left[Hour], c.hour.cur.devices, c.hour.prev.devices)
}

// Party is what is remembered of a client. Its folds commute, as Shared's do.
type Party struct {
	Shared
	// What succeeded with it: scopes and types of authorization details as bits
	// of their hashes, redirect URIs, and systems that called unattended.
	scopes, details     uint64
	redirects, backends bloom

	newHour two[uint32] // users who came through it for the first time
	denies  two[uint32] // Month
	day     two[partyDay]
}

type partyDay struct {
	newcomers uint32
	_         uint32
	declared  many // what it said of people's devices
}

// Attempt counts an attempt that was decided, and its failure if it failed. A
// newcomer is a user who came through the client for the first time.
func (c *Party) Attempt(t *Trace, m *Moment, newcomer bool) {
	hour, day, month := c.slide(m)
	if month != nil && t.Outcome == Denied {
		*month = increment(*month)
	}
	if day != nil {
		day.declared.add(t.Declared)
	}
	if hour != nil && newcomer {
		*hour = increment(*hour)
	}
	if day != nil && newcomer {
		day.newcomers = increment(day.newcomers)
	}
	c.Shared.Attempt(t, m)
}

// slide returns the buckets of a moment. The crowd's own slide as its clock moves,
// which must follow.
func (c *Party) slide(m *Moment) (hour *uint32, day *partyDay, month *uint32) {
	d := c.newest.until(m)
	return c.newHour.at(d[Hour]), c.day.at(d[Day]), c.denies.at(d[Month])
}

// Fail counts a failure that became known after its attempt.
func (c *Party) Fail(t *Trace, m *Moment) {
	c.slide(m)
	c.Shared.Fail(t, m)
}

// Succeed learns from a success.
func (c *Party) Succeed(t *Trace, m *Moment) {
	c.scopes |= t.Scopes
	c.details |= t.Details
	c.redirects.add(t.Redirect)
	if t.Flags&Unattended != 0 {
		c.backends.add(t.ASN)
	}
	c.Shared.Succeed(t, m)
}

// partyAt is a client as it looks at a moment.
type partyAt struct {
	sharedAt
	p *Party
}

func (c *Party) lookAt(m *Moment) partyAt { return partyAt{c.Shared.lookAt(m), c} }

func (c partyAt) newcomersHour() float32 {
	return estimate(c.distance[Hour], c.m.left[Hour], c.p.newHour.cur, c.p.newHour.prev)
}

func (c partyAt) newcomersDay() float32 {
	return estimate(c.distance[Day], c.m.left[Day], c.p.day.cur.newcomers, c.p.day.prev.newcomers)
}

func (c partyAt) denies() float32 {
	return estimate(c.distance[Month], c.m.left[Month], c.p.denies.cur, c.p.denies.prev)
}

func (c partyAt) declarations() float32 {
	return manyOver(c.distance[Day], c.m.left[Day], &c.p.day.cur.declared, &c.p.day.prev.declared)
}
