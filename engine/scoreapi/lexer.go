package scoreapi

import (
	"encoding/binary"
	"math/bits"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
	"unsafe"
)

// Limits of a document; its size is MaxBody, and lists have theirs in signals.
const (
	maxDepth    = 8    // of objects and arrays; the root is depth 1
	maxText     = 1024 // bytes of a decoded string
	maxLongText = 4096 // of those that are long by nature
	maxErrors   = 16   // named in one problem
)

// Decoder reads the documents of the score API: strict JSON (RFC 8259) and the
// rules of the contract. It holds the memory of one request: what strings with
// escapes decode to, and the names used in objects that the contract does not
// know. The zero value is ready; after the first requests nothing is allocated
// for a valid one. Not safe for concurrent use; pool it.
//
// What is malformed ends the reading (stop). What is wrong with one field is
// noted (fail) and reading goes on, so that one problem names all of them.
type Decoder struct {
	body  []byte
	text  string // the same bytes
	at    int    // the next byte; the end once malformed
	depth int
	path  [maxDepth]step // path[:depth] leads to the value being read

	escaped []byte // decoded strings, never moved while a document is read
	names   nameSet
	unknown int

	malformed string // why reading stopped
	offset    int
	errors    []FieldError
	more      bool // than errors holds
}

// step leads from a value into one of its members or elements.
type step struct {
	name  string
	index int32 // of an array's element; -1 for an object's member
}

func (d *Decoder) reset(body []byte) {
	d.body, d.text, d.at, d.depth = body, unsafe.String(unsafe.SliceData(body), len(body)), 0, 0
	d.escaped = d.escaped[:0]
	d.names.reset()
	d.unknown = 0
	d.malformed, d.offset, d.errors, d.more = "", 0, nil, false
}

// stop ends the reading of a malformed document: no byte follows any more, so
// that every loop ends. The first reason counts.
func (d *Decoder) stop(why string) {
	if d.malformed == "" {
		d.malformed, d.offset = why, d.at
		d.at = len(d.body)
	}
}

// fail notes what is wrong with the value that path leads to.
func (d *Decoder) fail(detail string) {
	if d.more = d.more || len(d.errors) == maxErrors; !d.more {
		d.report(d.pointer(), detail)
	}
}

func (d *Decoder) report(pointer, detail string) {
	if d.more = d.more || len(d.errors) == maxErrors; d.more {
		return
	}
	d.errors = append(d.errors, FieldError{Pointer: pointer, Detail: detail})
}

// wrong notes that the value is not of its type, and reads over it.
func (d *Decoder) wrong(want string) {
	d.fail("must be " + want)
	d.skip()
}

// pointer is path as RFC 6901 writes it. Names of the caller's own that would
// make it too long are left out with all that is in them.
func (d *Decoder) pointer() string {
	const maxName, maxPointer = 128, 1000
	var b []byte
	for _, s := range d.path[:d.depth] {
		if s.index >= 0 {
			b = strconv.AppendInt(append(b, '/'), int64(s.index), 10)
			continue
		}
		if len(s.name) > maxName || len(b)+2*len(s.name) > maxPointer {
			break
		}
		b = append(b, '/')
		for _, c := range []byte(s.name) {
			switch c {
			case '~':
				b = append(b, "~0"...)
			case '/':
				b = append(b, "~1"...)
			default:
				b = append(b, c)
			}
		}
	}
	return string(b)
}

// peek passes over white space and returns the next byte, 0 at the end.
func (d *Decoder) peek() byte {
	if d.at < len(d.body) && d.body[d.at] > ' ' {
		return d.body[d.at]
	}
	return d.space()
}

func (d *Decoder) space() byte {
	for ; d.at < len(d.body); d.at++ {
		switch c := d.body[d.at]; c {
		case ' ', '\t', '\n', '\r':
		default:
			return c
		}
	}
	return 0
}

