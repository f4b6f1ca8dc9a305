// Package storetest answers: does a store keep its promises?
//
// [Run] holds an adapter to the guarantees of package store, by checks that know
// only the interface. The package's own tests run the same checks on stores that
// break one promise each, and see them fail.
package storetest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/waryauth/wary/internal/store"
)

// Subject is a store under test.
type Subject struct {
	Store store.Store // empty

	// Reopen ends the store as a crash would and opens what it left. Subject.Store
	// is of no use afterwards.
	Reopen func() (store.Store, error)
}

// check is one promise: it returns what it found broken.
type check struct {
	name string
	of   func(ctx context.Context, s Subject) error
}

func checks() []check {
	return []check{
		{"gets what was put", getsWhatWasPut},
		{"a conflict changes nothing", conflictChangesNothing},
		{"all or nothing", allOrNothing},
		{"any bytes", anyBytes},
		{"memory is the caller's", memoryIsTheCallers},
		{"taken once", takenOnce},
		{"put new once", putNewOnce},
		{"updates lose nothing", updatesLoseNothing},
		{"a get is one moment", getIsOneMoment},
		{"expires", expires},
		{"a deadline can be renewed", renews},
		{"a deadline that has passed", passedDeadline},
		{"limits", limits},
		{"a context that ended", endedContext},
		{"closed", closed},
		{"a restart keeps", restartKeeps},
		{"linearizable", linearizable},
	}
}

// Run runs all checks, each on a subject of its own.
func Run(t *testing.T, open func(t *testing.T) Subject) {
	for _, c := range checks() {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			// No check waits for this long unless something hangs.
			ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
			defer cancel()
			if err := c.of(ctx, open(t)); err != nil {
				t.Error(err)
			}
		})
	}
}

const racers = 32

// race runs f in 32 goroutines at once and counts the answers: nil, want, and
// returns any other error.
func race(want error, f func(i int) error) (won, lost int, err error) {
	var (
		start, end sync.WaitGroup
		answers    [racers]error
	)
	start.Add(1)
	for i := range racers {
		end.Go(func() {
			start.Wait()
			answers[i] = f(i)
		})
	}
	start.Done()
	end.Wait()
	for _, a := range answers {
		switch {
		case a == nil:
			won++
		case want != nil && errors.Is(a, want):
			lost++
		default:
			err = a
		}
	}
	return won, lost, err
}

// hour is a deadline that no check lives to see.
func hour() store.Deadline { return store.Until(time.Now().Add(time.Hour)) }

// holds compares what some keys hold with want, "" meaning nothing.
func holds(ctx context.Context, s store.Store, want map[string]string) error {
	for k, w := range want {
		got, err := s.Get(ctx, k)
		if err != nil {
			return fmt.Errorf("get %q: %w", k, err)
		}
		if len(got) != 1 || string(got[0].Data) != w || (w == "") != (got[0].Data == nil) {
			return fmt.Errorf("%q holds %v, want %q", k, got, w)
		}
	}
	return nil
}

// fill puts values that no check lives to see expire.
func fill(ctx context.Context, s store.Store, values map[string]string) error {
	for k, v := range values {
		if err := store.PutNew(ctx, s, k, []byte(v), hour()); err != nil {
			return fmt.Errorf("put %q: %w", k, err)
		}
	}
	return nil
}

// is says which error was expected.
func is(what string, got, want error) error {
	if !errors.Is(got, want) {
		return fmt.Errorf("%s: %v, want %v", what, got, want)
	}
	return nil
}
