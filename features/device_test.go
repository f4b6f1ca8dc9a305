package features

import (
	"time"

	"github.com/waryauth/wary/signals"
)

// successes has so many successes remembered, of which so many with the browser and the
// system.
func successes(s *scene, all uint64, browser, system uint32) *scene {
	s.last = func(p *Profile) { p.Totals.Successes, p.Browser, p.OS = all, browser, system }
	return s
}

func deviceExamples() []example {
	measured := func(gpu string, width, offset float64) edit {
		return func(a *signals.Attempt, _ *signals.Observation) {
			a.Device.GPU, a.Device.Cores = gpu, signals.Some(8.0)
			a.Device.Screen.Width = signals.Some(width)
			a.Device.TimezoneOffsetMin = signals.Some(offset)
		}
	}
	phone := func(a *signals.Attempt, o *signals.Observation) {
		a.Device.ID, a.Device.Fingerprint = "phone", "f2"
		a.Headers.UserAgent, a.Headers.AcceptLanguage = "Safari on iOS", "en-US"
		o.Agent = signals.Agent{Class: signals.Mobile, Browser: "Safari", BrowserMajor: 17, BrowserVersion: "17", OS: "iOS", OSVersion: "17"}
	}
	firefox := func(major uint16, version string) edit {
		return func(a *signals.Attempt, o *signals.Observation) {
			o.Agent.BrowserMajor, o.Agent.BrowserVersion = major, version
			a.Headers.UserAgent = "Firefox " + version
		}
	}
	return []example{
		// Of 2,000 successes, one with this browser and two with this system.
		{"a rare browser", successes(atHome(), 2000, 1, 2), map[int]float64{DevUARareBrowser: 1, DevUARareOS: 0}},
		{"a rare system", successes(atHome(), 2000, 2, 1), map[int]float64{DevUARareBrowser: 0, DevUARareOS: 1}},
		{"too few to tell", successes(atHome(), 999, 0, 0), map[int]float64{DevUARareBrowser: none, DevUARareOS: none}},
		{"no device is known", atHome(), map[int]float64{
			DevIDMissing: 0, DevIDNewForUser: none, DevDaysSinceSeen: none, DevAgeDays: 0, DevUAShareUser: none, DevMatchShare: none, DevUAChangedFamily: none,
			DevUAEmpty: 0, DevUABot: 0, DevUAUnparseable: 0, DevIsLinuxDesktop: 1, DevUACHVsUAMismatch: none, DevLanguageEmpty: 0, DevTelemetryMissing: 1,
			DevKeyBound: none, DevAttested: none, DevTouchVsTypeMismatch: none, DevDevicesPerUser30d: 0, DevUsers1h: 0, DevFingerprintUsers1h: 0,
			DevUAShareGlobal: none,
		}},
		// Three on the laptop, one on the phone 12 hours ago; the laptop again, with
		// everything known but a new screen.
		{"the laptop after the phone", atHome().edit(measured("gpu", 1920, 60)).succeeded(4*day).succeeded(3*day).succeeded(2*day).
			succeeded(12*time.Hour, phone).edit(measured("gpu", 2560, 60)), map[int]float64{
			DevIDNewForUser: 0, DevDaysSinceSeen: 2, DevAgeDays: 4, DevUAShareUser: 0.75, DevBrowserShareUser: 0.75, DevOSShareUser: 0.75, DevTypeShareUser: 0.75,
			DevUAShareGlobal: 0.75, DevUAChangedFamily: 1, DevOSChangedFamily: 1, DevUAVersionRegressed: none, DevLanguageNewForUser: 0, DevTimezoneOffsetNew: 0,
			DevScreenNew: 1, DevHardwareNew: 0, DevFingerprintNew: 0, DevMatchShare: 6.0 / 7, DevTelemetryMissing: 0, DevDevicesPerUser30d: linear(32, 2),
		}},
		{"the same screen", atHome().edit(measured("gpu", 1920, 60)).succeeded(day), map[int]float64{DevScreenNew: 0, DevMatchShare: 1}},
		{"everything new", atHome().edit(measured("gpu", 1920, 60)).succeeded(day).edit(measured("other", 800, -300)).edit(phone), map[int]float64{
			DevIDNewForUser: 1, DevUAShareUser: 0, DevBrowserShareUser: 0, DevOSShareUser: 0, DevTypeShareUser: 0, DevUAShareGlobal: 0, DevLanguageNewForUser: 1,
			DevTimezoneOffsetNew: 1, DevScreenNew: 1, DevHardwareNew: 1, DevFingerprintNew: 1, DevMatchShare: 0, DevDaysSinceSeen: none, DevIsLinuxDesktop: 0,
			DevUAChangedFamily: 1,
		}},
		{"an older browser than last time", atHome().edit(firefox(131, "131.0")).succeeded(time.Hour).edit(firefox(130, "130.0")), map[int]float64{
			DevUAVersionRegressed: 1, DevUAChangedFamily: 0, DevOSChangedFamily: 0, DevBrowserShareUser: 0, DevOSShareUser: 1,
		}},
		{"a newer browser than last time", atHome().edit(firefox(130, "130.0")).succeeded(time.Hour).edit(firefox(131, "131.0")), map[int]float64{
			DevUAVersionRegressed: 0,
		}},
		{"a bot with nothing", atHome().edit(func(a *signals.Attempt, o *signals.Observation) {
			a.Device, a.Headers = signals.Device{}, signals.Headers{UserAgent: "bot", SecCHUA: "x"}
			o.Agent = signals.Agent{Class: signals.Bot, Unparseable: true, HintsMismatch: true}
		}), map[int]float64{
			DevIDMissing: 1, DevUABot: 1, DevUAUnparseable: 1, DevUACHVsUAMismatch: 1, DevLanguageEmpty: 1, DevIDNewForUser: none, DevAgeDays: none, DevUsers1h: none,
			DevFingerprintUsers1h: none, DevIsLinuxDesktop: none,
		}},
		{"no user agent", atHome().edit(func(a *signals.Attempt, o *signals.Observation) {
			a.Headers = signals.Headers{SecCHUAMobile: "?0"}
			a.Device.Languages = []string{"de"}
			o.Agent = signals.Agent{Empty: true}
		}), map[int]float64{DevUAEmpty: 1, DevUABot: none, DevUAUnparseable: none, DevUACHVsUAMismatch: 0, DevLanguageEmpty: 0}},
		{"a phone without touch", atHome().edit(phone).edit(func(a *signals.Attempt, _ *signals.Observation) {
			a.Device.TouchPoints = signals.Some(0.0)
			a.Device.KeyBound, a.Device.Attested = signals.Some(true), signals.Some(true)
		}), map[int]float64{DevTouchVsTypeMismatch: 1, DevKeyBound: 1, DevAttested: 1, DevTelemetryMissing: 0}},
		{"a phone with touch", atHome().edit(phone).edit(func(a *signals.Attempt, _ *signals.Observation) {
			a.Device.TouchPoints = signals.Some(5.0)
			a.Device.KeyBound, a.Device.Attested = signals.Some(false), signals.Some(false)
		}), map[int]float64{DevTouchVsTypeMismatch: 0, DevKeyBound: 0, DevAttested: 0}},
		// Three successes on the laptop, two of which proved its key.
		{"a key that was", keyed(atHome().edit(bound(true)).succeeded(3*day).succeeded(2*day), false), map[int]float64{DevKeyLost: 0.5, DevIDOnceShareUser: 0}},
		{"a key that is", keyed(atHome().edit(bound(true)).succeeded(3*day).succeeded(2*day), true), map[int]float64{DevKeyLost: 0}},
		{"a key that never was", atHome().edit(bound(false)).succeeded(day), map[int]float64{DevKeyLost: 0, DevIDOnceShareUser: 1}},
		{"a key that nobody spoke of", atHome().succeeded(day).edit(bound(false)), map[int]float64{DevKeyLost: none}},
		{"a server without a key", keyed(atHome().edit(bound(true)).succeeded(3*day), false).edit(unattended), map[int]float64{DevKeyLost: none, DevIDOnceShareUser: none}},
		{"a crowd on a fingerprint", crowd(), map[int]float64{
			DevFingerprintUsers1h: usersOf(0)[1], DevFingerprintUsers30d: usersOf(0)[3],
		}},
		{"a crowd on one device", crowdOn("laptop"), usersOf(DevUsers1m)},
	}
}

func bound(to bool) edit {
	return func(a *signals.Attempt, _ *signals.Observation) { a.Device.KeyBound = signals.Some(to) }
}

// keyed lets a success without a key follow, and then the attempt have one or not.
func keyed(s *scene, has bool) *scene { return s.edit(bound(false)).succeeded(day).edit(bound(has)) }

// crowdOn is a crowd that shares a device.
func crowdOn(id string) *scene {
	s := crowd()
	for i := range s.past {
		s.past[i].trace.Device = hasher.Key(KindDevice, id)
	}
	return s
}
