// Package ledger answers: which fact did this key lead to?
//
// A [Ledger] remembers it in bounded memory: the retry window of attempts, the
// ids of feedback and events, the last fact about a decision. [Ledger.Begin]
// gives a key to one caller; who has it must [Ledger.Put] its fact or
// [Ledger.GiveUp].
package ledger

import (
	"encoding/binary"
	"io"
	"sync"

	"github.com/waryauth/wary/internal/journal"
)

// Ledger maps keys, which are hashes, to facts. When it is full the oldest entry
// gives way. All methods are safe for concurrent use.
//
// Invariants of a shard: ring[next-n .. next) are its n entries in the order of
// their arrival; index maps every key among them to its place in the ring by
// linear probing, and holds no other.
type Ledger[K ~uint64] struct {
	shards [shards]shard[K]
}

const shards = 64

type shard[K ~uint64] struct {
	mu    sync.Mutex
	ring  []Entry[K]
	index []uint32 // place in ring + 1; 0 is free
	next  int      // where the next entry goes
	n     int
}

// Entry is what is remembered of a key.
type Entry[K ~uint64] struct {
	Key     K
	Content K               // of the bytes that came with the key
	At      journal.Address // of the fact; zero while it is being made
	When    int64           // server's clock, Unix milliseconds; 0 is given up
}

// New returns a ledger of at least capacity entries.
func New[K ~uint64](capacity int) *Ledger[K] {
	l := &Ledger[K]{}
	per := max(capacity/shards, 8)
	size := 16
	for size < 2*per {
		size *= 2
	}
	for i := range l.shards {
		l.shards[i].ring = make([]Entry[K], per)
		l.shards[i].index = make([]uint32, size)
	}
	return l
}

func (l *Ledger[K]) shard(k K) *shard[K] { return &l.shards[k>>58%shards] }

// Get returns the entry of a key.
func (l *Ledger[K]) Get(k K) (Entry[K], bool) {
	s := l.shard(k)
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, at := s.find(k); at >= 0 {
		return s.ring[at], true
	}
	return Entry[K]{}, false
}

// Put remembers an entry, in place of one of the same key.
func (l *Ledger[K]) Put(e Entry[K]) {
	s := l.shard(e.Key)
	s.mu.Lock()
	s.put(e)
	s.mu.Unlock()
}

// Begin reserves a key. It returns the standing entry and false where the key
// was taken since `since`; otherwise the key is now the caller's, who must put
// its fact or give it up.
func (l *Ledger[K]) Begin(k, content K, now, since int64) (Entry[K], bool) {
	s := l.shard(k)
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, at := s.find(k); at >= 0 && s.ring[at].When > since {
		return s.ring[at], false
	}
	s.put(Entry[K]{Key: k, Content: content, When: now})
	return Entry[K]{}, true
}

// Forget frees a key whose fact is gone, if it still leads there.
func (l *Ledger[K]) Forget(gone Entry[K]) {
	s := l.shard(gone.Key)
	s.mu.Lock()
	if _, at := s.find(gone.Key); at >= 0 && s.ring[at].At == gone.At {
		s.ring[at].When = 0
	}
	s.mu.Unlock()
}

// GiveUp frees a key that begin reserved, unless its fact has been put.
func (l *Ledger[K]) GiveUp(k K) {
	s := l.shard(k)
	s.mu.Lock()
	if _, at := s.find(k); at >= 0 && s.ring[at].At == (journal.Address{}) {
		s.ring[at].When = 0
	}
	s.mu.Unlock()
}

// find returns the slot of a key in the index and its place in the ring, or the
// slot where it would stand and -1.
func (s *shard[K]) find(k K) (slot, place int) {
	mask := len(s.index) - 1
	for slot = int(k) & mask; s.index[slot] != 0; slot = (slot + 1) & mask {
		if at := int(s.index[slot] - 1); s.ring[at].Key == k {
			return slot, at
		}
	}
	return slot, -1
}

func (s *shard[K]) put(e Entry[K]) {
	if _, at := s.find(e.Key); at >= 0 {
		s.ring[at] = e
		return
	}
	if s.n == len(s.ring) {
		slot, _ := s.find(s.ring[s.next].Key)
		s.remove(slot)
		s.n--
	}
	slot, _ := s.find(e.Key)
	s.ring[s.next] = e
	s.index[slot] = uint32(s.next + 1)
	s.next = (s.next + 1) % len(s.ring)
	s.n++
}

// remove frees a slot and moves later ones back, so that probing never meets a
// gap before a key it looks for (Knuth, TAOCP 6.4, Algorithm R).
func (s *shard[K]) remove(slot int) {
	mask := len(s.index) - 1
	hole := slot
	for next := (slot + 1) & mask; s.index[next] != 0; next = (next + 1) & mask {
		home := int(s.ring[s.index[next]-1].Key) & mask
		if (next-home)&mask >= (next-hole)&mask {
			s.index[hole] = s.index[next]
			hole = next
		}
	}
	s.index[hole] = 0
}

// entryBytes is the length of an entry in a snapshot.
const entryBytes = 8 + 8 + 8 + 8

// Snapshot writes all entries, oldest first within a shard.
func (l *Ledger[K]) Snapshot(w io.Writer) error {
	var b [entryBytes]byte
	for i := range l.shards {
		s := &l.shards[i]
		s.mu.Lock()
		rows := make([]Entry[K], 0, s.n)
		for j := range s.n {
			rows = append(rows, s.ring[(s.next-s.n+j+len(s.ring))%len(s.ring)])
		}
		s.mu.Unlock()
		if err := binary.Write(w, binary.LittleEndian, uint32(len(rows))); err != nil {
			return err
		}
		for _, e := range rows {
			row := binary.LittleEndian.AppendUint64(b[:0], uint64(e.Key))
			row = binary.LittleEndian.AppendUint64(row, uint64(e.Content))
			row = binary.LittleEndian.AppendUint32(binary.LittleEndian.AppendUint32(row, e.At.Segment), e.At.Offset)
			row = binary.LittleEndian.AppendUint64(row, uint64(e.When))
			if _, err := w.Write(row); err != nil {
				return err
			}
		}
	}
	return nil
}

// Restore reads what snapshot wrote; a smaller ledger keeps the newest entries.
func (l *Ledger[K]) Restore(src io.Reader) error {
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
			e := Entry[K]{
				Key:     K(binary.LittleEndian.Uint64(b[0:])),
				Content: K(binary.LittleEndian.Uint64(b[8:])),
				At:      journal.Address{Segment: binary.LittleEndian.Uint32(b[16:]), Offset: binary.LittleEndian.Uint32(b[20:])},
				When:    int64(binary.LittleEndian.Uint64(b[24:])),
			}
			if e.At != (journal.Address{}) { // one being made was not made
				l.Put(e)
			}
		}
	}
	return nil
}
