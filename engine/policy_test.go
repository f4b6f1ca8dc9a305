package engine

import (
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/waryauth/wary/features/lists"
	"github.com/waryauth/wary/models"
	"github.com/waryauth/wary/signals"
)

func TestDefaultPolicy(t *testing.T) {
	p := DefaultPolicy()
	if p.Version != 1 || !strings.HasPrefix(p.Digest, "sha256:") {
		t.Errorf("version %d, digest %s", p.Version, p.Digest)
	}
}

// TestPolicyDefects plants one defect at a time: each is named with its line.
func TestPolicyDefects(t *testing.T) {
	f := func(old, replacement string, want ...string) {
		t.Helper()
		text := strings.Replace(string(defaultPolicy), old, replacement, 1)
		if text == string(defaultPolicy) {
			t.Fatalf("%q is not in the policy", old)
		}
		_, err := ParsePolicy([]byte(text))
		if err == nil {
			t.Errorf("%q was accepted", replacement)
			return
		}
		line := 1 + strings.Count(text[:strings.Index(text, replacement)], "\n")
		for _, w := range append(want, fmt.Sprint(line)) {
			if !strings.Contains(err.Error(), w) {
				t.Errorf("%q: %v does not say %q", replacement, err, w)
			}
		}
	}
	f("version: 1", "version: 0", "version")
	f("version: 1", "version: one", "uint")
	f("name: default", "nome: default", "nome")
	f("medium: 0.0025, high", "medium: 0.9, high", "medium < high")
	f("{step_up: 0.0025, deny: 0.3}", "{step_up: 0.6, deny: 0.5}", "actions.default", "below step_up")
	f("{step_up: 0.0025, deny: 0.3}", "{step_up: 1.5, deny: 2}", "actions.default.step_up")
	f("  payment:        {", "  paymint:        {", "actions.paymint", "is no action")
	f("max_age: 0", "max_age: -1", "challenge.max_age")
	f("ceilings: {low: 4, medium: 2, high: 1}", "ceilings: {low: 1, medium: 2, high: 1}", "more risk must not grant more")
	f("ceilings: {low: 4, medium: 2, high: 1}", "ceilings: {low: 4, medium: 2}", "needs a row \"high\"")
	f("{low: 300, medium: 180, high: 60}", "{low: 600, medium: 180, high: 60}", "10 to 300")
	f("{low: any, medium: dpop, high: dpop}", "{low: any, medium: dpop, high: none}", "sender_constraint.high", "any, dpop, mtls")
	f("model:   {default: step_up,", "model:   {default: allow,", "degraded.model", "allow")
	f("journal: {default: step_up,", "jornal: {default: step_up,", "jornal")
	f("lists: []", "lists: [{name: a, verdict: maybe, subjects: [x]}]", "verdict", "step_up")
	f("lists: []", "lists: [{name: a, verdict: deny, networks: [10.0.0.0/40]}]", "networks[0]", "CIDR")
	f("lists: []", "lists: [{name: a, verdict: deny, countries: [de]}]", "countries[0]")
	f("lists: []", "lists: [{name: a, verdict: deny}]", "is empty")
	f("lists: []", "lists: [{name: a, verdict: deny, networks: ['::ffff:10.0.0.0/104']}]", "networks[0]", "never match")
	f("lists: []", "lists: [{name: "+strings.Repeat("a", 2000)+", verdict: deny, subjects: [x]}]", "name of its own")
	f("  none:     {default: allow,", "  nobody:   {default: allow,", "history.nobody", "none, learning")
	f("learning: {default: allow}", "learning: {payment: step_up}", "history.learning", "needs a \"default\"")
	f("learning: {default: allow}", "learning: {default: deny}", "history.learning", "stricter than none")
	f("learning: {default: allow}", "learning: {default: allow, paymint: step_up}", "history.learning.paymint", "is no action")
	f("breach_hit: his.leaked_credential", "breach_hit: his.n_logins", "external.breach_hit", "no feature of a feed")
	f("captcha_score: beh.captcha_score", "captcha_score: his.leaked_credential", "external.captcha_score", "breach_hit is already")
	f("breach_hit: his.leaked_credential", strings.Repeat("a", 1025)+": his.leaked_credential", "external.a", "1 to 1024 bytes")
	f(`acr_values: ["urn:wary:acr:possession"]`, `acr_values: [""]`, "acr_values[0]")
	f("amr: [hwk, otp, swk]", "amr: [hwk, \"\"]", "amr[1]")
	f("amr: [hwk, otp, swk]", "amr: ["+strings.Repeat("a,", 70)+"a]", "amr", "at most 16")
	f("{low: any, medium: dpop, high: dpop}", "{low: any, medium: dpop, high: any}", "sender_constraint.high", "bind less")

	f("  payments: 3  ", "  payments: 0  ", "faults", "0 < payments")
	f("  payments: 3  ", "  payments: 5  ", "faults", "payments <= administration")
	f("  payments: 3  ", "  payments: 4  ", "faults.payments", "above the sensitivity of payments", "above the sensitivity of payment_initiation")
	f("  administration: 4  ", "  administration: 5  ", "faults.administration", "above the sensitivity of admin")
	f("life_s: 60", "life_s: 61", "faults.life_s", "10 seconds to token_ttl_s.high, 60")
	f("life_s: 60", "life_s: 9", "faults.life_s")
	f("life_s: 60", "life: 60", "life")
	f("    default:\n      default: ", "    hang:\n      default: ", "faults.answers.hang", "default or one of error, slow", "need a row")
	f("      refreshed: {", "      refresh: {", "faults.answers.default.refresh", "one of pushed, authenticated")
	f("      refreshed: {", "      redeemed: {", "faults.answers.default.redeemed.ordinary", "says allow")
	f("{ordinary: allow, payments: deny,", "{ordinary: allow, payments: allow,", "faults.answers.default.refreshed.payments", "says allow")
	f("payments: deny, administration: deny}\n      refreshed", "payments: deny, administration: allow}\n      refreshed", "faults.answers.default.default.administration", "says allow")
	f("{ordinary: allow, payments: deny,", "{ordinary: allow, payment: deny,", "is no class", "refreshed.payments", "must be one of")
	f("{ordinary: allow, payments: deny,", "{ordinary: undecided, payments: deny,", "refreshed.ordinary", "must be one of allow")
}

