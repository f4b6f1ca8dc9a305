package fapi_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/waryauth/wary/authz"
	"github.com/waryauth/wary/authz/fapi"
	"github.com/waryauth/wary/engine"
	"github.com/waryauth/wary/models"
)

// withEngine has a real engine decide, by the embedded model and policy.
func withEngine(t testing.TB, ask func(*engine.Engine) func(*engine.Assessment, time.Time) error) (*engine.Engine, option) {
	t.Helper()
	model, err := models.Baseline()
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
