package ceremony

import (
	"encoding/base64"
	"encoding/json"
	"html"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/descope/virtualwebauthn"

	"github.com/waryauth/wary/authz"
	"github.com/waryauth/wary/engine"
	"github.com/waryauth/wary/signals"
)

// device is a software authenticator (another implementation of Web Authentication) with
// the passkeys that were made on it.
type device struct {
	t    testing.TB
	rp   virtualwebauthn.RelyingParty
	auth virtualwebauthn.Authenticator
}

func newDevice(t testing.TB, synced bool) *device {
	d := &device{t: t, rp: virtualwebauthn.RelyingParty{ID: "example.com", Name: "example.com", Origin: "https://example.com"}}
	d.auth = virtualwebauthn.NewAuthenticatorWithOptions(virtualwebauthn.AuthenticatorOptions{BackupEligible: synced, BackupState: synced})
	return d
}

var optionsOf = regexp.MustCompile(`data-passkey="(get|create)" data-options="([^"]*)"`)

// options returns what a page asks of a passkey.
func (b *tab) options(kind string) string {
	b.w.t.Helper()
	for _, m := range optionsOf.FindAllStringSubmatch(b.page, -1) {
		if m[1] == kind {
			return html.UnescapeString(m[2])
		}
	}
	b.w.t.Fatalf("status %d: the page asks for no passkey (%s):\n%s", b.status, kind, b.page)
	return ""
}

// newCredential makes a key of which the software authenticator writes both coordinates
// whole: of one in 128 it leaves a zero byte out, and no server takes that.
func newCredential() virtualwebauthn.Credential {
	for {
		if c := virtualwebauthn.NewCredential(virtualwebauthn.KeyTypeEC2); len(c.Key.AttestationData()) == coseBytes {
			return c
		}
	}
}

const coseBytes = 77 // of a key on P-256 (RFC 9053, section 7.1.1)

// makes answers to options of navigator.credentials.create.
func (d *device) makes(options string) string {
	d.t.Helper()
	o, err := virtualwebauthn.ParseAttestationOptions(options)
	if err != nil {
		d.t.Fatal(err)
	}
	var user struct {
		User struct {
			ID string `json:"id"`
		} `json:"user"`
	}
	if err := json.Unmarshal([]byte(options), &user); err != nil {
		d.t.Fatal(err)
	}
	if d.auth.Options.UserHandle, err = base64.RawURLEncoding.DecodeString(user.User.ID); err != nil || len(d.auth.Options.UserHandle) != 32 {
		d.t.Fatalf("user handle %q: %v", user.User.ID, err)
	}
	made := newCredential()
	d.auth.AddCredential(made)
	return virtualwebauthn.CreateAttestationResponse(d.rp, d.auth, made, *o)
}

// says answers to options of navigator.credentials.get with the passkey made last.
func (d *device) says(options string) string {
	d.t.Helper()
	o, err := virtualwebauthn.ParseAssertionOptions(options)
	if err != nil {
		d.t.Fatal(err)
	}
	c := &d.auth.Credentials[len(d.auth.Credentials)-1]
	c.Counter++
	return virtualwebauthn.CreateAssertionResponse(d.rp, d.auth, *c, *o)
}

// keys goes to the page of the person's passkeys.
func (b *tab) keys() *tab {
	b.w.t.Helper()
	return b.get(b.w.server.URL + "/login/passkeys?interaction=" + b.where.Query().Get("interaction"))
}

// enrol adds a passkey of a device to alice, who proves a code for it.
func (w *world) enrol(d *device) {
	w.t.Helper()
	w.sleep(time.Minute) // for another code
	b := w.browser().come(nil).logIn("alice").keys().shows("Your passkeys", "You have no passkey yet", "confirm that it is you")
	b.submit("code", "otp", w.otp(0)).shows("Your passkeys", "Add a passkey")
	b.submit("passkeys/add", "credential", d.makes(b.options("create")), "name", "Red phone").shows("Your passkeys", "Red phone")
	w.attempts()
}

