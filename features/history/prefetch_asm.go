//go:build amd64 || arm64

package history

import "unsafe"

// prefetch asks for cache lines, at least one, and waits for none. It reads
// nothing, so that it races with no writer and faults at no address.
//
//go:noescape
func prefetch(p unsafe.Pointer, lines int)
