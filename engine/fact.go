package engine

import (
	"encoding/binary"
	"encoding/hex"
	"math"
	"strings"
	"time"

	"github.com/waryauth/wary/features"
	"github.com/waryauth/wary/internal/journal"
	"github.com/waryauth/wary/models"
	"github.com/waryauth/wary/signals"
	"github.com/waryauth/wary/signals/typing"
)

// Kinds of facts in the log.
const (
	KindDecision journal.Kind = iota + 1
	KindFeedback
	KindEvent
	KindChange
)

// The first byte of a fact is its version; a reader refuses others. Decisions of
// version 1 had no challenger, and every value of the vector at full length; up to
// version 2, and feedback's version 1, nothing was told of typing.
const (
	feedbackVersion = 2
	decisionVersion = 3
)

// fact is a decision as the log holds it: everything that state folds, that the
// same answer needs, and that a receipt shows. It holds no identifier, only
// keyed hashes.
type fact struct {
	attempt  features.Key    // of the attempt's id
	body     features.Key    // of the request's bytes
	previous journal.Address // of the decision before in the exchange, or zero; with first, that this attempt resumes
	first    journal.Address // of the first in that row of attempts, or zero
	before   journal.Address // of the last fact about that row, or zero
	schema   [8]byte         // first bytes of the schema digest
	teaches  bool            // state learned from it at once
	summary  typing.Summary  // of what was typed, where the trace has a rhythm
}

// appendDecision appends the assessment as a fact.
func (x *Assessment) appendDecision(b []byte) []byte {
	d, in := &x.Decision, &x.inputs
	b = append(b, decisionVersion)
	b = binary.LittleEndian.AppendUint64(b, uint64(x.fact.attempt))
	b = binary.LittleEndian.AppendUint64(b, uint64(x.fact.body))
	b = appendAddress(b, x.fact.previous)
	b = appendAddress(b, x.fact.first)
	b = appendAddress(b, x.fact.before)
	b = append(b, x.fact.schema[:]...)
	b = appendBool(b, x.fact.teaches)
	b = x.Trace.AppendBinary(b)
	if x.Trace.Rhythm.Mark != 0 {
		b = typing.AppendSummary(b, &x.fact.summary)
	}

	b = append(b, uint8(in.action), in.listed[Allow], in.listed[StepUp], in.listed[Deny], uint8(in.degraded))
	b = appendBool(b, in.satisfied)
	b = binary.LittleEndian.AppendUint32(b, in.history.Successes)
	b = appendBool(b, in.history.Established)
	b = appendStrings(b, in.scopes)
	b = appendStrings(b, in.details)

	b = x.appendScored(b)
	b = appendString(b, d.ModelVersion)
	b = appendString(b, d.ModelDigest)
	b = binary.LittleEndian.AppendUint32(b, d.PolicyVersion)
	b = appendString(b, d.PolicyDigest)
	b = appendAnswer(b, d)
	return x.Shadow.append(b)
}

// appendScored appends the vector and what the model made of it.
func (x *Assessment) appendScored(b []byte) []byte {
	b = binary.LittleEndian.AppendUint16(b, uint16(features.Width))
	b = binary.LittleEndian.AppendUint16(b, 0) // the vector's length, see below
	start := len(b)
	b = appendVector(b, &x.Vector)
	binary.LittleEndian.PutUint16(b[start-2:], uint16(len(b)-start))
	b = appendF64(b, x.Prediction.Raw)
	b = appendF64(b, x.Prediction.Probability)
	b = append(b, uint8(features.Families))
	for f := range features.Families {
		b = appendF32(b, x.Prediction.Contributions[f])
		b = binary.LittleEndian.AppendUint16(b, x.Prediction.Top[f])
	}
	return b
}

