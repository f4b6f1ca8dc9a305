package ceremony

import (
	"testing"
	"time"

	"github.com/waryauth/wary/authz"
)

// TestARevokedLoginEnds: a login session that was revoked, or whose person was, stands for
// no login any more.
func TestARevokedLoginEnds(t *testing.T) {
	w := newWorld(t, func(o *Options) { o.Session = time.Hour })
	b := w.browser()
	b.come(nil).logIn("alice").submit("consent").succeeds()
	b.come(nil).shows("Allow access?") // the control
	alice := w.pages.accounts.Load().byName["alice"].subject
	if err := w.authority.Revoke(t.Context(), authz.Target{Holder: authz.Holder{Subject: alice}}, "test", "her laptop was stolen"); err != nil {
		t.Fatal(err)
	}
	b.come(nil).shows("Sign in")
}
