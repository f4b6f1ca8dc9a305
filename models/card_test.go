package models

import (
	"math"
	"strings"
	"testing"
)

const cardJSON = `{"version": "v1", "created": "2026-01-02T03:04:05Z", "schema": "s",
"data": {"generator": "g 1", "seed": 7, "rows": 10, "from": "2026-01-01T00:00:00Z", "to": "2026-01-02T00:00:00Z"},
"metrics": {"auc": 0.9}, "calibration": {"kind": "platt", "a": 0.5, "b": -1, "prior_shift": 0.25}, "notes": "n"}`

func TestParseCard(t *testing.T) {
	c, err := ParseCard([]byte(cardJSON))
	if err != nil {
		t.Fatal(err)
	}
	if c.Version != "v1" || c.Data.Seed != 7 || c.Metrics["auc"] != 0.9 || c.Calibration.A != 0.5 || c.Created.Year() != 2026 {
		t.Errorf("%+v", c)
	}
	platt := `{"kind": "platt", "a": 0.5, "b": -1, "prior_shift": 0.25}`
	for _, x := range []struct{ old, new, reason string }{
		{`"notes"`, `"note"`, `unknown field "note"`},
		{`"n"}`, `"n"} {}`, `something follows`},
		{`"n"}`, `"n"`, `unexpected EOF`},
		{`"v1"`, `""`, `version has 0 characters`},
		{`"v1"`, `"` + strings.Repeat("v", 65) + `"`, `version has 65 characters`},
		{`"v1"`, `"v\n1"`, `not printable ASCII`},
		{`"created": "2026-01-02T03:04:05Z", `, ``, `created is missing`},
		{`"rows": 10`, `"rows": -1`, `rows below 0`},
		{`"from": "2026-01-01`, `"from": "2027-01-01`, `to before from`},
		{platt, `{"kind": "beta"}`, `kind "beta" is not`},
		{`"platt"`, `"none"`, `parameters of another`},
		{`"a": 0.5`, `"a": 0`, `a must be above 0`},
		{`"a": 0.5`, `"a": -1`, `a must be above 0`},
		{`"a": 0.5`, `"a": 1e300`, `neither beyond`},
		{`0.25}`, `101}`, `prior_shift 101 is beyond`},
		{`0.25}`, `1e999}`, `cannot unmarshal`},
		{platt, `{"kind": "isotonic"}`, `0 x and 0 y`},
		{platt, `{"kind": "isotonic", "x": [1, 2], "y": [0.1]}`, `2 x and 1 y`},
		{platt, `{"kind": "isotonic", "x": [1, 1], "y": [0.1, 0.2]}`, `point 1 does not rise`},
		{platt, `{"kind": "isotonic", "x": [1, 2], "y": [0.3, 0.2]}`, `point 1 does not rise`},
		{platt, `{"kind": "isotonic", "x": [1, 2], "y": [0.3, 1.2]}`, `point 1 is (2, 1.2)`},
		{platt, `{"kind": "isotonic", "x": [1, 200], "y": [0.3, 0.5]}`, `point 1 is (200, 0.5)`},
	} {
		_, err := ParseCard([]byte(with(cardJSON, x.old, x.new)))
		if err == nil || !strings.Contains(err.Error(), x.reason) {
			t.Errorf("%s: %v, want %s", x.new, err, x.reason)
		}
	}
	if _, err := ParseCard(make([]byte, maxCardBytes+1)); err == nil || !strings.Contains(err.Error(), "more than") {
		t.Error(err)
	}
}

