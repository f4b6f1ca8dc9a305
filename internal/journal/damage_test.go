package journal

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
)

func mustRead(t testing.TB, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// flip changes bits of one byte of a file, in place.
func flip(t testing.TB, path string, i int, bits byte) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var b [1]byte
	if _, err := f.ReadAt(b[:], int64(i)); err != nil {
		t.Fatal(err)
	}
	b[0] ^= bits
	if _, err := f.WriteAt(b[:], int64(i)); err != nil {
		t.Fatal(err)
	}
}

func mustWrite(t testing.TB, path string, b []byte) {
	t.Helper()
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
}

// wantDamage checks that a log is refused as damaged at an address by everything
// that reads it, and that nothing was cut.
func wantDamage(t testing.TB, what, dir string, at Address) {
	t.Helper()
	var d *DamageError
	if _, err := Verify(dir, nil); !errors.As(err, &d) || d.At != at {
		t.Errorf("%s: verify: %v, want damage at %v", what, err, at)
	}
	if _, err := payloads(dir); !errors.As(err, &d) || d.At != at {
		t.Errorf("%s: read: %v, want damage at %v", what, err, at)
	}
}

func wantRefused(t testing.TB, what, dir string, at Address) {
	t.Helper()
	numbers, err := segments(dir)
	if err != nil {
		t.Fatal(err)
	}
	var before [][]byte
	for _, n := range numbers {
		before = append(before, mustRead(t, segmentPath(dir, n)))
	}
	var d *DamageError
	named := fmt.Sprintf("segment %d, offset %d:", at.Segment, at.Offset)
	if l, err := Open(dir, Options{}); !errors.As(err, &d) || d.At != at || !strings.Contains(err.Error(), named) {
		t.Errorf("%s: open: %v, want damage at %v", what, err, at)
		if err == nil {
			mustClose(t, l)
		}
	}
	for i, n := range numbers {
		if !bytes.Equal(mustRead(t, segmentPath(dir, n)), before[i]) {
			t.Errorf("%s: segment %d was changed", what, n)
		}
	}
}

// TestTornTail cuts the last segment at every byte of its last record: the record
// is gone, the others stay, and appending goes on.
func TestTornTail(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	l := mustOpen(t, dir, Options{})
	mustAppend(t, l, "one")
	last := mustAppend(t, l, "the last")
	mustClose(t, l)
	path := segmentPath(dir, 1)
	whole := mustRead(t, path)
	for cut := int(last.Offset); cut < len(whole); cut++ {
		for _, filler := range [][]byte{nil, make([]byte, 20), make([]byte, 5000)} { // as a kill leaves it, and as power loss can
			mustWrite(t, path, append(bytes.Clone(whole[:cut]), filler...))
			torn := len(bytes.TrimRight(whole[last.Offset:cut], "\x00")) // zeros are room
			r, err := Verify(dir, nil)
			if err != nil || r.Records != 1 || r.TornTail != int64(torn) {
				t.Errorf("cut at %d: verify: %+v, %v", cut, r, err)
			}
			l := mustOpen(t, dir, Options{})
			if got := l.Stats().TornBytes; got != uint64(torn) {
				t.Errorf("cut at %d: %d torn bytes, want %d", cut, got, torn)
			}
			mustAppend(t, l, "after")
			mustClose(t, l)
			wantPayloads(t, dir, "one", "after")
			if r, err := Verify(dir, nil); err != nil || r.TornTail != 0 {
				t.Errorf("cut at %d: afterwards: %+v, %v", cut, r, err)
			}
		}
	}
}

// TestVoidSegment: a crash between the file of a segment and its header, or a
// power failure after which it is empty or all zeros.
func TestVoidSegment(t *testing.T) {
	t.Parallel()
	dir, at := threeSegments(t)
	n := at[len(at)-1].Segment + 1
	want, err := payloads(dir)
	if err != nil {
		t.Fatal(err)
	}
	header := mustRead(t, segmentPath(dir, 1))[:headerBytes]
	for size := range headerBytes {
		for _, void := range [][]byte{header[:size], make([]byte, 70*size)} {
			mustWrite(t, segmentPath(dir, n), void)
			wantPayloads(t, dir, want...)
			l := mustOpen(t, dir, Options{})
			if got := l.Stats(); got.TornBytes != uint64(len(void)) || got.Segments != int(n)-1 || l.End().Segment != n-1 {
				t.Errorf("%d bytes: %+v, end %v", len(void), got, l.End())
			}
			mustClose(t, l)
		}
	}
	for _, void := range [][]byte{nil, header[:20], make([]byte, 500)} { // the only one there is
		dir := t.TempDir()
		mustWrite(t, segmentPath(dir, 1), void)
		l := mustOpen(t, dir, Options{})
		mustAppend(t, l, "anew")
		mustClose(t, l)
		wantPayloads(t, dir, "anew")
	}
	dir = t.TempDir()
	mustWrite(t, segmentPath(dir, 5), nil)
	if _, err := Open(dir, Options{}); err == nil {
		t.Error("a log whose chain is lost was begun anew")
	}
}

