package history

import (
	"sync"
	"sync/atomic"
	"unsafe"

	"github.com/waryauth/wary/features"
)

const shards = 256

// classes are the sizes of record, in bytes with the key, that a kind may have.
// They are multiples of a cache line but for the smallest.
var classes = [kinds][]int{
	users:    {512, 704, 1152}, // as the user is known by few values or many
	shared:   {256, 1280},      // the larger for those that many users share, see features.Members
	clients:  {960, 1984},
	pairs:    {64},
	accounts: {64},
	values:   {16},
}

// memory is all that a store holds.
type memory struct {
	kinds   [kinds]kind
	shards  [shards]shard
	evicted atomic.Uint64

	totalsLock sync.Mutex
	totals     features.Totals
}

// shard holds the records whose key begins with its number.
type shard struct {
	sync.Mutex
	pending bool // for one of its tables at least
	tables  [kinds]table
	_       [64]byte // keeps the locks of two shards out of one cache line
}

func newMemory(limits *[kinds]int) *memory {
	m := &memory{}
	for k, limit := range limits {
		of, n := &m.kinds[k], slotsOf(limit)
		of.index, of.slots = reserveWords(m, n*shards), uint64(n)
		for class, size := range classes[k] {
			of.slabs[class].reserve(m, size, limit*shards)
		}
		for i := range m.shards {
			m.shards[i].tables[k] = table{of: of, lo: i * n, hi: (i + 1) * n, hand: i * n, limit: limit, evicted: &m.evicted}
		}
	}
	return m
}

// slotsOf returns how long an index for so many records is: three quarters full.
func slotsOf(limit int) int { return limit*4/3 + 1 }

func (m *memory) lock(k features.Key) *shard {
	sh := &m.shards[k>>56]
	sh.Lock()
	return sh
}

// take locks the shard of a record and returns it, the record's slot and what
// follows its key; a record that did not exist is made. The key is not zero.
//
// Most records were used before, and then nothing but the index says what is to be
// done. The tables, 150 kB that no cache keeps, are not looked at: with 3 million
// records the fold of a login takes 1.25 us and not 1.8.
func (m *memory) take(kind int, k features.Key) (sh *shard, slot int, record unsafe.Pointer) {
	sh, of := m.lock(k), &m.kinds[kind]
	slot, record = of.find(k)
	if record == nil || sh.pending || of.index[slot]&recencyMask != usedAgain {
		slot, record = sh.tables[kind].take(k)
	}
	return sh, slot, record
}

// take is memory.take for a record of fixed size.
func take[T any](m *memory, kind int, k features.Key) (*shard, *T) {
	sh, _, r := m.take(kind, k)
	return sh, (*T)(r)
}

// copyOf copies a record of fixed size; what does not exist is zero.
func copyOf[T any](m *memory, kind int, to *T, k features.Key) {
	if k == 0 {
		*to = *new(T)
		return
	}
	sh := m.lock(k)
	if _, r := m.kinds[kind].find(k); r != nil {
		*to = *(*T)(r)
	} else {
		*to = *new(T)
	}
	sh.Unlock()
}

// headBytes are the sizes of records after their key; a user's varies, and behind a
// shared entity and a client follow members.
var headBytes = [kinds]int{
	shared:   int(unsafe.Sizeof(features.Shared{})),
	clients:  int(unsafe.Sizeof(features.Party{})),
	pairs:    int(unsafe.Sizeof(features.Pair{})),
	accounts: int(unsafe.Sizeof(features.Account{})),
	values:   4,
}

// membersOf returns the members behind a shared entity or a client.
func membersOf(kind int, record unsafe.Pointer) *features.Members {
	return (*features.Members)(unsafe.Add(record, headBytes[kind]))
}

// bytesInUse returns how many bytes after the key a record makes use of.
func bytesInUse(kind int, record unsafe.Pointer) int {
	switch kind {
	case users:
		return (*features.User)(record).Size()
	case shared, clients: // a party begins with what it shares
		return headBytes[kind] + (*features.Shared)(record).MemberBytes()
	}
	return headBytes[kind]
}

// A *features.User or *features.Members into a slab is longer than the record
// there: nothing beyond what is in use is ever touched through it, and a slab ends
// with room for one more.

func (m *memory) recallUser(to *features.User, k features.Key) {
	if k == 0 {
		*to = features.User{}
		return
	}
	sh := m.lock(k)
	_, r := m.kinds[users].find(k)
	loadUser(to, (*features.User)(r))
	sh.Unlock()
}

func loadUser(to, from *features.User) {
	n := 0
	if from != nil {
		n = from.Size()
		copy(bytesOf(to)[:n], bytesOf(from)[:n])
	}
	clear(bytesOf(to)[n:])
}

// errand is a record that a trace needs.
type errand struct {
	key  features.Key
	kind int
}

// touchedLines is how many lines of a record are asked for, with its key: of a shared
// entity those that it has with few members, of a user and a client the first, as the
// processor sees by itself that they are read on.
var touchedLines = [kinds]int{users: 8, shared: 3, clients: 8, pairs: 1, accounts: 1, values: 1}

// touch asks memory for the records of a trace at once, so that their delays
// overlap instead of adding up: first for what leads to them, then for them. It
// takes no lock: what it finds may be outdated, and costs time only.
func (m *memory) touch(t *features.Trace) {
	errands := [...]errand{
		{t.User, users}, {t.Address, shared}, {t.Subnet, shared}, {t.ASN, shared}, {t.Device, shared}, {t.Fingerprint, shared},
		{t.Payee, shared},
		{t.Client, clients}, {t.UserClient, pairs}, {t.UserAddress, pairs}, {t.User, accounts}, {t.Client, accounts},
		{t.Country, values}, {t.Agent, values}, {t.Browser, values}, {t.OS, values}, {t.Class, values},
	}
	for i := range errands {
		if e := &errands[i]; e.key != 0 {
			of := &m.kinds[e.kind]
			prefetch(unsafe.Pointer(&of.index[of.home(e.key)]), 1)
		}
	}
	for i := range errands {
		if e := &errands[i]; e.key != 0 {
			r, class := m.kinds[e.kind].peek(e.key)
			if r == nil {
				continue
			}
			prefetch(r, touchedLines[e.kind])
			if class > 0 && headBytes[e.kind] > 0 {
				prefetch(unsafe.Add(r, keyBytes+headBytes[e.kind]+features.MemberAt(t.Typed)), 1)
			}
		}
	}
}

// bytesOf returns the bytes of a value without pointers, in place.
func bytesOf[T any](v *T) []byte {
	return unsafe.Slice((*byte)(unsafe.Pointer(v)), unsafe.Sizeof(*v))
}