func wantPasskey(x *engine.Assessment) {
	if !slices.Contains(x.Attempt.Session.AMR, amrHardware) {
		x.Decision.Outcome, x.Decision.Challenge = engine.StepUp, engine.Challenge{AMR: []string{amrHardware}}
	}
}

func TestLoginByPasskey(t *testing.T) {
	w := newWorld(t)
	d := newDevice(t, true)
	w.enrol(d)
	b := w.browser().come(func(r *authz.Request) { r.EssentialACR = []string{PasskeyACR} })
	b.submit("passkey", "credential", d.says(b.options("get"))).shows("Allow access?", "alice").submit("consent").succeeds()
	told := w.attempts()
	if len(told) != 1 {
		t.Fatalf("the engine was asked %d times", len(told))
	}
	a := told[0]
	if a.Subject != w.pages.accounts.Load().byName["alice"].subject || a.Authentication.Method != signals.Passkey || a.Authentication.Result != signals.Success ||
		a.Session.ACR != PasskeyACR || !slices.Equal(a.Session.AMR, []string{"swk", "user", "mfa"}) || a.Session.ID == "" {
		t.Errorf("the engine was told %+v", a)
	}
}

func TestStepUpByPasskey(t *testing.T) {
	w := newWorld(t)
	d := newDevice(t, false)
	w.enrol(d)
	w.decides(wantPasskey)
	b := w.browser().come(nil).logIn("alice").shows("Confirm it is you", "Use a passkey")
	if strings.Contains(b.page, `name="otp"`) {
		t.Error("a code is asked for that would not do")
	}
	b.submit("passkey", "credential", d.says(b.options("get"))).shows("Allow access?").submit("consent").succeeds()
	told := w.attempts()
	if last := told[len(told)-1]; last.Authentication.Method != signals.Passkey || !slices.Equal(last.Session.AMR, []string{"pwd", "user", "mfa", "hwk"}) &&
		!slices.Equal(last.Session.AMR, []string{"pwd", "hwk", "user", "mfa"}) || last.PreviousDecisionID == "" {
		t.Errorf("the engine was told %+v", last)
	}
	// A challenge for the class of a code is met by what is stronger, under that name.
	w.decides(stepUp)
	b = w.browser().come(nil).logIn("alice").shows("Confirm it is you", "Use a passkey", "authenticator app")
	b.submit("passkey", "credential", d.says(b.options("get"))).shows("Allow access?")
}

// TestAPasskeyAnswersByTheNameThatWasAskedFor: what is stronger than what was asked for has
// the name of it, since clients and resources compare names.
func TestAPasskeyAnswersByTheNameThatWasAskedFor(t *testing.T) {
	w := newWorld(t)
	d := newDevice(t, false)
	w.enrol(d)
	f := func(want string, change func(*authz.Request), decide func(*engine.Assessment)) {
		t.Helper()
		w.decides(decide)
		b := w.browser().come(change)
		b.submit("passkey", "credential", d.says(b.options("get"))).shows("Allow access?").submit("consent").succeeds()
		told := w.attempts()
		if got := told[len(told)-1].Session.ACR; got != want {
			t.Errorf("acr %q, want %q", got, want)
		}
	}
	f(PasskeyACR, nil, nil)
	f(PossessionACR, func(r *authz.Request) { r.ACRValues = []string{PossessionACR} }, nil)
	f(PasskeyACR, func(r *authz.Request) { r.ACRValues = []string{PossessionACR, PasskeyACR} }, nil)
	f(PossessionACR, func(r *authz.Request) { r.EssentialACR = []string{PossessionACR} }, nil)
	f(PasskeyACR, func(r *authz.Request) { r.ACRValues = []string{"urn:other"} }, wantPasskey)
}

