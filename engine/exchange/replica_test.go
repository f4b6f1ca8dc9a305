package exchange

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/twmb/franz-go/pkg/kfake"

	"github.com/waryauth/wary/engine"
	"github.com/waryauth/wary/features"
	"github.com/waryauth/wary/features/history"
	"github.com/waryauth/wary/internal/journal"
	"github.com/waryauth/wary/signals"
)

var testSecret = [32]byte{1, 2, 3}

// node is one scorer of several.
type node struct {
	t      testing.TB
	dir    string
	number uint16
	e      *engine.Engine
	r      *Replica
	end    []func()
}

func openNode(t testing.TB, dir string, number uint16) *node {
	t.Helper()
	n := &node{t: t, dir: dir, number: number}
	n.open()
	return n
}

func (n *node) open() {
	n.t.Helper()
	e, err := engine.Open(n.dir, engine.Options{Secret: testSecret, Node: n.number, RetryEntries: 1 << 12, JoinEntries: 1 << 12, Now: func() time.Time { return testStart }})
	if err != nil {
		n.t.Fatal(err)
	}
	n.e = e
}

// join runs the node's outbox and replica until leave.
func (n *node) join(c *cluster) {
	n.t.Helper()
	r, err := NewReplica(n.e, c.settings, testSecret[:])
	if err != nil {
		n.t.Fatal(err)
	}
	o, err := NewOutbox(n.e, c.settings, OutboxOptions{Path: n.outbox(), Secret: testSecret[:]})
	if err != nil {
		n.t.Fatal(err)
	}
	n.r = r
	n.end = []func(){run(n.t, r.Run), run(n.t, o.Run)}
}

func (n *node) outbox() string { return filepath.Join(n.dir, OutboxFile) }

func (n *node) leave() {
	for _, end := range n.end {
		end()
	}
	n.end = nil
}

func (n *node) close() {
	n.t.Helper()
	n.leave()
	if err := n.e.Close(); err != nil {
		n.t.Error(err)
	}
}

// crash ends the node as a kill would, in that its snapshot stays what it was.
func (n *node) crash() {
	n.t.Helper()
	path := filepath.Join(n.dir, "state.snapshot")
	was, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		n.t.Fatal(err)
	}
	n.close()
	if was == nil {
		err = os.Remove(path)
	} else {
		err = os.WriteFile(path, was, 0o600)
	}
	if err != nil {
		n.t.Fatal(err)
	}
}

// heardAll reports whether the node has folded all of another's log.
func (n *node) heardAll(of *node) bool {
	n.r.folding.Lock()
	defer n.r.folding.Unlock()
	k, end := n.r.seen.Nodes[of.number], of.e.End()
	return !k.place().Less(end)
}

// drain waits until each of the nodes has heard all of the others.
func drain(t testing.TB, nodes ...*node) {
	t.Helper()
	for _, n := range nodes {
		for _, of := range nodes {
			if of != n {
				eventually(t, fmt.Sprintf("node %d hears all of node %d", n.number, of.number), func() bool { return n.heardAll(of) })
			}
		}
	}
}

// story is what happens to people, one step after the other.
type story struct{ step int }

