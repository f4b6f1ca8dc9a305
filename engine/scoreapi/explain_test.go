package scoreapi

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/waryauth/wary/features"
	"github.com/waryauth/wary/models"
	"github.com/waryauth/wary/models/modeltest"
)

// explainedAnswer is what an evaluation that is asked why answers.
type explainedAnswer struct {
	Decision string
	Explain  *struct {
		Vector, Contributions map[string]*float64
		Counterfactual        *struct {
			Families []string
			Risk     *struct{ Probability float64 }
			Because  string
		}
	}
}

func (d *desk) explain(body string) (out explainedAnswer) {
	d.t.Helper()
	got := d.post("/v1/evaluate?explain=1", body) // do validates it against the contract
	got.want(d.t, 200)
	if err := json.Unmarshal(got.body, &out); err != nil || out.Explain == nil || len(out.Explain.Vector) != features.Width || len(out.Explain.Contributions) != features.Families {
		d.t.Fatalf("%v: %s", err, got.body)
	}
	return out
}

// TestCounterfactual asks why on both sides of what is known of a user.
func TestCounterfactual(t *testing.T) {
	d := newDesk(t, nil)
	body := func(id, device, agent, action string) string {
		at := time.Unix(0, d.now.Load()).UTC().Format(time.RFC3339)
		return fmt.Sprintf(`{"attempt_id":%q,"action":%q,"subject":"psu-1","time":%q,"network":{"ip":"20.1.0.7"},"headers":{"user_agent":%q,"accept_language":"en"},`+
			`"device":{"id":%q},"authentication":{"result":"success","method":"pwd"},"session":{"amr":["pwd"]}}`, id, action, at, agent, device)
	}
	first := d.explain(body("new", "phone", "phone", "payment"))
	if c := first.Explain.Counterfactual; first.Decision == "allow" || c == nil || c.Families == nil || len(c.Families) > 0 || c.Because == "" || c.Risk != nil {
		t.Errorf("a new user: %s, %+v", first.Decision, c)
	}
	for i := range 20 {
		d.now.Add(int64(24 * time.Hour))
		id := fmt.Sprintf("day-%d", i)
		got := d.post("/v1/score", body(id, "phone", "phone", "login"))
		if strings.Contains(string(got.body), `"decision":"step_up"`) {
			d.post("/v1/feedback", fmt.Sprintf(`{"feedback_id":%q,"decision_id":%q,"kind":"outcome","value":"step_up_passed","source":"challenge"}`, id, got.id(t))).want(t, 202)
		}
	}
	d.now.Add(int64(24 * time.Hour))
	if usual := d.explain(body("usual", "phone", "phone", "login")); usual.Decision != "allow" || usual.Explain.Counterfactual != nil {
		t.Errorf("the usual device: %s, %+v", usual.Decision, usual.Explain.Counterfactual)
	}
	// Without geo files the policy asks for a challenge of every payment.
	c := d.explain(body("pay", "phone", "phone", "payment")).Explain.Counterfactual
	if c == nil || len(c.Families) > 0 || !strings.Contains(c.Because, "DEGRADED_GEO") {
		t.Errorf("a payment: %+v", c)
	}
	m, err := models.Load(modeltest.Stump("stump", features.DevIDNewForUser, 0.5, -8, 4))
	if err == nil {
		err = d.engine.SetModels(models.Serving{Champion: m})
	}
	if err != nil {
		t.Fatal(err)
	}
	strange := d.explain(body("strange", "other", "curl/8.0", "login"))
	if c := strange.Explain.Counterfactual; strange.Decision != "deny" || c == nil || !slices.Equal(c.Families, []string{"device"}) || c.Risk == nil || c.Because != "" {
		t.Errorf("a strange device: %s, %+v", strange.Decision, c)
	}
	if plain := d.post("/v1/evaluate", body("strange", "other", "curl/8.0", "login")); strings.Contains(string(plain.body), "counterfactual") {
		t.Errorf("not asked, but answered: %s", plain.body)
	}
}
