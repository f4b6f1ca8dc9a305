package signals

import (
	"bufio"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"testing"
)

// labelled is a user agent and what device-detector says of it.
type labelled struct {
	userAgent, os, osVersion, clientType, client, clientVersion, deviceType string
}

// Where device-detector's names are not ours. Of its systems, those that are
// built on another count as that one; of its browsers, those of one maker on
// different devices count as one.
var (
	labelledClasses = map[string]DeviceClass{
		"desktop": Desktop, "smartphone": Mobile, "phablet": Mobile, "feature phone": Mobile, "tablet": Tablet, "bot": Bot,
		"tv": OtherDevice, "console": OtherDevice, "wearable": OtherDevice, "car browser": OtherDevice, "camera": OtherDevice,
		"peripheral": OtherDevice, "smart speaker": OtherDevice, "smart display": OtherDevice, "portable media player": OtherDevice,
	}
	labelledSystems = map[string]string{
		"Mac": osMacOS, "GNU/Linux": osLinux, "Ubuntu": osLinux, "Kubuntu": osLinux, "Chrome OS": osChromeOS, "iPadOS": osIOS,
		"HarmonyOS": osHarmony, "BlackBerry OS": osBlackBerry, "Android TV": osAndroid, "Fire OS": osAndroid, "Wear OS": osAndroid,
		"MocorDroid": osAndroid, "Smartisan OS": osAndroid, "CyanogenMod": osAndroid, "Whale OS": osLinux, "Opera TV": osLinux,
		"Orsay": osLinux, "Maemo": osLinux, "Windows CE": osWindows,
	}
	labelledBrowsers = map[string]string{
		"Chrome Mobile": browserChrome, "Chromium": browserChrome, "Chrome Mobile iOS": browserChrome, "Chrome Webview": browserWebView,
		"Microsoft Edge": browserEdge, "Firefox Mobile": browserFirefox, "Firefox Mobile iOS": browserFirefox, "Mobile Safari": browserSafari,
		"IE Mobile": browserExplorer, "Opera Mobile": browserOpera, "Opera Mini iOS": "Opera Mini", "Opera Devices": "Opera TV",
		"Yandex Browser Lite": browserYandex, "UC Browser Turbo": browserUC, "UC Browser Mini": browserUC, "Mi Browser": browserMiui,
		"Huawei Browser Mobile": browserHuawei, "Mobile Silk": "Silk", "Openwave Mobile Browser": "Openwave", "vivo Browser": "Vivo Browser",
		"Facebook": appFacebook, "Facebook Lite": appFacebook, "Facebook Messenger": appFacebook, "Facebook Messenger Lite": appFacebook,
		"Instagram": "Instagram App", "TikTok": appTikTok, "Google Search App": "Google App", "Baidu Box App": "Baidu App",
		"Baidu Box App Lite": "Baidu App", "Puffin Web Browser": "Puffin",
	}
)

func ours(names map[string]string, label string) string {
	if name, ok := names[label]; ok {
		return name
	}
	return label
}

// tally counts, of the rows that have a label, those that agree.
type tally struct {
	agree, rows int
	missed      map[string]int
}

func (c *tally) add(agree bool, want, got any) {
	c.rows++
	if agree {
		c.agree++
		return
	}
	if c.missed == nil {
		c.missed = map[string]int{}
	}
	c.missed[fmt.Sprintf("%v as %v", want, got)]++
}

func (c *tally) share() float64 { return float64(c.agree) / float64(max(c.rows, 1)) }

func (c *tally) String() string {
	kinds := make([]string, 0, len(c.missed))
	for k := range c.missed {
		kinds = append(kinds, k)
	}
	sort.Slice(kinds, func(i, j int) bool {
		if a, b := c.missed[kinds[i]], c.missed[kinds[j]]; a != b {
			return a > b
		}
		return kinds[i] < kinds[j]
	})
	for i, k := range kinds {
		kinds[i] = fmt.Sprintf("%s (%d)", k, c.missed[k])
	}
	return fmt.Sprintf("%.2f %% of %d; missed most: %s", 100*c.share(), c.rows, strings.Join(kinds[:min(len(kinds), 8)], ", "))
}

