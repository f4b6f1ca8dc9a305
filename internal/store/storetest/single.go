package storetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/waryauth/wary/internal/store"
)

func getsWhatWasPut(ctx context.Context, s Subject) error {
	d := hour()
	err := errors.Join(
		store.PutNew(ctx, s.Store, "a", []byte("one"), d),
		store.PutNew(ctx, s.Store, "b", []byte("two"), store.Forever),
	)
	if err != nil {
		return err
	}
	got, err := s.Store.Get(ctx, "b", "none", "a", "a")
	if err != nil {
		return err
	}
	one, two, none := store.Value{Data: []byte("one"), Deadline: d}, store.Value{Data: []byte("two"), Deadline: store.Forever}, store.Value{}
	if text, want := fmt.Sprint(got), fmt.Sprint([]store.Value{two, none, one, one}); text != want {
		return fmt.Errorf("got %s, want %s", text, want)
	}
	later := d + 1000
	err = s.Store.Swap(ctx, store.Change{Key: "a", Prev: []byte("one"), Next: []byte("three"), Deadline: later})
	if err != nil {
		return fmt.Errorf("replace: %w", err)
	}
	if err := s.Store.Swap(ctx, store.Change{Key: "b", Prev: []byte("two")}); err != nil {
		return fmt.Errorf("remove: %w", err)
	}
	got, err = s.Store.Get(ctx, "a", "b")
	if err != nil {
		return err
	}
	if string(got[0].Data) != "three" || got[0].Deadline != later || got[1].Data != nil {
		return fmt.Errorf("after replacing one and removing the other: %v", got)
	}
	return nil
}

func conflictChangesNothing(ctx context.Context, s Subject) error {
	if err := fill(ctx, s.Store, map[string]string{"k": "v"}); err != nil {
		return err
	}
	for _, c := range []store.Change{
		{Key: "k", Next: []byte("new")},
		{Key: "k", Prev: []byte("V"), Next: []byte("new")},
		{Key: "k", Prev: []byte("v "), Next: []byte("new")},
		{Key: "k", Prev: []byte("w")},
		{Key: "k"},
		{Key: "none", Prev: []byte("v"), Next: []byte("new")},
		{Key: "none", Prev: []byte("v")},
	} {
		c.Deadline = hour()
		if err := is(fmt.Sprintf("swap %s from %q to %q", c.Key, c.Prev, c.Next), s.Store.Swap(ctx, c), store.ErrConflict); err != nil {
			return err
		}
	}
	if err := s.Store.Swap(ctx, store.Change{Key: "none"}); err != nil {
		return fmt.Errorf("that nothing is there, expected and found: %w", err)
	}
	return holds(ctx, s.Store, map[string]string{"k": "v", "none": ""})
}

func allOrNothing(ctx context.Context, s Subject) error {
	before := map[string]string{"a": "1", "b": "2", "c": "3", "d": ""}
	if err := fill(ctx, s.Store, map[string]string{"a": "1", "b": "2", "c": "3"}); err != nil {
		return err
	}
	changes := func() []store.Change {
		return []store.Change{
			{Key: "a", Prev: []byte("1"), Next: []byte("10"), Deadline: hour()},
			{Key: "b", Prev: []byte("2")},
			{Key: "c", Prev: []byte("3"), Next: []byte("3"), Deadline: hour()},
			{Key: "d", Next: []byte("40"), Deadline: hour()},
		}
	}
	for i := range changes() {
		wrong := changes()
		wrong[i].Prev = []byte("other")
		if err := is(fmt.Sprintf("change %d of 4 does not fit", i), s.Store.Swap(ctx, wrong...), store.ErrConflict); err != nil {
			return err
		}
		if err := holds(ctx, s.Store, before); err != nil {
			return fmt.Errorf("change %d of 4 did not fit: %w", i, err)
		}
	}
	if err := s.Store.Swap(ctx, changes()...); err != nil {
		return err
	}
	return holds(ctx, s.Store, map[string]string{"a": "10", "b": "", "c": "3", "d": "40"})
}

func anyBytes(ctx context.Context, s Subject) error {
	var all []byte
	for i := range 256 {
		all = append(all, byte(i))
	}
	want := map[string]string{}
	for _, k := range []string{string(all), "{}", "{tag}x", "a\r\nb", "\x00", "*", "../../x", "$-1\r\n", "\xff\xfe", "Zoë"} {
		want[k] = "is " + k
	}
	for i, v := range []string{"\x00", "\r\n", string(all), "nil", "-1"} {
		want[fmt.Sprint("value ", i)] = v
	}
	if err := fill(ctx, s.Store, want); err != nil {
		return err
	}
	return holds(ctx, s.Store, want)
}

