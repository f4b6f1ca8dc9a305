package features

import (
	"math"
	"testing"
	"time"

	"github.com/waryauth/wary/signals"
)

func baselineExamples() []example {
	return []example{
		{"no history", atHome(), map[int]float64{
			HisNLogins: 0, HisLearningMode: 1, HisHistoryDays: none, HisDaysSinceLastLogin: none, HisHourOfDayLikelihood: none, HisDayOfWeekLikelihood: none,
			HisFreemanScore: none, HisFreemanNoPrior: none, HisPastStepUpPassRate: none, HisPastStepUps30d: 0, HisPastDenies30d: 0, HisTypicalGapDays: none,
			HisKnownCountries: 0, HisKnownDevices: 0, HisKnownNetworks: 0,
		}},
		// Five Tuesdays and Wednesdays at 12:30, one at 13:30 of a Wednesday; it is
		// Tuesday 12:30. Hours: 5 at 12 and 1 at 13, so (24(0.5*5+0.25*1)+1)/7.
		// Days: 3 of 6 are Tuesdays, so (7*3+1)/7.
		{"at the usual hour", atHome().succeeded(21 * day).succeeded(20 * day).succeeded(14 * day).succeeded(13 * day).succeeded(7 * day).succeeded(6*day - time.Hour), map[int]float64{
			HisNLogins: 6, HisLearningMode: 0, HisHistoryDays: 21, HisDaysSinceLastLogin: 6 - 1.0/24,
			HisHourOfDayLikelihood: (24*(0.5*5+0.25) + 1) / 7, HisDayOfWeekLikelihood: (7*3 + 1.0) / 7, HisKnownCountries: 1, HisKnownDevices: 1, HisKnownNetworks: 1,
		}},
		{"at an hour never seen", atHome().succeeded(3 * time.Hour), map[int]float64{
			HisHourOfDayLikelihood: 0.5, HisDayOfWeekLikelihood: (7 + 1.0) / 2, HisLearningMode: 1, HisTypicalGapDays: none,
		}},
		{"denied before", atHome().tried(time.Minute, Denied).tried(2*time.Minute, Denied), map[int]float64{HisPastDenies30d: 2, HisNLogins: 0}},
		// Anna twice from here, Bob once from his own address and system in the same
		// country, with another agent of the same browser, system and type.
		// n=2 N=3 M=2. Address: L=(0.6*2+0.3*2+0.1*2)/2=1; m=2, pA=2/5,
		// pB=2/(3+1+2+1)=2/7, G=0.6*2/5*2/7+0.3*2/3+0.1*3/3=0.0685714+0.3.
		// Agent: L=1; pA=2/6, pB=2/(3+1+1+1+1)=2/7, G=w0*2/21+(1-w0)*1.
		{"the Freeman score by hand", atHome().succeeded(2*day).succeeded(day).succeeded(time.Hour, bob), map[int]float64{
			HisFreemanAddress: math.Log(handAddress), HisFreemanAgent: math.Log(handAgent), HisFreemanNoPrior: math.Log(handAddress * handAgent),
			HisFreemanScore: math.Log(handAddress * handAgent * (1.0 / 2) / (2.0 / 3)),
		}},
		// Nothing of the user's own: L is G/4 in both groups.
		{"the Freeman score of a stranger", atHome().succeeded(2*day).succeeded(time.Hour, bob).edit(bob).edit(subject("anna")).edit(func(a *signals.Attempt, o *signals.Observation) {
			o.Place.Country = signals.Country{'F', 'R'}
			o.Agent = signals.Agent{Class: signals.Mobile, Browser: "x", OS: "y"}
		}), map[int]float64{
			HisFreemanAddress: math.Log(4), HisFreemanAgent: math.Log(4), HisFreemanScore: math.Log(16 * (1.0 / 2) / (1.0 / 2)),
		}},
	}
}

const (
	handAddress = 0.6*2/5*2/7 + 0.3*2/3 + 0.1
	handAgent   = 0.5386653840551359*2/21 + (1 - 0.5386653840551359)
)

func bob(a *signals.Attempt, o *signals.Observation) {
	a.Subject, a.Headers.UserAgent = "bob", "Firefox on Linux, Bob's"
	address("198.51.100.1")(a, o)
	o.Network.ASN = 64501
}

// TestTally: a full bin halves all, so that old habits fade and nothing wraps.
func TestTally(t *testing.T) {
	var bins [7]uint8
	bins[2] = 101
	for range 255 {
		tally(bins[:], 4)
	}
	if bins[4] != 255 || bins[2] != 101 {
		t.Errorf("bins %v", bins)
	}
	tally(bins[:], 4)
	if bins[4] != 128 || bins[2] != 50 {
		t.Errorf("after the full bin: %v", bins)
	}
}

// TestLearnMakesRoom: a full table forgets what is worth least, the day it was
// seen and one more for each success.
func TestLearnMakesRoom(t *testing.T) {
	var s [3]slot
	learn(s[:], 0, 1) // absent
	for range 10 {
		learn(s[:], 1, 100) // worth 110
	}
	learn(s[:], 2, 105) // 106
	learn(s[:], 3, 108) // 109
	learn(s[:], 4, 109)
	if seen(s[:], 2) != nil || seen(s[:], 1) == nil || seen(s[:], 3) == nil || seen(s[:], 4) == nil || used(s[:]) != 3 {
		t.Errorf("slots %+v", s)
	}
	learn(s[:], 4, 50) // late: the day stays
	if got := *seen(s[:], 4); got != (slot{4, 2, 109}) {
		t.Errorf("slot %+v", got)
	}
}

// TestMoments holds mean and variance to those of the values, while each weighs
// the same.
func TestMoments(t *testing.T) {
	var m moments
	if !math.IsNaN(float64(m.z(1, 1))) {
		t.Error("z of nothing")
	}
	for _, x := range []float32{2, 4, 4, 4, 5, 5, 7, 9} { // mean 5, deviation 2
		m.add(x)
	}
	near(t, "mean", float64(m.mean), 5, 1e-6)
	near(t, "z", float64(m.z(9, 0.1)), 2, 1e-6)
	near(t, "z with a floor", float64(m.z(9, 4)), 1, 1e-6)
}

// TestUnattendedTeachesNoHabits: a client's server is not the person. The control
// is the same success with the person.
func TestUnattendedTeachesNoHabits(t *testing.T) {
	s := atHome()
	tr := s.trace(time.Hour, Allowed, []edit{unattended})
	var u User
	u.Succeed(&tr)
	if u.Successes != 0 || used(u.addresses[:]) != 0 || u.place.at != 0 {
		t.Errorf("it taught: %+v", u)
	}
	tr.Flags &^= Unattended
	u.Succeed(&tr)
	if u.Successes != 1 || used(u.addresses[:]) != 1 || u.place.at == 0 {
		t.Errorf("the control taught nothing: %+v", u)
	}
}

func TestSuccessDays(t *testing.T) {
	var u User
	for _, hours := range []int64{1, 5, 23, 25, 49, 30} { // the last comes late
		u.Succeed(&Trace{Time: hours * 3_600_000, User: 1})
	}
	if u.Successes != 6 || u.SuccessDays != 3 || u.FirstSuccess != 3_600_000 || u.LastSuccess != 49*3_600_000 || u.Learning() {
		t.Errorf("%d successes on %d days from %d to %d", u.Successes, u.SuccessDays, u.FirstSuccess, u.LastSuccess)
	}
}
