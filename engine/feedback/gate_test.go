package feedback

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/waryauth/wary/engine"
	"github.com/waryauth/wary/features"
	"github.com/waryauth/wary/models"
	"github.com/waryauth/wary/signals"
)

// split is a tree of one split: low where the feature is missing or at most 1/2.
type split struct {
	feature   int
	low, high float64
}

// grownFrom returns the files of a model whose log-odds are the sum of its splits.
func grownFrom(version string, gain map[string]float64, calibration models.Calibration, splits ...split) (text []byte, card models.Card) {
	var names, infos, sizes []string
	for _, f := range features.Schema {
		names, infos = append(names, f.Name), append(infos, "none")
	}
	var trees strings.Builder
	for i, s := range splits {
		tree := fmt.Sprintf("Tree=%d\nnum_leaves=2\nnum_cat=0\nsplit_feature=%d\nsplit_gain=1\nthreshold=0.5\ndecision_type=10\nleft_child=-1\nright_child=-2\n"+
			"leaf_value=%v %v\nleaf_weight=1 1\nleaf_count=60 40\ninternal_value=0\ninternal_weight=2\ninternal_count=100\nis_linear=0\nshrinkage=1\n\n\n", i, s.feature, s.low, s.high)
		trees.WriteString(tree)
		sizes = append(sizes, fmt.Sprint(len(tree)))
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, "tree\nversion=v4\nnum_class=1\nnum_tree_per_iteration=1\nlabel_index=0\nmax_feature_idx=%d\nobjective=binary sigmoid:1\n", features.Width-1)
	fmt.Fprintf(&b, "feature_names=%s\nfeature_infos=%s\ntree_sizes=%s\n\n%send of trees\n\n", strings.Join(names, " "), strings.Join(infos, " "), strings.Join(sizes, " "), trees.String())
	when := time.Date(2026, 1, 2, 0, 0, 0, 0, time.UTC)
	return b.Bytes(), models.Card{Version: version, Created: when, Schema: features.Digest(), Data: models.Data{Generator: "test", Rows: 100, From: when, To: when},
		Calibration: calibration, Gain: gain}
}

