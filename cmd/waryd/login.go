package main

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/waryauth/wary/authz/ceremony"
	"github.com/waryauth/wary/internal/jose"
	"github.com/waryauth/wary/signals"
)

// LoginConfig is how people prove who they are: docs/step-up.md.
type LoginConfig struct {
	PasswordACR string        `yaml:"password_acr" default:"urn:wary:acr:password" doc:"Class (acr) that a password reaches."`
	CodeACR     string        `yaml:"code_acr" default:"urn:wary:acr:possession" doc:"Class that a password and a code of an authenticator app reach."`
	PasskeyACR  string        `yaml:"passkey_acr" default:"urn:wary:acr:passkey" doc:"Class that a passkey reaches; it may be that of the code."`
	Recovery    time.Duration `yaml:"recovery" default:"72h" doc:"How long somebody who lost their passkeys, or has nothing else than a password, waits until they may change them; 24h at least."`
	Collector   bool          `yaml:"collector" default:"false" doc:"Asks people whether the login pages may measure how they are filled in: see docs/collector.md. Nothing is measured of who does not tick it."`

	Header struct {
		Keys   string `yaml:"keys" default:"" doc:"JWK set file of the proxy in front of /login/bank, whose signed header names the person: then passwords are not taken. See docs/step-up.md."`
		Name   string `yaml:"name" default:"Wary-Identity" doc:"The header's name. The proxy must remove it from what browsers send."`
		Issuer string `yaml:"issuer" default:"" doc:"The iss of its tokens."`
		From   string `yaml:"from" default:"" doc:"Addresses of the proxy in CIDR notation, separated by commas; a header from elsewhere is refused."`
	} `yaml:"header"`

	Provider struct {
		Issuer   string `yaml:"issuer" default:"" doc:"OpenID provider where people log in: then passwords are not taken. Its redirect URI is ISSUER/login/bank/callback. See docs/step-up.md."`
		ClientID string `yaml:"client_id" default:"" doc:"What the provider knows this server by."`
		Secret   string `yaml:"secret" default:"" doc:"File of the client secret. Without it the server authenticates by private_key_jwt with the keys of its own jwks_uri."`
	} `yaml:"provider"`

	ACRs string `yaml:"acrs" default:"" doc:"The bank's classes and the ones here that they reach, THEIRS=OURS separated by commas, the weakest first. Any other counts as none."`
	AMRs string `yaml:"amrs" default:"pwd,otp,hwk,swk,user,mfa,pop" doc:"The bank's methods (RFC 8176) that are passed on, separated by commas."`
}

func (l *LoginConfig) classes() ceremony.Classes {
	return ceremony.Classes{Password: l.PasswordACR, Code: l.CodeACR, Passkey: l.PasskeyACR}
}

// validateLogin checks what the login's configuration says by itself.
func (c *Config) validateLogin(fail func(format string, args ...any)) {
	l := &c.Authorization.Login
	if err := l.classes().Check(); err != nil {
		fail("authorization.login: %w", err)
	}
	if l.Recovery < 24*time.Hour {
		fail("authorization.login.recovery: %v is less than 24h", l.Recovery)
	}
	acrs, err := ceremony.ParseACRs(l.ACRs)
	if err != nil {
		fail("authorization.login.acrs: %w", err)
	}
	for _, a := range acrs {
		if !slices.Contains(l.classes().Ordered(), a.Ours) {
			fail("authorization.login.acrs: %q is none of the classes here (%s)", a.Ours, strings.Join(l.classes().Ordered(), ", "))
		}
	}
	h, p := &l.Header, &l.Provider
	if h.Keys != "" && p.Issuer != "" {
		fail("authorization.login: a header or a provider, not both")
	}
	if h.Keys != "" && (h.Issuer == "" || h.From == "" || h.Name == "") {
		fail("authorization.login.header: keys needs issuer, from and name")
	}
	if h.Keys == "" && (h.Issuer != "" || h.From != "") {
		fail("authorization.login.header: issuer and from need keys")
	}
	if p.Issuer != "" {
		if err := (&ceremony.Provider{Issuer: p.Issuer, ClientID: p.ClientID}).Check(); err != nil {
			fail("authorization.login.provider: %w", err)
		}
	} else if p.ClientID != "" || p.Secret != "" {
		fail("authorization.login.provider: client_id and secret need issuer")
	}
	if (h.Keys != "" || p.Issuer != "") && c.Authorization.Accounts != "" {
		fail("authorization.accounts: nobody logs in with a password where the bank's own login takes its place")
	}
}

// readLogin returns the bank's own login, nil where there is none.
func readLogin(l *LoginConfig) (*ceremony.Bank, error) {
	b := &ceremony.Bank{}
	var err error
	switch {
	case l.Header.Keys != "":
		b.Header, err = readHeader(l)
	case l.Provider.Issuer != "":
		b.Provider, err = readProvider(l)
	default:
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	if b.ACRs, err = ceremony.ParseACRs(l.ACRs); err != nil {
		return nil, fmt.Errorf("authorization.login.acrs: %w", err)
	}
	b.AMRs = split(l.AMRs)
	return b, nil
}

func readHeader(l *LoginConfig) (*ceremony.Header, error) {
	h := &ceremony.Header{Name: l.Header.Name, Issuer: l.Header.Issuer}
	keys, err := parsed("authorization.login.header.keys", l.Header.Keys, func(text []byte) (*jose.KeySet, error) {
		set, err := jose.ParseKeySet(text)
		return &set, err
	})
	if err != nil {
		return nil, err
	}
	h.Keys = *keys
	if h.From, err = signals.ParseProxies(split(l.Header.From)); err != nil {
		return nil, fmt.Errorf("authorization.login.header.from: %w", err)
	}
	return h, nil
}

func readProvider(l *LoginConfig) (*ceremony.Provider, error) {
	p := &ceremony.Provider{Issuer: l.Provider.Issuer, ClientID: l.Provider.ClientID}
	if l.Provider.Secret == "" {
		return p, nil
	}
	text, err := os.ReadFile(l.Provider.Secret)
	if err == nil {
		if p.Secret = strings.TrimSpace(string(text)); p.Secret == "" {
			err = errors.New("is empty")
		}
	}
	if err != nil {
		return nil, fmt.Errorf("authorization.login.provider.secret: %s: %w", l.Provider.Secret, err)
	}
	return p, nil
}
