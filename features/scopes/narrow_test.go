package scopes

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"
)

var noon = time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)

// parse reads a document that is in order.
func parse(tb testing.TB, d *Document, t Table) *Rules {
	tb.Helper()
	return Parse(d, t, func(path, format string, args ...any) { tb.Errorf(path+": "+format, args...) })
}

var table = Table{
	Scopes:   map[string]uint8{"openid": 0, "profile": 1, "accounts": 1, "balances": 1, "transactions": 2, "payments": 3, "beneficiaries": 3, "admin": 4, "unknown": 3},
	Details:  map[string]uint8{"account_information": 1, "account_information/read_transactions": 2, "account_information/transactions": 2, "payment_initiation": 3, "unknown": 3},
	Ceilings: [Levels]uint8{4, 3, 1},
}

func levels(low, medium, high int) map[string]int {
	return map[string]int{"low": low, "medium": medium, "high": high}
}

func usual() *Document {
	return &Document{
		LeastUse: map[uint8]float64{1: 0.05, 2: 0.1, 4: 0.3}, Risk: map[string]float64{"low": 1, "medium": 2, "high": 4}, Keep: []string{"openid"},
		History: levels(0, 90, 30), Validity: levels(180, 90, 30), Accounts: levels(0, 3, 1), Payees: levels(0, 2, 1),
		Amounts: map[string]map[string]float64{"EUR": {"low": 1000, "medium": 100, "high": 50.5}, "other": {"low": 0, "medium": 20, "high": 10}},
	}
}

// reach is how far a detail reaches, read in another way than the package does: everything
// that it names, how many, how far back and for how long, how much.
type reach struct {
	parts, lists map[string]int // lists: items; parts: 1
	back         float64        // days of transactions; 1e9 is all of them, -1 none
	until        float64        // days from noon; 1e9 is for ever
	most         map[string]float64
	orders       string
}

func (d *draws) reachOf(tb testing.TB, raw []byte) reach {
	tb.Helper()
	if r, ok := d.reaches[string(raw)]; ok {
		return r
	}
	var m map[string]any
	if err := json.Unmarshal(raw, &m); err != nil {
		tb.Fatalf("%s: %v", raw, err)
	}
	r := reach{parts: map[string]int{}, lists: map[string]int{}, most: map[string]float64{}, back: 1e9, until: 1e9}
	r.walk(m, "")
	named, transactions := len(r.parts) > 0, false
	for p := range r.parts {
		transactions = transactions || strings.Contains(strings.ToLower(p), "transaction")
	}
	if named && !transactions {
		r.back = -1
	} else {
		r.back = max(r.back, 0)
	}
	d.reaches[string(raw)] = r
	return r
}

func (r *reach) walk(m map[string]any, at string) {
	for name, v := range m {
		switch name {
		case "actions", "Permissions":
			for _, p := range v.([]any) {
				r.parts[p.(string)] = 1
			}
		case "access":
			for p, list := range v.(map[string]any) {
				r.parts[p] = 1
				r.lists[p] = size(list)
			}
		case "accounts", "payees":
			r.lists[name] = size(v)
		case "historyDays":
			r.back = min(r.back, v.(float64))
		case "transactionsFrom", "TransactionFromDateTime":
			r.back = min(r.back, -days(v.(string)))
		case "validUntil", "ExpirationDateTime", "ValidToDateTime":
			r.until = min(r.until, days(v.(string)))
		case "maximumAmount", "MaximumIndividualAmount":
			r.amount(at+name, v.(map[string]any))
		case "PeriodicLimits":
			for i, x := range v.([]any) {
				r.amount(fmt.Sprint(at, name, i), x.(map[string]any))
			}
		case "Data", "ControlParameters":
			r.walk(v.(map[string]any), at+name+".")
		case "instructedAmount", "creditorName", "payments":
			b, _ := json.Marshal(v)
			r.orders += name + string(b)
		}
	}
}

func (r *reach) amount(at string, m map[string]any) {
	for name, v := range m {
		if strings.EqualFold(name, "amount") {
			var f float64
			fmt.Sscan(v.(string), &f)
			r.most[at] = f
		}
	}
}

