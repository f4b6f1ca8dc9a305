package scopes

import (
	"bytes"
	"encoding/json"
	"errors"
	"slices"
)

// object is a JSON object whose members keep their order.
type object []member

type member struct {
	name  string
	value json.RawMessage
}

// readObject reads an object. A name that stands twice is refused: two readers could see
// two things in it.
func readObject(raw json.RawMessage) (object, error) {
	d := json.NewDecoder(bytes.NewReader(raw))
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return nil, errors.New("no JSON object")
	}
	var o object
	for d.More() {
		t, err := d.Token()
		if err != nil {
			return nil, err
		}
		m := member{name: t.(string)} // between braces a name comes first, or Token fails
		if o.has(m.name) {
			return nil, errors.New("a member stands twice")
		}
		if err := d.Decode(&m.value); err != nil {
			return nil, err
		}
		o = append(o, m)
	}
	if _, err := d.Token(); err != nil {
		return nil, err
	}
	if d.More() {
		return nil, errors.New("more than an object")
	}
	return o, nil
}

func (o object) find(name string) int {
	return slices.IndexFunc(o, func(m member) bool { return m.name == name })
}

func (o object) has(name string) bool { return o.find(name) >= 0 }

// first returns the index of the first member that has one of names, or -1.
func (o object) first(names []string) int {
	return slices.IndexFunc(o, func(m member) bool { return slices.Contains(names, m.name) })
}

// put sets a member, at its place or at the end.
func (o *object) put(name string, v any) {
	raw, err := json.Marshal(v)
	if err != nil {
		raw = json.RawMessage("null") // of what this package puts, nothing fails
	}
	if i := o.find(name); i >= 0 {
		(*o)[i].value = raw
		return
	}
	*o = append(*o, member{name, raw})
}

// raw returns the object as JSON without white space.
func (o object) raw() json.RawMessage {
	out := []byte{'{'}
	for i, m := range o {
		if i > 0 {
			out = append(out, ',')
		}
		name, err := json.Marshal(m.name)
		if err != nil {
			name = []byte(`""`) // a name was read from JSON and is text
		}
		out = append(append(append(out, name...), ':'), m.value...)
	}
	return append(out, '}')
}

// texts returns an array of strings; ok is false of anything else.
func texts(raw json.RawMessage) (out []string, ok bool) {
	var items []*string
	if json.Unmarshal(raw, &items) != nil || items == nil {
		return nil, false
	}
	for _, s := range items {
		if s == nil {
			return nil, false
		}
		out = append(out, *s)
	}
	return out, true
}
