package baseline

import (
	"testing"

	"github.com/waryauth/wary/bench/population"
)

// No user, campaign, day or held family of the training part is in the judging
// part.
func TestSplit(t *testing.T) {
	c := setting{name: "test", users: 1500, days: 45, reports: usual}
	kept, o := collect(c, 0, 1, population.SyntheticWorld(1), 1)
	for p := training; p < parts; p++ {
		if len(kept[p]) == 0 {
			t.Fatalf("part %d is empty", p)
		}
	}
	cut := newSplitter(o).cut
	users, campaigns := map[int32]part{}, map[int32]bool{}
	for p := training; p <= judging; p++ {
		for i := range kept[p] {
			r := &kept[p][i]
			if before, ok := users[r.User]; ok && before != p && r.User >= 0 {
				t.Fatalf("user %d is in parts %d and %d", r.User, before, p)
			}
			users[r.User] = p
			if p != judging {
				if r.At >= cut || r.Family == held {
					t.Fatalf("part %d holds %s at %d, cut is %d", p, r.Family, r.At, cut)
				}
				campaigns[r.Campaign] = r.Campaign > 0
				continue
			}
			if r.At < cut || campaigns[r.Campaign] {
				t.Fatalf("judging holds campaign %d at %d, cut is %d", r.Campaign, r.At, cut)
			}
		}
	}
	fraud := 0
	for i := range kept[judging] {
		if kept[judging][i].Fraud {
			fraud++
		}
	}
	if fraud == 0 {
		t.Error("nothing to catch in the judging part: the test shows little") // the control
	}
}

// Each kept row stands for as many as were left out.
func TestWeights(t *testing.T) {
	c := setting{name: "test", users: 1500, days: 30, reports: usual}
	honest := 0.0
	kept, o := collect(c, 0, 1, population.SyntheticWorld(1), 1)
	for i := range kept[training] {
		if r := &kept[training][i]; !r.Fraud {
			honest += r.weight
		}
	}
	want := 0.0
	split := newSplitter(o)
	for r := range population.Rows(population.New(o), c.missing) {
		if split.part(r) == training && !r.Fraud {
			want++
		}
	}
	if honest < 0.9*want || honest > 1.1*want {
		t.Errorf("kept rows stand for %.0f honest ones, there are %.0f", honest, want)
	}
}
