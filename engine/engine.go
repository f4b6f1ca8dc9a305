// Package engine answers: what should be done?
//
// Open an [Engine], fill an [Assessment] with an attempt, call [Engine.Score]
// and act on its Decision. Score observes, recalls, extracts, predicts, decides
// and remembers: the decision is in the log before it is in the caller's hands.
// [Engine.Evaluate] answers without remembering, [Engine.Feedback] and
// [Engine.Event] take what happens later, [Engine.Receipt] shows a past decision,
// and [Replay] makes every decision of a log again and compares the bits.
//
// A fault of a part never turns into allow: it is named in Decision.Degraded and
// the policy says what follows.
package engine

import (
	"errors"
	"fmt"
	"math"
	"sync"
	"sync/atomic"
	"time"

	"github.com/waryauth/wary/features"
	"github.com/waryauth/wary/features/history"
	"github.com/waryauth/wary/features/lists"
	"github.com/waryauth/wary/internal/journal"
	"github.com/waryauth/wary/internal/journal/ledger"
	"github.com/waryauth/wary/models"
	"github.com/waryauth/wary/signals"
	"github.com/waryauth/wary/signals/typing"
)

// Errors a caller branches on.
var (
	ErrConflict = errors.New("the id was used before with other content")
	ErrBusy     = errors.New("the same attempt is being answered; try again")
	ErrJournal  = errors.New("the log cannot be written")
)

// InputError is an attempt, feedback or event that cannot be accepted as it is.
type InputError struct{ Pointer, Detail string } // RFC 6901

func (e *InputError) Error() string { return e.Pointer + ": " + e.Detail }

// Options of an engine. The zero value of each works, but for Secret.
type Options struct {
	Secret  [32]byte // keys of identifiers (first half) and of decision ids (second half)
	Node    uint16   // number of this scorer among several
	Locator signals.Locator
	Proxies signals.Proxies
	Model   *models.Model // the champion: it decides
	Policy  *Policy       // default: the embedded one

	// Challenger, where there is one, scores each attempt too: its answer is recorded
	// and decides nothing.
	Challenger *models.Model

	// Typing is what rhythms are read by. Without it nothing is known of them.
	Typing *typing.Table

	RetryWindow  time.Duration // default 5 minutes
	RetryEntries int           // default 1 << 20
	JoinEntries  int           // default 1 << 20: decisions whose later facts can be found
	MaxEntities  int           // default that of features/history
	GreatestAge  time.Duration // of an attempt's time; 0 is none
	Journal      journal.Options
	Now          func() time.Time // default time.Now
}

// maxAhead is how far ahead of the server's clock an event may be.
const maxAhead = 5 * time.Minute

// Engine scores attempts. All methods are safe for concurrent use.
type Engine struct {
	o       Options
	dir     string
	hasher  features.Hasher
	content ledger.Content
	seal    journal.Sealer
	schema  [8]byte

	agents *signals.Agents
	state  *history.Store
	log    *journal.Log
	live   atomic.Pointer[live]

	attempts, feedback, events, joins *facts

	// stripes order the facts of one user: who holds a user's stripe appends
	// and folds, so that state is the fold of the log in the log's order. A
	// stripe is taken before any other lock.
	stripes [1024]sync.Mutex
	// pause stops remembering for the moment that a snapshot is of.
	pause     sync.RWMutex
	snapshots sync.Mutex    // one at a time; taken before pause
	swap      sync.Mutex    // one change of policy or models at a time
	origin    Origin        // guarded by pause, as others
	others    func() []byte // see Others; nil: origin's stay
	// failing is set while the log cannot be written, so that it is told once.
	failing atomic.Bool
}

// facts tells which fact a key led to.
type (
	facts = ledger.Ledger[features.Key]
	entry = ledger.Entry[features.Key]
)

// live is what can be swapped while running: a request takes it once and keeps it.
type live struct {
	policy *Policy
	lists  lists.Bound
	models models.Serving
	typing *typing.Table
}

