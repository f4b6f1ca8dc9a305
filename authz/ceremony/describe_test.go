package ceremony

import (
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/waryauth/wary/authz"
)

// TestDetailsInPlainWords describes the examples of RFC 9396, sections 2 and 3.
func TestDetailsInPlainWords(t *testing.T) {
	f := func(raw string, want ...string) {
		t.Helper()
		var got []string
		for _, r := range rowsOf([]byte(raw)) {
			got = append(got, r.Label+": "+r.Value)
		}
		if strings.Join(got, "\n") != strings.Join(want, "\n") {
			t.Errorf("%s:\n%s\nwant\n%s", raw, strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
	}
	f(`{"type":"payment_initiation","actions":["initiate","status","cancel"],"locations":["https://example.com/payments"],
		"instructedAmount":{"currency":"EUR","amount":"123.50"},"creditorName":"Merchant A",
		"creditorAccount":{"bic":"ABCIDEFFXXX","iban":"DE02100100109307118603"},"remittanceInformationUnstructured":"Ref Number Merchant"}`,
		"What it may do: initiate, status, cancel", "Where: https://example.com/payments", "Amount: 123.50 EUR", "To: Merchant A",
		"To account, BIC: ABCIDEFFXXX", "To account, IBAN: DE02100100109307118603", "Reference: Ref Number Merchant")
	f(`{"type":"account_information","access":{"accounts":[{"iban":"DE2310010010123456789"},{"maskedPan":"123456xxxxxx1234"}],"balances":[{"iban":"DE2310010010123456789"}]},"recurringIndicator":true}`,
		"Access, Accounts: IBAN DE2310010010123456789, Masked pan 123456xxxxxx1234", "Access, Balances: IBAN DE2310010010123456789", "Recurring indicator: yes")
	f(`{"type":"x","a":null,"b":[],"c":{},"d":false,"e":1.50,"list":[{"p":1,"q":[2,{"r":{"s":3,"u":4}}]}]}`,
		"A: none", "B: none", "C: none", "D: no", "E: 1.50", "List, 1, P: 1", "List, 1, Q, 1: 2", "List, 1, Q, 2, R, S: 3", "List, 1, Q, 2, R, U: 4")
	f(`{"type":"x","a":"pay \u202eEUR","b\u0000":"\u0007"}`, "A: pay \ufffdEUR", "B\ufffd: \ufffd")
	f(`{"type":"x"}`)
}

// TestNothingAskedForIsHidden: every scalar of a detail stands in some row.
func TestNothingAskedForIsHidden(t *testing.T) {
	raw, leaf := `{"type":"x"`, 0
	var grow func(depth int) string
	grow = func(depth int) string {
		leaf++
		switch {
		case depth == 0 || leaf%5 == 0:
			return fmt.Sprintf(`"leaf-%d-"`, leaf)
		case leaf%2 == 0:
			return "[" + grow(depth-1) + "," + grow(depth-1) + "]"
		}
		return `{"amount":` + grow(depth-1) + `,"b":` + grow(depth-1) + `}`
	}
	for i := range 20 {
		raw += fmt.Sprintf(`,"m%d":%s`, i, grow(5))
	}
	raw += "}"
	shown := fmt.Sprint(rowsOf([]byte(raw)))
	leaves := regexp.MustCompile(`leaf-\d+-`).FindAllString(raw, -1)
	if len(leaves) < 100 {
		t.Fatalf("only %d leaves", len(leaves))
	}
	for _, l := range leaves {
		if !strings.Contains(shown, l) {
			t.Errorf("%s is not shown", l)
		}
	}
}

func TestUnknownScopesAreNamed(t *testing.T) {
	offered, withheld := describe(&authz.Offer{Scopes: []string{"openid", "x:y"}, Removed: []authz.Removal{{Scope: "accounts", Because: "why"}, {Detail: "custom", Because: "also"}}})
	if got := fmt.Sprint(offered, withheld); got != "[{Know that it is you  [] } {Use the permission x:y [] }] [{See your accounts  [] why} {Use the permission custom [] also}]" {
		t.Error(got)
	}
}
