package models

import "unsafe"

// Bytes returns how many bytes of a kernel's tables a row can make it read, a leaf
// of each tree with what it adds to the families included: what limits a kernel that
// reads all of its tables for every row. It is 0 where the kernel is not here, and
// for the plain walk.
func (e *Ensemble) Bytes(kernel string) int {
	for _, k := range e.f.kernels {
		if sized, ok := k.(interface{ size() int }); ok && k.name() == kernel {
			return sized.size() + len(e.e.trees)*int(unsafe.Sizeof(leafRow{}))
		}
	}
	return 0
}

func (k *stepKernel) size() int {
	return bytesOf(k.nodes) + bytesOf(k.slots) + bytesOf(k.groups)
}

func (m *masks) size() int {
	return bytesOf(m.features) + bytesOf(m.nanIsZero) + bytesOf(m.keepAbove) + bytesOf(m.pairs) + bytesOf(m.thresholds) +
		bytesOf(m.counts) + bytesOf(m.bases) + bytesOf(m.blocks)
}

func bytesOf[T any](s []T) int {
	var one T
	return len(s) * int(unsafe.Sizeof(one))
}
