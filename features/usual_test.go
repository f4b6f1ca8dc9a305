package features

import (
	"math"
	"testing"
	"time"

	"github.com/waryauth/wary/signals"
)

// usualOf returns what is usual for the scene's user, and the scene's own vector.
func (s *scene) usualOf() (usual, own *Vector, ok bool) {
	var t Trace
	Describe(&t, &s.a, &s.o, hasher)
	p := s.profile(&t)
	own, usual = &Vector{}, &Vector{}
	Extract(own, &s.a, &s.o, &t, p)
	before := p.User
	ok = Usual(usual, own, &t, &p.User)
	if p.User != before {
		panic("Usual changed the record")
	}
	return usual, own, ok
}

// settled is Anna after three weeks at home.
func settled() *scene {
	s := atHome().edit(func(a *signals.Attempt, o *signals.Observation) {
		a.Intent.Scopes = []string{"accounts"}
		a.Device.TimezoneOffsetMin = signals.Some(60.0)
		o.Address.IP = o.Address.IP.Next()
	})
	for d := 21; d >= 1; d-- {
		s.succeeded(day * time.Duration(d))
	}
	return s
}

// elsewhere is another place, network and device.
func elsewhere(a *signals.Attempt, o *signals.Observation) {
	at("BR", -23.5, -46.6, 50)(a, o)
	address("198.51.100.9")(a, o)
	o.Network.ASN, o.Network.VPN, o.Network.Hosting = 64999, true, true
	o.Place.Region, o.Place.City, o.Place.TimezoneMin = 20, 200, -180
	a.Device.ID, a.Device.Fingerprint, a.Headers.UserAgent, a.Headers.AcceptLanguage = "other", "f9", "curl", "pt-BR"
	a.Device.TimezoneOffsetMin = signals.Some(-180.0)
	o.Agent = signals.Agent{Class: signals.Mobile, Browser: "Chrome", BrowserMajor: 120, BrowserVersion: "120.0", OS: "Android", OSVersion: "14"}
}

// whenever are the features of the moment at which an attempt is made.
var whenever = map[int]bool{HisHourOfDayLikelihood: true, HisDayOfWeekLikelihood: true, HisDaysSinceLastLogin: true, VelInterarrivalS: true, VelInterarrivalZ: true}

// TestUsualIsTheAttemptAtHome holds what is told to be usual, while the attempt is
// made elsewhere, against the vector of an attempt that really is made as usual.
func TestUsualIsTheAttemptAtHome(t *testing.T) {
	_, home, _ := settled().usualOf()
	usual, away, ok := settled().edit(elsewhere).usualOf()
	if !ok {
		t.Fatal("nothing is usual")
	}
	told, moved := 0, 0
	for i, x := range usual {
		if math.IsNaN(float64(x)) || whenever[i] {
			continue
		}
		told++
		if math.Abs(float64(x-home[i])) > 1e-4*math.Max(math.Abs(float64(home[i])), 1) {
			t.Errorf("%s: usual %v, at home %v", Schema[i].Name, x, home[i])
		}
		if x != away[i] {
			moved++
		}
	}
	if told < 40 || moved < 25 {
		t.Errorf("%d told, of which %d differ from the attempt", told, moved)
	}
	for _, i := range []int{GeoCountryNewForUser, GeoCityNewForUser, GeoDistanceKMLastLogin, GeoVelocityKMH, NetIPNewForUser, NetASNNewForUser, NetIsVPN,
		DevIDNewForUser, DevFingerprintNew, DevUAChangedFamily, DevTimezoneOffsetNew, ConScopeNewForUser} {
		if usual[i] != 0 {
			t.Errorf("%s: usual %v", Schema[i].Name, usual[i])
		}
	}
	for _, i := range []int{GeoCountryShareUser, NetIPShareUser, NetKindShareUser, DevMatchShare} {
		if usual[i] != 1 {
			t.Errorf("%s: usual %v of all successes", Schema[i].Name, usual[i])
		}
	}
	// Of others at the usual address, of the session and of the client nothing is told.
	for _, i := range []int{NetUsersPerIP1h, NetIPAgeDays, DevAgeDays, DevUsers1h, VelIPAttempts1h, VelUserAttempts1h, TokAMRStrength, TPPClientAgeDays, HisFreemanScore} {
		if !math.IsNaN(float64(usual[i])) {
			t.Errorf("%s: %v", Schema[i].Name, usual[i])
		}
	}
}

