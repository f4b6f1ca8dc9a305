package engine

import (
	"bytes"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/waryauth/wary/features"
	"github.com/waryauth/wary/internal/journal"
)

// TestLedgerIsABoundedMap holds a ledger against a slice of the newest keys, the
// slow obvious way.
func TestLedgerIsABoundedMap(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		const capacity = 8 // of the one shard that the keys fall into
		l := newLedger(capacity * ledgerShards)
		var want []entry // the oldest first
		for i := range rapid.IntRange(1, 200).Draw(t, "steps") {
			k := features.Key(rapid.IntRange(1, 24).Draw(t, "key") * 32) // 32: slots collide
			e := entry{key: k, content: features.Key(i), at: journal.Address{Segment: 1, Offset: uint32(i)}, when: int64(i)}
			l.put(e)
			if at := slices.IndexFunc(want, func(w entry) bool { return w.key == k }); at >= 0 {
				want[at] = e
			} else if want = append(want, e); len(want) > capacity {
				want = want[1:]
			}
			for k := features.Key(32); k <= 24*32; k += 32 {
				got, ok := l.get(k)
				at := slices.IndexFunc(want, func(w entry) bool { return w.key == k })
				if ok != (at >= 0) || ok && got != want[at] {
					t.Fatalf("step %d, key %d: got %v %v, want place %d of %v", i, k, got, ok, at, want)
				}
			}
		}
		var b bytes.Buffer
		if err := l.snapshot(&b); err != nil {
			t.Fatal(err)
		}
		again := newLedger(capacity * ledgerShards)
		if err := again.restore(&b); err != nil {
			t.Fatal(err)
		}
		for _, w := range want {
			if got, ok := again.get(w.key); !ok || got != w {
				t.Fatalf("after restore: key %d is %v %v, want %v", w.key, got, ok, w)
			}
		}
	})
}

func TestLedgerBegin(t *testing.T) {
	l := newLedger(64)
	if _, fresh := l.begin(1, 10, 1000, 500); !fresh {
		t.Fatal("an unknown key is not fresh")
	}
	if e, fresh := l.begin(1, 10, 1001, 501); fresh || e.at != (journal.Address{}) {
		t.Fatal("a key that is being answered is given out twice")
	}
	l.giveUp(1)
	if _, fresh := l.begin(1, 10, 1002, 502); !fresh {
		t.Fatal("a key that was given up stays taken")
	}
	l.put(entry{key: 1, content: 10, at: journal.Address{Segment: 1}, when: 1002})
	l.giveUp(1) // too late: it has its fact
	if e, fresh := l.begin(1, 11, 1003, 503); fresh || e.content != 10 {
		t.Fatal("a key with a fact is not found")
	}
	if _, fresh := l.begin(1, 11, 2000, 1500); !fresh {
		t.Fatal("a key outlives its window")
	}
}
