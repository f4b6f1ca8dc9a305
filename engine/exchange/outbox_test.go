package exchange

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/waryauth/wary/engine"
	"github.com/waryauth/wary/internal/journal"
	"github.com/waryauth/wary/signals"
)

var zero journal.Address

// wantAll compares what a reader heard with the log: every fact, those of a key in
// order.
func wantAll(t *testing.T, e *engine.Engine, got heard) {
	t.Helper()
	want := logged(t, e)
	if len(got.ids) != len(want.ids) || !reflect.DeepEqual(got.byKey, want.byKey) {
		t.Errorf("%d facts heard in %d rows, the log has %d in %d", len(got.ids), len(got.byKey), len(want.ids), len(want.byKey))
	}
}

// everything makes facts of all kinds.
func everything(t testing.TB, e *engine.Engine, n int) {
	t.Helper()
	for i, id := range score(t, e, "a", n) {
		f := signals.Feedback{ID: fmt.Sprint("f", i), DecisionID: id, Kind: signals.Label, Value: signals.Fraud, Source: signals.Customer, Note: "free text stays here"}
		if err := e.Feedback(&f, testStart); err != nil {
			t.Fatal(err)
		}
	}
	for i, typ := range []signals.EventType{signals.PasswordChanged, signals.DeviceEnrolled} {
		ev := signals.Event{ID: fmt.Sprint("e", i), Type: typ, Subject: "person 1"}
		ev.Attributes.DeviceID, ev.Attributes.Amount = "phone", signals.Opt[float64]{Value: 12.5, Set: true}
		if err := e.Event(&ev, testStart); err != nil {
			t.Fatal(err)
		}
	}
	f := signals.Feedback{ID: "unknown", AttemptID: "nobody's", Kind: signals.Outcome, Value: signals.Abandoned, Source: signals.System}
	if err := e.Feedback(&f, testStart); err != nil {
		t.Fatal(err)
	}
}

// TestPublishes every fact once and in order, and goes on where it stopped.
func TestPublishes(t *testing.T) {
	c, e, path := newCluster(t, 4), newEngine(t), placeFile(t)
	everything(t, e, 40)
	end := run(t, newOutbox(t, e, c.settings, path).Run)
	eventually(t, "all is published", reached(t, e, path))
	end()
	score(t, e, "b", 700) // more than a batch
	run(t, newOutbox(t, e, c.settings, path).Run)
	eventually(t, "the rest is published", reached(t, e, path))
	got := hear(c.all(t, Decisions, Feedback, Changes, Dead))
	wantAll(t, e, got)
	if got.records != len(got.ids) {
		t.Errorf("%d records of %d facts", got.records, len(got.ids))
	}
	for _, r := range c.all(t, Feedback) {
		if strings.Contains(string(r.Value), "free text") {
			t.Error("a note has left the machine")
		}
	}
}

// TestLostAcknowledgements: every fifth is lost. Nothing is, the order of a key stays,
// and who drops known ids counts nothing twice; the control, who does not, does.
func TestLostAcknowledgements(t *testing.T) {
	c, e, path := newCluster(t, 4), newEngine(t), placeFile(t)
	c.wire.nth = 5
	score(t, e, "a", 3000)
	run(t, newStateOutbox(t, e, c.settings, path).Run)
	eventually(t, "all is published", reached(t, e, path))
	got := hear(c.all(t, Decisions, Feedback, Changes, Dead))
	wantAll(t, e, got)
	if c.wire.lost.Load() == 0 {
		t.Error("no acknowledgement was lost")
	}
	lost, twice := harm(t, c, e, got)
	fault{"every fifth acknowledgement is lost", len(got.ids), lost, twice, "who does not drop known ids", 0, got.records - len(got.ids)}.tell(t)
}

// refuse makes the broker refuse some produce requests.
func refuse(c *cluster, which func(topic string, partition int32) *kerr.Error) {
	c.ControlKey(0, func(r kmsg.Request) (kmsg.Response, error, bool) {
		c.KeepControl()
		req := r.(*kmsg.ProduceRequest)
		res := req.ResponseKind().(*kmsg.ProduceResponse)
		refused := false
		for _, t := range req.Topics {
			out := kmsg.NewProduceResponseTopic()
			out.Topic, out.TopicID = t.Topic, t.TopicID
			for _, p := range t.Partitions {
				part := kmsg.NewProduceResponseTopicPartition()
				part.Partition = p.Partition
				if why := which(t.Topic, p.Partition); why != nil {
					part.ErrorCode, refused = why.Code, true
				}
				out.Partitions = append(out.Partitions, part)
			}
			res.Topics = append(res.Topics, out)
		}
		return res, nil, refused
	})
}

