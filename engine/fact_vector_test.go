package engine

import (
	"bytes"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/waryauth/wary/features"
)

// TestVectorRoundTrip: every bit of every value comes back, whatever it is.
func TestVectorRoundTrip(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	strange := []float32{0, float32(math.Copysign(0, -1)), float32(math.NaN()), math.Float32frombits(0x7fc00001), math.Float32frombits(0xffc00000),
		float32(math.Inf(1)), float32(math.Inf(-1)), 1, 255, 256, 254.5, -1, 1 << 31, -1 << 31, 1 << 32, 4294967040, 1e30, math.SmallestNonzeroFloat32, math.MaxFloat32}
	for round := range 2000 {
		var v, back features.Vector
		for i := range v {
			switch r.IntN(4) {
			case 0:
				v[i] = strange[r.IntN(len(strange))]
			case 1:
				v[i] = math.Float32frombits(r.Uint32())
			case 2:
				v[i] = float32(r.IntN(300))
			default:
				v[i] = r.Float32()
			}
		}
		b := appendVector(bytes.Clone([]byte("before")), &v)
		if string(b[:6]) != "before" {
			t.Fatalf("what was there is %q", b[:6])
		}
		in := reader{b: append(b[6:], "after"...)}
		readVector(&in, &back)
		if in.bad || string(in.b) != "after" {
			t.Fatalf("round %d: bad %v, %q is left", round, in.bad, in.b)
		}
		for i := range v {
			if math.Float32bits(v[i]) != math.Float32bits(back[i]) {
				t.Fatalf("round %d: value %d is %x, was %x", round, i, math.Float32bits(back[i]), math.Float32bits(v[i]))
			}
		}
	}
}

// TestVectorCutShort: what ends too early is bad.
func TestVectorCutShort(t *testing.T) {
	var v features.Vector
	for i := range v {
		v[i] = float32(i) / 2
	}
	whole := appendVector(nil, &v)
	for n := range whole {
		r := reader{b: whole[:n]}
		readVector(&r, &v)
		if !r.bad {
			t.Fatalf("%d of %d bytes are taken for a vector", n, len(whole))
		}
	}
}

func BenchmarkAppendVector(b *testing.B) {
	var v features.Vector
	r := rand.New(rand.NewPCG(5, 6))
	for i := range v { // as often as in ordinary attempts
		switch n := r.IntN(360); {
		case n < 165:
			v[i] = float32(math.NaN())
		case n < 265:
		case n < 282:
			v[i] = 1
		default:
			v[i] = r.Float32()
		}
	}
	buf := make([]byte, 0, 1<<12)
	b.ReportAllocs()
	for b.Loop() {
		appendVector(buf, &v)
	}
	b.ReportMetric(float64(len(appendVector(buf, &v))), "bytes")
}
