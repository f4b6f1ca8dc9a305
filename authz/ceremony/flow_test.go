package ceremony

import (
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/waryauth/wary/authz"
	"github.com/waryauth/wary/engine"
	"github.com/waryauth/wary/signals"
)

func TestPasswordThenConsentGivesACode(t *testing.T) {
	w := newWorld(t)
	b := w.browser().come(nil).shows("Sign in", "Ledger <b>Lens</b>")
	b.logIn(" Alice ").shows("Allow access?", "Ledger <b>Lens</b>", "Know that it is you", "See your accounts", "alice")
	if strings.Contains(b.page, "<b>Lens") {
		t.Fatal("a client's name is taken for HTML")
	}
	b.submit("consent").succeeds()

	told := w.attempts()
	if len(told) != 1 {
		t.Fatalf("the engine was asked %d times", len(told))
	}
	a := told[0]
	if !isSubject(a.Subject) || a.Authentication.Result != signals.Success || a.Authentication.Method != signals.Password || a.Session.ACR != PasswordACR ||
		!slices.Equal(a.Session.AMR, []string{"pwd"}) || !a.SubjectKnown.Or(false) || a.Network.IP == "" {
		t.Errorf("the engine was told %+v", a)
	}
}

func TestWrongPassword(t *testing.T) {
	w := newWorld(t)
	b := w.browser().come(nil)
	b.submit("password", "username", "alice", "password", "wrong horse 1").shows("Sign in", "not right", `aria-describedby=`)
	b.submit("password", "username", "alice", "password", "").shows("Sign in", "Enter your user name")
	b.submit("password", "username", "eve", "password", secretOf).shows("Sign in", "not right") // disabled
	told := w.attempts()
	if len(told) != 2 || told[0].Authentication.Result != signals.Failure || told[0].Session.ACR != "" {
		t.Errorf("the engine was told %+v", told)
	}
	if alice := w.pages.accounts.Load().byName["alice"]; told[0].Subject != alice.subject {
		t.Errorf("a failure was told of %q, want the account's subject", told[0].Subject)
	}
	b.logIn("alice").submit("consent").succeeds()
}

func TestStepUpByCode(t *testing.T) {
	w := newWorld(t)
	w.decides(stepUp)
	b := w.browser().come(nil).submit("password", "username", "alice", "password", "wrong horse 1").shows("Sign in", "not right")
	told := b.where.String()
	b.logIn("alice").shows("Confirm it is you")
	if b.get(told).shows("Confirm it is you"); strings.Contains(b.page, "not right") {
		t.Error("a step tells of the problem of another")
	}
	b.submit("code", "otp", "000000x").shows("Confirm it is you", "not right")
	b.submit("code", "otp", " ").shows("Confirm it is you", "Enter the code")
	b.submit("code", "otp", w.otp(0)).shows("Allow access?").submit("consent").succeeds()
	attempts := w.attempts()
	last := attempts[len(attempts)-1]
	if last.Session.ACR != PossessionACR || !slices.Equal(last.Session.AMR, []string{"pwd", "otp", "mfa"}) || last.PreviousDecisionID == "" || last.Authentication.Method != signals.OTP {
		t.Errorf("the engine was told %+v", last)
	}
}

func TestClientAsksForPossession(t *testing.T) {
	w := newWorld(t)
	strong := func(r *authz.Request) { r.ACRValues = []string{PossessionACR} }
	w.browser().come(strong).logIn("alice").shows("Confirm it is you").submit("code", "otp", w.otp(0)).submit("consent").succeeds()
	b := w.browser().come(strong).logIn("bob").shows("This needs a stronger sign-in") // who has no app
	b.submit("leave").fails(authz.UnmetAuthentication)
}

