package exchange

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"sync"
	"time"

	"github.com/segmentio/kafka-go"

	"github.com/waryauth/wary/engine"
	"github.com/waryauth/wary/features/history"
	"github.com/waryauth/wary/internal/journal"
)

// Replica folds what other scorers have seen into the state of this one.
//
// Invariants:
//
//  1. What was folded, and how far into which node's log and into which partition that
//     goes, changes at one moment between two snapshots, and is in one snapshot: after
//     a kill both are as they were, and the rest is read and folded again.
//  2. A node's facts are folded in the order of its log, each once: it publishes them so,
//     into one partition, and what lies before the place that was reached is known.
//  3. Our own facts are in our own log, and are never folded from here.
type Replica struct {
	engine *engine.Engine
	c      *connection
	pool   *kafka.Transport
	topic  string
	group  string
	key    []byte

	folding sync.Mutex // one message at a time
	// seen changes only inside of engine.Fold, by who holds folding: so who holds
	// either folding or all of the engine's pause may read it.
	seen   seen
	batch  [foldAtOnce]deed
	behind map[int]int64 // messages of each partition to come; guarded by folding
	stuck  bool          // told once; guarded by folding

	crash func() bool // tests end it between a fold and the next snapshot
	stop  context.CancelFunc
}

// seen is up to where in other nodes' logs state goes, and where reading goes on.
type seen struct {
	Cluster string          `json:"cluster"`
	Offsets map[int]int64   `json:"offsets"` // next of each partition
	Nodes   map[uint16]mark `json:"nodes"`
}

// mark is the place that was reached in a node's log.
type mark struct {
	Segment uint32 `json:"segment"`
	Offset  uint32 `json:"offset"`
	Logged  int64  `json:"logged"` // the latest time of facts before it, Unix nanoseconds; 0 is unknown
}

func (k mark) place() journal.Address { return journal.Address{Segment: k.Segment, Offset: k.Offset} }

// knows reports whether a fact was folded before. One that stands before the place and
// is younger than all that did is another: the node has a new log, or lost the end of
// the old one with its power.
func (k mark) knows(at journal.Address, logged int64) bool {
	return at.Less(k.place()) && (k.Logged == 0 || logged <= k.Logged)
}

// clockSlack is by how much times may be out of the order of a log.
const clockSlack = time.Minute

// after returns the mark behind a fact.
func (k mark) after(at journal.Address, logged int64) mark {
	if k.Logged == 0 {
		logged += int64(clockSlack)
	}
	return mark{at.Segment, at.Offset + 1, max(k.Logged, logged)}
}

// foldAtOnce bounds how long a snapshot waits for folds: some 0.1 ms.
const foldAtOnce = 64

// How often a topic is looked at for new partitions.
const partitionsEvery = 10 * time.Second

// NewReplica returns the replica of an engine. From now on the engine's snapshots hold
// how far it is: call it before the first. Secret is that of the engine, the same on
// all nodes. No broker is asked.
func NewReplica(e *engine.Engine, s Settings, secret []byte) (*Replica, error) {
	c, err := s.connect()
	if err != nil {
		return nil, err
	}
	r := &Replica{
		engine: e, c: c, pool: c.transport(), topic: c.topic(State), group: ReplicaGroupOf(e.Node()), key: stateKey(secret),
		behind: map[int]int64{}, seen: seen{Offsets: map[int]int64{}, Nodes: map[uint16]mark{}},
	}
	origin := e.Others(r.write)
	if len(origin.Others) > 0 {
		if err := json.Unmarshal(origin.Others, &r.seen); err != nil {
			return nil, fmt.Errorf("exchange: what the snapshot knows of other nodes: %w", err)
		}
		if r.seen.Offsets == nil || r.seen.Nodes == nil {
			return nil, errors.New("exchange: what the snapshot knows of other nodes is not whole")
		}
	}
	if origin.Node != e.Node() {
		r.seen.Nodes[origin.Node] = mark{origin.At.Segment, origin.At.Offset, 0}
	}
	return r, nil
}

// ReplicaGroupOf is the name under which brokers are told how far a node's replica is:
// for people who look.
func ReplicaGroupOf(node uint16) string { return fmt.Sprintf("wary-replica-%d", node) }

