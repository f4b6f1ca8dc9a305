package models

import "testing"

// TestBytes: every kernel but the plain walk reads something for each split and tree.
func TestBytes(t *testing.T) {
	for _, name := range fixtures {
		e, err := Inspect(readTestdata(t, name+".txt"))
		if err != nil {
			t.Fatal(err)
		}
		leaves, _ := e.Leaves()
		inner := leaves - e.Trees()
		for _, kernel := range e.Kernels() {
			got := e.Bytes(kernel)
			if kernel == "plain" {
				if got != 0 {
					t.Errorf("%s: plain has %d bytes", name, got)
				}
				continue
			}
			// A split is at least a byte of threshold and one of feature.
			if least := 2*inner + 8*e.Trees(); got < least || got > 100*least {
				t.Errorf("%s: %s has %d bytes, want at least %d", name, kernel, got, least)
			}
		}
		if got := e.Bytes("none"); got != 0 {
			t.Errorf("a kernel that is not here has %d bytes", got)
		}
	}
}