func memoryIsTheCallers(ctx context.Context, s Subject) error {
	value, changes := []byte("value"), []store.Change{{Key: "k", Deadline: hour()}}
	changes[0].Next = value
	if err := s.Store.Swap(ctx, changes...); err != nil {
		return err
	}
	copy(value, "xxxxx")
	got, err := s.Store.Get(ctx, "k")
	if err != nil {
		return err
	}
	copy(got[0].Data, "yyyyy")
	return holds(ctx, s.Store, map[string]string{"k": "value"})
}

// expires does not depend on how fast the machine is: that a value is there is
// demanded only if its deadline has not passed when the answer is.
func expires(ctx context.Context, s Subject) error {
	until := time.Now().Add(300 * time.Millisecond)
	d := store.Until(until)
	if err := store.PutNew(ctx, s.Store, "k", []byte("short"), d); err != nil {
		if errors.Is(err, store.ErrExpired) && d.Passed(time.Now()) {
			return nil
		}
		return err
	}
	got, err := s.Store.Get(ctx, "k")
	if err != nil {
		return err
	}
	if got[0].Data == nil && !d.Passed(time.Now()) {
		return errors.New("absent before its deadline")
	}
	if err := waitFor(ctx, until.Add(5*time.Millisecond)); err != nil {
		return err
	}
	if err := holds(ctx, s.Store, map[string]string{"k": ""}); err != nil {
		return fmt.Errorf("after its deadline: %w", err)
	}
	if _, err := store.Take(ctx, s.Store, "k"); !errors.Is(err, store.ErrAbsent) {
		return fmt.Errorf("taken after its deadline: %v", err)
	}
	if err := is("swapped after its deadline", s.Store.Swap(ctx, store.Change{Key: "k", Prev: []byte("short")}), store.ErrConflict); err != nil {
		return err
	}
	if err := store.PutNew(ctx, s.Store, "k", []byte("again"), hour()); err != nil {
		return fmt.Errorf("put new after the deadline of the old: %w", err)
	}
	return holds(ctx, s.Store, map[string]string{"k": "again"})
}

// renews puts off two deadlines, one by an equal value, and waits for the old ones.
func renews(ctx context.Context, s Subject) error {
	until := time.Now().Add(300 * time.Millisecond)
	for key, next := range map[string]store.Deadline{"later": hour(), "never": store.Forever} {
		err := store.PutNew(ctx, s.Store, key, []byte("v"), store.Until(until))
		if err == nil {
			err = s.Store.Swap(ctx, store.Change{Key: key, Prev: []byte("v"), Next: []byte("v"), Deadline: next})
		}
		if err != nil && store.Until(until).Passed(time.Now()) {
			return nil // too slow to renew in time
		}
		if err != nil {
			return err
		}
	}
	if err := waitFor(ctx, until.Add(5*time.Millisecond)); err != nil {
		return err
	}
	return holds(ctx, s.Store, map[string]string{"later": "v", "never": "v"})
}

