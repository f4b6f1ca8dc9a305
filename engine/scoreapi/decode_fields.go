package scoreapi

import (
	"time"

	"github.com/waryauth/wary/signals"
)

// attempt and opt keep the rows of the tables short.
type (
	attempt = signals.Attempt
	opt     = signals.Opt[float64]
	optBool = signals.Opt[bool]
)

// attemptShape is the body of POST /v1/score.
var attemptShape = newShape(
	field[attempt]{name: "attempt_id", required: true, text: func(a *attempt) *string { return &a.ID }},
	field[attempt]{name: "time", time: func(a *attempt) *time.Time { return &a.Time }},
	field[attempt]{name: "action", required: true, names: signals.Actions[:], enum: func(a *attempt, v uint8) { a.Action = signals.Action(v) }},
	field[attempt]{name: "subject", required: true, text: func(a *attempt) *string { return &a.Subject }},
	field[attempt]{name: "subject_known", flag: func(a *attempt) *optBool { return &a.SubjectKnown }},
	field[attempt]{name: "user_present", flag: func(a *attempt) *optBool { return &a.UserPresent }},
	field[attempt]{name: "previous_decision_id", text: func(a *attempt) *string { return &a.PreviousDecisionID }},
	field[attempt]{name: "client", object: clientShape},
	field[attempt]{name: "session", object: sessionShape},
	field[attempt]{name: "network", required: true, object: networkShape},
	field[attempt]{name: "headers", object: headersShape},
	field[attempt]{name: "device", object: deviceShape},
	field[attempt]{name: "behaviour", object: behaviourShape},
	field[attempt]{name: "authentication", object: authenticationShape},
	field[attempt]{name: "intent", object: intentShape},
	field[attempt]{name: "consent", object: consentShape},
	field[attempt]{name: "token", object: tokenShape},
	field[attempt]{name: "external", other: readExternal},
)

var clientShape = newShape(
	field[attempt]{name: "id", text: func(a *attempt) *string { return &a.Client.ID }},
	field[attempt]{name: "redirect_uri", text: func(a *attempt) *string { return &a.Client.RedirectURI }},
	field[attempt]{name: "auth_method", names: signals.AuthMethods[:], enum: func(a *attempt, v uint8) { a.Client.AuthMethod = signals.AuthMethod(v) }},
	field[attempt]{name: "software_version", text: func(a *attempt) *string { return &a.Client.SoftwareVersion }},
	field[attempt]{name: "declared_ip", text: func(a *attempt) *string { return &a.Client.DeclaredIP }},
	field[attempt]{name: "declared_user_agent", long: true, text: func(a *attempt) *string { return &a.Client.DeclaredUserAgent }},
)

var sessionShape = newShape(
	field[attempt]{name: "id", text: func(a *attempt) *string { return &a.Session.ID }},
	field[attempt]{name: "created", time: func(a *attempt) *time.Time { return &a.Session.Created }},
	field[attempt]{name: "acr", text: func(a *attempt) *string { return &a.Session.ACR }},
	field[attempt]{name: "amr", limit: signals.MaxAMR, list: func(a *attempt) *[]string { return &a.Session.AMR }},
	field[attempt]{name: "auth_time", time: func(a *attempt) *time.Time { return &a.Session.AuthTime }},
)

var networkShape = newShape(
	field[attempt]{name: "ip", required: true, check: checkIP, text: func(a *attempt) *string { return &a.Network.IP }},
	field[attempt]{name: "forwarded_for", limit: signals.MaxForwarded, keepEmpty: true, list: func(a *attempt) *[]string { return &a.Network.ForwardedFor }},
	field[attempt]{name: "ja4", text: func(a *attempt) *string { return &a.Network.JA4 }},
	field[attempt]{name: "http_version", text: func(a *attempt) *string { return &a.Network.HTTPVersion }},
	field[attempt]{name: "rtt_ms", in: inRTT, number: func(a *attempt) *opt { return &a.Network.RTTMS }},
)

