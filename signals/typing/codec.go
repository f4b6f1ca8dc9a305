package typing

import (
	"encoding/binary"
	"math"
)

// A kept summary is: a bit for each field that was measured, low bits first, then
// those fields in 16 bits each, little-endian, in units of 1/summaryUnit. That is a
// hundredth of what an ordinary field varies by, and all that Train needs.
const (
	summaryUnit  = 2048 // the largest field, the logarithm of 3 s, is 8.01
	measuredBits = (Fields + 7) / 8
)

// SummaryBytes is how many bytes AppendSummary appends at most.
const SummaryBytes = measuredBits + 2*Fields

// AppendSummary appends s as a log keeps it: rounded, and fields beyond 16 either side
// of 0, which no keyboard makes, as that.
func AppendSummary(b []byte, s *Summary) []byte {
	at := len(b)
	b = append(b, make([]byte, measuredBits)...)
	for i, x := range s {
		if x != x {
			continue
		}
		b[at+i/8] |= 1 << (i % 8)
		n := int16(max(-math.MaxInt16, min(math.MaxInt16, math.RoundToEven(float64(x)*summaryUnit))))
		b = binary.LittleEndian.AppendUint16(b, uint16(n))
	}
	return b
}

// ReadSummary fills s from the front of b and returns what follows it, or false
// where b does not begin with a kept summary.
func ReadSummary(s *Summary, b []byte) (rest []byte, ok bool) {
	if len(b) < measuredBits || b[measuredBits-1]>>(Fields%8) != 0 {
		return b, false
	}
	rest = b[measuredBits:]
	for i := range s {
		s[i] = float32(math.NaN())
		if b[i/8]&(1<<(i%8)) == 0 {
			continue
		}
		if len(rest) < 2 {
			return b, false
		}
		n := int16(binary.LittleEndian.Uint16(rest))
		if n == math.MinInt16 {
			return b, false
		}
		s[i], rest = float32(n)/summaryUnit, rest[2:]
	}
	return rest, true
}