func loaded(t *testing.T, text []byte, card models.Card) *models.Model {
	t.Helper()
	b, err := json.Marshal(card)
	if err != nil {
		t.Fatal(err)
	}
	m, err := models.Load(text, b)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// Columns of the trial's rows, each a mark that some attempts have. None is told in
// days.
var columns = func() (out [8]int) {
	n := 0
	for i, f := range features.Schema {
		if f.Unit != "days" && n < len(out) {
			out[n] = i
			n++
		}
	}
	return out
}()

const (
	caughtMark = iota // what the champion knows fraud by: 180 of 200, and 40 of 4,000 others
	rankMark          // fraud among those
	spreadMark        // 15 of the fraud caught, of every family a few
	gammaMark         // 8 of the 20 of family gamma
	alphaMark         // 8 of the fraud of family alpha that the champion misses
	honestMark        // 160 legitimate attempts
	movedMark         // 1 now, 0 in the days before
	goldenMark        // nobody has it
)

// trial returns rows whose every figure is known beforehand.
func trialOfAll(t *testing.T) *Trial {
	t.Helper()
	text := string(engine.DefaultPolicy().Text)
	text = strings.ReplaceAll(text, "{step_up: 0.0025, deny: 0.3}", "{step_up: 0.2, deny: 0.95}")
	policy, err := engine.ParsePolicy([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	out := &Trial{Policy: policy, Before: &Matrix{}, Latency: func(*models.Model) time.Duration { return time.Microsecond }}
	user := 0
	add := func(fraud bool, family string, marks ...int) {
		var v features.Vector
		for i := range v {
			v[i] = float32(math.NaN())
		}
		for i, at := range columns {
			if v[at] = 0; i == movedMark {
				v[at] = 1
			}
		}
		for _, m := range marks {
			v[columns[m]] = 1
		}
		user++
		out.Add(&engine.Case{Vector: &v, Action: signals.Login, User: features.Key(user)}, fraud, 1, 1, family)
		v[columns[movedMark]] = 0
		out.Before.add(time.Unix(int64(user), 0), &v, fraud, 1)
	}
	for i := range 4000 {
		switch {
		case i < 40:
			add(false, "", caughtMark)
		case i < 200:
			add(false, "", honestMark)
		default:
			add(false, "")
		}
	}
	for i := range 200 {
		family, inFamily := "alpha", i
		if i >= 100 {
			family, inFamily = "beta", i-100
		}
		if i >= 180 {
			family, inFamily = "gamma", i-180
		}
		switch {
		case i < 8:
			add(true, family, alphaMark)
		case inFamily%10 == 0:
			add(true, family)
		case family == "gamma" && inFamily > 11:
			add(true, family, caughtMark, rankMark, gammaMark)
		case inFamily%13 == 5:
			add(true, family, caughtMark, rankMark, spreadMark)
		default:
			add(true, family, caughtMark, rankMark)
		}
	}
	return out
}

// TestEachGateRefusesItsOwn: a candidate that is worse in one way is refused by the
// gate that is about it and by no other; one like the champion by none.
func TestEachGateRefusesItsOwn(t *testing.T) {
	none := models.Calibration{Kind: models.Uncalibrated}
	// Of what the champion knows 180 of 220 are fraud, of the others 20 of 3,980.
	known, ranks := split{columns[caughtMark], -5, 1.5}, split{columns[rankMark], -0.05, 0.05}
	demoted := split{columns[rankMark], -3.5, 1.2} // legitimate attempts among the known rank last
	gain := map[string]float64{features.Schema[columns[caughtMark]].Name: 1}
	champion := func() *models.Model {
		text, card := grownFrom("champion", gain, none, known, ranks)
		return loaded(t, text, card)
	}()
	// Below the threshold a probability says 60 times what is true, and the order stays.
	bent := models.Calibration{Kind: models.Isotonic, X: []float64{-6, -5, 0, 3}, Y: []float64{0.15, 0.15, 0.7, 0.93}}

	for _, c := range []struct {
		gate        string
		gain        map[string]float64
		calibration models.Calibration
		splits      []split
		change      func(*Trial)
	}{
		{"", gain, none, []split{known, ranks}, nil},
		{EvidenceGate, gain, none, []split{known, ranks}, func(x *Trial) { x.rows = x.rows[:4015] }},
		{PrecisionGate, gain, none, []split{known, {columns[rankMark], 0.05, -0.05}}, nil},
		{RecallGate, gain, none, []split{known, demoted, {columns[spreadMark], 0, -4.45}}, nil},
		{FamiliesGate, gain, none, []split{known, demoted, {columns[gammaMark], 0, -4.45}, {columns[alphaMark], 0, 10}}, nil},
		{RatesGate, gain, none, []split{known, ranks, {columns[honestMark], 0, 3.7}}, nil},
		{CalibrationGate, gain, bent, []split{known, ranks}, nil},
		{DriftGate, map[string]float64{features.Schema[columns[movedMark]].Name: 1}, none, []split{known, ranks}, nil},
		{LatencyGate, gain, none, []split{known, ranks}, func(x *Trial) {
			x.Latency = func(m *models.Model) time.Duration {
				if m == champion {
					return 15 * time.Microsecond
				}
				return 31 * time.Microsecond
			}
		}},
		{GoldenGate, gain, none, []split{known, ranks, {columns[goldenMark], 0, -5}}, func(x *Trial) {
			g := Golden{Name: "spring", Least: 0.5, Most: 1, Vector: x.rows[4100].vector}
			g.Vector[columns[goldenMark]] = 1
			x.Golden = append(x.Golden, g)
		}},
	} {
		x := trialOfAll(t)
		if c.change != nil {
			c.change(x)
		}
		text, card := grownFrom("candidate", c.gain, c.calibration, c.splits...)
		gates := x.Judge(champion, loaded(t, text, card))
		refused := []string{}
		for _, g := range gates {
			if g.Refused != "" {
				refused = append(refused, g.Name)
			}
		}
		if got := strings.Join(refused, " "); got != c.gate {
			t.Errorf("refused by %q, want %q: %s", got, c.gate, Refusals(gates))
		}
		if c.gate == "" && len(gates) != 9 {
			t.Errorf("%d gates were asked", len(gates))
		}
	}
}

// TestFiguresOfGates: the figures of the champion against itself are those of the rows
// as they were made.
func TestFiguresOfGates(t *testing.T) {
	text, card := grownFrom("champion", nil, models.Calibration{Kind: models.Uncalibrated}, split{columns[caughtMark], -5, 1.5}, split{columns[rankMark], -0.05, 0.05})
	m := loaded(t, text, card)
	x := trialOfAll(t)
	figures := map[string]float64{}
	for _, g := range x.Judge(m, m) {
		for name, v := range g.Figures {
			figures[g.Name+"."+name] = v
		}
	}
	caught := 0.0 // of 200, by the rows
	for i := range x.rows {
		if r := &x.rows[i]; r.fraud {
			caught += float64(r.vector[columns[caughtMark]])
		}
	}
	near(t, "recall", figures["recall.candidate"], caught/200, 1e-12)
	near(t, "recall moved", figures["recall.high"]-figures["recall.low"], 0, 0)
	near(t, "precision", figures["auc_pr.champion"], (caught+(200-caught)*200/4200)/200, 1e-9)
	near(t, "step_up", figures["outcome_rates.step_up.candidate"], (caught+40)/4200, 1e-12)

	// For a prior of 1 in 1,000 fraud weighs 4,000/999/200 each.
	x.Prior = 0.001
	w := 4000.0 / 999 / 200
	for _, g := range x.Judge(m, m) {
		if g.Name == RatesGate {
			near(t, "step_up for the prior", g.Figures["step_up.champion"], (caught*w+40)/(4000+200*w), 1e-12)
		}
	}
	// Of 300 that were denied each weighs as much as one that is known.
	var v features.Vector
	v[columns[caughtMark]] = 1
	y := trialOfAll(t)
	y.Prior = 0.001
	for i := range 300 {
		y.Add(&engine.Case{Vector: &v, Action: signals.Login, User: features.Key(7000 + i)}, true, 0, 1, "alpha")
	}
	for _, g := range y.Judge(m, m) {
		if w := 4000.0 / 999 / 500; g.Name == RatesGate {
			near(t, "step_up with the denied", g.Figures["step_up.champion"], (caught*w+300*w+40)/(4000+500*w), 1e-12)
		}
	}
	// What nobody knows counts among all, and in nothing else.
	x.Prior, w = 0, 1
	before := x.Judge(m, m)
	for i := range 400 {
		x.Add(&engine.Case{Vector: &v, Action: signals.Login, User: features.Key(9000 + i)}, false, 0, 1, "")
	}
	for i, g := range x.Judge(m, m) {
		switch g.Name {
		case RatesGate:
			near(t, "step_up of all", g.Figures["step_up.champion"], (caught*w+40+400)/(4000+400+200*w), 1e-12)
		case PrecisionGate, RecallGate, FamiliesGate:
			if g.Figures["champion"] != before[i].Figures["champion"] {
				t.Errorf("%s: %v with what nobody knows, %v without", g.Name, g.Figures, before[i].Figures)
			}
		}
	}
}

// TestReadGolden: what a golden set may say, and what is refused with its line.
func TestReadGolden(t *testing.T) {
	name := features.Schema[columns[caughtMark]].Name
	good := `{"name":"a","features":{"` + name + `":1},"least":0.5}` + "\n\n" + `{"name":"b","features":{},"most":0.25}`
	set, err := ReadGolden(strings.NewReader(good))
	if err != nil || len(set) != 2 {
		t.Fatal(set, err)
	}
	if g := set[0]; g.Name != "a" || g.Least != 0.5 || g.Most != 1 || g.Vector[columns[caughtMark]] != 1 || !math.IsNaN(float64(g.Vector[columns[rankMark]])) {
		t.Errorf("%+v", g)
	}
	if g := set[1]; g.Least != 0 || g.Most != 0.25 {
		t.Errorf("%+v", g)
	}
	for _, bad := range []string{
		`{"name":"a","features":{"no.such":1},"least":0.5}`, `{"name":"a","features":{}}`, `{"features":{},"least":0.5}`, `{"name":"a","least":0.5,"most":0.4}`,
		`{"name":"a","least":2}`, `{"name":"a","least":0.5,"more":1}`, `{"name":"a","least":0.5} {}`, `[]`, `{"name":"a","features":{"` + name + `":1e300},"least":0}`,
	} {
		if _, err := ReadGolden(strings.NewReader("\n" + bad)); err == nil || !strings.Contains(err.Error(), "line 2") {
			t.Errorf("%s: %v", bad, err)
		}
	}
}

func FuzzReadGolden(f *testing.F) {
	f.Add([]byte(`{"name":"a","features":{"` + features.Schema[0].Name + `":1},"least":0.5,"most":1}`))
	f.Add([]byte("{\"name\":\"a\"}\n\n[]"))
	f.Fuzz(func(t *testing.T, b []byte) {
		set, err := ReadGolden(bytes.NewReader(b))
		if err != nil {
			return
		}
		for _, g := range set {
			if g.Name == "" || !(0 <= g.Least && g.Least <= g.Most && g.Most <= 1) {
				t.Errorf("%+v", g)
			}
		}
	})
}
