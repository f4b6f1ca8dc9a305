package exchange

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"text/tabwriter"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/twmb/franz-go/pkg/kfake"

	"github.com/waryauth/wary/engine"
	"github.com/waryauth/wary/signals"
)

// fault is what a fault did to facts, and what it does to who has no guard against it.
type fault struct {
	what                      string
	facts                     int
	lost, twice               int
	control                   string
	controlLost, controlTwice int
}

// faults were put to the test in this run: with WARY_FAULTS a table of them is written.
var faults struct {
	sync.Mutex
	all  []fault
	said []string
}

// tell fails where the fault lost or doubled something, or its control did not.
func (f fault) tell(t *testing.T) {
	t.Helper()
	if f.lost != 0 || f.twice != 0 {
		t.Errorf("%s: of %d facts %d lost, %d counted twice", f.what, f.facts, f.lost, f.twice)
	}
	if f.facts == 0 || f.controlLost <= 0 && f.controlTwice <= 0 {
		t.Errorf("%s: control (%s): %d lost, %d counted twice: nothing was put to the test", f.what, f.control, f.controlLost, f.controlTwice)
	}
	faults.Lock()
	defer faults.Unlock()
	faults.all = append(faults.all, f)
}

// writeFaults writes the table of a run.
func writeFaults(path string) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer f.Close()
	w := tabwriter.NewWriter(f, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "fault\tfacts\tlost\tcounted twice\tcontrol\tlost\tcounted twice\t")
	for _, r := range faults.all {
		fmt.Fprintf(w, "%s\t%d\t%d\t%d\t%s\t%d\t%d\t\n", r.what, r.facts, r.lost, r.twice, r.control, r.controlLost, r.controlTwice)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	for _, line := range faults.said {
		fmt.Fprintln(f, line)
	}
	return nil
}

// note adds a line below the table.
func note(format string, args ...any) {
	faults.Lock()
	defer faults.Unlock()
	faults.said = append(faults.said, fmt.Sprintf(format, args...))
}

// TestShare: a share of the processors' time makes a batch take longer, the smaller the
// longer; without one there is no rest.
func TestShare(t *testing.T) {
	of := func(percent int) time.Duration {
		return (&Outbox{o: OutboxOptions{Percent: percent}}).rest(time.Millisecond)
	}
	cores := time.Duration(runtime.GOMAXPROCS(0))
	if of(0) != 0 || of(5) != 40*time.Millisecond/cores || of(50) != 4*time.Millisecond/cores {
		t.Errorf("%v %v %v", of(0), of(5), of(50))
	}
}

func newStateOutbox(t testing.TB, e *engine.Engine, s Settings, path string) *Outbox {
	t.Helper()
	o, err := NewOutbox(e, s, OutboxOptions{Path: path, Secret: testSecret[:]})
	if err != nil {
		t.Fatal(err)
	}
	return o
}

// harm compares what was published with the log: what a reader never heard, and
// what another scorer folded more often than once, or not.
func harm(t *testing.T, c *cluster, e *engine.Engine, got heard) (lost, twice int) {
	t.Helper()
	for id := range logged(t, e).ids {
		if !got.ids[id] {
			lost++
		}
	}
	deeds := 0
	for _, s := range stretches(t, e, 1) {
		if len(s.deeds) > 0 {
			deeds++
		}
	}
	other := openNode(t, t.TempDir(), 300)
	defer other.close()
	r, err := NewReplica(other.e, c.settings, testSecret[:])
	if err != nil {
		t.Fatal(err)
	}
	folded := replicaFolded.Get()
	for _, m := range stateMessages(t, c) {
		if err := r.apply(&m); err != nil {
			t.Fatal(err)
		}
	}
	n := int(replicaFolded.Get() - folded)
	of := traces(t, e)
	if want, got := recalled(e, of), recalled(other.e, of); !slices.Equal(want, got) {
		t.Error("what another scorer remembers is not what this one does")
	}
	return lost + max(0, deeds-n), max(0, n-deeds)
}

// effects compares the effects of n messages with n.
func effects(t testing.TB, e *engine.Engine, n int) (lost, twice int) {
	t.Helper()
	facts := feedbackFacts(t, e)
	return max(0, n-facts), max(0, facts-n)
}

