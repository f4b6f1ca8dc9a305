package signals

import (
	"strings"

	"github.com/mileusna/useragent"
)

// maxParsed is how much of a user agent is read, in bytes: it bounds the time
// that one made to be slow can take.
const maxParsed = 1024

// describeUserAgent fills a from a user agent: what the library makes of it,
// corrected where it was measured to be weak (docs/user-agents.md).
func describeUserAgent(a *Agent, s string) {
	switch {
	case s == "":
		a.Empty = true
		return
	case len(s) > MaxUserAgent:
		a.Unparseable = true
		return
	}
	s = s[:min(len(s), maxParsed)]
	library := useragent.Parse(s)
	a.OS, a.OSVersion = findOS(s, &library)
	a.Browser, a.BrowserVersion = findBrowser(s, a.OS, &library)
	a.Class = findClass(s, a.OS, &library)
	a.BrowserMajor = major(a.BrowserVersion)
	thaw(a, s)
	a.OSMajor = major(a.OSVersion)
	a.Unparseable = a.OS == "" && a.Browser == "" && a.Class == 0
}

// thaw replaces the system's version where browsers send a fixed one whatever
// runs: it would not change with an update, and would go back when a browser
// begins to send it.
func thaw(a *Agent, s string) {
	switch {
	case a.OS == osWindows: // 10.0 is Windows 10 and 11
		if name, ok := windowsVersions[a.OSVersion]; ok {
			a.OSVersion = name
		}
	case a.OS == osAndroid && strings.Contains(s, "Android 10; K)"):
		a.OSVersion = ""
	case a.OS == osMacOS && (a.OSVersion == "10.15" || a.OSVersion == "10.15.7"):
		a.OSVersion = ""
	case a.OS == osIOS && a.Browser == browserSafari && a.BrowserMajor >= 26:
		a.OSVersion = a.BrowserVersion // one number for both since then
	}
}

func findOS(s string, library *useragent.UserAgent) (name, version string) {
	if m, after, ok := firstMark(s, osMarks[:]); ok {
		return m.name, systemVersionAt(after)
	}
	if library.OS != "" {
		if library.OS == osLinux { // what follows is the processor
			return osLinux, ""
		}
		return library.OS, systemVersionAt(library.OSVersion)
	}
	if strings.Contains(s, "Darwin/") { // the system's own network library
		if strings.Contains(s, "x86_64") || strings.Contains(s, "i386") || strings.Contains(s, "Mac") {
			return osMacOS, ""
		}
		return osIOS, ""
	}
	if m, after, ok := firstMark(s, restMarks[:]); ok {
		return m.name, systemVersionAt(after)
	}
	return "", ""
}

func findBrowser(s, system string, library *useragent.UserAgent) (name, version string) {
	if m, after, ok := firstMark(s, browserMarks[:]); ok {
		return m.name, versionAt(after)
	}
	if version, ok := explorer(s); ok {
		return browserExplorer, version
	}
	apple, android := system == osIOS || system == osMacOS, system == osAndroid
	if v, own := versionOf(s, "Version/"); own && !strings.Contains(s, "Chrome/") {
		switch {
		case strings.HasPrefix(s, "Opera/"):
			return browserOpera, v
		case android:
			return browserAndroid, v
		case apple || strings.Contains(s, "Safari/"):
			return browserSafari, v
		}
	}
	if v, ok := versionOf(s, "Chrome/"); ok {
		if android && inWebView(s) {
			return browserWebView, v
		}
		return browserChrome, v
	}
	if v, ok := versionOf(s, "Opera/"); ok {
		return browserOpera, v
	}
	if !library.Bot && apple && strings.Contains(s, "AppleWebKit/") {
		return browserSafari, "" // a page in an application
	}
	if v := versionAt(library.Version); plausible(library.Name) && (v != "" || library.Bot) {
		return library.Name, v
	}
	return "", ""
}

// inWebView reports whether Chromium on Android draws pages for an application:
// "; wv)" since Android 5, "Version/4.0 Chrome/" before.
func inWebView(s string) bool {
	if strings.Contains(s, "; wv)") {
		return true
	}
	_, after, ok := strings.Cut(s, "Version/")
	return ok && strings.HasPrefix(after[len(versionAt(after)):], " Chrome/")
}

