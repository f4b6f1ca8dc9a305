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
		bench := func(way string, do func(i int)) {
			b.Run(name+"/"+way, func(b *testing.B) {
				b.ReportAllocs()
				i := 0
				for b.Loop() {
					do(i & 4095)
					i++
				}
			})
		}
		bench("leaves", func(i int) { o.model.PredictSingle(wide[i], 0) })
		for _, w := range s.f.walks() {
			bench(w.name, func(i int) { w.raw(s.rows[i]) })
			f, p := s.f.with(w.name), new(Prediction)
			bench(w.name+"/attributed", func(i int) { f.predict(p, s.rows[i]) })
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
