package typing

import "testing"

// BenchmarkVerify is Embed and LLR: what a login waits for.
func BenchmarkVerify(b *testing.B) {
	table, all := small(b)
	var p Profile
	var e Embedding
	for i := range all[0] {
		table.Embed(&e, &all[0][i])
		p.Update(&e, uint32(i))
	}
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		table.Embed(&e, &all[i%60][i%5])
		p.LLR(&e)
		i++
	}
}

// BenchmarkUpdate is without Embed, whose result Verify has left.
func BenchmarkUpdate(b *testing.B) {
	table, all := small(b)
	var p Profile
	var e Embedding
	table.Embed(&e, &all[0][0])
	b.ReportAllocs()
	for b.Loop() {
		p.Update(&e, 7)
	}
}

func BenchmarkLLR(b *testing.B) {
	table, all := small(b)
	var p Profile
	var e Embedding
	table.Embed(&e, &all[0][0])
	p.Update(&e, 7)
	b.ReportAllocs()
	for b.Loop() {
		p.LLR(&e)
	}
}

func BenchmarkTrain(b *testing.B) {
	_, all := small(b)
	b.ReportAllocs()
	for b.Loop() {
		learnt(b, all)
	}
}
