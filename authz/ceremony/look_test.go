package ceremony

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/webauthn"
	"github.com/chromedp/chromedp"

	"github.com/waryauth/wary/authz"
	"github.com/waryauth/wary/engine"
)

// window is a browser before the pages of a world, with a device that verifies its user
// and holds passkeys, which is the browser's own.
type window struct {
	t   *testing.T
	w   *world
	ctx context.Context
	axe string // the script, "" where it is not there
}

func openWindow(t *testing.T, w *world) *window {
	t.Helper()
	v := &window{t: t, w: w, ctx: chromium(t, w)}
	if text, err := os.ReadFile(filepath.Join("..", "..", "data", "axe", "axe.min.js")); err == nil {
		v.axe = string(text)
	} else {
		t.Log("pages are not checked with axe-core: scripts/deps.sh axe fetches it")
	}
	if _, err := chromedp.Call(v.ctx, webauthn.Enable, webauthn.EnableParams{}); err != nil {
		t.Fatalf("enable passkeys: %v", err)
	}
	if _, err := chromedp.Call(v.ctx, webauthn.AddVirtualAuthenticator, webauthn.AddVirtualAuthenticatorParams{Options: &webauthn.VirtualAuthenticatorOptions{
		Protocol: webauthn.AuthenticatorProtocolCtap2, Transport: webauthn.AuthenticatorTransportInternal, HasResidentKey: true, HasUserVerification: true,
		IsUserVerified: true, AutomaticPresenceSimulation: true,
	}}); err != nil {
		t.Fatalf("add a device with passkeys: %v", err)
	}
	return v
}

func (v *window) do(doing string, steps ...chromedp.Action[chromedp.Void]) {
	v.t.Helper()
	if err := chromedp.Do(v.ctx, steps...); err != nil {
		v.t.Fatalf("%s: %v", doing, err)
	}
}

// open goes to a new interaction.
func (v *window) open(change func(*authz.Request)) {
	v.t.Helper()
	a := v.w.authority
	uri, _, err := a.Push(v.t.Context(), a.Clients().Find("client-one"), request(change), &authz.Origin{})
	if err != nil {
		v.t.Fatal(err)
	}
	v.do("open", chromedp.Navigate(v.w.server.URL+"/authorize?"+url.Values{"client_id": {"client-one"}, "request_uri": {uri}}.Encode()), chromedp.WaitVisible("#username"))
}

func (v *window) logIn() {
	v.t.Helper()
	v.do("log in", chromedp.SendKeys("#username", "alice"), chromedp.SendKeys("#password", secretOf), chromedp.Click("#submit_button"))
}

// arrives waits until the browser is back at the client and returns how.
func (v *window) arrives() url.Values {
	v.t.Helper()
	for {
		at, err := chromedp.Run(v.ctx, chromedp.Location())
		if err != nil {
			v.t.Fatalf("arrive at the client: %v", err)
		}
		if u, err := url.Parse(at); err == nil && strings.HasPrefix(at, callback+"?") {
			return u.Query()
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// violation is what axe-core says of a page.
type violation struct {
	ID     string `json:"id"`
	Impact string `json:"impact"`
	Help   string `json:"help"`
	Nodes  []struct {
		HTML string `json:"html"`
	} `json:"nodes"`
}

const axeRun = `axe.run(document, {resultTypes: ["violations"]}).then((r) => JSON.stringify(r.violations.map((v) => ({id: v.id, impact: v.impact, help: v.help, nodes: v.nodes.map((n) => ({html: n.html}))}))))`

// widths are those of a desk and of a phone, in pixels.
var widths = [...]int64{1280, 390}

// look keeps a picture of the page at each width, checks that nothing sticks out of it,
// and has axe-core look for what not everybody can use.
func (v *window) look(name string) {
	v.t.Helper()
	for _, width := range widths {
		v.do("size the window", chromedp.EmulateViewport(width, 800))
		v.picture(fmt.Sprintf("%s-%d", name, width))
		wide, err := chromedp.Run(v.ctx, chromedp.Evaluate[int64](`document.documentElement.scrollWidth`))
		if err != nil || wide > width {
			v.t.Errorf("%s: the page is %d px wide in a window of %d (%v)", name, wide, width, err)
		}
	}
	v.check(name)
}

// lookByNight looks at a page by day and in dark colours.
func (v *window) lookByNight(name string) {
	v.t.Helper()
	v.look(name)
	v.scheme("dark")
	v.picture(name + "-night")
	v.check(name + " by night")
	v.scheme("light")
}

func (v *window) check(name string) {
	v.t.Helper()
	for _, f := range v.violations() {
		v.t.Errorf("%s: %s (%s): %s: %.300v", name, f.ID, f.Impact, f.Help, f.Nodes)
	}
}

func (v *window) scheme(colours string) {
	v.t.Helper()
	if _, err := chromedp.Call(v.ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
		Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: colours}},
	}); err != nil {
		v.t.Fatalf("set the colours: %v", err)
	}
}

