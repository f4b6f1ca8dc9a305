// Package feedback answers: what did each decision turn out to be?
//
// [Window] is the training set of a time: the decisions of a log with the vector as it
// was scored, each with the label that stands, found by an exact join (join.go) and
// weighed by guards against poisoned labels (guard.go). It is a query on the log; there
// is no second store. [Export] writes the same rows as Parquet.
//
// [Turn] makes one turn of the loop from them: a candidate is grown, judged by gates
// and, where none refuses it, scores beside the champion until there is evidence
// enough to promote it.
package feedback

import (
	"cmp"
	"fmt"
	"iter"
	"path/filepath"
	"time"

	"github.com/waryauth/wary/engine"
	"github.com/waryauth/wary/features"
	"github.com/waryauth/wary/internal/journal"
	"github.com/waryauth/wary/signals"
)

// Row is an attempt as it was scored and what it turned out to be. It is good until the
// next.
type Row struct {
	engine.Case // its Result is that of the newest word

	Label  signals.FeedbackValue // Fraud, Legitimate, or 0 where nobody has said
	Source signals.Source        // by whom; Challenge where a challenge told, and nobody said more
	Said   time.Time             // when
	Family string                // of the fraud, where its label's note told one: see docs/feedback.md
	// Weight is what the row counts in training: by how far its source is trusted, less
	// where caps hold it down, more where Propensity says for how many it stands. Where
	// nobody has said anything it is 1, or that number.
	Weight float32
	// Propensity is the chance that the policy's random-allow bucket had to let the
	// attempt in, where it did; 1 elsewhere. Weight is by its inverse, see
	// [Guards.Inverse].
	Propensity float32
	// Held says that somebody has said something and it is held: the row is as if
	// nobody had.
	Held bool
}

// DefaultHorizon is how long after an attempt what is said of it counts: longer than
// the 120 days within which cards' schemes take most disputes.
const DefaultHorizon = 120 * 24 * time.Hour

// WindowOptions say which of what was said counts. The zero value is the default.
type WindowOptions struct {
	// Known is the moment whose knowledge is wanted: what came to the log later does
	// not count. Zero is now.
	Known time.Time
	// Horizon is how long after an attempt what is said of it counts, by their own
	// times; 0 is [DefaultHorizon].
	Horizon time.Duration
	Guards  *Guards // nil: [DefaultGuards]
	Report  *Report // unless nil, filled before the first row comes
}

// Report says what a window was made from.
type Report struct {
	Decisions   int `json:"decisions"`              // of the window
	OtherSchema int `json:"other_schema,omitempty"` // in the whole log, passed over
	Fraud       int `json:"fraud"`                  // rows by label, the next two alike
	Legitimate  int `json:"legitimate"`
	Challenges  int `json:"challenges"`         // of those, told by a challenge alone
	Repeated    int `json:"repeated,omitempty"` // feedback that came again
	Late        int `json:"late,omitempty"`     // said after the horizon
	Elsewhere   int `json:"elsewhere"`          // feedback about no decision of the window
	Capped      int `json:"capped,omitempty"`   // rows that weigh less by a cap
	Held        int `json:"held,omitempty"`     // rows about which something is held
	// Holds are the bursts, in the order of days.
	Holds []Hold `json:"holds,omitempty"`
}

// Window yields the decisions that were logged from a moment on and before another, the
// oldest first, as far as they are of this program's feature schema. A zero to is no
// end. An error is yielded once and ends it. The daemon may run meanwhile.
//
// It reads the log three times: for what was said, for whom it is about, and for the
// rows. It keeps some 200 bytes for each decision that something was said of.
func Window(data string, from, to time.Time, o WindowOptions) iter.Seq2[*Row, error] {
	return func(yield func(*Row, error) bool) {
		j, err := read(data, from, to, &o)
		if err != nil {
			yield(nil, err)
			return
		}
		if o.Report != nil {
			*o.Report = j.report
		}
		for c, err := range cases(data, from, to, new(int)) {
			if err != nil {
				yield(nil, err)
				return
			}
			if !yield(j.row(c), nil) {
				return
			}
		}
	}
}

// read joins what was said to the decisions of a window.
func read(data string, from, to time.Time, o *WindowOptions) (*join, error) {
	guards := DefaultGuards()
	if o.Guards != nil {
		guards = *o.Guards
	}
	j := newJoin(cmp.Or(o.Horizon, DefaultHorizon), guards)
	for t, err := range tellings(data) {
		if err != nil {
			return nil, err
		}
		if o.Known.IsZero() || !t.Logged.After(o.Known) {
			j.hear(t)
		}
	}
	j.heard()
	for c, err := range cases(data, from, to, &j.report.OtherSchema) {
		if err != nil {
			return nil, err
		}
		if o.Known.IsZero() || !c.Logged.After(o.Known) {
			j.meet(c)
		}
	}
	j.met()
	return j, nil
}

// cases yields the decisions that were logged in a time, the oldest first, and counts
// those of another schema in the whole log.
func cases(data string, from, to time.Time, skipped *int) iter.Seq2[*engine.Case, error] {
	return func(yield func(*engine.Case, error) bool) {
		r := engine.NewReplayer(nil) // its policies are wanted, not its models
		r.Policies = filepath.Join(data, engine.PolicyFolder)
		for rec, err := range records(data) {
			var c *engine.Case
			if err == nil {
				c, err = r.Case(rec)
			}
			switch {
			case err != nil:
				yield(nil, fmt.Errorf("log %d:%d: %w", rec.At.Segment, rec.At.Offset, err))
				return
			case c == nil && rec.Kind == engine.KindDecision:
				*skipped++
			case c == nil, c.Logged.Before(from), !to.IsZero() && !c.Logged.Before(to):
			case !yield(c, nil):
				return
			}
		}
	}
}

// tellings yields all that was said, in the order in which it came.
func tellings(data string) iter.Seq2[*engine.Told, error] {
	return func(yield func(*engine.Told, error) bool) {
		for rec, err := range records(data) {
			var t *engine.Told
			var ok bool
			if err == nil {
				t, ok, err = engine.ReadTold(rec)
			}
			if err != nil {
				yield(nil, fmt.Errorf("log %d:%d: %w", rec.At.Segment, rec.At.Offset, err))
				return
			}
			if ok && !yield(t, nil) {
				return
			}
		}
	}
}

func records(data string) iter.Seq2[journal.Record, error] {
	return journal.Records(filepath.Join(data, engine.JournalFolder), journal.Address{})
}

// propensity returns the chance of an attempt that the random-allow bucket let in, 1 of
// others.
func propensity(d *engine.Decision) float32 {
	for i := range d.Reasons {
		if r := &d.Reasons[i]; r.Code == engine.RandomAllow && r.Value > 0 {
			return r.Value
		}
	}
	return 1
}

// subject returns whom a decision is about: nobody's attempts are their address's.
func subject(c *engine.Case) features.Key {
	return cmp.Or(c.User, c.Trace.Address)
}
