package features

import "testing"

func BenchmarkDescribe(b *testing.B) {
	s := busy()
	var t Trace
	b.ReportAllocs()
	for b.Loop() {
		Describe(&t, &s.a, &s.o, hasher)
	}
}

func BenchmarkExtract(b *testing.B) {
	s := busy()
	var t Trace
	Describe(&t, &s.a, &s.o, hasher)
	p := s.profile(&t)
	var v Vector
	b.ReportAllocs()
	for b.Loop() {
		Extract(&v, &s.a, &s.o, &t, p)
	}
}

func BenchmarkTraceAppendBinary(b *testing.B) {
	s := busy()
	var t Trace
	Describe(&t, &s.a, &s.o, hasher)
	buf := make([]byte, 0, TraceBytes)
	b.ReportAllocs()
	for b.Loop() {
		t.AppendBinary(buf)
	}
}