var headersShape = newShape(
	field[attempt]{name: "user_agent", long: true, text: func(a *attempt) *string { return &a.Headers.UserAgent }},
	field[attempt]{name: "accept_language", text: func(a *attempt) *string { return &a.Headers.AcceptLanguage }},
	field[attempt]{name: "sec_ch_ua", text: func(a *attempt) *string { return &a.Headers.SecCHUA }},
	field[attempt]{name: "sec_ch_ua_platform", text: func(a *attempt) *string { return &a.Headers.SecCHUAPlatform }},
	field[attempt]{name: "sec_ch_ua_mobile", text: func(a *attempt) *string { return &a.Headers.SecCHUAMobile }},
	field[attempt]{name: "referer", long: true, text: func(a *attempt) *string { return &a.Headers.Referer }},
)

var deviceShape = newShape(
	field[attempt]{name: "id", text: func(a *attempt) *string { return &a.Device.ID }},
	field[attempt]{name: "fingerprint", text: func(a *attempt) *string { return &a.Device.Fingerprint }},
	field[attempt]{name: "key_bound", flag: func(a *attempt) *optBool { return &a.Device.KeyBound }},
	field[attempt]{name: "attested", flag: func(a *attempt) *optBool { return &a.Device.Attested }},
	field[attempt]{name: "timezone", text: func(a *attempt) *string { return &a.Device.Timezone }},
	field[attempt]{name: "timezone_offset_min", in: inOffset, number: func(a *attempt) *opt { return &a.Device.TimezoneOffsetMin }},
	field[attempt]{name: "languages", limit: signals.MaxLanguages, list: func(a *attempt) *[]string { return &a.Device.Languages }},
	field[attempt]{name: "screen", object: screenShape},
	field[attempt]{name: "cores", in: inCores, number: func(a *attempt) *opt { return &a.Device.Cores }},
	field[attempt]{name: "memory_gib", in: inMemory, number: func(a *attempt) *opt { return &a.Device.MemoryGiB }},
	field[attempt]{name: "gpu", long: true, text: func(a *attempt) *string { return &a.Device.GPU }},
	field[attempt]{name: "fonts", in: inFonts, number: func(a *attempt) *opt { return &a.Device.Fonts }},
	field[attempt]{name: "touch_points", in: inTouchPoints, number: func(a *attempt) *opt { return &a.Device.TouchPoints }},
	field[attempt]{name: "webdriver", flag: func(a *attempt) *optBool { return &a.Device.Webdriver }},
	field[attempt]{name: "latitude", in: inLatitude, number: func(a *attempt) *opt { return &a.Device.Latitude }},
	field[attempt]{name: "longitude", in: inLongitude, number: func(a *attempt) *opt { return &a.Device.Longitude }},
)

var screenShape = newShape(
	field[attempt]{name: "width", in: inWidth, number: func(a *attempt) *opt { return &a.Device.Screen.Width }},
	field[attempt]{name: "height", in: inHeight, number: func(a *attempt) *opt { return &a.Device.Screen.Height }},
	field[attempt]{name: "depth", in: inDepth, number: func(a *attempt) *opt { return &a.Device.Screen.Depth }},
	field[attempt]{name: "pixel_ratio", in: inPixelRatio, number: func(a *attempt) *opt { return &a.Device.Screen.PixelRatio }},
)

var behaviourShape = newShape(
	field[attempt]{name: "keys", object: newShape(
		field[attempt]{name: "count", in: inKeys, number: func(a *attempt) *opt { return &a.Behaviour.Keys.Count }},
		field[attempt]{name: "rhythm", other: readRhythm},
		field[attempt]{name: "pasted", flag: func(a *attempt) *optBool { return &a.Behaviour.Keys.Pasted }},
		field[attempt]{name: "autofilled", flag: func(a *attempt) *optBool { return &a.Behaviour.Keys.Autofilled }},
	)},
	field[attempt]{name: "pointer", object: pointerShape},
	field[attempt]{name: "form", object: newShape(
		field[attempt]{name: "dwell_ms", in: inDwell, number: func(a *attempt) *opt { return &a.Behaviour.Form.DwellMS }},
		field[attempt]{name: "focus_switches", in: inFocusSwitches, number: func(a *attempt) *opt { return &a.Behaviour.Form.FocusSwitches }},
	)},
	field[attempt]{name: "motion", flag: func(a *attempt) *optBool { return &a.Behaviour.Motion }},
	field[attempt]{name: "collector", text: func(a *attempt) *string { return &a.Behaviour.Collector }},
)

