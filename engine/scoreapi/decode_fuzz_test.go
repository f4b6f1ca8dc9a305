package scoreapi

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/waryauth/wary/signals"
)

// differs says how an accepted attempt differs from what encoding/json reads from
// the same bytes; empty if it does not.
func differs(body []byte, a *signals.Attempt) string {
	generic := json.NewDecoder(bytes.NewReader(body))
	generic.UseNumber()
	var tree any
	if err := generic.Decode(&tree); err != nil {
		return "encoding/json refuses it: " + err.Error()
	}
	if foldedNames(tree) {
		return "" // encoding/json takes Subject for subject
	}
	var r refAttempt
	if err := json.Unmarshal(body, &r); err != nil {
		return "encoding/json refuses it: " + err.Error()
	}
	got, want := *a, r.attempt()
	external := map[string]float64{}
	for _, e := range got.External {
		external[e.Name] = e.Value
	}
	for name, v := range r.External {
		if v == nil || name == "" {
			continue
		}
		if x, ok := external[name]; !ok || x != *v {
			return fmt.Sprintf("external %q is %v, want %v", name, x, *v)
		}
		delete(external, name)
	}
	if len(external) > 0 {
		return fmt.Sprintf("external has %v more", external)
	}
	got.External = nil
	// NaN does not equal itself; the text of values does.
	if g, w := fmt.Sprintf("%+v", got), fmt.Sprintf("%+v", want); g != w {
		return fmt.Sprintf("\n got %s\nwant %s", g, w)
	}
	return ""
}

// foldedNames reports whether a name differs from one of the contract in case only.
func foldedNames(tree any) bool {
	switch v := tree.(type) {
	case map[string]any:
		for name, member := range v {
			for _, known := range knownNames {
				if name != known && strings.EqualFold(name, known) {
					return true
				}
			}
			if foldedNames(member) {
				return true
			}
		}
	case []any:
		for _, e := range v {
			if foldedNames(e) {
				return true
			}
		}
	}
	return false
}

// knownNames are the names of the reference's members, at any depth.
var knownNames = namesOf(reflect.TypeFor[refAttempt]())

func namesOf(t reflect.Type) (names []string) {
	for t.Kind() == reflect.Pointer || t.Kind() == reflect.Slice || t.Kind() == reflect.Map {
		t = t.Elem()
	}
	if t.Kind() != reflect.Struct {
		return nil
	}
	for i := range t.NumField() {
		if name := t.Field(i).Tag.Get("json"); name != "" {
			names = append(append(names, name), namesOf(t.Field(i).Type)...)
		}
	}
	return names
}

func seeds(f *testing.F, glob ...string) {
	f.Helper()
	for _, g := range append(glob, "attempt.json", "accept/*.json", "refuse/*.json") {
		files, err := filepath.Glob(filepath.Join("testdata", filepath.FromSlash(g)))
		if err != nil {
			f.Fatal(err)
		}
		for _, file := range files {
			b, err := os.ReadFile(file)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(b)
		}
	}
}

// FuzzAttempt: nothing panics; what is accepted encoding/json accepts with the
// same values; decoding again with a used Decoder gives the same; a refusal says
// why; and none takes much longer than a large one that is plain.
func FuzzAttempt(f *testing.F) {
	seeds(f)
	f.Add([]byte(minimal(`"x":1.5e-3`, `"Subject":7`)))
	f.Add([]byte(minimal(`"device":{"fonts":123456789012345678901234567890e-22}`)))
	f.Add([]byte(minimal(`"intent":{"amount":{"value":"9007199254740993","currency":"EUR"}}`)))
	var used Decoder
	full := manyNames(8000)
	yard := least(5, func() { used.Attempt(new(signals.Attempt), full) })
	f.Fuzz(func(t *testing.T, body []byte) {
		var a, again signals.Attempt
		var d Decoder
		kept := bytes.Clone(body)
		start := time.Now()
		p := d.Attempt(&a, body)
		if time.Since(start) > 20*yard {
			if took := least(5, func() { used.Attempt(&again, body) }); took > 20*yard {
				t.Errorf("%d bytes took %v, a document full of names takes %v", len(body), took, yard)
			}
		}
		if !bytes.Equal(kept, body) {
			t.Fatal("the body was changed")
		}
		q := used.Attempt(&again, body)
		if !reflect.DeepEqual(p, q) || d.Unknown() != used.Unknown() {
			t.Fatalf("a used Decoder says %s, a new one %s", show(q), show(p))
		}
		if p != nil {
			if p.Status != 400 && p.Status != 413 || len(p.Errors) > maxErrors || !json.Valid(p.Append(nil)) || p.Detail == "" {
				t.Fatalf("%s", show(p))
			}
			return
		}
		if one, other := AppendAttempt(nil, &a), AppendAttempt(nil, &again); !bytes.Equal(one, other) {
			t.Fatalf("a used Decoder reads\n%s, a new one\n%s", other, one)
		}
		if diff := differs(body, &a); diff != "" {
			t.Fatal(diff)
		}
	})
}

