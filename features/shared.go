package features

import "github.com/waryauth/wary/signals"

// Shared is what is remembered of an entity that many users share: an address,
// a subnet, an autonomous system, a device or a fingerprint. Its folds commute:
// what it and its [Members] hold is a function of the set of traces folded into
// them, whatever their order. It holds no pointer and no padding. Its counts end at
// 2^32-1.
type Shared struct {
	Successes uint32
	first     uint32 // attempt, Unix seconds, 0 never
	newest    clock
	registers uint32 // of the members, that are not zero
	spans     [Spans]two[visits]
	users     [Spans]censuses
	hour      two[visitsHour]
}

// visits are what many users did in a bucket.
type visits struct{ attempts, failures uint32 }

type visitsHour struct {
	unknown uint32 // attempts on subjects that do not exist
	devices few
}

// Attempt counts an attempt that was decided, and its failure if it failed. m is
// the moment of the trace. The members are those behind the record, with all their
// room where it is [Shared.Crowded].
func (s *Shared) Attempt(t *Trace, m *Moment, members *Members) {
	s.first = earlier(s.first, m)
	d := s.newest.until(m)
	members.slide(s, &d)
	members.add(s, t.Typed, &d)
	for i := range s.spans {
		c := s.spans[i].at(d[i])
		if c == nil {
			continue
		}
		c.attempts = increment(c.attempts)
		if t.Result == signals.Failure {
			c.failures = increment(c.failures)
		}
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
func (s *Shared) Fail(_ *Trace, m *Moment, members *Members) {
	d := s.newest.until(m)
	members.slide(s, &d)
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
	if c.distance[s] > 1 {
		return 0
	}
	n := &c.Shared.users[s]
	return slide(c.distance[s], c.m.left[s], n.cur.count(), n.both.count())
}

func (c sharedAt) unknown() float32 {
	return estimate(c.distance[Hour], c.m.left[Hour], c.hour.cur.unknown, c.hour.prev.unknown)
}

// A crowd's address is a gateway: a carrier's, an office's, a chain of shops'. So many
// subjects in 30 days and successes since the start make one: who only tries many
// subjects does not.
const crowdUsers, crowdSuccesses = 20, 40

// crowd reports whether many people share an address.
func (s *Shared) crowd(m *Moment) bool {
	return s.Successes >= crowdSuccesses && s.lookAt(m).users(Month) >= crowdUsers
}

func (c sharedAt) devices() float32 {
	return fewOver(c.distance[Hour], c.m.left[Hour], c.hour.cur.devices, c.hour.prev.devices)
}
