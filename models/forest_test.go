package models

import (
	"encoding/binary"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"testing"

	"github.com/waryauth/wary/features"
)

// fixtures were trained by LightGBM with NaN and with zero as missing; testdata/make.py.
var fixtures = []string{"nan", "zero"}

// fixture is one of them with LightGBM's own answers.
type fixture struct {
	shared
	expected    float64   // last column of pred_contrib
	probability []float64 // of the first rows
}

func readTestdata(tb testing.TB, name string) []byte {
	tb.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		tb.Fatal(err)
	}
	return b
}

func loadFixture(tb testing.TB, name string) *fixture {
	tb.Helper()
	x := &fixture{}
	x.text = readTestdata(tb, name+".txt")
	var err error
	if x.e, err = parse(x.text); err != nil {
		tb.Fatal(err)
	}
	x.f = newForest(x.e, someFamilies(len(x.e.names)))
	x.rows = floatRows(readTestdata(tb, name+".rows.f32"), len(x.e.names))
	x.raw = floats(readTestdata(tb, name+".raw.f64"))
	var j struct {
		Expected    float64 `json:"expected_raw"`
		Probability []float64
	}
	if err := json.Unmarshal(readTestdata(tb, name+".json"), &j); err != nil {
		tb.Fatal(err)
	}
	x.expected, x.probability = j.Expected, j.Probability
	return x
}

func floatRows(b []byte, width int) (rows [][]float32) {
	for ; len(b) > 0; b = b[4*width:] {
		v := make([]float32, width)
		for i := range v {
			v[i] = math.Float32frombits(binary.LittleEndian.Uint32(b[4*i:]))
		}
		rows = append(rows, v)
	}
	return rows
}

func floats(b []byte) (out []float64) {
	for ; len(b) > 0; b = b[8:] {
		out = append(out, math.Float64frombits(binary.LittleEndian.Uint64(b)))
	}
	return out
}

// everyModel runs f with the fixtures and, where they are, the shared models.
func everyModel(t *testing.T, f func(t *testing.T, s *shared)) {
	for _, name := range fixtures {
		t.Run(name, func(t *testing.T) { f(t, &loadFixture(t, name).shared) })
	}
	for _, name := range sharedModels {
		t.Run(name, func(t *testing.T) { f(t, loadShared(t, name)) })
	}
}

func TestScoresAreLightGBMs(t *testing.T) {
	everyModel(t, func(t *testing.T, s *shared) {
		var p Prediction
		slow := s.f.with("plain")
		for _, w := range s.f.walks()[:len(s.f.kernels)-1] {
			for i, v := range s.rows {
				if got := w.raw(v); math.Float64bits(got) != math.Float64bits(s.raw[i]) {
					t.Fatalf("row %d: %s %v, LightGBM %v", i, w.name, got, s.raw[i])
				}
			}
		}
		for i, v := range s.rows {
			want := math.Float64bits(s.raw[i])
			if s.f.predict(&p, v); math.Float64bits(p.Raw) != want {
				t.Fatalf("row %d: kernel %v, LightGBM %v", i, p.Raw, s.raw[i])
			}
			if i >= 512 {
				continue // verify walks the rest of the leaves
			}
			if slow.predict(&p, v); math.Float64bits(p.Raw) != want {
				t.Fatalf("row %d: plain walk %v, LightGBM %v", i, p.Raw, s.raw[i])
			}
		}
		if err := s.f.verify(s.text, s.e, oracleRows); err != nil {
			t.Fatal(err)
		}
	})
}