// threeSegments makes a log, whose files the tests damage, of nine records.
func threeSegments(t testing.TB) (dir string, at []Address) {
	t.Helper()
	dir = t.TempDir()
	l := mustOpen(t, dir, Options{SegmentBytes: 230})
	for i := range 9 {
		at = append(at, mustAppend(t, l, fmt.Sprint("record number ", i)))
	}
	mustClose(t, l)
	if r, err := Verify(dir, nil); err != nil || r.Segments != 3 || r.Records != 9 {
		t.Fatalf("control: %+v, %v", r, err)
	}
	return dir, at
}

// TestEveryBitIsWatched flips each bit of each file: Verify names the record. The
// last record of the log then looks like a torn write, and is reported as such.
func TestEveryBitIsWatched(t *testing.T) {
	t.Parallel()
	dir, at := threeSegments(t)
	last := at[8]
	for n := uint32(1); n <= 3; n++ {
		path := segmentPath(dir, n)
		whole := mustRead(t, path)
		for i := range whole {
			hit := Address{Segment: n}
			for _, a := range at {
				if a.Segment == n && int(a.Offset) <= i {
					hit = a
				}
			}
			for bit := range 8 {
				flip(t, path, i, 1<<bit)
				r, err := Verify(dir, nil)
				var d *DamageError
				switch {
				case hit == last && (err != nil || r.Records != 8 || r.TornTail != int64(len(whole))-int64(last.Offset)):
					t.Fatalf("segment %d, byte %d, bit %d: the last record: %+v, %v", n, i, bit, r, err)
				case hit != last && (!errors.As(err, &d) || d.At != hit):
					t.Fatalf("segment %d, byte %d, bit %d: %v, want damage at %v", n, i, bit, err, hit)
				}
				if hit != last && n >= 2 && bit == i%8 { // the last two segments are read when the log is opened
					wantRefused(t, fmt.Sprintf("segment %d, byte %d", n, i), dir, hit)
				}
				flip(t, path, i, 1<<bit)
			}
		}
	}
}

// TestRecordsCannotMove: taken out, exchanged, put in twice, cut, from another log.
func TestRecordsCannotMove(t *testing.T) {
	const record = recordHead + len("record number 0")
	f := func(name string, where func(at []Address) Address, damage func(dir string)) {
		t.Helper()
		dir, at := threeSegments(t)
		damage(dir)
		wantDamage(t, name, dir, where(at))
		wantRefused(t, name, dir, where(at))
	}
	edit := func(change func(b []byte, record func(i int) []byte) []byte) func(string) {
		return func(dir string) {
			b := mustRead(t, segmentPath(dir, 2))
			parts := bytes.Clone(b)
			mustWrite(t, segmentPath(dir, 2), change(b, func(i int) []byte { return parts[headerBytes+i*record:][:record] }))
		}
	}
	first := func(at []Address) Address { return at[3] }
	f("the first removed", first, edit(func(b []byte, r func(int) []byte) []byte { return append(b[:headerBytes], append(r(1), r(2)...)...) }))
	f("exchanged", first, edit(func(b []byte, r func(int) []byte) []byte {
		return append(append(append(b[:headerBytes], r(1)...), r(0)...), r(2)...)
	}))
	f("put in twice", func(at []Address) Address { return at[4] }, edit(func(b []byte, r func(int) []byte) []byte {
		return append(append(append(b[:headerBytes], r(0)...), r(0)...), r(2)...)
	}))
	f("cut inside a record", func(at []Address) Address { return at[5] }, edit(func(b []byte, _ func(int) []byte) []byte { return b[:len(b)-3] }))
	third := func([]Address) Address { return Address{Segment: 3} }
	f("cut between records", third, edit(func(b []byte, _ func(int) []byte) []byte { return b[:len(b)-record] }))
	f("one added", third, func(dir string) {
		b := mustRead(t, segmentPath(dir, 2))
		h, err := parseHeader((*[headerBytes]byte)(b), 2)
		if err != nil {
			t.Fatal(err)
		}
		frame := append(make([]byte, frameRoom), b[len(b)-record:]...)
		h.seal(frame, int64(len(b)), &chain{}) // by one who can compute checks, but not the chain
		mustWrite(t, segmentPath(dir, 2), b[:len(b)-record])
	})
	second := func([]Address) Address { return Address{Segment: 2} }
	f("segment missing", second, func(dir string) {
		if err := os.Remove(segmentPath(dir, 2)); err != nil {
			t.Fatal(err)
		}
	})
	f("segment empty", second, func(dir string) { mustWrite(t, segmentPath(dir, 2), nil) })
	f("segments exchanged", second, func(dir string) {
		b := mustRead(t, segmentPath(dir, 2))
		mustWrite(t, segmentPath(dir, 2), mustRead(t, segmentPath(dir, 3)))
		mustWrite(t, segmentPath(dir, 3), b)
	})
	other := t.TempDir()
	l := mustOpen(t, other, Options{SegmentBytes: 230})
	for range 9 {
		mustAppend(t, l, "of another log.")
	}
	mustClose(t, l)
	dir, _ := threeSegments(t)
	mustWrite(t, segmentPath(dir, 2), mustRead(t, segmentPath(other, 2)))
	wantDamage(t, "segment of another log", dir, Address{Segment: 2})
	wantRefused(t, "segment of another log", dir, Address{Segment: 3}) // Open reads the last two
}

