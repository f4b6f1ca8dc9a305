package rba

import (
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/waryauth/wary/features"
)

// made returns logins of a small world: some people, each with few addresses, now
// and then another; guesses from abroad; a few takeovers from the victim's network.
func made(users, days int) (logins []Login) {
	draw := rand.New(rand.NewPCG(7, 7))
	at := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	for day := range days {
		for u := range users {
			at = at.Add(time.Minute)
			place := u % 5
			l := Login{At: at, User: fmt.Sprint("u", u), Success: true, Region: fmt.Sprint("r", place)}
			l.Values = [features.FreemanTerms]string{
				fmt.Sprintf("ip%d-%d", u, draw.IntN(2)), fmt.Sprint("asn", place), "NO",
				fmt.Sprint("ua", u%7, "-", day/20), fmt.Sprint("Chrome ", 70+u%3), "Windows 10", "desktop",
			}
			logins = append(logins, l)
			if draw.IntN(4) == 0 {
				guess := l
				guess.User, guess.Success, guess.AttackIP, guess.Region = "nobody", false, true, "-"
				guess.Values[0], guess.Values[1], guess.Values[2] = fmt.Sprint("bad", draw.IntN(50)), "asn-bad", "XX"
				logins = append(logins, guess)
			}
			if day > 5 && draw.IntN(40) == 0 {
				theft := l
				theft.Takeover, theft.Values[0] = VeryTargeted, fmt.Sprint("thief", day)
				theft.Values[3] = "another"
				logins = append(logins, theft)
			}
		}
	}
	return logins
}

// The result is what plain loops over all scores say.
func TestResultAgainstOracle(t *testing.T) {
	logins := made(40, 60)
	run, memory := NewRun(1), NewMemory()
	type scored struct{ rba, other float64 }
	people := map[string][]scored{}
	var attacks []scored
	entered := map[string]bool{}
	draw := rand.New(rand.NewPCG(3, 3))
	for i := range logins {
		l := &logins[i]
		other := draw.Float64()
		run.See(l, other)
		if !l.Success {
			continue
		}
		s := scored{math.Log(memory.Score(l).Score), other}
		switch {
		case math.IsNaN(s.rba):
		case l.Takeover == "":
			people[l.User] = append(people[l.User], s)
		case !entered[l.User]:
			entered[l.User] = true
			attacks = append(attacks, s)
		}
		memory.Learn(l)
	}
	var rows []Row
	for _, r := range run.Result().Rows {
		if r.Attacker == VeryTargeted {
			rows = append(rows, r)
		}
	}
	if len(rows) != 2 || rows[0].Other == nil || rows[0].Attacks != len(attacks) {
		t.Fatalf("%d rows, %d attacks: %+v", len(rows), len(attacks), rows)
	}
	for _, r := range rows {
		for n := 1; n <= Longest; n++ {
			f := func(name string, got Curve, of func(scored) float64) {
				t.Helper()
				at := math.Inf(1) // the highest threshold that still catches the share
				for _, a := range attacks {
					reached := 0
					for _, b := range attacks {
						if of(b) >= of(a) {
							reached++
						}
					}
					if float64(reached) >= r.TPR*float64(len(attacks)) && (of(a) > at || math.IsInf(at, 1)) {
						at = of(a)
					}
				}
				var counts []float64
				for _, all := range people {
					if len(all) < n {
						continue
					}
					count := 0.0
					for _, s := range all[:n] {
						if float32(of(s)) >= float32(at) {
							count++
						}
					}
					counts = append(counts, count)
				}
				slices.Sort(counts)
				want := (counts[(len(counts)-1)/2] + counts[len(counts)/2]) / 2
				if got.Counts[n-1] != want || got.Shares[n-1] != want/float64(n) || got.Users[n-1] != len(counts) {
					t.Errorf("%s at %g after %d: %g of %d users, want %g of %d", name, r.TPR, n, got.Counts[n-1], got.Users[n-1], want, len(counts))
				}
			}
			f("RBA", r.RBA, func(s scored) float64 { return s.rba })
			f("other", *r.Other, func(s scored) float64 { return s.other })
		}
	}
}

