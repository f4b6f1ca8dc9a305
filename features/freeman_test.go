package features

import (
	"encoding/csv"
	"math"
	"os"
	"sort"
	"strconv"
	"testing"
)

const golden = "../../shared/data/rba/golden/"

// login is one line of the study's data: its seven values in the order of the
// terms.
type login struct {
	time, user string
	values     [FreemanTerms]string
}

// world is the fold of the study, exact: maps over whole values.
type world struct {
	mine  map[string]float64
	own   map[[3]string]float64 // user, term, value
	all   map[[2]string]float64 // term, value
	kinds [FreemanTerms]float64
	total float64
}

func newWorld() *world {
	return &world{mine: map[string]float64{}, own: map[[3]string]float64{}, all: map[[2]string]float64{}}
}

func (w *world) counts(l *login) (c Counts) {
	c.Mine, c.Total, c.Users, c.Values = w.mine[l.user], w.total, float64(len(w.mine)), w.kinds
	for s, v := range l.values {
		term := strconv.Itoa(s)
		c.User[s], c.All[s] = w.own[[3]string{l.user, term, v}], w.all[[2]string{term, v}]
	}
	return c
}

func (w *world) fold(l *login) {
	for s, v := range l.values {
		term := strconv.Itoa(s)
		if w.all[[2]string{term, v}] == 0 {
			w.kinds[s]++
		}
		w.own[[3]string{l.user, term, v}]++
		w.all[[2]string{term, v}]++
	}
	w.mine[l.user]++
	w.total++
}

func readCSV(t *testing.T, file string) [][]string {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Skip("the study's golden vectors are absent: ", err)
	}
	defer f.Close()
	rows, err := csv.NewReader(f).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	return rows[1:]
}

// TestFreemanGolden reproduces the study's own scores. Its notebook takes m, the
// count of the group's top value, over all logins, future ones too; so the first
// pass counts and the second scores. The control without that misses.
func TestFreemanGolden(t *testing.T) {
	var logins []login
	for _, r := range readCSV(t, golden+"oracle_logins.csv") {
		logins = append(logins, login{r[0], r[1], [FreemanTerms]string(r[2:9])})
	}
	sort.SliceStable(logins, func(i, j int) bool { return logins[i].time < logins[j].time })
	whole := newWorld()
	for i := range logins {
		whole.fold(&logins[i])
	}
	want := map[[2]string]float64{}
	for _, r := range readCSV(t, golden+"oracle_scores.csv") {
		score, err := strconv.ParseFloat(r[3], 64)
		if err != nil {
			t.Fatal(err)
		}
		want[[2]string{r[0], r[1]}] = score
	}
	worst, causal, compared := 0.0, 0.0, 0
	past := newWorld()
	for i := range logins {
		l := &logins[i]
		if score, ok := want[[2]string{l.user, l.time}]; ok {
			c := past.counts(l)
			causal = math.Max(causal, math.Abs(c.Score().Score/score-1))
			full := whole.counts(l)
			c.Peeked, c.Peek = true, [2]float64{full.All[FreemanAddress], full.All[FreemanAgent]}
			worst = math.Max(worst, math.Abs(c.Score().Score/score-1))
			compared++
		}
		past.fold(l)
	}
	if compared != len(want) {
		t.Errorf("compared %d of %d scores", compared, len(want))
	}
	if worst > 1e-12 {
		t.Errorf("the worst score is off by %.2g", worst)
	}
	if causal < 1e-3 {
		t.Errorf("the control, which does not peek, is off by only %.2g", causal)
	}
	t.Logf("%d scores within %.2g; past only they differ by up to %.2g", compared, worst, causal)
}

// TestFreemanByHand needs no file: Anna twice and Bob once, as in the example
// "the Freeman score by hand"; with m peeked to be 4 and 8 instead of 2 and 2.
func TestFreemanByHand(t *testing.T) {
	w := newWorld()
	anna := login{"", "anna", [FreemanTerms]string{"ip1", "asn1", "DE", "ua1", "b", "o", "c"}}
	bob := login{"", "bob", [FreemanTerms]string{"ip2", "asn2", "DE", "ua2", "b", "o", "c"}}
	if c := w.counts(&anna); !math.IsNaN(c.Score().Score) {
		t.Error("a first login has a score")
	}
	w.fold(&anna)
	w.fold(&anna)
	w.fold(&bob)
	c := w.counts(&anna)
	f := c.Score()
	near(t, "address", f.Address, handAddress, 1e-14)
	near(t, "agent", f.Agent, handAgent, 1e-14)
	near(t, "score", f.Score, handAddress*handAgent*(1.0/2)/(2.0/3), 1e-14)
	near(t, "without the last factor", f.Bare(), handAddress*handAgent, 1e-14)

	c.Peeked, c.Peek = true, [2]float64{4, 8}
	f = c.Score()
	near(t, "address, peeked", f.Address, 0.6*4/7*2/7+0.3*2/3+0.1, 1e-14)
	near(t, "agent, peeked", f.Agent, 0.5386653840551359*8/12*2/7+(1-0.5386653840551359), 1e-14)

	// A value never seen: c(top) is taken to be 1, m = 0 gives 1/|F|, and L is G/4.
	stranger := login{"", "anna", [FreemanTerms]string{"x", "x", "x", "x", "x", "x", "x"}}
	c = w.counts(&stranger)
	near(t, "a stranger", c.Score().Bare(), 16, 1e-14)
}
