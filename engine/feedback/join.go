package feedback

import (
	"slices"
	"strings"
	"time"

	"github.com/waryauth/wary/engine"
	"github.com/waryauth/wary/features"
	"github.com/waryauth/wary/internal/journal"
	"github.com/waryauth/wary/signals"
)

// join finds what stands of each decision. Which order facts came in, how often, and
// what came before its decision changes nothing: what is said is kept with the decision
// or the attempt that it names, and put in order by its own time when the decision is
// met.
//
//	of labels       the most trusted source's stands; of several by one the one said last;
//	                of those said at one moment fraud
//	of challenges   where no label stands: the outcome said last; of one moment the failure
type join struct {
	horizon time.Duration
	guards  Guards

	seen     map[features.Key]bool // feedback, by its id
	arrivals map[arrival]int       // labels
	decision map[journal.Address][]said
	attempt  map[features.Key][]said
	misses   []missed
	families []string // "" is the first
	node     int      // of this log, -1 as long as nothing tells

	held     map[arrival]bool
	resumed  map[journal.Address]int64 // challenged decisions, and when an attempt that met the challenge was let in
	tried    map[features.Key]bool     // attempts that were met
	used     int                       // feedback about decisions that were met
	verdicts map[journal.Address]int   // place in all
	all      []verdict
	report   Report
}

// said is what somebody said of a decision. It is small: of a log of logins there is one
// for each.
type said struct {
	at     int64  // Unix milliseconds, by who said it
	day    int32  // on which it came, since 1970
	family uint16 // number of the kind of fraud
	value  signals.FeedbackValue
	source signals.Source
}

// missed is feedback about a decision that could not be found when it came.
type missed struct {
	id   engine.ID
	said said
}

// arrival is a source and a day on which it told labels.
type arrival struct {
	day    int32
	source signals.Source
}

// verdict is what stands of a decision.
type verdict struct {
	at                      journal.Address // of the decision
	label, challenge, check standing
	outcome                 engine.Outcome
	held, capped            bool
	weight, stands          float32 // stands: for how many, by its propensity
	subject                 features.Key
}

func newJoin(horizon time.Duration, g Guards) *join {
	return &join{
		horizon: horizon, guards: g, node: -1, families: []string{""},
		seen: map[features.Key]bool{}, arrivals: map[arrival]int{}, decision: map[journal.Address][]said{}, attempt: map[features.Key][]said{},
		held: map[arrival]bool{}, resumed: map[journal.Address]int64{}, tried: map[features.Key]bool{}, verdicts: map[journal.Address]int{},
	}
}

// hear takes one fact of feedback.
func (j *join) hear(t *engine.Told) {
	if j.seen[t.ID] {
		j.report.Repeated++
		return
	}
	j.seen[t.ID] = true
	s := said{value: t.Value, source: t.Source, at: t.Time.UnixMilli(), day: dayOf(t.Logged)}
	if t.Kind == signals.Label {
		s.family = j.family(familyOf(t.Note))
		j.arrivals[arrival{s.day, s.source}]++
	}
	switch {
	case t.Decision != (journal.Address{}):
		j.decision[t.Decision] = append(j.decision[t.Decision], s)
		if t.Named.At == t.Decision {
			j.node = int(t.Named.Node)
		}
	case t.Named.Tag != 0:
		j.misses = append(j.misses, missed{t.Named, s})
	default:
		j.attempt[t.Attempt] = append(j.attempt[t.Attempt], s)
	}
}

// heard ends hearing: decisions of this log that could not be read when they were named
// get what was said of them. Those of other nodes are for other nodes.
func (j *join) heard() {
	for _, n := range j.misses {
		if int(n.id.Node) == j.node {
			j.decision[n.id.At] = append(j.decision[n.id.At], n.said)
		}
	}
	j.hold()
}

// meet finds what stands of a decision.
func (j *join) meet(c *engine.Case) {
	j.report.Decisions++
	if c.Trace.Resumed && c.Result == signals.Success && c.Decision.Outcome == engine.Allow {
		j.resumed[c.Resumes] = c.Trace.Time
	}
	byDecision, byAttempt := j.decision[c.At], j.attempt[c.Attempt]
	j.used += len(byDecision)
	if len(byAttempt) > 0 && !j.tried[c.Attempt] {
		j.tried[c.Attempt] = true
		j.used += len(byAttempt)
	}
	if len(byDecision)+len(byAttempt) == 0 && c.Decision.Outcome != engine.StepUp {
		return
	}
	v := verdict{at: c.At, subject: subject(c), outcome: c.Decision.Outcome, stands: j.guards.stands(c.Decision)}
	for _, told := range [2][]said{byDecision, byAttempt} {
		for i := range told {
			j.add(&v, &told[i], c.Trace.Time)
		}
	}
	j.verdicts[c.At] = len(j.all)
	j.all = append(j.all, v)
}

