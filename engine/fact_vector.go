package engine

import (
	"encoding/binary"
	"math"

	"github.com/waryauth/wary/features"
)

// How a value of the vector stands in a fact: two bits say which, and the bytes of the
// last way follow. Of the 235 of an ordinary attempt some 54 are missing, 90 are zero
// and as good as all others that are flags are one: half of the bytes, of which every
// one is hashed and kept.
const (
	valueMissing = iota // the NaN that features write
	valueZero
	valueOne
	valueOther // its four bytes follow
)

const oneBits = 0x3f800000

const (
	waysBytes  = (2*features.Width + 7) / 8
	vectorRoom = waysBytes + 4*features.Width + 4
)

// missingBits is how features write what is missing.
func missingBits() uint32 { return math.Float32bits(float32(math.NaN())) }

// appendVector appends v, bit for bit. Which way a value takes is found without
// branches, which nobody could predict.
func appendVector(b []byte, v *features.Vector) []byte {
	start := len(b)
	if cap(b)-start < vectorRoom {
		b = append(b, make([]byte, vectorRoom)...)
	}
	b = b[:start+vectorRoom]
	ways, at := b[start:start+waysBytes], start+waysBytes
	var four byte
	missing := missingBits()
	for i, x := range v {
		bits := math.Float32bits(x)
		way := valueOther
		if bits == oneBits {
			way = valueOne
		}
		if bits == 0 {
			way = valueZero
		}
		if bits == missing {
			way = valueMissing
		}
		binary.LittleEndian.PutUint32(b[at:], bits) // written over by the next where it does not count
		at += (way + 1) & 4
		four |= byte(way) << (2 * (i & 3))
		if i&3 == 3 || i == features.Width-1 {
			ways[i>>2] = four
			four = 0
		}
	}
	return b[:at]
}

// readVector reads what appendVector appended.
func readVector(r *reader, v *features.Vector) {
	ways := r.take(waysBytes)
	if ways == nil {
		return
	}
	for i := range v {
		switch ways[i>>2] >> (2 * (i & 3)) & 3 {
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
