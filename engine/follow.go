package engine

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"time"

	"github.com/waryauth/wary/features"
	"github.com/waryauth/wary/features/history"
	"github.com/waryauth/wary/internal/journal"
	"github.com/waryauth/wary/signals"
)

// Fact is one record of the log in the form in which it may leave this machine:
// identifiers are keyed hashes, free text stays behind. Exactly one of the pointers is
// set, none where Unread says why it cannot be read.
type Fact struct {
	At     journal.Address
	Next   journal.Address // the place behind it
	Kind   journal.Kind
	Logged time.Time
	Unread error

	Decision *Receipt // without what was said of it
	Schema   string   // with Decision: the first 16 hexadecimal digits of the digest of the vector's schema
	Feedback *FeedbackFact
	Event    *EventFact
	Change   *ChangeFact
}

// FeedbackFact is feedback as the log holds it.
type FeedbackFact struct {
	ID       features.Key
	Decision *ID          // that it was joined to, or that it names; nil where it names an attempt that was not found
	Attempt  features.Key // 0 where it names a decision
	Joined   bool         // to a decision of this log
	Kind     signals.FeedbackKind
	Value    signals.FeedbackValue
	Source   signals.Source
	Time     time.Time
	Taught   bool // state learned from it
	Failed   bool // state counted a failure

	Trace        *features.Trace // of the attempt, where state learned or counted
	User, Client features.Key    // of its decision, 0 where that cannot be read
}

// ChangeFact is a policy, the models or a typing table that came into force.
type ChangeFact struct {
	What                          string // "policy", "model" or "typing"
	Digest, Version               string
	Text                          []byte // of a policy
	Challenger, ChallengerVersion string // with "model"
}

// Follower reads the facts of a running engine in the order of its log. It is not
// safe for concurrent use.
type Follower struct {
	e   *Engine
	log *journal.Follower
	x   Assessment
	r   Receipt
}

// Follow returns a reader of facts from a place on, see [journal.Log.Follow]. It
// must be closed before the engine is.
func (e *Engine) Follow(from journal.Address) *Follower {
	return &Follower{e: e, log: e.log.Follow(from)}
}

// Next returns the next fact, and io.EOF where there is none yet. Other errors are
// those of [journal.Follower.Next]. The fact is good until the next call.
func (f *Follower) Next() (*Fact, error) {
	rec, err := f.log.Next()
	if err != nil {
		return nil, err
	}
	out := &Fact{At: rec.At, Next: f.log.At(), Kind: rec.Kind, Logged: rec.Time}
	out.Unread = f.read(out, rec)
	return out, nil
}

// At returns the place of the next fact.
func (f *Follower) At() journal.Address { return f.log.At() }

// Behind returns how many bytes of facts lie after the place.
func (f *Follower) Behind() (bytes int64, err error) { return f.log.Behind() }

// Close ends reading.
func (f *Follower) Close() error { return f.log.Close() }

// Node returns the number of this scorer among several.
func (e *Engine) Node() uint16 { return e.o.Node }

// End returns where the next fact will be at the earliest.
func (e *Engine) End() journal.Address { return e.log.End() }

// Hold keeps facts that are not published from retention, see [journal.Log.Hold].
func (e *Engine) Hold(from journal.Address, most int64) { e.log.Hold(from, most) }

// Fold folds facts of other nodes into state, between two snapshots: what [Engine.Others]
// writes must say of which it was by then. It must be quick.
func (e *Engine) Fold(do func(*history.Store)) {
	e.pause.RLock()
	defer e.pause.RUnlock()
	do(e.state)
}

// Others has every snapshot from now on hold what write returns, as of its moment, and
// returns what it was that memory was made from.
func (e *Engine) Others(write func() []byte) Origin {
	e.pause.Lock()
	defer e.pause.Unlock()
	e.others = write
	return e.origin
}

// Sync returns when every fact that was acknowledged before is on disk.
func (e *Engine) Sync() error { return e.log.Sync() }

func (f *Follower) read(out *Fact, rec journal.Record) error {
	switch rec.Kind {
	case KindDecision:
		if err := f.x.readDecision(rec.Payload); err != nil {
			return err
		}
		out.Schema = hex.EncodeToString(f.x.fact.schema[:])
		out.Decision = &f.r
		f.e.receiptOf(&f.r, &f.x, rec)
	case KindFeedback:
		var ff feedbackFact
		if err := ff.read(rec.Payload); err != nil {
			return err
		}
		out.Feedback = f.e.feedbackOf(&ff)
	case KindEvent:
		out.Event = &EventFact{}
		return json.Unmarshal(rec.Payload, out.Event)
	case KindChange:
		var c change
		if err := json.Unmarshal(rec.Payload, &c); err != nil {
			return err
		}
		out.Change = &ChangeFact{c.What, c.Digest, c.Version, c.Text, c.Challenger, c.ChallengerVersion}
	default:
		return fmt.Errorf("%w: kind %d", errFact, rec.Kind)
	}
	return nil
}

// feedbackOf returns feedback with whom its decision is about, where that can be read.
func (e *Engine) feedbackOf(f *feedbackFact) *FeedbackFact {
	out := &FeedbackFact{
		ID: f.id, Attempt: f.attempt, Kind: f.kind, Value: f.value, Source: f.source, Time: time.UnixMilli(f.time), Taught: f.teaches, Failed: f.fails,
	}
	if f.teaches || f.fails {
		out.Trace = &f.trace
	}
	switch {
	case f.decision != (journal.Address{}):
		id := e.seal.Seal(e.o.Node, f.decision)
		out.Decision, out.Joined = &id, true
		if x, err := e.decisionAt(f.decision); err == nil { // retention may have removed it
			out.User, out.Client = x.Trace.User, x.Trace.Client
		}
	case f.named.Tag != 0:
		out.Decision = &f.named
	}
	return out
}
