package engine

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/waryauth/wary/signals"
)

// TestSnapshotWhileServing answers attempts and takes feedback before each write of
// a snapshot: were anybody made to wait for the snapshot, it would never end. After
// a crash, what the snapshot lacks comes from the log, and nothing is counted twice.
func TestSnapshotWhileServing(t *testing.T) {
	dir := t.TempDir()
	e := open(t, dir)
	at := settle(t, e, 6)
	of, state := e.freeze()
	w := &servingWriter{serve: func(n int) {
		a := home(fmt.Sprint("meanwhile-", n), at.Add(time.Duration(n)*time.Hour))
		a.Authentication.Result = signals.Pending
		a.Network.IP = fmt.Sprint("20.1.0.", n)
		x := score(t, e, a)
		say(t, e, x, []signals.FeedbackValue{signals.OutcomeSuccess, signals.OutcomeFailure}[n%2], a.Time)
	}}
	if err := e.writeSnapshot(w, of, state); err != nil {
		t.Fatal(err)
	}
	state.Close()
	if !of.At.Less(e.log.End()) || w.writes < 10 {
		t.Fatalf("control: %d writes, and the log ends where it did", w.writes)
	}
	look := func(e *Engine) string {
		x := &Assessment{Attempt: home("look", at.Add(100*time.Hour))}
		if err := e.Evaluate(x, x.Attempt.Time); err != nil {
			t.Fatal(err)
		}
		return fmt.Sprint(x.Vector, x.Decision.History)
	}
	want := look(e)
	sum := sha256.Sum256(w.Bytes())
	if err := os.WriteFile(e.snapshotPath(), append(w.Bytes(), sum[:]...), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := e.crash(); err != nil {
		t.Fatal(err)
	}
	e = open(t, dir)
	defer e.Close()
	if _, err := os.Stat(e.snapshotPath() + ".aside"); err == nil {
		t.Error("the snapshot was not taken")
	}
	if got := look(e); got != want {
		t.Errorf("after the restart\n%s\nbefore\n%s", got, want)
	}
}

// servingWriter does something before each of its first writes.
type servingWriter struct {
	bytes.Buffer
	serve  func(n int)
	writes int
}

func (w *servingWriter) Write(p []byte) (int, error) {
	if w.writes < 30 {
		w.serve(w.writes)
	}
	w.writes++
	return w.Buffer.Write(p)
}
