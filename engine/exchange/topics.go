package exchange

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/segmentio/kafka-go"
)

// TopicOptions say how topics are made. All are required.
type TopicOptions struct {
	Partitions  int // of each topic but Dead, which has one; 1 to 1000
	Replication int // copies of each partition, 1 to the number of brokers
}

// Made says what became of a topic.
type Made struct {
	Topic       string `json:"topic"`
	New         bool   `json:"new"`
	Partitions  int    `json:"partitions"`
	Replication int    `json:"replication"`
}

const day = 24 * time.Hour

// retention is how long brokers keep each topic; 0 is for ever. The log on each node's
// disk is what counts; labels come up to 120 days late, and a scorer that was away for
// longer than State is kept begins with another's snapshot.
var retention = [...]struct {
	topic string
	keep  time.Duration
}{{Decisions, 30 * day}, {Feedback, 150 * day}, {Changes, 0}, {Dead, 90 * day}, {Told, 30 * day}, {State, 7 * day}}

// Init makes the topics that are not there, with settings for data that must not be
// lost: written to a majority before it is acknowledged, never compacted. Topics that
// are there stay as they are and are told as they are.
func Init(ctx context.Context, s Settings, o TopicOptions) ([]Made, error) {
	if o.Partitions < 1 || o.Partitions > 1000 || o.Replication < 1 || o.Replication > 100 {
		return nil, errors.New("exchange: want 1 to 1000 partitions, and a replication factor of 1 or more")
	}
	c, err := s.connect()
	if err != nil {
		return nil, err
	}
	pool := c.transport()
	defer pool.CloseIdleConnections()
	req := &kafka.CreateTopicsRequest{}
	for _, r := range retention {
		req.Topics = append(req.Topics, o.topic(c.topic(r.topic), r.keep, r.topic == Dead))
	}
	res, err := c.client(pool).CreateTopics(ctx, req)
	if err != nil {
		return nil, fmt.Errorf("exchange: make topics: %w", err)
	}
	var made []Made
	var failed []error
	for _, t := range req.Topics {
		m := Made{t.Topic, true, t.NumPartitions, t.ReplicationFactor}
		switch err := res.Errors[t.Topic]; {
		case errors.Is(err, kafka.TopicAlreadyExists):
			m, err = existing(ctx, c.client(pool), t.Topic)
			failed = append(failed, err)
		case err != nil:
			failed = append(failed, fmt.Errorf("%s: %w", t.Topic, err))
			continue
		}
		made = append(made, m)
	}
	return made, errors.Join(failed...)
}

func (o TopicOptions) topic(name string, keep time.Duration, single bool) kafka.TopicConfig {
	t := kafka.TopicConfig{Topic: name, NumPartitions: o.Partitions, ReplicationFactor: o.Replication}
	if single {
		t.NumPartitions = 1
	}
	millis := int64(-1)
	if keep > 0 {
		millis = keep.Milliseconds()
	}
	t.ConfigEntries = []kafka.ConfigEntry{
		{ConfigName: "cleanup.policy", ConfigValue: "delete"},
		{ConfigName: "retention.ms", ConfigValue: strconv.FormatInt(millis, 10)},
		{ConfigName: "min.insync.replicas", ConfigValue: strconv.Itoa(o.Replication/2 + 1)},
		{ConfigName: "unclean.leader.election.enable", ConfigValue: "false"},
		{ConfigName: "max.message.bytes", ConfigValue: "1048588"},
	}
	return t
}

// existing describes a topic that was there.
func existing(ctx context.Context, c *kafka.Client, name string) (Made, error) {
	m := Made{Topic: name}
	meta, err := c.Metadata(ctx, &kafka.MetadataRequest{Topics: []string{name}})
	if err != nil {
		return m, fmt.Errorf("%s: %w", name, err)
	}
	for _, t := range meta.Topics {
		if t.Error != nil {
			return m, fmt.Errorf("%s: %w", name, t.Error)
		}
		m.Partitions = len(t.Partitions)
		for _, p := range t.Partitions {
			m.Replication = max(m.Replication, len(p.Replicas))
		}
	}
	return m, nil
}

