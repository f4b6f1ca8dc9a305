package authz

// ErrorCode is the error code of an OAuth or OpenID Connect answer.
type ErrorCode string

// Error codes and where they come from.
const (
	InvalidRequest          ErrorCode = "invalid_request"                   // RFC 6749, sections 4.1.2.1 and 5.2
	InvalidClient           ErrorCode = "invalid_client"                    // RFC 6749, section 5.2
	InvalidGrant            ErrorCode = "invalid_grant"                     // RFC 6749, section 5.2
	UnauthorizedClient      ErrorCode = "unauthorized_client"               // RFC 6749, section 5.2
	UnsupportedGrantType    ErrorCode = "unsupported_grant_type"            // RFC 6749, section 5.2
	UnsupportedResponseType ErrorCode = "unsupported_response_type"         // RFC 6749, section 4.1.2.1
	InvalidScope            ErrorCode = "invalid_scope"                     // RFC 6749, section 5.2
	AccessDenied            ErrorCode = "access_denied"                     // RFC 6749, section 4.1.2.1
	ServerError             ErrorCode = "server_error"                      // RFC 6749, section 4.1.2.1
	TemporarilyUnavailable  ErrorCode = "temporarily_unavailable"           // RFC 6749, section 4.1.2.1
	InvalidToken            ErrorCode = "invalid_token"                     // RFC 6750, section 3.1
	InsufficientScope       ErrorCode = "insufficient_scope"                // RFC 6750, section 3.1
	UnsupportedTokenType    ErrorCode = "unsupported_token_type"            // RFC 7009, section 2.2.1
	InvalidTarget           ErrorCode = "invalid_target"                    // RFC 8707, section 2
	InvalidRequestURI       ErrorCode = "invalid_request_uri"               // RFC 9101, section 7
	InvalidRequestObject    ErrorCode = "invalid_request_object"            // RFC 9101, section 7
	InvalidDetails          ErrorCode = "invalid_authorization_details"     // RFC 9396, section 5
	InvalidProof            ErrorCode = "invalid_dpop_proof"                // RFC 9449, section 5
	UseNonce                ErrorCode = "use_dpop_nonce"                    // RFC 9449, section 8
	InsufficientAuth        ErrorCode = "insufficient_user_authentication"  // RFC 9470, section 3
	LoginRequired           ErrorCode = "login_required"                    // OpenID Connect Core, section 3.1.2.6
	ConsentRequired         ErrorCode = "consent_required"                  // OpenID Connect Core, section 3.1.2.6
	InteractionRequired     ErrorCode = "interaction_required"              // OpenID Connect Core, section 3.1.2.6
	AccountSelection        ErrorCode = "account_selection_required"        // OpenID Connect Core, section 3.1.2.6
	UnmetAuthentication     ErrorCode = "unmet_authentication_requirements" // OpenID Connect Core Unmet Authentication Requirements 1.0
)

// Error is why something is refused, in the words of the protocol. Description
// is plain ASCII for the client's developer, without personal data.
type Error struct {
	Code        ErrorCode
	Description string
	ACRValues   []string // with InsufficientAuth and step-ups: what would do
	cause       error    // of ServerError and TemporarilyUnavailable: for the log, never for the client
}

func (e *Error) Error() string {
	s := string(e.Code) + ": " + e.Description
	if e.cause != nil {
		s += ": " + e.cause.Error()
	}
	return s
}

// Unwrap returns what lies beneath a fault of the server, or nil.
func (e *Error) Unwrap() error { return e.cause }

func refuse(code ErrorCode, description string) *Error {
	return &Error{Code: code, Description: description}
}

// fault is a failure of a part of the server: nothing was granted, and the same
// request may be sent again.
func fault(doing string, cause error) *Error {
	return &Error{Code: TemporarilyUnavailable, Description: doing + " failed; try again", cause: cause}
}
