package feedback

import (
	"errors"
	"fmt"
	"math"
	"reflect"
	"testing"
	"time"

	"github.com/waryauth/wary/engine"
	"github.com/waryauth/wary/features"
	"github.com/waryauth/wary/internal/journal"
	"github.com/waryauth/wary/signals"
)

// crowd is attempts of many people over days, of which much is said.
type crowd struct{ stream }

const crowdUsers = 2000

// attempt adds an allowed attempt of somebody and returns its place.
func (c *crowd) attempt(user int) int {
	i := len(c.cases)
	c.cases = append(c.cases, engine.Case{
		At: journal.Address{Segment: 1, Offset: uint32(8 * (i + 1))}, Logged: streamStart, User: features.Key(user + 1), Vector: &features.Vector{},
		Trace: &features.Trace{Time: streamStart.UnixMilli(), User: features.Key(user + 1)}, Decision: &engine.Decision{Outcome: engine.Allow},
	})
	return i
}

// say labels an attempt on a day.
func (c *crowd) say(i, day int, v signals.FeedbackValue, by signals.Source) {
	at := streamStart.Add(time.Duration(day) * 24 * time.Hour)
	c.told = append(c.told, engine.Told{ID: features.Key(len(c.told) + 1), Decision: c.cases[i].At, Kind: signals.Label, Value: v, Source: by, Time: at, Logged: at})
}

// join joins all under guards.
func (c *crowd) join(g Guards) *join {
	j := newJoin(DefaultHorizon, g)
	for i := range c.told {
		j.hear(&c.told[i])
	}
	j.heard()
	for i := range c.cases {
		j.meet(&c.cases[i])
	}
	j.met()
	return j
}

// honest is a deployment's labels of 60 days: 6,000 by three sources about 2,000 people.
func honest() *crowd {
	c := &crowd{}
	for day := range 60 {
		for n := range 100 {
			i := c.attempt((day*100 + n) * 7 % crowdUsers)
			switch {
			case n < 40:
				c.say(i, day, signals.Fraud, signals.Chargeback)
			case n < 70:
				c.say(i, day, signals.Legitimate, signals.Analyst)
			default:
				c.say(i, day, signals.Fraud, signals.System)
			}
		}
	}
	for i := range 4000 { // of these nobody says anything but who poisons
		c.attempt(i % crowdUsers)
	}
	return c
}

// change is by how much the labelled weight of the training rows differs, as a share of
// what it is in the clean set.
func change(clean, poisoned *join, cases []engine.Case) float64 {
	value := func(j *join, c *engine.Case) float64 {
		switch r := j.row(c); r.Label {
		case signals.Fraud:
			return float64(r.Weight)
		case signals.Legitimate:
			return -float64(r.Weight)
		}
		return 0
	}
	var moved, all float64
	for i := range cases {
		was, is := value(clean, &cases[i]), value(poisoned, &cases[i])
		moved, all = moved+math.Abs(is-was), all+math.Abs(was)
	}
	return moved / all
}

// TestPoisonFromFew: labels of few people, or of one source's sudden burst, that make up
// 1, 5 or 10 % of the stream change the training set by at most 2.5 %; without guards by
// as much as they are, or twice that where they turn fraud into its opposite. (60 labels
// in a night are no burst: they change what they say.)
func TestPoisonFromFew(t *testing.T) {
	const most = 0.025
	attacks := map[string]func(c *crowd, n int){
		"five people": func(c *crowd, n int) {
			for i := range n {
				c.say(c.attempt(i%5), 20+i%30, signals.Fraud, signals.Customer)
			}
		},
		"one source in one night": func(c *crowd, n int) {
			for i := range n {
				c.say(6000+i, 40, signals.Fraud, signals.System)
			}
		},
		"frauds whitewashed in one night": func(c *crowd, n int) {
			for i := range n { // over the chargebacks, by the most trusted source
				c.say(i/40*100+i%40, 59, signals.Legitimate, signals.Analyst)
			}
		},
	}
	// What is added to an honest crowd comes behind it: its own rows have the same places.
	clean, unguarded := honest().join(DefaultGuards()), honest().join(Guards{})
	for name, attack := range attacks {
		for _, share := range []float64{0.01, 0.05, 0.10} {
			poisoned := honest()
			n := int(share * float64(len(poisoned.told)))
			attack(poisoned, n)
			cases := poisoned.cases
			guarded := change(clean, poisoned.join(DefaultGuards()), cases)
			control := change(unguarded, poisoned.join(Guards{}), cases)
			t.Logf("%s, %.0f %%: %.2f %% guarded, %.2f %% without guards", name, 100*share, 100*guarded, 100*control)
			if guarded > most {
				t.Errorf("%s, %.0f %%: the training set changes by %.2f %%", name, 100*share, 100*guarded)
			}
			if control < 0.8*share || share > 0.01 && control < 2*guarded {
				t.Errorf("%s, %.0f %%: without guards it changes by %.2f %% alone: the attack proves nothing", name, 100*share, 100*control)
			}
		}
	}
}

