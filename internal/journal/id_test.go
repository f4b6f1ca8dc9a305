package journal

import (
	"testing"
)

func TestIDRoundTrip(t *testing.T) {
	s := Sealer{1, 2}
	id := s.Seal(7, Address{Segment: 3, Offset: 4711})
	got, err := s.Parse(id.String())
	if err != nil || got != id {
		t.Fatalf("parse(%s) = %v, %v, want %v", id, got, err, id)
	}
}

// TestIDCannotBeGuessed changes every bit of an id: none is accepted. The control
// parses under the same key.
func TestIDCannotBeGuessed(t *testing.T) {
	s := Sealer{1, 2}
	text := s.Seal(7, Address{Segment: 3, Offset: 4711}).String()
	for i := range text {
		for bit := range 8 {
			b := []byte(text)
			b[i] ^= 1 << bit
			if _, err := s.Parse(string(b)); err == nil {
				t.Fatalf("byte %d bit %d: %q was accepted", i, bit, b)
			}
		}
	}
	for _, bad := range []string{"", "x", text + "A", text[1:], text + "\n", text[:len(text)-1] + "\n"} {
		if _, err := s.Parse(bad); err == nil {
			t.Errorf("%q was accepted", bad)
		}
	}
	if _, err := (Sealer{1, 3}).Parse(text); err == nil {
		t.Error("an id of another key was accepted")
	}
	if _, err := s.Parse(text); err != nil {
		t.Errorf("control: %v", err)
	}
}

func FuzzID(f *testing.F) {
	s := Sealer{1, 2}
	f.Add(s.Seal(0, Address{Segment: 1, Offset: 2}).String())
	f.Fuzz(func(t *testing.T, text string) {
		if id, err := s.Parse(text); err == nil && id.String() != text {
			t.Fatalf("%q and %q are one id", text, id)
		}
	})
}
