package store_test

import (
	"fmt"
	"maps"
	"math"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/waryauth/wary/internal/store"
	"github.com/waryauth/wary/internal/store/bolt"
)

// tallies returns two nodes that count in one store, and their clock.
func tallies(t *testing.T) (one, two *store.Tally, now *time.Time) {
	t.Helper()
	at := time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)
	now = &at
	clock := func() time.Time { return *now }
	s, err := bolt.Open(filepath.Join(t.TempDir(), "store"), bolt.Options{NoSync: true, Now: clock})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	node := func() *store.Tally {
		return &store.Tally{Store: s, Kind: "used:", Grant: 180 * 24 * time.Hour, HalfLife: func() time.Duration { return 10 * 24 * time.Hour }, Now: clock,
			Lost: func(err error) { t.Errorf("lost: %v", err) }}
	}
	return node(), node(), now
}

func counted(t *testing.T, n *store.Tally, key string) map[string]store.Count {
	t.Helper()
	c, err := n.Counts(t.Context(), key)
	if err != nil {
		t.Fatal(err)
	}
	return c[0]
}

// TestOnceAGrant: of whatever is noted, on whichever node, an item counts as granted once
// a grant and as used once a grant.
func TestOnceAGrant(t *testing.T) {
	one, two, _ := tallies(t)
	note := func(n *store.Tally, grant string, used ...string) {
		n.Note(store.Use{Grant: grant, Holders: []string{"client", "client and " + grant}, Granted: []string{"accounts", "payments"}, Used: used})
	}
	for range 3 {
		note(one, "g1", "accounts")
		note(two, "g1", "accounts")
		note(one, "g2", "accounts", "payments")
		one.Learn(t.Context())
		two.Learn(t.Context())
	}
	note(two, "g1", "payments", "never granted")
	two.Learn(t.Context())
	if !two.Told("g1", "payments") || two.Told("g2", "payments") || !two.Told("g2", strings.Repeat("x", 129)) {
		t.Error("what is told already is not known")
	}
	for key, want := range map[string]map[string]store.Count{
		"client":        {"accounts": {Granted: 2, Used: 2}, "payments": {Granted: 2, Used: 2}},
		"client and g1": {"accounts": {Granted: 1, Used: 1}, "payments": {Granted: 1, Used: 1}},
		"nobody":        {},
	} {
		if got := counted(t, one, key); !maps.Equal(got, want) {
			t.Errorf("%s: %v, want %v", key, got, want)
		}
	}
}

// TestCountsFade: after a half-life a grant counts half, and a new one whole.
func TestCountsFade(t *testing.T) {
	one, _, now := tallies(t)
	note := func(grant string) {
		one.Note(store.Use{Grant: grant, Holders: []string{"c"}, Granted: []string{"a", "b"}, Used: []string{"a"}})
		one.Learn(t.Context())
	}
	note("g1")
	*now = now.Add(10 * 24 * time.Hour)
	if got := counted(t, one, "c")["a"]; math.Abs(got.Granted-0.5) > 1e-9 || got.Used != got.Granted {
		t.Errorf("after a half-life: %v", got)
	}
	note("g2")
	*now = now.Add(10 * 24 * time.Hour)
	if got := counted(t, one, "c")["b"]; math.Abs(got.Granted-0.75) > 1e-9 || got.Used != 0 {
		t.Errorf("after another: %v", got)
	}
	*now = now.Add(60 * 24 * time.Hour)
	if got := counted(t, one, "c"); len(got) != 0 {
		t.Errorf("after six: %v", got)
	}
}

// TestATallyIsBounded: what there is no room for is lost and told.
func TestATallyIsBounded(t *testing.T) {
	one, _, _ := tallies(t)
	var many []string
	for i := range 300 {
		many = append(many, fmt.Sprint("item-", i))
	}
	one.Note(store.Use{Grant: "g", Holders: []string{"c"}, Granted: many, Used: many})
	one.Learn(t.Context())
	if got := counted(t, one, "c"); len(got) != 256 {
		t.Errorf("%d items are counted", len(got))
	}
	lost := 0
	one.Lost = func(error) { lost++ }
	for i := range 1<<16 + 1 {
		one.Note(store.Use{Grant: fmt.Sprint(i), Granted: []string{"a"}, Used: []string{"a"}})
	}
	if lost != 1 {
		t.Errorf("%d are lost, want 1", lost)
	}
}
