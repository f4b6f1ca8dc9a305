package ceremony

import (
	"strings"
	"testing"
	"time"

	"github.com/waryauth/wary/authz"
)

// TestPromptsThatAreNotMetArePaused has somebody who knows alice's password ask her for
// codes. The control is that what is met costs nothing.
func TestPromptsThatAreNotMetArePaused(t *testing.T) {
	w := newWorld(t)
	w.decides(stepUp)
	for range 2 * freePrompts {
		w.sleep(time.Minute)
		w.browser().come(nil).logIn("alice").submit("code", "otp", w.otp(0)).shows("Allow access?")
	}
	ask := func() *tab { return w.browser().come(nil).logIn("alice") }
	var last *tab
	for range freePrompts {
		last = ask().shows("Confirm it is you")
	}
	b := ask().shows("Not asked again for now", "somebody knows your password")
	if strings.Contains(b.page, `name="otp"`) {
		t.Error("a code is asked for in a pause")
	}
	_, fields := b.form("leave")
	fields.Set("otp", w.otp(2))
	b.post("/login/code", fields.Encode()).shows("Not asked again for now") // the form of a page that was not shown
	b.submit("leave").fails(authz.AccessDenied)
	last.get(last.where.String()).shows("Confirm it is you") // what was asked before the pause may be answered

	// Each pause is followed by one prompt, and is twice the one before.
	for _, d := range []time.Duration{firstPause, 2 * firstPause, 4 * firstPause} {
		w.sleep(d - 2*time.Minute)
		ask().shows("Not asked again for now")
		w.sleep(2 * time.Minute)
		last = ask().shows("Confirm it is you")
		ask().shows("Not asked again for now")
	}
	// Meeting it ends it all.
	last.submit("code", "otp", w.otp(0)).shows("Allow access?")
	ask().shows("Confirm it is you")
	// Another person was never kept out.
	w.browser().come(nil).logIn("bob").shows("This needs a stronger sign-in")
}

func TestPausesGrow(t *testing.T) {
	for unmet, want := range map[int]time.Duration{
		0: 0, 1: 0, 2: 0, 3: 5 * time.Minute, 4: 10 * time.Minute, 5: 20 * time.Minute, 11: 1280 * time.Minute, 12: 24 * time.Hour, 1000: 24 * time.Hour,
	} {
		if got := pause(unmet); got != want {
			t.Errorf("%d prompts not met: a pause of %v, want %v", unmet, got, want)
		}
	}
}

// TestPromptNoneIsNoPrompt: whoever can send a silent request uses up nothing.
func TestPromptNoneIsNoPrompt(t *testing.T) {
	w := newWorld(t, func(o *Options) { o.Session = time.Hour })
	b := w.browser().come(nil).logIn("alice")
	b.submit("consent").succeeds()
	w.decides(stepUp)
	for range 2 * freePrompts {
		b.come(func(r *authz.Request) { r.Prompt = []string{"none"} }).fails(authz.InteractionRequired)
	}
	b.come(nil).shows("Confirm it is you")
}
