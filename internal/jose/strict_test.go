package jose

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

// slowCheck is parseObject by the tokens of encoding/json and a map an object.
func slowCheck(data []byte) bool {
	if !utf8.Valid(data) || !json.Valid(data) {
		return false
	}
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return false
	}
	if !slowObject(d, 1) {
		return false
	}
	_, err := d.Token()
	return errors.Is(err, io.EOF)
}

func slowObject(d *json.Decoder, depth int) bool {
	seen := map[string]bool{}
	for d.More() {
		name, err := d.Token()
		if err != nil || seen[name.(string)] || len(seen) == maxMembers {
			return false
		}
		seen[name.(string)] = true
		if !slowValue(d, depth) {
			return false
		}
	}
	_, err := d.Token()
	return err == nil && depth <= maxDepth
}

func slowValue(d *json.Decoder, depth int) bool {
	t, err := d.Token()
	switch {
	case err != nil:
		return false
	case t == json.Delim('{'):
		return slowObject(d, depth+1)
	case t == json.Delim('['):
		for d.More() {
			if !slowValue(d, depth+1) {
				return false
			}
		}
		_, err := d.Token()
		return err == nil && depth+1 <= maxDepth
	}
	return true
}

func checkSeeds() []string {
	many := func(n int) string {
		var names []string
		for i := range n {
			names = append(names, fmt.Sprintf(`"%d":0`, i))
		}
		return "{" + strings.Join(names, ",") + "}"
	}
	deep := func(n int) string { return strings.Repeat(`{"a":`, n) + "1" + strings.Repeat("}", n) }
	return []string{
		`{}`, ` { } `, `{"a":1,"b":{"a":1}}`, `{"a":1,"a":1}`, `{"a":{"b":1,"c":[{"b":1,"b":2}]}}`, `{"a":[{"b":1},{"b":2}],"b":3}`,
		`{"a":1,"\u0061":2}`, `{"a\"":1,"a":2}`, `{"\\":1,"\\\\":2,"\u005c":3}`, `{"":1,"":2}`, `{"a":"{\"b\":1,\"b\":2}"}`,
		`{"a":"b","b":"a"}`, `{"a":["b","b"],"b":["a",{"a":"a"}]}`, `{"a":"x:y,z","x":1}`, `{"\ud800":1,"\udbff":2}`, "{\"\xff\":1}",
		`[]`, `"a"`, `1`, `null`, ``, `{`, `{"a"}`, `{"a":1}}`, `{"a":1}{"a":1}`, `[{"a":1}]`, `tru`, "\xef\xbb\xbf{}",
		many(maxMembers), many(maxMembers + 1), deep(maxDepth), deep(maxDepth + 1),
		`{"a":` + strings.Repeat("[", maxDepth-1) + strings.Repeat("]", maxDepth-1) + `}`, `{"a":` + strings.Repeat("[", maxDepth) + strings.Repeat("]", maxDepth) + `}`,
		good, rfc7517A1,
	}
}

func TestParseObject(t *testing.T) {
	accepted := 0
	for _, s := range checkSeeds() {
		_, err := parseObject([]byte(s))
		if want := slowCheck([]byte(s)); (err == nil) != want {
			t.Errorf("%.100q: %v, want accepted %t", s, err, want)
		}
		if err == nil {
			accepted++
		} else if !errors.Is(err, ErrMalformed) {
			t.Errorf("%.100q: %v, want %v", s, err, ErrMalformed)
		}
	}
	if accepted < 10 || accepted > len(checkSeeds())-10 {
		t.Errorf("%d of %d accepted: the seeds say little", accepted, len(checkSeeds()))
	}
}

func FuzzParseObject(f *testing.F) {
	for _, s := range checkSeeds() {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		m, err := parseObject(data)
		if want := slowCheck(data); (err == nil) != want {
			t.Errorf("%q: %v, want accepted %t", data, err, want)
		}
		if err != nil {
			return
		}
		var slow map[string]json.RawMessage
		if err := json.Unmarshal(data, &slow); err != nil || len(slow) != len(m) {
			t.Fatalf("%q: %d members, want %d, %v", data, len(m), len(slow), err)
		}
		for name, want := range slow {
			if got := m.get(name); !bytes.Equal(got, want) {
				t.Errorf("%q: %q is %q, want %q", data, name, got, want)
			}
		}
	})
}

func TestDecodeBase64(t *testing.T) {
	for in, want := range map[string]string{"": "", "AQ": "\x01", "AQID": "\x01\x02\x03", "-_8": "\xfb\xff"} {
		if got, err := decodeBase64(in); err != nil || string(got) != want {
			t.Errorf("%q: %q, %v, want %q", in, got, err, want)
		}
	}
	for _, in := range []string{"A", "AQ==", "AR", "A Q", "AQ\n", "\rAQ", "+/8", "AQ.", "AQÃ"} {
		if got, err := decodeBase64(in); err == nil {
			t.Errorf("%q: read as %q", in, got)
		}
	}
}

// FuzzStrict: strict JSON is JSON, and a doubled key is none.
func FuzzStrict(f *testing.F) {
	for _, seed := range []string{`{}`, `[1,"a",null,{"b":{}}]`, `{"a":1,"a":2}`, `{"a":1} 2`, `{"\u0061":1,"a":2}`, `[[[[[[[[[[1]]]]]]]]]]`, "\xff", `{"a":1}}`, `]`, `{`, ``} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		if Strict(text, 8) != nil {
			return
		}
		if !json.Valid(text) {
			t.Fatalf("%q is no JSON", text)
		}
		var v any
		if err := json.Unmarshal(text, &v); err != nil {
			t.Fatal(err)
		}
		if object, ok := v.(map[string]any); ok { // counted another way: no name is lost in a map
			var raw map[string]json.RawMessage
			if err := json.Unmarshal(text, &raw); err != nil || len(raw) != len(object) {
				t.Fatal(err)
			}
			doubled := append([]byte(`{"k":0,"k":`), append(slices.Clone(text), '}')...)
			if Strict(doubled, 8) == nil {
				t.Fatalf("%s was taken", doubled)
			}
		}
	})
}
