package rba

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/csv"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/waryauth/wary/features"
)

// Columns of the public data set, exactly.
const (
	columnIndex = iota
	columnTime
	columnUser
	columnRTT
	columnIP
	columnCountry
	columnRegion
	columnCity
	columnASN
	columnAgent
	columnBrowser
	columnOS
	columnDevice
	columnSuccess
	columnAttackIP
	columnTakeover
	columnCount
)

// header is the first line.
var header = [columnCount]string{
	"index", "Login Timestamp", "User ID", "Round-Trip Time [ms]", "IP Address", "Country", "Region", "City", "ASN", "User Agent String",
	"Browser Name and Version", "OS Name and Version", "Device Type", "Login Successful", "Is Attack IP", "Is Account Takeover",
}

// maxLine bounds a line: user agents of some thousand characters occur.
const maxLine = 1 << 16

// Record is a line of the data set: the login, and what it has beyond.
type Record struct {
	Login
	City   string
	ASN    uint32
	RTT    float64 // ms; 0 unknown, as in nearly all
	number int64
}

// Reader streams the data set. It is strict: a column that is missing, doubled or
// elsewhere, a value that is none of its kind or a line out of time's order ends it
// with an error that names the line.
type Reader struct {
	lines  *bufio.Reader
	digest hash.Hash
	buffer []byte
	line   int
	// Rows, Successes, Attacks and Takeovers count what was read.
	Rows, Successes, Attacks, Takeovers int
	last                                time.Time
	kept                                map[string]string
}

// NewReader reads the header.
func NewReader(r io.Reader) (*Reader, error) {
	d := sha256.New()
	c := &Reader{lines: bufio.NewReaderSize(io.TeeReader(r, d), 1<<20), digest: d, kept: map[string]string{}}
	fields, err := c.fields()
	if err != nil && !errors.Is(err, csv.ErrFieldCount) {
		return nil, fmt.Errorf("read header: %w", err)
	}
	if !slices.Equal(fields, header[:]) {
		return nil, fmt.Errorf("read header: the columns are %q, not those of the data set: %q", fields, header)
	}
	return c, nil
}

// Digest returns "sha256:<hex>" of what was read; of the whole file after io.EOF.
func (c *Reader) Digest() string { return "sha256:" + hex.EncodeToString(c.digest.Sum(nil)) }

// Read fills in the next line. It returns io.EOF after the last. Strings are good
// beyond the next call.
func (c *Reader) Read(r *Record) error {
	fields, err := c.fields()
	if err == io.EOF {
		return err
	}
	if err == nil {
		err = c.parse(r, fields)
	}
	if err != nil {
		return fmt.Errorf("line %d: %w", c.line, err)
	}
	c.Rows++
	if r.Success {
		c.Successes++
	}
	if r.AttackIP {
		c.Attacks++
	}
	if r.Takeover != "" {
		c.Takeovers++
	}
	return nil
}

// fields reads a record. No value of the data set has a line break in it, so that a
// record is a line.
func (c *Reader) fields() ([]string, error) {
	c.line++
	c.buffer = c.buffer[:0]
	for {
		part, err := c.lines.ReadSlice('\n')
		c.buffer = append(c.buffer, part...)
		switch {
		case len(c.buffer) > maxLine:
			return nil, fmt.Errorf("longer than %d bytes", maxLine)
		case err == bufio.ErrBufferFull:
			continue
		case err == io.EOF && len(c.buffer) == 0:
			return nil, io.EOF
		case err != nil && err != io.EOF:
			return nil, err
		}
		break
	}
	r := csv.NewReader(bytes.NewReader(c.buffer))
	r.FieldsPerRecord = columnCount
	fields, err := r.Read()
	if err == io.EOF {
		return nil, errors.New("an empty line")
	}
	return fields, err
}

func (c *Reader) parse(r *Record, f []string) (err error) {
	fail := func(column int, why error) {
		if err == nil && why != nil {
			err = fmt.Errorf("%s: %q: %w", header[column], f[column], why)
		}
	}
	*r = Record{}
	r.number, err = strconv.ParseInt(f[columnIndex], 10, 64)
	fail(columnIndex, err)
	at, wrong := time.Parse("2006-01-02 15:04:05.999", f[columnTime])
	fail(columnTime, wrong)
	if at.Before(c.last) {
		fail(columnTime, fmt.Errorf("before %s, the line before", c.last.Format(time.DateTime)))
	}
	c.last, r.At = at, at
	_, wrong = strconv.ParseInt(f[columnUser], 10, 64) // ids are signed
	fail(columnUser, wrong)
	if f[columnRTT] != "" {
		if r.RTT, wrong = strconv.ParseFloat(f[columnRTT], 64); wrong != nil || !(r.RTT >= 0 && r.RTT <= 1e9) {
			fail(columnRTT, errors.New("no time in ms"))
		}
	}
	_, wrong = netip.ParseAddr(f[columnIP])
	fail(columnIP, wrong)
	if n := len(f[columnCountry]); n != 0 && n != 2 { // NA is Namibia
		fail(columnCountry, errors.New("no country code"))
	}
	asn, wrong := strconv.ParseUint(f[columnASN], 10, 32)
	fail(columnASN, wrong)
	r.ASN = uint32(asn)
	r.Success = flag(f, columnSuccess, fail)
	r.AttackIP = flag(f, columnAttackIP, fail)
	if flag(f, columnTakeover, fail) {
		r.Takeover = VeryTargeted
	}
	r.User, r.Region, r.City = c.keep(f[columnUser]), c.keep(f[columnRegion]), c.keep(f[columnCity])
	for s, column := range [features.FreemanTerms]int{columnIP, columnASN, columnCountry, columnAgent, columnBrowser, columnOS, columnDevice} {
		r.Values[s] = c.keep(f[column])
	}
	return err
}

func flag(f []string, column int, fail func(int, error)) bool {
	switch f[column] {
	case "True":
		return true
	case "False":
	default:
		fail(column, errors.New("neither True nor False"))
	}
	return false
}

// mostKept strings are kept once; the data set has a few million different ones.
const mostKept = 1 << 23

// keep returns one copy of a string that is not part of a line.
func (c *Reader) keep(s string) string {
	if k, ok := c.kept[s]; ok {
		return k
	}
	s = strings.Clone(s)
	if len(c.kept) < mostKept {
		c.kept[s] = s
	}
	return s
}