// TestHold: a source's day is held above the bound alone, not in its first week, and
// not where it is released; what is held teaches nobody the next bound.
func TestHold(t *testing.T) {
	g := Guards{Jump: 4, Floor: 100}
	holds := func(g Guards, days map[int]int) (out []string) {
		c := &crowd{}
		for day := range 100 {
			for range days[day] {
				c.say(c.attempt(1), day, signals.Fraud, signals.Chargeback)
			}
		}
		j := c.join(g)
		held := 0
		for _, h := range j.report.Holds {
			out = append(out, fmt.Sprintf("%s %d>%d", h, h.Labels, h.Bound))
			if !h.Released {
				held += h.Labels
			}
		}
		if j.report.Held != held || j.report.Fraud != len(c.told)-held {
			t.Errorf("%d rows held of %d, %d fraud", j.report.Held, held, j.report.Fraud)
		}
		return out
	}
	for _, c := range []struct {
		name string
		days map[int]int
		want []string
	}{
		{"steady", map[int]int{0: 90, 10: 90, 20: 90}, nil},
		{"at the bound", map[int]int{0: 90, 10: 360}, nil},
		{"above it", map[int]int{0: 90, 10: 361}, []string{"chargeback@2026-03-11 361>360"}},
		{"at the floor", map[int]int{0: 1, 10: 100}, nil},
		{"above it", map[int]int{0: 1, 10: 101}, []string{"chargeback@2026-03-11 101>100"}},
		{"first week", map[int]int{0: 500, 6: 1e4}, nil},
		{"after it", map[int]int{0: 30, 7: 500}, []string{"chargeback@2026-03-08 500>120"}},
		{"monthly", map[int]int{0: 300, 31: 400, 61: 300}, nil},
		{"what is held is no measure", map[int]int{0: 90, 10: 500, 11: 500}, []string{"chargeback@2026-03-11 500>360", "chargeback@2026-03-12 500>360"}},
		{"forgotten", map[int]int{0: 500, 1: 10, 63: 400}, []string{"chargeback@2026-05-03 400>100"}},
	} {
		if got := holds(g, c.days); !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
	release, err := ParseRelease("chargeback@2026-03-11")
	if err != nil {
		t.Fatal(err)
	}
	g.Release = []Release{release}
	if got := holds(g, map[int]int{0: 90, 10: 500, 11: 500}); len(got) != 1 { // the released day is a measure
		t.Errorf("released: %v", got)
	}
	if got := holds(Guards{}, map[int]int{0: 90, 10: 5000}); got != nil {
		t.Errorf("no guards: %v", got)
	}
}

// TestHeldRow is as if its source had said nothing: the word of another stands.
func TestHeldRow(t *testing.T) {
	c := &crowd{}
	i := c.attempt(0)
	c.say(i, 0, signals.Legitimate, signals.Customer)
	c.say(c.attempt(1), 0, signals.Fraud, signals.Analyst)
	c.say(i, 20, signals.Fraud, signals.Analyst)
	for range 100 {
		c.say(c.attempt(2), 20, signals.Fraud, signals.Analyst)
	}
	j := c.join(DefaultGuards())
	if r := j.row(&c.cases[i]); !r.Held || r.Label != signals.Legitimate || r.Source != signals.Customer {
		t.Errorf("held %v, label %v by %v", r.Held, r.Label, r.Source)
	}
	if r := j.row(&c.cases[2]); !r.Held || r.Label != 0 || r.Weight != 1 {
		t.Errorf("held %v, label %v, weight %g", r.Held, r.Label, r.Weight)
	}
}

// TestWeights by source, and caps by subject and by source.
func TestWeights(t *testing.T) {
	weight := func(c *crowd, g Guards, i int) float64 { return float64(c.join(g).row(&c.cases[i]).Weight) }
	near := func(what string, got, want float64) {
		t.Helper()
		if math.Abs(got-want) > 1e-6 {
			t.Errorf("%s: %g, want %g", what, got, want)
		}
	}
	g := DefaultGuards()
	for s, want := range map[signals.Source]float64{signals.Analyst: 1, signals.Chargeback: 1, signals.Issuer: 1, signals.Customer: 0.8, signals.System: 0.5, signals.Challenge: 0.3} {
		c := &crowd{}
		c.say(c.attempt(0), 0, signals.Fraud, s)
		near(s.String(), weight(c, g, 0), want)
	}
	many := &crowd{}
	for range 40 {
		many.say(many.attempt(0), 0, signals.Fraud, signals.Analyst)
	}
	many.say(many.attempt(0), 0, signals.Legitimate, signals.Analyst) // the other kind
	many.say(many.attempt(1), 0, signals.Fraud, signals.Analyst)      // of another
	near("40 of one person", weight(many, g, 0), 8.0/40)
	near("the other kind", weight(many, g, 40), 1)
	near("another's", weight(many, g, 41), 1)
	near("unbounded", weight(many, Guards{}, 0), 1)

	loud := &crowd{}
	for i := range 1000 {
		loud.say(loud.attempt(i), 0, signals.Fraud, signals.System) // count 500
	}
	near("nobody more trusted has spoken", weight(loud, g, 0), 0.5)
	for i := range 99 {
		loud.say(loud.attempt(2000+i), 0, signals.Fraud, signals.Issuer)
	}
	near("hardly", weight(loud, g, 0), 0.5)
	loud.say(loud.attempt(3000), 0, signals.Fraud, signals.Issuer)
	near("they have", weight(loud, g, 0), 0.5*4*100/500)
	near("their own", weight(loud, g, 1000), 1)
	near("unlabelled", weight(loud, g, loud.attempt(9)), 1)
	if n := loud.join(g).report.Capped; n != 1000 {
		t.Errorf("%d rows capped, want 1000", n)
	}
}

func TestParseRelease(t *testing.T) {
	r, err := ParseRelease("issuer@2026-06-01")
	if err != nil || r.Source != signals.Issuer || !r.Day.Equal(time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC)) {
		t.Errorf("%v, %v", r, err)
	}
	for _, text := range []string{"", "issuer", "issuer@", "@2026-06-01", "nobody@2026-06-01", "issuer@2026-6-1", "issuer@2026-06-01T00:00:00Z", "issuer@2026-06-01@"} {
		if _, err := ParseRelease(text); !errors.Is(err, ErrRelease) {
			t.Errorf("%q: %v", text, err)
		}
	}
}

