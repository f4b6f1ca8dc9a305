package collector

import (
	"compress/gzip"
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"math"
	"math/rand/v2"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/browser"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/chromedp"

	"github.com/waryauth/wary/signals/typing"
)

// TestPage is everything that takes a browser: one for all, a tab for each.
func TestPage(t *testing.T) {
	b := chromium(t)
	for _, c := range []struct {
		name string
		test func(*testing.T, context.Context)
	}{
		{"summaries", testSummaries}, {"typed", testTyped}, {"password", testPassword}, {"anew", testAnew},
		{"filled", testFilled}, {"glass", testGlass}, {"pointer", testPointer}, {"consent", testConsent},
		{"attributes", testAttributes}, {"absent", testAbsent}, {"posted", testPosted}, {"motion", testMotion},
	} {
		t.Run(c.name, func(t *testing.T) { c.test(t, b) })
	}
}

// testSummaries holds the page's summaries to the reference's: of sentences that
// people typed, and of noise that meets every branch.
func testSummaries(t *testing.T, b context.Context) {
	ctx, cancel := chromedp.NewContext(b)
	defer cancel()
	p := tab{t, ctx}
	p.do(string(bundle(t, "src/typing.ts", "typing")) + `; window.typing = typing`)
	texts := append(noise(300), sentences(t, 300)...)
	type key struct {
		Press   float64 `json:"press"`
		Release float64 `json:"release"`
		Code    string  `json:"code"`
	}
	all := make([][]key, len(texts))
	for i, keys := range texts {
		all[i] = []key{}
		for _, k := range keys {
			if len(k.Code) == 1 {
				k.Code = strings.ToLower(k.Code)
			}
			all[i] = append(all[i], key(k))
		}
	}
	arg, err := json.Marshal(all)
	if err != nil {
		t.Fatal(err)
	}
	got := eval[[][]*float64](p, "("+string(arg)+").map((keys) => typing.summarize(keys).map(typing.short))")
	measured := make([]int, typing.Fields)
	for i, keys := range texts {
		agree(t, "text "+strconv.Itoa(i), got[i], typing.Summarize(keys), measured)
	}
	if n := slices.Min(measured); len(texts) > 300 && n < 25 {
		t.Errorf("a field was measured %d times of %d, which shows too little: %v", n, len(texts), measured)
	}
	// Which key of a finger it was makes no difference, which finger it was does.
	renamed := func(from, to string) (changed int) {
		move := strings.NewReplacer(strings.Split(from+to, "")...)
		for i := range all {
			for j := range all[i] {
				all[i][j].Code = move.Replace(all[i][j].Code)
			}
		}
		arg, err := json.Marshal(all)
		if err != nil {
			t.Fatal(err)
		}
		for i, s := range eval[[][]*float64](p, "("+string(arg)+").map((keys) => typing.summarize(keys).map(typing.short))") {
			if !slices.EqualFunc(s, got[i], func(a, b *float64) bool { return (a == nil) == (b == nil) && (a == nil || *a == *b) }) {
				changed++
			}
		}
		return changed
	}
	if n := renamed("qaaz", "zq"); n != 0 { // q to a, a to z, z to q
		t.Errorf("%d texts are told apart by the letters of one finger", n)
	}
	if n := renamed("ej", ""); n < len(texts)/2 {
		t.Errorf("control: another finger changes %d of %d texts", n, len(texts))
	}
}

// agree holds numbers of the page, null for NaN, to a summary: the same float32, or a
// neighbour of it, as two libraries' logarithms may differ in the last bit of a float64.
func agree(t *testing.T, what string, got []*float64, want typing.Summary, measured []int) {
	t.Helper()
	if len(got) != typing.Fields {
		t.Errorf("%s: %d numbers", what, len(got))
		return
	}
	for i, w := range want {
		missing := math.IsNaN(float64(w))
		if missing != (got[i] == nil) {
			t.Errorf("%s: field %d is missing: %v, want %v", what, i, got[i] == nil, missing)
		} else if !missing {
			g := float32(*got[i])
			if g != w && math.Nextafter32(g, w) != w {
				t.Errorf("%s: field %d is %v, want %v", what, i, g, w)
			}
			measured[i]++
		}
	}
}

