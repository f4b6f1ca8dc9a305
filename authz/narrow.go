package authz

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"time"

	"github.com/VictoriaMetrics/metrics"

	"github.com/waryauth/wary/engine"
	"github.com/waryauth/wary/features/scopes"
	"github.com/waryauth/wary/internal/store"
)

// Removal is what was asked for and is not granted, or not whole, and why.
type Removal = scopes.Removal

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
		kept := a.o.Policy().Narrowing.Narrow(&scopes.Question{
			Scopes: p.scopes, Details: p.details, Level: int(p.level), Use: q.habits.evidence, Withheld: q.habits.withheld, Now: a.now(),
		})
		p.scopes, p.details, p.removed = kept.Scopes, kept.Details, append(p.removed, kept.Removed...)
	}
	for _, r := range p.removed {
		metrics.GetOrCreateCounter(`wary_authz_withheld_total{because="` + string(r.Code) + `"}`).Inc()
	}
}

// habits are what is known of a client when a person is about to be asked.
type habits struct {
	evidence scopes.Evidence
	withheld func(item string) bool
}

const (
	habitKind    = "habit:"    // counts by client, and by person and client
	usedKind     = "used:"     // what of a grant is counted
	withheldKind = "withheld:" // by person and client
	// memoryOfWithheld is how long a client may ask for what was withheld, and have it.
	memoryOfWithheld = 90 * 24 * time.Hour
	maxWithheld      = 64 // items
)

// habitsOf returns what is known of a client and a person. What cannot be read counts as
// not known: then less is kept.
func (a *Authority) habitsOf(ctx context.Context, subject, client string) habits {
	pair := pairOf(subject, client)
	var items []string
	if _, err := a.read(ctx, keyOf(withheldKind, pair), &items); err != nil && !errors.Is(err, ErrGone) {
		a.o.Log.Error("authority: read what was withheld", "error", err)
	}
	h := habits{withheld: func(item string) bool { return slices.Contains(items, item) }}
	person, err := a.uses.Counts(ctx, keyOf(habitKind, pair))
	if err != nil {
		a.o.Log.Error("authority: read what a client uses", "error", err)
	} else {
		h.evidence.Person = countsOf(person[0])
	}
	for _, c := range a.habitsOfAll(ctx) {
		if c.client == client {
			h.evidence.Client = c.counts
		} else {
			h.evidence.Peers = append(h.evidence.Peers, c.counts)
		}
	}
	return h
}

// withhold remembers what was withheld from a client at a person for lack of use, so that
// a request for just that is not answered so again.
func (a *Authority) withhold(ctx context.Context, subject, client string, removed []Removal) {
	var items []string
	for _, r := range removed {
		if r.Code == scopes.Unused && len(items) < maxWithheld {
			items = append(items, r.Scope+scopes.ItemOf(r.Detail, r.Part))
		}
	}
	if len(items) == 0 {
		return
	}
	err := store.Update(ctx, a.o.Store, keyOf(withheldKind, pairOf(subject, client)), func(store.Value) ([]byte, store.Deadline, error) {
		next, err := json.Marshal(items)
		return next, store.Until(a.now().Add(memoryOfWithheld)), err
	})
	if err != nil {
		a.o.Log.Error("authority: remember what was withheld", "error", err)
	}
}
