package engine

import (
	"fmt"
	"math"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/waryauth/wary/features"
	"github.com/waryauth/wary/signals"
	"github.com/waryauth/wary/signals/typing"
)

// hand draws what a person of a number types like: every field is normal, the
// person's mean round 5 and 1 wide, an attempt round that and 0.3 wide.
func hand(person, attempt uint64) (s typing.Summary) {
	own, now := rand.New(rand.NewPCG(1, person)), rand.New(rand.NewPCG(person, attempt))
	for i := range s {
		s[i] = float32(5 + own.NormFloat64() + 0.3*now.NormFloat64())
	}
	s[3] = float32(math.NaN())
	s[63] = min(s[63], 6.5) // a median latency below a second
	return s
}

// hands is a table of such people, those from a number on.
func hands(first uint64) (*typing.Table, error) {
	accounts := make([][]typing.Summary, 50)
	for u := range accounts {
		for i := range uint64(6) {
			accounts[u] = append(accounts[u], hand(first+uint64(u), i))
		}
	}
	return typing.Train(accounts, testStart)
}

var (
	firstHands  = sync.OnceValues(func() (*typing.Table, error) { return hands(1000) })
	secondHands = sync.OnceValues(func() (*typing.Table, error) { return hands(2000) })
)

func must(t testing.TB, table func() (*typing.Table, error)) *typing.Table {
	t.Helper()
	out, err := table()
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// typedBy is anna's login, typed by a person.
func typedBy(person, attempt uint64, at time.Time) signals.Attempt {
	a := home(fmt.Sprintf("typed-%d-%d", person, attempt), at)
	a.Behaviour.Keys.Rhythm, a.Behaviour.Keys.RhythmSet = hand(person, attempt), true
	return a
}

// glance is what an engine would say to a login typed by a person.
func glance(t testing.TB, e *Engine, person uint64, at time.Time) features.Vector {
	t.Helper()
	x := &Assessment{Attempt: typedBy(person, 99, at)}
	if err := e.Evaluate(x, at); err != nil {
		t.Fatal(err)
	}
	return x.Vector
}

const anna = 7

// typedFor lets anna log in, typing, until she is known.
func typedFor(t testing.TB, e *Engine, days uint64) time.Time {
	t.Helper()
	at := testStart
	for i := range days {
		x := score(t, e, typedBy(anna, i, at))
		if x.Decision.Outcome == StepUp {
			say(t, e, x, signals.StepUpPassed, at)
		}
		at = at.Add(24 * time.Hour)
	}
	return at
}

// TestTyped: anna is told from another by how she types, and an attempt that was not
// accepted teaches nothing.
func TestTyped(t *testing.T) {
	e := open(t, t.TempDir(), func(o *Options) { o.Typing = must(t, firstHands) })
	defer e.Close()
	at := typedFor(t, e, 6)
	own, other := glance(t, e, anna, at), glance(t, e, 8, at)
	if own[features.BehTypingKnown] != 6 || own[features.BehTypingRatio] <= 0 || other[features.BehTypingRatio] >= 0 {
		t.Errorf("known %v, ratio %v, of another %v", own[features.BehTypingKnown], own[features.BehTypingRatio], other[features.BehTypingRatio])
	}
	wrong := typedBy(8, 1, at)
	wrong.Authentication.Result = signals.Failure
	score(t, e, wrong)
	if after := glance(t, e, anna, at); after[features.BehTypingRatio] != own[features.BehTypingRatio] || after[features.BehTypingKnown] != 6 {
		t.Error("an attempt that failed has taught")
	}
	again := score(t, e, typedBy(anna, 5, at))
	if again.Vector[features.BehTypingReplayed] != 1 || own[features.BehTypingReplayed] != 0 {
		t.Errorf("a summary seen before: replayed %v, a new one %v", again.Vector[features.BehTypingReplayed], own[features.BehTypingReplayed])
	}
}

// TestTypedRestart: what is known of a rhythm is a fold of the log, be it read with
// the table, with another, or with none; and so it is through a snapshot.
func TestTypedRestart(t *testing.T) {
	table := func(o *Options) { o.Typing = must(t, firstHands) }
	dir := t.TempDir()
	e := open(t, dir, table)
	at := typedFor(t, e, 6)
	want := glance(t, e, anna, at)
	if err := e.crash(); err != nil {
		t.Fatal(err)
	}
	e = open(t, dir) // folds the log without a table
	if v := glance(t, e, anna, at); !math.IsNaN(float64(v[features.BehTypingRatio])) || v[features.BehTypingReplayed] != 0 {
		t.Errorf("without a table: ratio %v, replayed %v", v[features.BehTypingRatio], v[features.BehTypingReplayed])
	}
	if err := e.Close(); err != nil { // with a snapshot
		t.Fatal(err)
	}
	e = open(t, dir, table)
	if got := glance(t, e, anna, at); !sameBits(&got, &want) {
		t.Errorf("after restarts: ratio %v, was %v", got[features.BehTypingRatio], want[features.BehTypingRatio])
	}
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
}

func sameBits(a, b *features.Vector) bool {
	for i := range a {
		if math.Float32bits(a[i]) != math.Float32bits(b[i]) {
			return false
		}
	}
	return true
}

// TestSetTyping: under another table a rhythm is learnt anew, and the change stands
// in the log.
func TestSetTyping(t *testing.T) {
	e := open(t, t.TempDir(), func(o *Options) { o.Typing = must(t, firstHands) })
	at := typedFor(t, e, 3)
	if err := e.SetTyping(must(t, secondHands)); err != nil {
		t.Fatal(err)
	}
	if e.Typing() != must(t, secondHands) {
		t.Error("the other table is not in force")
	}
	if v := glance(t, e, anna, at); v[features.BehTypingKnown] != 0 {
		t.Errorf("under another table %v logins are known", v[features.BehTypingKnown])
	}
	score(t, e, typedBy(anna, 50, at))
	if v := glance(t, e, anna, at); v[features.BehTypingKnown] != 1 {
		t.Errorf("after one more %v logins are known", v[features.BehTypingKnown])
	}
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
}

// TestTypedLogins: of the log a table is learnt again, from what was accepted alone,
// at once or later.
func TestTypedLogins(t *testing.T) {
	dir := t.TempDir()
	e := open(t, dir)
	at := typedFor(t, e, 3)
	pending := typedBy(anna, 10, at)
	pending.Authentication.Result = signals.Pending
	x := score(t, e, pending)
	wrong := typedBy(8, 1, at)
	wrong.Authentication.Result = signals.Failure
	score(t, e, wrong)
	score(t, e, home("silent", at))
	lost := typedBy(anna, 11, at)
	lost.Authentication.Result = signals.Pending
	say(t, e, score(t, e, lost), signals.OutcomeFailure, at)
	say(t, e, x, signals.OutcomeSuccess, at)
	if x.Decision.Outcome == StepUp {
		say(t, e, x, signals.StepUpPassed, at)
	}
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	var got []typing.Summary
	for typed, err := range TypedLogins(dir) {
		if err != nil {
			t.Fatal(err)
		}
		if typed.User != x.Trace.User || typed.Class != signals.Mobile {
			t.Errorf("user %x on a %v", typed.User, typed.Class)
		}
		got = append(got, typed.Summary)
	}
	attempts := []uint64{0, 1, 2, 10}
	if len(got) != len(attempts) {
		t.Fatalf("%d accepted logins were typed, want %d", len(got), len(attempts))
	}
	for i, n := range attempts {
		want := hand(anna, n)
		for f := range want {
			if d := math.Abs(float64(got[i][f] - want[f])); d > 1.0/4096 || math.IsNaN(d) != math.IsNaN(float64(want[f])) {
				t.Errorf("login %d, field %d: %v, want %v", n, f, got[i][f], want[f])
			}
		}
	}
}
