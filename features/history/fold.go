package history

import "github.com/waryauth/wary/features"

// sharedKeys are the keys of a trace's shared entities.
func sharedKeys(t *features.Trace) [5]features.Key {
	return [5]features.Key{t.Address, t.ASN, t.Subnet, t.Device, t.Fingerprint}
}

// Places in sharedKeys whose distinct values the Freeman score needs.
const (
	addressKey = 0
	asnKey     = 1
)

// fold does what was done to every record of the trace, one after the other. Each
// is locked once; the records of a trace do not depend on each other, but that a
// client counts the users who are new to it, of which the pair knows.
func (m *memory) fold(t *features.Trace, do deeds) {
	now := features.MomentOf(t.Time)
	var fresh features.Totals // what a success adds to the sums
	if t.User != 0 {
		fresh.Users = m.foldUser(t, &now, do)
	}
	if t.UserAddress != 0 {
		m.foldPair(t.UserAddress, t, &now, do)
	}
	newcomer := t.UserClient != 0 && m.foldPair(t.UserClient, t, &now, do)
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
		m.foldClient(t, &now, do, newcomer)
	}
	if t.Flags&features.Unattended == 0 && do&success != 0 { // a client's server is none of the values that people have
		fresh.Countries = m.countValue(t.Country)
		fresh.Agents = m.countValue(t.Agent)
		fresh.Browsers = m.countValue(t.Browser)
		fresh.Systems = m.countValue(t.OS)
		fresh.Classes = m.countValue(t.Class)
		fresh.Successes = 1
	}
	m.foldTotals(t, &now, do, &fresh)
}

// foldUser returns 1 where the user succeeded for the first time. A success is
// folded into a copy: the record may need more room by then.
func (m *memory) foldUser(t *features.Trace, now *features.Moment, do deeds) (first uint64) {
	sh := m.lock(t.User)
	defer sh.Unlock()
	table := &sh.tables[users]
	slot, r := table.take(t.User)
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
	var learnt features.User
	loadUser(&learnt, u)
	learnt.Succeed(t, now)
	first = firstOf(u.Successes, learnt.Successes)
	n := learnt.Size()
	copy(bytesOf((*features.User)(table.fit(slot, n)))[:n], bytesOf(&learnt)[:n])
	return first
}

// foldPair reports whether the pair had no attempt before.
func (m *memory) foldPair(k features.Key, t *features.Trace, now *features.Moment, do deeds) (fresh bool) {
	sh, p := take[features.Pair](m, pairs, k)
	fresh = !p.Known()
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
	return fresh
}

// foldShared returns 1 where the entity came with a success for the first time.
func (m *memory) foldShared(k features.Key, t *features.Trace, now *features.Moment, do deeds) (first uint64) {
	sh, r := take[features.Shared](m, shared, k)
	before := r.Successes
	if do&attempt != 0 {
		r.Attempt(t, now)
	}
	if do&success != 0 {
		r.Succeed(t, now)
	}
	if do&failure != 0 {
		r.Fail(t, now)
	}
	first = firstOf(before, r.Successes)
	sh.Unlock()
	return first
}

func (m *memory) foldClient(t *features.Trace, now *features.Moment, do deeds, newcomer bool) {
	sh, c := take[features.Party](m, clients, t.Client)
	if do&attempt != 0 {
		c.Attempt(t, now, newcomer)
	}
	if do&success != 0 {
		c.Succeed(t, now)
	}
	if do&failure != 0 {
		c.Fail(t, now)
	}
	sh.Unlock()
}

func (m *memory) foldTotals(t *features.Trace, now *features.Moment, do deeds, fresh *features.Totals) {
	m.totalsLock.Lock()
	if do&attempt != 0 {
		m.totals.Attempt(t, now)
	}
	if do&success != 0 && t.Flags&features.Unattended == 0 {
		m.totals.Add(fresh)
	}
	if do&failure != 0 {
		m.totals.Fail(t, now)
	}
	m.totalsLock.Unlock()
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