// noise makes texts of random keys and times, the shortest without any.
func noise(n int) [][]typing.Key {
	r := rand.New(rand.NewPCG(5, 78))
	codes := append(strings.Split("qwertyuiopasdfghjklzxcvbnmA", ""), "SPACE", "SPACE", "BKSP", "SHIFT", "CTRL", "")
	texts := make([][]typing.Key, n)
	for i := range texts {
		at := 0.0
		for range i % 60 {
			at += math.Round(10*math.Exp(4.6+r.NormFloat64())) / 10
			if r.IntN(9) == 0 { // two keys at once
				at = math.Trunc(at)
			}
			texts[i] = append(texts[i], typing.Key{Press: at, Release: at + math.Round(10*math.Exp(4.5+r.NormFloat64()*0.8))/10, Code: codes[r.IntN(len(codes))]})
		}
	}
	return texts
}

// sentences are what real people typed, where the data are; else there are none.
func sentences(t *testing.T, n int) (texts [][]typing.Key) {
	const path = "../../../shared/data/keystrokes/aalto-visible.csv.gz"
	f, err := os.Open(filepath.FromSlash(path))
	if errors.Is(err, fs.ErrNotExist) {
		t.Log("the keystrokes of real typists are absent: only noise is compared")
		return nil
	} else if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	rows, section := csv.NewReader(z), ""
	for {
		r, err := rows.Read()
		if err != nil {
			t.Fatalf("after %d sentences: %v", len(texts), err)
		}
		press, err := strconv.ParseFloat(r[2], 64)
		if err != nil {
			continue // the header
		}
		if r[1] != section {
			if len(texts) == n {
				return texts
			}
			section, texts = r[1], append(texts, nil)
		}
		release, _ := strconv.ParseFloat(r[3], 64)
		texts[len(texts)-1] = append(texts[len(texts)-1], typing.Key{Press: press, Release: release, Code: r[4]})
	}
}

// collected is what collect returns.
type collected struct {
	Device    map[string]any
	Behaviour struct {
		Keys *struct {
			Count              int
			Rhythm             []*float64
			Pasted, Autofilled bool
		}
		Pointer struct {
			Moves, Clicks float64
			Distance      float64   `json:"distance_px"`
			Speed         []float64 `json:"speed_px_s"`
			Straightness  *float64
			RightAngles   *float64 `json:"right_angles"`
			SmallAngles   *float64 `json:"small_angles"`
		}
		Form struct {
			DwellMS       float64 `json:"dwell_ms"`
			FocusSwitches int     `json:"focus_switches"`
		}
		Motion    *bool
		Collector string
	}
}

func (p tab) collect() collected {
	p.Helper()
	return eval[collected](p, "measured.collect()")
}

// typed makes strokes of a text: rollovers, uneven holds, and a correction for each "<".
func typed(text string) (strokes []stroke) {
	r := rand.New(rand.NewPCG(uint64(len(text)), 7))
	at := 0.0
	for _, c := range text {
		at += 60 + float64(r.IntN(200))
		s := stroke{key: string(c), code: "Key" + strings.ToUpper(string(c)), press: at, release: at + 40 + float64(r.IntN(150))}
		switch c {
		case ' ':
			s.code = "Space"
		case '<':
			s.key, s.code = "Backspace", "Backspace"
		case '.':
			s.code = "Period"
		}
		strokes = append(strokes, s)
	}
	for i := range strokes { // no key is pressed again before it is released
		for _, next := range strokes[i+1:] {
			if next.code == strokes[i].code {
				strokes[i].release = min(strokes[i].release, next.press-1)
			}
		}
	}
	return strokes
}

