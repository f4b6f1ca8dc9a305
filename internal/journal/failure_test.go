package journal

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// disk is one that fills up and breaks. Files that are opened on it fail like it.
type disk struct {
	room     int           // bytes that can still be written
	stuck    bool          // nothing can be truncated
	badSync  atomic.Bool   // syncs fail
	syncTime time.Duration // of every sync
	holdSync chan struct{} // syncs wait for it
	syncs    atomic.Int32  // that were asked for

	mu    sync.Mutex
	files []*diskFile
}

type diskFile struct {
	*os.File
	disk            *disk
	written, synced atomic.Int64 // bytes
}

func (d *disk) openFile(path string, flag int) (file, error) {
	f, err := os.OpenFile(path, flag, 0o600)
	out := &diskFile{File: f, disk: d}
	d.mu.Lock()
	d.files = append(d.files, out)
	d.mu.Unlock()
	return out, err
}

// unsynced counts the files in which something is not on disk.
func (d *disk) unsynced() (n int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, f := range d.files {
		if f.synced.Load() < f.written.Load() {
			n++
		}
	}
	return n
}

func (f *diskFile) WriteAt(b []byte, off int64) (int, error) {
	if len(b) <= f.disk.room {
		f.disk.room -= len(b)
		f.written.Store(off + int64(len(b)))
		return f.File.WriteAt(b, off)
	}
	n, err := f.File.WriteAt(b[:f.disk.room], off)
	f.disk.room = 0
	return n, errors.Join(err, syscall.ENOSPC)
}

func (f *diskFile) Truncate(size int64) error {
	if f.disk.stuck {
		return syscall.EIO
	}
	f.written.Store(size)
	f.synced.Store(min(size, f.synced.Load()))
	return f.File.Truncate(size)
}

func (f *diskFile) Close() error {
	f.written.Store(0) // finished, or a segment that could not be begun
	return f.File.Close()
}

// Sync does not: no test cuts the power.
func (f *diskFile) Sync() error {
	upTo := f.written.Load()
	f.disk.syncs.Add(1)
	if f.disk.holdSync != nil {
		<-f.disk.holdSync
	}
	time.Sleep(f.disk.syncTime)
	if f.disk.badSync.Load() {
		return syscall.EIO
	}
	f.synced.Store(max(upTo, f.synced.Load()))
	return nil
}

// TestFullDisk: what is not written is not acknowledged, nothing stands between
// good records, and with space again appends work again.
func TestFullDisk(t *testing.T) {
	for _, stuck := range []bool{false, true} {
		for room := range recordHead + len("lost") {
			dir := t.TempDir()
			d := &disk{room: 1 << 20}
			l := mustOpen(t, dir, Options{openFile: d.openFile})
			mustAppend(t, l, "before")
			end := l.End()
			d.room, d.stuck = room, stuck
			for range 3 {
				if _, err := l.Append(1, testTime, []byte("lost")); !errors.Is(err, syscall.ENOSPC) && !errors.Is(err, syscall.EIO) {
					t.Fatalf("a record that was not written: %v", err)
				}
				if rec, err := l.Read(l.End(), nil); err == nil || l.End() != end {
					t.Fatalf("reads %q where nothing was written", rec.Payload)
				}
				if _, err := Verify(dir, nil); err != nil { // a reader meanwhile
					t.Fatal(err)
				}
			}
			if got := l.Stats(); got.FailedWrites != 3 || got.Records != 1 {
				t.Errorf("%+v, want 3 failed writes", got)
			}
			d.room, d.stuck = 1<<20, false
			mustAppend(t, l, "after")
			mustClose(t, l)
			wantPayloads(t, dir, "before", "after")
		}
	}
}

