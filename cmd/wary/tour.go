package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/waryauth/wary/bench/thirdparty"
	"github.com/waryauth/wary/engine/scoreapi"
	"github.com/waryauth/wary/features"
	"github.com/waryauth/wary/models"
	"github.com/waryauth/wary/signals"
)

func tourCommand() *cobra.Command {
	t := tour{run: strconv.FormatUint(rand.Uint64(), 36), somewhere: fresh(abroadAddress)}
	cmd := &cobra.Command{
		Use:   "tour",
		Short: "Show what a daemon answers to short stories",
		Long: "Ends non-zero if an answer is not as told. The users of the tour are new each time, so it can be taken again. With --authorization\n" +
			"stories at the authorization server follow: they want a daemon that trusts proxies at the tour's address.",
		Args: needs(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			t.w = cmd.OutOrStdout()
			if err := t.flow.check(cmd); err != nil {
				return err
			}
			switch {
			case t.flow.prepare:
				return t.flow.made()
			case t.flow.open:
				return t.browse(cmd.Context())
			}
			return t.take(cmd.Context())
		},
	}
	t.client.flags(cmd)
	t.flow.flags(cmd)
	return cmd
}

// tour tells its stories and holds each answer against what it should be.
type tour struct {
	client client
	flow   flow
	run    string // makes ids of this run its own
	n      int
	// somewhere abroad is an address that no tour before had, as a thief's is.
	somewhere string
	w         io.Writer
	wrong     []error
}

// abroadAddress is of a large access network, its /24: Claro, Brazil. Nothing is sent there.
const abroadAddress = "177.34.200.7"

const (
	homeAgent = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 Mobile/15E148 Safari/604.1"
	botAgent  = "python-requests/2.32.3"
)

var tourScopes = [...]string{"openid", "accounts", "transactions", "payments"}

func (t *tour) take(ctx context.Context) error {
	if err := t.history(ctx); err != nil {
		return err
	}
	home, err := t.tell(ctx, "1. A known user at home, on the usual phone", t.atHome(time.Now()), func(a *answer) string {
		if a.Decision != "allow" || len(a.Grant.Scopes) != len(tourScopes) {
			return "allowed with all the scopes asked for"
		}
		return ""
	})
	if err != nil {
		return err
	}
	_, err = t.tell(ctx, "2. The same user and password from a new country, on a new device", t.abroad(time.Now()), func(a *answer) string {
		if a.Decision != "step_up" || len(a.Grant.Scopes) >= len(tourScopes) {
			return "stepped up, with fewer scopes"
		}
		return ""
	})
	if err != nil {
		return err
	}
	if err := t.why(ctx, t.abroad(time.Now())); err != nil {
		return err
	}
	if err := t.stuffing(ctx); err != nil {
		return err
	}
	if err := t.again(ctx, home); err != nil {
		return err
	}
	if t.flow.issuer != "" {
		if err := t.authorize(ctx); err != nil {
			return err
		}
	}
	if len(t.wrong) > 0 {
		return errors.Join(t.wrong...)
	}
	fmt.Fprintf(t.w, "\nEvery answer was as told. Try one yourself:\n\n  %s\n\n", t.curl())
	return nil
}

func (t *tour) id() string {
	t.n++
	return "tour-" + t.run + "-" + strconv.Itoa(t.n)
}

// attempt returns what every attempt of the tour has in common.
func (t *tour) attempt(at time.Time) signals.Attempt {
	var a signals.Attempt
	a.ID, a.Time, a.Action = t.id(), at, signals.Login
	a.Subject = "psu-" + t.run
	a.UserPresent = signals.Some(true)
	a.Client.ID, a.Client.AuthMethod = "budget-app", signals.PrivateKeyJWT // under the attack of an earlier tour, which hides nothing
	a.Session.AMR = []string{"pwd"}
	a.Session.AuthTime = at
	a.Authentication.Result, a.Authentication.Method = signals.Success, signals.Password
	a.Intent.Scopes = tourScopes[:]
	return a
}

func (t *tour) atHome(at time.Time) signals.Attempt {
	a := t.attempt(at)
	a.Network.IP = thirdparty.Home
	a.Headers.UserAgent, a.Headers.AcceptLanguage = homeAgent, "en-GB,en;q=0.9"
	a.Device.ID, a.Device.Timezone = "phone-"+t.run, "Europe/London"
	a.Device.TimezoneOffsetMin = signals.Some(0.0)
	a.Device.KeyBound = signals.Some(true)
	return a
}

// fresh returns some address of an address's /24.
func fresh(address string) string {
	at := strings.LastIndexByte(address, '.') + 1
	return address[:at] + strconv.Itoa(1+rand.IntN(254))
}

func (t *tour) abroad(at time.Time) signals.Attempt {
	a := t.attempt(at)
	a.Network.IP = t.somewhere
	a.Headers.UserAgent, a.Headers.AcceptLanguage = thirdparty.OtherAgent, "pt-BR,pt;q=0.9"
	a.Device.ID, a.Device.Timezone = "laptop-"+t.run, "America/Sao_Paulo"
	a.Device.TimezoneOffsetMin = signals.Some(-180.0)
	return a
}

// history lets the user log in from home for three weeks. A new user is asked to
// prove presence at first; that is what the feedback answers.
func (t *tour) history(ctx context.Context) error {
	const days = 21
	now := time.Now()
	fmt.Fprintf(t.w, "%d days of ordinary logins from home come first.\n", days)
	for d := days; d >= 1; d-- {
		a := t.atHome(now.Add(-time.Duration(d) * 24 * time.Hour))
		if err := t.ordinary(ctx, &a); err != nil {
			return err
		}
	}
	return nil
}

