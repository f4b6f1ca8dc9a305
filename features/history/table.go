package history

import (
	"sync/atomic"
	"unsafe"

	"github.com/waryauth/wary/features"
)

// chunk is how many records are allocated at once.
const chunk = 32

// table holds records by key. Neither its map nor its chunks hold a pointer, so
// that the collector has nothing to scan in them. Its shard's lock guards it.
type table[T any] struct {
	index  map[features.Key]uint32
	chunks []*[chunk]entry[T]
	n      int // records, the first n places of the chunks
	hand   int // where the search for a record to evict goes on
}

type entry[T any] struct {
	key    features.Key
	recent uint64 // 1: used since the hand passed; a word, to leave no padding
	record T
}

func (t *table[T]) at(i uint32) *entry[T] { return &t.chunks[i/chunk][i%chunk] }

// copy copies a record; what does not exist is zero.
func (t *table[T]) copy(to *T, k features.Key) {
	i, ok := t.index[k]
	if !ok {
		var zero T
		*to = zero
		return
	}
	e := t.at(i)
	if e.recent == 0 { // reading alone dirties no cache line
		e.recent = 1
	}
	*to = e.record
}

// take returns the record of a key, a new one where it does not exist. At the
// limit the new one takes the place of a record that was not used lately: the
// clock algorithm, in which what was used but once goes first.
func (t *table[T]) take(k features.Key, limit int, evicted *atomic.Uint64) *T {
	if i, ok := t.index[k]; ok {
		e := t.at(i)
		e.recent = 1
		return &e.record
	}
	if t.index == nil {
		t.index = map[features.Key]uint32{}
	}
	var i uint32
	if t.n < limit {
		i = uint32(t.n)
		t.n++
		if int(i/chunk) == len(t.chunks) {
			t.chunks = append(t.chunks, new([chunk]entry[T]))
		}
	} else {
		i = t.victim()
		delete(t.index, t.at(i).key)
		evicted.Add(1)
	}
	t.index[k] = i
	e := t.at(i)
	*e = entry[T]{key: k}
	return &e.record
}

func (t *table[T]) victim() uint32 {
	for {
		if t.hand >= t.n {
			t.hand = 0
		}
		i := uint32(t.hand)
		t.hand++
		if e := t.at(i); e.recent == 1 {
			e.recent = 0
			continue
		}
		return i
	}
}

// drop forgets a record; the last one takes its place.
func (t *table[T]) drop(k features.Key) {
	i, ok := t.index[k]
	if !ok {
		return
	}
	delete(t.index, k)
	t.n--
	last := t.at(uint32(t.n))
	if uint32(t.n) != i {
		*t.at(i) = *last
		t.index[last.key] = i
	}
	*last = entry[T]{}
}

// bytes returns about how much memory the table takes: a Go map costs some 24
// bytes for an entry of ours.
func (t *table[T]) bytes() int64 {
	return int64(len(t.chunks))*int64(unsafe.Sizeof([chunk]entry[T]{})) + 24*int64(len(t.index))
}
