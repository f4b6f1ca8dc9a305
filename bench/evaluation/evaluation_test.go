package evaluation

import (
	"math"
	"math/rand/v2"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/waryauth/wary/models/train"
)

func near(t *testing.T, what string, got, want, within float64) {
	t.Helper()
	if !(math.Abs(got-want) <= within) {
		t.Errorf("%s: %v, want %v", what, got, want)
	}
}

// setOf makes a set of rows in order: families by number, each of its own user.
func setOf(families []uint8, values ...float64) *Set {
	s := &Set{Families: []string{"ordinary", "stuffing", "targeted"}, Settings: []Setting{{Name: "all"}}, Scores: []Score{{"score", values}}}
	for i, f := range families {
		s.Rows = append(s.Rows, Row{User: uint64(i), Family: f, Takeover: f > 0, Weight: 1, At: int64(i)})
	}
	return s
}

// Four honest rows and four takeovers, worked by hand.
func TestCurveByHand(t *testing.T) {
	families := []uint8{1, 0, 2, 1, 0, 2, 0, 0}
	s := setOf(families, 0.9, 0.8, 0.7, 0.7, 0.6, 0.5, 0.4, 0.3)
	c := s.curve(0, s.pick(s.together), nil)
	// Pairs in order: 4 of 0.9, 3 of each 0.7, 2 of 0.5: 12 of 16.
	near(t, "AUC", c.auc(), 12.0/16, 0)
	// One honest row of four may be challenged: 0.9 is above it, the two of 0.7 below it
	// but above the next.
	near(t, "caught at a quarter", c.caught(0.25), 0.75, 0)
	cut := c.cut(0.25)
	for i, want := range []float64{1, 1, 1, 1, 0, 0, 0, 0} {
		near(t, "challenged", cut.Challenged(s.Scores[0].Values[i]), want, 0)
	}
	// Half a row: half of it by lot, and nothing of what is below.
	near(t, "caught at an eighth", c.caught(0.125), 0.25, 0)
	near(t, "lot at an eighth", c.cut(0.125).Challenged(0.8), 0.5, 0)
	near(t, "caught at all", c.caught(1), 1, 0)
	// Precision at each takeover found, at the rows' own half: 1, 2/3... of 1/1, 3/4, 4/6.
	near(t, "average precision", c.precision(0.5), (1.0+2*3.0/4+4.0/6)/4, 1e-15)
	// At one takeover in five, an honest row counts four times: 1, 3/(3+4), 4/(4+8).
	near(t, "average precision of rare takeovers", c.precision(0.2), (1.0+2*3.0/7+4.0/12)/4, 1e-15)

	// A rule of yes or no: half of the honest and three of four takeovers say yes. At a
	// quarter of the honest, half of those who say yes are challenged.
	rule := setOf(families, 1, 1, 1, 1, 1, 0, 0, 0)
	c = rule.curve(0, rule.pick(rule.together), nil)
	near(t, "rule: AUC", c.auc(), 0.625, 0)
	near(t, "rule: caught", c.caught(0.25), 0.375, 0)
	near(t, "rule: cut", c.cut(0.25).Score, 1, 0)
}

// A weight is as many rows, by the slow oracle of all pairs.
func TestWeights(t *testing.T) {
	draw := rand.New(rand.NewPCG(1, 1))
	var s, repeated Set
	for i := range 300 {
		r := Row{User: uint64(i), Weight: float32(1 + draw.IntN(4)), Takeover: draw.IntN(5) == 0}
		v := float64(draw.IntN(30))
		s.Rows, s.Scores = append(s.Rows, r), []Score{{Values: append(valuesOf(&s), v)}}
		for range int(r.Weight) {
			one := r
			one.Weight = 1
			repeated.Rows, repeated.Scores = append(repeated.Rows, one), []Score{{Values: append(valuesOf(&repeated), v)}}
		}
	}
	all := func(s *Set) (rows []int32) {
		for i := range s.Rows {
			rows = append(rows, int32(i))
		}
		return rows
	}
	c, d := s.curve(0, all(&s), nil), repeated.curve(0, all(&repeated), nil)
	wins, pairs := 0.0, 0.0
	for i := range repeated.Rows {
		for j := range repeated.Rows {
			if repeated.Rows[i].Takeover && !repeated.Rows[j].Takeover {
				pairs++
				switch a, b := valuesOf(&repeated)[i], valuesOf(&repeated)[j]; {
				case a > b:
					wins++
				case a == b:
					wins += 0.5
				}
			}
		}
	}
	near(t, "AUC", c.auc(), wins/pairs, 1e-12)
	for _, share := range []float64{0, 0.001, 0.013, 0.2, 0.5, 1} {
		near(t, "caught", c.caught(share), d.caught(share), 1e-12)
	}
}

