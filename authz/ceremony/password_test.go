package ceremony

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"
)

// The hashes of the reference implementation of argon2, as its command prints them:
//
//	printf '%s' PASSWORD | argon2 somesaltsomesalt -id -t 2 -k 19456 -p 1 -l 32 -e
var referenceHashes = []struct{ password, hash string }{
	{"correct horse battery staple", "$argon2id$v=19$m=19456,t=2,p=1$c29tZXNhbHRzb21lc2FsdA$ISO7kkvFzh19GM8qB7patN3C3Y9HHsjlVTfEZ9T600Y"},
	{"pässwörd", "$argon2id$v=19$m=65536,t=3,p=4$c29tZXNhbHRzb21lc2FsdA$yIN6m/rJ5rBqLPgF6UIzMK2Def6jt8/1MnO1mO5PM88"},
}

func TestPasswordHashes(t *testing.T) {
	k := newHasher()
	matches := func(h passwordHash, password string) bool {
		t.Helper()
		ok, err := k.matches(t.Context(), &h, password)
		if err != nil {
			t.Fatal(err)
		}
		return ok
	}
	for i, r := range referenceHashes {
		h, err := parseHash(r.hash)
		if err != nil {
			t.Fatalf("%s: %v", r.hash, err)
		}
		if h.String() != r.hash {
			t.Errorf("%s is written %s", r.hash, h)
		}
		if !matches(h, r.password) {
			t.Errorf("%s: not the hash of %q", r.hash, r.password)
		}
		if i == 0 && (matches(h, r.password+" ") || matches(h, "") || matches(h, "\xff")) {
			t.Errorf("%s: the hash of other passwords as well", r.hash)
		}
	}
	h, err := parseHash(referenceHashes[1].hash)
	if err != nil {
		t.Fatal(err)
	}
	if !matches(h, "pa\u0308sswo\u0308rd") { // the same text in another normal form (RFC 8265, section 4.2.2)
		t.Error("a password typed with combining characters is another")
	}
}

func TestParseHashRefuses(t *testing.T) {
	good := referenceHashes[0].hash
	for _, bad := range []string{
		"", "secret", strings.Replace(good, "argon2id", "argon2i", 1), strings.Replace(good, "v=19", "v=16", 1), "x" + good, good + "$",
		strings.Replace(good, "m=19456", "m=19455", 1), strings.Replace(good, "m=19456", "m=4194304", 1), strings.Replace(good, "t=2", "t=1", 1),
		strings.Replace(good, "t=2", "t=4000000", 1), strings.Replace(good, "p=1", "p=0", 1), strings.Replace(good, "p=1", "p=64", 1), strings.Replace(good, "p=1", "p=01", 1),
		strings.Replace(good, "p=1", "p=1,x=2", 1), strings.Replace(good, "c29tZXNhbHRzb21lc2FsdA", "c2FsdA", 1), good[:len(good)-4], good + "AAAA", good + "=",
	} {
		if _, err := parseHash(bad); err == nil {
			t.Errorf("taken: %q", bad)
		}
	}
}

func TestNewHash(t *testing.T) {
	a, err := newHash("correct horse 1")
	if err != nil {
		t.Fatal(err)
	}
	b, err := newHash("correct horse 1")
	if err != nil {
		t.Fatal(err)
	}
	if a.String() == b.String() {
		t.Error("two hashes have one salt")
	}
	if _, err := parseHash(a.String()); err != nil {
		t.Errorf("a new hash is not taken: %v", err)
	}
	for _, bad := range []string{"", "seven77", "ééééééé", "with\x00control", "\xff\xfe\xfd\xfc\xfb\xfa\xf9\xf8", strings.Repeat("x", maxPassword+1)} {
		if _, err := newHash(bad); err == nil {
			t.Errorf("taken: %q", bad)
		}
	}
}

func TestHashesWaitWithinABound(t *testing.T) {
	k := newHasher()
	h := passwordHash{cost: costOfNew(), salt: make([]byte, saltBytes), sum: make([]byte, hashBytes)}
	for range cap(k.running) { // all processors are taken
		k.running <- struct{}{}
	}
	ctx, cancel := context.WithCancel(t.Context())
	answers := make(chan error, maxWaiting)
	for range maxWaiting {
		go func() {
			_, err := k.matches(ctx, &h, "x")
			answers <- err
		}()
	}
	for k.waiting.Load() < maxWaiting { // none of them can leave before cancel
		time.Sleep(time.Millisecond)
	}
	if _, err := k.matches(ctx, &h, "x"); !errors.Is(err, errBusy) {
		t.Errorf("one more than may wait got %v", err)
	}
	cancel()
	for range maxWaiting {
		if err := <-answers; !errors.Is(err, context.Canceled) {
			t.Errorf("got %v, want the context's error", err)
		}
	}
	if n := k.runs.Load(); n != 0 || k.waiting.Load() != 0 {
		t.Errorf("%d hashes were computed, %d wait", n, k.waiting.Load())
	}
}
