package scoreapi

import (
	"encoding/json"
	"math"
	"strconv"
	"time"

	"github.com/waryauth/wary/signals"
)

// refAttempt and refAmount are the contract for encoding/json, absence told from
// zero: the other side of the differential tests.
type refAmount struct {
	Value    *string `json:"value"`
	Currency *string `json:"currency"`
}

type refAttempt struct {
	ID                 *string `json:"attempt_id"`
	Time               *string `json:"time"`
	Action             *string `json:"action"`
	Subject            *string `json:"subject"`
	SubjectKnown       *bool   `json:"subject_known"`
	UserPresent        *bool   `json:"user_present"`
	PreviousDecisionID *string `json:"previous_decision_id"`
	Client             *struct {
		ID                *string `json:"id"`
		RedirectURI       *string `json:"redirect_uri"`
		AuthMethod        *string `json:"auth_method"`
		SoftwareVersion   *string `json:"software_version"`
		DeclaredIP        *string `json:"declared_ip"`
		DeclaredUserAgent *string `json:"declared_user_agent"`
	} `json:"client"`
	Session *struct {
		ID       *string  `json:"id"`
		Created  *string  `json:"created"`
		ACR      *string  `json:"acr"`
		AMR      []string `json:"amr"`
		AuthTime *string  `json:"auth_time"`
	} `json:"session"`
	Network *struct {
		IP           *string  `json:"ip"`
		ForwardedFor []string `json:"forwarded_for"`
		JA4          *string  `json:"ja4"`
		HTTPVersion  *string  `json:"http_version"`
		RTTMS        *float64 `json:"rtt_ms"`
	} `json:"network"`
	Headers *struct {
		UserAgent       *string `json:"user_agent"`
		AcceptLanguage  *string `json:"accept_language"`
		SecCHUA         *string `json:"sec_ch_ua"`
		SecCHUAPlatform *string `json:"sec_ch_ua_platform"`
		SecCHUAMobile   *string `json:"sec_ch_ua_mobile"`
		Referer         *string `json:"referer"`
	} `json:"headers"`
	Device *struct {
		ID                *string  `json:"id"`
		Fingerprint       *string  `json:"fingerprint"`
		KeyBound          *bool    `json:"key_bound"`
		Attested          *bool    `json:"attested"`
		Timezone          *string  `json:"timezone"`
		TimezoneOffsetMin *float64 `json:"timezone_offset_min"`
		Languages         []string `json:"languages"`
		Screen            *struct {
			Width      *float64 `json:"width"`
			Height     *float64 `json:"height"`
			Depth      *float64 `json:"depth"`
			PixelRatio *float64 `json:"pixel_ratio"`
		} `json:"screen"`
		Cores       *float64 `json:"cores"`
		MemoryGiB   *float64 `json:"memory_gib"`
		GPU         *string  `json:"gpu"`
		Fonts       *float64 `json:"fonts"`
		TouchPoints *float64 `json:"touch_points"`
		Webdriver   *bool    `json:"webdriver"`
		Latitude    *float64 `json:"latitude"`
		Longitude   *float64 `json:"longitude"`
	} `json:"device"`
	Behaviour *struct {
		Keys *struct {
			Count      *float64   `json:"count"`
			Rhythm     []*float64 `json:"rhythm"`
			Pasted     *bool      `json:"pasted"`
			Autofilled *bool      `json:"autofilled"`
		} `json:"keys"`
		Pointer *struct {
			Moves       *float64  `json:"moves"`
			DistancePX  *float64  `json:"distance_px"`
			SpeedPXS    []float64 `json:"speed_px_s"`
			Straight    *float64  `json:"straightness"`
			Clicks      *float64  `json:"clicks"`
			RightAngles *float64  `json:"right_angles"`
			SmallAngles *float64  `json:"small_angles"`
		} `json:"pointer"`
		Form *struct {
			DwellMS       *float64 `json:"dwell_ms"`
			FocusSwitches *float64 `json:"focus_switches"`
		} `json:"form"`
		Motion    *bool   `json:"motion"`
		Collector *string `json:"collector"`
	} `json:"behaviour"`
	Authentication *struct {
		Result             *string  `json:"result"`
		Method             *string  `json:"method"`
		RecentFailures     *float64 `json:"recent_failures"`
		CredentialAgeDays  *float64 `json:"credential_age_days"`
		RecoveryInProgress *bool    `json:"recovery_in_progress"`
	} `json:"authentication"`
	Intent *struct {
		Scopes       []string          `json:"scopes"`
		Details      []json.RawMessage `json:"authorization_details"`
		Amount       *refAmount        `json:"amount"`
		Payee        *string           `json:"payee"`
		PayeeCountry *string           `json:"payee_country"`
		Purpose      *string           `json:"purpose"`
	} `json:"intent"`
	Consent *struct {
		ID               *string  `json:"id"`
		AccountsSelected *float64 `json:"accounts_selected"`
		ReadTimeMS       *float64 `json:"read_time_ms"`
		ValidDays        *float64 `json:"valid_days"`
		HistoryDays      *float64 `json:"history_days"`
	} `json:"consent"`
	Token *struct {
		DPoPJKT       *string  `json:"dpop_jkt"`
		Binding       *string  `json:"binding"`
		Issued        *string  `json:"issued"`
		NonceFailures *float64 `json:"nonce_failures"`
	} `json:"token"`
	External map[string]*float64 `json:"external"`
}

