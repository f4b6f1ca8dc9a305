package features

import (
	"math"
	"testing"
	"time"

	"github.com/waryauth/wary/signals"
)

// feedExamples give every external feature two values.
func feedExamples() []example {
	low, high := atHome(), atHome()
	low.fed, high.fed = map[int]float64{}, map[int]float64{}
	lows, highs := map[int]float64{}, map[int]float64{}
	nothing := map[int]float64{}
	for i := range Schema {
		if !Schema[i].External {
			continue
		}
		nothing[i] = none
		low.fed[i], high.fed[i] = 0, 40
		lows[i], highs[i] = 0, 40
		if u := Schema[i].Unit; u == "0/1" || u == "share" {
			highs[i] = 1
		}
	}
	return []example{{"no feed", atHome(), nothing}, {"feeds of nothing", low, lows}, {"feeds of much", high, highs}}
}

// TestFeed: values stay in their unit, which for a flag and a share is 0 to 1.
func TestFeed(t *testing.T) {
	for _, c := range []struct {
		name     string
		in, want float64
	}{
		{"his.phone_sim_swap_days", 3, 3}, {"his.leaked_credential", 2, 1}, {"his.leaked_credential", -1, 0}, {"net.ip_reputation", 0.25, 0.25}, {"net.ip_reputation", 1.5, 1},
		{"tpp.ssa_expiry_days", -12, -12}, {"dev.factory_reset_age_h", -1, 0}, {"net.domains_on_ip", 1e60, math.MaxFloat32},
	} {
		i, ok := FeedOf(c.name)
		if !ok {
			t.Errorf("%s is no feed", c.name)
			continue
		}
		var v Vector
		if Feed(&v, i, c.in); float64(v[i]) != c.want {
			t.Errorf("%s of %v is %v, want %v", c.name, c.in, v[i], c.want)
		}
	}
	for _, name := range []string{"geo.velocity_kmh", "his.n_logins", "", "sim_swap_days"} {
		if _, ok := FeedOf(name); ok {
			t.Errorf("%q is a feed", name)
		}
	}
}

func accountExamples() []example {
	user, client := hasher.Key(KindUser, "anna"), hasher.Key(KindClient, "tpp-1")
	return []example{
		{"nothing told", atHome(), map[int]float64{
			HisPasswordChanged24h: none, HisEmailChanged7d: none, HisMFARemoved7d: none, HisRecoveryActivated: none, HisTakeoverSequence: none,
			TokSessionRevokedRecent: none, ConConsentRevoked24h: none, TPPClientChanged7d: none,
		}},
		{"an account that is being taken over", atHome().tell(user, signals.RecoveryStarted, 3*time.Hour).tell(user, signals.PasswordChanged, 2*time.Hour).
			tell(user, signals.ContactChanged, 23*time.Hour).tell(user, signals.CredentialRemoved, time.Hour).tell(user, signals.DeviceEnrolled, time.Minute).
			tell(user, signals.CredentialAdded, time.Minute).tell(user, signals.SessionRevoked, time.Hour).tell(user, signals.ConsentWithdrawn, time.Hour).
			tell(client, signals.ClientChanged, 6*day), map[int]float64{
			HisPasswordChanged24h: 1, HisEmailChanged7d: 1, HisMFARemoved7d: 1, HisRecoveryActivated: 1, HisTakeoverSequence: 5,
			TokSessionRevokedRecent: 1, ConConsentRevoked24h: 1, TPPClientChanged7d: 1,
		}},
		{"changes days ago", atHome().tell(user, signals.PasswordChanged, 25*time.Hour).tell(user, signals.ContactChanged, 8*day).tell(user, signals.CredentialRemoved, 8*day).
			tell(user, signals.RecoveryStarted, 8*day).tell(client, signals.ClientChanged, 8*day), map[int]float64{
			HisPasswordChanged24h: 0, HisEmailChanged7d: 0, HisMFARemoved7d: 0, HisRecoveryActivated: 0, HisTakeoverSequence: 0,
			TokSessionRevokedRecent: 0, ConConsentRevoked24h: 0, TPPClientChanged7d: 0,
		}},
	}
}

// TestTells: what is kept of events is what features ask for.
func TestTells(t *testing.T) {
	told := 0
	for e := range signals.EventTypes {
		if Tells(signals.EventType(e)) {
			told++
		}
	}
	if told != 9 || Tells(signals.PaymentSettled) || Tells(signals.Logout) || Tells(0) {
		t.Errorf("%d types are told", told)
	}
	var a, b Account
	early, late := MomentOf(1000_000), MomentOf(2000_000)
	a.Event(signals.PasswordChanged, &late)
	a.Event(signals.PasswordChanged, &early)
	b.Event(signals.PasswordChanged, &early)
	b.Event(signals.PasswordChanged, &late)
	if a != b || !a.within(signals.PasswordChanged, 1, &late) {
		t.Errorf("%+v and %+v", a, b)
	}
}
