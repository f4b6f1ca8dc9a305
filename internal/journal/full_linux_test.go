package journal

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// TestRealFullDisk fills a file system of 64 KiB, where the test may mount one,
// and then gives it room again.
func TestRealFullDisk(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "small")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=64k"); err != nil {
		t.Skipf("cannot mount a small file system: %v", err)
	}
	defer syscall.Unmount(dir, syscall.MNT_DETACH)
	l := mustOpen(t, dir, Options{SegmentBytes: 20_000})
	payload := bytes.Repeat([]byte("x"), 1000)
	good := 0
	for failed := 0; failed < 5; {
		if _, err := l.Append(1, testTime, payload); err == nil {
			good++
		} else if failed++; !errors.Is(err, syscall.ENOSPC) {
			t.Fatal(err)
		}
	}
	if err := syscall.Mount("tmpfs", dir, "tmpfs", syscall.MS_REMOUNT, "size=128k"); err != nil {
		t.Fatal(err)
	}
	if _, err := l.Append(1, testTime, payload); err != nil {
		t.Fatalf("with space again: %v", err)
	}
	mustClose(t, l)
	if r, err := Verify(dir, nil); err != nil || r.Records != good+1 || r.TornTail != 0 || good < 40 {
		t.Errorf("%+v, %v, want %d records", r, err, good+1)
	}
}
