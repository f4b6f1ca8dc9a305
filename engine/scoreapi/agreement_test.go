package scoreapi

import (
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/waryauth/wary/signals"
)

// schema is as much of a schema of the contract as the decoder has to agree with.
type schema struct {
	Type                 any
	Properties           map[string]*schema
	Items                *schema
	AdditionalProperties any
	Required             []string
	Enum                 []*string
	Minimum, Maximum     *float64
	MaxLength, MaxItems  *int
}

func schemas(t *testing.T) map[string]*schema {
	t.Helper()
	var doc struct {
		Components struct{ Schemas map[string]*schema }
	}
	if err := json.Unmarshal(contract, &doc); err != nil {
		t.Fatal(err)
	}
	return doc.Components.Schemas
}

// is reports whether the schema's type is one of names, null left out.
func (s *schema) is(name string) bool {
	if list, ok := s.Type.([]any); ok {
		return slices.Contains(list, any(name))
	}
	return s.Type == name
}

// example is a value that an array's element may have.
func (s *schema) example() any {
	switch {
	case s.is("number"):
		return 1
	case s.is("object"):
		return map[string]any{"type": "a"}
	}
	return "a"
}

// walk visits every field below a schema, with its pointer and the members on the way.
func (s *schema) walk(path []string, visit func(path []string, s *schema)) {
	for _, name := range slices.Sorted(maps.Keys(s.Properties)) {
		p := append(slices.Clone(path), name)
		visit(p, s.Properties[name])
		s.Properties[name].walk(p, visit)
	}
}

