package engine

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/waryauth/wary/features"
	"github.com/waryauth/wary/features/history"
	"github.com/waryauth/wary/features/lists"
	"github.com/waryauth/wary/internal/journal"
	"github.com/waryauth/wary/internal/journal/ledger"
	"github.com/waryauth/wary/models"
	"github.com/waryauth/wary/signals"
)

// agentCache is how many user agents are remembered as parsed.
const agentCache = 1 << 15

// Open opens the engine whose log and snapshots lie in dir, and brings its
// memory to where the log ends. Close it to leave a snapshot behind.
func Open(dir string, o Options) (*Engine, error) {
	o.defaults()
	k := func(i int) uint64 { return binary.LittleEndian.Uint64(o.Secret[8*i:]) }
	e := &Engine{
		o: o, dir: dir, hasher: features.NewHasher(k(0), k(1)), seal: journal.Sealer{K0: k(2), K1: k(3)}, schema: schemaMark(),
		agents: signals.NewAgents(agentCache),
	}
	e.content = ledger.NewContent(uint64(e.hasher.Key(features.KindAttempt, "the point of contentHash")))
	e.clear()
	e.live.Store(&live{policy: o.Policy, lists: lists.Bind(o.Policy.lists, e.hasher), models: models.Serving{Champion: o.Model, Challenger: o.Challenger}, typing: o.Typing})
	var err error
	if e.log, err = journal.Open(filepath.Join(dir, JournalFolder), o.Journal); err != nil {
		return nil, fmt.Errorf("open log: %w", err)
	}
	if err = e.recover(); err == nil {
		err = e.recordStart()
	}
	if err != nil {
		return nil, errors.Join(err, e.log.Close())
	}
	return e, nil
}

