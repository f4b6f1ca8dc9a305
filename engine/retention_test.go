package engine

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/waryauth/wary/signals"
)

// TestRetentionWaitsForASnapshot: whatever retention is told, state survives a
// kill: the log keeps what the last snapshot has not.
func TestRetentionWaitsForASnapshot(t *testing.T) {
	dir := t.TempDir()
	e := open(t, dir, small)
	at := settle(t, e, 8)
	fill(t, e, "a-", 40, at)
	want := successes(t, e, at)
	for range 2 {
		if n, err := e.Retire(); err != nil || n != 0 {
			t.Errorf("%d segments were retired before there is a snapshot, %v", n, err)
		}
		if err := e.crash(); err != nil {
			t.Fatal(err)
		}
		e = open(t, dir, small)
		if got := successes(t, e, at); got != want {
			t.Fatalf("%d successes, want %d", got, want)
		}
	}
	retire(t, e)
	settle2 := score(t, e, home("after", at.Add(time.Hour)))
	if settle2.Decision.Outcome == StepUp {
		say(t, e, settle2, signals.StepUpPassed, at.Add(time.Hour))
	}
	fill(t, e, "b-", 40, at)
	want = successes(t, e, at.Add(2*time.Hour))
	for range 2 {
		if err := e.crash(); err != nil {
			t.Fatal(err)
		}
		e = open(t, dir, small)
		if _, err := e.Retire(); err != nil { // of what the snapshot does not cover, none
			t.Error(err)
		}
		if got := successes(t, e, at.Add(2*time.Hour)); got != want {
			t.Fatalf("after the second start: %d successes, want %d", got, want)
		}
	}
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
}

// TestLessonOutlivesItsDecision: feedback that taught after a snapshot teaches
// again when the log is read, though the decision it was about is retired.
func TestLessonOutlivesItsDecision(t *testing.T) {
	dir := t.TempDir()
	e := open(t, dir, small)
	at := settle(t, e, 6)
	a := home("pending", at)
	a.Authentication.Result = signals.Pending
	pending := score(t, forceAllow(t, e), a)
	fill(t, e, "a-", 40, at)
	if err := e.Snapshot(); err != nil {
		t.Fatal(err)
	}
	say(t, e, pending, signals.OutcomeSuccess, at)
	want := successes(t, e, at)
	if n, err := e.Retire(); err != nil || n == 0 {
		t.Fatalf("%d retired, %v", n, err)
	}
	if _, err := e.Receipt(pending.Decision.ID.String()); !errors.Is(err, ErrID) {
		t.Fatalf("the decision is still there: %v", err)
	}
	if err := e.crash(); err != nil {
		t.Fatal(err)
	}
	e = open(t, dir, small)
	defer e.Close()
	if got := successes(t, e, at); got != want {
		t.Errorf("%d successes, want %d", got, want)
	}
}

// TestSnapshotOfAnotherPast: after a loss of power the log may be shorter than the
// snapshot says. It is set aside for good: the log grows over its address.
func TestSnapshotOfAnotherPast(t *testing.T) {
	dir := t.TempDir()
	e := open(t, dir)
	settle(t, e, 6)
	if err := e.crash(); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "journal", "00000001.wal")
	shorter, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	e = open(t, dir)
	at := testStart.Add(200 * time.Hour)
	score(t, e, home("lost", at))
	if err := errors.Join(e.Snapshot(), e.crash(), os.WriteFile(path, shorter, 0o600)); err != nil {
		t.Fatal(err)
	}
	e = open(t, dir)
	for i := range 3 { // further than the snapshot says
		a := home("other", at.Add(time.Duration(i)*time.Hour))
		a.Subject = "bert"
		score(t, e, a)
	}
	want := successes(t, e, at.Add(24*time.Hour))
	if err := e.crash(); err != nil {
		t.Fatal(err)
	}
	e = open(t, dir)
	defer e.Close()
	if got := successes(t, e, at.Add(24*time.Hour)); got != want {
		t.Errorf("%d successes of anna, want %d: the snapshot of what was lost came back", got, want)
	}
}

// TestSnapshotLeftovers: what a kill leaves of a snapshot does not pile up.
func TestSnapshotLeftovers(t *testing.T) {
	dir := t.TempDir()
	e := open(t, dir)
	if err := os.WriteFile(e.snapshotPath()+".new", []byte("half"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	found, err := filepath.Glob(filepath.Join(dir, "*snapshot*"))
	if err != nil || len(found) != 1 {
		t.Errorf("%v, %v", found, err)
	}
}

// TestLargestPolicy: a policy that is accepted can be written to the log.
func TestLargestPolicy(t *testing.T) {
	text := bytes.Clone(defaultPolicy)
	text = append(text, "# "...)
	text = append(text, bytes.Repeat([]byte("x"), MaxPolicyBytes-len(text))...)
	p, err := ParsePolicy(text)
	if err != nil {
		t.Fatal(err)
	}
	e := open(t, t.TempDir(), func(o *Options) { o.Policy = p })
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := ParsePolicy(append(text, 'x')); err == nil {
		t.Error("a larger one is accepted")
	}
}
