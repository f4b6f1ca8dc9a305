package fapi_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/waryauth/wary/authz"
	"github.com/waryauth/wary/authz/fapi"
	"github.com/waryauth/wary/engine"
	"github.com/waryauth/wary/features"
	"github.com/waryauth/wary/models"
	"github.com/waryauth/wary/signals"
)

// baseline loads the embedded model once: proving it takes a while.
var baseline = sync.OnceValues(models.Baseline)

// withEngine has a real engine decide, by the embedded model and policy.
func withEngine(t testing.TB, ask func(*engine.Engine) func(*engine.Assessment, time.Time) error) (*engine.Engine, option) {
	t.Helper()
	model, err := baseline()
	if err != nil {
		t.Fatal(err)
	}
	e, err := engine.Open(t.TempDir(), engine.Options{Secret: [32]byte{3}, Model: model})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { e.Close() })
	return e, func(o *authz.Options, _ *fapi.Options) { o.Score = ask(e) }
}

// TestARealEngineDecides goes the whole way with the engine itself, and finds every
// answer in its log. The person proves possession, so that whatever the model of the day
// asks for is met.
func TestARealEngineDecides(t *testing.T) {
	asked := map[string]int{}
	_, real := withEngine(t, func(e *engine.Engine) func(*engine.Assessment, time.Time) error {
		return func(x *engine.Assessment, now time.Time) error {
			err := e.Score(x, now)
			asked[stage(x)]++
			r, missing := e.Receipt(x.Decision.ID.String())
			if err == nil && missing != nil {
				t.Errorf("%s: %v", stage(x), missing)
			}
			if missing == nil {
				t.Logf("%s: %v at %.4f, %v of %v for %d s", stage(x), engine.OutcomeNames[r.Decision.Outcome], r.Decision.Probability,
					r.Decision.Grant.Scopes, r.Asked, r.Decision.Grant.TTLSeconds)
			}
			return err
		}
	})
	w := newWorld(t, real)
	w.person.ACR, w.person.AMR = strongACR, []string{"hwk"}
	a := w.one.tokens()
	w.one.me(a.str("access_token")).is(t, http.StatusOK)
	if i := w.introspected(a.str("access_token")); i.json["active"] != true || i.str("scope") != a.str("scope") {
		t.Error(i.text)
	}
	for _, at := range []string{"pushed", "authenticated", "redeemed", "introspected"} {
		if asked[at] == 0 {
			t.Errorf("%s: the engine was not asked", at)
		}
	}
}

// towns is a world in which the first byte of an address is its network.
type towns struct{}

func (towns) Locate(o *signals.Observation, _ time.Time) {
	if o.Address.IP.Is4() {
		o.Network.ASN = uint32(o.Address.IP.As4()[0])
		o.Place = signals.Place{Country: signals.Country{'G', 'B'}, Located: true}
	}
}

// TestARedemptionIsComparedWithItsAuthorization: a code that is redeemed from another
// network than the client pushed its request from, and with another key than the person's
// tokens had before, is that to the engine; the control is one that is not.
func TestARedemptionIsComparedWithItsAuthorization(t *testing.T) {
	model, err := baseline()
	if err != nil {
		t.Fatal(err)
	}
	text := strings.Replace(string(engine.DefaultPolicy().Text), "lists: []", "lists: [{name: one, verdict: allow, clients: [client-one]}]", 1)
	policy, err := engine.ParsePolicy([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	e, err := engine.Open(t.TempDir(), engine.Options{Secret: [32]byte{3}, Model: model, Policy: policy, Locator: towns{}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { e.Close() })
	var seen features.Vector
	w := newWorld(t, func(o *authz.Options, _ *fapi.Options) {
		o.Score = func(x *engine.Assessment, now time.Time) error {
			err := e.Score(x, now)
			if stage(x) == "redeemed" {
				seen = x.Vector
			}
			id := x.Decision.ID
			allowAll(x)
			x.Decision.ID = id
			return err
		}
	})
	from := func(network string, c *tpp, k *call) map[string]any {
		t.Helper()
		w.one.nonce, c.nonce = w.authority.Proofs().Nonce(), w.authority.Proofs().Nonce()
		r := c.request(k)
		r.RemoteAddr = network + ".0.2.1:1234"
		rec := httptest.NewRecorder()
		w.fapi.Handler().ServeHTTP(rec, r)
		return decodeBody(t, rec)
	}
	redeemed := func(network string, c *tpp) (moved, otherKey, age float32) {
		t.Helper()
		in, err := w.authority.Begin(t.Context(), w.one.id, from("20", w.one, w.one.push())["request_uri"].(string), "browser")
		if err != nil {
			t.Fatal(err)
		}
		login := &authz.Login{Person: authz.Person{Subject: alice, ACR: strongACR, AMR: []string{"hwk"}, AuthTime: w.now()}, Known: true, Result: signals.Success}
		login.Origin.Network.IP = "90.0.2.1"
		if out, err := w.authority.Authenticated(t.Context(), in, login); out != engine.Allow || err != nil {
			t.Fatal(out, err)
		}
		code, err := w.authority.Finish(t.Context(), in, authz.Answer{All: true})
		if err != nil {
			t.Fatal(err)
		}
		w.sleep(20 * time.Second)
		c.nonce = w.authority.Proofs().Nonce()
		if a := from(network, c, c.exchange(code)); a["access_token"] == nil {
			t.Fatal(a)
		}
		return seen[features.TPPASNNewForClient], seen[features.TokDPoPJKTNew], seen[features.TokTokenAgeS]
	}
	thief := *w.one
	thief.proofs = newKey(t)
	redeemed("20", w.one) // the first key that the person's tokens have
	if moved, otherKey, age := redeemed("20", w.one); moved != 0 || otherKey != 0 || age < 20 || age > 60 {
		t.Errorf("from home: moved %v, other key %v, the code is %v s old", moved, otherKey, age)
	}
	if moved, otherKey, _ := redeemed("30", &thief); moved != 1 || otherKey != 1 {
		t.Errorf("from elsewhere: moved %v, other key %v", moved, otherKey)
	}
}
