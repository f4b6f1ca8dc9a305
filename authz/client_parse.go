package authz

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"

	"github.com/waryauth/wary/engine"
	"github.com/waryauth/wary/internal/jose"
	"github.com/waryauth/wary/signals"
)

// MaxClientsBytes bounds a document of clients.
const MaxClientsBytes = 4 << 20

// clientsDocument is the file of clients.
type clientsDocument struct {
	Clients []clientDocument `yaml:"clients"`
}

// clientDocument is one client as it is configured. Names are those of RFC 7591,
// RFC 8705, RFC 9101 and RFC 9396 where they have one.
type clientDocument struct {
	ID              string   `yaml:"client_id"`
	Name            string   `yaml:"client_name"`
	RedirectURIs    []string `yaml:"redirect_uris"`
	LogoutURIs      []string `yaml:"post_logout_redirect_uris"`
	Auth            string   `yaml:"token_endpoint_auth_method"`
	JWKS            any      `yaml:"jwks"`
	Thumbprints     []string `yaml:"certificate_thumbprints"`
	SubjectDN       string   `yaml:"tls_client_auth_subject_dn"`
	DNS             string   `yaml:"tls_client_auth_san_dns"`
	URI             string   `yaml:"tls_client_auth_san_uri"`
	IP              string   `yaml:"tls_client_auth_san_ip"`
	Email           string   `yaml:"tls_client_auth_san_email"`
	Constraint      string   `yaml:"sender_constraint"`
	Scope           string   `yaml:"scope"`
	Grants          []string `yaml:"grant_types"`
	DetailTypes     []string `yaml:"authorization_details_types"`
	SignedRequests  bool     `yaml:"require_signed_request_object"`
	SignedResponses bool     `yaml:"require_signed_response"`
	IDTokenAlg      string   `yaml:"id_token_signed_response_alg"`
	Resource        string   `yaml:"resource"`
	SoftwareVersion string   `yaml:"software_version"`
}

// ParseClients reads a document of clients (YAML, strict) and checks all of it.
// The error joins every defect, each with the client's id or place.
func ParseClients(text []byte) (*Clients, error) {
	if len(text) > MaxClientsBytes {
		return nil, fmt.Errorf("clients: %d bytes, the greatest is %d", len(text), MaxClientsBytes)
	}
	var d clientsDocument
	if err := yaml.NewDecoder(bytes.NewReader(text), yaml.Strict()).Decode(&d); err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("clients: %s", yaml.FormatError(err, false, true))
	}
	out := &Clients{byID: make(map[string]*Client, len(d.Clients))}
	var defects []error
	for i := range d.Clients {
		cd := &d.Clients[i]
		fail := func(format string, args ...any) {
			defects = append(defects, fmt.Errorf("client %d (%q): %s", i+1, cd.ID, fmt.Sprintf(format, args...)))
		}
		c := cd.client(fail)
		if out.byID[c.ID] != nil {
			fail("client_id: stands twice")
		}
		out.byID[c.ID] = c
	}
	if len(defects) > 0 {
		return nil, errors.Join(defects...)
	}
	return out, nil
}

// client returns what a document says, and tells fail what is wrong with it.
func (d *clientDocument) client(fail func(format string, args ...any)) *Client {
	c := &Client{
		ID: d.ID, Name: d.Name, RedirectURIs: d.RedirectURIs, LogoutURIs: d.LogoutURIs, Scopes: strings.Fields(d.Scope), Grants: d.Grants,
		DetailTypes: d.DetailTypes, SignedRequests: d.SignedRequests, SignedResponses: d.SignedResponses, Resource: d.Resource,
		SoftwareVersion: d.SoftwareVersion,
		Certificate:     CertificateRule{Thumbprints: d.Thumbprints, SubjectDN: d.SubjectDN, DNS: d.DNS, URI: d.URI, IP: d.IP, Email: d.Email},
	}
	if !printable(c.ID, maxClientID) || strings.Contains(c.ID, ":") {
		fail("client_id: must be 1 to %d visible ASCII characters without a colon", maxClientID)
	}
	if c.Name == "" {
		c.Name = c.ID
	}
	d.auth(c, fail)
	d.constraint(c, fail)
	d.grants(c, fail)
	for _, uri := range c.RedirectURIs {
		if err := checkRedirect(uri); err != nil {
			fail("redirect_uris: %q %v", uri, err)
		}
	}
	for _, uri := range c.LogoutURIs {
		if err := checkRedirect(uri); err != nil {
			fail("post_logout_redirect_uris: %q %v", uri, err)
		}
	}
	if d.IDTokenAlg != "" && d.IDTokenAlg != string(jose.ES256) {
		fail("id_token_signed_response_alg: this server signs with %s", jose.ES256)
	}
	if slices.Contains(c.Scopes, "") || len(c.Scopes) > signals.MaxScopes {
		fail("scope: has more than %d entries", signals.MaxScopes)
	}
	return c
}