// TestControlOfFullDisk: without taking back the remains, the next record would
// stand behind garbage, or be found although its append failed.
func TestControlOfFullDisk(t *testing.T) {
	dir := t.TempDir()
	d := &disk{room: 1 << 20}
	l := mustOpen(t, dir, Options{openFile: d.openFile})
	mustAppend(t, l, "before")
	d.room = 30
	if _, err := l.Append(1, testTime, []byte("a long record that is lost")); err == nil {
		t.Fatal("acknowledged")
	}
	d.room = 1 << 20
	l.end.size += 30 // as if the file were written on behind it
	mustAppend(t, l, "after")
	mustClose(t, l)
	if _, err := Verify(dir, nil); err == nil {
		t.Error("garbage before a good record was not noticed")
	}
}

// TestStuckDiskAndCrash: the remains of a failed write that nobody could take
// back are a torn tail to the next start.
func TestStuckDiskAndCrash(t *testing.T) {
	dir := t.TempDir()
	d := &disk{room: 1 << 20}
	l := mustOpen(t, dir, Options{openFile: d.openFile})
	mustAppend(t, l, "before")
	d.room, d.stuck = 20, true
	if _, err := l.Append(1, testTime, []byte("lost")); err == nil {
		t.Fatal("acknowledged")
	}
	if err := l.Close(); !errors.Is(err, syscall.EIO) {
		t.Errorf("close: %v", err)
	}
	l = mustOpen(t, dir, Options{})
	if got := l.Stats().TornBytes; got != 20 {
		t.Errorf("%d torn bytes, want 20", got)
	}
	mustAppend(t, l, "after")
	mustClose(t, l)
	wantPayloads(t, dir, "before", "after")
}

// TestFullDiskAtRotation: a segment that cannot be begun is removed again; smaller
// records still go into the old one, and nothing refers to it.
func TestFullDiskAtRotation(t *testing.T) {
	t.Parallel()
	for _, mode := range []SyncMode{SyncNone, SyncGroup} {
		for room := 0; room < headerBytes; room += 7 {
			dir := t.TempDir()
			d := &disk{room: 1 << 20}
			l := mustOpen(t, dir, Options{SegmentBytes: 200, Sync: mode, openFile: d.openFile})
			mustAppend(t, l, "before")
			d.room = room
			if _, err := l.Append(1, testTime, make([]byte, 150)); !errors.Is(err, syscall.ENOSPC) {
				t.Fatalf("a record that was not written: %v", err)
			}
			if _, err := os.Stat(segmentPath(dir, 2)); err == nil {
				t.Fatal("the segment that could not be begun is there")
			}
			d.room = 1 << 20
			mustAppend(t, l, "small")
			at := mustAppend(t, l, fmt.Sprintf("%150d", 1))
			if at != (Address{2, headerBytes}) {
				t.Errorf("the next segment begins with %v", at)
			}
			mustClose(t, l)
			wantPayloads(t, dir, "before", "small", fmt.Sprintf("%150d", 1))
		}
	}
}

// TestFailedSync: who waits for a sync that fails is told, and none of it is found
// later, though the next sync works.
func TestFailedSync(t *testing.T) {
	dir := t.TempDir()
	d := &disk{room: 1 << 20}
	l := mustOpen(t, dir, Options{Sync: SyncGroup, openFile: d.openFile})
	mustAppend(t, l, "before")
	d.badSync.Store(true)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			if _, err := l.Append(1, testTime, []byte("lost")); !errors.Is(err, syscall.EIO) {
				t.Errorf("a record that is not on disk: %v", err)
			}
		})
	}
	wg.Wait()
	d.badSync.Store(false)
	mustAppend(t, l, "after")
	if got := l.Stats(); got.Records != 2 || got.FailedWrites == 0 {
		t.Errorf("%+v", got)
	}
	mustClose(t, l)
	wantPayloads(t, dir, "before", "after")
}

