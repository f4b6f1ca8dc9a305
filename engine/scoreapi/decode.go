package scoreapi

import (
	"math"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/waryauth/wary/signals"
)

// Attempt reads the body of POST /v1/score into a, which is Reset first. Its
// strings point into the body or into the Decoder and live until the body is used
// again or the Decoder is. A nil problem means that a is as the contract wants it;
// otherwise a is not to be used.
func (d *Decoder) Attempt(a *signals.Attempt, body []byte) *Problem {
	a.Reset()
	if len(body) > MaxBody {
		return d.tooLarge()
	}
	document(d, a, attemptShape, body)
	v := &a.Device
	d.together("/device/latitude", v.Latitude.Set, "/device/longitude", v.Longitude.Set)
	return d.problem()
}

// Unknown returns how many members of the last document the contract does not
// know. They were ignored.
func (d *Decoder) Unknown() int { return d.unknown }

func (d *Decoder) tooLarge() *Problem {
	d.reset(nil)
	return &Problem{Title: "Content too large", Status: 413, Detail: "A document is at most 64 KiB."}
}

// problem says why the document is refused; nil if it is not.
func (d *Decoder) problem() *Problem {
	switch n := len(d.errors); {
	case d.malformed != "":
		return &Problem{Title: "Malformed JSON", Status: 400, Detail: "At byte " + strconv.Itoa(d.offset) + ": " + d.malformed + "."}
	case n == 0:
		return nil
	case d.more:
		return &Problem{Title: invalid, Status: 400, Detail: "More than " + strconv.Itoa(n) + " fields are not valid; the first are named.", Errors: d.errors}
	case n == 1:
		return &Problem{Title: invalid, Status: 400, Detail: "1 field is not valid.", Errors: d.errors}
	default:
		return &Problem{Title: invalid, Status: 400, Detail: strconv.Itoa(n) + " fields are not valid.", Errors: d.errors}
	}
}

const invalid = "Invalid request"

// together reports the one of two fields that is missing while the other stands.
func (d *Decoder) together(one string, hasOne bool, other string, hasOther bool) {
	if hasOne == hasOther || d.reported(one) || d.reported(other) {
		return
	}
	if hasOne {
		one, other = other, one
	}
	d.report(one, isRequired+" where "+other+" stands")
}

// reported tells whether something is known to be wrong with a field.
func (d *Decoder) reported(pointer string) bool {
	for i := range d.errors {
		if d.errors[i].Pointer == pointer {
			return true
		}
	}
	return false
}

func checkIP(s string) (want string) {
	if ip, err := netip.ParseAddr(s); err != nil || ip.Zone() != "" {
		return "an IPv4 or IPv6 address without a zone"
	}
	return ""
}

func checkCurrency(s string) (want string) {
	if !isUpper(s, 3) {
		return "a currency of ISO 4217: three capital letters"
	}
	return ""
}

func checkCountry(s string) (want string) {
	if !isUpper(s, 2) {
		return "a country of ISO 3166-1: two capital letters"
	}
	return ""
}

func isUpper(s string, n int) bool {
	if len(s) != n {
		return false
	}
	for i := range n {
		if s[i]-'A' >= 26 {
			return false
		}
	}
	return true
}

// parseTime reads a time of RFC 3339 since 1970 as UTC, digits after the
// nanoseconds dropped. Letters are capitals and there are no leap seconds. It
// never allocates, as time.Parse does for every zone but Z.
func parseTime(s string) (time.Time, bool) {
	if len(s) < len("2006-01-02T15:04:05Z") || s[4] != '-' || s[7] != '-' || s[10] != 'T' || s[13] != ':' || s[16] != ':' {
		return time.Time{}, false
	}
	century, year, month, day := pair(s, 0), pair(s, 2), pair(s, 5), pair(s, 8)
	hour, minute, second := pair(s, 11), pair(s, 14), pair(s, 17)
	if century > 99 || year > 99 || month < 1 || month > 12 || day < 1 || day > 31 || hour > 23 || minute > 59 || second > 59 {
		return time.Time{}, false
	}
	nanos, zone := 0, s[19:]
	if zone[0] == '.' {
		i := 1
		for scale := 100_000_000; i < len(zone) && zone[i]-'0' < 10; i++ {
			nanos += int(zone[i]-'0') * scale
			scale /= 10
		}
		if zone = zone[i:]; i == 1 || zone == "" {
			return time.Time{}, false
		}
	}
	t := time.Date(century*100+year, time.Month(month), day, hour, minute, second, nanos, time.UTC)
	if day > 28 && t.Day() != day {
		return time.Time{}, false
	}
	if zone != "Z" {
		if len(zone) != len("+00:00") || zone[0] != '+' && zone[0] != '-' || zone[3] != ':' || pair(zone, 1) > 23 || pair(zone, 4) > 59 {
			return time.Time{}, false
		}
		east := time.Duration(pair(zone, 1))*time.Hour + time.Duration(pair(zone, 4))*time.Minute
		if zone[0] == '-' {
			east = -east
		}
		t = t.Add(-east)
	}
	if t.Unix() < 0 {
		return time.Time{}, false
	}
	return t, true
}

