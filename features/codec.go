package features

import (
	"encoding/binary"
	"errors"
	"math"

	"github.com/waryauth/wary/signals"
	"github.com/waryauth/wary/signals/typing"
)

// ErrTrace says that bytes are no trace.
var ErrTrace = errors.New("features: not a trace")

// TraceBytes is how many bytes AppendBinary appends at most.
const TraceBytes = traceBytes + rhythmBytes

const (
	traceBytes  = 8 + traceKeys*8 + 3*4 + 8 + 4*4 + 2 + 2 + 2*2 + 3 + 2 + 1
	rhythmBytes = 2 + 2*typing.Dims + 1 + 4 + 4 // of a trace that has one
)

// Bits of the last byte of a trace without its rhythm.
const (
	isResumed = 1 << iota
	hasRhythm
)

const traceKeys = 25

// keys returns the keys of a trace in the order of its bytes.
func (t *Trace) keys() [traceKeys]*Key {
	return [traceKeys]*Key{
		&t.User, &t.Address, &t.Subnet, &t.ASN, &t.Country, &t.Device, &t.Fingerprint, &t.Agent, &t.Browser, &t.OS,
		&t.Class, &t.Language, &t.Client, &t.Redirect, &t.Payee, &t.Proof, &t.TLS, &t.Screen, &t.Hardware, &t.Declared,
		&t.UserClient, &t.UserAddress, &t.Typed, (*Key)(&t.Scopes), (*Key)(&t.Details),
	}
}

// AppendBinary appends the trace, little-endian: what the log keeps. It takes
// rhythmBytes less where nothing was typed.
func (t *Trace) AppendBinary(b []byte) []byte {
	le := binary.LittleEndian
	b = le.AppendUint64(b, uint64(t.Time))
	for _, k := range t.keys() {
		b = le.AppendUint64(b, uint64(*k))
	}
	b = le.AppendUint32(b, math.Float32bits(t.Latitude))
	b = le.AppendUint32(b, math.Float32bits(t.Longitude))
	b = le.AppendUint32(b, math.Float32bits(t.AccuracyKM))
	b = le.AppendUint64(b, uint64(t.AmountMinor))
	b = le.AppendUint32(b, t.Region)
	b = le.AppendUint32(b, t.City)
	b = le.AppendUint32(b, t.BrowserFamily)
	b = le.AppendUint32(b, t.OSFamily)
	b = le.AppendUint16(b, t.BrowserMajor)
	b = append(b, t.CountryCode[:]...)
	b = le.AppendUint16(b, uint16(t.OffsetMin))
	b = le.AppendUint16(b, uint16(t.LocalMin))
	b = append(b, byte(t.Action), byte(t.Result), byte(t.Outcome))
	b = le.AppendUint16(b, uint16(t.Flags))
	last := byte(0)
	if t.Resumed {
		last |= isResumed
	}
	if t.Rhythm == (Rhythm{}) {
		return append(b, last)
	}
	return t.Rhythm.append(append(b, last|hasRhythm))
}

func (r *Rhythm) append(b []byte) []byte {
	le := binary.LittleEndian
	b = le.AppendUint16(b, r.At.Table)
	for _, y := range r.At.At {
		b = append(b, byte(y))
	}
	b = append(b, r.At.Between[:]...)
	b = append(b, byte(r.Class))
	b = le.AppendUint32(b, r.Mark)
	return le.AppendUint32(b, math.Float32bits(r.Pace))
}

// read takes a rhythm from the front of b, which is long enough, and reports whether
// it can be one.
func (r *Rhythm) read(b []byte) bool {
	le := binary.LittleEndian
	r.At.Table, b = le.Uint16(b), b[2:]
	for i := range r.At.At {
		r.At.At[i] = int8(b[i])
	}
	b = b[typing.Dims:]
	b = b[copy(r.At.Between[:], b):]
	r.Class, r.Mark, r.Pace = signals.DeviceClass(b[0]), le.Uint32(b[1:]), math.Float32frombits(le.Uint32(b[5:]))
	return r.Mark != 0 && r.Pace > 0 && r.Pace <= slowestPace
}

// ReadBinary fills the trace from the front of b and returns what follows it,
// or ErrTrace.
func (t *Trace) ReadBinary(b []byte) (rest []byte, err error) {
	if len(b) < traceBytes || b[traceBytes-1] > isResumed|hasRhythm {
		return b, ErrTrace
	}
	le := binary.LittleEndian
	rest, t.Rhythm = b[traceBytes:], Rhythm{}
	if b[traceBytes-1]&hasRhythm != 0 {
		if len(rest) < rhythmBytes || !t.Rhythm.read(rest) {
			return b, ErrTrace
		}
		rest = rest[rhythmBytes:]
	}
	t.Time = int64(le.Uint64(b))
	b = b[8:]
	for _, k := range t.keys() {
		*k, b = Key(le.Uint64(b)), b[8:]
	}
	t.Latitude = math.Float32frombits(le.Uint32(b))
	t.Longitude = math.Float32frombits(le.Uint32(b[4:]))
	t.AccuracyKM = math.Float32frombits(le.Uint32(b[8:]))
	t.AmountMinor = int64(le.Uint64(b[12:]))
	t.Region, t.City = le.Uint32(b[20:]), le.Uint32(b[24:])
	t.BrowserFamily, t.OSFamily = le.Uint32(b[28:]), le.Uint32(b[32:])
	t.BrowserMajor = le.Uint16(b[36:])
	t.CountryCode = [2]byte{b[38], b[39]}
	t.OffsetMin, t.LocalMin = int16(le.Uint16(b[40:])), int16(le.Uint16(b[42:]))
	t.Action, t.Result, t.Outcome = signals.Action(b[44]), signals.Result(b[45]), Outcome(b[46])
	t.Flags = TraceFlags(le.Uint16(b[47:]))
	t.Resumed = b[49]&isResumed != 0
	return rest, nil
}
