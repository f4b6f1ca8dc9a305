package exchange

import (
	"encoding/json"
	"io"
	"testing"
)

// BenchmarkDecision writes the document of one decision, beside the time that
// encoding/json takes for the vector alone.
func BenchmarkDecision(b *testing.B) {
	f := full()
	b.Run("document", func(b *testing.B) {
		b.ReportAllocs()
		var buf []byte
		for b.Loop() {
			var err error
			if _, buf, err = messageOf(f, 7, buf[:0]); err != nil {
				b.Fatal(err)
			}
		}
		b.SetBytes(int64(len(buf)))
	})
	b.Run("json", func(b *testing.B) {
		b.ReportAllocs()
		v := f.Decision.Vector[1:]
		for b.Loop() {
			if _, err := json.Marshal(v); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// BenchmarkRead reads facts from the log and makes messages of them: what an outbox
// takes from the machine for each.
func BenchmarkRead(b *testing.B) {
	e := newEngine(b)
	score(b, e, "a", 2000)
	b.ReportAllocs()
	f := e.Follow(zero)
	var buf []byte
	for b.Loop() {
		fact, err := f.Next()
		if err == io.EOF {
			f.Close()
			f = e.Follow(zero)
			continue
		}
		if err != nil {
			b.Fatal(err)
		}
		if _, buf, err = messageOf(fact, 7, buf[:0]); err != nil {
			b.Fatal(err)
		}
	}
	f.Close()
}