// pair returns the two digits at i, or 100 where they are none.
func pair(s string, i int) int {
	a, b := s[i]-'0', s[i+1]-'0'
	if a > 9 || b > 9 {
		return 100
	}
	return int(a)*10 + int(b)
}

// maxDigits of a decimal number.
const maxDigits = 18

// parseDecimal reads digits, with a point and more digits perhaps.
func parseDecimal(s string) (float64, bool) {
	whole, fraction, point := strings.Cut(s, ".")
	digits := len(whole) + len(fraction)
	if whole == "" || point && fraction == "" || digits > maxDigits {
		return 0, false
	}
	var m uint64
	for i := range len(s) {
		if i == len(whole) {
			continue // the point
		}
		if s[i]-'0' > 9 {
			return 0, false
		}
		m = m*10 + uint64(s[i]-'0')
	}
	if m <= 1<<53 {
		return float64(m) / powers[len(fraction)], true
	}
	f, err := strconv.ParseFloat(s, 64)
	return f, err == nil
}

// readRhythm reads the statistics of a typed text, null where there are none.
func readRhythm(d *Decoder, a *signals.Attempt) {
	k := &a.Behaviour.Keys
	if !d.array("an array of 78 numbers or nulls") {
		return
	}
	n, measured := 0, 0
	for ; d.another(']', n == 0); n++ {
		d.path[d.depth-1].index = int32(n)
		v := float32(math.NaN())
		if d.peek() == 'n' {
			d.literal("null")
		} else if f, ok := d.numberIn(inRhythm); ok {
			v = float32(f)
			measured++
		}
		if n < len(k.Rhythm) {
			k.Rhythm[n] = v
			more := d.shortNumbers(k.Rhythm[n+1:]) // none is beyond the range
			n, measured = n+more, measured+more
		}
	}
	if n != signals.RhythmSlots {
		d.fail("must be an array of 78 numbers or nulls")
	}
	k.RhythmSet = measured > 0
	if !k.RhythmSet {
		k.Rhythm = [signals.RhythmSlots]float32{}
	}
}

// readSpeed reads three quantiles.
func readSpeed(d *Decoder, a *signals.Attempt) {
	var v [3]float64
	if !d.array("an array of 3 numbers") {
		return
	}
	n := 0
	for ; d.another(']', n == 0); n++ {
		d.path[d.depth-1].index = int32(n)
		if f, ok := d.numberIn(inSpeed); ok && n < len(v) {
			v[n] = f
		}
	}
	if n != len(v) {
		d.fail("must be an array of 3 numbers")
	}
	a.Behaviour.Pointer.SpeedPXS = signals.Some(v)
}

// readDetails reads RFC 9396 authorization details.
func readDetails(d *Decoder, a *signals.Attempt) {
	if !d.array("an array of objects") {
		return
	}
	n := 0
	for ; d.another(']', n == 0); n++ {
		d.path[d.depth-1].index = int32(n)
		switch {
		case n >= signals.MaxDetails:
			d.skip()
		case d.peek() != '{':
			d.wrong("an object")
		default:
			a.Intent.Details = append(a.Intent.Details, d.detail())
		}
	}
	d.atMost(signals.MaxDetails, n, "entries")
}

// detail reads one of them: its type, and every member's name once.
func (d *Decoder) detail() signals.Detail {
	start := d.at
	if !d.enter() {
		return signals.Detail{}
	}
	var names memberNames
	kind, ok := "", true
	for first := true; d.another('}', first); first = false {
		name := d.name()
		switch {
		case !names.add(&d.names, name):
			d.fail(twice)
			d.skip()
		case name == "type" && d.peek() != 'n':
			kind, ok = d.string(maxText)
		default:
			d.skip()
		}
	}
	if ok && kind == "" {
		d.report(d.pointer()+"/type", isRequired)
	}
	return signals.Detail{Type: kind, Raw: d.text[start:d.at]}
}

// readExternal reads numbers by names; null is absent, and so is an empty name.
func readExternal(d *Decoder, a *signals.Attempt) {
	if d.peek() != '{' {
		d.wrong("an object of numbers")
		return
	}
	if !d.enter() {
		return
	}
	var names memberNames
	n := 0
	for first := true; d.another('}', first); first = false {
		name := d.name()
		switch {
		case !names.add(&d.names, name):
			d.fail(twice)
			d.skip()
			continue
		case len(name) > maxText:
			d.depth--
			d.fail("has a name longer than 1024 bytes")
			d.depth++
		}
		if d.peek() == 'n' {
			d.literal("null")
			continue
		}
		v, ok := d.numberIn(inExternal)
		if n++; ok && name != "" && n <= signals.MaxExternal {
			a.External = append(a.External, signals.External{Name: name, Value: v})
		}
	}
	d.atMost(signals.MaxExternal, n, "members")
}
