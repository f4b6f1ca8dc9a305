package storetest

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/anishathalye/porcupine"
	"github.com/waryauth/wary/internal/store"
)

func takenOnce(ctx context.Context, s Subject) error {
	for round := range 4 {
		if err := fill(ctx, s.Store, map[string]string{"code": "grant"}); err != nil {
			return err
		}
		var took atomic.Int32
		won, lost, err := race(store.ErrAbsent, func(int) error {
			v, err := store.Take(ctx, s.Store, "code")
			if string(v) == "grant" {
				took.Add(1)
			}
			return err
		})
		if err != nil || won != 1 || lost != racers-1 || took.Load() != 1 {
			return fmt.Errorf("round %d: %d took it, %d found it gone, %d got the value, %v", round, won, lost, took.Load(), err)
		}
	}
	return nil
}

func putNewOnce(ctx context.Context, s Subject) error {
	for round := range 4 {
		key := fmt.Sprint("jti ", round)
		won, lost, err := race(store.ErrConflict, func(i int) error {
			return store.PutNew(ctx, s.Store, key, []byte{byte(i)}, hour())
		})
		if err != nil || won != 1 || lost != racers-1 {
			return fmt.Errorf("round %d: %d put it, %d found it, %v", round, won, lost, err)
		}
	}
	return nil
}

func updatesLoseNothing(ctx context.Context, s Subject) error {
	const each = 3
	_, _, err := race(nil, func(int) error {
		for range each {
			err := store.Update(ctx, s.Store, "count", func(prev store.Value) ([]byte, store.Deadline, error) {
				n, _ := strconv.Atoi(string(prev.Data))
				return strconv.AppendInt(nil, int64(n)+1, 10), hour(), nil
			})
			if err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	refused := errors.New("refused by the caller")
	err = store.Update(ctx, s.Store, "count", func(store.Value) ([]byte, store.Deadline, error) { return nil, 0, refused })
	if err := is("an update that its caller refuses", err, refused); err != nil {
		return err
	}
	if err := holds(ctx, s.Store, map[string]string{"count": fmt.Sprint(each * racers)}); err != nil {
		return err
	}
	remove := func(store.Value) ([]byte, store.Deadline, error) { return nil, 0, nil }
	if err := store.Update(ctx, s.Store, "count", remove); err != nil {
		return err
	}
	return holds(ctx, s.Store, map[string]string{"count": ""})
}

// getIsOneMoment moves units between two accounts while others add them up.
func getIsOneMoment(ctx context.Context, s Subject) error {
	if err := fill(ctx, s.Store, map[string]string{"a": "100", "b": "100"}); err != nil {
		return err
	}
	_, _, err := race(nil, func(i int) error {
		for range 10 {
			held, err := s.Store.Get(ctx, "a", "b")
			if err != nil {
				return err
			}
			a, _ := strconv.Atoi(string(held[0].Data))
			b, _ := strconv.Atoi(string(held[1].Data))
			if a+b != 200 {
				return fmt.Errorf("%d + %d units of 200", a, b)
			}
			if i%4 != 0 {
				continue
			}
			err = s.Store.Swap(ctx,
				store.Change{Key: "a", Prev: held[0].Data, Next: strconv.AppendInt(nil, int64(a)-1, 10), Deadline: hour()},
				store.Change{Key: "b", Prev: held[1].Data, Next: strconv.AppendInt(nil, int64(b)+1, 10), Deadline: hour()})
			if err != nil && !errors.Is(err, store.ErrConflict) {
				return err
			}
		}
		return nil
	})
	return err
}

// call is what one client asked of three keys: to read them all, or to change
// those that an expectation is given for.
type call struct {
	swap       bool
	named      [3]bool
	prev, next [3]string
}

// answer is what it was told: the values, or whether its expectations held.
type answer struct {
	held [3]string
	done bool
}

// model is the specification: three registers, read and compared at once.
func model() porcupine.Model {
	return porcupine.Model{
		Init: func() any { return [3]string{} },
		Step: func(state, input, output any) (bool, any) {
			held, in, out := state.([3]string), input.(call), output.(answer)
			if !in.swap {
				return held == out.held, held
			}
			next, fits := held, true
			for i, named := range in.named {
				if named {
					fits = fits && held[i] == in.prev[i]
					next[i] = in.next[i]
				}
			}
			if !fits {
				next = held
			}
			return fits == out.done, next
		},
	}
}

// linearizable records what concurrent clients ask and are told, and searches an
// order of it that the specification allows. It begins with one client alone, so
// that a store whose answers are late, or whose conflicts change something, is
// found out whatever the timing.
func linearizable(ctx context.Context, s Subject) error {
	const clients, each = 6, 30
	begun := time.Now()
	var (
		mu      sync.Mutex
		history []porcupine.Operation
		failed  error
	)
	do := func(client int, in call) answer {
		from := time.Since(begun).Nanoseconds()
		out, err := ask(ctx, s.Store, in)
		to := time.Since(begun).Nanoseconds()
		mu.Lock()
		defer mu.Unlock()
		history = append(history, porcupine.Operation{ClientId: client, Input: in, Call: from, Output: out, Return: to})
		failed = errors.Join(failed, err)
		return out
	}
	do(0, call{swap: true, named: [3]bool{true, false, true}, next: [3]string{"x", "", "y"}})
	do(0, call{})
	do(0, call{swap: true, named: [3]bool{true, true, true}, prev: [3]string{"x", "", "other"}, next: [3]string{"z", "z", "z"}})
	do(0, call{})

	var all sync.WaitGroup
	for c := range clients {
		all.Go(func() {
			random := rand.New(rand.NewPCG(uint64(c), 1))
			seen := do(c, call{}).held
			for n := range each {
				in := call{swap: random.IntN(3) > 0}
				for i := range in.named {
					in.named[i] = random.IntN(2) == 0
					in.prev[i] = seen[i]
					if random.IntN(4) > 0 {
						in.next[i] = fmt.Sprintf("%d.%d", c, n)
					}
				}
				if in.named == [3]bool{} || !in.swap {
					seen = do(c, call{}).held
					continue
				}
				do(c, in)
			}
		})
	}
	all.Wait()
	if failed != nil {
		return failed
	}
	if !porcupine.CheckOperations(model(), history) {
		return fmt.Errorf("no order of %d calls explains their answers", len(history))
	}
	return nil
}

func ask(ctx context.Context, s store.Store, in call) (answer, error) {
	keys := [3]string{"p", "q", "r"}
	if !in.swap {
		held, err := s.Get(ctx, keys[:]...)
		if err != nil {
			return answer{}, err
		}
		return answer{held: [3]string{string(held[0].Data), string(held[1].Data), string(held[2].Data)}}, nil
	}
	var changes []store.Change
	for i, named := range in.named {
		if named {
			changes = append(changes, store.Change{Key: keys[i], Prev: []byte(in.prev[i]), Next: []byte(in.next[i]), Deadline: hour()})
		}
	}
	err := s.Swap(ctx, changes...)
	if errors.Is(err, store.ErrConflict) {
		return answer{}, nil
	}
	return answer{done: err == nil}, err
}
