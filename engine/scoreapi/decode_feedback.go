package scoreapi

import (
	"time"

	"github.com/waryauth/wary/signals"
)

// Feedback reads a document of POST /v1/feedback into f, which is emptied first;
// see [Decoder.Attempt] for how long its strings live. Where the document is
// refused f.ID may have been read, so that the answer can name it.
func (d *Decoder) Feedback(f *signals.Feedback, body []byte) *Problem {
	*f = signals.Feedback{}
	if len(body) > MaxBody {
		return d.tooLarge()
	}
	document(d, f, feedbackShape, body)
	const byDecision, byAttempt = "/decision_id", "/attempt_id"
	if (f.DecisionID == "") == (f.AttemptID == "") && !d.reported(byDecision) && !d.reported(byAttempt) {
		at := byAttempt
		if f.AttemptID == "" {
			at = byDecision
		}
		d.report(at, "exactly one of decision_id and attempt_id is required")
	}
	if f.Kind != 0 && f.Value != 0 && f.Value.Kind() != f.Kind {
		names := signals.FeedbackValues[signals.OutcomeSuccess:signals.Fraud]
		if f.Kind == signals.Label {
			names = signals.FeedbackValues[signals.Fraud:]
		}
		d.report("/value", oneOf(names)+" where kind is "+f.Kind.String())
	}
	return d.problem()
}

// Event reads the body of POST /v1/events into e, which is emptied first; see
// [Decoder.Attempt] for how long its strings live. Attributes that the event's
// type does not have are ignored and counted as unknown.
func (d *Decoder) Event(e *signals.Event, body []byte) *Problem {
	*e = signals.Event{}
	if len(body) > MaxBody {
		return d.tooLarge()
	}
	document(d, e, eventShape, body)
	switch {
	case e.Subject != "" || d.reported("/subject"):
	case e.Type != signals.ClientChanged:
		d.report("/subject", isRequired)
	case e.Client == "" && !d.reported("/client"):
		d.report("/client", isRequired+", or subject")
	}
	sent := attributes(&e.Attributes)
	e.Attributes = ofType(e.Type, &e.Attributes)
	d.unknown += sent - attributes(&e.Attributes)
	return d.problem()
}

// ofType returns the attributes that an event of a type has.
func ofType(t signals.EventType, a *signals.EventAttributes) signals.EventAttributes {
	switch t {
	case signals.CredentialAdded, signals.CredentialRemoved:
		return signals.EventAttributes{Method: a.Method, CredentialID: a.CredentialID}
	case signals.DeviceEnrolled, signals.DeviceRemoved:
		return signals.EventAttributes{DeviceID: a.DeviceID, KeyBound: a.KeyBound}
	case signals.ContactChanged:
		return signals.EventAttributes{Kind: a.Kind}
	case signals.SessionRevoked:
		return signals.EventAttributes{SessionID: a.SessionID}
	case signals.ConsentWithdrawn:
		return signals.EventAttributes{ConsentID: a.ConsentID}
	case signals.PaymentSettled, signals.PaymentRefunded:
		return signals.EventAttributes{Amount: a.Amount, Currency: a.Currency, Payee: a.Payee}
	}
	return signals.EventAttributes{}
}

// attributes counts those that are there.
func attributes(a *signals.EventAttributes) int {
	n := 0
	for _, s := range [...]string{a.Method, a.CredentialID, a.DeviceID, a.Kind, a.SessionID, a.ConsentID, a.Payee} {
		if s != "" {
			n++
		}
	}
	if a.KeyBound.Set {
		n++
	}
	if a.Amount.Set {
		n++
	}
	return n
}

// contactKinds are what a changed contact may be, as signals has enumerations.
var contactKinds = [...]string{"", "email", "phone", "address"}

type (
	feedback = signals.Feedback
	event    = signals.Event
)

var feedbackShape = newShape(
	field[feedback]{name: "feedback_id", required: true, text: func(f *feedback) *string { return &f.ID }},
	field[feedback]{name: "decision_id", text: func(f *feedback) *string { return &f.DecisionID }},
	field[feedback]{name: "attempt_id", text: func(f *feedback) *string { return &f.AttemptID }},
	field[feedback]{name: "kind", required: true, names: signals.FeedbackKinds[:], enum: func(f *feedback, v uint8) { f.Kind = signals.FeedbackKind(v) }},
	field[feedback]{name: "value", required: true, names: signals.FeedbackValues[:], enum: func(f *feedback, v uint8) { f.Value = signals.FeedbackValue(v) }},
	field[feedback]{name: "source", required: true, names: signals.Sources[:], enum: func(f *feedback, v uint8) { f.Source = signals.Source(v) }},
	field[feedback]{name: "time", time: func(f *feedback) *time.Time { return &f.Time }},
	field[feedback]{name: "note", text: func(f *feedback) *string { return &f.Note }},
)

var eventShape = newShape(
	field[event]{name: "event_id", required: true, text: func(e *event) *string { return &e.ID }},
	field[event]{name: "type", required: true, names: signals.EventTypes[:], enum: func(e *event, v uint8) { e.Type = signals.EventType(v) }},
	field[event]{name: "subject", text: func(e *event) *string { return &e.Subject }},
	field[event]{name: "client", text: func(e *event) *string { return &e.Client }},
	field[event]{name: "time", time: func(e *event) *time.Time { return &e.Time }},
	field[event]{name: "attributes", object: newShape(
		field[event]{name: "method", text: func(e *event) *string { return &e.Attributes.Method }},
		field[event]{name: "credential_id", text: func(e *event) *string { return &e.Attributes.CredentialID }},
		field[event]{name: "device_id", text: func(e *event) *string { return &e.Attributes.DeviceID }},
		field[event]{name: "key_bound", flag: func(e *event) *optBool { return &e.Attributes.KeyBound }},
		field[event]{name: "kind", names: contactKinds[:], enum: func(e *event, v uint8) { e.Attributes.Kind = contactKinds[v] }},
		field[event]{name: "session_id", text: func(e *event) *string { return &e.Attributes.SessionID }},
		field[event]{name: "consent_id", text: func(e *event) *string { return &e.Attributes.ConsentID }},
		field[event]{name: "amount", object: newShape(
			field[event]{name: "value", required: true, decimal: func(e *event) *opt { return &e.Attributes.Amount }},
			field[event]{name: "currency", required: true, check: checkCurrency, text: func(e *event) *string { return &e.Attributes.Currency }},
		)},
		field[event]{name: "payee", text: func(e *event) *string { return &e.Attributes.Payee }},
	)},
)
