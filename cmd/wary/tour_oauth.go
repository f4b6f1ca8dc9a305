package main

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/waryauth/wary/bench/thirdparty"
)

// flow is the part of the tour at the authorization server.
type flow struct {
	issuer  string // "" leaves it out
	data    string // the daemon's folder
	prepare bool
	open    bool
}

func (f *flow) flags(cmd *cobra.Command) {
	fs := cmd.Flags()
	fs.StringVar(&f.issuer, "authorization", "", "address of the authorization server, such as https://localhost:8082, to tour that as well")
	fs.StringVar(&f.data, "data", filepath.Join("run", "data"), "with the three others here: folder of the daemon's data, which has the server's certificate")
	fs.BoolVar(&f.prepare, "prepare", false, "only make up a client and a person for that tour, in the folder tour of the data, before the daemon starts")
	fs.BoolVar(&f.open, "open", false, "only push a request, and say what to open in a browser and what to type there")
	cmd.MarkFlagsMutuallyExclusive("prepare", "open")
	cmd.MarkFlagsMutuallyExclusive("prepare", "authorization")
}

// check refuses what is no address.
func (f *flow) check(cmd *cobra.Command) error {
	if f.open && f.issuer == "" {
		return misused(cmd, "--open needs --authorization")
	}
	if u, err := url.Parse(f.issuer); f.issuer != "" && (err != nil || u.Scheme != "https" || u.Host == "" || u.RawQuery != "" || u.Fragment != "") {
		return misused(cmd, "--authorization: %q is no address such as https://localhost:8082", f.issuer)
	}
	f.issuer = strings.TrimSuffix(f.issuer, "/")
	return nil
}

func (f *flow) folder() string { return filepath.Join(f.data, "tour") }

// made makes up the client and the person. The daemon's secret seals that of the
// person's app; before the first start there is none yet.
func (f *flow) made() error {
	path := filepath.Join(f.data, "authorization.secret")
	seal, err := readHexSecret(path)
	if errors.Is(err, fs.ErrNotExist) {
		rand.Read(seal[:]) // never fails (crypto/rand, Go 1.24)
		if err = os.MkdirAll(f.data, 0o700); err == nil {
			err = os.WriteFile(path, []byte(hex.EncodeToString(seal[:])+"\n"), 0o600)
		}
	}
	if err != nil {
		return err
	}
	return thirdparty.Prepare(f.folder(), seal)
}

func (f *flow) load() (*thirdparty.Client, *thirdparty.Person, error) {
	c, p, err := thirdparty.Load(f.folder(), f.issuer, filepath.Join(f.data, "authorization.crt"))
	if err != nil {
		return nil, nil, fmt.Errorf("--data: %w (wary tour --prepare makes what is needed)", err)
	}
	return c, p, nil
}

const flowScope = "openid accounts balances transactions"

// browse says how a person sees the pages.
func (t *tour) browse(ctx context.Context) error {
	c, p, err := t.flow.load()
	if err != nil {
		return err
	}
	r, a, err := c.Push(ctx, flowScope)
	if err != nil {
		return err
	}
	if a.Status != http.StatusCreated {
		return fmt.Errorf("the pushed request: %s", a)
	}
	code, err := p.OTP(time.Now())
	if err != nil {
		return err
	}
	fmt.Fprintf(t.w, "Open within a minute (the certificate is the server's own):\n\n  %s\n\n  user name  %s\n  password   %s\n  code       %s, if asked for one\n\n",
		r.Address, p.Name, p.Password, code)
	fmt.Fprintf(t.w, "In the end the browser goes to %s, where nobody listens: the code is in its address.\n", c.Redirect)
	return nil
}

// hold prints an answer and notes where it is not as told.
func (t *tour) hold(story, what, got string, asTold bool) bool {
	fmt.Fprintf(t.w, "  %-28s %s\n", what, got)
	if !asTold {
		t.wrong = append(t.wrong, fmt.Errorf("story %s: %s: %s", story, what, got))
		fmt.Fprintln(t.w, "  NOT AS TOLD")
	}
	return asTold
}

// authorize tells stories 5 to 7: a token, and what it is worth in other hands.
func (t *tour) authorize(ctx context.Context) error {
	c, p, err := t.flow.load()
	if err != nil {
		return err
	}
	fmt.Fprintf(t.w, "\n5. %s gets a token from %s, and uses it\n", c.ID, c.Issuer)
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
	fmt.Fprintln(t.w, "\n7. The same code, once more")
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
func (t *tour) granted(ctx context.Context, c *thirdparty.Client, p *thirdparty.Person) (*thirdparty.Request, string, error) {
	r, a, err := c.Push(ctx, flowScope)
	if err != nil {
		return nil, "", err
	}
	if !t.hold("5", "the request, pushed", a.String(), a.Status == http.StatusCreated && a.RequestURI != "") {
		return nil, "", nil
	}
	steps, back, err := p.Allow(ctx, c.HTTP, r.Address, c.Redirect)
	for _, s := range steps {
		fmt.Fprintf(t.w, "  the page %-19s %s\n", "“"+s.Page+"”", s.What)
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
func (t *tour) redeemed(ctx context.Context, c *thirdparty.Client, r *thirdparty.Request, code string) (string, error) {
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
	for _, s := range strings.Fields(flowScope) {
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
func (t *tour) stolen(ctx context.Context, c *thirdparty.Client, token string) error {
	fmt.Fprintln(t.w, "\n6. The token is stolen, the key is not")
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
