package features

import (
	"math"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

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
		// The clock goes forward an hour: 11:30 UTC was 12:30 at the place, and 10:30 is.
		{"at the usual hour after daylight saving began", atHome().edit(placeClock(60)).succeeded(2*day + time.Hour).succeeded(day + time.Hour).
			edit(both(placeClock(120), when(now.Add(-2*time.Hour)))), map[int]float64{HisHourOfDayLikelihood: (24*0.5*2 + 1) / 3}},
		{"an hour later by the place's clock", atHome().edit(placeClock(60)).succeeded(2*day + time.Hour).succeeded(day + time.Hour).
			edit(both(placeClock(120), when(now.Add(-time.Hour)))), map[int]float64{HisHourOfDayLikelihood: (24*0.25*2 + 1) / 3}},
		// Tuesday 23:30 UTC was Wednesday by the device's clock, where the place's is unknown.
		{"the device's clock", atHome().edit(both(placeClock(NoOffset), deviceClock(60))).succeeded(6*day + 13*time.Hour).edit(when(now.Add(day))), map[int]float64{
			HisDayOfWeekLikelihood: (7 + 1.0) / 2, HisHourOfDayLikelihood: 0.5,
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

// placeClock sets the place's minutes east of UTC.
func placeClock(min int16) edit {
	return func(_ *signals.Attempt, o *signals.Observation) {
		o.Place.TimezoneMin, o.Place.TimezoneSet = min, min != NoOffset
	}
}

func deviceClock(min float64) edit {
	return func(a *signals.Attempt, _ *signals.Observation) { a.Device.TimezoneOffsetMin = signals.Some(min) }
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
	var k traits
	k.learn(ofCountry, 9, 100) // before and behind: they stay
	k.learn(ofProof, 8, 100)
	k.learn(ofTLS, 0, 1) // absent
	for range 10 {
		k.learn(ofTLS, 1, 100) // worth 110
	}
	k.learn(ofTLS, 2, 105) // 106
	k.learn(ofTLS, 3, 108) // 109
	k.learn(ofTLS, 4, 109)
	s := k.of(ofTLS)
	if seen(s, 2) != nil || seen(s, 1) == nil || seen(s, 3) == nil || seen(s, 4) == nil || len(s) != 3 {
		t.Errorf("slots %+v", s)
	}
	k.learn(ofTLS, 4, 50) // late: the day stays
	if got := *seen(s, 4); got != (slot{4, 2, 109}) {
		t.Errorf("slot %+v", got)
	}
	if len(k.of(ofCountry)) != 1 || seen(k.of(ofCountry), 9) == nil || len(k.of(ofProof)) != 1 || seen(k.of(ofProof), 8) == nil {
		t.Errorf("the neighbours: %+v", k)
	}
}

// TestTraitsAgainstTables learns the same values in random order into traits and
// into a table of its own for each trait, which is what they stand for.
func TestTraitsAgainstTables(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var u User
		tables := make([][]slot, traitCount)
		for range rapid.IntRange(1, 300).Draw(t, "values") {
			n := rapid.IntRange(0, traitCount-1).Draw(t, "trait")
			key, day := uint32(rapid.IntRange(0, 12).Draw(t, "key")), uint16(rapid.IntRange(1, 200).Draw(t, "day"))
			if trait(n) == ofRhythm { // of several slots each, and none of these tables
				u.learnRhythm(&Trace{Rhythm: Rhythm{Mark: 1, Class: signals.DeviceClass(key % 4), Pace: 5}}, day)
				continue
			}
			u.learn(trait(n), key, day)
			tables[n] = learnInTable(tables[n], int(traitRoom[n]), key, day)
		}
		total := len(u.of(ofRhythm))
		for n := range ofRhythm {
			total += len(tables[n])
			if got := u.of(trait(n)); !slices.Equal(got, tables[n]) {
				t.Fatalf("trait %d: %v, want %v", n, got, tables[n])
			}
		}
		if !u.Valid() || u.Size() != userBytes+8*total {
			t.Fatalf("valid %v, size %d", u.Valid(), u.Size())
		}
		u.end[3] = 81 // the control
		if u.Valid() {
			t.Fatal("ends that fall are valid")
		}
	})
}

func learnInTable(table []slot, room int, key uint32, day uint16) []slot {
	if key == 0 {
		return table
	}
	for i := range table {
		if table[i].key == key {
			table[i].count, table[i].day = table[i].count+1, max(table[i].day, day)
			return table
		}
	}
	fresh := slot{key: key, count: 1, day: day}
	if len(table) < room {
		return append(table, fresh)
	}
	worst := slices.IndexFunc(table, func(s slot) bool {
		return !slices.ContainsFunc(table, func(o slot) bool { return o.worth() < s.worth() })
	})
	table[worst] = fresh
	return table
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
	m := MomentOf(tr.Time)
	var u User
	u.Succeed(&tr, &m)
	if u.Successes != 0 || len(u.of(ofAddress)) != 0 || u.place.at != 0 {
		t.Errorf("it taught: %+v", u)
	}
	tr.Flags &^= Unattended
	u.Succeed(&tr, &m)
	if u.Successes != 1 || len(u.of(ofAddress)) != 1 || u.place.at == 0 {
		t.Errorf("the control taught nothing: %+v", u)
	}
}

func TestSuccessDays(t *testing.T) {
	var u User
	for _, hours := range []int64{1, 5, 23, 25, 49, 30} { // the last comes late
		m := MomentOf(hours * 3_600_000)
		u.Succeed(&Trace{Time: hours * 3_600_000, User: 1}, &m)
	}
	if u.Successes != 6 || u.SuccessDays != 3 || u.FirstSuccess != 3600 || u.LastSuccess != 49*3_600_000 || u.Learning() {
		t.Errorf("%d successes on %d days from %d to %d", u.Successes, u.SuccessDays, u.FirstSuccess, u.LastSuccess)
	}
}
