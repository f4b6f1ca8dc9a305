package history

import (
	"unsafe"

	"github.com/waryauth/wary/features"
	"github.com/waryauth/wary/signals"
)

// sharedKeys are the keys of a trace's shared entities.
func sharedKeys(t *features.Trace) [6]features.Key {
	return [6]features.Key{t.Address, t.ASN, t.Subnet, t.Device, t.Fingerprint, t.Payee}
}

// Places in sharedKeys whose distinct values the Freeman score needs.
const (
	addressKey = 0
	asnKey     = 1
)

// fold does what was done to every record of the trace, one after the other. Each
// is locked once; the records of a trace do not depend on each other, but that a
// client counts what its users are to it, of which the pair knows.
func (m *memory) fold(t *features.Trace, do deeds) {
	now := features.MomentOf(t.Time)
	var fresh features.Totals // what a success adds to the sums
	if t.User != 0 {
		fresh.Users = m.foldUser(t, &now, do)
	}
	if t.UserAddress != 0 {
		m.foldPair(t.UserAddress, t, &now, do)
	}
	var tie features.Tie
	if t.UserClient != 0 {
		tie = m.foldPair(t.UserClient, t, &now, do)
	}
	for i, k := range sharedKeys(t) {
		if k == 0 {
			continue
		}
		first := m.foldShared(k, t, &now, do)
		switch i {
		case addressKey:
			fresh.Addresses = first
		case asnKey:
			fresh.ASNs = first
		}
	}
	if t.Client != 0 {
		m.foldClient(t, &now, do, tie)
	}
	if t.Flags&features.Unattended == 0 && do&success != 0 { // a client's server is none of the values that people have
		fresh.Countries = m.countValue(t.Country)
		fresh.Agents = m.countValue(t.Agent)
		fresh.Browsers = m.countValue(t.Browser)
		fresh.Systems = m.countValue(t.OS)
		fresh.Classes = m.countValue(t.Class)
		fresh.Successes = 1
	}
	m.foldTotals(t, &now, do, tie, &fresh)
}

// foldUser returns 1 where the user succeeded for the first time. A success that
// the record may have no room for is folded into a copy.
func (m *memory) foldUser(t *features.Trace, now *features.Moment, do deeds) (first uint64) {
	sh, slot, r := m.take(users, t.User)
	defer sh.Unlock()
	u := (*features.User)(r)
	if do&attempt != 0 {
		u.Attempt(t, now)
	}
	if do&failure != 0 {
		u.Fail(t, now)
	}
	if do&success == 0 {
		return 0
	}
	before := u.Successes
	if u.Size()+features.MostLearnt <= m.kinds[users].room(slot) {
		u.Succeed(t, now)
		return firstOf(before, u.Successes)
	}
	var learnt features.User
	loadUser(&learnt, u)
	learnt.Succeed(t, now)
	n := learnt.Size()
	if n > m.kinds[users].room(slot) {
		u = (*features.User)(sh.tables[users].fit(slot, n))
	}
	copy(bytesOf(u)[:n], bytesOf(&learnt)[:n])
	return firstOf(before, learnt.Successes)
}

// foldPair returns what the two were to each other before.
func (m *memory) foldPair(k features.Key, t *features.Trace, now *features.Moment, do deeds) (tie features.Tie) {
	sh, p := take[features.Pair](m, pairs, k)
	tie = p.TieOf(t)
	if do&attempt != 0 {
		p.Attempt(t, now)
	}
	if do&success != 0 {
		p.Succeed(t, now)
	}
	if do&failure != 0 {
		p.Fail(t, now)
	}
	sh.Unlock()
	return tie
}

// foldShared returns 1 where the entity came with a success for the first time.
func (m *memory) foldShared(k features.Key, t *features.Trace, now *features.Moment, do deeds) (first uint64) {
	sh, p, members := m.takeCrowd(shared, k)
	r := (*features.Shared)(p)
	before := r.Successes
	if do&attempt != 0 {
		r.Attempt(t, now, members)
	}
	if do&success != 0 {
		r.Succeed(t, now)
	}
	if do&failure != 0 {
		r.Fail(t, now, members)
	}
	first = firstOf(before, r.Successes)
	sh.Unlock()
	return first
}

func (m *memory) foldClient(t *features.Trace, now *features.Moment, do deeds, tie features.Tie) {
	sh, p, members := m.takeCrowd(clients, t.Client)
	c := (*features.Party)(p)
	if do&attempt != 0 {
		c.Attempt(t, now, tie, members)
	}
	if do&success != 0 {
		c.Succeed(t, now)
	}
	if do&failure != 0 {
		c.Fail(t, now, members)
	}
	sh.Unlock()
}

// takeCrowd is take for a shared entity or a client, with the members behind it and
// the room that an attempt may need there.
func (m *memory) takeCrowd(kind int, k features.Key) (*shard, unsafe.Pointer, *features.Members) {
	sh, slot, record := m.take(kind, k)
	if (*features.Shared)(record).Crowded() && classOf(m.kinds[kind].index[slot]) == 0 { // a party begins with what it shares
		record = sh.tables[kind].fit(slot, headBytes[kind]+features.AllBytes)
	}
	return sh, record, membersOf(kind, record)
}

func (m *memory) foldTotals(t *features.Trace, now *features.Moment, do deeds, tie features.Tie, fresh *features.Totals) {
	m.totalsLock.Lock()
	if do&attempt != 0 {
		m.totals.Attempt(t, now, tie)
	}
	if do&success != 0 && t.Flags&features.Unattended == 0 {
		m.totals.Add(fresh)
	}
	if do&failure != 0 {
		m.totals.Fail(t, now)
	}
	m.totalsLock.Unlock()
}

// foldEvent notes an event of a user or a client.
func (m *memory) foldEvent(k features.Key, e signals.EventType, ms int64) {
	now := features.MomentOf(ms)
	sh, a := take[features.Account](m, accounts, k)
	a.Event(e, &now)
	sh.Unlock()
}

// countValue counts a success with a value and returns 1 if it was the first.
func (m *memory) countValue(k features.Key) (first uint64) {
	if k == 0 {
		return 0
	}
	sh, n := take[uint32](m, values, k)
	first = firstOf(*n, 1)
	if *n+1 != 0 {
		*n++
	}
	sh.Unlock()
	return first
}

// firstOf returns 1 where a count left zero.
func firstOf(before, after uint32) uint64 {
	if before == 0 && after > 0 {
		return 1
	}
	return 0
}
