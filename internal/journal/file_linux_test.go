package journal

import (
	"bytes"
	"errors"
	"os"
	"syscall"
	"testing"
)

// openMapped returns the active segment of a log, which must be mapped.
func openMapped(t *testing.T, l *Log) *mappedFile {
	t.Helper()
	m, ok := l.active.(*mappedFile)
	if !ok || m.pages == nil {
		t.Skip("the file system does not map files")
	}
	return m
}

// TestRoomIsNoRecord: the room that a writer keeps, or that a kill has left, is no
// damage and no torn tail, is cut by Open and given back by Close.
func TestRoomIsNoRecord(t *testing.T) {
	dir := t.TempDir()
	l := mustOpen(t, dir, Options{})
	mustAppend(t, l, "one")
	mustAppend(t, l, "two\x00\x00\x00") // whose own zeros stay
	openMapped(t, l)
	b := mustRead(t, segmentPath(dir, 1))
	end := int(l.End().Offset)
	if len(b) != roomStep || !bytes.Equal(b[end:], make([]byte, len(b)-end)) {
		t.Fatalf("control: an open segment has %d bytes, want %d, zeros from %d on", len(b), roomStep, end)
	}
	killed := t.TempDir()
	mustWrite(t, segmentPath(killed, 1), b)
	if r, err := Verify(killed, nil); err != nil || r.Records != 2 || r.TornTail != 0 || r.Bytes != int64(end) {
		t.Errorf("after a kill: %+v, %v", r, err)
	}
	again := mustOpen(t, killed, Options{})
	if s := again.Stats(); s.TornBytes != 0 {
		t.Errorf("%d torn bytes after a kill between appends", s.TornBytes)
	}
	mustAppend(t, again, "three")
	mustClose(t, again)
	wantPayloads(t, killed, "one", "two\x00\x00\x00", "three")
	mustClose(t, l)
	if got := len(mustRead(t, segmentPath(dir, 1))); got != end {
		t.Errorf("closed, a segment has %d bytes, want %d", got, end)
	}
}

// TestFaultIsAnError: a page that cannot be had (here: somebody cut the file) fails
// the append and not the program.
func TestFaultIsAnError(t *testing.T) {
	dir := t.TempDir()
	l := mustOpen(t, dir, Options{})
	mustAppend(t, l, "one")
	openMapped(t, l)
	if err := os.Truncate(segmentPath(dir, 1), 0); err != nil {
		t.Fatal(err)
	}
	if _, err := l.Append(1, testTime, []byte("two")); !errors.Is(err, syscall.EIO) {
		t.Fatalf("append to a file that was cut: %v, want EIO", err)
	}
	if s := l.Stats(); s.FailedWrites != 1 || s.Records != 1 {
		t.Errorf("%+v", s)
	}
}

// TestWithoutMapping: where a file cannot be mapped, or a record is longer than the
// mapping, it is written as any other.
func TestWithoutMapping(t *testing.T) {
	dir := t.TempDir()
	l := mustOpen(t, dir, Options{SegmentBytes: 300})
	m := openMapped(t, l)
	mustAppend(t, l, "one")
	if err := m.unmap(); err != nil {
		t.Fatal(err)
	}
	mustAppend(t, l, "two")
	mustAppend(t, l, string(bytes.Repeat([]byte("x"), 1000))) // longer than its segment's mapping
	mustAppend(t, l, "four")
	mustClose(t, l)
	wantPayloads(t, dir, "one", "two", string(bytes.Repeat([]byte("x"), 1000)), "four")
}
