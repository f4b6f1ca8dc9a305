package ceremony

import (
	"crypto/tls"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/waryauth/wary/authz"
)

// TestHeadersOfEveryPage holds every kind of page to the list of FAPI 2.0, section 5.2.3,
// and RFC 9700, sections 4.2.4 and 4.16.
func TestHeadersOfEveryPage(t *testing.T) {
	w := newWorld(t)
	check := func(b *tab, action string) {
		t.Helper()
		script := ""
		if page := strings.ReplaceAll(b.page, `<script src="`+w.pages.pages.script+`" defer></script>`, ""); page != b.page {
			b.page, script = page, "; script-src 'self'; require-trusted-types-for 'script'; trusted-types 'none'"
		}
		for name, want := range map[string]string{
			"Strict-Transport-Security":    "max-age=31536000; includeSubDomains",
			"X-Frame-Options":              "DENY",
			"X-Content-Type-Options":       "nosniff",
			"Referrer-Policy":              "no-referrer",
			"Cross-Origin-Opener-Policy":   "same-origin",
			"Cross-Origin-Resource-Policy": "same-origin",
			"Cache-Control":                "no-store",
			"Content-Type":                 "text/html; charset=utf-8",
			"Content-Security-Policy":      "default-src 'none'; style-src 'self'; form-action 'self'" + action + "; frame-ancestors 'none'; base-uri 'none'" + script,
		} {
			if got := b.header.Get(name); got != want {
				t.Errorf("%s: %s is %q, want %q", b.where.Path, name, got, want)
			}
		}
		if got := b.header.Values("Access-Control-Allow-Origin"); len(got) > 0 || b.header.Get("Permissions-Policy") == "" {
			t.Errorf("%s: CORS %q, Permissions-Policy %q", b.where.Path, got, b.header.Get("Permissions-Policy"))
		}
		for _, no := range []string{"<script", "<style", "style=", "onclick", "http://", "src="} {
			if strings.Contains(b.page, no) {
				t.Errorf("%s: the page has %q", b.where.Path, no)
			}
		}
	}
	client := " https://client.example"
	b := w.browser().come(nil)
	check(b, client)
	check(b.submit("password", "username", "x", "password", "y"), client)
	check(b.logIn("alice"), client)
	b.come(nil)
	w.decides(stepUp)
	check(b.logIn("alice").shows("Confirm it is you"), client)
	check(b.come(nil).logIn("bob").shows("This needs a stronger sign-in"), client)
	check(b.get(w.server.URL+"/login?interaction=x"), "")
	check(b.get(w.server.URL+"/login/nothing"), "")
	check(b.get(w.server.URL+"/authorize"), "")
	check(b.get(w.server.URL+"/logout").shows("You are signed out"), "")

	style := w.pages.pages.style
	if !strings.Contains(b.page, style) {
		t.Errorf("the page does not name %s", style)
	}
	b.get(w.server.URL + style)
	if b.status != http.StatusOK || b.header.Get("Content-Type") != "text/css; charset=utf-8" || !strings.Contains(b.page, "prefers-color-scheme") {
		t.Errorf("stylesheet: %d %v", b.status, b.header)
	}
}

