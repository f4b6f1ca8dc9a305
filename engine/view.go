package engine

import "unsafe"

// view returns the bytes as a string without a copy; the bytes must not change
// while it is used.
func view(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }
