package authz

import (
	"context"
	"encoding/json"
	"errors"
	"hash/maphash"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/VictoriaMetrics/metrics"

	"github.com/waryauth/wary/features/scopes"
	"github.com/waryauth/wary/internal/store"
)

const day = 24 * time.Hour

// Limits of what is remembered of use.
const (
	maxItems = 256     // of a client, or of a grant
	maxItem  = 128     // bytes of the name of an item
	maxUses  = 1 << 16 // grants whose use waits to be learned, and uses known to be told already
)

const (
	usedKind  = "used:"   // by grant: what of it was counted
	habitsAll = "habits:" // by client: its counts over all people
)

var usesLostTotal = metrics.NewCounter("wary_authz_uses_lost_total")

// uses are what clients have used of their grants and is not yet in the store, and the
// counts as they stood when Learn last ran.
type uses struct {
	mu      sync.Mutex
	waiting map[string]*use // by grant
	seed    maphash.Seed
	told    [2]map[uint64]struct{} // the older half is forgotten when the newer is full
	counts  atomic.Pointer[[]counts]
}

// counts are those of a client, over all people.
type counts struct {
	client string
	scopes.Counts
}

// use is what a client has used of a grant.
type use struct {
	client, subject string
	granted, used   []string // items
}

// tally is how often items were granted and used.
type tally map[string]struct{ granted, used float64 }

// add counts an item.
func (t tally) add(item string, granted, used float64) {
	n := t[item]
	n.granted += granted
	n.used += used
	t[item] = n
}

// Used tells that a request was let through which needed scopes, and details by their
// type, or type and part ("account_information/read_balances"), of a token: what
// resource.Options.Used is for. It is cheap: each is counted once a grant, by Learn.
// What the token does not have is passed over.
func (a *Authority) Used(t *Token, names, details []string) {
	grant, _, _ := strings.Cut(t.ID, ".")
	if grant == "" { // a client's own token: nobody was asked
		return
	}
	u := &a.uses
	u.mu.Lock()
	defer u.mu.Unlock()
	for _, s := range names {
		if slices.Contains(t.Scopes, s) {
			u.note(grant, t, s)
		}
	}
	for _, item := range details {
		kind, _, _ := strings.Cut(item, "/")
		if slices.ContainsFunc(t.Details, func(d Detail) bool { return d.Type == kind || d.Type == item }) {
			u.note(grant, t, item)
		}
	}
}

// note has an item of a grant learned, unless it was before.
func (u *uses) note(grant string, t *Token, item string) {
	if len(item) > maxItem {
		return
	}
	if u.told[0] == nil {
		u.seed, u.waiting, u.told[0] = maphash.MakeSeed(), map[string]*use{}, map[uint64]struct{}{}
	}
	key := maphash.String(u.seed, grant+" "+item)
	for _, told := range u.told {
		if _, ok := told[key]; ok {
			return
		}
	}
	w := u.waiting[grant]
	if w == nil {
		if len(u.waiting) == maxUses {
			usesLostTotal.Inc()
			return
		}
		w = &use{client: t.ClientID, subject: t.Subject}
		u.waiting[grant] = w
	}
	if len(u.told[0]) == maxUses {
		u.told[0], u.told[1] = map[uint64]struct{}{}, u.told[0]
	}
	u.told[0][key] = struct{}{}
	w.used = append(w.used, item)
	for _, granted := range scopes.Items(t.Scopes, rarOf(t.Details)) {
		// Parts count as granted only where somebody tells of parts: else none would ever be used.
		kind, _, part := strings.Cut(granted, "/")
		if !part || isPartOf(item, kind) || slices.Contains(t.Scopes, granted) {
			w.granted = append(w.granted, granted)
		}
	}
}

func rarOf(details []Detail) (out []scopes.Detail) {
	for _, d := range details {
		out = append(out, scopes.Detail(d))
	}
	return out
}

// Learn counts what was used since it last ran, in the store, where other nodes count
// theirs, and reads the counts of all clients: call it every few seconds, and once at
// the end. What a killed process had not counted is lost.
func (a *Authority) Learn(ctx context.Context) {
	u := &a.uses
	u.mu.Lock()
	waiting := u.waiting
	if waiting != nil {
		u.waiting = map[string]*use{}
	}
	u.mu.Unlock()
	clients := map[string]tally{}
	for grant, w := range waiting {
		fresh, err := a.fresh(ctx, grant, w)
		if err != nil {
			usesLostTotal.Inc()
			a.o.Log.Error("authority: count what a client uses", "error", err)
			continue
		}
		if len(fresh) == 0 {
			continue
		}
		a.habituate(ctx, keyOf(habitKind, pairOf(w.subject, w.client)), fresh, nil)
		if clients[w.client] == nil {
			clients[w.client] = tally{}
		}
		for item, n := range fresh {
			clients[w.client].add(item, n.granted, n.used)
		}
	}
	for client, t := range clients {
		a.habituate(ctx, keyOf(habitsAll, client), t, nil)
	}
	a.recount(ctx)
}

// counted is what of a grant was counted.
type counted struct {
	Granted []string `json:"g"`
	Used    []string `json:"u"`
}

// fresh marks what was used of a grant as counted and returns what was not before. An
// item counts as granted when something of its grant is used for the first time: a grant
// that nothing was done with says nothing.
func (a *Authority) fresh(ctx context.Context, grant string, w *use) (tally, error) {
	var fresh tally
	err := store.Update(ctx, a.o.Store, keyOf(usedKind, grant), func(prev store.Value) ([]byte, store.Deadline, error) {
		fresh = tally{}
		var c counted
		if prev.Data != nil {
			if err := json.Unmarshal(prev.Data, &c); err != nil {
				return nil, 0, err
			}
		}
		for _, item := range w.granted {
			if !slices.Contains(c.Granted, item) && len(c.Granted) < maxItems {
				c.Granted = append(c.Granted, item)
				fresh.add(item, 1, 0)
			}
		}
		for _, item := range w.used {
			if slices.Contains(c.Granted, item) && !slices.Contains(c.Used, item) {
				c.Used = append(c.Used, item)
				fresh.add(item, 0, 1)
			}
		}
		next, err := json.Marshal(&c)
		return next, store.Until(a.now().Add(a.o.Lives.Grant)), err
	})
	return fresh, err
}

// recount reads the counts of all clients.
func (a *Authority) recount(ctx context.Context) {
	var all []counts
	for _, id := range a.Clients().IDs() {
		var h habit
		switch _, err := a.read(ctx, keyOf(habitsAll, id), &h); {
		case err == nil:
			all = append(all, counts{id, h.Counts})
		case !errors.Is(err, ErrGone):
			a.o.Log.Error("authority: read what clients use", "error", err)
			return // the counts stay as they were
		}
	}
	a.uses.counts.Store(&all)
}

// evidence returns what is known of a client's use, and of its peers'.
func (a *Authority) evidence(ctx context.Context, client string, person scopes.Counts) scopes.Evidence {
	if a.uses.counts.Load() == nil {
		a.recount(ctx)
	}
	e := scopes.Evidence{Person: person}
	if all := a.uses.counts.Load(); all != nil {
		for _, c := range *all {
			if c.client == client {
				e.Client = c.Counts
			} else {
				e.Peers = append(e.Peers, c.Counts)
			}
		}
	}
	return e
}
