package main

import (
	"math"
	"slices"
	"strings"
	"testing"
)

func TestReached(t *testing.T) {
	for _, c := range []struct {
		value float64
		goal  string
		want  bool
	}{
		{5, ">=5", true}, {4.999, ">=5", false}, {0, "<=0", true}, {1, "<=0", false}, {0.5, ">=0.5", true}, {math.NaN(), "<=1", false},
	} {
		if got := reached(c.value, c.goal); got != c.want {
			t.Errorf("%v %s: %t", c.value, c.goal, got)
		}
	}
}

// TestNoValueIsShort: what could not be measured is never passed for reached.
func TestNoValueIsShort(t *testing.T) {
	g := group{figures: []figure{{"a", "<=1"}, {"b", "<=1"}, {"c", "<=1"}, {"d", ">=1"}}}
	r := &run{}
	r.record(&g, map[string]float64{"a": 0.25, "b": math.NaN(), "d": math.Inf(1)})
	want := []string{"a\t0.25\t<=1\tok", "b\tnone\t<=1\tshort", "c\tnone\t<=1\tshort", "d\tnone\t>=1\tshort"}
	if !slices.Equal(r.lines, want) {
		t.Errorf("%q", r.lines)
	}
}

// TestGoals: every goal can be read, every name stands once.
func TestGoals(t *testing.T) {
	seen := map[string]bool{}
	for _, g := range groups() {
		for _, f := range g.figures {
			if seen[f.name] || strings.ContainsAny(f.name, "\t ") {
				t.Errorf("%q", f.name)
			}
			seen[f.name] = true
			if !reached(0, f.goal) && !reached(1e9, f.goal) {
				t.Errorf("%s: no value reaches %q", f.name, f.goal)
			}
		}
	}
}

func TestCounts(t *testing.T) {
	got, control := counts(`=== RUN   TestKill
    kill_test.go:104: {kills:200 acknowledged:31542 records:31550 lost:0 doubled:1 segments:5 tornBytes:812}
    kill_test.go:108: control: {kills:10 acknowledged:1200 records:1100 lost:101 doubled:0 segments:1 tornBytes:0}
--- PASS: TestKill (9.10s)
`)
	if got["kills"] != 200 || got["acknowledged"] != 31542 || got["lost"] != 0 || got["doubled"] != 1 || control["lost"] != 101 {
		t.Errorf("%v, %v", got, control)
	}
	if got, control = counts("ok\n"); got != nil || control != nil {
		t.Errorf("%v, %v", got, control)
	}
}

func TestBenchmarkLine(t *testing.T) {
	out := "BenchmarkKernel/300x31x120/leaves-2   \t   51234\t     22712 ns/op\t       0 B/op\t       3 allocs/op\n" +
		"BenchmarkDecode/scoreapi \t 100\t 7970.5 ns/op\t 375.42 MB/s\n"
	var got []string
	for _, m := range benchmarkLine().FindAllStringSubmatch(out, -1) {
		got = append(got, strings.Join(m[1:], " "))
	}
	if want := []string{"Kernel/300x31x120/leaves 22712 3", "Decode/scoreapi 7970.5 "}; !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
}
