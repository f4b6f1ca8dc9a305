package ceremony

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/waryauth/wary/authz"
	"github.com/waryauth/wary/internal/jose"
	"github.com/waryauth/wary/internal/store"
)

// Limits of a bank's provider.
const (
	maxAnswer      = 64 << 10 // bytes
	callTimeout    = 5 * time.Second
	providerFresh  = 5 * time.Minute  // its metadata and keys are used without looking again
	providerPause  = 10 * time.Second // between two looks, whatever tokens ask for
	providerWaits  = 10 * time.Minute // for the person to come back
	maxIDTokenLife = 24 * time.Hour
)

// Provider is a bank's login that speaks OpenID Connect: the authorization code flow with
// PKCE, nonce and state. Who it is, is fixed: nothing that a browser brings names another.
type Provider struct {
	Issuer   string // https URL
	ClientID string
	Secret   string // client_secret_basic; "": private_key_jwt, signed with the keys of the server's own jwks_uri
	HTTP     *http.Client

	mu     sync.Mutex
	held   *metadata
	looked time.Time
}

// metadata is what a provider says of itself, with its keys.
type metadata struct {
	at     time.Time
	keys   jose.KeySet
	Issuer string `json:"issuer"`
	Begin  string `json:"authorization_endpoint"`
	Token  string `json:"token_endpoint"`
	Keys   string `json:"jwks_uri"`
}

// Check returns what is wrong with a provider's configuration.
func (p *Provider) Check() error {
	u, err := url.Parse(p.Issuer)
	if err != nil || u.Scheme != "https" || u.Host == "" || u.RawQuery != "" || u.Fragment != "" || u.User != nil {
		return fmt.Errorf("the provider's issuer %q is no https URL", p.Issuer)
	}
	if p.ClientID == "" {
		return errors.New("the provider knows this server by a client id, and there is none")
	}
	return nil
}

// departure is what is remembered of a person who went to the provider.
type departure struct {
	Interaction string `json:"interaction"`
	Nonce       string `json:"nonce"`
	Verifier    string `json:"verifier"`
}

func departureKey(state string) string { return "departure:" + jose.Digest(state) }

// begin returns where a person goes (OpenID Connect Core, section 3.1.2.1).
func (p *Provider) begin(ctx context.Context, s *Server, in *authz.Interaction) (string, error) {
	m, err := p.metadata(ctx, s.o.Now(), false)
	if err != nil {
		return "", err
	}
	state, d := newSessionID(), departure{in.ID, newSessionID(), newSessionID() + newSessionID()}
	text, err := json.Marshal(&d)
	if err != nil {
		return "", err
	}
	if err := store.PutNew(ctx, s.o.Store, departureKey(state), text, store.Until(s.o.Now().Add(providerWaits))); err != nil {
		return "", err
	}
	to, err := url.Parse(m.Begin)
	if err != nil {
		return "", err
	}
	v := to.Query()
	for name, value := range map[string]string{
		"response_type": "code", "scope": "openid", "client_id": p.ClientID, "redirect_uri": s.callback(), "state": state, "nonce": d.Nonce,
		"code_challenge": jose.Digest(d.Verifier), "code_challenge_method": "S256",
	} {
		v.Set(name, value)
	}
	q := s.asking(in)
	if len(q.acrs) > 0 {
		v.Set("acr_values", strings.Join(q.acrs, " "))
	}
	if q.again {
		v.Set("prompt", "login")
	}
	if age := in.Request.MaxAge; age != nil {
		v.Set("max_age", fmt.Sprint(*age))
	}
	if in.Request.LoginHint != "" {
		v.Set("login_hint", in.Request.LoginHint)
	}
	to.RawQuery = v.Encode()
	return to.String(), nil
}

func (s *Server) callback() string {
	u, err := url.Parse(s.a.Issuer())
	if err != nil {
		return ""
	}
	return u.Scheme + "://" + u.Host + s.o.Path + bankPath + "/callback"
}

