package ceremony

import (
	"fmt"
	"math"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// masked is a page without what differs between two of one kind by chance.
func masked(page string) string {
	return regexp.MustCompile(` (value|data-options)="[^"]*"`).ReplaceAllString(page, "")
}

func TestGuessesAreLimited(t *testing.T) {
	w := newWorld(t)
	b := w.browser().come(nil)
	for i := range limits.pair.burst {
		b.submit("password", "username", "alice", "password", "wrong horse 1").shows("Sign in", "not right")
		told := w.attempts()
		if n := told[len(told)-1].Authentication.RecentFailures.Or(-1); n != float64(i) {
			t.Errorf("guess %d: the engine was told of %v failures before", i+1, n)
		}
	}
	b.logIn("alice").shows("Sign in", "too many tries") // the right password too: an answer would be a guess
	b.logIn("ALICE ").shows("Sign in", "too many tries")
	if told := w.attempts(); len(told) != 0 {
		t.Errorf("the engine was told of %d attempts that were not checked", len(told))
	}
	w.browser().come(nil).logIn("alice").shows("Sign in", "too many tries")
	w.browser().come(nil).logIn("bob").submit("consent").succeeds() // the control
	w.sleep(limits.pair.interval)
	b.logIn("alice").submit("consent").succeeds()
}

// TestGuessesFromManyPlacesAndAtManyAccounts: what others spent of an account's limit,
// and of a place's, counts.
func TestGuessesFromManyPlacesAndAtManyAccounts(t *testing.T) {
	w := newWorld(t)
	alice := w.pages.accounts.Load().byName["alice"].subject
	exhaust := func(l limit, whom string) {
		t.Helper()
		for range l.burst {
			if _, err := spend(t.Context(), w.store, w.now(), try{l, whom}); err != nil {
				t.Fatal(err)
			}
		}
	}
	exhaust(limits.account, alice)
	w.browser().come(nil).logIn("alice").shows("Sign in", "too many tries")
	w.browser().come(nil).logIn("bob").shows("Allow access?")
	exhaust(limits.place, "127.0.0.1")
	w.browser().come(nil).logIn("bob").shows("Sign in", "too many tries")
}

func TestCodesAreLimited(t *testing.T) {
	w := newWorld(t)
	w.decides(stepUp)
	b := w.browser().come(nil).logIn("alice")
	wrong := 0
	for near := []string{w.otp(-2), w.otp(-1), w.otp(0), w.otp(1), w.otp(2)}; slices.Contains(near, fmt.Sprintf("%06d", wrong)); {
		wrong++
	}
	for range limits.code.burst {
		b.submit("code", "otp", fmt.Sprintf("%06d", wrong)).shows("Confirm it is you", "not right")
	}
	b.submit("code", "otp", w.otp(0)).shows("Confirm it is you", "too many tries")
	b = w.browser().come(nil).logIn("alice") // nor in another browser
	b.submit("code", "otp", w.otp(0)).shows("Confirm it is you", "too many tries")
}

func TestAUsedCodeIsWrong(t *testing.T) {
	w := newWorld(t)
	w.decides(stepUp)
	code := w.otp(0)
	w.browser().come(nil).logIn("alice").submit("code", "otp", code).submit("consent").succeeds()
	w.browser().come(nil).logIn("alice").submit("code", "otp", code).shows("Confirm it is you", "used before")
}

// TestAnswersDoNotTellWhetherAnAccountExists compares whole answers, through the limits,
// and what is done for each: one hash and one question to the engine.
func TestAnswersDoNotTellWhetherAnAccountExists(t *testing.T) {
	w := newWorld(t)
	known, unknown := w.browser().come(nil), w.browser().come(nil)
	for i := range limits.pair.burst + 2 {
		before := w.pages.hasher.runs.Load()
		known.submit("password", "username", "bob", "password", "wrong horse 1")
		k := w.pages.hasher.runs.Load() - before
		asked := len(w.attempts())
		unknown.submit("password", "username", "nobody", "password", "wrong horse 1")
		if u := w.pages.hasher.runs.Load() - before - k; k != u {
			t.Errorf("try %d: %d hashes of a known name, %d of an unknown", i+1, k, u)
		}
		if u := len(w.attempts()); asked != u {
			t.Errorf("try %d: the engine is asked %d times of a known name, %d of an unknown", i+1, asked, u)
		}
		if known.status != unknown.status || masked(known.page) != masked(unknown.page) {
			t.Fatalf("try %d: the answers differ:\n%s\n%s", i+1, known.page, unknown.page)
		}
		if q, p := known.where.Query().Get("problem"), unknown.where.Query().Get("problem"); q != p {
			t.Errorf("try %d: the addresses differ: %s and %s", i+1, q, p)
		}
		for name, value := range known.header {
			if name != "Date" && !slices.Equal(value, unknown.header[name]) {
				t.Errorf("try %d: the header %s differs", i+1, name)
			}
		}
	}
}

func TestUnknownNamesAreAsDearAsKnownOnes(t *testing.T) {
	document := "accounts:\n"
	for i, r := range referenceHashes {
		document += fmt.Sprintf("- {name: n%d, subject: p-%s, password: %q}\n", i, strings.Repeat(string(rune('a'+i)), 26), r.hash)
	}
	a, err := ParseAccounts([]byte(document))
	if err != nil {
		t.Fatal(err)
	}
	key, costs := []byte("a key"), map[cost]int{}
	for i := range 64 {
		name := fmt.Sprintf("nobody-%d", i)
		e, again := a.find(name, key), a.find(strings.ToUpper(name)+" ", key)
		if e.account != nil || !isSubject(e.subject) || e.subject != again.subject || e.hash.cost != again.hash.cost {
			t.Fatalf("%s: %+v, and then %+v", name, e, again)
		}
		costs[e.hash.cost]++
	}
	for _, known := range a.byName {
		if costs[known.password.cost] == 0 {
			t.Errorf("no unknown name costs %+v", known.password.cost)
		}
	}
	if len(costs) != 2 {
		t.Errorf("unknown names have costs that no account has: %v", costs)
	}
	none, err := ParseAccounts(nil)
	if err != nil {
		t.Fatal(err)
	}
	if e := none.find("x", key); e.hash.cost != costOfNew() {
		t.Errorf("without accounts, a name costs %+v", e.hash.cost)
	}
}

// TestTimeDoesNotTellWhetherAnAccountExists measures refusals of a name that somebody has
// and of one that nobody has, over HTTP, in turn, and reports how far apart the two
// distributions lie. Cliff's delta is 0 where they are one and 1 where every answer of
// one is slower than all of the other; the control, a check that answers at once for
// names that nobody has, must come out at 1.
func TestTimeDoesNotTellWhetherAnAccountExists(t *testing.T) {
	w := newWorld(t)
	const tries = 24
	b := w.browser().come(nil)
	measure := func(name string) float64 {
		w.sleep(time.Hour) // no limit
		b.come(nil)
		action, fields := b.form("password")
		fields.Set("username", name)
		fields.Set("password", "wrong horse 1")
		start := time.Now()
		b.post(action, fields.Encode())
		return float64(time.Since(start))
	}
	early := func() float64 {
		start := time.Now()
		b.get(w.server.URL + "/login?interaction=nothing")
		return float64(time.Since(start))
	}
	var known, unknown, control []float64
	for range tries {
		known, unknown, control = append(known, measure("alice")), append(unknown, measure("nobody")), append(control, early())
	}
	ratio := median(unknown) / median(known)
	t.Logf("%d tries each: median of unknown against known %.3f, Cliff's delta %+.3f; control %+.3f", tries, ratio, cliff(unknown, known), cliff(known, control))
	if ratio < 0.5 || ratio > 2 {
		t.Errorf("an unknown name takes %.2f times what a known one takes", ratio)
	}
	if d := cliff(known, control); d < 0.9 {
		t.Errorf("the control, which computes no hash, is told apart by %.2f only: the test shows nothing", d)
	}
}

func median(x []float64) float64 {
	s := slices.Sorted(slices.Values(x))
	return s[len(s)/2]
}

// cliff returns Cliff's delta of two samples: how much more often x is above y than
// below.
func cliff(x, y []float64) float64 {
	sum := 0.0
	for _, a := range x {
		for _, b := range y {
			if a != b {
				sum += math.Copysign(1, a-b)
			}
		}
	}
	return sum / float64(len(x)*len(y))
}
