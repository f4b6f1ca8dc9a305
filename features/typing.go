package features

import (
	"encoding/binary"
	"math"
	"unsafe"

	"github.com/waryauth/wary/signals"
	"github.com/waryauth/wary/signals/typing"
)

// Rhythm is how what came with an attempt was typed. The zero Rhythm is none: nothing
// was typed by the person, or too little to measure.
type Rhythm struct {
	At    typing.Embedding // zero without a table
	Class signals.DeviceClass
	Mark  uint32  // hash of the summary, not 0
	Pace  float32 // logarithm of the median latency in milliseconds, above 0
}

// Fields of a typing.Summary that are read by themselves.
const (
	medianLatency = 63 // log(ms)
	holdDeviation = 66 // log(ms + 3)
	gapDeviation  = 67 // of flights, log(ms + 5)
	corrections   = 69 // square root of the share
)

// DescribeTyping completes a trace by how what came with its attempt was typed or
// filled in: of a rhythm, if the page measured at least five keys. table may be nil:
// then only a rhythm's speed and repetition are known.
func DescribeTyping(t *Trace, a *signals.Attempt, o *signals.Observation, table *typing.Table, h Hasher) {
	k := &a.Behaviour.Keys
	t.Flags |= told(k.Autofilled, FillTold, Filled) | told(k.Pasted, PasteTold, Pasted)
	pace := k.Rhythm[medianLatency]
	if !k.RhythmSet || t.Flags&Unattended != 0 || t.User == 0 || !(pace > 0 && pace <= slowestPace) {
		return
	}
	t.Rhythm.Class, t.Rhythm.Pace = o.Agent.Class, pace
	var b [4 * signals.RhythmSlots]byte
	for i, x := range k.Rhythm {
		bits := uint32(0x7fc00000) // every NaN is one
		if x == x {
			bits = math.Float32bits(x)
		}
		binary.LittleEndian.PutUint32(b[4*i:], bits)
	}
	t.Rhythm.Mark = short(h.bytes(KindRhythm, b[:]))
	if table != nil {
		table.Embed(&t.Rhythm.At, (*typing.Summary)(&k.Rhythm))
	}
}

func told(answer signals.Opt[bool], set, yes TraceFlags) (f TraceFlags) {
	if answer.Set {
		f = set
	}
	if answer.Set && answer.Value {
		f |= yes
	}
	return f
}

// habit counts how a user's successes answered a question. Old answers fade: at 64
// both counts are halved.
type habit struct{ told, yes uint16 }

func (h *habit) learn(f, set, yes TraceFlags) {
	if f&set == 0 {
		return
	}
	if h.told == 64 {
		h.told, h.yes = h.told/2, h.yes/2
	}
	h.told++
	if f&yes != 0 {
		h.yes++
	}
}

// against returns the share of the successes that answered otherwise than the attempt,
// as if there had been half a success of either answer more; NaN where the attempt
// does not answer or nothing is known.
func (h habit) against(f, set, yes TraceFlags) float32 {
	if f&set == 0 || h.told == 0 {
		return nan()
	}
	other := h.told - h.yes
	if f&yes == 0 {
		other = h.yes
	}
	return (float32(other) + 0.5) / (float32(h.told) + 1)
}

// lacking returns the share of the successes that answered yes where the attempt does
// not, as if there had been one more that did not, and 0 where it does; NaN where the
// attempt does not answer or nothing is known.
func (h habit) lacking(f, set, yes TraceFlags) float32 {
	switch {
	case f&set == 0 || h.told == 0:
		return nan()
	case f&yes != 0:
		return 0
	}
	return float32(h.yes) / (float32(h.told) + 1)
}

// slowestPace is the logarithm of a second: longer latencies are pauses, and not in
// the median.
const slowestPace = 6.9078

// typist is how a user types on one class of device. It takes the place of
// typistSlots slots among the user's traits.
type typist struct {
	profile typing.Profile
	day     uint16 // of the last success with a rhythm, days since 1970
	class   signals.DeviceClass
	_       uint8
	pace    moments
	marks   [3]uint32 // of the summaries of the last successes
}