// plain is the contract as one would write it first, for the benchmark.
type plain struct {
	ID                 string    `json:"attempt_id"`
	Time               time.Time `json:"time"`
	Action             string    `json:"action"`
	Subject            string    `json:"subject"`
	SubjectKnown       *bool     `json:"subject_known"`
	UserPresent        *bool     `json:"user_present"`
	PreviousDecisionID string    `json:"previous_decision_id"`
	Client             struct {
		ID                string `json:"id"`
		RedirectURI       string `json:"redirect_uri"`
		AuthMethod        string `json:"auth_method"`
		SoftwareVersion   string `json:"software_version"`
		DeclaredIP        string `json:"declared_ip"`
		DeclaredUserAgent string `json:"declared_user_agent"`
	} `json:"client"`
	Session struct {
		ID       string    `json:"id"`
		Created  time.Time `json:"created"`
		ACR      string    `json:"acr"`
		AMR      []string  `json:"amr"`
		AuthTime time.Time `json:"auth_time"`
	} `json:"session"`
	Network struct {
		IP           string   `json:"ip"`
		ForwardedFor []string `json:"forwarded_for"`
		JA4          string   `json:"ja4"`
		HTTPVersion  string   `json:"http_version"`
		RTTMS        float64  `json:"rtt_ms"`
	} `json:"network"`
	Headers struct {
		UserAgent       string `json:"user_agent"`
		AcceptLanguage  string `json:"accept_language"`
		SecCHUA         string `json:"sec_ch_ua"`
		SecCHUAPlatform string `json:"sec_ch_ua_platform"`
		SecCHUAMobile   string `json:"sec_ch_ua_mobile"`
		Referer         string `json:"referer"`
	} `json:"headers"`
	Device struct {
		ID                string   `json:"id"`
		Fingerprint       string   `json:"fingerprint"`
		KeyBound          bool     `json:"key_bound"`
		Attested          bool     `json:"attested"`
		Timezone          string   `json:"timezone"`
		TimezoneOffsetMin float64  `json:"timezone_offset_min"`
		Languages         []string `json:"languages"`
		Screen            struct {
			Width      float64 `json:"width"`
			Height     float64 `json:"height"`
			Depth      float64 `json:"depth"`
			PixelRatio float64 `json:"pixel_ratio"`
		} `json:"screen"`
		Cores       float64 `json:"cores"`
		MemoryGiB   float64 `json:"memory_gib"`
		GPU         string  `json:"gpu"`
		Fonts       float64 `json:"fonts"`
		TouchPoints float64 `json:"touch_points"`
		Webdriver   bool    `json:"webdriver"`
		Latitude    float64 `json:"latitude"`
		Longitude   float64 `json:"longitude"`
	} `json:"device"`
	Behaviour struct {
		Keys struct {
			Count      float64                      `json:"count"`
			Rhythm     [signals.RhythmSlots]float32 `json:"rhythm"`
			Pasted     bool                         `json:"pasted"`
			Autofilled bool                         `json:"autofilled"`
		} `json:"keys"`
		Pointer struct {
			Moves       float64    `json:"moves"`
			DistancePX  float64    `json:"distance_px"`
			SpeedPXS    [3]float64 `json:"speed_px_s"`
			Straight    float64    `json:"straightness"`
			Clicks      float64    `json:"clicks"`
			RightAngles float64    `json:"right_angles"`
			SmallAngles float64    `json:"small_angles"`
		} `json:"pointer"`
		Form struct {
			DwellMS       float64 `json:"dwell_ms"`
			FocusSwitches float64 `json:"focus_switches"`
		} `json:"form"`
		Motion    bool   `json:"motion"`
		Collector string `json:"collector"`
	} `json:"behaviour"`
	Authentication struct {
		Result             string  `json:"result"`
		Method             string  `json:"method"`
		RecentFailures     float64 `json:"recent_failures"`
		CredentialAgeDays  float64 `json:"credential_age_days"`
		RecoveryInProgress bool    `json:"recovery_in_progress"`
	} `json:"authentication"`
	Intent struct {
		Scopes  []string          `json:"scopes"`
		Details []json.RawMessage `json:"authorization_details"`
		Amount  struct {
			Value    string `json:"value"`
			Currency string `json:"currency"`
		} `json:"amount"`
		Payee        string `json:"payee"`
		PayeeCountry string `json:"payee_country"`
		Purpose      string `json:"purpose"`
	} `json:"intent"`
	Consent struct {
		ID               string  `json:"id"`
		AccountsSelected float64 `json:"accounts_selected"`
		ReadTimeMS       float64 `json:"read_time_ms"`
		ValidDays        float64 `json:"valid_days"`
		HistoryDays      float64 `json:"history_days"`
	} `json:"consent"`
	Token struct {
		DPoPJKT       string    `json:"dpop_jkt"`
		Binding       string    `json:"binding"`
		Issued        time.Time `json:"issued"`
		NonceFailures float64   `json:"nonce_failures"`
	} `json:"token"`
	External map[string]float64 `json:"external"`
}

