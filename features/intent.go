package features

import (
	"math"
	"math/bits"

	"github.com/waryauth/wary/signals"
)

func extractIntent(v *Vector, x *input) {
	intentScopes(v, x)
	intentConsent(v, x)
	intentPayment(v, x)
	if x.t.Action != 0 {
		v[ConAction] = float32(x.t.Action)
	}
}

func intentScopes(v *Vector, x *input) {
	v[ConScopeCount] = float32(len(x.a.Intent.Scopes))
	v[ConDetailsCount] = float32(len(x.a.Intent.Details))
	t := x.t
	if t.Details != 0 && t.Client != 0 {
		v[ConRARTypeNew] = added(t.Details, x.p.Client.details)
	}
	if t.Scopes == 0 {
		return
	}
	if x.subject {
		v[ConScopeNewForUser] = added(t.Scopes, x.p.User.scopes)
	}
	if t.Client != 0 {
		v[ConScopeNewForClient] = added(t.Scopes, x.p.Client.scopes)
	}
	if x.p.Pair.scopes != 0 {
		v[ConScopeDeltaVsLast] = added(t.Scopes, x.p.Pair.scopes)
	}
}

// added returns how many members a set has that another lacks.
func added(set, other uint64) float32 { return float32(bits.OnesCount64(set &^ other)) }

func intentConsent(v *Vector, x *input) {
	c := &x.a.Consent
	v[ConConsentDurationDays] = number(c.ValidDays)
	v[ConHistoryDepthDays] = number(c.HistoryDays)
	v[ConAccountsCount] = number(c.AccountsSelected)
	v[ConConsentReadMS] = number(c.ReadTimeMS)
	if x.t.Client == 0 {
		return
	}
	v[ConUsersGrantingBurst] = x.p.Client.lookAt(&x.now).newcomersHour()
	if x.subject {
		v[ConFirstConsentToTPP] = one(x.p.Pair.Successes == 0)
		v[ConReconsentGapDays] = x.daysSince(millis(x.p.Pair.lastSuccess))
	}
}

func intentPayment(v *Vector, x *input) {
	u := &x.p.User
	if x.t.AmountMinor >= 0 {
		v[PayAmount] = float32(x.t.AmountMinor) / 100
	}
	if x.subject && x.t.AmountMinor > 0 && u.amount.n > 0 {
		amount := float32(math.Log(float64(x.t.AmountMinor)))
		v[PayAmountVsMean] = amount - u.amount.mean
		if u.amount.n >= 3 {
			v[PayAmountZUser] = u.amount.z(amount, 0.25)
		}
	}
	if x.subject {
		v[PayPayeeOnceShareUser] = once(u.of(ofPayee), u.amount.n)
		v[PayPayeesPerUser24h] = u.lookAt(&x.now).payeesDay()
		if x.t.Payee != 0 {
			v[PayPayeeNew] = one(seen(u.of(ofPayee), short(x.t.Payee)) == nil)
		}
	}
	if x.t.Payee != 0 {
		s := x.p.Payee.lookAt(&x.now)
		v[PayUsersPerPayee24h] = s.users(Day)
		v[PayPayeeAgeDays] = x.agedDays(s.first)
	}
	if x.t.AmountMinor >= 0 && x.a.Intent.Currency == "EUR" {
		v[PayAmountOverETV] = one(x.t.AmountMinor > 100_00) + one(x.t.AmountMinor > 250_00) + one(x.t.AmountMinor > 500_00)
	}
	if c := x.a.Intent.PayeeCountry; len(c) == 2 && x.t.CountryCode != (signals.Country{}) {
		v[PayPayeeCountryMismatch] = one(c[0] != x.t.CountryCode[0] || c[1] != x.t.CountryCode[1])
	}
}
