package features

import (
	"math"
	"math/bits"
	"math/rand/v2"
	"testing"
)

// crowded is a shared entity with all its members.
type crowded struct {
	Shared
	Members
}

func (c *crowded) attempt(user Key, at int64) {
	m := MomentOf(at)
	c.Attempt(&Trace{Typed: user, Time: at}, &m, &c.Members)
}

// TestMembersCount counts users against how many there were, over 64 hash keys each.
// The error is what linear counting has for 256 registers (Whang et al. 1990) while
// they are few, and then what Ertl 2017 has, 1.04/16 = 6.5 %; there is no bias. The
// control is the bitmap of 128 bits, which ends at 710.
func TestMembersCount(t *testing.T) {
	const keys = 64
	for _, users := range []int{1, 10, 100, 256, 700, 3000, 30_000, 300_000} {
		n := float64(users) / registers
		want := min(math.Sqrt(registers*(math.Exp(n)-n-1))/float64(users), 0.065)
		if testing.Short() && users > 30_000 {
			continue
		}
		var sum, squares float64
		var control many
		for key := range uint64(keys) {
			h := NewHasher(key, 77)
			var s crowded
			control = many{}
			for n := range users {
				u := h.Number(KindUser, uint64(n+1))
				s.attempt(u, 1_790_000_000_000)
				control.add(u)
			}
			m := MomentOf(1_790_000_000_000)
			off := float64(s.lookAt(&m).users(Day))/float64(users) - 1
			sum, squares = sum+off, squares+off*off
		}
		mean, deviation := sum/keys, math.Sqrt(squares/keys)
		t.Logf("%d users: off by %.2f %%, on average by %+.2f %%", users, 100*deviation, 100*mean)
		// At three sigma, of 64 samples a deviation is within 27 % of the true one, and
		// a mean within three eighths of a deviation.
		if deviation > 1.27*want || math.Abs(mean) > want*3/8 {
			t.Errorf("%d users: deviation %v, want %v; mean %v", users, deviation, want, mean)
		}
		if got := float64(manyOver(0, 0, &control, &many{})); users >= 3000 && got > 711 {
			t.Errorf("control: a bitmap counts %v", got)
		}
	}
}

// TestMembersEnd: what no longer counts says so by its greatest value, which is
// 256*2^15/(2 ln 2).
func TestMembersEnd(t *testing.T) {
	var s crowded
	for n := range uint64(registers) {
		s.attempt(Key(n<<56)|1, 1_790_000_000_000)
	}
	m := MomentOf(1_790_000_000_000)
	full := s.lookAt(&m).users(Day)
	if math.Abs(float64(full)-6_051_102) > 1 {
		t.Errorf("full, it counts %v", full)
	}
	before := s
	s.attempt(5<<56|1, 1_790_000_000_000)
	s.attempt(5<<56|77, 1_790_000_000_000)
	if s.Members != before.Members || s.lookAt(&m).users(Day) != full {
		t.Error("full, it counts on")
	}
}

// ranks are the registers of one bucket as the oracle keeps them.
func ranksOf(events []member, from, to int64) (ranks [registers]uint32) {
	for _, e := range events {
		if e.at >= from && e.at < to {
			r := &ranks[e.user>>56]
			*r = max(*r, min(uint32(bits.LeadingZeros64(uint64(e.user)<<8))+1, 15))
		}
	}
	return ranks
}

type member struct {
	user Key
	at   int64
}

