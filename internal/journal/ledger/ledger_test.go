package ledger

import (
	"bytes"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/waryauth/wary/internal/journal"
)

// TestLedgerIsABoundedMap holds a ledger against a slice of the newest keys, the
// slow obvious way.
func TestLedgerIsABoundedMap(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		const capacity = 8 // of the one shard that the keys fall into
		l := New[uint64](capacity * shards)
		var want []Entry[uint64] // the oldest first
		for i := range rapid.IntRange(1, 200).Draw(t, "steps") {
			k := uint64(rapid.IntRange(1, 24).Draw(t, "key") * 32) // 32: slots collide
			e := Entry[uint64]{Key: k, Content: uint64(i), At: journal.Address{Segment: 1, Offset: uint32(i)}, When: int64(i)}
			l.Put(e)
			if at := slices.IndexFunc(want, func(w Entry[uint64]) bool { return w.Key == k }); at >= 0 {
				want[at] = e
			} else if want = append(want, e); len(want) > capacity {
				want = want[1:]
			}
			for k := uint64(32); k <= 24*32; k += 32 {
				got, ok := l.Get(k)
				at := slices.IndexFunc(want, func(w Entry[uint64]) bool { return w.Key == k })
				if ok != (at >= 0) || ok && got != want[at] {
					t.Fatalf("step %d, key %d: got %v %v, want place %d of %v", i, k, got, ok, at, want)
				}
			}
		}
		var b bytes.Buffer
		if err := l.Snapshot(&b); err != nil {
			t.Fatal(err)
		}
		again := New[uint64](capacity * shards)
		if err := again.Restore(&b); err != nil {
			t.Fatal(err)
		}
		for _, w := range want {
			if got, ok := again.Get(w.Key); !ok || got != w {
				t.Fatalf("after restore: key %d is %v %v, want %v", w.Key, got, ok, w)
			}
		}
	})
}

func TestLedgerBegin(t *testing.T) {
	l := New[uint64](64)
	if _, fresh := l.Begin(1, 10, 1000, 500); !fresh {
		t.Fatal("an unknown key is not fresh")
	}
	if e, fresh := l.Begin(1, 10, 1001, 501); fresh || e.At != (journal.Address{}) {
		t.Fatal("a key that is being answered is given out twice")
	}
	l.GiveUp(1)
	if _, fresh := l.Begin(1, 10, 1002, 502); !fresh {
		t.Fatal("a key that was given up stays taken")
	}
	l.Put(Entry[uint64]{Key: 1, Content: 10, At: journal.Address{Segment: 1}, When: 1002})
	l.GiveUp(1) // too late: it has its fact
	if e, fresh := l.Begin(1, 11, 1003, 503); fresh || e.Content != 10 {
		t.Fatal("a key with a fact is not found")
	}
	if _, fresh := l.Begin(1, 11, 2000, 1500); !fresh {
		t.Fatal("a key outlives its window")
	}
}
