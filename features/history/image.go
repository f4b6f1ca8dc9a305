package history

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io"
	"slices"
	"unsafe"

	"github.com/waryauth/wary/features"
)

// Image is a store as it was at one moment, to be written while the store goes on:
// before a record changes that has not been written yet, it is put aside. So are
// the indexes. What is put aside is freed as the writing goes on.
type Image struct {
	s      *Store
	m      *memory
	totals features.Totals
}

// past is what an image needs of a table that has changed since.
type past struct {
	index   []uint64
	n, hand int
	aside   map[uint32]int // class and place of a record: where in records it begins
	records []byte
}

// Freeze takes an image of the store, which must be closed; another waits until
// then. It is quick. What is folded meanwhile may be in the image or not: hold
// folding for the moment to have it whole.
func (s *Store) Freeze() *Image {
	<-s.image
	m := s.memory.Load()
	for i := range m.shards {
		sh := &m.shards[i]
		sh.Lock()
		sh.pending = true
		for k := range sh.tables {
			sh.tables[k].pending = true
		}
		sh.Unlock()
	}
	m.totalsLock.Lock()
	defer m.totalsLock.Unlock()
	return &Image{s, m, m.totals}
}

// Close lets go of what the image still holds. It must be called once.
func (i *Image) Close() {
	for n := range i.m.shards {
		sh := &i.m.shards[n]
		sh.Lock()
		sh.pending = false
		for k := range sh.tables {
			sh.tables[k].letGo()
		}
		sh.Unlock()
	}
	i.s.image <- struct{}{}
}

func (t *table) letGo() { t.pending, t.past = false, nil }

// keepIndex puts the index aside before its first change.
func (t *table) keepIndex() {
	if t.pending && t.past == nil {
		t.past = &past{index: slices.Clone(t.of.index[t.lo:t.hi]), n: t.n, hand: t.hand - t.lo, aside: map[uint32]int{}}
	}
}

// keepRecord puts the record of an entry aside before its first change.
func (t *table) keepRecord(e uint64) {
	if !t.pending {
		return
	}
	t.keepIndex()
	id := uint32(e & idMask)
	if _, kept := t.past.aside[id]; !kept {
		bytes := unsafe.Slice((*byte)(t.of.record(e)), t.of.slabs[classOf(e)].bytes)
		t.past.aside[id] = len(t.past.records)
		t.past.records = append(slices.Grow(t.past.records, len(bytes)+slack), bytes...)
	}
}

// pastRecord returns a record of the image as it was.
func (t *table) pastRecord(e uint64) unsafe.Pointer {
	if at, kept := t.past.aside[uint32(e&idMask)]; kept {
		return unsafe.Pointer(&t.past.records[at])
	}
	return t.of.record(e)
}

// A written image is: magic, the layout mark, for each shard and kind the length
// of its index, the number of records, the hand, and each record's slot, recency,
// length, key and bytes; the sums, and the CRC-32C of all before. Records are
// written as they lie in memory: an image is one node's own, and one of another
// build or machine is refused by its layout mark.
const magic = "WARYHIST\x03"

// Write writes the image. It can be written once.
func (i *Image) Write(w io.Writer) error {
	sum := crc32.New(crc32.MakeTable(crc32.Castagnoli))
	out := io.MultiWriter(w, sum)
	mark := layout()
	if _, err := out.Write(append([]byte(magic), mark[:]...)); err != nil {
		return fmt.Errorf("write snapshot: %w", err)
	}
	var buf []byte
	for n := range i.m.shards {
		sh := &i.m.shards[n]
		for k := range sh.tables {
			var err error
			if buf, err = sh.write(out, k, buf[:0]); err != nil {
				return fmt.Errorf("write snapshot: %w", err)
			}
		}
	}
	if _, err := out.Write(bytesOf(&i.totals)); err != nil {
		return fmt.Errorf("write snapshot: %w", err)
	}
	if _, err := w.Write(sum.Sum(nil)); err != nil {
		return fmt.Errorf("write snapshot: %w", err)
	}
	return nil
}

// step is after how many records the lock of a shard is let go, for those who
// wait to go on.
const step = 64

// write writes the table of a kind. buf is memory to use, and is returned.
func (sh *shard) write(w io.Writer, kind int, buf []byte) ([]byte, error) {
	t := &sh.tables[kind]
	sh.Lock()
	t.keepIndex()
	p := t.past
	sh.Unlock()
	buf = binary.LittleEndian.AppendUint32(buf, uint32(len(p.index)))
	buf = binary.LittleEndian.AppendUint32(buf, uint32(p.n))
	buf = binary.LittleEndian.AppendUint32(buf, uint32(p.hand))
	for slot := 0; slot < len(p.index); {
		sh.Lock()
		for taken := 0; taken < step && slot < len(p.index); slot++ {
			if e := p.index[slot]; e != 0 {
				buf = t.appendRecord(buf, slot, e, kind)
				taken++
			}
		}
		sh.Unlock()
		if len(buf) >= 1<<16 {
			if _, err := w.Write(buf); err != nil {
				return buf, err
			}
			buf = buf[:0]
		}
	}
	sh.Lock()
	t.letGo()
	sh.Unlock()
	_, err := w.Write(buf)
	return buf, err
}

// recordHead is the length of what is written before a record's key: slot,
// recency, and how many bytes follow the key.
const recordHead = 4 + 1 + 2

func (t *table) appendRecord(b []byte, slot int, e uint64, kind int) []byte {
	r := t.pastRecord(e)
	n := bytesInUse(kind, unsafe.Add(r, keyBytes))
	b = binary.LittleEndian.AppendUint32(b, uint32(slot))
	b = append(b, byte(e&recencyMask/recencyUnit))
	b = binary.LittleEndian.AppendUint16(b, uint16(n))
	return append(b, unsafe.Slice((*byte)(r), keyBytes+n)...)
}

// Snapshot writes the whole state as it is now. What is folded meanwhile may be
// in it or not: see [Store.Freeze].
func (s *Store) Snapshot(w io.Writer) error {
	i := s.Freeze()
	defer i.Close()
	return i.Write(w)
}
