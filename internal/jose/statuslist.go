package jose

import (
	"bytes"
	"compress/zlib"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/bits"
	"strconv"
	"time"
)

// Status is what an entry of a status list says of its token
// (draft-ietf-oauth-status-list-21, section 7.1).
type Status uint8

// The registered statuses; larger values are an application's own.
const (
	StatusValid Status = iota
	StatusInvalid
	StatusSuspended
)

// StatusListType is the typ of status list tokens, and with "application/" before it
// their media type.
const StatusListType = "statuslist+jwt"

// MaxStatusList bounds the bytes of a status list that is not compressed: what its few
// compressed bytes may grow to.
const MaxStatusList = 1 << 20

// StatusList holds a status of 1, 2, 4 or 8 bits for each of its entries
// (draft-ietf-oauth-status-list-21, section 4). All are StatusValid at first.
type StatusList struct {
	bits int
	data []byte
}

// NewStatusList returns a list of n entries of 1, 2, 4 or 8 bits each.
func NewStatusList(width, n int) (*StatusList, error) {
	if !goodWidth(width) || n < 1 || n > MaxStatusList*8/width {
		return nil, fmt.Errorf("status list: %d entries of %d bits: want 1, 2, 4 or 8 bits and at most %d bytes", n, width, MaxStatusList)
	}
	return &StatusList{bits: width, data: make([]byte, (n*width+7)/8)}, nil
}

func goodWidth(width int) bool { return width >= 1 && width <= 8 && bits.OnesCount(uint(width)) == 1 }

// Len returns how many entries there are: a multiple of what a byte holds.
func (l *StatusList) Len() int { return len(l.data) * 8 / l.bits }

// At returns the status of an entry. There is none outside the list: section 8.3 has a
// token with such an index refused.
func (l *StatusList) At(i int) (s Status, ok bool) {
	if i < 0 || i >= l.Len() {
		return 0, false
	}
	per := 8 / l.bits
	return Status(l.data[i/per]>>(i%per*l.bits)) & l.mask(), true
}

// Set changes the status of an entry and reports whether the list has that entry and
// room for that status.
func (l *StatusList) Set(i int, s Status) bool {
	if i < 0 || i >= l.Len() || s&^l.mask() != 0 {
		return false
	}
	per := 8 / l.bits
	at, shift := i/per, i%per*l.bits
	l.data[at] = l.data[at]&^(byte(l.mask())<<shift) | byte(s)<<shift
	return true
}

func (l *StatusList) mask() Status { return Status(1<<l.bits - 1) }

// MarshalJSON returns the list as section 4.2 writes it: {"bits":…,"lst":…}.
func (l *StatusList) MarshalJSON() ([]byte, error) {
	var b bytes.Buffer
	w, err := zlib.NewWriterLevel(&b, zlib.BestCompression)
	if err == nil {
		_, err = w.Write(l.data)
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		return nil, fmt.Errorf("compress status list: %w", err)
	}
	return fmt.Appendf(nil, `{"bits":%d,"lst":%q}`, l.bits, base64.RawURLEncoding.EncodeToString(b.Bytes())), nil
}

// ParseStatusList reads a list. It is refused where it would be longer than
// MaxStatusList, however short its compressed form is, and where something follows it.
func ParseStatusList(data []byte) (*StatusList, error) {
	m, err := parseObject(data)
	if err != nil {
		return nil, err
	}
	width, err := strconv.Atoi(string(m.get("bits")))
	if err != nil || !goodWidth(width) {
		return nil, fmt.Errorf("%w: bits of a status list are none of 1, 2, 4, 8", ErrMalformed)
	}
	text, err := m.text("lst")
	if err != nil {
		return nil, err
	}
	packed, err := decodeBase64(text)
	if err != nil {
		return nil, err
	}
	source := bytes.NewReader(packed)
	r, err := zlib.NewReader(source)
	if err != nil {
		return nil, fmt.Errorf("%w: lst: %v", ErrMalformed, err)
	}
	l := &StatusList{bits: width}
	l.data, err = io.ReadAll(io.LimitReader(r, MaxStatusList+1)) // to its end, where its checksum is
	switch {
	case err != nil:
		return nil, fmt.Errorf("%w: lst: %v", ErrMalformed, err)
	case len(l.data) == 0 || len(l.data) > MaxStatusList || source.Len() != 0:
		return nil, fmt.Errorf("%w: lst is empty, longer than %d bytes, or something follows it", ErrMalformed, MaxStatusList)
	}
	return l, nil
}

// StatusReference is the status claim of a token: where its status stands (section 6.1).
type StatusReference struct {
	List struct {
		Index int    `json:"idx"`
		URI   string `json:"uri"`
	} `json:"status_list"`
}

// StatusListToken is a status list as it is published (section 5.1). Its signature was
// verified or is to be made; Issued, TTL and Life are whole seconds.
type StatusListToken struct {
	URI    string
	List   *StatusList
	Issued time.Time
	Life   time.Duration // until exp
	TTL    time.Duration // how long a copy may be used
}

// SignStatusList returns the compact status list token.
func (s *Signer) SignStatusList(t *StatusListToken) (string, error) {
	if t.URI == "" || t.TTL < time.Second || t.Life < t.TTL {
		return "", errors.New("jose: a status list has a URI, a ttl of a second or more, and lives at least as long")
	}
	return s.Sign(StatusListType, struct {
		Subject string      `json:"sub"`
		Issued  int64       `json:"iat"`
		Expires int64       `json:"exp"`
		TTL     int64       `json:"ttl"`
		List    *StatusList `json:"status_list"`
	}{t.URI, t.Issued.Unix(), t.Issued.Add(t.Life).Unix(), int64(t.TTL / time.Second), t.List})
}

// ParseStatusListToken verifies the status list token of a URI (section 8.3): signature,
// typ, sub and times. iat and exp are required here, ttl is not: without it TTL is 0. It
// is refused where it is signed longer ago, or lives longer, than most.
func ParseStatusListToken(compact, uri string, keys KeySet, now time.Time, most time.Duration) (*StatusListToken, error) {
	parsed, err := Parse(compact, StatusListType)
	if err != nil {
		return nil, err
	}
	claims, err := parsed.Verify(keys)
	if err != nil {
		return nil, err
	}
	if err := claims.Check(Window{Now: now, MaxAge: most, MaxLife: most}); err != nil {
		return nil, err
	}
	if uri == "" || claims.Subject != uri {
		return nil, fmt.Errorf("%w: it is the status list of another URI", ErrMalformed)
	}
	t := &StatusListToken{URI: uri, Issued: claims.IssuedAt, Life: claims.Expiry.Sub(claims.IssuedAt)}
	if raw := claims.members.get("ttl"); raw != nil {
		seconds, err := strconv.ParseFloat(string(raw), 64)
		if err != nil || !(seconds > 0 && seconds < latest) {
			return nil, fmt.Errorf("%w: ttl is no positive number", ErrMalformed)
		}
		t.TTL = time.Duration(min(seconds, most.Seconds()) * float64(time.Second))
	}
	raw := claims.members.get("status_list")
	if raw == nil || !json.Valid(raw) {
		return nil, fmt.Errorf("%w: status_list is missing", ErrMalformed)
	}
	t.List, err = ParseStatusList(raw)
	return t, err
}
