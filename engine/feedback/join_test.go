package feedback

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/waryauth/wary/engine"
	"github.com/waryauth/wary/features"
	"github.com/waryauth/wary/internal/journal"
	"github.com/waryauth/wary/signals"
)

// stream is decisions and what is said of them, in memory.
type stream struct {
	cases []engine.Case
	told  []engine.Told // as if it came once, in order
}

var streamStart = time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)

// randomStream makes few decisions of which much is said, by few names and at few
// moments, so that everything that can meet does.
func randomStream(seed uint64) *stream {
	r := rand.New(rand.NewPCG(seed, 31))
	s := &stream{}
	outcomes := [...]engine.Outcome{engine.Allow, engine.StepUp, engine.Deny}
	for i := range 2 + r.IntN(6) {
		at := streamStart.Add(time.Duration(i) * time.Hour)
		c := engine.Case{
			At: journal.Address{Segment: 1, Offset: uint32(100 * (i + 1))}, Logged: at, Attempt: features.Key(1 + r.IntN(6)), Result: signals.Success,
			Trace: &features.Trace{Time: at.UnixMilli(), User: features.Key(1 + r.IntN(3))}, Decision: &engine.Decision{Outcome: outcomes[r.IntN(3)]}, Vector: &features.Vector{},
		}
		c.User = c.Trace.User
		if i > 0 && r.IntN(4) == 0 {
			c.Resumes, c.Trace.Resumed = s.cases[r.IntN(i)].At, r.IntN(2) == 0
		}
		s.cases = append(s.cases, c)
	}
	for i := range r.IntN(12) {
		v := signals.FeedbackValue(1 + r.IntN(int(signals.Legitimate)))
		said := streamStart.Add(time.Duration(r.IntN(5))*time.Hour + time.Duration(r.IntN(2))*DefaultHorizon)
		t := engine.Told{
			ID: features.Key(i + 1), Kind: v.Kind(), Value: v, Source: signals.Source(1 + r.IntN(int(signals.Challenge))),
			Time: said, Logged: streamStart.Add(time.Duration(i) * time.Hour),
		}
		about := &s.cases[r.IntN(len(s.cases))]
		id := engine.ID{Node: 3, At: about.At, Tag: 1}
		switch r.IntN(5) {
		case 0: // by an attempt that was not found when it came
			t.Attempt = features.Key(1 + r.IntN(7))
		case 1: // by an attempt that was
			t.Attempt, t.Decision = about.Attempt, about.At
		case 2: // the decision could not be read when it came
			t.Named = id
		case 3: // another node's
			t.Named = id
			t.Named.Node = 4
		default:
			t.Named, t.Decision = id, about.At
		}
		s.told = append(s.told, t)
	}
	return s
}

// joined is what a join says of a decision.
type joined struct {
	label  signals.FeedbackValue
	source signals.Source
	said   int64
	result signals.Result
}

// joinStream joins facts in the order given.
func joinStream(cases []engine.Case, told []engine.Told) []joined {
	j := newJoin(DefaultHorizon, Guards{})
	for i := range told {
		j.hear(&told[i])
	}
	j.heard()
	for i := range cases {
		j.meet(&cases[i])
	}
	j.met()
	var out []joined
	for i := range cases {
		r := j.row(&cases[i])
		x := joined{label: r.Label, source: r.Source, result: r.Result}
		if r.Label != 0 {
			x.said = r.Said.UnixMilli()
		}
		out = append(out, x)
	}
	return out
}

// oracle says it slowly: every word about a decision, sorted by how far it stands.
func (s *stream) oracle() (out []joined) {
	own := false // whether the log tells which node it is of
	for _, t := range s.told {
		own = own || t.Decision != journal.Address{} && t.Named.Node == 3
	}
	for i := range s.cases {
		c := &s.cases[i]
		var labels, challenges, checks []engine.Told
		for _, t := range s.told {
			mine := t.Decision == c.At || t.Decision == journal.Address{} && (t.Named.Tag == 0 && t.Attempt == c.Attempt || own && t.Named.Node == 3 && t.Named.At == c.At)
			if !mine || t.Time.Sub(time.UnixMilli(c.Trace.Time)) > DefaultHorizon {
				continue
			}
			switch t.Value {
			case signals.Fraud, signals.Legitimate:
				labels = append(labels, t)
			case signals.StepUpPassed, signals.StepUpFailed:
				challenges = append(challenges, t)
			case signals.OutcomeSuccess, signals.OutcomeFailure:
				checks = append(checks, t)
			}
		}
		bad := map[signals.FeedbackValue]int{signals.Fraud: 1, signals.StepUpFailed: 1, signals.OutcomeFailure: 1}
		newest := func(a, b engine.Told) int {
			return cmp.Or(b.Time.Compare(a.Time), bad[b.Value]-bad[a.Value])
		}
		slices.SortFunc(labels, func(a, b engine.Told) int { return cmp.Or(int(a.Source)-int(b.Source), newest(a, b)) })
		slices.SortFunc(challenges, newest)
		slices.SortFunc(checks, newest)
		x := joined{result: c.Result}
		if len(checks) > 0 && checks[0].Value == signals.OutcomeFailure {
			x.result = signals.Failure
		}
		switch {
		case len(labels) > 0:
			x.label, x.source, x.said = labels[0].Value, labels[0].Source, labels[0].Time.UnixMilli()
		case c.Decision.Outcome == engine.Deny:
		case len(challenges) > 0 && challenges[0].Value == signals.StepUpFailed:
			x.label, x.source, x.said = signals.Fraud, signals.Challenge, challenges[0].Time.UnixMilli()
		case len(challenges) > 0:
			x.label, x.source, x.said = signals.Legitimate, signals.Challenge, challenges[0].Time.UnixMilli()
		case c.Decision.Outcome == engine.StepUp:
			for _, later := range s.cases {
				if later.Resumes == c.At && later.Trace.Resumed && later.Decision.Outcome == engine.Allow {
					x.label, x.source, x.said = signals.Legitimate, signals.Challenge, later.Trace.Time
				}
			}
		}
		out = append(out, x)
	}
	return out
}

