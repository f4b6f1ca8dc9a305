package baseline

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/waryauth/wary/bench/population"
	"github.com/waryauth/wary/features"
	"github.com/waryauth/wary/models"
	"github.com/waryauth/wary/signals"
	"github.com/waryauth/wary/signals/geoip"
)

// told are the probabilities that the shipped model gives to three short stories.
type told struct{ first, home, abroad, stuffed float64 }

// now is when the stories happen.
var now = time.Date(2026, 11, 25, 10, 0, 0, 0, time.UTC)

// teller tells stories to an observer, as `wary tour` tells them to a daemon.
type teller struct {
	m    *models.Model
	seen *population.Observer
	p    models.Prediction
}

func (t *teller) tell(a signals.Attempt) *features.Vector {
	v := &t.seen.See(&population.Labelled{Attempt: a}).Vector
	t.m.Predict(&t.p, v)
	return v
}

// threeWeeks of logins at home on the usual phone.
func (t *teller) threeWeeks() {
	for d := 21; d >= 1; d-- {
		t.tell(home(now.AddDate(0, 0, -d)))
	}
}

func enter(at time.Time, subject, ip, agent, language string) signals.Attempt {
	a := signals.Attempt{Time: at, Action: signals.Login, Subject: subject, UserPresent: signals.Some(true)}
	a.Client.ID, a.Client.AuthMethod = "budget-app", signals.PrivateKeyJWT
	a.Session.AMR, a.Session.AuthTime = []string{"pwd"}, at
	a.Authentication.Result, a.Authentication.Method = signals.Success, signals.Password
	a.Intent.Scopes = []string{"openid", "accounts", "transactions", "payments"}
	a.Network.IP, a.Headers.UserAgent, a.Headers.AcceptLanguage = ip, agent, language
	return a
}

func home(at time.Time) signals.Attempt {
	a := enter(at, "psu-1", "81.152.10.20", "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 Mobile/15E148 Safari/604.1", "en-GB,en;q=0.9")
	a.Device.ID, a.Device.TimezoneOffsetMin, a.Device.KeyBound = "phone", signals.Some(0.0), signals.Some(true)
	return a
}

func abroad(at time.Time) signals.Attempt {
	a := enter(at, "psu-1", "177.34.120.7", "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36", "pt-BR,pt;q=0.9")
	a.Device.ID, a.Device.TimezoneOffsetMin = "laptop", signals.Some(-180.0)
	return a
}

// bot is a program's attempt from a hosting network.
func bot(at time.Time, subject string, result signals.Result) signals.Attempt {
	a := enter(at, subject, "157.245.33.102", "python-requests/2.32.3", "")
	a.Authentication.Result = result
	return a
}

// guess tells so many guesses at others' accounts through the same client, the last at
// the time given.
func (t *teller) guess(guesses int, last time.Time) {
	for i := range guesses {
		b := bot(last.Add(time.Duration(i+1-guesses)*400*time.Millisecond), fmt.Sprintf("victim-%d", i), signals.Failure)
		b.SubjectKnown = signals.Some(i%3 == 0)
		t.tell(b)
	}
}

// stories tells the first attempt that a new deployment sees; three weeks at home on the
// usual phone; then another country and device; or a burst of guesses from a hosting
// network of which one fits. The engine would not learn from the second story before it
// was challenged, so the third has an observer of its own.
func stories(m *models.Model, observer func() *population.Observer) (s told) {
	t := &teller{m: m, seen: observer()}
	t.tell(home(now.AddDate(0, 0, -22)))
	s.first = t.p.Probability
	t.seen = observer()
	t.threeWeeks()
	t.tell(home(now))
	s.home = t.p.Probability
	t.tell(abroad(now.Add(time.Second)))
	s.abroad = t.p.Probability

	t.seen = observer()
	t.threeWeeks()
	t.tell(home(now))
	t.guess(120, now.Add(48*time.Second))
	t.tell(bot(now.Add(50*time.Second), "psu-1", signals.Success))
	s.stuffed = t.p.Probability
	return s
}

// refresh is a client's server's call with a token that is bound to its key.
func refresh(at time.Time, user int, ip string) signals.Attempt {
	a := enter(at, fmt.Sprintf("psu-%d", user), ip, "python-httpx/0.28.1", "")
	a.Action, a.UserPresent, a.Session = signals.Refresh, signals.Some(false), signals.Session{}
	a.Authentication.Method, a.Token.Binding, a.Token.DPoPJKT = 0, signals.DPoP, "key"
	a.Token.Issued = at.Add(-6 * time.Hour)
	return a
}

// stolen tells three weeks of a client's server, which refreshes the tokens of twelve users
// four times a day; then its next call, and one from an access network abroad and one from
// a hosting company by whoever has its tokens and its key.
func stolen(m *models.Model, observer func() *population.Observer) (own, abroad, hosted float64) {
	for ip, p := range map[string]*float64{"18.130.7.33": &own, "177.34.200.7": &abroad, "157.245.33.102": &hosted} {
		t := &teller{m: m, seen: observer()}
		for n := range 21 * 4 {
			for user := range 12 {
				t.tell(refresh(now.Add(time.Duration(n-21*4)*6*time.Hour+time.Duration(user)*time.Minute), user, "18.130.7.33"))
			}
		}
		t.tell(refresh(now, 3, ip))
		*p = t.p.Probability
	}
	return own, abroad, hosted
}

