package feedback

import (
	"context"
	"errors"
	"iter"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/waryauth/wary/engine"
	"github.com/waryauth/wary/features"
	"github.com/waryauth/wary/models"
	"github.com/waryauth/wary/signals"
)

var turnNow = time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)

// logged yields 40 days of a log that tells fraud by one feature: 4 attempts an hour, of
// which the 48th is fraud, named two days later.
func logged(from, to time.Time) iter.Seq2[*Row, error] {
	policy := engine.DefaultPolicy()
	return func(yield func(*Row, error) bool) {
		n := 0
		for at := turnNow.Add(-40 * 24 * time.Hour); at.Before(turnNow); at = at.Add(15 * time.Minute) {
			if n++; at.Before(from) || !at.Before(to) {
				continue
			}
			var v features.Vector
			for i := range v {
				v[i] = float32(math.NaN())
			}
			r := &Row{Weight: 1}
			r.Case = engine.Case{Vector: &v, Logged: at, Action: signals.Login, User: features.Key(n%500 + 1), Policy: policy,
				Decision: &engine.Decision{Outcome: engine.Allow}, Shadow: &engine.Shadow{}}
			v[columns[caughtMark]] = float32(n % 2)
			if n%48 == 1 {
				v[columns[caughtMark]] = 1
				if r.Label, r.Source, r.Said = signals.Fraud, signals.Chargeback, at.Add(48*time.Hour); r.Said.After(turnNow) {
					r.Label = 0
				}
			}
			if !yield(r, nil) {
				return
			}
		}
	}
}

// stumpTrainer grows the same small model of whatever there is.
func stumpTrainer(_ context.Context, s *Slices) ([]byte, models.Card, error) {
	if s.Training.Fraud() == 0 || s.Calibrating.Fraud() == 0 {
		return nil, models.Card{}, errors.New("no fraud to learn from")
	}
	text, card := grownFrom("", nil, models.Calibration{Kind: models.Uncalibrated}, split{columns[caughtMark], -6, -4})
	return text, card, nil
}

func turnIn(dir string, own *models.Model) *Turn {
	return &Turn{Folder: filepath.Join(dir, "retrain"), Registry: models.NewRegistry(filepath.Join(dir, "models"), nil, own),
		Train: stumpTrainer, Rows: logged, Now: turnNow, By: "anna",
		Trial: Trial{Limits: Limits{Fraud: 5}, Latency: func(*models.Model) time.Duration { return time.Microsecond }}}
}

func own(t *testing.T) *models.Model {
	text, card := grownFrom("own", nil, models.Calibration{Kind: models.Uncalibrated}, split{columns[caughtMark], -6, -4.1})
	return loaded(t, text, card)
}

// TestTurn: a candidate that no gate refuses is the registry's challenger, and its card
// tells the window, the slices and every gate's figures.
func TestTurn(t *testing.T) {
	dir := t.TempDir()
	x := turnIn(dir, own(t))
	v, err := x.Run(t.Context())
	if err != nil || v.Refused != "" {
		t.Fatal(v, err)
	}
	names, err := x.Registry.Names()
	if err != nil || names.Challenger != v.Digest || names.Champion != "" || names.By != "anna" {
		t.Fatalf("%+v, %v", names, err)
	}
	m, err := x.Registry.Model(v.Digest)
	if err != nil {
		t.Fatal(err)
	}
	card := m.Card()
	if card.Version != "turn-20260301-0000" || card.Data.To.After(turnNow.Add(-7*24*time.Hour)) {
		t.Errorf("%+v", card.Data)
	}
	for _, name := range []string{"gate.auc_pr.candidate", "gate.recall.low", "gate.families.login.champion", "gate.outcome_rates.deny.candidate", "gate.calibration.ece.candidate",
		"gate.drift.psi", "gate.latency.candidate_us", "gate.golden.failed", "gate.evidence.fraud"} {
		if _, ok := card.Metrics[name]; !ok {
			t.Errorf("the card does not tell %s", name)
		}
	}
	if _, err := x.Run(t.Context()); !errors.Is(err, ErrShadowing) {
		t.Errorf("a second turn while the challenger shadows: %v", err)
	}
	x.Replace, x.Now = true, turnNow.Add(-time.Hour)
	x.Version = ""
	if again, err := x.Run(t.Context()); err != nil || again.Digest == v.Digest {
		t.Errorf("a turn that may replace it: %+v, %v", again, err)
	}
}

// TestBadCandidates: what is no model of this schema is refused with a plain reason, is
// not added and serves nothing.
func TestBadCandidates(t *testing.T) {
	shifted, _ := grownFrom("", nil, models.Calibration{Kind: models.Uncalibrated}, split{columns[caughtMark], 3, 5})
	good, card := grownFrom("", nil, models.Calibration{Kind: models.Uncalibrated}, split{columns[caughtMark], -6, -4})
	for _, c := range []struct {
		name, says string
		text       string
		schema     string
	}{
		{"NaN", "leaf_value", strings.Replace(string(good), "leaf_value=-6 -4", "leaf_value=-6 nan", 1), ""},
		{"truncated", "line", string(good[:len(good)*9/10]), ""},
		{"of another schema", "schema", string(good), "sha256:" + strings.Repeat("0", 64)},
		{"shifted", RatesGate, string(shifted), ""},
		{"empty", "load", "", ""},
	} {
		x := turnIn(t.TempDir(), own(t))
		x.Train = func(context.Context, *Slices) ([]byte, models.Card, error) {
			made := card
			if c.schema != "" {
				made.Schema = c.schema
			}
			return []byte(c.text), made, nil
		}
		v, err := x.Run(t.Context())
		if err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		if v.Refused == "" || !strings.Contains(v.Refused, c.says) {
			t.Errorf("%s: refused %q, want a word of %s", c.name, v.Refused, c.says)
		}
		if _, err := x.Registry.Names(); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s: somebody is named: %v", c.name, err)
		}
		if entries, err := x.Registry.List(); err != nil || len(entries) != 1 {
			t.Errorf("%s: %d models in the registry, %v", c.name, len(entries), err)
		}
	}
}

