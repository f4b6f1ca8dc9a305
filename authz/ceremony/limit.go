package ceremony

import (
	"context"
	"encoding/binary"
	"errors"
	"net/netip"
	"time"

	"github.com/waryauth/wary/internal/jose"
	"github.com/waryauth/wary/internal/store"
)

// limit bounds tries: burst at once, and one more every interval. It is the generic
// cell rate algorithm: what is kept of a key is one time, that at which it will have
// all its tries again.
type limit struct {
	kind     string
	burst    int
	interval time.Duration
}

// Limits of tries that fail. One place guessing at one account is stopped first;
// the account's own limit stands high above, so that keeping its owner out takes many
// places; the place's limit holds against one guess at each of many accounts. A code
// is one of a million and three count at any time: at this rate a year of
// guesses by someone who has the password finds one with a chance of 0.16.
var limits = struct{ pair, account, place, code limit }{
	pair:    limit{"pair:", 5, time.Minute},
	account: limit{"account:", 50, 2 * time.Minute},
	place:   limit{"place:", 40, 10 * time.Second},
	code:    limit{"code:", 5, 10 * time.Minute},
}

// try is one limit and whom it bounds.
type try struct {
	limit
	whom string
}

func (t try) key() string { return "limit:" + t.kind + jose.Digest(t.whom) }

var errTooMany = errors.New("too many tries")

// spend takes a try of each before it is made, all or none, so that no number of
// requests at once gets more than one after the other. It returns how many of the
// first were spent before, or errTooMany.
func spend(ctx context.Context, s store.Store, now time.Time, tries ...try) (spent int, err error) {
	err = change(ctx, s, now, tries, func(t try, full time.Time) (time.Time, error) {
		if full = full.Add(t.interval); full.Sub(now) > time.Duration(t.burst)*t.interval {
			return full, errTooMany
		}
		if t == tries[0] {
			spent = int((full.Sub(now)+t.interval-1)/t.interval) - 1
		}
		return full, nil
	})
	return spent, err
}

// restore gives back a try of each that did not fail. Only the one: an attacker who
// logs in to an account of their own between guesses gains nothing by it.
func restore(ctx context.Context, s store.Store, now time.Time, tries ...try) error {
	return change(ctx, s, now, tries, func(t try, full time.Time) (time.Time, error) { return full.Add(-t.interval), nil })
}

// change replaces the time of each key, all at one moment.
func change(ctx context.Context, s store.Store, now time.Time, tries []try, next func(t try, full time.Time) (time.Time, error)) error {
	keys := make([]string, len(tries))
	for i, t := range tries {
		keys[i] = t.key()
	}
	for {
		held, err := s.Get(ctx, keys...)
		if err != nil {
			return err
		}
		changes := make([]store.Change, 0, len(tries))
		for i, t := range tries {
			full := now
			if len(held[i].Data) == 8 {
				if at := time.UnixMilli(int64(binary.BigEndian.Uint64(held[i].Data))); at.After(now) {
					full = at
				}
			}
			if full, err = next(t, full); err != nil {
				return err
			}
			c := store.Change{Key: keys[i], Prev: held[i].Data}
			if full.After(now) {
				c.Next, c.Deadline = binary.BigEndian.AppendUint64(nil, uint64(full.UnixMilli())), store.Until(full)
			}
			if c.Prev != nil || c.Next != nil {
				changes = append(changes, c)
			}
		}
		if len(changes) == 0 {
			return nil
		}
		if err := s.Swap(ctx, changes...); !errors.Is(err, store.ErrConflict) {
			return err
		}
	}
}

// placeOf returns what counts as one place: an IPv4 address, or the /64 of an IPv6
// one, which is what a household is given.
func placeOf(ip netip.Addr) string {
	if ip = ip.Unmap(); ip.Is6() {
		if p, err := ip.WithZone("").Prefix(64); err == nil {
			return p.String()
		}
	}
	return ip.String()
}
