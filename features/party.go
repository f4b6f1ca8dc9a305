package features

import (
	"math/bits"

	"github.com/waryauth/wary/signals"
)

// Party is what is remembered of a client. Its folds commute, as Shared's do: what
// it holds is a function of the traces and ties folded into it.
type Party struct {
	Shared
	// What succeeded with it: scopes and types of authorization details as bits
	// of their hashes, redirect URIs, and systems that called unattended.
	scopes, details     uint64
	redirects, backends bloom

	tiesHour  two[partyHour]
	tiesDay   two[partyDay]
	tiesMonth two[partyMonth]

	scopeFirst                  [64]uint32 // when the scopes of a bit first succeeded, Unix seconds, 0 never
	redirectFirst, backendFirst firsts
}

// Of users that an attempt ties to the client.
type (
	partyHour struct{ newcomers, returning uint32 }
	partyDay  struct {
		newcomers, returning, widened, unattended uint32
		declared                                  many // what it said of people's devices
	}
	partyMonth struct{ denies, returning uint32 }
)

// Tie is what an attempt's user and client were to each other before.
type Tie uint8

// Ties.
const (
	Newcomer  Tie = 1 << iota // the user's first attempt through the client
	Returning                 // an attempt to consent or authorize by a user who has succeeded through it
	Widening                  // asks for scopes beyond those granted the last time
)

// TieOf returns the tie of an attempt whose pair of user and client is p, as it was
// before the attempt.
func (p *Pair) TieOf(t *Trace) (tie Tie) {
	if !p.Known() {
		return Newcomer
	}
	if p.Successes > 0 && (t.Action == signals.ConsentGrant || t.Action == signals.Authorize) {
		tie |= Returning
	}
	if p.scopes != 0 && t.Scopes&^p.scopes != 0 {
		tie |= Widening
	}
	return tie
}

// firsts remember when keys were first seen, about: each lies in two of 32 cells,
// which hold the earliest of all keys there, and the later of the two is believed.
// So a key may look older than it is, never newer: with 8 keys, in one of 6.
type firsts [32]uint32 // Unix seconds, 0 never

func (f *firsts) cells(k Key) (a, b *uint32) { return &f[k&31], &f[k>>32&31] }

func (f *firsts) note(k Key, m *Moment) {
	if k == 0 {
		return
	}
	a, b := f.cells(k)
	*a, *b = earlier(*a, m), earlier(*b, m)
}

// of returns when a key was first seen, 0 for never.
func (f *firsts) of(k Key) uint32 {
	a, b := f.cells(k)
	if *a == 0 || *b == 0 {
		return 0
	}
	return max(*a, *b)
}

// newest returns when the newest of the keys was first seen, about, 0 where there is
// none.
func (f *firsts) newest() (at uint32) {
	for _, first := range f {
		at = max(at, first)
	}
	return at
}

// Attempt counts an attempt that was decided, and its failure if it failed. The
// members are those behind the record, as for [Shared.Attempt].
func (c *Party) Attempt(t *Trace, m *Moment, tie Tie, members *Members) {
	hour, day, month := c.slide(m)
	if hour != nil {
		hour.newcomers = addIf(hour.newcomers, tie&Newcomer != 0)
		hour.returning = addIf(hour.returning, tie&Returning != 0)
	}
	if day != nil {
		day.newcomers = addIf(day.newcomers, tie&Newcomer != 0)
		day.returning = addIf(day.returning, tie&Returning != 0)
		day.widened = addIf(day.widened, tie&Widening != 0)
		day.unattended = addIf(day.unattended, t.Flags&Unattended != 0)
		day.declared.add(t.Declared)
	}
	if month != nil {
		month.denies = addIf(month.denies, t.Outcome == Denied)
		month.returning = addIf(month.returning, tie&Returning != 0)
	}
	c.Shared.Attempt(t, m, members)
}

func addIf(n uint32, yes bool) uint32 {
	if yes {
		return increment(n)
	}
	return n
}

