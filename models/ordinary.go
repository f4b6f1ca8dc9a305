package models

import (
	"fmt"
	"iter"
	"math"
	"slices"

	"github.com/waryauth/wary/features"
)

// Complete fills in what features.Usual could not tell of an attempt whose vector is
// own: where the attempt has a value, what is ordinary by the model's card, which is
// NaN where the feature is missing in most honest rows; elsewhere, or where the card
// tells nothing, the attempt's own.
func (m *Model) Complete(usual, own *features.Vector) {
	told := len(m.card.Ordinary) > 0
	for i := range usual {
		if usual[i] == usual[i] {
			continue
		}
		usual[i] = own[i]
		if !told || own[i] != own[i] {
			continue
		}
		if x, ok := m.card.Ordinary[features.Schema[i].Name]; ok {
			usual[i] = float32(x)
		} else {
			usual[i] = float32(math.NaN())
		}
	}
}

// Medians returns Card.Ordinary of honest rows: the median of each feature by name,
// the lower of the two in the middle. A feature that is missing in more than half of
// the rows is left out.
func Medians(rows iter.Seq[*features.Vector]) map[string]float64 {
	var columns [features.Width][]float32
	n := 0
	for v := range rows {
		n++
		for i, x := range v {
			if x == x {
				columns[i] = append(columns[i], x)
			}
		}
	}
	out := map[string]float64{}
	for i, c := range columns {
		if 2*len(c) < n || len(c) == 0 {
			continue
		}
		slices.Sort(c)
		out[features.Schema[i].Name] = float64(c[(len(c)-1)/2])
	}
	return out
}

// checkOrdinary says why medians are none. A name that the schema lacks is none of
// ours: such a card is of another schema, which Load refuses by itself.
func checkOrdinary(medians map[string]float64) error {
	for name, x := range medians {
		if math.IsNaN(x) || math.Abs(x) > math.MaxFloat32 {
			return fmt.Errorf("ordinary: %.80q is %g, beyond a float32", name, x)
		}
	}
	return nil
}
