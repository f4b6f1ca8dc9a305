package jose

import (
	"fmt"
	"testing"
)

// TestSameURL: RFC 9449, section 4.3, and RFC 3986, section 6.2.
func TestSameURL(t *testing.T) {
	for htu, same := range map[string]bool{
		"https://as.example/token": true, "HTTPS://AS.EXAMPLE/token": true, "https://as.example:443/token": true, "https://as.example/token?a=b#c": true,
		"https://as.example/Token": false, "https://as.example/token/": false, "http://as.example/token": false, "https://as.example:8443/token": false,
		"https://u@as.example/token": false, "https://as.example.evil/token": false, "/token": false, "": false, "https:as.example/token": false, "https://as.example/token%2f": false,
	} {
		if sameURL(htu, "https://as.example/token") != same {
			t.Errorf("%q: want %v", htu, same)
		}
	}
	if !sameURL("https://as.example", "https://as.example/") {
		t.Error("an empty path is /")
	}
}

// TestProofKeys: what was put is found by the very bytes it was written in, and only so
// much is kept.
func TestProofKeys(t *testing.T) {
	var p ProofKeys
	name := func(i int) []byte { return fmt.Appendf(nil, `{"kid":%d}`, i) }
	for i := range 3 * maxProofKeys {
		p.put(name(i), Key{ID: fmt.Sprint(i)})
	}
	last := 3*maxProofKeys - 1
	if k, ok := p.find(name(last)); !ok || k.ID != fmt.Sprint(last) {
		t.Errorf("the newest: %v, %v", k.ID, ok)
	}
	if _, ok := p.find(name(0)); ok || len(p.newest)+len(p.oldest) > 2*maxProofKeys {
		t.Errorf("%d keys are kept", len(p.newest)+len(p.oldest))
	}
	long := make([]byte, maxKnownKey+1)
	p.put(long, Key{ID: "long"})
	if _, ok := p.find(long); ok {
		t.Error("a key of any size is kept")
	}
	var none *ProofKeys
	none.put(name(1), Key{})
	if _, ok := none.find(name(1)); ok {
		t.Error("nothing remembers")
	}
}

// TestKnownKeysProve: a proof that is good with a key that is read is good with the same
// key remembered, and a bad signature or another algorithm is as bad.
func TestKnownKeysProve(t *testing.T) {
	var known ProofKeys
	for range 2 {
		claims, k, err := parseProof(rfc9449Resource, &known)
		if err != nil || claims.ID == "" || len(known.newest) != 1 {
			t.Fatal(err)
		}
		again, fresh, err := ParseProof(rfc9449Resource)
		if err != nil || again.ID != claims.ID || fresh.Thumbprint() != k.Thumbprint() {
			t.Fatalf("%v: %s, want %s", err, k.Thumbprint(), fresh.Thumbprint())
		}
	}
	if _, _, err := parseProof(rfc9449Resource[:len(rfc9449Resource)-4]+"AAAA", &known); err == nil {
		t.Error("a bad signature was taken, since its key is known")
	}
	empty := ProofKeys{}
	if _, _, err := parseProof(rfc9449Resource[:len(rfc9449Resource)-4]+"AAAA", &empty); err == nil || len(empty.newest) != 0 {
		t.Error("a key that proved nothing is remembered")
	}
}
