// Package statuslist answers: what became of each token that was issued?
//
// [New] makes the [Lists] of a process. A token gets an entry in one of them
// ([Lists.Place]), which costs the store nothing; [Lists.End] says that tokens ended or
// are suspended, [Lists.Statuses] what a list says. Two things lie in the store:
//
//   - the directory of a list: whose the tokens of its entries are, written a moment
//     after they were issued ([Lists.Keep]);
//   - what ended or was suspended while such tokens may live, in a few shared records.
//
// What a list says is a function of both, made anew by whichever process is asked: what
// ends at one is in the lists of all, and lists outlive a restart. Where a process ended
// without writing the last of a directory, nobody can say whose those entries are: they
// are invalid. It knows nothing of how lists are signed or published.
package statuslist

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	mathrand "math/rand/v2"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/waryauth/wary/internal/store"
)

// Entries is how many entries a list has: its directory fits one value of the store.
const Entries = 2048

// Sizes and times.
const (
	fill    = 5 * time.Minute        // a list takes new tokens
	beat    = time.Second            // between two signs of life
	silence = 4 * time.Second        // without one, a process is taken for dead
	fresh   = 100 * time.Millisecond // what was made of a list is given again
	shards  = 8
	most    = 4096 // rows of a shard
	maxID   = 64   // bytes of the id of a list that is looked for
)

// Keys of the store.
const (
	directoryKind = "status:"     // and a list's id
	aliveKind     = "alive:"      // and a process: it still writes its directories
	endedKind     = "ended:"      // and a shard
	names         = "statuslists" // the lists that there are, and until when
)

// Status is what a list says of a token: the values of draft-ietf-oauth-status-list-21,
// section 7.1.
type Status uint8

// Statuses of a token.
const (
	Valid Status = iota
	Invalid
	Suspended
)

// Options of lists. All are required.
type Options struct {
	Store store.Store
	Life  time.Duration    // longest that a token lives after it has its entry
	Now   func() time.Time // the time
}

// Lists are those of a process. All methods are safe for concurrent use.
type Lists struct {
	o       Options
	process string

	mu      sync.Mutex
	open    *list
	full    []*list // taken no more, not yet written
	writing sync.Mutex
	beaten  time.Time // guarded by writing

	making sync.Mutex
	made   map[string]made
}

// list is one that is being filled.
type list struct {
	directory
	id    string
	free  []int
	dirty bool
	until time.Time // takes tokens
	gone  store.Deadline
}

type made struct {
	text string
	at   time.Time
}

// New returns the lists of a process, none yet.
func New(o Options) *Lists {
	return &Lists{o: o, process: name(), made: map[string]made{}}
}

// name returns a new random name of processLength characters.
func name() string {
	b := make([]byte, processLength*6/8)
	rand.Read(b) // never fails (crypto/rand, Go 1.24)
	return base64.RawURLEncoding.EncodeToString(b)
}

// keep is how long what ended is kept: as long as tokens of it may live, and a minute for
// clocks that differ.
func (s *Lists) keep() time.Duration { return s.o.Life + time.Minute }

// Place gives a token a random entry of a list. given is when what the token rests on was
// given: what ended before does not touch it.
func (s *Lists) Place(ctx context.Context, given time.Time, marks Marks) (id string, index int, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if l := s.open; l == nil || len(l.free) == 0 || !s.o.Now().Before(l.until) {
		next, err := s.begin(ctx)
		if err != nil {
			return "", 0, fmt.Errorf("begin a status list: %w", err)
		}
		if l != nil {
			s.full = append(s.full, l)
		}
		s.open = next
	}
	l := s.open
	index, l.free, l.dirty = l.free[0], l.free[1:], true
	l.entries = append(l.entries, entry{Index: uint16(index), Given: given.UnixMilli(), Marks: marks})
	return l.id, index, nil
}

// begin makes a list known before its first token leaves. The order of its entries is a
// secret shuffle: an index tells nobody how many tokens were issued before.
func (s *Lists) begin(ctx context.Context) (*list, error) {
	var seed [32]byte
	rand.Read(seed[:]) // never fails (crypto/rand, Go 1.24)
	now := s.o.Now()
	l := &list{directory: directory{process: s.process}, id: name(), free: mathrand.New(mathrand.NewChaCha8(seed)).Perm(Entries), until: now.Add(fill)}
	end := l.until.Add(s.keep())
	l.gone = store.Until(end)
	if err := s.live(ctx, now); err != nil {
		return nil, err
	}
	if err := store.PutNew(ctx, s.o.Store, directoryKind+l.id, l.encode(), l.gone); err != nil {
		return nil, err
	}
	return l, store.Update(ctx, s.o.Store, names, func(prev store.Value) ([]byte, store.Deadline, error) {
		lists, err := decodeNames(prev.Data)
		if err != nil {
			return nil, 0, err
		}
		maps.DeleteFunc(lists, func(_ string, end time.Time) bool { return !now.Before(end) })
		lists[l.id] = end
		text, err := json.Marshal(lists)
		return text, store.Until(end), err
	})
}

func decodeNames(b []byte) (map[string]time.Time, error) {
	lists := map[string]time.Time{}
	if b == nil {
		return lists, nil
	}
	return lists, json.Unmarshal(b, &lists)
}

func (s *Lists) live(ctx context.Context, now time.Time) error {
	return store.Update(ctx, s.o.Store, aliveKind+s.process, func(store.Value) ([]byte, store.Deadline, error) {
		return []byte{1}, store.Until(now.Add(silence)), nil
	})
}