// A card of today, with how the model was made and how reliable it is.
const fullCardJSON = `{"version": "v1", "created": "2026-01-02T03:04:05Z", "schema": "s",
"data": {"generator": "g 1", "rows": 10, "from": "2026-01-01T00:00:00Z", "to": "2026-01-02T00:00:00Z"}, "calibration": {"kind": "none"},
"training": {"library": "sha256:00", "parameters": "objective=binary seed=1", "trees": 3, "grown": 5, "trees_at_most": 9, "early_stopping": 2,
"slices": [{"name": "training", "from": "2026-01-01T00:00:00Z", "to": "2026-01-02T00:00:00Z", "rows": 10, "fraud": 4, "share": 0.5}],
"calibration_loss": {"platt": 0.1, "isotonic": 0.2}, "prior": 0.001},
"reliability": {"ece": 0.02, "bins": [{"low": 0, "high": 0.1, "predicted": 0.05, "observed": 0.07, "rows": 3, "weight": 6},
{"low": 0.2, "high": 0.9, "predicted": 0.5, "observed": 0.48, "rows": 2, "weight": 2}]}}`

func TestParseFullCard(t *testing.T) {
	c, err := ParseCard([]byte(fullCardJSON))
	if err != nil {
		t.Fatal(err)
	}
	if c.Training.Trees != 3 || c.Training.Slices[0].Share != 0.5 || c.Training.CalibrationLoss["platt"] != 0.1 || c.Reliability.Bins[1].Predicted != 0.5 {
		t.Errorf("%+v %+v", c.Training, c.Reliability)
	}
	// 6/8 of |0.05-0.07| and 2/8 of |0.5-0.48|, by hand.
	if got := ECE(c.Reliability.Bins); math.Abs(got-0.02) > 1e-15 {
		t.Errorf("ECE %v", got)
	}
	if ECE(nil) != 0 {
		t.Error("ECE of nothing")
	}
	for _, x := range []struct{ old, new, reason string }{
		{`"grown": 5`, `"grown": 2`, `3 trees of 2 grown`},
		{`"trees_at_most": 9`, `"trees_at_most": 4`, `of 4 at most`},
		{`"trees": 3`, `"trees": 0`, `0 trees`},
		{`"early_stopping": 2`, `"early_stopping": -2`, `early stopping -2`},
		{`"early_stopping"`, `"early_stop"`, `unknown field`},
		{`"prior": 0.001`, `"prior": 1`, `prior 1 is no share`},
		{`"rows": 10, "fraud": 4`, `"rows": 10, "fraud": 11`, `11 of fraud`},
		{`"rows": 10, "fraud": 4`, `"rows": 0, "fraud": 0`, `slice 0`},
		{`"share": 0.5`, `"share": 1.5`, `share 1.5`},
		{`"name": "training"`, `"name": ""`, `slice 0`},
		{`[{"low": 0, "high": 0.1, "predicted": 0.05, "observed": 0.07, "rows": 3, "weight": 6},
{"low": 0.2, "high": 0.9, "predicted": 0.5, "observed": 0.48, "rows": 2, "weight": 2}]`, `[]`, `0 bins`},
		{`"ece": 0.02`, `"ece": 0.03`, `its bins say 0.02`},
		{`"predicted": 0.05`, `"predicted": 0.15`, `no rising probabilities`},
		{`"low": 0, `, `"low": -0.1, `, `no rising probabilities`},
		{`"high": 0.9`, `"high": 1.9`, `no rising probabilities`},
		{`"observed": 0.48`, `"observed": 1.48`, `observed 1.48`},
		{`"low": 0.2`, `"low": 0.1`, `inside the one before`},
		{`"rows": 3, "weight"`, `"rows": 0, "weight"`, `0 rows`},
		{`"weight": 6`, `"weight": 0`, `of weight 0`},
	} {
		_, err := ParseCard([]byte(with(fullCardJSON, x.old, x.new)))
		if err == nil || !strings.Contains(err.Error(), x.reason) {
			t.Errorf("%s: %v, want %s", x.new, err, x.reason)
		}
	}
}

func TestProbabilityIsTheCalibration(t *testing.T) {
	c := Calibration{Kind: Platt, A: 2, B: -math.Log(3)}
	if p := c.Probability(math.Log(3)); math.Abs(p-0.75) > 1e-12 { // 2 ln 3 - ln 3
		t.Error(p)
	}
}