// hidden counts how often the log-odds of the attempt from abroad fall as more guesses
// come before it through the same client: whoever guesses must not make it look safer.
func hidden(t *testing.T, m *models.Model, observer func() *population.Observer) (fell int, raw []float64) {
	t.Helper()
	last := float32(-1)
	for _, guesses := range [...]int{0, 3, 10, 30, 120, 1000} {
		s := teller{m: m, seen: observer()}
		s.threeWeeks()
		s.guess(guesses, now)
		v := s.tell(abroad(now.Add(time.Second)))
		if n := v[features.VelClientFailures1h]; !(n > last) {
			t.Fatalf("after %d guesses the client has %g failures, before it had %g", guesses, n, last)
		} else {
			last = n
		}
		if n := len(raw); n > 0 && s.p.Raw < raw[n-1] {
			fell++
		}
		raw = append(raw, s.p.Raw)
	}
	return fell, raw
}

// calmed is a model of one tree, which takes an attempt through a client with many
// failures for one of them.
func calmed(t *testing.T) *models.Model {
	t.Helper()
	names := make([]string, features.Width)
	for i := range names {
		names[i] = features.Schema[i].Name
	}
	tree := fmt.Sprintf("Tree=0\nnum_leaves=2\nnum_cat=0\nsplit_feature=%d\nthreshold=20\ndecision_type=10\nleft_child=-1\nright_child=-2\nleaf_value=-3 -6\nleaf_count=1 1\nis_linear=0\nshrinkage=1\n\n\n", features.VelClientFailures1h)
	text := fmt.Sprintf("tree\nversion=v4\nnum_class=1\nnum_tree_per_iteration=1\nlabel_index=0\nmax_feature_idx=%d\nobjective=binary sigmoid:1\nfeature_names=%s\nfeature_infos=%s\ntree_sizes=%d\n\n%send of trees\n\nparameters:\nend of parameters\n",
		features.Width-1, strings.Join(names, " "), strings.TrimSpace(strings.Repeat("none ", features.Width)), len(tree), tree)
	m, err := load([]byte(text), models.Card{
		Version: "calmed", Created: now, Schema: features.Digest(), Data: models.Data{Generator: "by hand", Rows: 1, From: now, To: now},
		Calibration: models.Calibration{Kind: models.Uncalibrated},
	})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// The order of the stories is what the shipped model must get right, with room
// between them, whichever geo files there are and however many others use the
// deployment.
func TestStories(t *testing.T) {
	m, err := models.Baseline()
	if err != nil {
		t.Fatal(err)
	}
	geo := geoip.Files{City: "../../../data/geo/city.mmdb", ASN: "../../../data/geo/asn.mmdb"}
	anonymous := geo
	anonymous.Anonymous = "../../../data/geo/anonymous.mmdb"
	for _, c := range []struct {
		name    string
		files   *geoip.Files
		missing signals.Missing
	}{
		{"no files", nil, noGeo},
		{"city and asn", &geo, signals.MissingAnonymity},
		{"city, asn and anonymous", &anonymous, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			var locator signals.Locator
			if c.files != nil {
				if _, err := os.Stat(c.files.City); err != nil {
					t.Skip("the geo files are not here: make deps fetches them")
				}
				db, err := geoip.Open(*c.files)
				if err != nil {
					t.Fatal(err)
				}
				locator = db
			}
			observer := func() *population.Observer { return population.NewObserver(locator, c.missing, 1000) }
			got := stories(m, observer)
			fell, raw := hidden(t, m, observer)
			if t.Logf("abroad among ever more guesses: log-odds %.4g", raw); fell > 0 {
				t.Errorf("%d times more guesses made a takeover through the same client look safer", fell)
			}
			if fell, raw := hidden(t, calmed(t), observer); fell == 0 {
				t.Errorf("a model that takes failures for noise is not found out: log-odds %.4g", raw) // the control
			}
			t.Logf("first %.3g, home %.3g, abroad %.3g, stuffed %.3g", got.first, got.home, got.abroad, got.stuffed)
			threshold := m.Card().Metrics["threshold_at_0.01"]
			own, abroad, hosted := stolen(m, observer)
			if t.Logf("a client's own server %.3g, abroad %.3g, at a hosting company %.3g", own, abroad, hosted); own > threshold/2 {
				t.Errorf("a client's own server: probability %.3g, want below half the threshold %.3g", own, threshold)
			}
			if c.files != nil && min(abroad, hosted) < threshold {
				t.Errorf("a token with its key from another network: probability %.3g and %.3g, want the threshold %.3g", abroad, hosted, threshold)
			}
			if got.first > 0.15 { // half of what the policy denies at
				t.Errorf("the first attempt of all: probability %.3g: a new deployment turns people away", got.first)
			}
			if got.home > threshold/2 {
				t.Errorf("at home: probability %.3g, want below half the threshold %.3g of 1 %% of honest attempts", got.home, threshold)
			}
			clear := 2 * threshold
			if c.files == nil {
				clear = threshold // what is seen is a new address and device at home
			}
			if got.abroad < clear {
				t.Errorf("abroad on a new device: probability %.3g, want %.3g; the threshold of 1 %% is %.3g", got.abroad, clear, threshold)
			}
			if got.stuffed < 0.5 || got.stuffed < got.abroad {
				t.Errorf("stuffing: probability %.3g, want 0.5 and more than abroad (%.3g)", got.stuffed, got.abroad)
			}
		})
	}
}