// TestChainWatchesResealedRecords: whoever makes all checksums right again, of an
// edited record, is still found by the chain.
func TestChainWatchesResealedRecords(t *testing.T) {
	dir, at := threeSegments(t)
	for i, a := range at[3:6] {
		path := segmentPath(dir, a.Segment)
		whole := mustRead(t, path)
		h, err := parseHeader((*[headerBytes]byte)(whole), a.Segment)
		if err != nil {
			t.Fatal(err)
		}
		for _, wrongChain := range []bool{false, true} { // the old chain value, and one that does not continue
			bad := bytes.Clone(whole)
			rec := bad[a.Offset:][:recordHead+len("record number 0")]
			rec[recordHead] = 'R'
			old := [chainBytes]byte(rec[8:])
			frame := append(make([]byte, frameRoom), rec...)
			h.seal(frame, int64(a.Offset), &chain{1})
			if !wrongChain {
				copy(frame[frameRoom+8:], old[:])
			}
			copy(rec, frame[frameRoom:])
			crc := h.check(rec, int64(a.Offset))
			rec[0], rec[1], rec[2], rec[3] = byte(crc), byte(crc>>8), byte(crc>>16), byte(crc>>24)
			mustWrite(t, path, bad)
			if length, ok := h.length(rec, int64(a.Offset)); !ok || !sumHolds(rec, rec[recordHead:][:length]) {
				t.Fatal("control: the checksums do not hold")
			}
			wantDamage(t, fmt.Sprint("record ", i), dir, a)
		}
		mustWrite(t, path, whole)
	}
}

// TestRecordInPayload: a payload that contains a whole record is neither taken
// for one, nor for the end of damage.
func TestRecordInPayload(t *testing.T) {
	dir := t.TempDir()
	l := mustOpen(t, dir, Options{})
	mustAppend(t, l, "one")
	b := mustRead(t, segmentPath(dir, 1))[:l.End().Offset]
	evil := append(append(bytes.Repeat(b[headerBytes:], 5), b...), "and so on"...)
	at := mustAppend(t, l, string(evil))
	for i := 1; i < recordHead+len(evil); i++ {
		if rec, err := l.Read(Address{1, at.Offset + uint32(i)}, nil); !errors.Is(err, ErrNotFound) {
			t.Fatalf("%d bytes into a record: %+v, %v, want ErrNotFound", i, rec, err)
		}
	}
	mustClose(t, l)
	whole := mustRead(t, segmentPath(dir, 1))
	mustWrite(t, segmentPath(dir, 1), whole[:len(whole)-4])
	l = mustOpen(t, dir, Options{})
	mustClose(t, l)
	wantPayloads(t, dir, "one")
}

