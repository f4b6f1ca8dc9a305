package engine

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/waryauth/wary/features"
	"github.com/waryauth/wary/internal/journal"
	"github.com/waryauth/wary/models"
	"github.com/waryauth/wary/models/modeltest"
	"github.com/waryauth/wary/signals"
)

// calm and harsh are models that answer low and high to everything.
func calm(t testing.TB) *models.Model  { return modeltest.Load(t, "calm", -8, -7) }
func harsh(t testing.TB) *models.Model { return modeltest.Load(t, "harsh", 3, 4) }

func serving(champion, challenger *models.Model) func(*Options) {
	return func(o *Options) { o.Model, o.Challenger = champion, challenger }
}

// replayLog makes every decision of a data folder's log again and returns how many
// there are and what differs.
func replayLog(t testing.TB, dir string, find func(digest string) (*models.Model, error)) (n int, different []string) {
	t.Helper()
	r := NewReplayer(find)
	r.Policies = filepath.Join(dir, PolicyFolder)
	for rec, err := range journal.Records(filepath.Join(dir, "journal"), journal.Address{}) {
		if err != nil {
			t.Fatal(err)
		}
		got, ok, err := r.Replay(rec)
		if err != nil {
			t.Fatal(err)
		}
		if !ok {
			continue
		}
		n++
		if !got.Identical {
			different = append(different, got.Why)
		}
	}
	return n, different
}

// keptIn finds models where the engine keeps them.
func keptIn(dir string) func(string) (*models.Model, error) {
	return func(digest string) (*models.Model, error) {
		return models.LoadDir(filepath.Join(dir, ModelFolder, strings.TrimPrefix(digest, "sha256:")))
	}
}

// TestChallengerDecidesNothing: with a challenger that would deny everybody the
// answers are those of the champion alone, and what it said stands in the receipt.
func TestChallengerDecidesNothing(t *testing.T) {
	a, b := calm(t), harsh(t)
	alone, both := open(t, t.TempDir(), serving(a, nil)), open(t, t.TempDir(), serving(a, b))
	defer alone.Close()
	defer both.Close()
	before := challengedTotal[Allow][Deny].Get()
	for i := range 8 {
		at := testStart.Add(time.Duration(i) * time.Hour)
		x, y := score(t, alone, home(fmt.Sprint("a-", i), at)), score(t, both, home(fmt.Sprint("a-", i), at))
		if !bytes.Equal(appendAnswer(nil, &x.Decision), appendAnswer(nil, &y.Decision)) || y.Decision.ModelDigest != a.Digest() || y.Decision.Outcome != Allow {
			t.Fatalf("the challenger changed the answer: %+v, %+v", x.Decision, y.Decision)
		}
		if x.Shadow != (Shadow{}) || len(x.buf)+80 > len(y.buf) {
			t.Fatalf("a shadow of nobody: %+v; facts of %d and %d bytes", x.Shadow, len(x.buf), len(y.buf))
		}
		r, err := both.Receipt(y.Decision.ID.String())
		if err != nil {
			t.Fatal(err)
		}
		var p models.Prediction
		b.Predict(&p, &r.Vector)
		want := Shadow{Version: "harsh", Digest: b.Digest(), Raw: p.Raw, Probability: p.Probability, Contributions: p.Contributions,
			Points: Points(p.Probability), Level: High, Outcome: Deny, Degraded: r.Decision.Degraded}
		if r.Shadow != want || r.Decision.ModelDigest != a.Digest() {
			t.Fatalf("the receipt has %+v, want %+v", r.Shadow, want)
		}
	}
	if got := challengedTotal[Allow][Deny].Get() - before; got != 8 {
		t.Errorf("%d decisions counted on which the two differ, want 8", got)
	}
	if p, ok := successes(t, alone, testStart.Add(9*time.Hour)), successes(t, both, testStart.Add(9*time.Hour)); p != ok {
		t.Errorf("%d and %d successes: the challenger changed what is learned", p, ok)
	}
}

// TestEvaluateAsksTheChampionOnly, also with memory in which a challenger answered.
func TestEvaluateAsksTheChampionOnly(t *testing.T) {
	e := open(t, t.TempDir(), serving(calm(t), harsh(t)))
	defer e.Close()
	x := score(t, e, home("a", testStart))
	if x.Shadow.Digest == "" {
		t.Fatal("the challenger was not asked")
	}
	if err := e.Evaluate(x, testStart); err != nil || x.Shadow != (Shadow{}) {
		t.Errorf("%v, %+v", err, x.Shadow)
	}
}

