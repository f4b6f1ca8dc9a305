package authz

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"unicode/utf8"
)

var errNotStrict = errors.New("is no strict JSON")

// maxDepth bounds how deep a JSON document of a client may be nested.
const maxDepth = 8

// strictJSON checks that a text is one JSON value in UTF-8 in which no object has
// a key twice (RFC 8259, section 4, leaves that open; two readers would see two
// documents) and that is not nested deeper than maxDepth.
func strictJSON(text []byte) error {
	if !utf8.Valid(text) {
		return errNotStrict
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	if err := strictValue(d, 0); err != nil {
		return err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return errNotStrict
	}
	return nil
}

func strictValue(d *json.Decoder, depth int) error {
	token, err := d.Token()
	if err != nil {
		return errNotStrict
	}
	open, ok := token.(json.Delim)
	if !ok {
		return nil
	}
	if depth == maxDepth {
		return errNotStrict
	}
	seen := map[string]bool{}
	for d.More() {
		if open == '{' {
			key, err := d.Token()
			name, ok := key.(string)
			if err != nil || !ok || seen[name] {
				return errNotStrict
			}
			seen[name] = true
		}
		if err := strictValue(d, depth+1); err != nil {
			return err
		}
	}
	if _, err := d.Token(); err != nil {
		return errNotStrict
	}
	return nil
}
