package scoreapi

import (
	"encoding/binary"
	"math"
	"math/bits"
	"strconv"
	"strings"
	"time"

	"github.com/waryauth/wary/signals"
)

// shape is an object of the contract, read into a T: its members in the order in
// which callers are expected to send them, at most 64.
type shape[T any] struct {
	fields   []field[T]
	required uint64 // bit i for fields[i]
}

// field is a member of an object: a name, and one accessor that says where in T it
// belongs, which is also its type.
type field[T any] struct {
	name     string
	start    uint64 // the name's first eight bytes, as they lie in memory
	mask     uint64 // of start's bytes that are the name's
	required bool

	text  func(*T) *string
	long  bool                       // the string may be of maxLongText
	check func(string) (want string) // "" if the string is as it must be

	number func(*T) *signals.Opt[float64]
	in     uint8 // the number's row of ranges

	flag    func(*T) *signals.Opt[bool]
	time    func(*T) *time.Time
	decimal func(*T) *signals.Opt[float64] // a number in a string

	enum  func(*T, uint8)
	names []string // of enum by value, from 1

	list      func(*T) *[]string
	limit     int  // entries of the list
	keepEmpty bool // an empty entry means something

	object *shape[T]
	other  func(*Decoder, *T) // reads a value that is not null, and reports what is wrong with it
}

func newShape[T any](fields ...field[T]) *shape[T] {
	o := &shape[T]{fields: fields}
	for i := range fields {
		f := &fields[i]
		if f.required {
			o.required |= 1 << i
		}
		var start [8]byte
		f.start = binary.LittleEndian.Uint64(append(start[:0], f.name...)[:8:8])
		f.mask = math.MaxUint64 >> (64 - 8*min(len(f.name), 8))
	}
	return o
}

// document reads a whole body.
func document[T any](d *Decoder, t *T, o *shape[T], body []byte) {
	d.reset(body)
	switch {
	case strings.HasPrefix(d.text, "\ufeff"):
		d.stop("a byte-order mark")
	case d.peek() == '{':
		members(d, t, o)
	default:
		d.wrong("an object")
	}
	if d.peek(); d.at < len(d.body) {
		d.stop("more follows the document")
	}
}

// members reads the object whose brace is next.
func members[T any](d *Decoder, t *T, o *shape[T]) {
	if !d.enter() {
		return
	}
	var unknown memberNames
	var seen, present uint64
	guess := 0
	for first := true; d.another('}', first); first = false {
		i, name := o.find(d, guess)
		if i < 0 {
			d.unknown++
			if !unknown.add(&d.names, name) {
				d.fail(twice)
			}
			d.skip()
			continue
		}
		guess = i + 1
		if seen>>i&1 != 0 {
			d.fail(twice)
			d.skip()
			continue
		}
		seen |= 1 << i
		if o.fields[i].read(d, t) {
			present |= 1 << i
		}
	}
	if missing := o.required &^ present; missing != 0 && d.malformed == "" {
		o.missing(d, d.pointer(), missing)
	}
}

// find reads a member's name and the colon after it and returns which field it is,
// or -1. Fields are compared in place from the guessed one on: callers send the
// members in the order of the contract and leave some out. It makes BenchmarkDecode
// 1.4 times faster.
func (o *shape[T]) find(d *Decoder, guess int) (i int, name string) {
	if d.peek() == '"' && d.at+9 <= len(d.body) {
		rest := d.text[d.at+1:]
		start := binary.LittleEndian.Uint64(d.body[d.at+1:])
		for i := guess; i < len(o.fields); i++ {
			f := &o.fields[i]
			if n := len(f.name); (start^f.start)&f.mask == 0 && n < len(rest) && rest[n] == '"' && (n <= 8 || rest[8:n] == f.name[8:]) {
				d.path[d.depth-1].name = f.name
				if d.at += n + 2; d.at < len(d.text) && d.text[d.at] == ':' {
					d.at++
				} else {
					d.colon()
				}
				return i, f.name
			}
		}
	}
	name = d.name()
	for i := range o.fields {
		if o.fields[i].name == name {
			return i, name
		}
	}
	return -1, name
}

// missing reports required fields of the object at a pointer.
func (o *shape[T]) missing(d *Decoder, at string, which uint64) {
	for ; which != 0; which &= which - 1 {
		f := &o.fields[bits.TrailingZeros64(which)]
		if f.object != nil {
			f.object.missing(d, at+"/"+f.name, f.object.required)
			continue
		}
		d.report(at+"/"+f.name, isRequired)
	}
}

