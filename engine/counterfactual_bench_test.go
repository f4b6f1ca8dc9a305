package engine

import (
	"bytes"
	"testing"
)

// BenchmarkCounterfactual tries all sets of families in vain: the most that a
// question can cost.
func BenchmarkCounterfactual(b *testing.B) {
	never, err := ParsePolicy(bytes.Replace(defaultPolicy, []byte("{step_up: 0.0025, deny: 0.3}"), []byte("{step_up: 0.00000001, deny: 0.3}"), 1))
	if err != nil {
		b.Fatal(err)
	}
	e := open(b, b.TempDir(), func(o *Options) { o.Policy = never })
	defer e.Close()
	a := home("x", settle(b, e, 12))
	a.Network.IP, a.Device.ID, a.Client.ID = "30.1.0.9", "other", "never seen"
	x := explained(b, e, a)
	if c := x.Counterfactual; c == nil || len(c.Families) > 0 {
		b.Fatalf("%+v", c)
	}
	b.ReportAllocs()
	for b.Loop() {
		x.counterfactual(never, &x.Profile.User)
	}
}
