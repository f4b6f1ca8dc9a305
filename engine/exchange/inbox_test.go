package exchange

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/twmb/franz-go/pkg/kfake"

	"github.com/waryauth/wary/engine"
	"github.com/waryauth/wary/signals"
)

// decode is a small decoder of documentOf, in place of the score API's.
func decode(f *signals.Feedback, b []byte) error {
	var d struct {
		Feedback string `json:"feedback_id"`
		Decision string `json:"decision_id"`
		Kind     string `json:"kind"`
		Value    string `json:"value"`
		Source   string `json:"source"`
	}
	if err := json.Unmarshal(b, &d); err != nil {
		return errors.New("no JSON")
	}
	*f = signals.Feedback{ID: d.Feedback, DecisionID: d.Decision}
	f.Kind, _ = signals.ParseFeedbackKind(d.Kind)
	f.Value, _ = signals.ParseFeedbackValue(d.Value)
	f.Source, _ = signals.ParseSource(d.Source)
	return nil
}

// tell writes messages to the topic of what others tell, each so many times.
func tell(t testing.TB, c *cluster, times int, messages ...kafka.Message) {
	t.Helper()
	s := c.settings
	s.dial = nil
	conn, err := s.connect()
	if err != nil {
		t.Fatal(err)
	}
	w := conn.writer(conn.transport())
	defer w.Close()
	for range times {
		for _, m := range messages {
			m.Topic = conn.topic(Told)
			// A real broker may have to be asked again, just after its start.
			if err := patiently(within(t), func() error { _, err := send(t.Context(), w, []kafka.Message{m}); return err }); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// taker counts what an inbox takes, on the way to an engine.
type taker struct {
	engine *engine.Engine
	calls  atomic.Int64
	mu     sync.Mutex
	ids    map[string]int
	fail   func(*signals.Feedback) error
}

func (k *taker) take(f *signals.Feedback, now time.Time) error {
	if k.fail != nil {
		if err := k.fail(f); err != nil {
			return err
		}
	}
	if err := k.engine.Feedback(f, now); err != nil {
		return err
	}
	k.calls.Add(1)
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.ids == nil {
		k.ids = map[string]int{}
	}
	k.ids[f.ID]++
	return nil
}

func (k *taker) known() int {
	k.mu.Lock()
	defer k.mu.Unlock()
	return len(k.ids)
}

func newInbox(t testing.TB, c *cluster, k *taker, path string) *Inbox {
	t.Helper()
	i, err := NewInbox(c.settings, InboxOptions{
		Node: k.engine.Node(), Path: path, Decode: decode, Take: k.take, Sync: k.engine.Sync, Now: func() time.Time { return testStart },
	})
	if err != nil {
		t.Fatal(err)
	}
	return i
}

// feedbackFacts counts feedback in the log: what was taken once, however often it came.
func feedbackFacts(t testing.TB, e *engine.Engine) (n int) {
	t.Helper()
	for _, m := range messages(t, e) {
		if m.message.Topic == Feedback {
			n++
		}
	}
	return n
}

// documents are messages about n decisions of an engine.
func documents(t testing.TB, e *engine.Engine, n int) (out []kafka.Message) {
	t.Helper()
	for i, id := range score(t, e, "a", n) {
		out = append(out, kafka.Message{Key: fmt.Append(nil, i), Value: documentOf(fmt.Sprint("f", i), id, "fraud"), Headers: []kafka.Header{
			{Key: "ce_specversion", Value: []byte("1.0")}, {Key: "ce_type", Value: []byte(toldType)}, {Key: "content-type", Value: []byte("application/json; charset=utf-8")},
		}})
	}
	return out
}

// keptOffsets returns the sum of the offsets in a file: the messages that are behind.
func keptOffsets(t testing.TB, path string) (sum int64) {
	t.Helper()
	var p inboxPlace
	if _, err := readPlace(path, &p); err != nil {
		t.Fatal(err)
	}
	for _, n := range p.Offsets {
		sum += n
	}
	return sum
}

// TestThrice: each message is delivered three times, and has one effect. The control,
// the number of deliveries, is three times that.
func TestThrice(t *testing.T) {
	c, e, path := newCluster(t, 2), newEngine(t), placeFile(t)
	k := &taker{engine: e}
	tell(t, c, 3, documents(t, e, 20)...)
	run(t, newInbox(t, c, k, path).Run)
	eventually(t, "all is taken", func() bool { return keptOffsets(t, path) == 60 })
	lost, twice := effects(t, e, 20)
	fault{"each message is delivered three times", 20, lost, twice, "who counts deliveries", 0, int(k.calls.Load()) - 20}.tell(t)
	eventually(t, "the broker is told, after the file", func() bool {
		lags, err := Lag(within(t), c.settings, GroupOf(7), Told)
		if err != nil || len(lags) != 2 {
			t.Fatalf("lag %+v (%v)", lags, err)
		}
		return lags[0].Next+lags[1].Next == 60 && lags[0].Lag+lags[1].Lag == 0
	})
}

// TestCrashAfterEffect: a kill between an effect and its offset delivers again, and
// has no second effect. The control keeps the offset first, and loses.
func TestCrashAfterEffect(t *testing.T) {
	c, e, path := newCluster(t, 1), newEngine(t), placeFile(t)
	k := &taker{engine: e}
	tell(t, c, 1, documents(t, e, 30)...)
	i := newInbox(t, c, k, path)
	taken := 0
	i.crash = func() bool { taken++; return taken == 13 }
	i.Run(within(t))
	before := k.calls.Load()
	if before != 13 || keptOffsets(t, path) >= 13 {
		t.Fatalf("%d taken, %d kept: the crash did not come between", before, keptOffsets(t, path))
	}
	end := run(t, newInbox(t, c, k, path).Run)
	eventually(t, "all is taken", func() bool { return keptOffsets(t, path) == 30 })
	end()
	lost, twice := effects(t, e, 30)

	control, early := &taker{engine: newEngine(t)}, placeFile(t)
	if err := writePlace(early, &inboxPlace{Cluster: i.kept.Cluster, Topic: Told, Offsets: map[int]int64{0: 13}}); err != nil {
		t.Fatal(err)
	}
	run(t, newInbox(t, c, control, early).Run)
	eventually(t, "the rest is read", func() bool { return keptOffsets(t, early) == 30 })
	fault{"a kill between effect and offset", 30, lost, twice, "who keeps the offset first", 30 - control.known(), int(k.calls.Load()) - 30}.tell(t)
}

// TestPoison: what can never be taken goes to the dead with its reason, and what comes
// after it is taken; what cannot be taken now is waited for.
func TestPoison(t *testing.T) {
	c, e, path := newCluster(t, 1), newEngine(t), placeFile(t)
	good := documents(t, e, 2)
	other := engine.ID{Node: 8, Tag: 1}
	bad := []kafka.Message{
		{Value: []byte("{")},
		{Value: nil, Key: []byte("k")},
		{Value: documentOf("x", good[0].Topic, "fraud")}, // names nothing
		{Value: documentOf("f0", "conflict", "fraud")},   // an id that was used
		{Value: good[0].Value, Headers: []kafka.Header{{Key: "content-type", Value: []byte("application/cloudevents+json")}}},
		{Value: good[0].Value, Headers: []kafka.Header{{Key: "ce_specversion", Value: []byte("0.3")}}},
		{Value: good[0].Value, Headers: []kafka.Header{{Key: "ce_type", Value: []byte("another")}}},
		{Value: make([]byte, maxTold+1)},
	}
	tell(t, c, 1, good[0])
	tell(t, c, 1, bad...)
	tell(t, c, 1, kafka.Message{Value: documentOf("y", other.String(), "fraud")}, good[1])
	busy := 2
	k := &taker{engine: e, fail: func(f *signals.Feedback) error {
		if f.ID == "f1" && busy > 0 {
			busy--
			return engine.ErrJournal
		}
		return nil
	}}
	others := othersTotal.Get()
	run(t, newInbox(t, c, k, path).Run)
	total := int64(len(bad) + 3)
	eventually(t, "all is read", func() bool { return keptOffsets(t, path) == total })
	if k.known() != 2 || busy != 0 || othersTotal.Get() != others+1 {
		t.Errorf("%d taken, %d failures left, %d of others", k.known(), busy, othersTotal.Get()-others)
	}
	dead := c.all(t, Dead)
	schemas := published(t)
	for n, r := range dead {
		var d deadJSON
		if err := json.Unmarshal(r.Value, &d); err != nil || d.Reason == "" || d.Place != fmt.Sprintf("0:%d", n+1) || d.Bytes != len(bad[n].Value) {
			t.Errorf("dead %d: %s (%v)", n, r.Value[:min(len(r.Value), 200)], err)
		}
		if err := check(schemas, &kafka.Message{Value: r.Value, Headers: []kafka.Header{{Key: "ce_dataschema", Value: []byte(headerOf(r, "ce_dataschema"))}}}); err != nil {
			t.Error(err)
		}
	}
	if len(dead) != len(bad) {
		t.Errorf("%d dead, want %d", len(dead), len(bad))
	}
}

// TestPause: nothing is taken meanwhile, the group keeps its member, and all is taken
// after. The control is the message before.
func TestPause(t *testing.T) {
	c, e, path := newCluster(t, 1), newEngine(t), placeFile(t)
	k := &taker{engine: e}
	all := documents(t, e, 5)
	i := newInbox(t, c, k, path)
	run(t, i.Run)
	tell(t, c, 1, all[0])
	eventually(t, "the first is taken", func() bool { return k.known() == 1 })
	i.Pause()
	i.Pause()                                 // twice is once
	eventually(t, "it is seen", func() bool { // one that was past the gate may still be taken
		i.taking.Lock()
		defer i.taking.Unlock()
		return keptOffsets(t, path) == 1
	})
	generations := rebalances.Get()
	tell(t, c, 1, all[1:]...)
	time.Sleep(4 * heartbeatEvery)
	if k.known() > 2 || rebalances.Get() != generations {
		t.Errorf("%d taken while paused, %d new generations", k.known(), rebalances.Get()-generations)
	}
	i.Resume()
	i.Resume()
	eventually(t, "all is taken", func() bool { return k.known() == 5 })
}

// TestRebalances: members of one group come and go, in the middle of reading; no
// message is lost and none has two effects.
func TestRebalances(t *testing.T) {
	c, e := newCluster(t, 4, kfake.GroupMinSessionTimeout(time.Second)), newEngine(t)
	k := &taker{engine: e}
	all := documents(t, e, 120)
	path := placeFile(t)
	first := run(t, newInbox(t, c, k, path).Run)
	tell(t, c, 1, all[:40]...)
	eventually(t, "the first takes", func() bool { return k.known() > 0 })
	generations := rebalances.Get()
	second := run(t, newInbox(t, c, k, placeFile(t)).Run)
	tell(t, c, 1, all[40:80]...)
	eventually(t, "it moves", func() bool { return rebalances.Get() > generations+1 })
	first()
	tell(t, c, 1, all[80:]...)
	eventually(t, "all is taken", func() bool { return k.known() == 120 })
	second()
	if n := feedbackFacts(t, e); n != 120 {
		t.Errorf("%d facts of 120 messages", n)
	}
}

// TestBrokerComesBack: an inbox waits for brokers at the start and in the middle.
func TestBrokerComesBack(t *testing.T) {
	c, e, path := newCluster(t, 1), newEngine(t), placeFile(t)
	k := &taker{engine: e}
	all := documents(t, e, 6)
	failures := inboxFailures.Get()
	c.settings.Timeout = time.Second
	c.wire.away.Store(true)
	run(t, newInbox(t, c, k, path).Run)
	eventually(t, "it fails", func() bool { return inboxFailures.Get() > failures })
	c.wire.away.Store(false)
	tell(t, c, 1, all[:3]...)
	eventually(t, "it takes", func() bool { return k.known() == 3 })
	c.wire.cut()
	tell(t, c, 1, all[3:]...)
	time.Sleep(heartbeatEvery)
	if k.known() != 3 {
		t.Error("control: it takes over a cut wire")
	}
	c.wire.away.Store(false)
	eventually(t, "it takes again", func() bool { return k.known() == 6 })
}

// TestAnotherCluster: offsets of one are no offsets of another.
func TestAnotherCluster(t *testing.T) {
	e, path := newEngine(t), placeFile(t)
	k := &taker{engine: e}
	if err := writePlace(path, &inboxPlace{Cluster: "gone", Topic: Told, Offsets: map[int]int64{0: 2}}); err != nil {
		t.Fatal(err)
	}
	c := newCluster(t, 1, kfake.ClusterID("new"))
	tell(t, c, 1, documents(t, e, 5)...)
	run(t, newInbox(t, c, k, path).Run)
	eventually(t, "all is taken", func() bool { return k.known() == 5 })
}

// TestTopicMadeAnew: an offset behind the end begins again.
func TestTopicMadeAnew(t *testing.T) {
	e, path := newEngine(t), placeFile(t)
	k := &taker{engine: e}
	if err := writePlace(path, &inboxPlace{Cluster: "c", Topic: Told, Offsets: map[int]int64{0: 200}}); err != nil {
		t.Fatal(err)
	}
	c := newCluster(t, 1, kfake.ClusterID("c"))
	tell(t, c, 1, documents(t, e, 5)...)
	run(t, newInbox(t, c, k, path).Run)
	eventually(t, "all is taken", func() bool { return k.known() == 5 })
}

func TestInboxNeeds(t *testing.T) {
	s := Settings{Brokers: []string{"localhost:9092"}}
	take := func(*signals.Feedback, time.Time) error { return nil }
	for _, o := range []InboxOptions{{}, {Decode: decode, Take: take}, {Decode: decode, Path: "p"}, {Take: take, Path: "p"}} {
		if _, err := NewInbox(s, o); err == nil {
			t.Errorf("%+v is taken", o)
		}
	}
	i, err := NewInbox(s, InboxOptions{Decode: decode, Take: take, Path: placeFile(t), Node: 3})
	if err != nil || i.o.Group != "wary-node-3" {
		t.Errorf("%v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	i.Run(ctx) // ends at once
}