// read reads the field's value into t. It is present unless it is null or an
// empty string; what is wrong with it has been reported then.
func (f *field[T]) read(d *Decoder, t *T) (present bool) {
	if d.peek() == 'n' {
		d.literal("null")
		return false
	}
	switch {
	case f.number != nil:
		if v, ok := d.numberIn(f.in); ok {
			*f.number(t) = signals.Some(v)
		}
	case f.flag != nil:
		if v, ok := d.flag(); ok {
			*f.flag(t) = signals.Some(v)
		}
	case f.object != nil:
		if d.peek() != '{' {
			d.wrong("an object")
			break
		}
		members(d, t, f.object)
	case f.list != nil:
		d.texts(f.list(t), f.limit, f.keepEmpty)
	case f.other != nil:
		f.other(d, t)
	default:
		return f.readText(d, t)
	}
	return true
}

// readText reads what is a string in JSON.
func (f *field[T]) readText(d *Decoder, t *T) (present bool) {
	limit := maxText
	if f.long {
		limit = maxLongText
	}
	s, ok := d.string(limit)
	if !ok || s == "" {
		return !ok
	}
	switch {
	case f.text != nil:
		if f.check != nil {
			if want := f.check(s); want != "" {
				d.fail("must be " + want)
			}
		}
		*f.text(t) = s
	case f.enum != nil:
		for i, name := range f.names[1:] {
			if name == s {
				f.enum(t, uint8(i+1))
				return true
			}
		}
		d.fail(oneOf(f.names[1:]))
	case f.time != nil:
		v, ok := parseTime(s)
		if !ok {
			d.fail("must be a time of RFC 3339 since 1970, as 2026-11-23T10:00:00.123Z")
		}
		*f.time(t) = v
	case f.decimal != nil:
		v, ok := parseDecimal(s)
		if !ok {
			d.fail("must be a decimal number of at most 18 digits without a sign or separators, as 120.50")
		}
		*f.decimal(t) = signals.Some(v)
	}
	return true
}

func oneOf(names []string) string { return "must be one of " + strings.Join(names, ", ") }

// string reads a string of at most limit bytes; ok is false where the value is
// none or not a good one, which has been reported.
func (d *Decoder) string(limit int) (s string, ok bool) {
	if d.peek() != '"' {
		d.wrong("a string")
		return "", false
	}
	s, bad := d.quoted()
	if bad != "" {
		d.fail(bad)
		return "", false
	}
	if len(s) > limit {
		d.fail("is longer than " + strconv.Itoa(limit) + " bytes")
		return "", false
	}
	return s, true
}

// flag reads true or false.
func (d *Decoder) flag() (v, ok bool) {
	switch d.peek() {
	case 't':
		d.literal("true")
		return true, true
	case 'f':
		d.literal("false")
		return false, true
	}
	d.wrong("true or false")
	return false, false
}

// numberIn reads a number of a range.
func (d *Decoder) numberIn(in uint8) (v float64, ok bool) {
	if c := d.peek(); c != '-' && c-'0' >= 10 {
		d.wrong(ranges[in].describe())
		return 0, false
	}
	v, ok = d.number()
	if r := &ranges[in]; !ok || v < r.min || v > r.max {
		d.fail("must be " + r.describe())
		return 0, false
	}
	return v, true
}

// array steps into an array, or reports that the value is none.
func (d *Decoder) array(want string) bool {
	if d.peek() != '[' {
		d.wrong(want)
		return false
	}
	return d.enter()
}

// texts reads an array of strings.
func (d *Decoder) texts(list *[]string, limit int, keepEmpty bool) {
	if !d.array("an array of strings") {
		return
	}
	n := 0
	for ; d.another(']', n == 0); n++ {
		if n >= limit {
			d.skip()
			continue
		}
		d.path[d.depth-1].index = int32(n)
		if s, ok := d.string(maxText); ok && (s != "" || keepEmpty) {
			*list = append(*list, s)
		}
	}
	d.atMost(limit, n, "entries")
}

func (d *Decoder) atMost(limit, n int, what string) {
	if n > limit {
		d.fail("has more than " + strconv.Itoa(limit) + " " + what)
	}
}