// write is called by the engine, which lets nobody fold meanwhile.
func (r *Replica) write() []byte {
	b, err := json.Marshal(&r.seen)
	if err != nil {
		panic(err) // numbers and a string have a JSON form
	}
	return b
}

// Run folds until the context ends. Failures of brokers are waited out.
func (r *Replica) Run(ctx context.Context) {
	ctx, r.stop = context.WithCancel(ctx)
	defer r.stop()
	defer r.pool.CloseIdleConnections()
	var reading sync.WaitGroup
	defer reading.Wait()
	begun := map[int]bool{}
	for looked := (time.Time{}); ctx.Err() == nil; wait(ctx, keepEvery) {
		if time.Since(looked) > partitionsEvery || len(begun) == 0 {
			for p := range r.partitions(ctx) {
				if !begun[p] {
					begun[p] = true
					reading.Go(func() { r.read(ctx, p) })
				}
			}
			looked = time.Now()
		}
		r.tell(ctx)
	}
}

// partitions returns how many partitions the topic has: none where that is not known.
// Offsets of another cluster are forgotten; what was folded is not.
func (r *Replica) partitions(ctx context.Context) int {
	meta, err := r.c.client(r.pool).Metadata(ctx, &kafka.MetadataRequest{Topics: []string{r.topic}})
	if err == nil && len(meta.Topics) != 1 {
		err = kafka.UnknownTopicOrPartition
	}
	if err == nil {
		err = meta.Topics[0].Error
	}
	if err != nil {
		r.fails("the topic cannot be found", hint(err))
		return 0
	}
	r.folding.Lock()
	defer r.folding.Unlock()
	if r.seen.Cluster != meta.ClusterID {
		r.engine.Fold(func(*history.Store) { r.seen.Cluster, r.seen.Offsets = meta.ClusterID, map[int]int64{} })
	}
	return len(meta.Topics[0].Partitions)
}

func (r *Replica) fails(what string, err error) {
	replicaFailures.Inc()
	slog.Debug("replica: "+what, "why", err)
}

// read folds the messages of a partition until the context ends.
func (r *Replica) read(ctx context.Context, partition int) {
	next, err := r.begin(ctx, partition)
	for backoff := leastBackoff; err != nil; backoff = min(2*backoff, mostBackoff) {
		r.fails("offsets cannot be read", err)
		if wait(ctx, backoff); ctx.Err() != nil {
			return
		}
		next, err = r.begin(ctx, partition)
	}
	reader := kafka.NewReader(kafka.ReaderConfig{
		Brokers: r.c.addresses, Topic: r.topic, Partition: partition, Dialer: r.c.dialer(), MinBytes: 1, MaxBytes: 4 << 20, MaxWait: maxWait, QueueCapacity: 8,
	})
	defer reader.Close()
	if err := reader.SetOffset(next); err != nil {
		r.fails("set offset", err)
		return
	}
	for ctx.Err() == nil {
		m, err := fetch(ctx, reader)
		switch {
		case err == nil:
			if !r.take(ctx, &m) {
				return
			}
		case !errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil:
			r.fails("messages cannot be read", err)
			wait(ctx, leastBackoff)
		}
	}
}

func (r *Replica) begin(ctx context.Context, partition int) (int64, error) {
	r.folding.Lock()
	at, ours := r.seen.Offsets[partition]
	r.folding.Unlock()
	return beginning(ctx, r.c.client(r.pool), r.topic, partition, at, ours)
}

// take folds a message, or passes over what is none of ours. What another build has
// written is waited for: this daemon is to be replaced by one that understands it. It
// reports false where the context ended before.
func (r *Replica) take(ctx context.Context, m *kafka.Message) bool {
	for ctx.Err() == nil {
		err := r.apply(m)
		if !errors.Is(err, errBuild) {
			return !(r.crash != nil && r.crash() && r.end())
		}
		replicaFailures.Inc()
		r.folding.Lock()
		if !r.stuck {
			slog.Error("replica: waiting for this daemon to be brought up to date", "why", err, "partition", m.Partition, "offset", m.Offset)
		}
		r.stuck = true
		r.folding.Unlock()
		wait(ctx, mostBackoff)
	}
	return false
}

