package scopes

import (
	"math/rand/v2"
	"testing"
)

// BenchmarkNarrow narrows what a person is about to be asked: scopes, and a detail in half
// of the questions.
func BenchmarkNarrow(b *testing.B) {
	rules := parse(b, usual(), table)
	r := rand.New(rand.NewPCG(1, 1))
	d := newDraws(r)
	questions := make([]*Question, 256)
	for i := range questions {
		questions[i] = d.question(r)
		questions[i].Level = i % Levels
	}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		rules.Narrow(questions[i%len(questions)])
	}
}
