package population

import (
	"cmp"
	"math"
	"strconv"
	"time"

	"github.com/waryauth/wary/signals"
	"github.com/waryauth/wary/signals/typing"
)

// attempt tells an event as the caller of the score API would, and labels it.
func (r *run) attempt(e *event) Labelled {
	l := Labelled{
		Family: e.family, Fraud: e.family != Ordinary, Campaign: int(e.campaign), UserIndex: int(e.person),
		Unattended: e.marks&unattended != 0, LabelDelay: time.Duration(r.logNormal(3, 1) * 24 * float64(time.Hour)), StepUpPassed: e.marks&passes != 0,
	}
	l.Takeover = l.Fraud && e.result == signals.Success
	l.Label = r.label(e)
	a := &l.Attempt
	a.ID = r.token()
	a.Time = time.UnixMilli(e.at).UTC()
	a.Action = e.action
	a.Network.IP = e.from.ip.String()
	a.Authentication.Result = e.result
	r.tellSubject(a, e)
	r.tellSession(a, e)
	r.tellClient(a, e)
	r.tellIntent(a, e)
	day := int((e.at - r.Start.UnixMilli()) / msPerDay)
	if d := e.device; d != nil {
		a.Headers.UserAgent = r.agent(d, day)
		if r.reports(ReportTLS) {
			a.Network.JA4 = d.model.tls
		}
		if e.marks&unattended == 0 {
			r.tellDevice(a, e, d, day)
		}
	}
	if r.reports(ReportRTT) && r.chance(0.04) {
		// The quartiles of the RBA data set: 473, 540 and 680 ms.
		a.Network.RTTMS = signals.Some(math.Round(400 + r.logNormal(140, 1)))
	}
	return l
}

// label returns what will be reported of an attempt.
func (r *run) label(e *event) bool {
	u := r.mistakes.Float64()
	if e.family != Ordinary {
		return u >= r.LabelNoise.Missed
	}
	return u < r.LabelNoise.Mistaken && e.result == signals.Success
}

// byOwner reports whether the person's own browser makes the attempt.
func (e *event) byOwner() bool { return e.byPerson() || e.family == Malware }

// byPerson reports whether the person makes it.
func (e *event) byPerson() bool {
	return e.family == Ordinary || e.family == ConsentPhish || e.family == RogueClient
}

func (r *run) reports(what Reports) bool { return r.Reports&what != 0 }

func (r *run) tellSubject(a *signals.Attempt, e *event) {
	if e.person < 0 {
		a.Subject = "user" + strconv.FormatUint(r.Uint64()>>40, 36)
		a.SubjectKnown = signals.Some(false)
		return
	}
	p := r.people[e.person]
	a.Subject = p.subject
	if e.marks&unattended != 0 {
		return
	}
	if r.reports(ReportCredential) {
		a.Authentication.RecentFailures = signals.Some(float64(p.failures))
		age := float64((e.at-r.Start.UnixMilli())/msPerDay) - float64(p.set)
		if e.marks&fresh != 0 {
			age = 0
		}
		a.Authentication.CredentialAgeDays = signals.Some(max(age, 0))
		if e.marks&recovering != 0 {
			a.Authentication.RecoveryInProgress = signals.Some(true)
		}
	}
	switch e.result {
	case signals.Failure:
		p.failures++
	case signals.Success:
		p.failures = 0
	}
}

func (r *run) tellSession(a *signals.Attempt, e *event) {
	if r.reports(ReportCredential) {
		a.Authentication.Method = e.method
	}
	if e.marks&unattended != 0 {
		a.UserPresent = signals.Some(false) // every caller can tell
		return
	}
	if !r.reports(ReportSession) {
		return
	}
	a.UserPresent = signals.Some(true)
	a.Session.AMR = methodAMR[e.method]
	if e.marks&secondProof != 0 {
		a.Session.AMR = withSecond
	}
	a.Session.AuthTime = a.Time
	a.Session.Created = a.Time
	if e.action != signals.Login && e.action != signals.Authorize {
		a.Session.AuthTime = a.Time.Add(-time.Duration(r.between(20, 400)) * time.Second)
		a.Session.Created = a.Session.AuthTime
	}
}

// methodAMR holds the RFC 8176 values of a method.
var methodAMR = [...][]string{
	signals.Password: {"pwd"}, signals.OTP: {"otp"}, signals.SMS: {"sms"}, signals.Push: {"pwd"},
	signals.Passkey: {"hwk", "user"}, signals.Biometric: {"swk", "fpt"}, signals.EmailLink: {"pwd"}, signals.OtherMethod: nil,
}

var withSecond = []string{"pwd", "otp"}