// Score answers one attempt and remembers it. The same attempt id with the same
// body within the retry window gets the same decision and changes nothing; with
// another body it is ErrConflict. An *InputError names what cannot be accepted.
func (e *Engine) Score(x *Assessment, now time.Time) error {
	if err := check(&x.Attempt); err != nil {
		return err
	}
	if answered, err := e.admit(x, now); answered || err != nil {
		return err
	}
	defer e.attempts.GiveUp(x.fact.attempt) // if it has no decision by then, even by a panic
	if err := e.observe(x, now); err != nil {
		return err
	}
	l := e.live.Load()
	e.recall(x, l)
	e.extract(x, l.policy)
	e.predict(x, l.models.Champion)
	e.decide(x, l.policy)
	x.challenge(l.models.Challenger, l.policy, e.o.Now)
	e.remember(x, l.policy, now)
	return nil
}

// Evaluate answers one attempt and remembers nothing.
func (e *Engine) Evaluate(x *Assessment, now time.Time) error {
	x.fact = fact{}
	err := check(&x.Attempt)
	if err == nil {
		err = e.observe(x, now)
	}
	if err != nil {
		return err
	}
	l := e.live.Load()
	e.recall(x, l)
	e.extract(x, l.policy)
	e.predict(x, l.models.Champion)
	e.decide(x, l.policy)
	x.Shadow = Shadow{} // nothing is remembered: the challenger is not asked
	x.Counterfactual = nil
	if x.Explained {
		x.Counterfactual = x.counterfactual(l.policy, &x.Profile.User)
	}
	return nil
}

// maxText bounds a text that a fact holds, in bytes, as the contract does.
const maxText = 1024

// check refuses an attempt that the steps and the fact cannot hold. A decoder
// refuses it too; whoever asks in process has only this.
func check(a *signals.Attempt) error {
	switch {
	case a.ID == "":
		return &InputError{"/attempt_id", "is required"}
	case a.Action == 0 || int(a.Action) >= len(signals.Actions):
		return &InputError{"/action", "is no action"}
	case a.Subject == "":
		return &InputError{"/subject", "is required"}
	case len(a.Intent.Scopes) > signals.MaxScopes:
		return &InputError{"/intent/scopes", "has too many items"}
	case len(a.Intent.Details) > signals.MaxDetails:
		return &InputError{"/intent/authorization_details", "has too many items"}
	}
	for _, s := range a.Intent.Scopes {
		if len(s) > maxText {
			return &InputError{"/intent/scopes", "has an item that is too long"}
		}
	}
	for i := range a.Intent.Details {
		if len(a.Intent.Details[i].Type) > maxText {
			return &InputError{"/intent/authorization_details", "has a type that is too long"}
		}
	}
	return nil
}

// observe turns the attempt into an observation and a trace.
func (e *Engine) observe(x *Assessment, now time.Time) error {
	a := &x.Attempt
	if x.Sampled {
		x.lastAt = now
	}
	if err := e.checkTimes(a, now); err != nil {
		return err
	}
	address, err := e.o.Proxies.Client(a.Network.IP, a.Network.ForwardedFor)
	if err != nil {
		return &InputError{"/network/ip", err.Error()}
	}
	o := &x.Observation
	*o = signals.Observation{Address: address, Missing: signals.MissingPlace | signals.MissingNetwork | signals.MissingAnonymity}
	if e.o.Locator != nil {
		o.Missing = 0
		e.o.Locator.Locate(o, a.Time)
	}
	e.agents.Describe(&o.Agent, &a.Headers)
	features.Describe(&x.Trace, a, o, e.hasher)
	x.stamp(stageObserve, e.o.Now)
	return nil
}

func (e *Engine) checkTimes(a *signals.Attempt, now time.Time) error {
	if a.Time.IsZero() {
		a.Time = now
	}
	if a.Time.After(now.Add(maxAhead)) {
		return &InputError{"/time", "is more than 5 minutes ahead of the server's clock"}
	}
	if e.o.GreatestAge > 0 && a.Time.Before(now.Add(-e.o.GreatestAge)) {
		return &InputError{"/time", "is older than the configuration accepts"}
	}
	latest := a.Time.Add(maxAhead)
	for _, t := range [...]struct {
		at      time.Time
		pointer string
	}{{a.Session.Created, "/session/created"}, {a.Session.AuthTime, "/session/auth_time"}, {a.Token.Issued, "/token/issued"}} {
		if t.at.After(latest) {
			return &InputError{t.pointer, "is more than 5 minutes later than time"}
		}
	}
	return nil
}

