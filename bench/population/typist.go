package population

import (
	"math"

	"github.com/waryauth/wary/signals/typing"
)

// hand is how one person types on one kind of keyboard: a parametric stand-in for
// a typist. Logarithms of latencies (press to press) and of holds are normal, round
// means of the person, with deviations of the person for each pair of keys and each
// key, of the day, and of the single press.
//
// Between people, keyboards are those of Dhakal, Feit, Kristensson and Oulasvirta,
// "Observations on Typing from 136 Million Keystrokes", CHI 2018: latency 239 ms
// (SD 112), hold 116 ms (SD 24), one press in four rolled over, 6 % of keys
// corrections, alternating hands faster than one hand, one finger slowest. Touch
// screens are those of Palin, Feit, Kim, Kristensson and Oulasvirta, "How do People
// Type on Mobile Devices?", MobileHCI 2019: 36.2 words a minute (SD 13.2), which is
// 331 ms; what a touch is held for is an assumption. Within a person the deviations
// are such that 24 keys tell people apart as well as they do in published work with
// short texts, about one error in ten (Killourhy and Maxion, DSN 2009: 9.6 % at best
// with a password of ten characters).
type hand struct {
	latency, hold float64 // mean logarithms, of milliseconds
	unsteady      float64 // deviation of a single latency
	slips         float64 // share of keys that are corrected
	seed          uint64  // of what is particular about each key and pair
	recording     int     // of Options.Typists
	pointer       float64 // median speed of a pointer, pixels a second (an assumption)
}

// Deviations of logarithms.
const (
	latencySpread, holdSpread = 0.445, 0.203 // between people: 112 of 239 ms and 24 of 116 ms
	touchSpread               = 0.35         // 13.2 of 36.2 words a minute
	pairSpread, keySpread     = 0.22, 0.10   // of a person's pairs and keys
	dayLatency, dayHold       = 0.10, 0.06   // from one login to another
	pressHold                 = 0.17         // from press to press
	driftLatency, driftHold   = 0.010, 0.006 // what stays of each login: people change
)

func (r *run) newHand(touch bool) *hand {
	h := &hand{
		latency:  math.Log(238.7) - latencySpread*latencySpread/2 - 0.12, // less than the mean: pauses and slow pairs come on top
		hold:     math.Log(116) - holdSpread*holdSpread/2,
		unsteady: r.logNormal(0.30, 0.25),
		slips:    min(r.logNormal(0.055, 0.5), 0.2),
		seed:     r.Uint64(),
		pointer:  r.logNormal(450, 0.35),
	}
	spread := latencySpread
	if touch {
		h.latency, h.hold, spread = math.Log(331)-touchSpread*touchSpread/2-0.12, math.Log(85), touchSpread
	}
	h.latency += spread * r.NormFloat64()
	h.hold += holdSpread * r.NormFloat64()
	if len(r.Typists) > 0 {
		h.recording = r.IntN(len(r.Typists))
	}
	return h
}

// hands are those of one person: on a keyboard and on a touch screen.
type hands [2]*hand

func (r *run) newHands() hands { return hands{r.newHand(false), r.newHand(true)} }

func (h *hands) on(d *device) *hand {
	if d.handheld() {
		return h[1]
	}
	return h[0]
}

// letters are the codes of keys, by letter.
const letters = "abcdefghijklmnopqrstuvwxyz"

// newText draws what a person types at a login: a name and a password. Letters are
// their numbers, digits what lies beyond.
func (r *run) newText() []byte {
	text := make([]byte, 5+r.IntN(6)+8+r.IntN(6))
	for i := range text {
		text[i] = byte(r.IntN(26))
		if r.chance(0.12) {
			text[i] = 26 + byte(r.IntN(10))
		}
	}
	return text
}

// typeText fills r.keys.
func (r *run) typeText(h *hand, text []byte) {
	r.keys = r.keys[:0]
	pace, press := dayLatency*r.NormFloat64(), dayHold*r.NormFloat64()
	h.latency += driftLatency * r.NormFloat64()
	h.hold += driftHold * r.NormFloat64()
	at := 0.0
	strike := func(last, c byte) {
		if len(r.keys) > 0 {
			at += math.Exp(h.latency + pace + h.ofPair(last, c) + h.unsteady*r.NormFloat64())
			if r.chance(0.025) {
				at += r.logNormal(900, 0.7) // looks, thinks
			}
		}
		held := math.Exp(h.hold + press + keySpread*h.own(uint64(c)) + pressHold*r.NormFloat64())
		r.keys = append(r.keys, typing.Key{Press: math.Round(at), Release: math.Round(at + max(held, 1)), Code: codeOf(c)})
	}
	const backspace = 40
	last := byte(0)
	for _, c := range text {
		if r.chance(h.slips) {
			strike(last, (c+1)%26)
			strike(c, backspace)
			last = backspace
		}
		strike(last, c)
		last = c
	}
}

// typeScript fills r.keys as a program does: even, or evenly random, and faster
// than a finger comes up again.
func (r *run) typeScript(text []byte) {
	r.keys = r.keys[:0]
	step := float64([...]int{1, 10, 50, 100}[r.IntN(4)])
	jitter := 0.0
	if r.chance(0.4) {
		jitter = step / 2
	}
	at, held := 0.0, float64(r.IntN(2)*r.IntN(30))
	for _, c := range text {
		at += step + r.between(-jitter, jitter) + r.Float64() // a timer is never quite on time
		r.keys = append(r.keys, typing.Key{Press: at, Release: at + held + r.Float64(), Code: codeOf(c)})
	}
}

func codeOf(c byte) string {
	switch {
	case c < 26:
		return letters[c : c+1]
	case c < 36:
		return "0"
	}
	return "BKSP"
}

// ofPair is how much longer or shorter than the person's mean a pair of keys takes:
// what the pair costs everybody, and what is this person's own.
func (h *hand) ofPair(a, b byte) float64 {
	common := 0.0
	switch fa, fb := fingerOf(a), fingerOf(b); {
	case a == b:
		common = -0.15
	case fa == fb:
		common = 0.2
	case fa/4 != fb/4:
		common = -0.1
	}
	return common + pairSpread*h.own(uint64(a)<<8|uint64(b)|1<<20)
}

// fingerOf returns which of ten-finger typing's eight fingers strikes a letter;
// others are the right little finger's.
func fingerOf(c byte) int {
	const fingers = "03222334545644670313431140" // a to z on QWERTY, little finger of the left hand first
	if c < 26 {
		return int(fingers[c] - '0')
	}
	return 7
}

// own returns a normal deviate that is the person's for a thing, always the same:
// the sum of twelve even ones.
func (h *hand) own(thing uint64) float64 {
	x := (h.seed ^ thing*0x9e3779b97f4a7c15) * 0xbf58476d1ce4e5b9
	sum := 0.0
	for range 3 {
		x ^= x >> 31
		x *= 0x94d049bb133111eb
		for part := range 4 {
			sum += float64(x>>(16*part)&0xffff) / 65536
		}
	}
	return sum - 6
}
