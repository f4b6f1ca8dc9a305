package thirdparty

import (
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

// Person logs in and consents, by the forms that a browser without scripts would show.
type Person struct {
	Name     string `json:"name"`
	Password string `json:"password"`
	App      string `json:"app"` // what an authenticator app reads: otpauth://totp/…
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
const maxPages = 6

// form is what a page has to fill in: where it is sent, and its fields with what they hold.
type form struct {
	title, action string
	fields        url.Values
}

// parseForm returns the first form of one of our pages: the one that goes on.
func parseForm(page string) (*form, error) {
	title, body := headingOf(page), regexp.MustCompile(`(?s)<form method="post" action="([^"]*)">(.*?)</form>`).FindStringSubmatch(page)
	if body == nil {
		return nil, fmt.Errorf("the page %q has no form", title)
	}
	f := &form{title: title, action: html.UnescapeString(body[1]), fields: url.Values{}}
	for _, input := range regexp.MustCompile(`<input [^>]*>`).FindAllString(body[2], -1) {
		name, value := attribute(input, "name"), attribute(input, "value")
		f.fields.Set(name, value)
	}
	return f, nil
}

func attribute(tag, name string) string {
	m := regexp.MustCompile(` ` + name + `="([^"]*)"`).FindStringSubmatch(tag)
	if m == nil {
		return ""
	}
	return html.UnescapeString(m[1])
}

func headingOf(page string) string {
	m := regexp.MustCompile(`<h1>([^<]*)</h1>`).FindStringSubmatch(page)
	if m == nil {
		return ""
	}
	return html.UnescapeString(m[1])
}

// Step is one page that the person answered.
type Step struct {
	Page string // its heading
	What string // what the person did
}

// Allow opens the address of a request in a browser of its own, proves to be the
// person and allows what is asked for. It returns the pages, and where the browser was
// sent in the end: the client's redirect URI with a code, or with an error.
func (p *Person) Allow(ctx context.Context, client *http.Client, address, redirect string) (steps []Step, back url.Values, err error) {
	jar, err := cookiejar.New(nil)
	if err != nil {
		return nil, nil, err
	}
	browser := *client
	browser.Jar = jar
	browser.CheckRedirect = func(r *http.Request, _ []*http.Request) error {
		if strings.HasPrefix(r.URL.String(), redirect+"?") {
			back = r.URL.Query()
			return http.ErrUseLastResponse
		}
		return nil
	}
	page, where, err := visit(ctx, &browser, http.MethodGet, address, nil)
	for err == nil && back == nil {
		if len(steps) == maxPages {
			return steps, nil, errors.New("the pages do not end")
		}
		var f *form
		if f, err = parseForm(page); err != nil {
			break
		}
		did, wrong := p.fill(f)
		steps = append(steps, Step{f.title, did})
		if wrong != nil {
			return steps, nil, wrong
		}
		to, wrong := where.Parse(f.action)
		if wrong != nil {
			return steps, nil, wrong
		}
		page, where, err = visit(ctx, &browser, http.MethodPost, to.String(), f.fields)
	}
	return steps, back, err
}

// fill types what a form asks for, and says it.
func (p *Person) fill(f *form) (string, error) {
	switch {
	case f.fields.Has("password"):
		f.fields.Set("username", p.Name)
		f.fields.Set("password", p.Password)
		return "the password", nil
	case f.fields.Has("otp"):
		code, err := p.OTP(time.Now())
		f.fields.Set("otp", code)
		return "a one-time code", err
	case f.fields.Has("offer"):
		return "allowed", nil
	}
	return "", fmt.Errorf("the page %q asks for what nobody knows", f.title)
}

func visit(ctx context.Context, browser *http.Client, method, address string, form url.Values) (page string, where *url.URL, err error) {
	r, err := http.NewRequestWithContext(ctx, method, address, strings.NewReader(form.Encode()))
	if err != nil {
		return "", nil, err
	}
	if form != nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	r.Header.Set("User-Agent", "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0")
	r.Header.Set("Accept-Language", "en-GB,en;q=0.5")
	resp, err := browser.Do(r)
	if err != nil {
		return "", nil, err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	return string(text), resp.Request.URL, err
}
