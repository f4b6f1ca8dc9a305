package engine

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strings"

	"github.com/waryauth/wary/features/lists"
	"github.com/waryauth/wary/features/scopes"
	"github.com/waryauth/wary/signals"
)

// Policy says what follows from a risk: versioned, validated whole, immutable,
// named in every decision. See policy_parse.go for the document.
type Policy struct {
	Version uint32
	Name    string
	Digest  string // "sha256:<hex>" of Text
	Text    []byte // the document as it was read

	Narrowing *scopes.Rules // how much of what is asked a client needs; applied by authz

	levels     [Levels]float64 // least probability of each level; levels[Low] is 0
	actions    [len(signals.Actions)]Thresholds
	challenge  Challenge
	scopes     []sensitivity // by name
	details    []sensitivity // by type
	unknown    sensitivities // of what stands in neither
	ceilings   [Levels]uint8
	ttl        [Levels]int // seconds
	constraint [Levels]Constraint
	lists      []lists.List
	history    [historyKinds][len(signals.Actions)]Outcome // of strangers; Undecided says nothing
	feeds      []feed                                      // by name
	degraded   [DegradedBits][len(signals.Actions)]Outcome
	faults     faultTable
	explored   explore
}

// Thresholds are the probabilities from which on an action is stepped up or denied.
type Thresholds struct {
	StepUp float64 `yaml:"step_up"`
	Deny   float64 `yaml:"deny"`
}

type sensitivity struct {
	name  string
	level uint8
}

type sensitivities struct{ scope, detail uint8 }

// lookup returns the level of a name in a list sorted by name.
func lookup(in []sensitivity, name string, unknown uint8) uint8 {
	i, ok := slices.BinarySearchFunc(in, name, func(s sensitivity, n string) int { return strings.Compare(s.name, n) })
	if !ok {
		return unknown
	}
	return in[i].level
}

// level returns the level of a probability.
func (p *Policy) level(probability float64) Level {
	l := Low
	for probability >= p.levels[l] && int(l) < Levels-1 {
		if probability < p.levels[l+1] {
			return l
		}
		l++
	}
	return l
}

func digest(text []byte) string {
	sum := sha256.Sum256(text)
	return "sha256:" + hex.EncodeToString(sum[:])
}
