package models

import (
	"testing"

	"github.com/waryauth/wary/features"
)

func BenchmarkSHAP(b *testing.B) {
	m, err := Baseline()
	if err != nil {
		b.Fatal(err)
	}
	v := new(features.Vector)
	b.ReportAllocs()
	for b.Loop() {
		m.SHAP(v)
	}
}
