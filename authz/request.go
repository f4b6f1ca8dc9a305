package authz

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"

	"github.com/waryauth/wary/internal/jose"
)

// Request is an authorization request that was found in order: what the client
// asks a person for. It is kept between the pushed request and its end.
type Request struct {
	ClientID     string   `json:"client"`
	RedirectURI  string   `json:"redirect"`
	ResponseJWT  bool     `json:"jarm,omitempty"` // response_mode=jwt or query.jwt (JARM)
	Scopes       []string `json:"scopes,omitempty"`
	Details      []Detail `json:"details,omitempty"`
	State        string   `json:"state,omitempty"`
	Nonce        string   `json:"nonce,omitempty"`
	Challenge    string   `json:"challenge"`     // PKCE S256
	JKT          string   `json:"jkt,omitempty"` // the key the code is bound to (RFC 9449, section 10)
	ACRValues    []string `json:"acr_values,omitempty"`
	EssentialACR []string `json:"essential_acr,omitempty"` // of the claims parameter: one of them, or an error
	MaxAge       *int     `json:"max_age,omitempty"`       // seconds
	Prompt       []string `json:"prompt,omitempty"`
	LoginHint    string   `json:"login_hint,omitempty"`
	UILocales    string   `json:"ui_locales,omitempty"`
	Claims       Claims   `json:"claims,omitzero"`
}

// Claims names the identity claims that a request asks for (OpenID Connect Core,
// section 5.5).
type Claims struct {
	UserInfo []string `json:"userinfo,omitempty"`
	IDToken  []string `json:"id_token,omitempty"`
}

// Limits of the parameters of a request, in bytes, and of its lists.
const (
	maxState       = 4096
	maxNonce       = 1024
	maxHint        = 1024
	maxACRValues   = 16
	maxClaims      = 64
	maxClaimsBytes = 8 << 10
	maxAgeSeconds  = 10 * 365 * 86400
)

// Params are the parameters of a request by name, each at most once.
type Params map[string]string

// ParseRequest checks the parameters of a pushed authorization request of a
// client (RFC 9126 with FAPI 2.0 Security Profile, section 5.3.2.2). Unknown
// parameters are passed over (RFC 6749, section 3.1). audience is the one
// resource that may be named (RFC 8707).
func ParseRequest(c *Client, p Params, audience string) (*Request, *Error) {
	if err := checkRequest(c, p, audience); err != nil {
		return nil, err
	}
	r := &Request{
		ClientID: c.ID, RedirectURI: p["redirect_uri"], State: p["state"], Nonce: p["nonce"], Challenge: p["code_challenge"],
		JKT: p["dpop_jkt"], ACRValues: strings.Fields(p["acr_values"]), Prompt: strings.Fields(p["prompt"]),
		LoginHint: p["login_hint"], UILocales: p["ui_locales"], ResponseJWT: strings.HasSuffix(p["response_mode"], "jwt"),
	}
	var err *Error
	if r.Scopes, err = parseScopes(p["scope"], c.Scopes); err != nil {
		return nil, err
	}
	if r.Details, err = parseDetails(p["authorization_details"], c.DetailTypes); err != nil {
		return nil, err
	}
	if len(r.Scopes) == 0 && len(r.Details) == 0 {
		return nil, refuse(InvalidScope, "neither scope nor authorization_details asks for anything")
	}
	if r.MaxAge, err = parseMaxAge(p["max_age"]); err != nil {
		return nil, err
	}
	if err := r.checkPrompt(); err != nil {
		return nil, err
	}
	if len(r.ACRValues) > maxACRValues {
		return nil, refuse(InvalidRequest, "acr_values has too many entries")
	}
	return r, r.parseClaims(p["claims"])
}