// FuzzFeedback holds feedback and events against encoding/json.
func FuzzFeedback(f *testing.F) {
	for _, d := range documents() {
		f.Add([]byte(d.base))
	}
	f.Add([]byte(`{"event_id":"e","type":"payment_settled","subject":"s","attributes":{"amount":{"value":"1.00","currency":"EUR"},"payee":"p"}}`))
	f.Add([]byte(`{"feedback_id":"f","attempt_id":"a","kind":"label","value":"legitimate","source":"issuer","time":"2026-11-23T10:00:00-05:00","note":"\u00e9"}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		var d Decoder
		var fb signals.Feedback
		var e signals.Event
		var tree map[string]any
		if p := d.Feedback(&fb, body); p == nil {
			if err := json.Unmarshal(body, &tree); err != nil {
				t.Fatal(err)
			}
			want := []string{"feedback_id", fb.ID, "decision_id", fb.DecisionID, "attempt_id", fb.AttemptID, "kind", fb.Kind.String(), "value", fb.Value.String(),
				"source", fb.Source.String(), "note", fb.Note}
			for pair := range slices.Chunk(want, 2) {
				if v, _ := tree[pair[0]].(string); v != pair[1] {
					t.Fatalf("%s is %q, want %q", pair[0], pair[1], v)
				}
			}
			if s, _ := tree["time"].(string); s != "" {
				if want, err := time.Parse(time.RFC3339, s); err != nil || !want.Equal(fb.Time) {
					t.Fatalf("%s is %v", s, fb.Time)
				}
			}
		}
		if p := d.Event(&e, body); p == nil {
			if err := json.Unmarshal(body, &tree); err != nil {
				t.Fatal(err)
			}
			client, _ := tree["client"].(string)
			if tree["event_id"] != e.ID || tree["type"] != e.Type.String() || client != e.Client {
				t.Fatalf("%+v of %s", e, body)
			}
		}
	})
}

// FuzzTime: what is read time.Parse reads the same, and what time.Parse reads is
// read the same once it is in canonical form.
func FuzzTime(f *testing.F) {
	for _, s := range []string{"2026-11-23T10:00:00.123Z", "2024-02-29T23:59:59+05:30", "2026-11-23T10:00:00,1Z", "1970-01-01T00:00:00-00:01"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got, ok := parseTime(s)
		want, err := time.Parse(time.RFC3339, s)
		if ok && (err != nil || !got.Equal(want)) {
			t.Errorf("%q: %v, want %v %v", s, got, want, err)
		}
		if err != nil || want.Unix() < 0 || want.UTC().Year() > 9999 {
			return
		}
		if got, ok := parseTime(want.Format(time.RFC3339Nano)); !ok || !got.Equal(want) {
			t.Errorf("%q: written anew it is %v", s, got)
		}
	})
}

// FuzzNumber: what encoding/json reads as a number is read the same, bit for bit
// but for the sign of zero, and nothing else is a number.
func FuzzNumber(f *testing.F) {
	for _, s := range []string{"0", "-0", "1.5", "-12.25e-3", "9007199254740993", "0.1", "1e308", "1e309", "123456789.123456789123", "4.35", "01", "1.", "1e", "5e-324", "0.000000000000000000000001"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if s == "" || s[0] != '-' && (s[0] < '0' || s[0] > '9') {
			return
		}
		for _, after := range []string{"", ",       ", "]}      "} { // short numbers are read eight bytes at once
			judgeNumber(t, s, after)
		}
	})
}

func judgeNumber(t *testing.T, s, after string) {
	var d Decoder
	d.reset([]byte(s + after))
	got, finite := d.number()
	ok := d.malformed == "" && d.at == len(s)
	var want float64
	err := json.Unmarshal([]byte(s), &want)
	if strings.TrimRight(s, " \t\r\n") != s {
		return
	}
	if (err == nil) != (ok && finite) || err == nil && got != want {
		t.Errorf("%q: %v %v %v, want %v %v", s, got, ok, finite, want, err)
	}
}

// writer writes a document in one of the many ways that JSON allows.
type writer struct {
	rand *rand.Rand
	b    []byte
}

func (w *writer) one(of ...string) string { return of[w.rand.IntN(len(of))] }

func (w *writer) space() { w.b = append(w.b, w.one("", "", "", " ", "\n\t")...) }

// string writes s, some characters as escapes.
func (w *writer) string(s string) {
	w.b = append(w.b, '"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			w.b = append(w.b, '\\', byte(r))
		case w.rand.IntN(20) == 0:
			for _, unit := range utf16.Encode([]rune{r}) {
				w.b = fmt.Appendf(w.b, w.one(`\u%04x`, `\u%04X`), unit)
			}
		default:
			w.b = utf8.AppendRune(w.b, r)
		}
	}
	w.b = append(w.b, '"')
}

// value writes v; mostly as it is, now and then another value.
func (w *writer) value(v any) {
	w.space()
	defer w.space()
	if w.rand.IntN(400) == 0 {
		v = []any{nil, true, json.Number("7"), "x", []any{}, map[string]any{}}[w.rand.IntN(6)]
	}
	switch v := v.(type) {
	case map[string]any:
		w.members(v)
	case []any:
		w.b = append(w.b, '[')
		for i, e := range v {
			if i > 0 {
				w.b = append(w.b, ',')
			}
			w.value(e)
		}
		w.b = append(w.b, ']')
	case string:
		if w.rand.IntN(50) == 0 {
			v = w.one("", "é", "日本語", "😀", strings.Repeat("y", 1024), "2026-01-02T03:04:05.678+09:00", "12.345")
		}
		w.string(v)
	case json.Number:
		if w.rand.IntN(10) == 0 {
			v = json.Number(w.one("0", "-0.0", "0.1", "1e-3", "4.35E+1", "0.30000000000000004", "2.2250738585072011e-308", "0.5000000000000000000000001", "1"))
		}
		w.b = append(w.b, v...)
	default:
		w.b = fmt.Append(w.b, map[any]string{nil: "null", true: "true", false: "false"}[v])
	}
}

func (w *writer) members(m map[string]any) {
	names := slices.Sorted(maps.Keys(m))
	w.rand.Shuffle(len(names), func(i, j int) { names[i], names[j] = names[j], names[i] })
	w.b = append(w.b, '{')
	for i, name := range names {
		if w.rand.IntN(200) == 0 {
			name = w.one("unknown", "", "ключ", name)
		}
		if i > 0 {
			w.b = append(w.b, ',')
		}
		w.space()
		w.string(name)
		w.space()
		w.b = append(w.b, ':')
		w.value(m[name])
	}
	w.b = append(w.b, '}')
}

// TestDifferential: documents that are nearly the example, written in every way
// that JSON allows, are read as encoding/json reads them or refused.
func TestDifferential(t *testing.T) {
	decoder := json.NewDecoder(bytes.NewReader(sampleBytes(t)))
	decoder.UseNumber()
	var tree any
	if err := decoder.Decode(&tree); err != nil {
		t.Fatal(err)
	}
	w := &writer{rand: rand.New(rand.NewPCG(1, 2))}
	const documents = 1500
	var d Decoder
	var a signals.Attempt
	accepted := 0
	for range documents {
		w.b = w.b[:0]
		w.value(tree)
		if !json.Valid(w.b) {
			t.Fatalf("%s is not JSON", w.b)
		}
		p := d.Attempt(&a, w.b)
		if p != nil {
			if len(p.Errors) == 0 {
				t.Fatalf("%s: %s", w.b, show(p))
			}
			continue
		}
		accepted++
		if diff := differs(w.b, &a); diff != "" {
			t.Fatalf("%s: %s", w.b, diff)
		}
	}
	t.Logf("%d of %d accepted", accepted, documents)
	if accepted < documents/10 || accepted > documents*9/10 {
		t.Errorf("%d of %d accepted: the test sees one side only", accepted, documents)
	}
}
