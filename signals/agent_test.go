package signals

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"unsafe"
)

const (
	chromeWindows = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/124.0.0.0 Safari/537.36"
	chromePhone   = "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/124.0.0.0 Mobile Safari/537.36"
	brandsChrome  = `"Chromium";v="124", "Google Chrome";v="124", "Not-A.Brand";v="99"`
)

func chromeHeaders() Headers {
	return Headers{UserAgent: chromeWindows, SecCHUA: brandsChrome, SecCHUAPlatform: `"Windows"`, SecCHUAMobile: "?0"}
}

func describe(h Headers) Agent {
	var a Agent
	NewAgents(1).Describe(&a, &h)
	return a
}

// cached reports whether headers are remembered, without asking for them.
func (c *Agents) cached(h *Headers) bool {
	key := agentHeaders{h.UserAgent, h.SecCHUA, h.SecCHUAPlatform, h.SecCHUAMobile}
	set := &c.sets[c.hash(&key)&uint64(len(c.sets)-1)]
	for i := range set.ways {
		if d := set.ways[i].Load(); d != nil && d.headers == key {
			return true
		}
	}
	return false
}

func (c *Agents) size() (n int) {
	for i := range c.sets {
		for j := range c.sets[i].ways {
			if c.sets[i].ways[j].Load() != nil {
				n++
			}
		}
	}
	return n
}

func TestDescribeExtremes(t *testing.T) {
	for _, c := range []struct {
		name string
		h    Headers
		want Agent
	}{
		{"none", Headers{}, Agent{Empty: true}},
		{"no form at all", Headers{UserAgent: "x"}, Agent{Unparseable: true}},
		{"blanks", Headers{UserAgent: "   "}, Agent{Unparseable: true}},
		{"too long", Headers{UserAgent: chromeWindows + strings.Repeat(" x/1", MaxUserAgent)}, Agent{Unparseable: true}},
		{"no more is read than maxParsed", Headers{UserAgent: strings.Repeat(" ", maxParsed) + chromeWindows}, Agent{Unparseable: true}},
		{"hints alone", Headers{SecCHUA: brandsChrome, SecCHUAPlatform: `"Linux"`},
			Agent{Empty: true, Browser: "Chrome", BrowserVersion: "124", BrowserMajor: 124, OS: "Linux"}},
	} {
		if got := describe(c.h); got != c.want {
			t.Errorf("%s: got %+v, want %+v", c.name, got, c.want)
		}
	}
}

// TestDescribeKey proves that the key covers every header used: with each one
// changed, the answer of the unchanged headers is not given.
func TestDescribeKey(t *testing.T) {
	agents := NewAgents(64)
	base := chromeHeaders()
	var first Agent
	agents.Describe(&first, &base)
	hashes := map[uint64]string{}
	for name, change := range map[string]func(*Headers){
		"user agent": func(h *Headers) { h.UserAgent = chromePhone },
		"brands":     func(h *Headers) { h.SecCHUA = `"Chromium";v="99"` },
		"platform":   func(h *Headers) { h.SecCHUAPlatform = `"macOS"` },
		"mobile":     func(h *Headers) { h.SecCHUAMobile = "?1" },
		"nothing":    func(*Headers) {},
		// The same bytes, parted otherwise.
		"parts": func(h *Headers) { h.UserAgent, h.SecCHUA = h.UserAgent+h.SecCHUA, "" },
	} {
		h := base
		change(&h)
		hash := agents.hash(&agentHeaders{h.UserAgent, h.SecCHUA, h.SecCHUAPlatform, h.SecCHUAMobile})
		if other, ok := hashes[hash]; ok {
			t.Errorf("one hash with %s and with %s changed", name, other)
		}
		hashes[hash] = name
		var got, again Agent
		agents.Describe(&got, &h)
		agents.Describe(&again, &h)
		if want := describe(h); got != want || again != want || (got == first) != (name == "nothing" || name == "parts") {
			t.Errorf("%s changed: got %+v and %+v, want %+v", name, got, again, want)
		}
	}
}

// TestDescribeCollision gives two headers one hash: neither gets the other's
// answer. The control is the same planted description under its own headers.
func TestDescribeCollision(t *testing.T) {
	planted := Agent{Browser: "planted"}
	asked := chromeHeaders()
	key := agentHeaders{asked.UserAgent, asked.SecCHUA, asked.SecCHUAPlatform, asked.SecCHUAMobile}
	for _, c := range []struct {
		name    string
		headers agentHeaders
		given   bool
	}{
		{"other headers", agentHeaders{userAgent: chromePhone}, false},
		{"other platform", agentHeaders{key.userAgent, key.brands, `"Linux"`, key.mobile}, false},
		{"control", key, true},
	} {
		agents := NewAgents(1)
		agents.sets[0].ways[0].Store(&description{hash: agents.hash(&key), headers: c.headers, agent: planted})
		var got Agent
		agents.Describe(&got, &asked)
		if (got == planted) != c.given {
			t.Errorf("%s: got %+v", c.name, got)
		}
	}
}

// TestDescribeOwns overwrites the memory of the headers, as a server does with a
// request's body, and finds the description and the cache unharmed.
func TestDescribeOwns(t *testing.T) {
	for _, length := range []int{0, maxCached} { // remembered, and too long to be
		text := chromeWindows + strings.Repeat(" ", length)
		body := []byte(text)
		agents := NewAgents(8)
		var a Agent
		agents.Describe(&a, &Headers{UserAgent: unsafe.String(&body[0], len(body))})
		for i := range body {
			body[i] = 'X'
		}
		want := Agent{Class: Desktop, Browser: "Chrome", BrowserVersion: "124.0.0.0", BrowserMajor: 124, OS: "Windows", OSVersion: "10", OSMajor: 10}
		if a != want {
			t.Errorf("got %+v, want %+v", a, want)
		}
		if got := agents.cached(&Headers{UserAgent: text}); got != (length == 0) {
			t.Errorf("a user agent of %d bytes is remembered: %v", len(text), got)
		}
	}
}