// TestPasskeysThatProveNothing sends answers that are right but for one thing each, on
// the page of a step-up, with the right one as the control.
func TestPasskeysThatProveNothing(t *testing.T) {
	w := newWorld(t)
	d := newDevice(t, false)
	w.enrol(d)
	w.decides(wantPasskey)
	b := w.browser().come(nil).logIn("alice")
	f := func(what string, says func(options string) string) {
		t.Helper()
		b.submit("passkey", "credential", says(b.options("get"))).shows("Confirm it is you", "was not accepted")
		if told := w.attempts(); len(told) == 0 || told[len(told)-1].Authentication.Result != signals.Failure {
			t.Errorf("%s: the engine was told %+v", what, told)
		}
	}
	with := func(change func(*device)) func(string) string {
		return func(options string) string {
			other := *d
			other.auth.Credentials = slices.Clone(d.auth.Credentials)
			change(&other)
			return other.says(options)
		}
	}
	old := b.options("get")
	f("nothing", func(string) string { return "" })
	f("no JSON", func(string) string { return "{" })
	f("another challenge", func(string) string { return d.says(old) })
	f("another origin", with(func(d *device) { d.rp.Origin = "https://examp1e.com" }))
	f("another party", with(func(d *device) { d.rp.ID = "com" }))
	f("nobody was there", with(func(d *device) { d.auth.Options.UserNotPresent = true }))
	f("the user was not verified", with(func(d *device) { d.auth.Options.UserNotVerified = true }))
	f("another key", with(func(d *device) {
		id := d.auth.Credentials[0].ID
		d.auth.Credentials[0] = newCredential()
		d.auth.Credentials[0].ID = id
	}))
	f("another credential", with(func(d *device) { d.auth.Credentials[0].ID = []byte("sixteen bytes or more") }))
	f("another user", with(func(d *device) { d.auth.Options.UserHandle = make([]byte, 32) }))

	action, fields := b.form("passkey")
	fields.Set("credential", d.says(b.options("get")))
	b.post(action, fields.Encode()).shows("Allow access?")
	b.come(nil).logIn("alice") // the same answer, in another interaction
	_, again := b.form("passkey")
	again.Set("credential", fields.Get("credential"))
	b.post(action, again.Encode()).shows("Confirm it is you", "was not accepted")
}

func TestACopiedPasskeyProvesNothingAnyMore(t *testing.T) {
	w := newWorld(t)
	d := newDevice(t, false)
	w.enrol(d)
	copied := *d
	copied.auth.Credentials = slices.Clone(d.auth.Credentials)
	w.decides(wantPasskey)
	use := func(d *device) *tab {
		b := w.browser().come(nil).logIn("alice")
		return b.submit("passkey", "credential", d.says(b.options("get")))
	}
	use(d).shows("Allow access?")
	use(d).shows("Allow access?")
	// The count goes back. The only passkey is dead from here, also for its owner.
	use(&copied).shows("This needs a stronger sign-in")
	w.browser().come(nil).logIn("alice").shows("This needs a stronger sign-in")
	w.decides(nil)
	w.browser().come(nil).logIn("alice").keys().shows("Your passkeys", "suggests a copy")
}

func TestPasskeysOfAccountsThatAreTakenAway(t *testing.T) {
	w := newWorld(t)
	d := newDevice(t, true)
	w.enrol(d)
	document, _ := people()
	next, err := ParseAccounts([]byte(strings.Replace(document, "- name: alice\n", "- name: alice\n  disabled: true\n", 1)))
	if err != nil {
		t.Fatal(err)
	}
	if err := w.pages.SetAccounts(next); err != nil {
		t.Fatal(err)
	}
	b := w.browser().come(nil)
	b.submit("passkey", "credential", d.says(b.options("get"))).shows("Sign in", "not accepted")
}

func TestPasskeyAnswersAreLimited(t *testing.T) {
	w := newWorld(t)
	b := w.browser().come(nil)
	for range limits.place.burst {
		b.submit("passkey", "credential", "{}").shows("Sign in", "not accepted")
	}
	for i := 0; !strings.Contains(b.page, "too many tries"); i++ { // a slow machine earns some more
		if b.submit("passkey", "credential", "{}"); i > limits.place.burst {
			t.Fatal("answers are not limited")
		}
	}
}

