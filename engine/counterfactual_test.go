package engine

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/bits"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/waryauth/wary/features"
	"github.com/waryauth/wary/internal/journal"
	"github.com/waryauth/wary/models"
	"github.com/waryauth/wary/models/modeltest"
	"github.com/waryauth/wary/signals"
)

// explained evaluates an attempt and asks why.
func explained(t testing.TB, e *Engine, a signals.Attempt) *Assessment {
	t.Helper()
	x := &Assessment{Attempt: a, Explained: true}
	if err := e.Evaluate(x, a.Time); err != nil {
		t.Fatal(err)
	}
	return x
}

// strange are attempts that are not like anna's, each in another way.
func strange(at time.Time) []signals.Attempt {
	edits := []func(a *signals.Attempt){
		func(a *signals.Attempt) { a.Device.ID, a.Headers.UserAgent = "other", "curl/8.0" },
		func(a *signals.Attempt) { a.Network.IP = "30.1.0.9" },
		func(a *signals.Attempt) {
			a.Network.IP, a.Device.ID, a.Headers.UserAgent = "30.1.0.9", "other", "curl/8.0"
		},
		func(a *signals.Attempt) {
			a.Network.IP, a.Device.ID, a.Headers.AcceptLanguage = "30.1.0.9", "laptop", "pt-BR"
			a.Headers.UserAgent = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36"
		},
		func(a *signals.Attempt) { a.Authentication.Result = signals.Failure },
		func(a *signals.Attempt) { a.Network.IP, a.Action = "30.1.0.9", signals.Payment },
		func(a *signals.Attempt) { a.Client.ID, a.Device.Webdriver = "never seen", signals.Some(true) },
	}
	var all []signals.Attempt
	for i, edit := range edits {
		a := home(fmt.Sprintf("strange-%d", i), at)
		edit(&a)
		all = append(all, a)
	}
	return all
}

// wary is a policy that challenges what is a little strange.
func wary(t testing.TB) *Policy {
	t.Helper()
	p, err := ParsePolicy(bytes.Replace(defaultPolicy, []byte("{step_up: 0.0025, deny: 0.3}"), []byte("{step_up: 0.00001, deny: 0.0005}"), 1))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// outcomeWith makes the decision again with the usual values of a set of families,
// the slow and obvious way.
func outcomeWith(t testing.TB, e *Engine, x *Assessment, set uint) Outcome {
	t.Helper()
	var usual features.Vector
	if !features.Usual(&usual, &x.Vector, &x.Trace, &x.Profile.User) {
		t.Fatal("nothing is usual")
	}
	card := e.Model().Card()
	y := &Assessment{Vector: x.Vector, inputs: x.inputs}
	for i, f := range features.Schema {
		if set>>f.Family&1 == 0 {
			continue
		}
		median, told := card.Ordinary[f.Name]
		switch isMissing := math.IsNaN(float64(x.Vector[i])); {
		case !math.IsNaN(float64(usual[i])):
			y.Vector[i] = usual[i]
		case len(card.Ordinary) == 0 || isMissing:
		case told:
			y.Vector[i] = float32(median)
		default:
			y.Vector[i] = float32(math.NaN())
		}
	}
	y.predict(e.Model())
	y.decide(e.Policy())
	return y.Decision.Outcome
}

// ordinaryBaseline is the embedded model with medians in its card: those of anna's
// attempts from home.
func ordinaryBaseline(t testing.TB) *models.Model {
	t.Helper()
	m, err := baseline()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := m.Save(dir); err != nil {
		t.Fatal(err)
	}
	dir = filepath.Join(dir, strings.TrimPrefix(m.Digest(), "sha256:"))
	card := m.Card()
	e := open(t, t.TempDir())
	defer e.Close()
	at := settle(t, e, 12)
	card.Ordinary = models.Medians(func(yield func(*features.Vector) bool) { yield(&explained(t, e, home("median", at)).Vector) })
	b, err := json.Marshal(card)
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, models.CardFile), b, 0o600)
	}
	if err == nil {
		m, err = models.LoadDir(dir)
	}
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// TestCounterfactualIsTrueAndSmallest tries every set of families: the one that is
// answered gives allow, no smaller one does, and where none is answered none does.
func TestCounterfactualIsTrueAndSmallest(t *testing.T) {
	found, sizes := 0, map[int]int{}
	for _, change := range []func(*Options){func(*Options) {}, func(o *Options) { o.Model = ordinaryBaseline(t) }} {
		e := open(t, t.TempDir(), change)
		defer e.Close()
		at := settle(t, e, 12) // under the default policy, which lets anna become known
		if err := e.SetPolicy(wary(t)); err != nil {
			t.Fatal(err)
		}
		for _, a := range strange(at) {
			x := explained(t, e, a)
			c := x.Counterfactual
			if x.Decision.Outcome == Allow {
				if c != nil {
					t.Errorf("%s: an allow has a counterfactual", a.ID)
				}
				continue
			}
			smallest := features.Families + 1
			for set := uint(1); set < 1<<features.Families; set++ {
				if outcomeWith(t, e, x, set) == Allow {
					smallest = min(smallest, bits.OnesCount(set))
				}
			}
			if c == nil {
				t.Fatalf("%s: %v without a counterfactual", a.ID, x.Decision.Outcome)
			}
			if smallest > features.Families {
				if len(c.Families) > 0 || c.Because == "" {
					t.Errorf("%s: %v, and no set gives allow", a.ID, c)
				}
				continue
			}
			found++
			sizes[len(c.Families)]++
			set := uint(0)
			for _, f := range c.Families {
				set |= 1 << f
			}
			if len(c.Families) != smallest || outcomeWith(t, e, x, set) != Allow || c.Because != "" {
				t.Errorf("%s: %v, the smallest set has %d", a.ID, c, smallest)
			}
		}
	}
	if found < 5 || len(sizes) < 2 {
		t.Errorf("%d found only, by size %v", found, sizes)
	}
}

