package signals

import (
	"hash/maphash"
	"math/bits"
	"strings"
	"sync/atomic"
)

// MaxUserAgent is the longest user agent looked at, in bytes. A decoder refuses
// longer ones; here they are Unparseable.
const MaxUserAgent = 4096

const (
	ways = 7 // descriptions in a set: with the hand one 64-byte cache line

	// maxCached bounds what one description keeps of its headers. The longest of
	// the labelled user agents has 500 bytes; what is longer is parsed each time.
	maxCached = 1024
)

// Agents describes the devices that send user agents and client hints, and
// remembers the descriptions in a set-associative cache of bounded size: reading
// takes no lock, and what a set no longer holds is chosen by second chance, so
// user agents that come once do not push out those that come often. The cache is
// keyed by a seeded hash of every header used, and a description is given only
// where the headers themselves are equal. It is safe for concurrent use.
type Agents struct {
	seed maphash.Seed
	sets []agentSet // a power of two
}

type agentSet struct {
	ways [ways]atomic.Pointer[description]
	hand atomic.Uint32
	_    uint32
}

// description is immutable but for recent.
type description struct {
	hash    uint64
	recent  atomic.Bool // asked for since the hand last passed
	headers agentHeaders
	agent   Agent
}

// agentHeaders are the headers that a description depends on.
type agentHeaders struct {
	userAgent, brands, platform, mobile string
}

// NewAgents returns a cache for at least capacity descriptions. Each takes about
// 300 bytes and, at most, 1 KiB of headers.
func NewAgents(capacity int) *Agents {
	sets := 1
	if capacity > ways {
		sets = 1 << bits.Len(uint((capacity-1)/ways))
	}
	return &Agents{seed: maphash.MakeSeed(), sets: make([]agentSet, sets)}
}

// Describe fills dst from the user agent and the client hints. The strings of
// dst are constant or parts of a copy of the headers, never of h. It allocates
// nothing where the same headers were described before and are still remembered.
func (c *Agents) Describe(dst *Agent, h *Headers) {
	key := agentHeaders{h.UserAgent, h.SecCHUA, h.SecCHUAPlatform, h.SecCHUAMobile}
	hash := c.hash(&key)
	set := &c.sets[hash&uint64(len(c.sets)-1)]
	for i := range set.ways {
		d := set.ways[i].Load()
		if d != nil && d.hash == hash && d.headers == key {
			if !d.recent.Load() { // a store would take the line from other cores
				d.recent.Store(true)
			}
			*dst = d.agent
			return
		}
	}
	d := &description{hash: hash, headers: key.clone()}
	describeUserAgent(&d.agent, d.headers.userAgent)
	describeHints(&d.agent, &d.headers)
	if key.size() <= maxCached {
		set.remember(d)
	}
	*dst = d.agent
}

func (c *Agents) hash(k *agentHeaders) uint64 {
	const odd = 0x9E3779B97F4A7C15
	h := maphash.String(c.seed, k.userAgent)
	for _, s := range [...]string{k.brands, k.platform, k.mobile} {
		h = bits.RotateLeft64(h, 23) * odd
		if s != "" {
			h ^= maphash.String(c.seed, s)
		}
	}
	return h
}

// remember puts d in the place of an empty way or of the first the hand meets
// that was not asked for. Two that come at once may both be put, or one lost:
// either is found by its headers or described again.
func (s *agentSet) remember(d *description) {
	for range 2 * ways {
		way := &s.ways[s.hand.Add(1)%ways]
		old := way.Load()
		if old == nil || !old.recent.Swap(false) {
			way.Store(d)
			return
		}
	}
}

func (k *agentHeaders) size() int {
	return len(k.userAgent) + len(k.brands) + len(k.platform) + len(k.mobile)
}

func (k *agentHeaders) clone() agentHeaders {
	return agentHeaders{strings.Clone(k.userAgent), strings.Clone(k.brands), strings.Clone(k.platform), strings.Clone(k.mobile)}
}