const (
	typistSlots = 8
	mostTypists = 2 // a computer and a phone
)

// A typist of another size does not compile.
const _ = -(unsafe.Sizeof(typist{}) ^ typistSlots*slotBytes)

// typist returns how the user types on a class of device, nil where that is not known.
func (u *User) typist(class signals.DeviceClass) *typist {
	slots := u.of(ofRhythm)
	for i := 0; i < len(slots); i += typistSlots {
		if p := typistAt(slots[i:]); p.class == class {
			return p
		}
	}
	return nil
}

// typistAt returns the typist whose slots these begin with.
func typistAt(slots []slot) *typist {
	return (*typist)(unsafe.Pointer((*[typistSlots]slot)(slots)))
}

// learnRhythm learns from a success. Who types on more classes of device than are
// kept is forgotten on the one that was used longest ago.
func (u *User) learnRhythm(t *Trace, day uint16) {
	r := &t.Rhythm
	if r.Mark == 0 {
		return
	}
	p := u.typist(r.Class)
	if p == nil {
		p = u.newTypist()
		*p = typist{class: r.Class}
	}
	p.profile.Update(&r.At, r.Mark)
	p.pace.add(r.Pace)
	p.day = max(p.day, day)
	if !p.saw(r.Mark) {
		copy(p.marks[1:], p.marks[:])
		p.marks[0] = r.Mark
	}
}

// newTypist returns room for one: of its own, or the one that was used longest ago.
func (u *User) newTypist() *typist {
	slots := u.of(ofRhythm)
	if len(slots) < mostTypists*typistSlots {
		return typistAt(u.open(ofRhythm, typistSlots))
	}
	oldest := typistAt(slots)
	for i := typistSlots; i < len(slots); i += typistSlots {
		if p := typistAt(slots[i:]); p.day < oldest.day {
			oldest = p
		}
	}
	return oldest
}

func (p *typist) saw(mark uint32) bool {
	for _, m := range p.marks {
		if m == mark {
			return true
		}
	}
	return false
}

// leastPace is the least deviation that a user's speed is taken to have: a twentieth.
const leastPace = 0.05

func extractTyping(v *Vector, x *input) {
	k := &x.a.Behaviour.Keys
	v[BehPasswordManagerUnusual] = x.p.User.filled.against(x.t.Flags, FillTold, Filled)
	v[BehPasteUnusual] = x.p.User.pasted.against(x.t.Flags, PasteTold, Pasted)
	if k.RhythmSet {
		v[BehDwellSpreadMS] = milliseconds(k.Rhythm[holdDeviation], 3)
		v[BehRhythmVariance] = milliseconds(k.Rhythm[gapDeviation], 5)
		if c := k.Rhythm[corrections]; c >= 0 && c <= 1 {
			v[BehBackspaceShare] = c * c
		}
	}
	r := &x.t.Rhythm
	if r.Mark == 0 {
		return
	}
	p := x.p.User.typist(r.Class)
	if r.At.Table != 0 {
		v[BehTypingKnown] = 0
	}
	if p == nil {
		return
	}
	if p.profile.Knows(&r.At) {
		v[BehTypingKnown] = float32(p.profile.Count)
		v[BehTypingRatio] = p.profile.LLR(&r.At)
	}
	if !x.t.Resumed { // a challenged attempt made again comes with the same page's summary
		v[BehTypingReplayed] = one(p.saw(r.Mark))
	}
	if z := p.pace.z(r.Pace, leastPace); z == z {
		v[BehTypingVelocityPct] = float32(math.Erfc(float64(z)/math.Sqrt2) / 2) // a longer latency is a lower speed
	}
}

// milliseconds undoes the logarithm of a spread, to which so much was added; NaN
// where it is missing or out of all reason.
func milliseconds(x float32, added float64) float32 {
	ms := math.Exp(float64(x)) - added
	if !(ms < 1e6) {
		return nan()
	}
	return float32(max(ms, 0))
}
