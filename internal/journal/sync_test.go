package journal

import (
	"errors"
	"fmt"
	"sync"
	"syscall"
	"testing"
)

// TestSync: afterwards all is on disk, in every segment, and appends go on
// beside it; a failure is told and takes nothing back.
func TestSync(t *testing.T) {
	for _, mode := range []SyncMode{SyncNone, SyncGroup} {
		dir, d := t.TempDir(), &disk{room: 1 << 20}
		l := mustOpen(t, dir, Options{SegmentBytes: 400, Sync: mode, openFile: d.openFile})
		var want []string
		for i := range 30 {
			want = append(want, fmt.Sprint("fact ", i))
			mustAppend(t, l, want[i])
		}
		if err := l.Sync(); err != nil || d.unsynced() != 0 {
			t.Errorf("mode %d: %v, %d segments are not on disk", mode, err, d.unsynced())
		}
		if mode == SyncNone {
			want = append(want, "control")
			mustAppend(t, l, "control")
			if d.unsynced() != 1 {
				t.Errorf("control: %d segments are not on disk after an append", d.unsynced())
			}
			d.badSync.Store(true)
			if err := l.Sync(); !errors.Is(err, syscall.EIO) {
				t.Errorf("a sync that fails: %v", err)
			}
			d.badSync.Store(false)
			want = append(want, "after")
			mustAppend(t, l, "after")
		}
		wantPayloads(t, dir, want...)
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() {
				for range 50 {
					if _, err := l.Append(1, testTime, []byte("beside")); err != nil {
						t.Error(err)
					}
				}
			})
		}
		for range 20 {
			if err := l.Sync(); err != nil {
				t.Error(err)
			}
		}
		wg.Wait()
		mustClose(t, l)
		if err := l.Sync(); !errors.Is(err, ErrClosed) {
			t.Errorf("a closed log: %v", err)
		}
		if got, err := payloads(dir); err != nil || len(got) != len(want)+200 {
			t.Errorf("%d records, %v, want %d", len(got), err, len(want)+200)
		}
	}
}
