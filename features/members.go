package features

import (
	"math"
	"math/bits"
)

// Members are the distinct users that a shared entity met in the buckets of its
// spans: HyperLogLogs of 256 registers (Flajolet, Fusy, Gandouet, Meunier, 2007),
// one a bucket. They lie behind the entity's record, which holds of them what an
// estimate needs.
//
// A register is the greatest rank of the keys that fall on it: a maximum, so that
// members are a function of the set of users and not of their order. Ranks take 4
// bits. The eight buckets' ranks of one register are one word, so that a user costs
// one cache line: current buckets by [Span] in the low half, those before in the
// high half.
//
// Few registers that are not zero stand in a list. More stand in a table, and the
// list is empty. Which of the two it is follows from their number alone; Size says
// how much of a record then means something.
type Members struct {
	where [scattered]uint8 // registers, ascending
	what  [scattered]uint32
	all   [registers]uint32
}

const (
	registers = 256
	scattered = 24 // most registers in the list
	topRank   = 15
)

// census is what an estimate needs of a bucket's registers: above, how many are not
// zero; in the low 23 bits the sum of 2^-rank over those, in units of 2^-15.
type census uint32

const censusBits = 23

// censusOf holds a register's part of a census by its rank.
var censusOf = [topRank + 1]census{
	0, 1<<censusBits + 1<<14, 1<<censusBits + 1<<13, 1<<censusBits + 1<<12, 1<<censusBits + 1<<11, 1<<censusBits + 1<<10, 1<<censusBits + 1<<9, 1<<censusBits + 1<<8,
	1<<censusBits + 1<<7, 1<<censusBits + 1<<6, 1<<censusBits + 1<<5, 1<<censusBits + 1<<4, 1<<censusBits + 1<<3, 1<<censusBits + 1<<2, 1<<censusBits + 1<<1, 1<<censusBits + 1,
}

// censuses are those of a span: of its current bucket, and of both as one set.
type censuses struct{ cur, both census }

// count estimates how many keys a census is of, with Ertl's estimator (2017,
// "New cardinality estimation algorithms for HyperLogLog sketches", section 3.2),
// which agrees with linear counting where they are few. Its standard error is 4.4 %
// for 10 keys, 5.3 % for 256 and 6.5 % for more. Since ranks end at 15 it falls
// short by 1 % at a million and 5 % at two, and ends at 6,051,102.
func (t census) count() float32 {
	const alpha = 1 / (2 * math.Ln2)
	sum := float32(t&(1<<censusBits-1)) / (1 << topRank)
	return alpha * registers * registers / (sigmas[registers-t>>censusBits] + sum)
}

// sigmas holds, by how many registers are zero, their part of the estimator's
// denominator: infinite where all are.
var sigmas = sigmaTable()

func sigmaTable() (t [registers + 1]float32) {
	for zeros := range registers {
		x := float64(zeros) / registers
		sum, weight := x, 1.0
		for before := -1.0; sum != before; weight += weight {
			x *= x
			before = sum
			sum += x * weight
		}
		t[zeros] = float32(registers * sum)
	}
	t[registers] = float32(math.Inf(1))
	return t
}

// Crowded reports whether an attempt may need room for the table of registers. A
// record must have it from then on.
func (s *Shared) Crowded() bool { return s.registers >= scattered }

// Sizes of Members: where few registers are listed, and the whole.
const (
	ListedBytes = scattered + 4*scattered
	AllBytes    = ListedBytes + 4*registers
)

// MemberAt returns where in Members the register of a user lies in the table, in
// bytes.
func MemberAt(user Key) int { return ListedBytes + 4*int(user>>56) }

// MemberBytes returns how many bytes of the members behind a record are in use,
// from their first.
func (s *Shared) MemberBytes() int {
	if s.registers > scattered {
		return AllBytes
	}
	return scattered + 4*int(s.registers)
}