func TestChallengeThatNobodyMeets(t *testing.T) {
	w := newWorld(t)
	w.decides(func(x *engine.Assessment) {
		x.Decision.Outcome, x.Decision.Challenge = engine.StepUp, engine.Challenge{AMR: []string{"hwk"}}
	})
	w.browser().come(nil).logIn("alice").shows("This needs a stronger sign-in").submit("leave").fails(authz.InteractionRequired)
	w.decides(func(x *engine.Assessment) {
		x.Decision.Outcome, x.Decision.Challenge = engine.StepUp, engine.Challenge{ACRValues: []string{PossessionACR}}
	})
	// An engine that is never content does not keep the person typing codes.
	b := w.browser().come(nil).logIn("alice").submit("code", "otp", w.otp(0)).shows("This needs a stronger sign-in")
	b.submit("leave").fails(authz.InteractionRequired)
}

func TestDenied(t *testing.T) {
	w := newWorld(t)
	w.decides(func(x *engine.Assessment) { x.Decision.Outcome = engine.Deny })
	w.browser().come(nil).logIn("alice").fails(authz.AccessDenied)
	// Of a failed check the engine's view changes nothing: it knows who exists.
	b := w.browser().come(nil)
	b.submit("password", "username", "alice", "password", "wrong horse 1").shows("Sign in", "not right")
	b.submit("password", "username", "nobody", "password", "wrong horse 1").shows("Sign in", "not right")
}

func TestPersonLeaves(t *testing.T) {
	w := newWorld(t)
	w.browser().come(nil).submit("leave").fails(authz.AccessDenied)
	w.browser().come(nil).logIn("alice").submit("leave").fails(authz.AccessDenied)
	w.decides(stepUp)
	w.browser().come(nil).logIn("alice").submit("leave").fails(authz.AccessDenied)
}

func TestPagesAreLoadedAgainAndGoneBackTo(t *testing.T) {
	w := newWorld(t)
	b := w.browser().come(nil)
	address := b.where.String()
	b.get(address).shows("Sign in")
	action, old := b.form("password")
	b.logIn("alice").shows("Allow access?")
	if b.where.String() != address {
		t.Errorf("the steps have two addresses: %s and %s", b.where, address)
	}
	b.get(address).shows("Allow access?")
	old.Set("username", "bob") // the form of the first page, sent again
	old.Set("password", secretOf)
	b.post(action, old.Encode()).shows("Allow access?", "alice")
	b.submit("consent").succeeds()
	b.get(address).shows("This page is no longer good")
	if b.status != http.StatusBadRequest {
		t.Errorf("status %d of a finished interaction", b.status)
	}
	b.post(action, old.Encode()).shows("This page is no longer good")

	b.come(nil).shows("Sign in")
	w.sleep(11 * time.Minute)
	b.submit("password", "username", "alice", "password", secretOf).shows("This page is no longer good")
	b.get(b.w.server.URL + "/login?interaction=nothing").shows("This page is no longer good")
}

func TestConsentIsToWhatWasShown(t *testing.T) {
	w := newWorld(t)
	b := w.browser().come(nil).logIn("alice")
	b.submit("consent", "offer", "of something else").shows("Allow access?")
	b.submit("consent").succeeds()
}

func TestConsentNamesWhatIsWithheld(t *testing.T) {
	w := newWorld(t)
	w.decides(func(x *engine.Assessment) {
		x.Decision.Grant.Scopes = []string{"openid"}
		x.Decision.Grant.Details[1] = false
	})
	b := w.browser().come(func(r *authz.Request) {
		r.Scopes = []string{"openid", "payments", "other"}
		r.Details = []authz.Detail{
			{Type: "payment_initiation", Raw: []byte(`{"type":"payment_initiation","instructedAmount":{"currency":"EUR","amount":"123.50"},"creditorName":"Merchant <A>","creditorAccount":{"iban":"DE02100100109307118603"}}`)},
			{Type: "custom", Raw: []byte(`{"type":"custom","x":1}`)},
		}
	})
	b.logIn("alice").shows("Allow access?", "Make this payment", "123.50 EUR", "Merchant <A>", "IBAN DE02100100109307118603", "Not included", "Make payments from your accounts", "other", "too sensitive")
	b.submit("consent").succeeds()
}