// TestPropensity: a label of an attempt that the random-allow bucket let in stands for
// those that it did not let in, up to a bound, and within the caps.
func TestPropensity(t *testing.T) {
	c := &crowd{}
	for _, share := range []float32{0.5, 0.1, 0.005, 0} {
		i := c.attempt(int(share * 1000))
		if share > 0 {
			c.cases[i].Decision.Reasons = []engine.Reason{{Code: engine.RandomAllow, Value: share}, {Code: "NEW_COUNTRY", Value: 1}}
		}
		c.say(i, 0, signals.Fraud, signals.Analyst)
	}
	g := DefaultGuards()
	g.Subject = 0
	for i, want := range []struct{ propensity, free, bound float32 }{{0.5, 2, 2}, {0.1, 10, 8}, {0.005, 20, 8}, {1, 1, 1}} {
		silent := c.stream.cases[i]
		silent.At.Segment = 9 // of which nobody has said anything
		if got := c.join(DefaultGuards()).row(&silent); got.Label != 0 || got.Weight != want.free {
			t.Errorf("attempt %d: weight %g without a label", i, got.Weight)
		}
		r, capped, none := c.join(g).row(&c.cases[i]), c.join(DefaultGuards()).row(&c.cases[i]), c.join(Guards{}).row(&c.cases[i])
		if r.Propensity != want.propensity || r.Weight != want.free || capped.Weight != want.bound || none.Weight != 1 {
			t.Errorf("attempt %d: propensity %g, weight %g, %g within the caps, %g without guards", i, r.Propensity, r.Weight, capped.Weight, none.Weight)
		}
	}
}

func FuzzParseRelease(f *testing.F) {
	f.Add("chargeback@2026-06-01")
	f.Add("issuer@2026-02-30")
	f.Add("@")
	f.Fuzz(func(t *testing.T, text string) {
		r, err := ParseRelease(text)
		if err == nil && r.Source.String()+"@"+r.Day.Format(time.DateOnly) != text {
			t.Errorf("%q is read as %v", text, r)
		}
	})
}
