package jose

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"
	"unicode/utf8"
)

// Limits of a JSON document.
const (
	maxDepth   = 16
	maxMembers = 128 // of one object
)

// member is a member of the outermost object, its value as it stands there.
type member struct {
	name  []byte
	value []byte
}

// members are those of one object, by exact name: encoding/json would take "ISS"
// for "iss".
type members []member

// parseObject returns the members of data, which must be one strict JSON object.
func parseObject(data []byte) (members, error) {
	w := walk{deepest: maxDepth}
	if err := w.through(data); err != nil {
		return nil, err
	}
	if !w.object {
		return nil, fmt.Errorf("%w: not a JSON object", ErrMalformed)
	}
	return w.out, nil
}

// Strict checks that data is one JSON value in valid UTF-8, at most deepest levels deep,
// in which no object, however deep, names a member twice. Which of two members counts is
// otherwise up to the reader, and two readers of one document may differ (RFC 8259,
// section 4; RFC 7515, section 4; RFC 8725, section 2.4).
func Strict(data []byte, deepest int) error {
	w := walk{deepest: deepest}
	return w.through(data)
}

// through goes through one strict JSON value.
func (w *walk) through(data []byte) error {
	if !utf8.Valid(data) || !json.Valid(data) {
		return fmt.Errorf("%w: not JSON", ErrMalformed)
	}
	data = bytes.Trim(data, " \t\r\n")
	w.object = data[0] == '{'
	w.out, w.seen, w.levels = make(members, 0, 8), make([][]byte, 0, 8), make([]level, 0, maxDepth)
	for i := 0; i < len(data); i++ {
		switch data[i] {
		case '{', '[':
			if err := w.open(data[i] == '{'); err != nil {
				return err
			}
		case '}', ']':
			w.ends(data, i)
			w.close()
		case ',':
			w.ends(data, i)
			w.name = w.levels[len(w.levels)-1].object
		case ':':
			w.begins(i + 1)
		case '"':
			end := stringEnd(data, i)
			if w.name {
				if err := w.add(data[i:end]); err != nil {
					return err
				}
			}
			i = end - 1
		}
	}
	return nil
}

// stringEnd returns the index behind the string that begins at start.
func stringEnd(data []byte, start int) int {
	for i := start + 1; i < len(data); i++ {
		switch data[i] {
		case '\\':
			i++
		case '"':
			return i + 1
		}
	}
	return len(data)
}

// walk is where a walk through a document is, and what it has found.
type walk struct {
	deepest int  // levels
	object  bool // the document is one
	levels  []level
	seen    [][]byte // names in each object that is open, those of the innermost last
	name    bool     // the next string is a name
	out     members
	value   int // where the value of the last of out begins; 0: it has ended
}

type level struct {
	object bool
	first  int // of its names in seen
}

func (w *walk) open(object bool) error {
	if len(w.levels) == w.deepest {
		return fmt.Errorf("%w: more than %d levels", ErrMalformed, w.deepest)
	}
	w.levels = append(w.levels, level{object, len(w.seen)})
	w.name = object
	return nil
}

func (w *walk) close() {
	w.seen = w.seen[:w.levels[len(w.levels)-1].first]
	w.levels = w.levels[:len(w.levels)-1]
}

func (w *walk) begins(at int) {
	w.name = false
	if len(w.levels) == 1 {
		w.value = at
	}
}

func (w *walk) ends(data []byte, at int) {
	if len(w.levels) == 1 && w.value > 0 {
		w.out[len(w.out)-1].value = bytes.Trim(data[w.value:at], " \t\r\n")
		w.value = 0
	}
}

func (w *walk) add(quoted []byte) error {
	name, err := unquote(quoted)
	if err != nil {
		return err
	}
	siblings := w.seen[w.levels[len(w.levels)-1].first:]
	if len(siblings) == maxMembers {
		return fmt.Errorf("%w: an object of more than %d members", ErrMalformed, maxMembers)
	}
	for _, s := range siblings {
		if bytes.Equal(s, name) {
			return fmt.Errorf("%w: an object names a member twice", ErrMalformed)
		}
	}
	w.seen = append(w.seen, name)
	if len(w.levels) == 1 {
		w.out = append(w.out, member{name: name})
	}
	return nil
}

// unquote returns the text of a JSON string, most often the document's own memory.
func unquote(quoted []byte) ([]byte, error) {
	inner := quoted[1 : len(quoted)-1]
	if bytes.IndexByte(inner, '\\') < 0 {
		return inner, nil
	}
	var text string
	if err := json.Unmarshal(quoted, &text); err != nil {
		return nil, fmt.Errorf("%w: a string: %v", ErrMalformed, err)
	}
	return []byte(text), nil
}

// get returns the value of a member, nil if there is none; null is a value.
func (m members) get(name string) []byte {
	for _, o := range m {
		if string(o.name) == name {
			return o.value
		}
	}
	return nil
}

// text returns the string that a member is, "" if there is none. Anything else,
// null included, is an error.
func (m members) text(name string) (string, error) {
	raw := m.get(name)
	if raw == nil {
		return "", nil
	}
	if raw[0] != '"' {
		return "", fmt.Errorf("%w: %s is no string", ErrMalformed, name)
	}
	text, err := unquote(raw)
	return string(text), err
}

// decodeBase64 takes the one encoding of some bytes: without padding, line breaks
// or bits left over, all of which Go's decoder lets pass.
func decodeBase64(text string) ([]byte, error) {
	if strings.ContainsAny(text, "\r\n") {
		return nil, fmt.Errorf("%w: a line break in base64url", ErrMalformed)
	}
	out, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil {
		return nil, fmt.Errorf("%w: not base64url", ErrMalformed)
	}
	return out, nil
}