func waitFor(ctx context.Context, t time.Time) error {
	select {
	case <-time.After(time.Until(t)):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// passedDeadline matters to marks: one that is absent as soon as it is made lets
// the same proof pass again.
func passedDeadline(ctx context.Context, s Subject) error {
	past := store.Until(time.Now().Add(-time.Second))
	if err := is("put with a deadline that has passed", store.PutNew(ctx, s.Store, "k", []byte("v"), past), store.ErrExpired); err != nil {
		return err
	}
	if err := fill(ctx, s.Store, map[string]string{"k": "v"}); err != nil {
		return err
	}
	err := s.Store.Swap(ctx,
		store.Change{Key: "other", Next: []byte("o"), Deadline: hour()},
		store.Change{Key: "k", Prev: []byte("v"), Next: []byte("w"), Deadline: past})
	if err := is("replace with a deadline that has passed", err, store.ErrExpired); err != nil {
		return err
	}
	return holds(ctx, s.Store, map[string]string{"k": "v", "other": ""})
}

func limits(ctx context.Context, s Subject) error {
	key, value := strings.Repeat("k", store.MaxKey), bytes.Repeat([]byte{0}, store.MaxValue)
	put := func(key string, value []byte) error { return store.PutNew(ctx, s.Store, key, value, hour()) }
	if err := put(key, value); err != nil {
		return fmt.Errorf("the largest key and value: %w", err)
	}
	if err := holds(ctx, s.Store, map[string]string{key: string(value)}); err != nil {
		return fmt.Errorf("the largest key and value do not come back: %.80s", err)
	}
	var many []store.Change
	var names []string
	for i := range store.MaxKeys {
		names = append(names, fmt.Sprint("key ", i))
		many = append(many, store.Change{Key: names[i], Next: []byte("v"), Deadline: hour()})
	}
	if err := s.Store.Swap(ctx, many...); err != nil {
		return fmt.Errorf("%d keys: %w", len(many), err)
	}
	if _, err := s.Store.Get(ctx, names...); err != nil {
		return fmt.Errorf("%d keys: %w", len(names), err)
	}
	_, tooMany := s.Store.Get(ctx, append(names, "one more")...)
	_, tooLong := s.Store.Get(ctx, key+"k")
	for what, err := range map[string]error{
		"a long key":          put(key+"k", []byte("v")),
		"a long value":        put("k", append(value, 0)),
		"a long expectation":  s.Store.Swap(ctx, store.Change{Key: "k", Prev: append(value, 0)}),
		"many changes":        s.Store.Swap(ctx, append(many, store.Change{Key: "one more"})...),
		"many keys":           tooMany,
		"a get of a long key": tooLong,
	} {
		if err := is(what, err, store.ErrTooLarge); err != nil {
			return err
		}
	}
	return refusesNonsense(ctx, s.Store)
}

func refusesNonsense(ctx context.Context, s store.Store) error {
	v := []byte("v")
	_, noKeys := s.Get(ctx)
	_, emptyKey := s.Get(ctx, "")
	for what, err := range map[string]error{
		"a get of nothing":    noKeys,
		"a get of no key":     emptyKey,
		"a swap of nothing":   s.Swap(ctx),
		"an empty key":        s.Swap(ctx, store.Change{Next: v, Deadline: hour()}),
		"no deadline":         s.Swap(ctx, store.Change{Key: "x", Next: v}),
		"a negative deadline": s.Swap(ctx, store.Change{Key: "x", Next: v, Deadline: -1}),
		"a key twice":         s.Swap(ctx, store.Change{Key: "x", Next: v, Deadline: hour()}, store.Change{Key: "x"}),
		"an empty value":      store.PutNew(ctx, s, "x", []byte{}, hour()),
	} {
		if err == nil || errors.Is(err, store.ErrConflict) {
			return fmt.Errorf("%s: %v, want it refused", what, err)
		}
	}
	return holds(ctx, s, map[string]string{"x": ""})
}

func endedContext(ctx context.Context, s Subject) error {
	ended, cancel := context.WithCancel(ctx)
	cancel()
	if _, err := s.Store.Get(ended, "k"); !errors.Is(err, context.Canceled) {
		return fmt.Errorf("get: %v, want %v", err, context.Canceled)
	}
	if err := is("put", store.PutNew(ended, s.Store, "k", []byte("v"), hour()), context.Canceled); err != nil {
		return err
	}
	late, cancel := context.WithDeadline(ctx, time.Now().Add(-time.Second))
	defer cancel()
	if err := is("put", store.PutNew(late, s.Store, "k", []byte("v"), hour()), context.DeadlineExceeded); err != nil {
		return err
	}
	return holds(ctx, s.Store, map[string]string{"k": ""})
}

func closed(ctx context.Context, s Subject) error {
	if err := fill(ctx, s.Store, map[string]string{"k": "v"}); err != nil {
		return err
	}
	if err := s.Store.Close(); err != nil {
		return fmt.Errorf("close: %w", err)
	}
	_, get := s.Store.Get(ctx, "k")
	_, take := store.Take(ctx, s.Store, "k")
	for what, err := range map[string]error{
		"get":  get,
		"take": take,
		"put":  store.PutNew(ctx, s.Store, "l", []byte("v"), hour()),
	} {
		if err := is(what+" after close", err, store.ErrClosed); err != nil {
			return err
		}
	}
	if err := s.Store.Close(); err != nil {
		return fmt.Errorf("close again: %w", err)
	}
	return nil
}

func restartKeeps(ctx context.Context, s Subject) error {
	if err := fill(ctx, s.Store, map[string]string{"kept": "1", "taken": "2", "changed": "3"}); err != nil {
		return err
	}
	short := store.Until(time.Now().Add(400 * time.Millisecond))
	put := store.PutNew(ctx, s.Store, "short", []byte("4"), short)
	if put != nil && !errors.Is(put, store.ErrExpired) {
		return put
	}
	_, take := store.Take(ctx, s.Store, "taken")
	err := errors.Join(take,
		store.PutNew(ctx, s.Store, "for ever", []byte("5"), store.Forever),
		s.Store.Swap(ctx, store.Change{Key: "changed", Prev: []byte("3"), Next: []byte("33"), Deadline: hour()}))
	if err != nil {
		return err
	}
	again, err := s.Reopen()
	if err != nil {
		return fmt.Errorf("reopen: %w", err)
	}
	if _, err := store.Take(ctx, again, "taken"); !errors.Is(err, store.ErrAbsent) {
		return fmt.Errorf("taken again after a restart: %v", err)
	}
	if err := waitFor(ctx, short.Time().Add(5*time.Millisecond)); err != nil {
		return err
	}
	return holds(ctx, again, map[string]string{"kept": "1", "taken": "", "changed": "33", "short": "", "for ever": "5"})
}
