package fapi

import (
	"crypto/x509"
	"net/http"

	"github.com/waryauth/wary/authz"
	"github.com/waryauth/wary/internal/jose"
	"github.com/waryauth/wary/signals"
)

// authenticate returns the client of a request to the back channel: by its assertion
// (private_key_jwt), which is yet to be used, or by its certificate (RFC 8705).
// Secrets are not taken.
func (s *Server) authenticate(r *http.Request, p authz.Params) (*authz.Client, *authz.Assertion, error) {
	switch {
	case r.Header.Get("Authorization") != "":
		return nil, nil, refusal(authz.InvalidClient, "clients authenticate by private_key_jwt or a certificate")
	case p["client_secret"] != "":
		return nil, nil, refusal(authz.InvalidClient, "client secrets are not taken")
	case p["client_assertion"] != "":
		if p["client_assertion_type"] != authz.AssertionType {
			return nil, nil, refusal(authz.InvalidClient, "client_assertion_type is unknown")
		}
		return s.a.Assert(p["client_id"], p["client_assertion"])
	case p["client_id"] == "":
		return nil, nil, refusal(authz.InvalidClient, "the client does not authenticate")
	}
	c := s.a.Clients().Find(p["client_id"])
	cert := certificate(r)
	if c == nil || cert == nil || !s.certified(c, r.TLS.PeerCertificates) || !c.Authenticates(cert) {
		return nil, nil, refusal(authz.InvalidClient, "the client does not authenticate")
	}
	return c, nil, nil
}

// caller authenticates the client of a request that needs no proof of possession.
func (s *Server) caller(w http.ResponseWriter, r *http.Request) (*authz.Client, authz.Params, error) {
	p, err := form(w, r)
	if err != nil {
		return nil, nil, err
	}
	c, assertion, err := s.authenticate(r, p)
	if err == nil {
		err = s.a.Use(r.Context(), assertion)
	}
	if err == nil && p["token"] == "" {
		err = refusal(authz.InvalidRequest, "token is missing")
	}
	return c, p, err
}

// certified reports whether the chain of a certificate is worth what the client's
// method asks of it: an authority's word, or, self-signed, none.
func (s *Server) certified(c *authz.Client, chain []*x509.Certificate) bool {
	if c.Auth != signals.TLSClientAuth {
		return c.Auth == signals.SelfSignedTLSClientAuth
	}
	if s.o.ClientCAs == nil {
		return false
	}
	between := x509.NewCertPool()
	for _, cert := range chain[1:] {
		between.AddCert(cert)
	}
	_, err := chain[0].Verify(x509.VerifyOptions{Roots: s.o.ClientCAs, Intermediates: between, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}})
	return err == nil
}

// certificate returns the certificate that a client showed in the TLS handshake, or
// nil. Headers of a proxy are never read.
func certificate(r *http.Request) *x509.Certificate {
	if r.TLS == nil || len(r.TLS.PeerCertificates) == 0 {
		return nil
	}
	return r.TLS.PeerCertificates[0]
}

// possession returns what a request proves to hold: the key of a DPoP proof, where
// there is one, and the certificate of the connection.
func (s *Server) possession(r *http.Request, path string) (authz.Possession, error) {
	var held authz.Possession
	if cert := certificate(r); cert != nil {
		held.X5T = jose.CertificateThumbprint(cert)
	}
	proofs := r.Header.Values("DPoP")
	if len(proofs) == 0 {
		return held, nil
	}
	jkt, err := s.a.Proofs().Verify(r.Context(), authz.Presented{Proofs: proofs, Method: r.Method, URL: s.url(r, path)})
	held.JKT = jkt
	return held, err
}

// nonce offers the nonce for the next DPoP proof.
func (s *Server) nonce(w http.ResponseWriter) { w.Header().Set("DPoP-Nonce", s.a.Proofs().Nonce()) }
