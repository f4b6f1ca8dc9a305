package main

import "testing"

func TestInstructionsIn(t *testing.T) {
	for out, want := range map[string]int64{
		"812470466,,instructions:u,1203,100.00,,\n":      812470466,
		"==1== \n==19424== I   refs:      812,470,466\n": 812470466,
		"<not supported>,,instructions:u,0,100.00,,\n":   -1,
		"taskset: failed to execute\n":                   -1,
	} {
		got, err := instructionsIn(out)
		if err != nil {
			got = -1
		}
		if got != want {
			t.Errorf("%q: %d", out, got)
		}
	}
}
