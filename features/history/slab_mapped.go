//go:build linux && !race

package history

import (
	"fmt"
	"runtime"
	"sync/atomic"
	"syscall"
	"unsafe"
)

// slab is room for records of one size. It is mapped memory that the collector
// knows nothing of, all reserved at once, of which the system gives the pages
// that are touched.
type slab struct {
	base  unsafe.Pointer
	bytes int // of a record
	_     [64]byte
	next  atomic.Uint32 // written when a record is made; the rest is only read
	_     [64]byte
}

// reserve makes room for so many records, until the slab's owner is garbage.
func (s *slab) reserve(owner *memory, bytes, records int) {
	s.base, s.bytes = unsafe.Pointer(unsafe.SliceData(reserve(owner, bytes*records+slack))), bytes
}

// slack lets a pointer to the longest record lie anywhere.
const slack = 2048

func (s *slab) at(i uint32) unsafe.Pointer { return unsafe.Add(s.base, uintptr(i)*uintptr(s.bytes)) }

// take returns the place of a record that was never used; it is zero. Whoever
// takes no more than the slab has room for is the tables' limit.
func (s *slab) take() uint32 { return s.next.Add(1) - 1 }

func (s *slab) used() int64 { return int64(s.next.Load()) * int64(s.bytes) }

// reserveWords returns so many zeros.
func reserveWords(owner *memory, n int) []uint64 {
	b := reserve(owner, 8*n)
	return unsafe.Slice((*uint64)(unsafe.Pointer(unsafe.SliceData(b))), n)
}

// hugeFrom is the size from which huge pages are asked for: a small store is not
// rounded up to them.
const hugeFrom = 8 << 20

func reserve(owner *memory, bytes int) []byte {
	b, err := syscall.Mmap(-1, 0, bytes, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_ANON|syscall.MAP_PRIVATE|syscall.MAP_NORESERVE)
	if err != nil {
		panic(fmt.Sprintf("history: reserve %d bytes: %v", bytes, err)) // as the runtime does when memory ends
	}
	if bytes >= hugeFrom {
		_ = syscall.Madvise(b, syscall.MADV_HUGEPAGE) // a hint: a kernel without is slower
	}
	runtime.AddCleanup(owner, func(b []byte) { _ = syscall.Munmap(b) }, b)
	return b
}
