package exchange

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"runtime"
	"slices"
	"time"

	"github.com/segmentio/kafka-go"

	"github.com/waryauth/wary/engine"
	"github.com/waryauth/wary/internal/journal"
)

// Outbox publishes the facts of an engine.
//
// Invariants:
//
//  1. The place in the file never lies behind a fact that the brokers have not
//     acknowledged: itself, or the message that says why it cannot be sent.
//  2. One batch is under way at a time, and it makes at most one request to a
//     partition. Of a batch that failed in part only what failed is sent again,
//     and nothing after it before: facts of one key are first published in the
//     order of the log.
//  3. Its memory is that of one batch, however long the backlog.
//  4. What is not published is kept from the log's retention, up to a bound.
type Outbox struct {
	engine *engine.Engine
	o      OutboxOptions
	c      *connection
	key    []byte // of messages of state; nil where there are none
	writer *kafka.Writer
	pool   *kafka.Transport
	facts  *engine.Follower
	node   uint16

	held    *pending // read, and not in the batch before it
	buf     []byte   // values of the batch
	deeds   []byte   // what the batch does to state
	place   journal.Address
	kept    journal.Address // the place in the file
	keptAt  time.Time
	oldest  time.Time // when the oldest fact of the batch was logged
	unkept  bool      // the place could not be written; told once
	failing bool      // the brokers do not take facts; told once

	crash func() bool // tests end it between an acknowledgement and the place
}

// OutboxOptions say what is published. Path is required.
type OutboxOptions struct {
	Path string // file of the place
	// Secret is the engine's. With it other scorers are told what facts do to state.
	Secret []byte
	// HoldBytes is how large the log may become for the sake of facts that are not
	// published and that retention would remove; 0 is no bound.
	HoldBytes int64
	// Percent bounds how much of all processors' time publishing takes. Above it facts
	// wait; 0 is no bound: then as much as it takes to keep up.
	Percent int
}

// pending is a message and the place behind its fact.
type pending struct {
	message kafka.Message
	deed    []byte
	at      journal.Address
	next    journal.Address
	logged  time.Time
}

// outboxPlace is what the file holds.
type outboxPlace struct {
	Node    uint16 `json:"node"`
	Segment uint32 `json:"segment"`
	Offset  uint32 `json:"offset"`
}

// How often a log without news is looked at, and how long is waited after a failure.
const (
	pollEvery    = 20 * time.Millisecond
	leastBackoff = 20 * time.Millisecond
	mostBackoff  = 10 * time.Second
)

// NewOutbox returns the outbox of an engine whose place is kept in a file. Without
// that file it begins with the oldest fact the log has. From now on retention keeps what
// is not published. No broker is asked.
func NewOutbox(e *engine.Engine, s Settings, options OutboxOptions) (*Outbox, error) {
	c, err := s.connect()
	if err != nil {
		return nil, err
	}
	var p outboxPlace
	known, err := readPlace(options.Path, &p)
	if err != nil {
		return nil, fmt.Errorf("exchange: place of the outbox: %w", err)
	}
	if known && p.Node != e.Node() {
		return nil, fmt.Errorf("exchange: %s is the place of node %d, this is node %d", options.Path, p.Node, e.Node())
	}
	pool := c.transport()
	o := &Outbox{engine: e, o: options, c: c, writer: c.writer(pool), pool: pool, node: e.Node(), place: journal.Address{Segment: p.Segment, Offset: p.Offset}}
	if o.kept = o.place; options.Secret != nil {
		o.key = stateKey(options.Secret)
	}
	e.Hold(o.kept, options.HoldBytes)
	o.facts = e.Follow(o.place)
	return o, nil
}

// Run publishes until the context ends. Failures of brokers, of the network and of the
// disk are waited out.
func (o *Outbox) Run(ctx context.Context) {
	defer o.end()
	for ctx.Err() == nil {
		started := time.Now()
		batch, err := o.read()
		busy := time.Since(started)
		o.measure(len(batch) > 0)
		switch {
		case err != nil:
			wait(ctx, o.find(err))
		case len(batch) == 0:
			o.keep(0)
			wait(ctx, pollEvery)
		case !o.deliver(ctx, batch):
			o.keep(0)
			return
		case o.crash != nil && o.crash():
			return
		default:
			o.place = batch[len(batch)-1].next
			o.keep(placeEvery)
			wait(ctx, o.rest(busy)-time.Since(started))
		}
	}
	o.keep(0)
}

// rest is how long a batch must take at least, so that publishing stays within its share
// of the processors. Writing a batch takes about as much of them as reading it did
// (BenchmarkPublish); where they are all busy reading takes longer, and so it rests more.
func (o *Outbox) rest(reading time.Duration) time.Duration {
	if o.o.Percent <= 0 {
		return 0
	}
	return 2 * reading * 100 / time.Duration(o.o.Percent*runtime.GOMAXPROCS(0))
}