// ordinary scores an attempt of the past, whose person proves presence where asked to.
func (t *tour) ordinary(ctx context.Context, a *signals.Attempt) error {
	got, _, err := t.score(ctx, a)
	if err != nil || got.Decision != "step_up" {
		return err
	}
	body := fmt.Sprintf(`{"feedback_id":%q,"decision_id":%q,"kind":"outcome","value":"step_up_passed","source":"challenge"}`, t.id(), got.DecisionID)
	_, err = t.client.post(ctx, "/v1/feedback", []byte(body))
	return err
}

func (t *tour) score(ctx context.Context, a *signals.Attempt) (*answer, string, error) {
	res, err := t.client.post(ctx, "/v1/score", scoreapi.AppendAttempt(nil, a))
	if err != nil {
		return nil, "", err
	}
	var got answer
	return &got, res.timing, json.Unmarshal(res.body, &got)
}

// tell scores an attempt, shows the answer and notes where it is not as told.
func (t *tour) tell(ctx context.Context, story string, a signals.Attempt, differs func(*answer) string) (*answer, error) {
	got, timing, err := t.score(ctx, &a)
	if err != nil {
		return nil, err
	}
	fmt.Fprintf(t.w, "\n%s\n", story)
	got.print(t.w, timing)
	if want := differs(got); want != "" {
		t.wrong = append(t.wrong, fmt.Errorf("story %s: expected %s", strings.Fields(story)[0], want))
		fmt.Fprintln(t.w, "  NOT AS TOLD: expected", want)
	}
	return got, nil
}

// why asks, and remembers nothing, what as usual would have made an attempt an allow.
func (t *tour) why(ctx context.Context, a signals.Attempt) error {
	res, err := t.client.post(ctx, "/v1/evaluate?explain=1", scoreapi.AppendAttempt(nil, &a))
	if err != nil {
		return err
	}
	var got answer
	if err := json.Unmarshal(res.body, &got); err != nil {
		return err
	}
	if c := got.Explain.Counterfactual; c != nil && len(c.Families) > 0 {
		fmt.Fprintln(t.w, " ", c)
	}
	return nil
}

// stuffing tries stolen passwords for many users from one hosting address, and
// finds the right one for the user of the tour.
func (t *tour) stuffing(ctx context.Context) error {
	const guesses = 120
	now := time.Now()
	bot := func(at time.Time, subject string, result signals.Result) signals.Attempt {
		a := t.attempt(at)
		a.Network.IP, a.Headers.UserAgent, a.Subject = thirdparty.Elsewhere, botAgent, subject
		a.Authentication.Result = result
		return a
	}
	for i := range guesses {
		a := bot(now.Add(time.Duration(i-guesses)*400*time.Millisecond), fmt.Sprintf("victim-%s-%d", t.run, i), signals.Failure)
		a.SubjectKnown = signals.Some(i%3 == 0)
		if _, _, err := t.score(ctx, &a); err != nil {
			return err
		}
	}
	story := fmt.Sprintf("3. Stolen passwords tried from a hosting network: after %d failures, one fits", guesses)
	_, err := t.tell(ctx, story, bot(now, "psu-"+t.run, signals.Success), func(a *answer) string {
		if a.Decision != "deny" {
			return "denied"
		}
		return ""
	})
	return err
}

// again makes the first story's decision again from its receipt.
func (t *tour) again(ctx context.Context, old *answer) error {
	fmt.Fprintln(t.w, "\n4. The first answer, made again from its receipt")
	res, err := t.client.do(ctx, http.MethodGet, "/v1/decisions/"+old.DecisionID, "", nil)
	if err != nil {
		return err
	}
	var r struct {
		Raw    float64             `json:"raw"`
		Vector map[string]*float32 `json:"vector"`
		Model  struct{ Version, Digest string }
	}
	if err := json.Unmarshal(res.body, &r); err != nil {
		return err
	}
	m, err := models.Baseline()
	if err != nil {
		return err
	}
	if m.Digest() != r.Model.Digest {
		fmt.Fprintf(t.w, "  the daemon runs model %s, not the embedded one: `wary replay` does this from the log\n", r.Model.Version)
		return nil
	}
	var v features.Vector
	v.Reset()
	for i, f := range features.Schema {
		if x := r.Vector[f.Name]; x != nil {
			v[i] = *x
		}
	}
	var p models.Prediction
	m.Predict(&p, &v)
	if math.Float64bits(p.Raw) != math.Float64bits(r.Raw) || p.Probability != old.Risk.Probability {
		t.wrong = append(t.wrong, errors.New("story 4.: the receipt gives another score"))
		fmt.Fprintf(t.w, "  NOT AS TOLD: %v now, %v then\n", p.Raw, r.Raw)
		return nil
	}
	present := len(v) - len(slices.DeleteFunc(slices.Clone(v[:]), func(x float32) bool { return x == x }))
	fmt.Fprintf(t.w, "  %d features, raw score %v then and now: identical, bit for bit\n", present, r.Raw)
	return nil
}

// curl returns a line to copy.
func (t *tour) curl() string {
	a := t.atHome(time.Time{})
	a.ID = "my-first"
	return fmt.Sprintf("curl -s %s/v1/score -H 'Content-Type: application/json' -d '%s'", t.client.server, scoreapi.AppendAttempt(nil, &a))
}