// fromBank takes a person back from the provider.
func (s *Server) fromBank(w http.ResponseWriter, r *http.Request) {
	q, err := parseForm(r.URL.RawQuery)
	if err != nil || s.bank.Provider == nil || q["state"] == "" {
		s.ErrorPage(w, r, http.StatusBadRequest, string(authz.InvalidRequest))
		return
	}
	text, err := store.Take(r.Context(), s.o.Store, departureKey(q["state"]))
	if errors.Is(err, store.ErrAbsent) {
		err = authz.ErrGone
	}
	var d departure
	if err == nil {
		err = json.Unmarshal(text, &d)
	}
	var in *authz.Interaction
	if err == nil {
		in, err = s.a.Interaction(r.Context(), d.Interaction, browser(r))
	}
	welcome := false
	if err == nil {
		welcome, err = s.atBank(r, in)
	}
	switch {
	case err != nil:
		s.failed(w, r, "take a person back from the bank", err)
	case !welcome:
		s.onward(w, in, "")
	case q["iss"] != "" && q["iss"] != s.bank.Provider.Issuer: // RFC 9207
		s.taken(w, r, in, nil, time.Time{}, fmt.Errorf("%w: the answer is another issuer's", errBank))
	case q["error"] != "" || q["code"] == "":
		checked("bank", "failure")
		s.o.Finish(w, r, in, authz.Answer{Error: authz.AccessDenied})
	default:
		t, word, err := s.bank.Provider.redeem(r.Context(), s, q["code"], &d, in.Request.MaxAge != nil)
		s.taken(w, r, in, t, word, err)
	}
}

// redeem exchanges a code for an ID token and checks it (OpenID Connect Core, section
// 3.1.3.7). The error is errBank where what came back may not be believed.
func (p *Provider) redeem(ctx context.Context, s *Server, code string, d *departure, timed bool) (t *said, word time.Time, err error) {
	now := s.o.Now()
	m, err := p.metadata(ctx, now, false)
	if err != nil {
		return nil, word, err
	}
	raw, err := p.exchange(ctx, s, m, code, d)
	if err != nil {
		return nil, word, err
	}
	token, err := jose.Parse(raw, "JWT", "")
	if err != nil {
		return nil, word, fmt.Errorf("%w: %w", errBank, err)
	}
	claims, err := token.Verify(m.keys)
	if errors.Is(err, jose.ErrKey) { // perhaps signed by a newer one
		if m, err = p.metadata(ctx, now, true); err == nil {
			claims, err = token.Verify(m.keys)
		}
	}
	var said struct {
		said
		Nonce string `json:"nonce"`
		Party string `json:"azp"`
	}
	if err == nil {
		err = claims.Check(jose.Window{Now: now, MaxAge: providerWaits, MaxLife: maxIDTokenLife})
	}
	if err == nil {
		err = claims.Decode(&said)
	}
	switch {
	case err != nil:
		return nil, word, fmt.Errorf("%w: %w", errBank, err)
	case claims.Issuer != p.Issuer || !claims.Audience.Has(p.ClientID):
		return nil, word, fmt.Errorf("%w: iss or aud is another's", errBank)
	case !claims.Audience.Is(p.ClientID) && said.Party != p.ClientID || said.Party != "" && said.Party != p.ClientID:
		return nil, word, fmt.Errorf("%w: the ID token was made for another party", errBank)
	case !jose.Equal(said.Nonce, d.Nonce):
		return nil, word, fmt.Errorf("%w: the nonce is another's", errBank)
	case timed && said.AuthTime == 0:
		return nil, word, fmt.Errorf("%w: max_age was asked and auth_time is missing", errBank)
	}
	return &said.said, claims.IssuedAt, nil
}

