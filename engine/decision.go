package engine

import (
	"math"
	"math/bits"
	"strconv"

	"github.com/waryauth/wary/features"
	"github.com/waryauth/wary/signals"
)

// Outcome is what should be done. It shares its values with the state's.
type Outcome = features.Outcome

// Outcomes, from the mildest to the strictest: max of two is the safer one.
const (
	Allow  = features.Allowed
	StepUp = features.SteppedUp
	Deny   = features.Denied
)

// OutcomeNames holds the wire names by value.
var OutcomeNames = [...]string{"undecided", "allow", "step_up", "deny"}

// Level is the risk in words.
type Level uint8

// Levels.
const (
	Low Level = iota
	Medium
	High
	Levels int = iota
)

// LevelNames holds the wire names by value.
var LevelNames = [Levels]string{"low", "medium", "high"}

func (l Level) String() string { return LevelNames[l] }

// Constraint is how a token must be bound to its holder.
type Constraint uint8

// Constraints.
const (
	AnyConstraint Constraint = iota
	DPoPConstraint
	MTLSConstraint
)

// ConstraintNames holds the wire names by value.
var ConstraintNames = [...]string{"any", "dpop", "mtls"}

func (c Constraint) String() string { return ConstraintNames[c] }

// Degraded is a set of faults under which a decision was made.
type Degraded uint8

// Faults. Each has an answer in the policy.
const (
	DegradedGeo     Degraded = 1 << iota // place or network could not be looked up
	DegradedModel                        // no model answered
	DegradedJournal                      // the decision could not be written to the log
	DegradedState                        // state could not be recalled
	DegradedBits    int      = iota
)

// DegradedNames holds the wire names by bit.
var DegradedNames = [DegradedBits]string{"geo", "model", "journal", "state"}

// Names appends the names of the faults of d.
func (d Degraded) Names(dst []string) []string {
	for ; d != 0; d &= d - 1 {
		dst = append(dst, DegradedNames[bits.TrailingZeros8(uint8(d))])
	}
	return dst
}

// MaxReasons is the greatest number of reasons in an answer.
const MaxReasons = 5

// Reason is why the risk is higher than usual.
type Reason struct {
	Code         string // of the feature, e.g. NEW_COUNTRY, or of a list or fault
	Family       string
	Contribution float32 // log-odds; positive raises the risk
	Feature      string  // "" where the reason is not a feature
	Value        float32 // of the feature
}

// Removal is a scope that was asked for and may not be granted.
type Removal struct {
	Scope       string
	Sensitivity uint8
	Ceiling     uint8
}

// AppendBecause appends why the scope was removed, in plain words.
func (r Removal) AppendBecause(dst []byte) []byte {
	dst = append(dst, "sensitivity "...)
	dst = strconv.AppendUint(dst, uint64(r.Sensitivity), 10)
	dst = append(dst, " is above the ceiling "...)
	dst = strconv.AppendUint(dst, uint64(r.Ceiling), 10)
	return append(dst, " at this risk"...)
}

// Challenge is what a stepped-up person has to prove.
type Challenge struct {
	ACRValues []string `yaml:"acr_values"`
	AMR       []string `yaml:"amr"`
	MaxAge    int      `yaml:"max_age"` // seconds
}

// Grant is what may be granted if the attempt goes through.
type Grant struct {
	Scopes     []string
	Removed    []Removal
	Details    [signals.MaxDetails]bool // which authorization details stay, in the attempt's order
	TTLSeconds int
	Constraint Constraint
}

// History is what was known of the subject before the attempt.
type History struct {
	Successes   uint32
	Established bool // at least 5 successes on at least 2 days
}

// Decision is the engine's answer. Its lists belong to the Assessment it stands in.
type Decision struct {
	ID          ID
	Outcome     Outcome
	Probability float64
	Points      uint8
	Level       Level
	Reasons     []Reason
	Challenge   Challenge // meaningful where Outcome is StepUp
	Grant       Grant     // meaningful unless Outcome is Deny
	History     History
	Degraded    Degraded

	ModelVersion, ModelDigest string // digests as "sha256:<hex>"
	PolicyVersion             uint32
	PolicyDigest              string
}

// Points returns a probability on the 0..100 scale: 0.1 is 80, 0.01 is 60.
func Points(probability float64) uint8 {
	p := math.Round(100 + 20*math.Log10(probability))
	switch {
	case p > 100:
		return 100
	case p > 0:
		return uint8(p)
	default: // NaN too
		return 0
	}
}
