package storetest

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/waryauth/wary/internal/store"
)

// memory is a store that keeps every promise, and breaks those that are named: the
// controls of the suite.
type memory struct {
	mu     *sync.Mutex
	values map[string]store.Value
	before map[string]store.Value // as of the swap before the last
	closed *bool
	gap    *gap

	breaks string
}

// gap is where a store that is not atomic stands between comparing and changing:
// it opens once two callers are in it, or when no other comes.
type gap struct{ in chan struct{} }

func (g *gap) cross() {
	select {
	case g.in <- struct{}{}:
	case <-g.in:
	case <-time.After(200 * time.Millisecond):
	}
}

func newMemory(breaks string) *memory {
	return &memory{
		mu: new(sync.Mutex), values: map[string]store.Value{}, before: map[string]store.Value{}, closed: new(bool),
		gap: &gap{make(chan struct{})}, breaks: breaks,
	}
}

func (m *memory) subject() Subject {
	return Subject{Store: m, Reopen: func() (store.Store, error) {
		again := newMemory(m.breaks)
		if m.breaks != "restart" {
			again.values = m.values
		}
		return again, nil
	}}
}

func (m *memory) get(from map[string]store.Value, key string) store.Value {
	if v := from[key]; !v.Deadline.Passed(time.Now()) || m.breaks == "expiry" {
		return v
	}
	return store.Value{}
}

func (m *memory) Get(ctx context.Context, keys ...string) ([]store.Value, error) {
	if err := store.CheckKeys(keys); err != nil && m.breaks != "limits" {
		return nil, err
	}
	if err := ctx.Err(); err != nil && m.breaks != "context" {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if *m.closed && m.breaks != "closed" {
		return nil, store.ErrClosed
	}
	var out []store.Value
	for i, k := range keys {
		from := m.values
		if m.breaks == "late" || m.breaks == "moment" && i == len(keys)-1 {
			from = m.before
		}
		v := m.get(from, k)
		if m.breaks != "memory" {
			v.Data = slices.Clone(v.Data)
		}
		out = append(out, v)
	}
	return out, nil
}

func (m *memory) Swap(ctx context.Context, changes ...store.Change) error {
	now := time.Now()
	if m.breaks == "deadline" {
		now = time.Unix(0, 0)
	}
	if err := store.CheckChanges(changes, now); err != nil && m.breaks != "limits" {
		return err
	}
	if err := ctx.Err(); err != nil && m.breaks != "context" {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if *m.closed && m.breaks != "closed" {
		return store.ErrClosed
	}
	if m.breaks != "whole" {
		for _, c := range changes {
			if !c.Holds(m.get(m.values, c.Key).Data) && m.breaks != "compare" {
				return store.ErrConflict
			}
		}
	}
	if m.breaks == "atomic" {
		m.mu.Unlock()
		m.gap.cross()
		m.mu.Lock()
	}
	m.before = maps.Clone(m.values)
	for _, c := range changes {
		if m.breaks == "whole" && !c.Holds(m.get(m.values, c.Key).Data) {
			return store.ErrConflict
		}
		m.put(c)
	}
	return nil
}

func (m *memory) put(c store.Change) {
	if len(c.Next) == 0 {
		delete(m.values, c.Key)
		return
	}
	v := store.Value{Data: slices.Clone(c.Next), Deadline: c.Deadline}
	if m.breaks == "renew" && m.values[c.Key].Data != nil {
		v.Deadline = m.values[c.Key].Deadline
	}
	if m.breaks == "text" {
		v.Data = []byte(fmt.Sprintf("%q", c.Next))[1:]
		v.Data = v.Data[:len(v.Data)-1]
	}
	m.values[c.Key] = v
}

func (m *memory) Close() error {
	*m.closed = true
	return nil
}

// TestSuite runs the checks on a store that keeps its promises.
func TestSuite(t *testing.T) {
	Run(t, func(*testing.T) Subject { return newMemory("").subject() })
}

// TestSuiteSeesWhatIsBroken runs each check on a store that breaks the promise it
// is about.
func TestSuiteSeesWhatIsBroken(t *testing.T) {
	byName := map[string]check{}
	for _, c := range checks() {
		byName[c.name] = c
	}
	for _, broken := range []struct{ breaks, check string }{
		{"compare", "a conflict changes nothing"},
		{"whole", "all or nothing"},
		{"text", "any bytes"},
		{"memory", "memory is the caller's"},
		{"atomic", "taken once"},
		{"atomic", "put new once"},
		{"atomic", "updates lose nothing"},
		{"moment", "a get is one moment"},
		{"expiry", "expires"},
		{"renew", "gets what was put"},
		{"renew", "a deadline can be renewed"},
		{"deadline", "a deadline that has passed"},
		{"limits", "limits"},
		{"context", "a context that ended"},
		{"closed", "closed"},
		{"restart", "a restart keeps"},
		{"late", "linearizable"},
		{"compare", "linearizable"},
		{"whole", "linearizable"},
	} {
		t.Run(broken.breaks+"/"+broken.check, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			c := byName[broken.check]
			if c.of == nil {
				t.Fatal("no such check")
			}
			if err := c.of(ctx, newMemory(broken.breaks).subject()); err == nil {
				t.Errorf("the check passes a store that breaks %q", broken.breaks)
			} else {
				t.Log(err)
			}
		})
	}
}
