package authz

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"slices"
	"testing"
	"time"

	"github.com/waryauth/wary/engine"
	"github.com/waryauth/wary/internal/jose"
)

func newAuthority(t testing.TB, c *clock, clients *Clients) *Authority {
	t.Helper()
	s := newStore(t, c)
	a, err := New(Options{Issuer: "https://as.example", ACRs: []string{"1"}, Clients: clients, Keys: openKeys(t, s, c), Store: s, Now: c.now,
		Score: func(*engine.Assessment, time.Time) error { return nil }})
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// TestTimeDoesNotTellWhetherAClientExists measures refusals of a client that exists and
// of one that does not, with a key id of the client's and with another. The median ratio
// is reported; without the decoy the unknown would be many times faster.
func TestTimeDoesNotTellWhetherAClientExists(t *testing.T) {
	c := newClock()
	clients, err := ParseClients([]byte("clients: [{client_id: known, token_endpoint_auth_method: private_key_jwt, jwks: {keys: [" + rfc7517EC + "]}, redirect_uris: [\"https://a.example/\"]}]"))
	if err != nil {
		t.Fatal(err)
	}
	a := newAuthority(t, c, clients)
	sign := func(client, kid string) string {
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		signer, err := jose.NewSigner(kid, key)
		if err != nil {
			t.Fatal(err)
		}
		token, err := signer.Sign("JWT", map[string]any{"iss": client, "sub": client, "aud": "https://as.example", "jti": "x", "iat": c.now().Unix(), "exp": c.now().Unix() + 60})
		if err != nil {
			t.Fatal(err)
		}
		return token
	}
	type refusal struct{ client, assertion string }
	ways := []refusal{{"known", sign("known", "1")}, {"known", sign("known", "2")}, {"nobody", sign("nobody", "1")}, {"nobody", sign("nobody", "2")}}
	took := make([][]time.Duration, len(ways)+1)
	for range 201 {
		for i, w := range ways { // interleaved: what else the machine does falls on all alike
			start := time.Now()
			if _, _, err := a.Assert(w.client, w.assertion); err == nil {
				t.Fatal("taken")
			}
			took[i] = append(took[i], time.Since(start))
		}
		start := time.Now()
		if _, err := jose.Parse(ways[0].assertion, "JWT"); err != nil { // the control: all that is done without a decoy
			t.Fatal(err)
		}
		took[len(ways)] = append(took[len(ways)], time.Since(start))
	}
	median := make([]float64, len(took))
	for i, d := range took {
		slices.Sort(d)
		median[i] = float64(d[len(d)/2])
	}
	for i := 1; i < len(ways); i++ {
		ratio := median[i] / median[0]
		t.Logf("%s against known: %.3f", ways[i].client, ratio)
		if ratio < 0.5 || ratio > 2 {
			t.Errorf("%s, way %d: %.2f times what a known client takes", ways[i].client, i, ratio)
		}
	}
	if control := median[len(ways)] / median[0]; control > 0.5 {
		t.Errorf("the control, without verifying, takes %.2f of it: the test shows nothing", control)
	}
}