// TestStopped: a consumer that stands still while its partitions move to another, and
// then goes on where it stood, as after SIGSTOP and SIGCONT: in the middle of a message,
// and with offsets that are old. The control counts what both took.
func TestStopped(t *testing.T) {
	c, e := newCluster(t, 2, kfake.GroupMinSessionTimeout(time.Second)), newEngine(t)
	all := documents(t, e, 40)
	stood, goOn := make(chan struct{}), make(chan struct{})
	var stops atomic.Int32
	sleeper := &taker{engine: e, fail: func(*signals.Feedback) error {
		if stops.Add(1) == 5 {
			close(stood)
			<-goOn
		}
		return nil
	}}
	own := *c // a wire of its own
	own.wire = &wire{}
	own.settings.dial = own.wire.dial
	path := placeFile(t)
	asleep := newInbox(t, &own, sleeper, path)
	asleep.session = time.Second
	run(t, asleep.Run)
	tell(t, c, 1, all...)
	<-stood
	own.wire.cut() // a process that stands sends nothing
	waker := &taker{engine: e}
	awake := newInbox(t, c, waker, placeFile(t))
	awake.session = time.Second
	end := run(t, awake.Run)
	eventually(t, "the other takes what moved", func() bool { return feedbackFacts(t, e) == 40 })
	own.wire.away.Store(false)
	close(goOn)
	eventually(t, "it goes on where it stood", func() bool { return sleeper.calls.Load() >= 5 })
	end()
	eventually(t, "it takes what is left", func() bool { return keptOffsets(t, path) == 40 })
	lost, twice := effects(t, e, 40)
	fault{"a stopped consumer wakes after its partitions moved", 40, lost, twice, "who counts deliveries", 0, int(sleeper.calls.Load()+waker.calls.Load()) - 40}.tell(t)
}

// forTable reports whether this run is for the table: then faults last as long as it says.
func forTable() bool { return os.Getenv("WARY_FAULTS") != "" }

// TestRebalancesEverySecond: members of a group come and go once a second while
// messages arrive, each with offsets of long ago. The control counts what all of them
// took.
func TestRebalancesEverySecond(t *testing.T) {
	c, e := newCluster(t, 4, kfake.GroupMinSessionTimeout(time.Second), kfake.ClusterID("c")), newEngine(t)
	k := &taker{engine: e}
	rounds, each := 2, 30
	if forTable() {
		rounds = 10
	}
	all := documents(t, e, rounds*each)
	run(t, newInbox(t, c, k, placeFile(t)).Run)
	generations := rebalances.Get()
	for i := 0; i < rounds || k.calls.Load() <= int64(len(all)); i++ {
		path := placeFile(t)
		if err := writePlace(path, &inboxPlace{Cluster: "c", Topic: Told, Offsets: map[int]int64{0: 0, 1: 0, 2: 0, 3: 0}}); err != nil {
			t.Fatal(err)
		}
		end := run(t, newInbox(t, c, k, path).Run)
		if i < rounds {
			tell(t, c, 1, all[i*each:(i+1)*each]...)
		}
		time.Sleep(time.Second)
		end()
		if t.Context().Err() != nil || i > 100 {
			t.Fatal("nothing ever comes again")
		}
	}
	eventually(t, "all is taken", func() bool { return k.known() == len(all) })
	if n := rebalances.Get() - generations; int(n) < rounds {
		t.Errorf("%d new generations in %d rounds", n, rounds)
	}
	lost, twice := effects(t, e, len(all))
	fault{"rebalances every second", len(all), lost, twice, "who counts deliveries", 0, int(k.calls.Load()) - len(all)}.tell(t)
}

// TestOutOfOrder: labels in any order, before and after others of the same decision, each
// some times; and stretches of a log in an order that no outbox makes have no deed
// folded twice. The control counts deliveries.
func TestOutOfOrder(t *testing.T) {
	c, e, path := newCluster(t, 3), newEngine(t), placeFile(t)
	k := &taker{engine: e}
	all := documents(t, e, 60)
	again := append(slices.Clone(all), all[:30]...)
	rand.New(rand.NewPCG(1, 2)).Shuffle(len(again), func(i, j int) { again[i], again[j] = again[j], again[i] })
	for i := range again {
		again[i].Key = fmt.Append(nil, i) // what is about one decision is in several partitions
	}
	tell(t, c, 1, again...)
	run(t, newInbox(t, c, k, path).Run)
	eventually(t, "all is taken", func() bool { return keptOffsets(t, path) == int64(len(again)) })
	lost, twice := effects(t, e, len(all))
	fault{"messages out of order, half of them again", len(all), lost, twice, "who counts deliveries", 0, int(k.calls.Load()) - len(all)}.tell(t)
}

// TestFullDisk: while the place cannot be written publishing goes on; after a restart all
// of that is published again, and counted once. The control does not drop known ids.
func TestFullDisk(t *testing.T) {
	c, e := newCluster(t, 2), newEngine(t)
	dir := filepath.Join(t.TempDir(), "full")
	path := filepath.Join(dir, "place.json")
	score(t, e, "a", 1100)
	unkept, before := outboxUnkept.Get(), publishedTotal.Get()
	end := run(t, newStateOutbox(t, e, c.settings, path).Run) // no such folder: it cannot be written
	want := uint64(len(logged(t, e).ids))
	eventually(t, "all is published", func() bool { return publishedTotal.Get()-before >= want })
	end()
	if outboxUnkept.Get() == unkept {
		t.Error("control: the place could be written")
	}
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	run(t, newStateOutbox(t, e, c.settings, path).Run)
	eventually(t, "all is published", reached(t, e, path))
	got := hear(c.all(t, Decisions, Changes))
	wantAll(t, e, got)
	lost, twice := harm(t, c, e, got)
	fault{"the place cannot be written: the disk is full", len(got.ids), lost, twice, "who does not drop known ids", 0, got.records - len(got.ids)}.tell(t)
}