// next is the next step: of whom it is, and what an engine is told.
func (s *story) next() (person int, tell func(testing.TB, *engine.Engine)) {
	i := s.step
	s.step++
	person = i * 7 % 40
	at := testStart.Add(time.Duration(i) * 13 * time.Second)
	return person, func(t testing.TB, e *engine.Engine) {
		t.Helper()
		var x engine.Assessment
		a := &x.Attempt
		a.ID, a.Action, a.Subject, a.Time = fmt.Sprint("attempt ", i), signals.Login, fmt.Sprint("person ", person), at
		a.Client.ID, a.Network.IP = fmt.Sprint("shop ", i%3), fmt.Sprintf("20.1.%d.%d", i%5, i%11)
		a.Device.ID = fmt.Sprint("device ", person, i%2)
		a.Headers.UserAgent = []string{"Mozilla/5.0 (X11; Linux x86_64) Firefox/121.0", "curl/8.1"}[i%2]
		a.Authentication.Result = []signals.Result{signals.Success, signals.Pending, signals.Failure}[i%3]
		x.Body = []byte(a.ID)
		if err := e.Score(&x, at); err != nil {
			t.Fatal(err)
		}
		say := func(id string, v signals.FeedbackValue) {
			f := signals.Feedback{ID: fmt.Sprint(id, i), DecisionID: x.Decision.ID.String(), Kind: v.Kind(), Value: v, Source: signals.System, Time: at}
			if err := e.Feedback(&f, at); err != nil {
				t.Fatal(err)
			}
		}
		switch i % 3 {
		case 0:
			say("passed", signals.StepUpPassed)
		case 1:
			say("outcome", []signals.FeedbackValue{signals.OutcomeSuccess, signals.OutcomeFailure}[i/3%2])
			say("passed", signals.StepUpPassed)
		}
		if i%17 == 0 {
			ev := signals.Event{ID: fmt.Sprint("event ", i), Type: []signals.EventType{signals.PasswordChanged, signals.ClientChanged, signals.SubjectErased}[i/17%3], Subject: a.Subject, Client: a.Client.ID, Time: at}
			if err := e.Event(&ev, at); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// tell tells n steps to one engine, and each to the node that its person belongs to.
func (s *story) tell(t testing.TB, n int, all *engine.Engine, nodes ...*node) {
	t.Helper()
	for range n {
		person, step := s.next()
		step(t, all)
		step(t, nodes[person%len(nodes)].e)
	}
}

// traces returns whom the decisions in a log are about.
func traces(t testing.TB, e *engine.Engine) (out []features.Trace) {
	t.Helper()
	f := e.Follow(journal.Address{})
	defer f.Close()
	for {
		fact, err := f.Next()
		if err == io.EOF {
			return out
		}
		if err != nil {
			t.Fatal(err)
		}
		if fact.Decision != nil {
			out = append(out, fact.Decision.Trace)
		}
	}
}

// recalled is all that is remembered of those whom traces name, in text: every count,
// sum, bitmap and estimate.
func recalled(e *engine.Engine, of []features.Trace) (out []string) {
	e.Fold(func(s *history.Store) {
		for i := range of {
			var p features.Profile
			s.Recall(&p, &of[i])
			sum := sha256.Sum256(fmt.Appendf(nil, "%+v", p))
			out = append(out, string(sum[:]))
		}
		stats := s.Len()
		out = append(out, fmt.Sprint(stats.Users, stats.Shared, stats.Pairs, stats.Accounts, stats.Values))
	})
	return out
}

// alike compares the state of nodes with that of one engine that saw everything.
func alike(t *testing.T, all *engine.Engine, nodes ...*node) {
	t.Helper()
	of := traces(t, all)
	want := recalled(all, of)
	for _, n := range nodes {
		differ := 0
		got := recalled(n.e, of)
		for i := range want {
			if got[i] != want[i] {
				differ++
			}
		}
		if differ > 0 {
			t.Errorf("node %d: %d of %d profiles differ from those of one that saw everything", n.number, differ, len(want))
		}
	}
}

// TestReplicas: two and three nodes among which people are shared out remember, bit for
// bit, what one remembers that saw everything. The control is a node that hears nobody.
func TestReplicas(t *testing.T) {
	for _, n := range []int{2, 3} {
		c, all := newCluster(t, 3), openNode(t, t.TempDir(), 99)
		var nodes []*node
		for i := range n {
			nodes = append(nodes, openNode(t, t.TempDir(), uint16(i+1)))
			nodes[i].join(c)
		}
		var s story
		s.tell(t, 300, all.e, nodes...)
		drain(t, nodes...)
		alike(t, all.e, nodes...)
		of := traces(t, all.e)
		deaf := openNode(t, t.TempDir(), 50)
		if slices.Equal(recalled(deaf.e, of), recalled(all.e, of)) {
			t.Error("control: who hears nobody remembers the same")
		}
		for _, n := range append(nodes, all, deaf) {
			n.close()
		}
	}
}

// TestReplicaCrashes: kills of nodes between a fold and the next snapshot, of the
// outbox between an acknowledgement and its place, and every fifth acknowledgement
// lost: nothing is counted twice, nothing is missing. The control folds again what a
// reader without marks would.
func TestReplicaCrashes(t *testing.T) {
	c, all := newCluster(t, 2), openNode(t, t.TempDir(), 99)
	defer all.close()
	a, b := openNode(t, t.TempDir(), 1), openNode(t, t.TempDir(), 2)
	c.wire.nth = 5
	var s story
	known := replicaKnown.Get()
	for round := range 6 {
		a.join(c)
		b.join(c)
		s.tell(t, 60, all.e, a, b)
		if round%2 == 0 {
			drain(t, a, b)
		}
		if round == 1 {
			if err := b.e.Snapshot(); err != nil {
				t.Fatal(err)
			}
		}
		if round == 3 { // as a kill before the place was written would have it
			if err := os.Remove(a.outbox()); err != nil {
				t.Fatal(err)
			}
		}
		b.crash()
		b.open()
		if round%3 == 2 {
			a.crash()
			a.open()
		}
		a.leave()
	}
	a.join(c)
	b.join(c)
	drain(t, a, b)
	alike(t, all.e, a, b)
	if replicaKnown.Get() == known {
		t.Error("control: nothing came twice: nothing was put to the test")
	}
	b.leave()
	b.r.folding.Lock()
	b.r.seen = seen{b.r.seen.Cluster, map[int]int64{}, map[uint16]mark{}} // forgets, and is told all again
	b.r.folding.Unlock()
	end := run(t, b.r.Run)
	eventually(t, "all is heard again", func() bool { return b.heardAll(a) })
	end()
	of := traces(t, all.e)
	if slices.Equal(recalled(b.e, of), recalled(all.e, of)) {
		t.Error("control: what is folded twice makes no difference")
	}
	a.close()
	b.close()
}

// TestSeed: a new node begins with another's snapshot and hears the rest. The control
// begins with nothing, when the topic has lost its beginning.
func TestSeed(t *testing.T) {
	c, all := newCluster(t, 2), openNode(t, t.TempDir(), 99)
	defer all.close()
	a, b := openNode(t, t.TempDir(), 1), openNode(t, t.TempDir(), 2)
	a.join(c)
	b.join(c)
	var s story
	s.tell(t, 100, all.e, a, b)
	drain(t, a, b)
	if err := a.e.Snapshot(); err != nil {
		t.Fatal(err)
	}
	s.tell(t, 100, all.e, a, b)
	snapshot, err := os.ReadFile(filepath.Join(a.dir, "state.snapshot"))
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, engine.SeedFile), snapshot, 0o600); err != nil {
		t.Fatal(err)
	}
	n := openNode(t, dir, 3)
	n.join(c)
	drain(t, a, b, n)
	alike(t, all.e, a, b, n)
	n.crash() // without a snapshot of its own: it begins with the seed again
	n.open()
	n.join(c)
	drain(t, a, b, n)
	alike(t, all.e, n)
	// People move to it: what they did elsewhere is heard before, and is in a snapshot. Else
	// a restart folds it after what they did here, and their last place is another.
	if err := n.e.Snapshot(); err != nil {
		t.Fatal(err)
	}
	s.tell(t, 100, all.e, a, b, n)
	n.crash()
	n.open()
	n.join(c)
	drain(t, a, b, n)
	alike(t, all.e, a, b, n)

	late := openNode(t, t.TempDir(), 4)
	gaps := replicaGaps.Get()
	r, err := NewReplica(late.e, c.settings, testSecret[:])
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range stateMessages(t, c) {
		if m.Offset > 0 {
			r.take(t.Context(), &m)
		}
	}
	if replicaGaps.Get() == gaps || slices.Equal(recalled(late.e, traces(t, all.e)), recalled(all.e, traces(t, all.e))) {
		t.Error("control: a beginning that is missing is not noticed")
	}
	own := filepath.Join(a.dir, "state.snapshot")
	a.close()
	if err := os.Rename(own, filepath.Join(a.dir, engine.SeedFile)); err != nil {
		t.Fatal(err)
	}
	if _, err := engine.Open(a.dir, engine.Options{Secret: testSecret, Node: 1}); err == nil {
		t.Error("a node is seeded with its own snapshot")
	}
	for _, n := range []*node{b, n, late} {
		n.close()
	}
}

// stateMessages returns what stands in the topic of state.
func stateMessages(t testing.TB, c *cluster) (out []kafka.Message) {
	t.Helper()
	for _, r := range c.all(t, State) {
		out = append(out, kafka.Message{Topic: r.Topic, Partition: int(r.Partition), Offset: r.Offset, Value: r.Value, Key: r.Key})
	}
	return out
}

// TestDisorder: each message of state three times, and stretches that come again late
// and cut otherwise, fold once. The control counts the deliveries.
func TestDisorder(t *testing.T) {
	a, b, all := openNode(t, t.TempDir(), 1), openNode(t, t.TempDir(), 2), openNode(t, t.TempDir(), 99)
	c := newCluster(t, 1)
	var s story
	s.tell(t, 200, all.e, a)
	r, err := NewReplica(b.e, c.settings, testSecret[:])
	if err != nil {
		t.Fatal(err)
	}
	folded, known := replicaFolded.Get(), replicaKnown.Get()
	all1, cut := stretches(t, a.e, 1<<20), stretches(t, a.e, 7)
	deliver := func(s stretch) { m := s.message(r.key); r.take(t.Context(), &m) }
	for i, s := range cut {
		for range 3 {
			deliver(s)
		}
		if i%5 == 4 {
			deliver(cut[i-4])
			deliver(cut[i/2])
		}
	}
	for _, s := range all1 {
		deliver(s)
	}
	alike(t, all.e, b)
	if n := replicaKnown.Get() - known; n < 3*(replicaFolded.Get()-folded) {
		t.Errorf("control: %d deeds folded, only %d came again", replicaFolded.Get()-folded, n)
	}
	a.close()
	b.close()
	all.close()
}

// stretches cuts a log into stretches of so many facts.
func stretches(t testing.TB, e *engine.Engine, facts int) (out []stretch) {
	t.Helper()
	f := e.Follow(journal.Address{})
	defer f.Close()
	from := journal.Address{}
	for n := 0; ; n++ {
		fact, err := f.Next()
		if err == io.EOF {
			return out
		}
		if err != nil {
			t.Fatal(err)
		}
		if n%facts == 0 {
			out = append(out, stretch{node: e.Node(), from: from})
		}
		s := &out[len(out)-1]
		s.deeds, s.next = appendDeed(s.deeds, fact), fact.Next
		from = s.next
	}
}

// TestNewLog: a node that comes back with an empty disk and the same number is heard, as
// its facts are younger than all that is known of it; what it published before is not
// counted again. A gap, and a number that two nodes have, are told.
func TestNewLog(t *testing.T) {
	b := openNode(t, t.TempDir(), 2)
	defer b.close()
	c := newCluster(t, 1)
	r, err := NewReplica(b.e, c.settings, testSecret[:])
	if err != nil {
		t.Fatal(err)
	}
	deliver := func(s stretch) { m := s.message(r.key); r.take(t.Context(), &m) }
	var s story
	before, all := openNode(t, t.TempDir(), 1), openNode(t, t.TempDir(), 99)
	s.tell(t, 50, all.e, before)
	old := stretches(t, before.e, 10)
	for _, s := range old {
		deliver(s)
	}
	s.step = 300
	after := openNode(t, t.TempDir(), 1)
	s.tell(t, 20, all.e, after)
	news, known := replicaNewLogs.Get(), replicaKnown.Get()
	deliver(old[1])
	for _, s := range stretches(t, after.e, 7) {
		deliver(s)
		deliver(s)
	}
	alike(t, all.e, b)
	if replicaNewLogs.Get() != news+1 || replicaKnown.Get() == known {
		t.Errorf("%d new logs, %d known deeds", replicaNewLogs.Get()-news, replicaKnown.Get()-known)
	}
	gaps, others := replicaGaps.Get(), replicaOthers.Get()
	end := after.e.End()
	deliver(stretch{node: 1, from: journal.Address{Segment: end.Segment, Offset: end.Offset + 9}, next: journal.Address{Segment: end.Segment, Offset: end.Offset + 10}})
	deliver(stretch{node: 2, next: journal.Address{Segment: 900}})
	if replicaGaps.Get() != gaps+1 || replicaOthers.Get() != others+1 {
		t.Errorf("%d gaps, %d others", replicaGaps.Get()-gaps, replicaOthers.Get()-others)
	}
	for _, n := range []*node{before, after, all} {
		n.close()
	}
}

// TestForeignState: who has not our secret, and what is damaged, changes nothing; what
// another build wrote is waited for. The control is the message as it was.
func TestForeignState(t *testing.T) {
	a, b := openNode(t, t.TempDir(), 1), openNode(t, t.TempDir(), 2)
	defer a.close()
	defer b.close()
	c := newCluster(t, 1)
	r, err := NewReplica(b.e, c.settings, testSecret[:])
	if err != nil {
		t.Fatal(err)
	}
	score(t, a.e, "a", 5)
	s := stretches(t, a.e, 100)[0]
	folded, refused := replicaFolded.Get(), replicaRefused.Get()
	good := s.message(r.key)
	forged := s.message(stateKey([]byte("another")))
	flipped := good
	flipped.Value = slices.Clone(good.Value)
	flipped.Value[40] ^= 1
	short := stretch{node: 1, next: s.next, deeds: s.deeds[:len(s.deeds)-1]}
	unknown := stretch{node: 1, next: s.next, deeds: slices.Clone(s.deeds)}
	unknown.deeds[16] = 77
	for _, m := range []kafka.Message{forged, flipped, {Value: good.Value[:20]}, {}, short.message(r.key), unknown.message(r.key)} {
		if err := r.apply(&m); err == nil {
			t.Error("it is taken")
		}
	}
	if replicaFolded.Get() != folded || replicaRefused.Get() != refused+6 {
		t.Errorf("%d folded, %d refused", replicaFolded.Get()-folded, replicaRefused.Get()-refused)
	}
	other := good.Value[:len(good.Value)-sha256.Size]
	other = append([]byte{stateVersion + 1}, other[1:]...)
	m := kafka.Message{Value: append(other, codeOf(r.key, other)...), Offset: 3}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if r.take(ctx, &m) || !errors.Is(r.apply(&m), errBuild) || r.seen.Offsets[0] == 4 {
		t.Error("what another build wrote is passed over")
	}
	if err := r.apply(&good); err != nil || replicaFolded.Get() != folded+5 {
		t.Errorf("control: %d folded (%v)", replicaFolded.Get()-folded, err)
	}
}

// TestReplicaElsewhere: another cluster has other offsets, and what was folded is not
// folded again.
func TestReplicaElsewhere(t *testing.T) {
	a, b, all := openNode(t, t.TempDir(), 1), openNode(t, t.TempDir(), 2), openNode(t, t.TempDir(), 99)
	first := newCluster(t, 2, kfake.ClusterID("first"))
	var s story
	a.join(first)
	b.join(first)
	s.tell(t, 60, all.e, a, b)
	drain(t, a, b)
	a.close()
	b.close()
	a.open()
	b.open()
	if err := os.Remove(a.outbox()); err != nil { // all of it is published again, to the new one
		t.Fatal(err)
	}
	second := newCluster(t, 5, kfake.ClusterID("second"))
	a.join(second)
	b.join(second)
	s.tell(t, 60, all.e, a, b)
	drain(t, a, b)
	alike(t, all.e, a, b)
	for _, n := range []*node{a, b, all} {
		n.close()
	}
}

func FuzzState(f *testing.F) {
	key := stateKey([]byte("k"))
	e := newEngine(f)
	everything(f, e, 3)
	for _, s := range stretches(f, e, 4) {
		m := s.message(key)
		f.Add(m.Value[:len(m.Value)-sha256.Size])
	}
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		var s stretch
		if s.read(b, key) == nil {
			t.Error("a message without a code is taken")
		}
		if s.read(append(b, codeOf(key, b)...), key) != nil {
			return
		}
		var d deed
		state := history.New(history.Options{MaxEntities: 1})
		for left := s.deeds; len(left) > 0; {
			rest, err := d.read(left)
			if err != nil {
				return
			}
			if len(rest) >= len(left) {
				t.Fatal("nothing was read")
			}
			d.fold(state)
			left = rest
		}
	})
}