// TestFailedSyncTellsTheNext: who appended while the sync ran that failed is told too:
// the record stood behind one that was taken back.
func TestFailedSyncTellsTheNext(t *testing.T) {
	dir := t.TempDir()
	d := &disk{room: 1 << 20}
	l := mustOpen(t, dir, Options{Sync: SyncGroup, openFile: d.openFile})
	mustAppend(t, l, "before")
	d.holdSync = make(chan struct{})
	d.badSync.Store(true)
	var wg sync.WaitGroup
	for i := range 2 {
		end, syncs := l.End(), d.syncs.Load()
		wg.Go(func() {
			if _, err := l.Append(1, testTime, []byte("lost")); !errors.Is(err, syscall.EIO) {
				t.Errorf("append %d: %v", i, err)
			}
		})
		for l.End() == end || i == 0 && d.syncs.Load() == syncs {
			time.Sleep(100 * time.Microsecond)
		}
	}
	d.holdSync <- struct{}{} // of the first
	l.mu.Lock()
	for l.syncing {
		l.changed.Wait()
	}
	l.mu.Unlock()
	d.badSync.Store(false)
	close(d.holdSync)
	wg.Wait()
	mustAppend(t, l, "after")
	mustClose(t, l)
	wantPayloads(t, dir, "before", "after")
}

// TestFailingSyncsUnderLoad: of concurrent appends over many segments exactly those
// are in the log that were acknowledged.
func TestFailingSyncsUnderLoad(t *testing.T) {
	dir := t.TempDir()
	d := &disk{room: 1 << 30, syncTime: 50 * time.Microsecond}
	l := mustOpen(t, dir, Options{Sync: SyncGroup, SegmentBytes: 1000, openFile: func(path string, flag int) (file, error) {
		if n := d.unsynced(); n > 0 { // or a power failure could leave the next one, and not the end of this one
			t.Errorf("%s is begun while %d files are not on disk", filepath.Base(path), n)
		}
		return d.openFile(path, flag)
	}})
	var mu sync.Mutex
	acknowledged := map[string]bool{}
	var wg sync.WaitGroup
	stop := make(chan struct{})
	breaker := make(chan struct{})
	go func() {
		defer close(breaker)
		for bad := true; ; bad = !bad {
			select {
			case <-stop:
				return
			case <-time.After(300 * time.Microsecond):
				d.badSync.Store(bad)
			}
		}
	}()
	for g := range 8 {
		wg.Go(func() {
			for i := range 100 {
				p := fmt.Sprint(g, "/", i)
				if _, err := l.Append(1, testTime, []byte(p)); err == nil {
					mu.Lock()
					acknowledged[p] = true
					mu.Unlock()
				}
			}
		})
	}
	wg.Wait()
	close(stop)
	<-breaker
	d.badSync.Store(false)
	stats := l.Stats()
	mustClose(t, l)
	got, err := payloads(dir)
	if err != nil || len(got) != len(acknowledged) || stats.Records != uint64(len(got)) {
		t.Errorf("%d records, %d acknowledged, %+v, %v", len(got), len(acknowledged), stats, err)
	}
	for _, p := range got {
		if !acknowledged[p] {
			t.Errorf("%s is in the log, and its append failed", p)
		}
	}
	t.Logf("acknowledged=%d of 800", len(acknowledged))
}

// TestGroupCommit: appends return after their sync, not before; those that come
// while one runs share the next; and until then nobody reads them.
func TestGroupCommit(t *testing.T) {
	dir := t.TempDir()
	d := &disk{room: 1 << 20}
	l := mustOpen(t, dir, Options{Sync: SyncGroup, openFile: d.openFile})
	before := d.syncs.Load()
	d.holdSync = make(chan struct{})
	var wg sync.WaitGroup
	var returned atomic.Int32
	for range 8 {
		wg.Go(func() {
			mustAppend(t, l, "x")
			returned.Add(1)
		})
	}
	for l.End().Offset < headerBytes+8*(recordHead+1) {
		time.Sleep(100 * time.Microsecond)
	}
	if n := returned.Load(); n != 0 {
		t.Errorf("%d appends returned before they were on disk", n)
	}
	if _, err := l.Read(Address{1, headerBytes}, nil); !errors.Is(err, ErrNotFound) {
		t.Errorf("a record that is not on disk was read: %v", err)
	}
	for range l.Records(Address{}) {
		t.Error("a record that is not on disk was read")
	}
	close(d.holdSync)
	wg.Wait()
	if got := d.syncs.Load() - before; got > 2 {
		t.Errorf("%d syncs for 8 appends at the same time, want at most 2", got)
	}
	mustClose(t, l)
	if got, err := payloads(dir); len(got) != 8 || err != nil {
		t.Errorf("%d records, %v", len(got), err)
	}
}