func TestThreshold(t *testing.T) {
	scores := []float32{4, 1, 3, 2, 5}
	for _, c := range []struct {
		share float64
		want  float32
	}{{1, 1}, {0.8, 2}, {0.79, 2}, {0.61, 2}, {0.6, 3}, {0.2, 5}, {0.01, 5}} {
		if got := threshold(scores, c.share); got != c.want {
			t.Errorf("%g of the scores: %g, want %g", c.share, got, c.want)
		}
	}
}

// Attackers are what the study says of them, never the victim, and made of what came
// before alone.
func TestAttackers(t *testing.T) {
	a := newArsenal(1)
	before := map[string]bool{}
	attacked := map[string]int{}
	for _, l := range made(40, 30) {
		if l.Success && l.Takeover == "" {
			for _, attacker := range []string{Naive, VPN, Targeted} {
				x, ok := a.attack(attacker, &l)
				if !ok {
					continue
				}
				attacked[attacker]++
				if !before[x.Values[features.FreemanAddress]] || !before[x.Values[features.FreemanAgent]] {
					t.Fatalf("%s uses what has not come yet: %+v", attacker, x)
				}
				if strings.HasPrefix(x.Values[features.FreemanAddress], "ip"+strings.TrimPrefix(l.User, "u")+"-") {
					t.Fatalf("%s comes from the victim's own address", attacker)
				}
				country, asn := x.Values[features.FreemanCountry], x.Values[features.FreemanASN]
				switch attacker {
				case Naive:
					if country != "XX" || asn != "asn-bad" {
						t.Fatalf("naive from %s, %s", country, asn)
					}
				case VPN:
					if country != "NO" {
						t.Fatalf("VPN from %s", country)
					}
				case Targeted:
					if x.Region != l.Region || kind(&x) != kind(&l) {
						t.Fatalf("targeted from %s with %s on %s with %s", x.Region, kind(&x), l.Region, kind(&l))
					}
				}
			}
		}
		a.see(&l)
		before[l.Values[features.FreemanAddress]], before[l.Values[features.FreemanAgent]] = true, true
	}
	for _, attacker := range []string{Naive, VPN, Targeted} {
		if attacked[attacker] < 500 {
			t.Errorf("%d attacks by %s: the test shows little", attacked[attacker], attacker)
		}
	}
}

func TestUnversioned(t *testing.T) {
	for in, want := range map[string]string{
		"Chrome Mobile WebView 85.0.4183": "Chrome Mobile WebView", "Mac OS X 10.14.6": "Mac OS X", "Linux": "Linux", "iOS 13.4": "iOS", "360 Browser 9": "360 Browser", "": "", "7": "7",
	} {
		if got := unversioned(in); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}

// The same logins and seed make the same result; a file is told with its digest.
func TestStream(t *testing.T) {
	study := func() string {
		f, err := os.Open("testdata/made.csv")
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		s, err := Stream(t.Context(), f, nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		var b strings.Builder
		if err := s.Print(&b); err != nil {
			t.Fatal(err)
		}
		return b.String()
	}
	text := study()
	for _, want := range []string{"4 rows (3 successes, 2 from attackers' addresses, 1 takeovers), sha256:", "very targeted", "3 successful logins, 1 users"} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
	if study() != text {
		t.Error("another time, another result")
	}
}

func TestPrint(t *testing.T) {
	run := NewRun(1)
	for _, l := range made(40, 60) {
		run.See(&l, math.NaN())
	}
	s := run.Result()
	s.Source = "a small world"
	if len(s.Rows) != len(published) {
		t.Errorf("%d rows", len(s.Rows))
	}
	var b strings.Builder
	if err := s.Print(&b); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"a small world", "naive", "VPN", "0.995", "very targeted"} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("no %q in\n%s", want, &b)
		}
	}
}
