package exchange

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"strings"
	"sync"
	"time"

	"github.com/segmentio/kafka-go"

	"github.com/waryauth/wary/engine"
	"github.com/waryauth/wary/signals"
)

// InboxOptions say what is done with feedback that arrives. Decode and Take are
// required.
type InboxOptions struct {
	Node  uint16
	Group string // of consumers; default GroupOf(Node)
	Path  string // file of our offsets

	// Decode reads a document of POST /v1/feedback: the score API's strict decoder. An
	// error says why it is refused. Calls do not overlap.
	Decode func(*signals.Feedback, []byte) error
	// Take is [engine.Engine.Feedback]: the same feedback id again changes nothing.
	Take func(*signals.Feedback, time.Time) error
	// Revoke takes a document of POST /v1/revocations; the same again does no harm. An
	// *engine.InputError says that it never can be taken. Nil: revocations are refused.
	Revoke func(context.Context, []byte) error
	// Sync is [engine.Engine.Sync]: what was taken is on disk before the offset is.
	Sync func() error
	Now  func() time.Time // default time.Now
}

// GroupOf is the group of a node's inbox. Each node reads everything and takes what is
// about its own decisions, so nodes do not share a group.
func GroupOf(node uint16) string { return fmt.Sprintf("wary-node-%d", node) }

// Inbox takes feedback that others write to the topic [Told].
//
// An offset is kept after the effect is on disk, never before: what is delivered again
// after a crash or a rebalance has the same feedback id, and is no second effect. Our
// own offsets decide where reading begins; those at the broker are for people who look
// and for the first start on a new disk.
type Inbox struct {
	o    InboxOptions
	c    *connection
	pool *kafka.Transport
	dead *kafka.Writer

	topic  string
	taking sync.Mutex // one message at a time
	place  sync.Mutex // guards offsets and their file
	kept   inboxPlace

	gate    sync.Mutex
	resumed chan struct{} // closed when reading goes on; nil where it does
	stuck   bool          // told once; guarded by taking

	session time.Duration // sessionTimeout; tests have less patience
	crash   func() bool   // tests end it between an effect and its offset
	stop    context.CancelFunc
}

// inboxPlace is what the file holds: the next offset of each partition.
type inboxPlace struct {
	Cluster string        `json:"cluster"`
	Topic   string        `json:"topic"`
	Offsets map[int]int64 `json:"offsets"`
}

// Times of a group. A node that was killed is missed after sessionTimeout.
const (
	sessionTimeout = 6 * time.Second
	heartbeatEvery = 500 * time.Millisecond
	joinBackoff    = 500 * time.Millisecond
	keepEvery      = time.Second
	maxWait        = 500 * time.Millisecond // of a fetch, and of its read from the socket
)

// maxTold bounds a document that is taken, in bytes, as the score API does.
const maxTold = 64 << 10

