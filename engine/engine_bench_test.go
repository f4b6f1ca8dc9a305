package engine

import (
	"strconv"
	"testing"
	"time"
	"unsafe"

	"github.com/waryauth/wary/signals"
)

// benchAttempts returns an engine with a past and a function that scores the next
// attempt of one of 1,000 users.
func benchAttempts(b *testing.B, do func(*Engine, *Assessment, time.Time) error, change ...func(*Options)) {
	e := open(b, b.TempDir(), change...)
	defer e.Close()
	at := testStart
	x := &Assessment{}
	var id, user [24]byte
	copy(id[:], "attempt-")
	copy(user[:], "user-")
	n := 0
	one := func() {
		x.Reset()
		scopes := x.Attempt.Intent.Scopes
		x.Attempt = home("", at)
		x.Attempt.Intent.Scopes = append(scopes, "openid", "accounts")
		x.Attempt.ID = view(strconv.AppendInt(id[:8], int64(n), 10))
		x.Attempt.Subject = view(strconv.AppendInt(user[:5], int64(n%1000), 10))
		x.Attempt.Authentication.Result = signals.Success
		n++
		at = at.Add(time.Second)
		if err := do(e, x, at); err != nil {
			b.Fatal(err)
		}
	}
	for range 5000 {
		one()
	}
	b.ReportAllocs()
	for b.Loop() {
		one()
	}
}

func BenchmarkScore(b *testing.B) { benchAttempts(b, (*Engine).Score) }

// BenchmarkScoreChallenged has the champion's own trees as challenger.
func BenchmarkScoreChallenged(b *testing.B) {
	m, err := baseline()
	if err != nil {
		b.Fatal(err)
	}
	benchAttempts(b, (*Engine).Score, func(o *Options) { o.Challenger = m })
}

func BenchmarkEvaluate(b *testing.B) { benchAttempts(b, (*Engine).Evaluate) }

// view returns the bytes as a string without a copy.
func view(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }
