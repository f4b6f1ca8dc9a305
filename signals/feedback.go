package signals

import "time"

// Feedback says how an attempt ended, or what it turned out to be.
type Feedback struct {
	ID         string
	DecisionID string // exactly one of DecisionID and AttemptID
	AttemptID  string
	Kind       FeedbackKind
	Value      FeedbackValue
	Source     Source
	Time       time.Time
	Note       string
}

// FeedbackKind tells outcomes (at once) from labels (maybe months later).
type FeedbackKind uint8

// Kinds of feedback.
const (
	Outcome FeedbackKind = iota + 1
	Label
)

// FeedbackKinds holds the wire names by value.
var FeedbackKinds = [...]string{"", "outcome", "label"}

func (k FeedbackKind) String() string { return name(FeedbackKinds[:], uint8(k)) }

// ParseFeedbackKind returns the kind of a wire name.
func ParseFeedbackKind(s string) (FeedbackKind, bool) {
	v, ok := parse(FeedbackKinds[:], s)
	return FeedbackKind(v), ok
}

// FeedbackValue is what is said.
type FeedbackValue uint8

// Values: the first five belong to outcomes, the last two to labels.
const (
	OutcomeSuccess FeedbackValue = iota + 1
	OutcomeFailure
	StepUpPassed
	StepUpFailed
	Abandoned
	Fraud
	Legitimate
)

// FeedbackValues holds the wire names by value.
var FeedbackValues = [...]string{"", "success", "failure", "step_up_passed", "step_up_failed", "abandoned", "fraud", "legitimate"}

func (v FeedbackValue) String() string { return name(FeedbackValues[:], uint8(v)) }

// ParseFeedbackValue returns the value of a wire name.
func ParseFeedbackValue(s string) (FeedbackValue, bool) {
	v, ok := parse(FeedbackValues[:], s)
	return FeedbackValue(v), ok
}

// Kind returns the kind of feedback the value belongs to.
func (v FeedbackValue) Kind() FeedbackKind {
	if v >= Fraud {
		return Label
	}
	return Outcome
}

// Source is who says so, from the most to the least trusted.
type Source uint8

// Sources.
const (
	Analyst Source = iota + 1
	Chargeback
	Issuer
	Customer
	System
	Challenge
)

// Sources holds the wire names by value.
var Sources = [...]string{"", "analyst", "chargeback", "issuer", "customer", "system", "challenge"}

func (s Source) String() string { return name(Sources[:], uint8(s)) }

// ParseSource returns the source of a wire name.
func ParseSource(s string) (Source, bool) { v, ok := parse(Sources[:], s); return Source(v), ok }

// Event is what is not an attempt but changes what an attempt means.
type Event struct {
	ID         string
	Type       EventType
	Subject    string
	Client     string
	Time       time.Time
	Attributes EventAttributes
}

// EventAttributes are the attributes an event may carry, by its type.
type EventAttributes struct {
	Method, CredentialID string
	DeviceID             string
	KeyBound             Opt[bool]
	Kind                 string
	SessionID            string
	ConsentID            string
	Amount               Opt[float64]
	Currency             string // ISO 4217, where there is an amount
	Payee                string
	By, Because          string // of a revocation: who wanted it and why; free text, never an identifier of a person
}

// EventType is the kind of an event.
type EventType uint8

// Event types.
const (
	CredentialAdded EventType = iota + 1
	CredentialRemoved
	PasswordChanged
	RecoveryStarted
	DeviceEnrolled
	DeviceRemoved
	ContactChanged
	Logout
	SessionRevoked
	ConsentWithdrawn
	PaymentSettled
	PaymentRefunded
	ClientChanged
	SubjectErased
)

// EventTypes holds the wire names by value.
var EventTypes = [...]string{"", "credential_added", "credential_removed", "password_changed", "recovery_started", "device_enrolled",
	"device_removed", "contact_changed", "logout", "session_revoked", "consent_withdrawn", "payment_settled", "payment_refunded",
	"client_changed", "subject_erased"}

func (e EventType) String() string { return name(EventTypes[:], uint8(e)) }

// ParseEventType returns the type of a wire name.
func ParseEventType(s string) (EventType, bool) {
	v, ok := parse(EventTypes[:], s)
	return EventType(v), ok
}
