package history

import (
	"math/bits"
	"sync/atomic"
	"unsafe"

	"github.com/waryauth/wary/features"
)

// kind is where the records of one kind lie. Each shard has its own stretch of the
// index and its own records, but the slabs are shared.
type kind struct {
	index []uint64
	slots uint64 // of one shard
	slabs [3]slab
}

// table is what else a shard knows of the records of one kind: those that its
// stretch of the index, [lo,hi), leads to by open addressing. Its shard's lock
// guards all of it; entries are written atomically, since touch reads them without
// the lock.
//
// An entry of the index is 0, free, or from its top: the low 32 bits of the key,
// from which its home slot follows; 2 bits of recency; 2 of the class; 28 of the
// record's place in its slab, plus 1. A record begins with its key.
type table struct {
	of      *kind
	lo, hi  int
	n       int // records
	limit   int
	hand    int       // slot where the search for a record to evict goes on
	free    [3]uint32 // of each class the first free record's place, plus 1; it holds the next
	evicted *atomic.Uint64

	pending bool  // an image is out that has not been written past this table
	past    *past // what that image needs, from the first change on
}

const (
	placeBits   = 28
	placeMask   = 1<<placeBits - 1
	recencyUnit = 1 << 30
	recencyMask = 3 << 30
	idMask      = 1<<30 - 1 // class and place
	keyBytes    = 8
)

// Recency of a record. The hand takes one from what it passes.
const (
	madeNow   = 1 * recencyUnit
	usedAgain = 2 * recencyUnit
)

func classOf(e uint64) int { return int(e >> placeBits & 3) }

// record returns where the record of an entry begins.
func (k *kind) record(e uint64) unsafe.Pointer {
	return k.slabs[classOf(e)].at(uint32(e&placeMask) - 1)
}

// home returns the slot at which the search for a key begins.
func (k *kind) home(key features.Key) int {
	high, _ := bits.Mul64(uint64(key)<<32, k.slots)
	return int(uint64(key)>>56*k.slots + high)
}

// after returns the slot that follows in the stretch of a key's shard.
func (k *kind) after(slot int, key features.Key) int {
	slot++
	if end := (uint64(key)>>56 + 1) * k.slots; uint64(slot) == end {
		return int(end - k.slots)
	}
	return slot
}

// find returns the slot of a key and what follows the key in its record, or the
// slot where it would stand and nil. The shard is locked.
func (k *kind) find(key features.Key) (slot int, record unsafe.Pointer) {
	for slot = k.home(key); ; slot = k.after(slot, key) {
		e := k.index[slot]
		if e == 0 {
			return slot, nil
		}
		if uint32(e>>32) == uint32(key) {
			if r := k.record(e); *(*features.Key)(r) == key {
				return slot, unsafe.Add(r, keyBytes)
			}
		}
	}
}

// peek returns where a record may lie and of what class it is, without the lock and
// without looking at it.
func (k *kind) peek(key features.Key) (record unsafe.Pointer, class int) {
	slot := k.home(key)
	for range 8 { // one cache line
		e := atomic.LoadUint64(&k.index[slot])
		if e == 0 {
			return nil, 0
		}
		if uint32(e>>32) == uint32(key) {
			return k.record(e), classOf(e)
		}
		slot = k.after(slot, key)
	}
	return nil, 0
}

func (t *table) set(slot int, e uint64) {
	t.keepIndex()
	atomic.StoreUint64(&t.of.index[slot], e)
}

// take returns the record of a key to be changed, a new one where it does not
// exist. At the limit a record that was not used lately makes room: the clock
// algorithm, in which what was used but once goes first.
func (t *table) take(k features.Key) (slot int, record unsafe.Pointer) {
	slot, record = t.of.find(k)
	if record != nil {
		e := t.of.index[slot]
		t.keepRecord(e)
		if e&recencyMask != usedAgain {
			t.set(slot, e&^recencyMask|usedAgain)
		}
		return slot, record
	}
	if t.n == t.limit {
		t.evict()
		slot, _ = t.of.find(k)
	}
	return slot, t.add(slot, k, 0, madeNow)
}

// add puts a new record into a free slot.
func (t *table) add(slot int, k features.Key, class int, recency uint64) unsafe.Pointer {
	e := uint64(k)<<32 | recency | t.room(class)
	r := t.of.record(e)
	clear(unsafe.Slice((*byte)(r), t.of.slabs[class].bytes))
	*(*features.Key)(r) = k
	t.set(slot, e)
	t.n++
	return unsafe.Add(r, keyBytes)
}

// room returns the class and place of a record that is free.
func (t *table) room(class int) uint64 {
	slab := &t.of.slabs[class]
	place := t.free[class]
	if place == 0 {
		place = slab.take() + 1
	} else {
		t.free[class] = *(*uint32)(slab.at(place - 1))
	}
	return uint64(class)<<placeBits | uint64(place)
}

// release frees the record of an entry.
func (t *table) release(e uint64) {
	t.keepRecord(e)
	*(*uint32)(t.of.record(e)) = t.free[classOf(e)]
	t.free[classOf(e)] = uint32(e & placeMask)
}

// fit returns the record of a slot with room for so many bytes after the key: it
// is given a greater class where it needs one. What take returned is then gone.
func (t *table) fit(slot, size int) unsafe.Pointer {
	old := t.of.index[slot]
	class := t.of.classFor(size)
	if class <= classOf(old) {
		return unsafe.Add(t.of.record(old), keyBytes)
	}
	e := old>>32<<32 | old&recencyMask | t.room(class)
	from, to := t.of.record(old), t.of.record(e)
	clear(unsafe.Slice((*byte)(to), t.of.slabs[class].bytes))
	copy(unsafe.Slice((*byte)(to), t.of.slabs[classOf(old)].bytes), unsafe.Slice((*byte)(from), t.of.slabs[classOf(old)].bytes))
	t.set(slot, e)
	t.release(old)
	return unsafe.Add(to, keyBytes)
}

// classFor returns the least class with room for so many bytes after the key.
func (k *kind) classFor(size int) int {
	class := 0
	for k.slabs[class].bytes < keyBytes+size {
		class++
	}
	return class
}

// room returns how many bytes the record of a slot has after its key.
func (k *kind) room(slot int) int { return k.slabs[classOf(k.index[slot])].bytes - keyBytes }

func (t *table) evict() {
	t.keepIndex()
	for {
		if t.hand >= t.hi {
			t.hand = t.lo
		}
		switch e := t.of.index[t.hand]; {
		case e == 0:
			t.hand++
		case e&recencyMask != 0:
			t.set(t.hand, e-recencyUnit)
			t.hand++
		default: // the hand stays: another may come into this slot
			t.remove(t.hand)
			t.evicted.Add(1)
			return
		}
	}
}

// drop forgets a record.
func (t *table) drop(k features.Key) {
	if slot, r := t.of.find(k); r != nil {
		t.remove(slot)
	}
}

// remove frees a slot and its record, and moves later entries back, so that
// probing never meets a gap before a key it looks for (Knuth, TAOCP 6.4,
// Algorithm R).
func (t *table) remove(slot int) {
	t.keepIndex()
	t.release(t.of.index[slot])
	t.n--
	size := t.hi - t.lo
	shard := features.Key(t.lo/size) << 56
	hole := slot
	for next := t.of.after(slot, shard); t.of.index[next] != 0; next = t.of.after(next, shard) {
		home := t.of.home(shard | features.Key(t.of.index[next]>>32))
		if (next-home+size)%size >= (next-hole+size)%size {
			t.set(hole, t.of.index[next])
			hole = next
		}
	}
	t.set(hole, 0)
}
