package baseline

import (
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/waryauth/wary/bench/population"
	"github.com/waryauth/wary/models"
	"github.com/waryauth/wary/signals"
	"github.com/waryauth/wary/signals/geoip"
)

// told are the probabilities that the shipped model gives to three short stories.
type told struct{ first, home, abroad, stuffed float64 }

// stories tells them to observers, as `wary tour` does: the first attempt that a new
// deployment sees; three weeks at home on the usual phone; then another country and device; or a burst of guesses from a
// hosting network of which one fits. The engine would not learn from the second
// story before it was challenged, so the third has an observer of its own.
func stories(m *models.Model, observer func() *population.Observer) (t told) {
	const guesses, subject = 120, "psu-1"
	seen := observer()
	now := time.Date(2026, 11, 25, 10, 0, 0, 0, time.UTC)
	attempt := func(at time.Time, ip, agent, language string) signals.Attempt {
		a := signals.Attempt{Time: at, Action: signals.Login, Subject: subject, UserPresent: signals.Some(true)}
		a.Client.ID, a.Client.AuthMethod = "budget-app", signals.PrivateKeyJWT
		a.Session.AMR, a.Session.AuthTime = []string{"pwd"}, at
		a.Authentication.Result, a.Authentication.Method = signals.Success, signals.Password
		a.Intent.Scopes = []string{"openid", "accounts", "transactions", "payments"}
		a.Network.IP, a.Headers.UserAgent, a.Headers.AcceptLanguage = ip, agent, language
		return a
	}
	home := func(at time.Time) signals.Attempt {
		a := attempt(at, "81.152.10.20", "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 Mobile/15E148 Safari/604.1", "en-GB,en;q=0.9")
		a.Device.ID, a.Device.TimezoneOffsetMin, a.Device.KeyBound = "phone", signals.Some(0.0), signals.Some(true)
		return a
	}
	var p models.Prediction
	tell := func(a signals.Attempt) float64 {
		m.Predict(&p, &seen.See(&population.Labelled{Attempt: a}).Vector)
		return p.Probability
	}
	threeWeeks := func() float64 {
		for d := 21; d >= 1; d-- {
			tell(home(now.AddDate(0, 0, -d)))
		}
		return tell(home(now))
	}
	t.first = tell(home(now.AddDate(0, 0, -22)))
	seen = observer()
	t.home = threeWeeks()
	a := attempt(now.Add(time.Second), "177.34.120.7", "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36", "pt-BR,pt;q=0.9")
	a.Device.ID, a.Device.TimezoneOffsetMin = "laptop", signals.Some(-180.0)
	t.abroad = tell(a)

	seen = observer()
	threeWeeks()
	bot := func(at time.Time, subject string, result signals.Result) signals.Attempt {
		a := attempt(at, "157.245.33.102", "python-requests/2.32.3", "")
		a.Subject, a.Authentication.Result = subject, result
		return a
	}
	for i := range guesses {
		b := bot(now.Add(time.Duration(i)*400*time.Millisecond), fmt.Sprintf("victim-%d", i), signals.Failure)
		b.SubjectKnown = signals.Some(i%3 == 0)
		tell(b)
	}
	t.stuffed = tell(bot(now.Add(50*time.Second), subject, signals.Success))
	return t
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
			got := stories(m, func() *population.Observer { return population.NewObserver(locator, c.missing, 1000) })
			t.Logf("first %.3g, home %.3g, abroad %.3g, stuffed %.3g", got.first, got.home, got.abroad, got.stuffed)
			threshold := m.Card().Metrics["threshold_at_0.01"]
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
