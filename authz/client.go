package authz

import (
	"crypto/x509"
	"net"
	"net/url"
	"slices"

	"github.com/waryauth/wary/engine"
	"github.com/waryauth/wary/internal/jose"
	"github.com/waryauth/wary/signals"
)

// Client is a confidential client (RFC 6749, section 2.1): who may ask, how it
// proves that it is itself, and the most that it may ask for. It is immutable.
type Client struct {
	ID              string
	Name            string   // shown to people
	RedirectURIs    []string // compared exactly; of loopback ones the port may differ
	LogoutURIs      []string // post_logout_redirect_uris
	Auth            signals.AuthMethod
	Keys            jose.KeySet // of assertions and request objects
	Certificate     CertificateRule
	Constraint      engine.Constraint // DPoPConstraint or MTLSConstraint
	Scopes          []string
	Grants          []string // grant types
	DetailTypes     []string // RFC 9396
	SignedRequests  bool     // only signed request objects are taken (RFC 9101)
	Resource        string   // identifier of the resource server that this client is: it may introspect tokens for it
	SoftwareVersion string
	SignedResponses bool // only response_mode=jwt (JARM)
}

// Grant types.
const (
	CodeGrant    = "authorization_code"
	RefreshGrant = "refresh_token"
	ClientGrant  = "client_credentials"
)

// May reports whether the client may use a grant type.
func (c *Client) May(grant string) bool { return slices.Contains(c.Grants, grant) }

// redirects reports whether a redirect URI is one of the client's: exactly, or,
// of a loopback address, with another port (RFC 8252, section 7.3).
func (c *Client) redirects(uri string) bool {
	if slices.Contains(c.RedirectURIs, uri) {
		return true
	}
	u, ok := loopbackURI(uri)
	if !ok {
		return false
	}
	return slices.ContainsFunc(c.RedirectURIs, func(registered string) bool {
		r, ok := loopbackURI(registered)
		return ok && r == u
	})
}

// loopbackURI returns an http URI of a loopback address without its port.
func loopbackURI(uri string) (string, bool) {
	u, err := url.Parse(uri)
	if err != nil || u.Scheme != "http" || u.User != nil {
		return "", false
	}
	if ip := net.ParseIP(u.Hostname()); ip == nil || !ip.IsLoopback() {
		return "", false
	}
	u.Host = u.Hostname()
	return u.String(), true
}

// CertificateRule says which certificates are a client's (RFC 8705, section 2).
// Thumbprints are those of self-signed ones, and pins where a name is given too.
type CertificateRule struct {
	Thumbprints []string // x5t#S256
	SubjectDN   string   // as RFC 4514 writes it
	DNS         string
	URI         string
	IP          string
	Email       string
}

// names reports how many names the rule gives; RFC 8705 allows one.
func (r *CertificateRule) names() (n int) {
	for _, s := range [...]string{r.SubjectDN, r.DNS, r.URI, r.IP, r.Email} {
		if s != "" {
			n++
		}
	}
	return n
}

// Authenticates reports whether a certificate is the client's. For a name the
// caller has verified the chain already; for a self-signed one the thumbprint
// alone says so.
func (c *Client) Authenticates(cert *x509.Certificate) bool {
	r := &c.Certificate
	pinned := slices.ContainsFunc(r.Thumbprints, func(t string) bool { return jose.Equal(t, jose.CertificateThumbprint(cert)) })
	switch c.Auth {
	case signals.SelfSignedTLSClientAuth:
		return pinned
	case signals.TLSClientAuth:
		return r.named(cert) && (pinned || len(r.Thumbprints) == 0)
	}
	return false
}

func (r *CertificateRule) named(cert *x509.Certificate) bool {
	switch {
	case r.SubjectDN != "":
		return cert.Subject.String() == r.SubjectDN
	case r.DNS != "":
		return slices.Contains(cert.DNSNames, r.DNS)
	case r.URI != "":
		return slices.ContainsFunc(cert.URIs, func(u *url.URL) bool { return u.String() == r.URI })
	case r.IP != "":
		ip := net.ParseIP(r.IP)
		return slices.ContainsFunc(cert.IPAddresses, func(a net.IP) bool { return a.Equal(ip) })
	case r.Email != "":
		return slices.Contains(cert.EmailAddresses, r.Email)
	}
	return false
}

// Clients are the clients by id.
type Clients struct{ byID map[string]*Client }

// Find returns the client of an id, or nil.
func (c *Clients) Find(id string) *Client {
	if c == nil {
		return nil
	}
	return c.byID[id]
}

// Len returns how many clients there are.
func (c *Clients) Len() int {
	if c == nil {
		return 0
	}
	return len(c.byID)
}

// IDs returns the ids of all clients, sorted.
func (c *Clients) IDs() []string {
	return c.union(func(c *Client) []string { return []string{c.ID} })
}

// DetailTypes returns the types of authorization details that any client may use, sorted.
func (c *Clients) DetailTypes() []string {
	return c.union(func(c *Client) []string { return c.DetailTypes })
}

// Scopes returns the scopes that any client may ask for, sorted.
func (c *Clients) Scopes() []string {
	return c.union(func(c *Client) []string { return c.Scopes })
}

func (c *Clients) union(of func(*Client) []string) []string {
	all := []string{} // an empty list, not null, in metadata
	if c != nil {
		for _, client := range c.byID {
			all = append(all, of(client)...)
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}
