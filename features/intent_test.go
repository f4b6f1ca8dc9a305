package features

import (
	"math"
	"time"

	"github.com/waryauth/wary/signals"
)

func intentExamples() []example {
	scopes := func(names ...string) edit {
		return func(a *signals.Attempt, _ *signals.Observation) { a.Intent.Scopes = names }
	}
	details := func(types ...string) edit {
		return func(a *signals.Attempt, _ *signals.Observation) {
			a.Intent.Details = nil
			for _, t := range types {
				a.Intent.Details = append(a.Intent.Details, signals.Detail{Type: t})
			}
		}
	}
	pays := func(amount float64, payee, country string) edit {
		return func(a *signals.Attempt, _ *signals.Observation) {
			a.Action = signals.Payment
			a.Intent.Amount, a.Intent.Payee, a.Intent.PayeeCountry = signals.Some(amount), payee, country
		}
	}
	currency := func(is string) edit {
		return func(a *signals.Attempt, _ *signals.Observation) { a.Intent.Currency = is }
	}
	consent := func(n float64) edit {
		return func(a *signals.Attempt, _ *signals.Observation) {
			a.Action = signals.ConsentGrant
			a.Consent = signals.Consent{AccountsSelected: signals.Some(n), ReadTimeMS: signals.Some(n * 1000), ValidDays: signals.Some(n * 10), HistoryDays: signals.Some(n * 20)}
		}
	}
	return []example{
		{"no payee", atHome(), map[int]float64{PayUsersPerPayee24h: none, PayPayeeAgeDays: none, PayAmountOverETV: none}},
		// Two others paid the stranger, 5 days and 20 minutes ago.
		{"a payee whom others paid", atHome().tried(5*day, Allowed, subject("bob"), pays(10, "stranger", "")).tried(20*time.Minute, Allowed, subject("eve"), pays(10, "stranger", "")).
			edit(pays(10, "stranger", "")), map[int]float64{PayUsersPerPayee24h: linear(registers, 1), PayPayeeAgeDays: 5, PayAmountOverETV: none}},
		{"a payee whom nobody knows", atHome().edit(both(pays(250.01, "stranger", ""), currency("EUR"))), map[int]float64{PayUsersPerPayee24h: 0, PayPayeeAgeDays: 0, PayAmountOverETV: 2}},
		{"exactly a threshold", atHome().edit(both(pays(100, "stranger", ""), currency("EUR"))), map[int]float64{PayAmountOverETV: 0}},
		{"above all thresholds", atHome().edit(both(pays(500.01, "stranger", ""), currency("EUR"))), map[int]float64{PayAmountOverETV: 3}},
		{"in other money", atHome().edit(both(pays(1000, "stranger", ""), currency("SEK"))), map[int]float64{PayAmountOverETV: none}},
		{"asks for nothing", atHome(), map[int]float64{
			ConAction: 1, ConScopeCount: 0, ConScopeNewForUser: none, ConScopeNewForClient: none, ConScopeDeltaVsLast: none, ConDetailsCount: 0, ConRARTypeNew: none,
			ConConsentDurationDays: none, ConHistoryDepthDays: none, ConAccountsCount: none, ConConsentReadMS: none, ConFirstConsentToTPP: 1, ConReconsentGapDays: none,
			ConUsersGrantingBurst: 0, PayAmount: none, PayAmountVsMean: none, PayAmountZUser: none, PayPayeeNew: none, PayPayeesPerUser24h: 0, PayPayeeCountryMismatch: none, PayPayeeOnceShareUser: none,
		}},
		// Anna granted a and b to this client yesterday and c to another; Bob granted
		// d to this one. Now a, c, d and e.
		{"asks for more", atHome().succeeded(2*day, scopes("c"), func(a *signals.Attempt, _ *signals.Observation) { a.Client.ID = "tpp-2" }).
			succeeded(day, scopes("a", "b"), details("accounts")).succeeded(10*time.Minute, scopes("d"), subject("bob")).
			edit(scopes("a", "c", "d", "e")).edit(details("accounts", "payment", "payment")), map[int]float64{
			ConScopeCount: 4, ConScopeNewForUser: 2, ConScopeNewForClient: 2, ConScopeDeltaVsLast: 3, ConDetailsCount: 3, ConRARTypeNew: 1,
			ConFirstConsentToTPP: 0, ConReconsentGapDays: 1, ConUsersGrantingBurst: 1,
		}},
		{"asks for the same", atHome().succeeded(day, scopes("a"), details("accounts")).edit(scopes("a")).edit(details("accounts")), map[int]float64{
			ConScopeNewForUser: 0, ConScopeNewForClient: 0, ConScopeDeltaVsLast: 0, ConRARTypeNew: 0,
		}},
		{"a long consent", atHome().edit(consent(3)), map[int]float64{
			ConAction: 2, ConAccountsCount: 3, ConConsentReadMS: 3000, ConConsentDurationDays: 30, ConHistoryDepthDays: 60,
		}},
		{"a short consent", atHome().edit(consent(1)), map[int]float64{ConAccountsCount: 1, ConConsentReadMS: 1000, ConConsentDurationDays: 10, ConHistoryDepthDays: 20}},
		// Payments of 10, 20 and 40: their logarithms are log 2 apart, so the mean is
		// log 20 and the deviation log 2 * sqrt(2/3). Now 160, three times log 2 above.
		{"a large payment to a stranger abroad", atHome().succeeded(3*day, pays(10, "shop", "DE")).succeeded(2*day, pays(20, "shop", "DE")).succeeded(time.Hour, pays(40, "pub", "DE")).
			edit(pays(160, "stranger", "LT")), map[int]float64{
			ConAction: 6, PayAmount: 160, PayAmountVsMean: 3 * math.Ln2, PayAmountZUser: 3 / math.Sqrt(2.0/3), PayPayeeNew: 1, PayPayeesPerUser24h: linear(32, 1),
			PayPayeeCountryMismatch: 1, PayPayeeOnceShareUser: 1.0 / 3,
		}},
		{"the usual payment", atHome().succeeded(3*day, pays(10, "shop", "DE")).succeeded(2*day, pays(10, "shop", "DE")).edit(pays(10, "shop", "DE")), map[int]float64{
			PayAmountVsMean: 0, PayAmountZUser: none, PayPayeeNew: 0, PayPayeeCountryMismatch: 0, PayPayeesPerUser24h: 0, PayPayeeOnceShareUser: 0,
		}},
		// The deviation of equal amounts is taken to be 0.25.
		{"a little more than ever", atHome().succeeded(3*day, pays(10, "shop", "")).succeeded(2*day, pays(10, "shop", "")).succeeded(day, pays(10, "shop", "")).
			edit(pays(20, "shop", "")), map[int]float64{PayAmountZUser: math.Ln2 / 0.25, PayPayeeCountryMismatch: none}},
	}
}
