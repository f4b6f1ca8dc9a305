package thirdparty

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"html"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"strings"
	"time"

	"github.com/pquerna/otp"
	"github.com/pquerna/otp/totp"
)

// Person logs in and consents, by the forms that a browser without scripts would show,
// and by a passkey once they have one.
type Person struct {
	Name     string   `json:"name"`
	Subject  string   `json:"subject"` // at the server
	Password string   `json:"password"`
	App      string   `json:"app"` // what an authenticator app reads: otpauth://totp/…
	Passkey  *Passkey `json:"-"`   // nil: none yet
	From     string   `json:"-"`   // address that a proxy in front would have seen; "" says none
	Agent    string   `json:"-"`   // of the browser; "" is the usual one
}

// OTP returns the code that the person's app shows (RFC 6238).
func (p *Person) OTP(at time.Time) (string, error) {
	k, err := otp.NewKeyFromURL(p.App)
	if err != nil {
		return "", err
	}
	return totp.GenerateCode(k.Secret(), at)
}

// maxPages is more than a person sees in one authorization.
const maxPages = 12

// page is one of our pages as it was answered.
type page struct {
	title string
	where *url.URL
	forms []form
	text  string
}

// form is what a page has to fill in: where it is sent, and its fields with what they hold.
type form struct {
	action  string
	options string // of a passkey that it asks for
	fields  url.Values
}

func parsePage(text string, where *url.URL) *page {
	p := &page{where: where, text: text}
	if m := regexp.MustCompile(`<h1>([^<]*)</h1>`).FindStringSubmatch(text); m != nil {
		p.title = html.UnescapeString(m[1])
	}
	for _, m := range regexp.MustCompile(`(?s)<form ([^>]*)>(.*?)</form>`).FindAllStringSubmatch(text, -1) {
		f := form{action: attribute(" "+m[1], "action"), options: attribute(" "+m[1], "data-options"), fields: url.Values{}}
		for _, input := range regexp.MustCompile(`<input [^>]*>`).FindAllString(m[2], -1) {
			f.fields.Set(attribute(input, "name"), attribute(input, "value"))
		}
		p.forms = append(p.forms, f)
	}
	return p
}

func attribute(tag, name string) string {
	m := regexp.MustCompile(` ` + name + `="([^"]*)"`).FindStringSubmatch(tag)
	if m == nil {
		return ""
	}
	return html.UnescapeString(m[1])
}

// form returns the form that has a field, or nil.
func (p *page) form(field string) *form {
	for i := range p.forms {
		if p.forms[i].fields.Has(field) {
			return &p.forms[i]
		}
	}
	return nil
}

// sent returns the form that is sent to a path which ends so, or nil.
func (p *page) sent(end string) *form {
	for i := range p.forms {
		if strings.HasSuffix(p.forms[i].action, end) {
			return &p.forms[i]
		}
	}
	return nil
}

// link returns where the link with an id leads, or "".
func (p *page) link(id string) string {
	m := regexp.MustCompile(`<a [^>]*id="` + id + `"[^>]*>`).FindString(p.text)
	return attribute(m, "href")
}

// withheld returns what the page of consent says is withheld, and why.
func (p *page) withheld() (out []string) {
	for _, m := range regexp.MustCompile(`(?s)<li>(.*?)</li>`).FindAllStringSubmatch(regexp.MustCompile(`(?s)<section class="withheld" aria-labelledby="withheld">.*?</section>`).FindString(p.text), -1) {
		out = append(out, strings.Join(strings.Fields(html.UnescapeString(regexp.MustCompile(`<[^>]*>`).ReplaceAllString(m[1], ""))), " "))
	}
	return out
}

// Step is one page that the person answered.
type Step struct {
	Page     string // its heading
	What     string // what the person did
	Withheld []string
}

// visit is one authorization in a browser of its own.
type visit struct {
	*Person
	browser http.Client
	back    url.Values // what the browser was sent back to the client with
	enrol   bool       // a passkey is wanted
	steps   []Step
}

