package bolt

import (
	"fmt"
	"time"

	"github.com/waryauth/wary/internal/store"
)

// commits is the one writer: it commits whatever waits as one transaction, so
// that all swaps that arrive during one sync share the next and a lone one waits
// for nobody. (bbolt's own Batch holds every swap back for a fixed delay:
// BenchmarkSwap compares the two.)
func (s *Store) commits() {
	defer close(s.ended)
	idle := time.NewTicker(sweepEvery)
	defer idle.Stop()
	for {
		select {
		case first, open := <-s.queue:
			if !open {
				return
			}
			s.commit(s.group(first))
		case <-idle.C:
			if s.expired() {
				s.commit(nil)
			}
		}
	}
}

// group returns a swap and those that wait behind it.
func (s *Store) group(first *swap) []*swap {
	out := []*swap{first}
	for len(out) < groupMost {
		select {
		case w, open := <-s.queue:
			if !open {
				return out
			}
			out = append(out, w)
		default:
			return out
		}
	}
	return out
}

// commit makes the changes of a group, one after the other, in one transaction,
// and tells each how it went once that is on disk. If the transaction fails all
// of them have failed: even a conflict may have been with a change of this group.
func (s *Store) commit(group []*swap) {
	err := s.transact(group)
	for _, w := range group {
		if err != nil {
			w.err = fmt.Errorf("commit to store: %w", err)
		}
		close(w.done)
	}
}

func (s *Store) transact(group []*swap) error {
	tx, err := s.db.Begin(true)
	if err != nil {
		return err
	}
	t, changed := s.buckets(tx), 0
	for _, w := range group {
		if w.err = w.ctx.Err(); w.err != nil {
			continue
		}
		if !t.hold(w.changes) {
			w.err = store.ErrConflict
			continue
		}
		for _, c := range w.changes {
			if err := t.put(c); err != nil {
				_ = tx.Rollback()
				return err
			}
			changed++
		}
	}
	swept, err := t.sweep(sweepStep)
	if err != nil || changed+swept == 0 {
		_ = tx.Rollback() // its only error is that the transaction has ended
		return err
	}
	return tx.Commit()
}

// expired reports whether there is anything to remove.
func (s *Store) expired() (found bool) {
	_ = s.view(func(t buckets) {
		k, _ := t.deadlines.Cursor().First()
		found = k != nil && decodeDeadline(k).Passed(t.now)
	})
	return found
}