func size(v any) int {
	if list, ok := v.([]any); ok && len(list) > 0 {
		return len(list)
	}
	return 1 << 30 // a word or an empty list: whatever there is
}

func days(s string) float64 {
	t, err := time.Parse(time.RFC3339, s)
	if err != nil {
		if t, err = time.Parse(time.DateOnly, s); err != nil {
			panic(err)
		}
	}
	return t.Sub(noon).Hours() / 24
}

// within returns why a does not lie within b, or "".
func (a reach) within(b reach) string {
	for p := range a.parts {
		if b.parts[p] == 0 {
			return "part " + p
		}
	}
	for l, n := range a.lists {
		if n > b.lists[l] {
			return "list " + l
		}
	}
	for l, v := range a.most {
		if v > b.most[l] {
			return "amount " + l
		}
	}
	switch {
	case a.back > b.back:
		return "history"
	case a.until > b.until:
		return "validity"
	case a.orders != b.orders:
		return "what is paid"
	}
	return ""
}

// pick returns one of a list.
func pick[T any](r *rand.Rand, of ...T) T { return of[r.IntN(len(of))] }

func some(r *rand.Rand, names ...string) []string {
	out := []string{}
	for _, n := range names {
		if r.IntN(2) == 0 {
			out = append(out, n)
		}
	}
	if len(out) == 0 {
		out = append(out, pick(r, names...))
	}
	return out
}

type doc = map[string]any

// drawDetail returns a detail as clients of three standards write them.
func drawDetail(r *rand.Rand) Detail {
	account := func() []string { return []string{"a", "b", "c", "d", "e"}[:1+r.IntN(5)] }
	amount := func() string {
		return pick(r, "5", "12.50", "49.99", "50.5", "60.00", "99.99", "100", "500.00", "1000.00001", "5000")
	}
	date := func() string { return noon.AddDate(0, 0, r.IntN(800)-400).Format(time.DateOnly) }
	at := func() string { return noon.Add(time.Duration(r.IntN(20_000)-10_000) * time.Hour).Format(time.RFC3339) }
	maybe := func(d doc, name string, v any) {
		if r.IntN(2) == 0 {
			d[name] = v
		}
	}
	kind, d := "account_information", doc{}
	switch r.IntN(6) {
	case 0: // RFC 9396
		d["actions"] = some(r, "list_accounts", "read_balances", "read_transactions")
		maybe(d, "accounts", account())
		maybe(d, "historyDays", r.IntN(400))
		maybe(d, "validUntil", date())
		maybe(d, "transactionsFrom", date())
	case 1: // Berlin Group
		access := doc{}
		for _, p := range some(r, "accounts", "balances", "transactions", "allPsd2") {
			access[p] = account()
		}
		maybe(access, "transactions", pick[any](r, "allAccounts", []string{}))
		d["access"] = access
		d["recurringIndicator"] = r.IntN(2) == 0
		maybe(d, "validUntil", date())
	case 2: // UK Open Banking
		data := doc{"Permissions": some(r, "ReadAccountsBasic", "ReadBalances", "ReadTransactionsBasic")}
		maybe(data, "ExpirationDateTime", at())
		maybe(data, "TransactionFromDateTime", at())
		d["Data"] = data
	case 3: // names nothing
		maybe(d, "historyDays", r.IntN(400))
	case 4: // payments
		kind = "payment_initiation"
		d["instructedAmount"] = doc{"amount": amount(), "currency": pick(r, "EUR", "GBP")}
		d["creditorName"] = "Green Grocers"
		maybe(d, "payments", []doc{{"instructedAmount": doc{"amount": amount(), "currency": "EUR"}}})
		maybe(d, "payees", account())
	case 5: // a mandate
		kind = "payment_initiation"
		control := doc{"MaximumIndividualAmount": doc{"Amount": amount(), "Currency": pick(r, "EUR", "GBP")}}
		maybe(control, "PeriodicLimits", []doc{{"Amount": amount(), "Currency": "EUR", "PeriodType": "Month"}})
		maybe(control, "ValidToDateTime", at())
		d["ControlParameters"] = control
		maybe(d, "payees", account())
		maybe(d, "maximumAmount", doc{"amount": amount(), "currency": "EUR"})
	}
	d["type"] = kind
	raw, err := json.Marshal(d)
	if err != nil {
		panic(err)
	}
	return Detail{kind, raw}
}

