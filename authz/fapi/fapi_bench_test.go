package fapi_test

import (
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/sha256"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"testing"
	"time"

	"github.com/waryauth/wary/authz"
	"github.com/waryauth/wary/authz/fapi"
	"github.com/waryauth/wary/engine"
)

// newBench returns a world whose engine is the real one.
func newBench(b *testing.B) *world {
	_, real := withEngine(b, func(e *engine.Engine) func(*engine.Assessment, time.Time) error {
		return func(x *engine.Assessment, now time.Time) error {
			if err := e.Score(x, now); err != nil {
				return err
			}
			allowAll(x) // asked and remembered in full; what a crowd of one client looks like does not matter here
			return nil
		}
	})
	return newWorld(b, real, func(_ *authz.Options, o *fapi.Options) { o.PushesPerSecond = 1e9 })
}

// serve answers a request without a network.
func (w *world) serve(r *http.Request) *httptest.ResponseRecorder {
	r.RemoteAddr = "192.0.2.1:1234"
	rec := httptest.NewRecorder()
	w.server.Config.Handler.ServeHTTP(rec, r)
	return rec
}

// benchRequests serves requests made in batches while the clock stands.
func benchRequests(b *testing.B, w *world, want int, make func() *http.Request) {
	const batch = 256
	var ready []*http.Request
	b.ReportAllocs()
	b.ResetTimer()
	for range b.N {
		if len(ready) == 0 {
			b.StopTimer()
			for range batch {
				ready = append(ready, make())
			}
			b.StartTimer()
		}
		r := ready[len(ready)-1]
		ready = ready[:len(ready)-1]
		if rec := w.serve(r); rec.Code != want {
			b.Fatalf("status %d: %s", rec.Code, rec.Body)
		}
	}
}

// BenchmarkToken is a token request with private_key_jwt, DPoP and a decision.
func BenchmarkToken(b *testing.B) {
	w := newBench(b)
	benchRequests(b, w, http.StatusOK, func() *http.Request {
		w.one.nonce = w.authority.Proofs().Nonce()
		return w.one.request(w.one.own("accounts"))
	})
}

// BenchmarkTokenCryptography is what BenchmarkToken cannot do without: two
// verifications and a signature, each with its hash.
func BenchmarkTokenCryptography(b *testing.B) {
	key := newKey(b)
	input := make([]byte, 400)
	sum := sha256.Sum256(input)
	sig, err := ecdsa.SignASN1(rand.Reader, key, sum[:])
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		for range 2 {
			sum := sha256.Sum256(input)
			if !ecdsa.VerifyASN1(&key.PublicKey, sum[:], sig) {
				b.Fatal("not verified")
			}
		}
		sum := sha256.Sum256(input)
		if _, err := ecdsa.SignASN1(rand.Reader, key, sum[:]); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkIntrospection authenticates the caller, verifies the token and asks the engine.
func BenchmarkIntrospection(b *testing.B) {
	w := newBench(b)
	token := w.one.tokens().str("access_token")
	bank := w.one.as("bank")
	benchRequests(b, w, http.StatusOK, func() *http.Request { return bank.request(bank.call("/introspect", "token", token)) })
}

// BenchmarkUserInfo is a bound token used at a resource.
func BenchmarkUserInfo(b *testing.B) {
	w := newBench(b)
	token := w.one.tokens().str("access_token")
	benchRequests(b, w, http.StatusOK, func() *http.Request {
		w.one.nonce = w.authority.Proofs().Nonce()
		r := httptest.NewRequest("GET", w.issuer+"/userinfo", nil)
		r.Header.Set("Authorization", "DPoP "+token)
		r.Header.Set("DPoP", w.one.prove("GET", w.issuer+"/userinfo", token, nil))
		return r
	})
}

// BenchmarkRound is pushed request, authorization, a person's answer, and tokens, the
// client's own signatures among it.
func BenchmarkRound(b *testing.B) {
	w := newBench(b)
	b.ReportAllocs()
	for b.Loop() {
		w.one.nonce = w.authority.Proofs().Nonce()
		rec := w.serve(w.one.request(w.one.push()))
		uri := decodeBody(b, rec)["request_uri"].(string)
		begun := w.serve(httptest.NewRequest("GET", w.issuer+"/authorize?"+url.Values{"client_id": {w.one.id}, "request_uri": {uri}}.Encode(), nil))
		r := httptest.NewRequest("POST", w.issuer+begun.Header().Get("Location"), nil)
		r.Header.Set("Cookie", begun.Result().Cookies()[0].String())
		back, err := url.Parse(w.serve(r).Header().Get("Location"))
		if err != nil {
			b.Fatal(err)
		}
		if rec := w.serve(w.one.request(w.one.exchange(back.Query().Get("code")))); rec.Code != http.StatusOK {
			b.Fatalf("status %d: %s", rec.Code, rec.Body)
		}
	}
}

// BenchmarkTokenOverCryptography reports the medians' ratio of a token request and of
// its own cryptography, taken in turns so that what else the machine does falls on both.
func BenchmarkTokenOverCryptography(b *testing.B) {
	w := newBench(b)
	key := newKey(b)
	input := make([]byte, 400)
	sum := sha256.Sum256(input)
	sig, err := ecdsa.SignASN1(rand.Reader, key, sum[:])
	if err != nil {
		b.Fatal(err)
	}
	inTurns(b, "crypto", w.timed(b), func() time.Duration {
		start := time.Now()
		ok := true
		for range 2 {
			ok = ecdsa.VerifyASN1(&key.PublicKey, sum[:], sig) && ok
		}
		_, err := ecdsa.SignASN1(rand.Reader, key, sum[:])
		took := time.Since(start)
		if !ok || err != nil {
			b.Fatal("not verified")
		}
		return took
	})
}

// BenchmarkTokenOverNoEngine reports the same ratio of a token request with the engine and
// of one that something allows at once.
func BenchmarkTokenOverNoEngine(b *testing.B) {
	off := newWorld(b, func(o *authz.Options, _ *fapi.Options) {
		o.Score = func(x *engine.Assessment, _ time.Time) error { allowAll(x); return nil }
	})
	inTurns(b, "without", newBench(b).timed(b), off.timed(b))
}

// timed returns what serves a new token request and says how long that took.
func (w *world) timed(b *testing.B) func() time.Duration {
	return func() time.Duration {
		w.one.nonce = w.authority.Proofs().Nonce()
		r := w.one.request(w.one.own("accounts"))
		start := time.Now()
		rec := w.serve(r)
		took := time.Since(start)
		if rec.Code != http.StatusOK {
			b.Fatalf("status %d: %s", rec.Code, rec.Body)
		}
		return took
	}
}

// inTurns reports the medians of two, and their ratio.
func inTurns(b *testing.B, name string, whole, part func() time.Duration) {
	var wholes, parts []time.Duration
	for b.Loop() {
		wholes, parts = append(wholes, whole()), append(parts, part())
	}
	slices.Sort(wholes)
	slices.Sort(parts)
	w, p := wholes[len(wholes)/2], parts[len(parts)/2]
	b.ReportMetric(float64(w)/float64(p), "x-"+name)
	b.ReportMetric(float64(w)/1e3, "us/request")
	b.ReportMetric(float64(p)/1e3, "us/"+name)
}