// failing refuses the first three requests to partition 1 of a topic.
func failing(topic string) func(string, int32) *kerr.Error {
	left := 3
	return func(at string, partition int32) *kerr.Error {
		if at != topic || partition != 1 || left == 0 {
			return nil
		}
		left--
		return kerr.NotEnoughReplicas
	}
}

// TestPartialFailure: what other partitions took is not sent again. The control sends
// the whole call again, and doubles it.
func TestPartialFailure(t *testing.T) {
	c, e, path := newCluster(t, 4), newEngine(t), placeFile(t)
	refuse(c, failing(Decisions))
	score(t, e, "a", 400)
	run(t, newStateOutbox(t, e, c.settings, path).Run)
	eventually(t, "all is published", reached(t, e, path))
	got := hear(c.all(t, Decisions, Changes))
	wantAll(t, e, got)
	if got.records != len(got.ids) {
		t.Errorf("%d records of %d facts", got.records, len(got.ids))
	}
	lost, twice := harm(t, c, e, got)

	control := newCluster(t, 4)
	refuse(control, failing(Decisions))
	conn, err := control.settings.connect()
	if err != nil {
		t.Fatal(err)
	}
	w := conn.writer(conn.transport())
	defer w.Close()
	var all []kafka.Message
	for _, m := range messages(t, e) {
		all = append(all, m.message)
	}
	for ctx := within(t); w.WriteMessages(ctx, all...) != nil && ctx.Err() == nil; {
	}
	doubled := hear(control.all(t, Decisions, Changes))
	fault{"a batch fails in part", len(got.ids), lost, twice, "who sends the whole batch again", 0, doubled.records - len(doubled.ids)}.tell(t)
}

// TestAway: while no broker can be reached every attempt is scored and logged, the
// place stays, the backlog shows; when one can, all is published. The control is a
// caller that publishes itself: it waits.
func TestAway(t *testing.T) {
	c, e, path := newCluster(t, 2), newEngine(t), placeFile(t)
	o := newOutbox(t, e, c.settings, path)
	run(t, o.Run)
	score(t, e, "before", 20)
	eventually(t, "all is published", reached(t, e, path))
	failures := outboxFailures.Get()
	c.wire.cut()
	score(t, e, "meanwhile", 500)
	eventually(t, "publishing fails", func() bool { return outboxFailures.Get() > failures+1 })
	if reached(t, e, path)() || backlogBytes.Get() == 0 || lagSeconds.Get() == 0 {
		t.Errorf("backlog of %v bytes, %v s while away", backlogBytes.Get(), lagSeconds.Get())
	}
	ctx, cancel := context.WithTimeout(within(t), 300*time.Millisecond)
	defer cancel()
	caller := newOutbox(t, e, c.settings, placeFile(t))
	defer caller.end()
	if batch, err := caller.read(); err != nil || len(batch) == 0 || caller.deliver(ctx, batch) {
		t.Errorf("control: %d facts delivered to nobody (%v)", len(batch), err)
	}
	c.wire.away.Store(false)
	eventually(t, "all is published", reached(t, e, path))
	wantAll(t, e, hear(c.all(t, Decisions, Changes)))
	eventually(t, "no backlog", func() bool { return backlogBytes.Get() == 0 && lagSeconds.Get() == 0 })
}

// TestSilentBroker: one that takes connections and never says a word delays no score.
func TestSilentBroker(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	e, path := newEngine(t), placeFile(t)
	run(t, newOutbox(t, e, Settings{Brokers: []string{l.Addr().String()}, Timeout: time.Second}, path).Run)
	failures := outboxFailures.Get()
	score(t, e, "a", 300)
	eventually(t, "publishing fails", func() bool { return outboxFailures.Get() > failures })
	if n := len(messages(t, e)); n < 300 {
		t.Errorf("%d facts in the log", n)
	}
}

