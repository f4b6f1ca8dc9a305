package scopes

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Members of authorization details by what they mean: as RFC 9396 and the demonstration
// write them, as the Berlin Group's NextGenPSD2 does, and as UK Open Banking does.
var (
	partLists = []string{"actions", "permissions", "Permissions"} // lists of what may be done
	payeeList = []string{"payees", "creditors", "beneficiaries"}
	nested    = []string{"Data", "ControlParameters"} // objects whose members count as the detail's
	depthDays = []string{"historyDays"}
	depthFrom = []string{"transactionsFrom", "dateFrom", "TransactionFromDateTime"}
	untils    = []string{"validUntil", "validTo", "expirationDateTime", "ExpirationDateTime", "ValidToDateTime"}
	mandates  = []string{"maximumAmount", "MaximumIndividualAmount"}
	ordered   = []string{"instructedAmount", "InstructedAmount"} // of one payment
)

const (
	accounts  = "accounts"
	access    = "access" // Berlin Group: an object of lists of accounts, by what may be seen of them
	recurring = "recurringIndicator"
	periodic  = "PeriodicLimits"

	// maxParts bounds what one detail may name: a grant holds a reason for each.
	maxParts = 32
)

// detail returns a detail narrowed, or false where all of it is withheld.
func (n *narrowing) detail(d Detail) (Detail, bool) {
	withhold := func(code Code, format string, args ...any) (Detail, bool) {
		n.limited(&d, "", code, format, args...)
		return Detail{}, false
	}
	if code, because := n.refuses(d.Type, n.sensitivityIn(d.Type, "")); code != "" {
		return withhold(code, "%s", because)
	}
	o, err := readObject(d.Raw)
	if err != nil || len(o.parts()) > maxParts {
		return withhold(Unreadable, "it cannot be understood")
	}
	var paid payment
	if !paid.read(d.Raw, 0) {
		return withhold(Unreadable, "its amounts cannot be understood")
	}
	if paid.orders > 0 { // as asked, or not at all
		for _, currency := range paid.currencies {
			if most := n.limit(currency, n.level); most > 0 && paid.sums[currency] > most {
				return withhold(Amount, "payments above %s %s are not possible at this risk", money(most), currency)
			}
		}
		if most := n.payees[n.level]; most > 0 && paid.payees > most {
			return withhold(Payees, "payments to more than %d payees are not possible at this risk", most)
		}
		return d, true
	}
	before := len(n.kept.Removed)
	if code := n.shrink(&d, &o, 0); code != "" {
		n.kept.Removed = n.kept.Removed[:before]
		if code == Unreadable {
			return withhold(code, "it cannot be understood")
		}
		return withhold(code, "nothing of it is needed or allowed at this risk")
	}
	if len(n.kept.Removed) == before {
		return d, true
	}
	return Detail{Type: d.Type, Raw: o.raw()}, true
}

// shrink narrows the members of an object. A code says that nothing would be left, or
// that it cannot be understood: no list is ever emptied, for an empty or missing list
// may mean everything.
func (n *narrowing) shrink(d *Detail, o *object, depth int) Code {
	for i := range *o {
		m := &(*o)[i]
		var code Code
		switch {
		case slices.Contains(partLists, m.name):
			code = n.partsOf(d, m)
		case m.name == access:
			code = n.accessOf(d, m)
		case m.name == accounts:
			code = n.first(d, m, accounts, n.accounts[n.level], Accounts)
		case slices.Contains(payeeList, m.name):
			code = n.first(d, m, m.name, n.payees[n.level], Payees)
		case slices.Contains(mandates, m.name):
			code = n.mandate(d, m)
		case m.name == periodic:
			code = n.mandateList(d, m)
		case slices.Contains(nested, m.name) && depth < 2:
			inner, err := readObject(m.value)
			if err != nil {
				return Unreadable
			}
			code = n.shrink(d, &inner, depth+1)
			m.value = inner.raw()
		}
		if code != "" {
			return code
		}
	}
	if code := n.depth(d, o, depth); code != "" {
		return code
	}
	return n.until(d, o, depth)
}

// parts returns the parts that a detail names, in its lists and its access.
func (o object) parts() []string {
	out := o.ownParts()
	for _, m := range o {
		if slices.Contains(nested, m.name) {
			if inner, err := readObject(m.value); err == nil {
				out = append(out, inner.parts()...)
			}
		}
	}
	return out
}

// ownParts leaves out those of objects within.
func (o object) ownParts() (out []string) {
	for _, m := range o {
		switch {
		case slices.Contains(partLists, m.name):
			if names, ok := texts(m.value); ok {
				out = append(out, names...)
			}
		case m.name == access:
			if inner, err := readObject(m.value); err == nil {
				for _, x := range inner {
					out = append(out, x.name)
				}
			}
		}
	}
	return out
}