// enter steps into the object or array whose bracket is next.
func (d *Decoder) enter() bool {
	if d.depth == maxDepth {
		d.stop("objects and arrays are nested more than 8 deep")
		return false
	}
	d.path[d.depth] = step{index: -1}
	d.depth++
	d.at++
	return true
}

// another reports whether a member or element follows, before which the comma is
// read unless it is the first, and otherwise leaves the object or array.
func (d *Decoder) another(end byte, first bool) bool {
	switch c := d.peek(); {
	case c == end:
		d.at++
	case first:
		return true
	case c == ',':
		d.at++
		return true
	case end == '}':
		d.stop("a comma or a closing brace is expected")
	default:
		d.stop("a comma or a closing bracket is expected")
	}
	d.depth--
	return false
}

// name reads a member's name and the colon after it.
func (d *Decoder) name() string {
	if d.peek() != '"' {
		d.stop("a member's name is expected")
		return ""
	}
	s, bad := d.quoted()
	if bad != "" {
		d.depth--
		d.fail("has a member whose name " + bad)
		d.depth++
	}
	d.path[d.depth-1].name = s
	d.colon()
	return s
}

func (d *Decoder) colon() {
	if d.peek() != ':' {
		d.stop("a colon is expected")
		return
	}
	d.at++
}

// literal reads null, true or false.
func (d *Decoder) literal(word string) {
	end := d.at + len(word)
	if end > len(d.text) || d.text[d.at:end] != word {
		d.stop("a value is expected")
		return
	}
	d.at = end
}

// skip reads over any value. It is held to the same rules: form, depth, what a
// string may hold, finite numbers, every name once.
func (d *Decoder) skip() {
	switch c := d.peek(); {
	case c == '"':
		if _, bad := d.quoted(); bad != "" {
			d.fail(bad)
		}
	case c == '{':
		d.skipObject()
	case c == '[':
		if d.enter() {
			for n := int32(0); d.another(']', n == 0); n++ {
				d.path[d.depth-1].index = n
				d.skip()
			}
		}
	case c == '-' || c-'0' < 10:
		if _, ok := d.number(); !ok {
			d.fail("must be a finite number")
		}
	case c == 't':
		d.literal("true")
	case c == 'f':
		d.literal("false")
	default:
		d.literal("null")
	}
}

func (d *Decoder) skipObject() {
	if !d.enter() {
		return
	}
	var names memberNames
	for first := true; d.another('}', first); first = false {
		if !names.add(&d.names, d.name()) {
			d.fail(twice)
		}
		d.skip()
	}
}

// What may be wrong with any field.
const (
	twice       = "is used twice"
	isRequired  = "is required"
	hasControl  = "has a control character"
	hasLone     = "has half of a surrogate pair"
	isNotUTF8   = "is not UTF-8"
	noEnd       = "a string does not end"
	wrongEscape = "an escape is not one of JSON"
)

const (
	ones  = 0x0101010101010101
	highs = 0x8080808080808080
)

// special marks, with its highest bit, the first byte of x (the lowest) that does
// not stand for itself in a string: quotes, backslashes, control characters and
// what is not ASCII. Higher bytes may be marked wrongly.
func special(x uint64) uint64 {
	quote, backslash, del := x^ones*'"', x^ones*'\\', x^ones*0x7f
	return (x | (x-ones*0x20)&^x | (quote-ones)&^quote | (backslash-ones)&^backslash | (del-ones)&^del) & highs
}

// quoted reads the string whose quote is next. bad says what no string may hold;
// such a string is read to its end. Eight bytes at a time make BenchmarkDecode 1.3
// times faster.
func (d *Decoder) quoted() (s, bad string) {
	start := d.at + 1
	i := start
	for ; i+8 <= len(d.body); i += 8 {
		m := special(binary.LittleEndian.Uint64(d.body[i:]))
		if m == 0 {
			continue
		}
		i += bits.TrailingZeros64(m) >> 3
		if d.body[i] == '"' {
			d.at = i + 1
			return d.text[start:i], ""
		}
		break
	}
	return d.quotedSlowly(start, i)
}

