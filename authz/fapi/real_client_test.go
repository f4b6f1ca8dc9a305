package fapi_test

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"golang.org/x/oauth2"
)

// wallet is the transport of a client written against golang.org/x/oauth2, which knows
// nothing of DPoP or private_key_jwt: it adds both, and takes a nonce and tries again
// as RFC 9449, section 8, says.
type wallet struct {
	c     *tpp
	token string // for ath
}

func (x *wallet) RoundTrip(r *http.Request) (*http.Response, error) {
	var body []byte
	if r.Body != nil {
		body, _ = io.ReadAll(r.Body)
	}
	for {
		again := r.Clone(r.Context())
		form, _ := url.ParseQuery(string(body))
		if r.Method == "POST" {
			form.Set("client_id", x.c.id)
			form.Set("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer")
			form.Set("client_assertion", x.c.assertion(nil))
		}
		encoded := form.Encode()
		again.Body, again.ContentLength = io.NopCloser(strings.NewReader(encoded)), int64(len(encoded))
		again.Header.Set("DPoP", x.c.prove(r.Method, r.URL.Scheme+"://"+r.URL.Host+r.URL.Path, x.token, nil))
		resp, err := x.c.plain.Transport.RoundTrip(again)
		if err != nil {
			return nil, err
		}
		nonce := resp.Header.Get("DPoP-Nonce")
		text, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		resp.Body = io.NopCloser(bytes.NewReader(text))
		if nonce == "" || nonce == x.c.nonce || !bytes.Contains(text, []byte("use_dpop_nonce")) {
			return resp, nil
		}
		x.c.nonce = nonce
	}
}

// TestOAuth2Package drives a whole flow with golang.org/x/oauth2.
func TestOAuth2Package(t *testing.T) {
	w := newWorld(t)
	ctx := context.WithValue(t.Context(), oauth2.HTTPClient, &http.Client{Transport: &wallet{c: w.one}})
	config := oauth2.Config{ClientID: w.one.id, RedirectURL: callback, Scopes: []string{"openid", "email"},
		Endpoint: oauth2.Endpoint{AuthURL: w.issuer + "/authorize", TokenURL: w.issuer + "/token", AuthStyle: oauth2.AuthStyleInParams}}
	pkce := oauth2.GenerateVerifier()
	asked, err := url.Parse(config.AuthCodeURL("state-7", oauth2.S256ChallengeOption(pkce)))
	if err != nil {
		t.Fatal(err)
	}
	k := w.one.call("/par")
	for name, v := range asked.Query() {
		k.form[name] = v
	}
	q := w.one.authorized(k)
	if q.Get("state") != "state-7" {
		t.Fatal(q)
	}
	token, err := config.Exchange(ctx, q.Get("code"), oauth2.VerifierOption(pkce))
	if err != nil {
		t.Fatal(err)
	}
	if token.Type() != "DPoP" || token.RefreshToken == "" || token.Extra("id_token") == nil {
		t.Fatalf("%+v", token)
	}
	token.Expiry = w.now().Add(-1) // x/oauth2 refreshes what has expired
	fresh, err := config.TokenSource(ctx, token).Token()
	if err != nil {
		t.Fatal(err)
	}
	client := &http.Client{Transport: &oauth2.Transport{Source: oauth2.StaticTokenSource(fresh), Base: &wallet{c: w.one, token: fresh.AccessToken}}}
	resp, err := client.Get(w.issuer + "/userinfo")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if text, _ := io.ReadAll(resp.Body); resp.StatusCode != http.StatusOK || !bytes.Contains(text, []byte("alice@example.com")) {
		t.Fatalf("status %d, body %s", resp.StatusCode, text)
	}
}
