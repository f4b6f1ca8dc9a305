package history

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/waryauth/wary/features"
	"github.com/waryauth/wary/signals"
)

// story is a row of traces of few users among many entities, so that records
// change often, users outgrow their class and, in a small store, records are
// evicted. Some users are erased.
func story(seed uint64, n int) []features.Trace {
	r := rand.New(rand.NewPCG(seed, 1))
	ts := make([]features.Trace, n)
	for i := range ts {
		t := trace(1+r.IntN(n/20+5), i*3+r.IntN(60))
		number := func(kind features.Kind, among int) features.Key {
			return hasher.Number(kind, uint64(1+r.IntN(among)))
		}
		t.Address, t.Device = number(features.KindAddress, n/10+5), number(features.KindDevice, n/10+5)
		t.Agent, t.TLS, t.Screen, t.Language = number(features.KindAgent, 30), number(features.KindTLS, 30), number(features.KindScreen, 9), number(features.KindLanguage, 9)
		t.Payee, t.City, t.Region = number(features.KindPayee, 90), r.Uint32N(50), r.Uint32N(20)
		t.UserAddress = hasher.Pair(t.User, t.Address)
		t.Result = []signals.Result{signals.Success, signals.Success, signals.Failure, signals.Pending}[r.IntN(4)]
		if r.IntN(40) == 0 {
			t.Flags = erased
		}
		ts[i] = t
	}
	return ts
}

// erased marks, in a story, that a user is erased instead.
const erased = features.TraceFlags(1 << 15)

func play(s *Store, t *features.Trace) {
	if t.Flags&erased != 0 {
		s.Erase(t.User)
		return
	}
	fold(s, t)
}

// TestImageIsOfItsMoment writes an image while the store goes on, step by step in
// the same goroutine, so that each change meets the image at a known place: what
// is written is what the store was when it was frozen. Stores large enough and too
// small are both tried. The control shows that the store became another.
func TestImageIsOfItsMoment(t *testing.T) {
	for _, limit := range []int{40_000, 4000} {
		for seed := range uint64(6) {
			before, after := story(seed, 1500), story(seed+100, 1500)
			s, want := New(Options{MaxEntities: limit}), New(Options{MaxEntities: limit})
			for i := range before {
				play(s, &before[i])
				play(want, &before[i])
			}
			image := s.Freeze()
			w := &meddler{store: s, traces: after, each: 1 + int(seed)*7}
			if err := image.Write(w); err != nil {
				t.Fatal(err)
			}
			image.Close()
			frozen := snapshot(t, want)
			if !bytes.Equal(w.Bytes(), frozen) {
				t.Errorf("limit %d, seed %d: the image is not what the store was", limit, seed)
			}
			if w.next < 100 || bytes.Equal(snapshot(t, s), frozen) {
				t.Errorf("control: %d traces changed nothing", w.next)
			}
			if limit == 4000 && s.Len().Evicted == 0 {
				t.Error("nothing was evicted")
			}
			for i := range w.next { // nothing of the image is left in the store
				play(want, &after[i])
			}
			if !bytes.Equal(snapshot(t, s), snapshot(t, want)) {
				t.Errorf("limit %d, seed %d: the image changed the store", limit, seed)
			}
		}
	}
}

// meddler folds some traces into the store before each write.
type meddler struct {
	bytes.Buffer
	store  *Store
	traces []features.Trace
	next   int
	each   int
}

func (m *meddler) Write(p []byte) (int, error) {
	for range m.each {
		if m.next < len(m.traces) {
			play(m.store, &m.traces[m.next])
			m.next++
		}
	}
	return m.Buffer.Write(p)
}