// testTyped: what a keyboard sends is measured as the reference measures the events.
func testTyped(t *testing.T, b context.Context) {
	p := open(t, b, newSite(t))
	p.start("username")
	strokes := typed("the quick brown fox. jumpx<s over the lazy dog at a quarter to ten")
	p.strike(strokes)
	keys := p.seen()
	if len(keys) != len(strokes) {
		t.Fatalf("%d keys of %d came", len(keys), len(strokes))
	}
	for i, s := range strokes { // the browser keeps the times, to 0.1 ms each
		if math.Abs(keys[i].Press-keys[0].Press-(s.press-strokes[0].press)) > 0.5 || math.Abs(keys[i].Release-keys[i].Press-(s.release-s.press)) > 0.5 {
			t.Fatalf("key %d is %+v, was sent as %+v", i, keys[i], s)
		}
	}
	k := p.collect().Behaviour.Keys
	if k == nil || k.Count != len(strokes) || k.Pasted || k.Autofilled {
		t.Fatalf("the keys are %+v", k)
	}
	measured := make([]int, typing.Fields)
	agree(t, "typed", k.Rhythm, typing.Summarize(keys), measured)
	if n := count(measured, 1); n < 55 {
		t.Errorf("of the text only %d fields are measured", n)
	}
}

func count(v []int, x int) (n int) {
	for _, y := range v {
		if x == y {
			n++
		}
	}
	return n
}

// testPassword: of a password only the fields that know no finger are told, and nothing
// else once a name was typed. Whether the page shows it as text changes nothing, and a
// one-time code is never measured.
func testPassword(t *testing.T, b context.Context) {
	for _, c := range []struct{ name, before, after, last string }{
		{"shown later", "password.removeAttribute('autocomplete')", "password.type = 'text'", ""},
		{"shown from the start", "password.type = 'text'", "", ""},
		{"hidden at last", "password.type = 'text'; password.removeAttribute('autocomplete')", "", "password.type = 'password'"},
	} {
		p := open(t, b, newSite(t))
		p.do("const password = document.getElementById('password'); " + c.before)
		p.start("password")
		p.do("const password = document.getElementById('password'); " + c.after)
		p.strike(typed("correct horse battery"))
		want := typing.Summarize(p.seen())
		p.do("const password = document.getElementById('password'); " + c.last)
		p.do(`document.getElementById("otp").focus()`)
		p.strike(typed("a very long one time code indeed"))
		k := p.collect().Behaviour.Keys
		if k == nil || k.Count != len("correct horse battery") || len(k.Rhythm) != typing.Fields || k.Rhythm[51] == nil {
			t.Fatalf("%s: of the password: %+v", c.name, k)
		}
		agree(t, c.name, k.Rhythm, want.Password(), make([]int, typing.Fields))
		p.do(`keys.length = 0; document.getElementById("username").focus()`)
		p.strike(typed("somebody else"))
		told := p.collect().Behaviour
		agree(t, c.name+", with a name", told.Keys.Rhythm, typing.Summarize(p.seen()), make([]int, typing.Fields))
		if told.Form.FocusSwitches != 2 {
			t.Errorf("%s: %d switches of the focus, want 2", c.name, told.Form.FocusSwitches)
		}
	}
}