func valuesOf(s *Set) []float64 {
	if len(s.Scores) == 0 {
		return nil
	}
	return s.Scores[0].Values
}

// Rows of one user are drawn together: where each user has ten equal rows, the
// interval is as wide as that of the users. The control draws rows alone, and is
// surer than it may be.
func TestBootstrapDrawsUsers(t *testing.T) {
	draw := rand.New(rand.NewPCG(2, 2))
	families := []uint8{}
	values := []float64{}
	for range 60 {
		f, v := uint8(draw.IntN(2)), draw.NormFloat64()
		if f == 1 {
			v++
		}
		for range 10 {
			families, values = append(families, f), append(values, v)
		}
	}
	s := setOf(families, values...)
	width := func() float64 {
		r, err := s.Judge()
		if err != nil {
			t.Fatal(err)
		}
		a := r.Scores[0].AUC
		if a.Low > a.Value || a.Value > a.High {
			t.Errorf("AUC %v outside its interval", a)
		}
		return a.High - a.Low
	}
	alone := width()
	for i := range s.Rows {
		s.Rows[i].User = uint64(i / 10)
	}
	together := width()
	// Ten equal rows hold no more than one: the width grows by the root of ten.
	if together < 2*alone || together > 5*alone {
		t.Errorf("width %.3f of users, %.3f of rows", together, alone)
	}
	if again := width(); again != together {
		t.Errorf("another time %v, was %v", again, together)
	}
}

