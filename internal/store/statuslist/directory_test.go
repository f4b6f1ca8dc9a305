package statuslist

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

// some returns a directory of some tokens: the token at index i is of subject i%5
// and client i%3, given at second i+1.
func some(n int) *directory {
	d := &directory{process: "0123456789abcdef"}
	for i := range n {
		d.entries = append(d.entries, entry{Index: uint16(i), Given: int64(i+1) * 1000, Marks: Marks{
			MarkOf('t', string(rune('A'+i))), MarkOf('u', string(rune('a'+i%5))), MarkOf('c', string(rune('a'+i%3)))}})
	}
	return d
}

// TestDirectoryAndEndings: what a list says, written down by hand.
func TestDirectoryAndEndings(t *testing.T) {
	const v, x, s = Valid, Invalid, Suspended
	d := some(6)
	f := func(name string, alive, complete bool, ended []endings, want ...Status) {
		t.Helper()
		d.complete = complete
		got, err := d.statuses(8, alive, ended)
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("%s: %v, want %v (%v)", name, got, want, err)
		}
	}
	end := func(m Mark, status Status, second int64) []endings {
		var e endings
		e.add(m, status, time.UnixMilli(second*1000), time.Hour, 8)
		return []endings{{}, e}
	}
	f("control", true, false, nil, v, v, v, v, v, v, v, v)
	f("complete, its process is gone", false, true, nil, v, v, v, v, v, v, v, v)
	f("incomplete, its process is gone", false, false, nil, v, v, v, v, v, v, x, x)
	f("a token", true, false, end(MarkOf('t', "C"), x, 9), v, v, x, v, v, v, v, v)
	f("a subject", true, false, end(MarkOf('u', "a"), x, 9), x, v, v, v, v, x, v, v)
	f("a subject, before a later grant", true, false, end(MarkOf('u', "a"), x, 5), x, v, v, v, v, v, v, v)
	f("in the same millisecond", true, false, end(MarkOf('u', "a"), x, 6), x, v, v, v, v, x, v, v)
	f("a client is suspended", true, false, end(MarkOf('c', "b"), s, 0), v, s, v, v, s, v, v, v)
	f("a name of another kind", true, false, end(MarkOf('t', "a"), x, 9), v, v, v, v, v, v, v, v)
	f("invalid is more than suspended", true, false, append(end(MarkOf('c', "b"), s, 9), end(MarkOf('t', "B"), x, 9)...), v, x, v, v, s, v, v, v)
	f("everything until the third second", true, false, []endings{{all: 3000}}, x, x, x, v, v, v, v, v)
}

// TestEndings: a suspension is taken back and an end is not; old rows go; too many end
// everything.
func TestEndings(t *testing.T) {
	m, other := MarkOf('u', "a"), MarkOf('u', "b")
	now := time.UnixMilli(1_000_000)
	var e endings
	e.add(m, Suspended, now, time.Minute, 4)
	e.add(m, Suspended, now, time.Minute, 4)
	if len(e.rows) != 1 {
		t.Fatalf("said twice, kept %d times", len(e.rows))
	}
	e.add(m, Invalid, now, time.Minute, 4)
	e.add(m, Valid, now, time.Minute, 4)
	if len(e.rows) != 1 || e.rows[0].Status != Invalid {
		t.Fatalf("%+v: an end was taken back, or a suspension was not", e.rows)
	}
	e.add(other, Invalid, now.Add(61*time.Second), time.Minute, 4)
	if len(e.rows) != 1 || e.rows[0].Mark != other {
		t.Fatalf("%+v: an old row is kept, or the new one is not", e.rows)
	}
	for i := range 4 {
		if e.add(MarkOf('t', string(rune('a'+i))), Invalid, now.Add(61*time.Second), time.Minute, 4) != (i == 3) {
			t.Fatalf("%d rows of 4", len(e.rows))
		}
	}
	if e.all != now.Add(61*time.Second).UnixMilli() || len(e.rows) != 0 {
		t.Errorf("%+v: too many rows did not end everything", e)
	}
}

// TestDirectoryBinary: written and read again, directories and endings are the same;
// what is cut short is refused.
func TestDirectoryBinary(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 50 {
		d := some(r.IntN(40))
		d.complete = r.IntN(2) == 0
		again, err := decodeDirectory(d.encode())
		if err != nil || !slices.Equal(again.entries, d.entries) || again.complete != d.complete || again.process != d.process {
			t.Fatalf("%+v %v", again, err)
		}
		e := endings{all: r.Int64()}
		for range r.IntN(9) {
			e.rows = append(e.rows, ending{MarkOf('t', "x"), r.Int64(), Status(r.IntN(3))})
		}
		same, err := decodeEndings(e.encode())
		if err != nil || same.all != e.all || !slices.Equal(same.rows, e.rows) {
			t.Fatalf("%+v %v", same, err)
		}
	}
	for _, bad := range [][]byte{nil, make([]byte, 16), append([]byte{2}, make([]byte, 16)...), make([]byte, 18)} {
		if _, err := decodeDirectory(bad); err == nil {
			t.Errorf("%d bytes are a directory", len(bad))
		}
	}
	for _, bad := range [][]byte{make([]byte, 7), make([]byte, 9)} {
		if _, err := decodeEndings(bad); err == nil {
			t.Errorf("%d bytes are endings", len(bad))
		}
	}
	if _, err := some(9).statuses(8, true, nil); err == nil {
		t.Error("an entry outside the list is taken")
	}
}