// TestHourAway: Kafka is away for an hour of traffic at one attempt a second (five for
// the table), and comes back: every score is answered and logged meanwhile, and all is
// published after. The control publishes from memory, and keeps the newest thousand.
func TestHourAway(t *testing.T) {
	attempts := 3600
	if forTable() {
		attempts *= 5
	}
	c, e, path := newCluster(t, 4), newEngine(t), placeFile(t)
	run(t, newStateOutbox(t, e, c.settings, path).Run)
	_, took := timed(t, e, "before", attempts/4)
	eventually(t, "all is published", reached(t, e, path))
	failures := outboxFailures.Get()
	c.wire.cut()
	ids, tookAway := timed(t, e, "meanwhile", attempts)
	eventually(t, "publishing fails", func() bool { return outboxFailures.Get() > failures })
	if len(ids) != attempts || reached(t, e, path)() {
		t.Errorf("%d scored while Kafka is away", len(ids))
	}
	memory := make(chan string, 1000)
	dropped := 0
	for _, id := range ids {
		select {
		case memory <- id:
		default:
			dropped++
		}
	}
	c.wire.away.Store(false)
	eventually(t, "all is published", reached(t, e, path))
	got := hear(c.all(t, Decisions, Changes))
	wantAll(t, e, got)
	lost, twice := harm(t, c, e, got)
	fault{"Kafka is away for an hour", len(got.ids), lost, twice, "who buffers a thousand in memory", dropped, 0}.tell(t)
	note("score p99 while Kafka is away: %v, while it is there: %v (%+.0f %%), of one caller on a machine that does other work",
		tookAway, took, 100*(float64(tookAway)/float64(took)-1))
}

// timed scores n attempts and returns their ids and the 99th percentile of how long each took.
func timed(t testing.TB, e *engine.Engine, name string, n int) (ids []string, p99 time.Duration) {
	t.Helper()
	took := make([]time.Duration, 0, n)
	for i := range n {
		var x engine.Assessment
		a := &x.Attempt
		a.ID, a.Action, a.Subject, a.Time = fmt.Sprint(name, i), signals.Login, fmt.Sprint("person ", i%1000), testStart.Add(time.Duration(i)*time.Second/5)
		a.Client.ID, a.Network.IP = "shop", fmt.Sprintf("20.1.%d.7", i%200)
		a.Authentication.Result = signals.Success
		x.Body = []byte(a.ID)
		started := time.Now()
		if err := e.Score(&x, a.Time); err != nil {
			t.Fatal(err)
		}
		took = append(took, time.Since(started))
		ids = append(ids, x.Decision.ID.String())
	}
	slices.Sort(took)
	return ids, took[len(took)*99/100]
}

// TestBrokerGoes: the network to the broker is cut, again and again, while facts are
// published and read by another scorer and labels arrive. The control is a publisher
// that tries once. TestRealBroker does the same with kill -9.
func TestBrokerGoes(t *testing.T) {
	c := newCluster(t, 3)
	c.settings.Timeout = 5 * time.Second
	a, b, all := openNode(t, t.TempDir(), 1), openNode(t, t.TempDir(), 2), openNode(t, t.TempDir(), 99)
	a.join(c)
	b.join(c)
	conn, err := c.settings.connect()
	if err != nil {
		t.Fatal(err)
	}
	w := conn.writer(conn.transport())
	defer w.Close()
	dropped := 0
	var s story
	for range 6 {
		s.tell(t, 40, all.e, a, b)
		c.wire.cut()
		s.tell(t, 20, all.e, a, b)
		if w.WriteMessages(within(t), kafka.Message{Topic: Told, Value: []byte("{}")}) != nil {
			dropped++
		}
		c.wire.away.Store(false)
	}
	drain(t, a, b)
	alike(t, all.e, a, b)
	lost, facts := 0, 0
	got := hear(c.all(t, Decisions, Feedback, Changes))
	for _, n := range []*node{a, b} {
		for id := range logged(t, n.e).ids {
			facts++
			if !got.ids[id] {
				lost++
			}
		}
	}
	fault{"the broker goes and comes back", facts, lost, 0, "who tries once (of 6)", dropped, 0}.tell(t)
	for _, n := range []*node{a, b, all} {
		n.close()
	}
}
