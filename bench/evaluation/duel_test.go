package evaluation

import "testing"

// TestChangedMost keeps those whose points differ most, in order.
func TestChangedMost(t *testing.T) {
	var d Duel
	for i := range 50 {
		d.keep(Changed{Points: [2]uint8{uint8(i * 7 % 50), 0}})
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
