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

// A snapshot is: magic, the layout mark, for each shard and kind the number of
// records and each record's key and bytes, the sums, and the CRC-32C of all
// before. Records are written as they lie in memory: a snapshot is one node's
// own, and one of another build or machine is refused by its layout mark.
const magic = "WARYHIST\x01"

// Errors that a caller may tell apart.
var (
	ErrLayout  = errors.New("history: the snapshot is of another version, layout or machine")
	ErrDamaged = errors.New("history: the snapshot is damaged")
)

// Snapshot writes the whole state. What is folded meanwhile may be in it or not:
// stop folding to have it whole.
func (s *Store) Snapshot(w io.Writer) error {
	sum := crc32.New(crc32.MakeTable(crc32.Castagnoli))
	out := io.MultiWriter(w, sum)
	mark := layout()
	if _, err := out.Write(append([]byte(magic), mark[:]...)); err != nil {
		return fmt.Errorf("write snapshot: %w", err)
	}
	for i := range s.shards {
		if err := s.shards[i].write(out); err != nil {
			return fmt.Errorf("write snapshot: %w", err)
		}
	}
	s.totalsLock.Lock()
	totals := s.totals
	s.totalsLock.Unlock()
	if _, err := out.Write(memory(&totals)); err != nil {
		return fmt.Errorf("write snapshot: %w", err)
	}
	if _, err := w.Write(sum.Sum(nil)); err != nil {
		return fmt.Errorf("write snapshot: %w", err)
	}
	return nil
}

func (sh *shard) write(w io.Writer) error {
	sh.Lock()
	defer sh.Unlock()
	return errors.Join(sh.users.write(w), sh.shared.write(w), sh.pairs.write(w), sh.values.write(w))
}

func (t *table[T]) write(w io.Writer) error {
	if _, err := w.Write(binary.LittleEndian.AppendUint32(nil, uint32(t.n))); err != nil {
		return err
	}
	for i := range uint32(t.n) {
		e := t.at(i)
		if _, err := w.Write(memory(&e.key)); err != nil {
			return err
		}
		if _, err := w.Write(memory(&e.record)); err != nil {
			return err
		}
	}
	return nil
}

// Restore replaces the state by a snapshot's. It reads exactly the snapshot. On
// an error, which is ErrLayout, ErrDamaged or the reader's, the state is as it was.
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
	next := &Store{limits: s.limits}
	for i := range next.shards {
		if err := next.readShard(in, i); err != nil {
			return err
		}
	}
	if err := read(in, memory(&next.totals)); err != nil {
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
	s.replace(next)
	return nil
}

func (s *Store) replace(next *Store) {
	for i := range s.shards {
		sh, from := &s.shards[i], &next.shards[i]
		sh.Lock()
		sh.users, sh.shared, sh.pairs, sh.values = from.users, from.shared, from.pairs, from.values
		sh.Unlock()
	}
	s.totalsLock.Lock()
	s.totals = next.totals
	s.totalsLock.Unlock()
	s.evicted.Store(next.evicted.Load())
}

// readShard reads the records of one shard; where the limits are now lower than
// they were, records are evicted.
func (s *Store) readShard(r io.Reader, i int) error {
	sh := &s.shards[i]
	if err := readTable(r, s, i, &sh.users, users); err != nil {
		return err
	}
	if err := readTable(r, s, i, &sh.shared, shared); err != nil {
		return err
	}
	if err := readTable(r, s, i, &sh.pairs, pairs); err != nil {
		return err
	}
	return readTable(r, s, i, &sh.values, values)
}

func readTable[T any](r io.Reader, s *Store, number int, t *table[T], kind int) error {
	var size [4]byte
	if err := read(r, size[:]); err != nil {
		return err
	}
	for range binary.LittleEndian.Uint32(size[:]) {
		var k features.Key
		if err := read(r, memory(&k)); err != nil {
			return err
		}
		if k>>56 != features.Key(number) {
			return fmt.Errorf("%w: a key is in the wrong shard", ErrDamaged)
		}
		if err := read(r, memory(t.take(k, s.limits[kind], &s.evicted))); err != nil {
			return err
		}
	}
	return nil
}

func read(r io.Reader, b []byte) error {
	_, err := io.ReadFull(r, b)
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return fmt.Errorf("%w: it ends too early", ErrDamaged)
	}
	return err
}

// memory returns the bytes of a value without pointers, in place.
func memory[T any](v *T) []byte {
	return unsafe.Slice((*byte)(unsafe.Pointer(v)), unsafe.Sizeof(*v))
}

// layout marks how records lie in memory: names, kinds, offsets and sizes of
// their fields, and the order of bytes.
func layout() [sha256.Size]byte {
	h := sha256.New()
	one := uint16(1)
	h.Write(memory(&one))
	for _, v := range [...]any{features.User{}, features.Shared{}, features.Pair{}, features.Totals{}} {
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
