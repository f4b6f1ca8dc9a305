//go:build !amd64

package models

func masksOf(kernel) *masks { return nil }