// checkRequest checks what needs no parsing.
func checkRequest(c *Client, p Params, audience string) *Error {
	switch {
	case !c.May(CodeGrant):
		return refuse(UnauthorizedClient, "this client may not ask for a person's authorization")
	case p["request_uri"] != "":
		return refuse(InvalidRequest, "request_uri cannot be pushed") // RFC 9126, section 2.1
	case p["response_type"] == "":
		return refuse(InvalidRequest, "response_type is missing")
	case p["response_type"] != "code":
		return refuse(UnsupportedResponseType, "response_type must be code")
	case p["redirect_uri"] == "":
		return refuse(InvalidRequest, "redirect_uri is missing")
	case !c.redirects(p["redirect_uri"]):
		return refuse(InvalidRequest, "redirect_uri is not registered")
	case p["code_challenge"] == "":
		return refuse(InvalidRequest, "code_challenge is missing")
	case p["code_challenge_method"] != "S256": // absent means plain (RFC 7636, section 4.3)
		return refuse(InvalidRequest, "code_challenge_method must be S256")
	case !isDigest(p["code_challenge"]):
		return refuse(InvalidRequest, "code_challenge is no SHA-256 digest")
	case p["dpop_jkt"] != "" && !isDigest(p["dpop_jkt"]):
		return refuse(InvalidRequest, "dpop_jkt is no SHA-256 thumbprint")
	case len(p["state"]) > maxState || len(p["nonce"]) > maxNonce || len(p["login_hint"]) > maxHint || len(p["ui_locales"]) > maxHint:
		return refuse(InvalidRequest, "state, nonce, login_hint or ui_locales is too long")
	case p["resource"] != "" && p["resource"] != audience:
		return refuse(InvalidTarget, "resource names no resource of this server")
	case p["registration"] != "":
		return refuse(InvalidRequest, "registration is not supported")
	}
	switch p["response_mode"] {
	case "", "query":
		if c.SignedResponses {
			return refuse(InvalidRequest, "response_mode must be jwt for this client")
		}
	case "jwt", "query.jwt":
	default:
		return refuse(InvalidRequest, "response_mode must be query, jwt or query.jwt")
	}
	return nil
}

// isDigest reports whether a text is 32 bytes in base64url without padding.
func isDigest(s string) bool {
	return len(s) == 43 && !strings.ContainsFunc(s, func(r rune) bool {
		return !(r >= 'A' && r <= 'Z' || r >= 'a' && r <= 'z' || r >= '0' && r <= '9' || r == '-' || r == '_')
	})
}

func parseMaxAge(text string) (*int, *Error) {
	if text == "" {
		return nil, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 0 || n > maxAgeSeconds {
		return nil, refuse(InvalidRequest, "max_age is no number of seconds")
	}
	return &n, nil
}

func (r *Request) checkPrompt() *Error {
	for _, p := range r.Prompt {
		if p != "none" && p != "login" && p != "consent" && p != "select_account" {
			return refuse(InvalidRequest, "prompt has an unknown value")
		}
	}
	if slices.Contains(r.Prompt, "none") && len(r.Prompt) > 1 {
		return refuse(InvalidRequest, "prompt=none stands alone")
	}
	return nil
}

// claimsParameter is the claims parameter as it is sent.
type claimsParameter struct {
	UserInfo map[string]*claimRequest `json:"userinfo"`
	IDToken  map[string]*claimRequest `json:"id_token"`
}

type claimRequest struct {
	Essential bool              `json:"essential"`
	Value     json.RawMessage   `json:"value"`
	Values    []json.RawMessage `json:"values"`
}

// parseClaims reads the claims parameter. Which values are asked for matters for
// acr alone; of other claims the names are kept.
func (r *Request) parseClaims(text string) *Error {
	if text == "" {
		return nil
	}
	bad := refuse(InvalidRequest, "claims is no claims request")
	if len(text) > maxClaimsBytes || jose.Strict([]byte(text), maxDepth) != nil {
		return bad
	}
	var p claimsParameter
	if json.Unmarshal([]byte(text), &p) != nil || len(p.UserInfo)+len(p.IDToken) > maxClaims {
		return bad
	}
	r.Claims = Claims{UserInfo: names(p.UserInfo), IDToken: names(p.IDToken)}
	acr := p.IDToken["acr"]
	if acr == nil {
		return nil
	}
	var wanted []string
	for _, raw := range append(acr.Values, acr.Value) {
		var s string
		if raw != nil && json.Unmarshal(raw, &s) == nil {
			wanted = append(wanted, s)
		}
	}
	if len(wanted) > maxACRValues {
		return bad
	}
	if acr.Essential {
		r.EssentialACR = wanted
	} else {
		r.ACRValues = append(r.ACRValues, wanted...)
	}
	return nil
}

func names(claims map[string]*claimRequest) []string {
	var out []string
	for name := range claims {
		out = append(out, name)
	}
	slices.Sort(out)
	return out
}

// OpenID reports whether an ID token is asked for.
func (r *Request) OpenID() bool { return slices.Contains(r.Scopes, "openid") }

// Prompts reports whether the request has a value of prompt.
func (r *Request) Prompts(value string) bool { return slices.Contains(r.Prompt, value) }
