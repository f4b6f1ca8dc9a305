package thirdparty

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
)

// StoryScope is what the third party of the stories asks for.
const StoryScope = "openid accounts balances transactions payments"

const bankAccounts = "/bank/accounts"

// Stories are what the tour tells at an authorization server with a bank: each
// answer is printed and held against what it should be.
type Stories struct {
	Client    *Client
	Person    *Person
	Abroad    string // an address in another country, that nobody had before
	Operators string // base address of the operators' endpoints; "" leaves out the story that needs them
	W         io.Writer

	Decision string // of the last token, once told

	wrong []error
}

// errTold is the end of the stories, which was told already.
var errTold = errors.New("told")

// hold prints an answer and notes where it is not as told.
func (t *Stories) hold(story, what, got string, asTold bool) bool {
	fmt.Fprintf(t.W, "  %-28s %s\n", what, got)
	if !asTold {
		t.wrong = append(t.wrong, fmt.Errorf("story %s: %s: %s", story, what, got))
		fmt.Fprintln(t.W, "  NOT AS TOLD")
	}
	return asTold
}

// must is hold where nothing can follow unless it is as told.
func (t *Stories) must(story, what, got string, asTold bool) error {
	if !t.hold(story, what, got, asTold) {
		return errTold
	}
	return nil
}

// Tell tells stories 5 to 11. The error joins what was not as told.
func (t *Stories) Tell(ctx context.Context) error {
	if err := t.tell(ctx); err != nil && !errors.Is(err, errTold) {
		return err
	}
	return errors.Join(t.wrong...)
}

func (t *Stories) tell(ctx context.Context) error {
	c := t.Client
	c.From, t.Person.From = Servers, Home
	fmt.Fprintf(t.W, "\n5. %s gets a token from %s, and uses it\n", c.ID, c.Issuer)
	first, err := t.granted(ctx, "5", url.Values{}, true)
	if err != nil {
		return err
	}
	if err := t.accounts(ctx, first.token.AccessToken); err != nil {
		return err
	}
	if err := t.stolen(ctx, first.token.AccessToken); err != nil {
		return err
	}
	if err := t.again(ctx, first); err != nil {
		return err
	}
	paid, err := t.payment(ctx)
	if err != nil {
		return err
	}
	if err := t.copied(ctx, paid); err != nil {
		return err
	}
	if err := t.holiday(ctx); err != nil {
		return err
	}
	return t.revoked(ctx)
}

// grant is what came of a request.
type grant struct {
	request *Request
	code    string
	token   *Answer
}

// granted pushes a request, lets the person allow it, and takes its tokens.
func (t *Stories) granted(ctx context.Context, story string, also url.Values, enrol bool) (*grant, error) {
	c := t.Client
	scope := StoryScope
	if s := also.Get("scope"); s != "" {
		scope = s
	}
	r, a, err := c.Push(ctx, scope, also)
	if err != nil {
		return nil, err
	}
	if err := t.must(story, "the request, pushed", a.String(), a.Status == http.StatusCreated && a.RequestURI != ""); err != nil {
		return nil, err
	}
	steps, back, err := t.Person.Allow(ctx, c.HTTP, r.Address, c.Redirect, enrol)
	for _, s := range steps {
		fmt.Fprintf(t.W, "  the page %-19s %s\n", "“"+s.Page+"”", s.What)
		for _, w := range s.Withheld {
			fmt.Fprintf(t.W, "    withheld: %s\n", w)
		}
	}
	if err != nil {
		return nil, err
	}
	code := back.Get("code")
	if err := t.must(story, "back at the client", outcome(back), code != "" && back.Get("state") == r.State && back.Get("iss") == c.Issuer); err != nil {
		return nil, err
	}
	if a, err = c.Redeem(ctx, r, code); err != nil {
		return nil, err
	}
	what := fmt.Sprintf("%s, for %d s: %s%s", a, a.ExpiresIn, a.Scope, withheld(scope, a.Scope))
	if err := t.must(story, "the token, bound to its key", what, a.Status == http.StatusOK && a.AccessToken != "" && a.ExpiresIn > 0); err != nil {
		return nil, err
	}
	t.Decision = decisionOf(a.AccessToken)
	return &grant{r, code, a}, nil
}

// decisionOf returns the decision that an access token of this server was issued by: the
// end of its jti.
func decisionOf(token string) string {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return ""
	}
	text, err := base64.RawURLEncoding.DecodeString(parts[1])
	var claims struct {
		ID string `json:"jti"`
	}
	if err != nil || json.Unmarshal(text, &claims) != nil {
		return ""
	}
	_, decision, _ := strings.Cut(claims.ID, ".")
	return decision
}

func outcome(back url.Values) string {
	if e := back.Get("error"); e != "" {
		return e + ": " + back.Get("error_description")
	}
	return "with a code"
}

// withheld says which scopes were not granted.
func withheld(asked, granted string) string {
	have := " " + granted + " "
	var not []string
	for _, s := range strings.Fields(asked) {
		if !strings.Contains(have, " "+s+" ") {
			not = append(not, s)
		}
	}
	if len(not) == 0 {
		return ""
	}
	return "; withheld: " + strings.Join(not, " ")
}

// accounts reads the accounts at the bank.
func (t *Stories) accounts(ctx context.Context, token string) error {
	read, err := t.Client.Read(ctx, bankAccounts, token)
	if err != nil {
		return err
	}
	var names []string
	for _, x := range read.Accounts {
		names = append(names, x.Name)
	}
	t.hold("5", "the accounts at the bank", read.String()+" "+strings.Join(names, ", "), read.Status == http.StatusOK && len(names) > 0)
	return nil
}

// stolen uses a token without the key it is bound to, and then with it again.
func (t *Stories) stolen(ctx context.Context, token string) error {
	fmt.Fprintln(t.W, "\n6. The token is stolen, the key is not")
	thief, err := t.Client.Thief()
	if err != nil {
		return err
	}
	thief.From = Elsewhere
	a, err := thief.ReadBare(ctx, bankAccounts, token)
	if err != nil {
		return err
	}
	t.hold("6", "without a proof", a.String(), a.Status == http.StatusUnauthorized)
	if a, err = thief.Read(ctx, bankAccounts, token); err != nil {
		return err
	}
	t.hold("6", "with a proof by another key", a.String(), a.Status == http.StatusUnauthorized)
	if a, err = t.Client.Read(ctx, bankAccounts, token); err != nil {
		return err
	}
	t.hold("6", "its owner still reads", a.String(), a.Status == http.StatusOK)
	return nil
}

// again redeems a code a second time.
func (t *Stories) again(ctx context.Context, g *grant) error {
	fmt.Fprintln(t.W, "\n7. The same code, once more")
	a, err := t.Client.Redeem(ctx, g.request, g.code)
	if err != nil {
		return err
	}
	t.hold("7", "the code, again", a.String(), a.Status == http.StatusBadRequest && a.Error == "invalid_grant")
	if a, err = t.Client.Read(ctx, bankAccounts, g.token.AccessToken); err != nil {
		return err
	}
	t.hold("7", "the token that it gave", a.String()+": revoked", a.Status == http.StatusUnauthorized && a.Error == "invalid_token")
	return nil
}
