package thirdparty

import (
	"fmt"
	"iter"
	"time"

	"github.com/waryauth/wary/signals"
)

// Where those of the stories are: addresses of a large access network and of two hosting
// companies. Nothing is sent to them.
const (
	Home      = "81.152.10.20"   // British Telecom, United Kingdom
	Servers   = "18.130.7.33"    // Amazon, London: the client's
	Elsewhere = "157.245.33.102" // DigitalOcean: a thief's
)

// userAgent is the client's program, as it says.
const userAgent = "Go-http-client/1.1"

// browserAgent is the person's browser, as it says.
const browserAgent = "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0"

// OtherAgent is another browser, on another system.
const OtherAgent = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36"

const browserLanguages = "en-GB,en;q=0.5"

// Past yields three weeks of a client's ordinary days: a person and eleven others
// authorize it once a week from home, and it refreshes for each of them twice a day from
// its own servers. The ids of attempts and people begin with run.
func Past(c *Client, p *Person, run string, now time.Time) iter.Seq[*signals.Attempt] {
	const days, people = 21, 12
	return func(yield func(*signals.Attempt) bool) {
		n := 0
		for day := days; day >= 1; day-- {
			for i := range people {
				subject := p.Subject
				if i > 0 {
					subject = fmt.Sprintf("psu-%s-%d", run, i)
				}
				at := now.Add(-time.Duration(day)*24*time.Hour + time.Duration(i)*7*time.Minute)
				for _, a := range c.day(subject, at, day%7 == 0) {
					n++
					a.ID = fmt.Sprintf("past-%s-%d", run, n)
					if !yield(a) {
						return
					}
				}
			}
		}
	}
}

// day returns the attempts of one person's day, whose authorization is renewed on it or not.
func (c *Client) day(subject string, at time.Time, renewed bool) (all []*signals.Attempt) {
	attempt := func(action signals.Action, from, agent string) *signals.Attempt {
		a := &signals.Attempt{Time: at, Action: action, Subject: subject}
		a.Client = signals.Client{ID: c.ID, RedirectURI: c.Redirect, AuthMethod: signals.PrivateKeyJWT}
		a.Intent.Scopes = []string{"openid", "accounts", "balances", "transactions"}
		a.UserPresent, a.Authentication.Result = signals.Some(action == signals.Authorize), signals.Success
		a.Network.IP, a.Headers.UserAgent = from, agent
		all = append(all, a)
		return a
	}
	if renewed {
		a := attempt(signals.Authorize, Home, browserAgent)
		a.Headers.AcceptLanguage = browserLanguages
		a.Authentication.Method, a.Session.AMR, a.Session.AuthTime = signals.Password, []string{"pwd"}, at
		at = at.Add(4 * time.Second)
		attempt(signals.TokenRequest, Servers, userAgent)
	}
	for range 2 {
		at = at.Add(5 * time.Hour)
		attempt(signals.Refresh, Servers, userAgent)
	}
	return all
}
