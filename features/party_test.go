package features

import (
	"math"
	"strconv"
	"testing"
	"time"

	"github.com/waryauth/wary/signals"
)

func partyExamples() []example {
	scopes := func(names ...string) edit {
		return func(a *signals.Attempt, _ *signals.Observation) { a.Intent.Scopes = names }
	}
	redirect := func(uri string) edit {
		return func(a *signals.Attempt, _ *signals.Observation) { a.Client.RedirectURI = uri }
	}
	asn := func(n uint32) edit { return func(_ *signals.Attempt, o *signals.Observation) { o.Network.ASN = n } }
	consents := action(signals.ConsentGrant)
	// Ten users came ten days ago and granted a; six of them come back today, in the
	// last hour, four of which are asked for b as well. It is 12:30:30.
	hijacked := func() *scene {
		s := atHome()
		for i := range 10 {
			s.succeeded(10*day, consents, scopes("a"), subject("user "+strconv.Itoa(i)))
		}
		for i := range 6 {
			asks := scopes("a")
			if i < 4 {
				asks = scopes("a", "b")
			}
			s.tried(10*time.Minute, Allowed, consents, asks, subject("user "+strconv.Itoa(i)))
		}
		return s
	}
	month := 10 * leftMonth // ten days ago lies in the 30 days before
	return []example{
		{"a new client", atHome().edit(both(scopes("a"), redirect("https://a"))), map[int]float64{
			TPPRedirectURIAgeDays: 0, TPPScopeAgeDays: 0, TPPASNAgeDays: none, TPPBackendAgeDays: none, TPPReconsents1h: 0, TPPReconsents24h: 0, TPPReconsentsRise: 0, TPPWidened24h: 0,
			TPPWidenedShare24h: 0, TPPConsents1hZ: 0, TPPAttemptsRise: 0, TPPFailRateRise: none, TPPPeerGroupDistance: none,
		}},
		{"no client's business", atHome().edit(func(a *signals.Attempt, _ *signals.Observation) { a.Client = signals.Client{} }), map[int]float64{
			TPPRedirectURIAgeDays: none, TPPScopeAgeDays: none, TPPReconsents1h: none, TPPWidened24h: none, TPPConsents1hZ: none, TPPPeerGroupDistance: none,
		}},
		{"an old redirect URI and a scope of yesterday", atHome().succeeded(9*day, redirect("https://a"), scopes("a")).succeeded(day, redirect("https://b"), scopes("a", "b")).
			edit(both(redirect("https://a"), scopes("a", "b"))), map[int]float64{TPPRedirectURIAgeDays: 9, TPPScopeAgeDays: 1}},
		{"a redirect URI and a scope never seen", atHome().succeeded(9*day, redirect("https://a"), scopes("a")).edit(both(redirect("https://x"), scopes("a", "c"))), map[int]float64{
			TPPRedirectURIAgeDays: 0, TPPScopeAgeDays: 0,
		}},
		{"a server three days in its network", atHome().edit(unattended).succeeded(3 * day), map[int]float64{TPPASNAgeDays: 3, TPPBackendAgeDays: 3}},
		{"a server in a new network", atHome().edit(unattended).succeeded(3 * day).edit(asn(9)), map[int]float64{TPPASNAgeDays: 0, TPPBackendAgeDays: 3}},
		{"a person, a day after the client's server called from a second network", atHome().edit(unattended).succeeded(3*day).succeeded(day, asn(9)).succeeded(time.Hour).
			edit(func(a *signals.Attempt, _ *signals.Observation) { a.UserPresent = signals.Some(true) }), map[int]float64{TPPASNAgeDays: none, TPPBackendAgeDays: 1}},
		// Of 16 attempts in the month, which began two and a half days ago, 6 are today.
		{"a client that was taken over", hijacked(), map[int]float64{
			TPPReconsents1h: 6, TPPReconsents24h: 6, TPPReconsentsRise: math.Log(7 / (6.0/30 + 1)), TPPWidened24h: 4, TPPWidenedShare24h: 4.0 / (6 + 4),
			TPPConsents1hZ: (6 - 6.0/24) / math.Sqrt(6.0/24+1), TPPAttemptsRise: math.Log(7 / ((6+month)/30 + 1)), TPPFailRateRise: 0, TPPPeerGroupDistance: 0,
		}},
		// Three failures and a success this hour, four successes ten days ago.
		{"a client that begins to fail", atHome().failed(time.Minute).failed(2 * time.Minute).failed(3 * time.Minute).succeeded(4 * time.Minute).
			succeeded(10 * day).succeeded(10 * day).succeeded(10 * day).succeeded(10 * day), map[int]float64{
			TPPFailRateRise: (3+4*3/(4+4*leftMonth))/(4+4) - 3/(4+4*leftMonth),
		}},
		// Thirty attempts of another client succeed, all by one newcomer but once; of
		// this one's ten by one user all fail. Together 40 attempts: 10 fail, 2 are by
		// newcomers. With 20 imagined as the peers': (10+20/4)/30 of the client's fail.
		{"a client unlike its peers", func() *scene {
			s := atHome()
			for range 30 {
				s.succeeded(time.Hour, func(a *signals.Attempt, _ *signals.Observation) { a.Client.ID = "tpp-2" })
			}
			for range 10 {
				s.failed(10 * time.Minute)
			}
			return s
		}(), map[int]float64{TPPPeerGroupDistance: math.Hypot((10+20*0.25)/30-0.25, (1+20*0.05)/30-0.05)}},
	}
}

// TestTieOf tells what a user and a client are to each other.
func TestTieOf(t *testing.T) {
	m := MomentOf(1_790_000_000_000)
	consent, login := Trace{Action: signals.ConsentGrant, Scopes: 3}, Trace{Action: signals.Login, Scopes: 1}
	var p Pair
	if tie := p.TieOf(&consent); tie != Newcomer {
		t.Errorf("a first attempt: %b", tie)
	}
	p.Attempt(&login, &m)
	if tie := p.TieOf(&consent); tie != 0 {
		t.Errorf("after an attempt without a success: %b", tie)
	}
	p.Succeed(&login, &m) // grants the first scope
	for want, tr := range map[Tie]*Trace{Returning | Widening: &consent, 0: &login, Widening: {Action: signals.Login, Scopes: 2}, Returning: {Action: signals.Authorize, Scopes: 1}} {
		if tie := p.TieOf(tr); tie != want {
			t.Errorf("%+v: %b, want %b", tr, tie, want)
		}
	}
}

// TestFirsts: a key is never younger than it is, and of eight few look older.
func TestFirsts(t *testing.T) {
	h := NewHasher(1, 2)
	older := 0
	for round := range uint64(100) {
		var f firsts
		for n := range uint64(8) {
			m := MomentOf(int64(n+1) * 1_000_000)
			f.note(h.Number(KindRedirect, 1+round*100+n), &m)
			f.note(0, &m)
		}
		for n := range uint64(8) {
			got, want := f.of(h.Number(KindRedirect, 1+round*100+n)), uint32(n+1)*1000
			if got > want || got == 0 {
				t.Fatalf("seen at %d, remembered as %d", want, got)
			}
			if got < want {
				older++
			}
		}
	}
	if older > 800/6 {
		t.Errorf("%d of 800 look older", older)
	}
}
