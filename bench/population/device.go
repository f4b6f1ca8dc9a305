package population

import (
	"fmt"
	"strings"

	"github.com/waryauth/wary/signals"
)

// device is one browser on one machine. What it is stays; the versions of its
// browser and system move on.
type device struct {
	id     string
	model  *model
	screen [3]float64 // width, height, pixel ratio
	gpu    string
	cores  float64
	memory float64
	fonts  float64
	print  string // fingerprint
	keyed  bool   // holds a key bound to the account
	lag    int    // days after a release until it is installed
	born   int    // day of its id
	speaks string // languages of a device that is somebody else's
}

// model is a kind of browser on a kind of machine. Agent has a verb for the
// browser's major version, and for Apple's devices two for the system's.
type model struct {
	class    signals.DeviceClass
	engine   engine
	share    float64
	agent    string
	brand    string // of the client hints; empty where the browser sends none
	platform string
	screens  [][3]float64
	gpus     []string
	tls      string
}

// engine decides which version number a browser shows.
type engine uint8

const (
	chromium engine = iota
	firefox
	safariPhone
	safariDesktop
	fixed // a program: its version does not move
)

var (
	phoneScreens   = [][3]float64{{393, 852, 3}, {390, 844, 3}, {430, 932, 3}, {375, 812, 3}, {414, 896, 2}}
	androidScreens = [][3]float64{{412, 915, 2.625}, {360, 800, 3}, {384, 832, 2.8125}, {393, 873, 2.75}, {360, 780, 3}, {412, 892, 2.625}}
	desktopScreens = [][3]float64{{1920, 1080, 1}, {1536, 864, 1.25}, {2560, 1440, 1}, {1366, 768, 1}, {1440, 900, 2}, {3840, 2160, 1.5}}
	macScreens     = [][3]float64{{1512, 982, 2}, {1440, 900, 2}, {1728, 1117, 2}, {2560, 1440, 2}}
	tabletScreens  = [][3]float64{{820, 1180, 2}, {810, 1080, 2}, {1024, 1366, 2}, {800, 1280, 1.5}}

	appleGPU   = []string{"Apple GPU"}
	androidGPU = []string{"Adreno (TM) 740", "Adreno (TM) 619", "Mali-G78", "Mali-G57", "Adreno (TM) 650", "Mali-G715"}
	windowsGPU = []string{
		"ANGLE (Intel, Intel(R) UHD Graphics 620 Direct3D11)", "ANGLE (NVIDIA, NVIDIA GeForce RTX 3060 Direct3D11)",
		"ANGLE (Intel, Intel(R) Iris(R) Xe Graphics Direct3D11)", "ANGLE (AMD, AMD Radeon(TM) Graphics Direct3D11)",
	}
	linuxGPU = []string{"ANGLE (Intel, Mesa Intel(R) UHD Graphics 620)", "ANGLE (AMD, Radeon RX 6600)"}
)

const (
	webkit = "AppleWebKit/537.36 (KHTML, like Gecko) "
	safari = "AppleWebKit/605.1.15 (KHTML, like Gecko) Version/%[2]d.%[3]d"
)