func TestDescribeBounded(t *testing.T) {
	for _, capacity := range []int{-1, 0, 1, 7, 8, 100, 4096} {
		agents := NewAgents(capacity)
		slots := len(agents.sets) * ways
		if slots < capacity || slots > max(2*ways, 2*capacity+2*ways) {
			t.Errorf("capacity %d has %d places", capacity, slots)
		}
		var a Agent
		for i := range 2 * slots {
			agents.Describe(&a, &Headers{UserAgent: fmt.Sprintf("agent-%d/1.%d", i, i)})
		}
		if n := agents.size(); n > slots || n < slots/2 {
			t.Errorf("capacity %d remembers %d of %d places", capacity, n, slots)
		}
	}
	agents := NewAgents(100)
	h := Headers{UserAgent: strings.Repeat("x", maxCached+1)}
	agents.Describe(new(Agent), &h)
	if agents.cached(&h) {
		t.Error("remembers more than maxCached bytes")
	}
}

// TestDescribeSecondChance asks for three user agents again and again among a
// thousand that come once: they stay. The control is not asked for, and goes.
func TestDescribeSecondChance(t *testing.T) {
	agents := NewAgents(ways)
	hot := []Headers{{UserAgent: chromeWindows}, {UserAgent: chromePhone}, chromeHeaders()}
	control := Headers{UserAgent: "control/1.0"}
	var a Agent
	agents.Describe(&a, &control)
	for i := range 1000 {
		for j := range hot {
			if i > 0 && !agents.cached(&hot[j]) {
				t.Fatalf("hot user agent %d is gone after %d others", j, i)
			}
			agents.Describe(&a, &hot[j])
			agents.Describe(&a, &hot[j])
		}
		agents.Describe(&a, &Headers{UserAgent: fmt.Sprintf("cold-%d/1.0", i)})
	}
	if agents.cached(&control) {
		t.Error("control: what nobody asks for is still there")
	}
}

func TestDescribeConcurrent(t *testing.T) {
	headers := make([]Headers, 64)
	want := make([]Agent, len(headers))
	for i := range headers {
		headers[i] = Headers{UserAgent: fmt.Sprintf("App%d/%d.0 (iPhone; iOS 17.%d)", i, i+1, i), SecCHUAMobile: "?0"}
		want[i] = describe(headers[i])
	}
	agents := NewAgents(16) // fewer than there are: they push each other out
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			var a Agent
			for i := range 2000 {
				n := (i*(2*g+1) + g) % len(headers)
				if agents.Describe(&a, &headers[n]); a != want[n] {
					t.Errorf("got %+v, want %+v", a, want[n])
					return
				}
			}
		})
	}
	wg.Wait()
}

func TestDescribeAllocations(t *testing.T) {
	agents := NewAgents(1000)
	all := []Headers{chromeHeaders(), {UserAgent: chromePhone}, {}, {UserAgent: "x"}}
	var a Agent
	for i := range all {
		agents.Describe(&a, &all[i])
	}
	if n := testing.AllocsPerRun(100, func() {
		for i := range all {
			agents.Describe(&a, &all[i])
		}
	}); n != 0 {
		t.Errorf("got %v allocations", n)
	}
}

func FuzzDescribe(f *testing.F) {
	f.Add(chromeWindows, brandsChrome, `"Windows"`, "?0")
	f.Add(chromePhone, "", "", "")
	f.Add("Mozilla/5.0 (Linux; U; Adr 4.2.2; zh-CN) UCBrowser/9.6 [FBAN/FBIOS;FBAV/1]", `"\\Not\"A";v="8"`, `"Android"`, "?1")
	f.Add("CrOS x86_64 1 (((/:;[]http://", `"`, `"`, "?")
	f.Add(strings.Repeat("Android/;", 120), strings.Repeat(`"a",`, 20), "\x00", "\xff")
	f.Add("FV i5iOS 18/6_1 Versio\x80O4_", ")", "~\xff\xff", "?") // an underscore in a version
	f.Add("FBSV iOS 18_6_1 Version/4_", ";", "", "?1")
	agents := NewAgents(16)
	f.Fuzz(func(t *testing.T, userAgent, brands, platform, mobile string) {
		h := Headers{UserAgent: userAgent, SecCHUA: brands, SecCHUAPlatform: platform, SecCHUAMobile: mobile}
		want := describe(h)
		for range 2 { // described, and remembered
			var got Agent
			if agents.Describe(&got, &h); got != want {
				t.Fatalf("got %+v, want %+v", got, want)
			}
		}
		for _, s := range []string{want.Browser, want.OS} {
			if len(s) > 48 || strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r > '~' }) {
				t.Fatalf("the name %q", s)
			}
		}
		for _, s := range []string{want.BrowserVersion, want.OSVersion} {
			if len(s) > maxVersion || strings.Trim(s, "0123456789.") != "" || strings.HasPrefix(s, ".") || strings.HasSuffix(s, ".") {
				if s != "XP" && s != "Vista" {
					t.Fatalf("the version %q", s)
				}
			}
		}
		switch {
		case want.Class > OtherDevice, want.Empty != (userAgent == ""), want.Empty && want.Unparseable:
			t.Fatalf("%+v", want)
		case want.BrowserMajor != major(want.BrowserVersion), want.Browser == "" && want.BrowserMajor != 0:
			t.Fatalf("%+v", want)
		case want.Unparseable && (want.OS != "" || want.Browser != ""):
			t.Fatalf("%+v", want)
		}
	})
}
