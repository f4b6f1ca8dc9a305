package authz

import (
	"context"
	"crypto/sha256"
	"errors"
	"sync"
	"time"

	"github.com/waryauth/wary/internal/jose"
	"github.com/waryauth/wary/internal/store"
)

var (
	errMarked = errors.New("it was used before")
	errFull   = errors.New("too much was used lately to remember more")
)

// marks remember what may be used once, for a while: the jti of DPoP proofs and of
// client assertions. In memory they forget everything older than one span, in two
// generations, and refuse rather than forget too early. In the store, where several
// nodes must agree, a mark is a record with a deadline.
type marks struct {
	kind   string
	span   time.Duration // longest that a mark must last
	shared store.Store   // nil: in memory
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

func newMarks(o *Options, kind string, span time.Duration) *marks {
	m := &marks{kind: kind, span: span, now: o.Now}
	if o.SharedReplay {
		m.shared = o.Store
	}
	return m
}

// mark marks an owner's id until a time at most one span ahead, or returns
// errMarked. Of many that mark the same, one succeeds.
func (m *marks) mark(ctx context.Context, owner, id string, until time.Time) error {
	if m.shared != nil {
		err := store.PutNew(ctx, m.shared, m.kind+":"+jose.Digest(owner+"\x00"+id), []byte{1}, store.Until(until.Add(time.Second)))
		if errors.Is(err, store.ErrConflict) {
			return errMarked
		}
		return err
	}
	sum := sha256.Sum256([]byte(owner + "\x00" + id))
	var key [16]byte
	copy(key[:], sum[:])
	s := &m.shards[sum[16]%uint8(len(m.shards))]
	s.Lock()
	defer s.Unlock()
	s.turn(m.now(), m.span)
	if _, ok := s.newest[key]; ok {
		return errMarked
	}
	if _, ok := s.oldest[key]; ok {
		return errMarked
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