// slide returns the buckets of a moment. The crowd's own slide as its clock moves,
// which must follow.
func (c *Party) slide(m *Moment) (*partyHour, *partyDay, *partyMonth) {
	d := c.newest.until(m)
	return c.tiesHour.at(d[Hour]), c.tiesDay.at(d[Day]), c.tiesMonth.at(d[Month])
}

// Fail counts a failure that became known after its attempt.
func (c *Party) Fail(t *Trace, m *Moment, members *Members) {
	c.slide(m)
	c.Shared.Fail(t, m, members)
}

// Succeed learns from a success.
func (c *Party) Succeed(t *Trace, m *Moment) {
	c.scopes |= t.Scopes
	c.details |= t.Details
	for set := t.Scopes; set != 0; set &= set - 1 {
		bit := bits.TrailingZeros64(set)
		c.scopeFirst[bit] = earlier(c.scopeFirst[bit], m)
	}
	c.redirects.add(t.Redirect)
	c.redirectFirst.note(t.Redirect, m)
	if t.Flags&Unattended != 0 {
		c.backends.add(t.ASN)
		c.backendFirst.note(t.ASN, m)
	}
	c.Shared.Succeed(t, m)
}

// newestScope returns when the newest of some scopes first succeeded, 0 where one never
// did.
func (c *Party) newestScope(scopes uint64) (newest uint32) {
	for ; scopes != 0; scopes &= scopes - 1 {
		at := c.scopeFirst[bits.TrailingZeros64(scopes)]
		if at == 0 {
			return 0
		}
		newest = max(newest, at)
	}
	return newest
}

// partyAt is a client as it looks at a moment.
type partyAt struct {
	sharedAt
	p *Party
}

func (c *Party) lookAt(m *Moment) partyAt { return partyAt{c.Shared.lookAt(m), c} }

func (c partyAt) estimate(s Span, cur, prev uint32) float32 {
	return estimate(c.distance[s], c.m.left[s], cur, prev)
}

func (c partyAt) newcomersHour() float32 {
	return c.estimate(Hour, c.p.tiesHour.cur.newcomers, c.p.tiesHour.prev.newcomers)
}

func (c partyAt) newcomersDay() float32 {
	return c.estimate(Day, c.p.tiesDay.cur.newcomers, c.p.tiesDay.prev.newcomers)
}

func (c partyAt) returningHour() float32 {
	return c.estimate(Hour, c.p.tiesHour.cur.returning, c.p.tiesHour.prev.returning)
}

func (c partyAt) returningDay() float32 {
	return c.estimate(Day, c.p.tiesDay.cur.returning, c.p.tiesDay.prev.returning)
}

func (c partyAt) returningMonth() float32 {
	return c.estimate(Month, c.p.tiesMonth.cur.returning, c.p.tiesMonth.prev.returning)
}

func (c partyAt) widenedDay() float32 {
	return c.estimate(Day, c.p.tiesDay.cur.widened, c.p.tiesDay.prev.widened)
}

func (c partyAt) unattendedDay() float32 {
	return c.estimate(Day, c.p.tiesDay.cur.unattended, c.p.tiesDay.prev.unattended)
}

func (c partyAt) denies() float32 {
	return c.estimate(Month, c.p.tiesMonth.cur.denies, c.p.tiesMonth.prev.denies)
}

func (c partyAt) declarations() float32 {
	return manyOver(c.distance[Day], c.m.left[Day], &c.p.tiesDay.cur.declared, &c.p.tiesDay.prev.declared)
}

// Peers are what all clients together did in a day.
type Peers struct {
	Attempts, Failures, Newcomers, Returning, Widened, Unattended Window // Day
}

// Attempt counts an attempt through a client.
func (p *Peers) Attempt(t *Trace, m *Moment, tie Tie) {
	p.Attempts.Add(m, Day)
	for _, w := range [...]struct {
		window *Window
		yes    bool
	}{
		{&p.Failures, t.Result == signals.Failure}, {&p.Newcomers, tie&Newcomer != 0}, {&p.Returning, tie&Returning != 0},
		{&p.Widened, tie&Widening != 0}, {&p.Unattended, t.Flags&Unattended != 0},
	} {
		if w.yes {
			w.window.Add(m, Day)
		}
	}
}
