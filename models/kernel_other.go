//go:build !amd64

package models

// vectorKernels returns the kernels of this processor's vectors: none.
func vectorKernels(*ensemble) []kernel { return nil }
