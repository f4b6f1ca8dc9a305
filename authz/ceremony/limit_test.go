package ceremony

import (
	"context"
	"errors"
	"net/netip"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/waryauth/wary/internal/store/bolt"
)

func TestLimits(t *testing.T) {
	now := time.Unix(1700000000, 0)
	s, err := bolt.Open(filepath.Join(t.TempDir(), "store"), bolt.Options{NoSync: true, Now: func() time.Time { return now }})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	narrow := try{limit{"a:", 3, time.Minute}, "x"}
	wide := try{limit{"b:", 5, time.Minute}, "y"}
	f := func(want error, spent int, tries ...try) {
		t.Helper()
		got, err := spend(t.Context(), s, now, tries...)
		if !errors.Is(err, want) || err == nil && got != spent {
			t.Fatalf("got %d spent before, %v; want %d, %v", got, err, spent, want)
		}
	}
	f(nil, 0, narrow, wide)
	f(nil, 1, narrow, wide)
	f(nil, 2, narrow, wide)
	f(errTooMany, 0, narrow, wide)
	f(nil, 3, wide) // what was refused took nothing of the other
	now = now.Add(59 * time.Second)
	f(errTooMany, 0, narrow, wide)
	now = now.Add(time.Second)
	f(nil, 2, narrow, wide)
	f(errTooMany, 0, narrow, wide)
	if err := restore(t.Context(), s, now, narrow, wide); err != nil {
		t.Fatal(err)
	}
	f(nil, 2, narrow, wide)
	now = now.Add(time.Hour)
	f(nil, 0, narrow, wide)
	if err := restore(t.Context(), s, now, narrow, wide); err != nil {
		t.Fatal(err)
	}
	held, err := s.Get(t.Context(), narrow.key(), wide.key())
	if err != nil || held[0].Data != nil || held[1].Data != nil {
		t.Errorf("a limit that is whole again leaves %v, %v", held, err)
	}
}

// TestManyAtOnceGetNoMore: a limit that is read before and written after a check lets
// as many through as come at once; the control counts that way.
func TestManyAtOnceGetNoMore(t *testing.T) {
	now := time.Unix(1700000000, 0)
	s, err := bolt.Open(filepath.Join(t.TempDir(), "store"), bolt.Options{NoSync: true, Now: func() time.Time { return now }})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	var passed, naive, failures atomic.Int64
	var all, read sync.WaitGroup
	read.Add(64)
	for range 64 {
		all.Go(func() {
			if _, err := spend(context.Background(), s, now, try{limits.pair, "x"}, try{limits.place, "y"}); err == nil {
				passed.Add(1)
			} else if !errors.Is(err, errTooMany) {
				t.Error(err)
			}
			before := failures.Load()
			read.Done()
			read.Wait()
			if before < int64(limits.pair.burst) {
				naive.Add(1)
			}
			failures.Add(1)
		})
	}
	all.Wait()
	if n := passed.Load(); n != int64(limits.pair.burst) {
		t.Errorf("%d of 64 passed, want %d", n, limits.pair.burst)
	}
	if n := naive.Load(); n != 64 {
		t.Errorf("the control let %d of 64 pass", n)
	}
}

func TestPlaces(t *testing.T) {
	for ip, want := range map[string]string{
		"192.0.2.7": "192.0.2.7", "::ffff:192.0.2.7": "192.0.2.7", "2001:db8:1:2:3:4:5:6": "2001:db8:1:2::/64", "2001:db8:1:2:ffff::": "2001:db8:1:2::/64",
		"fe80::1%eth0": "fe80::/64",
	} {
		if got := placeOf(netip.MustParseAddr(ip)); got != want {
			t.Errorf("%s is at %s, want %s", ip, got, want)
		}
	}
}