// recall fills the profile and the inputs that do not come from the model.
func (e *Engine) recall(x *Assessment, l *live) {
	e.resume(x)
	e.listen(x, l.typing)
	e.state.Recall(&x.Profile, &x.Trace)
	a, in, o := &x.Attempt, &x.inputs, &x.Observation
	in.action = a.Action
	in.listed = l.lists.Hits(&x.Trace, o)
	in.degraded = 0
	if o.Missing&(signals.MissingPlace|signals.MissingNetwork) != 0 {
		in.degraded = DegradedGeo
	}
	in.history = historyOf(&x.Profile.User)
	in.scopes = append(in.scopes[:0], a.Intent.Scopes...)
	in.details = in.details[:0]
	for i := range a.Intent.Details {
		in.details = append(in.details, a.Intent.Details[i].Type)
	}
	in.satisfied = satisfied(a, &l.policy.challenge, x.Trace.Resumed)
	x.stamp(stageRecall, e.o.Now)
}

// historyOf says how well the subject is known.
func historyOf(u *features.User) History {
	return History{Successes: u.Successes, Established: !u.Learning()}
}

// satisfied reports whether the session shows the proof that the challenge asks
// for: by this very attempt resuming a challenged one, or recently enough.
func satisfied(a *signals.Attempt, c *Challenge, resumed bool) bool {
	if !resumed {
		if c.MaxAge <= 0 || a.Session.AuthTime.IsZero() || a.Time.Sub(a.Session.AuthTime) > time.Duration(c.MaxAge)*time.Second {
			return false
		}
	}
	for _, acr := range c.ACRValues {
		if acr == a.Session.ACR {
			return true
		}
	}
	for _, want := range c.AMR {
		for _, amr := range a.Session.AMR {
			if want == amr {
				return true
			}
		}
	}
	return false
}

func (e *Engine) extract(x *Assessment, p *Policy) {
	features.Extract(&x.Vector, &x.Attempt, &x.Observation, &x.Trace, &x.Profile)
	x.feed(p)
	x.stamp(stageExtract, e.o.Now)
}

func (e *Engine) predict(x *Assessment, m *models.Model) {
	x.predict(m)
	x.stamp(stagePredict, e.o.Now)
}

func (e *Engine) decide(x *Assessment, p *Policy) {
	x.decide(p)
	x.stamp(stageDecide, e.o.Now)
}

// predict asks the model; without one the probability is NaN, which no policy
// takes for an allow.
func (x *Assessment) predict(m *models.Model) {
	x.model = m
	if m == nil {
		x.Prediction = models.Prediction{Probability: math.NaN()}
		x.Decision.ModelVersion, x.Decision.ModelDigest = "", ""
		return
	}
	m.Predict(&x.Prediction, &x.Vector)
	x.Decision.ModelVersion, x.Decision.ModelDigest = m.Version(), m.Digest()
}

// Policy returns the policy in force.
func (e *Engine) Policy() *Policy { return e.live.Load().policy }

// Model returns the model that decides, or nil.
func (e *Engine) Model() *models.Model { return e.Models().Champion }

// Models returns the models that score.
func (e *Engine) Models() models.Serving { return e.live.Load().models }

// SetPolicy puts a policy in force and writes it to the log.
func (e *Engine) SetPolicy(p *Policy) error {
	e.swap.Lock()
	defer e.swap.Unlock()
	next := *e.live.Load()
	next.policy, next.lists = p, lists.Bind(p.lists, e.hasher)
	if err := e.recordPolicy(p); err != nil {
		return fmt.Errorf("policy %s not put in force: %w", p.Digest, err)
	}
	e.live.Store(&next)
	return nil
}

// SetModels puts models in force. They are kept in the data folder and the change is
// in the log before the first decision with them, so that every receipt can be made
// again. Requests that have begun finish with the models they began with.
func (e *Engine) SetModels(m models.Serving) error {
	e.swap.Lock()
	defer e.swap.Unlock()
	next := *e.live.Load()
	next.models = m
	if err := e.recordModels(m); err != nil {
		return fmt.Errorf("models not put in force: %w", err)
	}
	e.live.Store(&next)
	swapsTotal.Inc()
	return nil
}