// only serves a model that looks at one feature.
func only(t testing.TB, feature int, ordinary map[string]float64) func(*Options) {
	t.Helper()
	text, cardText := modeltest.Stump("stump", feature, 0.5, -8, 4)
	var card models.Card
	if err := json.Unmarshal(cardText, &card); err != nil {
		t.Fatal(err)
	}
	card.Ordinary = ordinary
	cardText, err := json.Marshal(card)
	if err != nil {
		t.Fatal(err)
	}
	m, err := models.Load(text, cardText)
	if err != nil {
		t.Fatal(err)
	}
	return func(o *Options) { o.Model = m }
}

// TestCounterfactualNamesTheCause has models of one feature: the family is known
// beforehand.
func TestCounterfactualNamesTheCause(t *testing.T) {
	f := func(feature int, ordinary map[string]float64, edit func(a *signals.Attempt), want ...features.Family) {
		t.Helper()
		name := features.Schema[feature].Name
		e := open(t, t.TempDir(), only(t, feature, ordinary))
		defer e.Close()
		a := home("x", settle(t, e, 6))
		edit(&a)
		x := explained(t, e, a)
		if x.Decision.Outcome != Deny {
			t.Fatalf("%s: %v", name, x.Decision.Outcome)
		}
		if c := x.Counterfactual; c == nil || !slices.Equal(c.Families, want) || (c.Because == "") != (len(want) > 0) || len(want) > 0 && c.Level != Low {
			t.Errorf("%s: %+v, want %v", name, c, want)
		}
	}
	abroad := func(a *signals.Attempt) { a.Network.IP = "30.1.0.9" }
	f(features.DevIDNewForUser, nil, func(a *signals.Attempt) { a.Device.ID = "other" }, features.Device)
	f(features.GeoCountryNewForUser, nil, abroad, features.Geo)
	f(features.GeoDistanceKMLastLogin, nil, abroad, features.Geo)
	f(features.NetASNNewForUser, nil, abroad, features.Network)
	// What the user's record does not tell stays as it was, unless the card does.
	driven := func(a *signals.Attempt) { a.Device.Webdriver = signals.Some(true) }
	f(features.BehAutomationFramework, nil, driven)
	f(features.BehAutomationFramework, map[string]float64{"beh.automation_framework": 0}, driven, features.Session)
	f(features.BehAutomationFramework, map[string]float64{"vel.user_attempts_1h": 0}, driven, features.Session) // missing, as in most
	f(features.BehAutomationFramework, map[string]float64{"beh.automation_framework": 1}, driven)
	// Nor does an action turn into another.
	f(features.ConAction, map[string]float64{"con.action": 0}, func(*signals.Attempt) {})
}

