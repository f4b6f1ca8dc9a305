package features

import (
	"math"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/dchest/siphash"

	"github.com/waryauth/wary/signals"
)

func described(e ...edit) Trace {
	s := atHome()
	for _, e := range e {
		s.edit(e)
	}
	return s.trace(0, Undecided, nil)
}

// TestKeys holds keys to SipHash-2-4 under the secret. The vector is that of the
// paper (Aumasson and Bernstein 2012, appendix A): key 00..0f, message 00..0e.
func TestKeys(t *testing.T) {
	message := []byte{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14}
	if got := siphash.Hash(hasher.k0, hasher.k1, message); got != 0xa129ca6149be45e5 {
		t.Fatalf("SipHash of the paper's message is %x", got)
	}
	if got := hasher.bytes(0, message); got != 0xa129ca6149be45e5 {
		t.Errorf("key of kind 0 is %x", got)
	}
	a, b := hasher.Key(KindUser, "x"), hasher.Key(KindDevice, "x")
	if a == b || a == 0 || a != hasher.Key(KindUser, "x") || a == NewHasher(1, 2).Key(KindUser, "x") {
		t.Error("keys do not depend on kind, text and secret alone")
	}
	if hasher.Key(KindUser, "") != 0 || hasher.Number(KindASN, 0) != 0 || hasher.Pair(a, 0) != 0 || hasher.Pair(0, a) != 0 {
		t.Error("what is absent has a key")
	}
	if hasher.Pair(a, b) == hasher.Pair(b, a) {
		t.Error("a pair has no order")
	}
}

func TestDescribe(t *testing.T) {
	tr := described()
	h := hasher
	if tr.Time != now.UnixMilli() || tr.User != h.Key(KindUser, "anna") || tr.Typed != tr.User || tr.Client != h.Key(KindClient, "tpp-1") ||
		tr.ASN != h.Number(KindASN, 64500) || tr.Device != h.Key(KindDevice, "laptop") || tr.UserClient != h.Pair(tr.User, tr.Client) ||
		tr.UserAddress != h.Pair(tr.User, tr.Address) || tr.CountryCode != (signals.Country{'D', 'E'}) || tr.Flags != Located|ProofTold ||
		tr.LocalMin != 60 || tr.OffsetMin != NoOffset || tr.AmountMinor != -1 || tr.Payee != 0 || tr.Screen != 0 || tr.Hardware != 0 || tr.Declared != 0 {
		t.Errorf("trace %+v", tr)
	}
}

// TestDescribeUnknownSubject: what was typed is counted, but there is no user.
func TestDescribeUnknownSubject(t *testing.T) {
	tr := described(func(a *signals.Attempt, _ *signals.Observation) { a.SubjectKnown = signals.Some(false) })
	if tr.User != 0 || tr.UserClient != 0 || tr.UserAddress != 0 || tr.Typed == 0 || tr.Flags&UnknownSubject == 0 {
		t.Errorf("trace %+v", tr)
	}
}

func TestDescribeAddresses(t *testing.T) {
	of := func(ip string) Trace { return described(address(ip)) }
	for _, c := range []struct {
		a, b             string
		address, network bool
	}{
		{"203.0.113.7", "203.0.113.7", true, true},
		{"203.0.113.7", "::ffff:203.0.113.7", true, true},
		{"203.0.113.7", "203.0.113.8", false, true},
		{"203.0.113.7", "203.0.114.7", false, false},
		{"2001:db8:1:2::1", "2001:db8:1:3::1", false, true},
		{"2001:db8:1:2::1", "2001:db8:2:2::1", false, false},
		{"0.0.0.0", "::", false, false},
	} {
		a, b := of(c.a), of(c.b)
		if (a.Address == b.Address) != c.address || (a.Subnet == b.Subnet) != c.network {
			t.Errorf("%s and %s: address %v, subnet %v", c.a, c.b, a.Address == b.Address, a.Subnet == b.Subnet)
		}
	}
	if tr := described(func(_ *signals.Attempt, o *signals.Observation) { o.Address.IP = netip.Addr{} }); tr.Address != 0 || tr.Subnet != 0 {
		t.Error("no address has a key")
	}
}

