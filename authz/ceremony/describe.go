package ceremony

import (
	"bytes"
	"encoding/json"
	"strconv"
	"strings"
	"unicode"

	"github.com/waryauth/wary/authz"
)

// permission is one thing that a client asks for, in plain words.
type permission struct {
	Text    string
	Name    string // as the client names it, where no text says what it means
	Rows    []row
	Because string // of what is withheld
}

// row is one member of an authorization detail.
type row struct{ Label, Value string }

// describe returns what may be consented to. Every member of every detail is shown:
// nobody consents to what they cannot see.
func describe(o *authz.Offer) (offered, withheld []permission) {
	for _, s := range o.Scopes {
		offered = append(offered, describeScope(s))
	}
	for _, d := range o.Details {
		p := describeType(d.Type)
		p.Rows = rowsOf(d.Raw)
		offered = append(offered, p)
	}
	for _, r := range o.Removed {
		p := describeScope(r.Scope)
		if r.Scope == "" {
			p = describeType(r.Detail)
		}
		p.Because = printable(r.Because)
		withheld = append(withheld, p)
	}
	return offered, withheld
}

func describeScope(scope string) permission {
	if text, ok := means(english.Scopes, scope); ok {
		return permission{Text: text}
	}
	return permission{Text: english.Permission, Name: printable(scope)}
}

func describeType(name string) permission {
	if text, ok := means(english.Details, name); ok {
		return permission{Text: text}
	}
	return permission{Text: english.Permission, Name: printable(name)}
}

// printable replaces what a person could not see, or what would turn the text around
// it, such as the controls of writing direction.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return unicode.ReplacementChar
		}
		return r
	}, s)
}

// rowsOf returns the members of an authorization detail in their order, its type left
// out.
func rowsOf(raw json.RawMessage) []row {
	var rows []row
	for _, m := range members(raw) {
		if m.name != "type" {
			rows = appendRows(rows, labelOf(m.name), m.value)
		}
	}
	return rows
}

// appendRows appends the rows of a value: one of a scalar, of a list of scalars, or of an
// amount with its currency; else one of each that lies within.
func appendRows(rows []row, label string, value json.RawMessage) []row {
	if text, ok := inline(value); ok {
		return append(rows, row{label, text})
	}
	for i, m := range members(value) {
		inner := m.name
		if inner == "" { // of a list
			inner = strconv.Itoa(i + 1)
		}
		rows = appendRows(rows, label+", "+labelOf(inner), m.value)
	}
	return rows
}

// inline returns a value that fits one row.
func inline(value json.RawMessage) (string, bool) {
	value = bytes.TrimSpace(value)
	switch {
	case len(value) == 0:
		return "", true
	case value[0] == '[':
		var texts []string
		for _, m := range members(value) {
			text, ok := inline(m.value)
			if !ok {
				return "", false
			}
			texts = append(texts, text)
		}
		if len(texts) == 0 {
			return english.Nothing, true
		}
		return strings.Join(texts, ", "), true
	case value[0] == '{':
		return inlineObject(members(value))
	case value[0] == '"':
		var s string
		if json.Unmarshal(value, &s) != nil {
			return "", false
		}
		return printable(s), true
	}
	switch string(value) {
	case "true":
		return english.Yes, true
	case "false":
		return english.No, true
	case "null":
		return english.Nothing, true
	}
	return printable(string(value)), true
}

// inlineObject returns an amount of money, or the one member of an object.
func inlineObject(object []member) (string, bool) {
	switch len(object) {
	case 0:
		return english.Nothing, true
	case 1:
		text, ok := inline(object[0].value)
		return labelOf(object[0].name) + " " + text, ok
	case 2:
		amount, currency := object[0], object[1]
		if currency.name == "amount" {
			amount, currency = currency, amount
		}
		value, ok := inline(amount.value)
		unit, also := inline(currency.value)
		return value + " " + unit, ok && also && amount.name == "amount" && currency.name == "currency"
	}
	return "", false
}

// member is one of an object, or, without a name, of a list.
type member struct {
	name  string
	value json.RawMessage
}

// members returns the members of an object or a list in their order. The text was
// checked to be strict JSON when it came.
func members(value json.RawMessage) []member {
	d := json.NewDecoder(bytes.NewReader(value))
	open, err := d.Token()
	if err != nil {
		return nil
	}
	var all []member
	for d.More() {
		var m member
		if open == json.Delim('{') {
			key, err := d.Token()
			if err != nil {
				return all
			}
			m.name, _ = key.(string)
		}
		if d.Decode(&m.value) != nil {
			return all
		}
		all = append(all, m)
	}
	return all
}

// labelOf returns a member's name as people read it: validUntil becomes Valid until.
func labelOf(name string) string {
	if text, ok := means(english.Fields, name); ok {
		return text
	}
	var b strings.Builder
	for i, r := range printable(name) {
		switch {
		case i == 0:
			b.WriteRune(unicode.ToUpper(r))
		case r == '_' || r == '-':
			b.WriteByte(' ')
		case unicode.IsUpper(r):
			b.WriteByte(' ')
			b.WriteRune(unicode.ToLower(r))
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}
