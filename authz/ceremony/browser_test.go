package ceremony

import (
	"context"
	"net/url"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"

	"github.com/waryauth/wary/authz"
)

// patience is how long a browser may take for anything before it counts as hung.
const patience = 5 * time.Minute

// TestABrowserWithoutScripts walks the pages with the keyboard where it can, loads one
// again, goes back, and arrives at the client. What the server's own headers would
// forbid (the stylesheet, the redirect after a form) fails here and in no other test.
// Going back, it must not meet the page with the password typed on it: Chromium shows
// that page, and this test then hangs and fails, where dropPage sets no cookie.
func TestABrowserWithoutScripts(t *testing.T) {
	w := newWorld(t)
	w.decides(stepUp)
	a := w.authority
	uri, _, err := a.Push(t.Context(), a.Clients().Find("client-one"), request(nil), &authz.Origin{})
	if err != nil {
		t.Fatal(err)
	}
	ctx := chromium(t, w)
	if _, err := chromedp.Call(ctx, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true}); err != nil {
		t.Fatal(err)
	}
	f := func(doing string, steps ...chromedp.Action[chromedp.Void]) {
		t.Helper()
		if err := chromedp.Do(ctx, steps...); err != nil {
			t.Fatalf("%s: %v", doing, err)
		}
	}
	f("open", chromedp.Navigate(w.server.URL+"/authorize?"+url.Values{"client_id": {"client-one"}, "request_uri": {uri}}.Encode()), chromedp.WaitVisible("#username"))
	f("type a wrong password", chromedp.KeyEvent("alice\twrong horse 1\r"), chromedp.WaitVisible("#problem"))
	f("type the right one", chromedp.SendKeys("#username", "alice"), chromedp.SendKeys("#password", secretOf), chromedp.Click("#submit_button"), chromedp.WaitVisible("#otp"))
	f("load again", chromedp.Reload(), chromedp.WaitVisible("#otp"))
	f("go back", chromedp.NavigateBack(), chromedp.WaitVisible("#otp"))
	f("type the code", chromedp.SendKeys("#otp", w.otp(0)), chromedp.Click("#submit_button"), chromedp.WaitVisible(".offered"))
	f("consent", chromedp.Click("#submit_button"))
	for {
		at, err := chromedp.Run(ctx, chromedp.Location())
		if err != nil {
			t.Fatalf("arrive at the client: %v", err)
		}
		if strings.HasPrefix(at, callback+"?code=") {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// chromium starts a headless browser, which ends with the test, and for which the
// client's host is the world's server as well.
func chromium(t *testing.T, w *world) context.Context {
	t.Helper()
	var path string
	for _, name := range []string{"chromium-headless-shell", "chromium", "chromium-browser", "google-chrome"} {
		if p, err := exec.LookPath(name); err == nil {
			path = p
			break
		}
	}
	if path == "" {
		t.Skip("there is no Chromium: scripts/deps.sh chromium installs Debian's")
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	host := w.server.Listener.Addr().String()
	ctx, cancel = chromedp.NewExecAllocator(ctx, append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(path), chromedp.NoSandbox,
		chromedp.Flag("ignore-certificate-errors", true), chromedp.Flag("host-resolver-rules", "MAP client.example:443 "+host+", MAP example.com:443 "+host))...)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewContext(ctx)
	t.Cleanup(cancel)
	if err := chromedp.Do(ctx, chromedp.Navigate("about:blank")); err != nil {
		t.Fatalf("start %s: %v", path, err)
	}
	return ctx
}
