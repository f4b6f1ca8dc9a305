package store

import (
	"context"
	"encoding/json"
	"errors"
	"hash/maphash"
	"math"
	"slices"
	"sync"
	"time"
)

// Tally counts what is used of what was granted. A thing counts as granted when
// something of its grant is used for the first time, and as used once a grant, however
// often it is. Several nodes may count in one store. Its memory is bounded; what it can
// not hold or store is lost, and told. The zero Tally is not ready: fill in the options.
type Tally struct {
	Store    Store
	Kind     string        // begins the keys of grants that were counted
	Grant    time.Duration // how long a grant may be used
	HalfLife func() time.Duration
	Now      func() time.Time
	Lost     func(error) // of uses that are not counted; the error may be nil

	mu      sync.Mutex
	seed    maphash.Seed
	waiting map[string]*Use        // by grant
	told    [2]map[uint64]struct{} // grants with an item; the older half is forgotten when the newer is full
}

// Use is that items of a grant were used.
type Use struct {
	Grant   string   // its key, behind Kind
	Holders []string // keys of the counts that it is added to
	Granted []string // items that the grant has
	Used    []string // items of it that were used
}

// Count is how many grants that are in use had an item, and how many used it, both
// fading with the half-life.
type Count struct {
	Granted float64 `json:"g"`
	Used    float64 `json:"u"`
}

// counts are the value of a holder's key.
type counts struct {
	At    int64            `json:"at"` // seconds since 1970, of the numbers
	Items map[string]Count `json:"items"`
}

// Limits of a tally.
const (
	maxTallied = 1 << 16 // grants that wait, and uses known to be told
	maxItems   = 256     // of a grant or a holder
	maxItem    = 128     // bytes
	// memoryOfCounts is in half-lives: what has faded for so long says nothing any more.
	memoryOfCounts = 6
)

// Told reports whether an item of a grant was noted not long ago; of an item that is too
// long it always says so. It is the quick way out of a request.
func (t *Tally) Told(grant, item string) bool {
	if len(item) > maxItem {
		return true
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.told[0] == nil {
		return false
	}
	key := maphash.String(t.seed, grant+" "+item)
	_, newer := t.told[0][key]
	_, older := t.told[1][key]
	return newer || older
}

// Note has a use counted by the next Learn.
func (t *Tally) Note(u Use) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.told[0] == nil {
		t.seed, t.told[0], t.waiting = maphash.MakeSeed(), map[uint64]struct{}{}, map[string]*Use{}
	}
	w := t.waiting[u.Grant]
	if w == nil {
		if len(t.waiting) == maxTallied {
			t.Lost(nil)
			return
		}
		w = &Use{Grant: u.Grant, Holders: u.Holders}
		t.waiting[u.Grant] = w
	}
	w.Granted = merged(w.Granted, u.Granted)
	w.Used = merged(w.Used, u.Used)
	for _, item := range u.Used {
		if len(t.told[0]) == maxTallied {
			t.told[0], t.told[1] = map[uint64]struct{}{}, t.told[0]
		}
		t.told[0][maphash.String(t.seed, u.Grant+" "+item)] = struct{}{}
	}
}

// merged adds what is not there yet, as far as there is room.
func merged(to, items []string) []string {
	for _, item := range items {
		if len(item) <= maxItem && len(to) < maxItems && !slices.Contains(to, item) {
			to = append(to, item)
		}
	}
	return to
}

// Learn counts what was noted since it last ran: call it every few seconds, and once at
// the end. What a killed process had not counted is lost.
func (t *Tally) Learn(ctx context.Context) {
	t.mu.Lock()
	waiting := t.waiting
	t.waiting = map[string]*Use{}
	if t.told[0] == nil {
		t.seed, t.told[0] = maphash.MakeSeed(), map[uint64]struct{}{}
	}
	t.mu.Unlock()
	holders := map[string]map[string]Count{}
	for _, u := range waiting {
		fresh, err := t.fresh(ctx, u)
		if err != nil {
			t.Lost(err)
			continue
		}
		for _, h := range u.Holders {
			if holders[h] == nil {
				holders[h] = map[string]Count{}
			}
			for item, n := range fresh {
				sum := holders[h][item]
				holders[h][item] = Count{sum.Granted + n.Granted, sum.Used + n.Used}
			}
		}
	}
	for key, more := range holders {
		if err := t.add(ctx, key, more); err != nil {
			t.Lost(err)
		}
	}
}

// fresh marks what of a grant is counted and returns what was not before.
func (t *Tally) fresh(ctx context.Context, u *Use) (fresh map[string]Count, err error) {
	err = Update(ctx, t.Store, t.Kind+u.Grant, func(prev Value) ([]byte, Deadline, error) {
		fresh = map[string]Count{}
		var before Use
		if prev.Data != nil {
			if err := json.Unmarshal(prev.Data, &before); err != nil {
				return nil, 0, err
			}
		}
		after := Use{Granted: merged(before.Granted, u.Granted)}
		for _, item := range after.Granted[len(before.Granted):] {
			fresh[item] = Count{Granted: 1}
		}
		after.Used = before.Used
		for _, item := range u.Used {
			if slices.Contains(after.Granted, item) && !slices.Contains(after.Used, item) {
				after.Used = append(after.Used, item)
				fresh[item] = Count{Granted: fresh[item].Granted, Used: 1}
			}
		}
		next, err := json.Marshal(&after)
		return next, Until(t.Now().Add(t.Grant)), err
	})
	return fresh, err
}

// add adds to the counts of a holder.
func (t *Tally) add(ctx context.Context, key string, more map[string]Count) error {
	return Update(ctx, t.Store, key, func(prev Value) ([]byte, Deadline, error) {
		c, err := t.read(prev.Data)
		if err != nil {
			return nil, 0, err
		}
		for item, n := range more {
			had, known := c.Items[item]
			if known || len(c.Items) < maxItems {
				granted := had.Granted + n.Granted
				c.Items[item] = Count{granted, min(had.Used+n.Used, granted)}
			}
		}
		next, err := json.Marshal(&c)
		return next, Until(t.Now().Add(memoryOfCounts * t.HalfLife())), err
	})
}

// read returns counts as of now.
func (t *Tally) read(raw []byte) (counts, error) {
	now := t.Now().Unix()
	c := counts{At: now, Items: map[string]Count{}}
	if raw == nil {
		return c, nil
	}
	if err := json.Unmarshal(raw, &c); err != nil {
		return c, err
	}
	by := math.Exp2(-max(0, float64(now-c.At)) / t.HalfLife().Seconds())
	for item, n := range c.Items {
		c.Items[item] = Count{n.Granted * by, n.Used * by}
	}
	c.At = max(c.At, now)
	return c, nil
}

// Counts returns the counts of holders as of now, in the order of their keys; nil of one
// that has none.
func (t *Tally) Counts(ctx context.Context, keys ...string) ([]map[string]Count, error) {
	out := make([]map[string]Count, 0, len(keys))
	for part := range slices.Chunk(keys, MaxKeys) {
		values, err := t.Store.Get(ctx, part...)
		if err != nil {
			return nil, err
		}
		for _, v := range values {
			c, err := t.read(v.Data)
			if err != nil {
				return nil, errors.Join(errors.New("store: counts that cannot be read"), err)
			}
			out = append(out, c.Items)
		}
	}
	return out, nil
}