func appendAnswer(b []byte, d *Decision) []byte {
	b = append(b, uint8(d.Outcome), uint8(d.Level), d.Points, uint8(d.Degraded))
	b = appendF64(b, d.Probability)
	b = append(b, uint8(len(d.Reasons)))
	for _, r := range d.Reasons {
		b = appendString(b, r.Code)
		b = appendString(b, r.Family)
		b = appendF32(b, r.Contribution)
		b = appendString(b, r.Feature)
		b = appendF32(b, r.Value)
	}
	b = appendStrings(b, d.Challenge.ACRValues)
	b = appendStrings(b, d.Challenge.AMR)
	b = binary.LittleEndian.AppendUint32(b, uint32(d.Challenge.MaxAge))
	b = appendStrings(b, d.Grant.Scopes)
	b = append(b, uint8(len(d.Grant.Removed)))
	for _, r := range d.Grant.Removed {
		b = appendString(b, r.Scope)
		b = append(b, r.Sensitivity, r.Ceiling)
	}
	var kept uint16
	for i, k := range d.Grant.Details {
		if k {
			kept |= 1 << i
		}
	}
	b = binary.LittleEndian.AppendUint16(b, kept)
	b = binary.LittleEndian.AppendUint16(b, uint16(d.Grant.TTLSeconds))
	return append(b, uint8(d.Grant.Constraint))
}

// readDecision fills the assessment from a fact. Strings point into b.
func (x *Assessment) readDecision(b []byte) error {
	r := reader{b: b}
	if r.u8() != decisionVersion {
		return errFact
	}
	x.fact.attempt, x.fact.body = features.Key(r.u64()), features.Key(r.u64())
	x.fact.previous, x.fact.first, x.fact.before = r.address(), r.address(), r.address()
	copy(x.fact.schema[:], r.take(8))
	x.fact.teaches = r.bool()
	rest, err := x.Trace.ReadBinary(r.b)
	if err != nil {
		return errFact
	}
	if x.Trace.Rhythm.Mark != 0 {
		var ok bool
		if rest, ok = typing.ReadSummary(&x.fact.summary, rest); !ok {
			return errFact
		}
	}
	r.b = rest

	in := &x.inputs
	*in = inputs{scopes: in.scopes[:0], details: in.details[:0]}
	in.action = signals.Action(r.u8())
	in.listed[Allow], in.listed[StepUp], in.listed[Deny] = r.u8(), r.u8(), r.u8()
	in.degraded, in.satisfied = Degraded(r.u8()), r.bool()
	in.history = History{Successes: r.u32(), Established: r.bool()}
	in.scopes = r.strings(in.scopes, signals.MaxScopes)
	in.details = r.strings(in.details, signals.MaxDetails)
	if int(in.action) >= len(signals.Actions) {
		return errFact
	}

	x.readScored(&r)
	d := &x.Decision
	*d = Decision{History: in.history}
	d.ModelVersion, d.ModelDigest = r.string(), r.string()
	d.PolicyVersion, d.PolicyDigest = r.u32(), r.string()
	x.readAnswer(&r)
	x.Shadow = Shadow{}
	x.Shadow.read(&r)
	if r.bad || len(r.b) != 0 || d.Outcome > Deny || int(d.Level) >= Levels || int(d.Grant.Constraint) >= len(ConstraintNames) {
		return errFact
	}
	return nil
}

// readScored reads what appendScored appended. A vector of another width reads as
// missing and the rest of the fact stands: state is made from a log that goes on
// over changes of the schema.
func (x *Assessment) readScored(r *reader) {
	width := int(r.u16())
	vector := reader{b: r.take(int(r.u16()))}
	x.Prediction.Raw, x.Prediction.Probability = r.f64(), r.f64()
	families := reader{b: r.take(int(r.u8()) * 6)}
	if width != features.Width || len(families.b) != 6*features.Families {
		x.unscored()
		return
	}
	readVector(&vector, &x.Vector)
	r.bad = r.bad || vector.bad || len(vector.b) != 0
	for f := range features.Families {
		x.Prediction.Contributions[f], x.Prediction.Top[f] = families.f32(), families.u16()
		if top := x.Prediction.Top[f]; int(top) >= features.Width && top != models.NoFeature {
			r.bad = true
		}
	}
}

// unscored empties what cannot be shown by the names of this schema.
func (x *Assessment) unscored() {
	for i := range x.Vector {
		x.Vector[i] = float32(math.NaN())
	}
	for f := range features.Families {
		x.Prediction.Contributions[f], x.Prediction.Top[f] = 0, models.NoFeature
	}
	x.Shadow.Contributions = [features.Families]float32{}
}