// withValue sets one value in a copy of a valid document.
func withValue(t *testing.T, base string, path []string, value any) []byte {
	t.Helper()
	var doc map[string]any
	if err := json.Unmarshal([]byte(base), &doc); err != nil {
		t.Fatal(err)
	}
	at := doc
	for _, name := range path[:len(path)-1] {
		next, ok := at[name].(map[string]any)
		if !ok {
			next = map[string]any{}
			at[name] = next
		}
		at = next
	}
	at[path[len(path)-1]] = value
	b, err := json.Marshal(doc)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// documents are the three of the contract, each with a valid one and its decoder.
func documents() map[string]struct {
	base   string
	decode func(*Decoder, []byte) *Problem
} {
	return map[string]struct {
		base   string
		decode func(*Decoder, []byte) *Problem
	}{
		"Attempt": {minimal(), func(d *Decoder, b []byte) *Problem { return d.Attempt(new(signals.Attempt), b) }},
		"Feedback": {`{"feedback_id":"f","decision_id":"d","kind":"outcome","value":"success","source":"system"}`,
			func(d *Decoder, b []byte) *Problem { return d.Feedback(new(signals.Feedback), b) }},
		"Event": {`{"event_id":"e","type":"logout","subject":"s"}`, func(d *Decoder, b []byte) *Problem { return d.Event(new(signals.Event), b) }},
	}
}

// TestEveryField: for every field of the contract a value of a wrong type is
// refused by its pointer, and so are an unknown name of an enumeration, a number
// out of range, a string too long, and a required field left out.
func TestEveryField(t *testing.T) {
	var d Decoder
	for name, doc := range documents() {
		fields := 0
		root := schemas(t)[name]
		refuse := func(path []string, value any, says string) {
			t.Helper()
			pointer := "/" + strings.Join(path, "/")
			p := doc.decode(&d, withValue(t, doc.base, path, value))
			if !slices.Contains(pointersOf(p), pointer) || !strings.Contains(show(p), says) || p.Status != 400 {
				t.Errorf("%s %s = %.50v: %s; want %q", name, pointer, value, show(p), says)
			}
			if d.Unknown() > 0 {
				t.Errorf("%s %s is unknown to the decoder", name, pointer)
			}
		}
		root.walk(nil, func(path []string, s *schema) {
			fields++
			var values []any
			if s.is("string") {
				values = []any{7, true, []any{}, map[string]any{}}
			} else {
				values = []any{"x"}
			}
			for _, v := range values {
				refuse(path, v, "must be")
			}
			if len(s.Enum) > 0 {
				refuse(path, "nonsense", *s.Enum[0])
			}
			if s.Minimum != nil {
				refuse(path, *s.Minimum-1, "from "+strconv.FormatFloat(*s.Minimum, 'f', -1, 64))
			}
			if s.Maximum != nil {
				refuse(path, *s.Maximum+1, "to "+strconv.FormatFloat(*s.Maximum, 'f', -1, 64))
			}
			if s.is("string") && s.MaxLength != nil && len(s.Enum) == 0 {
				limit := *s.MaxLength
				if path[len(path)-1] == "declared_user_agent" {
					limit = maxLongText // a user agent like any other
				}
				refuse(path, strings.Repeat("9", max(limit+1, 20)), "")
			}
			if s.MaxItems != nil {
				refuse(path, slices.Repeat([]any{s.Items.example()}, *s.MaxItems+1), "")
			}
		})
		for _, required := range root.Required {
			if required != "network" {
				refuse([]string{required}, nil, isRequired)
				refuse([]string{required}, "", "")
			}
		}
		if fields < 8 {
			t.Errorf("%s: the contract has %d fields", name, fields)
		}
		t.Logf("%s: %d fields", name, fields)
	}
}

// TestSampleIsWhole: the example has every field of the contract.
func TestSampleIsWhole(t *testing.T) {
	var sample map[string]any
	if err := json.Unmarshal(sampleBytes(t), &sample); err != nil {
		t.Fatal(err)
	}
	schemas(t)["Attempt"].walk(nil, func(path []string, _ *schema) {
		at := any(sample)
		for _, name := range path {
			members, _ := at.(map[string]any)
			if at = members[name]; at == nil {
				t.Fatalf("/%s is not in the example", strings.Join(path, "/"))
			}
		}
	})
}

// TestRanges: every number of the decoder's tables has its own row of ranges, and
// where the contract says a bound it is the same.
func TestRanges(t *testing.T) {
	numbers := map[string]span{}
	collect("", attemptShape, numbers)
	for _, r := range ranges {
		if r.min >= r.max || r.pointer == "" {
			t.Errorf("%+v", r)
		}
	}
	for at, r := range numbers {
		if r.pointer != at {
			t.Errorf("%s has the range of %s", at, r.pointer)
		}
	}
	if want := len(ranges) - 3; len(numbers) != want { // rhythm, speed and external have their own readers
		t.Errorf("%d numbers, want %d", len(numbers), want)
	}
	bounds := 0
	schemas(t)["Attempt"].walk(nil, func(path []string, s *schema) {
		r, ok := numbers["/"+strings.Join(path, "/")]
		if !ok {
			return
		}
		if s.Minimum != nil {
			bounds++
		}
		if s.Minimum != nil && *s.Minimum != r.min || s.Maximum != nil && *s.Maximum != r.max {
			t.Errorf("%s: the contract and the decoder differ in the range", r.pointer)
		}
	})
	if bounds < 20 {
		t.Errorf("the contract has only %d bounds", bounds)
	}
}

func collect[T any](at string, s *shape[T], into map[string]span) {
	for i := range s.fields {
		f := &s.fields[i]
		if f.number != nil {
			into[at+"/"+f.name] = ranges[f.in]
		}
		if f.object != nil {
			collect(at+"/"+f.name, f.object, into)
		}
	}
}

// TestShapes: every row of the tables has one accessor, every name stands once.
func TestShapes(t *testing.T) {
	check(t, attemptShape)
	check(t, feedbackShape)
	check(t, eventShape)
}

func check[T any](t *testing.T, s *shape[T]) {
	t.Helper()
	names := map[string]bool{}
	for i := range s.fields {
		f := &s.fields[i]
		n := 0
		for _, has := range []bool{f.text != nil, f.number != nil, f.flag != nil, f.time != nil, f.decimal != nil, f.enum != nil, f.list != nil, f.object != nil, f.other != nil} {
			if has {
				n++
			}
		}
		if n != 1 || names[f.name] || (f.enum != nil) != (len(f.names) > 1) || (f.list != nil) != (f.limit > 0) {
			t.Errorf("row %d, %q: %d accessors", i, f.name, n)
		}
		names[f.name] = true
		if f.object != nil {
			check(t, f.object)
		}
	}
	if len(s.fields) > 64 {
		t.Errorf("%d rows do not fit into 64 bits", len(s.fields))
	}
}
