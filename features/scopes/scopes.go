// Package scopes answers: how much of what is asked does this client need?
//
// [Parse] reads the policy's section narrowing, and [Rules.Narrow] takes from a
// request, as far as a policy allows it already, what is too sensitive at the risk,
// what the client hardly ever uses ([Rules.Expect]), and what goes beyond a limit: how
// far back, how long, how many accounts, how much. It only ever takes away:
//
//  1. What is kept is a part of what was asked.
//  2. More risk keeps no more: each thing that is kept at a risk is kept at any lower
//     one, and at least as much of it.
//  3. Each thing taken away has a reason.
//  4. A payment is kept as it was asked for, or withheld: neither its amount nor its
//     payee ever changes.
//
// It keeps nothing and knows no clock: what was used is counted by authz.
package scopes

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"
)

// Levels is the number of levels of risk: low, medium and high, as the engine's.
const Levels = 3

// MaxSensitivity is the greatest sensitivity that is told from others.
const MaxSensitivity = 9

// Detail is an authorization detail (RFC 9396): its type and its strict JSON object.
type Detail struct {
	Type string          `json:"type"`
	Raw  json.RawMessage `json:"raw"`
}

// Code says in a word why something is withheld.
type Code string

// Codes.
const (
	Sensitive  Code = "sensitivity" // above the ceiling of the risk
	Unused     Code = "unused"      // the client hardly ever uses it
	History    Code = "history"     // further back than the risk allows
	Validity   Code = "validity"    // for longer than the risk allows
	Accounts   Code = "accounts"    // more accounts than the risk allows
	Payees     Code = "payees"      // more payees than the risk allows
	Amount     Code = "amount"      // more money than the risk allows
	Declined   Code = "consent"     // the person did not consent
	Unreadable Code = "unreadable"  // what is asked cannot be understood, and so not be limited
)

// Removal is what was asked for and is not kept, or not whole: a scope, a detail, or a
// part of one.
type Removal struct {
	Scope   string `json:"scope,omitempty"`
	Detail  string `json:"type,omitempty"` // type of the authorization detail
	Part    string `json:"part,omitempty"` // of the detail: an item of its lists, or the member that was limited; "" is all of it
	Code    Code   `json:"code,omitempty"`
	Because string `json:"because"` // in plain words, to stand behind the name of the scope or type
}

// Question is what a client asks for, and what is known when it does.
type Question struct {
	Scopes  []string
	Details []Detail
	Level   int // of risk, 0 to Levels-1; any other counts as the highest
	Use     Evidence
	// Withheld reports whether an item (see ItemOf) was withheld from this client at this
	// person before. Nil: nothing was.
	Withheld func(item string) bool
	Now      time.Time
}

// Kept is what is left of a question, in its order.
type Kept struct {
	Scopes  []string
	Details []Detail
	Removed []Removal
}

// ItemOf names a part of an authorization detail, as use is counted and as the policy
// may give it a sensitivity: "account_information/read_balances". Without a part it is
// the type. A scope is an item by its name.
func ItemOf(kind, part string) string {
	if part == "" {
		return kind
	}
	return kind + "/" + part
}

// Items returns the items of scopes and details, each once.
func Items(scopes []string, details []Detail) []string {
	items := slices.Clone(scopes)
	for _, d := range details {
		items = append(items, ItemOf(d.Type, ""))
		if o, err := readObject(d.Raw); err == nil {
			for _, part := range o.parts() {
				items = append(items, ItemOf(d.Type, part))
			}
		}
	}
	slices.Sort(items)
	return slices.Compact(items)
}

// narrowing is one Narrow under way.
type narrowing struct {
	*Rules
	q      *Question
	level  int
	wanted bool // what is asked is asked for its own sake: lack of use is no reason
	kept   Kept
}

// Narrow returns what of a question is kept, and why not the rest. Rules of a policy
// without the section keep everything.
func (r *Rules) Narrow(q *Question) Kept {
	if r == nil || !r.on {
		return Kept{Scopes: q.Scopes, Details: q.Details}
	}
	n := narrowing{Rules: r, q: q, level: q.Level}
	if n.level < 0 || n.level >= Levels {
		n.level = Levels - 1
	}
	n.wanted = n.forItsOwnSake()
	for _, s := range q.Scopes {
		if code, because := n.refuses(s, r.sensitivityOf(s)); code != "" {
			n.kept.Removed = append(n.kept.Removed, Removal{Scope: s, Code: code, Because: because})
		} else {
			n.kept.Scopes = append(n.kept.Scopes, s)
		}
	}
	for _, d := range q.Details {
		if less, ok := n.detail(d); ok {
			n.kept.Details = append(n.kept.Details, less)
		}
	}
	return n.kept
}

// forItsOwnSake reports whether a request explains itself: it names one thing, or
// nothing but what was withheld before, besides what is never withheld. So a client
// gets what it turns out to need, by a request for just that, to which a person
// consents by itself (incremental authorization).
func (n *narrowing) forItsOwnSake() bool {
	asked, withheld := 0, 0
	count := func(items ...string) {
		asked++
		if n.q.Withheld != nil && slices.ContainsFunc(items, n.q.Withheld) {
			withheld++
		}
	}
	for _, s := range n.q.Scopes {
		if !slices.Contains(n.keep, s) {
			count(s)
		}
	}
	for _, d := range n.q.Details {
		items := Items(nil, []Detail{d})
		if len(items) == 1 {
			count(items...)
			continue
		}
		for _, item := range items {
			if item != d.Type {
				count(item, d.Type)
			}
		}
	}
	return asked == 1 || withheld == asked
}

// refuses returns why an item is withheld; "" keeps it.
func (n *narrowing) refuses(item string, sensitivity uint8) (Code, string) {
	switch {
	case sensitivity > n.ceilings[n.level]:
		return Sensitive, "it is too sensitive at this risk"
	case n.wanted || slices.Contains(n.keep, item):
		return "", ""
	case n.Expect(item, &n.q.Use) < n.Least(sensitivity, n.level):
		return Unused, "this app rarely uses it; it can ask again when it needs it"
	}
	return "", ""
}

// Least returns the least expected use with which something of a sensitivity is kept at
// a level of risk. 0: use does not matter.
func (r *Rules) Least(sensitivity uint8, level int) float64 {
	return min(1, r.least[min(sensitivity, MaxSensitivity)]*r.risk[level])
}

// limited notes that a member of a detail was limited.
func (n *narrowing) limited(d *Detail, part string, code Code, format string, args ...any) {
	n.kept.Removed = append(n.kept.Removed, Removal{Detail: d.Type, Part: part, Code: code, Because: fmt.Sprintf(format, args...)})
}
