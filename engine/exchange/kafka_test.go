package exchange

import (
	"context"
	"fmt"
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
	return Settings{Brokers: []string{broker}, Prefix: fmt.Sprint("test-", time.Now().UnixNano())} // each run has topics of its own
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
	e, path := newEngine(t), placeFile(t)
	score(t, e, "a", 2000)
	other := openNode(t, t.TempDir(), 8) // it hears meanwhile
	defer other.close()
	r, err := NewReplica(other.e, s, testSecret[:])
	if err != nil {
		t.Fatal(err)
	}
	run(t, r.Run)
	run(t, newStateOutbox(t, e, s, path).Run)
	eventually(t, "publishing begins", func() bool { return placeOffset(t, path) > 0 })
	script(t, "kill")
	score(t, e, "b", 2000) // while there is none
	if reached(t, e, path)() {
		t.Error("control: the broker was not away")
	}
	dropped, conn := 0, connectionOf(t, s)
	w := conn.writer(conn.transport())
	for range 10 {
		if w.WriteMessages(within(t), kafka.Message{Topic: conn.topic(Told), Value: []byte("{}")}) != nil {
			dropped++
		}
	}
	w.Close()
	script(t, "start")
	eventually(t, "all is published", reached(t, e, path))
	c := &cluster{settings: s}
	got := hear(readAll(t, s, Decisions, Feedback, Changes))
	lost, twice := harm(t, c, e, got)
	eventually(t, "another scorer has heard all", func() bool {
		r.folding.Lock()
		defer r.folding.Unlock()
		return !r.seen.Nodes[7].place().Less(e.End())
	})
	alike(t, e, other)
	fault{"kill -9 of the broker while producing and consuming", len(got.ids), lost, twice, "who tries once (of 10)", dropped, 0}.tell(t)

	k := &taker{engine: e}
	i, err := NewInbox(s, InboxOptions{
		Group: "wary-test-" + time.Now().Format("150405.000000"), Node: e.Node(), Path: placeFile(t), Decode: decode, Take: k.take, Sync: e.Sync,
	})
	if err != nil {
		t.Fatal(err)
	}
	all := documents(t, e, 50)
	run(t, i.Run)
	tell(t, c, 3, all...)
	eventually(t, "all is taken", func() bool { return k.known() == 50 })
	if n := feedbackFacts(t, e); n != 50 {
		t.Errorf("%d facts of 50 messages", n)
	}
}

func connectionOf(t *testing.T, s Settings) *connection {
	t.Helper()
	c, err := s.connect()
	if err != nil {
		t.Fatal(err)
	}
	return c
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
