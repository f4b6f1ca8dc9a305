// Package bolt answers: has this been taken already, on this machine?
//
// It keeps a [store.Store] in one file, by bbolt. One process has it open at a
// time; a second waits a second and is refused.
//
// What a crash may lose: nothing that Swap acknowledged. Every commit is on disk
// (fdatasync) before it is acknowledged, so acknowledged changes survive a kill
// and a loss of power; changes that wait for one commit share the next. With
// NoSync they are in the operating system's hands instead: they survive a kill,
// and a loss of power may take the last of them, or the whole file. It is for
// tests, and for those whose codes may all be void after a power failure.
//
// The file holds two buckets. "values" maps a key to its deadline and data;
// "deadlines" has an entry for every value that ends, in the order of the
// deadlines, from which expired values are removed: at most sweepStep with every
// commit, and as many every second while there is nothing to commit. Freed pages
// are used again; the file does not shrink.
package bolt

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/waryauth/wary/internal/store"
	"go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"
)

const (
	sweepStep  = 256         // expired values removed at once
	sweepEvery = time.Second // while idle
	groupMost  = 256         // swaps of one commit
	lockWait   = time.Second // for another process to close the file
)

// Options of a store. The zero value works.
type Options struct {
	NoSync bool             // do not wait for the disk: see the package comment
	Now    func() time.Time // default time.Now
}

// Store is an open file.
type Store struct {
	db    *bbolt.DB
	now   func() time.Time
	queue chan *swap
	ended chan struct{} // the committer has ended

	mu     sync.RWMutex // held for reading while something is put into the queue
	closed bool
}

// swap is a call of Swap on its way through the committer, which owns it: the
// caller may have given up waiting.
type swap struct {
	ctx     context.Context
	changes []store.Change // Prev and Next are copies
	err     error
	done    chan struct{}
}

// Open opens the file at path, and makes it where there is none.
func Open(path string, o Options) (*Store, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	db, err := bbolt.Open(path, 0o600, &bbolt.Options{
		Timeout:      lockWait,
		NoSync:       o.NoSync,
		FreelistType: bbolt.FreelistMapType,
		NoStatistics: true,
	})
	if err != nil {
		return nil, fmt.Errorf("open store %s: %w", path, err)
	}
	if err := db.Update(createBuckets); err != nil {
		return nil, fmt.Errorf("open store %s: %w", path, errors.Join(err, db.Close()))
	}
	s := &Store{
		db:    db,
		now:   o.Now,
		queue: make(chan *swap, groupMost),
		ended: make(chan struct{}),
	}
	go s.commits()
	return s, nil
}

func createBuckets(tx *bbolt.Tx) error {
	for _, name := range []string{"values", "deadlines"} {
		if _, err := tx.CreateBucketIfNotExists([]byte(name)); err != nil {
			return err
		}
	}
	return nil
}

