package fapi

import (
	"encoding/json"
	"fmt"
	"net/http"

	"github.com/waryauth/wary/authz"
	"github.com/waryauth/wary/internal/jose"
)

// algorithms are those of signatures that are taken (FAPI 2.0, section 5.4.1).
var algorithms = [...]string{string(jose.ES256), string(jose.PS256), string(jose.EdDSA)}

// metadata returns the server's metadata (RFC 8414, section 2; OpenID Connect
// Discovery 1.0, section 3). It is the same for both.
func (s *Server) metadata() ([]byte, error) {
	clients := s.a.Clients()
	own := []string{string(jose.ES256)}
	methods := []string{"private_key_jwt", "tls_client_auth", "self_signed_tls_client_auth"}
	m := map[string]any{
		"issuer":                                s.a.Issuer(),
		"jwks_uri":                              s.base.String() + jwksPath,
		"authorization_endpoint":                s.base.String() + authorizePath,
		"pushed_authorization_request_endpoint": s.base.String() + parPath,
		"token_endpoint":                        s.base.String() + tokenPath,
		"introspection_endpoint":                s.base.String() + introspectionPath,
		"revocation_endpoint":                   s.base.String() + revocationPath,
		"userinfo_endpoint":                     s.base.String() + UserInfoPath,
		"end_session_endpoint":                  s.base.String() + logoutPath,
		"status_list_aggregation_endpoint":      s.base.String() + authz.StatusPath,

		"require_pushed_authorization_requests":          true,
		"authorization_response_iss_parameter_supported": true,
		"tls_client_certificate_bound_access_tokens":     true,
		"request_parameter_supported":                    true,
		"request_uri_parameter_supported":                true,
		"require_request_uri_registration":               false,
		"claims_parameter_supported":                     len(s.a.IdentityClaims()) > 1,

		"response_types_supported":                                 []string{"code"},
		"response_modes_supported":                                 []string{"query", "jwt", "query.jwt"},
		"grant_types_supported":                                    []string{authz.CodeGrant, authz.RefreshGrant, authz.ClientGrant},
		"subject_types_supported":                                  []string{"public"},
		"code_challenge_methods_supported":                         []string{"S256"},
		"prompt_values_supported":                                  []string{"none", "login", "consent", "select_account"},
		"acr_values_supported":                                     s.a.ACRs(),
		"claims_supported":                                         append([]string{"acr", "amr", "auth_time"}, s.a.IdentityClaims()...),
		"scopes_supported":                                         clients.Scopes(),
		"authorization_details_types_supported":                    clients.DetailTypes(),
		"token_endpoint_auth_methods_supported":                    methods,
		"revocation_endpoint_auth_methods_supported":               methods,
		"introspection_endpoint_auth_methods_supported":            methods,
		"token_endpoint_auth_signing_alg_values_supported":         algorithms,
		"revocation_endpoint_auth_signing_alg_values_supported":    algorithms,
		"introspection_endpoint_auth_signing_alg_values_supported": algorithms,
		"dpop_signing_alg_values_supported":                        algorithms,
		"request_object_signing_alg_values_supported":              algorithms,
		"id_token_signing_alg_values_supported":                    own,
		"authorization_signing_alg_values_supported":               own,
		"introspection_signing_alg_values_supported":               own,
		"mtls_endpoint_aliases": map[string]string{
			"token_endpoint":                        s.mtls.String() + tokenPath,
			"pushed_authorization_request_endpoint": s.mtls.String() + parPath,
			"introspection_endpoint":                s.mtls.String() + introspectionPath,
			"revocation_endpoint":                   s.mtls.String() + revocationPath,
			"userinfo_endpoint":                     s.mtls.String() + UserInfoPath,
		},
	}
	text, err := json.Marshal(m)
	if err != nil {
		return nil, fmt.Errorf("write metadata: %w", err)
	}
	return text, nil
}

func (s *Server) serveMetadata(w http.ResponseWriter, r *http.Request) {
	text, err := s.metadata()
	if err != nil {
		s.fail(w, r, err)
		return
	}
	public(w, "application/json", text)
}

// serveKeys answers with the keys to verify our signatures by (RFC 7517, section 5).
func (s *Server) serveKeys(w http.ResponseWriter, r *http.Request) {
	text, err := json.Marshal(s.a.Keys().Public())
	if err != nil {
		s.fail(w, r, fmt.Errorf("write keys: %w", err))
		return
	}
	public(w, "application/jwk-set+json", text)
}

// public writes what everyone may read and keep for a few minutes: less than a key is
// published before it signs.
func public(w http.ResponseWriter, contentType string, text []byte) {
	w.Header().Set("Content-Type", contentType)
	w.Header().Set("Cache-Control", "public, max-age=300")
	_, _ = w.Write(text)
}