func TestNoPagesWithPromptNone(t *testing.T) {
	w := newWorld(t, func(o *Options) { o.Session = time.Hour })
	none := func(r *authz.Request) { r.Prompt = []string{"none"} }
	b := w.browser()
	b.come(none).fails(authz.LoginRequired)
	b.come(nil).logIn("alice").submit("consent").succeeds()
	b.come(none).fails(authz.ConsentRequired)
	w.decides(stepUp)
	b.come(none).fails(authz.InteractionRequired)
}

func TestLoginSession(t *testing.T) {
	w := newWorld(t, func(o *Options) { o.Session = time.Hour })
	b := w.browser()
	b.come(nil).logIn("alice").submit("consent").succeeds()
	b.come(nil).shows("Allow access?", "alice").submit("consent").succeeds()
	told := w.attempts()
	if last := told[len(told)-1]; last.Authentication.Method != signals.NoMethod || last.Session.ID != told[0].Session.ID || last.Session.ID == "" {
		t.Errorf("the engine was told %+v", last)
	}
	w.browser().come(nil).shows("Sign in") // another browser

	zero := 0
	for name, change := range map[string]func(*authz.Request){
		"prompt=login":          func(r *authz.Request) { r.Prompt = []string{"login"} },
		"prompt=select_account": func(r *authz.Request) { r.Prompt = []string{"select_account"} },
		"max_age=0":             func(r *authz.Request) { r.MaxAge = &zero },
		"acr_values":            func(r *authz.Request) { r.ACRValues = []string{PossessionACR} },
	} {
		w.sleep(2 * time.Second)
		if b.come(change); !strings.Contains(b.page, "<h1>Sign in</h1>") {
			t.Errorf("%s: a login session stood for a new login:\n%s", name, b.page)
		}
	}
	w.sleep(time.Hour)
	b.come(nil).shows("Sign in") // expired
}

func TestLoginSessionEnds(t *testing.T) {
	w := newWorld(t, func(o *Options) { o.Session = time.Hour })
	b := w.browser()
	b.come(nil).logIn("alice").submit("consent").succeeds()
	logout := w.server.URL + "/logout"
	b.get(logout).shows("Sign out?", "alice") // no ID token: anyone may have sent the browser
	b.come(nil).shows("Allow access?")
	b.get(logout)
	action, fields := b.form("logout")
	fields.Set("redirect", "https://evil.example/")
	b.post(action, fields.Encode()).shows("This form cannot be accepted")
	b.get(logout).submit("logout").shows("You are signed out")
	b.come(nil).shows("Sign in")

	b.logIn("alice")
	b.come(nil).shows("Allow access?")
	// Alice's password is another: her account keeps its subject.
	document, _ := people()
	made, _ := newPeople()
	hashOf := regexp.MustCompile(`\$argon2id\$[^\s"]*`)
	next, err := ParseAccounts([]byte(strings.Replace(document, hashOf.FindString(document), hashOf.FindString(made), 1)))
	if err != nil {
		t.Fatal(err)
	}
	if err := w.pages.SetAccounts(next); err != nil {
		t.Fatal(err)
	}
	b.come(nil).shows("Sign in")
}

func TestAccountThatIsTakenAway(t *testing.T) {
	w := newWorld(t)
	document, _ := people()
	b := w.browser().come(nil).logIn("alice").shows("Allow access?")
	action, fields := b.form("consent")
	next, err := ParseAccounts([]byte(strings.Replace(document, "- name: alice\n", "- name: alice\n  disabled: true\n", 1)))
	if err != nil {
		t.Fatal(err)
	}
	if err := w.pages.SetAccounts(next); err != nil {
		t.Fatal(err)
	}
	b.post(action, fields.Encode()).fails(authz.AccessDenied)
}

func TestNoSessionUnlessAsked(t *testing.T) {
	w := newWorld(t)
	b := w.browser()
	b.come(nil).logIn("alice").submit("consent").succeeds()
	b.come(nil).shows("Sign in")
	u, err := url.Parse(w.server.URL)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range b.client.Jar.Cookies(u) {
		if c.Name == sessionCookie {
			t.Error("a session cookie was set")
		}
	}
}
