package features

import (
	"encoding/binary"
	"hash/crc32"
	"math"
	"testing"
	"time"

	"github.com/waryauth/wary/signals"
	"github.com/waryauth/wary/signals/typing"
)

// oneNumber is a typing table, written by hand, that reads the median latency alone:
// its logarithm less 5, ten units of the first dimension for each whole, of which
// accounts vary four times as much as their attempts. In the other dimensions
// everybody is alike.
func oneNumber() *typing.Table {
	const head = 8 + 4 + 4 + 8
	b := append([]byte("WARYTYP\x01"), make([]byte, typing.TableBytes-8)...)
	set := func(i int, x float32) { binary.LittleEndian.PutUint32(b[head+4*i:], math.Float32bits(x)) }
	set(medianLatency, 5)
	set(typing.Fields+medianLatency, 1)
	set(2*typing.Fields+medianLatency, 10)
	b[typing.TableBytes-4-typing.Dims] = 128 + 16*2 // two octaves above 1
	binary.LittleEndian.PutUint32(b[typing.TableBytes-4:], crc32.Checksum(b[:typing.TableBytes-4], crc32.MakeTable(crc32.Castagnoli)))
	t, err := typing.Parse(b)
	if err != nil {
		panic(err)
	}
	return t
}

// typed gives an attempt a summary whose median latency has this logarithm.
func typed(pace float32, more ...edit) edit {
	return func(a *signals.Attempt, o *signals.Observation) {
		k := &a.Behaviour.Keys
		for i := range k.Rhythm {
			k.Rhythm[i] = nan()
		}
		k.Rhythm[medianLatency], k.RhythmSet = pace, true
		for _, e := range more {
			e(a, o)
		}
	}
}

func filled(byManager, pasted bool) edit {
	return func(a *signals.Attempt, _ *signals.Observation) {
		a.Behaviour.Keys.Autofilled, a.Behaviour.Keys.Pasted = signals.Some(byManager), signals.Some(pasted)
	}
}

func statistic(field int, x float64) edit {
	return func(a *signals.Attempt, _ *signals.Observation) { a.Behaviour.Keys.Rhythm[field] = float32(x) }
}

// ratioByHand is the logarithm of two normal densities' ratio: of y round the mean of
// one known attempt, and round 0, each of the 32 dimensions apart.
func ratioByHand(y, mean float64) float64 {
	density := func(x, variance float64) float64 {
		return math.Exp(-x*x/(2*variance)) / math.Sqrt(2*math.Pi*variance)
	}
	unit := 4 * math.Sqrt(1+4) / 127
	const alike = 1.0 / 256
	return math.Log(density((y-mean)*unit, 1+4.0/5)/density(y*unit, 1+4)) + 31*math.Log(density(0, 1+alike/(1+alike))/density(0, 1+alike))
}

func typingExamples() []example {
	with := func(s *scene) *scene {
		s.table = oneNumber()
		return s
	}
	phone := func(_ *signals.Attempt, o *signals.Observation) { o.Agent.Class = signals.Mobile }
	// 4.9, 5.1: mean 5, and 0.2 squared by 4 is the variance, 0.1 the deviation.
	before := func() *scene {
		return with(atHome()).succeeded(3*day, typed(4.9)).succeeded(2*day, typed(5.1))
	}
	return []example{
		{"nothing typed", before(), map[int]float64{BehTypingRatio: none, BehTypingKnown: none, BehTypingReplayed: none, BehTypingVelocityPct: none,
			BehRhythmVariance: none, BehDwellSpreadMS: none, BehBackspaceShare: none}},
		{"first typed", with(atHome()).edit(typed(6)), map[int]float64{BehTypingRatio: none, BehTypingKnown: 0, BehTypingReplayed: none, BehTypingVelocityPct: none}},
		{"too little typed for a median latency", with(atHome()).succeeded(day, typed(6)).edit(typed(nan(), statistic(holdDeviation, math.Log(23)))),
			map[int]float64{BehTypingRatio: none, BehTypingKnown: none, BehTypingReplayed: none, BehDwellSpreadMS: 20}},
		// The mean goes four fifths of the way from 0 to ten units.
		{"typed as once before", with(atHome()).succeeded(day, typed(6)).edit(typed(6, statistic(0, 1))),
			map[int]float64{BehTypingRatio: ratioByHand(10, 8), BehTypingKnown: 1, BehTypingReplayed: 0}},
		{"typed by another", with(atHome()).succeeded(day, typed(6)).edit(typed(3)), map[int]float64{BehTypingRatio: ratioByHand(-20, 8), BehTypingKnown: 1}},
		{"typed on another class of device", with(atHome()).succeeded(day, typed(6)).edit(typed(6, phone)),
			map[int]float64{BehTypingRatio: none, BehTypingKnown: 0, BehTypingReplayed: none}},
		{"without a table speed and repetition are known", atHome().succeeded(3*day, typed(4.9)).succeeded(2*day, typed(5.1)).edit(typed(4.9)),
			map[int]float64{BehTypingRatio: none, BehTypingKnown: none, BehTypingReplayed: 1, BehTypingVelocityPct: 0.841345}},
		{"slower than most", before().edit(typed(5.2)), map[int]float64{BehTypingVelocityPct: 0.02275, BehTypingKnown: 2}}, // two deviations
		{"a replay", with(atHome()).succeeded(day, typed(6)).succeeded(time.Hour, typed(5.9)).edit(typed(6)), map[int]float64{BehTypingReplayed: 1, BehTypingKnown: 2}},
		{"a replay of the last but three", with(atHome()).succeeded(4*day, typed(6)).succeeded(3*day, typed(5.9)).succeeded(2*day, typed(5.8)).succeeded(day, typed(5.7)).edit(typed(6)),
			map[int]float64{BehTypingReplayed: 0, BehTypingKnown: 4}},
		{"what failed teaches nothing", with(atHome()).failed(day, typed(6)).edit(typed(6)), map[int]float64{BehTypingKnown: 0, BehTypingReplayed: none}},
		{"a client's server types nothing", with(atHome()).succeeded(day, typed(6, unattended)).edit(typed(6)), map[int]float64{BehTypingKnown: 0}},
		// By hand: with half a success of either answer more, of one there are 1.5 of 2, of three 0.5 of 4.
		{"filled in as never before", atHome().succeeded(day, filled(true, false)).edit(filled(false, true)), map[int]float64{BehPasswordManagerUnusual: 0.75, BehPasteUnusual: 0.75}},
		{"filled in as always", atHome().succeeded(3*day, filled(true, false)).succeeded(2*day, filled(true, false)).succeeded(day, filled(true, false)).edit(filled(true, false)),
			map[int]float64{BehPasswordManagerUnusual: 0.125, BehPasteUnusual: 0.125}},
		{"nothing said of the form before", atHome().succeeded(day).edit(filled(true, true)), map[int]float64{BehPasswordManagerUnusual: none, BehPasteUnusual: none}},
		{"nothing said of the form now", atHome().succeeded(day, filled(true, true)), map[int]float64{BehPasswordManagerUnusual: none, BehPasteUnusual: none}},
		{"a script", atHome().edit(typed(4.6, statistic(holdDeviation, math.Log(3)), statistic(gapDeviation, math.Log(5.5)), statistic(corrections, 0))),
			map[int]float64{BehDwellSpreadMS: 0, BehRhythmVariance: 0.5, BehBackspaceShare: 0}},
		{"a person", atHome().edit(typed(5, statistic(holdDeviation, math.Log(33)), statistic(gapDeviation, math.Log(95)), statistic(corrections, 0.2))),
			map[int]float64{BehDwellSpreadMS: 30, BehRhythmVariance: 90, BehBackspaceShare: 0.04}},
		{"statistics beyond all reason", atHome().edit(typed(5, statistic(holdDeviation, 1e9), statistic(gapDeviation, -1e9), statistic(corrections, -1e9))),
			map[int]float64{BehDwellSpreadMS: none, BehRhythmVariance: 0, BehBackspaceShare: none}},
	}
}

