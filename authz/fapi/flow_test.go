package fapi_test

import (
	"net/http"
	"testing"
)

func TestHappyFlow(t *testing.T) {
	w := newWorld(t)
	a := w.one.tokens()
	if a.str("token_type") != "DPoP" || a.str("scope") != "openid accounts" || a.json["expires_in"] != 300.0 || a.header.Get("Cache-Control") != "no-store" {
		t.Fatalf("token response: %s", a.text)
	}
	me := w.one.me(a.str("access_token"))
	me.is(t, http.StatusOK)
	if me.str("sub") != alice || me.header.Get("Date") == "" {
		t.Fatalf("userinfo: %s", me.text)
	}
}
