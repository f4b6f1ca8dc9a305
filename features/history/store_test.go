package history

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"sync"
	"testing"

	"pgregory.net/rapid"

	"github.com/waryauth/wary/features"
	"github.com/waryauth/wary/signals"
)

// small is room enough for a test.
var small = Options{MaxEntities: 20_000}

var hasher = features.NewHasher(1, 2)

// trace is an attempt of user n at minute m.
func trace(n, m int) features.Trace {
	key := func(k features.Kind, n int) features.Key { return hasher.Number(k, uint64(n)) }
	t := features.Trace{
		Time: int64(m) * 60_000, User: key(features.KindUser, n), Typed: key(features.KindUser, n),
		Address: key(features.KindAddress, n%7+1), Subnet: key(features.KindSubnet, n%3+1), ASN: key(features.KindASN, n%2+1), Country: key(features.KindCountry, n%2+1),
		Device: key(features.KindDevice, n%5+1), Fingerprint: key(features.KindFingerprint, n%4+1), Client: key(features.KindClient, n%3+1),
		Agent: key(features.KindAgent, n%5+1), Browser: key(features.KindBrowser, n%4+1), OS: key(features.KindOS, n%3+1), Class: key(features.KindClass, n%2+1),
		Result: signals.Success, Outcome: features.Allowed,
	}
	t.UserClient, t.UserAddress = hasher.Pair(t.User, t.Client), hasher.Pair(t.User, t.Address)
	if n%2 == 0 { // who types, on one class of device or more
		t.Rhythm = features.Rhythm{Mark: uint32(m + 1), Pace: 5, Class: signals.DeviceClass(m % 3)}
		t.Rhythm.At.Table, t.Rhythm.At.At[m%32] = 1, int8(n)
	}
	return t
}

func recall(s *Store, t *features.Trace) *features.Profile {
	p := &features.Profile{}
	s.Recall(p, t)
	return p
}

// TestStoreRecalls folds by hand what the store must have folded.
func TestStoreRecalls(t *testing.T) {
	s := New(Options{})
	tr := trace(1, 100)
	failed := trace(1, 101)
	failed.Result = signals.Failure
	stranger := trace(8, 102) // user 8 at the same address, another subnet, device, client
	s.Attempt(&tr)
	s.Succeed(&tr)
	s.Attempt(&failed)
	s.Attempt(&stranger)
	s.Succeed(&stranger)
	s.Fail(&stranger)

	var want features.Profile
	at, at1, at2 := features.MomentOf(tr.Time), features.MomentOf(failed.Time), features.MomentOf(stranger.Time)
	var c features.Members
	want.Client.Attempt(&tr, &at, features.Newcomer, &c)
	want.Client.Succeed(&tr, &at)
	want.Client.Attempt(&failed, &at1, 0, &c)
	for _, r := range []*features.Shared{&want.Subnet, &want.ASN, &want.Device, &want.Print, &want.Address} {
		c = features.Members{}
		r.Attempt(&tr, &at, &c)
		r.Succeed(&tr, &at)
		r.Attempt(&failed, &at1, &c)
	}
	want.Address.Attempt(&stranger, &at2, &c) // the last of those above
	want.Address.Succeed(&stranger, &at2)
	want.Address.Fail(&stranger, &at2, &c)
	want.User.Attempt(&tr, &at)
	want.User.Succeed(&tr, &at)
	want.User.Attempt(&failed, &at1)
	for _, r := range []*features.Pair{&want.Pair, &want.Here} {
		r.Attempt(&tr, &at)
		r.Succeed(&tr, &at)
		r.Attempt(&failed, &at1)
	}
	want.Country, want.Agent, want.Browser, want.OS, want.Class = 1, 1, 1, 1, 1
	want.Totals.Attempt(&tr, &at, features.Newcomer)
	want.Totals.Attempt(&failed, &at1, 0)
	want.Totals.Attempt(&stranger, &at2, features.Newcomer)
	want.Totals.Fail(&stranger, &at2)
	want.Totals.Add(&features.Totals{Successes: 2, Users: 2, Addresses: 1, ASNs: 2, Countries: 2, Agents: 2, Browsers: 2, Systems: 2, Classes: 2})
	got := recall(s, &tr)
	if *got != want {
		t.Errorf("recalled\n%+v, want\n%+v", *got, want)
	}
	if st := s.Len(); st.Users != 2 || st.Pairs != 4 || st.Values != 10 || st.Shared != 11 || st.Evicted != 0 || st.Bytes == 0 {
		t.Errorf("stats %+v", st)
	}
	other := trace(50, 1)
	other.Address, other.Subnet, other.ASN, other.Device, other.Fingerprint, other.Client = 0, 0, 0, 0, 0, 0
	other.UserClient, other.UserAddress, other.Country, other.Agent, other.Browser, other.OS, other.Class = 0, 0, 0, 0, 0, 0, 0
	s.Recall(got, &other) // the profile is filled anew
	if *got != (features.Profile{Totals: want.Totals}) {
		t.Errorf("recalled of nobody: %+v", *got)
	}
}

