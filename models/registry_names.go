package models

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"strings"
)

// ServingFile is the name, in a registry's folder, of the file that says which
// models serve.
const ServingFile = "serving.json"

// Names says by digest which models of a registry serve. A champion "" stands for
// the registry's own: the model that serves where none is named.
type Names struct {
	Champion   string `json:"champion,omitempty"`
	Challenger string `json:"challenger,omitempty"`
	Before     string `json:"before,omitempty"` // the champion that this one took the place of
	By         string `json:"by,omitempty"`     // who wrote the file, for the log
}

// ParseNames reads a serving file: one JSON object of "champion", "challenger" and
// "before", each a digest, and "by", each once or not at all, and nothing else.
func ParseNames(text []byte) (n Names, err error) {
	if err := decodeStrict(text, &n); err != nil {
		return Names{}, fmt.Errorf("%s: %w", ServingFile, err)
	}
	for _, d := range [...]string{n.Champion, n.Challenger, n.Before} {
		if d != "" && !isDigest(d) {
			return Names{}, fmt.Errorf("%s: %.80q is no digest such as sha256:<64 hexadecimal digits>", ServingFile, d)
		}
	}
	if n.Champion != "" && n.Champion == n.Challenger {
		return Names{}, fmt.Errorf("%s: champion and challenger are the same model", ServingFile)
	}
	if len(n.By) > 64 {
		return Names{}, fmt.Errorf("%s: by has %d characters, more than 64", ServingFile, len(n.By))
	}
	return n, nil
}

const digestPrefix = "sha256:"

func isDigest(s string) bool {
	digits, ok := strings.CutPrefix(s, digestPrefix)
	return ok && isHex(digits)
}

// isHex reports whether s is 64 lower-case hexadecimal digits.
func isHex(s string) bool {
	return len(s) == 64 && strings.Trim(s, "0123456789abcdef") == ""
}

// decodeStrict reads one JSON object into a struct of texts: no unknown member, none
// twice, in its exact spelling, none that is null, nothing after the object.
func decodeStrict(text []byte, into any) error {
	if err := checkMembers(text); err != nil {
		return err
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	return d.Decode(into)
}

// checkMembers sees what encoding/json lets pass: members that stand twice or are
// spelled in capitals, values that are no text, and what follows the object.
func checkMembers(text []byte) error {
	d := json.NewDecoder(bytes.NewReader(text))
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return errors.New("is no JSON object")
	}
	seen := map[string]bool{}
	for d.More() {
		k, err := d.Token()
		if err != nil {
			return err
		}
		v, err := d.Token()
		if err != nil {
			return err
		}
		key := k.(string) // a member's name is a string, or Token has failed
		if _, ok := v.(string); !ok || seen[key] || key != strings.ToLower(key) {
			return fmt.Errorf("member %.60q is unknown, stands twice or is no text", key)
		}
		seen[key] = true
	}
	if _, err := d.Token(); err != nil {
		return err
	}
	if _, err := d.Token(); err != io.EOF {
		return errors.New("something follows the object")
	}
	return nil
}

// Names reads the serving file. Where there is none, nobody is named and the error
// is fs.ErrNotExist.
func (r *Registry) Names() (Names, error) {
	text, err := readFile(filepath.Join(r.dir, ServingFile), maxSmallBytes)
	if err != nil {
		return Names{}, err
	}
	return ParseNames(text)
}

// Name writes the serving file, whole or not at all, once every model that it names
// has been loaded and is trusted.
func (r *Registry) Name(n Names) error {
	text, err := json.MarshalIndent(n, "", "  ")
	if err != nil {
		return err
	}
	text = append(text, '\n')
	if n, err = ParseNames(text); err != nil {
		return err
	}
	for _, d := range [...]string{n.Champion, n.Challenger} {
		if d == "" {
			continue
		}
		if _, err := r.Model(d); err != nil {
			return err
		}
	}
	return replaceFile(filepath.Join(r.dir, ServingFile), text)
}

// named is Names, where no file means that nobody is named.
func (r *Registry) named() (Names, error) {
	n, err := r.Names()
	if errors.Is(err, fs.ErrNotExist) {
		return n, nil
	}
	return n, err
}