func TestAddingAndRemovingPasskeys(t *testing.T) {
	var events []signals.Event
	w := newWorld(t, func(o *Options) {
		o.Event = func(e *signals.Event) error {
			events = append(events, *e)
			return nil
		}
	})
	first, second := newDevice(t, false), newDevice(t, true)
	w.enrol(first)

	// With a passkey there, a code is not enough any more.
	w.sleep(time.Minute)
	b := w.browser().come(nil).logIn("alice").keys().shows("Your passkeys", "Red phone")
	b.submit("code", "otp", w.otp(0)).shows("Your passkeys", "You cannot confirm?")
	if strings.Contains(b.page, "passkeys/add") || strings.Contains(b.page, "passkeys/remove") {
		t.Fatal("a code changes the passkeys of somebody who has one")
	}
	_, fields := b.form("passkeys/recover")
	fields.Set("credential", "{}")
	if b.post("/login/passkeys/add", fields.Encode()); strings.Contains(b.page, `name="name"`) {
		t.Fatal("the form of a page that was not shown is taken")
	}
	b.submit("passkey", "credential", first.says(b.options("get"))).shows("Your passkeys", "Add a passkey", "last used")
	b.submit("passkeys/add", "credential", second.makes(b.options("create")), "name", " <b>Laptop\u202e ").shows("Your passkeys", "<b>Laptop\uFFFD", "Red phone")
	b.submit("passkeys/add", "credential", "{}").shows("Your passkeys", "not accepted")

	// The engine may refuse.
	w.mu.Lock()
	w.change = engine.Deny
	w.mu.Unlock()
	b.submit("passkeys/add", "credential", second.makes(b.options("create"))).shows("Your passkeys", "cannot be changed at the moment")
	b.submit("passkeys/remove").shows("Your passkeys", "cannot be changed at the moment")
	w.mu.Lock()
	w.change = engine.Allow
	w.mu.Unlock()

	b.submit("passkeys/remove", "passkey", "nonsense!").shows("Your passkeys", "Red phone", "Laptop")
	if b.submit("passkeys/remove").shows("Your passkeys", "Laptop"); strings.Contains(b.page, "Red phone") { // the first form is that of the first
		t.Fatal("the passkey is still there")
	}
	kinds := []signals.EventType{}
	for _, e := range events {
		kinds = append(kinds, e.Type)
		if e.Subject != w.pages.accounts.Load().byName["alice"].subject || e.ID == "" || e.Attributes.CredentialID == "" {
			t.Errorf("event %+v", e)
		}
	}
	if !slices.Equal(kinds, []signals.EventType{signals.CredentialAdded, signals.CredentialAdded, signals.CredentialRemoved}) {
		t.Errorf("events %v", kinds)
	}
	// The one that is gone proves nothing, the other does.
	b = w.browser().come(nil)
	b.submit("passkey", "credential", first.says(b.options("get"))).shows("Sign in", "not accepted")
	second.auth.Credentials = second.auth.Credentials[:1] // the other was never taken
	b.submit("passkey", "credential", second.says(b.options("get"))).shows("Allow access?")
}

func TestPasskeysAreBounded(t *testing.T) {
	w := newWorld(t)
	d := newDevice(t, false)
	w.enrol(d)
	b := w.browser().come(nil)
	b.submit("passkey", "credential", d.says(b.options("get"))).keys()
	for range maxPasskeys - 1 {
		b.submit("passkeys/add", "credential", newDevice(t, false).makes(b.options("create"))).shows("Your passkeys", "Passkey")
		if strings.Contains(b.page, "not accepted") {
			t.Fatal(b.page)
		}
	}
	b.submit("passkeys/add", "credential", newDevice(t, false).makes(b.options("create"))).shows("Your passkeys", "as many passkeys")
}