// testAnew: a text that was emptied and begun again is measured from there; commands
// and keys that leave the field are no keys of it.
func testAnew(t *testing.T, b context.Context) {
	p := open(t, b, newSite(t))
	p.start("username")
	p.strike(typed("wrong beginning"))
	p.do(`document.getElementById("username").value = ""; keys.length = 0`)
	p.strike(typed("another text"))
	want := typing.Summarize(p.seen())
	held := true
	for _, kind := range []input.DispatchKeyEventType{input.DispatchKeyEventTypeKeyDown, input.DispatchKeyEventTypeKeyDown, input.DispatchKeyEventTypeKeyUp} {
		call(p, input.DispatchKeyEvent, input.DispatchKeyEventParams{Type: kind, Key: "t", Code: "KeyT", Text: "t", AutoRepeat: &held})
	}
	for _, key := range []string{"Tab", "Enter", "Escape", "F5", "ArrowLeft"} {
		call(p, input.DispatchKeyEvent, input.DispatchKeyEventParams{Type: input.DispatchKeyEventTypeRawKeyDown, Key: key, Code: key})
	}
	call(p, input.DispatchKeyEvent, input.DispatchKeyEventParams{Type: input.DispatchKeyEventTypeRawKeyDown, Key: "a", Code: "KeyA", Modifiers: 2})
	k := p.collect().Behaviour.Keys
	agree(t, "begun anew", k.Rhythm, want, make([]int, typing.Fields))
	if k.Count != len("another text") {
		t.Errorf("%d keys", k.Count)
	}
	// Four keys are too few.
	p.do(`const u = document.getElementById("username"); u.value = ""; u.focus()`)
	p.strike(typed("four"))
	if k := p.collect().Behaviour.Keys; k.Count != 4 || k.Rhythm != nil {
		t.Errorf("of four keys: %+v", k)
	}
	p.do(`document.getElementById("username").value = ""`)
	p.strike(typed("fives")) // control
	if k := p.collect().Behaviour.Keys; k.Count != 5 || k.Rhythm == nil {
		t.Errorf("control: of five keys: %+v", k)
	}
}

// testFilled: what was not typed has no rhythm, and events that a script makes are not typed.
func testFilled(t *testing.T, b context.Context) {
	p := open(t, b, newSite(t))
	p.start("username")
	if k := p.collect().Behaviour.Keys; k != nil {
		t.Errorf("before anything: %+v", k)
	}
	const fake = `const u = document.getElementById("username");
		for (let i = 0; i < 20; i++) for (const type of ["keydown", "keyup"]) u.dispatchEvent(new KeyboardEvent(type, { code: "KeyA", key: "a", bubbles: true }));`
	p.do(fake)
	if k := p.collect().Behaviour.Keys; k != nil {
		t.Errorf("a script's keys are %+v", k)
	}
	p.do(`const u = document.getElementById("username"); u.value = "somebody"; u.dispatchEvent(new Event("input", { bubbles: true }))`)
	if k := p.collect().Behaviour.Keys; k == nil || k.Count != 0 || !k.Autofilled || k.Pasted || k.Rhythm != nil {
		t.Errorf("filled in by a program: %+v", k)
	}
	p.strike(typed("with more typed behind it"))
	if k := p.collect().Behaviour.Keys; k.Count != 25 || !k.Autofilled || k.Rhythm != nil {
		t.Errorf("filled in and typed: %+v", k)
	}
	p.start("username") // anew
	p.do(`document.getElementById("username").value = ""`)
	p.strike(typed("only typed"))
	if k := p.collect().Behaviour.Keys; k.Count != 10 || k.Autofilled || k.Rhythm == nil {
		t.Errorf("control: typed: %+v", k)
	}
	p.do(`document.getElementById("username").select()`)
	call(p, input.DispatchKeyEvent, input.DispatchKeyEventParams{Type: input.DispatchKeyEventTypeKeyDown, Key: "c", Code: "KeyC", Modifiers: 2, Commands: []string{"copy"}})
	call(p, input.DispatchKeyEvent, input.DispatchKeyEventParams{Type: input.DispatchKeyEventTypeKeyDown, Key: "v", Code: "KeyV", Modifiers: 2, Commands: []string{"paste"}})
	if k := p.collect().Behaviour.Keys; k.Count != 10 || !k.Pasted || k.Autofilled || k.Rhythm != nil {
		t.Errorf("pasted: %+v", k)
	}
}

