// Package store answers: has this been taken already?
//
// It is for small values with a deadline that must be right at every moment:
// authorization codes, request URIs, identifiers of proofs, grants, clients. A
// [Store] has two verbs: Get reads several keys as of one moment, Swap compares
// several keys and exchanges them, all or nothing. [PutNew], [Take] and [Update]
// are all that most callers need.
//
// Guarantees, the same in every store and tested by package storetest:
//
//  1. Linearizable. Every call takes effect at one moment between its start and
//     its return, over all of its keys.
//  2. Acknowledged is kept. When Swap returns nil the change survives whatever the
//     store promises to survive; see the packages bolt and redis.
//  3. ErrConflict changed nothing. So did every error of this package.
//  4. Any other error (a context that ended, a connection or disk that failed)
//     leaves it unknown whether the change was made. Take it for a failure and
//     refuse: what was being taken may be gone, but it is never given twice.
//  5. A value is absent from its deadline on. It is removed some time later, in
//     bounded steps.
//
// What the keys stand for is secret more often than not. Callers hash codes and
// tokens before they make keys of them; a store compares values in the ordinary
// way, in time that depends on them.
package store

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"time"
)

// Limits of one call.
const (
	MaxKey   = 256       // bytes of a key
	MaxValue = 128 << 10 // bytes of a value
	MaxKeys  = 32        // keys of one Get or Swap
)

// Errors a caller branches on. None of them comes with a change.
var (
	ErrConflict = errors.New("store: what is there is not what was expected")
	ErrAbsent   = errors.New("store: nothing is there")
	ErrTooLarge = errors.New("store: a key, a value or their number is over the limit")
	ErrExpired  = errors.New("store: the deadline has passed already")
	ErrClosed   = errors.New("store: closed")
)

// Deadline is the moment from which a value is absent, in milliseconds since
// 1970. Zero is none at all and is refused, lest a forgotten deadline keep a
// code for ever; what is to be kept says [Forever].
type Deadline int64

// Forever keeps a value until it is removed.
const Forever Deadline = math.MaxInt64

// Until returns the deadline at t, rounded down to a millisecond.
func Until(t time.Time) Deadline { return Deadline(t.UnixMilli()) }

// Time returns the deadline as a time; of Forever it says nothing useful.
func (d Deadline) Time() time.Time { return time.UnixMilli(int64(d)) }

// Passed reports whether a value with this deadline is absent at now.
func (d Deadline) Passed(now time.Time) bool { return d != Forever && now.UnixMilli() >= int64(d) }

// Value is what a key holds. Data is the caller's own copy; nil means that
// nothing is there, for a value has at least one byte.
type Value struct {
	Data     []byte
	Deadline Deadline
}

// Change is what Swap is to do with one key. The store keeps none of its memory.
type Change struct {
	Key  string
	Prev []byte // what must be there; empty: nothing
	Next []byte // what shall be there; empty: nothing. Equal to Prev it renews the deadline

	Deadline Deadline // of Next
}

// Store holds values by key. All methods are safe for concurrent use.
type Store interface {
	// Get returns one Value a key, in the order of the keys, all as of one moment.
	Get(ctx context.Context, keys ...string) ([]Value, error)

	// Swap makes all changes at one moment if every key holds its Prev, and none
	// of them otherwise: then it returns ErrConflict. No key may be named twice.
	Swap(ctx context.Context, changes ...Change) error

	// Close ends the store. Later calls return ErrClosed, but for Close itself.
	Close() error
}

// PutNew stores a value where nothing is. It returns ErrConflict where something
// is: of many that store the same key, one gets nil.
func PutNew(ctx context.Context, s Store, key string, value []byte, d Deadline) error {
	if len(value) == 0 {
		return errors.New("store: a value has at least one byte")
	}
	return s.Swap(ctx, Change{Key: key, Next: value, Deadline: d})
}

// Take removes a value and returns it: of many that take the same key, one gets
// it. It returns ErrAbsent where nothing is, or nothing any more.
func Take(ctx context.Context, s Store, key string) ([]byte, error) {
	for {
		held, err := s.Get(ctx, key)
		if err != nil {
			return nil, err
		}
		if held[0].Data == nil {
			return nil, ErrAbsent
		}
		err = s.Swap(ctx, Change{Key: key, Prev: held[0].Data})
		if err == nil {
			return held[0].Data, nil
		}
		if !errors.Is(err, ErrConflict) {
			return nil, err
		}
	}
}

// Update replaces a value by what change makes of it. The function may run
// several times, whenever another caller was faster, and must not do anything
// else; it sees a Value without Data where nothing is, and returns no bytes to
// remove what is there. Its own error ends the update and nothing changes.
func Update(ctx context.Context, s Store, key string, change func(prev Value) (next []byte, d Deadline, err error)) error {
	for {
		held, err := s.Get(ctx, key)
		if err != nil {
			return err
		}
		next, d, err := change(held[0])
		if err != nil {
			return err
		}
		err = s.Swap(ctx, Change{Key: key, Prev: held[0].Data, Next: next, Deadline: d})
		if !errors.Is(err, ErrConflict) {
			return err
		}
	}
}

// CheckKeys is what every store asks of the keys of a Get.
func CheckKeys(keys []string) error {
	if len(keys) == 0 {
		return errors.New("store: no key")
	}
	if len(keys) > MaxKeys {
		return fmt.Errorf("%w: %d keys", ErrTooLarge, len(keys))
	}
	for _, k := range keys {
		if err := checkKey(k); err != nil {
			return err
		}
	}
	return nil
}

// CheckChanges is what every store asks of a Swap, now being its own clock's time.
func CheckChanges(changes []Change, now time.Time) error {
	if len(changes) == 0 {
		return errors.New("store: no change")
	}
	if len(changes) > MaxKeys {
		return fmt.Errorf("%w: %d keys", ErrTooLarge, len(changes))
	}
	for i, c := range changes {
		if err := c.check(now); err != nil {
			return err
		}
		for _, other := range changes[:i] {
			if other.Key == c.Key {
				return errors.New("store: a key is named twice in one swap")
			}
		}
	}
	return nil
}

func (c Change) check(now time.Time) error {
	if err := checkKey(c.Key); err != nil {
		return err
	}
	switch {
	case len(c.Prev) > MaxValue || len(c.Next) > MaxValue:
		return fmt.Errorf("%w: a value of %d bytes", ErrTooLarge, max(len(c.Prev), len(c.Next)))
	case len(c.Next) == 0:
		return nil
	case c.Deadline <= 0:
		return errors.New("store: a value without a deadline")
	case c.Deadline.Passed(now):
		return ErrExpired
	}
	return nil
}

func checkKey(key string) error {
	switch {
	case key == "":
		return errors.New("store: an empty key")
	case len(key) > MaxKey:
		return fmt.Errorf("%w: a key of %d bytes", ErrTooLarge, len(key))
	}
	return nil
}

// Holds reports whether a value that was read is the one a change expects.
func (c Change) Holds(held []byte) bool { return bytes.Equal(held, c.Prev) }
