package thirdparty

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
)

// StoryScope is what the third party of the stories asks for.
const StoryScope = "openid accounts balances transactions"

// Stories are what the tour tells at an authorization server with a bank: each
// answer is printed and held against what it should be.
type Stories struct {
	Client *Client
	Person *Person
	W      io.Writer

	wrong []error
}

// hold prints an answer and notes where it is not as told.
func (t *Stories) hold(story, what, got string, asTold bool) bool {
	fmt.Fprintf(t.W, "  %-28s %s\n", what, got)
	if !asTold {
		t.wrong = append(t.wrong, fmt.Errorf("story %s: %s: %s", story, what, got))
		fmt.Fprintln(t.W, "  NOT AS TOLD")
	}
	return asTold
}

// Tell tells stories 5 to 7: a token, and what it is worth in other hands. The error
// joins what was not as told.
func (t *Stories) Tell(ctx context.Context) error {
	if err := t.tell(ctx); err != nil {
		return err
	}
	return errors.Join(t.wrong...)
}

func (t *Stories) tell(ctx context.Context) error {
	c, p := t.Client, t.Person
	fmt.Fprintf(t.W, "\n5. %s gets a token from %s, and uses it\n", c.ID, c.Issuer)
	r, code, err := t.granted(ctx, c, p)
	if err != nil || code == "" {
		return err
	}
	token, err := t.redeemed(ctx, c, r, code)
	if err != nil || token == "" {
		return err
	}
	if err := t.stolen(ctx, c, token); err != nil {
		return err
	}
	fmt.Fprintln(t.W, "\n7. The same code, once more")
	a, err := c.Redeem(ctx, r, code)
	if err != nil {
		return err
	}
	t.hold("7", "the code, again", a.String(), a.Status == http.StatusBadRequest && a.Error == "invalid_grant")
	if a, err = c.Read(ctx, bankAccounts, token); err != nil {
		return err
	}
	t.hold("7", "the token that it gave", a.String()+": revoked", a.Status == http.StatusUnauthorized && a.Error == "invalid_token")
	return nil
}

const bankAccounts = "/bank/accounts"

// granted pushes a request and lets the person allow it; "" is no code.
func (t *Stories) granted(ctx context.Context, c *Client, p *Person) (*Request, string, error) {
	r, a, err := c.Push(ctx, StoryScope)
	if err != nil {
		return nil, "", err
	}
	if !t.hold("5", "the request, pushed", a.String(), a.Status == http.StatusCreated && a.RequestURI != "") {
		return nil, "", nil
	}
	steps, back, err := p.Allow(ctx, c.HTTP, r.Address, c.Redirect)
	for _, s := range steps {
		fmt.Fprintf(t.W, "  the page %-19s %s\n", "“"+s.Page+"”", s.What)
	}
	if err != nil {
		return nil, "", err
	}
	if code := back.Get("code"); t.hold("5", "back at the client", outcome(back), code != "" && back.Get("state") == r.State && back.Get("iss") == c.Issuer) {
		return r, code, nil
	}
	return nil, "", nil
}

func outcome(back url.Values) string {
	if e := back.Get("error"); e != "" {
		return e + ": " + back.Get("error_description")
	}
	return "with a code"
}

// redeemed takes the token of a code and reads with it; "" is none.
func (t *Stories) redeemed(ctx context.Context, c *Client, r *Request, code string) (string, error) {
	a, err := c.Redeem(ctx, r, code)
	if err != nil {
		return "", err
	}
	if !t.hold("5", "the token, bound to its key", fmt.Sprintf("%s, for %d s: %s%s", a, a.ExpiresIn, a.Scope, withheld(a.Scope)),
		a.Status == http.StatusOK && a.AccessToken != "" && a.ExpiresIn > 0) {
		return "", nil
	}
	read, err := c.Read(ctx, bankAccounts, a.AccessToken)
	if err != nil {
		return "", err
	}
	var names []string
	for _, x := range read.Accounts {
		names = append(names, x.Name)
	}
	t.hold("5", "the accounts at the bank", read.String()+" "+strings.Join(names, ", "), read.Status == http.StatusOK && len(names) > 0)
	return a.AccessToken, nil
}

// withheld says which scopes were not granted.
func withheld(granted string) string {
	have := " " + granted + " "
	var not []string
	for _, s := range strings.Fields(StoryScope) {
		if !strings.Contains(have, " "+s+" ") {
			not = append(not, s)
		}
	}
	if len(not) == 0 {
		return ""
	}
	return "; withheld: " + strings.Join(not, " ")
}

// stolen uses the token without the key it is bound to, and then with it again.
func (t *Stories) stolen(ctx context.Context, c *Client, token string) error {
	fmt.Fprintln(t.W, "\n6. The token is stolen, the key is not")
	thief, err := c.Thief()
	if err != nil {
		return err
	}
	a, err := thief.ReadBare(ctx, bankAccounts, token)
	if err != nil {
		return err
	}
	t.hold("6", "without a proof", a.String(), a.Status == http.StatusUnauthorized)
	if a, err = thief.Read(ctx, bankAccounts, token); err != nil {
		return err
	}
	t.hold("6", "with a proof by another key", a.String(), a.Status == http.StatusUnauthorized)
	if a, err = c.Read(ctx, bankAccounts, token); err != nil {
		return err
	}
	t.hold("6", "its owner still reads", a.String(), a.Status == http.StatusOK)
	return nil
}