// TestUnattended: a client's server is no user's success, nor a value people have.
func TestUnattended(t *testing.T) {
	s := New(Options{})
	tr := trace(1, 100)
	tr.Flags |= features.Unattended
	s.Attempt(&tr)
	s.Succeed(&tr)
	p := recall(s, &tr)
	if p.Totals.Successes != 0 || p.Totals.Users != 0 || p.Totals.Addresses != 0 || p.Agent != 0 || p.User.Successes != 0 || p.Pair.Successes != 1 {
		t.Errorf("recalled %+v", p)
	}
}

func TestErase(t *testing.T) {
	s := New(Options{})
	for n := range 300 {
		tr := trace(n+1, n)
		s.Attempt(&tr)
		s.Succeed(&tr)
	}
	gone, kept := trace(7, 7), trace(8, 8)
	s.Erase(gone.User)
	s.Erase(gone.User) // not there any more
	if u := recall(s, &gone).User; u != (features.User{}) {
		t.Errorf("erased, but %+v", u)
	}
	if u := recall(s, &kept).User; u.Successes != 1 {
		t.Errorf("another user became %+v", u)
	}
	for n := range 300 {
		tr := trace(n+1, n)
		if u := recall(s, &tr).User; n != 6 && u.Successes != 1 {
			t.Fatalf("user %d has %d successes", n, u.Successes)
		}
	}
	if n := s.Len().Users; n != 299 {
		t.Errorf("%d users", n)
	}
}

// TestEviction: far more entities than fit, and one that is used all the time. It
// stays, what was used once goes, and memory keeps its bound.
func TestEviction(t *testing.T) {
	const limit = 40_000
	s := New(Options{MaxEntities: limit})
	regular := trace(1, 0)
	for n := range 60_000 {
		if n%500 == 0 {
			regular.Time = int64(n+1) * 60_000
			s.Attempt(&regular)
			s.Succeed(&regular)
		}
		tr := trace(n+2, n)
		tr.Address = hasher.Number(features.KindAddress, uint64(n+2))
		tr.UserAddress = hasher.Pair(tr.User, tr.Address)
		s.Attempt(&tr)
	}
	st := s.Len()
	if total := st.Users + st.Shared + st.Pairs + st.Values; total > limit || st.Evicted == 0 {
		t.Errorf("%d records, stats %+v", total, st)
	}
	if n := recall(s, &regular).User.Successes; n != 120 {
		t.Errorf("the regular has %d successes, want 120", n)
	}
}

// TestStoreCommutes folds the attempts of many users in two orders that differ
// across users only: the same snapshot but for the order of records, so the same
// profile for every trace.
func TestStoreCommutes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		byUser := make([][]features.Trace, 5)
		for i := range rapid.IntRange(1, 60).Draw(t, "traces") {
			n := rapid.IntRange(1, len(byUser)).Draw(t, "user")
			tr := trace(n, rapid.IntRange(1, 200_000).Draw(t, "minute"))
			tr.Client = hasher.Number(features.KindClient, uint64(i%2+1))
			tr.UserClient = hasher.Pair(tr.User, tr.Client)
			tr.Result = rapid.SampledFrom([]signals.Result{signals.Success, signals.Failure, signals.Pending}).Draw(t, "result")
			byUser[n-1] = append(byUser[n-1], tr)
		}
		first, second := New(small), New(small)
		for _, ts := range byUser {
			for i := range ts {
				fold(first, &ts[i])
			}
		}
		next := make([]int, len(byUser))
		for left := true; left; { // interleaved at random
			left = false
			n := rapid.IntRange(0, len(byUser)-1).Draw(t, "who")
			for k := range byUser {
				i := (n + k) % len(byUser)
				if next[i] < len(byUser[i]) {
					fold(second, &byUser[i][next[i]])
					next[i]++
					left = true
					break
				}
			}
		}
		for _, ts := range byUser {
			for i := range ts {
				if a, b := recall(first, &ts[i]), recall(second, &ts[i]); *a != *b {
					t.Fatalf("the order changed\n%+v into\n%+v", *a, *b)
				}
			}
		}
	})
}

func fold(s *Store, t *features.Trace) {
	s.Attempt(t)
	switch t.Result {
	case signals.Success:
		s.Succeed(t)
	case signals.Pending:
		s.Fail(t)
	}
}

