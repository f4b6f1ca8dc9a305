package scoreapi

import (
	"strconv"
	"time"

	"github.com/waryauth/wary/signals"
)

// AppendAttempt appends an attempt as a caller of POST /v1/score sends it: what is
// absent is left out. Times are RFC 3339 in UTC with nanoseconds as needed.
func AppendAttempt(dst []byte, a *signals.Attempt) []byte {
	o := object{append(dst, '{'), true}
	o.string("attempt_id", a.ID)
	o.time("time", a.Time)
	o.string("action", a.Action.String())
	o.string("subject", a.Subject)
	o.bool("subject_known", a.SubjectKnown)
	o.bool("user_present", a.UserPresent)
	o.string("previous_decision_id", a.PreviousDecisionID)
	o.parties(a)
	o.device(&a.Device)
	o.behaviour(&a.Behaviour)
	o.purpose(a)
	return append(o.b, '}')
}

// object appends the members of a JSON object that are present.
type object struct {
	b     []byte
	first bool
}

func (o *object) key(k string) {
	if !o.first {
		o.b = append(o.b, ',')
	}
	o.first = false
	o.b = append(append(append(o.b, '"'), k...), '"', ':')
}

func (o *object) string(k, v string) {
	if v != "" {
		o.key(k)
		o.b = appendString(o.b, v)
	}
}

func (o *object) strings(k string, v []string) {
	if len(v) > 0 {
		o.key(k)
		o.b = appendStrings(o.b, v)
	}
}

func (o *object) number(k string, v signals.Opt[float64]) {
	if v.Set {
		o.key(k)
		o.b = appendFloat(o.b, v.Value, 64)
	}
}

func (o *object) bool(k string, v signals.Opt[bool]) {
	if v.Set {
		o.key(k)
		o.b = strconv.AppendBool(o.b, v.Value)
	}
}

func (o *object) time(k string, t time.Time) {
	if !t.IsZero() {
		o.key(k)
		o.b = append(t.UTC().AppendFormat(append(o.b, '"'), time.RFC3339Nano), '"')
	}
}

// open starts a member that is an object; close ends it, or takes it back where
// it stayed empty.
func (o *object) open(k string) (before int) {
	before = len(o.b)
	o.key(k)
	o.b = append(o.b, '{')
	o.first = true
	return before
}

func (o *object) close(before int) {
	if o.first {
		o.b = o.b[:before]
		o.first = before > 0 && o.b[before-1] == '{'
		return
	}
	o.b = append(o.b, '}')
}

func (o *object) parties(a *signals.Attempt) {
	c, s, n, h := &a.Client, &a.Session, &a.Network, &a.Headers
	at := o.open("client")
	o.string("id", c.ID)
	o.string("redirect_uri", c.RedirectURI)
	o.string("auth_method", c.AuthMethod.String())
	o.string("software_version", c.SoftwareVersion)
	o.string("declared_ip", c.DeclaredIP)
	o.string("declared_user_agent", c.DeclaredUserAgent)
	o.close(at)
	at = o.open("session")
	o.string("id", s.ID)
	o.time("created", s.Created)
	o.string("acr", s.ACR)
	o.strings("amr", s.AMR)
	o.time("auth_time", s.AuthTime)
	o.close(at)
	at = o.open("network")
	o.string("ip", n.IP)
	o.strings("forwarded_for", n.ForwardedFor)
	o.string("ja4", n.JA4)
	o.string("http_version", n.HTTPVersion)
	o.number("rtt_ms", n.RTTMS)
	o.close(at)
	at = o.open("headers")
	o.string("user_agent", h.UserAgent)
	o.string("accept_language", h.AcceptLanguage)
	o.string("sec_ch_ua", h.SecCHUA)
	o.string("sec_ch_ua_platform", h.SecCHUAPlatform)
	o.string("sec_ch_ua_mobile", h.SecCHUAMobile)
	o.string("referer", h.Referer)
	o.close(at)
}

