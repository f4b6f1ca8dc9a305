package main

import (
	"math"
	"testing"
)

// TestPSI against values worked out by hand from the definition.
func TestPSI(t *testing.T) {
	run := func(from, to int) (out []float64) {
		for i := from; i < to; i++ {
			out = append(out, float64(i))
		}
		return out
	}
	f := func(name string, want float64, a, b []float64) {
		t.Helper()
		if got := psi(a, b); math.Abs(got-want) > 1e-12 {
			t.Errorf("%s: %v, want %v", name, got, want)
		}
	}
	f("the same", 0, run(0, 100), run(0, 100))
	f("the same in another order", 0, []float64{3, 1, 2}, []float64{1, 2, 3})
	f("one value", 0, []float64{5, 5, 5, 5}, []float64{5, 5})
	// Deciles of 0..99 hold 10 each. 10..109 leaves the first empty and puts 20 into the last:
	// (0.005-0.1) ln(0.005/0.1) + (0.2-0.1) ln(0.2/0.1).
	f("a shift of one decile", (0.005-0.1)*math.Log(0.05)+0.1*math.Ln2, run(0, 100), run(10, 110))
	// Two values, 3 and 1 of four; then 1 and 3: (1/4-3/4) ln(1/3) + (3/4-1/4) ln(3).
	f("two values turned round", math.Log(3), []float64{0, 0, 0, 1}, []float64{0, 1, 1, 1})
}

// TestChangedMost keeps those whose points differ most, in order.
func TestChangedMost(t *testing.T) {
	var d duel
	for i := range 50 {
		d.keep(changed{Points: [2]uint8{uint8(i * 7 % 50), 0}})
	}
	if len(d.changed) != mostChanged {
		t.Fatalf("%d kept", len(d.changed))
	}
	for i, x := range d.changed {
		if int(x.Points[0]) != 49-i {
			t.Errorf("place %d has a difference of %d, want %d", i, x.Points[0], 49-i)
		}
	}
}
