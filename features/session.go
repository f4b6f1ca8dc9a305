package features

import (
	"time"

	"github.com/waryauth/wary/signals"
)

func extractSession(v *Vector, x *input) {
	sessionCredential(v, x)
	sessionToken(v, x)
	sessionBehaviour(v, x)

	s := &x.a.Session
	v[TokAuthAgeS] = x.secondsSince(s.AuthTime)
	v[TokSessionAgeS] = x.secondsSince(s.Created)
	v[TokUserPresent] = answer(x.a.UserPresent)
}

// secondsSince returns the seconds from a time to the attempt, none for the
// future; NaN where the time is missing.
func (x *input) secondsSince(t time.Time) float32 {
	if t.IsZero() {
		return nan()
	}
	return float32(max(x.now.ms-t.UnixMilli(), 0)) / 1000
}

func sessionCredential(v *Vector, x *input) {
	c := &x.a.Authentication
	if len(x.a.Session.AMR) > 0 {
		v[TokAMRStrength] = amrStrength(x.a.Session.AMR)
	}
	if c.Method != 0 && int(c.Method) < len(methodStrength) && c.Method != signals.OtherMethod {
		v[TokMethodStrength] = methodStrength[c.Method]
	}
	switch c.Result {
	case signals.Success:
		v[TokResultFailed] = 0
	case signals.Failure:
		v[TokResultFailed] = 1
	}
	v[TokRecentFailures] = number(c.RecentFailures)
	v[TokCredentialAgeDays] = number(c.CredentialAgeDays)
	if x.history {
		v[TokProofWeaker] = x.p.User.proven.lacking(x.t.Flags, ProofTold, Proven)
	}
	v[TokRecoveryInProgress] = answer(c.RecoveryInProgress)
}

// methodStrength ranks methods by how hard they are to steal from afar.
var methodStrength = [...]float32{
	signals.Password: 1, signals.OTP: 2, signals.SMS: 2, signals.Push: 2, signals.Passkey: 3, signals.Biometric: 3,
	signals.EmailLink: 1, signals.Decoupled: 2, signals.Federated: 1, signals.NoMethod: 0, signals.OtherMethod: 0,
}

// amrStrength ranks a list of methods (RFC 8176, section 2): the strongest, and
// one more where knowledge comes with something else.
func amrStrength(amr []string) float32 {
	strongest, knowledge, other := float32(0), false, false
	for _, m := range amr {
		switch m {
		case "pwd", "pin", "kba":
			strongest, knowledge = max(strongest, 1), true
		case "otp", "sms", "tel", "mca", "sc":
			strongest, other = max(strongest, 2), true
		case "hwk", "swk", "pop", "fpt", "face", "iris", "retina", "vbm", "user":
			strongest, other = max(strongest, 3), true
		case "mfa":
			strongest = max(strongest, 2)
		}
	}
	return strongest + one(knowledge && other)
}

func sessionToken(v *Vector, x *input) {
	k := &x.a.Token
	v[TokDPoPNonceFailures] = number(k.NonceFailures)
	v[TokTokenAgeS] = x.secondsSince(k.Issued)
	if k.Binding != 0 {
		v[TokBindingMissing] = one(k.Binding == signals.Unbound)
	}
	if x.subject {
		v[TokDPoPJKTNew] = strange(x.p.User.of(ofProof), short(x.t.Proof))
	}
	if !usesToken(x.t.Action) {
		return
	}
	p := &x.p.Pair
	v[TokRefreshASNChange] = differs(p.asn, short(x.t.ASN))
	v[TokRefreshCountryChange] = differs(p.country, short(x.t.Country))
	v[TokRefreshDeviceChange] = differs(p.agent, short(x.t.Agent))
}

// differs compares two keys; NaN where either is missing.
func differs(a, b uint32) float32 {
	if a == 0 || b == 0 {
		return nan()
	}
	return one(a != b)
}

func sessionBehaviour(v *Vector, x *input) {
	b := &x.a.Behaviour
	v[BehAutomationFramework] = answer(x.a.Device.Webdriver)
	v[BehPasteInCredentials] = answer(b.Keys.Pasted)
	v[BehPasswordManager] = answer(b.Keys.Autofilled)
	v[BehKeysTyped] = number(b.Keys.Count)
	v[BehPointerStraightRatio] = number(b.Pointer.Straight)
	v[BehPointerRightAngleRatio] = number(b.Pointer.RightAngles)
	v[BehPointerMinorAngleRatio] = number(b.Pointer.SmallAngles)
	v[BehTimeOnPageMS] = number(b.Form.DwellMS)
	v[BehFocusSwitches] = number(b.Form.FocusSwitches)
	if b.Keys.Count.Set || b.Pointer.Moves.Set {
		v[BehNoInteractionBeforeClick] = one(b.Keys.Count.Value == 0 && b.Pointer.Moves.Value == 0 && !b.Keys.Autofilled.Value)
	}
	behaviourPointer(v, b)
	if b.Motion.Set && handheld(x.o.Agent.Class) {
		v[BehMotionStatic] = one(!b.Motion.Value)
	}
}

func behaviourPointer(v *Vector, b *signals.Behaviour) {
	p := &b.Pointer
	v[BehPointerMoves] = number(p.Moves)
	v[BehPointerClicks] = number(p.Clicks)
	if p.SpeedPXS.Set {
		slow, median, fast := p.SpeedPXS.Value[0], p.SpeedPXS.Value[1], p.SpeedPXS.Value[2]
		v[BehPointerSpeedPXS] = number(signals.Some(median))
		v[BehPointerSpeedRatio] = float32(fast / max(slow, 1))
	}
	if b.Form.DwellMS.Set && (b.Keys.Count.Set || p.Moves.Set || p.Clicks.Set) {
		events := b.Keys.Count.Value + p.Moves.Value + p.Clicks.Value
		v[BehEventRate] = float32(1000 * events / max(b.Form.DwellMS.Value, 1))
	}
}
