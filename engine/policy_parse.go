package engine

import (
	"bytes"
	_ "embed"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"

	"github.com/waryauth/wary/features/lists"
	"github.com/waryauth/wary/features/scopes"
	"github.com/waryauth/wary/signals"
)

// MaxPolicyBytes bounds a policy document. The log holds it in base 64, in a
// record of at most 1 MiB.
const MaxPolicyBytes = 512 << 10

//go:embed policy.yaml
var defaultPolicy []byte

// document is the policy as it is written. Maps are by the contract's names.
type document struct {
	Version   uint32                       `yaml:"version"`
	Name      string                       `yaml:"name"`
	Levels    map[string]float64           `yaml:"levels"`
	Actions   map[string]Thresholds        `yaml:"actions"`
	Challenge Challenge                    `yaml:"challenge"`
	Scopes    map[string]uint8             `yaml:"scopes"`
	Details   map[string]uint8             `yaml:"authorization_details"`
	Ceilings  map[string]uint8             `yaml:"ceilings"`
	Lifetimes map[string]int               `yaml:"token_ttl_s"`
	Binding   map[string]string            `yaml:"sender_constraint"`
	Lists     []lists.Document             `yaml:"lists"`
	History   map[string]map[string]string `yaml:"history"`
	External  map[string]string            `yaml:"external"`
	Degraded  map[string]map[string]string `yaml:"degraded"`
	Faults    *faultsDocument              `yaml:"faults"`
	Narrowing *scopes.Document             `yaml:"narrowing"`
	Explore   explore                      `yaml:"explore"`
}

// DefaultPolicy returns the embedded policy.
func DefaultPolicy() *Policy {
	p, err := ParsePolicy(defaultPolicy)
	if err != nil {
		panic(fmt.Sprintf("embedded policy: %v", err)) // a test parses it
	}
	return p
}

// ParsePolicy reads a policy document and checks all of it. The error joins
// every defect, each with its line.
func ParsePolicy(text []byte) (*Policy, error) {
	if len(text) > MaxPolicyBytes {
		return nil, fmt.Errorf("policy: %d bytes, the greatest is %d", len(text), MaxPolicyBytes)
	}
	file, err := parser.ParseBytes(text, 0)
	if err != nil {
		return nil, fmt.Errorf("policy: %s", yaml.FormatError(err, false, true))
	}
	if len(file.Docs) != 1 {
		return nil, fmt.Errorf("policy: %d documents in one file, want 1", len(file.Docs))
	}
	var d document
	if err := yaml.NewDecoder(bytes.NewReader(text), yaml.Strict()).Decode(&d); err != nil {
		return nil, fmt.Errorf("policy: %s", yaml.FormatError(err, false, true))
	}
	c := compiler{file: file, policy: &Policy{Version: d.Version, Name: d.Name, Digest: digest(text), Text: slices.Clone(text)}}
	c.compile(&d)
	if len(c.defects) > 0 {
		return nil, errors.Join(c.defects...)
	}
	return c.policy, nil
}

// compiler turns a document into a policy and gathers its defects.
type compiler struct {
	file    *ast.File
	policy  *Policy
	defects []error
}

// fail records a defect at a path such as "levels.high".
func (c *compiler) fail(path, format string, args ...any) {
	c.defects = append(c.defects, fmt.Errorf("policy line %d: %s: %s", c.line(path), path, fmt.Sprintf(format, args...)))
}

// line returns the line of a path, or of the nearest parent that stands in the document.
func (c *compiler) line(path string) int {
	for path != "" {
		if p, err := yaml.PathString("$." + path); err == nil {
			if n, err := p.FilterFile(c.file); err == nil && n != nil {
				return n.GetToken().Position.Line
			}
		}
		path = path[:max(strings.LastIndexAny(path, ".["), 0)]
	}
	return 1
}