// NewInbox returns an inbox. No broker is asked.
func NewInbox(s Settings, o InboxOptions) (*Inbox, error) {
	c, err := s.connect()
	if err != nil {
		return nil, err
	}
	if o.Decode == nil || o.Take == nil || o.Path == "" {
		return nil, errors.New("exchange: an inbox needs Decode, Take and Path")
	}
	if o.Group == "" {
		o.Group = GroupOf(o.Node)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Sync == nil {
		o.Sync = func() error { return nil }
	}
	i := &Inbox{o: o, c: c, pool: c.transport(), topic: c.topic(Told), session: sessionTimeout}
	i.kept.Topic = i.topic
	if _, err := readPlace(o.Path, &i.kept); err != nil {
		return nil, fmt.Errorf("exchange: offsets of the inbox: %w", err)
	}
	if i.kept.Offsets == nil {
		i.kept.Offsets = map[int]int64{}
	}
	i.dead = c.writer(i.pool)
	return i, nil
}

// Pause stops taking; the group keeps its members. Resume goes on.
func (i *Inbox) Pause() {
	i.gate.Lock()
	defer i.gate.Unlock()
	if i.resumed == nil {
		i.resumed = make(chan struct{})
	}
}

// Resume goes on after [Inbox.Pause].
func (i *Inbox) Resume() {
	i.gate.Lock()
	defer i.gate.Unlock()
	if i.resumed != nil {
		close(i.resumed)
		i.resumed = nil
	}
}

// pass waits while paused. It reports false where the context ended.
func (i *Inbox) pass(ctx context.Context) bool {
	i.gate.Lock()
	resumed := i.resumed
	i.gate.Unlock()
	if resumed == nil {
		return ctx.Err() == nil
	}
	select {
	case <-ctx.Done():
		return false
	case <-resumed:
		return true
	}
}

// Run takes feedback until the context ends. Failures of brokers and of the log are
// waited out.
func (i *Inbox) Run(ctx context.Context) {
	ctx, i.stop = context.WithCancel(ctx)
	defer i.stop()
	defer i.end()
	if !i.sameCluster(ctx) {
		return
	}
	group, err := kafka.NewConsumerGroup(kafka.ConsumerGroupConfig{
		ID: i.o.Group, Brokers: i.c.addresses, Dialer: i.c.dialer(), Topics: []string{i.topic}, WatchPartitionChanges: true,
		HeartbeatInterval: heartbeatEvery, SessionTimeout: i.session, RebalanceTimeout: i.session,
		JoinGroupBackoff: joinBackoff, StartOffset: kafka.FirstOffset, Timeout: i.c.timeout,
	})
	if err != nil {
		slog.Error("inbox: the group cannot be joined", "why", err)
		return
	}
	defer group.Close()
	for ctx.Err() == nil {
		generation, err := group.Next(ctx)
		if err != nil {
			// A group's first answers are refusals: the broker is looking for its coordinator.
			i.fails("the group cannot be joined yet", err)
			wait(ctx, leastBackoff)
			continue
		}
		rebalances.Inc()
		for _, a := range generation.Assignments[i.topic] {
			generation.Start(func(inner context.Context) {
				ctx, cancel := both(inner, ctx)
				defer cancel()
				i.consume(ctx, generation, a)
			})
		}
	}
}

// both returns a context that ends with either.
func both(a, b context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(a)
	release := context.AfterFunc(b, cancel)
	return ctx, func() { release(); cancel() }
}

func (i *Inbox) end() {
	if err := i.dead.Close(); err != nil {
		slog.Warn("inbox: close", "why", err)
	}
	i.pool.CloseIdleConnections()
}

func (i *Inbox) fails(what string, err error) {
	inboxFailures.Inc()
	slog.Debug("inbox: "+what, "why", err)
}

// sameCluster forgets offsets of another cluster. It reports false where the context
// ended before a broker answered.
func (i *Inbox) sameCluster(ctx context.Context) bool {
	for backoff := leastBackoff; ctx.Err() == nil; backoff = min(2*backoff, mostBackoff) {
		meta, err := i.c.client(i.pool).Metadata(ctx, &kafka.MetadataRequest{})
		if err != nil {
			i.fails("no broker answers", err)
			wait(ctx, backoff)
			continue
		}
		i.place.Lock()
		defer i.place.Unlock()
		if i.kept.Cluster != meta.ClusterID || i.kept.Topic != i.topic {
			i.kept = inboxPlace{Cluster: meta.ClusterID, Topic: i.topic, Offsets: map[int]int64{}}
		}
		return true
	}
	return false
}

// begin returns the offset at which a partition is read on: ours, else the one at the
// broker, else the first.
func (i *Inbox) begin(ctx context.Context, a kafka.PartitionAssignment) (int64, error) {
	i.place.Lock()
	at, ours := i.kept.Offsets[a.ID]
	i.place.Unlock()
	if !ours {
		at = a.Offset
	}
	return beginning(ctx, i.c.client(i.pool), i.topic, a.ID, at, ours)
}

// beginning returns an offset where a partition has it, else its first: where ours lies
// behind the end the topic was made anew.
func beginning(ctx context.Context, c *kafka.Client, topic string, partition int, at int64, ours bool) (int64, error) {
	res, err := c.ListOffsets(ctx, &kafka.ListOffsetsRequest{
		Topics: map[string][]kafka.OffsetRequest{topic: {kafka.FirstOffsetOf(partition), kafka.LastOffsetOf(partition)}},
	})
	if err != nil {
		return 0, err
	}
	if len(res.Topics[topic]) != 1 {
		return 0, fmt.Errorf("no offsets of partition %d", partition)
	}
	p := res.Topics[topic][0]
	if p.Error != nil {
		return 0, p.Error
	}
	if at >= p.FirstOffset && at <= p.LastOffset {
		return at, nil
	}
	if ours {
		slog.Warn("exchange: our offset is not in the topic; beginning with the first", "topic", topic, "partition", partition, "offset", at, "first", p.FirstOffset, "last", p.LastOffset)
	}
	return p.FirstOffset, nil
}

// consume takes the messages of a partition until its generation ends.
func (i *Inbox) consume(ctx context.Context, g *kafka.Generation, a kafka.PartitionAssignment) {
	next, err := i.begin(ctx, a)
	for backoff := leastBackoff; err != nil; backoff = min(2*backoff, mostBackoff) {
		i.fails("offsets cannot be read", err)
		if wait(ctx, backoff); ctx.Err() != nil {
			return
		}
		next, err = i.begin(ctx, a)
	}
	r := kafka.NewReader(kafka.ReaderConfig{
		Brokers: i.c.addresses, Topic: i.topic, Partition: a.ID, Dialer: i.c.dialer(), MinBytes: 1, MaxBytes: 1 << 20, MaxWait: maxWait, QueueCapacity: 64,
	})
	defer r.Close()
	if err := r.SetOffset(next); err != nil {
		i.fails("set offset", err)
		return
	}
	kept, at := next, time.Now()
	keep := func() {
		if next != kept && i.keep(g, a.ID, next) {
			kept = next
		}
		at = time.Now()
	}
	for i.pass(ctx) {
		m, err := fetch(ctx, r)
		if err == nil {
			if !i.take(ctx, &m) {
				break
			}
			if next = m.Offset + 1; i.crash != nil && i.crash() {
				i.stop()
				return
			}
		} else if !errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil {
			i.fails("messages cannot be read", err)
			wait(ctx, leastBackoff)
		}
		if err != nil || time.Since(at) > keepEvery {
			keep()
		}
	}
	keep()
}

// fetch waits a while for the next message.
func fetch(ctx context.Context, r *kafka.Reader) (kafka.Message, error) {
	ctx, cancel := context.WithTimeout(ctx, maxWait)
	defer cancel()
	return r.FetchMessage(ctx)
}

// keep writes down how far a partition has been taken, once that is on disk, and tells
// the broker. It reports whether our own offset is kept.
func (i *Inbox) keep(g *kafka.Generation, partition int, next int64) bool {
	i.place.Lock()
	defer i.place.Unlock()
	err := i.o.Sync()
	if err == nil {
		now := i.kept
		now.Offsets = maps.Clone(i.kept.Offsets)
		now.Offsets[partition] = next
		if err = writePlace(i.o.Path, &now); err == nil {
			i.kept = now
		}
	}
	if err != nil {
		inboxFailures.Inc()
		slog.Warn("inbox: the offset cannot be kept: a restart would read messages again", "why", err)
		return false
	}
	if err := g.CommitOffsets(map[string]map[int]int64{i.topic: {partition: next}}); err != nil {
		slog.Debug("inbox: the broker does not keep the offset", "why", err) // ours decides
	}
	return true
}

// poison is why a message can never be taken.
type poison struct{ reason string }

func (p poison) Error() string { return p.reason }

// take takes a message or buries it, however long that takes. It reports false where
// the context ended before.
func (i *Inbox) take(ctx context.Context, m *kafka.Message) bool {
	i.taking.Lock()
	defer i.taking.Unlock()
	for backoff := leastBackoff; ctx.Err() == nil; backoff = min(2*backoff, mostBackoff) {
		err := i.apply(ctx, m)
		var bad poison
		if errors.As(err, &bad) {
			err = i.bury(ctx, m, bad)
		}
		if err == nil {
			i.stuck = false
			return true
		}
		inboxFailures.Inc()
		if !i.stuck {
			slog.Error("inbox: feedback cannot be taken now; waiting", "why", err)
		}
		i.stuck = true
		wait(ctx, backoff)
	}
	return false
}

// apply takes a message. A poison says that it never can be, other errors that it
// cannot now.
func (i *Inbox) apply(ctx context.Context, m *kafka.Message) error {
	if err := checkTold(m); err != nil {
		return err
	}
	if header(m, "ce_type") == revocationType {
		return i.revoke(ctx, m)
	}
	var f signals.Feedback
	if err := i.o.Decode(&f, m.Value); err != nil {
		return poison{err.Error()}
	}
	if id, err := engine.ParseAddress(f.DecisionID); err == nil && id.Node != i.o.Node {
		othersTotal.Inc() // that node reads it too
		return nil
	}
	err := i.o.Take(&f, i.o.Now())
	if errors.As(err, new(*engine.InputError)) || errors.Is(err, engine.ErrConflict) {
		return poison{err.Error()}
	}
	if err == nil {
		takenTotal.Inc()
	}
	return err
}

// revoke hands on a revocation. It is not about a decision of ours: every node takes it.
func (i *Inbox) revoke(ctx context.Context, m *kafka.Message) error {
	if i.o.Revoke == nil {
		return poison{"nothing is granted here that could be revoked"}
	}
	err := i.o.Revoke(ctx, m.Value)
	if errors.As(err, new(*engine.InputError)) {
		return poison{err.Error()}
	}
	if err == nil {
		takenTotal.Inc()
	}
	return err
}

// checkTold refuses what is not a CloudEvent in binary mode of our type. A message
// without attributes is taken for its document.
func checkTold(m *kafka.Message) error {
	content, _, _ := strings.Cut(header(m, "content-type"), ";")
	switch {
	case len(m.Value) == 0:
		return poison{"the message has no value"}
	case len(m.Value) > maxTold:
		return poison{fmt.Sprintf("the document has more than %d bytes", maxTold)}
	case content != "" && content != contentType:
		return poison{"content-type is not " + contentType}
	}
	if version := header(m, "ce_specversion"); version != "" && version != "1.0" {
		return poison{"ce_specversion is not 1.0"}
	}
	if typ := header(m, "ce_type"); typ != "" && typ != toldType && typ != revocationType {
		return poison{"ce_type is neither " + toldType + " nor " + revocationType}
	}
	return nil
}

// bury writes a message to the topic of the dead, with the reason.
func (i *Inbox) bury(ctx context.Context, m *kafka.Message, why poison) error {
	d := &deadJSON{
		Time: i.o.Now().UTC(), Reason: why.reason, ID: header(m, "ce_id"), Topic: m.Topic, Place: fmt.Sprintf("%d:%d", m.Partition, m.Offset),
		Bytes: len(m.Value), Value: m.Value[:min(len(m.Value), maxDeadValue)],
	}
	key := m.Key
	if len(key) == 0 || len(key) > maxTold {
		key = partitionKey(0, i.o.Node)
	}
	grave := deadMessage(d, i.o.Node, key)
	grave.Topic = i.c.topic(grave.Topic)
	if err := i.dead.WriteMessages(ctx, grave); err != nil {
		return fmt.Errorf("bury a message: %w", hint(err))
	}
	inboxDead.Inc()
	slog.Warn("inbox: a message can never be taken; it is in the topic of the dead", "why", why, "partition", m.Partition, "offset", m.Offset)
	return nil
}