// TestRotationDoesNotWaitForTheDisk: without SyncGroup a finished segment is left
// to the kernel, and only Close waits for the disk.
func TestRotationDoesNotWaitForTheDisk(t *testing.T) {
	dir := t.TempDir()
	d := &disk{room: 1 << 20, holdSync: make(chan struct{})}
	l := mustOpen(t, dir, Options{SegmentBytes: 200, openFile: d.openFile})
	for range 20 {
		mustAppend(t, l, "not one of these waits")
	}
	if l.End().Segment < 5 {
		t.Fatal("control: nothing rotated")
	}
	close(d.holdSync)
	mustClose(t, l)
	if got := d.syncs.Load(); got != 1 {
		t.Errorf("%d syncs, want that of Close", got)
	}
	if r, err := Verify(dir, nil); err != nil || r.Records != 20 {
		t.Errorf("%+v, %v", r, err)
	}
}

// TestSegmentThatCannotBeRemoved: as long as a segment that could not be begun is
// there, nothing is appended: its header would no longer continue the log.
func TestSegmentThatCannotBeRemoved(t *testing.T) {
	dir := t.TempDir()
	d := &disk{room: 1 << 20}
	l := mustOpen(t, dir, Options{SegmentBytes: 200, openFile: d.openFile})
	mustAppend(t, l, "before")
	next := segmentPath(dir, 2)
	if err := os.MkdirAll(filepath.Join(next, "in the way"), 0o700); err != nil { // not to be opened, not to be removed
		t.Fatal(err)
	}
	l.stray = next
	for range 2 {
		if _, err := l.Append(1, testTime, []byte("small")); err == nil {
			t.Fatal("appended beside a segment that does not continue the log")
		}
	}
	if err := os.RemoveAll(next); err != nil {
		t.Fatal(err)
	}
	mustAppend(t, l, "after")
	mustClose(t, l)
	wantPayloads(t, dir, "before", "after")
}

// TestRetireKeepsTheChain: a segment stays as long as the next one's header does not hold.
func TestRetireKeepsTheChain(t *testing.T) {
	dir, _ := threeSegments(t)
	l := mustOpen(t, dir, Options{SegmentBytes: 230, RetainBytes: 1})
	defer l.Close()
	flip(t, segmentPath(dir, 2), 30, 1)
	var d *DamageError
	if n, err := l.Retire(); n != 0 || !errors.As(err, &d) {
		t.Errorf("removed %d segments, %v", n, err)
	}
}

