package signals

import "strings"

// hints are the low-entropy user-agent client hints (WICG User-Agent Client
// Hints, section 3): what Chromium sends with every request over TLS.
type hints struct {
	sent      bool   // a brand list
	brand     string // the browser, one of the names in brandNames; empty where unknown
	version   string // of brand
	chromium  string // version of the engine
	platform  string // the system, by our name
	mobile    bool   // meaningful where mobileSet
	mobileSet bool
}

// maxBrands is far more than the three that browsers send.
const maxBrands = 16

// brandNames are the brands of Sec-CH-UA that name a browser, and our names.
var brandNames = map[string]string{
	"Google Chrome":           browserChrome,
	"Microsoft Edge":          browserEdge,
	"Microsoft Edge WebView2": browserEdge,
	"Opera":                   browserOpera,
	"Opera GX":                browserOpera,
	"OperaMobile":             browserOpera,
	"Brave":                   "Brave",
	"Vivaldi":                 "Vivaldi",
	"YaBrowser":               browserYandex,
	"Samsung Internet":        browserSamsung,
	"DuckDuckGo":              "DuckDuckGo",
	"Whale":                   "Whale",
	"HuaweiBrowser":           browserHuawei,
	"Miui Browser":            browserMiui,
	"HeadlessChrome":          browserHeadless,
	"Android WebView":         browserWebView,
}

// platformNames are the values of Sec-CH-UA-Platform, and our names.
var platformNames = map[string]string{
	"Windows":     osWindows,
	"macOS":       osMacOS,
	"Linux":       osLinux,
	"Android":     osAndroid,
	"Chrome OS":   osChromeOS,
	"Chromium OS": osChromeOS,
	"iOS":         osIOS,
	"Fuchsia":     "Fuchsia",
}

// describeHints completes and corrects what the user agent says by the client
// hints. HintsMismatch is set where they contradict it, or are malformed: no
// browser sends such.
func describeHints(a *Agent, k *agentHeaders) {
	h, ok := parseHints(k)
	if !ok {
		a.HintsMismatch = true
		return
	}
	named := k.userAgent != ""
	if h.sent && named {
		a.HintsMismatch = h.contradictEngine(k.userAgent)
	}
	if h.mobileSet && named && h.mobile != strings.Contains(k.userAgent, "Mobile") {
		a.HintsMismatch = true // Chromium decides both by one switch
	}
	h.correctBrowser(a)
	h.correctOS(a, named)
	if a.Class == 0 && h.mobileSet && h.mobile {
		a.Class = Mobile
	}
	if a.OS != "" || a.Browser != "" {
		a.Unparseable = false
	}
}

// contradictEngine reports whether a user agent cannot be of the browser that
// sends these brands: only Chromium sends them, and its reduced user agent still
// has the engine's true major version.
func (h *hints) contradictEngine(userAgent string) bool {
	_, version, ok := strings.Cut(userAgent, "Chrome/")
	if !ok {
		return !strings.Contains(userAgent, "Chromium/")
	}
	engine := major(versionAt(version))
	return h.chromium != "" && engine != 0 && engine != major(h.chromium)
}

// correctBrowser takes the brand where the user agent names none or poses as
// Chrome, as Brave and Vivaldi do. Where it names another browser that has a
// brand of its own, one of the two is false.
func (h *hints) correctBrowser(a *Agent) {
	switch {
	case h.brand == "":
	case a.Browser == h.brand:
		v := major(h.version)
		if v != 0 && a.BrowserMajor != 0 && v != a.BrowserMajor {
			a.HintsMismatch = true
		}
	case a.Browser == "" || a.Browser == browserChrome:
		a.Browser, a.BrowserVersion, a.BrowserMajor = h.brand, h.version, major(h.version)
	case h.brand != browserWebView && hasBrand(a.Browser): // apps show pages in a WebView
		a.HintsMismatch = true
	}
	if h.brand == browserHeadless {
		a.Class = Bot
	}
}

func hasBrand(browser string) bool {
	for _, name := range brandNames {
		if name == browser {
			return true
		}
	}
	return false
}

