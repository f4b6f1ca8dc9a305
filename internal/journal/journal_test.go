package journal

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"sync"
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

func mustClose(t testing.TB, l *Log) {
	t.Helper()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
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

func wantPayloads(t testing.TB, dir string, want ...string) {
	t.Helper()
	if got, err := payloads(dir); err != nil || !slices.Equal(got, want) {
		t.Errorf("the log holds %q, %v, want %q", got, err, want)
	}
	if _, err := Verify(dir, nil); err != nil {
		t.Errorf("verify: %v", err)
	}
}

func TestRoundTrip(t *testing.T) {
	dir := t.TempDir()
	l := mustOpen(t, dir, Options{SegmentBytes: 400})
	var at []Address
	for i := range 40 {
		if i > 0 && l.End().Less(at[i-1]) {
			t.Fatal("the end lies before the last record")
		}
		at = append(at, mustAppend(t, l, fmt.Sprint("fact ", i)))
	}
	if at[39].Segment < 5 {
		t.Fatalf("40 records lie in %d segments", at[39].Segment)
	}
	check := func(l *Log) {
		t.Helper()
		var buf []byte
		for i, a := range at {
			rec, err := l.Read(a, buf)
			if err != nil || string(rec.Payload) != fmt.Sprint("fact ", i) || rec.Kind != 7 || !rec.Time.Equal(testTime) || rec.At != a {
				t.Fatalf("read %v: %+v, %v", a, rec, err)
			}
			buf = rec.Payload
		}
		i := 17
		for rec, err := range l.Records(at[17]) {
			if err != nil || rec.At != at[i] || string(rec.Payload) != fmt.Sprint("fact ", i) {
				t.Fatalf("record %d: %v at %v, want %v", i, err, rec.At, at[i])
			}
			i++
		}
		if i != len(at) {
			t.Fatalf("reading ended at %d of %d", i, len(at))
		}
		for range l.Records(l.End()) {
			t.Fatal("there is a record at the end")
		}
	}
	check(l)
	if _, err := Open(dir, Options{}); err == nil {
		t.Error("a log was opened twice")
	}
	mustClose(t, l)
	if _, err := l.Append(1, testTime, nil); !errors.Is(err, ErrClosed) {
		t.Errorf("append to a closed log: %v", err)
	}
	if _, err := l.Read(at[0], nil); !errors.Is(err, ErrClosed) {
		t.Errorf("read of a closed log: %v", err)
	}
	if err := l.Close(); !errors.Is(err, ErrClosed) {
		t.Errorf("closed twice: %v", err)
	}
	l = mustOpen(t, dir, Options{SegmentBytes: 400})
	defer l.Close()
	check(l)
	at = append(at, mustAppend(t, l, "fact 40"))
	check(l)
	for _, bad := range []Address{{}, {0, 60}, {1, 0}, {1, 5}, {at[40].Segment, at[40].Offset + 1}, {at[3].Segment, at[3].Offset - 1}, {99, headerBytes}, {2, 1 << 31}, l.End()} {
		if _, err := l.Read(bad, nil); !errors.Is(err, ErrNotFound) {
			t.Errorf("read %v: %v, want ErrNotFound", bad, err)
		}
	}
	told := int64(0)
	r, err := Verify(dir, func(done, total int64) { told = done })
	if err != nil || r.Records != 41 || r.First != at[0] || r.Last != at[40] || r.Segments != int(at[40].Segment) || told != r.Bytes || r.TornTail != 0 {
		t.Errorf("verify: %+v, %v, told of %d bytes", r, err, told)
	}
}

func TestLimits(t *testing.T) {
	for _, o := range []Options{{SegmentBytes: -1}, {SegmentBytes: 1 << 32}, {MaxRecord: -1}, {MaxRecord: 64<<20 + 1}, {Sync: 2}} {
		if _, err := Open(t.TempDir(), o); err == nil {
			t.Errorf("%+v is taken", o)
		}
	}
	dir := t.TempDir()
	l := mustOpen(t, dir, Options{MaxRecord: 1000, SegmentBytes: 300})
	if _, err := l.Append(1, testTime, make([]byte, 1001)); !errors.Is(err, ErrTooLarge) {
		t.Errorf("a record that is too large: %v", err)
	}
	for _, when := range []time.Time{{}, time.Date(1600, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(2300, 1, 1, 0, 0, 0, 0, time.UTC)} {
		if _, err := l.Append(1, when, nil); err == nil {
			t.Errorf("%v is taken, which nanoseconds cannot say", when)
		}
	}
	for _, n := range []int{1000, 0, 1000, 1000, 1} { // larger than a segment: one of its own
		at, err := l.Append(math.MaxUint8, time.Unix(-1, 5), bytes.Repeat([]byte{9}, n))
		if err != nil {
			t.Fatal(err)
		}
		rec, err := l.Read(at, nil)
		if err != nil || len(rec.Payload) != n || rec.Kind != math.MaxUint8 || !rec.Time.Equal(time.Unix(-1, 5)) {
			t.Errorf("%d bytes: %+v, %v", n, rec, err)
		}
	}
	mustClose(t, l)
	if r, err := Verify(dir, nil); err != nil || r.Records != 5 || r.Segments != 5 {
		t.Errorf("%+v, %v", r, err)
	}
}

// crc32c is the definition, bit by bit: reflected polynomial 0x82F63B78 (RFC 3720, appendix B.4).
func crc32c(crc uint32, b []byte) uint32 {
	crc = ^crc
	for _, c := range b {
		crc ^= uint32(c)
		for range 8 {
			crc = crc>>1 ^ 0x82F63B78*(crc&1)
		}
	}
	return ^crc
}

// TestFormat builds a segment from the description in format.go.
func TestFormat(t *testing.T) {
	if got := crc32c(0, make([]byte, 32)); got != 0x8A9136AA { // RFC 3720, appendix B.4
		t.Fatalf("oracle: %#x", got)
	}
	le := binary.LittleEndian
	want := append([]byte("wary.log"), 1, 0, 0, 0, 1, 0, 0, 0)
	want = le.AppendUint64(want, 99)
	want = append(want, make([]byte, 32)...)
	seed := crc32c(0, want)
	want = le.AppendUint32(want, seed)
	var h [32]byte
	for _, payload := range []string{"first", "", "third"} {
		body := le.AppendUint32(nil, uint32(len(payload)))
		body = append(body, 7)
		body = le.AppendUint64(body, 1_780_000_000_000_000_123)
		head := body[:len(body):len(body)]
		h = sha256.Sum256(slices.Concat(h[:], body, []byte(payload)))
		head = slices.Concat(le.AppendUint32(nil, crc32c(0, []byte(payload))), h[:16], head)
		want = le.AppendUint32(want, crc32c(seed^uint32(len(want)), head))
		want = append(append(want, head...), payload...)
	}
	dir := t.TempDir()
	l := mustOpen(t, dir, Options{Now: func() time.Time { return time.Unix(0, 99) }})
	for _, payload := range []string{"first", "", "third"} {
		mustAppend(t, l, payload)
	}
	mustClose(t, l)
	if got, err := os.ReadFile(filepath.Join(dir, "00000001.wal")); err != nil || !bytes.Equal(got, want) {
		t.Errorf("%v\n got %x\nwant %x", err, got, want)
	}
	if r, err := Verify(dir, nil); err != nil || r.Head != fmt.Sprintf("%x", h) {
		t.Errorf("head %s, want %x, %v", r.Head, h, err)
	}
}

// TestConcurrent: everything that was acknowledged is there, once, while others
// read, verify and retire.
func TestConcurrent(t *testing.T) {
	t.Parallel()
	for _, mode := range []SyncMode{SyncNone, SyncGroup} {
		dir := t.TempDir()
		l := mustOpen(t, dir, Options{SegmentBytes: 4096, Sync: mode, RetainBytes: 8192})
		l.Pin(Address{})
		var writers, others sync.WaitGroup
		stop := make(chan struct{})
		for _, look := range []func() error{
			func() error { _, err := Verify(dir, nil); return err },
			func() error { _, err := l.Retire(); l.Stats(); return err },
			func() error { _, err := payloads(dir); return err },
			func() error {
				for _, err := range l.Records(Address{}) {
					if err != nil {
						return err
					}
				}
				return nil
			},
		} {
			others.Go(func() {
				for {
					select {
					case <-stop:
						return
					default:
						if err := look(); err != nil {
							t.Error(err)
							return
						}
					}
				}
			})
		}
		for g := range 8 {
			writers.Go(func() {
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
		writers.Wait()
		close(stop)
		others.Wait()
		if s := l.Stats(); s.Records != 400 || s.FailedWrites != 0 {
			t.Errorf("%+v", s)
		}
		mustClose(t, l)
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

// TestModel holds a log that is reopened, torn, rotated, retired and written to a
// failing disk against a slice.
func TestModel(t *testing.T) {
	t.Parallel()
	type entry struct {
		at      Address
		payload string
	}
	rapid.Check(t, func(rt *rapid.T) {
		dir, err := os.MkdirTemp(t.TempDir(), "")
		if err != nil {
			rt.Fatal(err)
		}
		d := &disk{room: 1 << 30}
		o := Options{SegmentBytes: int64(rapid.IntRange(150, 900).Draw(rt, "segment")), RetainBytes: 1200}
		o.Sync = SyncMode(rapid.IntRange(0, 1).Draw(rt, "sync"))
		o.openFile = d.openFile
		l := mustOpen(t, dir, o)
		var want []entry
		for i := range rapid.IntRange(1, 40).Draw(rt, "steps") {
			payload := fmt.Sprint(i, bytes.Repeat([]byte{'x'}, rapid.IntRange(0, 30).Draw(rt, "length")))
			switch rapid.IntRange(0, 12).Draw(rt, "step") {
			case 0:
				mustClose(t, l)
				l = mustOpen(t, dir, o)
			case 1: // a write that was interrupted
				end := l.End()
				mustClose(t, l)
				remains := rapid.SliceOfN(rapid.Byte(), 0, 60).Draw(rt, "remains")
				appendTo(t, segmentPath(dir, end.Segment), remains)
				l = mustOpen(t, dir, o)
				if got, want := l.Stats().TornBytes, len(bytes.TrimRight(remains, "\x00")); got != uint64(want) {
					rt.Fatalf("%d torn bytes, want %d", got, want)
				}
			case 2: // the disk is full
				d.room = rapid.IntRange(0, 36).Draw(rt, "room")
				d.stuck = rapid.Bool().Draw(rt, "stuck")
				if _, err := l.Append(1, testTime, []byte("lost")); err == nil {
					rt.Fatal("a record that was not written is acknowledged")
				}
				d.room, d.stuck = 1<<30, false
			case 3:
				if _, err := l.Retire(); err != nil {
					rt.Fatal(err)
				}
				first, err := segments(dir)
				if err != nil {
					rt.Fatal(err)
				}
				want = slices.DeleteFunc(want, func(e entry) bool { return e.at.Segment < first[0] })
			default:
				want = append(want, entry{mustAppend(t, l, payload), payload})
			}
		}
		for _, e := range want {
			if rec, err := l.Read(e.at, nil); err != nil || string(rec.Payload) != e.payload {
				rt.Fatalf("read %v: %q, %v, want %q", e.at, rec.Payload, err, e.payload)
			}
		}
		mustClose(t, l)
		i := 0
		for rec, err := range Records(dir, Address{}) {
			if err != nil || i >= len(want) || rec.At != want[i].at || string(rec.Payload) != want[i].payload {
				rt.Fatalf("record %d is %q at %v, %v", i, rec.Payload, rec.At, err)
			}
			i++
		}
		if i != len(want) {
			rt.Fatalf("%d records, want %d", i, len(want))
		}
	})
}

func appendTo(t testing.TB, path string, b []byte) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.Write(b); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestNothingAllocates(t *testing.T) {
	l := mustOpen(t, t.TempDir(), Options{})
	defer l.Close()
	payload := make([]byte, 1500)
	at := Address{}
	if got := testing.AllocsPerRun(1000, func() {
		var err error
		if at, err = l.Append(1, testTime, payload); err != nil {
			t.Fatal(err)
		}
	}); got != 0 {
		t.Errorf("%v allocations an append", got)
	}
	buf := make([]byte, 0, 1600)
	if got := testing.AllocsPerRun(1000, func() {
		rec, err := l.Read(at, buf)
		if err != nil {
			t.Fatal(err)
		}
		buf = rec.Payload
	}); got != 0 {
		t.Errorf("%v allocations a read", got)
	}
	if cap(buf) != 1600 {
		t.Errorf("of a buffer of 1600 bytes %d are left", cap(buf))
	}
}