// explorer finds Internet Explorer. Trident tells its true version, which
// compatibility view hides.
func explorer(s string) (version string, ok bool) {
	if v, ok := versionOf(s, "Trident/"); ok && strings.Contains(s, "Windows NT") {
		if name, ok := tridentVersions[v]; ok {
			return name, true
		}
	}
	if v, ok := versionOf(s, "IEMobile/"); ok {
		return v, true
	}
	return versionOf(s, "MSIE ")
}

func versionOf(s, product string) (version string, ok bool) {
	after, ok := afterMark(s, product)
	return versionAt(after), ok
}

// plausible reports whether a name that no table knows can be a program's: short,
// of letters, digits and a few signs, and no part of a browser's engine.
func plausible(name string) bool {
	if len(name) < 2 || len(name) > 48 || !isLetter(name[0]) {
		return false
	}
	for _, c := range []byte(name) {
		if !isAlphanumeric(c) && !strings.ContainsRune(" ._-+%", rune(c)) {
			return false
		}
	}
	for _, part := range [...]string{"Build", "KHTML", "WebKit", "Gecko", "Model", "Linux", "Darwin", "CFNetwork", "Mozilla"} {
		if strings.Contains(name, part) {
			return false
		}
	}
	return true
}

func findClass(s, system string, library *useragent.UserAgent) DeviceClass {
	lower := strings.ToLower(s)
	if library.Bot || isBot(lower) {
		return Bot
	}
	for _, mark := range otherMarks {
		if _, ok := afterMark(lower, mark); ok {
			return OtherDevice
		}
	}
	if strings.HasSuffix(lower, " tv") {
		return OtherDevice
	}
	switch system {
	case osIOS:
		if strings.Contains(lower, "ipad") {
			return Tablet
		}
		return Mobile
	case osAndroid, osHarmony:
		// Browsers say Mobile on phones only; other programs do not say.
		engine := strings.Contains(s, "AppleWebKit") || strings.Contains(s, "Gecko/")
		if strings.Contains(lower, "tablet") || engine && !strings.Contains(s, "Mobile") {
			return Tablet
		}
		return Mobile
	case "":
		if library.Mobile || strings.Contains(s, "MIDP") || strings.Contains(s, "UP.Browser") {
			return Mobile
		}
		return 0
	}
	return classOfOS(system)
}

// classOfOS is the class of what runs a system, where nothing else tells.
func classOfOS(system string) DeviceClass {
	switch system {
	case osWindows, osMacOS, osLinux, osChromeOS, osFreeBSD:
		return Desktop
	case osAndroid, osIOS, osHarmony, osWindowsPhone, osKaiOS, osBlackBerry, osSymbian:
		return Mobile
	case osTizen, osWebOS, osVIDAA, osWatchOS, osFuchsia, osTiVo:
		return OtherDevice
	}
	return 0
}

// isBot reports whether a lower-case user agent is of a program: a crawler, a
// monitor, a script's HTTP library, a browser under remote control.
func isBot(lower string) bool {
	if strings.Contains(lower, "crawl") || strings.Contains(lower, "spider") {
		return true
	}
	for _, mark := range botMarks {
		if _, ok := afterMark(lower, mark); ok {
			return true
		}
	}
	for rest := lower; ; {
		i := strings.Index(rest, "bot")
		if i < 0 {
			return false
		}
		end := i + len("bot")
		word := end == len(rest) || !isLetter(rest[end])
		if word && !strings.HasSuffix(rest[:i], "cu") { // Cubot makes phones
			return true
		}
		rest = rest[end:]
	}
}

// mark is a text in a user agent that gives something away.
type mark struct{ text, name string }

// firstMark finds the first of marks that stands in s, in the order of the table,
// and what follows it.
func firstMark(s string, marks []mark) (m mark, after string, ok bool) {
	for _, m := range marks {
		if after, ok := afterMark(s, m.text); ok {
			return m, after, true
		}
	}
	return mark{}, "", false
}

// afterMark returns what follows text in s, where no letter or digit precedes it.
func afterMark(s, text string) (after string, ok bool) {
	for from := 0; ; {
		i := strings.Index(s[from:], text)
		if i < 0 {
			return "", false
		}
		i += from
		if i == 0 || !isAlphanumeric(s[i-1]) {
			return s[i+len(text):], true
		}
		from = i + len(text)
	}
}