// accuracy compares class, system, browser and the browser's major version with
// the labels, each where there is one.
func accuracy(rows []labelled) (class, system, browser, version tally) {
	agents := NewAgents(1)
	for i := range rows {
		r, a := &rows[i], Agent{}
		agents.Describe(&a, &Headers{UserAgent: r.userAgent})
		if want, ok := labelledClasses[r.deviceType]; ok {
			class.add(a.Class == want, r.deviceType, a.Class)
		}
		if want := ours(labelledSystems, r.os); want != "" {
			system.add(a.OS == want, want, a.OS)
		}
		want := ours(labelledBrowsers, r.client)
		if r.client == "" {
			continue
		}
		browser.add(a.Browser == want, want, a.Browser)
		if v := major(r.clientVersion); v != 0 {
			version.add(a.BrowserMajor == v, want+" "+r.clientVersion, a.Browser+" "+a.BrowserVersion)
		}
	}
	return class, system, browser, version
}

func readLabelled(r io.Reader) ([]labelled, error) {
	var rows []labelled
	lines := bufio.NewScanner(r)
	for n := 1; lines.Scan(); n++ {
		f := strings.Split(lines.Text(), "\t")
		if len(f) != 7 {
			return nil, fmt.Errorf("line %d has %d fields", n, len(f))
		}
		if n > 1 {
			rows = append(rows, labelled{f[0], f[1], f[2], f[3], f[4], f[5], f[6]})
		}
	}
	return rows, lines.Err()
}

// TestAgentFixture holds on every row of a fixture of our own: the forms that the
// vendors of the common browsers document.
func TestAgentFixture(t *testing.T) {
	f, err := os.Open(filepath.Join("testdata", "user-agents.tsv"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	rows, err := readLabelled(f)
	if err != nil {
		t.Fatal(err)
	}
	if len(rows) < 30 {
		t.Fatalf("the fixture has %d rows", len(rows))
	}
	agents := NewAgents(64)
	for _, r := range rows {
		var a Agent
		agents.Describe(&a, &Headers{UserAgent: r.userAgent})
		want := Agent{
			Class: labelledClasses[r.deviceType], OS: ours(labelledSystems, r.os), OSVersion: r.osVersion, OSMajor: major(r.osVersion),
			Browser: ours(labelledBrowsers, r.client), BrowserVersion: r.clientVersion, BrowserMajor: major(r.clientVersion),
		}
		if r.deviceType == "bot" && r.client == "" { // the labels do not name bots
			want.Browser, want.BrowserVersion, want.BrowserMajor = a.Browser, a.BrowserVersion, a.BrowserMajor
		}
		if a != want {
			t.Errorf("%s\n got %+v\nwant %+v", r.userAgent, a, want)
		}
	}
}

// TestAgentAccuracy measures against labels of matomo-org/device-detector. The
// floors are a little under what was measured; docs/user-agents.md has both.
func TestAgentAccuracy(t *testing.T) {
	f, err := os.Open(filepath.FromSlash("../../shared/data/user-agents/labelled.tsv.gz"))
	if errors.Is(err, fs.ErrNotExist) {
		t.Skip("the labelled user agents are absent: ../shared/data/user-agents/labelled.tsv.gz")
	}
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	rows, err := readLabelled(z)
	if err != nil {
		t.Fatal(err)
	}
	class, system, browser, version := accuracy(rows)
	for _, c := range []struct {
		name  string
		tally *tally
		floor float64
	}{
		{"device class", &class, 0.87},
		{"system", &system, 0.97},
		{"browser", &browser, 0.91},
		{"browser's major version", &version, 0.95},
	} {
		t.Logf("%s: %s", c.name, c.tally)
		if c.tally.share() < c.floor {
			t.Errorf("%s: %.4f is under %.2f", c.name, c.tally.share(), c.floor)
		}
	}
}
