package signals

import (
	"regexp"
	"strings"
	"testing"
)

func brands(name, version string) string {
	return `"Chromium";v="124", "` + name + `";v="` + version + `", "Not-A.Brand";v="99"`
}

func TestHints(t *testing.T) {
	edge := chromeWindows + " Edg/124.0.2478.51"
	webView := strings.Replace(chromePhone, "10; K", "14; Pixel 8 Build/UQ1A.240205.004; wv", 1)
	webView = strings.Replace(webView, "Chrome/", "Version/4.0 Chrome/", 1)
	linux := strings.Replace(chromeWindows, "Windows NT 10.0; Win64; x64", "X11; Linux x86_64", 1)
	safari := "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.4.1 Safari/605.1.15"
	firefox := "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:125.0) Gecko/20100101 Firefox/125.0"
	for _, c := range []struct {
		name                                 string
		userAgent, brands, platform, mobile  string
		browser, version, system, mismatches string
		class                                DeviceClass
	}{
		{"agree", chromeWindows, brandsChrome, `"Windows"`, "?0", "Chrome", "124.0.0.0", "Windows", "", Desktop},
		{"no hints", chromeWindows, "", "", "", "Chrome", "124.0.0.0", "Windows", "", Desktop},
		{"greased with escapes", chromeWindows, `"\\Not\"A;Brand";v="99", "Chromium";v="124"`, `"Windows"`, "?0", "Chrome", "124.0.0.0", "Windows", "", Desktop},
		{"Brave poses as Chrome", chromeWindows, brands("Brave", "124"), `"Windows"`, "?0", "Brave", "124", "Windows", "", Desktop},
		{"Vivaldi poses as Chrome", chromeWindows, brands("Vivaldi", "6.7"), `"Windows"`, "?0", "Vivaldi", "6.7", "Windows", "", Desktop},
		{"Edge", edge, brands("Microsoft Edge", "124"), `"Windows"`, "?0", "Edge", "124.0.2478.51", "Windows", "", Desktop},
		{"WebView", webView, brands("Android WebView", "124"), `"Android"`, "?1", "Chrome WebView", "124.0.0.0", "Android", "", Mobile},
		{"an application in a WebView", webView + " Instagram 330.0.0.40.92 Android", brands("Android WebView", "124"), `"Android"`, "?1",
			"Instagram App", "330.0.0.40.92", "Android", "", Mobile},
		{"an unknown brand", chromeWindows, brands("Some Browser", "3"), `"Windows"`, "?0", "Chrome", "124.0.0.0", "Windows", "", Desktop},
		{"an unknown platform", chromeWindows, brandsChrome, `"Unknown"`, "?0", "Chrome", "124.0.0.0", "Windows", "", Desktop},
		{"desktop site on a tablet", linux, brandsChrome, `"Android"`, "?0", "Chrome", "124.0.0.0", "Android", "", Tablet},
		{"the system by its platform", "Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko) Chrome/124.0.0.0 Safari/537.36", brandsChrome, `"macOS"`, "?0",
			"Chrome", "124.0.0.0", "macOS", "", Desktop},
		{"headless by its brand", chromeWindows, brands("HeadlessChrome", "124"), `"Windows"`, "?0", "Headless Chrome", "124", "Windows", "", Bot},

		{"another platform", chromeWindows, brandsChrome, `"Linux"`, "?0", "Chrome", "124.0.0.0", "Windows", "yes", Desktop},
		{"another engine's version", chromeWindows, strings.ReplaceAll(brandsChrome, "124", "118"), `"Windows"`, "?0", "Chrome", "124.0.0.0", "Windows", "yes", Desktop},
		{"mobile on a desktop", chromeWindows, brandsChrome, `"Windows"`, "?1", "Chrome", "124.0.0.0", "Windows", "yes", Desktop},
		{"not mobile on a phone", chromePhone, brandsChrome, `"Android"`, "?0", "Chrome", "124.0.0.0", "Android", "yes", Mobile},
		{"Safari sends no brands", safari, brandsChrome, `"macOS"`, "?0", "Safari", "17.4.1", "macOS", "yes", Desktop},
		{"Firefox sends no brands", firefox, brandsChrome, "", "", "Firefox", "125.0", "Windows", "yes", Desktop},
		{"Edge that says Chrome", edge, brandsChrome, `"Windows"`, "?0", "Edge", "124.0.2478.51", "Windows", "yes", Desktop},
		{"Edge of two versions", edge, brands("Microsoft Edge", "118"), `"Windows"`, "?0", "Edge", "124.0.2478.51", "Windows", "yes", Desktop},
		{"Windows phone mode with desktop platform", linux, brandsChrome, `"Android"`, "?1", "Chrome", "124.0.0.0", "Linux", "yes", Desktop},
		{"malformed brands", chromeWindows, `Chromium;v=124`, `"Windows"`, "?0", "Chrome", "124.0.0.0", "Windows", "yes", Desktop},
		{"malformed platform", chromeWindows, brandsChrome, `Windows`, "?0", "Chrome", "124.0.0.0", "Windows", "yes", Desktop},
		{"malformed mobile", chromeWindows, brandsChrome, `"Windows"`, "0", "Chrome", "124.0.0.0", "Windows", "yes", Desktop},
	} {
		a := describe(Headers{UserAgent: c.userAgent, SecCHUA: c.brands, SecCHUAPlatform: c.platform, SecCHUAMobile: c.mobile})
		if a.HintsMismatch != (c.mismatches != "") || a.Browser != c.browser || a.BrowserVersion != c.version || a.OS != c.system || a.Class != c.class {
			t.Errorf("%s: got %+v", c.name, a)
		}
	}
}

// FuzzBrands compares what is taken with the grammar, written as an expression
// (RFC 8941, sections 3.1, 3.1.2 and 3.3.3, of which strings alone are taken).
func FuzzBrands(f *testing.F) {
	text := `"(?:[ !#-\[\]-~]|\\["\\])*"`
	item := text + `(?:; *[a-z]+=` + text + `)*`
	list := regexp.MustCompile(`^ *` + item + `(?:[ \t]*,[ \t]*` + item + `){0,15}[ \t]*$`)
	for _, s := range []string{brandsChrome, `"\\Not\"A;Brand";v="99"`, `"a" , "b";v="1"; w="2"`, `"a",`, `"a";v=1`, `"a`, "", `"a";="b"`,
		strings.Repeat(`"a",`, 15) + `"a"`, strings.Repeat(`"a",`, 16) + `"a"`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		var h hints
		if got, want := h.parseBrands(s), list.MatchString(s); got != want {
			t.Fatalf("%q: taken %v, want %v", s, got, want)
		}
	})
}