func (r *run) tellClient(a *signals.Attempt, e *event) {
	c := e.client
	if c == nil {
		c = r.own
	}
	if c == nil || !r.reports(ReportClient) {
		return
	}
	a.Client.ID, a.Client.AuthMethod = c.id, c.method
	if e.marks&unattended == 0 {
		a.Client.RedirectURI = c.redirect
		if e.marks&elsewhere != 0 {
			a.Client.RedirectURI = c.redirect + "2"
		}
		return
	}
	if c.declares && e.action == signals.TokenRequest && e.person >= 0 {
		p := r.people[e.person]
		a.Client.DeclaredIP = p.line.ip.ip.String()
		a.Client.DeclaredUserAgent = r.agent(p.devices[0], int((e.at-r.Start.UnixMilli())/msPerDay))
	}
}

func (r *run) tellIntent(a *signals.Attempt, e *event) {
	switch {
	case e.client == nil && e.action == signals.Login:
		a.Intent.Scopes = bankScopes
	case e.client != nil && e.marks&moreScopes != 0:
		a.Intent.Scopes = e.client.wider
	case e.client != nil:
		a.Intent.Scopes = e.client.scopes
	}
	if e.action == signals.Payment {
		a.Intent.Amount = signals.Some(math.Round(float64(e.amount)*100) / 100)
		a.Intent.Currency = "EUR"
		a.Intent.Payee = "payee-" + strconv.Itoa(int(e.person)) + "-" + strconv.Itoa(int(e.payee))
		if e.payee >= mule {
			a.Intent.Payee = "payee-" + strconv.Itoa(int(e.payee))
		}
	}
	if e.action == signals.ConsentGrant && r.reports(ReportConsent) {
		a.Consent.ID = r.token()
		a.Consent.ValidDays = signals.Some(90.0)
		a.Consent.HistoryDays = signals.Some(float64(int(90) << r.IntN(3)))
		a.Consent.AccountsSelected = signals.Some(float64(1 + r.poisson(0.6)))
		a.Consent.ReadTimeMS = signals.Some(math.Round(r.logNormal(9000, 0.7)))
	}
	if e.client != nil && r.reports(ReportKeys) && (e.action == signals.Refresh || e.action == signals.TokenRequest) {
		a.Token.Binding = signals.Unbound
		if e.client.bound && e.marks&unbound == 0 {
			a.Token.Binding, a.Token.DPoPJKT = signals.DPoP, "jkt-"+e.client.id
		}
		if e.action == signals.Refresh {
			a.Token.Issued = a.Time.Add(-time.Duration(r.logNormal(8, 0.8) * float64(time.Hour)))
		}
	}
}

func (r *run) tellDevice(a *signals.Attempt, e *event, d *device, day int) {
	program := d.model.engine == fixed && d.model.class == signals.Bot
	if r.reports(ReportLanguage) && !program {
		a.Headers.AcceptLanguage = r.languages(e)
	}
	if program {
		return // runs no page that would tell more
	}
	if r.reports(ReportHints) {
		r.hints(&a.Headers, d, day)
	}
	if r.reports(ReportDevice) {
		a.Device.ID = d.id
	}
	if r.reports(ReportClock) {
		a.Device.TimezoneOffsetMin = signals.Some(float64(r.offset(e.from.city, e.at)))
		a.Device.Timezone = r.world.cities[e.from.city].zone.String()
	}
	if r.reports(ReportKeys) {
		a.Device.KeyBound = signals.Some(d.keyed)
	}
	if r.reports(ReportTelemetry) {
		r.tellTelemetry(&a.Device, d)
	}
	if r.reports(ReportBehaviour) {
		r.tellBehaviour(a, e, d)
	}
	if r.reports(ReportPosition) && d.handheld() && e.marks&scripted == 0 && r.chance(0.08) {
		c := &r.world.cities[e.from.city]
		a.Device.Latitude = signals.Some(c.latitude + 0.1*r.NormFloat64())
		a.Device.Longitude = signals.Some(c.longitude + 0.1*r.NormFloat64())
	}
}

// languages returns what the browser asks for: the owner's, which an attacker
// with care has copied.
func (r *run) languages(e *event) string {
	if e.device.speaks != "" {
		return e.device.speaks
	}
	if e.byOwner() {
		return r.people[e.person].languages
	}
	return r.world.countries[r.world.cities[e.from.city].country].languages
}