func (o *Outbox) end() {
	if err := errors.Join(o.writer.Close(), o.facts.Close()); err != nil {
		slog.Warn("outbox: close", "why", err)
	}
	o.pool.CloseIdleConnections()
}

// read returns the next batch, empty where there is no news. What it does to state is
// the last of its messages.
func (o *Outbox) read() ([]pending, error) {
	batch, err := o.readFacts()
	if o.key == nil || len(batch) == 0 {
		return batch, err
	}
	s := stretch{node: o.node, from: o.place, next: batch[len(batch)-1].next}
	if s.from == (journal.Address{}) && batch[0].at.Segment > 1 {
		s.from = batch[0].at // retention has removed the beginning
	}
	for i := range batch {
		s.deeds = append(s.deeds, batch[i].deed...)
	}
	m := s.message(o.key)
	m.Topic = o.c.topic(m.Topic)
	return append(batch, pending{message: m, next: s.next}), nil
}

func (o *Outbox) readFacts() ([]pending, error) {
	var batch []pending
	size := 0
	o.buf, o.deeds = o.buf[:0], o.deeds[:0]
	for len(batch) < maxBatch {
		p := o.held
		if o.held = nil; p == nil {
			fact, err := o.facts.Next()
			if err == io.EOF || err != nil && len(batch) > 0 {
				return batch, nil // an error comes again
			}
			if err != nil {
				return nil, err
			}
			p = o.pendingOf(fact)
		}
		if size += len(p.message.Value) + overhead; size > maxValue && len(batch) > 0 {
			p.keep()
			o.held = p
			break
		}
		if len(batch) == 0 {
			o.oldest = p.logged
		}
		batch = append(batch, *p)
	}
	return batch, nil
}

// keep gives a message memory of its own: the next batch overwrites the buffers.
func (p *pending) keep() {
	m := &p.message
	m.Key, m.Value, p.deed = slices.Clone(m.Key), slices.Clone(m.Value), slices.Clone(p.deed)
	for i := range m.Headers {
		m.Headers[i].Value = slices.Clone(m.Headers[i].Value)
	}
}

// overhead is more than a message's key and headers take, in bytes.
const overhead = 512

func (o *Outbox) pendingOf(f *engine.Fact) *pending {
	p := &pending{at: f.At, next: f.Next, logged: f.Logged}
	if start := len(o.deeds); o.key != nil {
		o.deeds = appendDeed(o.deeds, f)
		p.deed = o.deeds[start:len(o.deeds):len(o.deeds)]
	}
	var err error
	if p.message, o.buf, err = messageOf(f, o.node, o.buf); err != nil {
		p.message = o.dead(f.Logged, eventID(f, o.node), p.message.Topic, fmt.Sprintf("%d:%d", f.At.Segment, f.At.Offset), p.message.Key, len(p.message.Value), err)
	}
	p.message.Topic = o.c.topic(p.message.Topic)
	return p
}

func (o *Outbox) dead(logged time.Time, id, topic, place string, key []byte, bytes int, why error) kafka.Message {
	outboxDead.Inc()
	slog.Error("outbox: a fact can never be sent; its place is in the topic of the dead", "id", id, "why", why)
	if key == nil {
		key = partitionKey(0, o.node)
	}
	m := deadMessage(&deadJSON{Time: logged.UTC(), Reason: why.Error(), ID: id, Topic: topic, Place: place, Bytes: bytes}, o.node, key)
	m.Topic = o.c.topic(m.Topic)
	return m
}

// deliver sends a batch until all of it is acknowledged. It reports false where the
// context has ended before.
func (o *Outbox) deliver(ctx context.Context, batch []pending) bool {
	left := make([]kafka.Message, len(batch))
	for i := range batch {
		left[i] = batch[i].message
	}
	alone := false // a message may be too large for its topic: which one?
	for backoff := leastBackoff; len(left) > 0; {
		if ctx.Err() != nil {
			return false
		}
		n := len(left)
		if alone {
			n = 1
		}
		failed, err := send(ctx, o.writer, left[:n])
		publishedTotal.Add(n - len(failed))
		rest := left[n:]
		left = append(failed, rest...)
		if err == nil {
			o.works()
			backoff = leastBackoff
			continue
		}
		if ctx.Err() != nil {
			return false
		}
		o.buf = nil // a request that was given up may still be read by its connection
		if tooLarge(err) && !(alone && failed[0].Topic == o.c.topic(Dead)) {
			if alone {
				left[0] = o.refused(failed[0], err)
			}
			alone = true
			continue
		}
		o.fails(err)
		if len(failed) < n {
			backoff = leastBackoff
		}
		o.measure(true)
		wait(ctx, backoff)
		backoff = min(2*backoff, mostBackoff)
	}
	return true
}

