package authz

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"

	"github.com/VictoriaMetrics/metrics"

	"github.com/waryauth/wary/engine"
	"github.com/waryauth/wary/features/scopes"
	"github.com/waryauth/wary/internal/store"
)

// Removal is what was asked for and is not granted, or not whole, and why.
type Removal struct {
	Scope   string      `json:"scope,omitempty"`
	Detail  string      `json:"type,omitempty"` // type of the authorization detail
	Part    string      `json:"part,omitempty"` // of the detail, where it is not all of it
	Code    scopes.Code `json:"code,omitempty"` // why, in a word
	Because string      `json:"because"`        // why, in plain words: for the person
}

// declined is the code of what the person did not consent to.
const declined scopes.Code = "consent"

var withheldTotal = map[scopes.Code]*metrics.Counter{
	scopes.Sensitive:  metrics.NewCounter(`wary_authz_withheld_total{because="sensitivity"}`),
	scopes.Unused:     metrics.NewCounter(`wary_authz_withheld_total{because="unused"}`),
	scopes.History:    metrics.NewCounter(`wary_authz_withheld_total{because="history"}`),
	scopes.Validity:   metrics.NewCounter(`wary_authz_withheld_total{because="validity"}`),
	scopes.Accounts:   metrics.NewCounter(`wary_authz_withheld_total{because="accounts"}`),
	scopes.Payees:     metrics.NewCounter(`wary_authz_withheld_total{because="payees"}`),
	scopes.Amount:     metrics.NewCounter(`wary_authz_withheld_total{because="amount"}`),
	scopes.Unreadable: metrics.NewCounter(`wary_authz_withheld_total{because="unreadable"}`),
}

// narrow takes from an approval what the engine does not grant, and then, of a person
// who is to be asked, what the policy finds that the client does not need.
func (a *Authority) narrow(p *Approval, q *question, g *engine.Grant) {
	for i, d := range q.details {
		if i < len(g.Details) && g.Details[i] {
			p.details = append(p.details, d)
		} else {
			p.removed = append(p.removed, Removal{Detail: d.Type, Code: scopes.Sensitive, Because: tooSensitive})
		}
	}
	for _, s := range q.scopes {
		if !slices.Contains(p.scopes, s) {
			p.removed = append(p.removed, Removal{Scope: s, Code: scopes.Sensitive, Because: tooSensitive})
		}
	}
	a.need(p, q)
}

const tooSensitive = "it is too sensitive at this risk"

// need takes from an approval about a person what the client does not need, or not so
// much of it.
func (a *Authority) need(p *Approval, q *question) {
	if q.stage == Authenticated {
		asked := &scopes.Question{Scopes: p.scopes, Level: int(p.level), Use: q.habits.evidence, Withheld: q.habits.withheld, Now: a.now()}
		for _, d := range p.details {
			asked.Details = append(asked.Details, scopes.Detail(d))
		}
		kept := a.o.Policy().Narrowing.Narrow(asked)
		p.scopes, p.details = kept.Scopes, nil
		for _, d := range kept.Details {
			p.details = append(p.details, Detail(d))
		}
		for _, r := range kept.Removed {
			p.removed = append(p.removed, Removal(r))
		}
	}
	for _, r := range p.removed {
		withheldTotal[r.Code].Inc()
	}
}

// habits are what is known of a client when a person is about to be asked.
type habits struct {
	evidence scopes.Evidence
	withheld func(item string) bool
}

// habit is what is remembered of a client at one person.
type habit struct {
	Counts   scopes.Counts    `json:"counts,omitempty"`
	Withheld map[string]int64 `json:"withheld,omitempty"` // item to when, seconds since 1970: for lack of use
}

const (
	habitKind = "habit:"
	// memoryOfHabits is how long counts, and what was withheld, are kept after the last
	// change of them.
	memoryOfHabits = 400 * day
	// memoryOfWithheld is how long a client may ask for what was withheld, and have it.
	memoryOfWithheld = 90 * day
)

// habitsOf returns what is known of a client and a person. What cannot be read counts as
// not known: then less is kept.
func (a *Authority) habitsOf(ctx context.Context, subject, client string) habits {
	var own habit
	if _, err := a.read(ctx, keyOf(habitKind, pairOf(subject, client)), &own); err != nil && !errors.Is(err, ErrGone) {
		a.o.Log.Error("authority: read what a client uses", "error", err)
	}
	since := a.now().Add(-memoryOfWithheld).Unix()
	return habits{evidence: a.evidence(ctx, client, own.Counts), withheld: func(item string) bool { return own.Withheld[item] > since }}
}

// withhold remembers what was withheld from a client at a person for lack of use, so that
// a request for just that is not answered so again.
func (a *Authority) withhold(ctx context.Context, subject, client string, removed []Removal) {
	items := map[string]int64{}
	for _, r := range removed {
		if r.Code == scopes.Unused {
			items[r.Scope+scopes.ItemOf(r.Detail, r.Part)] = a.now().Unix()
		}
	}
	if len(items) > 0 {
		a.habituate(ctx, keyOf(habitKind, pairOf(subject, client)), nil, items)
	}
}

// habituate adds uses and what was withheld to a habit.
func (a *Authority) habituate(ctx context.Context, key string, uses tally, withheld map[string]int64) {
	now := a.now()
	rules := a.o.Policy().Narrowing
	err := store.Update(ctx, a.o.Store, key, func(prev store.Value) ([]byte, store.Deadline, error) {
		h := habit{}
		if prev.Data != nil {
			if err := json.Unmarshal(prev.Data, &h); err != nil {
				return nil, 0, err
			}
		}
		if h.Counts == nil {
			h.Counts = scopes.Counts{}
		}
		if h.Withheld == nil {
			h.Withheld = map[string]int64{}
		}
		for item, n := range uses {
			if _, known := h.Counts[item]; known || len(h.Counts) < maxItems {
				h.Counts[item] = rules.Plus(h.Counts[item], n.granted, n.used, now)
			}
		}
		for item, at := range withheld {
			if _, known := h.Withheld[item]; known || len(h.Withheld) < maxItems {
				h.Withheld[item] = at
			}
		}
		for item, at := range h.Withheld {
			if at < now.Add(-memoryOfWithheld).Unix() {
				delete(h.Withheld, item)
			}
		}
		next, err := json.Marshal(&h)
		return next, store.Until(now.Add(memoryOfHabits)), err
	})
	if err != nil {
		a.o.Log.Error("authority: remember what a client uses", "error", err)
	}
}

// isPartOf reports whether an item is a part of a detail of a type.
func isPartOf(item, kind string) bool { return strings.HasPrefix(item, kind+"/") }