func (r *run) tellTelemetry(t *signals.Device, d *device) {
	t.Fingerprint = d.print
	t.Screen = signals.Screen{
		Width: signals.Some(d.screen[0]), Height: signals.Some(d.screen[1]), PixelRatio: signals.Some(d.screen[2]), Depth: signals.Some(24.0),
	}
	t.GPU, t.Cores, t.MemoryGiB, t.Fonts = d.gpu, signals.Some(d.cores), signals.Some(d.memory), signals.Some(d.fonts)
	touch := 0.0
	if d.handheld() {
		touch = 5
	}
	t.TouchPoints = signals.Some(touch)
	t.Webdriver = signals.Some(d.model.engine == fixed)
}

// tellBehaviour tells how the page was used: by a person, or by a program that
// moves no pointer and needs no time.
func (r *run) tellBehaviour(a *signals.Attempt, e *event, d *device) {
	b := &a.Behaviour
	if e.marks&scripted != 0 {
		b.Form.DwellMS = signals.Some(math.Round(r.logNormal(900, 0.5)))
		b.Keys.Count, b.Keys.Pasted, b.Keys.Autofilled = signals.Some(0.0), signals.Some(r.chance(0.3)), signals.Some(false)
		b.Pointer.Moves = signals.Some(0.0)
		b.Motion = signals.Some(false)
		r.tellTyping(b, e)
		return
	}
	b.Form.DwellMS = signals.Some(math.Round(r.logNormal(8000, 0.7)))
	b.Form.FocusSwitches = signals.Some(float64(r.poisson(0.8)))
	filled := r.fills(e)
	b.Keys.Autofilled = signals.Some(filled)
	b.Keys.Pasted = signals.Some(!filled && r.chance(0.05) || !filled && !e.byPerson() && r.chance(0.25))
	b.Keys.Count = signals.Some(0.0)
	if !filled {
		b.Keys.Count = signals.Some(float64(14 + r.poisson(8)))
		r.tellTyping(b, e)
	}
	if d.handheld() {
		moved := 0.97
		if e.marks&remote != 0 {
			moved = 0.4 // nobody holds it: an assumption
		}
		b.Pointer.Moves, b.Motion = signals.Some(0.0), signals.Some(r.chance(moved))
		return
	}
	h := cmp.Or(e.typist, r.people[e.person].hands[0])
	b.Pointer.Moves = signals.Some(float64(20 + r.poisson(120)))
	b.Pointer.Clicks = signals.Some(float64(1 + r.poisson(2)))
	median := r.logNormal(h.pointer, 0.35)
	b.Pointer.SpeedPXS = signals.Some([3]float64{math.Round(median / r.between(3, 12)), math.Round(median), math.Round(median * r.between(2, 6))})
	b.Pointer.DistancePX = signals.Some(math.Round(b.Pointer.Moves.Value * r.between(8, 25)))
	if e.marks&remote != 0 { // the picture comes late and the pointer in jumps
		b.Pointer.Straight = signals.Some(r.between(0.65, 1))
		b.Pointer.RightAngles, b.Pointer.SmallAngles = signals.Some(r.between(0.03, 0.35)), signals.Some(r.between(0.1, 0.6))
		return
	}
	b.Pointer.Straight = signals.Some(r.between(0.55, 0.95))
	b.Pointer.RightAngles = signals.Some(r.between(0, 0.15))
	b.Pointer.SmallAngles = signals.Some(r.between(0.3, 0.7))
}

// fills draws whether a browser fills the form. People have the habit or not; an
// attacker rarely has a browser that remembers the password.
func (r *run) fills(e *event) bool {
	if !e.byOwner() || e.person < 0 || e.marks&remote != 0 {
		return r.chance(0.16)
	}
	return r.chance(r.people[e.person].fills)
}

// tellTyping tells the rhythm of a name and a password that were typed, of people
// who agree. Half of the careful attackers keep the page from measuring it.
func (r *run) tellTyping(b *signals.Behaviour, e *event) {
	if !r.reports(ReportTyping) || e.person < 0 || b.Keys.Pasted.Value || !e.types() {
		return
	}
	p := r.people[e.person]
	if !p.agrees || e.marks&hushed != 0 {
		return
	}
	if e.marks&scripted != 0 {
		r.typeScript(p.text)
	} else if h := cmp.Or(e.typist, p.hands.on(e.device)); len(r.Typists) > 0 {
		r.replayTypist(r.Typists[h.recording])
	} else {
		r.typeText(h, p.text)
	}
	s := typing.Summarize(r.keys)
	b.Keys.Count = signals.Some(float64(len(r.keys)))
	b.Keys.Rhythm, b.Keys.RhythmSet = s.Password(), true
}

// types reports whether the attempt begins with a password.
func (e *event) types() bool {
	return (e.action == signals.Login || e.action == signals.Authorize) && (e.method == signals.Password || e.method == signals.Push)
}
