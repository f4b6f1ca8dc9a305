package main

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strconv"
	"time"

	"github.com/waryauth/wary/features"
	"github.com/waryauth/wary/features/history"
	"github.com/waryauth/wary/models"
)

// state measures memory in a child on one core.
func state(ctx context.Context, r *run) (map[string]float64, error) {
	entities := 1_000_000
	if r.quick {
		entities /= 10
	}
	return r.results(ctx, serverCore, "state", strconv.Itoa(entities))
}

// stateChild ENTITIES fills a store and prints how much memory an entity takes, how
// long a forced collection then lasts, and how many attempts a second are folded.
func stateChild(args []string) error {
	if len(args) != 1 {
		return errors.New("state: want a number of entities")
	}
	entities, err := strconv.Atoi(args[0])
	if err != nil {
		return err
	}
	s := history.New(history.Options{MaxEntities: 2 * entities}) // each kind has its share of the room
	h := features.NewHasher(1, 2)
	of := func(st history.Stats) int { return st.Users + st.Shared + st.Pairs + st.Values }
	var t features.Trace
	n := 0
	for ; of(s.Len()) < entities; n += 1000 {
		if n > 2*entities {
			return fmt.Errorf("the store holds %d entities of %d people", of(s.Len()), n)
		}
		for i := range 1000 {
			lifeOf(&t, h, n+i)
			s.Attempt(&t)
			s.Succeed(&t)
		}
	}
	held := s.Len()
	forced := time.Hour
	for range 5 {
		before := time.Now()
		runtime.GC()
		forced = min(forced, time.Since(before))
	}
	before, folds := used(), 0
	for until := time.Now().Add(2 * time.Second); time.Now().Before(until); folds += 1000 {
		for i := range 1000 {
			lifeOf(&t, h, (folds+i)*7919%n)
			s.Attempt(&t)
			s.Succeed(&t)
		}
	}
	each := float64((used() - before).Nanoseconds()) / float64(folds)
	fmt.Printf("# state: %d entities, %d evicted, %.0f attempts folded per second and core (attempt and success)\n", of(held), held.Evicted, 1e9/each)
	fmt.Println("state_bytes_per_entity", float64(held.Bytes)/float64(of(held)))
	if entities == 1_000_000 {
		fmt.Println("forced_gc_ms_at_1000000_entities", float64(forced.Microseconds())/1e3)
	}
	runtime.KeepAlive(s)
	return nil
}

// lifeOf is an attempt of person n, on a device and at an address of their own or
// a neighbour's.
func lifeOf(t *features.Trace, h features.Hasher, n int) {
	user := h.Number(features.KindUser, uint64(n))
	*t = features.Trace{
		User: user, Typed: user, Time: 1_750_000_000_000 + int64(n)*50,
		Address: h.Number(features.KindAddress, uint64(n/2)), Device: h.Number(features.KindDevice, uint64(n)),
		Outcome: features.Allowed,
	}
	t.UserAddress = h.Pair(user, t.Address)
}

// detection reads what the embedded model's card says of people it was not trained
// on.
func detection(context.Context, *run) (map[string]float64, error) {
	m, err := models.Baseline()
	if err != nil {
		return nil, err
	}
	card := m.Card()
	values := map[string]float64{}
	for name, key := range map[string]string{"detection_auc": "auc", "takeovers_caught_at_1_percent": "caught_at_0.01"} {
		if v, ok := card.Metrics[key]; ok {
			values[name] = v
		}
	}
	rule := max(card.Metrics["rba_caught_at_0.01"], card.Metrics["new_network_caught_at_0.01"])
	if caught, ok := values["takeovers_caught_at_1_percent"]; ok && rule > 0 {
		values["takeovers_caught_vs_best_rule"] = caught / rule
	}
	return values, nil
}