func str(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

func some[T any](v *T) (o signals.Opt[T]) {
	if v != nil {
		o = signals.Some(*v)
	}
	return o
}

// num is some of a number; minus zero is zero.
func num(v *float64) (o signals.Opt[float64]) {
	if v != nil {
		o = signals.Some(*v + 0)
	}
	return o
}

// moment reads a time from text: time.Time itself does not take escapes in it.
func moment(s *string) time.Time {
	t, err := time.Parse(time.RFC3339, str(s))
	if err != nil {
		return time.Time{}
	}
	return t.UTC()
}

func nonEmpty(ss []string) (kept []string) {
	for _, s := range ss {
		if s != "" {
			kept = append(kept, s)
		}
	}
	return kept
}

// attempt is what the reference makes of the document. Enumerations are by name,
// and external numbers are compared apart, since a map has no order.
func (r *refAttempt) attempt() (a signals.Attempt) {
	a = signals.Attempt{ID: str(r.ID), Time: moment(r.Time), Subject: str(r.Subject), SubjectKnown: some(r.SubjectKnown),
		UserPresent: some(r.UserPresent), PreviousDecisionID: str(r.PreviousDecisionID)}
	a.Action, _ = signals.ParseAction(str(r.Action))
	if c := r.Client; c != nil {
		a.Client = signals.Client{ID: str(c.ID), RedirectURI: str(c.RedirectURI), SoftwareVersion: str(c.SoftwareVersion),
			DeclaredIP: str(c.DeclaredIP), DeclaredUserAgent: str(c.DeclaredUserAgent)}
		a.Client.AuthMethod, _ = signals.ParseAuthMethod(str(c.AuthMethod))
	}
	if s := r.Session; s != nil {
		a.Session = signals.Session{ID: str(s.ID), Created: moment(s.Created), ACR: str(s.ACR), AMR: nonEmpty(s.AMR), AuthTime: moment(s.AuthTime)}
	}
	if n := r.Network; n != nil {
		a.Network = signals.NetworkPeer{IP: str(n.IP), ForwardedFor: n.ForwardedFor, JA4: str(n.JA4), HTTPVersion: str(n.HTTPVersion), RTTMS: num(n.RTTMS)}
	}
	if h := r.Headers; h != nil {
		a.Headers = signals.Headers{UserAgent: str(h.UserAgent), AcceptLanguage: str(h.AcceptLanguage), SecCHUA: str(h.SecCHUA),
			SecCHUAPlatform: str(h.SecCHUAPlatform), SecCHUAMobile: str(h.SecCHUAMobile), Referer: str(h.Referer)}
	}
	r.deviceOf(&a.Device)
	r.behaviourOf(&a.Behaviour)
	if u := r.Authentication; u != nil {
		a.Authentication = signals.Authentication{RecentFailures: num(u.RecentFailures), CredentialAgeDays: num(u.CredentialAgeDays),
			RecoveryInProgress: some(u.RecoveryInProgress)}
		a.Authentication.Result, _ = signals.ParseResult(str(u.Result))
		a.Authentication.Method, _ = signals.ParseMethod(str(u.Method))
	}
	r.intentOf(&a.Intent)
	if c := r.Consent; c != nil {
		a.Consent = signals.Consent{ID: str(c.ID), AccountsSelected: num(c.AccountsSelected), ReadTimeMS: num(c.ReadTimeMS),
			ValidDays: num(c.ValidDays), HistoryDays: num(c.HistoryDays)}
	}
	if k := r.Token; k != nil {
		a.Token = signals.Token{DPoPJKT: str(k.DPoPJKT), Issued: moment(k.Issued), NonceFailures: num(k.NonceFailures)}
		a.Token.Binding, _ = signals.ParseBinding(str(k.Binding))
	}
	return a
}

func (r *refAttempt) deviceOf(to *signals.Device) {
	d := r.Device
	if d == nil {
		return
	}
	*to = signals.Device{ID: str(d.ID), Fingerprint: str(d.Fingerprint), KeyBound: some(d.KeyBound), Attested: some(d.Attested), Timezone: str(d.Timezone),
		TimezoneOffsetMin: num(d.TimezoneOffsetMin), Languages: nonEmpty(d.Languages), Cores: num(d.Cores), MemoryGiB: num(d.MemoryGiB), GPU: str(d.GPU),
		Fonts: num(d.Fonts), TouchPoints: num(d.TouchPoints), Webdriver: some(d.Webdriver), Latitude: num(d.Latitude), Longitude: num(d.Longitude)}
	if s := d.Screen; s != nil {
		to.Screen = signals.Screen{Width: num(s.Width), Height: num(s.Height), Depth: num(s.Depth), PixelRatio: num(s.PixelRatio)}
	}
}

func (r *refAttempt) behaviourOf(to *signals.Behaviour) {
	b := r.Behaviour
	if b == nil {
		return
	}
	to.Motion, to.Collector = some(b.Motion), str(b.Collector)
	if k := b.Keys; k != nil {
		to.Keys = signals.Keys{Count: num(k.Count), Pasted: some(k.Pasted), Autofilled: some(k.Autofilled)}
		for _, v := range k.Rhythm {
			to.Keys.RhythmSet = to.Keys.RhythmSet || v != nil
		}
		for i, v := range k.Rhythm {
			switch {
			case !to.Keys.RhythmSet || i >= len(to.Keys.Rhythm):
			case v == nil:
				to.Keys.Rhythm[i] = float32(math.NaN())
			default:
				to.Keys.Rhythm[i] = float32(*v + 0)
			}
		}
	}
	if p := b.Pointer; p != nil {
		to.Pointer = signals.Pointer{Moves: num(p.Moves), DistancePX: num(p.DistancePX), Straight: num(p.Straight), Clicks: num(p.Clicks),
			RightAngles: num(p.RightAngles), SmallAngles: num(p.SmallAngles)}
		if len(p.SpeedPXS) == 3 {
			to.Pointer.SpeedPXS = signals.Some([3]float64{p.SpeedPXS[0] + 0, p.SpeedPXS[1] + 0, p.SpeedPXS[2] + 0})
		}
	}
	if f := b.Form; f != nil {
		to.Form = signals.Form{DwellMS: num(f.DwellMS), FocusSwitches: num(f.FocusSwitches)}
	}
}

func (r *refAttempt) intentOf(to *signals.Intent) {
	i := r.Intent
	if i == nil {
		return
	}
	*to = signals.Intent{Scopes: nonEmpty(i.Scopes), Payee: str(i.Payee), PayeeCountry: str(i.PayeeCountry), Purpose: str(i.Purpose)}
	for _, raw := range i.Details {
		var members map[string]any
		if json.Unmarshal(raw, &members) == nil {
			kind, _ := members["type"].(string)
			to.Details = append(to.Details, signals.Detail{Type: kind, Raw: string(raw)})
		}
	}
	if m := i.Amount; m != nil {
		if v, err := strconv.ParseFloat(str(m.Value), 64); err == nil {
			to.Amount = signals.Some(v)
		}
		to.Currency = str(m.Currency)
	}
}
