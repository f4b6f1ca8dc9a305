package scoreapi

import (
	"encoding/json"
	"os"
	"testing"

	"github.com/waryauth/wary/signals"
)

func sampleBytes(tb testing.TB) []byte {
	tb.Helper()
	b, err := os.ReadFile("testdata/attempt.json")
	if err != nil {
		tb.Fatal(err)
	}
	return b
}

// BenchmarkDecode decodes an attempt with every field of the contract: this
// package, and encoding/json into an equivalent tagged struct, fresh as a request's
// is.
func BenchmarkDecode(b *testing.B) {
	body := sampleBytes(b)
	b.Run("scoreapi", func(b *testing.B) {
		var d Decoder
		var a signals.Attempt
		b.SetBytes(int64(len(body)))
		b.ReportAllocs()
		for b.Loop() {
			if p := d.Attempt(&a, body); p != nil {
				b.Fatal(string(p.Append(nil)))
			}
		}
	})
	b.Run("encoding-json", func(b *testing.B) {
		b.SetBytes(int64(len(body)))
		b.ReportAllocs()
		for b.Loop() {
			var v plain
			if err := json.Unmarshal(body, &v); err != nil {
				b.Fatal(err)
			}
		}
	})
}
