package feedback

import (
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/waryauth/wary/engine"
	"github.com/waryauth/wary/models"
	"github.com/waryauth/wary/models/modeltest"
	"github.com/waryauth/wary/signals"
)

// registry returns a registry of two models, and their digests.
func registry(t *testing.T) (r *models.Registry, a, b string) {
	t.Helper()
	dir := t.TempDir()
	r = models.NewRegistry(filepath.Join(dir, "models"), nil, modeltest.Load(t, "own", -6, -5))
	var digests []string
	for i, name := range []string{"a", "b"} {
		text, card := modeltest.Stump(name, 0, 0.5, -6, float64(i))
		modeltest.Folder(t, filepath.Join(dir, name), text, card)
		m, err := r.Add(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		digests = append(digests, m.Digest())
	}
	return r, digests[0], digests[1]
}

// TestPromoteAndRollback: one call makes a model champion, one brings the one before
// back, the embedded one too, and each says by whom.
func TestPromoteAndRollback(t *testing.T) {
	r, a, b := registry(t)
	if _, err := Rollback(r, "anna"); err == nil {
		t.Error("back to nobody")
	}
	if err := r.Name(models.Names{Challenger: a}); err != nil {
		t.Fatal(err)
	}
	for _, step := range []struct {
		do   func() (models.Names, error)
		want models.Names
	}{
		{func() (models.Names, error) { return Promote(r, a, "anna") }, models.Names{Champion: a, By: "anna"}},
		{func() (models.Names, error) { return Rollback(r, "ben") }, models.Names{Before: a, By: "ben"}},
		{func() (models.Names, error) { return Rollback(r, "anna") }, models.Names{Champion: a, By: "anna"}},
		{func() (models.Names, error) { return Promote(r, b, "ben") }, models.Names{Champion: b, Before: a, By: "ben"}},
		{func() (models.Names, error) { return Promote(r, b, "cleo") }, models.Names{Champion: b, Before: a, By: "ben"}}, // nothing changes
		{func() (models.Names, error) { return Rollback(r, "anna") }, models.Names{Champion: a, Before: b, By: "anna"}},
	} {
		if got, err := step.do(); err != nil || got != step.want {
			t.Errorf("%+v, %v, want %+v", got, err, step.want)
		}
		if got, err := r.Names(); err != nil || got != step.want {
			t.Errorf("the file says %+v, %v, want %+v", got, err, step.want)
		}
	}
	if _, err := Promote(r, "sha256:"+strings.Repeat("0", 64), "anna"); err == nil {
		t.Error("a model that is not there was promoted")
	}
}

// decided is an attempt that both models looked at.
func decided(was, is engine.Outcome, label signals.FeedbackValue, at time.Time) *Row {
	r := &Row{Weight: 1}
	r.Logged, r.Label = at, label
	r.Decision = &engine.Decision{ModelDigest: "was", Outcome: was}
	r.Shadow = &engine.Shadow{Digest: "is", Outcome: is}
	return r
}

// TestShadowed: each word is said on its evidence, and on too little of it none is.
func TestShadowed(t *testing.T) {
	now := turnNow
	fresh, old := now.Add(-time.Hour), now.Add(-20*24*time.Hour)
	times := func(n int, r *Row) (out []*Row) {
		for range n {
			out = append(out, r)
		}
		return out
	}
	spared := times(2000, decided(engine.Allow, engine.Allow, 0, fresh)) // named by nobody
	for _, c := range []struct {
		word Word
		rows [][]*Row
	}{
		{Wait, nil},
		{Wait, [][]*Row{spared, times(6, decided(engine.Allow, engine.StepUp, signals.Fraud, fresh))}},
		{Better, [][]*Row{spared, times(7, decided(engine.Allow, engine.StepUp, signals.Fraud, fresh))}},
		{Better, [][]*Row{spared, times(5, decided(engine.Allow, engine.StepUp, signals.Legitimate, fresh)), times(7, decided(engine.Allow, engine.Deny, signals.Fraud, fresh))}},
		{Wait, [][]*Row{times(200, spared[0]), times(7, decided(engine.Allow, engine.StepUp, signals.Fraud, fresh))}}, // is it harmless?
		{Harmful, [][]*Row{spared, times(60, decided(engine.Allow, engine.StepUp, 0, fresh)), times(9, decided(engine.Allow, engine.StepUp, signals.Fraud, fresh))}},
		// Many are newly challenged, and as many are not any more: they are other people.
		{Better, [][]*Row{spared, times(300, decided(engine.Allow, engine.StepUp, 0, fresh)), times(300, decided(engine.StepUp, engine.Allow, signals.Legitimate, fresh)), times(7, decided(engine.Allow, engine.StepUp, signals.Fraud, fresh))}},
		{Worse, [][]*Row{spared, times(7, decided(engine.StepUp, engine.Allow, signals.Fraud, old))}},
		{Wait, [][]*Row{spared, times(7, decided(engine.StepUp, engine.Allow, signals.Fraud, fresh))}},                                                                            // what the champion lets in is not known yet
		{Wait, [][]*Row{spared, times(7, decided(engine.Allow, engine.StepUp, signals.Fraud, fresh)), times(7, decided(engine.Deny, engine.Allow, 0, fresh))}},                    // denied, and never named: fraud
		{Better, [][]*Row{spared, times(7, decided(engine.Allow, engine.StepUp, signals.Fraud, fresh)), times(7, decided(engine.Deny, engine.Allow, signals.Legitimate, fresh))}}, // but for what is known
		{Alike, [][]*Row{times(1, decided(engine.Allow, engine.Allow, 0, now.Add(-29*24*time.Hour))), spared}},
	} {
		rows := func(yield func(*Row, error) bool) {
			other := decided(engine.Allow, engine.Deny, signals.Fraud, old) // of another champion's time
			other.Decision.ModelDigest = "before"
			for _, part := range append(c.rows, times(50, other)) {
				for _, r := range part {
					if !yield(r, nil) {
						return
					}
				}
			}
		}
		w, err := Shadowed(t.Context(), rows, "was", "is", now, Rules{})
		if err != nil || w.Word != c.word {
			t.Errorf("%s, want %s: %+v, %v", w.Word, c.word, w, err)
		}
		all := w.Fraud.Both + w.Fraud.Champion + w.Fraud.Challenger + w.Fraud.Neither + w.Honest.Both + w.Honest.Champion + w.Honest.Challenger + w.Honest.Neither
		if all != w.Attempts {
			t.Errorf("%d attempts, the tables have %d", w.Attempts, all)
		}
	}
}

// TestSettle: a better challenger is promoted, a worse one shadows no more, and
// without a word nothing is done.
func TestSettle(t *testing.T) {
	for _, c := range []struct {
		word       Word
		champion   bool
		challenger bool
	}{{Wait, false, true}, {Better, true, false}, {Worse, false, false}, {Harmful, false, false}, {Alike, false, false}} {
		r, a, b := registry(t)
		if err := r.Name(models.Names{Champion: a, Challenger: b}); err != nil {
			t.Fatal(err)
		}
		done, err := Settle(r, &Watch{Challenger: b, Word: c.word}, "loop")
		n, _ := r.Names()
		if err != nil || done != (c.word != Wait) || (n.Champion == b) != c.champion || (n.Challenger == b) != c.challenger {
			t.Errorf("%s: %v, %+v, %v", c.word, done, n, err)
		}
		if _, err := Settle(r, &Watch{Challenger: "sha256:other", Word: Better}, "loop"); err == nil {
			t.Errorf("%s: a model that does not shadow was settled", c.word)
		}
	}
}