// testGlass: a keyboard on the screen says neither which key it was nor for how long.
// Its holds would look like a script's, so they are missing.
func testGlass(t *testing.T, b context.Context) {
	p := open(t, b, newSite(t))
	p.start("username")
	strokes := typed("somebody <with a phone")
	for i := range strokes {
		strokes[i].code, strokes[i].release = "", strokes[i].press
	}
	p.strike(strokes)
	k := p.collect().Behaviour.Keys
	if k == nil || k.Count != len(strokes) || len(k.Rhythm) != typing.Fields {
		t.Fatalf("on glass: %+v", k)
	}
	// As the reference measures keys without a finger: only the fields that need no release.
	var keys []typing.Key
	for i, press := range eval[[]float64](p, "keys.map((k) => k.press)") {
		keys = append(keys, typing.Key{Press: press, Release: press})
		if strokes[i].key == "Backspace" {
			keys[i].Code = "BKSP"
		}
	}
	want := typing.Summarize(keys)
	for i := range want {
		if !(i >= 61 && i <= 65 || i == 69 || i == 70) {
			want[i] = float32(math.NaN())
		}
	}
	measured := make([]int, typing.Fields)
	agree(t, "glass", k.Rhythm, want, measured)
	if count(measured, 1) != 7 {
		t.Errorf("%d fields are measured, want 7", count(measured, 1))
	}
}

// testPointer moves along a known path. Chromium at times adds a move of its own, from
// where the pointer was before the page: a walk is right if one of a few is.
func testPointer(t *testing.T, b context.Context) {
	var wrong []string
	for range 5 {
		if wrong = walk(open(t, b, newSite(t))); len(wrong) == 0 {
			return
		}
	}
	t.Error(strings.Join(wrong, "\n"))
}

// walk moves the pointer and says what was not measured as it should be.
func walk(p tab) (wrong []string) {
	say := func(format string, args ...any) { wrong = append(wrong, fmt.Sprintf(format, args...)) }
	p.start("username")
	// 10 steps right, 10 down, 10 right, 20 px and 20 ms each: 1,000 px/s; then a rest.
	x, y, at := 100.0, 100.0, float64(time.Now().UnixMilli())
	move := func(dx, dy, ms float64) {
		x, y, at = x+dx, y+dy, at+ms
		p.point(x, y, at)
	}
	move(0, 0, 0)
	for i := range 30 {
		if i/10 == 1 {
			move(0, 20, 20)
		} else {
			move(20, 0, 20)
		}
	}
	got := p.collect().Behaviour.Pointer
	near := func(what string, got *float64, want float64) {
		if got == nil || math.Abs(*got-want) > 0.01 {
			say("%s is %v, want %v", what, show(got), want)
		}
	}
	if got.Moves != 31 || got.Clicks != 0 || got.Distance != 600 {
		say("%v moves, %v clicks, %v px; want 31, 0, 600", got.Moves, got.Clicks, got.Distance)
	}
	near("straightness", got.Straightness, math.Hypot(400, 200)/600)
	near("right angles", got.RightAngles, 2.0/29)
	near("small angles", got.SmallAngles, 27.0/29)
	if len(got.Speed) != 3 || slices.Max(got.Speed) > 1020 || slices.Min(got.Speed) < 980 {
		say("the speeds are %v, want 1,000 thrice", got.Speed)
	}
	for _, kind := range []input.DispatchMouseEventType{input.DispatchMouseEventTypeMousePressed, input.DispatchMouseEventTypeMouseReleased} {
		call(p, input.DispatchMouseEvent, input.DispatchMouseEventParams{Type: kind, X: x, Y: y, Button: input.MouseButtonLeft, ClickCount: 1})
	}
	p.do(`for (let i = 0; i < 50; i++) dispatchEvent(new PointerEvent("pointermove", { screenX: 50 * i })); dispatchEvent(new PointerEvent("pointerdown"))`)
	if got := p.collect().Behaviour.Pointer; got.Moves != 31 || got.Clicks != 1 {
		say("after a click, and a script's: %v moves, %v clicks; want 31, 1", got.Moves, got.Clicks)
	}
	return wrong
}

func show(x *float64) any {
	if x == nil {
		return "missing"
	}
	return *x
}

