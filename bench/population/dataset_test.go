package population

import (
	"math"
	"runtime"
	"slices"
	"testing"
	"time"

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

// Batches are simulated ahead, and neither lost, doubled nor changed by it. Who stops
// early stops the goroutine too.
func TestAhead(t *testing.T) {
	s := New(Options{Seed: 3, Users: 200, Days: 12})
	var want, got []string
	for l := range s.Attempts() {
		want = append(want, l.Attempt.ID)
	}
	for batch := range s.ahead() {
		for i := range batch {
			got = append(got, batch[i].Attempt.ID)
		}
	}
	if len(want) < 1000 || !slices.Equal(got, want) {
		t.Fatalf("%d attempts in batches, %d one by one", len(got), len(want))
	}
	before := runtime.NumGoroutine()
	for range 50 {
		for range s.ahead() {
			break
		}
	}
	for tries := 0; runtime.NumGoroutine() > before; tries++ {
		if time.Sleep(time.Millisecond); tries == 10_000 {
			t.Fatalf("%d goroutines, %d before", runtime.NumGoroutine(), before)
		}
	}
}

// A campaign enters an account once; what it does afterwards is not judged.
func TestRowsEnterOnce(t *testing.T) {
	t.Parallel()
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
	t.Parallel()
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
