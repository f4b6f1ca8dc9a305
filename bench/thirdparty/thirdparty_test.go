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

func TestParseForm(t *testing.T) {
	f, err := parseForm(`<h1>Sign in &amp; on</h1><form method="post" action="/login/password?a=1&amp;b=2">
<input type="hidden" name="interaction" value="x&#43;y"><input id="username" name="username" type="text" value="">
</form><form method="post" action="/login/leave"><input type="hidden" name="interaction" value="z"></form>`)
	want := &form{"Sign in & on", "/login/password?a=1&b=2", url.Values{"interaction": {"x+y"}, "username": {""}}}
	if err != nil || !reflect.DeepEqual(f, want) {
		t.Errorf("%+v, %v", f, err)
	}
	if _, err := parseForm("<h1>Something went wrong</h1>"); err == nil {
		t.Error("a page without a form has one")
	}
}
