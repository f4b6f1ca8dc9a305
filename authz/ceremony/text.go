package ceremony

// texts are all that people read on the pages.
type texts struct {
	Lang, ErrorPrefix string

	SignIn, SignInFor, Username, Password, Continue, Cancel string

	Passkey, PasskeyButton, PasskeyHint, NoScript, Or string
	Measure, MeasureHint                              string

	More, MoreIntro, CodeLabel, CodeHint, BankButton string

	Stuck, StuckIntro, Back         string
	Paused, PausedIntro, PausedHint string

	Passkeys, PasskeysIntro, PasskeysLink, PasskeysNone, PasskeysProve, PasskeysDone string
	AddPasskey, PasskeyName, RemovePasskey, PasskeyAdded, PasskeyUsed, PasskeyCopied string
	Recovery, RecoveryIntro, RecoveryAfter, RecoveryButton                           string
	RecoveryWaiting, RecoveryStop, RecoveryNotice                                    string
	TimeFormat, DateFormat, You                                                      string

	Consent, ConsentIntro, SignedInAs, Withheld, WithheldIntro, Allow, Deny, ConsentNote string
	Yes, No, Nothing, Permission                                                         string

	SignOut, SignOutIntro, SignOutButton string
	SignedOut                            message

	Problems []problemText // of forms
	Scopes   []meaning     // of OAuth scopes
	Details  []meaning     // of types of authorization details (RFC 9396)
	Fields   []meaning     // of members of authorization details that their names do not tell
	Errors   []errorText   // of whole pages; the last is for all others
}

type meaning struct{ Name, Text string }

type problemText struct {
	Name problem
	Step step
	Text string
}

// message is a page that only says something.
type message struct{ Title, Text string }

type errorText struct {
	Code string
	message
}