// quotedSlowly goes on at i with a string that began at start and has only
// characters that stand for themselves before i.
func (d *Decoder) quotedSlowly(start, i int) (s, bad string) {
	from := i
	plain := start // what is not in escaped yet
	for i < len(d.body) {
		switch c := d.body[i]; {
		case c == '"':
			d.at = i + 1
			if plain == start {
				return d.text[start:i], bad
			}
			d.escaped = append(d.escaped, d.body[plain:i]...)
			return unsafe.String(unsafe.SliceData(d.escaped[from:]), len(d.escaped)-from), bad
		case c == '\\':
			if plain == start {
				from = d.room()
			}
			d.escaped = append(d.escaped, d.body[plain:i]...)
			r, n := unescape(d.body[i:])
			if n == 0 {
				d.at = i
				d.stop(wrongEscape)
				return "", wrongEscape
			}
			switch {
			case utf16.IsSurrogate(r):
				bad = hasLone
			case isControl(r):
				bad = hasControl
			}
			d.escaped = utf8.AppendRune(d.escaped, r)
			i += n
			plain = i
		case c < utf8.RuneSelf:
			if isControl(rune(c)) {
				bad = hasControl
			}
			i++
		default:
			r, n := utf8.DecodeRune(d.body[i:])
			switch {
			case r == utf8.RuneError && n == 1:
				bad = isNotUTF8
			case isControl(r):
				bad = hasControl
			}
			i += n
		}
	}
	d.at = start - 1
	d.stop(noEnd)
	return "", noEnd
}

// room makes sure that what is left of the body fits into escaped, which then is
// not moved, and returns where the next string begins in it.
func (d *Decoder) room() int {
	if cap(d.escaped) < len(d.body) {
		d.escaped = append(make([]byte, 0, len(d.body)), d.escaped...)
	}
	return len(d.escaped)
}

// isControl reports whether r is of Unicode's class Cc.
func isControl(r rune) bool { return r < 0x20 || 0x7f <= r && r < 0xa0 }

// unescape reads one escape sequence, or two that are a surrogate pair; n is 0
// where it is none. A surrogate that has no other half is returned as it is.
func unescape(b []byte) (r rune, n int) {
	if len(b) < 2 {
		return 0, 0
	}
	switch b[1] {
	case '"', '\\', '/':
		return rune(b[1]), 2
	case 'b', 'f', 'n', 'r', 't':
		return '\n', 2 // which of them does not matter: they are control characters
	case 'u':
	default:
		return 0, 0
	}
	r, ok := hex4(b[2:])
	if !ok {
		return 0, 0
	}
	if utf16.IsSurrogate(r) && len(b) >= 12 && b[6] == '\\' && b[7] == 'u' {
		if low, ok := hex4(b[8:]); ok {
			if pair := utf16.DecodeRune(r, low); pair != utf8.RuneError {
				return pair, 12
			}
		}
	}
	return r, 6
}

func hex4(b []byte) (r rune, ok bool) {
	if len(b) < 4 {
		return 0, false
	}
	for _, c := range b[:4] {
		switch {
		case c-'0' < 10:
			c -= '0'
		case c|0x20 >= 'a' && c|0x20 <= 'f':
			c = (c | 0x20) - 'a' + 10
		default:
			return 0, false
		}
		r = r<<4 | rune(c)
	}
	return r, true
}

// powers of ten that a float64 holds exactly.
var powers = [...]float64{1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22}

// number reads the number that is next, correctly rounded; ok is false where it is
// too large to be finite. Minus zero is zero.
func (d *Decoder) number() (f float64, ok bool) {
	if d.at+8 <= len(d.body) {
		if m, fraction, n := shortNumber(binary.LittleEndian.Uint64(d.body[d.at:])); n > 0 {
			d.at += n
			return float64(m) / powers[fraction], true
		}
	}
	return d.anyNumber()
}

