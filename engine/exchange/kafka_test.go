package exchange

import (
	"context"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"
)

// realBroker returns the settings of a real broker, or skips: `make test-kafka` names the
// one that scripts/kafka.sh starts.
func realBroker(t *testing.T) Settings {
	t.Helper()
	broker := os.Getenv("WARY_KAFKA")
	if broker == "" {
		t.Skip("WARY_KAFKA names no broker: make test-kafka does")
	}
	return Settings{Brokers: []string{broker}}
}

// script runs scripts/kafka.sh.
func script(t *testing.T, verb string) {
	t.Helper()
	if out, err := exec.Command("../../scripts/kafka.sh", verb).CombinedOutput(); err != nil {
		t.Fatalf("kafka.sh %s: %v\n%s", verb, err, out)
	}
}

// TestRealBroker: facts out, through a kill -9 of the broker in the middle, and
// feedback in; nothing is lost and nothing has two effects.
func TestRealBroker(t *testing.T) {
	s := realBroker(t)
	if _, err := Init(within(t), s, TopicOptions{Partitions: 4, Replication: 1}); err != nil {
		t.Fatal(err)
	}
	before := hear(readAll(t, s, Decisions, Feedback, Changes))
	// Each run is a node of its own: the event ids of a node whose clock stands still come again.
	e, path := newEngineOf(t, uint16(time.Now().Unix())), placeFile(t)
	score(t, e, "a", 2000)
	run(t, newOutbox(t, e, s, path).Run)
	eventually(t, "publishing begins", func() bool { return placeOffset(t, path) > 0 })
	script(t, "kill")
	score(t, e, "b", 2000) // while there is none
	if reached(t, e, path)() {
		t.Error("control: the broker was not away")
	}
	script(t, "start")
	eventually(t, "all is published", reached(t, e, path))
	got := hear(readAll(t, s, Decisions, Feedback, Changes))
	for id := range logged(t, e).ids {
		if !got.ids[id] || before.ids[id] {
			t.Fatalf("fact %s: published %v, there before this run %v (then scripts/kafka.sh wipe)", id, got.ids[id], before.ids[id])
		}
	}

	k := &taker{engine: e}
	i, err := NewInbox(s, InboxOptions{
		Group: "wary-test-" + time.Now().Format("150405.000000"), Node: e.Node(), Path: placeFile(t), Decode: decode, Take: k.take, Sync: e.Sync,
	})
	if err != nil {
		t.Fatal(err)
	}
	all := documents(t, e, 50)
	c := &cluster{settings: s}
	run(t, i.Run)
	tell(t, c, 3, all...)
	eventually(t, "all is taken", func() bool { return k.known() == 50 })
	if n := feedbackFacts(t, e); n != 50 {
		t.Errorf("%d facts of 50 messages", n)
	}
}

// placeOffset returns the offset in the file of a place.
func placeOffset(t *testing.T, path string) uint32 {
	t.Helper()
	at, err := PlaceOf(path)
	if err != nil {
		t.Fatal(err)
	}
	return at.Offset
}

// TestRealLogins: every secured listener of scripts/kafka.sh, and none with a wrong
// password or in the clear.
func TestRealLogins(t *testing.T) {
	host, port, err := net.SplitHostPort(realBroker(t).Brokers[0])
	if err != nil {
		t.Fatal(err)
	}
	plain, err := strconv.Atoi(port)
	if err != nil {
		t.Fatal(err)
	}
	dir := os.Getenv("KAFKA_DIR")
	if dir == "" {
		dir = "run/kafka"
	}
	ca := filepath.Join("../..", dir, "tls/ca.pem")
	if filepath.IsAbs(dir) {
		ca = filepath.Join(dir, "tls/ca.pem")
	}
	if _, err := os.Stat(ca); err != nil {
		t.Skip("this broker is not that of scripts/kafka.sh")
	}
	f := func(name, host string, after int, over bool, mechanism, user, password string, good bool) {
		s := Settings{Brokers: []string{net.JoinHostPort(host, strconv.Itoa(plain+after))}, Timeout: patience / 3}
		if s.TLS.Enabled = over; over {
			s.TLS.CA = ca
		}
		if s.SASL.Mechanism = mechanism; mechanism != "" {
			s.SASL.User, s.SASL.PasswordFile = user, file(t, password)
		}
		conn, err := s.connect()
		if err != nil {
			t.Fatal(err)
		}
		pool := conn.transport()
		defer pool.CloseIdleConnections()
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		_, err = conn.client(pool).Metadata(ctx, &kafka.MetadataRequest{})
		if (err == nil) != good {
			t.Errorf("%s: %v", name, err)
		}
	}
	f("TLS", "localhost", 2, true, "", "", "", true)
	f("in the clear to TLS", "localhost", 2, false, "", "", "", false)
	for _, m := range []string{"SCRAM-SHA-256", "SCRAM-SHA-512"} {
		f(m, host, 3, true, m, "scram", "scram-secret", true)
		f(m+" in the clear", host, 4, false, m, "scram", "scram-secret", true)
		f(m+" wrong", host, 3, true, m, "scram", "wrong", false)
	}
	f("PLAIN", host, 3, true, "PLAIN", "test", "test-secret", true)
	f("PLAIN wrong", host, 3, true, "PLAIN", "test", "wrong", false)
	f("no login", host, 3, true, "", "", "", false)
}