// TestScoresByHand meets every missing type, both default sides and the edges of float32.
func TestScoresByHand(t *testing.T) {
	text := []byte(handText(handHeader, handTrees))
	e, err := parse(text)
	if err != nil {
		t.Fatal(err)
	}
	f := newForest(e, someFamilies(3))
	if err := f.verify(text, e, oracleRows); err != nil {
		t.Fatal(err)
	}
	nan, inf := float32(math.NaN()), float32(math.Inf(1))
	zero, tiny := float32(math.Copysign(0, -1)), float32(1e-35)
	for _, c := range []struct {
		row  []float32
		want float64
	}{
		{[]float32{1.5, 0.5, -2}, 1 + 4 + 16 + 256},
		{[]float32{math.Nextafter32(1.5, 2), math.Nextafter32(0.5, 1), math.Nextafter32(-2, 0)}, 2 + 8 + 32 + 256},
		{[]float32{nan, nan, nan}, 1 + 8 + 16 + 128},
		{[]float32{0, nan, 0}, 1 + 8 + 32 + 64},
		{[]float32{inf, inf, inf}, 2 + 8 + 32 + 256},
		{[]float32{-inf, -inf, -inf}, 1 + 4 + 16 + 64},
		{[]float32{zero, zero, zero}, 1 + 8 + 32 + 64},
		{[]float32{0, tiny, 0}, 1 + 8 + 32 + 64},
		{[]float32{0, -tiny, 0}, 1 + 8 + 32 + 64},
		{[]float32{0, math.Nextafter32(tiny, 1), 0}, 1 + 4 + 32 + 256},
		{[]float32{0, math.SmallestNonzeroFloat32, 0}, 1 + 8 + 32 + 64},
		{[]float32{math.MaxFloat32, -1, -math.MaxFloat32}, 2 + 4 + 16 + 64},
		{[]float32{0, math.Nextafter32(-1, 0), 0}, 1 + 4 + 32 + 256},
	} {
		var p, q Prediction
		f.predict(&p, c.row)
		f.with("plain").predict(&q, c.row)
		if p.Raw != c.want || q.Raw != c.want {
			t.Errorf("%v: kernel %v, plain %v, want %v", c.row, p.Raw, q.Raw, c.want)
		}
	}
	// By hand: the means of the roots, weighted by leaf_count.
	var p Prediction
	f.predict(&p, []float32{nan, nan, nan})
	if want := 5.0/4 + 6 + 24 + (64+2*128+256)/4.0; p.Base != want {
		t.Errorf("base %v, want %v", p.Base, want)
	}
}

// TestLeavesMissesTinyZeros is why rowMaker keeps float32(±1e-35) from features
// whose zero is missing: LightGBM's limit is a float32 constant, leaves has a float64.
func TestLeavesMissesTinyZeros(t *testing.T) {
	text := []byte(handText(handHeader, handTrees))
	e, err := parse(text)
	if err != nil {
		t.Fatal(err)
	}
	o, err := newOracle(text, e)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := o.raw([]float32{0, 1e-35, 0}), 1.0+4+32+256; got != want {
		t.Errorf("leaves scores %v, not %v: it may have been mended, and rowMaker can stop sparing it", got, want)
	}
}

// attribute is the slow, obvious way: walk each tree, and give every change of the
// mean over the leaves below to the feature that was asked.
func attribute(e *ensemble, v []float32) (base float64, by []float64) {
	by = make([]float64, len(v))
	for i := range e.trees {
		t := &e.trees[i]
		var mean func(n int32) (value, rows float64)
		mean = func(n int32) (float64, float64) {
			if n < 0 {
				return t.leaf[^n], t.count[^n]
			}
			l, lr := mean(t.left[n])
			r, rr := mean(t.right[n])
			return (l*lr + r*rr) / (lr + rr), lr + rr
		}
		root, _ := mean(0)
		base += root
		for n, at := int32(0), root; n >= 0; {
			f := t.feature[n]
			if t.goesLeft(n, float64(v[f])) {
				n = t.left[n]
			} else {
				n = t.right[n]
			}
			next, _ := mean(n)
			by[f] += next - at
			at = next
		}
	}
	return base, by
}

func TestContributions(t *testing.T) {
	everyModel(t, func(t *testing.T, s *shared) {
		var p Prediction
		moved := make([]int32, len(s.e.names))
		family := s.f.table.family
		for i, v := range s.rows {
			s.f.predict(&p, v)
			sum := p.Base
			for _, c := range p.Contributions {
				sum += float64(c)
			}
			if d := math.Abs(sum - p.Raw); !(d <= 1e-5) {
				t.Fatalf("row %d: base and contributions are %v, raw is %v, apart by %g", i, sum, p.Raw, d)
			}
			if i >= 64 {
				continue
			}
			s.f.explain(&p, moved)
			base, by := attribute(s.e, v)
			checkAttribution(t, &p, base, by, family)
		}
	})
}