// models are what people log in with: 67 % phones, 28 % desktops, 5 % tablets.
var models = [...]model{
	{signals.Mobile, safariPhone, 27, "Mozilla/5.0 (iPhone; CPU iPhone OS %[2]d_%[3]d like Mac OS X) " + safari + " Mobile/15E148 Safari/604.1", "", "", phoneScreens, appleGPU, "t13d2014h2_a09f3c656075_14788d8d241b"},
	{signals.Mobile, chromium, 31, "Mozilla/5.0 (Linux; Android 10; K) " + webkit + "Chrome/%[1]d.0.0.0 Mobile Safari/537.36", "Google Chrome", "Android", androidScreens, androidGPU, "t13d1516h2_8daaf6152771_d8a2da3f94cd"},
	{signals.Mobile, chromium, 7, "Mozilla/5.0 (Linux; Android 10; K) " + webkit + "SamsungBrowser/28.0 Chrome/%[1]d.0.0.0 Mobile Safari/537.36", "Samsung Internet", "Android", androidScreens, androidGPU, "t13d1516h2_8daaf6152771_02713d6af862"},
	{signals.Mobile, firefox, 2, "Mozilla/5.0 (Android 14; Mobile; rv:%[1]d.0) Gecko/%[1]d.0 Firefox/%[1]d.0", "", "", androidScreens, androidGPU, "t13d1715h2_5b57614c22b0_3d5424432f57"},
	{signals.Desktop, chromium, 12, "Mozilla/5.0 (Windows NT 10.0; Win64; x64) " + webkit + "Chrome/%[1]d.0.0.0 Safari/537.36", "Google Chrome", "Windows", desktopScreens, windowsGPU, "t13d1516h2_8daaf6152771_d8a2da3f94cd"},
	{signals.Desktop, chromium, 5, "Mozilla/5.0 (Windows NT 10.0; Win64; x64) " + webkit + "Chrome/%[1]d.0.0.0 Safari/537.36 Edg/%[1]d.0.0.0", "Microsoft Edge", "Windows", desktopScreens, windowsGPU, "t13d1516h2_8daaf6152771_d8a2da3f94cd"},
	{signals.Desktop, firefox, 2, "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:%[1]d.0) Gecko/20100101 Firefox/%[1]d.0", "", "", desktopScreens, windowsGPU, "t13d1715h2_5b57614c22b0_5c2c66f702b0"},
	{signals.Desktop, safariDesktop, 4, "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) " + safari + " Safari/605.1.15", "", "", macScreens, appleGPU, "t13d2014h2_a09f3c656075_14788d8d241b"},
	{signals.Desktop, chromium, 3, "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) " + webkit + "Chrome/%[1]d.0.0.0 Safari/537.36", "Google Chrome", "macOS", macScreens, appleGPU, "t13d1516h2_8daaf6152771_d8a2da3f94cd"},
	{signals.Desktop, firefox, 1, "Mozilla/5.0 (X11; Linux x86_64; rv:%[1]d.0) Gecko/20100101 Firefox/%[1]d.0", "", "", desktopScreens, linuxGPU, "t13d1715h2_5b57614c22b0_5c2c66f702b0"},
	{signals.Desktop, chromium, 0.7, "Mozilla/5.0 (X11; Linux x86_64) " + webkit + "Chrome/%[1]d.0.0.0 Safari/537.36", "Google Chrome", "Linux", desktopScreens, linuxGPU, "t13d1516h2_8daaf6152771_d8a2da3f94cd"},
	{signals.Tablet, safariPhone, 3.4, "Mozilla/5.0 (iPad; CPU OS %[2]d_%[3]d like Mac OS X) " + safari + " Mobile/15E148 Safari/604.1", "", "", tabletScreens, appleGPU, "t13d2014h2_a09f3c656075_14788d8d241b"},
	{signals.Tablet, chromium, 1.6, "Mozilla/5.0 (Linux; Android 13; SM-X200) " + webkit + "Chrome/%[1]d.0.0.0 Safari/537.36", "Google Chrome", "Android", tabletScreens, androidGPU, "t13d1516h2_8daaf6152771_d8a2da3f94cd"},
}

// programs are what scripts and clients' servers call themselves.
var programs = [...]model{
	{class: signals.Bot, engine: fixed, share: 3, agent: "python-requests/2.32.3", tls: "t13d1812h1_85036bcba153_d41ae481755e"},
	{class: signals.Bot, engine: fixed, share: 1, agent: "Go-http-client/2.0", tls: "t13d1312h2_f57a46bbacb6_e7c285222651"},
	{class: signals.Bot, engine: fixed, share: 1, agent: "okhttp/4.12.0", tls: "t13d1613h2_46e7e9700bed_45f260be83e2"},
	{class: signals.Bot, engine: fixed, share: 1, agent: "Apache-HttpClient/5.3.1 (Java/17.0.9)", tls: "t13d2613h1_2802a3db6c62_845d286b0d67"},
	{class: signals.Bot, engine: fixed, share: 1, agent: "axios/1.7.7", tls: "t13d1411h1_1711a4c0508c_d51a5b2eb9a1"},
	{class: signals.Bot, engine: fixed, share: 1, agent: "curl/8.5.0", tls: "t13d3112h2_e8f1e7e78f70_b26ce05bbdd6"},
	{class: signals.Desktop, engine: fixed, share: 2, agent: "Mozilla/5.0 (X11; Linux x86_64) " + webkit + "HeadlessChrome/138.0.0.0 Safari/537.36", tls: "t13d1516h2_8daaf6152771_d8a2da3f94cd"},
}

