package feedback

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/waryauth/wary/internal/journal"
	"github.com/waryauth/wary/models"
)

// Trainer grows a model from a turn's slices and calibrates it: the text, and a card
// that tells schema, calibration and how it was grown; the turn adds the rest. The same slices
// must give the same bytes, or a turn that was broken off ends in another model.
type Trainer func(ctx context.Context, s *Slices) (text []byte, card models.Card, err error)

// Turn is one turn of the loop: a window of the log becomes a candidate, gates judge
// it on the newest attempts, and if none refuses it, it is the challenger from then
// on. [Turn.Run] may be killed at any moment; the next one goes on where it was.
type Turn struct {
	Folder   string // of the turn's own: its state, and the candidate until it is in the registry
	Registry *models.Registry
	Train    Trainer
	// Rows yields the attempts of a time, the oldest first. It is read more than once.
	Rows func(from, to time.Time) iter.Seq2[*Row, error]
	Now  time.Time

	Window  time.Duration // how far back; 90 days
	Later   time.Duration // the days that end growing and calibrate; 7
	Judge   time.Duration // the days that judge, the newest; 7
	Settled time.Duration // from this age on an attempt that nobody named fraud is legitimate; 30 days
	Most    int           // legitimate attempts at most, of more every so many; 200,000

	// Prior is the share of fraud that probabilities are for, 0 the log's own. The
	// policy's thresholds are for the champion's.
	Prior   float64
	Version string // of the candidate
	By      string // who has it done, for the log
	Trial   Trial  // how it is judged: limits, policy and golden set
	// Sign, unless nil, signs the candidate in its folder.
	Sign func(dir string) error
	// Replace lets the candidate take the place of a challenger that still shadows.
	Replace bool

	// Progress, unless nil, is told what begins, and each step that is whole.
	Progress func(step string)
}

// Errors of a turn that a caller branches on.
var (
	ErrTurning   = errors.New("another turn is under way")
	ErrShadowing = errors.New("a challenger is shadowing: promote it, or name none")
)

// Steps of a turn, in order. A turn's state names the last that is whole.
const (
	begun  = "begun"  // the window is fixed
	grown  = "grown"  // the candidate lies in its folder, calibrated
	judged = "judged" // its card tells what the gates said
	added  = "added"  // it is in the registry
	ended  = "ended"  // it shadows, or it was refused
)

// What Progress is told as it begins.
const (
	reading = "reading the window"
	growing = "growing"
	judging = "judging"
	adding  = "signing and adding"
)

// Verdict is what became of a turn.
type Verdict struct {
	Step    string    `json:"step"`
	From    time.Time `json:"from"` // of the window
	To      time.Time `json:"to"`
	Version string    `json:"version"`
	By      string    `json:"by,omitempty"`
	Digest  string    `json:"digest,omitempty"`
	Gates   []Gate    `json:"gates,omitempty"`
	Refused string    `json:"refused,omitempty"` // why the candidate does not shadow
}

// StateFile is the name, in a turn's folder, of the file that says how far it is.
const StateFile = "turn.json"

// stale is from which age a turn that was broken off is not gone on with: its window
// is not the newest any more.
const stale = 24 * time.Hour

func (t *Turn) defaults() {
	const day = 24 * time.Hour
	t.Window, t.Later, t.Judge = cmp.Or(t.Window, 90*day), cmp.Or(t.Later, 7*day), cmp.Or(t.Judge, 7*day)
	t.Settled, t.Most = cmp.Or(t.Settled, 30*day), cmp.Or(t.Most, 200_000)
	if t.Version == "" {
		t.Version = "turn-" + t.Now.UTC().Format("20060102-1504")
	}
}

func (t *Turn) candidate() string { return filepath.Join(t.Folder, "candidate") }

// Run makes a turn, or goes on with one that was broken off less than a day ago. A
// candidate that is refused is no error: Verdict.Refused says why. While another
// process is at it, it is ErrTurning; while a challenger shadows, ErrShadowing.
func (t *Turn) Run(ctx context.Context) (*Verdict, error) {
	t.defaults()
	if err := os.MkdirAll(t.Folder, 0o700); err != nil {
		return nil, err
	}
	unlock, err := lock(filepath.Join(t.Folder, "lock"))
	if err != nil {
		return nil, err
	}
	defer unlock()
	v, err := t.resume()
	if err != nil {
		return nil, err
	}
	if err := t.carry(ctx, v); err != nil {
		if ctx.Err() == nil { // what cannot be made is begun anew, not tried for ever
			err = errors.Join(err, os.Remove(filepath.Join(t.Folder, StateFile)))
		}
		return nil, err
	}
	return v, nil
}

// lock holds a file until unlock, or the process's end.
func lock(path string) (unlock func(), err error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		_ = f.Close()
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, ErrTurning
		}
		return nil, fmt.Errorf("lock %s: %w", path, err)
	}
	return func() { _ = f.Close() }, nil // closing gives the lock back
}

// resume returns the turn that was broken off, or a new one, begun.
func (t *Turn) resume() (*Verdict, error) {
	if v, err := LastTurn(t.Folder); err == nil && v.Step != ended && t.Now.Sub(v.To) < stale {
		t.Version = v.Version
		return v, nil
	}
	names, err := servedBy(t.Registry)
	if err != nil {
		return nil, err
	}
	if names.Challenger != "" && !t.Replace {
		return nil, fmt.Errorf("%w: %s", ErrShadowing, names.Challenger)
	}
	if err := os.RemoveAll(t.candidate()); err != nil {
		return nil, err
	}
	v := &Verdict{From: t.Now.Add(-t.Window).UTC(), To: t.Now.UTC(), Version: t.Version, By: t.By}
	return v, t.whole(v, begun)
}