var pointerShape = newShape(
	field[attempt]{name: "moves", in: inMoves, number: func(a *attempt) *opt { return &a.Behaviour.Pointer.Moves }},
	field[attempt]{name: "distance_px", in: inDistance, number: func(a *attempt) *opt { return &a.Behaviour.Pointer.DistancePX }},
	field[attempt]{name: "speed_px_s", other: readSpeed},
	field[attempt]{name: "straightness", in: inStraightness, number: func(a *attempt) *opt { return &a.Behaviour.Pointer.Straight }},
	field[attempt]{name: "clicks", in: inClicks, number: func(a *attempt) *opt { return &a.Behaviour.Pointer.Clicks }},
	field[attempt]{name: "right_angles", in: inRightAngles, number: func(a *attempt) *opt { return &a.Behaviour.Pointer.RightAngles }},
	field[attempt]{name: "small_angles", in: inSmallAngles, number: func(a *attempt) *opt { return &a.Behaviour.Pointer.SmallAngles }},
)

var authenticationShape = newShape(
	field[attempt]{name: "result", names: signals.Results[:], enum: func(a *attempt, v uint8) { a.Authentication.Result = signals.Result(v) }},
	field[attempt]{name: "method", names: signals.Methods[:], enum: func(a *attempt, v uint8) { a.Authentication.Method = signals.Method(v) }},
	field[attempt]{name: "recent_failures", in: inFailures, number: func(a *attempt) *opt { return &a.Authentication.RecentFailures }},
	field[attempt]{name: "credential_age_days", in: inCredentialAge, number: func(a *attempt) *opt { return &a.Authentication.CredentialAgeDays }},
	field[attempt]{name: "recovery_in_progress", flag: func(a *attempt) *optBool { return &a.Authentication.RecoveryInProgress }},
)

var intentShape = newShape(
	field[attempt]{name: "scopes", limit: signals.MaxScopes, list: func(a *attempt) *[]string { return &a.Intent.Scopes }},
	field[attempt]{name: "authorization_details", other: readDetails},
	field[attempt]{name: "amount", object: newShape(
		field[attempt]{name: "value", required: true, decimal: func(a *attempt) *opt { return &a.Intent.Amount }},
		field[attempt]{name: "currency", required: true, check: checkCurrency, text: func(a *attempt) *string { return &a.Intent.Currency }},
	)},
	field[attempt]{name: "payee", text: func(a *attempt) *string { return &a.Intent.Payee }},
	field[attempt]{name: "payee_country", check: checkCountry, text: func(a *attempt) *string { return &a.Intent.PayeeCountry }},
	field[attempt]{name: "purpose", text: func(a *attempt) *string { return &a.Intent.Purpose }},
)

var consentShape = newShape(
	field[attempt]{name: "id", text: func(a *attempt) *string { return &a.Consent.ID }},
	field[attempt]{name: "accounts_selected", in: inAccounts, number: func(a *attempt) *opt { return &a.Consent.AccountsSelected }},
	field[attempt]{name: "read_time_ms", in: inReadTime, number: func(a *attempt) *opt { return &a.Consent.ReadTimeMS }},
	field[attempt]{name: "valid_days", in: inValidDays, number: func(a *attempt) *opt { return &a.Consent.ValidDays }},
	field[attempt]{name: "history_days", in: inHistoryDays, number: func(a *attempt) *opt { return &a.Consent.HistoryDays }},
)

var tokenShape = newShape(
	field[attempt]{name: "dpop_jkt", text: func(a *attempt) *string { return &a.Token.DPoPJKT }},
	field[attempt]{name: "binding", names: signals.Bindings[:], enum: func(a *attempt, v uint8) { a.Token.Binding = signals.Binding(v) }},
	field[attempt]{name: "issued", time: func(a *attempt) *time.Time { return &a.Token.Issued }},
	field[attempt]{name: "nonce_failures", in: inNonceFailures, number: func(a *attempt) *opt { return &a.Token.NonceFailures }},
)
