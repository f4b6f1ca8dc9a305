package engine

import (
	"fmt"
	"math"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/waryauth/wary/features"
	"github.com/waryauth/wary/models"
	"github.com/waryauth/wary/signals"
)

// exploring is the default policy with a bucket of 5 % below 0.4, all of which it denies.
func exploring(t *testing.T) *Policy {
	t.Helper()
	return exploringFrom(t, "{step_up: 0.007, deny: 0.02}")
}

// exploringFrom is it with other thresholds.
func exploringFrom(t *testing.T, thresholds string) *Policy {
	t.Helper()
	own := regexp.MustCompile(`(?m)(^actions:\n  default: *)\{.*\}`)
	text := own.ReplaceAllString(string(defaultPolicy), "${1}"+thresholds) + "\nexplore: {share: 0.05, below: 0.4}\n"
	p, err := ParsePolicy([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// doubtful is an attempt that the model alone would deny.
func doubtful(user features.Key, at time.Time) *Assessment {
	x := &Assessment{}
	x.inputs.action, x.inputs.scopes, x.inputs.history = signals.Login, []string{"accounts"}, History{Successes: 9, Established: true}
	x.Trace.User, x.Trace.Time, x.Trace.Result = user, at.UnixMilli(), signals.Success
	x.Prediction.Probability = 0.05
	return x
}

// TestExplore: the bucket lets in its share of people, for a whole day each; its answer
// says with which chance; nothing but the model's word is lifted.
func TestExplore(t *testing.T) {
	p := exploring(t)
	m := calm(t)
	decide := func(x *Assessment, p *Policy) Outcome {
		x.model = m
		x.decide(p)
		return x.Decision.Outcome
	}
	const people = 20_000
	let := 0
	var lucky features.Key
	for u := features.Key(1); u <= people; u++ {
		x := doubtful(u, testStart)
		out := decide(x, p)
		if out == Deny {
			continue
		}
		let++
		lucky = u
		if r := x.Decision.Reasons[0]; out != Allow || r.Code != RandomAllow || r.Value != 0.05 || x.Decision.Level == Low || len(x.Decision.Reasons) > MaxReasons {
			t.Fatalf("user %d: %v, %+v", u, out, x.Decision)
		}
	}
	if want := 0.05 * people; math.Abs(float64(let)-want) > 4*math.Sqrt(want) { // no chance: the users are the same in every run
		t.Errorf("%d of %d are let in, want about %.0f", let, people, want)
	}
	day := testStart.Truncate(24 * time.Hour)
	for h := range 24 {
		if decide(doubtful(lucky, day.Add(time.Duration(h)*time.Hour)), p) != Allow {
			t.Errorf("hour %d has another draw", h)
		}
	}
	days := 0
	for d := range 400 {
		if decide(doubtful(lucky, day.Add(time.Duration(d)*24*time.Hour)), p) == Allow {
			days++
		}
	}
	if days < 5 || days > 45 {
		t.Errorf("one person is let in on %d of 400 days, want about 20", days)
	}
	if decide(doubtful(lucky, testStart), DefaultPolicy()) == Allow {
		t.Error("the default policy has a bucket")
	}

	for name, change := range map[string]func(x *Assessment){
		"payment":           func(x *Assessment) { x.inputs.action = signals.Payment },
		"account change":    func(x *Assessment) { x.inputs.action = signals.AccountChange },
		"scope of payments": func(x *Assessment) { x.inputs.scopes = []string{"accounts", "payments"} },
		"unknown scope":     func(x *Assessment) { x.inputs.scopes = []string{"anything"} },
		"payment's detail":  func(x *Assessment) { x.inputs.details = []string{"payment_initiation"} },
		"list":              func(x *Assessment) { x.inputs.listed[Allow] = 1 },
		"fault":             func(x *Assessment) { x.inputs.degraded = DegradedGeo },
		"failed check":      func(x *Assessment) { x.Trace.Result = signals.Failure },
		"nobody":            func(x *Assessment) { x.Trace.User = 0 },
		"at the bound":      func(x *Assessment) { x.Prediction.Probability = 0.4 },
		"no answer":         func(x *Assessment) { x.Prediction.Probability = math.NaN() },
	} {
		x := doubtful(lucky, testStart)
		change(x)
		if name == "list" { // its reason is the policy's, of which there is none here
			if x.Decision.Outcome = Deny; x.explored(p) {
				t.Error("a list is overruled")
			}
			continue
		}
		if out := decide(x, p); out == Allow {
			t.Errorf("%s: let in", name)
		}
	}
	x := doubtful(lucky, testStart) // a stranger asks to consent
	x.inputs.action, x.inputs.history = signals.ConsentGrant, History{}
	if decide(x, p) == Allow {
		t.Error("a stranger is let in")
	}
}

// TestExploreReplays: what the bucket let in is made again, bit for bit, from the log.
func TestExploreReplays(t *testing.T) {
	m := calm(t)
	e := open(t, t.TempDir(), serving(m, nil))
	defer e.Close()
	p := exploringFrom(t, "{step_up: 0.0000001, deny: 0.3}")
	if err := e.SetPolicy(p); err != nil {
		t.Fatal(err)
	}
	r := NewReplayer(func(string) (*models.Model, error) { return m, nil })
	r.policies[p.Digest] = p
	let, asked := 0, 0
	for i := range 200 {
		a := home(fmt.Sprint("a-", i), testStart)
		a.Subject, a.Intent.Scopes = fmt.Sprint("user-", i), []string{"accounts"}
		x := score(t, e, a)
		if x.Decision.Outcome == Allow && x.Decision.Reasons[0].Code == RandomAllow {
			let++
		} else if x.Decision.Outcome == StepUp {
			asked++
		}
		rec, err := e.log.Read(x.Decision.ID.At, nil)
		if err != nil {
			t.Fatal(err)
		}
		if got, ok, err := r.Replay(rec); err != nil || !ok || !got.Identical {
			t.Errorf("attempt %d: %v, %v", i, got.Why, err)
		}
	}
	if let == 0 || asked == 0 || let+asked != 200 {
		t.Errorf("%d let in, %d challenged", let, asked)
	}
}

// TestExploreIsBounded by the policy's reader.
func TestExploreIsBounded(t *testing.T) {
	for text, good := range map[string]bool{
		"{share: 0.05, below: 0.5}": true, "{share: 0.051, below: 0.1}": false, "{share: 0.01, below: 0.51}": false, "{share: 0.01}": false,
		"{below: 0.1}": false, "{share: -1, below: 0.1}": false, "{share: .nan, below: 0.1}": false, "{share: 0.01, below: 0.1, more: 1}": false,
	} {
		_, err := ParsePolicy([]byte(string(defaultPolicy) + "\nexplore: " + text + "\n"))
		if (err == nil) != good || err != nil && !strings.Contains(err.Error(), "explore") && !strings.Contains(err.Error(), "more") {
			t.Errorf("%s: %v", text, err)
		}
	}
}
