package engine

import (
	"encoding/binary"
	"errors"
	"math"
	"unsafe"
)

// errFact is the error of bytes that are no fact.
var errFact = errors.New("fact: damaged or of another version")

func appendString(b []byte, s string) []byte {
	b = binary.LittleEndian.AppendUint16(b, uint16(min(len(s), math.MaxUint16)))
	return append(b, s[:min(len(s), math.MaxUint16)]...)
}

func appendStrings(b []byte, ss []string) []byte {
	b = append(b, uint8(len(ss)))
	for _, s := range ss {
		b = appendString(b, s)
	}
	return b
}

func appendF32(b []byte, f float32) []byte {
	return binary.LittleEndian.AppendUint32(b, math.Float32bits(f))
}
func appendF64(b []byte, f float64) []byte {
	return binary.LittleEndian.AppendUint64(b, math.Float64bits(f))
}

func appendBool(b []byte, v bool) []byte {
	if v {
		return append(b, 1)
	}
	return append(b, 0)
}

// reader takes values off the front of a fact. After a short read every further
// value is zero and bad is set: check it once, at the end. Strings point into
// the fact's bytes.
type reader struct {
	b   []byte
	bad bool
}

func (r *reader) take(n int) []byte {
	if n > len(r.b) {
		r.b, r.bad = nil, true
		return nil
	}
	out := r.b[:n]
	r.b = r.b[n:]
	return out
}

func (r *reader) u8() uint8 {
	if b := r.take(1); b != nil {
		return b[0]
	}
	return 0
}

func (r *reader) u16() uint16 {
	if b := r.take(2); b != nil {
		return binary.LittleEndian.Uint16(b)
	}
	return 0
}

func (r *reader) u32() uint32 {
	if b := r.take(4); b != nil {
		return binary.LittleEndian.Uint32(b)
	}
	return 0
}

func (r *reader) u64() uint64 {
	if b := r.take(8); b != nil {
		return binary.LittleEndian.Uint64(b)
	}
	return 0
}

func (r *reader) f32() float32 { return math.Float32frombits(r.u32()) }
func (r *reader) f64() float64 { return math.Float64frombits(r.u64()) }
func (r *reader) bool() bool   { return r.u8() != 0 }

func (r *reader) string() string {
	b := r.take(int(r.u16()))
	return unsafe.String(unsafe.SliceData(b), len(b))
}

// strings appends up to most strings to dst.
func (r *reader) strings(dst []string, most int) []string {
	n := int(r.u8())
	if n > most {
		r.b, r.bad = nil, true
		return dst
	}
	for range n {
		dst = append(dst, r.string())
	}
	return dst
}