func (r *Replica) end() bool { r.stop(); return true }

// apply folds a message. An error other than errBuild is told: the message is passed over.
func (r *Replica) apply(m *kafka.Message) error {
	var s stretch
	r.folding.Lock()
	defer r.folding.Unlock()
	err := s.read(m.Value, r.key)
	switch {
	case errors.Is(err, errBuild):
		return err
	case err == nil && s.node == r.engine.Node():
		r.checkOwn(&s)
	case err == nil:
		err = r.fold(&s)
	}
	if err != nil {
		replicaRefused.Inc()
		slog.Error("replica: a message is passed over", "why", err, "partition", m.Partition, "offset", m.Offset)
	}
	r.engine.Fold(func(*history.Store) {
		r.seen.Offsets[m.Partition] = m.Offset + 1
		if k, ok := r.seen.Nodes[s.node]; ok && err == nil && k.place().Less(s.next) {
			r.seen.Nodes[s.node] = mark{s.next.Segment, s.next.Offset, k.Logged}
		}
	})
	r.behind[m.Partition] = max(0, m.HighWaterMark-m.Offset-1)
	sum := int64(0)
	for n := range maps.Values(r.behind) {
		sum += n
	}
	replicaLag.Set(float64(sum))
	return err
}

// checkOwn tells where somebody else has our number.
func (r *Replica) checkOwn(s *stretch) {
	if r.engine.End().Less(s.next) {
		replicaOthers.Inc()
		slog.Error("replica: facts of this node are not in its log: it was lost, or another scorer has the same number", "node", s.node)
	}
}

// fold folds what is new of a stretch of another node's log.
func (r *Replica) fold(s *stretch) error {
	k, known := r.seen.Nodes[s.node]
	if known && k.place().Less(s.from) || !known && s.from != (journal.Address{}) {
		replicaGaps.Inc()
		slog.Error("replica: facts of another node are missing between what is known and what came", "node", s.node, "from", k, "to", s.from)
	}
	if !known {
		r.engine.Fold(func(*history.Store) { r.seen.Nodes[s.node] = mark{Logged: 1} })
	}
	for left := s.deeds; len(left) > 0; {
		n := 0
		var err error
		for ; n < len(r.batch) && len(left) > 0 && err == nil; n++ {
			left, err = r.batch[n].read(left)
		}
		if err != nil {
			return err // before anything of these is folded
		}
		r.engine.Fold(func(state *history.Store) { r.foldAll(state, s.node, r.batch[:n]) })
	}
	return nil
}

func (r *Replica) foldAll(state *history.Store, node uint16, deeds []deed) {
	k := r.seen.Nodes[node]
	for i := range deeds {
		if deeds[i].kind <= failed {
			state.Touch(&deeds[i].trace)
		}
	}
	for i := range deeds {
		d := &deeds[i]
		if k.knows(d.at, d.logged) {
			replicaKnown.Inc()
			continue
		}
		if d.at.Less(k.place()) {
			replicaNewLogs.Inc()
			slog.Warn("replica: another node has a new log, or has lost the end of its old one", "node", node)
		}
		d.fold(state)
		k = k.after(d.at, d.logged)
		replicaFolded.Inc()
	}
	r.seen.Nodes[node] = k
}

// tell tells the broker how far reading is: for people who look. Snapshots decide.
func (r *Replica) tell(ctx context.Context) {
	r.folding.Lock()
	offsets := maps.Clone(r.seen.Offsets)
	r.folding.Unlock()
	if len(offsets) == 0 {
		return
	}
	req := &kafka.OffsetCommitRequest{GroupID: r.group, GenerationID: -1, Topics: map[string][]kafka.OffsetCommit{}}
	for p, next := range offsets {
		req.Topics[r.topic] = append(req.Topics[r.topic], kafka.OffsetCommit{Partition: p, Offset: next})
	}
	if _, err := r.c.client(r.pool).OffsetCommit(ctx, req); err != nil && ctx.Err() == nil {
		r.fails("the broker is not told", err)
	}
}
