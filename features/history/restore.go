package history

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"reflect"
	"unsafe"

	"github.com/waryauth/wary/features"
)

// Errors that a caller may tell apart.
var (
	ErrLayout  = errors.New("history: the snapshot is of another version, layout or machine")
	ErrDamaged = errors.New("history: the snapshot is damaged")
)

// Restore replaces the state by a snapshot's. It reads exactly the snapshot. On
// an error, which is ErrLayout, ErrDamaged or the reader's, the state is as it was.
// What is folded meanwhile is lost.
func (s *Store) Restore(r io.Reader) error {
	sum := crc32.New(crc32.MakeTable(crc32.Castagnoli))
	in := io.TeeReader(r, sum)
	mark := layout()
	head := make([]byte, len(magic)+len(mark))
	if err := read(in, head); err != nil {
		return err
	}
	if string(head) != magic+string(mark[:]) {
		return ErrLayout
	}
	next := newMemory(&s.limits)
	for i := range next.shards {
		for k := range next.shards[i].tables {
			if err := next.shards[i].tables[k].read(in, i, k); err != nil {
				return err
			}
		}
	}
	if err := read(in, bytesOf(&next.totals)); err != nil {
		return err
	}
	var want [crc32.Size]byte
	got := sum.Sum(nil)
	if err := read(r, want[:]); err != nil {
		return err
	}
	if string(got) != string(want[:]) {
		return fmt.Errorf("%w: its checksum is wrong", ErrDamaged)
	}
	<-s.image // no image is out
	s.memory.Store(next)
	s.image <- struct{}{}
	return nil
}

// read reads a table. Where its index is as long as it was, every record comes
// into its slot again, so that the same will be evicted next; else it is found a
// new one, and where the limit is now lower, records are evicted.
func (t *table) read(r io.Reader, shard, kind int) error {
	var head [12]byte
	if err := read(r, head[:]); err != nil {
		return err
	}
	le := binary.LittleEndian
	same := int(le.Uint32(head[:])) == t.hi-t.lo
	if same {
		t.hand = t.lo + int(le.Uint32(head[8:]))
		if int(le.Uint32(head[4:])) > t.limit || t.hand > t.hi {
			return fmt.Errorf("%w: its numbers are impossible", ErrDamaged)
		}
	}
	var buf [recordHead + keyBytes]byte
	var p payload
	for range le.Uint32(head[4:]) {
		if err := read(r, buf[:]); err != nil {
			return err
		}
		slot, recency, n := t.lo+int(le.Uint32(buf[:])), buf[4], int(le.Uint16(buf[5:]))
		k := features.Key(le.Uint64(buf[recordHead:]))
		if k>>56 != features.Key(shard) || k == 0 || recency > usedAgain/recencyUnit || n > len(bytesOf(&p)) {
			return fmt.Errorf("%w: a record is impossible", ErrDamaged)
		}
		clear(bytesOf(&p))
		if err := read(r, bytesOf(&p)[:n]); err != nil {
			return err
		}
		if !p.valid(kind) || n != bytesInUse(kind, unsafe.Pointer(&p)) {
			return fmt.Errorf("%w: a record is impossible", ErrDamaged)
		}
		if !same {
			slot, _ = t.take(k)
		} else if slot >= t.hi || t.of.index[slot] != 0 {
			return fmt.Errorf("%w: a slot is impossible", ErrDamaged)
		} else {
			t.add(slot, k, t.of.classFor(n), uint64(recency)*recencyUnit)
		}
		copy(unsafe.Slice((*byte)(t.fit(slot, n)), n), bytesOf(&p))
	}
	return nil
}

// payload has room for the longest record, without its key.
type payload struct {
	features.Party
	features.Members
}

// valid reports whether a record of a kind is such as folds make.
func (p *payload) valid(kind int) bool {
	switch r := unsafe.Pointer(p); kind {
	case users:
		return (*features.User)(r).Valid()
	case shared, clients:
		return membersOf(kind, r).Valid((*features.Shared)(r))
	}
	return true
}

func read(r io.Reader, b []byte) error {
	_, err := io.ReadFull(r, b)
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return fmt.Errorf("%w: it ends too early", ErrDamaged)
	}
	return err
}

// layout marks how records lie in memory: names, kinds, offsets and sizes of
// their fields, and the order of bytes.
func layout() [sha256.Size]byte {
	h := sha256.New()
	one := uint16(1)
	h.Write(bytesOf(&one))
	for _, v := range [...]any{features.User{}, features.Shared{}, features.Members{}, features.Party{}, features.Pair{}, features.Account{}, features.Totals{}} {
		describe(h, reflect.TypeOf(v))
	}
	return [sha256.Size]byte(h.Sum(nil))
}

func describe(w io.Writer, t reflect.Type) {
	fmt.Fprintf(w, "%s %d\n", t.Kind(), t.Size())
	switch t.Kind() {
	case reflect.Struct:
		for i := range t.NumField() {
			f := t.Field(i)
			fmt.Fprintf(w, "%s %d ", f.Name, f.Offset)
			describe(w, f.Type)
		}
	case reflect.Array:
		describe(w, t.Elem())
	}
}
