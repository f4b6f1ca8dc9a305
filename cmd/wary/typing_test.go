package main

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/waryauth/wary/engine"
	"github.com/waryauth/wary/models/modeltest"
	"github.com/waryauth/wary/signals"
	"github.com/waryauth/wary/signals/typing"
)

// rhythm draws what a person of a number types like: each has a mean of their own for
// every statistic, three times as far from others' as from their own attempts.
func rhythm(person, attempt int) (s typing.Summary) {
	own, now := rand.New(rand.NewPCG(1, uint64(person))), rand.New(rand.NewPCG(uint64(person), uint64(attempt)))
	for i := range s {
		s[i] = float32(3 + 0.6*own.NormFloat64() + 0.2*now.NormFloat64())
	}
	return s
}

// typists FILE ACCOUNTS LOGINS writes summaries.
func typists(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: typists FILE ACCOUNTS LOGINS")
	}
	accounts, err := strconv.Atoi(args[1])
	ts.Check(err)
	logins, err := strconv.Atoi(args[2])
	ts.Check(err)
	var b strings.Builder
	for i := range logins {
		for p := range accounts {
			fmt.Fprintf(&b, `{"account":"a-%d","rhythm":[null`, p)
			s := rhythm(p, i)
			for _, x := range s[1:] {
				fmt.Fprintf(&b, ",%g", x)
			}
			b.WriteString("]}\n")
		}
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(b.String()), 0o600))
}

// TestTypingOfALog learns a table from the log of an engine, of accepted logins alone.
func TestTypingOfALog(t *testing.T) {
	dir := t.TempDir()
	calm := modeltest.Load(t, "calm", -8, -7)
	e, err := engine.Open(dir, engine.Options{Secret: [32]byte{1, 2, 3}, Model: calm})
	if err != nil {
		t.Fatal(err)
	}
	const accounts, logins = 40, 3
	now := time.Now()
	for i := range logins + 1 {
		for p := range accounts {
			x := &engine.Assessment{}
			a := &x.Attempt
			a.ID, a.Action, a.Subject, a.Network.IP = fmt.Sprintf("%d-%d", p, i), signals.Login, fmt.Sprint("person-", p), "203.0.113.7"
			a.Behaviour.Keys.Rhythm, a.Behaviour.Keys.RhythmSet = rhythm(p, i), true
			if a.Authentication.Result = signals.Success; i == logins {
				a.Authentication.Result = signals.Failure
			}
			if err := e.Score(x, now); err != nil {
				t.Fatal(err)
			}
			if x.Decision.Outcome != engine.StepUp || i == logins {
				continue
			}
			f := signals.Feedback{ID: a.ID, DecisionID: x.Decision.ID.String(), Kind: signals.StepUpPassed.Kind(), Value: signals.StepUpPassed, Source: signals.Challenge}
			if err := e.Feedback(&f, now); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	c := root()
	c.SetOut(&out)
	path := filepath.Join(t.TempDir(), "typing.table")
	c.SetArgs([]string{"typing", "train", "--data", dir, "--out", path})
	if err := c.Execute(); err != nil {
		t.Fatal(err)
	}
	if want := regexp.MustCompile(`from 120 logins of 40 accounts`); !want.Match(out.Bytes()) {
		t.Errorf("%s", out.String())
	}
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := typing.Parse(b); err != nil {
		t.Error(err)
	}
}
