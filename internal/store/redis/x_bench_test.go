package redis

import (
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/waryauth/wary/internal/store"
)

// BenchmarkSwap marks identifiers as many do at once, over a Unix socket: with the
// server's log synced at every write, every second, and off.
func BenchmarkSwap(b *testing.B) {
	for _, args := range [][]string{{"--appendfsync", "always"}, {"--appendfsync", "everysec"}, {"--appendonly", "no"}} {
		b.Run(args[0][2:]+"="+args[1], func(b *testing.B) {
			st := startServer(b, args...).open(b, Options{Volatile: true})
			d := store.Until(time.Now().Add(time.Hour))
			var n atomic.Int64
			b.ReportAllocs()
			b.SetParallelism(16)
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					if err := store.PutNew(b.Context(), st, fmt.Sprint("jti ", n.Add(1)), []byte("mark"), d); err != nil {
						b.Error(err)
					}
				}
			})
		})
	}
}

func BenchmarkGet(b *testing.B) {
	st := startServer(b).open(b, Options{})
	if err := store.PutNew(b.Context(), st, "grant", make([]byte, 600), store.Forever); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := st.Get(b.Context(), "grant"); err != nil {
			b.Fatal(err)
		}
	}
}
