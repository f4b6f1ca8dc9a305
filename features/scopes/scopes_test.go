package scopes

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
)

// TestExpect: by hand, with a strength of 8.
func TestExpect(t *testing.T) {
	rules := parse(t, &Document{Strength: 8}, table)
	of := func(granted, used float64) Counts { return Counts{"payments": {granted, used}} }
	for _, c := range []struct {
		name string
		e    Evidence
		want float64
	}{
		{"nothing is known", Evidence{}, 1},
		{"never used in 72 grants", Evidence{Client: of(72, 0)}, 8.0 / 80},
		{"used in half of 8", Evidence{Client: of(8, 4)}, 12.0 / 16},
		{"a new client whose peers never use it", Evidence{Peers: []Counts{of(8, 0), of(8, 0), of(8, 0)}}, 8.0 / 32},
		{"a peer weighs 8 grants at most", Evidence{Peers: []Counts{of(8_000_000, 0), of(8, 8)}}, 16.0 / 24},
		{"of this person it was always used", Evidence{Client: of(72, 0), Person: of(8, 8)}, (8*0.1 + 8) / 16},
		{"what is no count", Evidence{Client: of(math.NaN(), 1), Person: of(-4, 2)}, 1},
		{"more uses than grants", Evidence{Client: of(8, 1000)}, 1},
	} {
		if got := rules.Expect("payments", &c.e); math.Abs(got-c.want) > 1e-12 {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}

// TestDetails: details of three standards, asked and kept.
func TestDetails(t *testing.T) {
	rules := parse(t, usual(), table)
	const low, medium, high = 0, 1, 2
	for _, c := range []struct {
		name  string
		level int
		asked string
		kept  string // "": withheld
		why   string // part:code of what is withheld
	}{
		{"as asked", low, `{"type":"account_information","actions":["read_balances"]}`, `{"type":"account_information","actions":["read_balances"]}`, ""},
		{"an action above the ceiling", high, `{"type":"account_information","actions":["read_balances","read_transactions"]}`, `{"type":"account_information","actions":["read_balances"]}`, "read_transactions:sensitivity"},
		{"no list is emptied", high, `{"type":"account_information","actions":["read_transactions"]}`, "", ":sensitivity"},
		{"days", medium, `{"type":"account_information","historyDays":365}`, `{"type":"account_information","historyDays":90}`, "historyDays:history"},
		{"all there is", medium, `{"type":"account_information","actions":["read_transactions"]}`, `{"type":"account_information","actions":["read_transactions"],"historyDays":90}`, "historyDays:history"},
		{"no transactions, no history", medium, `{"type":"account_information","actions":["read_balances"]}`, `{"type":"account_information","actions":["read_balances"]}`, ""},
		{"Berlin Group", medium, `{"type":"account_information","access":{"balances":["a","b","c","d"],"transactions":["a"]},"recurringIndicator":true,"validUntil":"2027-11-01"}`,
			`{"type":"account_information","access":{"balances":["a","b","c"],"transactions":["a"]},"recurringIndicator":true,"validUntil":"2027-02-23","historyDays":90}`,
			"balances:accounts historyDays:history validUntil:validity"},
		{"a word for all accounts", medium, `{"type":"account_information","access":{"accounts":["a"],"allPsd2":"allAccounts"}}`, `{"type":"account_information","access":{"accounts":["a"]}}`, "allPsd2:accounts"},
		{"access that goes on", low, `{"type":"account_information","recurringIndicator":true}`, `{"type":"account_information","recurringIndicator":true,"validUntil":"2027-05-24"}`, "validUntil:validity"},
		{"UK Open Banking", medium, `{"type":"account_information","Data":{"Permissions":["ReadTransactionsBasic"],"ExpirationDateTime":"2028-01-01T00:00:00+00:00","TransactionFromDateTime":"2026-01-01T00:00:00Z"}}`,
			`{"type":"account_information","Data":{"Permissions":["ReadTransactionsBasic"],"ExpirationDateTime":"2027-02-23T00:00:00Z","TransactionFromDateTime":"2026-08-27T00:00:00Z"}}`,
			"TransactionFromDateTime:history ExpirationDateTime:validity"},
		{"a payment as asked", low, `{"type":"payment_initiation","instructedAmount":{"amount":"999.99","currency":"EUR"},"creditorName":"x"}`,
			`{"type":"payment_initiation","instructedAmount":{"amount":"999.99","currency":"EUR"},"creditorName":"x"}`, ""},
		{"or not at all", low, `{"type":"payment_initiation","instructedAmount":{"amount":"1000.01","currency":"EUR"},"creditorName":"x"}`, "", ":amount"},
		{"several together", low, `{"type":"payment_initiation","payments":[{"instructedAmount":{"amount":"600","currency":"EUR"}},{"instructedAmount":{"amount":"600","currency":"EUR"}}]}`, "", ":amount"},
		{"an amount that nobody can read", low, `{"type":"payment_initiation","instructedAmount":{"amount":"1e9","currency":"EUR"}}`, "", ":unreadable"},
		{"a mandate", medium, `{"type":"payment_initiation","ControlParameters":{"MaximumIndividualAmount":{"Amount":"250.00","Currency":"EUR"},"ValidToDateTime":"2026-12-01T00:00:00Z"}}`,
			`{"type":"payment_initiation","ControlParameters":{"MaximumIndividualAmount":{"Amount":"100","Currency":"EUR"},"ValidToDateTime":"2026-12-01T00:00:00Z"}}`, "MaximumIndividualAmount:amount"},
		{"payees of a mandate", medium, `{"type":"payment_initiation","payees":["a","b","c"],"maximumAmount":{"amount":"5","currency":"GBP"},"validUntil":"2026-12-01"}`,
			`{"type":"payment_initiation","payees":["a","b"],"maximumAmount":{"amount":"5","currency":"GBP"},"validUntil":"2026-12-01"}`, "payees:payees"},
		{"two of a name", low, `{"type":"account_information","historyDays":1,"historyDays":9999}`, "", ":unreadable"},
		{"a date that is none", medium, `{"type":"account_information","dateFrom":"yesterday"}`, "", ":unreadable"},
		{"beyond what a grant can hold", low, `{"type":"account_information","actions":["` + strings.Repeat(`a","`, 32) + `b"]}`, "", ":unreadable"},
	} {
		t.Run(c.name, func(t *testing.T) {
			kind := "account_information"
			if strings.Contains(c.asked, "payment_initiation") {
				kind = "payment_initiation"
			}
			k := rules.Narrow(&Question{Details: []Detail{{kind, []byte(c.asked)}}, Level: c.level, Now: noon})
			got := ""
			if len(k.Details) > 0 {
				got = string(k.Details[0].Raw)
			}
			var why []string
			for _, r := range k.Removed {
				why = append(why, r.Part+":"+string(r.Code))
			}
			if got != c.kept || strings.Join(why, " ") != c.why {
				t.Errorf("kept     %s\nwant     %s\nwithheld %v, want %s", got, c.kept, why, c.why)
			}
		})
	}
}

// TestWithoutTheSection keeps everything.
func TestWithoutTheSection(t *testing.T) {
	q := &Question{Scopes: []string{"admin", "payments"}, Details: []Detail{{"x", []byte(`nonsense`)}}, Level: 2, Use: Evidence{Client: Counts{"payments": {1000, 0}}}}
	for _, r := range []*Rules{nil, parse(t, nil, table)} {
		if k := r.Narrow(q); !slices.Equal(k.Scopes, q.Scopes) || len(k.Details) != 1 || len(k.Removed) != 0 {
			t.Error(k)
		}
	}
}

// TestDefects: each is told, with its path.
func TestDefects(t *testing.T) {
	for _, c := range []struct {
		path string
		doc  Document
	}{
		{"narrowing.least_use", Document{LeastUse: map[uint8]float64{2: 0.5, 3: 0.1}}},
		{"narrowing.least_use", Document{LeastUse: map[uint8]float64{2: 1.5}}},
		{"narrowing.least_use", Document{LeastUse: map[uint8]float64{2: math.NaN()}}},
		{"narrowing.least_use", Document{LeastUse: map[uint8]float64{10: 0.5}}},
		{"narrowing.risk.high", Document{Risk: map[string]float64{"low": 1, "medium": 3, "high": 2}}},
		{"narrowing.risk.low", Document{Risk: map[string]float64{"low": 0.5, "medium": 3, "high": 3}}},
		{"narrowing.risk", Document{Risk: map[string]float64{"low": 1, "medium": 3}}},
		{"narrowing.strength", Document{Strength: 0.5}},
		{"narrowing.half_life_days", Document{HalfLife: -1}},
		{"narrowing.keep", Document{Keep: []string{""}}},
		{"narrowing.history_days.high", Document{History: levels(0, 30, 0)}},
		{"narrowing.history_days.medium", Document{History: levels(30, 90, 10)}},
		{"narrowing.validity_days.extreme", Document{Validity: map[string]int{"low": 3, "medium": 3, "high": 3, "extreme": 1}}},
		{"narrowing.accounts.low", Document{Accounts: levels(-1, 0, 0)}},
		{"narrowing.payees.high", Document{Payees: levels(2, 2, 3)}},
		{"narrowing.amounts.euro", Document{Amounts: map[string]map[string]float64{"euro": {"low": 3, "medium": 2, "high": 1}}}},
		{"narrowing.amounts.EUR.high", Document{Amounts: map[string]map[string]float64{"EUR": {"low": 3, "medium": 2, "high": 2.5}}}},
	} {
		var told []string
		Parse(&c.doc, table, func(path, format string, args ...any) { told = append(told, path+": "+fmt.Sprintf(format, args...)) })
		if len(told) == 0 || !slices.ContainsFunc(told, func(s string) bool { return strings.HasPrefix(s, c.path+": ") }) {
			t.Errorf("%+v: told %q, want %s", c.doc, told, c.path)
		}
	}
}

// FuzzDetail: whatever a detail says, what is kept of it lies within it, and is an object
// that keeps no more at more risk.
func FuzzDetail(f *testing.F) {
	for _, seed := range []string{
		`{"type":"account_information","actions":["read_balances","read_transactions"],"historyDays":365}`,
		`{"type":"account_information","access":{"balances":["a"],"allPsd2":"allAccounts"},"recurringIndicator":true}`,
		`{"type":"x","Data":{"Data":{"Data":{"Permissions":["a"]}}}}`, `{"ControlParameters":{"PeriodicLimits":[{"Amount":"1","Currency":"EUR"},{}]}}`,
		`{"instructedAmount":{"amount":"1","currency":"EUR"}}`, `[]`, `{"a":1,"a":2}`, `{"actions":[null]}`, `{"accounts":null}`, "{\"\\u0061ctions\":[\"a\",\"b\"]}",
	} {
		f.Add(seed)
	}
	rules := parse(f, usual(), table)
	f.Fuzz(func(t *testing.T, raw string) {
		least := 1 << 30
		for level := range Levels {
			q := &Question{Scopes: []string{"a", "b"}, Details: []Detail{{"account_information", []byte(raw)}}, Level: level, Now: noon}
			k := rules.Narrow(q)
			if len(k.Details) > least {
				t.Fatalf("level %d keeps what level %d does not", level, level-1)
			}
			least = len(k.Details)
			if len(k.Details) == 0 {
				continue
			}
			asked, err := readObject([]byte(raw))
			if err != nil {
				t.Fatalf("%q is no object and was kept", raw)
			}
			kept, err := readObject(k.Details[0].Raw)
			if err != nil {
				t.Fatalf("%q became %s: %v", raw, k.Details[0].Raw, err)
			}
			for _, p := range kept.parts() {
				if !slices.Contains(asked.parts(), p) {
					t.Fatalf("%q became %s: part %q", raw, k.Details[0].Raw, p)
				}
			}
		}
	})
}