// correctOS takes the platform where the user agent names no system, and checks
// it against the one it names.
func (h *hints) correctOS(a *Agent, named bool) {
	switch {
	case h.platform == "" || h.platform == a.OS:
	case a.OS == "":
		a.OS = h.platform
		if a.Class == 0 && named {
			a.Class = classOfOS(h.platform)
		}
	case a.OS == osLinux && h.platform == osAndroid && h.mobileSet && !h.mobile:
		// "Desktop site" on Android: Chrome poses as Linux, tablets by default.
		a.OS, a.OSVersion, a.OSMajor, a.Class = osAndroid, "", 0, Tablet
	case derived(a.OS, h.platform):
	default:
		a.HintsMismatch = true
	}
}

// derived reports whether a system is built on one that the hints may name
// instead.
func derived(system, platform string) bool {
	switch system {
	case osHarmony:
		return platform == osAndroid || platform == osLinux
	case osTizen, osWebOS, osVIDAA, osKaiOS, osFuchsia:
		return platform == osLinux
	}
	return false
}

// parseHints reports whether those of the hints that were sent are well-formed.
func parseHints(k *agentHeaders) (h hints, ok bool) {
	if k.brands != "" && !h.parseBrands(k.brands) {
		return hints{}, false
	}
	if k.platform != "" {
		value, rest, ok := cutString(strings.Trim(k.platform, " "))
		if !ok || rest != "" {
			return hints{}, false
		}
		h.platform = platformNames[value]
	}
	switch strings.Trim(k.mobile, " ") {
	case "":
	case "?0":
		h.mobileSet = true
	case "?1":
		h.mobile, h.mobileSet = true, true
	default:
		return hints{}, false
	}
	return h, true
}

// parseBrands reads Sec-CH-UA: a list of strings with the parameter v (RFC 8941,
// section 3.1), of which other forms and other parameters' other types are
// refused.
func (h *hints) parseBrands(s string) bool {
	s = strings.Trim(s, " ")
	for range maxBrands {
		brand, rest, ok := cutString(s)
		if !ok {
			return false
		}
		version, rest, ok := cutVersion(rest)
		if !ok {
			return false
		}
		h.sent = true
		h.take(brand, version)
		rest = strings.TrimLeft(rest, " \t")
		if rest == "" {
			return true
		}
		if rest[0] != ',' {
			return false
		}
		s = strings.TrimLeft(rest[1:], " \t")
	}
	return false
}

func (h *hints) take(brand, version string) {
	if brand == "Chromium" {
		h.chromium = version
		return
	}
	if name, ok := brandNames[brand]; ok && h.brand == "" {
		h.brand, h.version = name, version
	}
}

// cutVersion reads the parameters that follow a brand, and returns v.
func cutVersion(s string) (version, rest string, ok bool) {
	for strings.HasPrefix(s, ";") {
		s = strings.TrimLeft(s[1:], " ")
		name, after, found := strings.Cut(s, "=")
		if !found || name == "" || !all(name, isLower) {
			return "", "", false
		}
		value, after, found := cutString(after)
		if !found {
			return "", "", false
		}
		if name == "v" {
			version = versionAt(value)
		}
		s = after
	}
	return version, s, true
}

// cutString reads a string at the start of s (RFC 8941, section 3.3.3): printable
// ASCII between quotes, where a backslash escapes a quote or a backslash. The
// escapes stay in the value: no name we know has one.
func cutString(s string) (value, rest string, ok bool) {
	if s == "" || s[0] != '"' {
		return "", "", false
	}
	for i := 1; i < len(s); i++ {
		switch c := s[i]; {
		case c == '"':
			return s[1:i], s[i+1:], true
		case c == '\\':
			i++
			if i == len(s) || s[i] != '"' && s[i] != '\\' {
				return "", "", false
			}
		case c < ' ' || c > '~':
			return "", "", false
		}
	}
	return "", "", false
}

func isLower(c byte) bool { return 'a' <= c && c <= 'z' }