var names = []string{"openid", "profile", "accounts", "balances", "transactions", "payments", "beneficiaries", "admin", "new:thing"}

// draws are what questions are put together of.
type draws struct {
	details []Detail
	counts  []Counts
	reaches map[string]reach // of details that have been looked at
	rarely  int              // one question in so many has details: they take most of the time
}

func newDraws(r *rand.Rand) *draws {
	d := &draws{reaches: map[string]reach{}, rarely: 2}
	for range 4000 {
		d.details = append(d.details, drawDetail(r))
	}
	for range 500 {
		c := Counts{}
		for _, item := range append(slices.Clone(names), "account_information", "account_information/read_balances", "account_information/read_transactions", "payment_initiation") {
			if granted := float64(r.IntN(200)); r.IntN(3) > 0 {
				c[item] = Count{granted, float64(r.IntN(1+int(granted))) * pick(r, 0, 0.02, 1)}
			}
		}
		d.counts = append(d.counts, c)
	}
	return d
}

func (d *draws) question(r *rand.Rand) *Question {
	q := &Question{Now: noon, Use: Evidence{Client: pick(r, d.counts...), Person: pick(r, d.counts...), Peers: d.counts[:r.IntN(3)]}}
	for _, s := range names {
		if r.IntN(2) == 0 {
			q.Scopes = append(q.Scopes, s)
		}
	}
	if r.IntN(d.rarely) == 0 {
		for range 1 + r.IntN(2) {
			q.Details = append(q.Details, pick(r, d.details...))
		}
	}
	if withheld := r.IntN(8); withheld < 2 {
		q.Withheld = func(item string) bool { return withheld == 0 || len(item)%2 == 0 }
	}
	return q
}

// broken returns how an answer to a question at a level, and the one at the level below
// it, break what the package promises, or "".
func (draws *draws) broken(tb testing.TB, q *Question, k, lower *Kept) string {
	at := 0
	for _, s := range k.Scopes {
		if i := slices.Index(q.Scopes[at:], s); i < 0 {
			return "scope " + s + " was not asked for, or is out of order"
		}
		if lower != nil && !slices.Contains(lower.Scopes, s) {
			return "more risk keeps scope " + s
		}
	}
	for _, s := range q.Scopes {
		removed := slices.ContainsFunc(k.Removed, func(r Removal) bool { return r.Scope == s && r.Because != "" })
		if removed == slices.Contains(k.Scopes, s) {
			return "scope " + s + " is withheld without a reason, or kept with one"
		}
	}
	at = 0
	for _, d := range k.Details {
		for at < len(q.Details) && (q.Details[at].Type != d.Type || !equal(q.Details[at].Raw, d.Raw) && draws.reachOf(tb, d.Raw).within(draws.reachOf(tb, q.Details[at].Raw)) != "") {
			at++
		}
		if at == len(q.Details) {
			return "detail " + string(d.Raw) + " lies in none that was asked for"
		}
		at++
		if lower != nil && !slices.ContainsFunc(lower.Details, func(l Detail) bool {
			return l.Type == d.Type && (equal(l.Raw, d.Raw) || draws.reachOf(tb, d.Raw).within(draws.reachOf(tb, l.Raw)) == "")
		}) {
			return "more risk keeps detail " + string(d.Raw)
		}
	}
	same := len(k.Details) == len(q.Details)
	for i := range k.Details {
		same = same && equal(k.Details[i].Raw, q.Details[i].Raw)
	}
	if same == slices.ContainsFunc(k.Removed, func(r Removal) bool { return r.Detail != "" && r.Because != "" }) {
		return "details are narrowed without a reason, or kept with one"
	}
	return ""
}

func equal(a, b []byte) bool { return string(a) == string(b) }

