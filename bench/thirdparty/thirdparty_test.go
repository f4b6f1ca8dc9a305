package thirdparty

import (
	"net/url"
	"reflect"
	"testing"
	"time"
)

// TestOTP: the vector of RFC 6238, appendix B, at 59 seconds, of which six digits are
// the last of its eight.
func TestOTP(t *testing.T) {
	p := Person{App: "otpauth://totp/Wary:alice?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&issuer=Wary"}
	if got, err := p.OTP(time.Unix(59, 0)); got != "287082" || err != nil {
		t.Errorf("%s, %v", got, err)
	}
}

func TestParsePage(t *testing.T) {
	p := parsePage(`<h1>Sign in &amp; on</h1><form method="post" action="/login/password?a=1&amp;b=2">
<input type="hidden" name="interaction" value="x&#43;y"><input id="username" name="username" type="text" value="">
</form><form method="post" action="/login/passkey" class="scripted" data-options="{&#34;challenge&#34;:&#34;z&#34;}"><input type="hidden" name="credential" value=""></form>
<section class="withheld" aria-labelledby="withheld"><ul><li>Your payments <code><bdi>payments</bdi></code>: not
 needed</li></ul></section><p><a class="b" href="/login/passkeys?interaction=1&amp;x" id="passkeys_link">Passkeys</a></p>`, nil)
	want := []form{
		{action: "/login/password?a=1&b=2", fields: url.Values{"interaction": {"x+y"}, "username": {""}}},
		{action: "/login/passkey", options: `{"challenge":"z"}`, fields: url.Values{"credential": {""}}},
	}
	if p.title != "Sign in & on" || !reflect.DeepEqual(p.forms, want) {
		t.Errorf("%q %+v", p.title, p.forms)
	}
	if p.form("username") != &p.forms[0] || p.sent("/passkey") != &p.forms[1] || p.form("otp") != nil || p.sent("/add") != nil {
		t.Error("a form is not found, or one that is not there is")
	}
	if got := p.withheld(); !reflect.DeepEqual(got, []string{"Your payments payments: not needed"}) {
		t.Errorf("%q", got)
	}
	if got := p.link("passkeys_link"); got != "/login/passkeys?interaction=1&x" || p.link("back_link") != "" {
		t.Error(got)
	}
}

// TestPast: every attempt is of the past and has an id of its own, and the person's are
// among them.
func TestPast(t *testing.T) {
	now := time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)
	ids, own := map[string]bool{}, 0
	for a := range Past(&Client{ID: "app"}, &Person{Subject: "alice"}, "run", now) {
		if ids[a.ID] || !a.Time.Before(now) || a.Client.ID != "app" {
			t.Fatalf("%+v", a)
		}
		ids[a.ID] = true
		if a.Subject == "alice" {
			own++
		}
	}
	if len(ids) != 12*(21*2+3*2) || own != 21*2+3*2 {
		t.Errorf("%d attempts, %d of the person", len(ids), own)
	}
}
