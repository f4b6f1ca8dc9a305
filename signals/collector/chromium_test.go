package collector

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"

	"github.com/waryauth/wary/signals/typing"
)

// patience is how long a browser may take for anything before it counts as hung.
const patience = 2 * time.Minute

// chromium starts a headless browser, which ends with the test.
func chromium(t *testing.T) context.Context {
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
	ctx, cancel = chromedp.NewExecAllocator(ctx, append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(path), chromedp.NoSandbox)...)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewContext(ctx)
	t.Cleanup(cancel)
	if err := chromedp.Do(ctx); err != nil {
		t.Fatalf("start %s: %v", path, err)
	}
	return ctx
}

// site is a server with the demo page under a strict policy, and what was asked of it.
type site struct {
	*httptest.Server
	absent bool        // the collector is not there
	posted chan string // forms, as they came
	asked  chan string // paths
}

func newSite(t *testing.T) *site {
	s := &site{posted: make(chan string, 10), asked: make(chan string, 100)}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.asked <- r.URL.Path
		w.Header().Set("Content-Security-Policy", "default-src 'none'; script-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'; require-trusted-types-for 'script'")
		switch r.URL.Path {
		case "/":
			http.ServeFile(w, r, filepath.Join("testdata", "login.html"))
		case "/login.js":
			http.ServeFile(w, r, filepath.Join("testdata", "login.js"))
		case "/collector.js":
			if s.absent {
				http.NotFound(w, r)
				return
			}
			w.Header().Set("Content-Type", "text/javascript")
			w.Write(Script)
		case "/login":
			body, _ := io.ReadAll(r.Body)
			s.posted <- string(body)
		default:
			http.NotFound(w, r)
		}
	}))
	t.Cleanup(s.Close)
	return s
}

// watched runs before the page's scripts. It notes what the browser refuses, what is
// listened to, and the keys as any page sees them.
const watched = `
	window.refused = []; window.listeners = []; window.keys = []; window.places = [];
	addEventListener("securitypolicyviolation", (e) => refused.push(e.violatedDirective + " " + e.blockedURI));
	addEventListener("error", (e) => refused.push(String(e.message)));
	addEventListener("pointermove", (e) => places.push(e.clientX + " " + e.clientY), true);
	addEventListener("keydown", (e) => keys.push({ code: e.code, press: e.timeStamp }), true);
	addEventListener("keyup", (e) => { for (const k of keys) if (k.code === e.code && !("release" in k)) k.release = e.timeStamp; }, true);
	const add = EventTarget.prototype.addEventListener;
	EventTarget.prototype.addEventListener = function (type, ...rest) { listeners.push(type); return add.call(this || window, type, ...rest); };`

// tab is an open page.
type tab struct {
	*testing.T
	ctx context.Context
}

// open loads the site's page in a new tab.
func open(t *testing.T, browser context.Context, s *site) tab {
	t.Helper()
	ctx, cancel := chromedp.NewContext(browser)
	t.Cleanup(cancel)
	p := tab{t, ctx}
	call(p, page.AddScriptToEvaluateOnNewDocument, page.AddScriptToEvaluateOnNewDocumentParams{Source: watched})
	p.load(s)
	return p
}

func (p tab) load(s *site) {
	p.Helper()
	if err := chromedp.Do(p.ctx, chromedp.Navigate(s.URL)); err != nil {
		p.Fatal(err)
	}
}

// eval returns the value of an expression.
func eval[V any](p tab, expression string) V {
	p.Helper()
	v, err := chromedp.Run(p.ctx, chromedp.Evaluate[V](expression))
	if err != nil {
		p.Fatalf("%s: %v", expression, err)
	}
	return v
}

func (p tab) do(statement string) {
	p.Helper()
	eval[bool](p, "(() => { "+statement+"; return true; })()")
}

func call[P, R any](p tab, c cdp.Command[P, R], params P) {
	p.Helper()
	if _, err := chromedp.Call(p.ctx, c, params); err != nil {
		p.Fatalf("%s: %v", c.Method, err)
	}
}

// start puts the consent in, and the focus on a field.
func (p tab) start(field string) {
	p.Helper()
	p.do(`window.measured = wary.start({ consent: true, field: "wary" }); document.getElementById("` + field + `").focus()`)
}

// stroke is a key as a person strikes it, in milliseconds.
type stroke struct {
	key, code      string // KeyboardEvent's
	press, release float64
}

// strike sends keys as a keyboard does, with times of their own: nothing waits.
func (p tab) strike(strokes []stroke) {
	p.Helper()
	type event struct {
		at float64
		input.DispatchKeyEventParams
	}
	var events []event
	for _, s := range strokes {
		k := input.DispatchKeyEventParams{Type: input.DispatchKeyEventTypeKeyDown, Key: s.key, Code: s.code}
		up := k
		up.Type = input.DispatchKeyEventTypeKeyUp
		if len(s.key) == 1 {
			k.Text = s.key
		}
		if s.key == "Backspace" {
			k.WindowsVirtualKeyCode = 8
		}
		events = append(events, event{s.press, k}, event{s.release, up})
	}
	slices.SortStableFunc(events, func(a, b event) int {
		if a.at < b.at {
			return -1
		}
		return 1
	})
	base := float64(time.Now().UnixMilli())
	for _, e := range events {
		e.Timestamp = input.TimeSinceEpoch((base + e.at) / 1000)
		call(p, input.DispatchKeyEvent, e.DispatchKeyEventParams)
	}
}

// point moves the pointer, at a time in milliseconds since 1970, and waits until the page
// has seen it there: a browser that is busy makes one movement of several, or none. It
// is told again then; the same place twice is no movement.
func (p tab) point(x, y, at float64) {
	p.Helper()
	place := fmt.Sprint(x, " ", y)
	for tries := 0; tries == 0 || eval[string](p, `places.at(-1) || ""`) != place; tries++ {
		if tries%100 == 0 {
			call(p, input.DispatchMouseEvent, input.DispatchMouseEventParams{
				Type: input.DispatchMouseEventTypeMouseMoved, X: x, Y: y, Timestamp: input.TimeSinceEpoch(at / 1000)})
		}
		time.Sleep(time.Millisecond)
	}
}

// seen returns the keys as the page saw them: times as coarse as the browser tells.
func (p tab) seen() []typing.Key {
	p.Helper()
	var keys []typing.Key
	for _, k := range eval[[]struct {
		Code           string
		Press, Release float64
	}](p, "keys") {
		keys = append(keys, typing.Key{Press: k.Press, Release: k.Release, Code: reduced(k.Code)})
	}
	return keys
}

// reduced is a KeyboardEvent.code as typing.Key has it.
func reduced(code string) string {
	switch code {
	case "Space":
		return "SPACE"
	case "Backspace":
		return "BKSP"
	case "ShiftLeft", "ShiftRight":
		return "SHIFT"
	}
	if len(code) == 4 && code[:3] == "Key" {
		return code[3:]
	}
	return ""
}

// file reads one of testdata.
func file(t *testing.T, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return b
}