// TestTypedAgain: a challenged attempt that is made again comes with what the page
// measured the first time, which is no replay.
func TestTypedAgain(t *testing.T) {
	s := atHome().succeeded(time.Minute, typed(6)).edit(typed(6))
	var tr Trace
	Describe(&tr, &s.a, &s.o, hasher)
	DescribeTyping(&tr, &s.a, &s.o, nil, hasher)
	for _, resumed := range []bool{false, true} {
		tr.Resumed = resumed
		var v Vector
		Extract(&v, &s.a, &s.o, &tr, s.profile(&tr))
		if got := v[BehTypingReplayed] == 1; got == resumed {
			t.Errorf("resumed %v: replayed is %v", resumed, v[BehTypingReplayed])
		}
	}
}

// TestTypists: two classes of device are known, of a third the one used longest ago
// gives way; the other traits stay as they are.
func TestTypists(t *testing.T) {
	s := atHome()
	var u, plain User
	for i, class := range []signals.DeviceClass{signals.Desktop, signals.Mobile, signals.Desktop, signals.Tablet} {
		with := func(_ *signals.Attempt, o *signals.Observation) { o.Agent.Class = class }
		tr := s.trace(time.Duration(9-i)*day, Allowed, []edit{typed(5), with})
		m := MomentOf(tr.Time)
		u.Succeed(&tr, &m)
		tr.Rhythm = Rhythm{}
		plain.Succeed(&tr, &m)
		if !u.Valid() {
			t.Fatal("not valid")
		}
		if grown := u.Size() - plain.Size(); grown != typistSlots*slotBytes*min(i+1, 2) {
			t.Errorf("after %d classes a user is %d bytes longer", i+1, grown)
		}
	}
	if u.typist(signals.Mobile) != nil || u.typist(signals.Desktop) == nil || u.typist(signals.Tablet) == nil {
		t.Error("the wrong class of device was forgotten")
	}
	for tr := range ofRhythm {
		if got, want := u.of(tr), plain.of(tr); len(got) != len(want) || len(got) > 0 && got[0] != want[0] {
			t.Errorf("trait %d is %v, without typing %v", tr, got, want)
		}
	}
	u.end[ofRhythm]--
	if u.Valid() {
		t.Error("half a typist is valid")
	}
}

// TestHabit: what a user no longer does fades.
func TestHabit(t *testing.T) {
	var h habit
	for range 1000 {
		h.learn(FillTold|Filled, FillTold, Filled)
	}
	before := h.against(FillTold, FillTold, Filled)
	for range 100 {
		h.learn(FillTold, FillTold, Filled)
	}
	if after := h.against(FillTold, FillTold, Filled); before < 0.95 || after > 0.3 {
		t.Errorf("not filled in: %v of 1,000 were otherwise, %v after 100 like it", before, after)
	}
	if h.learn(0, FillTold, Filled); h.told > 64 {
		t.Errorf("%d answers are counted", h.told)
	}
}
