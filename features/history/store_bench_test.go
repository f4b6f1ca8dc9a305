package history

import (
	"strconv"
	"testing"

	"github.com/waryauth/wary/features"
)

// Traces of that many users in turn: of one, all records stay in the processor's
// caches; of 100,000, most lie in memory.
var populations = [...]int{1, 100_000}

func BenchmarkRecall(b *testing.B) {
	for _, n := range populations {
		b.Run(strconv.Itoa(n), func(b *testing.B) {
			s, ts := populated(n)
			var p features.Profile
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				s.Recall(&p, &ts[i*7919%n])
			}
		})
	}
}

func BenchmarkRecallAttemptSucceed(b *testing.B) {
	for _, n := range populations {
		b.Run(strconv.Itoa(n), func(b *testing.B) {
			s, ts := populated(n)
			b.ReportAllocs()
			var p features.Profile
			for i := 0; b.Loop(); i++ {
				t := &ts[i*7919%n]
				s.Recall(&p, t)
				s.AttemptSucceed(t)
			}
		})
	}
}

// BenchmarkTouch folds what was not recalled, with and without touching it first.
func BenchmarkTouch(b *testing.B) {
	for name, touch := range map[string]func(*Store, *features.Trace){"touched": (*Store).Touch, "untouched": func(*Store, *features.Trace) {}} {
		b.Run(name, func(b *testing.B) {
			n := populations[1]
			s, ts := populated(n)
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				t := &ts[i*7919%n]
				touch(s, t)
				s.AttemptSucceed(t)
			}
		})
	}
}

func populated(n int) (*Store, []features.Trace) {
	s, ts := New(Options{}), make([]features.Trace, n)
	for i := range ts {
		ts[i] = trace(i+1, i)
		ts[i].Address = hasher.Number(features.KindAddress, uint64(i/2+1))
		ts[i].Device = hasher.Number(features.KindDevice, uint64(i+1))
		ts[i].UserAddress = hasher.Pair(ts[i].User, ts[i].Address)
		fold(s, &ts[i])
	}
	return s, ts
}
