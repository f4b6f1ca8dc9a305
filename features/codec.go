package features

import (
	"encoding/binary"
	"errors"
	"math"

	"github.com/waryauth/wary/signals"
)

// ErrTrace says that bytes are no trace.
var ErrTrace = errors.New("features: not a trace")

// TraceBytes is how many bytes AppendBinary appends.
const TraceBytes = 8 + traceKeys*8 + 3*4 + 8 + 4*4 + 2 + 2 + 2*2 + 3 + 2 + 1

const traceKeys = 25

// keys returns the keys of a trace in the order of its bytes.
func (t *Trace) keys() [traceKeys]*Key {
	return [traceKeys]*Key{
		&t.User, &t.Address, &t.Subnet, &t.ASN, &t.Country, &t.Device, &t.Fingerprint, &t.Agent, &t.Browser, &t.OS,
		&t.Class, &t.Language, &t.Client, &t.Redirect, &t.Payee, &t.Proof, &t.TLS, &t.Screen, &t.Hardware, &t.Declared,
		&t.UserClient, &t.UserAddress, &t.Typed, (*Key)(&t.Scopes), (*Key)(&t.Details),
	}
}

// AppendBinary appends the trace in TraceBytes bytes, little-endian: what the
// log keeps.
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
	if t.Resumed {
		return append(b, 1)
	}
	return append(b, 0)
}

// ReadBinary fills the trace from the front of b and returns what follows it,
// or ErrTrace.
func (t *Trace) ReadBinary(b []byte) (rest []byte, err error) {
	if len(b) < TraceBytes || b[TraceBytes-1] > 1 {
		return b, ErrTrace
	}
	le := binary.LittleEndian
	rest = b[TraceBytes:]
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
	t.Resumed = b[49] == 1
	return rest, nil
}
