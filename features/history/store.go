// Package history answers: what is remembered of the entities of an attempt?
//
// A [Store] holds the records of users, of what users share (addresses, subnets,
// autonomous systems, devices, fingerprints), of clients, of pairs, and how often
// values came with a success. [Store.Recall] copies those of one attempt into a
// profile; [Store.Attempt], [Store.Succeed] and [Store.Fail] fold a trace in.
// They are the folds of the log: the same traces in the same order make the same
// state bit for bit, and for all but one user's own records in any order.
//
// Records have fixed sizes and hold no pointer. They lie outside the collector's
// memory where the system allows, in pages that are taken as they are needed;
// nothing is ever moved to grow. An attempt touches some 14 records: what leads
// to the larger and then they themselves are asked of memory all at once, before
// the first is waited for.
//
// Memory is bounded: beyond its limit a new record takes the place of one that
// was not folded into lately. What was evicted counts as never seen. Which record
// that is depends on the order of all folds of its shard: it is the same in a
// store that folds the same traces in the same order, be it through a snapshot.
package history

import (
	"sync/atomic"
	"unsafe"

	"github.com/waryauth/wary/features"
	"github.com/waryauth/wary/signals"
)

// Options bound a Store.
type Options struct {
	// MaxEntities is how many records are kept, about, over all kinds; 0 is a
	// million. Of 200, users may hold 50, shared entities 78, clients 2, pairs 56,
	// accounts 4 and values 10, so that a flood of addresses cannot push out users. A million,
	// full, is about 300 MB.
	MaxEntities int
}

const (
	defaultMaxEntities = 1_000_000
	mostEntities       = 1 << 29 // an entry's place has 28 bits
)

// Kinds of records.
const (
	users = iota
	shared
	clients
	pairs
	accounts // what events told of users and clients
	values
	kinds
)

// Of 200 records, how many may be of a kind.
var parts = [kinds]int{users: 50, shared: 78, clients: 2, pairs: 56, accounts: 4, values: 10}

// Store is the memory of one node. All methods are safe for concurrent use; each
// holds at most one lock at a time. Who folds attempts of one user at once
// decides their order.
type Store struct {
	limits [kinds]int // records of a kind in a shard
	memory atomic.Pointer[memory]
	image  chan struct{} // holds a token while no image is out
}

// New returns an empty store. It reserves room for all it may hold, of which the
// system gives what is used.
func New(o Options) *Store {
	if o.MaxEntities <= 0 {
		o.MaxEntities = defaultMaxEntities
	}
	s := &Store{image: make(chan struct{}, 1)}
	for k, part := range parts {
		s.limits[k] = max(min(o.MaxEntities, mostEntities)*part/(200*shards), 4)
	}
	s.memory.Store(newMemory(&s.limits))
	s.image <- struct{}{}
	return s
}

// Recall fills the profile with copies of the records of a trace. What does not
// exist is zero. It changes nothing, so it keeps no record from eviction.
func (s *Store) Recall(p *features.Profile, t *features.Trace) {
	m := s.memory.Load()
	m.touch(t)
	m.recallUser(&p.User, t.User)
	copyOf(m, shared, &p.Address, t.Address)
	copyOf(m, shared, &p.Subnet, t.Subnet)
	copyOf(m, shared, &p.ASN, t.ASN)
	copyOf(m, shared, &p.Device, t.Device)
	copyOf(m, shared, &p.Print, t.Fingerprint)
	copyOf(m, shared, &p.Payee, t.Payee)
	copyOf(m, clients, &p.Client, t.Client)
	copyOf(m, pairs, &p.Pair, t.UserClient)
	copyOf(m, pairs, &p.Here, t.UserAddress)
	copyOf(m, accounts, &p.Account, t.User)
	copyOf(m, accounts, &p.Registration, t.Client)
	copyOf(m, values, &p.Country, t.Country)
	copyOf(m, values, &p.Agent, t.Agent)
	copyOf(m, values, &p.Browser, t.Browser)
	copyOf(m, values, &p.OS, t.OS)
	copyOf(m, values, &p.Class, t.Class)
	m.totalsLock.Lock()
	p.Totals = m.totals
	m.totalsLock.Unlock()
}

// deeds are what a fold does with a trace.
type deeds uint8

const (
	attempt deeds = 1 << iota
	success
	failure
)

// Attempt folds an attempt that was decided, as its Outcome says. Folds are quick
// where the trace was just recalled or touched.
func (s *Store) Attempt(t *features.Trace) { s.memory.Load().fold(t, attempt) }

// Succeed folds a success that may teach: the caller tells once for each, after
// any challenge was passed, and never for one that was denied.
func (s *Store) Succeed(t *features.Trace) { s.memory.Load().fold(t, success) }

// AttemptSucceed is Attempt and then Succeed at less than the cost of both.
func (s *Store) AttemptSucceed(t *features.Trace) { s.memory.Load().fold(t, attempt|success) }

// Fail folds a failure that became known after its attempt: a pending check
// failed, or a challenge.
func (s *Store) Fail(t *features.Trace) { s.memory.Load().fold(t, failure) }

// Event folds an event of a user or a client, at a time in Unix milliseconds. In
// whatever order events come, they make the same state.
func (s *Store) Event(of features.Key, e signals.EventType, ms int64) {
	if of != 0 && features.Tells(e) {
		s.memory.Load().foldEvent(of, e, ms)
	}
}

// Touch asks memory for the records of a trace that will be folded soon without
// having been recalled.
func (s *Store) Touch(t *features.Trace) { s.memory.Load().touch(t) }

// Erase forgets a user. The user's pairs are kept under a hash of both keys, from
// which neither can be found; they age out. Sums over all users stay.
func (s *Store) Erase(user features.Key) {
	sh := s.memory.Load().lock(user)
	sh.tables[users].drop(user)
	sh.tables[accounts].drop(user)
	sh.Unlock()
}

// Stats say how full a Store is.
type Stats struct {
	Users, Shared, Pairs, Accounts, Values int    // clients are counted as shared
	Evicted                                uint64 // records, since the start
	Bytes                                  int64  // of records, taken or freed, and of their index
}

// Len counts the records.
func (s *Store) Len() Stats {
	m := s.memory.Load()
	st := Stats{Evicted: m.evicted.Load(), Bytes: int64(unsafe.Sizeof(*m))}
	for i := range m.shards {
		sh := &m.shards[i]
		sh.Lock()
		st.Users += sh.tables[users].n
		st.Shared += sh.tables[shared].n + sh.tables[clients].n
		st.Pairs += sh.tables[pairs].n
		st.Accounts += sh.tables[accounts].n
		st.Values += sh.tables[values].n
		sh.Unlock()
	}
	for k := range m.kinds {
		st.Bytes += 8 * int64(len(m.kinds[k].index))
		for class := range classes[k] {
			st.Bytes += m.kinds[k].slabs[class].used()
		}
	}
	return st
}
