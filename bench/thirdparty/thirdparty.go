// Package thirdparty answers: what do a client of the authorization server and the
// person in front of it send, and what do they get?
//
// It speaks to any server of the FAPI 2.0 Security Profile by its public HTTP surface:
// private_key_jwt, pushed requests, PKCE, DPoP. The person fills in the forms of our
// pages.
package thirdparty

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/waryauth/wary/internal/jose"
)

// maxAnswer is far above what an answer or a page has, in bytes.
const maxAnswer = 1 << 20

// assertionLife is how long a client assertion is good.
const assertionLife = 30 * time.Second

// Client is a client of an authorization server. It is not safe for concurrent use.
type Client struct {
	Issuer   string // of the server, which is the base of its addresses
	ID       string
	Redirect string // one of its redirect URIs
	HTTP     *http.Client
	From     string // address that a proxy in front would have seen; "" says none

	key   *jose.Signer // of assertions and proofs
	nonce string       // that the server gave last
}

// Answer is what a server answered: the members that it had, and zeros for the others.
type Answer struct {
	Status      int
	RequestURI  string `json:"request_uri"`
	AccessToken string `json:"access_token"`
	Refresh     string `json:"refresh_token"`
	Scope       string `json:"scope"`
	ExpiresIn   int    `json:"expires_in"` // seconds
	Done        string `json:"status"`     // of a payment
	Challenge   string `json:"-"`          // WWW-Authenticate
	Error       string `json:"error"`
	Description string `json:"error_description"`
	Accounts    []struct {
		Name string `json:"name"`
	} `json:"accounts"`
}

// String says a status and the error, if there was one.
func (a *Answer) String() string {
	return strings.TrimSpace(fmt.Sprintf("%d %s", a.Status, a.Error))
}

// Thief returns somebody who has all that the client sent and got, and not its key.
func (c *Client) Thief() (*Client, error) {
	key, err := newSigner()
	if err != nil {
		return nil, err
	}
	out := *c
	out.key = key
	return &out, nil
}

func newSigner() (*jose.Signer, error) {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	return jose.NewSigner("tour", private)
}

// secret returns so many random bytes as text.
func secret(bytes int) string {
	b := make([]byte, bytes)
	rand.Read(b) // never fails (crypto/rand, Go 1.24)
	return base64.RawURLEncoding.EncodeToString(b)
}

// Request is a request that was pushed.
type Request struct {
	Address  string // for the person's browser
	State    string
	Verifier string // of PKCE (RFC 7636)
}

// Push pushes a request for scopes and what else it says (RFC 9126).
func (c *Client) Push(ctx context.Context, scope string, also url.Values) (*Request, *Answer, error) {
	r := &Request{State: secret(16), Verifier: secret(32)}
	form := url.Values{
		"response_type": {"code"}, "redirect_uri": {c.Redirect}, "scope": {scope}, "state": {r.State},
		"code_challenge": {jose.Digest(r.Verifier)}, "code_challenge_method": {"S256"},
	}
	maps.Copy(form, also)
	a, err := c.post(ctx, "/par", form)
	if err != nil {
		return nil, nil, err
	}
	r.Address = c.Issuer + "/authorize?" + url.Values{"client_id": {c.ID}, "request_uri": {a.RequestURI}}.Encode()
	return r, a, nil
}

// Redeem asks for the tokens of a code.
func (c *Client) Redeem(ctx context.Context, r *Request, code string) (*Answer, error) {
	return c.post(ctx, "/token", url.Values{
		"grant_type": {"authorization_code"}, "code": {code}, "code_verifier": {r.Verifier}, "redirect_uri": {c.Redirect},
	})
}

// Renew asks for new tokens for a refresh token.
func (c *Client) Renew(ctx context.Context, refresh string) (*Answer, error) {
	return c.post(ctx, "/token", url.Values{"grant_type": {"refresh_token"}, "refresh_token": {refresh}})
}