func (v *window) picture(name string) {
	v.t.Helper()
	picture, err := chromedp.Run(v.ctx, chromedp.FullScreenshot(100))
	if err != nil {
		v.t.Fatalf("%s: picture: %v", name, err)
	}
	if err := os.WriteFile(filepath.Join(v.t.ArtifactDir(), name+".png"), picture, 0o644); err != nil {
		v.t.Fatal(err)
	}
}

// violations are what axe-core finds on the page, nothing where it is not there.
func (v *window) violations() (found []violation) {
	v.t.Helper()
	if v.axe == "" {
		return nil
	}
	if _, err := chromedp.Run(v.ctx, chromedp.Evaluate[cdp.Empty](""+v.axe+"; ({})")); err != nil {
		v.t.Fatalf("load axe-core: %v", err)
	}
	text, err := chromedp.Run(v.ctx, chromedp.Evaluate[string](axeRun, chromedp.EvalAwaitPromise))
	if err != nil {
		v.t.Fatalf("run axe-core: %v", err)
	}
	if err := json.Unmarshal([]byte(text), &found); err != nil {
		v.t.Fatal(err)
	}
	return found
}

// TestPagesInABrowser walks every page: passkeys are made and used in a real browser, with
// a script, under the real headers. The pictures are in the artifacts:
// go test -run PagesInABrowser -artifacts -outputdir FOLDER
func TestPagesInABrowser(t *testing.T) {
	w := newWorld(t, func(o *Options) { o.Collector = true })
	v := openWindow(t, w)
	v.enrolInBrowser()
	v.stepUpInBrowser()
	v.refusals()
	if v.axe == "" {
		return
	}
	// The control: axe-core finds what is wrong with a page.
	if _, err := chromedp.Run(v.ctx, chromedp.Evaluate[cdp.Empty](`document.querySelector("main").append(document.createElement("button")), ({})`)); err != nil {
		t.Fatal(err)
	}
	if len(v.violations()) == 0 {
		t.Error("axe-core finds nothing in a page with a button that has no name")
	}
}

func (v *window) enrolInBrowser() {
	v.open(nil)
	v.look("sign-in")
	v.do("type a wrong password", chromedp.SendKeys("#username", "alice"), chromedp.SendKeys("#password", "wrong horse 1"), chromedp.Click("#submit_button"), chromedp.WaitVisible("#problem"))
	v.lookByNight("sign-in-wrong")
	v.logIn()
	v.do("go to the passkeys", chromedp.WaitVisible("#passkeys_link"), chromedp.Click("#passkeys_link"), chromedp.WaitVisible("#otp"))
	v.look("passkeys-none")
	v.do("prove a code", chromedp.SendKeys("#otp", v.w.otp(0)), chromedp.Click("#submit_button"), chromedp.WaitVisible("#add_button"))
	v.look("passkeys-add")
	v.do("make a passkey", chromedp.SendKeys("#name", "Blue phone"), chromedp.Click("#add_button"), chromedp.WaitVisible(".keys"), chromedp.WaitVisible("#passkey_button"))
	v.look("passkeys")
	v.do("use it", chromedp.Click("#passkey_button"), chromedp.WaitVisible(".keys button"))
	v.lookByNight("passkeys-change")
	v.do("go back", chromedp.Click("#back_link"), chromedp.WaitVisible(".offered"), chromedp.Click("#submit_button"))
	if q := v.arrives(); q.Get("code") == "" {
		v.t.Fatalf("enrolled: %v", q)
	}
	v.w.attempts()
	v.open(func(r *authz.Request) { r.EssentialACR = []string{PasskeyACR} })
	v.do("log in with the passkey alone", chromedp.Click("#passkey_button"), chromedp.WaitVisible(".offered"))
	if a := v.w.attempts(); len(a) != 1 || a[0].Session.ACR != PasskeyACR || !slices.Contains(a[0].Session.AMR, amrHardware) {
		v.t.Errorf("the engine was told %+v", a)
	}
	v.do("consent", chromedp.Click("#submit_button"))
	if q := v.arrives(); q.Get("code") == "" {
		v.t.Fatalf("logged in with a passkey: %v", q)
	}
}

