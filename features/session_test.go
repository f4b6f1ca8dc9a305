package features

import (
	"testing"
	"time"

	"github.com/waryauth/wary/signals"
)

func sessionExamples() []example {
	proof := func(jkt string) edit {
		return func(a *signals.Attempt, _ *signals.Observation) { a.Token.DPoPJKT = jkt }
	}
	moved := func(a *signals.Attempt, o *signals.Observation) {
		a.Headers.UserAgent = "other"
		o.Network.ASN = 9
		o.Place.Country = signals.Country{'F', 'R'}
	}
	said := func(yes bool, n float64) edit {
		return func(a *signals.Attempt, o *signals.Observation) {
			c := &a.Authentication
			c.RecentFailures, c.CredentialAgeDays, c.RecoveryInProgress = signals.Some(n), signals.Some(n+100), signals.Some(yes)
			a.Token.NonceFailures, a.Token.Issued = signals.Some(n+1), now.Add(-time.Duration(n)*time.Minute)
			a.UserPresent, a.Device.Webdriver = signals.Some(true), signals.Some(yes)
			b := &a.Behaviour
			b.Keys.Pasted, b.Keys.Autofilled, b.Keys.Count = signals.Some(yes), signals.Some(yes), signals.Some(n)
			b.Pointer.Straight, b.Pointer.RightAngles, b.Pointer.SmallAngles = signals.Some(n/10), signals.Some(n/20), signals.Some(n/40)
			b.Pointer.Moves, b.Pointer.Clicks, b.Pointer.SpeedPXS = signals.Some(n*30), signals.Some(n), signals.Some([3]float64{n * 5, n * 10, n * 40})
			b.Form.DwellMS, b.Form.FocusSwitches, b.Motion = signals.Some(n*1000), signals.Some(n+2), signals.Some(yes)
			o.Agent.Class = signals.Mobile
		}
	}
	return []example{
		{"nothing said", atHome().edit(func(a *signals.Attempt, _ *signals.Observation) { a.Authentication = signals.Authentication{} }), map[int]float64{
			TokAuthAgeS: none, TokSessionAgeS: none, TokAMRStrength: none, TokMethodStrength: none, TokResultFailed: none, TokRecentFailures: none,
			TokCredentialAgeDays: none, TokRecoveryInProgress: none, TokDPoPJKTNew: none, TokDPoPNonceFailures: none, TokBindingMissing: none, TokTokenAgeS: none,
			TokRefreshASNChange: none, TokUserPresent: none, BehAutomationFramework: none, BehPasteInCredentials: none, BehPasswordManager: none, BehKeysTyped: none,
			BehNoInteractionBeforeClick: none, BehPointerStraightRatio: none, BehTimeOnPageMS: none, BehFocusSwitches: none, BehMotionStatic: none,
			BehPointerMoves: none, BehPointerClicks: none, BehPointerSpeedPXS: none, BehPointerSpeedRatio: none, BehEventRate: none,
		}},
		{"everything said", atHome().edit(said(true, 4)), map[int]float64{
			TokRecentFailures: 4, TokCredentialAgeDays: 104, TokRecoveryInProgress: 1, TokDPoPNonceFailures: 5, TokTokenAgeS: 240, TokUserPresent: 1, TokResultFailed: 0,
			BehAutomationFramework: 1, BehPasteInCredentials: 1, BehPasswordManager: 1, BehKeysTyped: 4, BehNoInteractionBeforeClick: 0, BehPointerStraightRatio: 0.4,
			BehPointerRightAngleRatio: 0.2, BehPointerMinorAngleRatio: 0.1, BehTimeOnPageMS: 4000, BehFocusSwitches: 6, BehMotionStatic: 0,
			BehPointerMoves: 120, BehPointerClicks: 4, BehPointerSpeedPXS: 40, BehPointerSpeedRatio: 8, BehEventRate: 32, // 4 keys, 120 moves and 4 clicks in 4 s
		}},
		{"no, nothing and none", atHome().edit(said(false, 0)), map[int]float64{
			TokRecentFailures: 0, TokCredentialAgeDays: 100, TokRecoveryInProgress: 0, TokTokenAgeS: 0, BehAutomationFramework: 0, BehPasteInCredentials: 0,
			BehPasswordManager: 0, BehKeysTyped: 0, BehNoInteractionBeforeClick: 1, BehMotionStatic: 1, BehPointerStraightRatio: 0,
			BehPointerMoves: 0, BehPointerClicks: 0, BehPointerSpeedPXS: 0, BehPointerSpeedRatio: 0, BehEventRate: 0,
		}},
		{"an old session with two factors, a bound token and a failed check", atHome().edit(result(signals.Failure)).edit(func(a *signals.Attempt, _ *signals.Observation) {
			a.Session.AuthTime, a.Session.Created, a.Session.AMR = now.Add(-time.Hour), now.Add(-2*time.Hour), []string{"pwd", "hwk"}
			a.Authentication.Method, a.Token.Binding = signals.Passkey, signals.DPoP
			a.UserPresent = signals.Some(false)
		}), map[int]float64{TokAuthAgeS: 3600, TokSessionAgeS: 7200, TokAMRStrength: 4, TokMethodStrength: 3, TokResultFailed: 1, TokBindingMissing: 0, TokUserPresent: 0}},
		{"a fresh session with a code and an unbound token", atHome().edit(func(a *signals.Attempt, _ *signals.Observation) {
			a.Session.AuthTime, a.Session.Created, a.Session.AMR = now.Add(time.Minute), now, []string{"otp"}
			a.Authentication.Method, a.Token.Binding = signals.SMS, signals.Unbound
		}), map[int]float64{TokAuthAgeS: 0, TokSessionAgeS: 0, TokAMRStrength: 2, TokMethodStrength: 2, TokBindingMissing: 1}},
		// Two successes with a passkey and one with a password, and now a password.
		{"a password where a passkey is usual", atHome().succeeded(3*day, method(signals.Passkey)).succeeded(2*day, method(signals.Passkey)).succeeded(day), map[int]float64{TokProofWeaker: 0.5}},
		{"a code with the password, as told by amr", atHome().succeeded(3*day, method(signals.Passkey)).edit(func(a *signals.Attempt, _ *signals.Observation) {
			a.Session.AMR = []string{"pwd", "otp"}
		}), map[int]float64{TokProofWeaker: 0}},
		{"a password as always", atHome().succeeded(day), map[int]float64{TokProofWeaker: 0}},
		{"a method that nobody told", atHome().succeeded(day, method(signals.Passkey)).edit(method(0)), map[int]float64{TokProofWeaker: none}},
		{"another proof key", atHome().succeeded(day, proof("k1")).edit(proof("k2")), map[int]float64{TokDPoPJKTNew: 1}},
		{"the same proof key", atHome().succeeded(day, proof("k1")).edit(proof("k1")), map[int]float64{TokDPoPJKTNew: 0}},
		{"a refresh where the last was", atHome().edit(action(signals.Refresh)).succeeded(time.Hour), map[int]float64{
			TokRefreshASNChange: 0, TokRefreshCountryChange: 0, TokRefreshDeviceChange: 0,
		}},
		{"a refresh from elsewhere", atHome().edit(action(signals.Refresh)).succeeded(time.Hour).edit(moved), map[int]float64{
			TokRefreshASNChange: 1, TokRefreshCountryChange: 1, TokRefreshDeviceChange: 1,
		}},
		{"a first refresh after a login elsewhere", atHome().succeeded(time.Hour, moved).edit(action(signals.Refresh)), map[int]float64{
			TokRefreshASNChange: none, TokRefreshCountryChange: none, TokRefreshDeviceChange: none,
		}},
	}
}

func method(is signals.Method) edit {
	return func(a *signals.Attempt, _ *signals.Observation) { a.Authentication.Method = is }
}

func TestAMRStrength(t *testing.T) {
	for _, c := range []struct {
		amr  []string
		want float32
	}{
		{[]string{"unheard"}, 0}, {[]string{"pwd"}, 1}, {[]string{"pwd", "pin"}, 1}, {[]string{"sms"}, 2}, {[]string{"pwd", "otp", "mfa"}, 3},
		{[]string{"fpt"}, 3}, {[]string{"hwk", "user"}, 3}, {[]string{"pin", "hwk"}, 4},
	} {
		if got := amrStrength(c.amr); got != c.want {
			t.Errorf("%v is %v, want %v", c.amr, got, c.want)
		}
	}
}