// Read reads what a token gives access to, with a proof by the client's key.
func (c *Client) Read(ctx context.Context, path, token string) (*Answer, error) {
	return c.prove(func(nonce string) (*http.Request, error) {
		return c.request(ctx, http.MethodGet, path, "", nil, token, nonce)
	})
}

// Order sends JSON with a token and a proof by the client's key.
func (c *Client) Order(ctx context.Context, path, token string, what any) (*Answer, error) {
	text, err := json.Marshal(what)
	if err != nil {
		return nil, err
	}
	return c.prove(func(nonce string) (*http.Request, error) {
		return c.request(ctx, http.MethodPost, path, "application/json", text, token, nonce)
	})
}

// ReadBare reads with a token and no proof of anything (RFC 6750).
func (c *Client) ReadBare(ctx context.Context, path, token string) (*Answer, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, c.Issuer+path, nil)
	if err != nil {
		return nil, err
	}
	r.Header.Set("Authorization", "Bearer "+token)
	return c.send(r)
}

// post sends a form as the client, which it authenticates (RFC 7523, section 2.2).
func (c *Client) post(ctx context.Context, path string, form url.Values) (*Answer, error) {
	return c.prove(func(nonce string) (*http.Request, error) {
		now := time.Now()
		assertion, err := c.key.Sign("JWT", map[string]any{
			"iss": c.ID, "sub": c.ID, "aud": c.Issuer, "jti": secret(16), "iat": now.Unix(), "exp": now.Add(assertionLife).Unix(),
		})
		if err != nil {
			return nil, err
		}
		form.Set("client_id", c.ID)
		form.Set("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer")
		form.Set("client_assertion", assertion)
		return c.request(ctx, http.MethodPost, path, "application/x-www-form-urlencoded", []byte(form.Encode()), "", nonce)
	})
}

// prove sends a request, and once more where the server wants its nonce in the proof
// (RFC 9449, section 8).
func (c *Client) prove(build func(nonce string) (*http.Request, error)) (a *Answer, err error) {
	for range 2 {
		r, err := build(c.nonce)
		if err != nil {
			return nil, err
		}
		if a, err = c.send(r); err != nil {
			return nil, err
		}
		if a.Error != "use_dpop_nonce" {
			break
		}
	}
	return a, err
}

// request builds a request with a DPoP proof (RFC 9449, sections 4.2 and 7).
func (c *Client) request(ctx context.Context, method, path, mediaType string, body []byte, token, nonce string) (*http.Request, error) {
	claims := map[string]any{"jti": secret(16), "htm": method, "htu": c.Issuer + path, "iat": time.Now().Unix()}
	if nonce != "" {
		claims["nonce"] = nonce
	}
	if token != "" {
		claims["ath"] = jose.Digest(token)
	}
	proof, err := c.key.Prove(claims)
	if err != nil {
		return nil, err
	}
	r, err := http.NewRequestWithContext(ctx, method, c.Issuer+path, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	r.Header.Set("DPoP", proof)
	if mediaType != "" {
		r.Header.Set("Content-Type", mediaType)
	}
	if token != "" {
		r.Header.Set("Authorization", "DPoP "+token)
	}
	return r, nil
}

func (c *Client) send(r *http.Request) (*Answer, error) {
	if c.From != "" {
		r.Header.Set("X-Forwarded-For", c.From)
	}
	resp, err := c.HTTP.Do(r)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return nil, err
	}
	a := &Answer{}
	if err := json.Unmarshal(text, a); err != nil && len(text) > 0 {
		return nil, errors.Join(fmt.Errorf("%s answered %d, and no JSON object", r.URL.Path, resp.StatusCode), err)
	}
	a.Status, a.Challenge = resp.StatusCode, resp.Header.Get("WWW-Authenticate")
	if n := resp.Header.Get("DPoP-Nonce"); n != "" {
		c.nonce = n
	}
	return a, nil
}