func (c *compiler) compile(d *document) {
	if d.Version == 0 {
		c.fail("version", "is missing; every change of a policy has a version of its own, from 1")
	}
	c.levels(d)
	c.actions(d)
	c.policy.challenge = d.Challenge
	if len(d.Challenge.ACRValues)+len(d.Challenge.AMR) == 0 {
		c.fail("challenge", "names neither acr_values nor amr: a step-up could never be satisfied")
	}
	c.proofs("challenge.acr_values", d.Challenge.ACRValues)
	c.proofs("challenge.amr", d.Challenge.AMR)
	if d.Challenge.MaxAge < 0 || d.Challenge.MaxAge > 86_400 {
		c.fail("challenge.max_age", "is %d, must be 0 to 86400 seconds", d.Challenge.MaxAge)
	}
	c.policy.scopes, c.policy.unknown.scope = c.sensitivities("scopes", d.Scopes)
	c.policy.details, c.policy.unknown.detail = c.sensitivities("authorization_details", d.Details)
	perLevel(c, "ceilings", d.Ceilings, &c.policy.ceilings, func(path string, v uint8) uint8 { return v })
	perLevel(c, "token_ttl_s", d.Lifetimes, &c.policy.ttl, func(path string, v int) int {
		if v < 10 || v > 300 {
			c.fail(path, "is %d, must be 10 to 300 seconds", v)
		}
		return v
	})
	perLevel(c, "sender_constraint", d.Binding, &c.policy.constraint, func(path, v string) Constraint {
		return Constraint(c.oneOf(path, v, ConstraintNames[:]))
	})
	c.shrinking()
	c.policy.lists = lists.Parse(d.Lists, c.fail, c.outcome)
	c.strangers(d)
	c.feeds(d)
	c.degradedTable(d)
	c.faultsTable(d.Faults)
	c.explore(d.Explore)
	c.policy.Narrowing = scopes.Parse(d.Narrowing, scopes.Table{Scopes: d.Scopes, Details: d.Details, Ceilings: c.policy.ceilings}, c.fail)
}

// maxProofs bounds the lists of a challenge. A fact holds them.
const maxProofs = 16

// proofs refuses names of a challenge that a session without any would match, and
// more than a fact holds.
func (c *compiler) proofs(path string, names []string) {
	if len(names) > maxProofs {
		c.fail(path, "has %d items, at most %d", len(names), maxProofs)
	}
	for i, s := range names {
		if s == "" || len(s) > maxText {
			c.fail(fmt.Sprintf("%s[%d]", path, i), "must have 1 to %d bytes", maxText)
		}
	}
}

func (c *compiler) levels(d *document) {
	for name, p := range d.Levels {
		path := "levels." + name
		i := slices.Index(LevelNames[:], name)
		if i <= 0 {
			c.fail(path, "is no level; write medium and high (low is what remains)")
			continue
		}
		c.probability(path, p)
		c.policy.levels[i] = p
	}
	if c.policy.levels[Medium] <= 0 || c.policy.levels[High] <= c.policy.levels[Medium] {
		c.fail("levels", "need 0 < medium < high")
	}
}

func (c *compiler) actions(d *document) {
	base, ok := d.Actions["default"]
	if !ok {
		c.fail("actions", "need a row \"default\"")
	}
	for i := range c.policy.actions {
		c.policy.actions[i] = base
	}
	for _, name := range slices.Sorted(maps.Keys(d.Actions)) {
		path, t := "actions."+name, d.Actions[name]
		c.probability(path+".step_up", t.StepUp)
		c.probability(path+".deny", t.Deny)
		if t.Deny < t.StepUp {
			c.fail(path, "deny %v is below step_up %v", t.Deny, t.StepUp)
		}
		if name == "default" {
			continue
		}
		if a, ok := signals.ParseAction(name); ok {
			c.policy.actions[a] = t
		} else {
			c.fail(path, "is no action; write default or one of %s", strings.Join(signals.Actions[1:], ", "))
		}
	}
}

