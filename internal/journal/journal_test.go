package journal

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	"pgregory.net/rapid"
)

var testTime = time.Unix(1_780_000_000, 123)

func mustOpen(t testing.TB, dir string, o Options) *Log {
	t.Helper()
	l, err := Open(dir, o)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func mustAppend(t testing.TB, l *Log, payload string) Address {
	t.Helper()
	at, err := l.Append(7, testTime, []byte(payload))
	if err != nil {
		t.Fatal(err)
	}
	return at
}

// payloads returns all payloads of a folder, and the error that ended reading.
func payloads(dir string) (out []string, err error) {
	for rec, e := range Records(dir, Address{}) {
		if e != nil {
			return out, e
		}
		out = append(out, string(rec.Payload))
	}
	return out, nil
}

func TestRoundTrip(t *testing.T) {
	dir := t.TempDir()
	l := mustOpen(t, dir, Options{SegmentBytes: 400})
	var at []Address
	for i := range 40 {
		at = append(at, mustAppend(t, l, fmt.Sprint("fact ", i)))
	}
	if at[39].Segment < 5 {
		t.Fatalf("40 records lie in %d segments", at[39].Segment)
	}
	check := func(l *Log) {
		t.Helper()
		for i, a := range at {
			rec, err := l.Read(a, nil)
			if err != nil || string(rec.Payload) != fmt.Sprint("fact ", i) || rec.Kind != 7 || !rec.Time.Equal(testTime) || rec.At != a {
				t.Fatalf("read %v: %+v, %v", a, rec, err)
			}
		}
		i := 17
		for rec, err := range l.Records(at[17]) {
			if err != nil || rec.At != at[i] {
				t.Fatalf("record %d: %v at %v, want %v", i, err, rec.At, at[i])
			}
			i++
		}
		if i != 40 {
			t.Fatalf("reading ended at %d", i)
		}
	}
	check(l)
	if _, err := Open(dir, Options{}); err == nil {
		t.Error("a log was opened twice")
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := l.Append(1, testTime, nil); !errors.Is(err, ErrClosed) {
		t.Errorf("append to a closed log: %v", err)
	}
	l = mustOpen(t, dir, Options{SegmentBytes: 400})
	defer l.Close()
	check(l)
	at = append(at, mustAppend(t, l, "fact 40"))
	for _, bad := range []Address{{}, {1, 0}, {1, 5}, {at[40].Segment, at[40].Offset + 1}, {99, 48}, {2, 1 << 31}} {
		if _, err := l.Read(bad, nil); !errors.Is(err, ErrNotFound) {
			t.Errorf("read %v: %v, want ErrNotFound", bad, err)
		}
	}
	if _, err := l.Append(1, testTime, make([]byte, 1<<20+1)); !errors.Is(err, ErrTooLarge) {
		t.Errorf("a record that is too large: %v", err)
	}
	r, err := Verify(dir, nil)
	if err != nil || r.Records != 41 || r.Last != at[40] {
		t.Errorf("verify: %+v, %v", r, err)
	}
}

// TestConcurrent: everything that was acknowledged is there, once.
func TestConcurrent(t *testing.T) {
	for _, mode := range []SyncMode{SyncNone, SyncGroup} {
		dir := t.TempDir()
		l := mustOpen(t, dir, Options{SegmentBytes: 4096, Sync: mode})
		var wg sync.WaitGroup
		for g := range 8 {
			wg.Go(func() {
				for i := range 50 {
					want := fmt.Sprint(g, "/", i)
					at, err := l.Append(1, testTime, []byte(want))
					if err != nil {
						t.Error(err)
						return
					}
					if rec, err := l.Read(at, nil); err != nil || string(rec.Payload) != want {
						t.Errorf("read back %v: %q, %v", at, rec.Payload, err)
					}
				}
			})
		}
		wg.Wait()
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		got, err := payloads(dir)
		seen := map[string]int{}
		for _, p := range got {
			seen[p]++
		}
		if err != nil || len(got) != 400 || len(seen) != 400 {
			t.Errorf("mode %d: %d records, %d of them different, %v", mode, len(got), len(seen), err)
		}
	}
}

// TestTornTail cuts the last segment at every byte of its last record: the record
// is gone, the others stay, and appending goes on.
func TestTornTail(t *testing.T) {
	dir := t.TempDir()
	l := mustOpen(t, dir, Options{})
	mustAppend(t, l, "one")
	last := mustAppend(t, l, "the last")
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	path := segmentPath(dir, 1)
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for cut := int(last.Offset); cut < len(whole); cut++ {
		for _, filler := range [][]byte{nil, make([]byte, 20)} { // as a kill leaves it, and as power loss can
			if err := os.WriteFile(path, append(bytes.Clone(whole[:cut]), filler...), 0o600); err != nil {
				t.Fatal(err)
			}
			if _, err := Verify(dir, nil); err != nil {
				t.Errorf("cut at %d: verify: %v", cut, err)
			}
			l := mustOpen(t, dir, Options{})
			if got, want := l.Stats().TornBytes, uint64(cut+len(filler)-int(last.Offset)); got != want {
				t.Errorf("cut at %d: %d torn bytes, want %d", cut, got, want)
			}
			mustAppend(t, l, "after")
			if err := l.Close(); err != nil {
				t.Fatal(err)
			}
			if got, err := payloads(dir); err != nil || fmt.Sprint(got) != "[one after]" {
				t.Errorf("cut at %d: %v, %v", cut, got, err)
			}
		}
	}
	for cut := range headerBytes { // the crash was before the header
		if err := os.WriteFile(path, whole[:cut], 0o600); err != nil {
			t.Fatal(err)
		}
		l := mustOpen(t, dir, Options{})
		mustAppend(t, l, "anew")
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// threeSegments makes a log whose files the tests damage.
func threeSegments(t *testing.T) (dir string, end Address) {
	t.Helper()
	dir = t.TempDir()
	l := mustOpen(t, dir, Options{SegmentBytes: 200})
	for i := range 9 {
		mustAppend(t, l, fmt.Sprint("record number ", i))
	}
	end = l.End()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := Verify(dir, nil); err != nil {
		t.Fatalf("control: %v", err)
	}
	return dir, end
}

// TestEveryBitIsWatched flips each bit of each file: Verify sees it, but for the
// last record, which then looks like a torn write and is reported as such.
func TestEveryBitIsWatched(t *testing.T) {
	dir, end := threeSegments(t)
	for n := uint32(1); n <= end.Segment; n++ {
		path := segmentPath(dir, n)
		whole, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for i := range whole {
			bad := bytes.Clone(whole)
			bad[i] ^= 1 << (i % 8)
			if err := os.WriteFile(path, bad, 0o600); err != nil {
				t.Fatal(err)
			}
			r, err := Verify(dir, nil)
			if err == nil && (n != end.Segment || r.TornTail == 0) {
				t.Errorf("segment %d: byte %d changed, and nobody noticed: %+v", n, i, r)
			}
		}
		if err := os.WriteFile(path, whole, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// TestRecordsCannotMove: one taken out, two exchanged, a segment missing or cut.
func TestRecordsCannotMove(t *testing.T) {
	const record = recordHead + len("record number 0")
	f := func(name string, damage func(dir string)) {
		t.Helper()
		dir, _ := threeSegments(t)
		damage(dir)
		var d *DamageError
		if _, err := Verify(dir, nil); !errors.As(err, &d) {
			t.Errorf("%s: verify: %v, want a DamageError", name, err)
		}
		if _, err := payloads(dir); name != "segment missing" && err == nil {
			t.Errorf("%s: read without an error", name)
		}
	}
	edit := func(change func([]byte) []byte) func(string) {
		return func(dir string) {
			b, err := os.ReadFile(segmentPath(dir, 2))
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(segmentPath(dir, 2), change(b), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	f("removed", edit(func(b []byte) []byte { return append(b[:headerBytes:headerBytes], b[headerBytes+record:]...) }))
	f("exchanged", edit(func(b []byte) []byte {
		c := bytes.Clone(b)
		copy(c[headerBytes:], b[headerBytes+record:headerBytes+2*record])
		copy(c[headerBytes+record:], b[headerBytes:headerBytes+record])
		return c
	}))
	f("cut in the middle of the log", edit(func(b []byte) []byte { return b[:len(b)-3] }))
	f("segment missing", func(dir string) {
		if err := os.Remove(segmentPath(dir, 2)); err != nil {
			t.Fatal(err)
		}
	})
	dir, _ := threeSegments(t)
	if err := os.Remove(segmentPath(dir, 2)); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(dir, Options{}); err == nil {
		t.Error("a log with a missing segment was opened")
	}
}

// TestDamageBeforeGoodRecords: what is not the tail is never cut silently.
func TestDamageBeforeGoodRecords(t *testing.T) {
	dir := t.TempDir()
	l := mustOpen(t, dir, Options{})
	mustAppend(t, l, "one")
	at := mustAppend(t, l, "two")
	mustAppend(t, l, "three")
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(segmentPath(dir, 1))
	if err != nil {
		t.Fatal(err)
	}
	b[at.Offset+recordHead] ^= 1
	if err := os.WriteFile(segmentPath(dir, 1), b, 0o600); err != nil {
		t.Fatal(err)
	}
	var d *DamageError
	if _, err := Open(dir, Options{}); !errors.As(err, &d) || d.At != at {
		t.Errorf("open: %v, want damage at %v", err, at)
	}
}

func TestRetire(t *testing.T) {
	dir, end := threeSegments(t)
	old := time.Now().Add(-time.Hour)
	if err := os.Chtimes(segmentPath(dir, 1), old, old); err != nil {
		t.Fatal(err)
	}
	l := mustOpen(t, dir, Options{SegmentBytes: 200, RetainAge: time.Minute})
	l.Pin(Address{1, headerBytes})
	if n, err := l.Retire(); n != 0 || err != nil {
		t.Errorf("removed %d pinned segments, %v", n, err)
	}
	l.Pin(end)
	if n, err := l.Retire(); n != 1 || err != nil {
		t.Errorf("removed %d segments, want 1, %v", n, err)
	}
	if _, err := l.Read(Address{1, headerBytes}, nil); !errors.Is(err, ErrNotFound) {
		t.Errorf("a retired record: %v, want ErrNotFound", err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if r, err := Verify(dir, nil); err != nil || r.Segments != int(end.Segment)-1 {
		t.Errorf("after retention: %+v, %v", r, err)
	}
	l = mustOpen(t, dir, Options{SegmentBytes: 200, RetainBytes: 1})
	defer l.Close()
	if n, err := l.Retire(); n != int(end.Segment)-2 || err != nil {
		t.Errorf("removed %d segments, want all but the active one, %v", n, err)
	}
}

// brittle is a file on a disk that fills up.
type brittle struct {
	file
	disk *disk
}

type disk struct {
	room         int // bytes that can still be written
	keepsRemains bool
}

func (b *brittle) WriteAt(p []byte, off int64) (int, error) {
	if len(p) <= b.disk.room {
		b.disk.room -= len(p)
		return b.file.WriteAt(p, off)
	}
	n, err := b.file.WriteAt(p[:b.disk.room], off)
	b.disk.room = 0
	return n, errors.Join(err, syscall.ENOSPC)
}

func (b *brittle) Truncate(size int64) error {
	if b.disk.keepsRemains {
		return syscall.EIO
	}
	return b.file.Truncate(size)
}

// TestFullDisk: what is not written is not acknowledged, nothing stands between
// good records, and with space again appends work again.
func TestFullDisk(t *testing.T) {
	for _, keepsRemains := range []bool{false, true} {
		dir := t.TempDir()
		d := &disk{room: 1 << 20}
		o := Options{}
		o.defaults()
		plain := o.openFile
		o.openFile = func(path string, flag int) (file, error) {
			f, err := plain(path, flag)
			return &brittle{f, d}, err
		}
		l := mustOpen(t, dir, o)
		mustAppend(t, l, "before")
		d.room, d.keepsRemains = 20, keepsRemains
		for range 3 {
			if _, err := l.Append(1, testTime, []byte("lost")); err == nil {
				t.Fatal("a record that was not written is acknowledged")
			}
			if rec, err := l.Read(l.End(), nil); err == nil {
				t.Fatalf("reads %q where nothing was written", rec.Payload)
			}
		}
		if l.Stats().FailedWrites != 3 {
			t.Errorf("%d failed writes, want 3", l.Stats().FailedWrites)
		}
		d.room, d.keepsRemains = 1<<20, false
		mustAppend(t, l, "after")
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		if got, err := payloads(dir); err != nil || fmt.Sprint(got) != "[before after]" {
			t.Errorf("remains kept %v: %v, %v", keepsRemains, got, err)
		}
		if _, err := Verify(dir, nil); err != nil {
			t.Error(err)
		}
	}
}

// TestRealFullDisk does the same on a file system of 64 KiB, where the test may mount one.
func TestRealFullDisk(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "small")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=64k"); err != nil {
		t.Skipf("cannot mount a small file system: %v", err)
	}
	defer syscall.Unmount(dir, syscall.MNT_DETACH)
	l := mustOpen(t, dir, Options{})
	payload := bytes.Repeat([]byte("x"), 1000)
	good := 0
	for ; ; good++ {
		if _, err := l.Append(1, testTime, payload); err != nil {
			if !errors.Is(err, syscall.ENOSPC) {
				t.Fatal(err)
			}
			break
		}
	}
	if err := syscall.Mount("tmpfs", dir, "tmpfs", syscall.MS_REMOUNT, "size=128k"); err != nil {
		t.Fatal(err)
	}
	if _, err := l.Append(1, testTime, payload); err != nil {
		t.Fatalf("with space again: %v", err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if r, err := Verify(dir, nil); err != nil || r.Records != good+1 {
		t.Errorf("%+v, %v, want %d records", r, err, good+1)
	}
}

// TestModel holds a log that is reopened, torn and rotated against a slice.
func TestModel(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		dir, err := os.MkdirTemp(t.TempDir(), "")
		if err != nil {
			rt.Fatal(err)
		}
		o := Options{SegmentBytes: int64(rapid.IntRange(100, 600).Draw(rt, "segment"))}
		l := mustOpen(t, dir, o)
		var want []string
		for i := range rapid.IntRange(1, 40).Draw(rt, "steps") {
			switch rapid.IntRange(0, 9).Draw(rt, "step") {
			case 0:
				if err := l.Close(); err != nil {
					rt.Fatal(err)
				}
				l = mustOpen(t, dir, o)
			case 1: // a write that was interrupted
				end := l.End()
				if err := l.Close(); err != nil {
					rt.Fatal(err)
				}
				f, err := os.OpenFile(segmentPath(dir, end.Segment), os.O_WRONLY|os.O_APPEND, 0)
				if err != nil {
					rt.Fatal(err)
				}
				_, err = f.Write(rapid.SliceOfN(rapid.Byte(), 0, 60).Draw(rt, "remains"))
				if err = errors.Join(err, f.Close()); err != nil {
					rt.Fatal(err)
				}
				l = mustOpen(t, dir, o)
			default:
				p := fmt.Sprint(i, bytes.Repeat([]byte{'x'}, rapid.IntRange(0, 30).Draw(rt, "length")))
				mustAppend(t, l, p)
				want = append(want, p)
			}
		}
		if err := l.Close(); err != nil {
			rt.Fatal(err)
		}
		if got, err := payloads(dir); err != nil || fmt.Sprint(got) != fmt.Sprint(want) {
			rt.Fatalf("got %v, %v, want %v", got, err, want)
		}
	})
}

func TestAppendAllocates(t *testing.T) {
	l := mustOpen(t, t.TempDir(), Options{})
	defer l.Close()
	payload := make([]byte, 1500)
	if got := testing.AllocsPerRun(1000, func() {
		if _, err := l.Append(1, testTime, payload); err != nil {
			t.Fatal(err)
		}
	}); got != 0 {
		t.Errorf("%v allocations an append", got)
	}
}

// FuzzSegment reads arbitrary bytes as a segment.
func FuzzSegment(f *testing.F) {
	dir := f.TempDir()
	l := mustOpen(f, dir, Options{})
	mustAppend(f, l, "one")
	mustAppend(f, l, "two")
	if err := l.Close(); err != nil {
		f.Fatal(err)
	}
	b, err := os.ReadFile(segmentPath(dir, 1))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Add(b[:70])
	f.Add([]byte(magic))
	f.Fuzz(func(t *testing.T, b []byte) {
		dir := t.TempDir()
		if err := os.WriteFile(segmentPath(dir, 1), b, 0o600); err != nil {
			t.Fatal(err)
		}
		before, _ := payloads(dir)
		_, verr := Verify(dir, nil)
		l, err := Open(dir, Options{})
		if err != nil {
			return
		}
		if verr != nil && len(b) >= headerBytes {
			t.Fatalf("opened what does not verify: %v", verr)
		}
		mustAppend(t, l, "after")
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		if after, err := payloads(dir); err != nil || len(after) != len(before)+1 {
			t.Fatalf("%d records before, %d after, %v", len(before), len(after), err)
		}
	})
}
