package population

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"text/tabwriter"
)

// Scored is the truth about a row and the score it got.
type Scored struct {
	Score    float64
	Family   Family
	Takeover bool
}

// Verdict is how well a score tells takeovers from honest successes.
type Verdict struct {
	Name      string
	AUC       float64
	Threshold float64 // the score that a share of the honest successes reaches
	Caught    float64 // share of the takeovers that reach it
	Families  [FamilyCount]float64
	Counts    [FamilyCount]int // rows of each family, the honest ones under Ordinary
}

// Judge holds takeovers against honest successes at the threshold where the
// share of the honest ones is challenged. Where many have one score, as with a
// rule of yes or no, those at the threshold are challenged by lot: the share is
// met exactly.
func Judge(name string, rows []Scored, share float64) Verdict {
	v := Verdict{Name: name}
	rows = slices.Clone(rows)
	slices.SortFunc(rows, func(a, b Scored) int { return cmp.Compare(b.Score, a.Score) })
	honest, fraud := 0, 0
	for i := range rows {
		v.Counts[rows[i].Family]++
		if rows[i].Takeover {
			fraud++
		} else {
			honest++
		}
	}
	budget := share * float64(honest)
	var caught [FamilyCount]float64
	var area, above float64 // of honest rows above, in rows
	for i := 0; i < len(rows); {
		j, h := i, 0.0
		for ; j < len(rows) && rows[j].Score == rows[i].Score; j++ {
			if !rows[j].Takeover {
				h++
			}
		}
		lot := 1.0
		if above+h > budget {
			lot = max(0, budget-above) / max(h, 1)
		}
		if above < budget {
			v.Threshold = rows[i].Score
		}
		for _, s := range rows[i:j] {
			if s.Takeover {
				caught[s.Family] += lot
				area += float64(honest) - above - h/2
			}
		}
		above += h
		i = j
	}
	total := 0.0
	for f := range caught {
		total += caught[f]
		v.Families[f] = caught[f] / float64(max(v.Counts[f], 1))
	}
	v.Caught = total / float64(max(fraud, 1))
	v.AUC = area / max(float64(honest)*float64(fraud), 1)
	return v
}

// byLogin returns how many takeovers were caught of the families that log in as
// the victim, the ones that rules about places and networks are made for.
func (v *Verdict) byLogin() (n float64) {
	for _, f := range [...]Family{Stuffing, Spraying, Targeted, VeryTargeted, SIMSwap, PushFatigue} {
		n += v.Families[f] * float64(v.Counts[f])
	}
	return n
}

// Print writes verdicts over the same rows side by side, a row for each family.
func Print(w io.Writer, verdicts []Verdict, held Family) error {
	t := tabwriter.NewWriter(w, 0, 8, 2, ' ', tabwriter.AlignRight)
	row := func(name string, n int, value func(*Verdict) float64) {
		fmt.Fprintf(t, "%s\t%d\t", name, n)
		for i := range verdicts {
			if n == 0 { // nothing of it was there to be caught
				fmt.Fprint(t, "-\t")
				continue
			}
			fmt.Fprintf(t, "%.4f\t", value(&verdicts[i]))
		}
		fmt.Fprintln(t)
	}
	fmt.Fprint(t, "\trows\t")
	for i := range verdicts {
		fmt.Fprintf(t, "%s\t", verdicts[i].Name)
	}
	fmt.Fprintln(t)
	counts := verdicts[0].Counts
	all := 0
	for _, n := range counts[1:] {
		all += n
	}
	row("AUC", counts[Ordinary]+all, func(v *Verdict) float64 { return v.AUC })
	row("takeovers caught", all, func(v *Verdict) float64 { return v.Caught })
	logins := counts[Stuffing] + counts[Spraying] + counts[Targeted] + counts[VeryTargeted] + counts[SIMSwap] + counts[PushFatigue]
	row("of them by login", logins, func(v *Verdict) float64 { return v.byLogin() / float64(max(logins, 1)) })
	for f := Stuffing; int(f) < FamilyCount; f++ {
		name := f.String()
		if f == held {
			name += " (not trained on)"
		}
		row(name, counts[f], func(v *Verdict) float64 { return v.Families[f] })
	}
	return t.Flush()
}
