package store

import (
	"errors"
	"fmt"
	"testing"
	"time"
)

// clock is one that tests move.
type clock struct{ at time.Time }

func newClock() *clock { return &clock{time.Unix(1e9, 0)} }

func (c *clock) now() time.Time { return c.at }

func (c *clock) sleep(d time.Duration) { c.at = c.at.Add(d) }

func TestMarksLastTheirSpanAndNoMore(t *testing.T) {
	c := newClock()
	m := NewMarks(time.Minute, c.now)
	mark := func() error { return m.Mark(t.Context(), "owner", "id", c.now().Add(time.Minute)) }
	if err := mark(); err != nil {
		t.Fatal(err)
	}
	for range 11 { // whenever the generations turn, a mark lasts a span
		c.sleep(5 * time.Second)
		if err := mark(); !errors.Is(err, ErrMarked) {
			t.Fatal(err)
		}
	}
	c.sleep(2 * time.Minute)
	if err := mark(); err != nil {
		t.Fatalf("after two spans: %v", err)
	}
	if err := m.Mark(t.Context(), "another", "id", c.now()); err != nil {
		t.Fatalf("another's: %v", err)
	}
}

// TestMarksAreBounded fills the memory: it refuses what it cannot remember.
func TestMarksAreBounded(t *testing.T) {
	c := newClock()
	m := NewMarks(time.Minute, c.now)
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
		if err := m.Mark(t.Context(), "o", fmt.Sprint(i), c.now()); errors.Is(err, errFull) {
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
		if err := m.Mark(t.Context(), "p", fmt.Sprint(i), c.now()); err != nil {
			t.Fatalf("a span later: %v", err)
		}
	}
}
