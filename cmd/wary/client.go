package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"
)

// client asks a daemon.
type client struct {
	server string
	key    string
	ca     string
	http   *http.Client
}

// flags adds the flags that say which daemon is asked, and as whom.
func (c *client) flags(cmd *cobra.Command) {
	server := os.Getenv("WARY_SERVER")
	if server == "" {
		server = "http://127.0.0.1:8080"
	}
	cmd.Flags().StringVar(&c.server, "server", server, "address of the score API ($WARY_SERVER)")
	cmd.Flags().StringVar(&c.ca, "ca", "", "PEM file of the authority of the server's certificate")
	cmd.PreRunE = func(*cobra.Command, []string) error { return c.prepare() }
}

// prepare reads the key from the environment: a key on a command line would be
// seen by every user of the machine.
func (c *client) prepare() error {
	c.server = strings.TrimRight(c.server, "/")
	c.key = os.Getenv("WARY_KEY")
	tr := http.DefaultTransport.(*http.Transport).Clone()
	if c.ca != "" {
		config, err := trust(c.ca)
		if err != nil {
			return err
		}
		tr.TLSClientConfig = config
	}
	c.http = &http.Client{Timeout: 10 * time.Second, Transport: tr}
	return nil
}

func trust(path string) (*tls.Config, error) {
	pem, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("%s holds no certificate", path)
	}
	return &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}, nil
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
		return nil, err
	}
	defer res.Body.Close()
	out := &reply{status: res.StatusCode, timing: res.Header.Get("Server-Timing")}
	if out.body, err = io.ReadAll(io.LimitReader(res.Body, 64<<20)); err != nil {
		return nil, err
	}
	if res.StatusCode/100 != 2 {
		return out, problemError(out)
	}
	return out, nil
}

// problemError turns a problem document into an error.
func problemError(r *reply) error {
	var p struct {
		Title, Detail string
		Errors        []struct{ Pointer, Detail string }
	}
	if json.Unmarshal(r.body, &p) != nil || p.Title == "" {
		return fmt.Errorf("the server answered %d", r.status)
	}
	text := fmt.Sprintf("%d %s: %s", r.status, p.Title, p.Detail)
	for _, e := range p.Errors {
		text += fmt.Sprintf("\n  %s: %s", e.Pointer, e.Detail)
	}
	return fmt.Errorf("%s", text)
}

func (c *client) post(ctx context.Context, path string, body []byte) (*reply, error) {
	return c.do(ctx, http.MethodPost, path, "application/json", body)
}
