package signals

// The enumerations of the contract. Zero is "absent"; String gives the wire
// form and the Parse functions take it, reporting whether it is known.

// Action is what the attempt is about.
type Action uint8

// Actions.
const (
	Login Action = iota + 1
	ConsentGrant
	Authorize
	TokenRequest
	Refresh
	Payment
	AccountChange
	API
)

// Actions holds the wire names by value; index 0 is "absent".
var Actions = [...]string{"", "login", "consent", "authorize", "token", "refresh", "payment", "account_change", "api"}

func (a Action) String() string { return name(Actions[:], uint8(a)) }

// ParseAction returns the action of a wire name.
func ParseAction(s string) (Action, bool) { v, ok := parse(Actions[:], s); return Action(v), ok }

// AuthMethod is how the client authenticated (RFC 7591, RFC 8705).
type AuthMethod uint8

// Client authentication methods.
const (
	PrivateKeyJWT AuthMethod = iota + 1
	TLSClientAuth
	SelfSignedTLSClientAuth
	ClientSecret
	NoClientAuth
)

// AuthMethods holds the wire names by value.
var AuthMethods = [...]string{"", "private_key_jwt", "tls_client_auth", "self_signed_tls_client_auth", "client_secret", "none"}

func (m AuthMethod) String() string { return name(AuthMethods[:], uint8(m)) }

// ParseAuthMethod returns the method of a wire name.
func ParseAuthMethod(s string) (AuthMethod, bool) {
	v, ok := parse(AuthMethods[:], s)
	return AuthMethod(v), ok
}

// Result is how the check of the credential went.
type Result uint8

// Results.
const (
	Success Result = iota + 1
	Failure
	Pending
)

// Results holds the wire names by value.
var Results = [...]string{"", "success", "failure", "pending"}

func (r Result) String() string { return name(Results[:], uint8(r)) }

// ParseResult returns the result of a wire name.
func ParseResult(s string) (Result, bool) { v, ok := parse(Results[:], s); return Result(v), ok }

// Method is the credential that was checked.
type Method uint8

// Methods of authentication.
const (
	Password Method = iota + 1
	OTP
	SMS
	Push
	Passkey
	Biometric
	EmailLink
	Decoupled
	Federated
	NoMethod
	OtherMethod
)

// Methods holds the wire names by value.
var Methods = [...]string{"", "pwd", "otp", "sms", "push", "passkey", "biometric", "email_link", "decoupled", "federated", "none", "other"}

func (m Method) String() string { return name(Methods[:], uint8(m)) }

// ParseMethod returns the method of a wire name.
func ParseMethod(s string) (Method, bool) { v, ok := parse(Methods[:], s); return Method(v), ok }

// Binding is how the token is bound to its holder.
type Binding uint8

// Bindings (RFC 9449, RFC 8705).
const (
	DPoP Binding = iota + 1
	MTLS
	Unbound
)

// Bindings holds the wire names by value.
var Bindings = [...]string{"", "dpop", "mtls", "none"}

func (b Binding) String() string { return name(Bindings[:], uint8(b)) }

// ParseBinding returns the binding of a wire name.
func ParseBinding(s string) (Binding, bool) { v, ok := parse(Bindings[:], s); return Binding(v), ok }

func name(names []string, v uint8) string {
	if int(v) < len(names) {
		return names[v]
	}
	return "unknown"
}

func parse(names []string, s string) (uint8, bool) {
	for i, n := range names {
		if i > 0 && n == s {
			return uint8(i), true
		}
	}
	return 0, false
}
