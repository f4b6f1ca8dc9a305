package features

import (
	"net/netip"

	"github.com/waryauth/wary/signals"
)

func extractClient(v *Vector, x *input) {
	if m := x.a.Client.AuthMethod; int(m) > 0 && int(m) < len(authStrength) {
		v[TPPAuthMethod] = authStrength[m]
	}
	if x.t.Client == 0 {
		return
	}
	clientUse(v, x)
	clientPlaces(v, x)
	clientDeclares(v, x)
}

// authStrength ranks how a client may authenticate.
var authStrength = [...]float32{
	signals.PrivateKeyJWT: 3, signals.TLSClientAuth: 3, signals.SelfSignedTLSClientAuth: 2, signals.ClientSecret: 1, signals.NoClientAuth: 0,
}

func clientUse(v *Vector, x *input) {
	s := x.p.Client.lookAt(&x.now)
	v[TPPClientAgeDays] = x.agedDays(s.first)
	distinct(v, TPPDistinctUsers1m, s.sharedAt)
	v[TPPNewUserRatio24h] = min(share(s.newcomersDay(), v[TPPDistinctUsers24h]), 1)
	v[TPPFailRate24h] = s.failures(Day) / (s.attempts(Day) + imagined)
	v[TPPDenyRate30d] = s.denies() / (s.attempts(Month) + imagined)
	if x.subject {
		v[TPPUnattendedCalls24h] = x.p.Pair.unattendedDay(&x.now)
	}
}

// clientPlaces asks whether client and redirect URI, and client and network, are
// known to belong together.
func clientPlaces(v *Vector, x *input) {
	s := &x.p.Client
	if x.t.Redirect != 0 {
		v[TPPRedirectURINew] = one(!s.redirects.has(x.t.Redirect))
	}
	if !x.present && x.t.ASN != 0 && !s.backends.empty() {
		v[TPPASNNewForClient] = one(!s.backends.has(x.t.ASN))
	}
}

// clientDeclares compares what the client says of the person's device with what
// is seen, which is that device only where the person is present.
func clientDeclares(v *Vector, x *input) {
	c := &x.a.Client
	if x.t.Declared != 0 {
		if users := v[TPPDistinctUsers24h]; users >= 5 {
			v[TPPPSUHeadersConstant] = max(0, 1-x.p.Client.lookAt(&x.now).declarations()/users)
		}
	}
	if !x.present {
		v[TPPPSUHeadersMissing] = one(x.t.Declared == 0)
		return
	}
	if ip := x.o.Address.IP; c.DeclaredIP != "" && ip.IsValid() {
		v[TPPPSUIPVsBrowserIP] = one(!sameAddress(c.DeclaredIP, ip))
	}
	if c.DeclaredUserAgent != "" && x.a.Headers.UserAgent != "" {
		v[TPPPSUUAVsBrowserUA] = one(c.DeclaredUserAgent != x.a.Headers.UserAgent)
	}
}

// sameAddress compares an address with its text. Text that is no address costs
// no allocation in the usual forms: netip's error, which holds a copy, is made
// only for what has an address's letters alone.
func sameAddress(text string, ip netip.Addr) bool {
	const longest = len("ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255")
	var buf [64]byte
	if ip.Zone() == "" && string(ip.AppendTo(buf[:0])) == text {
		return true
	}
	if len(text) > longest {
		return false
	}
	for i := range len(text) {
		if c := text[i]; (c < '0' || c > '9') && (c|0x20 < 'a' || c|0x20 > 'f') && c != ':' && c != '.' {
			return false
		}
	}
	declared, err := netip.ParseAddr(text)
	return err == nil && declared.Unmap() == ip.Unmap()
}
