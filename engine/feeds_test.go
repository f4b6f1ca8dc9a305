package engine

import (
	"math"
	"strings"
	"testing"
	"time"

	"github.com/waryauth/wary/features"
	"github.com/waryauth/wary/internal/journal"
	"github.com/waryauth/wary/models"
	"github.com/waryauth/wary/signals"
)

// TestFeeds: the numbers of an attempt are the features that the policy says they
// are, in the vector that is scored, logged, shown and made again.
func TestFeeds(t *testing.T) {
	dir := t.TempDir()
	e := open(t, dir)
	a := home("fed", testStart)
	a.External = []signals.External{{Name: "sim_swap_days", Value: 3}, {Name: "breach_hit", Value: 1}, {Name: "mule_score", Value: 0.9}, {Name: "his.n_logins", Value: 1000}}
	unknown := unknownExternalTotal.Get()
	x := score(t, e, a)
	if got := unknownExternalTotal.Get() - unknown; got != 2 {
		t.Errorf("%d unknown names counted, want 2", got)
	}
	want := map[int]float32{features.HisPhoneSIMSwapDays: 3, features.HisLeakedCredential: 1, features.HisNLogins: 0}
	r, err := e.Receipt(x.Decision.ID.String())
	if err != nil {
		t.Fatal(err)
	}
	for i, value := range want {
		if x.Vector[i] != value || r.Vector[i] != value {
			t.Errorf("%s is %v, on the receipt %v, want %v", features.Schema[i].Name, x.Vector[i], r.Vector[i], value)
		}
	}
	if !math.IsNaN(float64(x.Vector[features.BehCaptchaScore])) {
		t.Errorf("a number that did not come is %v", x.Vector[features.BehCaptchaScore])
	}
	m := e.Model()
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	if n := replayed(t, dir, m); n != 1 {
		t.Errorf("%d decisions made again", n)
	}
}

// replayed makes every decision of a closed engine's log again, and counts them.
func replayed(t *testing.T, dir string, m *models.Model) (n int) {
	t.Helper()
	r := NewReplayer(func(string) (*models.Model, error) { return m, nil })
	for rec, err := range journal.Records(dir+"/"+JournalFolder, journal.Address{}) {
		if err != nil {
			t.Fatal(err)
		}
		out, ok, err := r.Replay(rec)
		if err != nil || ok && !out.Identical {
			t.Errorf("%+v, error %v", out, err)
		}
		if ok {
			n++
		}
	}
	return n
}

// TestFeedsFollowThePolicy: another policy gives the same name another meaning, or
// none.
func TestFeedsFollowThePolicy(t *testing.T) {
	text := string(defaultPolicy)
	p, err := ParsePolicy([]byte(text[:strings.Index(text, "external:")] + "external: {sim: net.ip_reputation}\n" + text[strings.Index(text, "\n# The least strict answer under a fault"):]))
	if err != nil {
		t.Fatal(err)
	}
	e := open(t, t.TempDir(), func(o *Options) { o.Policy = p })
	defer e.Close()
	a := home("fed", testStart)
	a.External = []signals.External{{Name: "sim_swap_days", Value: 3}, {Name: "sim", Value: 0.5}}
	x := score(t, e, a)
	if v := x.Vector[features.NetIPReputation]; v != 0.5 {
		t.Errorf("net.ip_reputation is %v", v)
	}
	if v := x.Vector[features.HisPhoneSIMSwapDays]; v == v {
		t.Errorf("his.phone_sim_swap_days is %v without a name for it", v)
	}
}

// TestFirstPaymentIsAsked: whom nobody has seen succeed proves more before money
// moves, and is told why; once known, the risk decides alone.
func TestFirstPaymentIsAsked(t *testing.T) {
	e := open(t, t.TempDir())
	defer e.Close()
	pay := func(id string, at time.Time) signals.Attempt {
		a := home(id, at)
		a.Action = signals.Payment
		return a
	}
	x := score(t, e, pay("first", testStart))
	if x.Decision.Outcome != StepUp || len(x.Decision.Reasons) == 0 || x.Decision.Reasons[0].Code != "NO_HISTORY" || x.Decision.Reasons[0].Family != "policy" {
		t.Errorf("%s, %+v", OutcomeNames[x.Decision.Outcome], x.Decision.Reasons)
	}
	say(t, e, x, signals.StepUpPassed, testStart)
	x = score(t, e, pay("second", testStart.Add(time.Hour)))
	for _, r := range x.Decision.Reasons {
		if r.Code == "NO_HISTORY" {
			t.Errorf("after a success: %+v", x.Decision.Reasons)
		}
	}
}

// TestOlderPolicyHasNoHistory: a policy written before there was a row for it says
// nothing of strangers, as it did then.
func TestOlderPolicyHasNoHistory(t *testing.T) {
	text := string(defaultPolicy)
	from, to := strings.Index(text, "# The least strict answer to a subject"), strings.Index(text, "# The least strict answer under a fault")
	p, err := ParsePolicy([]byte(text[:from] + text[to:]))
	if err != nil {
		t.Fatal(err)
	}
	if least, code := p.stranger(&inputs{action: signals.Payment}); least != features.Undecided || code != "NO_HISTORY" {
		t.Errorf("%d %s", least, code)
	}
	if least, _ := DefaultPolicy().stranger(&inputs{action: signals.Payment}); least != StepUp { // the control
		t.Errorf("the default policy says %s", OutcomeNames[least])
	}
}

// TestEventsReachFeatures: what an event told is in the next vector, live and after
// a restart from the log.
func TestEventsReachFeatures(t *testing.T) {
	dir := t.TempDir()
	e := open(t, dir)
	for i, ev := range []signals.Event{{Type: signals.PasswordChanged, Subject: "anna"}, {Type: signals.ClientChanged, Client: "tpp-1"}} {
		ev.ID, ev.Time = string(rune('a'+i)), testStart
		if err := e.Event(&ev, testStart); err != nil {
			t.Fatal(err)
		}
	}
	for range 2 {
		x := &Assessment{Attempt: home("after", testStart.Add(time.Hour))}
		if err := e.Evaluate(x, testStart.Add(time.Hour)); err != nil {
			t.Fatal(err)
		}
		if x.Vector[features.HisPasswordChanged24h] != 1 || x.Vector[features.HisTakeoverSequence] != 1 || x.Vector[features.TPPClientChanged7d] != 1 {
			t.Errorf("%v %v %v", x.Vector[features.HisPasswordChanged24h], x.Vector[features.HisTakeoverSequence], x.Vector[features.TPPClientChanged7d])
		}
		if err := e.crash(); err != nil {
			t.Fatal(err)
		}
		e = open(t, dir)
	}
	defer e.Close()
}