// LastTurn returns the turn that a folder's state tells of.
func LastTurn(folder string) (*Verdict, error) {
	text, err := os.ReadFile(filepath.Join(folder, StateFile))
	if err != nil {
		return nil, err
	}
	v := &Verdict{}
	if err := json.Unmarshal(text, v); err != nil {
		return nil, fmt.Errorf("%s: %w", StateFile, err)
	}
	return v, nil
}

// whole writes that a step is whole.
func (t *Turn) whole(v *Verdict, step string) error {
	v.Step = step
	err := writeJSON(filepath.Join(t.Folder, StateFile), v)
	t.tell(step)
	return err
}

func writeJSON(path string, value any) error {
	text, err := json.MarshalIndent(value, "", "  ")
	if err != nil {
		return err
	}
	return journal.WriteFile(path, func(f *os.File) error {
		_, err := f.Write(append(text, '\n'))
		return err
	})
}

func (t *Turn) tell(step string) {
	if t.Progress != nil {
		t.Progress(step)
	}
}

// carry makes the steps that are left.
func (t *Turn) carry(ctx context.Context, v *Verdict) error {
	var w *window
	if v.Step == begun || v.Step == grown {
		var err error
		t.tell(reading)
		if w, err = t.read(ctx, v); err != nil {
			return err
		}
	}
	if v.Step == begun {
		t.tell(growing)
		if err := t.grow(ctx, v, w); err != nil {
			return err
		}
		if err := t.whole(v, grown); err != nil {
			return err
		}
	}
	if v.Step == grown {
		t.tell(judging)
		if err := t.judge(v, w); err != nil {
			return err
		}
		if v.Refused != "" {
			return t.whole(v, ended)
		}
		if err := t.whole(v, judged); err != nil {
			return err
		}
	}
	t.tell(adding)
	if v.Step == judged {
		if err := t.add(v); err != nil {
			return err
		}
		if err := t.whole(v, added); err != nil {
			return err
		}
	}
	if err := t.shadow(v); err != nil {
		return err
	}
	return t.whole(v, ended)
}

// grow has the candidate grown and puts it into its folder, whole or not at all.
func (t *Turn) grow(ctx context.Context, v *Verdict, w *window) error {
	text, card, err := t.Train(ctx, &w.slices)
	if err != nil {
		return fmt.Errorf("grow the candidate: %w", err)
	}
	card.Version, card.Created = v.Version, v.To
	card.Data = models.Data{Generator: "the log", Rows: len(w.slices.Training.Y) + len(w.slices.Stopping.Y), From: w.slices.Training.From, To: w.slices.Stopping.To}
	if card.Training != nil {
		card.Training.Slices = w.slices.told()
	}
	dir := t.candidate()
	if err := errors.Join(os.RemoveAll(dir), os.RemoveAll(dir+".new"), os.MkdirAll(dir+".new", 0o700)); err != nil {
		return err
	}
	err = errors.Join(writeJSON(filepath.Join(dir+".new", models.CardFile), card), journal.WriteFile(filepath.Join(dir+".new", models.TextFile), func(f *os.File) error {
		_, err := f.Write(text)
		return err
	}))
	if err != nil {
		return err
	}
	return os.Rename(dir+".new", dir)
}

// LoadGate is the first gate: that the candidate is a model at all, of this schema.
const LoadGate = "loads"

// judge puts the candidate to the gates and writes what they say into its card. What
// does not load is refused, as what the gates refuse.
func (t *Turn) judge(v *Verdict, w *window) error {
	candidate, err := models.LoadDir(t.candidate())
	if err != nil {
		g := gate(LoadGate)
		g.refuse("%v", err)
		v.Gates = []Gate{g}
		v.Refused = Refusals(v.Gates)
		return nil
	}
	champion, err := t.champion()
	if err != nil {
		return err
	}
	v.Gates = w.trial.Judge(champion, candidate)
	v.Refused = Refusals(v.Gates)
	card := candidate.Card()
	if card.Metrics = map[string]float64{}; v.Refused != "" {
		card.Notes = "Refused: " + v.Refused + "."
	}
	for _, g := range v.Gates {
		for name, x := range g.Figures {
			if x == x { // JSON has no NaN
				card.Metrics["gate."+g.Name+"."+name] = x
			}
		}
	}
	if err := writeJSON(filepath.Join(t.candidate(), models.CardFile), card); err != nil {
		return err
	}
	if candidate, err = models.LoadDir(t.candidate()); err != nil {
		return err
	}
	v.Digest = candidate.Digest()
	return nil
}

// champion returns the model that decides, by the registry.
func (t *Turn) champion() (*models.Model, error) {
	now, err := t.Registry.Read(models.Serving{})
	if now.Champion == nil {
		return nil, fmt.Errorf("the champion: %w", err)
	}
	return now.Champion, nil
}

func (t *Turn) add(v *Verdict) error {
	if t.Sign != nil {
		if err := t.Sign(t.candidate()); err != nil {
			return fmt.Errorf("sign the candidate: %w", err)
		}
	}
	m, err := t.Registry.Add(t.candidate())
	if err != nil {
		return err
	}
	v.Digest = m.Digest()
	return nil
}

// shadow names the candidate challenger.
func (t *Turn) shadow(v *Verdict) error {
	names, err := servedBy(t.Registry)
	if err != nil {
		return err
	}
	if names.Challenger == v.Digest || names.Champion == v.Digest {
		return nil
	}
	names.Challenger, names.By = v.Digest, v.By
	return t.Registry.Name(names)
}
