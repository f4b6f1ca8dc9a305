package population

import (
	"iter"
	"testing"
)

// One operation is one attempt.
func BenchmarkAttempts(b *testing.B) {
	b.ReportAllocs()
	next, stop := iter.Pull(New(Options{Seed: 1, Users: 5000, Days: 100_000}).Attempts())
	defer stop()
	for b.Loop() {
		if _, ok := next(); !ok {
			b.Fatal("the simulation ended")
		}
	}
}

// One operation is one row: simulated, observed, recalled, extracted, remembered.
func BenchmarkRows(b *testing.B) {
	b.ReportAllocs()
	next, stop := iter.Pull(Rows(New(Options{Seed: 1, Users: 5000, Days: 100_000}), 0))
	defer stop()
	for b.Loop() {
		if _, ok := next(); !ok {
			b.Fatal("the simulation ended")
		}
	}
}
