package models

import "testing"

// BenchmarkKernel takes one row through each way of predicting, with the
// shared models and their own rows. leaves is handed float64 rows ready made.
func BenchmarkKernel(b *testing.B) {
	for _, name := range sharedModels {
		s := loadShared(b, name)
		o, err := newOracle(s.text, s.e)
		if err != nil {
			b.Fatal(err)
		}
		wide := make([][]float64, len(s.rows))
		for i, v := range s.rows {
			wide[i] = make([]float64, len(v))
			for j, x := range v {
				wide[i][j] = float64(x)
			}
		}
		var p Prediction
		f, k := s.f, s.f.kernel
		moved := make([]int32, len(s.e.names))
		leaf := p.scratch.leaves(len(s.e.trees))
		values := func() {
			raw := 0.0
			for _, i := range leaf {
				raw += f.table.rows[i].value
			}
			p.Raw = raw
		}
		for _, way := range []struct {
			name string
			do   func(i int)
		}{
			{"leaves", func(i int) { p.Raw = o.model.PredictSingle(wide[i], 0) }},
			{"plain", func(i int) { f.plain.walk(leaf, s.rows[i]); values() }},
			{"read", func(i int) { k.read(&p.scratch.keys, s.rows[i]) }},
			{"walk", func(i int) { k.walk(&p.scratch.leaf, &p.scratch.keys, s.rows[i]) }},
			{"kernel", func(i int) { k.walk(&p.scratch.leaf, &p.scratch.keys, s.rows[i]); values() }},
			{"predict", func(i int) { f.predict(&p, s.rows[i]) }},
			{"explain", func(i int) { f.predict(&p, s.rows[i]); f.explain(&p, moved) }},
		} {
			b.Run(name+"/"+way.name, func(b *testing.B) {
				b.ReportAllocs()
				i := 0
				for b.Loop() {
					way.do(i & 4095)
					i++
				}
			})
		}
	}
}

// BenchmarkLoad is the cost of one promotion: parse, lay out, attribute, verify.
func BenchmarkLoad(b *testing.B) {
	text, card := schemaText(b, "nan"), schemaCard("v1", `{"kind": "none"}`)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Load(text, card); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkModel is a small model whole, with its calibration.
func BenchmarkModel(b *testing.B) {
	m, v := loadModel(b, "nan", "v1"), vector(loadFixture(b, "nan").rows[0])
	var p Prediction
	b.ReportAllocs()
	for b.Loop() {
		m.Predict(&p, v)
	}
}
