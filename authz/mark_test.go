package authz

import (
	"errors"
	"fmt"
	"testing"
	"time"
)

func TestMarksLastTheirSpanAndNoMore(t *testing.T) {
	c := newClock()
	m := newMarks(&Options{Now: c.now}, "test", time.Minute)
	mark := func() error { return m.mark(t.Context(), "owner", "id", c.now().Add(time.Minute)) }
	if err := mark(); err != nil {
		t.Fatal(err)
	}
	for range 11 { // whenever the generations turn, a mark lasts a span
		c.sleep(5 * time.Second)
		if err := mark(); !errors.Is(err, errMarked) {
			t.Fatal(err)
		}
	}
	c.sleep(2 * time.Minute)
	if err := mark(); err != nil {
		t.Fatalf("after two spans: %v", err)
	}
	if err := m.mark(t.Context(), "another", "id", c.now()); err != nil {
		t.Fatalf("another's: %v", err)
	}
}

// TestMarksAreBounded fills the memory: it refuses what it cannot remember.
func TestMarksAreBounded(t *testing.T) {
	c := newClock()
	m := newMarks(&Options{Now: c.now}, "test", time.Minute)
	for i := range m.shards {
		m.shards[i].turn(c.now(), m.span)
		for j := range maxMarks {
			m.shards[i].newest[[16]byte{byte(j), byte(j >> 8), 1}] = struct{}{}
		}
		if i == 1 {
			break // two full shards are enough to meet one
		}
	}
	full := 0
	for i := range 512 {
		if err := m.mark(t.Context(), "o", fmt.Sprint(i), c.now()); errors.Is(err, errFull) {
			full++
		} else if err != nil {
			t.Fatal(err)
		}
	}
	if full == 0 {
		t.Fatal("a full shard took more")
	}
	c.sleep(time.Minute)
	for i := range 512 {
		if err := m.mark(t.Context(), "p", fmt.Sprint(i), c.now()); err != nil {
			t.Fatalf("a span later: %v", err)
		}
	}
}
