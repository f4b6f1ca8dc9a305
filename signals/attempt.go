// Package signals answers: what was seen?
//
// An [Attempt] is what a caller tells us of one attempt to obtain access. An
// [Observation] is what the attempt shows by itself once its address and user
// agent are looked at. [Feedback] and [Event] arrive later and say how it ended.
// Nothing here does I/O: the place of an address comes from a [Locator], which
// signals/geoip implements.
package signals

import "time"

// Opt is an optional value: what is absent is missing, never zero.
type Opt[T any] struct {
	Value T
	Set   bool
}

// Some returns a present value.
func Some[T any](v T) Opt[T] { return Opt[T]{Value: v, Set: true} }

// Or returns the value, or other where it is missing.
func (o Opt[T]) Or(other T) T {
	if o.Set {
		return o.Value
	}
	return other
}

// Limits of the lists of an attempt. A decoder refuses more.
const (
	MaxScopes    = 64
	MaxDetails   = 16
	MaxExternal  = 32
	MaxForwarded = 32
	MaxAMR       = 8
	MaxLanguages = 8
	RhythmSlots  = 78 // statistics of one typed text, see Keys
)

// Attempt is one attempt to obtain access, as the caller of the score API
// describes it (specs: score API, version 1). Strings may point into a request's
// body: whoever made the Attempt says how long they live. A zero Attempt has
// nothing set; empty strings are missing values.
type Attempt struct {
	ID                 string
	Time               time.Time // the event's own time
	Action             Action
	Subject            string    // the account's identifier, as the caller knows it
	SubjectKnown       Opt[bool] // false: what was typed names no account
	UserPresent        Opt[bool] // the person's own device makes the request
	PreviousDecisionID string

	Client         Client
	Session        Session
	Network        NetworkPeer
	Headers        Headers
	Device         Device
	Behaviour      Behaviour
	Authentication Authentication
	Intent         Intent
	Consent        Consent
	Token          Token
	External       []External
}

// Client is the third party (TPP) that asks.
type Client struct {
	ID                string
	RedirectURI       string
	AuthMethod        AuthMethod
	SoftwareVersion   string
	DeclaredIP        string // what the client says of the person's device
	DeclaredUserAgent string
}

// Session is the login session the attempt belongs to.
type Session struct {
	ID       string
	Created  time.Time
	ACR      string
	AMR      []string // RFC 8176
	AuthTime time.Time
}

// NetworkPeer is the connection as the authorization server sees it.
type NetworkPeer struct {
	IP           string   // the peer of the request
	ForwardedFor []string // as received, left to right
	JA4          string
	HTTPVersion  string
	RTTMS        Opt[float64]
}

// Headers are the request headers that describe the device.
type Headers struct {
	UserAgent       string
	AcceptLanguage  string
	SecCHUA         string
	SecCHUAPlatform string
	SecCHUAMobile   string
	Referer         string
}

// Device is what a page or application measured on the person's device.
type Device struct {
	ID                string
	Fingerprint       string
	KeyBound          Opt[bool]
	Attested          Opt[bool]
	Timezone          string       // IANA name
	TimezoneOffsetMin Opt[float64] // minutes EAST of UTC
	Languages         []string
	Screen            Screen
	Cores             Opt[float64]
	MemoryGiB         Opt[float64]
	GPU               string
	Fonts             Opt[float64]
	TouchPoints       Opt[float64]
	Webdriver         Opt[bool]
	Latitude          Opt[float64] // degrees, only where the person allowed it
	Longitude         Opt[float64]
}

// Screen is the device's screen in pixels.
type Screen struct {
	Width, Height, Depth, PixelRatio Opt[float64]
}

// Behaviour is how the person typed, pointed and read: statistics made in the
// page, never keys or their order.
type Behaviour struct {
	Keys      Keys
	Pointer   Pointer
	Form      Form
	Motion    Opt[bool]
	Collector string
}

// Keys are the statistics of one typed text.
type Keys struct {
	Count      Opt[float64]
	Rhythm     [RhythmSlots]float32 // a typing.Summary; meaningful where RhythmSet, NaN where too little was typed
	RhythmSet  bool
	Pasted     Opt[bool]
	Autofilled Opt[bool]
}

// Pointer are the statistics of pointer movement.
type Pointer struct {
	Moves       Opt[float64]
	DistancePX  Opt[float64]
	SpeedPXS    Opt[[3]float64] // p10, p50, p90 in px/s
	Straight    Opt[float64]    // 0..1
	Clicks      Opt[float64]
	RightAngles Opt[float64] // share, 0..1
	SmallAngles Opt[float64] // share, 0..1
}

// Form is how the form was filled.
type Form struct {
	DwellMS       Opt[float64]
	FocusSwitches Opt[float64]
}

// Authentication is how the check of the credential went.
type Authentication struct {
	Result             Result
	Method             Method
	RecentFailures     Opt[float64]
	CredentialAgeDays  Opt[float64]
	RecoveryInProgress Opt[bool]
}

// Intent is what is asked for.
type Intent struct {
	Scopes       []string
	Details      []Detail // RFC 9396 authorization_details, in order
	Amount       Opt[float64]
	Currency     string // ISO 4217
	Payee        string // opaque
	PayeeCountry string // ISO 3166-1 alpha-2
	Purpose      string
}

// Detail is one RFC 9396 authorization detail.
type Detail struct {
	Type string
	Raw  string // the JSON object as received
}

// Consent is the consent the attempt is about.
type Consent struct {
	ID               string
	AccountsSelected Opt[float64]
	ReadTimeMS       Opt[float64]
	ValidDays        Opt[float64]
	HistoryDays      Opt[float64]
}

// Token is the token or proof that is presented.
type Token struct {
	DPoPJKT       string
	Binding       Binding
	Issued        time.Time
	NonceFailures Opt[float64]
}

// External is a number by a name that the policy maps.
type External struct {
	Name  string
	Value float64
}

// Reset empties the attempt and keeps the memory of its lists.
func (a *Attempt) Reset() {
	amr, fwd, lang := a.Session.AMR[:0], a.Network.ForwardedFor[:0], a.Device.Languages[:0]
	scopes, details, ext := a.Intent.Scopes[:0], a.Intent.Details[:0], a.External[:0]
	*a = Attempt{}
	a.Session.AMR, a.Network.ForwardedFor, a.Device.Languages = amr, fwd, lang
	a.Intent.Scopes, a.Intent.Details, a.External = scopes, details, ext
}

// Known reports whether the subject names an account; absent means yes.
func (a *Attempt) Known() bool { return a.SubjectKnown.Or(true) }