// TestConcurrent folds users at once, each in its own order, and finds what one
// goroutine folds. Under -race it also finds what is not guarded.
func TestConcurrent(t *testing.T) {
	s, want := New(small), New(small)
	const users, each = 16, 200
	var wg sync.WaitGroup
	for n := range users {
		wg.Go(func() {
			for m := range each {
				tr := trace(n+1, 1+m*37)
				var p features.Profile
				s.Recall(&p, &tr)
				fold(s, &tr)
			}
		})
	}
	wg.Go(func() {
		for range 20 {
			s.Len()
			s.Erase(12345)
			if err := s.Snapshot(&bytes.Buffer{}); err != nil {
				t.Error(err)
			}
		}
	})
	wg.Wait()
	for n := range users {
		for m := range each {
			tr := trace(n+1, 1+m*37)
			fold(want, &tr)
		}
	}
	for n := range users {
		tr := trace(n+1, 1)
		if *recall(s, &tr) != *recall(want, &tr) {
			t.Errorf("user %d differs", n+1)
		}
	}
}

func filled(n int) *Store {
	s := New(Options{MaxEntities: max(20*n, 20_000)})
	for i := range n {
		tr := trace(i+1, i)
		fold(s, &tr)
	}
	return s
}

func snapshot(t testing.TB, s *Store) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := s.Snapshot(&b); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestSnapshot(t *testing.T) {
	s := filled(500)
	b := snapshot(t, s)
	back := filled(3)
	r := bytes.NewReader(append(b, "rest"...))
	if err := back.Restore(r); err != nil {
		t.Fatal(err)
	}
	if r.Len() != len("rest") {
		t.Errorf("%d bytes are left, want those after the snapshot", r.Len())
	}
	if !bytes.Equal(snapshot(t, back), b) {
		t.Error("the snapshot of what was restored is another")
	}
	for i := range 500 {
		tr := trace(i+1, i)
		if *recall(back, &tr) != *recall(s, &tr) {
			t.Fatalf("user %d differs", i+1)
		}
	}
	if a, b := s.Len(), back.Len(); a.Users != b.Users || a.Shared != b.Shared || a.Pairs != b.Pairs || a.Values != b.Values {
		t.Errorf("%+v became %+v", a, b)
	}
}

// TestRestoreRefusesDamage cuts and flips at many places: each is refused, and
// what was there stays.
func TestRestoreRefusesDamage(t *testing.T) {
	b := snapshot(t, filled(20))
	s := filled(3)
	before := snapshot(t, s)
	random := rand.New(rand.NewPCG(1, 2))
	for i := range 100 {
		bad := bytes.Clone(b)
		want := ErrDamaged
		place := random.IntN(len(b))
		if i%2 == 0 {
			bad = bad[:place]
		} else {
			bad[place] ^= 1 << random.IntN(8)
			if place < len(magic)+32 {
				want = ErrLayout
			}
		}
		if err := s.Restore(bytes.NewReader(bad)); !errors.Is(err, want) {
			t.Fatalf("damage at %d of %d: error %v", place, len(b), err)
		}
		if !bytes.Equal(snapshot(t, s), before) {
			t.Fatalf("damage at %d changed the state", place)
		}
	}
	if err := s.Restore(bytes.NewReader(b)); err != nil {
		t.Errorf("the control, undamaged: %v", err)
	}
}

// TestRestoreIntoLess keeps to limits that are lower than they were.
func TestRestoreIntoLess(t *testing.T) {
	b := snapshot(t, filled(30_000))
	s := New(Options{MaxEntities: 20 * shards * 2})
	if err := s.Restore(bytes.NewReader(b)); err != nil {
		t.Fatal(err)
	}
	if st := s.Len(); st.Users > 5*2*shards || st.Evicted == 0 {
		t.Errorf("stats %+v", st)
	}
}

type broken struct{ after int }

func (b *broken) Write(p []byte) (int, error) {
	if b.after -= len(p); b.after < 0 {
		return 0, errors.New("disk full")
	}
	return len(p), nil
}

func TestSnapshotToBrokenDisk(t *testing.T) {
	s := filled(5)
	n := len(snapshot(t, s))
	for _, after := range []int{0, 100, n / 2, n - 4, n - 1} {
		if err := s.Snapshot(&broken{after}); err == nil {
			t.Errorf("a disk full after %d bytes is no error", after)
		}
	}
}

func FuzzRestore(f *testing.F) {
	f.Add(snapshot(f, filled(3)))
	f.Add([]byte(magic))
	f.Fuzz(func(t *testing.T, b []byte) {
		s := New(small)
		if err := s.Restore(bytes.NewReader(b)); err == nil {
			if got := snapshot(t, s); !bytes.HasPrefix(b, got) {
				t.Error("what was accepted is written otherwise")
			}
		}
	})
}

func TestStoreAllocatesNothing(t *testing.T) {
	s := filled(100)
	tr := trace(1, 1000)
	var p features.Profile
	for name, f := range map[string]func(){
		"Recall":  func() { s.Recall(&p, &tr) },
		"Attempt": func() { s.Attempt(&tr) },
		"Succeed": func() { s.Succeed(&tr) },
		"both":    func() { s.AttemptSucceed(&tr) },
		"Fail":    func() { s.Fail(&tr) },
	} {
		if n := testing.AllocsPerRun(100, f); n != 0 {
			t.Errorf("%s allocates %v times", name, n)
		}
	}
}