// TestDescribeTells: traces differ where a device or intent does.
func TestDescribeTells(t *testing.T) {
	base := described()
	some := signals.Some[float64]
	for name, e := range map[string]edit{
		"cores":        func(a *signals.Attempt, _ *signals.Observation) { a.Device.Cores = some(4) },
		"memory":       func(a *signals.Attempt, _ *signals.Observation) { a.Device.MemoryGiB = some(4) },
		"gpu":          func(a *signals.Attempt, _ *signals.Observation) { a.Device.GPU = "g" },
		"width":        func(a *signals.Attempt, _ *signals.Observation) { a.Device.Screen.Width = some(4) },
		"height":       func(a *signals.Attempt, _ *signals.Observation) { a.Device.Screen.Height = some(4) },
		"version":      func(_ *signals.Attempt, o *signals.Observation) { o.Agent.BrowserVersion = "131.0" },
		"long version": func(_ *signals.Attempt, o *signals.Observation) { o.Agent.BrowserVersion = strings.Repeat("1", 5000) },
		"long gpu":     func(a *signals.Attempt, _ *signals.Observation) { a.Device.GPU = strings.Repeat("g", 4096) },
		"scope":        func(a *signals.Attempt, _ *signals.Observation) { a.Intent.Scopes = []string{"a"} },
		"detail":       func(a *signals.Attempt, _ *signals.Observation) { a.Intent.Details = []signals.Detail{{Type: "a"}} },
		"declared ip":  func(a *signals.Attempt, _ *signals.Observation) { a.Client.DeclaredIP = "a" },
		"declared ua":  func(a *signals.Attempt, _ *signals.Observation) { a.Client.DeclaredUserAgent = "a" },
		"amount":       func(a *signals.Attempt, _ *signals.Observation) { a.Intent.Amount = some(12.345) },
		"absent":       unattended,
		"hosting":      func(_ *signals.Attempt, o *signals.Observation) { o.Network.Hosting = true },
		"cellular":     func(_ *signals.Attempt, o *signals.Observation) { o.Network.Connection = signals.Cellular },
	} {
		if described(e) == base {
			t.Errorf("%s leaves no trace", name)
		}
	}
	w := described(func(a *signals.Attempt, _ *signals.Observation) { a.Device.Cores = some(4) })
	m := described(func(a *signals.Attempt, _ *signals.Observation) { a.Device.MemoryGiB = some(4) })
	if w.Hardware == m.Hardware {
		t.Error("cores and memory of the same number are the same hardware")
	}
}

func TestDescribeHostileNumbers(t *testing.T) {
	for _, n := range []float64{math.NaN(), math.Inf(1), -1, 1e300} {
		tr := described(func(a *signals.Attempt, _ *signals.Observation) {
			a.Time = time.Time{}
			a.Intent.Amount = signals.Some(n)
			a.Device.TimezoneOffsetMin = signals.Some(n * 1e6)
		})
		if tr.AmountMinor != -1 || tr.OffsetMin != NoOffset || tr.Time != 0 && tr.Time != 1 && tr.Time != now.UnixMilli() {
			t.Errorf("%v: amount %d, offset %d, time %d", n, tr.AmountMinor, tr.OffsetMin, tr.Time)
		}
	}
}

// FuzzExtract: whatever numbers and texts come, no feature is infinite, and what
// is folded leaves the next vector so too.
func FuzzExtract(f *testing.F) {
	f.Add(12.5, 52.5, 13.4, 60.0, "de-DE,en;q=0.5", "203.0.113.7", int64(1_700_000_000_000))
	f.Add(math.MaxFloat64, 1e300, -1e300, 1e9, "-", "::%", int64(math.MinInt64))
	f.Add(math.Inf(1), math.NaN(), math.Inf(-1), math.NaN(), "x-yz-", "", int64(math.MaxInt64))
	f.Fuzz(func(t *testing.T, n, latitude, longitude, offset float64, language, declared string, ms int64) {
		some := signals.Some[float64]
		s := busy().edit(func(a *signals.Attempt, o *signals.Observation) {
			a.Time = time.UnixMilli(ms)
			a.Intent.Amount, a.Network.RTTMS, a.Behaviour.Keys.Count = some(n), some(n), some(n)
			a.Device.Latitude, a.Device.Longitude, a.Device.TimezoneOffsetMin = some(latitude), some(longitude), some(offset)
			a.Headers.AcceptLanguage, a.Client.DeclaredIP, a.Device.GPU = language, declared, language
			o.Place.Latitude, o.Place.Longitude = latitude, longitude
		})
		for range 2 {
			for i, v := range s.vector() {
				if math.IsInf(float64(v), 0) {
					t.Errorf("%s is infinite", Schema[i].Name)
				}
			}
			tr := s.trace(0, Allowed, []edit{func(a *signals.Attempt, _ *signals.Observation) { a.Time = time.UnixMilli(ms) }})
			s.did("attempt", tr)
			s.did("succeed", tr)
		}
	})
}