// partsOf narrows a list of what may be done.
func (n *narrowing) partsOf(d *Detail, m *member) Code {
	names, ok := texts(m.value)
	if !ok {
		return Unreadable
	}
	var kept []string
	var why Code
	for _, part := range names {
		if code := n.refusesPart(d, part); code != "" {
			why = code
		} else {
			kept = append(kept, part)
		}
	}
	switch {
	case len(kept) == len(names):
		return ""
	case len(kept) == 0:
		return why
	}
	o := object{*m}
	o.put(m.name, kept)
	*m = o[0]
	return ""
}

// refusesPart notes and returns why a part of a detail is withheld.
func (n *narrowing) refusesPart(d *Detail, part string) Code {
	code, because := n.refuses(ItemOf(d.Type, part), n.sensitivityIn(d.Type, part))
	if code != "" {
		n.limited(d, part, code, "%s: %s", part, because)
	}
	return code
}

// accessOf narrows an access object: each of its members is a part, and holds a list of
// accounts, or a word such as allAccounts.
func (n *narrowing) accessOf(d *Detail, m *member) Code {
	o, err := readObject(m.value)
	if err != nil {
		return Unreadable
	}
	var kept object
	var why Code
	for _, x := range o {
		if code := n.refusesPart(d, x.name); code != "" {
			why = code
			continue
		}
		if code := n.first(d, &x, x.name, n.accounts[n.level], Accounts); code != "" {
			n.limited(d, x.name, code, "%s: access to all accounts is not possible at this risk", x.name)
			why = code
			continue
		}
		kept = append(kept, x)
	}
	if len(kept) == 0 && len(o) > 0 {
		return why
	}
	m.value = kept.raw()
	return ""
}

// first keeps the first of a list, as many as a limit allows. What is no list, or an empty
// one, may mean everything, and is not kept under a limit.
func (n *narrowing) first(d *Detail, m *member, part string, most int, code Code) Code {
	if most == 0 {
		return ""
	}
	var items []json.RawMessage
	if json.Unmarshal(m.value, &items) != nil || len(items) == 0 {
		return code
	}
	if len(items) <= most {
		return ""
	}
	o := object{*m}
	o.put(m.name, items[:most])
	*m = o[0]
	n.limited(d, part, code, "only the first %d of %d in %s, at this risk", most, len(items), part)
	return ""
}

// mandate lowers the most that a mandate for later payments allows.
func (n *narrowing) mandate(d *Detail, m *member) Code {
	o, err := readObject(m.value)
	if err != nil {
		return Unreadable
	}
	v, currency, ok := o.money()
	if !ok {
		return Unreadable
	}
	most := n.limit(currency, n.level)
	if most == 0 || v <= most {
		return ""
	}
	o.put(o[o.first([]string{"amount", "Amount"})].name, money(most))
	m.value = o.raw()
	n.limited(d, m.name, Amount, "at most %s %s, at this risk", money(most), currency)
	return ""
}

// mandateList lowers each limit of a list of them.
func (n *narrowing) mandateList(d *Detail, m *member) Code {
	var items []json.RawMessage
	if json.Unmarshal(m.value, &items) != nil {
		return Unreadable
	}
	for i := range items {
		x := member{m.name, items[i]}
		if code := n.mandate(d, &x); code != "" {
			return code
		}
		items[i] = x.value
	}
	o := object{*m}
	o.put(m.name, items)
	*m = o[0]
	return ""
}

// depth limits how far back transactions go: the member that says so, or, where none
// does and transactions may be seen, one that is added.
func (n *narrowing) depth(d *Detail, o *object, depth int) Code {
	most := n.history[n.level]
	if most == 0 {
		return ""
	}
	least := day(n.q.Now).AddDate(0, 0, -most)
	limited := func(part string) {
		n.limited(d, part, History, "only the last %d days, at this risk", most)
	}
	found := false
	for i := range *o {
		m := &(*o)[i]
		switch {
		case slices.Contains(depthDays, m.name):
			var days int
			if json.Unmarshal(m.value, &days) != nil || days < 0 {
				return Unreadable
			}
			if found = true; days > most {
				m.value = json.RawMessage(strconv.Itoa(most))
				limited(m.name)
			}
		case slices.Contains(depthFrom, m.name):
			from, layout, ok := moment(m.value)
			if !ok {
				return Unreadable
			}
			if from.Before(least) {
				m.value = dated(least, layout)
				limited(m.name)
			}
			found = true
		}
	}
	if found || strings.HasPrefix(d.Type, "payment") || !o.history(depth) { // what pays shows nothing
		return ""
	}
	if o.has("Permissions") {
		o.put("TransactionFromDateTime", least.Format(time.RFC3339))
		limited("TransactionFromDateTime")
	} else {
		o.put("historyDays", most)
		limited("historyDays")
	}
	return ""
}

// history reports whether an object lets transactions be seen: one of the parts that it
// names is of transactions, or it is a whole detail that names none.
func (o object) history(depth int) bool {
	own := o.ownParts()
	if len(own) == 0 {
		return depth == 0 && len(o.parts()) == 0
	}
	return slices.ContainsFunc(own, func(p string) bool {
		p = strings.ToLower(p)
		return strings.Contains(p, "transaction") || strings.HasPrefix(p, "all")
	})
}