func TestCookies(t *testing.T) {
	w := newWorld(t, func(o *Options) { o.Session = time.Hour })
	b := w.browser().come(nil)
	action, fields := b.form("password")
	fields.Set("username", "alice")
	fields.Set("password", secretOf)
	r, err := http.NewRequest("POST", w.server.URL+action, strings.NewReader(fields.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	answer, err := b.client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	answer.Body.Close()
	names := []string{}
	for _, c := range answer.Cookies() {
		names = append(names, c.Name)
		if !strings.HasPrefix(c.Name, "__Host-") || !c.Secure || !c.HttpOnly || c.SameSite != http.SameSiteLaxMode || c.Path != "/" || c.Domain != "" || len(c.Value) < 22 {
			t.Errorf("cookie %v", c)
		}
	}
	if slices.Sort(names); !slices.Equal(names, []string{sessionCookie, stepCookie}) {
		t.Errorf("cookies %v", names)
	}
}

// TestFormsOfOthersAreRefused sends alice's browser a form that is right but for what an
// attacker cannot have. Each refusal has the same form, untouched, as its control.
func TestFormsOfOthersAreRefused(t *testing.T) {
	w := newWorld(t)
	victim, attacker := w.browser().come(nil), w.browser().come(nil)
	action, mine := victim.form("password")
	_, theirs := attacker.form("password")
	f := func(title string, change func(url.Values), header ...string) {
		t.Helper()
		form := url.Values{"interaction": mine["interaction"], "token": mine["token"], "username": {"bob"}, "password": {"wrong horse 1"}}
		change(form)
		r, err := http.NewRequest("POST", w.server.URL+action, strings.NewReader(form.Encode()))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		for i := 0; i < len(header); i += 2 {
			r.Header.Set(header[i], header[i+1])
		}
		victim.send(r).shows(title)
	}
	const forged = "This form cannot be accepted"
	f("Sign in", func(url.Values) {})
	f("Sign in", func(url.Values) {}, "Sec-Fetch-Site", "same-origin", "Origin", "null")
	f(forged, func(url.Values) {}, "Sec-Fetch-Site", "cross-site")
	f(forged, func(url.Values) {}, "Sec-Fetch-Site", "same-site")
	f(forged, func(v url.Values) { v.Del("token") })
	f(forged, func(v url.Values) { v["token"] = theirs["token"] })
	f(forged, func(v url.Values) { v["interaction"] = theirs["interaction"] })
	// Login CSRF: the attacker's interaction, whole, in the victim's browser.
	f(forged, func(v url.Values) { v["interaction"], v["token"] = theirs["interaction"], theirs["token"] })
	victim.get(w.server.URL + "/login?interaction=" + theirs.Get("interaction")).shows("This page is no longer good")
}

func TestFormsOfOtherKindsAreRefused(t *testing.T) {
	w := newWorld(t)
	b := w.browser().come(nil)
	action, fields := b.form("password")
	good := fields.Encode()
	f := func(want int, method, path, contentType, body string) {
		t.Helper()
		r, err := http.NewRequest(method, w.server.URL+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		if contentType != "" {
			r.Header.Set("Content-Type", contentType)
		}
		b.send(r)
		if b.status != want || !strings.Contains(b.page, "<h1>") {
			t.Errorf("%s %s %.40q: status %d, want %d\n%s", method, path, body, b.status, want, b.page)
		}
	}
	const form = "application/x-www-form-urlencoded"
	f(200, "POST", action, form+"; charset=utf-8", good)
	f(415, "POST", action, "", good)
	f(415, "POST", action, "application/json", "{}")
	f(415, "POST", action, "multipart/form-data; boundary=x", good)
	f(413, "POST", action, form, good+"&x="+strings.Repeat("y", maxForm))
	f(400, "POST", action, form, good+"&x="+strings.Repeat("y", maxField+1))
	f(400, "POST", action, form, good+"&token="+fields.Get("token"))
	f(400, "POST", action, form, good+"&x=%00")
	f(400, "POST", action, form, good+"&x=%ff")
	f(400, "POST", action, form, good+"&x=%zz")
	f(400, "POST", action, form, good+strings.Repeat("&a=b", maxFields))
	f(400, "POST", action+"?interaction=x", form, good)
	f(405, "GET", action, "", "")
	f(405, "PUT", action, form, good)
	f(405, "POST", "/login", form, good)
	f(404, "GET", "/login/nothing", "", "")
	f(400, "GET", "/login?interaction=a&interaction=b", "", "")
	f(400, "GET", "/login", "", "")
	b.get(w.server.URL + "/login?interaction=" + fields.Get("interaction") + "&problem=<b>unknown").shows("Sign in")
	if strings.Contains(b.page, "unknown") || strings.Contains(b.page, "problem") {
		t.Error("an unknown problem is shown")
	}
}

func TestStoreThatFails(t *testing.T) {
	w := newWorld(t)
	b := w.browser().come(nil)
	action, fields := b.form("password")
	fields.Set("username", "alice")
	fields.Set("password", secretOf)
	address := b.where.String()
	if err := w.store.Close(); err != nil {
		t.Fatal(err)
	}
	for _, send := range []func(){func() { b.post(action, fields.Encode()) }, func() { b.get(address) }} {
		if send(); b.status != http.StatusServiceUnavailable {
			t.Errorf("status %d", b.status)
		}
		b.shows("Please try again in a moment")
	}
}

func TestPanicBecomesAPage(t *testing.T) {
	w := newWorld(t, func(o *Options) {
		o.Finish = func(http.ResponseWriter, *http.Request, *authz.Interaction, authz.Answer) { panic("a defect") }
	})
	b := w.browser().come(nil).submit("leave").shows("Something went wrong")
	if b.status != http.StatusInternalServerError || strings.Contains(b.page, "defect") {
		t.Errorf("status %d:\n%s", b.status, b.page)
	}
}

func TestOptionsAreChecked(t *testing.T) {
	w := newWorld(t)
	for name, change := range map[string]func(*Options){
		"no authority": func(o *Options) { o.Authority = nil },
		"no accounts":  func(o *Options) { o.Accounts = nil },
		"no secret":    func(o *Options) { o.Secret = [32]byte{} },
		"other secret": func(o *Options) { o.Secret = [32]byte{2} }, // the accounts' apps are sealed with another
		"no finish":    func(o *Options) { o.Finish = nil },
	} {
		o := w.pages.o
		change(&o)
		if _, err := New(o); err == nil {
			t.Errorf("taken: %s", name)
		}
	}
	if _, err := New(w.pages.o); err != nil {
		t.Errorf("the control: %v", err)
	}
	if w.server.TLS.MinVersion < tls.VersionTLS12 {
		t.Error("the test's server is no TLS server")
	}
}
