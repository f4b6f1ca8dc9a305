package statuslist

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/waryauth/wary/internal/store/bolt"
)

// BenchmarkPlace is what a token's entry costs when the token is issued.
func BenchmarkPlace(b *testing.B) {
	s, err := bolt.Open(filepath.Join(b.TempDir(), "store"), bolt.Options{NoSync: true})
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	lists := New(Options{Store: s, Life: time.Minute, Now: time.Now})
	b.ReportAllocs()
	for b.Loop() {
		if _, _, err := lists.Place(b.Context(), time.Now(), Marks{MarkOf('t', "token"), MarkOf('u', "subject"), MarkOf('c', "client")}); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkStatuses is what it costs to say what a full list says.
func BenchmarkStatuses(b *testing.B) {
	d := &directory{process: "0123456789abcdef"}
	for i := range Entries {
		d.entries = append(d.entries, entry{Index: uint16(i), Given: int64(i + 1), Marks: Marks{MarkOf('t', "x"), MarkOf('u', "y")}})
	}
	raw := d.encode()
	b.ReportAllocs()
	for b.Loop() {
		d, err := decodeDirectory(raw)
		if err == nil {
			_, err = d.statuses(Entries, true, []endings{{rows: []ending{{MarkOf('t', "z"), 1, Invalid}}}})
		}
		if err != nil {
			b.Fatal(err)
		}
	}
}