// send writes messages and returns those that were not acknowledged, with the first
// reason: of a batch that failed in part, sending all again would double the rest.
func send(ctx context.Context, w *kafka.Writer, messages []kafka.Message) (failed []kafka.Message, err error) {
	err = w.WriteMessages(ctx, messages...)
	var each kafka.WriteErrors
	if !errors.As(err, &each) {
		if err != nil {
			failed = append(failed, messages...)
		}
		return failed, err
	}
	err = nil
	for i, why := range each {
		if why != nil {
			failed = append(failed, messages[i])
			if err == nil || tooLarge(why) {
				err = why
			}
		}
	}
	return failed, err
}

// tooLarge reports whether a broker will never take the messages as they are.
func tooLarge(err error) bool {
	return errors.Is(err, kafka.MessageSizeTooLarge) || errors.Is(err, kafka.RecordListTooLarge) || errors.Is(err, kafka.InvalidRecord) ||
		errors.As(err, new(kafka.MessageTooLargeError))
}

// refused returns what stands in for a message that its topic does not take.
func (o *Outbox) refused(m kafka.Message, why error) kafka.Message {
	id := header(&m, "ce_id")
	return o.dead(time.Now(), id, m.Topic, id, m.Key, len(m.Value), why)
}

// find goes on after an error of the log, from the place or, where the log has it no
// more, from a place before it: what is published twice has the same event ids.
//
// A loss of power may take facts that had been published, and others now stand at
// their addresses: then all of that segment is published again. Where retention has
// removed facts before they were published, it goes on with the oldest that is left:
// that cannot be helped, and must be seen.
func (o *Outbox) find(err error) (pause time.Duration) {
	switch {
	case !errors.Is(err, journal.ErrNotFound):
		if !o.failing {
			slog.Error("outbox: the log cannot be read", "why", err)
		}
		o.failing, pause = true, time.Second
	case o.place.Offset > 0:
		o.place = journal.Address{Segment: min(o.place.Segment, o.engine.End().Segment)}
		slog.Warn("outbox: its place is not in the log; publishing the segment again", "segment", o.place.Segment, "why", err)
	default:
		outboxGaps.Inc()
		slog.Error("outbox: the log no longer has facts that were not published", "from", o.place.Segment, "why", err)
		o.place = journal.Address{}
	}
	_ = o.facts.Close() // it was only read
	o.facts = o.engine.Follow(o.place)
	return pause
}

// placeEvery is how often the place is written while there is much to publish: what was
// published since is published again after a kill.
const placeEvery = 250 * time.Millisecond

// keep writes the place, unless it was written not long ago. Where that fails
// publishing goes on: after a restart facts are published again, none is lost.
func (o *Outbox) keep(unless time.Duration) {
	if o.place == o.kept || time.Since(o.keptAt) < unless {
		return
	}
	o.keptAt = time.Now()
	err := writePlace(o.o.Path, &outboxPlace{o.node, o.place.Segment, o.place.Offset})
	if err == nil {
		o.kept = o.place
		o.engine.Hold(o.kept, o.o.HoldBytes)
	} else {
		outboxUnkept.Inc()
		if !o.unkept {
			slog.Error("outbox: its place cannot be kept: a restart would publish facts again", "why", err)
		}
	}
	o.unkept = err != nil
}

func (o *Outbox) works() {
	if o.failing {
		slog.Info("outbox: brokers take facts again")
	}
	o.failing = false
}

func (o *Outbox) fails(err error) {
	outboxFailures.Inc()
	if !o.failing {
		slog.Warn("outbox: brokers do not take facts; they wait in the log", "why", hint(err))
	}
	o.failing = true
}

// hint adds what a person can do.
func hint(err error) error {
	if errors.Is(err, kafka.UnknownTopicOrPartition) {
		return fmt.Errorf("%w (topics are made by 'wary kafka init')", err)
	}
	return err
}

// measure shows how much waits, and how long the oldest has.
func (o *Outbox) measure(waiting bool) {
	behind, err := o.facts.Behind()
	if err != nil {
		return // the next read tells
	}
	backlogBytes.Set(float64(behind + int64(len(o.buf))))
	lag := 0.0
	if waiting {
		lag = max(0, time.Since(o.oldest).Seconds())
	}
	lagSeconds.Set(lag)
}

// wait waits, or until the context ends.
func wait(ctx context.Context, d time.Duration) {
	if d <= 0 {
		return
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	}
}
