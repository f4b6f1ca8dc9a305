package journal

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// TestSummed: a file is as it was written, or it is refused. The controls are the whole
// file, and an error while it is filled, which leaves the one of before.
func TestSummed(t *testing.T) {
	path := filepath.Join(t.TempDir(), "f")
	write := func(text string, err error) error {
		return WriteSummed(path, func(w io.Writer) error { return errors.Join(second(io.WriteString(w, text)), err) })
	}
	read := func() (string, error) {
		s, err := OpenSummed(path)
		if err != nil {
			return "", err
		}
		defer s.Close()
		b, err := io.ReadAll(s)
		if int64(len(b)) != s.Size {
			t.Errorf("%d bytes, said %d", len(b), s.Size)
		}
		return string(b), err
	}
	if _, err := read(); !errors.Is(err, os.ErrNotExist) {
		t.Error(err)
	}
	for _, text := range []string{"", "whole"} {
		if err := write(text, nil); err != nil {
			t.Fatal(err)
		}
		if got, err := read(); err != nil || got != text {
			t.Errorf("%q, %v", got, err)
		}
	}
	if err := write("half", io.ErrShortWrite); !errors.Is(err, io.ErrShortWrite) {
		t.Error(err)
	}
	if got, err := read(); err != nil || got != "whole" {
		t.Errorf("after a write that failed: %q, %v", got, err)
	}
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for n := range whole {
		flipped := slices.Clone(whole)
		flipped[n] ^= 1
		for _, b := range [][]byte{flipped, whole[:n]} {
			if err := os.WriteFile(path, b, 0o600); err != nil {
				t.Fatal(err)
			}
			if got, err := read(); err == nil {
				t.Errorf("damaged at %d it reads %q", n, got)
			}
		}
	}
}

func second[T any](_ T, err error) error { return err }
