package jose

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strconv"
	"time"

	gojson "github.com/go-jose/go-jose/v4/json"
)

// What a clock may be wrong by (FAPI 2.0 Security Profile 5.3.2.1: 10 s in the
// future shall be accepted, more than 60 s shall not).
const (
	minAhead = 10 * time.Second
	maxAhead = 60 * time.Second
)

// Claims are the registered claims of a token (RFC 7519, section 4.1). An absent
// text is empty, an absent time zero.
type Claims struct {
	Issuer   string
	Subject  string
	Audience Audience
	ID       string

	Expiry    time.Time
	NotBefore time.Time
	IssuedAt  time.Time

	payload []byte
	members members
}

// Audience is the aud claim, which remembers whether it was a string or an array.
type Audience struct {
	values []string
	array  bool
}

// Is reports whether the audience is this one string, and not an array: what FAPI
// 2.0 asks of client assertions.
func (a Audience) Is(s string) bool { return !a.array && len(a.values) == 1 && a.values[0] == s }

// Has reports whether s is the audience or one of them.
func (a Audience) Has(s string) bool { return slices.Contains(a.values, s) }

func parseAudience(raw []byte) (Audience, error) {
	a := Audience{array: len(raw) > 0 && raw[0] == '['}
	switch {
	case raw == nil:
		return a, nil
	case a.array:
		var values []*string // null is no string
		err := json.Unmarshal(raw, &values)
		if err != nil || slices.Contains(values, nil) {
			return a, fmt.Errorf("%w: aud is not all strings", ErrMalformed)
		}
		for _, v := range values {
			a.values = append(a.values, *v)
		}
		return a, nil
	case raw[0] != '"':
		return a, fmt.Errorf("%w: aud is neither a string nor an array", ErrMalformed)
	}
	text, err := unquote(raw)
	a.values = []string{string(text)}
	return a, err
}

// latest is the last second of a date: beyond it, in the year 5138, lie mistakes,
// milliseconds taken for seconds among them.
const latest = 1e11

// parseDate reads a NumericDate (RFC 7519, section 2): seconds since 1970, perhaps
// with a fraction. Absent it is the zero time; null is not absent.
func parseDate(raw []byte) (time.Time, error) {
	if raw == nil {
		return time.Time{}, nil
	}
	seconds, err := strconv.ParseFloat(string(raw), 64)
	if err != nil || !(seconds >= 0 && seconds < latest) {
		return time.Time{}, fmt.Errorf("%w: a time that is no number of seconds", ErrMalformed)
	}
	whole, fraction := math.Modf(seconds)
	return time.Unix(int64(whole), int64(fraction*1e9)), nil
}

func parseClaims(payload []byte) (*Claims, error) {
	m, err := parseObject(payload)
	if err != nil {
		return nil, err
	}
	c := &Claims{payload: payload, members: m}
	for _, claim := range [...]struct {
		name  string
		place *string
	}{{"iss", &c.Issuer}, {"sub", &c.Subject}, {"jti", &c.ID}} {
		if *claim.place, err = m.text(claim.name); err != nil {
			return nil, err
		}
	}
	for _, claim := range [...]struct {
		name  string
		place *time.Time
	}{{"exp", &c.Expiry}, {"nbf", &c.NotBefore}, {"iat", &c.IssuedAt}} {
		if *claim.place, err = parseDate(m.get(claim.name)); err != nil {
			return nil, err
		}
	}
	if c.Audience, err = parseAudience(m.get("aud")); err != nil {
		return nil, err
	}
	return c, nil
}

// Text returns a further claim that is a string, "" if it is absent. A claim that
// is there and is none is ErrMalformed.
func (c *Claims) Text(name string) (string, error) { return c.members.text(name) }

// Decode reads further claims into a struct or a map. Names are compared exactly,
// unlike in encoding/json, so every field needs its tag.
func (c *Claims) Decode(v any) error {
	if err := gojson.Unmarshal(c.payload, v); err != nil {
		return fmt.Errorf("%w: the claims: %v", ErrMalformed, err)
	}
	return nil
}

// Window says which times of a token are accepted.
type Window struct {
	Now     time.Time
	Ahead   time.Duration // how far iat and nbf may lie in the future; 10 s at least, 60 s at most
	MaxAge  time.Duration // not 0: iat is required and this old at most
	MaxLife time.Duration // not 0: exp is required and this far in the future at most
}

// Check returns ErrExpired, ErrEarly, ErrStale, or ErrMalformed where a required
// time is missing or exp lies further ahead than MaxLife. An exp, nbf or iat that
// is there is always checked; the second of exp itself is too late (RFC 7519,
// section 4.1.4).
func (c *Claims) Check(w Window) error {
	ahead := w.Now.Add(min(max(w.Ahead, minAhead), maxAhead))
	switch {
	case w.MaxAge > 0 && c.IssuedAt.IsZero():
		return fmt.Errorf("%w: iat is missing", ErrMalformed)
	case w.MaxLife > 0 && c.Expiry.IsZero():
		return fmt.Errorf("%w: exp is missing", ErrMalformed)
	case !c.Expiry.IsZero() && !w.Now.Before(c.Expiry):
		return ErrExpired
	case c.NotBefore.After(ahead) || c.IssuedAt.After(ahead):
		return ErrEarly
	case w.MaxAge > 0 && w.Now.Sub(c.IssuedAt) > w.MaxAge:
		return ErrStale
	case w.MaxLife > 0 && c.Expiry.Sub(w.Now) > w.MaxLife:
		return fmt.Errorf("%w: exp lies too far ahead", ErrMalformed)
	}
	return nil
}