// TestRecovery has bob, who has nothing but a password, get a first passkey: after a
// time, in which whoever else knows the password is told of and can be stopped.
func TestRecovery(t *testing.T) {
	w := newWorld(t)
	d := newDevice(t, false)
	b := w.browser().come(nil).logIn("bob").keys().shows("Your passkeys", "takes 3 days")
	b.submit("passkeys/recover").shows("Your passkeys", "from this time on")
	b.submit("passkeys/keep").shows("Your passkeys", "takes 3 days")
	b.submit("passkeys/recover")
	w.sleep(DefaultRecovery - time.Minute)
	w.browser().come(nil).logIn("bob").shows("Allow access?", "asked to change your passkeys without").keys().shows("Your passkeys", "from this time on")
	w.sleep(time.Minute)
	b = w.browser().come(nil).logIn("bob").keys().shows("Your passkeys", "Add a passkey")
	b.submit("passkeys/add", "credential", d.makes(b.options("create")))
	if b = w.browser().come(nil).logIn("bob"); strings.Contains(b.page, "asked to change") {
		t.Error("the recovery is not over")
	}
	if b.keys().shows("Your passkeys", "Passkey"); strings.Contains(b.page, "passkeys/add") {
		t.Error("the password still changes passkeys")
	}
}

// TestRecoveryOfALostPasskey needs the other factor, and using the passkey ends it.
func TestRecoveryOfALostPasskey(t *testing.T) {
	w := newWorld(t)
	d := newDevice(t, false)
	w.enrol(d)
	w.sleep(time.Minute)
	b := w.browser().come(nil).logIn("alice").keys().shows("Your passkeys", "Red phone")
	if strings.Contains(b.page, "passkeys/recover") {
		t.Error("a password alone begins a recovery of somebody who has an app")
	}
	b.submit("code", "otp", w.otp(0)).submit("passkeys/recover").shows("Your passkeys", "from this time on")
	b = w.browser().come(nil)
	b.submit("passkey", "credential", d.says(b.options("get"))).shows("Allow access?").keys()
	if strings.Contains(b.page, "from this time on") {
		t.Error("the passkey is not lost, and the recovery goes on")
	}

	w.sleep(time.Minute)
	w.browser().come(nil).logIn("alice").keys().submit("code", "otp", w.otp(0)).submit("passkeys/recover")
	w.sleep(DefaultRecovery)
	b = w.browser().come(nil).logIn("alice").keys()
	if strings.Contains(b.page, "passkeys/add") {
		t.Error("after the time a password alone changes the passkeys of somebody who has an app")
	}
	b.submit("code", "otp", w.otp(0)).shows("Your passkeys", "Add a passkey")
	b.submit("passkeys/remove").shows("Your passkeys", "no passkey yet")
}

func TestKeysPageNeedsItsInteraction(t *testing.T) {
	w := newWorld(t)
	b := w.browser().come(nil)
	b.keys().shows("Sign in") // nobody has logged in
	w.decides(stepUp)
	b.logIn("alice").keys().shows("Confirm it is you") // who must prove more does that first
	b.get(w.server.URL + "/login/passkeys?interaction=nothing").shows("This page is no longer good")
	other := w.browser()
	other.get(w.server.URL + "/login/passkeys?" + url.Values{"interaction": {b.where.Query().Get("interaction")}}.Encode()).shows("This page is no longer good")
}

// TestAnOldLoginChangesNoPasskeys: a session of before may look, no more.
func TestAnOldLoginChangesNoPasskeys(t *testing.T) {
	w := newWorld(t, func(o *Options) { o.Session = time.Hour })
	b := w.browser().come(nil).logIn("bob")
	b.submit("consent").succeeds()
	w.sleep(5 * time.Minute)
	b.come(nil).shows("Allow access?").keys().shows("Your passkeys")
	if strings.Contains(b.page, "passkeys/recover") || strings.Contains(b.page, "passkeys/add") {
		t.Errorf("an old login changes passkeys:\n%s", b.page)
	}
}
