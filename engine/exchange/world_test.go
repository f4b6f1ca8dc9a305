package exchange

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/waryauth/wary/engine"
	"github.com/waryauth/wary/signals"
)

func TestMain(m *testing.M) {
	slog.SetDefault(slog.New(slog.DiscardHandler))
	code := m.Run()
	if path := os.Getenv("WARY_FAULTS"); path != "" && code == 0 {
		if err := writeFaults(path); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = 1
		}
	}
	os.Exit(code)
}

// patience bounds what a test waits for; nothing is measured by it.
const patience = 2 * time.Minute

func within(t testing.TB) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	return ctx
}

// eventually waits until something is so.
func eventually(t testing.TB, what string, so func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !so(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("never: %s", what)
		}
	}
}

// cluster is an in-process broker with the product's topics, and a wire to it.
type cluster struct {
	*kfake.Cluster
	wire     *wire
	settings Settings
}

func newCluster(t testing.TB, partitions int32, opts ...kfake.Opt) *cluster {
	t.Helper()
	c, err := kfake.NewCluster(append([]kfake.Opt{kfake.NumBrokers(1), kfake.SeedTopics(partitions, Decisions, Feedback, Changes, Dead, Told, State)}, opts...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	w := &wire{}
	return &cluster{c, w, Settings{Brokers: c.ListenAddrs(), Compression: "none", dial: w.dial}}
}

// wire is a network that a test can cut, or that loses every nth acknowledgement of
// what was produced.
type wire struct {
	away  atomic.Bool
	nth   int64
	count atomic.Int64
	lost  atomic.Int64

	mu    sync.Mutex
	conns []net.Conn
}

var errAway = errors.New("the network is down")

func (w *wire) dial(ctx context.Context, network, address string) (net.Conn, error) {
	if w.away.Load() {
		return nil, errAway
	}
	c, err := new(net.Dialer).DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.conns = append(w.conns, c)
	return &lossy{Conn: c, wire: w}, nil
}

func (w *wire) cut() {
	w.away.Store(true)
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, c := range w.conns {
		c.Close()
	}
	w.conns = nil
}

// lossy closes itself instead of handing out an answer that is to be lost: the broker
// has done what was asked by then.
type lossy struct {
	net.Conn
	wire *wire
	head []byte // of the request under way: length and kind
	left int    // bytes of it to come
	lose atomic.Bool
}

func (l *lossy) Write(b []byte) (int, error) {
	for rest := b; len(rest) > 0; {
		if l.left > 0 {
			n := min(l.left, len(rest))
			l.left, rest = l.left-n, rest[n:]
			continue
		}
		n := min(6-len(l.head), len(rest))
		l.head, rest = append(l.head, rest[:n]...), rest[n:]
		if len(l.head) == 6 {
			l.left = int(binary.BigEndian.Uint32(l.head)) - 2
			if produce := binary.BigEndian.Uint16(l.head[4:]) == 0; produce && l.wire.nth > 0 && l.wire.count.Add(1)%l.wire.nth == 0 {
				l.lose.Store(true)
			}
			l.head = l.head[:0]
		}
	}
	return l.Conn.Write(b)
}

func (l *lossy) Read(b []byte) (int, error) {
	n, err := l.Conn.Read(b)
	if l.lose.Load() && err == nil {
		l.wire.lost.Add(1)
		l.Conn.Close()
		return 0, io.EOF
	}
	return n, err
}

// all returns what stands in topics, each partition in order.
func (c *cluster) all(t testing.TB, topics ...string) (out []*kgo.Record) {
	t.Helper()
	return readAll(t, c.settings, topics...)
}

func readAll(t testing.TB, s Settings, topics ...string) (out []*kgo.Record) {
	t.Helper()
	s.dial = nil
	conn, err := s.connect()
	if err != nil {
		t.Fatal(err)
	}
	want := 0
	for i, topic := range topics {
		topics[i] = conn.topic(topic)
		lags, err := Lag(within(t), s, "nobody", topic)
		if err != nil {
			t.Fatal(err)
		}
		for _, l := range lags {
			want += int(l.Lag)
		}
	}
	r, err := kgo.NewClient(kgo.SeedBrokers(s.Brokers...), kgo.ConsumeTopics(topics...), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	for ctx := within(t); len(out) < want; {
		f := r.PollFetches(ctx)
		if err := f.Err0(); err != nil {
			t.Fatal(err)
		}
		f.EachRecord(func(r *kgo.Record) { out = append(out, r) })
	}
	return out
}

func headerOf(r *kgo.Record, key string) string {
	for _, h := range r.Headers {
		if h.Key == key {
			return string(h.Value)
		}
	}
	return ""
}

// heard is what a reader makes of records that drops event ids it has seen.
type heard struct {
	records int
	ids     map[string]bool
	byKey   map[string][]string // ids in the order in which they were first seen
}

func hear(records []*kgo.Record) heard {
	h := heard{len(records), map[string]bool{}, map[string][]string{}}
	for _, r := range records {
		id := headerOf(r, "ce_id")
		if !h.ids[id] {
			h.ids[id] = true
			key := r.Topic + " " + string(r.Key)
			h.byKey[key] = append(h.byKey[key], id)
		}
	}
	return h
}

var testStart = time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)

func newEngine(t testing.TB) *engine.Engine {
	t.Helper()
	e, err := engine.Open(t.TempDir(), engine.Options{Secret: [32]byte{1, 2, 3}, Node: 7, RetryEntries: 1 << 12, JoinEntries: 1 << 12, Now: func() time.Time { return testStart }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	})
	return e
}

// score scores n attempts of ten people and returns the decisions' ids.
func score(t testing.TB, e *engine.Engine, name string, n int) (ids []string) {
	t.Helper()
	for i := range n {
		var x engine.Assessment
		a := &x.Attempt
		a.ID, a.Action, a.Subject, a.Time = fmt.Sprint(name, i), signals.Login, fmt.Sprint("person ", i%10), testStart
		a.Client.ID, a.Network.IP = "shop", "20.1.0.7"
		a.Intent.Scopes = []string{"openid", `odd "scope"`}
		a.Authentication.Result = signals.Success
		x.Body = []byte(a.ID)
		if err := e.Score(&x, testStart.Add(time.Duration(i)*time.Millisecond)); err != nil {
			t.Fatal(err)
		}
		ids = append(ids, x.Decision.ID.String())
	}
	return ids
}

// logged returns the ids of all facts of an engine by topic and key, in order.
func logged(t testing.TB, e *engine.Engine) heard {
	t.Helper()
	h := heard{0, map[string]bool{}, map[string][]string{}}
	for _, m := range messages(t, e) {
		id := header(&m.message, "ce_id")
		h.records++
		h.ids[id] = true
		key := m.message.Topic + " " + string(m.message.Key)
		h.byKey[key] = append(h.byKey[key], id)
	}
	return h
}

func messages(t testing.TB, e *engine.Engine) (out []pending) {
	t.Helper()
	f := e.Follow(zero)
	defer f.Close()
	for {
		fact, err := f.Next()
		if err == io.EOF {
			return out
		}
		if err != nil {
			t.Fatal(err)
		}
		m, _, err := messageOf(fact, e.Node(), nil)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, pending{message: m, next: fact.Next})
	}
}

// run runs an outbox beside the test; the returned function ends it.
func run(t testing.TB, r func(context.Context)) (end func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); r(ctx) }()
	end = sync.OnceFunc(func() { cancel(); <-done })
	t.Cleanup(end)
	return end
}

func newOutbox(t testing.TB, e *engine.Engine, s Settings, path string) *Outbox {
	t.Helper()
	o, err := NewOutbox(e, s, OutboxOptions{Path: path})
	if err != nil {
		t.Fatal(err)
	}
	return o
}

// reached reports whether the place in a file is the end of the log.
func reached(t testing.TB, e *engine.Engine, path string) func() bool {
	return func() bool {
		var p outboxPlace
		if _, err := readPlace(path, &p); err != nil {
			t.Fatal(err)
		}
		end := e.End()
		return p.Segment == end.Segment && p.Offset == end.Offset
	}
}

func placeFile(t testing.TB) string { return filepath.Join(t.TempDir(), "place.json") }

// documentOf is the document of a message of POST /v1/feedback.
func documentOf(id, decision, value string) []byte {
	kind := "outcome"
	if value == "fraud" || value == "legitimate" {
		kind = "label"
	}
	b, err := json.Marshal(map[string]string{"feedback_id": id, "decision_id": decision, "kind": kind, "value": value, "source": "system"})
	if err != nil {
		panic(err)
	}
	return b
}