func checkAttribution(t *testing.T, p *Prediction, base float64, by []float64, family []uint8) {
	t.Helper()
	const near = 1e-5
	if math.Abs(base-p.Base) > near {
		t.Fatalf("base %v, want %v", p.Base, base)
	}
	var want [features.Families]float64
	for f, x := range by {
		want[family[f]] += x
	}
	for g := range want {
		if math.Abs(want[g]-float64(p.Contributions[g])) > near {
			t.Fatalf("family %d: contribution %v, want %v", g, p.Contributions[g], want[g])
		}
		sign, most := 1.0, 0.0
		if p.Contributions[g] < 0 {
			sign = -1
		}
		for f, x := range by {
			if int(family[f]) == g {
				most = max(most, sign*x)
			}
		}
		switch top := p.Top[g]; {
		case int(top) >= len(by) || int(family[top]) != g:
			t.Fatalf("family %d: top is %d", g, top)
		case sign*by[top] < most-near:
			t.Fatalf("family %d: top %d moved %v, another %v", g, top, by[top], most)
		}
	}
}

// TestBaseIsLightGBMs compares Base with the expected value of LightGBM's pred_contrib.
func TestBaseIsLightGBMs(t *testing.T) {
	for _, name := range fixtures {
		x := loadFixture(t, name)
		if d := math.Abs(x.f.table.base - x.expected); d > 1e-9 {
			t.Errorf("%s: base %v, LightGBM's %v", name, x.f.table.base, x.expected)
		}
	}
}

// TestManyTrees has more trees than the inline scratch has room for.
func TestManyTrees(t *testing.T) {
	var trees []string
	for range 257 {
		trees = append(trees, handTrees...)
	}
	e, err := parse([]byte(handText(handHeader, trees)))
	if err != nil {
		t.Fatal(err)
	}
	all := newForest(e, someFamilies(3))
	for _, k := range all.kernels {
		f := all.with(k.name())
		p, v := new(Prediction), []float32{1.5, 0.5, -2}
		f.predict(p, v)
		if want := float64(len(trees)/4) * (1 + 4 + 16 + 256); p.Raw != want {
			t.Errorf("%s: raw %v, want %v", k.name(), p.Raw, want)
		}
		if n := testing.AllocsPerRun(10, func() { f.predict(p, v) }); n != 0 {
			t.Errorf("%s: %v allocations", k.name(), n)
		}
	}
}

func TestPredictAllocatesNothing(t *testing.T) {
	for _, name := range fixtures {
		x := loadFixture(t, name)
		var p Prediction
		moved := make([]int32, len(x.e.names))
		if n := testing.AllocsPerRun(100, func() { x.f.predict(&p, x.rows[0]); x.f.explain(&p, moved) }); n != 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
}

func TestOrderKey(t *testing.T) {
	zero := float32(math.Copysign(0, -1))
	rising := []float32{float32(math.Inf(-1)), -math.MaxFloat32, -1, -1e-40, 0, 1e-40, 1, math.MaxFloat32, float32(math.Inf(1))}
	for i := 1; i < len(rising); i++ {
		if orderKey(rising[i-1]) >= orderKey(rising[i]) {
			t.Errorf("%v is not below %v", rising[i-1], rising[i])
		}
	}
	if orderKey(zero) != 0 || orderKey(0) != 0 {
		t.Error("zeros differ")
	}
	if orderKey(rising[0]) == math.MinInt32 || orderKey(rising[8]) == math.MaxInt32 {
		t.Error("an infinity takes the place of a default")
	}
	for _, x := range []float64{0.1, -0.1, 1e-50, -1e-50, 1e300, -1e300, 1.5, math.Inf(1), math.Inf(-1)} {
		key := floorKey(x)
		for _, f := range []float32{float32(x), math.Nextafter32(float32(x), 9), math.Nextafter32(float32(x), -9)} {
			if (float64(f) <= x) != (orderKey(f) <= key) {
				t.Errorf("%v <= %v is not as its keys say", f, x)
			}
		}
	}
}
