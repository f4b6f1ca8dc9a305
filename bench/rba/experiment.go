package rba

import (
	"fmt"
	"io"
	"math"
	"slices"
	"sort"
	"strconv"
	"text/tabwriter"
)

// Run is the study's experiment under way. Logins come in the order of their time.
//
// Honest logins of a user that has a success behind them are scored, the first 39
// of each. Each is also attacked once by each attacker that the study makes up, in
// the same state of memory; takeovers among the logins are scored as they come. A
// success is learned whoever made it: nobody has caught the takeover yet. In the
// end, for the threshold that challenges a wanted share of an attacker's attempts,
// the median over users tells how many of their logins would have been challenged.
type Run struct {
	Memory  *Memory
	arsenal *arsenal
	people  map[string]*track
	attacks map[string]*marks
	entered map[[2]string]bool
	logins  int
	model   bool // some login came with another score
}

// track is the scores of a user's first logins.
type track struct{ rba, other []float32 }

// marks are the scores of an attacker's attempts: a sample of them.
type marks struct {
	rba, other []float32
	seen       int
}

// mostMarks bounds the attempts kept of an attacker.
const mostMarks = 200_000

// NewRun returns an experiment that has seen nothing. The same seed makes the same
// attacks.
func NewRun(seed uint64) *Run {
	return &Run{
		Memory: NewMemory(), arsenal: newArsenal(seed), people: map[string]*track{}, attacks: map[string]*marks{}, entered: map[[2]string]bool{},
	}
}

// See takes a login and what another score says of it, NaN for nothing. Of an
// attacker's takeovers of one account the first counts: after it memory knows the
// attacker.
func (r *Run) See(l *Login, other float64) {
	if !l.Success {
		r.arsenal.see(l)
		return
	}
	r.logins++
	if score := math.Log(r.Memory.Score(l).Score); !math.IsNaN(score) {
		r.model = r.model || !math.IsNaN(other)
		switch way := [2]string{l.User, l.Takeover}; {
		case l.Takeover == "":
			r.honest(l, score, other)
		case !r.entered[way]:
			r.entered[way] = true
			r.mark(l.Takeover, score, other)
		}
	}
	r.Memory.Learn(l)
	r.arsenal.see(l)
}

func (r *Run) honest(l *Login, score, other float64) {
	t := r.people[l.User]
	if t == nil {
		t = &track{}
		r.people[l.User] = t
	}
	if len(t.rba) == Longest {
		return
	}
	t.rba, t.other = append(t.rba, float32(score)), append(t.other, float32(other))
	for _, attacker := range [...]string{Naive, VPN, Targeted} {
		if a, ok := r.arsenal.attack(attacker, l); ok {
			r.mark(attacker, math.Log(r.Memory.Score(&a).Score), math.NaN())
		}
	}
}

func (r *Run) mark(attacker string, score, other float64) {
	m := r.attacks[attacker]
	if m == nil {
		m = &marks{}
		r.attacks[attacker] = m
	}
	m.seen++
	if len(m.rba) < mostMarks {
		m.rba, m.other = append(m.rba, float32(score)), append(m.other, float32(other))
	} else if i := r.arsenal.draw.IntN(m.seen); i < mostMarks {
		m.rba[i], m.other[i] = float32(score), float32(other)
	}
}

// threshold returns the highest score that at least a share of scores reach.
func threshold(scores []float32, share float64) float32 {
	sorted := slices.Clone(scores)
	slices.Sort(sorted)
	n := int(math.Ceil(share*float64(len(sorted)) - 1e-9))
	return sorted[len(sorted)-max(n, 1)]
}

// Curve is the median over users of what they met in their first logins.
type Curve struct {
	Counts, Shares [Longest]float64 // challenges after 1 to 39 logins, and of those logins; NaN where no user has so many
	Users          [Longest]int
}

// curve challenges whoever scores at or above a threshold.
func (r *Run) curve(of func(*track) []float32, at float32) (c Curve) {
	var counts [Longest][]float64
	for _, t := range r.people {
		n := 0.0
		for i, score := range of(t) {
			if score >= at {
				n++
			}
			counts[i] = append(counts[i], n)
		}
	}
	for i, all := range counts {
		c.Users[i] = len(all)
		c.Counts[i] = median(all)
		c.Shares[i] = c.Counts[i] / float64(i+1)
	}
	return c
}

func median(values []float64) float64 {
	if len(values) == 0 {
		return math.NaN()
	}
	sort.Float64s(values)
	n := len(values)
	return (values[(n-1)/2] + values[n/2]) / 2
}