// Keep writes what was placed since the last call, and that this process lives. Call it
// a few times a second. With last it is the end: nothing is placed after it.
func (s *Lists) Keep(ctx context.Context, last bool) error {
	s.writing.Lock()
	defer s.writing.Unlock()
	lists, records := s.unwritten(last)
	if len(lists) == 0 && s.idle() {
		return nil
	}
	var err error
	if now := s.o.Now(); now.Sub(s.beaten) >= beat {
		if err = s.live(ctx, now); err == nil {
			s.beaten = now
		}
	}
	for i, l := range lists {
		err = errors.Join(err, s.write(ctx, l, records[i]))
	}
	if err != nil {
		return fmt.Errorf("keep status lists: %w", err)
	}
	return nil
}

func (s *Lists) idle() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.open == nil
}

// unwritten returns the lists that the store does not have as they are, and how they are.
func (s *Lists) unwritten(last bool) (lists []*list, records [][]byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.open != nil && (last || !s.o.Now().Before(s.open.until)) {
		s.full, s.open = append(s.full, s.open), nil
	}
	lists = slices.Clone(s.full)
	if s.open != nil && s.open.dirty {
		lists = append(lists, s.open)
	}
	for _, l := range lists {
		l.complete, l.dirty = l != s.open, false
		records = append(records, l.encode())
	}
	return lists, records
}

func (s *Lists) write(ctx context.Context, l *list, record []byte) error {
	err := store.Update(ctx, s.o.Store, directoryKind+l.id, func(store.Value) ([]byte, store.Deadline, error) { return record, l.gone, nil })
	gone := errors.Is(err, store.ErrExpired) // with every token in it
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case err != nil && !gone:
		l.dirty = true
		return err
	case l.complete || gone:
		s.full = slices.DeleteFunc(s.full, func(f *list) bool { return f == l })
	}
	return nil
}

func shard(i int) string { return endedKind + strconv.Itoa(i) }

// End gives everything of a mark that was given until now a status; Valid takes a
// suspension back. Where more ended lately than is told apart everything that was given
// until now is invalid, and overflowed says so: too much is refused rather than too
// little.
func (s *Lists) End(ctx context.Context, m Mark, status Status) (overflowed bool, err error) {
	now := s.o.Now()
	err = store.Update(ctx, s.o.Store, shard(int(m[0]%shards)), func(prev store.Value) ([]byte, store.Deadline, error) {
		ended, err := decodeEndings(prev.Data)
		if err != nil {
			return nil, 0, err
		}
		overflowed = ended.add(m, status, now, s.keep(), most)
		return ended.encode(), store.Until(now.Add(s.keep())), nil
	})
	s.making.Lock()
	defer s.making.Unlock()
	clear(s.made)
	if err != nil {
		return false, fmt.Errorf("keep what ended: %w", err)
	}
	return overflowed, nil
}

// IDs returns the ids of the lists that there are, in order.
func (s *Lists) IDs(ctx context.Context) ([]string, error) {
	held, err := s.o.Store.Get(ctx, names)
	if err != nil {
		return nil, fmt.Errorf("read status lists: %w", err)
	}
	lists, err := decodeNames(held[0].Data)
	if err != nil {
		return nil, fmt.Errorf("read status lists: %w", err)
	}
	now := s.o.Now()
	maps.DeleteFunc(lists, func(_ string, end time.Time) bool { return !now.Before(end) })
	return slices.Sorted(maps.Keys(lists)), nil
}

// Publish returns what write makes of a list's statuses, an entry each: a moment ago or
// now. The error is store.ErrAbsent where there is no such list, or no longer.
func (s *Lists) Publish(ctx context.Context, id string, write func([]Status) (string, error)) (string, error) {
	if len(id) > maxID {
		return "", store.ErrAbsent
	}
	if found, err := s.o.Store.Get(ctx, directoryKind+id); err != nil {
		return "", fmt.Errorf("read status list: %w", err)
	} else if found[0].Data == nil { // made-up ids keep nobody waiting
		return "", store.ErrAbsent
	}
	s.making.Lock()
	defer s.making.Unlock()
	now := s.o.Now()
	if m, ok := s.made[id]; ok && now.Sub(m.at) < fresh {
		return m.text, nil
	}
	if err := s.Keep(ctx, false); err != nil {
		return "", err
	}
	statuses, err := s.statuses(ctx, id)
	if err != nil {
		return "", err
	}
	text, err := write(statuses)
	if err != nil {
		return "", err
	}
	maps.DeleteFunc(s.made, func(_ string, m made) bool { return now.Sub(m.at) >= fresh })
	s.made[id] = made{text, now}
	return text, nil
}

// statuses returns what a list says by the store.
func (s *Lists) statuses(ctx context.Context, id string) ([]Status, error) {
	keys := []string{directoryKind + id}
	for i := range shards {
		keys = append(keys, shard(i))
	}
	values, err := s.o.Store.Get(ctx, keys...)
	if err != nil {
		return nil, fmt.Errorf("read status list: %w", err)
	}
	if values[0].Data == nil {
		return nil, store.ErrAbsent
	}
	d, err := decodeDirectory(values[0].Data)
	if err != nil {
		return nil, err
	}
	alive, err := s.o.Store.Get(ctx, aliveKind+d.process)
	if err != nil {
		return nil, fmt.Errorf("read status list: %w", err)
	}
	ended := make([]endings, shards)
	for i := range ended {
		if ended[i], err = decodeEndings(values[1+i].Data); err != nil {
			return nil, err
		}
	}
	return d.statuses(Entries, alive[0].Data != nil, ended)
}
