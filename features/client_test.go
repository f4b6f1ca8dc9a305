package features

import (
	"net/netip"
	"strconv"
	"testing"
	"time"

	"github.com/waryauth/wary/signals"
)

func clientExamples() []example {
	redirect := func(uri string) edit {
		return func(a *signals.Attempt, _ *signals.Observation) { a.Client.RedirectURI = uri }
	}
	declares := func(ip, agent string) edit {
		return func(a *signals.Attempt, _ *signals.Observation) {
			a.Client.DeclaredIP, a.Client.DeclaredUserAgent = ip, agent
		}
	}
	asn := func(n uint32) edit { return func(_ *signals.Attempt, o *signals.Observation) { o.Network.ASN = n } }
	method := func(m signals.AuthMethod) edit {
		return func(a *signals.Attempt, _ *signals.Observation) { a.Client.AuthMethod = m }
	}
	// Six subjects in the last hours; they declare either the same device or each
	// their own.
	declaring := func(same bool) *scene {
		s := atHome()
		for i := range 6 {
			n := strconv.Itoa(i)
			ip := "192.0.2." + n
			if same {
				ip = "192.0.2.1"
			}
			s.tried(time.Hour, Allowed, subject("user "+n), declares(ip, ""))
		}
		return s.edit(declares("192.0.2.1", ""))
	}
	return []example{
		{"no client", atHome().edit(func(a *signals.Attempt, _ *signals.Observation) { a.Client = signals.Client{} }), map[int]float64{
			TPPClientAgeDays: none, TPPDistinctUsers1h: none, TPPNewUserRatio24h: none, TPPFailRate24h: none, TPPDenyRate30d: none, TPPUnattendedCalls24h: none,
			TPPRedirectURINew: none, TPPASNNewForClient: none, TPPAuthMethod: none, TPPPSUHeadersMissing: none, TPPPSUIPVsBrowserIP: none, TPPPSUUAVsBrowserUA: none,
			TPPPSUHeadersConstant: none, ConFirstConsentToTPP: none, ConUsersGrantingBurst: none,
		}},
		{"a new client that declares the truth", atHome().edit(redirect("https://a")).edit(declares("203.0.113.7", "Firefox on Linux")).edit(method(signals.PrivateKeyJWT)), map[int]float64{
			TPPClientAgeDays: 0, TPPDistinctUsers1h: 0, TPPNewUserRatio24h: none, TPPFailRate24h: 0, TPPDenyRate30d: 0, TPPUnattendedCalls24h: 0,
			TPPRedirectURINew: 1, TPPASNNewForClient: none, TPPAuthMethod: 3, TPPPSUHeadersMissing: none, TPPPSUIPVsBrowserIP: 0, TPPPSUUAVsBrowserUA: 0, TPPPSUHeadersConstant: none,
		}},
		{"a client that declares another device", atHome().succeeded(2*day, redirect("https://a")).edit(redirect("https://a")).edit(declares("203.0.113.8", "Chrome")).edit(method(signals.ClientSecret)), map[int]float64{
			TPPClientAgeDays: 2, TPPRedirectURINew: 0, TPPAuthMethod: 1, TPPPSUIPVsBrowserIP: 1, TPPPSUUAVsBrowserUA: 1,
		}},
		{"a crowd through the client", crowd(), join(usersOf(TPPDistinctUsers1m), map[int]float64{
			TPPClientAgeDays: 10, TPPFailRate24h: 2 / (3 + leftDay + 4), ConUsersGrantingBurst: 2 + leftHour,
			TPPNewUserRatio24h: (3 + leftDay) / usersOf(0)[2],
		})},
		{"denied", atHome().tried(time.Minute, Denied).tried(2*time.Minute, Denied).tried(3*time.Minute, Allowed), map[int]float64{TPPDenyRate30d: 2.0 / 7}},
		{"a server that moved", atHome().edit(unattended).succeeded(time.Hour).succeeded(2 * time.Hour).succeeded(20 * time.Hour).edit(asn(9)), map[int]float64{
			TPPASNNewForClient: 1, TPPUnattendedCalls24h: 2 + leftDay, TPPPSUHeadersMissing: 1, TPPPSUIPVsBrowserIP: none,
		}},
		{"a server where it was", atHome().edit(unattended).succeeded(time.Hour).edit(declares("192.0.2.1", "x")), map[int]float64{
			TPPASNNewForClient: 0, TPPUnattendedCalls24h: 1, TPPPSUHeadersMissing: 0, TPPPSUUAVsBrowserUA: none,
		}},
		{"one device declared for six users", declaring(true), map[int]float64{TPPPSUHeadersConstant: 1 - linear(128, 1)/linear(registers, 6)}},
		{"six devices declared for six users", declaring(false), map[int]float64{TPPPSUHeadersConstant: 0}},
	}
}

func TestSameAddress(t *testing.T) {
	for _, c := range []struct {
		text string
		is   bool
	}{
		{"203.0.113.7", true}, {"203.0.113.8", false}, {"::ffff:203.0.113.7", true}, {"203.0.113.7%eth0", false}, {"", false}, {"not one", false},
		{"203.0.113", false}, {"203.0.113.7:443", false},
	} {
		if sameAddress(c.text, netip.MustParseAddr("203.0.113.7")) != c.is {
			t.Errorf("%q: want %v", c.text, c.is)
		}
	}
	if !sameAddress("2001:DB8:0:0::1", netip.MustParseAddr("2001:db8::1")) {
		t.Error("another spelling is another address")
	}
}