// shortNumbers reads numbers, each after a comma, as long as they are short and no
// white space stands between them: what is left of a long array of measurements
// comes at three nanoseconds a digit less.
func (d *Decoder) shortNumbers(into []float32) (n int) {
	at := d.at
	for n < len(into) && at+9 <= len(d.body) && d.body[at] == ',' {
		m, fraction, size := shortNumber(binary.LittleEndian.Uint64(d.body[at+1:]))
		if size == 0 {
			break
		}
		into[n] = float32(float64(m) / powers[fraction])
		n++
		at += 1 + size
	}
	d.at = at
	return n
}

// shortNumber reads a number of at most seven bytes without a sign or exponent from
// the low end of x, all digits at once (Lemire 2022, "Parsing series of integers
// with SIMD", after Mula): m over ten to the power of fraction. n is its length, or 0
// where it is another kind of number or none. Most numbers of an attempt are as
// short; it makes BenchmarkDecode 1.1 times faster.
func shortNumber(x uint64) (m uint64, fraction, n int) {
	t := x ^ ones*'0'
	others := ((t&^highs + ones*(0x80-10)) | t) & highs // marks what is no digit
	whole := bits.TrailingZeros64(others)               // in bits, and 7 more
	if whole < 8 || others == 0 {
		return 0, 0, 0
	}
	whole &^= 7
	end := whole
	after := byte(x >> (whole & 63))
	if after == '.' {
		others &= others - 1
		if others == 0 {
			return 0, 0, 0
		}
		end = bits.TrailingZeros64(others) &^ 7
		after = byte(x >> (end & 63))
		before := uint64(1)<<(whole&63) - 1
		x = x&before | x>>8&^before // without the point
		fraction = (end-whole)/8 - 1
		if fraction == 0 {
			return 0, 0, 0
		}
		n = end / 8
		end -= 8
	} else {
		n = end / 8
	}
	if after|0x20 == 'e' || whole > 8 && byte(x) == '0' {
		return 0, 0, 0
	}
	x = x << ((64 - end) & 63) & (ones * 0x0f)
	x = x * (10<<8 + 1) >> 8 & 0x00ff00ff00ff00ff
	x = x * (100<<16 + 1) >> 16 & 0x0000ffff0000ffff
	return x * (10000<<32 + 1) >> 32, fraction, n
}

func (d *Decoder) anyNumber() (f float64, ok bool) {
	b, i := d.body, d.at
	minus := b[i] == '-'
	if minus {
		i++
	}
	first := i
	var m uint64 // overflows only where digits are counted to be too many
	for ; i < len(b) && b[i]-'0' < 10; i++ {
		m = m*10 + uint64(b[i]-'0')
	}
	digits, fraction := i-first, 0
	if digits == 0 || digits > 1 && b[first] == '0' {
		d.stop("a number is not one of JSON")
		return 0, true
	}
	if i < len(b) && b[i] == '.' {
		i++
		dot := i
		for ; i < len(b) && b[i]-'0' < 10; i++ {
			m = m*10 + uint64(b[i]-'0')
		}
		if fraction = i - dot; fraction == 0 {
			d.stop("a number is not one of JSON")
			return 0, true
		}
	}
	if digits+fraction > 19 || m > 1<<53 || i < len(b) && b[i]|0x20 == 'e' {
		return d.longNumber(i)
	}
	d.at = i
	// Both are exact, so the quotient is rounded once (Clinger 1990).
	f = float64(m) / powers[fraction]
	if minus {
		f = 0 - f
	}
	return f, true
}

// longNumber reads a number whose digits end at i.
func (d *Decoder) longNumber(i int) (f float64, ok bool) {
	b := d.body
	if i < len(b) && b[i]|0x20 == 'e' {
		i++
		if i < len(b) && (b[i] == '+' || b[i] == '-') {
			i++
		}
		first := i
		for i < len(b) && b[i]-'0' < 10 {
			i++
		}
		if i == first {
			d.stop("a number is not one of JSON")
			return 0, true
		}
	}
	f, err := strconv.ParseFloat(d.text[d.at:i], 64)
	d.at = i
	if f == 0 {
		f = 0 // and not minus zero
	}
	return f, err == nil
}