// until limits how long access lasts: the member that says so, or, of access that goes
// on and says nothing, one that is added.
func (n *narrowing) until(d *Detail, o *object, depth int) Code {
	days := n.validity[n.level]
	if days == 0 {
		return ""
	}
	last := day(n.q.Now).AddDate(0, 0, days)
	limited := func(part string) {
		n.limited(d, part, Validity, "only until %s, at this risk", last.Format(time.DateOnly))
	}
	found := false
	for i := range *o {
		m := &(*o)[i]
		if !slices.Contains(untils, m.name) {
			continue
		}
		end, layout, ok := moment(m.value)
		if !ok {
			return Unreadable
		}
		if found = true; end.After(last) {
			m.value = dated(last, layout)
			limited(m.name)
		}
	}
	if found {
		return ""
	}
	goesOn := false
	if i := o.find(recurring); i >= 0 && json.Unmarshal((*o)[i].value, &goesOn) != nil {
		return Unreadable
	}
	switch {
	case goesOn:
		o.put("validUntil", last.Format(time.DateOnly))
		limited("validUntil")
	case o.has("Permissions"):
		o.put("ExpirationDateTime", last.Format(time.RFC3339))
		limited("ExpirationDateTime")
	case o.first(mandates) >= 0 && depth == 0:
		o.put("validUntil", last.Format(time.DateOnly))
		limited("validUntil")
	case o.first(mandates) >= 0 || o.has(periodic):
		o.put("ValidToDateTime", last.Format(time.RFC3339))
		limited("ValidToDateTime")
	}
	return ""
}

// moment reads a date, or a date and time of RFC 3339.
func moment(raw json.RawMessage) (t time.Time, layout string, ok bool) {
	var s string
	if json.Unmarshal(raw, &s) != nil {
		return t, "", false
	}
	for _, layout = range [...]string{time.DateOnly, time.RFC3339} {
		if t, err := time.Parse(layout, s); err == nil {
			return t, layout, true
		}
	}
	return t, "", false
}

func day(t time.Time) time.Time { return t.UTC().Truncate(24 * time.Hour) }

func dated(t time.Time, layout string) json.RawMessage {
	return json.RawMessage(strconv.Quote(t.UTC().Format(layout)))
}

// isDecimal reports whether a text is an amount as the standards write it: no sign, no
// exponent, up to 12 digits and 5 behind the point.
func isDecimal(s string) bool {
	whole, part, point := strings.Cut(s, ".")
	digits := func(s string, most int) bool {
		return len(s) > 0 && len(s) <= most && !strings.ContainsFunc(s, func(c rune) bool { return c < '0' || c > '9' })
	}
	return digits(whole, 12) && (!point || digits(part, 5))
}

// money reads an amount and its currency.
func (o object) money() (v float64, currency string, ok bool) {
	amount, unit := o.first([]string{"amount", "Amount"}), o.first([]string{"currency", "Currency"})
	if amount < 0 || unit < 0 {
		return 0, "", false
	}
	var text string
	if json.Unmarshal(o[amount].value, &text) != nil || json.Unmarshal(o[unit].value, &currency) != nil || !isDecimal(text) || !isCurrency(currency) {
		return 0, "", false
	}
	v, err := strconv.ParseFloat(text, 64)
	return v, currency, err == nil
}

func money(v float64) string { return strconv.FormatFloat(v, 'f', -1, 64) }

// payment is what a detail orders to be paid.
type payment struct {
	orders, payees int
	sums           map[string]float64 // by currency
	currencies     []string           // in the order of their first amount
}

// read adds every amount that is ordered in a value and what lies within it, and the
// payees of lists of them; false where an amount cannot be understood.
func (p *payment) read(raw json.RawMessage, depth int) bool {
	if depth > 16 {
		return false
	}
	var items []json.RawMessage
	if json.Unmarshal(raw, &items) == nil {
		for _, item := range items {
			if !p.read(item, depth+1) {
				return false
			}
		}
		return true
	}
	o, err := readObject(raw)
	if err != nil {
		return len(raw) > 0 && raw[0] != '{'
	}
	for _, m := range o {
		switch {
		case slices.Contains(ordered, m.name):
			inner, err := readObject(m.value)
			if err != nil {
				return false
			}
			v, currency, ok := inner.money()
			if !ok {
				return false
			}
			p.orders++
			if p.sums == nil {
				p.sums = map[string]float64{}
			}
			if !slices.Contains(p.currencies, currency) {
				p.currencies = append(p.currencies, currency)
			}
			p.sums[currency] += v
		case !p.read(m.value, depth+1):
			return false
		}
		if slices.Contains(payeeList, m.name) && json.Unmarshal(m.value, &items) == nil {
			p.payees += len(items)
		}
	}
	return true
}