// exchange sends a code to the token endpoint and returns the ID token.
func (p *Provider) exchange(ctx context.Context, s *Server, m *metadata, code string, d *departure) (string, error) {
	form := url.Values{"grant_type": {"authorization_code"}, "code": {code}, "redirect_uri": {s.callback()}, "code_verifier": {d.Verifier}}
	if p.Secret == "" {
		now := s.o.Now()
		assertion, err := s.a.Sign("JWT", map[string]any{"iss": p.ClientID, "sub": p.ClientID, "aud": p.Issuer, "jti": newSessionID(),
			"iat": now.Unix(), "exp": now.Add(time.Minute).Unix()})
		if err != nil {
			return "", err
		}
		form.Set("client_id", p.ClientID)
		form.Set("client_assertion_type", authz.AssertionType)
		form.Set("client_assertion", assertion)
	}
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, m.Token, strings.NewReader(form.Encode()))
	if err != nil {
		return "", err
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if p.Secret != "" {
		r.SetBasicAuth(url.QueryEscape(p.ClientID), url.QueryEscape(p.Secret)) // RFC 6749, section 2.3.1
	}
	var answer struct {
		IDToken string `json:"id_token"`
	}
	if err := p.do(r, &answer); err != nil {
		return "", err
	}
	if answer.IDToken == "" {
		return "", fmt.Errorf("%w: there is no ID token", errBank)
	}
	return answer.IDToken, nil
}

// metadata returns what the provider says of itself (OpenID Connect Discovery, section
// 4), looked at again when it is old, or when a key is missing. What is held stands where
// looking fails.
func (p *Provider) metadata(ctx context.Context, now time.Time, missing bool) (*metadata, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch soon := now.Sub(p.looked) < providerPause; {
	case p.held == nil && soon:
		return nil, fmt.Errorf("provider %s: it did not answer a moment ago", p.Issuer)
	case p.held != nil && (soon || !missing && now.Sub(p.held.at) < providerFresh):
		return p.held, nil
	}
	p.looked = now
	m := &metadata{at: now}
	err := p.get(ctx, strings.TrimSuffix(p.Issuer, "/")+"/.well-known/openid-configuration", m)
	if err == nil && m.Issuer != p.Issuer {
		err = errors.New("its metadata is of another issuer")
	}
	for _, u := range [...]string{m.Begin, m.Token, m.Keys} {
		if at, wrong := url.Parse(u); err == nil && (wrong != nil || at.Scheme != "https" || at.Host == "") {
			err = errors.New("its metadata names an endpoint that is no https URL")
		}
	}
	var set json.RawMessage
	if err == nil {
		err = p.get(ctx, m.Keys, &set)
	}
	if err == nil {
		m.keys, err = jose.ParseKeySet(set)
	}
	switch {
	case err == nil:
		p.held = m
	case p.held == nil:
		return nil, fmt.Errorf("provider %s: %w", p.Issuer, err)
	}
	return p.held, nil
}

func (p *Provider) get(ctx context.Context, u string, v any) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, u, nil)
	if err != nil {
		return err
	}
	return p.do(r, v)
}

// do sends a request and fills v from an answer that is 200, JSON and not too long.
// Redirects are not followed.
func (p *Provider) do(r *http.Request, v any) error {
	plain := http.Client{Timeout: callTimeout}
	if p.HTTP != nil {
		plain = *p.HTTP
	}
	plain.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	r.Header.Set("Accept", "application/json")
	answer, err := plain.Do(r)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	mediaType, _, err := mime.ParseMediaType(answer.Header.Get("Content-Type"))
	if err != nil || answer.StatusCode != http.StatusOK || mediaType != "application/json" && mediaType != "application/jwk-set+json" {
		return fmt.Errorf("%w: %s answered %d, %q", errBank, r.URL.Path, answer.StatusCode, mediaType)
	}
	text, err := io.ReadAll(io.LimitReader(answer.Body, maxAnswer+1))
	if err != nil {
		return err
	}
	if len(text) > maxAnswer {
		return fmt.Errorf("%w: %s answered with more than %d bytes", errBank, r.URL.Path, maxAnswer)
	}
	return json.Unmarshal(text, v)
}