func (o *Options) defaults() {
	if o.Policy == nil {
		o.Policy = DefaultPolicy()
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.RetryWindow <= 0 {
		o.RetryWindow = 5 * time.Minute
	}
	if o.RetryEntries <= 0 {
		o.RetryEntries = 1 << 20
	}
	if o.JoinEntries <= 0 {
		o.JoinEntries = 1 << 20
	}
}

// eventEntries is how many ids of events are remembered.
const eventEntries = 1 << 16

// clear empties the memory that the log makes.
func (e *Engine) clear() {
	e.state, e.origin = history.New(history.Options{MaxEntities: e.o.MaxEntities}), Origin{Node: e.o.Node}
	e.newLedgers()
}

func (e *Engine) newLedgers() {
	e.attempts, e.feedback = ledger.New[features.Key](e.o.RetryEntries), ledger.New[features.Key](e.o.JoinEntries)
	e.events, e.joins = ledger.New[features.Key](eventEntries), ledger.New[features.Key](e.o.JoinEntries)
}

// Close takes a snapshot and closes the log. No other call may be under way.
func (e *Engine) Close() error {
	err := e.Snapshot()
	return errors.Join(err, e.log.Close())
}

// recover brings memory to the end of the log: the newest snapshot that can be
// read, then every fact after it.
func (e *Engine) recover() error {
	from, err := e.restoreSnapshot()
	if err != nil {
		return err
	}
	started, n := time.Now(), 0
	e.log.Pin(from) // state needs all of the log from there on
	x := &Assessment{}
	for rec, err := range e.log.Records(from) {
		if err != nil {
			return fmt.Errorf("read log: %w", err)
		}
		if err := e.fold(rec, x); err != nil {
			return fmt.Errorf("log %d:%d: %w", rec.At.Segment, rec.At.Offset, err)
		}
		n++
	}
	if n > 0 {
		slog.Info("state is the fold of the log", "facts", n, "seconds", time.Since(started).Seconds())
	}
	return nil
}

// fold does again what a fact did to memory when it was made. x is memory to read into.
func (e *Engine) fold(rec journal.Record, x *Assessment) error {
	switch rec.Kind {
	case KindDecision:
		if err := x.readDecision(rec.Payload); err != nil {
			return err
		}
		e.state.Touch(&x.Trace) // nobody has recalled it
		e.foldDecision(x, rec.At, rec.Time)
	case KindFeedback:
		var f feedbackFact
		if err := f.read(rec.Payload); err != nil {
			return err
		}
		e.foldFeedback(&f, rec.At, rec.Time)
	case KindEvent:
		var f EventFact
		if err := json.Unmarshal(rec.Payload, &f); err != nil {
			return err
		}
		e.foldEvent(&f, rec.At, rec.Time)
	case KindChange:
	default:
		return errFact
	}
	return nil
}

// change is a policy or the models that came into force. The log holds the policy's
// text; beside it the text is kept in the data folder, as models are, since
// retention may remove the segment it stands in before the decisions it made.
type change struct {
	What    string // "policy", "model" or "typing"
	Digest  string // of the policy, the champion or the typing table; "" where there is none
	Version string
	Text    []byte `json:",omitempty"`

	Challenger, ChallengerVersion string `json:",omitempty"` // its digest and version, with "model"
	From, By                      string `json:",omitempty"` // the champion of before, and who had it changed
}

func (e *Engine) recordPolicy(p *Policy) error {
	if err := p.save(filepath.Join(e.dir, PolicyFolder)); err != nil {
		return fmt.Errorf("keep policy: %w", err)
	}
	return e.appendChange(change{What: "policy", Digest: p.Digest, Version: fmt.Sprint(p.Version), Text: p.Text})
}

// recordModels keeps the models in the data folder and appends the change.
func (e *Engine) recordModels(s models.Serving) error {
	c, dir := change{What: "model", By: s.By}, filepath.Join(e.dir, ModelFolder)
	if m := e.Model(); m != s.Champion && m != nil {
		c.From = m.Digest()
	}
	var champion, challenger error
	if m := s.Champion; m != nil {
		c.Digest, c.Version, champion = m.Digest(), m.Version(), m.Save(dir)
	}
	if m := s.Challenger; m != nil {
		c.Challenger, c.ChallengerVersion, challenger = m.Digest(), m.Version(), m.Save(dir)
	}
	if err := errors.Join(champion, challenger); err != nil {
		return fmt.Errorf("keep models: %w", err)
	}
	return e.appendChange(c)
}

// Folders of a data folder: the log, and models and policies by their digests.
const (
	JournalFolder = "journal"
	ModelFolder   = "models"
	PolicyFolder  = "policies"
)

// save keeps the policy's text under its digest, whole or not at all.
func (p *Policy) save(dir string) error {
	path := policyPath(dir, p.Digest)
	if _, err := os.Stat(path); err == nil {
		return nil
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	return journal.WriteFile(path, func(f *os.File) error {
		_, err := f.Write(p.Text)
		return err
	})
}

func policyPath(dir, digest string) string {
	return filepath.Join(dir, strings.TrimPrefix(digest, "sha256:")+".yaml")
}

func (e *Engine) appendChange(c change) error {
	b, err := json.Marshal(c)
	if err != nil {
		return err
	}
	e.pause.RLock() // a snapshot's address must be that of a fact that stands
	defer e.pause.RUnlock()
	_, err = e.append(KindChange, e.o.Now(), b)
	return err
}

// recordStart writes to the log what is in force at start.
func (e *Engine) recordStart() error {
	if err := e.recordModels(e.Models()); err != nil {
		return fmt.Errorf("log models: %w", err)
	}
	if err := e.recordPolicy(e.Policy()); err != nil {
		return fmt.Errorf("log policy: %w", err)
	}
	if t := e.live.Load().typing; t != nil {
		return e.recordTyping(t)
	}
	return nil
}

// Ready reports why the engine cannot answer as it should, or nil.
func (e *Engine) Ready() error {
	if e.Model() == nil {
		return errors.New("no model is loaded")
	}
	return nil
}

// Retire removes log segments that retention no longer keeps.
func (e *Engine) Retire() (segments int, err error) { return e.log.Retire() }

// snapshotPath returns the file that holds the newest snapshot.
func (e *Engine) snapshotPath() string { return filepath.Join(e.dir, "state.snapshot") }