// TestReplayRemakesBoth. The controls: a challenger's answer with one bit changed, and
// another model found by its digest.
func TestReplayRemakesBoth(t *testing.T) {
	dir, second := t.TempDir(), harsh(t)
	e := open(t, dir, serving(calm(t), second))
	settle(t, e, 5)
	if err := e.SetModels(models.Serving{Champion: second}); err != nil {
		t.Fatal(err)
	}
	x := score(t, e, home("last", testStart.Add(240*time.Hour)))
	if x.Decision.Outcome != Deny || x.Decision.ModelVersion != "harsh" {
		t.Fatalf("the new champion does not decide: %+v", x.Decision)
	}
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	if n, different := replayLog(t, dir, keptIn(dir)); n != 6 || different != nil {
		t.Errorf("%d decisions, different: %q", n, different)
	}
	other := modeltest.Load(t, "harsh", 3.5, 4)
	_, different := replayLog(t, dir, func(digest string) (*models.Model, error) {
		if digest == second.Digest() {
			return other, nil
		}
		return keptIn(dir)(digest)
	})
	if len(different) != 6 || !strings.HasPrefix(different[0], "the challenger gives") || !strings.HasPrefix(different[5], "the model gives") {
		t.Errorf("control: another challenger goes unseen: %q", different)
	}
	_, different = replayLog(t, dir, func(digest string) (*models.Model, error) {
		if digest == second.Digest() {
			return nil, os.ErrNotExist
		}
		return keptIn(dir)(digest)
	})
	if len(different) != 6 || !strings.HasPrefix(different[0], "challenger: model sha256:") {
		t.Errorf("a missing challenger goes unseen: %q", different)
	}
}

func TestReplaySeesEveryPartOfTheShadow(t *testing.T) {
	dir := t.TempDir()
	e := open(t, dir, serving(calm(t), harsh(t)))
	x := score(t, e, home("x", testStart))
	rec, err := e.log.Read(x.Decision.ID.At, nil)
	if err := errors.Join(err, e.Close()); err != nil {
		t.Fatal(err)
	}
	r := NewReplayer(keptIn(dir))
	r.Policies = filepath.Join(dir, PolicyFolder)
	f := func(name string, want bool, change func(s *Shadow)) {
		t.Helper()
		var x Assessment
		if err := x.readDecision(bytes.Clone(rec.Payload)); err != nil {
			t.Fatal(err)
		}
		change(&x.Shadow)
		changed := rec
		changed.Payload = x.appendDecision(nil)
		got, _, err := r.Replay(changed)
		if err != nil || got.Identical != want {
			t.Errorf("%s: identical %v, %s, %v", name, got.Identical, got.Why, err)
		}
	}
	f("nothing", true, func(*Shadow) {})
	f("raw", false, func(s *Shadow) { s.Raw = math.Nextafter(s.Raw, 9) })
	f("probability", false, func(s *Shadow) { s.Probability = math.Nextafter(s.Probability, 0) })
	f("contribution", false, func(s *Shadow) { s.Contributions[features.Families-1] += 1e-6 })
	f("points", false, func(s *Shadow) { s.Points-- })
	f("level", false, func(s *Shadow) { s.Level = Low })
	f("outcome", false, func(s *Shadow) { s.Outcome = Allow })
	f("degraded", false, func(s *Shadow) { s.Degraded ^= DegradedState })
	f("version", false, func(s *Shadow) { s.Version = "Harsh" })
}

// TestOtherFacts: a fact of another version, or with more or less in it, is refused.
func TestOtherFacts(t *testing.T) {
	e := open(t, t.TempDir())
	defer e.Close()
	x := score(t, e, home("x", testStart))
	var y Assessment
	if err := y.readDecision(x.buf); err != nil || !bytes.Equal(y.appendDecision(nil), x.buf) {
		t.Fatalf("control: it does not read as the same decision: %v", err)
	}
	for name, bad := range map[string][]byte{"version 1": append([]byte{1}, x.buf[1:]...), "version 2": append([]byte{2}, x.buf[1:]...), "version 4": append([]byte{4}, x.buf[1:]...),
		"more": append(bytes.Clone(x.buf), 0), "less": x.buf[:len(x.buf)-1]} {
		if err := new(Assessment).readDecision(bad); err == nil {
			t.Errorf("%s is read", name)
		}
	}
}