func (x *Assessment) readAnswer(r *reader) {
	d := &x.Decision
	d.Outcome, d.Level, d.Points, d.Degraded = Outcome(r.u8()), Level(r.u8()), r.u8(), Degraded(r.u8())
	d.Probability = r.f64()
	d.Reasons = x.reasons[:0]
	for range min(int(r.u8()), MaxReasons) {
		d.Reasons = append(d.Reasons, Reason{Code: r.string(), Family: r.string(), Contribution: r.f32(), Feature: r.string(), Value: r.f32()})
	}
	d.Challenge.ACRValues = r.strings(nil, signals.MaxScopes)
	d.Challenge.AMR = r.strings(nil, signals.MaxScopes)
	d.Challenge.MaxAge = int(r.u32())
	d.Grant.Scopes = r.strings(x.scopes[:0], signals.MaxScopes)
	d.Grant.Removed = x.removed[:0]
	for range min(int(r.u8()), signals.MaxScopes) {
		d.Grant.Removed = append(d.Grant.Removed, Removal{Scope: r.string(), Sensitivity: r.u8(), Ceiling: r.u8()})
	}
	kept := r.u16()
	for i := range d.Grant.Details {
		d.Grant.Details[i] = kept&(1<<i) != 0
	}
	d.Grant.TTLSeconds, d.Grant.Constraint = int(r.u16()), Constraint(r.u8())
}

// millis returns a time as facts, ledgers and traces hold it.
func millis(t time.Time) int64 { return t.UnixMilli() }

func appendAddress(b []byte, a journal.Address) []byte {
	return binary.LittleEndian.AppendUint32(binary.LittleEndian.AppendUint32(b, a.Segment), a.Offset)
}

func (r *reader) address() journal.Address {
	return journal.Address{Segment: r.u32(), Offset: r.u32()}
}

// feedbackFact is feedback as the log holds it.
type feedbackFact struct {
	id, content features.Key
	decision    journal.Address // zero where unknown
	first       journal.Address // of the row in which that decision stands, see firstOf
	named       ID              // the decision as it was named; zero where that is none of ours
	attempt     features.Key    // as it was named
	kind        signals.FeedbackKind
	value       signals.FeedbackValue
	source      signals.Source
	time        int64           // Unix milliseconds
	teaches     bool            // it closed an attempt and state learned from it
	fails       bool            // it closed an attempt and state counted a failure
	trace       features.Trace  // of that attempt, so that state needs no older fact
	previous    journal.Address // the fact before it about the same row
	note        string
}

func (f *feedbackFact) append(b []byte) []byte {
	b = append(b, feedbackVersion)
	b = binary.LittleEndian.AppendUint64(b, uint64(f.id))
	b = binary.LittleEndian.AppendUint64(b, uint64(f.content))
	b = appendAddress(b, f.decision)
	b = appendAddress(b, f.first)
	id := f.named.Bytes()
	b = append(b, id[:]...)
	b = binary.LittleEndian.AppendUint64(b, uint64(f.attempt))
	b = append(b, uint8(f.kind), uint8(f.value), uint8(f.source))
	b = binary.LittleEndian.AppendUint64(b, uint64(f.time))
	b = appendBool(b, f.teaches)
	b = appendBool(b, f.fails)
	if f.teaches || f.fails {
		b = f.trace.AppendBinary(b)
	}
	b = appendAddress(b, f.previous)
	return appendString(b, f.note)
}

func (f *feedbackFact) read(b []byte) error {
	r := reader{b: b}
	if r.u8() != feedbackVersion {
		return errFact
	}
	f.id, f.content = features.Key(r.u64()), features.Key(r.u64())
	f.decision, f.first = r.address(), r.address()
	if id := r.take(journal.IDBytes); id != nil {
		f.named = journal.IDOf((*[journal.IDBytes]byte)(id))
	}
	f.attempt = features.Key(r.u64())
	f.kind, f.value, f.source = signals.FeedbackKind(r.u8()), signals.FeedbackValue(r.u8()), signals.Source(r.u8())
	f.time = int64(r.u64())
	f.teaches, f.fails = r.bool(), r.bool()
	if f.teaches || f.fails {
		rest, err := f.trace.ReadBinary(r.b)
		if err != nil {
			return errFact
		}
		r.b = rest
	}
	f.previous = r.address()
	f.note = strings.Clone(r.string())
	if r.bad || len(r.b) != 0 {
		return errFact
	}
	return nil
}

// schemaMark returns the first bytes of the schema's digest.
func schemaMark() (out [8]byte) {
	raw, err := hex.DecodeString(features.Digest()[:16])
	if err != nil {
		panic(err) // Digest is hex
	}
	copy(out[:], raw)
	return out
}
