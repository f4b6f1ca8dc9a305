package main

import (
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/waryauth/wary/signals/typing"
)

// table returns a typing table learnt from people drawn with a seed.
func table(t *testing.T, seed uint64) (*typing.Table, []byte) {
	t.Helper()
	r := rand.New(rand.NewPCG(seed, 1))
	accounts := make([][]typing.Summary, typing.MinAccounts)
	for u := range accounts {
		var own typing.Summary
		for f := range own {
			own[f] = float32(r.NormFloat64())
		}
		for range 3 {
			s := own
			for f := range s {
				s[f] += float32(r.NormFloat64()) / 3
			}
			accounts[u] = append(accounts[u], s)
		}
	}
	out, err := typing.Train(accounts, time.Unix(1_800_000_000, 0))
	if err != nil {
		t.Fatal(err)
	}
	b, _ := out.AppendBinary(nil)
	return out, b
}

func write(t *testing.T, path string, b []byte) {
	t.Helper()
	err := os.WriteFile(path+".new", b, 0o644)
	if err == nil {
		err = os.Rename(path+".new", path) // nobody must see half of it
	}
	if err != nil {
		t.Fatal(err)
	}
}

// TestTypingTableIsSwapped while running; what is no table is refused, and the one in
// force stays.
func TestTypingTableIsSwapped(t *testing.T) {
	first, b := table(t, 1)
	second, other := table(t, 2)
	path := filepath.Join(t.TempDir(), "typing.table")
	write(t, path, b)
	r := boot(t, t.TempDir(), "-typing.table="+path, "-typing.every=1s")
	serves := func(want *typing.Table) {
		t.Helper()
		if got := r.engine.Typing(); got == nil || got.ID() != want.ID() {
			t.Errorf("serves %v, want table %d", got, want.ID())
		}
	}
	serves(first)
	write(t, path, other)
	r.log.await(t, "typing table swapped", 1)
	serves(second)
	write(t, path, other[:100])
	r.log.await(t, "typing table refused", 1)
	serves(second)
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	r.log.await(t, "typing table refused", 2) // for another reason
	write(t, path, b)
	r.log.await(t, "typing table swapped", 2)
	serves(first)
	if err := r.stop(); err != nil {
		t.Fatal(err)
	}
}

// TestTypingTableOfTheStart: a daemon that was given a table does not start without.
func TestTypingTableOfTheStart(t *testing.T) {
	for name, path := range map[string]string{"absent": filepath.Join(t.TempDir(), "none"), "no table": filepath.Join(t.TempDir(), "bad")} {
		if name == "no table" {
			write(t, path, []byte("nonsense"))
		}
		c := &Config{}
		c.Typing.Table = path
		if _, err := read(c); err == nil || !strings.Contains(err.Error(), "typing.table: ") {
			t.Errorf("%s: error %v", name, err)
		}
	}
}