// testConsent: nothing is listened to, and nothing measured, before the person agrees
// and after they no longer do.
func testConsent(t *testing.T, b context.Context) {
	p := open(t, b, newSite(t))
	before := eval[[]string](p, "listeners")
	if slices.Contains(before, "keydown") || slices.Contains(before, "pointermove") || len(before) != 1 { // the page's own, of the check box
		t.Errorf("before start there are listeners for %v", before)
	}
	for _, options := range []string{"", "null", "{}", "{ consent: false }", "{ consent: 1 }", `{ consent: "true" }`} {
		if !eval[bool](p, "wary.start("+options+") === null && listeners.length === 1") {
			t.Errorf("start(%s) measures", options)
		}
	}
	p.do(`document.getElementById("username").focus()`)
	p.strike(typed("before any consent"))
	p.start("username")
	if n := eval[int](p, "listeners.filter((type) => /^key/.test(type)).length"); n != 2 {
		t.Errorf("control: after start there are %d listeners for keys", n)
	}
	if k := p.collect().Behaviour.Keys; k != nil {
		t.Errorf("of what was typed before: %+v", k)
	}
	p.do(`window.was = measured; measured.stop()`)
	p.strike(typed("after it"))
	if !eval[bool](p, `was.collect() === null && new FormData(document.forms[0]).get("wary") === null`) {
		t.Error("something is told after stop")
	}
}

// testAttributes: the script's own element may say that there is consent.
func testAttributes(t *testing.T, b context.Context) {
	p := open(t, b, newSite(t))
	load := func(attributes string) bool {
		p.do(`window.done = false; const s = document.createElement("script"); s.src = trustedTypes.createPolicy("p" + Math.random(), { createScriptURL: (u) => u }).createScriptURL("/collector.js"); ` +
			attributes + `s.onload = () => (window.done = true); document.head.append(s)`)
		if _, err := chromedp.Run(p.ctx, chromedp.Poll[bool]("window.done")); err != nil {
			t.Fatal(err)
		}
		return eval[bool](p, `new FormData(document.forms[0]).has("measured")`)
	}
	if load(`s.dataset.field = "measured"; s.dataset.consent = "no"; `) {
		t.Error("it measures without consent")
	}
	if !load(`s.dataset.field = "measured"; s.dataset.consent = "true"; `) {
		t.Error("it does not measure with consent")
	}
}

// testAbsent: without the collector the page works as ever.
func testAbsent(t *testing.T, b context.Context) {
	s := newSite(t)
	s.absent = true
	p := open(t, b, s)
	p.do(`document.getElementById("consent").click(); document.getElementById("username").focus()`)
	p.strike(typed("nobody"))
	p.do(`document.getElementById("submit_button").click()`)
	form, err := url.ParseQuery(<-s.posted)
	if err != nil || form.Get("username") != "nobody" || form.Has("wary") {
		t.Errorf("the form is %v, %v", form, err)
	}
}