// TestImageUnderLoad freezes a store between two crowds of traces, the second of
// which is folded by many goroutines while the image is written.
func TestImageUnderLoad(t *testing.T) {
	roomy := Options{MaxEntities: 200_000} // eviction would depend on the order of all
	s, want := New(roomy), New(roomy)
	before := story(1, 2000)
	for i := range before {
		play(s, &before[i])
		play(want, &before[i])
	}
	for round := range uint64(3) {
		image := s.Freeze()
		frozen := snapshot(t, want)
		var wg sync.WaitGroup
		ts := story(round+10, 3000)
		const folders = 4
		byUser := func(t *features.Trace) int { return int(t.User % folders) }
		for n := range folders {
			wg.Go(func() {
				for i := range ts {
					if byUser(&ts[i]) == n {
						play(s, &ts[i])
					}
				}
			})
		}
		var b bytes.Buffer
		if err := image.Write(&b); err != nil {
			t.Fatal(err)
		}
		image.Close()
		wg.Wait()
		back := New(roomy)
		if err := back.Restore(&b); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(snapshot(t, back), frozen) {
			t.Fatalf("round %d: the image is not what the store was", round)
		}
		want = back
		for i := range ts {
			play(want, &ts[i])
		}
		for i := range ts { // the order across users differs: compare what is recalled
			if a, b := recall(s, &ts[i]), recall(want, &ts[i]); *a != *b {
				t.Fatalf("round %d: the store went another way for %+v", round, ts[i])
			}
		}
		s, want = New(roomy), New(roomy)
		both := snapshot(t, back)
		for _, one := range []*Store{s, want} {
			if err := one.Restore(bytes.NewReader(both)); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// TestCrash folds one log twice: straight through, and by a store that crashes
// again and again, comes back from its last image and folds from there. They are
// the same, byte for byte, even where there is eviction. The control comes back
// with one trace too few.
func TestCrash(t *testing.T) {
	for _, limit := range []int{40_000, 4000} {
		ts := story(7, 4000)
		r := rand.New(rand.NewPCG(uint64(limit), 2))
		straight, crashed := New(Options{MaxEntities: limit}), New(Options{MaxEntities: limit})
		var saved bytes.Buffer
		at, saves := 0, 0
		for i := 0; i < len(ts); i++ {
			play(straight, &ts[i])
			play(crashed, &ts[i])
			switch r.IntN(300) {
			case 0, 1:
				saved.Reset()
				if err := crashed.Snapshot(&saved); err != nil {
					t.Fatal(err)
				}
				at, saves = i+1, saves+1
			case 2:
				crashed = New(Options{MaxEntities: limit})
				if saves > 0 {
					if err := crashed.Restore(bytes.NewReader(saved.Bytes())); err != nil {
						t.Fatal(err)
					}
				}
				for j := at; j <= i; j++ {
					play(crashed, &ts[j])
				}
			}
		}
		if saves < 3 || (limit == 4000) != (straight.Len().Evicted > 0) {
			t.Errorf("%d snapshots, %d evicted", saves, straight.Len().Evicted)
		}
		if !bytes.Equal(snapshot(t, crashed), snapshot(t, straight)) {
			t.Errorf("limit %d: the crashes changed the state", limit)
		}
		short := New(Options{MaxEntities: limit})
		for i := range ts[:len(ts)-1] {
			play(short, &ts[i])
		}
		if bytes.Equal(snapshot(t, short), snapshot(t, straight)) {
			t.Error("control: a trace less makes the same state")
		}
	}
}

// TestUsersOutgrowTheirRecords: a user of ever more habits keeps them all.
func TestUsersOutgrowTheirRecords(t *testing.T) {
	s := New(small)
	var want features.User
	sizes := map[int]bool{}
	for i := range 200 {
		tr := story(3, 400)[i]
		tr.Flags, tr.User = 0, hasher.Number(features.KindUser, 1)
		if i < 5 { // who types outgrows the least at once
			tr.Rhythm = features.Rhythm{}
		}
		tr.Country, tr.Device = hasher.Number(features.KindCountry, uint64(i+1)), hasher.Number(features.KindDevice, uint64(i+1))
		m := features.MomentOf(tr.Time)
		s.Succeed(&tr)
		want.Succeed(&tr, &m)
		if got := recall(s, &tr).User; got != want {
			t.Fatalf("after %d: %+v, want %+v", i, got, want)
		}
		sizes[s.memory.Load().kinds[users].classFor(want.Size())] = true
	}
	if fmt.Sprint(sizes) != "map[0:true 1:true 2:true]" {
		t.Errorf("classes %v", sizes)
	}
	if got := s.Len().Users; got != 1 {
		t.Errorf("%d users", got)
	}
}