func (c *compiler) probability(path string, p float64) {
	if !(p > 0 && p <= 1) {
		c.fail(path, "is %v, must be above 0 and at most 1", p)
	}
}

func (c *compiler) sensitivities(path string, m map[string]uint8) (out []sensitivity, unknown uint8) {
	unknown, ok := m["unknown"]
	if !ok {
		c.fail(path, "needs a row \"unknown\" for what stands in no other row")
	}
	for name, level := range m {
		if name != "unknown" {
			out = append(out, sensitivity{name, level})
		}
	}
	slices.SortFunc(out, func(a, b sensitivity) int { return strings.Compare(a.name, b.name) })
	return out, unknown
}

// perLevel fills one value for each level and fails where a level has none.
func perLevel[V, T any](c *compiler, path string, m map[string]V, out *[Levels]T, check func(string, V) T) {
	for name := range m {
		if !slices.Contains(LevelNames[:], name) {
			c.fail(path+"."+name, "is no level; write %s", strings.Join(LevelNames[:], ", "))
		}
	}
	for i, name := range LevelNames {
		v, ok := m[name]
		if !ok {
			c.fail(path, "needs a row %q", name)
			continue
		}
		out[i] = check(path+"."+name, v)
	}
}

// shrinking refuses a policy in which more risk grants more.
func (c *compiler) shrinking() {
	for l := Medium; int(l) < Levels; l++ {
		if c.policy.ceilings[l] > c.policy.ceilings[l-1] {
			c.fail("ceilings."+l.String(), "is above that of %s: more risk must not grant more", l-1)
		}
		if c.policy.ttl[l] > c.policy.ttl[l-1] {
			c.fail("token_ttl_s."+l.String(), "is above that of %s: more risk must not last longer", l-1)
		}
		if c.policy.constraint[l] == AnyConstraint && c.policy.constraint[l-1] != AnyConstraint {
			c.fail("sender_constraint."+l.String(), "is weaker than that of %s: more risk must not bind less", l-1)
		}
	}
}

func (c *compiler) oneOf(path, v string, names []string) int {
	i := slices.Index(names, v)
	if i < 0 {
		c.fail(path, "is %q, must be one of %s", v, strings.Join(names, ", "))
		return 0
	}
	return i
}

func (c *compiler) outcome(path, v string) Outcome {
	return Outcome(c.oneOf(path, v, OutcomeNames[1:]) + 1)
}

// perAction fills a row with an answer to each action.
func (c *compiler) perAction(path string, row map[string]string, out *[len(signals.Actions)]Outcome) {
	base, ok := row["default"]
	if !ok {
		c.fail(path, "needs a \"default\"")
		return
	}
	out[0] = c.outcome(path+".default", base)
	for a := range out {
		out[a] = out[0]
	}
	for name, v := range row {
		if a, ok := signals.ParseAction(name); ok {
			out[a] = c.outcome(path+"."+name, v)
		} else if name != "default" {
			c.fail(path+"."+name, "is no action")
		}
	}
}

func (c *compiler) degradedTable(d *document) {
	for b := range DegradedBits {
		row, ok := d.Degraded[DegradedNames[b]]
		if !ok {
			c.fail("degraded", "needs a row %q with a \"default\"", DegradedNames[b])
			continue
		}
		c.perAction("degraded."+DegradedNames[b], row, &c.policy.degraded[b])
		if fault := Degraded(1 << b); fault != DegradedGeo && slices.Contains(c.policy.degraded[b][:], Allow) {
			c.fail("degraded."+DegradedNames[b], "says allow: without %s an answer is step_up or worse", DegradedNames[b])
		}
	}
	for name := range d.Degraded {
		if !slices.Contains(DegradedNames[:], name) {
			c.fail("degraded."+name, "is no fault; write %s", strings.Join(DegradedNames[:], ", "))
		}
	}
}
