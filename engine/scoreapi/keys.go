package scoreapi

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"
)

// Right is what a caller may do.
type Right uint8

// Rights.
const (
	RightScore    Right = 1 << iota // score and evaluate
	RightFeedback                   // feedback and events
	RightRead                       // decisions
)

var rightNames = [...]string{"score", "feedback", "read"}

// Caller is who holds a credential.
type Caller struct {
	Name   string
	Rights Right
	limit  *limiter
}

// Keys are the callers of the score API. A key is not kept, only its SHA-256: a
// key is 256 random bits, so no slow hash is needed.
type Keys struct {
	ids          []keyEntry // sorted by id
	certificates []certificateEntry
}

type keyEntry struct {
	id     string
	sum    [sha256.Size]byte
	caller *Caller
}

type certificateEntry struct {
	sum    [sha256.Size]byte
	caller *Caller
}

// keyPrefix marks a key, so that one that leaked is found by scanners.
const keyPrefix = "wary_"

const keyIDBytes = 6

// NewKey returns a new key for a caller and the row that stands for it in a file
// of keys. The key itself is shown once and kept nowhere.
func NewKey(name string, rights []string) (key, row string, err error) {
	if _, err := parseRights(rights); err != nil {
		return "", "", err
	}
	var id [keyIDBytes]byte
	var secret [32]byte
	_, _ = rand.Read(id[:]) // never fails (crypto/rand)
	_, _ = rand.Read(secret[:])
	key = keyPrefix + hex.EncodeToString(id[:]) + "_" + base64.RawURLEncoding.EncodeToString(secret[:])
	sum := sha256.Sum256([]byte(key))
	text, err := yaml.Marshal([]keyRow{{Name: name, Rights: rights, ID: hex.EncodeToString(id[:]), SHA256: hex.EncodeToString(sum[:])}})
	return key, string(text), err
}

// keyRow is one caller in the file of keys.
type keyRow struct {
	Name        string   `yaml:"name"`
	Rights      []string `yaml:"rights,flow"`
	ID          string   `yaml:"id,omitempty"`                 // the part of the key between its underscores
	SHA256      string   `yaml:"sha256,omitempty"`             // of the whole key
	Certificate string   `yaml:"certificate_sha256,omitempty"` // of the client certificate, DER
	Rate        float64  `yaml:"rate,omitempty"`               // requests a second; 0 is unlimited
	Burst       int      `yaml:"burst,omitempty"`              // default: one second's
}

// ParseKeys reads a file of keys: a list of callers. The error names the row.
func ParseKeys(text []byte) (*Keys, error) {
	var rows []keyRow
	if err := yaml.NewDecoder(bytes.NewReader(text), yaml.Strict()).Decode(&rows); err != nil {
		return nil, fmt.Errorf("keys: %s", yaml.FormatError(err, false, true))
	}
	k := &Keys{}
	var defects []error
	for i, r := range rows {
		if err := k.add(r); err != nil {
			defects = append(defects, fmt.Errorf("keys[%d] (%s): %w", i, r.Name, err))
		}
	}
	for i, c := range k.certificates {
		if slices.ContainsFunc(k.certificates[:i], func(e certificateEntry) bool { return e.sum == c.sum }) {
			defects = append(defects, fmt.Errorf("keys: certificate %x stands twice", c.sum))
		}
	}
	slices.SortFunc(k.ids, func(a, b keyEntry) int { return strings.Compare(a.id, b.id) })
	for i := 1; i < len(k.ids); i++ {
		if k.ids[i].id == k.ids[i-1].id {
			defects = append(defects, fmt.Errorf("keys: id %s stands twice", k.ids[i].id))
		}
	}
	return k, errors.Join(defects...)
}

func (k *Keys) add(r keyRow) error {
	rights, err := parseRights(r.Rights)
	if err != nil {
		return err
	}
	if r.Name == "" {
		return errors.New("name is missing")
	}
	if r.Rate != 0 && !(r.Rate >= leastRate && r.Rate <= mostRate) {
		return fmt.Errorf("rate must be 0, or from %g to %g requests a second", leastRate, mostRate)
	}
	if r.Burst < 0 || r.Burst > mostBurst {
		return fmt.Errorf("burst must be 0 to %d requests", mostBurst)
	}
	c := &Caller{Name: r.Name, Rights: rights, limit: newLimiter(r.Rate, r.Burst)}
	if (r.SHA256 == "") == (r.Certificate == "") {
		return errors.New("needs exactly one of sha256 and certificate_sha256")
	}
	text := r.SHA256 + r.Certificate
	sum, err := hex.DecodeString(text)
	if err != nil || len(sum) != sha256.Size {
		return errors.New("a SHA-256 is 64 hexadecimal digits")
	}
	if r.Certificate != "" {
		k.certificates = append(k.certificates, certificateEntry{[sha256.Size]byte(sum), c})
		return nil
	}
	if len(r.ID) != 2*keyIDBytes {
		return fmt.Errorf("id is missing or not %d digits", 2*keyIDBytes)
	}
	k.ids = append(k.ids, keyEntry{r.ID, [sha256.Size]byte(sum), c})
	return nil
}

func parseRights(names []string) (out Right, err error) {
	for _, n := range names {
		i := slices.Index(rightNames[:], n)
		if i < 0 {
			return 0, fmt.Errorf("right %q is unknown, write %s", n, strings.Join(rightNames[:], ", "))
		}
		out |= 1 << i
	}
	if out == 0 {
		return 0, errors.New("rights are missing")
	}
	return out, nil
}

// Bearer returns the caller of a key, or nil. The id in a key is public and found
// by search; the rest is compared in constant time.
func (k *Keys) Bearer(key []byte) *Caller {
	rest, ok := bytes.CutPrefix(key, []byte(keyPrefix))
	if k == nil || !ok || len(rest) <= 2*keyIDBytes || rest[2*keyIDBytes] != '_' {
		return nil
	}
	id := rest[:2*keyIDBytes]
	i, found := slices.BinarySearchFunc(k.ids, id, func(e keyEntry, id []byte) int { return bytes.Compare([]byte(e.id), id) })
	if !found {
		return nil
	}
	sum := sha256.Sum256(key)
	if subtle.ConstantTimeCompare(sum[:], k.ids[i].sum[:]) != 1 {
		return nil
	}
	return k.ids[i].caller
}

// Certificate returns the caller of a client certificate (DER), or nil.
func (k *Keys) Certificate(der []byte) *Caller {
	if k == nil {
		return nil
	}
	sum := sha256.Sum256(der)
	for i := range k.certificates {
		if subtle.ConstantTimeCompare(sum[:], k.certificates[i].sum[:]) == 1 {
			return k.certificates[i].caller
		}
	}
	return nil
}

// Empty reports whether there is no caller.
func (k *Keys) Empty() bool { return k == nil || len(k.ids)+len(k.certificates) == 0 }
