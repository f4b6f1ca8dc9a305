package exchange

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/segmentio/kafka-go"

	"github.com/waryauth/wary/engine"
	"github.com/waryauth/wary/features"
	"github.com/waryauth/wary/features/history"
	"github.com/waryauth/wary/internal/journal"
	"github.com/waryauth/wary/signals"
)

// A message of the topic [State] says what a stretch of one node's log does to state.
// Little-endian: version, node, [features.TraceBytes], the place where the stretch
// begins and the one behind it, then of each fact that does something its address, when
// it was logged (Unix nanoseconds), the deed, and a trace or what the event is about; at
// the end an HMAC-SHA256 of all before it.
//
// Decisions with their documents would say the same in ten times the bytes, and in two
// topics, between which the order of one user's facts is lost.
const (
	stateVersion = 1
	stateHead    = 1 + 2 + 2 + 8 + 8
	deedHead     = 8 + 8 + 1
	stateType    = typePrefix + "state.v1"
	binaryType   = "application/octet-stream"
)

// Deeds.
const (
	attempted = iota + 1
	attemptedWell
	succeeded
	failed
	happened // an event
	erased
)

// deed is what one fact does to state.
type deed struct {
	at     journal.Address
	logged int64
	kind   byte
	trace  features.Trace // of an attempt
	of     features.Key   // of an event, as what follows
	event  signals.EventType
	ms     int64
}

var (
	errState   = errors.New("a message of state is damaged")
	errForeign = errors.New("a message of state is not from who has our secret")
	errBuild   = errors.New("a message of state is of another build of the daemon")
)

// stateKey returns the key of the messages' authentication codes.
func stateKey(secret []byte) []byte {
	mac := hmac.New(sha256.New, secret)
	mac.Write([]byte(State))
	return mac.Sum(nil)
}

// appendDeed appends what a fact does to state: nothing where it does nothing.
func appendDeed(b []byte, f *engine.Fact) []byte {
	head := func(kind byte) []byte {
		b = appendPlace(b, f.At)
		return append(binary.LittleEndian.AppendUint64(b, uint64(f.Logged.UnixNano())), kind)
	}
	switch {
	case f.Unread != nil:
	case f.Decision != nil && f.Decision.Taught:
		b = f.Decision.Trace.AppendBinary(head(attemptedWell))
	case f.Decision != nil:
		b = f.Decision.Trace.AppendBinary(head(attempted))
	case f.Feedback != nil && f.Feedback.Taught:
		b = f.Feedback.Trace.AppendBinary(head(succeeded))
	case f.Feedback != nil && f.Feedback.Failed:
		b = f.Feedback.Trace.AppendBinary(head(failed))
	case f.Event != nil:
		kind, of := byte(happened), f.Event.Subject
		switch f.Event.Type {
		case signals.SubjectErased:
			kind = erased
		case signals.ClientChanged:
			of = f.Event.Client
		}
		b = binary.LittleEndian.AppendUint64(head(kind), uint64(of))
		b = append(b, byte(f.Event.Type))
		b = binary.LittleEndian.AppendUint64(b, uint64(f.Event.Time))
	}
	return b
}

func appendPlace(b []byte, a journal.Address) []byte {
	return binary.LittleEndian.AppendUint32(binary.LittleEndian.AppendUint32(b, a.Segment), a.Offset)
}

func placeAt(b []byte) journal.Address {
	return journal.Address{Segment: binary.LittleEndian.Uint32(b), Offset: binary.LittleEndian.Uint32(b[4:])}
}

// read takes a deed from the front of b and returns what follows it.
func (d *deed) read(b []byte) (rest []byte, err error) {
	if len(b) < deedHead {
		return nil, errState
	}
	d.at, d.logged, d.kind = placeAt(b), int64(binary.LittleEndian.Uint64(b[8:])), b[16]
	b = b[deedHead:]
	switch d.kind {
	case attempted, attemptedWell, succeeded, failed:
		return d.trace.ReadBinary(b)
	case happened, erased:
		if len(b) < 8+1+8 {
			return nil, errState
		}
		d.of, d.event, d.ms = features.Key(binary.LittleEndian.Uint64(b)), signals.EventType(b[8]), int64(binary.LittleEndian.Uint64(b[9:]))
		if int(d.event) >= len(signals.EventTypes) {
			return nil, errState
		}
		return b[8+1+8:], nil
	}
	return nil, errState
}

// fold does to state what the fact did on its own node.
func (d *deed) fold(s *history.Store) {
	switch d.kind {
	case attempted:
		s.Attempt(&d.trace)
	case attemptedWell:
		s.AttemptSucceed(&d.trace)
	case succeeded:
		s.Succeed(&d.trace)
	case failed:
		s.Fail(&d.trace)
	case happened:
		s.Event(d.of, d.event, d.ms)
	case erased:
		s.Erase(d.of)
	}
}

// stretch is a message of state.
type stretch struct {
	node       uint16
	from, next journal.Address // from is zero at the beginning of a log
	deeds      []byte
}

// message returns the message under a key.
func (s *stretch) message(key []byte) kafka.Message {
	v := make([]byte, 0, stateHead+len(s.deeds)+sha256.Size)
	v = binary.LittleEndian.AppendUint16(append(v, stateVersion), s.node)
	v = binary.LittleEndian.AppendUint16(v, features.TraceBytes)
	v = append(appendPlace(appendPlace(v, s.from), s.next), s.deeds...)
	id := fmt.Appendf(nil, "%d-%d-%d-state-%d-%d", s.node, s.from.Segment, s.from.Offset, s.next.Segment, s.next.Offset)
	return kafka.Message{Topic: State, Key: partitionKey(0, s.node), Value: append(v, codeOf(key, v)...), Headers: []kafka.Header{
		{Key: "content-type", Value: []byte(binaryType)}, {Key: "ce_specversion", Value: []byte("1.0")}, {Key: "ce_id", Value: id},
		{Key: "ce_source", Value: fmt.Appendf(nil, "/wary/node/%d", s.node)}, {Key: "ce_type", Value: []byte(stateType)},
	}}
}

func codeOf(key, v []byte) []byte {
	mac := hmac.New(sha256.New, key)
	mac.Write(v)
	return mac.Sum(nil)
}

// read reads the value of a message that somebody with the key wrote.
func (s *stretch) read(b, key []byte) error {
	if len(b) < stateHead+sha256.Size {
		return errForeign
	}
	said := b[len(b)-sha256.Size:]
	if b = b[:len(b)-sha256.Size]; !hmac.Equal(codeOf(key, b), said) {
		return errForeign
	}
	if b[0] != stateVersion || binary.LittleEndian.Uint16(b[3:]) != features.TraceBytes {
		return errBuild
	}
	*s = stretch{binary.LittleEndian.Uint16(b[1:]), placeAt(b[5:]), placeAt(b[13:]), b[stateHead:]}
	return nil
}
