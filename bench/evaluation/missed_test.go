package evaluation

import (
	"math"
	"strings"
	"testing"
)

// Ten takeovers of one family and ten of another, in two settings and at two actions, and a
// hundred honest rows: at 1 % one of them may be challenged, so the cut is at 0.5.
func missing() *Set {
	var families []uint8
	var values []float64
	for i := range 100 {
		families, values = append(families, 0), append(values, float64(i)/1000)
	}
	values[0], values[1] = 0.9, 0.5
	for i := range 20 {
		families, values = append(families, uint8(1+i/10)), append(values, 0.4+0.2*float64(i%2)) // 0.4 is missed, 0.6 caught
	}
	s := setOf(families, values...)
	s.Settings, s.Actions = []Setting{{Name: "one"}, {Name: "two"}, {Name: "elsewhere", Apart: true}}, []string{"", "login", "payment"}
	for i := range s.Rows {
		s.Rows[i].Action = 1
		if !s.Rows[i].Takeover {
			s.Rows[i].Setting = uint8(i % 2)
		} else if s.Rows[i].Family == 2 {
			s.Rows[i].Setting, s.Rows[i].Action = 1, 2
		}
	}
	return s
}

func TestMissed(t *testing.T) {
	s := missing()
	s.Rows[100].Rest = 0.55 // missed at its first success, not at what followed
	s.Rows[102].Rest = 0.45 // nor there
	r, err := s.Judge()
	if err != nil {
		t.Fatal(err)
	}
	want := []MissedFamily{
		{"stuffing", []Found{{10, 0.5}, {0, math.NaN()}}, []Found{{0, math.NaN()}, {10, 0.5}, {0, math.NaN()}}},
		{"targeted", []Found{{0, math.NaN()}, {10, 0.5}}, []Found{{0, math.NaN()}, {0, math.NaN()}, {10, 0.5}}},
	}
	same := func(what string, got, want []Found) {
		t.Helper()
		for i := range want {
			if len(got) != len(want) || got[i].Takeovers != want[i].Takeovers || got[i].Caught != want[i].Caught && !math.IsNaN(want[i].Caught) {
				t.Errorf("%s: %v, want %v", what, got, want)
			}
		}
	}
	for i, f := range want {
		same(f.Name+" by setting", r.Missed.Families[i].Settings, f.Settings)
		same(f.Name+" by action", r.Missed.Families[i].Actions, f.Actions)
	}
	near(t, "caught", r.Scores[0].Caught[mainRate].Value, 10.0/20, 0)
	near(t, "in time", r.InTime[mainRate], 11.0/20, 0)
	// In setting one 0.9 is the highest of 50 honest rows: half of it by lot at 1 %, and
	// nothing below; in setting two 0.5, below all that is caught.
	near(t, "own", r.Own[mainRate], (0.0+5)/20, 1e-12)
	page := r.misses()
	if len(page.tables) != 2 || strings.Join(page.tables[1].head, " ") != "family login payment" || page.tables[0].rows[1][2] != "50 % of 10" || page.tables[0].rows[1][1] != "-" {
		t.Errorf("%+v", page.tables)
	}
	// Where nobody knows what followed, nothing is said of it.
	s = missing()
	if r, err = s.Judge(); err != nil || r.InTime != nil {
		t.Errorf("in time %v, %v", r.InTime, err)
	}
	s.Rows[3].Action = 3
	if _, err := s.Judge(); err == nil {
		t.Error("an action without a name is judged")
	}
}