// maxClientID bounds a client's id, in bytes.
const maxClientID = 128

func printable(s string, most int) bool {
	return s != "" && len(s) <= most && !strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r > '~' })
}

func (d *clientDocument) auth(c *Client, fail func(format string, args ...any)) {
	method, ok := signals.ParseAuthMethod(d.Auth)
	switch {
	case !ok, method == signals.ClientSecret, method == signals.NoClientAuth:
		fail("token_endpoint_auth_method: %q is none of private_key_jwt, tls_client_auth and self_signed_tls_client_auth", d.Auth)
	case method == signals.TLSClientAuth && c.Certificate.names() != 1:
		fail("tls_client_auth: wants exactly one of the subject DN and the alternative names")
	case method == signals.SelfSignedTLSClientAuth && len(c.Certificate.Thumbprints) == 0:
		fail("self_signed_tls_client_auth: wants certificate_thumbprints")
	case method == signals.PrivateKeyJWT && d.JWKS == nil:
		fail("private_key_jwt: wants jwks")
	}
	c.Auth = method
	if c.Certificate.IP != "" && net.ParseIP(c.Certificate.IP) == nil {
		fail("tls_client_auth_san_ip: %q is no address", c.Certificate.IP)
	}
	if d.JWKS == nil {
		if d.SignedRequests {
			fail("require_signed_request_object: wants jwks")
		}
		return
	}
	text, err := json.Marshal(d.JWKS)
	if err != nil {
		fail("jwks: %v", err)
		return
	}
	if c.Keys, err = jose.ParseKeySet(text); err != nil {
		fail("jwks: %v", err)
	} else if len(c.Keys.Keys()) == 0 {
		fail("jwks: has no key that can be used")
	}
}

func (d *clientDocument) constraint(c *Client, fail func(format string, args ...any)) {
	switch d.Constraint {
	case "", "dpop":
		c.Constraint = engine.DPoPConstraint
	case "mtls":
		c.Constraint = engine.MTLSConstraint
	default:
		fail("sender_constraint: %q is neither dpop nor mtls", d.Constraint)
	}
}

func (d *clientDocument) grants(c *Client, fail func(format string, args ...any)) {
	if len(c.Grants) == 0 {
		c.Grants = []string{CodeGrant}
	}
	for _, g := range c.Grants {
		if g != CodeGrant && g != RefreshGrant && g != ClientGrant {
			fail("grant_types: %q is none of %s, %s and %s", g, CodeGrant, RefreshGrant, ClientGrant)
		}
	}
	if c.May(RefreshGrant) && !c.May(CodeGrant) {
		fail("grant_types: %s without %s", RefreshGrant, CodeGrant)
	}
	if c.May(CodeGrant) && len(c.RedirectURIs) == 0 {
		fail("redirect_uris: is missing")
	}
}

// checkRedirect refuses a redirect URI that could carry a code in the clear, or
// elsewhere than meant: only https, or http to a loopback address (RFC 9700,
// section 2.1; RFC 8252, section 7.3).
func checkRedirect(uri string) error {
	u, err := url.Parse(uri)
	switch {
	case err != nil || u.Host == "" || u.Opaque != "":
		return errors.New("is no absolute URI with a host")
	case u.Fragment != "" || strings.Contains(uri, "#"):
		return errors.New("has a fragment")
	case u.User != nil:
		return errors.New("has user information")
	case strings.ContainsFunc(uri, func(r rune) bool { return r <= ' ' || r > '~' || r == '\\' || r == '*' }):
		return errors.New("has a character that browsers and servers read differently, or a wildcard")
	case u.Scheme == "https":
		return nil
	}
	if _, ok := loopbackURI(uri); !ok {
		return errors.New("is neither https nor http of a loopback address")
	}
	return nil
}
