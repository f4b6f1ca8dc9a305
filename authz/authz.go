// Package authz answers: what may be granted?
//
// An [Authority] takes a client's request ([Authority.Push]), asks the engine
// about the person who comes to answer it ([Authority.Authenticated]), makes a
// code of what the person consents to ([Authority.Finish]), and tokens of the
// code ([Authority.Redeem], [Authority.Refresh], [Authority.ForClient]). It speaks
// no HTTP: authz/fapi is the wire, authz/ceremony is how people prove who they
// are, authz/resource is what resource servers need.
//
// Nothing is signed without a decision. The engine's answer becomes an [Approval],
// which only approve makes; issue takes nothing else, and each once. What is
// granted is never more than what was asked and what was approved. Where the engine
// gives no answer, the policy's table of faults answers for it, and allows nothing new.
//
// What must be taken once lies in a store (internal/store), codes, tokens and
// request URIs as their SHA-256 only: one code gives one grant, however many ask at
// once, and a second redemption by the code's own client revokes what the first
// gave.
package authz

import (
	"context"
	"crypto"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/waryauth/wary/engine"
	"github.com/waryauth/wary/internal/jose"
	"github.com/waryauth/wary/internal/store"
	"github.com/waryauth/wary/internal/store/statuslist"
	"github.com/waryauth/wary/signals"
)

// Options of an authority.
type Options struct {
	Issuer   string   // https URL without a trailing slash; the one audience of client assertions
	Audience string   // the resource that access tokens are for; default Issuer
	ACRs     []string // authentication context classes people can reach, the weakest first

	Clients *Clients
	Keys    *Keys
	Store   store.Store
	Score   func(*engine.Assessment, time.Time) error // engine.Engine.Score

	// Claims returns the identity claims of a subject, for userinfo and ID tokens, and
	// ClaimNames are those that people have here. Nil: there are none.
	Claims     func(ctx context.Context, subject string) (map[string]any, error)
	ClaimNames func() []string

	// SharedReplay marks client assertions and DPoP proofs in the store, and takes the
	// nonce's key from Secret: for more than one node. Otherwise they are marked in memory
	// and a nonce is good for one run of the process, so that no proof outlives a restart.
	SharedReplay bool
	Secret       [32]byte

	// Policy returns the policy in force, whose table of faults says what follows where the
	// engine gives no answer: engine.Engine.Policy. Nil: the default policy.
	Policy func() *engine.Policy
	// Tell takes how what the engine decided about has ended: engine.Engine.Feedback. It is
	// called by Report. Nil: nobody is told.
	Tell func(*signals.Feedback, time.Time) error

	// Record takes revocations as events into the log of facts: engine.Engine.Event. Nil:
	// they are in no log.
	Record func(*signals.Event, time.Time) error

	StatusTTL time.Duration // how long a copy of a status list may be used; whole seconds, default 1 s
	Deadline  time.Duration // for the engine; default 50 ms
	Lives     Lives
	Log       *slog.Logger
	Now       func() time.Time // default time.Now
}

// Lives are how long things live. Zero is the default.
type Lives struct {
	RequestURI  time.Duration // default 60 s, at most 90 s
	Interaction time.Duration // default 10 min: from loading the page to its end
	Code        time.Duration // default and most 60 s
	Access      time.Duration // default and most 300 s; the engine may give less
	Idle        time.Duration // of a refresh token that is not used; default 30 days
	Grant       time.Duration // of everything that came of one consent; default 180 days
}

func (l *Lives) defaults() {
	for _, d := range [...]struct {
		value *time.Duration
		def   time.Duration
	}{{&l.RequestURI, time.Minute}, {&l.Interaction, 10 * time.Minute}, {&l.Code, time.Minute}, {&l.Access, 300 * time.Second},
		{&l.Idle, 30 * 24 * time.Hour}, {&l.Grant, 180 * 24 * time.Hour}} {
		if *d.value == 0 {
			*d.value = d.def
		}
	}
}

// check refuses lives that FAPI 2.0 does not allow.
func (l *Lives) check() error {
	switch {
	case l.RequestURI < time.Minute || l.RequestURI > 90*time.Second:
		return fmt.Errorf("request URIs live %v, must be 60s to 90s", l.RequestURI)
	case l.Code < time.Second || l.Code > time.Minute:
		return fmt.Errorf("codes live %v, at most 60s", l.Code)
	case l.Access < 10*time.Second || l.Access > 300*time.Second:
		return fmt.Errorf("access tokens live %v, at most 300s", l.Access)
	case l.Interaction < l.RequestURI || l.Interaction > time.Hour:
		return fmt.Errorf("interactions live %v, at least as long as request URIs, at most 1h", l.Interaction)
	case l.Idle < l.Access || l.Grant < l.Idle:
		return errors.New("a grant lives at least as long as an idle refresh token, and that as an access token")
	}
	return nil
}

