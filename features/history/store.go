// Package history answers: what is remembered of the entities of an attempt?
//
// A [Store] holds the records of users, of what users share (addresses, subnets,
// autonomous systems, devices, fingerprints, clients), of pairs, and how often
// values came with a success. [Store.Recall] copies those of one attempt into a
// profile; [Store.Attempt], [Store.Succeed] and [Store.Fail] fold a trace in.
// They are the folds of the log: the same traces in the same order make the same
// state bit for bit, and for all but one user's own records in any order.
//
// Memory is bounded: beyond its limit a new record takes the place of one that
// was not used lately. What was evicted counts as never seen.
package history

import (
	"sync"
	"sync/atomic"
	"unsafe"

	"github.com/waryauth/wary/features"
)

const shards = 256

// Options bound a Store.
type Options struct {
	// MaxEntities is how many records are kept, about, over all kinds; 0 is a
	// million. Of 20, users may hold 5, shared entities 8, pairs 6 and values 1,
	// so that a flood of addresses cannot push out users. A million, full, is
	// about half a gigabyte.
	MaxEntities int
}

const defaultMaxEntities = 1_000_000

// Kinds of records.
const (
	users = iota
	shared
	pairs
	values
	kinds
)

var parts = [kinds]int{users: 5, shared: 8, pairs: 6, values: 1}

// Store is the memory of one node. All methods are safe for concurrent use; each
// holds at most one lock at a time. Who folds attempts of one user at once
// decides their order.
type Store struct {
	shards [shards]shard
	limits [kinds]int // records of a kind in a shard

	totalsLock sync.Mutex
	totals     features.Totals

	evicted atomic.Uint64
}

// shard holds the records whose key begins with its number.
type shard struct {
	sync.Mutex
	users  table[features.User]
	shared table[features.Shared]
	pairs  table[features.Pair]
	values table[uint32] // successes with a value
}

// New returns an empty store.
func New(o Options) *Store {
	if o.MaxEntities <= 0 {
		o.MaxEntities = defaultMaxEntities
	}
	s := &Store{}
	for k, part := range parts {
		s.limits[k] = max(o.MaxEntities/20*part/shards, 4)
	}
	return s
}

func (s *Store) lock(k features.Key) *shard {
	sh := &s.shards[k>>56]
	sh.Lock()
	return sh
}

// Recall fills the profile with copies of the records of a trace. What does not
// exist is zero.
func (s *Store) Recall(p *features.Profile, t *features.Trace) {
	if t.User == 0 {
		p.User = features.User{}
	} else {
		sh := s.lock(t.User)
		sh.users.copy(&p.User, t.User)
		sh.Unlock()
	}
	s.recallShared(&p.Address, t.Address)
	s.recallShared(&p.Subnet, t.Subnet)
	s.recallShared(&p.ASN, t.ASN)
	s.recallShared(&p.Device, t.Device)
	s.recallShared(&p.Print, t.Fingerprint)
	s.recallShared(&p.Client, t.Client)
	s.recallPair(&p.Pair, t.UserClient)
	s.recallPair(&p.Here, t.UserAddress)
	p.Country = s.value(t.Country)
	p.Agent = s.value(t.Agent)
	p.Browser = s.value(t.Browser)
	p.OS = s.value(t.OS)
	p.Class = s.value(t.Class)
	s.totalsLock.Lock()
	p.Totals = s.totals
	s.totalsLock.Unlock()
}

func (s *Store) recallShared(to *features.Shared, k features.Key) {
	if k == 0 {
		*to = features.Shared{}
		return
	}
	sh := s.lock(k)
	sh.shared.copy(to, k)
	sh.Unlock()
}

func (s *Store) recallPair(to *features.Pair, k features.Key) {
	if k == 0 {
		*to = features.Pair{}
		return
	}
	sh := s.lock(k)
	sh.pairs.copy(to, k)
	sh.Unlock()
}

func (s *Store) value(k features.Key) (n uint32) {
	if k == 0 {
		return 0
	}
	sh := s.lock(k)
	sh.values.copy(&n, k)
	sh.Unlock()
	return n
}

// The following lock the shard of a record and return both; a record that did
// not exist is made. The key is not zero.

func (s *Store) user(k features.Key) (*shard, *features.User) {
	sh := s.lock(k)
	return sh, sh.users.take(k, s.limits[users], &s.evicted)
}

func (s *Store) shared(k features.Key) (*shard, *features.Shared) {
	sh := s.lock(k)
	return sh, sh.shared.take(k, s.limits[shared], &s.evicted)
}

func (s *Store) pair(k features.Key) (*shard, *features.Pair) {
	sh := s.lock(k)
	return sh, sh.pairs.take(k, s.limits[pairs], &s.evicted)
}

// sharedKeys are the keys of a trace's shared entities.
func sharedKeys(t *features.Trace) [6]features.Key {
	return [6]features.Key{t.Address, t.ASN, t.Subnet, t.Device, t.Fingerprint, t.Client}
}

