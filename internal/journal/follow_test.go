package journal

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"testing"
	"time"
)

// drain reads what there is now.
func drain(t testing.TB, f *Follower) (out []string) {
	t.Helper()
	for {
		rec, err := f.Next()
		if err == io.EOF {
			return out
		}
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, string(rec.Payload))
	}
}

// TestFollow: what a follower reads while the log grows over many segments is what
// the whole log holds, in both modes, and it begins again from any place it has stood at.
func TestFollow(t *testing.T) {
	for _, mode := range []SyncMode{SyncNone, SyncGroup} {
		dir := t.TempDir()
		l := mustOpen(t, dir, Options{SegmentBytes: 500, Sync: mode})
		f := l.Follow(Address{})
		var got []string
		places := map[Address]int{f.At(): 0}
		for i := range 62 {
			mustAppend(t, l, fmt.Sprint("fact ", i))
			if i%7 == 3 {
				got = append(got, drain(t, f)...)
				places[f.At()] = len(got)
			}
		}
		if behind, err := f.Behind(); err != nil || behind <= 0 {
			t.Errorf("behind by %d bytes (%v), want more than 0", behind, err)
		}
		got = append(got, drain(t, f)...)
		if behind, err := f.Behind(); err != nil || behind != 0 {
			t.Errorf("behind by %d bytes (%v) at the end", behind, err)
		}
		want, err := payloads(dir)
		if err != nil || !slices.Equal(got, want) || len(want) != 62 {
			t.Errorf("mode %d: followed %q, the log holds %q (%v)", mode, got, want, err)
		}
		for at, n := range places {
			again := l.Follow(at)
			if rest := drain(t, again); !slices.Equal(rest, want[n:]) {
				t.Errorf("mode %d, from %v: %q, want %q", mode, at, rest, want[n:])
			}
			if err := again.Close(); err != nil {
				t.Error(err)
			}
		}
		if err := f.Close(); err != nil {
			t.Error(err)
		}
		mustClose(t, l)
	}
}

// TestFollowRefuses places that are none: inside a record, behind the end, retired.
func TestFollowRefuses(t *testing.T) {
	now := testTime
	l := mustOpen(t, t.TempDir(), Options{SegmentBytes: 400, RetainAge: time.Hour, Now: func() time.Time { return now }})
	defer mustClose(t, l)
	for i := range 20 {
		mustAppend(t, l, fmt.Sprint("fact ", i))
	}
	end := l.End()
	refused := func(from Address) bool {
		f := l.Follow(from)
		defer f.Close()
		_, err := f.Next()
		return errors.Is(err, ErrNotFound)
	}
	if !refused(Address{1, headerBytes + 1}) || !refused(Address{end.Segment, end.Offset + 40}) || !refused(Address{end.Segment + 1, headerBytes}) {
		t.Error("a place that is none is taken")
	}
	if refused(Address{1, headerBytes}) || refused(end) {
		t.Error("control: a place that is one is refused")
	}
	now = now.Add(2 * time.Hour)
	if n, err := l.Retire(); err != nil || n == 0 {
		t.Fatalf("%d retired (%v)", n, err)
	}
	if !refused(Address{1, headerBytes}) {
		t.Error("a place in a retired segment is taken")
	}
}

// TestFollowSeesDamage: a changed record is told, not passed over.
func TestFollowSeesDamage(t *testing.T) {
	dir := t.TempDir()
	l := mustOpen(t, dir, Options{})
	defer mustClose(t, l)
	at := mustAppend(t, l, "first")
	mustAppend(t, l, "second")
	if _, err := l.active.WriteAt([]byte{'x'}, int64(at.Offset)+recordHead); err != nil {
		t.Fatal(err)
	}
	f := l.Follow(Address{})
	defer f.Close()
	if _, err := f.Next(); !errors.As(err, new(*DamageError)) {
		t.Errorf("got %v, want a DamageError", err)
	}
}