// TestCrashAfterAcknowledgement: a kill between an acknowledgement and the place
// publishes a batch again, and loses nothing. The control keeps the place first.
func TestCrashAfterAcknowledgement(t *testing.T) {
	c, e, path := newCluster(t, 4), newEngine(t), placeFile(t)
	score(t, e, "a", 1200)
	o := newStateOutbox(t, e, c.settings, path)
	batches := 0
	o.crash = func() bool { batches++; return batches == 2 }
	o.Run(within(t))
	if reached(t, e, path)() {
		t.Fatal("the crash did not come between")
	}
	run(t, newStateOutbox(t, e, c.settings, path).Run)
	eventually(t, "all is published", reached(t, e, path))
	got := hear(c.all(t, Decisions, Changes))
	wantAll(t, e, got)
	if got.records <= len(got.ids) {
		t.Errorf("%d records of %d facts: nothing was put to the test", got.records, len(got.ids))
	}
	lost, twice := harm(t, c, e, got)

	control, first := newCluster(t, 4), placeFile(t)
	o = newOutbox(t, e, control.settings, first)
	batch, err := o.read()
	if err != nil {
		t.Fatal(err)
	}
	o.place = batch[len(batch)-1].next
	o.keep(0) // before it is acknowledged; then the crash
	o.end()
	run(t, newOutbox(t, e, control.settings, first).Run)
	eventually(t, "the rest is published", reached(t, e, first))
	less := hear(control.all(t, Decisions, Changes))
	fault{"a kill between acknowledgement and place", len(got.ids), lost, twice, "who keeps the place first", len(got.ids) - len(less.ids), got.records - len(got.ids)}.tell(t)
}

// TestNeverSent: what a topic refuses for good goes to the dead with its reason, and
// does not hold up what comes after it.
func TestNeverSent(t *testing.T) {
	c, e, path := newCluster(t, 2), newEngine(t), placeFile(t)
	refuse(c, func(topic string, _ int32) *kerr.Error {
		if topic == Changes {
			return kerr.MessageTooLarge
		}
		return nil
	})
	everything(t, e, 30)
	run(t, newOutbox(t, e, c.settings, path).Run)
	eventually(t, "all is published", reached(t, e, path))
	want := logged(t, e)
	changes := 0
	for key, ids := range want.byKey {
		if strings.HasPrefix(key, Changes) {
			changes += len(ids)
		}
	}
	dead := c.all(t, Dead)
	if len(dead) != changes || changes == 0 {
		t.Errorf("%d dead, want %d", len(dead), changes)
	}
	for _, r := range dead {
		var d deadJSON
		if err := json.Unmarshal(r.Value, &d); err != nil || !want.ids[d.ID] || d.Reason == "" || d.Topic != Changes || d.Bytes == 0 {
			t.Errorf("dead %s (%v)", r.Value, err)
		}
	}
	if got := hear(c.all(t, Decisions, Feedback)); len(got.ids) != len(want.ids)-changes || got.records != len(got.ids) {
		t.Errorf("%d records of %d facts, want %d", got.records, len(got.ids), len(want.ids)-changes)
	}
}

// TestTooLargeOrUnread facts are told at once.
func TestTooLargeOrUnread(t *testing.T) {
	for name, f := range map[string]*engine.Fact{
		"large":  {Change: &engine.ChangeFact{What: "policy", Text: []byte(strings.Repeat("x", maxValue))}},
		"unread": {Unread: errors.New("of another version")},
	} {
		o := &Outbox{node: 7, c: &connection{prefix: prefix}}
		p := o.pendingOf(f)
		if p.message.Topic != Dead || len(p.message.Value) > 4096 || len(p.message.Key) == 0 {
			t.Errorf("%s: to %s, %d bytes", name, p.message.Topic, len(p.message.Value))
		}
	}
}

// TestBoundedMemory: a batch is bounded in messages and in bytes, whatever waits.
func TestBoundedMemory(t *testing.T) {
	e := newEngine(t)
	score(t, e, "a", 2500)
	o := newOutbox(t, e, Settings{Brokers: []string{"127.0.0.1:9"}}, placeFile(t))
	defer o.end()
	total := 0
	for {
		batch, err := o.read()
		if err != nil {
			t.Fatal(err)
		}
		if len(batch) == 0 {
			break
		}
		bytes := 0
		for _, p := range batch {
			bytes += len(p.message.Value)
		}
		if total += len(batch); len(batch) > maxBatch || bytes > maxValue || cap(o.buf) > 4*maxValue {
			t.Fatalf("a batch of %d messages and %d bytes, in %d", len(batch), bytes, cap(o.buf))
		}
	}
	if want := len(messages(t, e)); total != want {
		t.Errorf("%d facts read, the log has %d", total, want)
	}
}