// add adds what was said to a verdict on a decision of some time.
func (j *join) add(v *verdict, s *said, decided int64) {
	switch {
	case s.at-decided > j.horizon.Milliseconds():
		j.report.Late++
	case s.value.Kind() == signals.Label && j.held[arrival{s.day, s.source}]:
		v.held = true
	case s.value.Kind() == signals.Label:
		if v.label.stands(s) {
			v.label = standing{*s}
		}
	case s.value == signals.StepUpPassed || s.value == signals.StepUpFailed:
		if v.challenge.newer(s, signals.StepUpFailed) {
			v.challenge = standing{*s}
		}
	case s.value == signals.OutcomeSuccess || s.value == signals.OutcomeFailure:
		if v.check.newer(s, signals.OutcomeFailure) {
			v.check = standing{*s}
		}
	}
}

// standing is the word that stands so far; its value is 0 where there is none.
type standing struct{ said }

// stands reports whether a label stands rather than the one so far.
func (old *standing) stands(s *said) bool {
	if old.value == 0 || s.source != old.source {
		return old.value == 0 || s.source < old.source // the most trusted comes first
	}
	return old.newer(s, signals.Fraud)
}

// newer reports whether a word was said later than the one so far; of one moment the
// worse wins, whichever came first.
func (old *standing) newer(s *said, worse signals.FeedbackValue) bool {
	return old.value == 0 || s.at > old.at || s.at == old.at && s.value == worse
}

// met ends meeting: what challenges tell stands where no label does, and every verdict
// gets its weight.
func (j *join) met() {
	j.report.Elsewhere = len(j.seen) - j.used
	for i := range j.all {
		v := &j.all[i]
		switch passed, resumed := j.resumed[v.at]; {
		case v.label.value != 0 || v.outcome == engine.Deny: // of what was denied no outcome is expected
		case v.challenge.value == signals.StepUpFailed:
			v.label = standing{said{value: signals.Fraud, source: signals.Challenge, at: v.challenge.at}}
		case v.challenge.value == signals.StepUpPassed:
			v.label = standing{said{value: signals.Legitimate, source: signals.Challenge, at: v.challenge.at}}
		case resumed && v.outcome == engine.StepUp:
			v.label = standing{said{value: signals.Legitimate, source: signals.Challenge, at: passed}}
		}
		j.count(v)
	}
	j.weigh()
}

func (j *join) count(v *verdict) {
	switch v.label.value {
	case signals.Fraud:
		j.report.Fraud++
	case signals.Legitimate:
		j.report.Legitimate++
	}
	if v.label.value != 0 && v.label.source == signals.Challenge {
		j.report.Challenges++
	}
	if v.held {
		j.report.Held++
	}
}

// row returns the row of a decision.
func (j *join) row(c *engine.Case) *Row {
	r := &Row{Case: *c, Weight: j.guards.stands(c.Decision), Propensity: propensity(c.Decision)}
	i, met := j.verdicts[c.At]
	if !met {
		return r
	}
	v := &j.all[i]
	r.Held = v.held
	switch v.check.value {
	case signals.OutcomeSuccess:
		r.Result = signals.Success
	case signals.OutcomeFailure:
		r.Result = signals.Failure
	}
	if v.label.value != 0 {
		r.Label, r.Source, r.Said, r.Weight, r.Family = v.label.value, v.label.source, time.UnixMilli(v.label.at), v.weight, j.families[v.label.family]
	}
	return r
}

// family returns the number of a kind of fraud; of kinds beyond any sense it is that of
// none.
func (j *join) family(name string) uint16 {
	i := slices.Index(j.families, name)
	if i < 0 && len(j.families) < mostFamilies {
		i = len(j.families)
		j.families = append(j.families, name)
	}
	return uint16(max(i, 0))
}

// mostFamilies bounds the kinds of fraud that are told apart.
const mostFamilies = 256

// familyOf returns the kind of fraud that a label's note tells: "family:" and up to 32
// small letters, digits, "_" and "-". Other notes are free text, which stays in the log.
func familyOf(note string) string {
	name, ok := strings.CutPrefix(note, "family:")
	if !ok || name == "" || len(name) > 32 || strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789_-") != "" {
		return ""
	}
	return name
}

// dayOf returns the day of a time in UTC, counted from 1970.
func dayOf(t time.Time) int32 {
	const day = 24 * 60 * 60
	return int32((t.Unix() - (t.Unix()%day+day)%day) / day)
}
