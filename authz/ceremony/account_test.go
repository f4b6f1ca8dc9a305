package ceremony

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
	"testing"
)

func TestParseAccounts(t *testing.T) {
	hash := referenceHashes[0].hash
	subject := "p-" + strings.Repeat("a", 26)
	row := func(text string) string {
		return fmt.Sprintf("accounts:\n- {name: alice, subject: %s, password: %q, %s}\n", subject, hash, text)
	}
	a, err := ParseAccounts([]byte(row(`claims: {name: Alice Example, email: a@example.com, email_verified: true, updated_at: 1700000000, address: {locality: Turku}}`)))
	if err != nil {
		t.Fatal(err)
	}
	claims, err := a.Claims(t.Context(), subject)
	if err != nil || claims["name"] != "Alice Example" || claims["email_verified"] != true {
		t.Errorf("claims %v, %v", claims, err)
	}
	if got := a.ClaimNames(); !slices.Equal(got, []string{"address", "email", "email_verified", "name", "updated_at"}) {
		t.Errorf("names %v", got)
	}
	if claims, err := a.Claims(t.Context(), "p-nobody"); claims != nil || err != nil {
		t.Errorf("claims of nobody: %v, %v", claims, err)
	}
	for _, c := range []struct{ document, want string }{
		{row("color: red"), "color"},
		{row("disabled: perhaps"), ""},
		{row("claims: {sub: x}"), `"sub"`},
		{row("claims: {iss: x}"), `"iss"`},
		{row("claims: {x: [1]}"), `"x"`},
		{row("claims: {x: {y: {z: 1}}}"), `"x"`},
		{row("totp: JBSWY3DPEHPK3PXP"), "totp"}, // a secret in the clear
		{strings.Replace(row("disabled: true"), "name: alice", "name: Alice", 1), "name"},
		{strings.Replace(row("disabled: true"), "name: alice", "name: 'a lice'", 1), "name"},
		{strings.Replace(row("disabled: true"), "name: alice", "name: ''", 1), "name"},
		{strings.Replace(row("disabled: true"), subject, "client-one", 1), "subject"},
		{strings.Replace(row("disabled: true"), hash, "plain", 1), "password"},
		{row("disabled: true") + strings.TrimPrefix(row("disabled: true"), "accounts:\n"), "stands twice"},
		{"accounts: 3", ""},
		{"people: []", "people"},
		{strings.Repeat("#", MaxAccountsBytes+1), "bytes"},
	} {
		_, err := ParseAccounts([]byte(c.document))
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%.80q: got %v, want an error that names %q", c.document, err, c.want)
		} else if strings.Contains(err.Error(), "ISO7kkvFzh19") {
			t.Errorf("%.80q: the error holds a hash: %v", c.document, err)
		}
	}
}

func TestNewAccountIsTaken(t *testing.T) {
	row, link, err := NewAccount("alice", secretOf, "The Bank", [32]byte{1}, true)
	if err != nil {
		t.Fatal(err)
	}
	a, err := ParseAccounts([]byte("accounts:\n" + row))
	if err != nil {
		t.Fatalf("%v\n%s", err, row)
	}
	u, err := url.Parse(link)
	if err != nil || u.Scheme != "otpauth" || u.Host != "totp" || u.Query().Get("issuer") != "The Bank" || u.Query().Get("digits") != "6" || u.Query().Get("period") != "30" {
		t.Errorf("link %s, %v", link, err)
	}
	if strings.Contains(row, u.Query().Get("secret")) || strings.Contains(row, secretOf) {
		t.Error("a secret stands in the row")
	}
	if seal, err := newSeal([32]byte{1}); err != nil || a.check(seal) != nil {
		t.Errorf("the secret cannot be opened: %v", err)
	}
	if seal, err := newSeal([32]byte{2}); err != nil || a.check(seal) == nil {
		t.Error("the secret was opened with another key")
	}
	for _, bad := range [][2]string{{"A B", secretOf}, {"", secretOf}, {"alice", "short"}} {
		if _, _, err := NewAccount(bad[0], bad[1], "The Bank", [32]byte{1}, false); err == nil {
			t.Errorf("taken: %q", bad)
		}
	}
}

func TestChangedAccounts(t *testing.T) {
	subject := func(c string) string { return "p-" + strings.Repeat(c, 26) }
	parse := func(rows map[string]string) *Accounts {
		t.Helper()
		document := "accounts:\n"
		for _, c := range slices.Sorted(maps.Keys(rows)) {
			document += fmt.Sprintf("- {name: %s, subject: %s, %s}\n", c, subject(c), rows[c])
		}
		a, err := ParseAccounts([]byte(document))
		if err != nil {
			t.Fatal(err)
		}
		return a
	}
	one, two := fmt.Sprintf("password: %q", referenceHashes[0].hash), fmt.Sprintf("password: %q", referenceHashes[1].hash)
	before := parse(map[string]string{"a": one, "b": one, "c": one, "d": one, "e": one + ", disabled: true"})
	after := parse(map[string]string{"a": one + ", claims: {name: A}", "b": two, "c": one + ", disabled: true", "e": one, "f": one})
	want := []string{subject("b"), subject("c"), subject("d")}
	if got := changed(before.stamps(), after.stamps()); !slices.Equal(got, want) {
		t.Errorf("changed: %v, want %v", got, want)
	}

	// The same across a restart: another server on the same store.
	w := newWorld(t)
	settle := func(a *Accounts, end error) (ended []string, err error) {
		t.Helper()
		o := w.pages.o
		o.Accounts = a
		s, err := New(o)
		if err != nil {
			t.Fatal(err)
		}
		err = s.Settle(t.Context(), func(subject string) error {
			ended = append(ended, subject)
			return end
		})
		return ended, err
	}
	f := func(a *Accounts, want []string) {
		t.Helper()
		if got, err := settle(a, nil); err != nil || !slices.Equal(got, want) {
			t.Errorf("ended: %v (%v), want %v", got, err, want)
		}
	}
	f(before, nil) // nothing was in force
	f(before, nil)
	if _, err := settle(after, errors.New("the store is down")); err == nil {
		t.Error("a failure is not told")
	}
	f(after, want) // again, because it failed
	f(after, nil)
	f(parse(nil), []string{subject("a"), subject("b"), subject("c"), subject("e"), subject("f")})
}

func TestManyAccountsAreKeptInPieces(t *testing.T) {
	stamps := map[string]string{}
	for i := range 5000 {
		stamps[fmt.Sprintf("p-%026d", i)] = strings.Repeat("x", 22)
	}
	pieces := piecesOf(stamps)
	if n := len(bytes.Join(pieces, nil)); len(pieces) != 3 /* 124 KiB each */ || n != 5000*52 {
		t.Errorf("%d pieces of %d bytes", len(pieces), n)
	}
}
