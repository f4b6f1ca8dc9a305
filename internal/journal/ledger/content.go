package ledger

import (
	"encoding/binary"
	"math/bits"
)

// Content tells one request's bytes from another's under the same key: a
// polynomial in a secret point over the field of 2^61-1 elements (Carter and Wegman
// 1979, as in UMAC and Poly1305). Who does not know the point, and sees no hash, finds
// two documents of n bytes that collide with probability n/7/2^61: show the hash only
// through a keyed one. For 2 KB it takes half the time of SipHash alone
// (BenchmarkContent).
//
// The zero value is of no use: NewContent takes a secret.
type Content struct{ point [5]uint64 } // powers of the secret point; [0] is 1

const fieldPrime = 1<<61 - 1

// NewContent returns the hash of a secret.
func NewContent(secret uint64) Content {
	h := Content{point: [5]uint64{1, secret%(fieldPrime-2) + 2}}
	for i := 2; i < len(h.point); i++ {
		high, low := bits.Mul64(h.point[i-1], h.point[1])
		h.point[i] = reduce(high, low)
	}
	return h
}

// Of hashes b, seven bytes to a coefficient and the length as the last.
func (c *Content) Of(b []byte) uint64 {
	length := uint64(len(b))
	sum := uint64(0)
	for len(b) >= 4*chunk+1 { // four at a time, reduced once
		h1, l1 := bits.Mul64(seven(b, 0), c.point[3])
		h2, l2 := bits.Mul64(seven(b, chunk), c.point[2])
		h3, l3 := bits.Mul64(seven(b, 2*chunk), c.point[1])
		low, c1 := bits.Add64(l1, l2, 0)
		low, c2 := bits.Add64(low, l3, 0)
		low, c3 := bits.Add64(low, seven(b, 3*chunk), 0)
		h0, l0 := bits.Mul64(sum, c.point[4])
		low, c4 := bits.Add64(low, l0, 0)
		sum = reduce(h0+h1+h2+h3+c1+c2+c3+c4, low)
		b = b[4*chunk:]
	}
	for len(b) > 0 {
		var last [8]byte
		n := copy(last[:chunk], b)
		sum = c.next(sum, binary.LittleEndian.Uint64(last[:]))
		b = b[n:]
	}
	return c.next(sum, length)
}

// chunk is the bytes of one coefficient.
const chunk = 7

// seven returns the coefficient at an offset, behind which eight bytes are.
func seven(b []byte, at int) uint64 { return binary.LittleEndian.Uint64(b[at:]) & (1<<(8*chunk) - 1) }

// next is one step of Horner's rule.
func (c *Content) next(sum, coefficient uint64) uint64 {
	high, low := bits.Mul64(sum, c.point[1])
	low, carry := bits.Add64(low, coefficient, 0)
	return reduce(high+carry, low)
}

// reduce returns a number below 2^125 modulo the prime, up to the prime itself:
// 2^61 is 1 there.
func reduce(high, low uint64) uint64 {
	sum := low&fieldPrime + (high<<3 | low>>61)
	sum = sum&fieldPrime + sum>>61
	if sum >= fieldPrime {
		sum -= fieldPrime
	}
	return sum
}
