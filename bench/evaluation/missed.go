package evaluation

import "math"

// Missed says where takeovers are caught and where not, by the judged score at the cut of
// 1 % of all: of each family, in each setting and at each action that it began with.
type Missed struct {
	Settings, Actions []string
	Families          []MissedFamily
}

// MissedFamily is a family's takeovers, by setting and by action.
type MissedFamily struct {
	Name              string
	Settings, Actions []Found
}

// Found is how many takeovers there were and what share of them was caught, NaN of none.
type Found struct {
	Takeovers int
	Caught    float64
}

// missed enters where takeovers are missed.
func (s *Set) missed(r *Report, all []int32) {
	cut, values := r.Scores[0].Cuts[mainRate], s.Scores[0].Values
	found := func(keep func(*Row) bool) Found {
		var n int
		var caught share
		for _, i := range all {
			if x := &s.Rows[i]; x.Takeover && keep(x) {
				n++
				caught.add(cut.Challenged(values[i]), float64(x.Weight))
			}
		}
		return Found{n, caught.value()}
	}
	r.Missed = &Missed{}
	for _, setting := range s.Settings {
		if !setting.Apart {
			r.Missed.Settings = append(r.Missed.Settings, setting.Name)
		}
	}
	r.Missed.Actions = s.Actions
	for f := 1; f < len(s.Families); f++ {
		m := MissedFamily{Name: s.Families[f]}
		for n, setting := range s.Settings {
			if !setting.Apart {
				m.Settings = append(m.Settings, found(func(x *Row) bool { return int(x.Family) == f && int(x.Setting) == n }))
			}
		}
		for n := range s.Actions {
			m.Actions = append(m.Actions, found(func(x *Row) bool { return int(x.Family) == f && int(x.Action) == n }))
		}
		r.Missed.Families = append(r.Missed.Families, m)
	}
}

// inTime enters the share of takeovers that are challenged at their beginning, or by
// something later on the account before money is moved or with it: by rate.
func (s *Set) inTime(r *Report, all []int32) {
	known := false
	for _, cut := range r.Scores[0].Cuts {
		var caught share
		for _, i := range all {
			if x := &s.Rows[i]; x.Takeover {
				known = known || x.Rest > 0
				caught.add(cut.Challenged(max(s.Scores[0].Values[i], x.Rest)), float64(x.Weight))
			}
		}
		r.InTime = append(r.InTime, caught.value())
	}
	if !known {
		r.InTime = nil
	}
}

// own enters the share of all takeovers that the judged score catches where every setting
// has a threshold of its own, at that setting's rate: by rate.
func (s *Set) own(r *Report) {
	if len(r.Settings) == 0 {
		return
	}
	for _, rate := range r.Rates {
		var caught share
		for n, setting := range s.Settings {
			rows := s.pick(func(x *Row) bool { return int(x.Setting) == n })
			if setting.Apart || len(rows) == 0 {
				continue
			}
			c := s.curve(0, rows, nil)
			honest, takeovers := c.totals()
			if takeovers == 0 || honest == 0 {
				continue
			}
			caught.add(c.caught(rate), takeovers)
		}
		r.Own = append(r.Own, caught.value())
	}
}

// fewestMissed is how many takeovers a cell needs to be told.
const fewestMissed = 10

func (f Found) tell() string {
	if f.Takeovers < fewestMissed || math.IsNaN(f.Caught) {
		return "-"
	}
	return percent(f.Caught, 0) + " of " + whole(f.Takeovers)
}

// misses is the section of them, with the caller's words. What no family has enough
// takeovers of has no column.
func (r *Report) misses() section {
	m := r.Missed
	s := section{title: "What is missed", text: "Share of the takeovers caught at the one threshold of 1 %, by deployment and by what the takeover began with; - where there are fewer than " + whole(fewestMissed) + ". " + r.Limits}
	for _, by := range []struct {
		names []string
		cells func(*MissedFamily) []Found
	}{
		{m.Settings, func(f *MissedFamily) []Found { return f.Settings }},
		{m.Actions, func(f *MissedFamily) []Found { return f.Actions }},
	} {
		t := table{head: []string{"family"}, rows: make([][]string, len(m.Families))}
		for i := range m.Families {
			t.rows[i] = []string{m.Families[i].Name}
		}
		for n, name := range by.names {
			column, told := make([]string, len(m.Families)), false
			for i := range m.Families {
				column[i] = by.cells(&m.Families[i])[n].tell()
				told = told || column[i] != "-"
			}
			if !told {
				continue
			}
			t.head = append(t.head, name)
			for i := range column {
				t.rows[i] = append(t.rows[i], column[i])
			}
		}
		if len(t.head) > 1 {
			s.tables = append(s.tables, t)
		}
	}
	return s
}
