package resource

import (
	"context"
	"crypto"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/waryauth/wary/authz"
	"github.com/waryauth/wary/internal/jose"
)

// maxAnswer bounds what an issuer answers with, in bytes.
const maxAnswer = 64 << 10

// callTimeout is for one call to the issuer.
const callTimeout = 5 * time.Second

// RemoteOptions say which issuer is asked, and as whom.
type RemoteOptions struct {
	Issuer   string
	ClientID string        // the issuer's client that is this resource server
	Key      crypto.Signer // authenticates by private_key_jwt: P-256, Ed25519 or RSA; nil: the certificate of HTTP's client does
	KeyID    string

	// StatusLists has tokens looked up in the issuer's status lists, which are fetched twice
	// in their ttl (draft-ietf-oauth-status-list-21), instead of introspection of each: the
	// issuer's engine is not asked then, and learns nothing of what is used. A token without
	// a status is introspected.
	StatusLists bool

	HTTP *http.Client     // default http.DefaultClient; redirects are not followed
	Now  func() time.Time // default time.Now
}

// Remote finds tokens of an issuer that runs elsewhere. Its methods are safe for
// concurrent use.
type Remote struct {
	o          RemoteOptions
	signer     *jose.Signer
	http       *http.Client
	keys       keys
	lists      lists
	host       string // of the issuer
	introspect string
}

// NewRemote reads the issuer's metadata (RFC 8414).
func NewRemote(ctx context.Context, o RemoteOptions) (*Remote, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.HTTP == nil {
		o.HTTP = http.DefaultClient
	}
	if o.ClientID == "" {
		return nil, errors.New("remote issuer: no client id")
	}
	r := &Remote{o: o}
	plain := *o.HTTP
	plain.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	r.http = &plain
	if o.Key != nil {
		var err error
		if r.signer, err = jose.NewSigner(o.KeyID, o.Key); err != nil {
			return nil, fmt.Errorf("remote issuer: %w", err)
		}
	}
	var m struct {
		Issuer     string `json:"issuer"`
		Keys       string `json:"jwks_uri"`
		Introspect string `json:"introspection_endpoint"`
		Aliases    struct {
			Introspect string `json:"introspection_endpoint"`
		} `json:"mtls_endpoint_aliases"`
	}
	at, err := metadataURL(o.Issuer)
	if err == nil {
		err = r.get(ctx, at, &m)
	}
	if err != nil {
		return nil, fmt.Errorf("remote issuer %s: %w", o.Issuer, err)
	}
	if m.Issuer != o.Issuer { // RFC 8414, section 3.3
		return nil, fmt.Errorf("remote issuer %s: its metadata is of another issuer", o.Issuer)
	}
	r.introspect = m.Introspect
	if r.signer == nil && m.Aliases.Introspect != "" {
		r.introspect = m.Aliases.Introspect
	}
	for _, u := range [...]string{m.Keys, r.introspect} {
		if !secure(u) {
			return nil, fmt.Errorf("remote issuer %s: its metadata names no https URL of keys or introspection", o.Issuer)
		}
	}
	r.keys = keys{now: o.Now, fetch: func(ctx context.Context) (jose.KeySet, error) {
		var text json.RawMessage
		if err := r.get(ctx, m.Keys, &text); err != nil {
			return jose.KeySet{}, err
		}
		return jose.ParseKeySet(text)
	}}
	u, err := url.Parse(o.Issuer)
	if err != nil {
		return nil, fmt.Errorf("remote issuer %s: %w", o.Issuer, err)
	}
	r.host = u.Host
	r.lists = lists{now: o.Now, fetch: r.fetchList, held: map[string]*heldList{}}
	return r, nil
}

// metadataURL returns where an issuer's metadata is (RFC 8414, section 3.1).
func metadataURL(issuer string) (string, error) {
	if !secure(issuer) {
		return "", errors.New("is no https URL")
	}
	u, err := url.Parse(issuer)
	if err != nil {
		return "", err
	}
	u.Path = "/.well-known/oauth-authorization-server" + strings.TrimSuffix(u.Path, "/")
	return u.String(), nil
}

