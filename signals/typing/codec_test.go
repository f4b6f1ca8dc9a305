package typing

import (
	"bytes"
	"encoding/json"
	"math"
	"strings"
	"testing"
)

// TestKeptSummary: what is kept comes back to within half a unit, and takes what was
// measured.
func TestKeptSummary(t *testing.T) {
	s := Summarize(invented(1, 1)[0][0])
	for name, c := range map[string]struct {
		s     Summary
		bytes int
	}{"a text": {s, 0}, "a password": {s.Password(), measuredBits + 2*20}, "nothing": {Summarize(nil), 0}} {
		b := AppendSummary([]byte("x"), &c.s)
		if len(b)-1 > SummaryBytes || c.bytes > 0 && len(b)-1 != c.bytes {
			t.Errorf("%s: %d bytes", name, len(b)-1)
		}
		var back Summary
		rest, ok := ReadSummary(&back, append(b[1:], "rest"...))
		if !ok || string(rest) != "rest" {
			t.Fatalf("%s: %v, rest %q", name, ok, rest)
		}
		for i := range back {
			x, y := float64(c.s[i]), float64(back[i])
			if math.IsNaN(x) != math.IsNaN(y) || math.Abs(x-y) > 0.5/summaryUnit {
				t.Errorf("%s: field %d is %v, was %v", name, i, y, x)
			}
		}
		if _, ok := ReadSummary(&back, b[1:len(b)-1]); ok {
			t.Errorf("%s: cut short it is read", name)
		}
	}
	s[0], s[1] = 1e9, -1e9
	var back Summary
	if _, ok := ReadSummary(&back, AppendSummary(nil, &s)); !ok || math.Abs(float64(back[0])-16) > 0.01 || math.Abs(float64(back[1])+16) > 0.01 {
		t.Errorf("what no keyboard makes comes back as %v and %v", back[0], back[1])
	}
}

// FuzzReadSummary: what is read is written again as it was.
func FuzzReadSummary(f *testing.F) {
	s := Summarize(invented(1, 1)[0][0])
	f.Add(AppendSummary(nil, &s))
	f.Add([]byte{255})
	f.Fuzz(func(t *testing.T, b []byte) {
		var s Summary
		rest, ok := ReadSummary(&s, b)
		if !ok {
			return
		}
		if got := AppendSummary(nil, &s); string(got)+string(rest) != string(b) {
			t.Errorf("%x became %x", b, got)
		}
		if !bytes.HasSuffix(b, rest) {
			t.Error("the rest is not the end")
		}
	})
}

// What ParseLine takes it takes whole, and a line that stands for the same gives the same.
func FuzzParseLine(f *testing.F) {
	f.Add([]byte(`{"account":"a","rhythm":[1,null]}`))
	f.Add([]byte(`{"account":"a","rhythm":[` + strings.Repeat("1.5,", Fields-1) + `null]}`))
	f.Add([]byte(`{"account":"a","rhythm":[` + strings.Repeat("0,", Fields-1) + `1]} {}`))
	f.Fuzz(func(t *testing.T, line []byte) {
		account, s, err := ParseLine(line)
		if err != nil {
			return
		}
		rhythm := make([]*float32, Fields)
		for i := range s {
			if s[i] == s[i] {
				rhythm[i] = &s[i]
			}
		}
		again, err := json.Marshal(map[string]any{"account": account, "rhythm": rhythm})
		if err != nil {
			t.Fatal(err)
		}
		account2, s2, err := ParseLine(again)
		if err != nil || account2 != account {
			t.Fatalf("%s became %q: %v", line, account2, err)
		}
		for i := range s {
			if math.Float32bits(s[i]) != math.Float32bits(s2[i]) && s[i] == s[i] {
				t.Errorf("field %d: %v became %v", i, s[i], s2[i])
			}
		}
	})
}
