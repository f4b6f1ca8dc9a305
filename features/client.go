package features

import (
	"math"
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
	clientOwn(v, s)
	v[TPPPeerGroupDistance] = peerDistance(s, &x.p.Totals.Peers)
}

// clientOwn compares the client with its own past.
func clientOwn(v *Vector, s partyAt) {
	day, month := s.attempts(Day), s.attempts(Month)
	v[TPPReconsents1h], v[TPPReconsents24h] = s.returningHour(), s.returningDay()
	v[TPPReconsentsRise] = rise(s.returningDay(), s.returningMonth())
	v[TPPAttemptsRise] = rise(day, month)
	v[TPPWidened24h] = s.widenedDay()
	v[TPPWidenedShare24h] = s.widenedDay() / (day + imagined)
	mean := (s.newcomersDay() + s.returningDay()) / 24
	v[TPPConsents1hZ] = (s.newcomersHour() + s.returningHour() - mean) / float32(math.Sqrt(float64(mean+1)))
	if month > 0 {
		usual := s.failures(Month) / month
		v[TPPFailRateRise] = (s.failures(Hour)+imagined*usual)/(s.attempts(Hour)+imagined) - usual
	}
}

// rise compares a count of a day with the mean day of the month that it ends.
func rise(day, month float32) float32 {
	return float32(math.Log(float64((day + 1) / (month/30 + 1))))
}

// peerLike are attempts that a client is imagined to have had as its peers do, so
// that one hardly seen is not far from them.
const peerLike = 20

// peerDistance returns how far the client's attempts of a day are from those of all
// clients, by what shares of them there are.
func peerDistance(s partyAt, peers *Peers) float32 {
	all, mine := peers.Attempts.Estimate(s.m, Day), s.attempts(Day)
	if all <= 0 {
		return nan()
	}
	sum := float32(0)
	for _, of := range [...]struct {
		mine  float32
		peers *Window
	}{
		{s.failures(Day), &peers.Failures}, {s.newcomersDay(), &peers.Newcomers}, {s.returningDay(), &peers.Returning},
		{s.widenedDay(), &peers.Widened}, {s.unattendedDay(), &peers.Unattended},
	} {
		theirs := of.peers.Estimate(s.m, Day) / all
		apart := (of.mine+peerLike*theirs)/(mine+peerLike) - theirs
		sum += float32(apart * apart)
	}
	return float32(math.Sqrt(float64(sum)))
}

// clientPlaces asks whether client and redirect URI, and client and network, are
// known to belong together.
func clientPlaces(v *Vector, x *input) {
	s := &x.p.Client
	v[TPPBackendAgeDays] = x.daysSince(millis(s.backendFirst.newest()))
	if x.t.Redirect != 0 {
		known := s.redirects.has(x.t.Redirect)
		v[TPPRedirectURINew] = one(!known)
		v[TPPRedirectURIAgeDays] = x.agedDays(s.redirectFirst.of(x.t.Redirect)) * one(known)
	}
	if !x.present && x.t.ASN != 0 && !s.backends.empty() {
		known := s.backends.has(x.t.ASN)
		v[TPPASNNewForClient] = one(!known)
		v[TPPASNAgeDays] = x.agedDays(s.backendFirst.of(x.t.ASN)) * one(known)
	}
	if x.t.Scopes != 0 {
		v[TPPScopeAgeDays] = x.agedDays(s.newestScope(x.t.Scopes))
	}
}

// clientDeclares compares what the client says of the person's device with what
// is seen, which is that device only where the person is present.
func clientDeclares(v *Vector, x *input) {
	c := &x.a.Client
	if x.t.Declared != 0 {
		if users := v[TPPDistinctUsers24h]; users >= 5 {
			v[TPPPSUHeadersConstant] = max(0, 1-x.p.Client.lookAt(&x.now).declarations()/min(users, mostDeclared))
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

// mostDeclared is how many declarations are told apart well. Of users, more are
// counted.
const mostDeclared = 400

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