// Allow opens the address of a request in a browser of its own, proves to be the
// person and allows what is asked for; with enrol the person makes themselves a passkey
// on the way. It returns the pages, and where the browser was sent in the end: the
// client's redirect URI with a code, or with an error.
func (p *Person) Allow(ctx context.Context, client *http.Client, address, redirect string, enrol bool) (steps []Step, back url.Values, err error) {
	jar, err := cookiejar.New(nil)
	if err != nil {
		return nil, nil, err
	}
	v := &visit{Person: p, browser: *client, enrol: enrol && p.Passkey == nil}
	v.browser.Jar = jar
	v.browser.CheckRedirect = func(r *http.Request, _ []*http.Request) error {
		if strings.HasPrefix(r.URL.String(), redirect+"?") {
			v.back = r.URL.Query()
			return http.ErrUseLastResponse
		}
		return nil
	}
	at, err := v.open(ctx, http.MethodGet, address, nil)
	for err == nil && v.back == nil {
		if len(v.steps) == maxPages {
			return v.steps, nil, errors.New("the pages do not end")
		}
		at, err = v.answer(ctx, at)
	}
	return v.steps, v.back, err
}

// answer does what a page asks for and returns the next one.
func (v *visit) answer(ctx context.Context, at *page) (*page, error) {
	did := func(what string) { v.steps = append(v.steps, Step{at.title, what, at.withheld()}) }
	if f := at.form("password"); f != nil {
		did("the password")
		f.fields.Set("username", v.Name)
		f.fields.Set("password", v.Password)
		return v.send(ctx, at, f)
	}
	if !v.enrol && at.link("back_link") != "" {
		return v.follow(ctx, at, "back_link")
	}
	if f := at.sent("/passkeys/add"); f != nil {
		did("a passkey, made")
		return v.add(ctx, at, f)
	}
	if f := at.form("otp"); f != nil && v.Passkey == nil {
		did("a one-time code")
		code, err := v.OTP(time.Now())
		if err != nil {
			return nil, err
		}
		f.fields.Set("otp", code)
		return v.send(ctx, at, f)
	}
	if f := at.sent("/passkey"); f != nil && v.Passkey != nil {
		did("the passkey")
		said, err := v.Passkey.assert(at.where, f.options)
		if err != nil {
			return nil, err
		}
		f.fields.Set("credential", said)
		return v.send(ctx, at, f)
	}
	if f := at.form("offer"); f != nil {
		if v.enrol && at.link("passkeys_link") != "" {
			return v.follow(ctx, at, "passkeys_link")
		}
		did("allowed")
		return v.send(ctx, at, f)
	}
	return nil, fmt.Errorf("the page %q asks for what nobody knows", at.title)
}

// add makes a passkey and remembers it once the server has taken it.
func (v *visit) add(ctx context.Context, at *page, f *form) (*page, error) {
	k, said, err := newPasskey(at.where, f.options)
	if err != nil {
		return nil, err
	}
	f.fields.Set("credential", said)
	f.fields.Set("name", "Phone of the tour")
	next, err := v.send(ctx, at, f)
	if err == nil {
		v.Passkey, v.enrol = k, false
	}
	return next, err
}

func (v *visit) send(ctx context.Context, at *page, f *form) (*page, error) {
	to, err := at.where.Parse(f.action)
	if err != nil {
		return nil, err
	}
	return v.open(ctx, http.MethodPost, to.String(), f.fields)
}

func (v *visit) follow(ctx context.Context, at *page, id string) (*page, error) {
	to, err := at.where.Parse(at.link(id))
	if err != nil {
		return nil, err
	}
	return v.open(ctx, http.MethodGet, to.String(), nil)
}

func (v *visit) open(ctx context.Context, method, address string, form url.Values) (*page, error) {
	r, err := http.NewRequestWithContext(ctx, method, address, strings.NewReader(form.Encode()))
	if err != nil {
		return nil, err
	}
	if form != nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	r.Header.Set("User-Agent", cmp.Or(v.Agent, browserAgent))
	r.Header.Set("Accept-Language", browserLanguages)
	if v.From != "" {
		r.Header.Set("X-Forwarded-For", v.From)
	}
	resp, err := v.browser.Do(r)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	return parsePage(string(text), resp.Request.URL), err
}
