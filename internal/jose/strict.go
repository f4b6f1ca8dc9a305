package jose

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"
	"unicode/utf8"
)

// Limits of a JSON document.
const (
	maxDepth   = 16
	maxMembers = 128 // of one object
)

// checkObject reports why data is not one JSON object in valid UTF-8 in which no
// object names a member twice. Which of two members counts is otherwise up to the
// reader, and two readers of one token may differ (RFC 7515, section 4; RFC 8725,
// section 2.4).
func checkObject(data []byte) error {
	if !utf8.Valid(data) || !json.Valid(data) {
		return fmt.Errorf("%w: not JSON", ErrMalformed)
	}
	w := names{}
	for i := 0; i < len(data); i++ {
		switch data[i] {
		case '{', '[':
			if err := w.open(data[i] == '{'); err != nil {
				return err
			}
		case '}', ']':
			w.close()
		case ',':
			w.name = w.inObject()
		case ':':
			w.name = false
		case '"':
			end := stringEnd(data, i)
			if len(w.levels) == 0 {
				return notAnObject()
			}
			if w.name {
				if err := w.add(data[i:end]); err != nil {
					return err
				}
			}
			i = end - 1
		case ' ', '\t', '\r', '\n':
		default: // a number, true, false, null
			if len(w.levels) == 0 {
				return notAnObject()
			}
		}
	}
	if !w.object {
		return notAnObject()
	}
	return nil
}

func notAnObject() error { return fmt.Errorf("%w: not a JSON object", ErrMalformed) }

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

// names is where a walk through a document is: the names seen in each object that
// is open, those of the innermost last.
type names struct {
	levels []level
	seen   []string
	name   bool // the next string is a name
	object bool // the outermost value is an object
}

type level struct {
	object bool
	first  int // of its names in seen
}

func (w *names) open(object bool) error {
	if len(w.levels) == maxDepth {
		return fmt.Errorf("%w: more than %d levels", ErrMalformed, maxDepth)
	}
	if len(w.levels) == 0 {
		w.object = object
	}
	w.levels = append(w.levels, level{object, len(w.seen)})
	w.name = object
	return nil
}

func (w *names) close() {
	w.seen = w.seen[:w.levels[len(w.levels)-1].first]
	w.levels = w.levels[:len(w.levels)-1]
}

func (w *names) inObject() bool {
	return len(w.levels) > 0 && w.levels[len(w.levels)-1].object
}

func (w *names) add(quoted []byte) error {
	var name string
	if err := json.Unmarshal(quoted, &name); err != nil {
		return fmt.Errorf("%w: %v", ErrMalformed, err)
	}
	siblings := w.seen[w.levels[len(w.levels)-1].first:]
	if len(siblings) == maxMembers {
		return fmt.Errorf("%w: an object of more than %d members", ErrMalformed, maxMembers)
	}
	if slices.Contains(siblings, name) {
		return fmt.Errorf("%w: an object names a member twice", ErrMalformed)
	}
	w.seen = append(w.seen, name)
	return nil
}

// decodeBase64 takes the one encoding of some bytes: without padding, line breaks
// or bits left over, all of which Go's decoder lets pass.
func decodeBase64(text string) ([]byte, error) {
	for i := range len(text) {
		if text[i] == '\r' || text[i] == '\n' {
			return nil, fmt.Errorf("%w: a line break in base64url", ErrMalformed)
		}
	}
	out, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil {
		return nil, fmt.Errorf("%w: not base64url", ErrMalformed)
	}
	return out, nil
}
