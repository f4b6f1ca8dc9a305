package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/waryauth/wary/engine"
	"github.com/waryauth/wary/engine/exchange"
	"github.com/waryauth/wary/features"
	"github.com/waryauth/wary/features/history"
	"github.com/waryauth/wary/internal/journal"
)

// topics makes the topics at brokers.
func topics(t *testing.T, s exchange.Settings) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if _, err := exchange.Init(ctx, s, exchange.TopicOptions{Partitions: 3, Replication: 1}); err != nil {
		t.Fatal(err)
	}
}

// broker is an in-process one with the topics.
func broker(t *testing.T, prefix string) exchange.Settings {
	t.Helper()
	c, err := kfake.NewCluster(kfake.NumBrokers(1))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	s := exchange.Settings{Brokers: c.ListenAddrs(), Prefix: prefix}
	topics(t, s)
	return s
}

// TestKafka: a daemon publishes what it decides under the prefix of its topics, takes a
// label, counts both in its metrics, and leaves nothing behind.
func TestKafka(t *testing.T) {
	s := broker(t, "bank.eu")
	r := boot(t, t.TempDir(), "-kafka.brokers", s.Brokers[0], "-kafka.topics", s.Prefix, "-kafka.timeout", "20s", "-node", "4")
	v := r.post("/v1/score", login("a", "anna", 0))
	k, err := kgo.NewClient(kgo.SeedBrokers(s.Brokers...), kgo.ConsumeTopics("bank.eu.decisions"), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	if err != nil {
		t.Fatal(err)
	}
	defer k.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	published := k.PollFetches(ctx).Records()
	if len(published) != 1 || !bytes.Contains(published[0].Value, []byte(v.DecisionID)) {
		t.Fatalf("published %v", published)
	}
	for _, document := range []string{
		fmt.Sprintf(`{"feedback_id":"f","decision_id":%q,"kind":"label","value":"fraud","source":"analyst"}`, v.DecisionID),
		fmt.Sprintf(`{"feedback_id":"g","decision_id":%q,"kind":"label","value":"maybe","source":"analyst"}`, v.DecisionID),
	} {
		if err := k.ProduceSync(ctx, &kgo.Record{Topic: "bank.eu.told", Value: []byte(document)}).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
	for {
		if _, receipt := r.ask(http.MethodGet, "/v1/decisions/"+v.DecisionID, ""); strings.Contains(receipt, `"fraud"`) {
			break
		}
		if time.Sleep(20 * time.Millisecond); ctx.Err() != nil {
			t.Fatal("the label is not taken")
		}
	}
	k.AddConsumeTopics("bank.eu.dead")
	dead := k.PollFetches(ctx).Records()
	for len(dead) == 1 && dead[0].Topic != "bank.eu.dead" && ctx.Err() == nil {
		dead = k.PollFetches(ctx).Records()
	}
	if len(dead) != 1 || !bytes.Contains(dead[0].Value, []byte("/value")) {
		t.Errorf("dead %v", dead)
	}
	if _, text := r.operator("/metrics"); !strings.Contains(text, "wary_outbox_published_total") || !strings.Contains(text, "wary_replica_lag_messages") || !strings.Contains(text, "wary_journal_released_total") {
		t.Errorf("metrics:\n%s", text)
	}
	if err := r.stop(); err != nil {
		t.Fatal(err)
	}
	if lag, err := exchange.LagOfOutbox(filepath.Join(r.c.Data, engine.JournalFolder), filepath.Join(r.c.Data, exchange.OutboxFile)); err != nil || lag.Facts > 1 {
		t.Errorf("it left %+v (%v)", lag, err) // but what the stop itself may have logged
	}
}

// TestKafkaAway: brokers that cannot be reached, or that take connections and never
// answer, delay neither start nor answer nor end, and readiness does not ask them.
func TestKafkaAway(t *testing.T) {
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	for _, broker := range []string{"127.0.0.1:1", silent.Addr().String()} {
		r := boot(t, t.TempDir(), "-kafka.brokers", broker, "-kafka.timeout", "5m")
		for i := range 50 {
			r.post("/v1/score", login(fmt.Sprint(i), "anna", 0))
		}
		if status, text := r.operator("/readyz"); status != 200 {
			t.Errorf("ready: %d %s", status, text)
		}
		if err := r.stop(); err != nil {
			t.Error(err)
		}
	}
}

func TestKafkaSettings(t *testing.T) {
	f := func(want string, args ...string) {
		t.Helper()
		c := configure(t, t.TempDir(), args...)
		if _, err := readKafka(c); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v: %v, want %q", args, err, want)
		}
	}
	f(`broker "x"`, "-kafka.brokers=x")
	f("need TLS", "-kafka.brokers=kafka.example:9092")
	f("prefix of topics", "-kafka.brokers=127.0.0.1:9092", "-kafka.topics=a b")
	password := filepath.Join(t.TempDir(), "password")
	if err := os.WriteFile(password, []byte("p\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	f("SASL mechanism", "-kafka.brokers=127.0.0.1:9092", "-kafka.sasl=LOGIN", "-kafka.user=u", "-kafka.password_file", password)
	f("password", "-kafka.brokers=127.0.0.1:9092", "-kafka.sasl=PLAIN", "-kafka.user=u")
	f("compression", "-kafka.brokers=127.0.0.1:9092", "-kafka.compression=rar")
	if _, _, err := load([]string{"-kafka.hold_gib=-1"}, noEnv, io.Discard); err == nil || !strings.Contains(err.Error(), "kafka.hold_gib: is negative") {
		t.Error(err)
	}
	if _, _, err := load([]string{"-kafka.percent=101"}, noEnv, io.Discard); err == nil || !strings.Contains(err.Error(), "kafka.percent: 101 is not in 0..100") {
		t.Error(err)
	}
	c := configure(t, t.TempDir(), "-kafka.brokers=127.0.0.1:1, [::1]:2", "-kafka.topics=a", "-kafka.client_id=b", "-kafka.compression=none", "-kafka.timeout=3s")
	s, err := readKafka(c)
	if err != nil || len(s.Brokers) != 2 || s.Prefix != "a" || s.ClientID != "b" || s.Timeout != 3*time.Second {
		t.Errorf("%+v, %v", s, err)
	}
	var said strings.Builder
	if err := check(c, &said); err != nil || !strings.Contains(said.String(), "kafka    127.0.0.1:1 [::1]:2") {
		t.Errorf("%s, %v", said.String(), err)
	}
	if err := os.WriteFile(filepath.Join(c.Data, engine.SeedFile), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := readKafka(c); err != nil {
		t.Errorf("control: %v", err)
	}
	c.Kafka.Brokers = ""
	if _, err := readKafka(c); err == nil || !strings.Contains(err.Error(), "kafka.brokers: are needed") {
		t.Errorf("a seed without Kafka: %v", err)
	}
}

// TestReplicas: three daemons in processes of their own, people shared out among them,
// through kills and stops. After all is heard each remembers, bit for bit, what a store
// remembers into which the facts of all three logs were folded.
func TestReplicas(t *testing.T) {
	testReplicas(t, broker(t, ""), func(int) {})
}

// TestRealReplicas is the same on a real broker, which is killed in the middle.
func TestRealReplicas(t *testing.T) {
	at := os.Getenv("WARY_KAFKA")
	if at == "" {
		t.Skip("WARY_KAFKA names no broker: make test-kafka does")
	}
	s := exchange.Settings{Brokers: []string{at}, Prefix: fmt.Sprint("test-", time.Now().UnixNano())}
	topics(t, s)
	testReplicas(t, s, func(round int) {
		for _, verb := range []string{"kill", "start"} {
			if round != 1 {
				return
			}
			if out, err := exec.Command("../../scripts/kafka.sh", verb).CombinedOutput(); err != nil {
				t.Fatalf("kafka.sh %s: %v\n%s", verb, err, out)
			}
		}
	})
}

func testReplicas(t *testing.T, s exchange.Settings, meanwhile func(round int)) {
	const nodes, people, rounds = 3, 60, 4
	binary, secret := build(t), strings.Repeat("0a", 32)+"\n"
	args := []string{"-kafka.brokers", s.Brokers[0], "-kafka.topics", s.Prefix}
	if s.Prefix == "" {
		args = args[:2]
	}
	var data [nodes]string
	var daemons [nodes]*process
	for n := range nodes {
		data[n] = t.TempDir()
		if err := os.WriteFile(filepath.Join(data[n], "secret"), []byte(secret), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	start := func(n int) { daemons[n] = spawn(t, binary, data[n], append(args, "-node", fmt.Sprint(n+1))...) }
	for n := range nodes {
		start(n)
	}
	c := &http.Client{Timeout: 30 * time.Second, Transport: &http.Transport{}}
	defer c.CloseIdleConnections()
	for round := range rounds {
		for i := range people * 3 {
			person := i % people
			p := daemons[person%nodes]
			id := fmt.Sprintf("%d-%d", round, i)
			at := time.Duration(rounds-round)*24*time.Hour - time.Duration(i)*time.Minute
			status, answer, err := ask(c, "", http.MethodPost, p.score+"/v1/score", login(id, fmt.Sprint("person-", person), at))
			if err != nil || status != 200 {
				t.Fatalf("%d %s %v\n%s", status, answer, err, p.log)
			}
			var v verdict
			if err := json.Unmarshal([]byte(answer), &v); err != nil {
				t.Fatal(err)
			}
			if v.Decision == "step_up" && i%5 != 0 {
				passed := fmt.Sprintf(`{"feedback_id":"passed-%s","decision_id":%q,"kind":"outcome","value":"step_up_passed","source":"challenge"}`, id, v.DecisionID)
				if status, answer, err := ask(c, "", http.MethodPost, p.score+"/v1/feedback", passed); err != nil || status != 202 {
					t.Fatalf("%d %s %v", status, answer, err)
				}
			}
		}
		meanwhile(round)
		killed := round % nodes
		signal := syscall.SIGKILL
		if round == 1 {
			signal = syscall.SIGTERM // leaves a snapshot that others have not all been heard for
		}
		if err := daemons[killed].end(t, signal); err != nil && signal == syscall.SIGTERM {
			t.Error(err)
		}
		start(killed)
	}
	waitForAll(t, s, data[:])
	for n := range nodes {
		if err := daemons[n].end(t, syscall.SIGTERM); err != nil {
			t.Errorf("node %d: %v\n%s", n+1, err, daemons[n].log)
		}
	}
	compareAll(t, data[:], [32]byte(bytes.Repeat([]byte{0x0a}, 32)))
}

// waitForAll waits until each daemon has published all and heard all.
func waitForAll(t *testing.T, s exchange.Settings, data []string) {
	t.Helper()
	deadline := time.Now().Add(3 * time.Minute)
	behind := func() (what string) {
		for n := range data {
			lag, err := exchange.LagOfOutbox(filepath.Join(data[n], engine.JournalFolder), filepath.Join(data[n], exchange.OutboxFile))
			if err != nil || lag.Facts > 0 {
				return fmt.Sprintf("node %d has %+v to publish (%v)", n+1, lag, err)
			}
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		for n := range data {
			all, err := exchange.Lag(ctx, s, exchange.ReplicaGroupOf(uint16(n+1)), exchange.State)
			if err != nil {
				return err.Error()
			}
			for _, l := range all {
				if l.Lag > 0 {
					return fmt.Sprintf("node %d: %+v", n+1, l)
				}
			}
		}
		return ""
	}
	for what := behind(); what != ""; what = behind() {
		if time.Now().After(deadline) {
			t.Fatal(what)
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// compareAll compares what each node remembers with the fold of all their logs.
func compareAll(t *testing.T, data []string, secret [32]byte) {
	t.Helper()
	var engines []*engine.Engine
	for n := range data {
		e, err := engine.Open(data[n], engine.Options{Secret: secret, Node: uint16(n + 1)})
		if err != nil {
			t.Fatal(err)
		}
		defer e.Close()
		engines = append(engines, e)
	}
	all, of := oracle(t, engines)
	lone, _ := oracle(t, engines[:1])
	profile := func(s *history.Store, trace *features.Trace) string {
		var p features.Profile
		s.Recall(&p, trace)
		return fmt.Sprintf("%+v", p)
	}
	alone := 0
	for i := range of {
		want := profile(all, &of[i])
		if profile(lone, &of[i]) != want {
			alone++
		}
		for n, e := range engines {
			var got string
			e.Fold(func(s *history.Store) { got = profile(s, &of[i]) })
			if got != want {
				t.Fatalf("node %d, trace %d of %d: it remembers\n%s\nall logs say\n%s", n+1, i, len(of), got, want)
			}
		}
	}
	if alone == 0 || len(of) == 0 {
		t.Errorf("control: of %d profiles none differs where only one log is folded", len(of))
	}
	t.Logf("%d profiles alike on %d nodes; with one log alone %d differ", len(of), len(engines), alone)
}

// oracle is a store into which the facts of logs were folded, each once, and whom they
// are about.
func oracle(t *testing.T, engines []*engine.Engine) (*history.Store, []features.Trace) {
	t.Helper()
	s := history.New(history.Options{})
	var of []features.Trace
	for _, e := range engines {
		f := e.Follow(journal.Address{})
		defer f.Close()
		for {
			fact, err := f.Next()
			if err == io.EOF {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			switch {
			case fact.Decision != nil && fact.Decision.Taught:
				s.AttemptSucceed(&fact.Decision.Trace)
			case fact.Decision != nil:
				s.Attempt(&fact.Decision.Trace)
			case fact.Feedback != nil && fact.Feedback.Taught:
				s.Succeed(fact.Feedback.Trace)
			case fact.Feedback != nil && fact.Feedback.Failed:
				s.Fail(fact.Feedback.Trace)
			}
			if fact.Decision != nil {
				of = append(of, fact.Decision.Trace)
			}
		}
	}
	return s, of
}
