package store

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"sync"
	"time"
)

// Errors of marks.
var (
	ErrMarked = errors.New("it was used before")
	errFull   = errors.New("too much was used lately to remember more")
)

// Marks remember what may be used once, for a while: the jti of proofs and assertions. In
// memory they forget everything older than one span, in two generations, and refuse rather
// than forget too early. In a store, where several nodes must agree, a mark is a record
// with a deadline.
type Marks struct {
	kind   string        // of shared marks
	shared Store         // nil: in memory
	span   time.Duration // longest that a mark in memory must last
	now    func() time.Time
	shards [64]markShard
}

type markShard struct {
	sync.Mutex
	newest, oldest map[[16]byte]struct{}
	turned         time.Time // when newest was begun
}

// maxMarks bounds a generation of a shard: 64 shards of two generations are about
// 8 million marks, 200 MB.
const maxMarks = 1 << 16

// NewMarks returns marks in the memory of this process, each good for a span at most.
func NewMarks(span time.Duration, now func() time.Time) *Marks { return &Marks{span: span, now: now} }

// SharedMarks returns marks of a kind that everybody sees who shares a store.
func SharedMarks(s Store, kind string) *Marks { return &Marks{kind: kind, shared: s} }

// Mark marks an owner's id until a time, at most one span ahead, or returns ErrMarked. Of
// many that mark the same, one succeeds.
func (m *Marks) Mark(ctx context.Context, owner, id string, until time.Time) error {
	sum := sha256.Sum256([]byte(owner + "\x00" + id))
	if m.shared != nil {
		err := PutNew(ctx, m.shared, m.kind+":"+base64.RawURLEncoding.EncodeToString(sum[:]), []byte{1}, Until(until.Add(time.Second)))
		if errors.Is(err, ErrConflict) {
			return ErrMarked
		}
		return err
	}
	var key [16]byte
	copy(key[:], sum[:])
	s := &m.shards[sum[16]%uint8(len(m.shards))]
	s.Lock()
	defer s.Unlock()
	s.turn(m.now(), m.span)
	if _, ok := s.newest[key]; ok {
		return ErrMarked
	}
	if _, ok := s.oldest[key]; ok {
		return ErrMarked
	}
	if len(s.newest) >= maxMarks {
		return errFull
	}
	s.newest[key] = struct{}{}
	return nil
}

// turn begins a new generation once a span has passed: what is then forgotten is at
// least a span old.
func (s *markShard) turn(now time.Time, span time.Duration) {
	switch age := now.Sub(s.turned); {
	case s.newest == nil || age >= 2*span:
		s.newest, s.oldest, s.turned = map[[16]byte]struct{}{}, nil, now
	case age >= span:
		s.newest, s.oldest, s.turned = map[[16]byte]struct{}{}, s.newest, now
	}
}