var english = texts{
	Lang:        "en",
	ErrorPrefix: "Error: ",

	SignIn:    "Sign in",
	SignInFor: "asks for access to your account. Sign in to see what it asks for.", // after the client's name
	Username:  "User name",
	Password:  "Password",
	Continue:  "Continue",
	Cancel:    "Cancel and go back",

	Passkey:       "Passkey",
	PasskeyButton: "Use a passkey",
	PasskeyHint:   "Your device asks for your fingerprint, your face or its PIN. None of them leaves it.",
	NoScript:      "Passkeys need JavaScript, which is off in this browser.",
	Or:            "or",
	Measure:       "Help to protect my account",
	MeasureHint: "If you tick this, this page measures how the form is filled in (the rhythm of keys and of the pointer, never which keys) and what it can see of this device. " +
		"It is used to notice when somebody else signs in as you. Signing in works the same without.",

	More:       "Confirm it is you",
	MoreIntro:  "One more step is needed to protect your account.",
	CodeLabel:  "Code from your authenticator app",
	CodeHint:   "Six digits. A new code appears every 30 seconds, and each works once.",
	BankButton: "Confirm with your bank",

	Stuck: "This needs a stronger sign-in",
	StuckIntro: "What is asked for needs more proof than your account can give at the moment. " +
		"Nothing has been shared. Add a passkey to your account, or ask for an authenticator app, then try again.",
	Back: "Go back",

	Paused:      "Not asked again for now",
	PausedIntro: "Somebody signed in as you several times and did not confirm that it was you. To protect you, this is refused without asking, until:", // then a time
	PausedHint:  "If that was not you, somebody knows your password: tell your bank, and change it. Never confirm what you did not start.",

	Passkeys:        "Your passkeys",
	PasskeysIntro:   "With a passkey you sign in without a password, and nobody can trick you into giving it away.",
	PasskeysLink:    "Your passkeys",
	PasskeysNone:    "You have no passkey yet.",
	PasskeysProve:   "To change your passkeys, confirm that it is you.",
	PasskeysDone:    "Back to the request",
	AddPasskey:      "Add a passkey",
	PasskeyName:     "Name, such as the device it is on",
	RemovePasskey:   "Remove",
	PasskeyAdded:    "added",
	PasskeyUsed:     "last used",
	PasskeyCopied:   "This passkey was used in a way that suggests a copy of it. It works no longer: remove it.",
	Recovery:        "You cannot confirm?",
	RecoveryIntro:   "If you lost your passkeys, or have nothing yet to confirm with, you can ask to change them without. For your safety this takes",
	RecoveryAfter:   "days. Until then you are told at every sign-in, and can stop it.",
	RecoveryButton:  "Ask to change them without",
	RecoveryWaiting: "You can change your passkeys without confirming from this time on. Sign in again then:",
	RecoveryStop:    "Stop this",
	RecoveryNotice:  "Somebody signed in as you asked to change your passkeys without having one. If it was not you, stop it on the page of your passkeys and change your password. They can be changed from:",
	TimeFormat:      "2 January 2006, 15:04 UTC",
	DateFormat:      "2 January 2006",
	You:             "you",

	Consent:       "Allow access?",
	ConsentIntro:  "asks for your permission to:", // after the client's name
	SignedInAs:    "Signed in as",
	Withheld:      "Not included",
	WithheldIntro: "This was asked for as well. To protect you it is left out this time, even if you allow the rest:",
	Allow:         "Allow",
	Deny:          "Do not allow",
	ConsentNote:   "If you did not start this, choose “Do not allow”.",
	SignOutButton: "Sign out",
	Yes:           "yes",
	No:            "no",
	Nothing:       "none",
	Permission:    "Use the permission",

	SignOut:      "Sign out?",
	SignOutIntro: "An application asks to sign you out here. If you did not expect this, close this page: you stay signed in.",

	SignedOut: message{"You are signed out", "You can close this page."},

	Problems: []problemText{
		{emptyLogin, proveKnowledge, "Enter your user name and your password."},
		{wrongLogin, proveKnowledge, "The user name or the password is not right. Check both and try again."},
		{emptyCode, proveMore, "Enter the code that your app shows."},
		{wrongCode, proveMore, "This code is not right, or it was used before. Wait for the next one and try again."},
		{tooMany, proveKnowledge, "There were too many tries. Wait a few minutes, then try again."},
		{tooMany, proveMore, "There were too many tries. Wait a while, then try again."},
		{wrongPasskey, proveKnowledge, "This passkey was not accepted. Try another, or sign in with your password."},
		{wrongPasskey, proveMore, "This passkey was not accepted. Try again, or another one."},
		{oldPasskey, proveKnowledge, "That took too long, or the page was sent twice. Try again."},
		{oldPasskey, proveMore, "That took too long, or the page was sent twice. Try again."},
		{emptyCode, ownKeys, "Enter the code that your app shows."},
		{wrongCode, ownKeys, "This code is not right, or it was used before. Wait for the next one and try again."},
		{tooMany, ownKeys, "There were too many tries. Wait a while, then try again."},
		{wrongPasskey, ownKeys, "This passkey was not accepted. Try again, or another one."},
		{oldPasskey, ownKeys, "That took too long, or the page was sent twice. Try again."},
		{notNow, ownKeys, "To protect your account your passkeys cannot be changed at the moment. Try again later, from a device that you often use."},
		{tooManyKeys, ownKeys, "You have as many passkeys as an account can have. Remove one first."},
	},

	Scopes: []meaning{
		{"openid", "Know that it is you"},
		{"profile", "See your profile, such as your name"},
		{"email", "See your e-mail address"},
		{"phone", "See your phone number"},
		{"address", "See your postal address"},
		{"offline_access", "Keep this access when you are not there"},
		{"accounts", "See your accounts"},
		{"balances", "See your balances"},
		{"transactions", "See your transactions"},
		{"payments", "Make payments from your accounts"},
	},
	Details: []meaning{
		{"payment_initiation", "Make this payment"},
		{"account_information", "See this account information"},
		{"openid_credential", "Receive this credential"},
	},
	Fields: []meaning{
		{"instructedAmount", "Amount"},
		{"creditorName", "To"},
		{"creditorAccount", "To account"},
		{"debtorAccount", "From account"},
		{"remittanceInformationUnstructured", "Reference"},
		{"iban", "IBAN"},
		{"bic", "BIC"},
		{"datatypes", "Kinds of data"},
		{"locations", "Where"},
		{"actions", "What it may do"},
		{"privileges", "With the privileges"},
		{"identifier", "Which one"},
	},

	Errors: []errorText{
		{"invalid_request_uri", message{"This page is no longer good", "The request has expired, was already completed, or was begun in another browser. " +
			"Nothing has been shared. Go back to the application and start again."}},
		{"invalid_request", message{"This request cannot be completed", "The application sent something that is not understood here. " +
			"Nothing has been shared. Go back to the application and start again."}},
		{"forged", message{"This form cannot be accepted", "It was not sent from the page it belongs to, or your browser keeps no cookies. " +
			"Nothing has been shared. Go back to the application and start again."}},
		{"bank", message{"Your bank did not confirm who you are", "The answer of its sign-in could not be accepted. Nothing has been shared. Go back to the application and start again."}},
		{"not_found", message{"There is no such page", "Check the address, or go back to the application and start again."}},
		{"temporarily_unavailable", message{"Please try again in a moment", "The service is busy or cannot be reached. Nothing has been shared. Load this page again, or go back to the application."}},
		{"", message{"Something went wrong", "The mistake is ours. Nothing has been shared. Go back to the application and start again."}},
	},
}

// means returns the text of a name in a table.
func means(table []meaning, name string) (string, bool) {
	for _, m := range table {
		if m.Name == name {
			return m.Text, true
		}
	}
	return "", false
}

// text returns what is said of a problem at a step: nothing of one that the step cannot
// have, as where the person went back to the address of an earlier one.
func (p problem) text(at step) string {
	for _, t := range english.Problems {
		if t.Name == p && t.Step == at {
			return t.Text
		}
	}
	return ""
}

// errorMessage returns what is said of an error.
func errorMessage(code string) message {
	for _, e := range english.Errors {
		if e.Code == code {
			return e.message
		}
	}
	return english.Errors[len(english.Errors)-1].message
}