// Places in sharedKeys whose distinct values the Freeman score needs.
const (
	addressKey = 0
	asnKey     = 1
)

// Attempt folds an attempt that was decided, as its Outcome says.
func (s *Store) Attempt(t *features.Trace) {
	if t.User != 0 {
		sh, u := s.user(t.User)
		u.Attempt(t)
		sh.Unlock()
	}
	if t.UserAddress != 0 {
		sh, p := s.pair(t.UserAddress)
		p.Attempt(t)
		sh.Unlock()
	}
	newcomer := false
	if t.UserClient != 0 {
		sh, p := s.pair(t.UserClient)
		newcomer = p.First == 0
		p.Attempt(t)
		sh.Unlock()
	}
	for _, k := range sharedKeys(t) {
		if k == 0 {
			continue
		}
		sh, r := s.shared(k)
		r.Attempt(t)
		if newcomer && k == t.Client {
			r.Newcomer(t)
		}
		sh.Unlock()
	}
	s.totalsLock.Lock()
	s.totals.Attempt(t)
	s.totalsLock.Unlock()
}

// Succeed folds a success that may teach: the caller tells once for each, after
// any challenge was passed, and never for one that was denied.
func (s *Store) Succeed(t *features.Trace) {
	var fresh features.Totals // what this success adds to the sums
	if t.User != 0 {
		sh, u := s.user(t.User)
		before := u.Successes
		u.Succeed(t)
		fresh.Users = firstOf(before, u.Successes)
		sh.Unlock()
	}
	for _, k := range [...]features.Key{t.UserAddress, t.UserClient} {
		if k != 0 {
			sh, p := s.pair(k)
			p.Succeed(t)
			sh.Unlock()
		}
	}
	for i, k := range sharedKeys(t) {
		if k == 0 {
			continue
		}
		sh, r := s.shared(k)
		before := r.Successes
		r.Succeed(t)
		first := firstOf(before, r.Successes)
		sh.Unlock()
		switch i {
		case addressKey:
			fresh.Addresses = first
		case asnKey:
			fresh.ASNs = first
		}
	}
	if t.Flags&features.Unattended != 0 {
		return // a client's server is none of the values that people have
	}
	fresh.Countries = s.countValue(t.Country)
	fresh.Agents = s.countValue(t.Agent)
	fresh.Browsers = s.countValue(t.Browser)
	fresh.Systems = s.countValue(t.OS)
	fresh.Classes = s.countValue(t.Class)
	fresh.Successes = 1
	s.totalsLock.Lock()
	s.totals.Add(&fresh)
	s.totalsLock.Unlock()
}

// firstOf returns 1 where a count left zero.
func firstOf(before, after uint32) uint64 {
	if before == 0 && after > 0 {
		return 1
	}
	return 0
}

// countValue counts a success with a value and returns 1 if it was the first.
func (s *Store) countValue(k features.Key) (first uint64) {
	if k == 0 {
		return 0
	}
	sh := s.lock(k)
	n := sh.values.take(k, s.limits[values], &s.evicted)
	first = firstOf(*n, 1)
	if *n+1 != 0 {
		*n++
	}
	sh.Unlock()
	return first
}

// Fail folds a failure that became known after its attempt: a pending check
// failed, or a challenge.
func (s *Store) Fail(t *features.Trace) {
	if t.User != 0 {
		sh, u := s.user(t.User)
		u.Fail(t)
		sh.Unlock()
	}
	for _, k := range [...]features.Key{t.UserAddress, t.UserClient} {
		if k != 0 {
			sh, p := s.pair(k)
			p.Fail(t)
			sh.Unlock()
		}
	}
	for _, k := range sharedKeys(t) {
		if k != 0 {
			sh, r := s.shared(k)
			r.Fail(t)
			sh.Unlock()
		}
	}
	s.totalsLock.Lock()
	s.totals.Fail(t)
	s.totalsLock.Unlock()
}

// Erase forgets a user. The user's pairs are kept under a hash of both keys, from
// which neither can be found; they age out. Sums over all users stay.
func (s *Store) Erase(user features.Key) {
	sh := s.lock(user)
	sh.users.drop(user)
	sh.Unlock()
}

// Stats say how full a Store is.
type Stats struct {
	Users, Shared, Pairs, Values int
	Evicted                      uint64 // records, since the start
	Bytes                        int64  // of records and, about, of their index
}

// Len counts the records.
func (s *Store) Len() Stats {
	st := Stats{Evicted: s.evicted.Load(), Bytes: int64(unsafe.Sizeof(*s))}
	for i := range s.shards {
		sh := &s.shards[i]
		sh.Lock()
		st.Users += sh.users.n
		st.Shared += sh.shared.n
		st.Pairs += sh.pairs.n
		st.Values += sh.values.n
		st.Bytes += sh.users.bytes() + sh.shared.bytes() + sh.pairs.bytes() + sh.values.bytes()
		sh.Unlock()
	}
	return st
}
