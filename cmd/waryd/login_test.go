package main

import (
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/waryauth/wary/authz/ceremony"
)

// bankKeys is the example of RFC 7517, appendix A.1, in a set.
const bankKeys = `{"keys":[{"kty":"EC","crv":"P-256","x":"MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4","y":"4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM","use":"sig","kid":"1"}]}`

func TestLoginIsChecked(t *testing.T) {
	header := []string{"-authorization.login.header.keys=k", "-authorization.login.header.issuer=i", "-authorization.login.header.from=10.0.0.1"}
	provider := []string{"-authorization.login.provider.issuer=https://idp.example", "-authorization.login.provider.client_id=wary"}
	f := func(want string, args ...string) {
		t.Helper()
		_, _, err := load(args, noEnv, io.Discard)
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%v: got %v, want %q", args, err, want)
		}
	}
	f("", header...)
	f("", provider...)
	f("", append(provider, "-authorization.login.acrs=low=urn:wary:acr:password,high=urn:wary:acr:possession")...)
	f("", "-authorization.login.passkey_acr=urn:wary:acr:possession")
	f("not both", slices.Concat(header, provider)...)
	f("needs issuer, from and name", "-authorization.login.header.keys=k")
	f("need keys", header[1:]...)
	f("no https URL", "-authorization.login.provider.issuer=http://idp.example", "-authorization.login.provider.client_id=wary")
	f("client id", provider[:1]...)
	f("need issuer", provider[1:]...)
	f("none of the classes here", append(provider, "-authorization.login.acrs=high=urn:other")...)
	f("authorization.login.acrs", append(provider, "-authorization.login.acrs=high")...)
	f("class of the password", "-authorization.login.code_acr=urn:wary:acr:password")
	f("less than 24h", "-authorization.login.recovery=1h")
	f("authorization.accounts", append(header, "-authorization.accounts=a")...)
}

func TestReadLogin(t *testing.T) {
	dir := t.TempDir()
	file := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	var l LoginConfig
	if b, err := readLogin(&l); b != nil || err != nil {
		t.Errorf("without a bank's login: %v, %v", b, err)
	}
	l.ACRs, l.AMRs = "low=urn:wary:acr:password", "pwd, otp"
	l.Header.Keys, l.Header.Issuer, l.Header.From = file("keys.json", bankKeys), "bank", "10.0.0.0/30, 192.0.2.1"
	b, err := readLogin(&l)
	if err != nil || b.Header == nil || b.Header.Issuer != "bank" || !b.Header.From.Trusts("10.0.0.2") || b.Header.From.Trusts("10.0.0.4") ||
		!slices.Equal(b.AMRs, []string{"pwd", "otp"}) || !slices.Equal(b.ACRs, []ceremony.ACR{{Theirs: "low", Ours: "urn:wary:acr:password"}}) {
		t.Errorf("header: %+v, %v", b, err)
	}
	for what, wrong := range map[string]func(*LoginConfig){
		"no keys":   func(l *LoginConfig) { l.Header.Keys = file("none.json", `{"keys":[]}`) },
		"no file":   func(l *LoginConfig) { l.Header.Keys = filepath.Join(dir, "missing") },
		"everybody": func(l *LoginConfig) { l.Header.From = "0.0.0.0/0" },
		"no secret": func(l *LoginConfig) {
			l.Header.Keys, l.Provider.Issuer, l.Provider.Secret = "", "https://idp.example", file("empty", "\n")
		},
	} {
		bad := l
		wrong(&bad)
		if _, err := readLogin(&bad); err == nil || !strings.Contains(err.Error(), "authorization.login") && !strings.Contains(err.Error(), "none.json") {
			t.Errorf("%s: %v", what, err)
		}
	}
	l.Header.Keys, l.Provider.Issuer, l.Provider.ClientID, l.Provider.Secret = "", "https://idp.example", "wary", file("secret", "s3cret\n")
	if b, err := readLogin(&l); err != nil || b.Provider == nil || b.Provider.Secret != "s3cret" || b.Provider.Issuer != "https://idp.example" || b.Provider.ClientID != "wary" {
		t.Errorf("provider: %+v, %v", b, err)
	}
}