// Authority decides what is granted. All methods are safe for concurrent use.
type Authority struct {
	o       Options
	clients atomic.Pointer[Clients]
	proofs  *Proofs
	used    *store.Marks // client assertions and request objects
	scratch sync.Pool
	nobody  map[jose.Algorithm]crypto.PublicKey
	began   time.Time     // assertions made before may have been used before
	asking  chan struct{} // bounds questions to the engine that are under way

	outcomes outcomes
	uses     *store.Tally
	habits   atomic.Pointer[[]clientHabits]
	statuses *statuslist.Lists
}

// maxAsking bounds the questions under way, so that an engine that hangs holds
// this many goroutines and no more.
const maxAsking = 1024

// New returns an authority, or what is wrong with the options.
func New(o Options) (*Authority, error) {
	o.Lives.defaults()
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = slog.Default()
	}
	if o.Deadline == 0 {
		o.Deadline = 50 * time.Millisecond
	}
	if o.Audience == "" {
		o.Audience = o.Issuer
	}
	if o.StatusTTL == 0 {
		o.StatusTTL = time.Second
	}
	if o.Policy == nil {
		policy := engine.DefaultPolicy()
		o.Policy = func() *engine.Policy { return policy }
	}
	if o.Score == nil || o.Store == nil || o.Keys == nil {
		return nil, errors.New("authority: engine, store and keys are required")
	}
	if err := checkIssuer(o.Issuer); err != nil {
		return nil, fmt.Errorf("authority: issuer %q: %w", o.Issuer, err)
	}
	if o.StatusTTL < time.Second || o.StatusTTL > time.Minute || o.StatusTTL%time.Second != 0 {
		return nil, fmt.Errorf("authority: status lists are kept %v, must be 1s to 60s, in whole seconds", o.StatusTTL)
	}
	if err := o.Lives.check(); err != nil {
		return nil, fmt.Errorf("authority: %w", err)
	}
	if len(o.ACRs) == 0 || slices.Contains(o.ACRs, "") {
		return nil, errors.New("authority: no authentication context classes")
	}
	proofs, err := newProofs(&o)
	if err != nil {
		return nil, fmt.Errorf("authority: %w", err)
	}
	nobody, err := newNobody()
	if err != nil {
		return nil, fmt.Errorf("authority: %w", err)
	}
	a := &Authority{o: o, nobody: nobody, proofs: proofs, used: newMarks(&o, "assertion", MaxAssertionLife), began: o.Now(), asking: make(chan struct{}, maxAsking)}
	if o.Tell != nil {
		a.outcomes.told = make(chan outcome, maxOutcomes)
	}
	a.statuses = statuslist.New(statuslist.Options{Store: o.Store, Life: o.Lives.Access, Now: o.Now})
	a.uses = newUses(a)
	a.scratch.New = func() any { return &engine.Assessment{} }
	a.clients.Store(o.Clients)
	return a, nil
}

// checkIssuer checks an issuer identifier (RFC 8414, section 2).
func checkIssuer(issuer string) error {
	u, err := url.Parse(issuer)
	switch {
	case err != nil || u.Scheme != "https" || u.Host == "":
		return errors.New("is no https URL")
	case u.RawQuery != "" || u.Fragment != "" || u.User != nil || strings.HasSuffix(issuer, "/"):
		return errors.New("has a query, a fragment, a user or a slash at its end")
	}
	return nil
}

// Issuer returns the issuer identifier.
func (a *Authority) Issuer() string { return a.o.Issuer }

// Audience returns the resource that access tokens are for.
func (a *Authority) Audience() string { return a.o.Audience }

// ACRs returns the authentication context classes, the weakest first.
func (a *Authority) ACRs() []string { return slices.Clone(a.o.ACRs) }

// Clients returns the clients in force.
func (a *Authority) Clients() *Clients { return a.clients.Load() }

// SetClients puts clients in force. Tokens of a client that is gone stop working.
func (a *Authority) SetClients(c *Clients) { a.clients.Store(c) }

// Keys returns the signing keys.
func (a *Authority) Keys() *Keys { return a.o.Keys }

// Proofs returns what verifies DPoP proofs.
func (a *Authority) Proofs() *Proofs { return a.proofs }

func (a *Authority) now() time.Time { return a.o.Now() }

// rank returns the place of an acr among those that people can reach, the weakest
// being 0, or -1.
func (a *Authority) rank(acr string) int { return slices.Index(a.o.ACRs, acr) }

// reaches reports whether an acr is one of wanted, or stronger than one of them.
func (a *Authority) reaches(acr string, wanted []string) bool {
	have := a.rank(acr)
	return slices.ContainsFunc(wanted, func(w string) bool {
		return w == acr && acr != "" || a.rank(w) >= 0 && have >= a.rank(w)
	})
}