// TestTurnIsAlone: two turns at once are one.
func TestTurnIsAlone(t *testing.T) {
	x := turnIn(t.TempDir(), own(t))
	inside, outside := make(chan struct{}), make(chan struct{})
	x.Train = func(ctx context.Context, s *Slices) ([]byte, models.Card, error) {
		close(inside)
		<-outside
		return stumpTrainer(ctx, s)
	}
	done := make(chan error, 1)
	go func() {
		_, err := x.Run(t.Context())
		done <- err
	}()
	<-inside
	second := *x
	if _, err := second.Run(t.Context()); !errors.Is(err, ErrTurning) {
		t.Errorf("a second turn at once: %v", err)
	}
	close(outside)
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// TestTurnThatFails: without fraud there is an error and nothing to go on with.
func TestTurnThatFails(t *testing.T) {
	x := turnIn(t.TempDir(), own(t))
	x.Train = func(context.Context, *Slices) ([]byte, models.Card, error) {
		return nil, models.Card{}, errors.New("no memory")
	}
	if _, err := x.Run(t.Context()); err == nil || !strings.Contains(err.Error(), "no memory") {
		t.Errorf("%v", err)
	}
	if _, err := LastTurn(x.Folder); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the state is still there: %v", err)
	}
	x.Rows = func(time.Time, time.Time) iter.Seq2[*Row, error] { return func(func(*Row, error) bool) {} }
	if _, err := x.Run(t.Context()); err == nil || !strings.Contains(err.Error(), "no attempt older") {
		t.Errorf("of an empty log: %v", err)
	}
}

// crashVariable asks the test's own program to make a turn and die at a step.
const crashVariable = "WARY_TEST_CRASH"

// TestTurnIsGoneOnWith: a turn that is killed at any step, by a process that ends there
// and then, ends as one that was not, in the same model. What was whole is not made
// again.
func TestTurnIsGoneOnWith(t *testing.T) {
	if at := os.Getenv(crashVariable); at != "" {
		crash(t, at)
		return
	}
	whole, err := turnIn(t.TempDir(), own(t)).Run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, step := range []string{begun, growing, "trained", grown, judging, judged, added} {
		dir := t.TempDir()
		cmd := exec.Command(os.Args[0], "-test.run=^TestTurnIsGoneOnWith$")
		cmd.Env = append(os.Environ(), crashVariable+"="+step+"|"+dir)
		out, err := cmd.CombinedOutput()
		var exit *exec.ExitError
		if !errors.As(err, &exit) || exit.ExitCode() != 9 {
			t.Fatalf("%s: the process ended otherwise: %v\n%s", step, err, out)
		}
		x := turnIn(dir, own(t))
		x.Now = turnNow.Add(time.Hour) // later: the window is the one that was begun
		trained := false
		x.Train = func(ctx context.Context, s *Slices) ([]byte, models.Card, error) {
			trained = true
			return stumpTrainer(ctx, s)
		}
		v, err := x.Run(t.Context())
		if err != nil || v.Digest != whole.Digest || !v.To.Equal(turnNow) {
			t.Fatalf("%s: %+v, %v, want digest %s", step, v, err, whole.Digest)
		}
		names, err := x.Registry.Names()
		if err != nil || names.Challenger != whole.Digest {
			t.Errorf("%s: %+v shadows, %v", step, names, err)
		}
		if want := step == begun || step == reading || step == growing || step == "trained"; trained != want {
			t.Errorf("%s: grown again is %v", step, trained)
		}
	}
	// The control: a day later the window is not the newest, and a turn begins anew.
	dir := t.TempDir()
	x := turnIn(dir, own(t))
	if err := os.MkdirAll(x.Folder, 0o700); err != nil {
		t.Fatal(err)
	}
	if _, err := x.resume(); err != nil {
		t.Fatal(err)
	}
	x.Now = turnNow.Add(25 * time.Hour)
	if v, err := x.resume(); err != nil || !v.To.Equal(x.Now) {
		t.Errorf("%+v, %v", v, err)
	}
}

// crash makes a turn that ends the process as a kill would, when it is at a step.
func crash(t *testing.T, at string) {
	step, dir, _ := strings.Cut(at, "|")
	x := turnIn(dir, own(t))
	x.Progress = func(told string) {
		if told == step {
			os.Exit(9)
		}
	}
	x.Train = func(ctx context.Context, s *Slices) ([]byte, models.Card, error) {
		text, card, err := stumpTrainer(ctx, s)
		x.Progress("trained")
		return text, card, err
	}
	_, err := x.Run(t.Context())
	t.Fatalf("nothing ended it: %v", err)
}
