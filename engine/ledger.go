package engine

import (
	"encoding/binary"
	"io"
	"sync"
	"time"

	"github.com/waryauth/wary/features"
	"github.com/waryauth/wary/internal/journal"
)

// ledger remembers, in bounded memory, which fact a key led to: the retry
// window of attempts, the ids of feedback and events, the last fact about a
// decision. When it is full the oldest entry gives way.
//
// Invariants of a shard: ring[next-n .. next) are its n entries in the order of
// their arrival; index maps every key among them to its place in the ring by
// linear probing, and holds no other.
type ledger struct {
	shards [ledgerShards]ledgerShard
}

const ledgerShards = 64

type ledgerShard struct {
	mu    sync.Mutex
	ring  []entry
	index []uint32 // place in ring + 1; 0 is free
	next  int      // where the next entry goes
	n     int
}

// entry is what is remembered of a key.
type entry struct {
	key     features.Key
	content features.Key    // of the bytes that came with the key
	at      journal.Address // of the fact; zero while it is being made
	when    int64           // server's clock, Unix milliseconds; 0 is given up
}

// newLedger returns a ledger of at least capacity entries.
func newLedger(capacity int) *ledger {
	l := &ledger{}
	per := max(capacity/ledgerShards, 8)
	size := 16
	for size < 2*per {
		size *= 2
	}
	for i := range l.shards {
		l.shards[i].ring = make([]entry, per)
		l.shards[i].index = make([]uint32, size)
	}
	return l
}

func (l *ledger) shard(k features.Key) *ledgerShard { return &l.shards[k>>58%ledgerShards] }

// get returns the entry of a key.
func (l *ledger) get(k features.Key) (entry, bool) {
	s := l.shard(k)
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, at := s.find(k); at >= 0 {
		return s.ring[at], true
	}
	return entry{}, false
}

// put remembers an entry, in place of one of the same key.
func (l *ledger) put(e entry) {
	s := l.shard(e.key)
	s.mu.Lock()
	s.put(e)
	s.mu.Unlock()
}

// begin reserves a key. It returns the standing entry and false where the key
// was taken since `since`; otherwise the key is now the caller's, who must put
// its fact or give it up.
func (l *ledger) begin(k, content features.Key, now, since int64) (entry, bool) {
	s := l.shard(k)
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, at := s.find(k); at >= 0 && s.ring[at].when > since {
		return s.ring[at], false
	}
	s.put(entry{key: k, content: content, when: now})
	return entry{}, true
}

// forget frees a key whose fact is gone, if it still leads there.
func (l *ledger) forget(gone entry) {
	s := l.shard(gone.key)
	s.mu.Lock()
	if _, at := s.find(gone.key); at >= 0 && s.ring[at].at == gone.at {
		s.ring[at].when = 0
	}
	s.mu.Unlock()
}

// giveUp frees a key that begin reserved, unless its fact has been put.
func (l *ledger) giveUp(k features.Key) {
	s := l.shard(k)
	s.mu.Lock()
	if _, at := s.find(k); at >= 0 && s.ring[at].at == (journal.Address{}) {
		s.ring[at].when = 0
	}
	s.mu.Unlock()
}

// find returns the slot of a key in the index and its place in the ring, or the
// slot where it would stand and -1.
func (s *ledgerShard) find(k features.Key) (slot, place int) {
	mask := len(s.index) - 1
	for slot = int(k) & mask; s.index[slot] != 0; slot = (slot + 1) & mask {
		if at := int(s.index[slot] - 1); s.ring[at].key == k {
			return slot, at
		}
	}
	return slot, -1
}

func (s *ledgerShard) put(e entry) {
	if _, at := s.find(e.key); at >= 0 {
		s.ring[at] = e
		return
	}
	if s.n == len(s.ring) {
		slot, _ := s.find(s.ring[s.next].key)
		s.remove(slot)
		s.n--
	}
	slot, _ := s.find(e.key)
	s.ring[s.next] = e
	s.index[slot] = uint32(s.next + 1)
	s.next = (s.next + 1) % len(s.ring)
	s.n++
}

// remove frees a slot and moves later ones back, so that probing never meets a
// gap before a key it looks for (Knuth, TAOCP 6.4, Algorithm R).
func (s *ledgerShard) remove(slot int) {
	mask := len(s.index) - 1
	hole := slot
	for next := (slot + 1) & mask; s.index[next] != 0; next = (next + 1) & mask {
		home := int(s.ring[s.index[next]-1].key) & mask
		if (next-home)&mask >= (next-hole)&mask {
			s.index[hole] = s.index[next]
			hole = next
		}
	}
	s.index[hole] = 0
}

// entryBytes is the length of an entry in a snapshot.
const entryBytes = 8 + 8 + 8 + 8

// snapshot writes all entries, oldest first within a shard.
func (l *ledger) snapshot(w io.Writer) error {
	var b [entryBytes]byte
	for i := range l.shards {
		s := &l.shards[i]
		s.mu.Lock()
		rows := make([]entry, 0, s.n)
		for j := range s.n {
			rows = append(rows, s.ring[(s.next-s.n+j+len(s.ring))%len(s.ring)])
		}
		s.mu.Unlock()
		if err := binary.Write(w, binary.LittleEndian, uint32(len(rows))); err != nil {
			return err
		}
		for _, e := range rows {
			row := binary.LittleEndian.AppendUint64(b[:0], uint64(e.key))
			row = binary.LittleEndian.AppendUint64(row, uint64(e.content))
			row = appendAddress(row, e.at)
			row = binary.LittleEndian.AppendUint64(row, uint64(e.when))
			if _, err := w.Write(row); err != nil {
				return err
			}
		}
	}
	return nil
}

// restore reads what snapshot wrote; a smaller ledger keeps the newest entries.
func (l *ledger) restore(src io.Reader) error {
	var b [entryBytes]byte
	for range l.shards {
		var n uint32
		if err := binary.Read(src, binary.LittleEndian, &n); err != nil {
			return err
		}
		for range n {
			if _, err := io.ReadFull(src, b[:]); err != nil {
				return err
			}
			r := reader{b: b[:]}
			e := entry{key: features.Key(r.u64()), content: features.Key(r.u64()), at: r.address(), when: int64(r.u64())}
			if e.at != (journal.Address{}) { // one being made was not made
				l.put(e)
			}
		}
	}
	return nil
}

// millis returns a time as the ledgers and traces hold it.
func millis(t time.Time) int64 { return t.UnixMilli() }