func (o *object) device(d *signals.Device) {
	at := o.open("device")
	o.string("id", d.ID)
	o.string("fingerprint", d.Fingerprint)
	o.bool("key_bound", d.KeyBound)
	o.bool("attested", d.Attested)
	o.string("timezone", d.Timezone)
	o.number("timezone_offset_min", d.TimezoneOffsetMin)
	o.strings("languages", d.Languages)
	screen := o.open("screen")
	o.number("width", d.Screen.Width)
	o.number("height", d.Screen.Height)
	o.number("depth", d.Screen.Depth)
	o.number("pixel_ratio", d.Screen.PixelRatio)
	o.close(screen)
	o.number("cores", d.Cores)
	o.number("memory_gib", d.MemoryGiB)
	o.string("gpu", d.GPU)
	o.number("fonts", d.Fonts)
	o.number("touch_points", d.TouchPoints)
	o.bool("webdriver", d.Webdriver)
	o.number("latitude", d.Latitude)
	o.number("longitude", d.Longitude)
	o.close(at)
}

func (o *object) behaviour(b *signals.Behaviour) {
	k, p := &b.Keys, &b.Pointer
	at := o.open("behaviour")
	keys := o.open("keys")
	o.number("count", k.Count)
	if k.RhythmSet {
		o.key("rhythm")
		o.b = append(o.b, '[')
		for i, v := range k.Rhythm {
			if i > 0 {
				o.b = append(o.b, ',')
			}
			o.b = appendFloat(o.b, float64(v), 32)
		}
		o.b = append(o.b, ']')
	}
	o.bool("pasted", k.Pasted)
	o.bool("autofilled", k.Autofilled)
	o.close(keys)
	pointer := o.open("pointer")
	o.number("moves", p.Moves)
	o.number("distance_px", p.DistancePX)
	if p.SpeedPXS.Set {
		o.key("speed_px_s")
		for i, v := range p.SpeedPXS.Value {
			o.b = appendFloat(append(o.b, "[,,"[i]), v, 64)
		}
		o.b = append(o.b, ']')
	}
	o.number("straightness", p.Straight)
	o.number("clicks", p.Clicks)
	o.number("right_angles", p.RightAngles)
	o.number("small_angles", p.SmallAngles)
	o.close(pointer)
	form := o.open("form")
	o.number("dwell_ms", b.Form.DwellMS)
	o.number("focus_switches", b.Form.FocusSwitches)
	o.close(form)
	o.bool("motion", b.Motion)
	o.string("collector", b.Collector)
	o.close(at)
}

func (o *object) purpose(a *signals.Attempt) {
	u, i, c, t := &a.Authentication, &a.Intent, &a.Consent, &a.Token
	at := o.open("authentication")
	o.string("result", u.Result.String())
	o.string("method", u.Method.String())
	o.number("recent_failures", u.RecentFailures)
	o.number("credential_age_days", u.CredentialAgeDays)
	o.bool("recovery_in_progress", u.RecoveryInProgress)
	o.close(at)
	at = o.open("intent")
	o.strings("scopes", i.Scopes)
	if len(i.Details) > 0 {
		o.key("authorization_details")
		for n := range i.Details {
			o.b = append(o.b, "[,"[min(n, 1)])
			o.b = append(o.b, i.Details[n].Raw...)
		}
		o.b = append(o.b, ']')
	}
	if i.Amount.Set {
		amount := o.open("amount")
		o.string("value", strconv.FormatFloat(i.Amount.Value, 'f', -1, 64))
		o.string("currency", i.Currency)
		o.close(amount)
	}
	o.string("payee", i.Payee)
	o.string("payee_country", i.PayeeCountry)
	o.string("purpose", i.Purpose)
	o.close(at)
	at = o.open("consent")
	o.string("id", c.ID)
	o.number("accounts_selected", c.AccountsSelected)
	o.number("read_time_ms", c.ReadTimeMS)
	o.number("valid_days", c.ValidDays)
	o.number("history_days", c.HistoryDays)
	o.close(at)
	at = o.open("token")
	o.string("dpop_jkt", t.DPoPJKT)
	o.string("binding", t.Binding.String())
	o.time("issued", t.Issued)
	o.number("nonce_failures", t.NonceFailures)
	o.close(at)
	if len(a.External) > 0 {
		at = o.open("external")
		for _, e := range a.External {
			o.number(e.Name, signals.Some(e.Value))
		}
		o.close(at)
	}
}