func TestRetire(t *testing.T) {
	dir, at := threeSegments(t)
	path := func(n uint32) string { return filepath.Base(segmentPath(dir, n)) }
	now := time.Now()
	o := Options{SegmentBytes: 230, RetainAge: time.Hour, Now: func() time.Time { return now }}
	l := mustOpen(t, dir, o)
	if n, err := l.Retire(); n != 0 || err != nil {
		t.Errorf("removed %d segments that are not old, %v", n, err)
	}
	now = now.Add(2 * time.Hour)
	mustAppend(t, l, "in a new segment, which begins two hours later")
	l.Pin(at[1])
	if n, err := l.Retire(); n != 0 || err != nil {
		t.Errorf("removed %d pinned segments, %v", n, err)
	}
	if _, err := l.Read(at[0], nil); err != nil { // now it is open for reading, too
		t.Error(err)
	}
	l.Pin(at[4])
	if n, err := l.Retire(); n != 1 || err != nil || l.Stats().Segments != 3 {
		t.Errorf("removed %d segments, want %s, %v", n, path(1), err)
	}
	if _, err := l.Read(at[0], nil); !errors.Is(err, ErrNotFound) {
		t.Errorf("a retired record: %v, want ErrNotFound", err)
	}
	for _, err := range l.Records(at[1]) {
		if !errors.Is(err, ErrNotFound) {
			t.Errorf("reading from a retired record: %v, want ErrNotFound", err)
		}
	}
	l.Pin(l.End())
	if n, err := l.Retire(); n != 1 || err != nil {
		t.Errorf("removed %d segments, want %s: what is before the one that is new may go, %v", n, path(2), err)
	}
	mustClose(t, l)
	r, err := Verify(dir, nil)
	if err != nil || r.Segments != 2 || r.Records != 4 || r.First != at[6] {
		t.Errorf("after retention: %+v, %v", r, err)
	}
	o.RetainAge, o.RetainBytes = 0, 1
	l = mustOpen(t, dir, o)
	if n, err := l.Retire(); n != 1 || err != nil {
		t.Errorf("removed %d segments, want all but the active one, %v", n, err)
	}
	mustAppend(t, l, "last")
	mustClose(t, l)
	if r, err := Verify(dir, nil); err != nil || r.Records != 2 {
		t.Errorf("%+v, %v", r, err)
	}
}

// TestRetireWhileReading: a reader whose next segment is retired is told; Verify,
// which only asks whether what is there holds, goes on.
func TestRetireWhileReading(t *testing.T) {
	for _, tool := range []bool{false, true} {
		dir, _ := threeSegments(t)
		l := mustOpen(t, dir, Options{SegmentBytes: 230, RetainBytes: 1})
		n, last := 0, error(nil)
		w := walker{dir: dir, gaps: tool}
		last = w.walk(func(Record) bool {
			if n++; n == 1 {
				if _, err := l.Retire(); err != nil {
					t.Fatal(err)
				}
			}
			return true
		})
		if !tool && !errors.Is(last, ErrNotFound) || tool && (last != nil || n != 6) {
			t.Errorf("gaps %v: %d records, %v", tool, n, last)
		}
		mustClose(t, l)
	}
}

// TestHold: what is held stays although it is old, and goes once the log is larger than
// that may make it. The control is the same log with nothing held.
func TestHold(t *testing.T) {
	retire := func(hold func(*Log, []Address)) (removed int, s Stats) {
		dir, at := threeSegments(t)
		now := time.Now().Add(2 * time.Hour)
		l := mustOpen(t, dir, Options{SegmentBytes: 230, RetainAge: time.Hour, Now: func() time.Time { return now }})
		defer mustClose(t, l)
		mustAppend(t, l, "in a new segment, which begins two hours later")
		hold(l, at)
		n, err := l.Retire()
		if err != nil {
			t.Fatal(err)
		}
		return n, l.Stats()
	}
	if n, s := retire(func(*Log, []Address) {}); n < 2 || s.Released != 0 {
		t.Errorf("control: %d removed, %+v", n, s)
	}
	if n, s := retire(func(l *Log, at []Address) { l.Hold(at[0], 0) }); n != 0 || s.Released != 0 {
		t.Errorf("%d removed of a held log, %+v", n, s)
	}
	if n, s := retire(func(l *Log, at []Address) { l.Hold(at[4], 1<<20) }); n != 1 || s.Released != 0 {
		t.Errorf("%d removed before what is held, %+v", n, s)
	}
	if n, s := retire(func(l *Log, at []Address) { l.Hold(at[0], 1) }); n < 2 || s.Released != uint64(n) {
		t.Errorf("%d removed of a log that is too large, %+v", n, s)
	}
	if n, _ := retire(func(l *Log, at []Address) { l.Hold(at[0], 1); l.Pin(at[0]) }); n != 0 {
		t.Errorf("%d removed that are pinned", n)
	}
}
