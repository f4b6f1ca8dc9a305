package features

import (
	"encoding/binary"
	"math"
	"math/bits"

	"github.com/waryauth/wary/signals"
)

// Describe fills the trace of an attempt and its observation. Every identifier
// goes through h. Outcome and Resumed are the engine's to set.
func Describe(t *Trace, a *signals.Attempt, o *signals.Observation, h Hasher) {
	*t = Trace{
		Time:   max(a.Time.UnixMilli(), 1),
		Typed:  h.Key(KindUser, a.Subject),
		Action: a.Action,
		Result: a.Authentication.Result,
	}
	if a.Known() {
		t.User = t.Typed
	} else {
		t.Flags |= UnknownSubject
	}
	if !a.UserPresent.Or(true) {
		t.Flags |= Unattended
	}
	describeAddress(t, o, h)
	describePlace(t, a, o, h)
	describeDevice(t, a, o, h)
	describeProof(t, a)
	describeIntent(t, a, h)
	t.UserClient = h.Pair(t.User, t.Client)
	t.UserAddress = h.Pair(t.User, t.Address)
}

func describeAddress(t *Trace, o *signals.Observation, h Hasher) {
	n := &o.Network
	t.ASN = h.Number(KindASN, uint64(n.ASN))
	if n.Hosting {
		t.Flags |= Hosted
	}
	if n.Anonymous || n.VPN || n.Proxy || n.Residential || n.Tor {
		t.Flags |= Anonymous
	}
	if n.Connection == signals.Cellular {
		t.Flags |= Cellular
	}
	if t.Flags&(Hosted|Anonymous|Cellular) != 0 || n.Relay || n.Connection == signals.Satellite {
		t.Flags |= Displaced
	}
	if !o.Address.IP.IsValid() {
		return
	}
	ip := o.Address.IP.As16() // IPv4 is mapped, so the two families cannot meet
	address, subnet := 8, 6   // the first bytes beyond the /64 and the /48
	if o.Address.IP.Unmap().Is4() {
		address, subnet = 16, 15 // and beyond the /32 and the /24
	}
	clear(ip[address:])
	t.Address = h.bytes(KindAddress, ip[:])
	clear(ip[subnet:])
	t.Subnet = h.bytes(KindSubnet, ip[:])
}

func describePlace(t *Trace, a *signals.Attempt, o *signals.Observation, h Hasher) {
	p := &o.Place
	t.LocalMin, t.OffsetMin = NoOffset, NoOffset
	// The farthest zones are 14 hours east and 12 west.
	if z := a.Device.TimezoneOffsetMin; z.Set && math.Abs(z.Value) <= 24*60 {
		t.OffsetMin = int16(z.Value)
	}
	if o.Network.Private {
		return // whatever a file says, it is nowhere
	}
	t.CountryCode = p.Country
	t.Country = h.Number(KindCountry, uint64(p.Country[0])<<8|uint64(p.Country[1]))
	t.Region, t.City = p.Region, p.City
	// Who does not know a place writes 0, 0, in the sea off Ghana.
	if p.Located && (p.Latitude != 0 || p.Longitude != 0) {
		t.Flags |= Located
		t.Latitude, t.Longitude, t.AccuracyKM = float32(p.Latitude), float32(p.Longitude), float32(p.AccuracyKM)
	}
	if p.TimezoneSet {
		t.LocalMin = p.TimezoneMin
	}
}

func describeDevice(t *Trace, a *signals.Attempt, o *signals.Observation, h Hasher) {
	d, g := &a.Device, &o.Agent
	t.Device = h.Key(KindDevice, d.ID)
	t.Fingerprint = h.Key(KindFingerprint, d.Fingerprint)
	t.Agent = h.Key(KindAgent, a.Headers.UserAgent)
	t.Browser = h.version(KindBrowser, g.Browser, g.BrowserVersion)
	t.OS = h.version(KindOS, g.OS, g.OSVersion)
	t.BrowserFamily, t.OSFamily = short(h.Key(KindBrowser, g.Browser)), short(h.Key(KindOS, g.OS))
	t.BrowserMajor = g.BrowserMajor
	t.Class = h.Number(KindClass, uint64(g.Class))
	t.TLS = h.Key(KindTLS, a.Network.JA4)
	t.Language = h.Key(KindLanguage, a.Headers.AcceptLanguage)
	if t.Language == 0 && len(d.Languages) > 0 {
		t.Language = h.Key(KindLanguage, d.Languages[0])
	}
	t.Screen = h.measures(KindScreen, "", d.Screen.Width, d.Screen.Height, d.Screen.Depth, d.Screen.PixelRatio)
	t.Hardware = h.measures(KindHardware, d.GPU, d.Cores, d.MemoryGiB, signals.Opt[float64]{}, signals.Opt[float64]{})
}

// describeProof notes what was proven, of what was told of it.
func describeProof(t *Trace, a *signals.Attempt) {
	t.Flags |= told(a.Device.KeyBound, KeyTold, Keyed)
	strength := float32(-1)
	if len(a.Session.AMR) > 0 {
		strength = amrStrength(a.Session.AMR)
	}
	if m := a.Authentication.Method; m != 0 && int(m) < len(methodStrength) && m != signals.OtherMethod {
		strength = max(strength, methodStrength[m])
	}
	if strength >= 0 {
		t.Flags |= ProofTold
	}
	if strength > methodStrength[signals.Password] {
		t.Flags |= Proven
	}
}

// longest is how much of a text enters a key that has more parts.
const longest = 160

// version returns the key of a name and its version; without a name it is zero.
func (h Hasher) version(kind Kind, name, version string) Key {
	if name == "" {
		return 0
	}
	var buf [2*longest + 1]byte
	b := append(buf[:0], name[:min(len(name), longest)]...)
	b = append(b, 0)
	b = append(b, version[:min(len(version), longest)]...)
	return h.bytes(kind, b)
}

// measures returns the key of a text and four numbers; where none is set it is
// zero.
func (h Hasher) measures(kind Kind, text string, a, b, c, d signals.Opt[float64]) Key {
	var buf [longest + 4*8 + 1]byte
	out := append(buf[:0], text[:min(len(text), longest)]...)
	var set byte
	for i, m := range [...]*signals.Opt[float64]{&a, &b, &c, &d} {
		if m.Set {
			set |= 1 << i
			out = binary.LittleEndian.AppendUint64(out, math.Float64bits(m.Value))
		}
	}
	if set == 0 && text == "" {
		return 0
	}
	return h.bytes(kind, append(out, set))
}

func describeIntent(t *Trace, a *signals.Attempt, h Hasher) {
	c := &a.Client
	t.Client = h.Key(KindClient, c.ID)
	t.Redirect = h.Key(KindRedirect, c.RedirectURI)
	t.Declared = h.Key(KindDeclared, c.DeclaredIP) + Key(bits.RotateLeft64(uint64(h.Key(KindDeclared, c.DeclaredUserAgent)), 32))
	t.Payee = h.Key(KindPayee, a.Intent.Payee)
	t.Proof = h.Key(KindProof, a.Token.DPoPJKT)
	for _, s := range a.Intent.Scopes {
		t.Scopes |= 1 << (h.Key(KindScope, s) & 63)
	}
	for i := range a.Intent.Details {
		t.Details |= 1 << (h.Key(KindDetail, a.Intent.Details[i].Type) & 63)
	}
	t.AmountMinor = -1
	if m := a.Intent.Amount; m.Set && m.Value >= 0 && m.Value < 1e15 {
		t.AmountMinor = int64(math.Round(m.Value * 100))
	}
}