func TestNoCounterfactual(t *testing.T) {
	f := func(name, because string, change func(*Options), then *models.Model, lists string, edit func(a *signals.Attempt)) {
		t.Run(name, func(t *testing.T) {
			e := open(t, t.TempDir(), change)
			defer e.Close()
			at := settle(t, e, 6)
			if then != nil {
				if err := e.SetModels(models.Serving{Champion: then}); err != nil {
					t.Fatal(err)
				}
			}
			if lists != "" {
				force(t, e, lists)
			}
			a := home("x", at)
			a.Network.IP, a.Device.ID = "30.1.0.9", "other"
			edit(&a)
			x := explained(t, e, a)
			if x.Decision.Outcome == Allow {
				t.Fatal("an allow")
			}
			if c := x.Counterfactual; c == nil || len(c.Families) > 0 || !strings.Contains(c.Because, because) {
				t.Errorf("%+v, want none because %q", c, because)
			}
		})
	}
	same, asIs := func(*Options) {}, func(*signals.Attempt) {}
	f("denied by a list", "deny at any risk, LISTED_DENY forced", same, nil, "[{name: forced, verdict: deny, subjects: [anna]}]", asIs)
	f("stepped up by a list", "step_up at any risk, LISTED_STEP_UP forced", same, nil, "[{name: forced, verdict: step_up, subjects: [anna]}]", asIs)
	f("no place", "step_up at any risk, DEGRADED_GEO", func(o *Options) { o.Locator = nil }, nil, "",
		func(a *signals.Attempt) { a.Action = signals.Payment })
	f("no model", "any risk, DEGRADED_MODEL", func(o *Options) { o.Model = nil }, nil, "", asIs)
	harsh := modeltest.Load(t, "harsh", 3, 4)
	f("a model that nothing moves", "everything as is usual", same, harsh, "", asIs)
	f("a new user", "nothing is known yet", same, harsh, "", func(a *signals.Attempt) { a.Subject = "bea" })
	f("an unknown user", "nothing is known yet", same, harsh, "", func(a *signals.Attempt) { a.SubjectKnown = signals.Some(false) })
	f("a server", "not present", same, harsh, "", func(a *signals.Attempt) { a.UserPresent = signals.Some(false) })
}

// TestCounterfactualChangesNothing compares with an evaluation that was not asked why.
func TestCounterfactualChangesNothing(t *testing.T) {
	e := open(t, t.TempDir())
	defer e.Close()
	at := settle(t, e, 8)
	end := e.log.End()
	for _, a := range strange(at) {
		x := explained(t, e, a)
		y := &Assessment{Attempt: a}
		if err := e.Evaluate(y, a.Time); err != nil {
			t.Fatal(err)
		}
		if y.Counterfactual != nil {
			t.Error("not asked, but answered")
		}
		if !bytes.Equal(appendAnswer(nil, &x.Decision), appendAnswer(nil, &y.Decision)) || fmt.Sprint(x.Vector) != fmt.Sprint(y.Vector) ||
			x.Prediction.Raw != y.Prediction.Raw || x.Prediction.Contributions != y.Prediction.Contributions || x.Prediction.Top != y.Prediction.Top {
			t.Errorf("%s: asked why, another answer: %+v, not %+v", a.ID, x.Decision, y.Decision)
		}
		x.Reset()
		if x.Explained || x.Counterfactual != nil {
			t.Error("Reset keeps the question")
		}
	}
	if e.log.End() != end {
		t.Error("the question is in the log")
	}
}

func explainer(dir string) (*Replayer, string) {
	r := NewReplayer(keptIn(dir))
	r.Policies = filepath.Join(dir, PolicyFolder)
	return r, filepath.Join(dir, "journal")
}

// TestExplain explains decisions from the log alone, while the engine runs, as it
// explained the same attempts before they were decided.
func TestExplain(t *testing.T) {
	dir := t.TempDir()
	e := open(t, dir, func(o *Options) { o.Policy = wary(t) })
	defer e.Close()
	at := settle(t, e, 12)
	type told struct {
		x *Assessment
		c *Counterfactual
	}
	var all []told
	for _, a := range strange(at) {
		c := explained(t, e, a).Counterfactual
		all = append(all, told{score(t, e, a), c})
	}
	settle(t, e, 1) // what comes later must not matter
	force(t, e, "[{name: later, verdict: deny, subjects: [anna]}]")
	r, log := explainer(dir)
	for _, want := range all {
		id, err := ParseAddress(want.x.Decision.ID.String())
		if err != nil {
			t.Fatal(err)
		}
		got, err := r.Explain(log, id)
		if err != nil {
			t.Fatal(err)
		}
		sum, family := got.Base, [features.Families]float64{}
		for f, c := range got.Exact {
			sum += c
			family[features.Schema[f].Family] += c
		}
		if math.Abs(sum-got.Raw) > 1e-9 || got.Raw != want.x.Prediction.Raw || got.Inline != want.x.Prediction.Contributions {
			t.Errorf("%s: raw %v, contributions add up to %v", want.x.Attempt.ID, got.Raw, sum)
		}
		if !bytes.Equal(appendAnswer(nil, &got.Decision), appendAnswer(nil, &want.x.Decision)) || got.Decision.ID != want.x.Decision.ID {
			t.Errorf("%s: %+v", want.x.Attempt.ID, got.Decision)
		}
		if !reflect.DeepEqual(got.Counterfactual, want.c) {
			t.Errorf("%s: from the log %+v, live %+v", want.x.Attempt.ID, got.Counterfactual, want.c)
		}
		if got.Counterfactual != nil && got.Past != want.x.Decision.History.Successes {
			t.Errorf("%s: %d successes in the log, %d in memory", want.x.Attempt.ID, got.Past, want.x.Decision.History.Successes)
		}
	}
}

