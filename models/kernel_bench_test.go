package models

import (
	"math/rand/v2"
	"testing"
	"time"
)

// benchModels are the shared models with their own rows, and the embedded baseline
// with rows that are half missing.
func benchModels(b *testing.B, do func(name string, s *shared)) {
	for _, name := range sharedModels {
		do(name, loadShared(b, name))
	}
	m, err := Baseline()
	if err != nil {
		b.Fatal(err)
	}
	e, err := parse(m.text)
	if err != nil {
		b.Fatal(err)
	}
	s := &shared{text: m.text, e: e, f: m.forest}
	g, r := newRowMaker(e), rand.New(rand.NewPCG(1, 1))
	for range 4096 {
		v := make([]float32, len(e.names))
		g.fill(v)
		for i := range v {
			if r.IntN(2) == 0 {
				v[i] = float32(r.IntN(3))
			}
		}
		s.rows = append(s.rows, v)
	}
	do("baseline", s)
}

// BenchmarkKernel takes one row through each kernel: alone, with attribution, and with
// that two rows an operation. leaves is handed float64 rows ready made.
func BenchmarkKernel(b *testing.B) {
	benchModels(b, func(name string, s *shared) {
		o, err := newOracle(s.text, s.e)
		if err != nil {
			b.Fatal(err)
		}
		wide := make([][]float64, len(s.rows))
		for i, v := range s.rows {
			for _, x := range v {
				wide[i] = append(wide[i], float64(x))
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
			bench(w.name+"+attribution", func(i int) { f.predict(p, s.rows[i]) })
			q := new(Prediction)
			bench(w.name+"+attribution, two rows", func(i int) { f.predictPair(p, q, s.rows[i], s.rows[i^1]) })
		}
	})
}

// BenchmarkColdKernel rewrites 4 MiB before each prediction, which leaves the model in
// no cache of the processor's own; the row is read once. ns/op leaves that out, but
// has the cost of two readings of the clock.
func BenchmarkColdKernel(b *testing.B) {
	other := make([]byte, 4<<20)
	benchModels(b, func(name string, s *shared) {
		for _, k := range s.f.kernels {
			f, p := s.f.with(k.name()), new(Prediction)
			b.Run(name+"/"+k.name()+"+attribution", func(b *testing.B) {
				var spent time.Duration
				var sum float32
				n := 0
				for b.Loop() {
					for i := 0; i < len(other); i += 64 {
						other[i]++
					}
					v := s.rows[n&4095]
					for _, x := range v {
						sum += x
					}
					begin := time.Now()
					f.predict(p, v)
					spent += time.Since(begin)
					n++
				}
				other[0] += byte(sum)
				b.ReportMetric(float64(spent.Nanoseconds())/float64(n), "ns/op")
			})
		}
	})
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