func FuzzParsePolicy(f *testing.F) {
	f.Add(defaultPolicy)
	f.Add([]byte("version: 1\nlists:\n- {name: a, verdict: deny, networks: ['::/0', '10.0.0.0/8']}\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		p, err := ParsePolicy(text)
		if (p == nil) == (err == nil) {
			t.Fatal("neither policy nor error, or both")
		}
	})
}

func policyWith(t *testing.T, lists string) *Policy {
	t.Helper()
	p, err := ParsePolicy([]byte(strings.Replace(string(defaultPolicy), "lists: []", "lists: "+lists, 1)))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// TestFaultTable: a cell is the row's of its fault and stage, else the nearest default's;
// without the section, as with the zero policy, nothing is allowed.
func TestFaultTable(t *testing.T) {
	text := string(defaultPolicy)
	at := strings.Index(text, "faults:\n")
	next := at + strings.Index(text[at:], "\n# ") + 1 // of the section behind it
	own, err := ParsePolicy([]byte(text[:next] + `    slow:
      default:      {ordinary: deny, payments: deny, administration: deny}
      introspected: {ordinary: allow, payments: step_up, administration: deny}
` + text[next:]))
	if err != nil {
		t.Fatal(err)
	}
	without, err := ParsePolicy([]byte(text[:at]))
	if err != nil {
		t.Fatal(err)
	}
	f := func(p *Policy, fault Fault, s Stage, c Class, want Outcome) {
		t.Helper()
		if got, life := p.UnderFault(fault, s, c, "anna", "tpp-1"); got != want || want != Deny && life != time.Minute {
			t.Errorf("%s %s %s: %s for %v, want %s", FaultNames[fault], StageNames[s], ClassNames[c], OutcomeNames[got], life, OutcomeNames[want])
		}
	}
	f(own, FaultError, Pushed, Ordinary, StepUp)
	f(own, FaultError, Refreshed, Ordinary, Allow)
	f(own, FaultError, Refreshed, Payments, Deny)
	f(own, FaultBusy, Redeemed, Administration, Deny)
	f(own, FaultSlow, Refreshed, Ordinary, Deny)
	f(own, FaultSlow, Introspected, Ordinary, Allow)
	f(own, FaultSlow, Introspected, Payments, StepUp)
	f(own, FaultGarbage, Introspected, Ordinary, StepUp)
	for fault := range Faults {
		for s := range Stages {
			for c := range Classes {
				f(without, Fault(fault), Stage(s), Class(c), Deny)
				f(&Policy{}, Fault(fault), Stage(s), Class(c), Deny)
			}
		}
	}
	listed := policyWith(t, "[{name: gone, verdict: deny, subjects: [anna]}, {name: watched, verdict: step_up, subjects: [bert]}]")
	f(listed, FaultError, Refreshed, Ordinary, Deny)
	if got, _ := listed.UnderFault(FaultError, Refreshed, Ordinary, "bert", "tpp-1"); got != Allow {
		t.Errorf("%s: only who is denied is denied without an answer", OutcomeNames[got])
	}
	for _, c := range [...]struct {
		scopes, types []string
		want          Class
	}{
		{nil, nil, Ordinary}, {[]string{"openid", "accounts"}, nil, Ordinary}, {[]string{"openid", "payments"}, nil, Payments}, {[]string{"unheard:of"}, nil, Payments},
		{[]string{"admin", "payments"}, nil, Administration}, {nil, []string{"account_information"}, Ordinary}, {[]string{"openid"}, []string{"payment_initiation"}, Payments},
	} {
		if got := own.ClassOf(c.scopes, c.types); got != c.want {
			t.Errorf("%v %v: %s, want %s", c.scopes, c.types, ClassNames[got], ClassNames[c.want])
		}
	}
}

// TestOutcomeOrder is the order of the voices, one row a rule.
func TestOutcomeOrder(t *testing.T) {
	p := policyWith(t, "[{name: x, verdict: deny, countries: [KP]}]")
	m, err := baseline()
	if err != nil {
		t.Fatal(err)
	}
	f := func(probability float64, in inputs, want Outcome) {
		t.Helper()
		if in.action == 0 {
			in.action = signals.Login
		}
		x := Assessment{model: m, inputs: in, Prediction: models.Prediction{Probability: probability}}
		x.decide(p)
		if x.Decision.Outcome != want {
			t.Errorf("%v %+v: %s, want %s", probability, in, OutcomeNames[x.Decision.Outcome], OutcomeNames[want])
		}
	}
	nan := 0.0
	nan /= nan
	f(0.0001, inputs{}, Allow)
	f(0.008, inputs{}, StepUp)
	f(0.6, inputs{}, Deny)
	f(0.004, inputs{action: signals.Payment}, StepUp)
	known := History{Successes: 9, Established: true}
	f(0.0001, inputs{action: signals.Payment, history: known}, Allow)
	f(0.0001, inputs{action: signals.Payment, history: History{Successes: 1}}, Allow)
	f(0.0001, inputs{action: signals.Payment}, StepUp)
	f(0.0001, inputs{action: signals.ConsentGrant}, StepUp)
	f(0.0001, inputs{action: signals.AccountChange}, StepUp)
	f(0.0001, inputs{action: signals.Payment, satisfied: true}, Allow)
	f(0.0001, inputs{action: signals.Payment, listed: lists.Listed{Allow: 1}}, StepUp)
	f(0.6, inputs{action: signals.Payment}, Deny)
	f(nan, inputs{}, StepUp)
	f(nan, inputs{listed: lists.Listed{Allow: 1}}, StepUp)
	f(nan, inputs{action: signals.Payment}, Deny)
	f(-1, inputs{}, StepUp)
	f(2, inputs{}, StepUp)
	f(0.008, inputs{listed: lists.Listed{Allow: 1}}, Allow)
	f(0.6, inputs{listed: lists.Listed{Allow: 1}}, Deny)
	f(0.0001, inputs{listed: lists.Listed{Deny: 1, Allow: 1}}, Deny)
	f(0.0001, inputs{listed: lists.Listed{StepUp: 1, Allow: 1}}, StepUp)
	f(0.008, inputs{satisfied: true}, Allow)
	f(0.6, inputs{satisfied: true}, Deny)
	f(0.0001, inputs{degraded: DegradedGeo}, Allow)
	f(0.0001, inputs{degraded: DegradedGeo, action: signals.Payment}, StepUp)
	f(0.0001, inputs{degraded: DegradedJournal}, StepUp)
	f(0.0001, inputs{degraded: DegradedJournal, satisfied: true}, StepUp)
	f(0.0001, inputs{degraded: DegradedJournal, action: signals.Payment}, Deny)
}

// TestGrantOnlyShrinks: the grant is a subset of what was asked, in order; more
// risk never grants more; every scope that is missing has a reason.
func TestGrantOnlyShrinks(t *testing.T) {
	p := DefaultPolicy()
	m, err := baseline()
	if err != nil {
		t.Fatal(err)
	}
	names := []string{"openid", "accounts", "balances", "transactions", "payments", "admin", "something:else"}
	rapid.Check(t, func(t *rapid.T) {
		asked := rapid.SliceOfN(rapid.SampledFrom(names), 0, 10).Draw(t, "asked")
		action := signals.Action(rapid.IntRange(1, len(signals.Actions)-1).Draw(t, "action"))
		var before map[string]int
		ttl := 1 << 30
		for _, probability := range []float64{1e-5, 0.01, 0.19} {
			x := Assessment{model: m, inputs: inputs{action: action, scopes: asked}, Prediction: models.Prediction{Probability: probability}}
			x.decide(p)
			g := x.Decision.Grant
			if len(g.Scopes)+len(g.Removed) != len(asked) {
				t.Fatalf("asked %v, granted %v, removed %v", asked, g.Scopes, g.Removed)
			}
			granted := map[string]int{}
			i := 0
			for _, s := range g.Scopes {
				for i < len(asked) && asked[i] != s {
					i++
				}
				if i == len(asked) {
					t.Fatalf("asked %v, granted %v: not in order", asked, g.Scopes)
				}
				i++
				granted[s]++
				if before != nil && before[s] == 0 {
					t.Fatalf("%s is granted at %v but not at a lower risk", s, probability)
				}
			}
			if g.TTLSeconds > ttl {
				t.Fatalf("lives %d s at %v, %d at a lower risk", g.TTLSeconds, probability, ttl)
			}
			before, ttl = granted, g.TTLSeconds
		}
	})
}

func TestPoints(t *testing.T) {
	for p, want := range map[float64]uint8{0.1: 80, 0.01: 60, 0.001: 40, 1: 100, 0.0031: 50, 1e-9: 0, 0: 0} {
		if got := Points(p); got != want {
			t.Errorf("Points(%v) = %d, want %d", p, got, want)
		}
	}
}

// Points never fall as the probability rises, from one float to the next as well.
func TestPointsNeverFall(t *testing.T) {
	for points := range 100 { // about where each begins
		p := math.Pow(10, (float64(points)-100.5)/20)
		for range 200 {
			p = math.Nextafter(p, 0)
		}
		last := Points(p)
		for range 400 {
			p = math.Nextafter(p, 2)
			if now := Points(p); now < last {
				t.Fatalf("Points(%v) = %d after %d", p, now, last)
			} else {
				last = now
			}
		}
	}
	last := uint8(0)
	for x := -30.0; x < 30; x += 1.0 / 256 {
		now := Points(1 / (1 + math.Exp(-x)))
		if now < last {
			t.Fatalf("Points at log-odds %v = %d after %d", x, now, last)
		}
		last = now
	}
	if last != 100 || Points(1/(1+math.Exp(30.0))) != 0 {
		t.Error("the scale is not gone through: the test shows little") // the control
	}
}