// slide turns the buckets that are behind a newer moment by d.
func (c *Members) slide(s *Shared, d *distance) {
	if d[Minute] <= 0 {
		return // nor has any longer bucket turned
	}
	var moved, gone uint32
	for i := range s.users {
		w := &s.users[i]
		switch lane := uint32(topRank) << (4 * i); {
		case d[i] == 1:
			moved |= lane
			w.cur, w.both = 0, w.cur
		case d[i] > 1:
			gone |= lane
			w.cur, w.both = 0, 0
		}
	}
	turned := moved | gone
	kept := ^(turned | turned<<16)
	if s.registers > scattered {
		c.slideAll(s, moved, kept)
		return
	}
	n := uint32(0)
	for i := range min(s.registers, scattered) {
		if w := c.what[i]; w&kept|w&moved<<16 != 0 {
			c.where[n], c.what[n] = c.where[i], w&kept|w&moved<<16
			n++
		}
	}
	clear(c.where[n:])
	clear(c.what[n:])
	s.registers = n
}

func (c *Members) slideAll(s *Shared, moved, kept uint32) {
	n := uint32(0)
	for i, w := range c.all {
		w = w&kept | w&moved<<16
		c.all[i] = w
		if w != 0 {
			n++
		}
	}
	s.registers = n
	if n > scattered {
		return
	}
	n = 0
	for i, w := range c.all {
		if w != 0 {
			c.where[n], c.what[n] = uint8(i), w
			n++
		}
	}
}

// add takes in a user in the buckets that are behind a moment by d, which have been
// turned to it. The zero key is none.
func (c *Members) add(s *Shared, k Key, d *distance) {
	if k == 0 {
		return
	}
	i, rank := uint8(k>>56), min(uint32(bits.LeadingZeros64(uint64(k)<<8))+1, topRank)
	if s.registers > scattered {
		w := s.raise(c.all[i], rank, d)
		if c.all[i] == 0 && w != 0 {
			s.registers++
		}
		c.all[i] = w
		return
	}
	n, at := s.registers, uint32(0)
	for at < n && c.where[at] < i {
		at++
	}
	if at < n && c.where[at] == i {
		c.what[at] = s.raise(c.what[at], rank, d)
		return
	}
	w := s.raise(0, rank, d)
	if w == 0 {
		return // too late for every bucket
	}
	s.registers++
	if n == scattered {
		c.spread()
		c.all[i] = w
		return
	}
	copy(c.where[at+1:n+1], c.where[at:n])
	copy(c.what[at+1:n+1], c.what[at:n])
	c.where[at], c.what[at] = i, w
}

// spread moves a full list into the table.
func (c *Members) spread() {
	clear(c.all[:])
	for i, r := range c.where {
		c.all[r] = c.what[i]
	}
	clear(c.where[:])
	clear(c.what[:])
}

// raise returns a register's word with a rank in those of its buckets that a moment
// behind by d falls into, and keeps the censuses.
func (s *Shared) raise(w, rank uint32, d *distance) uint32 {
	for i := range s.users {
		shift := 4 * i
		cur, prev := w>>shift&topRank, w>>(16+shift)&topRank
		both := max(cur, prev)
		switch {
		case d[i] >= 0 && rank > cur:
			w += (rank - cur) << shift
			s.users[i].cur += censusOf[rank] - censusOf[cur]
		case d[i] == -1 && rank > prev:
			w += (rank - prev) << (16 + shift)
		default:
			continue
		}
		if rank > both {
			s.users[i].both += censusOf[rank] - censusOf[both]
		}
	}
	return w
}

// Valid reports whether the members behind a record are such as folds make: what
// was read from outside is not taken on trust. c need only have MemberBytes.
func (c *Members) Valid(s *Shared) bool {
	if s.registers > registers {
		return false
	}
	var users [Spans]censuses
	n := uint32(0)
	tell := func(w uint32) {
		if w == 0 {
			return
		}
		n++
		for i := range users {
			cur, prev := w>>(4*i)&topRank, w>>(16+4*i)&topRank
			users[i].cur += censusOf[cur]
			users[i].both += censusOf[max(cur, prev)]
		}
	}
	if s.registers > scattered {
		for _, w := range c.all {
			tell(w)
		}
		return n == s.registers && users == s.users
	}
	for i := range s.registers {
		if i > 0 && c.where[i-1] >= c.where[i] {
			return false
		}
		tell(c.what[i])
	}
	for _, r := range c.where[s.registers:] {
		if r != 0 {
			return false
		}
	}
	return n == s.registers && users == s.users
}
