//go:build !linux || race

package history

import (
	"sync/atomic"
	"unsafe"
)

// slab is room for records of one size, in the collector's memory: where there is
// no other, and under the race detector, which watches no other. It holds no
// pointer that would have to be followed but those to its chunks.
type slab struct {
	chunks []atomic.Pointer[uint64] // each the first word of a chunk
	bytes  int                      // of a record
	next   atomic.Uint32
}

const chunk = 256 // records

// reserve makes room for so many records.
func (s *slab) reserve(_ *memory, bytes, records int) {
	s.chunks, s.bytes = make([]atomic.Pointer[uint64], records/chunk+1), bytes
}

// slack lets a pointer to the longest record lie anywhere.
const slack = 2048

func (s *slab) at(i uint32) unsafe.Pointer {
	return unsafe.Add(unsafe.Pointer(s.chunks[i/chunk].Load()), uintptr(i%chunk)*uintptr(s.bytes))
}

// take returns the place of a record that was never used; it is zero.
func (s *slab) take() uint32 {
	i := s.next.Add(1) - 1
	if c := &s.chunks[i/chunk]; c.Load() == nil {
		c.CompareAndSwap(nil, unsafe.SliceData(make([]uint64, (chunk*s.bytes+slack)/8)))
	}
	return i
}

func (s *slab) used() int64 { return int64(s.next.Load()) * int64(s.bytes) }

// reserveWords returns so many zeros.
func reserveWords(_ *memory, n int) []uint64 { return make([]uint64, n) }