type agentKey struct {
	model   *model
	version int
}

// version returns the release of a browser that a device shows on a day, as a
// count of releases. A new one comes every 28 days.
func (r *run) version(d *device, day int) int {
	days := int(r.Start.Unix()/86_400) + day - d.lag
	return days / 28
}

// agent returns the user agent of a device on a day.
func (r *run) agent(d *device, day int) string {
	if d.model.engine == fixed {
		return d.model.agent
	}
	key := agentKey{d.model, r.version(d, day)}
	if s, ok := r.agents[key]; ok {
		return s
	}
	s := key.text()
	r.agents[key] = s
	return s
}

// Chrome 142 came out 727 times 28 days after 1970, in October 2025, and one
// major version every 28 days since; Firefox 144 and Safari 26.0 at that time.
const (
	chromeZero  = 142 - 727
	firefoxZero = 144 - 727
)

func (k agentKey) text() string {
	major := chromeZero + k.version
	if k.model.engine == firefox {
		major = firefoxZero + k.version
	}
	minor := max(k.version-727, 0)
	s := fmt.Sprintf(k.model.agent, major, 26+minor/13, minor%13)
	s, _, _ = strings.Cut(s, "%!(EXTRA") // verbs that the model does not use
	return s
}

// hints returns the client hints of a browser that sends them.
func (r *run) hints(h *signals.Headers, d *device, day int) {
	m := d.model
	if m.brand == "" {
		return
	}
	h.SecCHUA = fmt.Sprintf("\"Chromium\";v=\"%d\", \"%s\";v=\"%d\", \"Not_A Brand\";v=\"99\"", chromeZero+r.version(d, day), m.brand, chromeZero+r.version(d, day))
	h.SecCHUAPlatform = "\"" + m.platform + "\""
	h.SecCHUAMobile = "?0"
	if m.class == signals.Mobile {
		h.SecCHUAMobile = "?1"
	}
}

// newDevice makes a device of a model as it leaves the shop.
func (r *run) newDevice(m *model, day int) *device {
	d := &device{model: m, born: day, lag: r.IntN(10), cores: float64(int(4) << r.IntN(3)), memory: float64(int(4) << r.IntN(2)), fonts: float64(30 + r.IntN(200))}
	if r.chance(0.08) {
		d.lag += r.IntN(120) // rarely updated
	}
	if len(m.screens) > 0 {
		d.screen, d.gpu = choose(r, m.screens), choose(r, m.gpus)
	}
	r.identify(d, day)
	d.print = r.token()
	return d
}

// identify gives a device an id of its own, as when its cookies are cleared.
func (r *run) identify(d *device, day int) { d.id, d.born = r.token(), day }

// token returns 16 hexadecimal digits.
func (r *run) token() string {
	const digits = "0123456789abcdef"
	var b [16]byte
	for i, n := 0, r.Uint64(); i < len(b); i, n = i+1, n>>4 {
		b[i] = digits[n&15]
	}
	return string(b[:])
}

// modelOf draws a browser that people use; of a class where it is not 0.
func (r *run) modelOf(class signals.DeviceClass) *model {
	for {
		m := &models[r.pick(r.crowd.models)]
		if class == 0 || m.class == class {
			return m
		}
	}
}

func (r *run) program() *model { return &programs[r.pick(r.crowd.programs)] }

func (d *device) handheld() bool {
	return d.model.class != signals.Desktop && d.model.class != signals.Bot
}
