package exchange

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"syscall"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"
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
	started := processorTime(b)
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
	b.ReportMetric(float64((processorTime(b)-started).Nanoseconds())/float64(b.N), "cpu-ns/op")
	f.Close()
}

// BenchmarkPublish publishes to a real broker (WARY_KAFKA), and tells the processor time
// that this process takes for a fact, all included: the kernel's share too.
func BenchmarkPublish(b *testing.B) {
	broker := os.Getenv("WARY_KAFKA")
	if broker == "" {
		b.Skip("WARY_KAFKA names no broker")
	}
	e := newEngine(b)
	const facts = 20000
	score(b, e, "a", facts)
	for _, compression := range []string{"none", "lz4", "snappy", "zstd"} {
		for _, replicate := range []bool{false, true} {
			b.Run(fmt.Sprintf("%s/replicate=%v", compression, replicate), func(b *testing.B) {
				s := Settings{Brokers: []string{broker}, Prefix: fmt.Sprint("bench-", time.Now().UnixNano()), Compression: compression}
				if _, err := Init(within(b), s, TopicOptions{Partitions: 12, Replication: 1}); err != nil {
					b.Fatal(err)
				}
				o := OutboxOptions{}
				if replicate {
					o.Secret = testSecret[:]
				}
				for b.Loop() {
					before, path := processorTime(b), placeFile(b)
					o.Path = path
					out, err := NewOutbox(e, s, o)
					if err != nil {
						b.Fatal(err)
					}
					end := run(b, out.Run)
					eventually(b, "all is published", reached(b, e, path))
					end()
					b.ReportMetric(float64((processorTime(b)-before).Microseconds())/facts, "cpu-us/fact")
				}
			})
		}
	}
}

func processorTime(b *testing.B) time.Duration {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkFold folds another scorer's facts: the message's code, its deeds, and state.
// It tells what one of them takes, and its bytes in the topic before compression.
func BenchmarkFold(b *testing.B) {
	a, other := openNode(b, b.TempDir(), 1), openNode(b, b.TempDir(), 2)
	defer a.close()
	defer other.close()
	r, err := NewReplica(other.e, Settings{Brokers: []string{"127.0.0.1:9"}}, testSecret[:])
	if err != nil {
		b.Fatal(err)
	}
	timed(b, a.e, "a", 20000)
	deeds, bytes := 0, 0
	var messages []kafka.Message
	for _, s := range stretches(b, a.e, maxBatch) {
		m := s.message(r.key)
		messages = append(messages, m)
		bytes += len(m.Value)
	}
	before, started := replicaFolded.Get(), processorTime(b)
	b.ReportAllocs()
	for b.Loop() {
		r.seen.Nodes = map[uint16]mark{}
		for i := range messages {
			if err := r.apply(&messages[i]); err != nil {
				b.Fatal(err)
			}
		}
		deeds = int(replicaFolded.Get() - before)
	}
	b.ReportMetric(float64((processorTime(b)-started).Nanoseconds())/float64(deeds), "cpu-ns/deed")
	b.ReportMetric(float64(bytes)/20000, "bytes/deed")
}
