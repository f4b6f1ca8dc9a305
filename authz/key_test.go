package authz

import (
	"bytes"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/waryauth/wary/internal/jose"
	"github.com/waryauth/wary/internal/store"
	"github.com/waryauth/wary/internal/store/bolt"
)

// clock is a time that tests move.
type clock struct {
	sync.Mutex
	t time.Time
}

func newClock() *clock { return &clock{t: time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)} }

func (c *clock) now() time.Time {
	c.Lock()
	defer c.Unlock()
	return c.t
}

func (c *clock) sleep(d time.Duration) {
	c.Lock()
	defer c.Unlock()
	c.t = c.t.Add(d)
}

func newStore(t testing.TB, c *clock) store.Store {
	t.Helper()
	s, err := bolt.Open(filepath.Join(t.TempDir(), "store"), bolt.Options{NoSync: true, Now: c.now})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func openKeys(t testing.TB, s store.Store, c *clock) *Keys {
	t.Helper()
	k, err := OpenKeys(t.Context(), KeyOptions{Store: s, Secret: [32]byte{7}, Now: c.now})
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func states(k *Keys) (out []KeyState) {
	for _, key := range k.List() {
		out = append(out, key.State)
	}
	return out
}

func verifies(t *testing.T, k *Keys, token string) bool {
	t.Helper()
	parsed, err := jose.Parse(token, "x")
	if err != nil {
		t.Fatal(err)
	}
	_, err = parsed.Verify(k.Public())
	return err == nil
}

func TestKeysRotateWithOverlap(t *testing.T) {
	c := newClock()
	s := newStore(t, c)
	k, other := openKeys(t, s, c), (*Keys)(nil)
	other = openKeys(t, s, c)
	next := k.List()[1].ID
	signed, err := k.current().Sign("x", map[string]any{"a": 1})
	if err != nil {
		t.Fatal(err)
	}
	if err := k.Rotate(t.Context()); err != nil {
		t.Fatal(err)
	}
	if k.current().Key().ID != next {
		t.Error("the current key is not the one that was published before")
	}
	fresh, err := k.current().Sign("x", map[string]any{"a": 1})
	if err != nil {
		t.Fatal(err)
	}
	if !verifies(t, other, fresh) {
		t.Error("a node that has not heard of the rotation does not know the new key")
	}
	if !verifies(t, k, signed) {
		t.Error("what the retired key signed is no longer good")
	}
	if err := other.Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	if other.current().Key().ID != k.current().Key().ID || len(other.List()) != 3 {
		t.Errorf("the nodes differ: %v and %v", other.List(), k.List())
	}
	c.sleep(overlap)
	if err := k.Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	if verifies(t, k, signed) || len(k.List()) != 2 {
		t.Errorf("the retired key is still published: %v", states(k))
	}
}

func TestKeysRotateOnSchedule(t *testing.T) {
	c := newClock()
	k := openKeys(t, newStore(t, c), c)
	first := k.current().Key().ID
	c.sleep(30*24*time.Hour - time.Minute)
	if err := k.Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	if k.current().Key().ID != first {
		t.Fatal("rotated too early")
	}
	c.sleep(time.Minute)
	if err := k.Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	if k.current().Key().ID == first {
		t.Fatal("not rotated")
	}
}

func TestKeysAreSealed(t *testing.T) {
	c := newClock()
	s := newStore(t, c)
	k := openKeys(t, s, c)
	values, err := s.Get(t.Context(), keysRecord)
	if err != nil {
		t.Fatal(err)
	}
	for _, plain := range []string{"kid", "private", k.List()[0].ID} {
		if bytes.Contains(values[0].Data, []byte(plain)) {
			t.Errorf("the store holds %q in the clear", plain)
		}
	}
	if _, err := OpenKeys(t.Context(), KeyOptions{Store: s, Secret: [32]byte{8}, Now: c.now}); err == nil {
		t.Error("another secret opened the keys")
	}
	if _, err := OpenKeys(t.Context(), KeyOptions{Store: s, Now: c.now}); err == nil {
		t.Error("no secret opened the keys")
	}
	if again := openKeys(t, s, c); again.current().Key().ID != k.current().Key().ID {
		t.Error("a restart made other keys")
	}
	damaged := bytes.Clone(values[0].Data)
	damaged[len(damaged)/2] ^= 1
	if err := s.Swap(t.Context(), store.Change{Key: keysRecord, Prev: values[0].Data, Next: damaged, Deadline: store.Forever}); err != nil {
		t.Fatal(err)
	}
	if err := k.Refresh(t.Context()); err == nil {
		t.Error("damaged keys were read")
	}
}

// TestNodesThatStartTogetherHaveTheSameKeys opens an empty store from many sides.
func TestNodesThatStartTogetherHaveTheSameKeys(t *testing.T) {
	c := newClock()
	s := newStore(t, c)
	var wg sync.WaitGroup
	ids := make([]string, 16)
	for i := range ids {
		wg.Go(func() {
			k, err := OpenKeys(t.Context(), KeyOptions{Store: s, Secret: [32]byte{7}, Now: c.now})
			if err != nil {
				t.Error(err)
				return
			}
			ids[i] = k.current().Key().ID
		})
	}
	wg.Wait()
	for _, id := range ids {
		if id != ids[0] {
			t.Fatalf("keys %q", ids)
		}
	}
}
