package rba

import (
	"encoding/csv"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/waryauth/wary/features"
)

// shared is where the study's own material is, for those who have it.
const shared = "../../../shared/data/rba"

func readCSV(t *testing.T, name string) [][]string {
	t.Helper()
	f, err := os.Open(filepath.Join(shared, name))
	if err != nil {
		t.Skip("the study's material is absent: ", err)
	}
	defer f.Close()
	rows, err := csv.NewReader(f).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	return rows[1:]
}

// The notebook's own 298 scores come out with the compat memory, to the last bits of
// a double. The control, which does not peek, misses them.
func TestGolden(t *testing.T) {
	var logins []Login
	for _, r := range readCSV(t, "golden/oracle_logins.csv") {
		at, err := time.Parse("2006-01-02 15:04:05.999", r[0])
		if err != nil {
			t.Fatal(err)
		}
		logins = append(logins, Login{At: at, User: r[1], Values: [features.FreemanTerms]string(r[2:9]), Success: true})
	}
	slices.SortStableFunc(logins, func(a, b Login) int { return a.At.Compare(b.At) })
	whole := NewMemory()
	for i := range logins {
		whole.Learn(&logins[i])
	}
	type key struct{ user, at string }
	want := map[key]float64{}
	for _, r := range readCSV(t, "golden/oracle_scores.csv") {
		score, err := strconv.ParseFloat(r[3], 64)
		if err != nil {
			t.Fatal(err)
		}
		want[key{r[0], r[1]}] = score
	}
	peeking, causal := Compat(whole), NewMemory()
	worst, apart, compared := 0.0, 0.0, 0
	for i := range logins {
		l := &logins[i]
		if score, ok := want[key{l.User, l.At.Format("2006-01-02 15:04:05.000")}]; ok {
			compared++
			worst = max(worst, math.Abs(peeking.Score(l).Score-score)/score)
			apart = max(apart, math.Abs(causal.Score(l).Score/score-1))
		}
		peeking.Learn(l)
		causal.Learn(l)
	}
	if compared != len(want) || len(want) != 298 {
		t.Fatalf("%d of %d scores compared", compared, len(want))
	}
	if worst > 7.95e-16 {
		t.Errorf("the worst is off by %.2g, relative", worst)
	}
	if apart < 1e-3 || apart > 0.1 { // the spec: at most 9 %
		t.Errorf("without peeking the worst is off by %.2g", apart)
	}
	t.Logf("%d scores within %.2g; without peeking within %.2g", compared, worst, apart)
}

// Anna twice and Bob once, then Anna again, worked by hand.
func TestScoreByHand(t *testing.T) {
	anna := Login{User: "anna", Values: [features.FreemanTerms]string{"ip1", "asn1", "DE", "ua1", "b", "o", "c"}}
	bob := Login{User: "bob", Values: [features.FreemanTerms]string{"ip2", "asn2", "DE", "ua2", "b", "o", "c"}}
	m := NewMemory()
	if !math.IsNaN(m.Score(&anna).Score) || m.History("anna") != 0 {
		t.Error("a first login has a score or a history")
	}
	m.Learn(&anna)
	m.Learn(&anna)
	m.Learn(&bob)
	// L is 1 for both groups. Address: pA = 2/(2+3), pB = 2/(3+1+2+1). Agent: pA =
	// 2/(2+4), pB = 2/(3+1+1+1+1); browser, system and type are everybody's.
	const top = 0.5386653840551359
	address := 0.6*2/5*2/7 + 0.3*2/3 + 0.1
	agent := top*2/6*2/7 + (0.2680451498625666 + 0.18818295100109536 + 0.0051065150812021525)
	if got, want := m.Score(&anna).Score, address*agent*(1.0/2)/(2.0/3); math.Abs(got/want-1) > 1e-14 {
		t.Errorf("score %v, want %v", got, want)
	}
	// Nothing known: G/(G/4) for both groups.
	stranger := Login{User: "bob", Values: [features.FreemanTerms]string{"x", "x", "x", "x", "x", "x", "x"}}
	if got, want := m.Score(&stranger).Score, 16*(1.0/2)/(1.0/3); math.Abs(got/want-1) > 1e-14 {
		t.Errorf("stranger %v, want %v", got, want)
	}
	if m.History("anna") != 2 || m.History("bob") != 1 {
		t.Errorf("histories %d and %d", m.History("anna"), m.History("bob"))
	}
}

// The curves in the code are those that were digitised.
func TestPublished(t *testing.T) {
	names := map[string]string{"naive": Naive, "vpn": VPN, "targeted": Targeted, "verytarg": VeryTargeted}
	rates := map[string]float64{"0.9950": 0.995, "0.9900": 0.99, "0.8276": 0.83, "0.9425": 0.94}
	read := map[[2]string][Longest]float64{}
	for _, r := range readCSV(t, "rq1_general_digitised.csv") {
		c, known := read[[2]string{r[0], r[1]}]
		if !known {
			for i := range c {
				c[i] = -1
			}
		}
		text := r[3]
		if text == "" {
			text = r[5] // the other panel's rate, times the size
		}
		n, err := strconv.Atoi(r[2])
		if err != nil {
			t.Fatal(err)
		}
		v, err := strconv.ParseFloat(text, 64)
		if err != nil {
			t.Fatal(err)
		}
		c[n-1] = math.Round(v)
		read[[2]string{r[0], r[1]}] = c
	}
	compared := 0
	for _, p := range published {
		for key, c := range read {
			if names[key[0]] == p.Attacker && rates[key[1]] == p.TPR {
				compared++
				if c != p.Counts {
					t.Errorf("%s at %g: %v, digitised %v", p.Attacker, p.TPR, p.Counts, c)
				}
			}
		}
	}
	if compared != len(published) {
		t.Errorf("%d of %d curves compared", compared, len(published))
	}
}
