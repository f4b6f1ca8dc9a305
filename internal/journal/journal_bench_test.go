package journal

import "testing"

func BenchmarkAppend(b *testing.B) {
	l := mustOpen(b, b.TempDir(), Options{})
	defer l.Close()
	payload := make([]byte, 1500)
	b.ReportAllocs()
	b.SetBytes(int64(len(payload)))
	for b.Loop() {
		if _, err := l.Append(1, testTime, payload); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkSeal is Append without the operating system.
func BenchmarkSeal(b *testing.B) {
	h := header{segment: 1}
	h.append(nil)
	frame := make([]byte, frameRoom+recordHead+1500)
	b.ReportAllocs()
	b.SetBytes(1500)
	c := chain{}
	for b.Loop() {
		c = h.seal(frame, headerBytes, &c)
	}
}

func BenchmarkAppendParallel(b *testing.B) {
	l := mustOpen(b, b.TempDir(), Options{})
	defer l.Close()
	payload := make([]byte, 1500)
	b.ReportAllocs()
	b.SetBytes(int64(len(payload)))
	b.SetParallelism(8)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if _, err := l.Append(1, testTime, payload); err != nil {
				b.Error(err)
			}
		}
	})
}

func BenchmarkAppendSyncGroup(b *testing.B) {
	l := mustOpen(b, b.TempDir(), Options{Sync: SyncGroup})
	defer l.Close()
	payload := make([]byte, 1500)
	b.ReportAllocs()
	b.SetParallelism(64)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if _, err := l.Append(1, testTime, payload); err != nil {
				b.Error(err)
			}
		}
	})
}

func BenchmarkRead(b *testing.B) {
	l := mustOpen(b, b.TempDir(), Options{})
	defer l.Close()
	at, err := l.Append(1, testTime, make([]byte, 1500))
	if err != nil {
		b.Fatal(err)
	}
	buf := make([]byte, 0, 2000)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := l.Read(at, buf); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkVerify(b *testing.B) {
	dir := b.TempDir()
	l := mustOpen(b, dir, Options{})
	payload := make([]byte, 1500)
	for range 10_000 {
		if _, err := l.Append(1, testTime, payload); err != nil {
			b.Fatal(err)
		}
	}
	mustClose(b, l)
	b.ReportAllocs()
	b.SetBytes(10_000 * (1500 + recordHead))
	for b.Loop() {
		if _, err := Verify(dir, nil); err != nil {
			b.Fatal(err)
		}
	}
}
