package engine

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strings"

	"github.com/waryauth/wary/features"
	"github.com/waryauth/wary/signals"
)

// Policy says what follows from a risk: versioned, validated whole, immutable,
// named in every decision. See policy_parse.go for the document.
type Policy struct {
	Version uint32
	Name    string
	Digest  string // "sha256:<hex>" of Text
	Text    []byte // the document as it was read

	levels     [Levels]float64 // least probability of each level; levels[Low] is 0
	actions    [len(signals.Actions)]Thresholds
	challenge  Challenge
	scopes     []sensitivity // by name
	details    []sensitivity // by type
	unknown    sensitivities // of what stands in neither
	ceilings   [Levels]uint8
	ttl        [Levels]int // seconds
	constraint [Levels]Constraint
	lists      []list
	history    [historyKinds][len(signals.Actions)]Outcome // of strangers; Undecided says nothing
	feeds      []feed                                      // by name
	degraded   [DegradedBits][len(signals.Actions)]Outcome
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

// list names people, clients and places that are treated alike.
type list struct {
	name      string
	verdict   Outcome
	subjects  []string
	clients   []string
	countries []signals.Country
	networks  signals.Networks
}

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

// boundLists are a policy's lists with their identifiers hashed, ready to be
// asked on the score path.
type boundLists []boundList

type boundList struct {
	verdict   Outcome
	subjects  []features.Key
	clients   []features.Key
	countries []signals.Country
	networks  signals.Networks
}

func (p *Policy) bind(h features.Hasher) boundLists {
	out := make(boundLists, len(p.lists))
	for i, l := range p.lists {
		b := boundList{verdict: l.verdict, countries: l.countries, networks: l.networks}
		for _, s := range l.subjects {
			b.subjects = append(b.subjects, h.Key(features.KindUser, s))
		}
		for _, c := range l.clients {
			b.clients = append(b.clients, h.Key(features.KindClient, c))
		}
		slices.Sort(b.subjects)
		slices.Sort(b.clients)
		out[i] = b
	}
	return out
}

// listed holds, by outcome, the number of the first list that said so, from 1;
// 0 is none. It is recorded in the fact, since the log holds no address.
type listed [Deny + 1]uint8

func (b boundLists) hits(t *features.Trace, o *signals.Observation) (out listed) {
	for i := range b {
		l := &b[i]
		if out[l.verdict] == 0 && l.has(t, o) {
			out[l.verdict] = uint8(i + 1)
		}
	}
	return out
}

func (l *boundList) has(t *features.Trace, o *signals.Observation) bool {
	if _, ok := slices.BinarySearch(l.subjects, t.Typed); ok && t.Typed != 0 {
		return true
	}
	if _, ok := slices.BinarySearch(l.clients, t.Client); ok && t.Client != 0 {
		return true
	}
	if slices.Contains(l.countries, o.Place.Country) && o.Place.Country != (signals.Country{}) {
		return true
	}
	return l.networks.Has(o.Address.IP)
}