// stepUpInBrowser is a risky person: measured, since they agreed, asked for a passkey, and
// granted less than was asked.
func (v *window) stepUpInBrowser() {
	v.w.decides(func(x *engine.Assessment) {
		wantPasskey(x)
		x.Decision.Grant.Scopes, x.Decision.Grant.Details[0] = []string{"openid", "accounts"}, true
	})
	v.open(func(r *authz.Request) {
		r.Scopes = []string{"openid", "accounts", "payments"}
		r.Details = []authz.Detail{{Type: "payment_initiation", Raw: []byte(`{"type":"payment_initiation","instructedAmount":{"currency":"EUR","amount":"123.50"},"creditorName":"Merchant A","creditorAccount":{"iban":"DE02100100109307118603"}}`)}}
	})
	v.do("agree", chromedp.Click("#measure"))
	v.logIn()
	v.do("be asked for more", chromedp.WaitVisible("#passkey_button"))
	v.look("step-up")
	v.do("use the passkey", chromedp.Click("#passkey_button"), chromedp.WaitVisible(".withheld"))
	v.lookByNight("consent-withheld")
	v.do("consent", chromedp.Click("#submit_button"))
	if q := v.arrives(); q.Get("code") == "" {
		v.t.Fatalf("stepped up: %v", q)
	}
	a := v.w.attempts()
	if len(a) != 2 || a[0].Behaviour.Collector == "" || a[0].Device.Screen.Width.Or(0) == 0 || !a[0].Behaviour.Keys.RhythmSet || a[1].Behaviour.Collector == "" {
		v.t.Errorf("what was measured did not arrive: %+v", a)
	}
	v.w.decides(func(x *engine.Assessment) {
		x.Decision.Outcome, x.Decision.Challenge = engine.StepUp, engine.Challenge{ACRValues: []string{PossessionACR}}
	})
	v.open(nil)
	v.logIn()
	v.do("be asked for either", chromedp.WaitVisible("#otp"), chromedp.WaitVisible("#passkey_button"))
	v.look("step-up-either")
	v.do("say no", chromedp.Click("#cancel_button"))
	if q := v.arrives(); q.Get("error") != "access_denied" {
		v.t.Fatalf("left: %v", q)
	}
}

func (v *window) refusals() {
	for range freePrompts { // one was asked for and left above
		v.open(nil)
		v.logIn()
		v.do("be asked", chromedp.WaitVisible("main h1"), chromedp.WaitNotPresent("#username"))
	}
	v.do("be told of the pause", chromedp.WaitVisible("#cancel_button"))
	v.look("paused")
	v.w.decides(func(x *engine.Assessment) {
		x.Decision.Outcome, x.Decision.Challenge = engine.StepUp, engine.Challenge{AMR: []string{"face"}}
	})
	v.open(nil)
	v.logIn()
	v.do("be stuck", chromedp.WaitVisible("#cancel_button"), chromedp.WaitNotPresent("#username"))
	v.look("stuck")
	v.w.decides(func(x *engine.Assessment) { x.Decision.Outcome = engine.Deny })
	v.open(nil)
	v.logIn()
	if q := v.arrives(); q.Get("error") != "access_denied" {
		v.t.Fatalf("denied: %v", q)
	}
	v.do("come too late", chromedp.Navigate(v.w.server.URL+"/login?interaction=x"), chromedp.WaitVisible("#message"))
	v.look("error")
	v.do("sign out", chromedp.Navigate(v.w.server.URL+"/logout"), chromedp.WaitVisible("#message"))
	v.look("signed-out")
}
