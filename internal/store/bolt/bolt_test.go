package bolt

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/waryauth/wary/internal/store"
	"github.com/waryauth/wary/internal/store/storetest"
	"go.etcd.io/bbolt"
)

func mustOpen(t testing.TB, path string, o Options) *Store {
	t.Helper()
	s, err := Open(path, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func TestStore(t *testing.T) {
	storetest.Run(t, func(t *testing.T) storetest.Subject {
		path := filepath.Join(t.TempDir(), "store")
		s := mustOpen(t, path, Options{})
		return storetest.Subject{Store: s, Reopen: func() (store.Store, error) {
			// The file as it is now, without a word to the process that writes it:
			// what a kill would leave. TestKill kills one.
			left, err := os.ReadFile(path)
			if err != nil {
				return nil, err
			}
			if err := os.WriteFile(path+" after", left, 0o600); err != nil {
				return nil, err
			}
			return mustOpen(t, path+" after", Options{}), nil
		}}
	})
}

// at is a clock that stands still until it is set.
type at struct {
	mu  sync.Mutex
	now time.Time
}

func (a *at) Now() time.Time {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.now
}

func (a *at) Set(t time.Time) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.now = t
}

// entries counts what the two buckets hold.
func entries(t *testing.T, s *Store) (values, deadlines int) {
	t.Helper()
	err := s.db.View(func(tx *bbolt.Tx) error {
		values = tx.Bucket([]byte("values")).Stats().KeyN
		deadlines = tx.Bucket([]byte("deadlines")).Stats().KeyN
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return values, deadlines
}

func TestExpiryIsExact(t *testing.T) {
	begin := time.UnixMilli(1_780_000_000_000)
	clock := &at{now: begin}
	s := mustOpen(t, filepath.Join(t.TempDir(), "store"), Options{Now: clock.Now, NoSync: true})
	ctx := t.Context()
	if err := store.PutNew(ctx, s, "k", []byte("v"), store.Until(begin.Add(time.Minute))); err != nil {
		t.Fatal(err)
	}
	for after, want := range map[time.Duration]string{
		time.Minute - time.Nanosecond: "v",
		time.Minute:                   "",
	} {
		clock.Set(begin.Add(after))
		got, err := s.Get(ctx, "k")
		if err != nil || string(got[0].Data) != want {
			t.Errorf("after %s: %q, %v, want %q", after, got[0].Data, err, want)
		}
	}
	err := store.PutNew(ctx, s, "l", []byte("v"), store.Until(clock.Now()))
	if !errors.Is(err, store.ErrExpired) {
		t.Errorf("a deadline of this moment: %v, want %v", err, store.ErrExpired)
	}
}

// TestSweep expires more than one step can remove and counts what each leaves.
func TestSweep(t *testing.T) {
	begin := time.UnixMilli(1_780_000_000_000)
	clock := &at{now: begin}
	s := mustOpen(t, filepath.Join(t.TempDir(), "store"), Options{Now: clock.Now, NoSync: true})
	ctx := t.Context()
	const many = 2*sweepStep + 10
	for i := 0; i < many; i += store.MaxKeys {
		var group []store.Change
		for j := i; j < min(i+store.MaxKeys, many); j++ {
			group = append(group, store.Change{Key: fmt.Sprint(j), Next: []byte("v"), Deadline: store.Until(begin.Add(time.Second + time.Duration(j)))})
		}
		if err := s.Swap(ctx, group...); err != nil {
			t.Fatal(err)
		}
	}
	long, renewed := store.Until(begin.Add(time.Hour)), store.Change{Key: "0", Prev: []byte("v"), Next: []byte("w")}
	renewed.Deadline = long
	err := errors.Join(
		s.Swap(ctx, renewed),
		store.PutNew(ctx, s, "for ever", []byte("v"), store.Forever),
		s.Swap(ctx, store.Change{Key: "1", Prev: []byte("v")}))
	if err != nil {
		t.Fatal(err)
	}
	if v, d := entries(t, s); v != many || d != many-1 {
		t.Fatalf("%d values and %d deadlines, want %d and %d", v, d, many, many-1)
	}
	clock.Set(begin.Add(time.Minute))
	for _, left := range []int{many - sweepStep, many - 2*sweepStep, 2} {
		s.commit(nil)
		if v, d := entries(t, s); v != left || d != left-1 {
			t.Errorf("%d values and %d deadlines are left, want %d and %d", v, d, left, left-1)
		}
	}
	if s.expired() {
		t.Error("something is still to be removed")
	}
	got, err := s.Get(ctx, "0", "for ever", "2")
	if err != nil || string(got[0].Data) != "w" || got[0].Deadline != long || string(got[1].Data) != "v" || got[2].Data != nil {
		t.Errorf("left are %v, %v", got, err)
	}
}

// TestRefusalWritesNothing: a replay must not cost a write to the disk.
func TestRefusalWritesNothing(t *testing.T) {
	s := mustOpen(t, filepath.Join(t.TempDir(), "store"), Options{NoSync: true})
	d := store.Until(time.Now().Add(time.Hour))
	if err := store.PutNew(t.Context(), s, "jti", []byte("v"), d); err != nil {
		t.Fatal(err)
	}
	commits := func() (id int) {
		_ = s.db.View(func(tx *bbolt.Tx) error { id = tx.ID(); return nil })
		return id
	}
	before := commits()
	for range 100 {
		if err := store.PutNew(t.Context(), s, "jti", []byte("v"), d); !errors.Is(err, store.ErrConflict) {
			t.Fatal(err)
		}
	}
	if now := commits(); now != before {
		t.Errorf("100 refusals made %d commits", now-before)
	}
	if err := store.PutNew(t.Context(), s, "other", []byte("v"), d); err != nil || commits() != before+1 {
		t.Errorf("a change made %d commits, %v", commits()-before, err)
	}
}

// TestConflictWithinAGroup: swaps that share a commit see each other's changes.
func TestConflictWithinAGroup(t *testing.T) {
	s := mustOpen(t, filepath.Join(t.TempDir(), "store"), Options{NoSync: true})
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	swapOf := func(ctx context.Context, prev, next string) *swap {
		c := store.Change{Key: "k", Prev: []byte(prev), Next: []byte(next), Deadline: store.Forever}
		return &swap{ctx: ctx, changes: []store.Change{c}, done: make(chan struct{})}
	}
	group := []*swap{
		swapOf(t.Context(), "", "1"), swapOf(t.Context(), "", "1"), swapOf(ended, "1", "x"),
		swapOf(t.Context(), "1", "2"), swapOf(t.Context(), "1", "3"),
	}
	s.commit(group)
	for i, want := range []error{nil, store.ErrConflict, context.Canceled, nil, store.ErrConflict} {
		if !errors.Is(group[i].err, want) {
			t.Errorf("swap %d: %v, want %v", i, group[i].err, want)
		}
	}
	if got, err := s.Get(t.Context(), "k"); err != nil || string(got[0].Data) != "2" {
		t.Errorf("holds %v, %v, want 2", got, err)
	}
}

// TestFullDisk: what cannot be written is refused, all of it, and what is there
// can still be read and removed.
func TestFullDisk(t *testing.T) {
	s := mustOpen(t, filepath.Join(t.TempDir(), "store"), Options{NoSync: true})
	s.db.MaxSize = 1 << 20
	value := make([]byte, store.MaxValue)
	put := func(key string) error {
		return s.Swap(t.Context(),
			store.Change{Key: key, Next: value, Deadline: store.Forever},
			store.Change{Key: key + " too", Next: []byte("v"), Deadline: store.Forever})
	}
	written, err := 0, error(nil)
	for ; err == nil && written < 64; written++ {
		err = put(fmt.Sprint(written))
	}
	if err == nil || errors.Is(err, store.ErrConflict) {
		t.Fatalf("after %d values of %d bytes in a file of %d: %v", written, len(value), s.db.MaxSize, err)
	}
	written--
	for i := range written + 1 {
		got, err := s.Get(t.Context(), fmt.Sprint(i), fmt.Sprint(i, " too"))
		if err != nil || (got[0].Data != nil) != (i < written) || (got[1].Data != nil) != (i < written) {
			t.Fatalf("%d of %d: %d and %d bytes, %v", i, written, len(got[0].Data), len(got[1].Data), err)
		}
	}
	if _, err := store.Take(t.Context(), s, "0 too"); err != nil {
		t.Errorf("take when the disk is full: %v", err)
	}
}

func TestOpenRefuses(t *testing.T) {
	dir := t.TempDir()
	garbage := filepath.Join(dir, "garbage")
	if err := os.WriteFile(garbage, []byte(strings.Repeat("not a store ", 2000)), 0o600); err != nil {
		t.Fatal(err)
	}
	taken := filepath.Join(dir, "taken")
	mustOpen(t, taken, Options{})
	for name, path := range map[string]string{
		"a folder":               dir,
		"a file of another kind": garbage,
		"a missing folder":       filepath.Join(dir, "none", "store"),
		"a file another has":     taken,
	} {
		if s, err := Open(path, Options{}); err == nil {
			t.Errorf("%s: opened", name)
			_ = s.Close()
		}
	}
	if mode, err := os.Stat(taken); err != nil || mode.Mode().Perm() != 0o600 {
		t.Errorf("the file's mode is %v, %v", mode.Mode(), err)
	}
}
