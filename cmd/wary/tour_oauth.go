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
	ops     string // base address of its operators' endpoints, or ""
	prepare bool
	open    bool
}

func (f *flow) flags(cmd *cobra.Command) {
	fs := cmd.Flags()
	fs.StringVar(&f.issuer, "authorization", "", "address of the authorization server, such as https://localhost:8082, to tour that as well")
	fs.StringVar(&f.data, "data", filepath.Join("run", "data"), "with the three others here: folder of the daemon's data, which has the server's certificate")
	fs.StringVar(&f.ops, "operators", "", "address of the operators' endpoints, such as http://127.0.0.1:8081, to tour a revocation as well")
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

// browse says how a person sees the pages.
func (t *tour) browse(ctx context.Context) error {
	c, p, err := t.flow.load()
	if err != nil {
		return err
	}
	r, a, err := c.Push(ctx, thirdparty.StoryScope, nil)
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

// authorize tells the stories at the authorization server, after three weeks of its client's
// ordinary days, and then who decided the last token and why.
func (t *tour) authorize(ctx context.Context) error {
	c, p, err := t.flow.load()
	if err != nil {
		return err
	}
	fmt.Fprintf(t.w, "\nThree weeks of ordinary days of %s and its people come first.\n", c.ID)
	for a := range thirdparty.Past(c, p, t.run, time.Now()) {
		if err := t.ordinary(ctx, a); err != nil {
			return err
		}
	}
	s := thirdparty.Stories{Client: c, Person: p, Abroad: t.somewhere, Operators: strings.TrimSuffix(t.flow.ops, "/"), W: t.w}
	if err := s.Tell(ctx); err != nil {
		t.wrong = append(t.wrong, err)
	}
	fmt.Fprintln(t.w, "\nThe decisions that led to the last token, by its id:")
	return thirdparty.Audit(t.w, s.Decision, func(id string) ([]byte, error) {
		res, err := t.client.do(ctx, http.MethodGet, "/v1/decisions/"+id, "", nil)
		return res.body, err
	})
}