func secure(raw string) bool {
	u, err := url.Parse(raw)
	return err == nil && u.Scheme == "https" && u.Host != "" && u.User == nil
}

// Find returns what a token is, or authz.ErrInactive. The signature is verified before
// anybody is asked, so that a made-up token costs the issuer nothing; whether it was
// revoked is asked each time, so that a revocation counts at once.
func (r *Remote) Find(ctx context.Context, raw string) (*authz.Token, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	set, err := r.keys.current(ctx)
	if err != nil {
		return nil, fmt.Errorf("fetch the issuer's keys: %w", err)
	}
	t, err := authz.ParseToken(raw, set, r.o.Issuer, r.o.Now())
	if errors.Is(err, jose.ErrKey) { // perhaps signed by a newer one
		if set, renewed := r.keys.renew(ctx); renewed {
			t, err = authz.ParseToken(raw, set, r.o.Issuer, r.o.Now())
		}
	}
	if err != nil {
		return nil, authz.ErrInactive
	}
	var active bool
	if ref := t.Status; ref != nil && r.o.StatusLists {
		active, err = r.listed(ctx, ref)
	} else {
		active, err = r.active(ctx, raw)
	}
	switch {
	case err != nil:
		return nil, fmt.Errorf("ask the issuer about a token: %w", err)
	case !active:
		return nil, authz.ErrInactive
	}
	return t, nil
}

// active asks the introspection endpoint (RFC 7662).
func (r *Remote) active(ctx context.Context, raw string) (bool, error) {
	form := url.Values{"token": {raw}, "client_id": {r.o.ClientID}}
	if r.signer != nil {
		assertion, err := r.assertion()
		if err != nil {
			return false, err
		}
		form.Set("client_assertion_type", authz.AssertionType)
		form.Set("client_assertion", assertion)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, r.introspect, strings.NewReader(form.Encode()))
	if err != nil {
		return false, err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	var said struct {
		Active bool `json:"active"`
	}
	err = r.do(req, &said)
	return said.Active, err
}

// assertion returns a client assertion for the issuer (RFC 7523; FAPI 2.0, section 5.3.2.1).
func (r *Remote) assertion() (string, error) {
	id := make([]byte, 16)
	rand.Read(id) // never fails (crypto/rand, Go 1.24)
	now := r.o.Now()
	return r.signer.Sign("JWT", map[string]any{
		"iss": r.o.ClientID, "sub": r.o.ClientID, "aud": r.o.Issuer, "jti": base64.RawURLEncoding.EncodeToString(id),
		"iat": now.Unix(), "exp": now.Add(30 * time.Second).Unix(),
	})
}

func (r *Remote) get(ctx context.Context, u string, v any) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u, nil)
	if err != nil {
		return err
	}
	return r.do(req, v)
}

// do sends a request and fills v from an answer that is 200, JSON and not too long.
func (r *Remote) do(req *http.Request, v any) error {
	text, err := r.read(req, "application/json", "application/jwk-set+json")
	if err != nil {
		return err
	}
	return json.Unmarshal(text, v)
}

// read sends a request and returns an answer that is 200, of one of the media types and
// not too long.
func (r *Remote) read(req *http.Request, mediaTypes ...string) ([]byte, error) {
	req.Header.Set("Accept", mediaTypes[0])
	res, err := r.http.Do(req)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	mediaType, _, err := mime.ParseMediaType(res.Header.Get("Content-Type"))
	if err != nil || res.StatusCode != http.StatusOK || !slices.Contains(mediaTypes, mediaType) {
		return nil, fmt.Errorf("%s answered %d, %q", req.URL.Path, res.StatusCode, mediaType)
	}
	text, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer+1))
	if err == nil && len(text) > maxAnswer {
		err = fmt.Errorf("%s answered with more than %d bytes", req.URL.Path, maxAnswer)
	}
	return text, err
}
