package history

import (
	"bytes"
	"math"
	"testing"

	"github.com/waryauth/wary/features"
	"github.com/waryauth/wary/signals"
)

// TestCrowd: many users at one address and through one client are counted, in
// records that outgrow their class and thin out again, through snapshots at every
// size. The control is an address of few, whose record stays small.
func TestCrowd(t *testing.T) {
	s, want := New(Options{MaxEntities: 100_000}), New(Options{MaxEntities: 100_000})
	crowd := func(n int) features.Trace {
		tr := trace(n, 100+n/2000)
		tr.Address, tr.Client = hasher.Number(features.KindAddress, 1), hasher.Number(features.KindClient, 1)
		tr.UserAddress, tr.UserClient = hasher.Pair(tr.User, tr.Address), hasher.Pair(tr.User, tr.Client)
		tr.Subnet, tr.ASN, tr.Device, tr.Fingerprint = 0, 0, 0, 0
		if n%100 == 0 {
			tr.Device = hasher.Number(features.KindDevice, 1)
		}
		return tr
	}
	classes := func(kind int, k features.Key) int {
		of := &s.memory.Load().kinds[kind]
		slot, _ := of.find(k)
		return classOf(of.index[slot])
	}
	sizes := map[int]bool{}
	fold := func(from, to int) {
		for n := from; n < to; n++ {
			tr := crowd(n)
			s.AttemptSucceed(&tr)
			want.AttemptSucceed(&tr)
			sizes[classes(shared, tr.Address)] = true
		}
	}
	last := 1
	for _, next := range []int{2, 20, 26, 40, 300, 2000} {
		fold(last, next)
		last = next
		back := New(Options{MaxEntities: 100_000})
		if err := back.Restore(bytes.NewReader(snapshot(t, s))); err != nil {
			t.Fatal(err)
		}
		s = back
	}
	if !bytes.Equal(snapshot(t, s), snapshot(t, want)) {
		t.Error("snapshots changed the state")
	}
	tr := crowd(1999)
	users := func(feature int) float64 {
		var v features.Vector
		features.Extract(&v, &signals.Attempt{}, &signals.Observation{}, &tr, recall(s, &tr))
		return float64(v[feature])
	}
	for _, f := range []int{features.NetUsersPerIP24h, features.TPPDistinctUsers24h} {
		if n := users(f); math.Abs(n-1999) > 3*0.065*1999 {
			t.Errorf("%s is %v, want 1999", features.Schema[f].Name, n)
		}
	}
	few := crowd(100)
	if len(sizes) != 2 || classes(clients, tr.Client) != 1 || classes(shared, few.Device) != 0 {
		t.Errorf("classes %v, of the client %d, of few %d", sizes, classes(clients, tr.Client), classes(shared, few.Device))
	}
	for n := range 3 { // a year on, few come
		tr = crowd(n + 1)
		tr.Time += 365 * 86_400_000
		s.Attempt(&tr)
	}
	if n := users(features.NetUsersPerIP30d); math.Abs(n-3) > 0.1 {
		t.Errorf("%v users a year on", n)
	}
	if b := snapshot(t, s); New(small).Restore(bytes.NewReader(b)) != nil {
		t.Error("a crowd that thinned out cannot be restored")
	}
}