func TestUsualTime(t *testing.T) {
	usual, own, _ := settled().usualOf()
	// Every success was at the attempt's own hour, a day after the one before.
	want := map[int]float64{HisDaysSinceLastLogin: 1, VelInterarrivalS: 86400, VelInterarrivalZ: 0, HisHourOfDayLikelihood: float64(own[HisHourOfDayLikelihood])}
	for i, x := range want {
		if math.Abs(float64(usual[i])-x) > 1e-3*math.Max(x, 1) {
			t.Errorf("%s: %v, want %v", Schema[i].Name, usual[i], x)
		}
	}
	if night, _, _ := settled().edit(func(a *signals.Attempt, _ *signals.Observation) { a.Time = a.Time.Add(9 * time.Hour) }).usualOf(); night[HisHourOfDayLikelihood] != usual[HisHourOfDayLikelihood] {
		t.Errorf("at another hour the usual one is %v", night[HisHourOfDayLikelihood])
	}
}

func TestUsualPayment(t *testing.T) {
	pay := func(amount float64, payee string) edit {
		return func(a *signals.Attempt, _ *signals.Observation) {
			a.Action, a.Intent.Payee, a.Intent.Amount = signals.Payment, payee, signals.Some(amount)
		}
	}
	s := atHome()
	for d := 5; d >= 1; d-- {
		s.succeeded(day*time.Duration(d), pay(100, "landlord"))
	}
	usual, own, _ := s.edit(pay(9000, "stranger")).usualOf()
	for i, x := range map[int]float64{PayAmount: 100, PayAmountVsMean: 0, PayAmountZUser: 0, PayPayeeNew: 0, ConAction: float64(signals.Payment)} {
		if math.Abs(float64(usual[i])-x) > 0.01 {
			t.Errorf("%s: %v, want %v (the attempt has %v)", Schema[i].Name, usual[i], x, own[i])
		}
	}
}

func TestUsualKindOfNetwork(t *testing.T) {
	kind := func(set func(n *signals.Network)) edit {
		return func(_ *signals.Attempt, o *signals.Observation) { set(&o.Network) }
	}
	tor := kind(func(n *signals.Network) { n.Tor = true })
	f := func(name string, past edit, want map[int]float64) {
		t.Helper()
		usual, _, _ := atHome().edit(tor).succeeded(2*day, kind(func(n *signals.Network) { n.Tor = false }), past).usualOf()
		for i, x := range want {
			if got := float64(usual[i]); got != x && !(x == none && math.IsNaN(got)) {
				t.Errorf("%s: %s is %v, want %v", name, Schema[i].Name, got, x)
			}
		}
	}
	f("at home", kind(func(*signals.Network) {}), map[int]float64{NetIsTor: 0, NetIsAnonymizer: 0, NetIsHosting: 0, NetIsMobileCarrier: 0})
	f("on the phone", kind(func(n *signals.Network) { n.Connection = signals.Cellular }), map[int]float64{NetIsTor: 0, NetIsMobileCarrier: 1})
	f("at work", kind(func(n *signals.Network) { n.Hosting = true }), map[int]float64{NetIsTor: 0, NetIsHosting: 1, NetIsAnonymizer: 0})
	f("behind a VPN", kind(func(n *signals.Network) { n.VPN = true }), map[int]float64{NetIsTor: none, NetIsAnonymizer: 1})
	// Where no file could tell the attempt's own, none tells the usual one.
	usual, _, _ := atHome().edit(kind(func(n *signals.Network) { n.Known = false })).succeeded(2 * day).usualOf()
	if !math.IsNaN(float64(usual[NetIsTor])) {
		t.Errorf("without an anonymizer file: %v", usual[NetIsTor])
	}
}

func TestNothingIsUsual(t *testing.T) {
	for name, s := range map[string]*scene{
		"no success":      atHome().failed(day),
		"another user's":  atHome().succeeded(day, subject("bea")),
		"a server":        atHome().succeeded(day).edit(unattended),
		"unknown subject": atHome().succeeded(day).edit(func(a *signals.Attempt, _ *signals.Observation) { a.SubjectKnown = signals.Some(false) }),
	} {
		if usual, _, ok := s.usualOf(); ok || !math.IsNaN(float64(usual[GeoCountryNewForUser])) {
			t.Errorf("%s: something is usual", name)
		}
	}
}

func TestTakeWhatDiffers(t *testing.T) {
	var v, w Vector
	v.Reset()
	w.Reset()
	if d := v.Differ(&w); d != 0 {
		t.Errorf("nothing differs: %b", d)
	}
	w[GeoCountryNewForUser], v[ConAction], w[ConAction] = 1, 2, 3
	if d := v.Differ(&w); d != 1<<Geo|1<<Intent {
		t.Errorf("%b", d)
	}
	v.Take(&w, 1<<Geo|1<<Client)
	if v[GeoCountryNewForUser] != 1 || v[ConAction] != 2 || v.Differ(&w) != 1<<Intent {
		t.Errorf("%v, %v", v[GeoCountryNewForUser], v[ConAction])
	}
}
