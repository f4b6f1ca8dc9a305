package feedback

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math"

	"github.com/waryauth/wary/features"
	"github.com/waryauth/wary/models"
)

// Golden is an attempt whose answer is settled: the attack of last spring that must
// never pass again, the customer abroad who must never be denied again. People choose
// them; labels do not change them, so a poisoned stream cannot either.
type Golden struct {
	Name   string
	Vector features.Vector
	Least  float64 // of the probability that a candidate may give it
	Most   float64
}

// Bounds of a golden set: what people choose by hand is small.
const (
	mostGolden     = 10_000
	mostGoldenLine = 64 << 10
)

// ReadGolden reads a golden set: one JSON object a line,
//
//	{"name": "spring", "features": {"net.asn_new_for_user": 1}, "least": 0.01}
//
// with the features by name, those left out missing, and a least or a most probability
// or both. Empty lines are passed over. An error names the line.
func ReadGolden(r io.Reader) ([]Golden, error) {
	column := map[string]int{}
	for i := range features.Schema {
		column[features.Schema[i].Name] = i
	}
	var out []Golden
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, mostGoldenLine)
	for n := 1; lines.Scan(); n++ {
		text := bytes.TrimSpace(lines.Bytes())
		if len(text) == 0 {
			continue
		}
		if len(out) == mostGolden {
			return nil, fmt.Errorf("golden set: more than %d attempts", mostGolden)
		}
		g, err := parseGolden(text, column)
		if err != nil {
			return nil, fmt.Errorf("golden set: line %d: %w", n, err)
		}
		out = append(out, g)
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("golden set: %w", err)
	}
	return out, nil
}

func parseGolden(text []byte, column map[string]int) (g Golden, err error) {
	var line struct {
		Name     string             `json:"name"`
		Features map[string]float64 `json:"features"`
		Least    *float64           `json:"least"`
		Most     *float64           `json:"most"`
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(&line); err != nil {
		return g, err
	}
	if _, err := d.Token(); err != io.EOF {
		return g, fmt.Errorf("something follows the object")
	}
	if line.Name == "" || line.Least == nil && line.Most == nil {
		return g, fmt.Errorf("name, and least or most, are required")
	}
	g = Golden{Name: line.Name, Most: 1}
	if line.Least != nil {
		g.Least = *line.Least
	}
	if line.Most != nil {
		g.Most = *line.Most
	}
	if !(g.Least >= 0 && g.Least <= g.Most && g.Most <= 1) {
		return g, fmt.Errorf("least %g and most %g are no rising probabilities", g.Least, g.Most)
	}
	for i := range g.Vector {
		g.Vector[i] = float32(math.NaN())
	}
	for name, x := range line.Features {
		i, ok := column[name]
		if !ok {
			return g, fmt.Errorf("%.80q is no feature", name)
		}
		if g.Vector[i] = float32(x); math.IsInf(float64(g.Vector[i]), 0) {
			return g, fmt.Errorf("%s is %g, too large", name, x)
		}
	}
	return g, nil
}

// golden asks whether the candidate gives every attempt of the golden set an answer
// within its bounds.
func (t *Trial) golden(candidate *models.Model) Gate {
	g, failed := gate(GoldenGate), 0
	var p models.Prediction
	for i := range t.Golden {
		want := &t.Golden[i]
		candidate.Predict(&p, &want.Vector)
		if p.Probability >= want.Least && p.Probability <= want.Most {
			continue
		}
		if failed++; failed <= 3 {
			g.refuse("%.80q has a probability of %.4f, not %g to %g", want.Name, p.Probability, want.Least, want.Most)
		}
	}
	if failed > 3 {
		g.refuse("%d more", failed-3)
	}
	g.Figures["attempts"], g.Figures["failed"] = float64(len(t.Golden)), float64(failed)
	return g
}