// TestSetModelsIsRecorded before the first decision, and kept where replay looks.
func TestSetModelsIsRecorded(t *testing.T) {
	dir := t.TempDir()
	e := open(t, dir, serving(calm(t), nil))
	score(t, e, home("a", testStart))
	if err := e.SetModels(models.Serving{Champion: harsh(t), Challenger: calm(t), By: "anna"}); err != nil {
		t.Fatal(err)
	}
	score(t, e, home("b", testStart.Add(time.Hour)))
	if err := e.SetModels(models.Serving{}); err != nil {
		t.Fatal(err)
	}
	x := score(t, e, home("c", testStart.Add(2*time.Hour)))
	if x.Decision.Degraded&DegradedModel == 0 || x.Decision.Outcome == Allow || e.Ready() == nil {
		t.Errorf("without a model: %+v", x.Decision)
	}
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	var story []string
	for rec, err := range journal.Records(filepath.Join(dir, "journal"), journal.Address{}) {
		if err != nil {
			t.Fatal(err)
		}
		switch rec.Kind {
		case KindChange:
			var c change
			if err := json.Unmarshal(rec.Payload, &c); err != nil {
				t.Fatal(err)
			}
			if c.What == "model" {
				from := map[string]string{"": "", calm(t).Digest(): " from calm", harsh(t).Digest(): " from harsh"}[c.From]
				story = append(story, c.Version+"/"+c.ChallengerVersion+from+c.By)
			}
		case KindDecision:
			var x Assessment
			if err := x.readDecision(rec.Payload); err != nil {
				t.Fatal(err)
			}
			story = append(story, "decided by "+x.Decision.ModelVersion)
		}
	}
	want := []string{"calm/", "decided by calm", "harsh/calm from calmanna", "decided by harsh", "/ from harsh", "decided by "}
	if fmt.Sprint(story) != fmt.Sprint(want) {
		t.Errorf("the log tells %q, want %q", story, want)
	}
	if n, different := replayLog(t, dir, keptIn(dir)); n != 3 || different != nil {
		t.Errorf("%d decisions, different: %q", n, different)
	}
}

// TestSetModelsNeedsTheLog: what cannot be recorded does not come into force.
func TestSetModelsNeedsTheLog(t *testing.T) {
	dir := t.TempDir()
	e := open(t, dir, serving(calm(t), nil))
	if err := os.RemoveAll(filepath.Join(dir, ModelFolder)); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, ModelFolder), nil, 0o600); err != nil { // no folder can be made there
		t.Fatal(err)
	}
	if err := e.SetModels(models.Serving{Champion: harsh(t)}); err == nil || e.Model().Version() != "calm" {
		t.Errorf("a model that could not be kept: %v, %s serves", err, e.Model().Version())
	}
	if err := os.Remove(filepath.Join(dir, ModelFolder)); err != nil {
		t.Fatal(err)
	}
	if err := e.crash(); err != nil {
		t.Fatal(err)
	}
	if err := e.SetModels(models.Serving{Champion: harsh(t)}); err == nil || e.Model().Version() != "calm" {
		t.Errorf("a model that could not be logged: %v, %s serves", err, e.Model().Version())
	}
}

// TestShadowOfAFault: what the champion was told to be careful about, the challenger is too.
func TestShadowOfAFault(t *testing.T) {
	e := open(t, t.TempDir(), serving(calm(t), calm(t)), func(o *Options) { o.Locator = nil })
	defer e.Close()
	a := home("pay", testStart)
	a.Action = signals.Payment
	x := score(t, e, a)
	if x.Decision.Degraded != DegradedGeo || x.Shadow.Degraded != DegradedGeo || x.Shadow.Outcome != x.Decision.Outcome || x.Decision.Outcome == Allow {
		t.Errorf("the same model under the same fault: %s %v and %s %v", OutcomeNames[x.Decision.Outcome], x.Decision.Degraded, OutcomeNames[x.Shadow.Outcome], x.Shadow.Degraded)
	}
}