func TestCalibration(t *testing.T) {
	iso := Calibration{Kind: Isotonic, X: []float64{-2, 0, 2}, Y: []float64{0.1, 0.2, 0.8}}
	for _, x := range []struct {
		c       Calibration
		x, want float64 // by hand
	}{
		{Calibration{Kind: Uncalibrated}, 0, 0.5},
		{Calibration{Kind: Uncalibrated}, math.Log(3), 0.75},
		{Calibration{Kind: Uncalibrated}, 800, 1 - edge},
		{Calibration{Kind: Uncalibrated}, -800, edge},
		{Calibration{Kind: Platt, A: 2, B: -math.Log(3)}, math.Log(3), 0.75}, // 2 ln 3 - ln 3
		{Calibration{Kind: Platt, A: 1, PriorShift: -math.Log(9)}, 0, 0.1},   // odds 1 to 9
		{Calibration{Kind: Uncalibrated, PriorShift: math.Log(3)}, 0, 0.75},  // odds 3 to 1
		{iso, -5, 0.1}, {iso, -2, 0.1}, {iso, -1, 0.15}, {iso, 0, 0.2}, {iso, 1, 0.5}, {iso, 2, 0.8}, {iso, 9, 0.8},
		{Calibration{Kind: Isotonic, X: iso.X, Y: iso.Y, PriorShift: math.Log(4)}, 0, 0.5}, // odds 1/4 times 4
		{Calibration{Kind: Isotonic, X: []float64{0, 1}, Y: []float64{0, 1}}, -1, edge},
		{Calibration{Kind: Isotonic, X: []float64{0, 1}, Y: []float64{0, 1}}, 2, 1 - edge},
	} {
		p, l := x.c.probability(x.x)
		if math.Abs(p-x.want) > 1e-12 {
			t.Errorf("%+v of %v: %v, want %v", x.c, x.x, p, x.want)
		}
		if back := 1 / (1 + math.Exp(-l)); math.Abs(back-p) > 1e-12 {
			t.Errorf("%+v of %v: log-odds %v are those of %v, not %v", x.c, x.x, l, back, p)
		}
	}
}

func TestCalibrationNeverFalls(t *testing.T) {
	for _, c := range []Calibration{
		{Kind: Uncalibrated},
		{Kind: Platt, A: 0.3, B: 2, PriorShift: -5},
		{Kind: Isotonic, X: []float64{-3, -1, 0, 4}, Y: []float64{0, 0.2, 0.2, 1}, PriorShift: -3},
	} {
		before, beforeL := -1.0, math.Inf(-1)
		for x := -60.0; x < 60; x += 1.0 / 64 {
			p, l := c.probability(x)
			if p < before || l < beforeL || !(p > 0 && p < 1) {
				t.Fatalf("%+v at %v: %v after %v", c, x, p, before)
			}
			before, beforeL = p, l
		}
	}
}

func FuzzParseCard(f *testing.F) {
	f.Add([]byte(cardJSON))
	f.Add([]byte(fullCardJSON))
	f.Add([]byte(with(cardJSON, `{"kind": "platt", "a": 0.5, "b": -1, "prior_shift": 0.25}`, `{"kind": "isotonic", "x": [1, 2], "y": [0.1, 0.2]}`)))
	f.Fuzz(func(t *testing.T, b []byte) {
		c, err := ParseCard(b)
		if err != nil {
			return
		}
		last := 0.0
		for _, x := range []float64{-1e6, -100, -1, 0, 1, 100, 1e6} {
			p, _ := c.Calibration.probability(x)
			if !(p > 0 && p < 1 && p >= last) {
				t.Fatalf("%v at %v after %v", p, x, last)
			}
			last = p
		}
	})
}

func TestCardShares(t *testing.T) {
	for _, c := range []Card{{Gain: map[string]float64{"a": 1.5}}, {Missing: map[string]float64{"a": -0.1}}, {Missing: map[string]float64{"a": math.NaN()}}} {
		if checkShares("gain", c.Gain) == nil && checkShares("missing", c.Missing) == nil {
			t.Errorf("%v is accepted", c)
		}
	}
}
