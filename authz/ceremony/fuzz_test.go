package ceremony

import (
	"encoding/json"
	"net/url"
	"strings"
	"testing"
	"unicode"
)

// FuzzForm: what is taken is what net/url reads, each name once, and printable.
func FuzzForm(f *testing.F) {
	for _, seed := range []string{"", "a=1&b=2", "a=1&a=2", "a=&b", "a=%zz", "a=%00", "a=%ff", "a=1;b=2", "a=b=c", "%61=1&a=2", "&&&", "a=+%20", "a=%c2%85"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, body string) {
		form, err := parseForm(body)
		if err != nil {
			return
		}
		values, err := url.ParseQuery(body)
		if err != nil || len(values) != len(form) || len(form) > maxFields {
			t.Fatalf("%q: %v, %d fields", body, err, len(form))
		}
		for name, value := range form {
			if v := values[name]; len(v) != 1 || v[0] != value || strings.ContainsFunc(name+value, unicode.IsControl) {
				t.Fatalf("%q: %q is %q", body, name, value)
			}
		}
	})
}

// FuzzAccounts: what is taken has distinct names and subjects, which a typed name finds.
func FuzzAccounts(f *testing.F) {
	f.Add("accounts:\n- {name: alice, subject: p-aaaaaaaaaaaaaaaaaaaaaaaaaa, password: \"" + referenceHashes[0].hash + "\", claims: {name: A}}\n")
	f.Add("accounts: [{}]")
	f.Add("accounts:\n- name: a\n  name: b\n")
	f.Add("{")
	f.Fuzz(func(t *testing.T, document string) {
		a, err := ParseAccounts([]byte(document))
		if err != nil {
			return
		}
		if len(a.byName) != len(a.bySubject) || len(a.costs) != len(a.byName) {
			t.Fatalf("%q: %d names, %d subjects", document, len(a.byName), len(a.bySubject))
		}
		for name, known := range a.byName {
			if e := a.find(" "+strings.ToUpper(name)+" ", []byte("k")); e.account != known || !isSubject(e.subject) {
				t.Fatalf("%q: %q finds %+v", document, name, e)
			}
		}
	})
}

// FuzzHash: what is taken is written back byte for byte.
func FuzzHash(f *testing.F) {
	for _, r := range referenceHashes {
		f.Add(r.hash)
	}
	f.Add("$argon2id$v=19$m=1,t=1,p=1$$")
	f.Fuzz(func(t *testing.T, text string) {
		if h, err := parseHash(text); err == nil && h.String() != text {
			t.Fatalf("%q is written %q", text, h.String())
		}
	})
}

// FuzzRows: whatever JSON a detail is, every text shown is printable.
func FuzzRows(f *testing.F) {
	f.Add(`{"type":"x","a":{"amount":"1","currency":"EUR"},"b":[1,{"c":null}]}`)
	f.Add(`{"a":"\u202e\u0000"}`)
	f.Add(`[[[[[[[[1]]]]]]]]`)
	f.Fuzz(func(t *testing.T, raw string) {
		if !json.Valid([]byte(raw)) || len(raw) > 4096 {
			return
		}
		for _, r := range rowsOf([]byte(raw)) {
			if strings.ContainsFunc(r.Label+r.Value, func(c rune) bool { return !unicode.IsPrint(c) && c != unicode.ReplacementChar }) {
				t.Fatalf("%q: row %q", raw, r)
			}
		}
	})
}