// Study is what came out.
type Study struct {
	Source string // of the logins; the caller's
	Logins int    // successes
	Users  int    // with a scored login
	Rows   []Row
}

// Row is one attacker at one true-positive rate.
type Row struct {
	Attacker  string
	TPR       float64 // share of the attacks that is challenged
	Attacks   int
	RBA       Curve
	Other     *Curve     // by the other score, where every one of these attacks has it
	Published *Published // nil: the study has no such row
}

// extra are rows beyond the study's: attackers that only a simulation has.
var extra = [...]Published{{Attacker: "takeovers of all families", TPR: 0.83}, {Attacker: "takeovers of all families", TPR: 0.94}}

// Result returns the rows for whose attackers attempts were seen.
func (r *Run) Result() *Study {
	s := &Study{Logins: r.logins, Users: len(r.people)}
	for i := range published {
		r.row(s, published[i].Attacker, published[i].TPR, &published[i])
	}
	all := &marks{}
	for attacker, m := range r.attacks {
		if attacker != Naive && attacker != VPN && attacker != Targeted {
			all.rba, all.other = append(all.rba, m.rba...), append(all.other, m.other...)
			all.seen += m.seen
		}
	}
	if v := r.attacks[VeryTargeted]; v != nil && all.seen > v.seen {
		r.attacks[extra[0].Attacker] = all
		for _, x := range extra {
			r.row(s, x.Attacker, x.TPR, nil)
		}
		delete(r.attacks, extra[0].Attacker)
	}
	return s
}

func (r *Run) row(s *Study, attacker string, tpr float64, p *Published) {
	m := r.attacks[attacker]
	if m == nil || len(m.rba) == 0 {
		return
	}
	row := Row{Attacker: attacker, TPR: tpr, Attacks: m.seen, Published: p}
	row.RBA = r.curve(func(t *track) []float32 { return t.rba }, threshold(m.rba, tpr))
	if r.model && !slices.ContainsFunc(m.other, func(x float32) bool { return x != x }) {
		c := r.curve(func(t *track) []float32 { return t.other }, threshold(m.other, tpr))
		row.Other = &c
	}
	s.Rows = append(s.Rows, row)
}

// Ratio returns the other score's median share of logins challenged after 39 over
// the RBA score's, NaN where either was not measured.
func (r *Row) Ratio() float64 {
	if r.Other == nil || r.RBA.Shares[Longest-1] == 0 {
		return math.NaN()
	}
	return r.Other.Shares[Longest-1] / r.RBA.Shares[Longest-1]
}

// Sizes are the lengths of history that tables are told at.
func Sizes() []int { return []int{4, 12, Longest} }

// Tell formats a number of challenges or a share, "-" for none.
func Tell(x float64, digits int) string {
	if math.IsNaN(x) || x < 0 {
		return "-"
	}
	return strconv.FormatFloat(x, 'f', digits, 64)
}

// Print writes the tables: what came out here beside what was published.
func (s *Study) Print(w io.Writer) error {
	fmt.Fprintf(w, "%s: %d successful logins, %d users with a scored one\n", s.Source, s.Logins, s.Users)
	t := tabwriter.NewWriter(w, 0, 8, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "challenges after\t\t\t4\t\t12\t\t39 logins\t\tshare at 39\t\t\tmodel/\tusers\t")
	fmt.Fprintln(t, "attacker\tTPR\tattacks\there\tstudy\there\tstudy\there\tstudy\there\tstudy\tmodel\tRBA\twith 39\t")
	for i := range s.Rows {
		r := &s.Rows[i]
		fmt.Fprintf(t, "%s\t%g\t%d\t", r.Attacker, r.TPR, r.Attacks)
		for _, n := range Sizes() {
			fmt.Fprintf(t, "%s\t%s\t", Tell(r.RBA.Counts[n-1], 1), Tell(r.Published.at(n), 0))
		}
		model := math.NaN()
		if r.Other != nil {
			model = r.Other.Shares[Longest-1]
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%d\t\n", Tell(r.RBA.Shares[Longest-1], 3), Tell(r.Published.at(Longest)/Longest, 3), Tell(model, 3), Tell(r.Ratio(), 3), r.RBA.Users[Longest-1])
	}
	return t.Flush()
}

// at returns the published number of challenges after n logins, NaN for none.
func (p *Published) at(n int) float64 {
	if p == nil || p.Counts[n-1] < 0 {
		return math.NaN()
	}
	return p.Counts[n-1]
}

// At returns the published median number of challenges after n logins, NaN where
// there is none.
func (r *Row) At(n int) float64 { return r.Published.at(n) }