// PartitionLag is how far a group is behind in a partition.
type PartitionLag struct {
	Group     string `json:"group"`
	Topic     string `json:"topic"`
	Partition int    `json:"partition"`
	Next      int64  `json:"next"` // offset that is read next; -1 where the group has kept none
	End       int64  `json:"end"`  // of the partition
	Lag       int64  `json:"lag"`  // messages to read
}

// Lag returns how far a group is behind in each partition of one of our topics, by the
// name that it has here, in order.
func Lag(ctx context.Context, s Settings, group, topic string) ([]PartitionLag, error) {
	c, err := s.connect()
	if err != nil {
		return nil, err
	}
	pool := c.transport()
	defer pool.CloseIdleConnections()
	client := c.client(pool)
	topic = c.topic(topic)
	m, err := existing(ctx, client, topic)
	if err != nil {
		return nil, fmt.Errorf("exchange: %w", err)
	}
	ends := map[string][]kafka.OffsetRequest{}
	all := make([]int, m.Partitions)
	for p := range all {
		all[p] = p
		ends[topic] = append(ends[topic], kafka.FirstOffsetOf(p), kafka.LastOffsetOf(p))
	}
	var offsets *kafka.ListOffsetsResponse
	err = patiently(ctx, func() (err error) {
		offsets, err = client.ListOffsets(ctx, &kafka.ListOffsetsRequest{Topics: ends})
		for i := 0; err == nil && i < len(offsets.Topics[topic]); i++ {
			err = offsets.Topics[topic][i].Error
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("exchange: ends of %s: %w", topic, err)
	}
	next, err := keptBy(ctx, client, group, topic, all)
	if err != nil {
		return nil, fmt.Errorf("exchange: offsets of %s: %w", group, err)
	}
	var out []PartitionLag
	for _, p := range offsets.Topics[topic] {
		l := PartitionLag{Group: group, Topic: topic, Partition: p.Partition, Next: -1, End: p.LastOffset}
		from := p.FirstOffset
		if n, ok := next[p.Partition]; ok && n >= 0 {
			l.Next, from = n, max(n, from)
		}
		l.Lag = max(0, l.End-from)
		out = append(out, l)
	}
	slices.SortFunc(out, func(a, b PartitionLag) int { return cmp.Compare(a.Partition, b.Partition) })
	return out, nil
}

// LagOfNode returns how far a node's inbox and replica are behind: the latter where
// there is a topic for it.
func LagOfNode(ctx context.Context, s Settings, node uint16) ([]PartitionLag, error) {
	told, err := Lag(ctx, s, GroupOf(node), Told)
	if err != nil {
		return nil, err
	}
	state, err := Lag(ctx, s, ReplicaGroupOf(node), State)
	if errors.Is(err, kafka.UnknownTopicOrPartition) {
		err = nil
	}
	return append(told, state...), err
}

// keptBy returns the offsets that a group has kept at the broker.
func keptBy(ctx context.Context, c *kafka.Client, group, topic string, partitions []int) (map[int]int64, error) {
	next := map[int]int64{}
	err := patiently(ctx, func() error {
		res, err := c.OffsetFetch(ctx, &kafka.OffsetFetchRequest{GroupID: group, Topics: map[string][]int{topic: partitions}})
		if err == nil {
			err = res.Error
		}
		if err == nil {
			for _, p := range res.Topics[topic] {
				next[p.Partition] = p.CommittedOffset
			}
		}
		return err
	})
	if errors.Is(err, kafka.GroupIdNotFound) {
		return next, nil
	}
	return next, err
}

// mostTries is how often a broker is asked that says it cannot answer now.
const mostTries = 20

// patiently asks again while a broker says that it cannot answer now: the first who
// asks about a new topic or group makes it look for the leader or coordinator.
func patiently(ctx context.Context, ask func() error) (err error) {
	for try := range mostTries {
		var said kafka.Error
		if err = ask(); err == nil || !errors.As(err, &said) || !said.Temporary() {
			return err
		}
		if wait(ctx, leastBackoff*time.Duration(try+1)); ctx.Err() != nil {
			return errors.Join(err, ctx.Err())
		}
	}
	return err
}