// testPosted logs in as a person does, and holds what comes with the form to
// testdata/collected.json, which the score API's tests decode.
func testPosted(t *testing.T, b context.Context) {
	s := newSite(t)
	p := open(t, b, s)
	call(p, emulation.SetTimezoneOverride, emulation.SetTimezoneOverrideParams{TimezoneID: "Asia/Kolkata"})
	lat, lon, accuracy := 12.97194, 77.59369, 20.0
	call(p, emulation.SetGeolocationOverride, emulation.SetGeolocationOverrideParams{Latitude: &lat, Longitude: &lon, Accuracy: &accuracy})
	if _, err := chromedp.CallBrowser(p.ctx, browser.SetPermission, browser.SetPermissionParams{
		Permission: &browser.PermissionDescriptor{Name: "geolocation"}, Setting: browser.PermissionSettingGranted, Origin: s.URL}); err != nil {
		t.Fatal(err)
	}
	p.load(s)
	p.do(`document.getElementById("consent").click(); document.getElementById("username").focus()`)
	base := float64(time.Now().UnixMilli())
	for i := range 40 {
		p.point(50+10*float64(i), math.Round(300+200*math.Sin(float64(i)/4)), base+float64(i*i))
	}
	p.strike(typed("somebody.of.some<here"))
	p.do(`for (let i = 0; i < 12; i++) dispatchEvent(new DeviceMotionEvent("devicemotion", { accelerationIncludingGravity: { x: 0, y: i / 10, z: 9.8 } }))`)
	if _, err := chromedp.Run(p.ctx, chromedp.Poll[bool](`"latitude" in measured.collect().device`)); err != nil {
		t.Fatal(err)
	}
	if refused := eval[[]string](p, "refused"); len(refused) != 0 {
		t.Errorf("under a strict policy the browser refused %v", refused)
	}
	p.do(`document.getElementById("submit_button").click()`)
	form, err := url.ParseQuery(<-s.posted)
	if err != nil || form.Get("username") != "somebody.of.somhere" || len(form["wary"]) != 1 {
		t.Fatalf("the form is %v, %v", form, err)
	}
	measured := form.Get("wary")
	if len(measured) > 4096 {
		t.Errorf("%d bytes leave the page", len(measured))
	}
	t.Logf("%d bytes leave the page", len(measured))
	if *update {
		if err := os.WriteFile(filepath.Join("testdata", "collected.json"), []byte(measured+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	known, got := shape(t, file(t, "collected.json")), shape(t, []byte(measured))
	delete(got, "/device/gpu") // a browser may have none, or no fonts
	delete(known, "/device/gpu")
	if !maps.Equal(got, known) {
		t.Errorf("what is told has the shape %v, testdata/collected.json %v", got, known)
	}
	var c collected
	if err := json.Unmarshal([]byte(measured), &c); err != nil {
		t.Fatal(err)
	}
	if d := c.Device; d["timezone"] != "Asia/Calcutta" && d["timezone"] != "Asia/Kolkata" || d["timezone_offset_min"] != 330.0 || d["latitude"] != 12.97 || d["longitude"] != 77.59 || d["webdriver"] != true {
		t.Errorf("the device is %v", d)
	}
	if c.Behaviour.Collector != Version || c.Behaviour.Motion == nil || !*c.Behaviour.Motion {
		t.Errorf("collector %q, motion %v", c.Behaviour.Collector, c.Behaviour.Motion)
	}
	close(s.asked)
	for path := range s.asked {
		if !slices.Contains([]string{"/", "/collector.js", "/login.js", "/login", "/favicon.ico"}, path) {
			t.Errorf("the page asked for %s", path)
		}
	}
}

// shape returns the type of each member, by pointer; of arrays that of what they hold.
func shape(t *testing.T, data []byte) map[string]string {
	t.Helper()
	var v any
	if err := json.Unmarshal(data, &v); err != nil {
		t.Fatal(err)
	}
	out := map[string]string{}
	var walk func(at string, v any)
	walk = func(at string, v any) {
		switch v := v.(type) {
		case map[string]any:
			for name, member := range v {
				walk(at+"/"+name, member)
			}
		case []any:
			for _, member := range v {
				walk(at+"/-", member)
			}
		case string:
			out[at] = "string"
		case bool:
			out[at] = "boolean"
		default: // a rhythm's null is a number that is missing
			out[at] = "number"
		}
	}
	walk("", v)
	return out
}

// testMotion: a phone lies still where every measurement is the same, and nothing is
// said of a few.
func testMotion(t *testing.T, b context.Context) {
	p := open(t, b, newSite(t))
	p.start("username")
	shake := func(n int, y string) *bool {
		p.do(`for (let i = 0; i < ` + strconv.Itoa(n) + `; i++) dispatchEvent(new DeviceMotionEvent("devicemotion", { accelerationIncludingGravity: { x: 0, y: ` + y + `, z: 9.8 } }))`)
		return p.collect().Behaviour.Motion
	}
	if m := shake(9, "0"); m != nil {
		t.Errorf("of nine measurements motion is %v", *m)
	}
	if m := shake(1, "0"); m == nil || *m {
		t.Errorf("of ten alike motion is %v, want false", m)
	}
	if m := shake(1, "0.1"); m == nil || !*m {
		t.Errorf("after another motion is %v, want true", m)
	}
}