func TestExplainSaysWhatIsMissing(t *testing.T) {
	dir := t.TempDir()
	e := open(t, dir)
	defer e.Close()
	a := home("x", settle(t, e, 6))
	a.Network.IP, a.Device.ID, a.Headers.UserAgent = "30.1.0.9", "other", "curl/8.0"
	x := score(t, e, a)
	id := x.Decision.ID
	r, log := explainer(dir)

	for _, text := range []string{"", "nonsense", strings.Repeat("*", journal.IDText), id.String() + "A"} {
		if _, err := ParseAddress(text); !errors.Is(err, ErrID) {
			t.Errorf("%q: %v", text, err)
		}
	}
	for _, at := range []journal.Address{{}, {Segment: 1, Offset: id.At.Offset + 1}, {Segment: 1, Offset: 1 << 30}, {Segment: 9, Offset: id.At.Offset}} {
		if _, err := r.Explain(log, ID{At: at}); !errors.Is(err, ErrID) {
			t.Errorf("%v: %v, want ErrID", at, err)
		}
	}
	for rec, err := range journal.Records(log, journal.Address{}) { // the policy, which is no decision
		if err != nil {
			t.Fatal(err)
		}
		if _, err := r.Explain(log, ID{At: rec.At}); !errors.Is(err, ErrID) {
			t.Errorf("%v: %v, want ErrID", rec.At, err)
		}
		break
	}
	r.Find = keptIn(t.TempDir())
	if _, err := r.Explain(log, id); err == nil || !strings.Contains(err.Error(), "model "+x.Decision.ModelDigest) || errors.Is(err, ErrID) {
		t.Errorf("without the model: %v", err)
	}
	calm := modeltest.Load(t, "calm", -8, -7)
	r.Find = func(string) (*models.Model, error) { return calm, nil }
	if _, err := r.Explain(log, id); err == nil || !strings.Contains(err.Error(), "the receipt says") {
		t.Errorf("with another model: %v", err)
	}
}

// TestExplainAfterErasure: what was erased from memory is not made again.
func TestExplainAfterErasure(t *testing.T) {
	dir := t.TempDir()
	e := open(t, dir)
	defer e.Close()
	at := settle(t, e, 6)
	if err := e.Event(&signals.Event{ID: "e", Type: signals.SubjectErased, Subject: "anna", Time: at}, at); err != nil {
		t.Fatal(err)
	}
	a := home("x", at)
	a.Network.IP, a.Device.ID, a.Headers.UserAgent = "30.1.0.9", "other", "curl/8.0"
	x := score(t, forceStepUp(t, e), a)
	force(t, e, "[]")
	r, log := explainer(dir)
	got, err := r.Explain(log, x.Decision.ID)
	if err != nil || got.Past != 0 || got.Counterfactual == nil || len(got.Counterfactual.Families) > 0 {
		t.Errorf("%+v, %v", got, err)
	}
}

// TestExplainAfterRetention: where the log no longer holds what was usual, that is
// said; the rest stands, by the policy that the data folder keeps.
func TestExplainAfterRetention(t *testing.T) {
	dir := t.TempDir()
	e := open(t, dir, small, only(t, features.DevIDNewForUser, nil))
	defer e.Close()
	gone := score(t, e, home("first", testStart)).Decision.ID
	at := settle(t, e, 6)
	fill(t, e, "fill-", 40, at)
	retire(t, e)
	ask := func(id string) *Explanation {
		a := home(id, at)
		a.Device.ID = "new"
		x := score(t, e, a)
		r, log := explainer(dir)
		got, err := r.Explain(log, x.Decision.ID)
		if err != nil || got.Decision.Outcome != Deny || got.Decision.History.Successes == 0 {
			t.Fatalf("%+v, %v", got, err)
		}
		return got
	}
	if got := ask("x"); got.Past != 0 || len(got.Counterfactual.Families) > 0 || !strings.Contains(got.Counterfactual.Because, "no longer holds") {
		t.Errorf("%d successes, %+v", got.Past, got.Counterfactual)
	}
	score(t, e, home("again", at.Add(time.Minute))) // one more, of which the log knows
	if got := ask("y"); got.Past != 1 || got.Decision.History.Successes < 2 || !slices.Equal(got.Counterfactual.Families, []features.Family{features.Device}) {
		t.Errorf("%d of %d successes, %+v", got.Past, got.Decision.History.Successes, got.Counterfactual)
	}
	r, log := explainer(dir)
	if _, err := r.Explain(log, gone); !errors.Is(err, ErrID) {
		t.Errorf("retired: %v, want ErrID", err)
	}
}