// Get implements store.Store.
func (s *Store) Get(ctx context.Context, keys ...string) ([]store.Value, error) {
	if err := store.CheckKeys(keys); err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	out := make([]store.Value, len(keys))
	err := s.view(func(t buckets) {
		for i, k := range keys {
			if v := t.get(k); v.Data != nil {
				out[i] = store.Value{Data: append([]byte(nil), v.Data...), Deadline: v.Deadline}
			}
		}
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// Swap implements store.Store.
func (s *Store) Swap(ctx context.Context, changes ...store.Change) error {
	if err := store.CheckChanges(changes, s.now()); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	// A conflict seen in what is committed needs no commit: who replays a thousand
	// times does not make the disk write.
	var holds bool
	if err := s.view(func(t buckets) { holds = t.hold(changes) }); err != nil {
		return err
	}
	if !holds {
		return store.ErrConflict
	}
	w := &swap{ctx: ctx, changes: clone(changes), done: make(chan struct{})}
	if err := s.enqueue(w); err != nil {
		return err
	}
	select {
	case <-w.done:
		return w.err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Close implements store.Store: what is waiting is committed first.
func (s *Store) Close() error {
	s.mu.Lock()
	was := s.closed
	s.closed = true
	if !was {
		close(s.queue)
	}
	s.mu.Unlock()
	<-s.ended
	return s.db.Close()
}

func (s *Store) enqueue(w *swap) error {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.closed {
		return store.ErrClosed
	}
	select {
	case s.queue <- w:
		return nil
	case <-w.ctx.Done():
		return w.ctx.Err()
	}
}

// clone copies what the committer reads after the caller may have gone.
func clone(changes []store.Change) []store.Change {
	out := append([]store.Change(nil), changes...)
	for i, c := range out {
		out[i].Prev = append([]byte(nil), c.Prev...)
		out[i].Next = append([]byte(nil), c.Next...)
	}
	return out
}

// view reads what is committed.
func (s *Store) view(read func(buckets)) error {
	err := s.db.View(func(tx *bbolt.Tx) error {
		read(s.buckets(tx))
		return nil
	})
	if errors.Is(err, bolterrors.ErrDatabaseNotOpen) {
		return store.ErrClosed
	}
	return err
}

func (s *Store) buckets(tx *bbolt.Tx) buckets {
	return buckets{tx.Bucket([]byte("values")), tx.Bucket([]byte("deadlines")), s.now()}
}

// buckets is the file within one transaction, as of one moment.
type buckets struct {
	values, deadlines *bbolt.Bucket
	now               time.Time
}

// get returns what a key holds; its Data is the file's own memory, good until
// the transaction ends or writes.
func (t buckets) get(key string) store.Value {
	if v := decode(t.values.Get([]byte(key))); !v.Deadline.Passed(t.now) {
		return v
	}
	return store.Value{}
}

func (t buckets) hold(changes []store.Change) bool {
	for _, c := range changes {
		if !c.Holds(t.get(c.Key).Data) {
			return false
		}
	}
	return true
}

// put exchanges one value and keeps "deadlines" in step: it has an entry for the
// deadline that "values" names, and for no other.
func (t buckets) put(c store.Change) error {
	key := []byte(c.Key)
	if held := decode(t.values.Get(key)); held.Data != nil && held.Deadline != store.Forever {
		if err := t.deadlines.Delete(entry(held.Deadline, key)); err != nil {
			return err
		}
	}
	if len(c.Next) == 0 {
		return t.values.Delete(key)
	}
	if c.Deadline != store.Forever {
		if err := t.deadlines.Put(entry(c.Deadline, key), []byte{}); err != nil {
			return err
		}
	}
	return t.values.Put(key, encode(c.Deadline, c.Next))
}

// sweep removes at most most expired values and returns how many it found.
func (t buckets) sweep(most int) (int, error) {
	var old [][]byte
	c := t.deadlines.Cursor()
	for k, _ := c.First(); k != nil && len(old) < most; k, _ = c.Next() {
		if !decodeDeadline(k).Passed(t.now) {
			break
		}
		old = append(old, append([]byte(nil), k...))
	}
	for _, k := range old {
		if err := errors.Join(t.deadlines.Delete(k), t.values.Delete(k[8:])); err != nil {
			return 0, err
		}
	}
	return len(old), nil
}

// A stored value is its deadline, eight bytes, and its data.
func encode(d store.Deadline, data []byte) []byte {
	return append(entry(d, nil), data...)
}

func decode(stored []byte) store.Value {
	if len(stored) <= 8 {
		return store.Value{}
	}
	return store.Value{Data: stored[8:], Deadline: decodeDeadline(stored)}
}

func decodeDeadline(stored []byte) store.Deadline {
	return store.Deadline(binary.BigEndian.Uint64(stored))
}

// entry is a key of "deadlines": they sort by time.
func entry(d store.Deadline, key []byte) []byte {
	return append(binary.BigEndian.AppendUint64(make([]byte, 0, 8+len(key)), uint64(d)), key...)
}