// FuzzRegionsOf: a match is a named region.
func FuzzRegionsOf(f *testing.F) {
	for _, s := range []string{"", "de-DE,en;q=0.9", "zh-Hant-TW", "-", "--", "a-bc"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, list string) {
		named, match := regionsOf(list, signals.Country{'D', 'E'})
		if match && (!named || !strings.Contains(strings.ToUpper(list), "-DE")) {
			t.Errorf("%q: named %v, match %v", list, named, match)
		}
	})
}

// TestHotPathAllocatesNothing holds what runs for each attempt to no allocation.
func TestHotPathAllocatesNothing(t *testing.T) {
	s := busy()
	var tr Trace
	Describe(&tr, &s.a, &s.o, hasher)
	p, m := s.profile(&tr), MomentOf(tr.Time)
	var v Vector
	var buf [TraceBytes]byte
	var members Members
	for name, f := range map[string]func(){
		"Describe": func() { Describe(&tr, &s.a, &s.o, hasher) },
		"Extract":  func() { Extract(&v, &s.a, &s.o, &tr, p) },
		"Attempt": func() {
			p.User.Attempt(&tr, &m)
			p.Address.Attempt(&tr, &m, &members)
			p.Pair.Attempt(&tr, &m)
			p.Client.Attempt(&tr, &m, Widening, &members)
			p.Totals.Attempt(&tr, &m, Widening)
		},
		"Succeed":      func() { p.User.Succeed(&tr, &m); p.Address.Succeed(&tr, &m); p.Pair.Succeed(&tr, &m) },
		"Fail":         func() { p.User.Fail(&tr, &m); p.Address.Fail(&tr, &m, &members); p.Pair.Fail(&tr, &m) },
		"AppendBinary": func() { tr.AppendBinary(buf[:0]) },
		"ReadBinary":   func() { _, _ = tr.ReadBinary(tr.AppendBinary(buf[:0])) },
	} {
		if n := testing.AllocsPerRun(100, f); n != 0 {
			t.Errorf("%s allocates %v times", name, n)
		}
	}
}

// busy is an attempt that says everything, of a user with a past.
func busy() *scene {
	s := mine(crowd()).succeeded(3*day).succeeded(2*day, address("198.51.100.1"), at("PL", 51, 17, 10)).succeeded(day)
	return s.edit(func(a *signals.Attempt, o *signals.Observation) {
		some := signals.Some[float64]
		a.Headers.UserAgent = "Mozilla/5.0 (X11; Linux x86_64; rv:130.0) Gecko/20100101 Firefox/130.0"
		a.Device.GPU, a.Device.Cores, a.Device.MemoryGiB = "ANGLE (Intel, Mesa Intel(R) UHD Graphics 620 (KBL GT2), OpenGL 4.6)", some(8), some(16)
		a.Device.Screen = signals.Screen{Width: some(1920), Height: some(1080), Depth: some(24), PixelRatio: some(1)}
		a.Device.TimezoneOffsetMin, a.Device.Latitude, a.Device.Longitude = some(60), some(52.5), some(13.4)
		a.Client.RedirectURI, a.Client.DeclaredIP, a.Client.DeclaredUserAgent = "https://tpp.example/cb", "203.0.113.7", "Firefox on Linux"
		a.Client.AuthMethod = signals.PrivateKeyJWT
		a.Network.JA4, a.Network.RTTMS = "t13d1516h2_8daaf6152771_02713d6af862", some(32.5)
		a.Session.AMR, a.Session.AuthTime = []string{"pwd", "otp"}, now.Add(-time.Minute)
		a.Intent.Scopes = []string{"openid", "accounts", "payments"}
		a.Intent.Details = []signals.Detail{{Type: "payment_initiation"}}
		a.Intent.Amount, a.Intent.Payee, a.Intent.PayeeCountry = some(120.5), "payee", "LT"
		a.Token.DPoPJKT, a.Token.Binding = "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I", signals.DPoP
	})
}