// delivered returns the facts as a broker may bring them: in another order, and some
// twice or three times.
func (s *stream) delivered(seed uint64) []engine.Told {
	r := rand.New(rand.NewPCG(seed, 32))
	out := slices.Clone(s.told)
	for i := range s.told {
		for range r.IntN(3) {
			out = append(out, s.told[i])
		}
	}
	r.Shuffle(len(out), func(i, j int) { out[i], out[j] = out[j], out[i] })
	return out
}

// naive is the join that one would write first: by decision, and what comes last wins.
// It is the control.
func (s *stream) naive(told []engine.Told) []joined {
	out := make([]joined, len(s.cases))
	for i := range s.cases {
		c := &s.cases[i]
		out[i].result = c.Result
		for _, t := range told {
			if t.Decision == c.At && t.Kind == signals.Label {
				out[i].label, out[i].source, out[i].said = t.Value, t.Source, t.Time.UnixMilli()
			}
		}
	}
	return out
}

// TestJoinIsExact: over 10,000 streams the join says what the slow oracle does, of one
// clean delivery and of one out of order and doubled alike. The control does not.
func TestJoinIsExact(t *testing.T) {
	wrong, labels := 0, map[signals.FeedbackValue]int{}
	for seed := range uint64(10_000) {
		s := randomStream(seed)
		want := s.oracle()
		if got := joinStream(s.cases, s.told); !reflect.DeepEqual(got, want) {
			t.Fatalf("seed %d, clean: %+v\nwant %+v", seed, got, want)
		}
		faulty := s.delivered(seed)
		if got := joinStream(s.cases, faulty); !reflect.DeepEqual(got, want) {
			t.Fatalf("seed %d, out of order and doubled: %+v\nwant %+v", seed, got, want)
		}
		if !reflect.DeepEqual(s.naive(faulty), want) {
			wrong++
		}
		for _, x := range want {
			labels[x.label]++
		}
	}
	if wrong < 5_000 {
		t.Errorf("the control is wrong of %d streams alone: the streams ask nothing", wrong)
	}
	if labels[0] < 5_000 || labels[signals.Fraud] < 5_000 || labels[signals.Legitimate] < 5_000 {
		t.Errorf("rows by label: %v", labels)
	}
}

// TestJoinReports what it did not use.
func TestJoinReports(t *testing.T) {
	s := &stream{cases: []engine.Case{{
		At: journal.Address{Segment: 1, Offset: 8}, Attempt: 7, Trace: &features.Trace{Time: streamStart.UnixMilli(), User: 1}, User: 1,
		Decision: &engine.Decision{Outcome: engine.Allow}, Vector: &features.Vector{},
	}}}
	say := func(id, attempt features.Key, after time.Duration) {
		s.told = append(s.told, engine.Told{ID: id, Attempt: attempt, Kind: signals.Label, Value: signals.Fraud, Source: signals.Analyst, Time: streamStart.Add(after), Logged: streamStart})
	}
	say(1, 7, DefaultHorizon)
	say(1, 7, DefaultHorizon)
	say(2, 7, DefaultHorizon+time.Millisecond)
	say(3, 8, 0)
	j := newJoin(DefaultHorizon, Guards{})
	for i := range s.told {
		j.hear(&s.told[i])
	}
	j.heard()
	j.meet(&s.cases[0])
	j.met()
	want := Report{Decisions: 1, Fraud: 1, Repeated: 1, Late: 1, Elsewhere: 1}
	if !reflect.DeepEqual(j.report, want) {
		t.Errorf("%+v, want %+v", j.report, want)
	}
}

func TestFamilyOf(t *testing.T) {
	for note, want := range map[string]string{
		"family:ato": "ato", "family:sim_swap-2": "sim_swap-2", "": "", "family:": "", "fraud": "", "family:Anna": "", "family:a b": "",
		"family:" + fmt.Sprintf("%033d", 0): "", "family:" + fmt.Sprintf("%032d", 0): fmt.Sprintf("%032d", 0), " family:ato": "",
	} {
		if got := familyOf(note); got != want {
			t.Errorf("%q: %q, want %q", note, got, want)
		}
	}
}

func TestDayOf(t *testing.T) {
	for text, want := range map[string]int32{"1970-01-01T00:00:00Z": 0, "1969-12-31T23:59:59Z": -1, "1970-01-01T23:59:59Z": 0, "2026-03-01T00:00:00Z": 20513, "2026-03-01T00:30:00+01:00": 20512} {
		at, err := time.Parse(time.RFC3339, text)
		if err != nil {
			t.Fatal(err)
		}
		if got := dayOf(at); got != want {
			t.Errorf("%s: %d, want %d", text, got, want)
		}
	}
}
