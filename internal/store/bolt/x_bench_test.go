package bolt

import (
	"fmt"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/waryauth/wary/internal/store"
	"go.etcd.io/bbolt"
)

// BenchmarkSwap marks identifiers, one caller alone and 32 at once: by the
// committer, and by bbolt's own two ways of writing the same.
func BenchmarkSwap(b *testing.B) {
	type way struct {
		name string
		mark func(s *Store, key string) error
	}
	d := store.Until(time.Now().Add(time.Hour))
	written := func(key string) func(tx *bbolt.Tx) error {
		return func(tx *bbolt.Tx) error {
			values, deadlines := tx.Bucket([]byte("values")), tx.Bucket([]byte("deadlines"))
			if values.Get([]byte(key)) != nil {
				return store.ErrConflict
			}
			if err := deadlines.Put(entry(d, []byte(key)), []byte{}); err != nil {
				return err
			}
			return values.Put([]byte(key), encode(d, []byte("mark")))
		}
	}
	for _, w := range []way{
		{"committer", func(s *Store, key string) error { return store.PutNew(b.Context(), s, key, []byte("mark"), d) }},
		{"bbolt-batch", func(s *Store, key string) error { return s.db.Batch(written(key)) }},
		{"bbolt-update", func(s *Store, key string) error { return s.db.Update(written(key)) }},
	} {
		for _, callers := range []int{1, 32} {
			for _, o := range []Options{{}, {NoSync: true}} {
				b.Run(fmt.Sprintf("%s/callers=%d/sync=%t", w.name, callers, !o.NoSync), func(b *testing.B) {
					s := mustOpen(b, filepath.Join(b.TempDir(), "store"), o)
					var n, left atomic.Int64
					left.Store(int64(b.N))
					b.ReportAllocs()
					done := make(chan error)
					for range callers {
						go func() {
							var err error
							for err == nil && left.Add(-1) >= 0 {
								err = w.mark(s, fmt.Sprint("jti ", n.Add(1)))
							}
							done <- err
						}()
					}
					for range callers {
						if err := <-done; err != nil {
							b.Error(err)
						}
					}
				})
			}
		}
	}
}

// BenchmarkReplay refuses the same mark again and again.
func BenchmarkReplay(b *testing.B) {
	s := mustOpen(b, filepath.Join(b.TempDir(), "store"), Options{})
	d := store.Until(time.Now().Add(time.Hour))
	_ = store.PutNew(b.Context(), s, "jti", []byte("mark"), d)
	b.ReportAllocs()
	for b.Loop() {
		if err := store.PutNew(b.Context(), s, "jti", []byte("mark"), d); err == nil {
			b.Fatal("put again")
		}
	}
}

func BenchmarkGet(b *testing.B) {
	s := mustOpen(b, filepath.Join(b.TempDir(), "store"), Options{})
	if err := store.PutNew(b.Context(), s, "grant", make([]byte, 600), store.Forever); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := s.Get(b.Context(), "grant"); err != nil {
			b.Fatal(err)
		}
	}
}
