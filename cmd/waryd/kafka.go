package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"

	"github.com/waryauth/wary/engine"
	"github.com/waryauth/wary/engine/exchange"
	"github.com/waryauth/wary/engine/scoreapi"
	"github.com/waryauth/wary/signals"
)

// kafka is what runs between the engine and the brokers. Nothing waits for it: not the
// start, not an answer, and readiness does not ask it; its metrics tell how it is.
type kafka struct {
	cancel  context.CancelFunc
	running sync.WaitGroup
}

// readKafka returns how to reach the brokers, nil where none is named.
func readKafka(c *Config) (*exchange.Settings, error) {
	k := &c.Kafka
	if k.Brokers == "" {
		if _, err := os.Stat(filepath.Join(c.Data, engine.SeedFile)); !errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("kafka.brokers: are needed where the data folder has %s: what it holds goes on in Kafka", engine.SeedFile)
		}
		return nil, nil
	}
	s := &exchange.Settings{
		Brokers: split(k.Brokers), ClientID: k.ClientID, Prefix: k.Topics, Compression: k.Compression, Timeout: k.Timeout, TrustedNetwork: k.TrustedNetwork,
	}
	s.TLS.Enabled, s.TLS.CA, s.TLS.Certificate, s.TLS.Key = k.TLS, k.CA, k.Certificate, k.Key
	s.SASL.Mechanism, s.SASL.User, s.SASL.PasswordFile = k.SASL, k.User, k.PasswordFile
	if err := s.Validate(); err != nil {
		return nil, fmt.Errorf("kafka: %w", err)
	}
	return s, nil
}

// startKafka has facts published, feedback taken and other scorers heard. It comes right
// after the engine: its first snapshot must know of the others.
func (d *daemon) startKafka(s *exchange.Settings) error {
	if s == nil {
		return nil
	}
	secret, err := readSecret(d.c.Data)
	if err != nil {
		return fmt.Errorf("secret: %w", err)
	}
	o := exchange.OutboxOptions{Path: filepath.Join(d.c.Data, exchange.OutboxFile), HoldBytes: int64(d.c.Kafka.HoldGiB) << 30, Percent: d.c.Kafka.Percent}
	var runs []func(context.Context)
	if d.c.Kafka.Replicate {
		o.Secret = secret[:]
		replica, err := exchange.NewReplica(d.engine, *s, secret[:])
		if err != nil {
			return err
		}
		runs = append(runs, replica.Run)
	}
	outbox, err := exchange.NewOutbox(d.engine, *s, o)
	if err != nil {
		return err
	}
	inbox, err := exchange.NewInbox(*s, exchange.InboxOptions{
		Node: d.engine.Node(), Group: d.c.Kafka.Group, Path: filepath.Join(d.c.Data, exchange.InboxFile),
		Decode: feedbackDecoder(), Take: d.engine.Feedback, Sync: d.engine.Sync, Revoke: d.revokeTold,
	})
	if err != nil {
		return err
	}
	d.kafka = &kafka{}
	var ctx context.Context
	ctx, d.kafka.cancel = context.WithCancel(context.Background())
	for _, run := range append(runs, outbox.Run, inbox.Run) {
		d.kafka.running.Go(func() { run(ctx) })
	}
	d.log.Info("kafka", "brokers", s.Brokers, "replicate", d.c.Kafka.Replicate)
	return nil
}

// feedbackDecoder returns the score API's decoder of feedback, in memory of its own.
func feedbackDecoder() func(*signals.Feedback, []byte) error {
	var decoder scoreapi.Decoder
	return func(f *signals.Feedback, document []byte) error {
		if p := decoder.Feedback(f, document); p != nil {
			if len(p.Errors) > 0 {
				return fmt.Errorf("%s %s: %s", p.Title, p.Errors[0].Pointer, p.Errors[0].Detail)
			}
			return errors.New(p.Title + ": " + p.Detail)
		}
		return nil
	}
}

// stopKafka ends what runs, before the engine is closed.
func (d *daemon) stopKafka() {
	if d.kafka != nil {
		d.kafka.cancel()
		d.kafka.running.Wait()
	}
}
