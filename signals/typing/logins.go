package typing

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
)

// Logins are summaries of accepted logins by account, as Train takes them, in the order
// of their accounts' first.
type Logins struct {
	Most     int // of one account, its first
	Accounts [][]Summary

	place map[string]int
}

// Add takes in a login.
func (l *Logins) Add(account string, s *Summary) {
	i, known := l.place[account]
	if !known {
		if l.place == nil {
			l.place = map[string]int{}
		}
		i = len(l.Accounts)
		l.place[account], l.Accounts = i, append(l.Accounts, nil)
	}
	if len(l.Accounts[i]) < l.Most {
		l.Accounts[i] = append(l.Accounts[i], *s)
	}
}

// longestLine bounds a line of a file, in bytes.
const longestLine = 1 << 14

// Read takes in logins, one a line, as ParseLine reads them. The error names the line.
func (l *Logins) Read(r io.Reader) error {
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, longestLine)
	n := 0
	for n = 1; lines.Scan(); n++ {
		account, s, err := ParseLine(lines.Bytes())
		if err != nil {
			return fmt.Errorf("line %d: %w", n, err)
		}
		l.Add(account, &s)
	}
	if err := lines.Err(); err != nil {
		return fmt.Errorf("line %d: %w", n, err)
	}
	return nil
}

// ParseLine reads a line of a file of summaries: {"account": "...", "rhythm": [78 numbers,
// null where too little was measured]}, and nothing else.
func ParseLine(line []byte) (account string, s Summary, err error) {
	var v struct {
		Account string     `json:"account"`
		Rhythm  []*float32 `json:"rhythm"`
	}
	d := json.NewDecoder(bytes.NewReader(line))
	d.DisallowUnknownFields()
	if err = d.Decode(&v); err != nil {
		return "", s, err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return "", s, errors.New("more than one document")
	}
	if v.Account == "" {
		return "", s, errors.New("account is missing")
	}
	if len(v.Rhythm) != Fields {
		return "", s, fmt.Errorf("rhythm has %d numbers, want %d", len(v.Rhythm), Fields)
	}
	for i, x := range v.Rhythm {
		s[i] = float32(math.NaN())
		if x != nil {
			s[i] = *x
		}
	}
	return v.Account, s, nil
}