// TestDamageFarFromTheEnd: one bit at the start of a long last segment, whose
// bytes all look like lengths, does not pass for its tail.
func TestDamageFarFromTheEnd(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	l := mustOpen(t, dir, Options{})
	payload := bytes.Repeat([]byte{0, 0, 1, 0}, 1<<18)
	var at []Address
	for range 4 {
		at = append(at, mustAppend(t, l, string(payload)))
	}
	mustClose(t, l)
	for _, i := range []int{0, 5, 9, bodyAt + 2, recordHead + 3} { // check, sum, chain, length, payload
		flip(t, segmentPath(dir, 1), int(at[1].Offset)+i, 0x40)
		wantDamage(t, fmt.Sprint("byte ", i), dir, at[1])
		wantRefused(t, fmt.Sprint("byte ", i), dir, at[1])
		flip(t, segmentPath(dir, 1), int(at[1].Offset)+i, 0x40)
	}
}

// TestDamagedRecordIsNotUnknown: who asks for a record that is damaged is told so.
func TestDamagedRecordIsNotUnknown(t *testing.T) {
	dir := t.TempDir()
	l := mustOpen(t, dir, Options{})
	defer l.Close()
	mustAppend(t, l, "one")
	two := mustAppend(t, l, "two")
	mustAppend(t, l, "three")
	for _, i := range []int{1, 5, bodyAt + 3, recordHead} {
		flip(t, segmentPath(dir, 1), int(two.Offset)+i, 0x80)
		var d *DamageError
		if rec, err := l.Read(two, nil); !errors.As(err, &d) || d.At != two {
			t.Errorf("byte %d: %+v, %v, want damage at %v", i, rec, err, two)
		}
		flip(t, segmentPath(dir, 1), int(two.Offset)+i, 0x80)
		if rec, err := l.Read(two, nil); err != nil || string(rec.Payload) != "two" {
			t.Errorf("control: %+v, %v", rec, err)
		}
	}
}

// TestForeignFiles: what is not a segment is not taken for one, and not ignored.
func TestForeignFiles(t *testing.T) {
	for _, name := range []string{"1.wal", "00000000.wal", "x.wal", "99999999999.wal", "0000000a.wal"} {
		dir, _ := threeSegments(t)
		mustWrite(t, dir+"/"+name, []byte("hello"))
		if _, err := Verify(dir, nil); err == nil {
			t.Errorf("%s is ignored", name)
		}
	}
	dir, _ := threeSegments(t)
	mustWrite(t, dir+"/notes.txt", []byte("hello"))
	if _, err := Verify(dir, nil); err != nil {
		t.Error(err)
	}
}

// FuzzSegment reads arbitrary bytes as the second segment of a log. sound makes
// its header right, so that records are reached.
func FuzzSegment(f *testing.F) {
	dir := f.TempDir()
	l := mustOpen(f, dir, Options{SegmentBytes: 100})
	for _, p := range []string{"the first segment is whole", "two", "three, which is a little longer"} {
		mustAppend(f, l, p)
	}
	mustClose(f, l)
	first, second := mustRead(f, segmentPath(dir, 1)), mustRead(f, segmentPath(dir, 2))
	f.Add(second, false)
	f.Add(second[:70], false)
	f.Add([]byte(magic), false)
	f.Add(second[headerBytes:], true)
	f.Add(second[headerBytes:len(second)-1], true)
	f.Add([]byte{}, true)
	f.Fuzz(func(t *testing.T, b []byte, sound bool) {
		if sound {
			b = append(bytes.Clone(second[:headerBytes]), b...)
		}
		dir := t.TempDir()
		mustWrite(t, segmentPath(dir, 1), first)
		mustWrite(t, segmentPath(dir, 2), b)
		before, rerr := payloads(dir)
		r, verr := Verify(dir, nil)
		if len(before) == 0 || (rerr == nil) != (verr == nil) || r.Records != len(before) {
			t.Fatalf("read %d records, %v; verified %d, %v", len(before), rerr, r.Records, verr)
		}
		d := disk{room: 1 << 30} // which saves the syncs
		l, err := Open(dir, Options{openFile: d.openFile})
		if (err == nil) != (verr == nil) {
			t.Fatalf("open: %v; verify: %v", err, verr)
		}
		if err != nil {
			return
		}
		if got := int64(l.Stats().TornBytes); got != r.TornTail {
			t.Fatalf("cut %d bytes, verify found %d", got, r.TornTail)
		}
		mustAppend(t, l, "after")
		mustClose(t, l)
		wantPayloads(t, dir, append(before, "after")...)
	})
}