// TestValuesStay: what is held for the next batch is not overwritten by it: value, key,
// headers and deed.
func TestValuesStay(t *testing.T) {
	e := newEngine(t)
	score(t, e, "a", 1500)
	var want, got []string
	whole := func(m *kafka.Message) string { return fmt.Sprintf("%s %s %s %s", m.Topic, m.Key, m.Value, m.Headers) }
	for _, m := range messages(t, e) {
		want = append(want, whole(&m.message))
	}
	var wantDeeds, gotDeeds []byte
	for _, s := range stretches(t, e, 1) {
		wantDeeds = append(wantDeeds, s.deeds...)
	}
	o := newStateOutbox(t, e, Settings{Brokers: []string{"127.0.0.1:9"}}, placeFile(t))
	defer o.end()
	held := false
	for {
		batch, err := o.read()
		if err != nil {
			t.Fatal(err)
		}
		if len(batch) == 0 {
			break
		}
		held = held || o.held != nil
		for _, p := range batch[:len(batch)-1] {
			got = append(got, whole(&p.message))
			gotDeeds = append(gotDeeds, p.deed...)
		}
	}
	if !slices.Equal(got, want) || !slices.Equal(gotDeeds, wantDeeds) || !held {
		t.Errorf("%d messages differ from %d of the log, or none was held (%v)", len(got), len(want), held)
	}
}

// TestPlaces that the log does not have: published again from there on, nothing lost.
func TestPlaces(t *testing.T) {
	for name, place := range map[string]outboxPlace{
		"between":    {Node: 7, Segment: 1, Offset: 77},
		"beyond":     {Node: 7, Segment: 1, Offset: 1 << 30},
		"another":    {Node: 7, Segment: 9, Offset: 60},
		"the oldest": {Node: 7},
	} {
		c, e, path := newCluster(t, 1), newEngine(t), placeFile(t)
		score(t, e, "a", 20)
		if err := writePlace(path, &place); err != nil {
			t.Fatal(err)
		}
		end := run(t, newOutbox(t, e, c.settings, path).Run)
		eventually(t, name, reached(t, e, path))
		end()
		wantAll(t, e, hear(c.all(t, Decisions, Changes)))
	}
	e, path := newEngine(t), placeFile(t)
	if err := writePlace(path, &outboxPlace{Node: 8}); err != nil {
		t.Fatal(err)
	}
	if _, err := NewOutbox(e, Settings{Brokers: []string{"localhost:9092"}}, OutboxOptions{Path: path}); err == nil {
		t.Error("the place of another node is taken")
	}
}

// TestWaitsForTopics: they are never made silently.
func TestWaitsForTopics(t *testing.T) {
	f, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.AllowAutoTopicCreation())
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	s := Settings{Brokers: f.ListenAddrs()}
	e, path := newEngine(t), placeFile(t)
	failures := outboxFailures.Get()
	end := run(t, newOutbox(t, e, s, path).Run)
	eventually(t, "publishing fails", func() bool { return outboxFailures.Get() > failures })
	end()
	if _, err := Lag(within(t), s, "nobody", Changes); !errors.Is(err, kafka.UnknownTopicOrPartition) {
		t.Errorf("after a failed try the topic is there: %v", err)
	}
	made, err := Init(within(t), s, TopicOptions{Partitions: 3, Replication: 1})
	if err != nil || len(made) != 6 || !made[0].New || made[0].Partitions != 3 {
		t.Fatalf("made %+v (%v)", made, err)
	}
	run(t, newOutbox(t, e, s, path).Run)
	eventually(t, "all is published", reached(t, e, path))
	again, err := Init(within(t), s, TopicOptions{Partitions: 9, Replication: 1})
	if err != nil || len(again) != 6 || again[0].New || again[0].Partitions != 3 {
		t.Errorf("made again %+v (%v)", again, err)
	}
}
