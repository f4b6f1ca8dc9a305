package authz

import (
	"errors"
	"testing"
	"time"
)

// The proofs of RFC 9449, figures 2 and 13, their key's thumbprint (section 6.1), and the
// token that goes with the second.
const (
	rfcHead     = "eyJ0eXAiOiJkcG9wK2p3dCIsImFsZyI6IkVTMjU2IiwiandrIjp7Imt0eSI6IkVDIiwieCI6Imw4dEZyaHgtMzR0VjNoUklDUkRZOXpDa0RscEJoRjQyVVFVZldWQVdCRnMiLCJ5IjoiOVZFNGpmX09rX282NHpiVFRsY3VOSmFqSG10NnY5VERWclUwQ2R2R1JEQSIsImNydiI6IlAtMjU2In19"
	rfcProof    = rfcHead + ".eyJqdGkiOiItQndDM0VTYzZhY2MybFRjIiwiaHRtIjoiUE9TVCIsImh0dSI6Imh0dHBzOi8vc2VydmVyLmV4YW1wbGUuY29tL3Rva2VuIiwiaWF0IjoxNTYyMjYyNjE2fQ.2-GxA6T8lP4vfrg8v-FdWP0A0zdrj8igiMLvqRMUvwnQg4PtFLbdLXiOSsX0x7NVY-FNyJK70nfbV37xRZT3Lg"
	rfcResource = rfcHead + ".eyJqdGkiOiJlMWozVl9iS2ljOC1MQUVCIiwiaHRtIjoiR0VUIiwiaHR1IjoiaHR0cHM6Ly9yZXNvdXJjZS5leGFtcGxlLm9yZy9wcm90ZWN0ZWRyZXNvdXJjZSIsImlhdCI6MTU2MjI2MjYxOCwiYXRoIjoiZlVIeU8ycjJaM0RaNTNFc05yV0JiMHhXWG9hTnk1OUlpS0NBcWtzbVFFbyJ9.2oW9RP35yRqzhrtNP86L-Ey71EOptxRimPPToA1plemAgR6pxHF8y6-yqyVnmcw6Fy1dqd-jfxSYoMxhAJpLjA"
	rfcToken    = "Kz~8mXK1EalYznwH-LC-1fBAo.4Ljp~zsPE_NeO.gxU"
)

func newTestProofs(t *testing.T, at int64) *Proofs {
	t.Helper()
	p, err := newProofs(&Options{Now: func() time.Time { return time.Unix(at, 0) }})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// TestProofsOfRFC9449 verifies the RFC's own proofs. They have no nonce of ours, so
// what is left to complain of is that, once everything else is right.
func TestProofsOfRFC9449(t *testing.T) {
	f := func(name string, at int64, r Presented, want ErrorCode) {
		t.Helper()
		_, err := newTestProofs(t, at).Verify(t.Context(), r)
		var e *Error
		if !errors.As(err, &e) || e.Code != want {
			t.Errorf("%s: %v, want %s", name, err, want)
		}
	}
	token := Presented{Proofs: []string{rfcProof}, Method: "POST", URL: "https://server.example.com/token"}
	resource := Presented{Proofs: []string{rfcResource}, Method: "GET", URL: "https://resource.example.org/protectedresource", AccessToken: rfcToken}
	f("token", 1562262616, token, UseNonce)
	f("token, a minute later", 1562262676, token, UseNonce)
	f("token, too late", 1562262677, token, InvalidProof)
	f("token, ten seconds early", 1562262606, token, UseNonce)
	f("token, too early", 1562262605, token, InvalidProof)
	f("resource", 1562262618, resource, UseNonce)
	resource.AccessToken = "another"
	f("another token", 1562262618, resource, InvalidProof)
	token.Method = "PUT"
	f("another method", 1562262616, token, InvalidProof)
	token.Method, token.URL = "POST", "https://server.example.com/par"
	f("another URL", 1562262616, token, InvalidProof)
	f("none", 1562262616, Presented{}, InvalidProof)
	f("two", 1562262616, Presented{Proofs: []string{rfcProof, rfcProof}, Method: "POST", URL: "https://server.example.com/token"}, InvalidProof)
}

func TestNonces(t *testing.T) {
	p := newTestProofs(t, 6000)
	now := time.Unix(6000, 0)
	nonce := p.Nonce()
	for after, good := range map[time.Duration]bool{0: true, 59 * time.Second: true, 119 * time.Second: true, 120 * time.Second: false, -time.Second: false, time.Hour: false} {
		if p.nonces.Fresh(nonce, now.Add(after)) != good {
			t.Errorf("after %v: want %v", after, good)
		}
	}
	if newTestProofs(t, 6000).nonces.Fresh(nonce, now) {
		t.Error("another process took this one's nonce")
	}
	shared := Options{Now: p.now, SharedReplay: true, Secret: [32]byte{1}}
	one, err := newProofs(&shared)
	if err != nil {
		t.Fatal(err)
	}
	two, err := newProofs(&shared)
	if err != nil {
		t.Fatal(err)
	}
	if !two.nonces.Fresh(one.Nonce(), now) {
		t.Error("two nodes with one secret do not know each other's nonce")
	}
	for _, bad := range []string{"", "x", nonce + "A", nonce[:len(nonce)-1] + "!"} {
		if p.nonces.Fresh(bad, now) {
			t.Errorf("%q is fresh", bad)
		}
	}
}