// violations counts questions of which an answer breaks a promise.
func violations(tb testing.TB, rules *Rules, cases, rarely int) (n int, first string) {
	r := rand.New(rand.NewPCG(7, 7))
	d := newDraws(r)
	d.rarely = rarely
	for i := range cases {
		q := d.question(r)
		var lower *Kept
		for l := range Levels {
			q.Level = l
			k := rules.Narrow(q)
			if why := d.broken(tb, q, &k, lower); why != "" {
				if n++; n == 1 {
					first = fmt.Sprintf("case %d, level %d: %s\nasked %v %s\nkept %v %s", i, l, why, q.Scopes, raws(q.Details), k.Scopes, raws(k.Details))
				}
				break
			}
			lower = &k
		}
	}
	return n, first
}

func raws(ds []Detail) (out []string) {
	for _, d := range ds {
		out = append(out, string(d.Raw))
	}
	return out
}

// TestItOnlyEverShrinks gets 1,000,000 answers: a third as many questions, each at every
// level of risk. What is kept lies within what was asked and within what less risk keeps,
// and what is withheld has a reason.
func TestItOnlyEverShrinks(t *testing.T) {
	answers := 1_000_000
	if testing.Short() {
		answers = 50_000
	}
	questions := (answers + Levels - 1) / Levels
	if n, first := violations(t, parse(t, usual(), table), questions, 40); n != 0 {
		t.Errorf("%d of %d questions break a promise: %s", n, questions, first)
	}
}

// TestTheShrinkingIsSeenToFail is the control: rules that no document can be, under
// which more risk gives more, are found out.
func TestTheShrinkingIsSeenToFail(t *testing.T) {
	for name, spoil := range map[string]func(*Rules){
		"ceilings rise":      func(r *Rules) { r.ceilings = [Levels]uint8{1, 2, 4} },
		"less use is needed": func(r *Rules) { r.risk = [Levels]float64{4, 2, 1} },
		"history grows":      func(r *Rules) { r.history = [Levels]int{30, 90, 0} },
		"validity grows":     func(r *Rules) { r.validity = [Levels]int{30, 90, 0} },
		"more accounts":      func(r *Rules) { r.accounts = [Levels]int{1, 3, 0} },
		"more payees":        func(r *Rules) { r.payees = [Levels]int{1, 2, 0} },
		"more money":         func(r *Rules) { r.amounts = map[string][Levels]float64{"EUR": {10, 100, 1000}} },
		"use counts backwards": func(r *Rules) {
			r.least, r.risk = [MaxSensitivity + 1]float64{0, 0.5, 0.5, 0.5, 0.5}, [Levels]float64{1, 0.1, 0.01}
		},
	} {
		rules := parse(t, usual(), table)
		rules.ceilings = [Levels]uint8{4, 4, 4} // so that details and use decide
		spoil(rules)
		if n, _ := violations(t, rules, 2_000, 2); n == 0 {
			t.Errorf("%s: no question of 2,000 tells", name)
		}
	}
	// And a payment that is changed, a detail that grows, a scope out of nowhere.
	q := &Question{Scopes: []string{"accounts"}, Details: []Detail{{"payment_initiation", []byte(`{"type":"payment_initiation","instructedAmount":{"amount":"5","currency":"EUR"}}`)}}}
	for _, k := range []Kept{
		{Scopes: []string{"accounts", "payments"}, Details: q.Details},
		{Scopes: []string{"accounts"}, Details: []Detail{{"payment_initiation", []byte(`{"type":"payment_initiation","instructedAmount":{"amount":"4","currency":"EUR"}}`)}},
			Removed: []Removal{{Detail: "payment_initiation", Because: "x"}}},
		{Scopes: []string{"accounts"}},
		{Details: q.Details},
	} {
		if (&draws{reaches: map[string]reach{}}).broken(t, q, &k, nil) == "" {
			t.Errorf("kept %v %s, and it is not found out", k.Scopes, raws(k.Details))
		}
	}
}

// TestDeterministic: the same question has the same answer, byte for byte.
func TestDeterministic(t *testing.T) {
	rules := parse(t, usual(), table)
	r := rand.New(rand.NewPCG(3, 3))
	d := newDraws(r)
	for range 2000 {
		q := d.question(r)
		q.Level = r.IntN(Levels)
		a, b := rules.Narrow(q), rules.Narrow(q)
		if fmt.Sprint(a) != fmt.Sprint(b) {
			t.Fatalf("%v, then %v", a, b)
		}
	}
}
