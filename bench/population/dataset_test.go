package population

import (
	"math"
	"strings"
	"testing"

	"github.com/waryauth/wary/features"
	"github.com/waryauth/wary/signals"
)

func nan(x float32) bool { return math.IsNaN(float64(x)) }

// The rows of a user tell of what came before, and of nothing after: each success
// of the person adds one, whoever made it, and nothing else does.
func TestRowsRemember(t *testing.T) {
	s := New(Options{Seed: 3, Users: 300, Days: 30})
	successes := map[int32]float32{}
	rows := 0
	for r := range Rows(s, 0) {
		rows++
		if r.User < 0 {
			if !nan(r.Vector[features.HisNLogins]) {
				t.Fatal("a name of nobody has a history")
			}
			continue
		}
		if got := r.Vector[features.HisNLogins]; got != successes[r.User] {
			t.Fatalf("user %d has %g successes in memory, had %g", r.User, got, successes[r.User])
		}
		if r.Success && r.Present {
			successes[r.User]++
		}
		if r.Present && successes[r.User] == 0 && !nan(r.Vector[features.NetASNNewForUser]) {
			t.Fatal("a network is new or known to a user without a success")
		}
	}
	if rows < 1000 {
		t.Fatalf("only %d rows", rows)
	}
}

// A campaign enters an account once; what it does afterwards is not judged.
func TestRowsEnterOnce(t *testing.T) {
	entries, takeovers := map[entrance]int{}, map[entrance]int{}
	for r := range Rows(New(Options{Seed: 3, Users: 2000, Days: 30}), 0) {
		way := entrance{r.Campaign, r.User}
		if r.Takeover {
			takeovers[way]++
		}
		if r.Entry {
			entries[way]++
			if !r.Judged() {
				t.Fatal("an entry is not judged")
			}
		} else if r.Fraud && r.Judged() {
			t.Fatal("fraud that is no entry is judged")
		}
	}
	more := 0
	for way, n := range takeovers {
		if entries[way] != 1 {
			t.Fatalf("campaign %d entered user %d %d times", way.campaign, way.user, entries[way])
		}
		if n > 1 {
			more++
		}
	}
	if more == 0 {
		t.Error("no campaign did anything after its entry: the test shows nothing") // the control
	}
}

func TestRowsWithoutFiles(t *testing.T) {
	count := func(missing signals.Missing) (located, networks, hosting int) {
		for r := range Rows(New(Options{Seed: 6, Users: 200, Days: 15}), missing) {
			if r.Vector[features.GeoLocationMissing] == 0 {
				located++
			}
			if !nan(r.Vector[features.NetASNShareGlobal]) {
				networks++
			}
			if !nan(r.Vector[features.NetIsHosting]) {
				hosting++
			}
		}
		return located, networks, hosting
	}
	if l, n, h := count(0); l == 0 || n == 0 || h == 0 {
		t.Errorf("with all files: %d located, %d in a network, %d with flags", l, n, h)
	}
	if l, n, h := count(signals.MissingAnonymity); l == 0 || n == 0 || h != 0 {
		t.Errorf("without anonymizer file: %d located, %d in a network, %d with flags", l, n, h)
	}
	if l, n, h := count(signals.MissingPlace | signals.MissingNetwork | signals.MissingAnonymity); l+n+h != 0 {
		t.Errorf("without files: %d located, %d in a network, %d with flags", l, n, h)
	}
}

// Worked by hand: four honest rows, four takeovers.
func TestJudge(t *testing.T) {
	rows := []Scored{
		{0.9, Stuffing, true}, {0.8, Ordinary, false}, {0.7, Targeted, true}, {0.7, Stuffing, true},
		{0.6, Ordinary, false}, {0.5, Targeted, true}, {0.4, Ordinary, false}, {0.3, Ordinary, false},
	}
	v := Judge("by hand", rows, 0.25) // one honest row of four may be challenged
	// Pairs in order: 4 of 0.9, 3 of each 0.7, 2 of 0.5: 12 of 16.
	if v.AUC != 12.0/16 {
		t.Errorf("AUC %g, want 0.75", v.AUC)
	}
	// 0.9 is above the one honest row, the two of 0.7 below it but above the next.
	if v.Caught != 0.75 || v.Families[Stuffing] != 1 || v.Families[Targeted] != 0.5 {
		t.Errorf("caught %g, stuffing %g, targeted %g; want 0.75, 1, 0.5", v.Caught, v.Families[Stuffing], v.Families[Targeted])
	}
	// A rule of yes or no: half of the honest and three of four takeovers say yes.
	// At a quarter of the honest, half of those who say yes are challenged.
	for i := range rows {
		yes := rows[i].Score >= 0.6
		if rows[i].Score = 0; yes {
			rows[i].Score = 1
		}
	}
	if v := Judge("rule", rows, 0.25); v.Caught != 0.375 || v.AUC != 0.625 || v.Threshold != 1 {
		t.Errorf("rule: caught %g, AUC %g, threshold %g; want 0.375, 0.625, 1", v.Caught, v.AUC, v.Threshold)
	}
}

func TestPrint(t *testing.T) {
	var b strings.Builder
	v := Judge("model", []Scored{{0.9, Spraying, true}, {0.1, Ordinary, false}}, 0.01)
	if err := Print(&b, []Verdict{v, v}, Spraying); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"AUC", "takeovers caught", "spraying (not trained on)", "1.0000"} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("no %q in\n%s", want, &b)
		}
	}
}
