package engine

import (
	"encoding/binary"
	"math"

	"github.com/waryauth/wary/features"
)

// How a value of the vector stands in a fact: two bits say which, and the bytes of the
// last way follow. Of the 368 of an ordinary attempt some 165 are missing, 100 are zero
// and 17 one: three quarters of the bytes, of which every one is hashed and kept.
const (
	valueMissing = iota // the NaN that features write
	valueZero
	valueOne
	valueOther // its four bytes follow
)

const (
	oneBits   = 0x3f800000
	perWord   = 32 // ways in a word
	waysBytes = 8 * ((features.Width + perWord - 1) / perWord)
)

// appendVector appends v, bit for bit. Which way a value takes is found without
// branches, which nobody could predict.
func appendVector(b []byte, v *features.Vector) []byte {
	var others [features.Width + 1]uint32 // one that does not count is written too, and the next over it
	n, missing := uint(0), math.Float32bits(float32(math.NaN()))
	for first := 0; first < len(v); first += perWord {
		word := uint64(0)
		for i, x := range v[first:min(first+perWord, len(v))] {
			bits := math.Float32bits(x)
			way := uint(valueOther)
			if bits == oneBits {
				way = valueOne
			}
			if bits == 0 {
				way = valueZero
			}
			if bits == missing {
				way = valueMissing
			}
			word |= uint64(way) << (2 * i & 63)
			others[n] = bits
			n += (way + 1) >> 2
		}
		b = binary.LittleEndian.AppendUint64(b, word)
	}
	for _, bits := range others[:n] {
		b = binary.LittleEndian.AppendUint32(b, bits)
	}
	return b
}

// readVector reads what appendVector appended.
func readVector(r *reader, v *features.Vector) {
	ways := r.take(waysBytes)
	if ways == nil {
		return
	}
	for i := range v {
		switch ways[i/4] >> (2 * (i & 3)) & 3 {
		case valueMissing:
			v[i] = float32(math.NaN())
		case valueZero:
			v[i] = 0
		case valueOne:
			v[i] = 1
		case valueOther:
			v[i] = r.f32()
		}
	}
}
