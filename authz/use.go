package authz

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/VictoriaMetrics/metrics"

	"github.com/waryauth/wary/features/scopes"
	"github.com/waryauth/wary/internal/store"
)

var usesLostTotal = metrics.NewCounter("wary_authz_uses_lost_total")

// clientHabits are the counts of a client over all people.
type clientHabits struct {
	client string
	counts scopes.Counts
}

func newUses(a *Authority) *store.Tally {
	return &store.Tally{Store: a.o.Store, Kind: usedKind, Grant: a.o.Lives.Grant, Now: a.o.Now,
		HalfLife: func() time.Duration { return a.o.Policy().Narrowing.HalfLife() },
		Lost: func(err error) {
			usesLostTotal.Inc()
			if err != nil {
				a.o.Log.Error("authority: count what a client uses", "error", err)
			}
		}}
}

// Used tells that a request was let through which needed scopes, and details by their
// type, or type and part ("account_information/read_balances"), of a token: what
// resource.Options.Used is for. It is cheap, since each counts once a grant. What the
// token does not have is passed over.
func (a *Authority) Used(t *Token, names, details []string) {
	grant, _, _ := strings.Cut(t.ID, ".")
	if grant == "" { // a client's own token: nobody was asked
		return
	}
	var used []string
	for _, s := range names {
		if slices.Contains(t.Scopes, s) && !a.uses.Told(grant, s) {
			used = append(used, s)
		}
	}
	parts := false
	for _, item := range details {
		kind, _, part := strings.Cut(item, "/")
		if slices.ContainsFunc(t.Details, func(d Detail) bool { return d.Type == kind }) && !a.uses.Told(grant, item) {
			used, parts = append(used, item), parts || part
		}
	}
	if len(used) == 0 {
		return
	}
	granted := slices.Clone(t.Scopes)
	for _, d := range t.Details {
		granted = append(granted, d.Type)
		if parts { // who never tells of parts uses none of them, which says nothing
			granted = append(granted, scopes.Items(nil, []Detail{d})...)
		}
	}
	a.uses.Note(store.Use{Grant: grant, Granted: granted, Used: used,
		Holders: []string{keyOf(habitKind, t.ClientID), keyOf(habitKind, pairOf(t.Subject, t.ClientID))}})
}

// Learn counts what was used since it last ran, in the store, where other nodes count
// theirs, and reads the counts of all clients: call it every few seconds, and once at
// the end.
func (a *Authority) Learn(ctx context.Context) {
	a.uses.Learn(ctx)
	a.readHabits(ctx)
}

// readHabits reads the counts of all clients. Where that fails they stay as they were.
func (a *Authority) readHabits(ctx context.Context) {
	ids := a.Clients().IDs()
	keys := make([]string, len(ids))
	for i, id := range ids {
		keys[i] = keyOf(habitKind, id)
	}
	counts, err := a.uses.Counts(ctx, keys...)
	if err != nil {
		a.o.Log.Error("authority: read what clients use", "error", err)
		return
	}
	all := make([]clientHabits, len(ids))
	for i, id := range ids {
		all[i] = clientHabits{id, countsOf(counts[i])}
	}
	a.habits.Store(&all)
}

// habitsOfAll returns the counts of all clients, as Learn read them.
func (a *Authority) habitsOfAll(ctx context.Context) []clientHabits {
	if a.habits.Load() == nil {
		a.readHabits(ctx)
	}
	if all := a.habits.Load(); all != nil {
		return *all
	}
	return nil
}

func countsOf(in map[string]store.Count) scopes.Counts {
	out := make(scopes.Counts, len(in))
	for item, c := range in {
		out[item] = scopes.Count{Granted: c.Granted, Used: c.Used}
	}
	return out
}
