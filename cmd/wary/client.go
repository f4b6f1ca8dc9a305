package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"
)

// client asks a daemon.
type client struct {
	server  string // scheme://host:port, once prepared
	key     string
	ca      string
	cert    string
	certKey string
	tls     *tls.Config
	http    *http.Client
}

// flags adds the flags that say which daemon is asked, and as whom.
func (c *client) flags(cmd *cobra.Command) {
	server := os.Getenv("WARY_SERVER")
	if server == "" {
		server = "http://127.0.0.1:8080"
	}
	fs := cmd.Flags()
	fs.StringVar(&c.server, "server", server, "address of the score API ($WARY_SERVER); the caller's key comes from $WARY_KEY")
	fs.StringVar(&c.ca, "ca", "", "PEM file of the authority of the server's certificate")
	fs.StringVar(&c.cert, "cert", "", "PEM file of a client certificate")
	fs.StringVar(&c.certKey, "cert-key", "", "PEM file of its private key")
	cmd.PreRunE = func(cmd *cobra.Command, _ []string) error { return c.prepare(cmd) }
}

// prepare checks the flags and reads the key from the environment: a key on a
// command line would be seen by every user of the machine.
func (c *client) prepare(cmd *cobra.Command) error {
	u, err := url.Parse(c.server)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" || strings.Trim(u.Path, "/") != "" {
		return misused(cmd, "--server: %q is no address such as http://127.0.0.1:8080", c.server)
	}
	if u.Port() == "" {
		u.Host += map[string]string{"http": ":80", "https": ":443"}[u.Scheme]
	}
	c.server = u.Scheme + "://" + u.Host
	c.key = strings.TrimSpace(os.Getenv("WARY_KEY"))
	if strings.ContainsFunc(c.key, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return errors.New("$WARY_KEY holds what no key holds")
	}
	if (c.cert == "") != (c.certKey == "") {
		return misused(cmd, "--cert and --cert-key go together")
	}
	if c.tls, err = c.identify(); err != nil {
		return err
	}
	tr := http.DefaultTransport.(*http.Transport).Clone()
	tr.TLSClientConfig = c.tls
	c.http = &http.Client{Timeout: 10 * time.Second, Transport: tr}
	return nil
}

// identify returns whom the client trusts and who it is.
func (c *client) identify() (*tls.Config, error) {
	out := &tls.Config{MinVersion: tls.VersionTLS12}
	if c.ca != "" {
		pem, err := os.ReadFile(c.ca)
		if err != nil {
			return nil, fmt.Errorf("--ca: %w", err)
		}
		out.RootCAs = x509.NewCertPool()
		if !out.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("--ca: %s holds no certificate", c.ca)
		}
	}
	if c.cert != "" {
		pair, err := tls.LoadX509KeyPair(c.cert, c.certKey)
		if err != nil {
			return nil, fmt.Errorf("--cert: %w", err)
		}
		out.Certificates = []tls.Certificate{pair}
	}
	return out, nil
}

// reply is what a daemon answered.
type reply struct {
	status int
	body   []byte
	timing string // Server-Timing
}

// do sends a request; an answer that is not 2xx is an error that shows the problem.
func (c *client) do(ctx context.Context, method, path, contentType string, body []byte) (*reply, error) {
	req, err := http.NewRequestWithContext(ctx, method, c.server+path, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	if body != nil {
		req.Header.Set("Content-Type", contentType)
	}
	if c.key != "" {
		req.Header.Set("Authorization", "Bearer "+c.key)
	}
	res, err := c.http.Do(req)
	if err != nil {
		return nil, c.unanswered(err)
	}
	defer res.Body.Close()
	out := &reply{status: res.StatusCode, timing: res.Header.Get("Server-Timing")}
	if out.body, err = io.ReadAll(io.LimitReader(res.Body, 64<<20)); err != nil {
		return nil, c.unanswered(err)
	}
	if res.StatusCode/100 != 2 {
		return out, c.refused(out)
	}
	return out, nil
}

// unanswered says that no answer came, and where that is likely: what to do.
func (c *client) unanswered(err error) error {
	var outer *url.Error
	if errors.As(err, &outer) {
		err = outer.Err
	}
	if errors.Is(err, syscall.ECONNREFUSED) {
		return fmt.Errorf("no daemon answers on %s: start waryd, or name another with --server (%w)", c.server, err)
	}
	return fmt.Errorf("ask %s: %w", c.server, err)
}

// refused turns a problem document into an error.
func (c *client) refused(r *reply) error {
	var p struct {
		Title, Detail string
		Errors        []struct{ Pointer, Detail string }
	}
	if json.Unmarshal(r.body, &p) != nil || p.Title == "" {
		return fmt.Errorf("%s answered %d, and not as a score API does", c.server, r.status)
	}
	text := fmt.Sprintf("%d %s: %s", r.status, p.Title, p.Detail)
	for _, e := range p.Errors {
		text += fmt.Sprintf("\n  %s: %s", e.Pointer, e.Detail)
	}
	if r.status == http.StatusUnauthorized {
		if c.key == "" {
			text += "\n  no key was sent: put one into $WARY_KEY"
		} else {
			text += "\n  the key of $WARY_KEY is not known there"
		}
	}
	return errors.New(text)
}

func (c *client) post(ctx context.Context, path string, body []byte) (*reply, error) {
	return c.do(ctx, http.MethodPost, path, "application/json", body)
}