func TestJudgeRefuses(t *testing.T) {
	f := func(name, want string, change func(*Set)) {
		t.Helper()
		s := setOf([]uint8{0, 1}, 1, 2)
		change(s)
		if _, err := s.Judge(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	f("no takeover", "both are needed", func(s *Set) { s.Rows[1].Family, s.Rows[1].Takeover = 0, false })
	f("only apart", "both are needed", func(s *Set) { s.Settings[0].Apart = true })
	f("no number", "not a number", func(s *Set) { s.Scores[0].Values[0] = math.NaN() })
	f("too few values", "1 values", func(s *Set) { s.Scores[0].Values = s.Scores[0].Values[:1] })
	f("no score", "at least a score", func(s *Set) { s.Scores = nil })
	f("a family that is none", "family 9", func(s *Set) { s.Rows[1].Family = 9 })
	f("a takeover that is ordinary", "takeover true", func(s *Set) { s.Rows[0].Takeover = true })
	f("no weight", "weight 0", func(s *Set) { s.Rows[0].Weight = 0 })
}

// made returns a set with two settings, one of them apart, and three weeks.
func made() *Set {
	draw := rand.New(rand.NewPCG(5, 5))
	s := &Set{
		Source: "made-up <people>", Families: []string{"ordinary", "stuffing", "targeted"}, Unseen: 2, Probabilities: true, Prior: 0.01,
		Settings: []Setting{{Name: "one"}, {Name: "two"}, {Name: "elsewhere", Apart: true}}, Costs: Costs{Challenge: 2, Takeover: 100}, Resamples: 40,
		Scores: []Score{{Name: "model"}, {Name: "RBA score"}},
	}
	day := int64(24 * time.Hour / time.Millisecond)
	for i := range 6000 {
		r := Row{At: int64(i) * 21 * day / 6000, User: uint64(draw.IntN(400)), History: int32(draw.IntN(60)), Setting: uint8(draw.IntN(3)), Weight: 2}
		x := draw.NormFloat64() - 4
		if draw.IntN(40) == 0 {
			r.Family, r.Takeover, r.Weight = uint8(1+draw.IntN(2)), true, 1
			x += 3
			if draw.IntN(2) == 0 {
				r.Value = 500
			}
		}
		s.Rows = append(s.Rows, r)
		s.Scores[0].Values = append(s.Scores[0].Values, 1/(1+math.Exp(-x)))
		s.Scores[1].Values = append(s.Scores[1].Values, draw.NormFloat64())
	}
	return s
}

// Every table says of its rows what plain loops over them say.
func TestReportAgainstOracle(t *testing.T) {
	s := made()
	r, err := s.Judge()
	if err != nil {
		t.Fatal(err)
	}
	share := func(rate, score int, keep func(*Row) bool) float64 {
		cut, hit, all := r.Scores[score].Cuts[rate], 0.0, 0.0
		for i := range s.Rows {
			if x := &s.Rows[i]; x.Setting < 2 && keep(x) {
				hit += float64(x.Weight) * cut.Challenged(s.Scores[score].Values[i])
				all += float64(x.Weight)
			}
		}
		return hit / all
	}
	for k := range s.Scores {
		for rate, want := range r.Rates {
			near(t, "honest challenged", share(rate, k, func(x *Row) bool { return !x.Takeover }), want, 1e-9)
			near(t, "caught", r.Scores[k].Caught[rate].Value, share(rate, k, func(x *Row) bool { return x.Takeover }), 1e-9)
			for f := range r.Families {
				near(t, "family", r.Families[f].Caught[k][rate], share(rate, k, func(x *Row) bool { return int(x.Family) == f+1 }), 1e-9)
			}
		}
		for _, h := range r.Histories {
			near(t, "history", h.Challenged[k], share(mainRate, k, func(x *Row) bool { return !x.Takeover && int(x.History) == h.Size }), 1e-9)
		}
		for _, b := range r.Bands {
			in := func(x *Row) bool { return x.History >= b.From && x.History <= b.To }
			near(t, "band, caught", b.Caught[k], share(mainRate, k, func(x *Row) bool { return x.Takeover && in(x) }), 1e-9)
			near(t, "band, challenged", b.Challenged[k], share(mainRate, k, func(x *Row) bool { return !x.Takeover && in(x) }), 1e-9)
		}
	}
	if len(r.Weeks) != 3 || len(r.Settings) != 3 || !r.Settings[2].Apart || r.Weeks[0].PSI != 0 {
		t.Errorf("%d weeks, %d settings", len(r.Weeks), len(r.Settings))
	}
	total := [2]int{}
	for _, w := range r.Weeks {
		total[0], total[1] = total[0]+w.Rows[0], total[1]+w.Rows[1]
	}
	if total != r.Counts || r.Counts[0]+r.Counts[1]+r.Settings[2].Rows[0]+r.Settings[2].Rows[1] != len(s.Rows) {
		t.Errorf("weeks hold %v, all are %v", total, r.Counts)
	}
	// The mean takeover costs what its value or the stated cost is.
	sum, n := 0.0, 0.0
	for i := range s.Rows {
		if x := &s.Rows[i]; x.Setting < 2 && x.Takeover {
			n++
			if sum += 100; x.Value > 0 {
				sum += 400
			}
		}
	}
	near(t, "loss of nothing challenged", r.Nothing, 1000*0.01*sum/n, 1e-6)
	all := r.Scores[0].Losses[len(r.Scores[0].Losses)-1]
	near(t, "loss of everybody challenged", all.Y, 1000*0.99*2, 1e-6)
	if least := r.Scores[0].Least; least.Y >= r.Nothing || least.Y >= all.Y || least.X <= 0 || r.Scores[1].Least.Y < least.Y {
		t.Errorf("least loss %v of the model, %v of noise", least, r.Scores[1].Least)
	}
	// Probabilities weighed to the prior: the observed shares of the bins average to it.
	hit, weight := 0.0, 0.0
	for _, b := range r.Reliability.Bins {
		hit, weight = hit+b.Observed*b.Weight, weight+b.Weight
	}
	near(t, "share of takeovers in the bins", hit/weight, 0.01, 1e-4)
	if m := r.Metrics(); m["unseen_caught_at_0.01"] != rounded(r.Families[1].Caught[0][mainRate]) || m["rba_score_caught_at_0.01"] != rounded(r.Scores[1].Caught[mainRate].Value) || m["auc"] < 0.9 {
		t.Errorf("metrics %v", m)
	}
}

// The weights are those at which the loss has no slope, by the definition; and the
// number of processors changes no bit.
func TestFit(t *testing.T) {
	draw := rand.New(rand.NewPCG(3, 3))
	d := &train.Data{Columns: 4}
	nan := float32(math.NaN())
	for range 2000 {
		a, b := float32(draw.NormFloat64()), float32(draw.ExpFloat64()*20)
		y := float32(0)
		if 1/(1+math.Exp(-(1.5*float64(a)+0.05*float64(b)-2))) > draw.Float64() {
			y = 1
		}
		if draw.IntN(10) == 0 {
			b = nan
		}
		d.X = append(d.X, a, 7, b, float32(draw.NormFloat64()))
		d.Y, d.Weight = append(d.Y, y), append(d.Weight, float32(1+draw.IntN(3)))
	}
	l, err := Fit(t.Context(), d, []int{0, 1, 2})
	if err != nil {
		t.Fatal(err)
	}
	for k := range l.weights {
		const h = 1e-4
		w := l.weights[k]
		l.weights[k] = w + h
		up := l.loss(d)
		l.weights[k] = w - h
		down := l.loss(d)
		l.weights[k] = w
		near(t, "slope", (up-down)/(2*h)/l.loss(d), 0, 1e-4)
	}
	near(t, "slope of a", l.weights[0]*l.scale[0], 1.5, 0.2)
	near(t, "slope of b", l.weights[2]*l.scale[2], 0.05, 0.01)
	near(t, "a column that says nothing", l.weights[1], 0, 1e-9)
	// What is missing counts as the median.
	near(t, "missing", l.LogOdds([]float32{0, 7, nan, 0}), l.LogOdds([]float32{0, 7, float32(l.median[2]), 0}), 1e-6)

	before := runtime.GOMAXPROCS(1)
	one, err := Fit(t.Context(), d, []int{0, 1, 2})
	runtime.GOMAXPROCS(before)
	if err != nil {
		t.Fatal(err)
	}
	for k := range l.weights {
		if one.weights[k] != l.weights[k] {
			t.Errorf("weight %d: %v on one processor, %v on more", k, one.weights[k], l.weights[k])
		}
	}
}

// One column of yes and no: the odds in both halves, known exactly.
func TestFitOfOneColumn(t *testing.T) {
	d := &train.Data{Columns: 1}
	add := func(n int, x, y float32) {
		for range n {
			d.X, d.Y = append(d.X, x), append(d.Y, y)
		}
	}
	add(30000, 1, 1)
	add(10000, 1, 0)
	add(10000, 0, 1)
	add(50000, 0, 0)
	l, err := Fit(t.Context(), d, []int{0})
	if err != nil {
		t.Fatal(err)
	}
	near(t, "odds of yes", math.Exp(l.LogOdds([]float32{1})), 3, 0.01)
	near(t, "odds of no", math.Exp(l.LogOdds([]float32{0})), 0.2, 0.001)
	// All rows parted: the ridge keeps the weight finite.
	for i := range d.Y {
		d.Y[i] = d.X[i]
	}
	if l, err = Fit(t.Context(), d, []int{0}); err != nil || math.IsInf(l.LogOdds([]float32{1}), 0) || l.LogOdds([]float32{1}) < 3 {
		t.Errorf("parted: %v", err)
	}
	if _, err := Fit(t.Context(), &train.Data{Columns: 1, X: []float32{1}, Y: []float32{1}}, []int{0}); err == nil {
		t.Error("fitted to one label")
	}
}

// A feature that is the label is found, whichever way it says so; one that is not,
// is not.
func TestAlone(t *testing.T) {
	draw := rand.New(rand.NewPCG(4, 4))
	s := &Set{Families: []string{"ordinary", "stuffing", "targeted", "rare"}, Settings: []Setting{{}, {Apart: true}}}
	n := 2000
	label, missing, noise := make([]float32, n), make([]float32, n), make([]float32, n)
	for i := range n {
		f := uint8(max(0, draw.IntN(12)-9))
		if i < fewestAttacks-1 {
			f = 3 // too few to say anything
		}
		s.Rows = append(s.Rows, Row{Family: f, Takeover: f > 0, Weight: 1, Setting: uint8(draw.IntN(2))})
		if f == 3 {
			s.Rows[i].Setting = 0
		}
		noise[i], missing[i] = float32(draw.NormFloat64()), float32(draw.NormFloat64())
		if f == 1 {
			label[i] = -1
			missing[i] = float32(math.NaN())
		}
		if s.Rows[i].Setting == 1 {
			noise[i] = float32(f) // apart: a leak there is not seen
		}
	}
	for i := range s.Rows { // no other rare ones
		if s.Rows[i].Family == 3 && i >= fewestAttacks-1 {
			s.Rows[i].Family = 2
		}
	}
	var l Leaks
	why := func(name, attack string) string {
		if name == "missing" && attack == "stuffing" {
			return "explained"
		}
		return ""
	}
	for name, values := range map[string][]float32{"label": label, "missing": missing, "noise": noise} {
		a := s.Alone(name, values)
		switch of := a.Of[1]; {
		case name == "noise" && !(of < 0.65), name != "noise" && of != 1:
			t.Errorf("%s: AUC %v", name, a.Of)
		}
		if !math.IsNaN(a.Of[3]) {
			t.Errorf("%s: AUC %v against %d takeovers", name, a.Of[3], fewestAttacks-1)
		}
		l.Note(s, a, true, why)
	}
	if u := l.Unexplained(); len(l.Above) != 2 || len(u) != 1 || u[0].Name != "label" || u[0].Attack != "stuffing" {
		t.Errorf("above %+v, unexplained %+v", l.Above, l.Unexplained())
	}
}

// TestPSI against values worked out by hand from the definition.
func TestPSI(t *testing.T) {
	run := func(from, to int) (out []float64) {
		for i := from; i < to; i++ {
			out = append(out, float64(i))
		}
		return out
	}
	f := func(name string, want float64, a, b []float64) {
		t.Helper()
		if got := PSI(a, b); math.Abs(got-want) > 1e-12 {
			t.Errorf("%s: %v, want %v", name, got, want)
		}
	}
	f("the same", 0, run(0, 100), run(0, 100))
	f("the same in another order", 0, []float64{3, 1, 2}, []float64{1, 2, 3})
	f("one value", 0, []float64{5, 5, 5, 5}, []float64{5, 5})
	// Deciles of 0..99 hold 10 each. 10..109 leaves the first empty and puts 20 into the last:
	// (0.005-0.1) ln(0.005/0.1) + (0.2-0.1) ln(0.2/0.1).
	f("a shift of one decile", (0.005-0.1)*math.Log(0.05)+0.1*math.Ln2, run(0, 100), run(10, 110))
	// Two values, 3 and 1 of four; then 1 and 3: (1/4-3/4) ln(1/3) + (3/4-1/4) ln(3).
	f("two values turned round", math.Log(3), []float64{0, 0, 0, 1}, []float64{0, 1, 1, 1})
}
