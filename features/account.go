package features

import "github.com/waryauth/wary/signals"

// Account is what events told of a user or a client: when each type of event came
// last. Its folds commute. It holds no pointer and no padding.
type Account struct {
	at [len(signals.EventTypes) - 1]uint32 // Unix seconds, 0 never
}

// Event notes an event.
func (a *Account) Event(e signals.EventType, m *Moment) {
	a.at[e-1] = max(a.at[e-1], m.seconds())
}

// Tells reports whether an event says something that a feature asks for: of others
// nothing is kept.
func Tells(e signals.EventType) bool {
	switch e {
	case signals.CredentialAdded, signals.CredentialRemoved, signals.PasswordChanged, signals.RecoveryStarted, signals.DeviceEnrolled,
		signals.ContactChanged, signals.SessionRevoked, signals.ConsentWithdrawn, signals.ClientChanged:
		return true
	}
	return false
}

// told reports whether there was any event.
func (a *Account) told() bool { return *a != Account{} }

// within reports whether an event of a type came in the last days before a moment.
func (a *Account) within(e signals.EventType, days int64, m *Moment) bool {
	at := a.at[e-1]
	return at != 0 && m.ms-millis(at) < days*msPerDay
}

func extractAccount(v *Vector, x *input) {
	const today, week = 1, 7
	if c := &x.p.Registration; c.told() {
		v[TPPClientChanged7d] = one(c.within(signals.ClientChanged, week, &x.now))
	}
	a := &x.p.Account
	if !x.subject || !a.told() {
		return
	}
	v[HisPasswordChanged24h] = one(a.within(signals.PasswordChanged, today, &x.now))
	v[HisEmailChanged7d] = one(a.within(signals.ContactChanged, week, &x.now))
	v[HisMFARemoved7d] = one(a.within(signals.CredentialRemoved, week, &x.now))
	v[HisRecoveryActivated] = one(a.within(signals.RecoveryStarted, week, &x.now))
	v[HisTakeoverSequence] = one(a.within(signals.RecoveryStarted, today, &x.now)) + v[HisPasswordChanged24h] +
		one(a.within(signals.ContactChanged, today, &x.now)) + one(a.within(signals.CredentialRemoved, today, &x.now)) +
		one(a.within(signals.CredentialAdded, today, &x.now) || a.within(signals.DeviceEnrolled, today, &x.now))
	v[TokSessionRevokedRecent] = one(a.within(signals.SessionRevoked, today, &x.now))
	v[ConConsentRevoked24h] = one(a.within(signals.ConsentWithdrawn, today, &x.now))
}
