package features

import (
	"math"

	"github.com/waryauth/wary/signals"
)

func extractDevice(v *Vector, x *input) {
	deviceHistory(v, x)
	deviceChange(v, x)
	deviceAgent(v, x)
	deviceUse(v, x)
	deviceClaims(v, x)
}

// deviceHistory compares the device with those on which the user has succeeded.
func deviceHistory(v *Vector, x *input) {
	if !x.history {
		return
	}
	u, t, n := &x.p.User, x.t, x.p.User.Successes
	v[DevIDNewForUser] = strange(u.of(ofDevice), short(t.Device))
	if s := seen(u.of(ofDevice), short(t.Device)); s != nil {
		v[DevDaysSinceSeen] = float32(max(int(x.now.day())-int(s.day), 0))
	}
	v[DevUAShareUser] = usual(u.of(ofAgent), short(t.Agent), n)
	v[DevBrowserShareUser] = usual(u.of(ofBrowser), short(t.Browser), n)
	v[DevOSShareUser] = usual(u.of(ofOS), short(t.OS), n)
	v[DevTypeShareUser] = usual(u.of(ofClass), short(t.Class), n)
	v[DevLanguageNewForUser] = strange(u.of(ofLanguage), short(t.Language))
	v[DevTimezoneOffsetNew] = strange(u.of(ofOffset), offsetKey(t.OffsetMin))
	v[DevScreenNew] = strange(u.of(ofScreen), short(t.Screen))
	v[DevHardwareNew] = strange(u.of(ofHardware), short(t.Hardware))
	v[DevIDOnceShareUser] = once(u.of(ofDevice), n)
	v[DevKeyLost] = u.keyed.lacking(t.Flags, KeyTold, Keyed)
	v[DevFingerprintNew] = strange(u.of(ofPrint), short(t.Fingerprint))

	judged, known := float32(0), float32(0)
	agent := strange(u.of(ofAgent), short(t.Agent))
	for _, f := range [...]float32{v[DevIDNewForUser], v[DevFingerprintNew], agent, v[DevLanguageNewForUser],
		v[DevTimezoneOffsetNew], v[DevScreenNew], v[DevHardwareNew], v[NetTLSJA4NewForUser]} {
		if !math.IsNaN(float64(f)) {
			judged++
			known += 1 - f
		}
	}
	v[DevMatchShare] = share(known, judged)
}

// deviceChange compares the device with that of the user's last success.
func deviceChange(v *Vector, x *input) {
	if !x.history {
		return
	}
	u, t := &x.p.User, x.t
	if u.browser != 0 && t.BrowserFamily != 0 {
		v[DevUAChangedFamily] = one(u.browser != t.BrowserFamily)
		if u.browser == t.BrowserFamily && u.browserMajor != 0 && t.BrowserMajor != 0 {
			v[DevUAVersionRegressed] = one(t.BrowserMajor < u.browserMajor)
		}
	}
	if u.system != 0 && t.OSFamily != 0 {
		v[DevOSChangedFamily] = one(u.system != t.OSFamily)
	}
}

// deviceAgent says what the user agent shows by itself.
func deviceAgent(v *Vector, x *input) {
	g := &x.o.Agent
	v[DevUAEmpty] = one(g.Empty)
	if !g.Empty {
		v[DevUABot] = one(g.Class == signals.Bot)
		v[DevUAUnparseable] = one(g.Unparseable)
		v[DevUAShareGlobal] = share(float32(x.p.Agent), float32(x.p.Totals.Successes))
	}
	if g.Class != 0 && g.OS != "" {
		v[DevIsLinuxDesktop] = one(g.Class == signals.Desktop && g.OS == "Linux")
	}
	if h := &x.a.Headers; h.SecCHUA != "" || h.SecCHUAPlatform != "" || h.SecCHUAMobile != "" {
		v[DevUACHVsUAMismatch] = one(g.HintsMismatch)
	}
	v[DevLanguageEmpty] = one(x.t.Language == 0)
	if all := x.p.Totals.Successes; all >= rareOf {
		if x.t.Browser != 0 {
			v[DevUARareBrowser] = one(uint64(x.p.Browser)*rareOf < all)
		}
		if x.t.OS != 0 {
			v[DevUARareOS] = one(uint64(x.p.OS)*rareOf < all)
		}
	}
}

// rareOf is of how many successes fewer than one makes a rare value.
const rareOf = 1000

// deviceUse says what others do on the device.
func deviceUse(v *Vector, x *input) {
	v[DevIDMissing] = one(x.t.Device == 0)
	if x.t.Device != 0 {
		v[DevAgeDays] = x.agedDays(x.p.Device.first)
		distinct(v, DevUsers1m, x.p.Device.lookAt(&x.now))
	}
	if x.t.Fingerprint != 0 {
		print := x.p.Print.lookAt(&x.now)
		v[DevFingerprintUsers30d] = print.users(Month)
		v[DevFingerprintUsers1h] = print.users(Hour)
	}
	if x.subject {
		v[DevDevicesPerUser30d] = x.p.User.lookAt(&x.now).devicesMonth()
	}
}

// deviceClaims says what was measured on the device.
func deviceClaims(v *Vector, x *input) {
	d := &x.a.Device
	v[DevKeyBound] = answer(d.KeyBound)
	v[DevAttested] = answer(d.Attested)
	if d.TouchPoints.Set && x.o.Agent.Class != 0 {
		v[DevTouchVsTypeMismatch] = one(handheld(x.o.Agent.Class) && d.TouchPoints.Value == 0)
	}
	v[DevTelemetryMissing] = one(x.t.Screen == 0 && x.t.Hardware == 0 && !d.Fonts.Set && !d.TouchPoints.Set && x.t.OffsetMin == NoOffset)
}

func handheld(c signals.DeviceClass) bool { return c == signals.Mobile || c == signals.Tablet }
