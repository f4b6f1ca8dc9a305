package statuslist

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/waryauth/wary/internal/store"
	"github.com/waryauth/wary/internal/store/bolt"
)

// newLists returns lists in a new store, whose clock tests move.
func newLists(t *testing.T) (*Lists, *time.Time) {
	t.Helper()
	now := time.Now()
	clock := &now
	s, err := bolt.Open(filepath.Join(t.TempDir(), "store"), bolt.Options{NoSync: true, Now: func() time.Time { return *clock }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return New(Options{Store: s, Life: 5 * time.Minute, Now: func() time.Time { return *clock }}), clock
}

func said(t *testing.T, s *Lists, id string) []Status {
	t.Helper()
	var out []Status
	if _, err := s.Publish(t.Context(), id, func(all []Status) (string, error) { out = all; return "x", nil }); err != nil {
		t.Fatal(err)
	}
	return out
}

// TestPlaces: of tokens that are placed at once, over several lists and while the lists
// are written, each has an entry of its own, and every one is known when it ends.
func TestPlaces(t *testing.T) {
	s, clock := newLists(t)
	const workers, each = 8, 300
	var mu sync.Mutex
	places := map[string]string{}
	stop := make(chan struct{})
	var writing, placing sync.WaitGroup
	writing.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
				if err := s.Keep(t.Context(), false); err != nil {
					t.Error(err)
				}
			}
		}
	})
	for w := range workers {
		placing.Go(func() {
			for i := range each {
				name := fmt.Sprint(w, " ", i)
				id, index, err := s.Place(t.Context(), *clock, Marks{MarkOf('t', name)})
				if err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				at := id + " " + strconv.Itoa(index)
				if other, taken := places[at]; taken {
					t.Errorf("%s and %s share an entry", name, other)
				}
				places[at] = name
				mu.Unlock()
			}
		})
	}
	placing.Wait()
	close(stop)
	writing.Wait()
	if err := s.Keep(t.Context(), true); err != nil {
		t.Fatal(err)
	}
	ids, err := s.IDs(t.Context())
	if err != nil || len(ids) != (workers*each+Entries-1)/Entries {
		t.Errorf("%d lists of %d tokens, %v", len(ids), workers*each, err)
	}
	known := 0
	for _, id := range ids {
		held, err := s.o.Store.Get(t.Context(), directoryKind+id)
		if err != nil {
			t.Fatal(err)
		}
		d, err := decodeDirectory(held[0].Data)
		if err != nil || !d.complete {
			t.Fatalf("%+v %v", d, err)
		}
		for _, e := range d.entries {
			if name := places[id+" "+strconv.Itoa(int(e.Index))]; e.Marks[0] == MarkOf('t', name) {
				known++
			}
		}
	}
	if known != workers*each {
		t.Errorf("%d of %d tokens are known", known, workers*each)
	}
}

// TestAListIsGivenAgain: it is made once in a while however many ask, and at once after
// something ended here.
func TestAListIsGivenAgain(t *testing.T) {
	s, clock := newLists(t)
	id, index, err := s.Place(t.Context(), *clock, Marks{MarkOf('t', "one")})
	if err != nil {
		t.Fatal(err)
	}
	made := 0
	ask := func() {
		t.Helper()
		if _, err := s.Publish(t.Context(), id, func([]Status) (string, error) { made++; return "x", nil }); err != nil {
			t.Fatal(err)
		}
	}
	for range 5 {
		ask()
	}
	if made != 1 {
		t.Errorf("5 questions made it %d times", made)
	}
	*clock = clock.Add(fresh)
	ask()
	if made != 2 {
		t.Errorf("later it was made %d times", made)
	}
	if _, err := s.End(t.Context(), MarkOf('t', "one"), Invalid); err != nil {
		t.Fatal(err)
	}
	if got := said(t, s, id)[index]; got != Invalid {
		t.Errorf("status %d right after its end", got)
	}
	for _, id := range []string{"", "nonsense", id + "x", fmt.Sprintf("%0999d", 1)} {
		if _, err := s.Publish(t.Context(), id, nil); !errors.Is(err, store.ErrAbsent) {
			t.Errorf("%.20q: %v", id, err)
		}
	}
	*clock = clock.Add(time.Hour)
	if ids, err := s.IDs(t.Context()); err != nil || len(ids) != 0 {
		t.Errorf("an hour later: %v %v", ids, err)
	}
	if err := s.Keep(t.Context(), false); err != nil {
		t.Errorf("a list that is gone: %v", err)
	}
}

// TestTooMuchEnds: more than is told apart ends everything, and nothing given later.
func TestTooMuchEnds(t *testing.T) {
	s, clock := newLists(t)
	id, before, err := s.Place(t.Context(), *clock, Marks{MarkOf('t', "before")})
	if err != nil {
		t.Fatal(err)
	}
	full := endings{}
	for i := range most {
		full.add(Mark{0, byte(i), byte(i >> 8), 1}, Invalid, *clock, time.Hour, most)
	}
	if err := store.PutNew(context.Background(), s.o.Store, shard(0), full.encode(), store.Until(clock.Add(time.Hour))); err != nil {
		t.Fatal(err)
	}
	if got := said(t, s, id)[before]; got != Valid {
		t.Fatalf("the control: status %d", got)
	}
	overflowed, err := s.End(t.Context(), Mark{0, 1, 2, 3}, Invalid)
	if err != nil || !overflowed {
		t.Fatalf("%v %v", overflowed, err)
	}
	*clock = clock.Add(time.Second)
	_, after, err := s.Place(t.Context(), *clock, Marks{MarkOf('t', "after")})
	if err != nil {
		t.Fatal(err)
	}
	if all := said(t, s, id); all[before] != Invalid || all[after] != Valid {
		t.Errorf("before %d, after %d", all[before], all[after])
	}
}

// FuzzRecords: damaged records are refused and never more than that.
func FuzzRecords(f *testing.F) {
	d := some(3)
	f.Add(d.encode())
	e := endings{all: 7, rows: []ending{{MarkOf('t', "x"), 1, Invalid}}}
	f.Add(e.encode())
	f.Fuzz(func(t *testing.T, b []byte) {
		ended, err := decodeEndings(b)
		if err != nil {
			ended = endings{}
		}
		if d, err := decodeDirectory(b); err == nil {
			_, _ = d.statuses(Entries, true, []endings{ended})
		}
	})
}