// TestMembersAgainstOracle folds crowds that grow, thin out and grow again over
// months, late ones among them, and holds every register of every bucket and every
// tally to what all events say, in the list and in the table alike. Another order
// makes the same bytes.
func TestMembersAgainstOracle(t *testing.T) {
	h := NewHasher(3, 1)
	forms := map[bool]int{}
	for seed := range seedsOf(t, 100) {
		r := rand.New(rand.NewPCG(seed, 4))
		var s crowded
		var all []member
		now, newest := int64(1_790_000_000_000)+r.Int64N(30*86_400_000), int64(0)
		for range 1 + r.IntN(6) {
			people := 1 + r.IntN(120)
			for range r.IntN(150) {
				now += r.Int64N(int64([]int{2000, 60_000, 3_600_000, 86_400_000}[r.IntN(4)]))
				at := now
				if r.IntN(5) == 0 {
					at -= r.Int64N(widths[r.IntN(Spans)])
				}
				e := member{h.Number(KindUser, uint64(1+r.IntN(people))), at}
				all, newest = append(all, e), max(newest, at)
				s.attempt(e.user, at)
			}
			now += r.Int64N(45 * 86_400_000)
			checkMembers(t, seed, &s, all, newest)
			forms[s.Shared.registers > scattered]++
		}
		var other crowded
		for _, i := range r.Perm(len(all)) {
			other.attempt(all[i].user, all[i].at)
		}
		if other.Shared != s.Shared || other.canonical() != s.canonical() {
			t.Fatalf("seed %d: the order changed\n%+v into\n%+v", seed, s, other)
		}
	}
	if len(forms) < 2 {
		t.Errorf("forms: %v", forms)
	}
}

// canonical is what of the members means something.
func (c *crowded) canonical() Members {
	m := c.Members
	if c.Shared.registers <= scattered {
		clear(m.all[:])
	}
	return m
}

func checkMembers(t *testing.T, seed uint64, s *crowded, all []member, newest int64) {
	t.Helper()
	if !s.Valid(&s.Shared) {
		t.Fatalf("seed %d: not valid: %+v", seed, s)
	}
	var words [registers]uint32
	var sums [Spans]censuses
	for i, width := range widths {
		begin := newest / width * width
		cur, prev := ranksOf(all, begin, begin+width), ranksOf(all, begin-width, begin)
		for n := range words {
			words[n] |= cur[n]<<(4*i) | prev[n]<<(16+4*i)
			for _, one := range []struct {
				to   *census
				rank uint32
			}{{&sums[i].cur, cur[n]}, {&sums[i].both, max(cur[n], prev[n])}} {
				if one.rank > 0 {
					*one.to += 1<<censusBits + census(math.Exp2(15-float64(one.rank)))
				}
			}
		}
	}
	got := s.all
	if s.Shared.registers <= scattered {
		clear(got[:])
		for i := range s.Shared.registers {
			got[s.where[i]] = s.what[i]
		}
	}
	if got != words || sums != s.Shared.users {
		t.Fatalf("seed %d: registers %v, want %v; sums %v, want %v", seed, got, words, s.Shared.users, sums)
	}
}

// TestMembersValid turns each bit of the current buckets that is in use, and tells
// other numbers of registers: none is taken for valid.
func TestMembersValid(t *testing.T) {
	h := NewHasher(8, 1)
	for _, users := range []int{1, 20, 500} {
		var s crowded
		for n := range users {
			s.attempt(h.Number(KindUser, uint64(n+1)), 1_790_000_000_000)
		}
		if !s.Valid(&s.Shared) {
			t.Fatalf("%d users: not valid", users)
		}
		for i := range s.what {
			for bit := range 16 {
				s.what[i] ^= 1 << bit
				if i < int(s.Shared.registers) && s.Shared.registers <= scattered && s.Valid(&s.Shared) {
					t.Fatalf("%d users: bit %d of word %d is turned", users, bit, i)
				}
				s.what[i] ^= 1 << bit
			}
		}
		for i := range s.all {
			for bit := range 16 {
				s.all[i] ^= 1 << bit
				if s.Shared.registers > scattered && s.Valid(&s.Shared) {
					t.Fatalf("%d users: bit %d of register %d is turned", users, bit, i)
				}
				s.all[i] ^= 1 << bit
			}
		}
		for _, n := range []uint32{0, 19, 24, 25, 256, 257, math.MaxUint32} {
			if old := s.Shared.registers; n != old {
				s.Shared.registers = n
				if s.Valid(&s.Shared) {
					t.Errorf("%d users in %d registers: %d are valid", users, old, n)
				}
				s.Shared.registers = old
			}
		}
	}
}
