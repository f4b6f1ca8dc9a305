package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/valyala/fasthttp/fasthttputil"

	"github.com/waryauth/wary/bench"
	"github.com/waryauth/wary/engine"
	"github.com/waryauth/wary/engine/scoreapi"
	"github.com/waryauth/wary/internal/journal"
	"github.com/waryauth/wary/models"
)

// inProcess measures without the kernel's sockets, in a child on one core.
func inProcess(ctx context.Context, r *run) (map[string]float64, error) {
	length := "long"
	if r.quick {
		length = "short"
	}
	return r.results(ctx, serverCore, "inside", r.dir, r.geo, length)
}

// replayed is how many receipts are made again.
const replayed = 100_000

// insideChild DIR GEO long|short prints its figures. The servers stand behind
// fasthttp's in-memory listener, one after the other on one connection; the
// client's time, the same for all, is within.
func insideChild(args []string) error {
	if len(args) != 3 {
		return errors.New("inside: want folder, geo files, length")
	}
	rounds, each, most := 5, 400*time.Millisecond, replayed
	if args[2] == "short" {
		rounds, each, most = 2, 150*time.Millisecond, replayed/10
	}
	stream, err := bench.NewStream(args[1])
	if err != nil {
		return err
	}
	cost := map[string]time.Duration{}
	memories := map[string]*memory{}
	for _, kind := range []string{"wary", "echo", "naive"} {
		if memories[kind], err = openMemory(kind, args[0], args[1], stream); err != nil {
			return fmt.Errorf("%s: %w", kind, err)
		}
	}
	for i := range 1 + rounds { // the first warms
		for kind, m := range memories {
			one, err := m.round(each)
			if err != nil {
				return fmt.Errorf("%s: %w", kind, err)
			}
			if i > 0 && (cost[kind] == 0 || one < cost[kind]) {
				cost[kind] = one
			}
		}
	}
	for _, m := range memories {
		err = errors.Join(err, m.close())
	}
	if err != nil {
		return err
	}
	micros := func(kind string) float64 { return float64(cost[kind].Nanoseconds()) / 1e3 }
	fmt.Printf("# in process: microseconds of a request, client within: wary %.1f, echo %.1f, naive %.1f\n", micros("wary"), micros("echo"), micros("naive"))
	fmt.Println("in_process_vs_echo", ratio(micros("echo"), micros("wary")))
	fmt.Println("in_process_vs_naive", ratio(micros("naive"), micros("wary")))
	return insideEngine(args[0], args[1], stream, most)
}

// memory is a server behind an in-memory listener and its client.
type memory struct {
	server   *server
	listener *fasthttputil.InmemoryListener
	caller   *bench.Caller
	stream   *bench.Stream
	next     uint64
}

func openMemory(kind, dir, geo string, s *bench.Stream) (*memory, error) {
	own, err := os.MkdirTemp(dir, kind+"-")
	if err != nil {
		return nil, err
	}
	m := &memory{listener: fasthttputil.NewInmemoryListener(), stream: s}
	if m.server, err = openServer(kind, own, geo); err != nil {
		return nil, err
	}
	go func() { _ = m.server.serve(m.listener) }() // ends by close; a fault shows in the client
	conn, err := m.listener.Dial()
	if err != nil {
		return nil, errors.Join(err, m.server.stop())
	}
	m.caller = bench.NewCaller(conn)
	return m, nil
}

func (m *memory) close() error { return errors.Join(m.caller.Close(), m.server.stop()) }

// round returns the processor time of a request.
func (m *memory) round(d time.Duration) (time.Duration, error) {
	const batch = 64
	until, before, n := time.Now().Add(d), used(), 0
	for ; time.Now().Before(until); n += batch {
		for range batch {
			if err := m.caller.Score(m.stream, m.next); err != nil {
				return 0, err
			}
			m.next++
		}
	}
	return (used() - before) / time.Duration(n), nil
}

// insideEngine counts the allocations from bytes to bytes, and makes the decisions
// that it took again from their receipts.
func insideEngine(dir, geo string, s *bench.Stream, most int) error {
	own := filepath.Join(dir, "engine")
	locator, err := bench.OpenLocator(geo)
	if err != nil {
		return err
	}
	e, err := bench.OpenEngine(own, locator)
	if err != nil {
		return err
	}
	var d scoreapi.Decoder
	var body, out []byte
	var failed error
	x, n := &engine.Assessment{}, uint64(0)
	one := func() {
		x.Reset()
		body = s.Append(body[:0], n)
		n++
		if p := d.Attempt(&x.Attempt, body); p != nil {
			failed = fmt.Errorf("refused: %s", p.Append(nil))
			return
		}
		x.Body = body
		failed = errors.Join(failed, e.Score(x, time.Now()))
		out = scoreapi.AppendDecision(out[:0], &x.Decision, &x.Attempt)
	}
	warm := most / 2
	for range warm {
		one()
	}
	allocations := testing.AllocsPerRun(most-warm-1, one) // and once before it counts
	if err := errors.Join(failed, e.Close()); err != nil {
		return err
	}
	fmt.Println("score_allocations", allocations)
	return replay(own, most)
}

// replay prints the share of the decisions of a log that come out the same, bit for
// bit, when made again.
func replay(dir string, want int) error {
	r := engine.NewReplayer(func(digest string) (*models.Model, error) {
		return models.LoadDir(filepath.Join(dir, "models", strings.TrimPrefix(digest, "sha256:")))
	})
	made, identical := 0, 0
	for rec, err := range journal.Records(filepath.Join(dir, "journal"), journal.Address{}) {
		if err != nil {
			return err
		}
		got, ok, err := r.Replay(rec)
		if err != nil {
			return err
		}
		if !ok {
			continue
		}
		made++
		if got.Identical {
			identical++
		}
	}
	if made != want {
		return fmt.Errorf("the log holds %d decisions, not %d", made, want)
	}
	fmt.Printf("# replay: %d of %d receipts identical\n", identical, made)
	fmt.Println("replay_identical_share", float64(identical)/float64(made))
	return nil
}
