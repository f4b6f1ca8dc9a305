package evaluation

import (
	"cmp"
	"math"
	"slices"
)

// Leaks is what single features, and single families of features, know of the
// label. A feature that alone tells takeovers from honest attempts nearly always
// is either what an attack consists of, which Why says, or a leak of the label.
type Leaks struct {
	Families []Alone // of features, each by a logistic regression on its features alone
	Features []Alone // single ones
	Above    []Alone // single ones or families above Suspect against a family of attacks
}

// Alone is how well one of them parts honest attempts from takeovers: of all
// families of attack, and of each.
type Alone struct {
	Name   string
	AUC    float64
	Of     []float64 // by family of attack, as Set.Families, NaN where there are too few; the first is all
	Attack string    // in Above: the family it reaches Suspect against, "" all of them
	Why    string    // in Above: "" unexplained
}

// Suspect is the AUC above which a feature is explained or removed.
const Suspect = 0.98

// best is how many single features are shown.
const best = 20

// fewestAttacks of a family are needed for an AUC against it: of fewer, chance finds
// a feature that parts them.
const fewestAttacks = 20

// Alone returns the AUC of one column of values, read as whatever order does best:
// rising or falling, missing values (NaN) below or above all others.
func (s *Set) Alone(name string, values []float32) Alone {
	a := Alone{Name: name, Of: make([]float64, len(s.Families))}
	low, high := s.areas(values, math.Inf(-1)), s.areas(values, math.Inf(1))
	for f := range a.Of {
		a.Of[f] = max(low[f], 1-low[f], high[f], 1-high[f]) // NaN stays NaN
	}
	a.AUC = a.Of[0]
	return a
}

// areas returns the AUC against each family of attack, and in the first place
// against all together, over the rows that are not apart.
func (s *Set) areas(values []float32, missing float64) []float64 {
	type entry struct {
		value  float64
		weight float64
		family uint8
	}
	var rows []entry
	for i := range s.Rows {
		if r := &s.Rows[i]; s.together(r) {
			v := float64(values[i])
			if v != v {
				v = missing
			}
			rows = append(rows, entry{v, float64(r.Weight), r.Family})
		}
	}
	slices.SortFunc(rows, func(a, b entry) int { return cmp.Compare(a.value, b.value) })
	below := 0.0
	area, whole, count := make([]float64, len(s.Families)), make([]float64, len(s.Families)), make([]int, len(s.Families))
	for i := 0; i < len(rows); {
		j, here := i, 0.0
		for ; j < len(rows) && rows[j].value == rows[i].value; j++ {
			if rows[j].family == 0 {
				here += rows[j].weight
			}
		}
		for _, e := range rows[i:j] {
			if e.family > 0 {
				area[e.family] += e.weight * (below + here/2)
				whole[e.family] += e.weight
				count[e.family]++
			}
		}
		below += here
		i = j
	}
	for f := 1; f < len(area); f++ {
		area[0], whole[0] = area[0]+area[f], whole[0]+whole[f]
	}
	for f := range area {
		area[f] /= whole[f] * below
		if f > 0 && count[f] < fewestAttacks {
			area[f] = math.NaN()
		}
	}
	return area
}

// Note enters a family of features or a single one; why explains what is above
// Suspect, or returns "".
func (l *Leaks) Note(s *Set, a Alone, single bool, why func(name, attack string) string) {
	if single {
		l.Features = append(l.Features, a)
	} else {
		l.Families = append(l.Families, a)
	}
	for f, auc := range a.Of {
		if !(auc > Suspect) {
			continue
		}
		attack := "" // all together
		if f > 0 {
			attack = s.Families[f]
		}
		l.Above = append(l.Above, Alone{Name: a.Name, AUC: auc, Attack: attack, Why: why(a.Name, attack)})
	}
}

// Unexplained returns those above Suspect that nothing explains.
func (l *Leaks) Unexplained() (out []Alone) {
	for _, a := range l.Above {
		if a.Why == "" {
			out = append(out, a)
		}
	}
	return out
}
