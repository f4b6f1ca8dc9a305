package authz

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/waryauth/wary/engine"
	"github.com/waryauth/wary/internal/jose"
	"github.com/waryauth/wary/internal/store"
	"github.com/waryauth/wary/signals"
)

// BrowserCookie is the cookie that ties an interaction to the browser that began
// it: whoever is sent a link to another's interaction cannot go on with it.
const BrowserCookie = "__Host-wary-browser"

// RequestURIPrefix begins every request URI (RFC 9126, section 2.2).
const RequestURIPrefix = "urn:ietf:params:oauth:request_uri:"

// pushed is a pushed request as it lies in the store.
type pushed struct {
	Request  Request           `json:"request"`
	Expires  time.Time         `json:"expires"`           // of the request URI; the record outlives it while a person answers
	Decision string            `json:"decision"`          // about the client
	Loads    int               `json:"loads,omitempty"`   // of the page
	StepUp   *engine.Challenge `json:"step_up,omitempty"` // what the decision asks of the person
	Unasked  bool              `json:"unasked,omitempty"` // the engine failed: the person must prove more
}

// Interaction is an authorization request that a person is answering.
type Interaction struct {
	ID        string
	Created   time.Time
	Client    *Client
	Request   Request
	Person    Person            // zero until Authenticated was called with a success
	Challenge *engine.Challenge // open: the person must prove this, then Authenticated is called again
	Offer     *Offer            // what may be consented to; nil until the engine allows it

	record record
	state  answering
}

// Offer is what a person may consent to: what was asked, less what the engine
// withholds and why.
type Offer struct {
	Scopes  []string
	Details []Detail
	Removed []Removal
}

// answering is an interaction as it lies in the store.
type answering struct {
	Created   time.Time         `json:"created"`
	Pushed    string            `json:"pushed"`  // key of the pushed request
	Browser   string            `json:"browser"` // digest
	Request   Request           `json:"request"`
	Person    Person            `json:"person,omitzero"`
	Challenge *engine.Challenge `json:"challenge,omitempty"`
	Carried   *engine.Challenge `json:"carried,omitempty"`  // of the decision about the client: met by the person
	Decision  string            `json:"decision,omitempty"` // the newest: about the client, then about the person
	Approved  *approved         `json:"approved,omitempty"`

	// The decisions that ask for Challenge and Carried; "" where the engine gave none.
	ChallengedBy string `json:"challenged_by,omitempty"`
	CarriedBy    string `json:"carried_by,omitempty"`
}

// approved is an approval at rest, between a person's authentication and consent.
type approved struct {
	Scopes     []string          `json:"scopes,omitempty"`
	Details    []Detail          `json:"details,omitempty"`
	Removed    []Removal         `json:"removed,omitempty"`
	Life       time.Duration     `json:"life"`
	Constraint engine.Constraint `json:"constraint"`
	Level      engine.Level      `json:"level"`
	Decision   string            `json:"decision"`
}

func (p *Approval) rest() *approved {
	return &approved{Scopes: p.scopes, Details: p.details, Removed: p.removed, Life: p.life, Constraint: p.constraint, Level: p.level, Decision: p.decision}
}

func (r *approved) approval(stage Stage, client, subject string) *Approval {
	return &Approval{stage: stage, client: client, subject: subject, scopes: r.Scopes, details: r.Details, removed: r.Removed, life: r.Life,
		constraint: r.Constraint, level: r.Level, decision: r.Decision}
}

// Push asks the engine about a client's request, keeps it, and returns its
// request URI and how long that lives (RFC 9126, section 2.2).
func (a *Authority) Push(ctx context.Context, c *Client, r *Request, origin *Origin) (uri string, life time.Duration, err error) {
	v := a.approve(ctx, &question{
		stage: Pushed, client: c, subject: clientSubject(c), redirect: r.RedirectURI, scopes: r.Scopes, details: r.Details, origin: origin,
	})
	p := pushed{Request: *r, Expires: a.now().Add(a.o.Lives.RequestURI), Decision: v.decision}
	switch {
	case v.outcome == engine.Deny && v.fault != nil:
		return "", 0, v.open()
	case v.outcome == engine.Deny:
		return "", 0, refuse(AccessDenied, "the request is refused")
	case v.outcome == engine.StepUp:
		p.StepUp = &v.challenge
	}
	id := newSecret()
	change, err := record{key: keyOf(pushedKind, id)}.becomes(&p, store.Until(p.Expires))
	if err != nil {
		return "", 0, a.broke("keep the request", err)
	}
	if err := a.o.Store.Swap(ctx, change); err != nil {
		return "", 0, a.broke("keep the request", err)
	}
	return RequestURIPrefix + id, a.o.Lives.RequestURI, nil
}

// clientSubject names a client where it is the one who acts. Authenticated takes no
// person whose subject begins so.
func clientSubject(c *Client) string { return "client:" + c.ID }

// strongest is the challenge where the engine cannot say which: any of the classes
// that people can meet, but the weakest.
func (a *Authority) strongest() *engine.Challenge {
	return &engine.Challenge{ACRValues: slices.Clone(a.o.ACRs[min(1, len(a.o.ACRs)-1):])}
}

const (
	// maxLoads is how often the page of one request may be loaded: each load keeps an
	// interaction.
	maxLoads = 16
	// maxTries is how often a change of a request is tried: one time more than others can
	// change it, so that nobody loses to loads alone.
	maxTries = maxLoads + 1
)

// Begin opens an interaction for a request URI of a client, in a browser that is
// known by the secret in its cookie. The request URI stays good until it expires
// or an interaction of it ends, so that a page can be loaded again. The error is
// ErrGone where the URI is not, or no longer, the client's.
func (a *Authority) Begin(ctx context.Context, clientID, uri, browser string) (*Interaction, error) {
	id, ok := strings.CutPrefix(uri, RequestURIPrefix)
	if !ok || browser == "" {
		return nil, ErrGone
	}
	for range maxTries {
		in, err := a.begin(ctx, clientID, keyOf(pushedKind, id), browser)
		if !errors.Is(err, store.ErrConflict) {
			return in, err
		}
	}
	return nil, ErrGone
}

// begin is one try of Begin; ErrConflict says that the request changed meanwhile.
func (a *Authority) begin(ctx context.Context, clientID, key, browser string) (*Interaction, error) {
	var p pushed
	rec, err := a.read(ctx, key, &p)
	if err != nil {
		return nil, err
	}
	now := a.now()
	if !now.Before(p.Expires) || p.Loads >= maxLoads || !jose.Equal(p.Request.ClientID, clientID) {
		return nil, ErrGone
	}
	p.Loads++
	in := &Interaction{ID: newSecret(), state: answering{
		Created: now, Pushed: rec.key, Browser: jose.Digest(browser), Request: p.Request, Carried: p.StepUp, CarriedBy: p.Decision, Decision: p.Decision,
	}}
	in.record.key = keyOf(interactionKind, in.ID)
	in.record.deadline = store.Until(now.Add(a.o.Lives.Interaction))
	begun, err := in.record.becomes(&in.state, in.record.deadline)
	if err != nil {
		return nil, err
	}
	loaded, err := rec.becomes(&p, max(rec.deadline, in.record.deadline))
	if err != nil {
		return nil, err
	}
	if err := a.o.Store.Swap(ctx, loaded, begun); err != nil {
		return nil, err
	}
	in.record.raw = begun.Next
	a.watch(in)
	return in, a.show(in)
}

// Interaction returns the interaction of an id, in the browser that began it, or
// ErrGone.
func (a *Authority) Interaction(ctx context.Context, id, browser string) (*Interaction, error) {
	in := &Interaction{ID: id}
	var err error
	if in.record, err = a.read(ctx, keyOf(interactionKind, id), &in.state); err != nil {
		return nil, err
	}
	if !jose.Equal(in.state.Browser, jose.Digest(browser)) {
		return nil, ErrGone
	}
	return in, a.show(in)
}

// show fills the exported fields of an interaction from its state.
func (a *Authority) show(in *Interaction) error {
	s := &in.state
	in.Created, in.Request, in.Person, in.Challenge, in.Offer = s.Created, s.Request, s.Person, s.Challenge, nil
	if in.Client = a.Clients().Find(s.Request.ClientID); in.Client == nil {
		return ErrGone
	}
	if p := s.Approved; p != nil {
		in.Offer = &Offer{Scopes: slices.Clone(p.Scopes), Details: slices.Clone(p.Details), Removed: slices.Clone(p.Removed)}
	}
	return nil
}

// Satisfies reports whether a login is recent and strong enough for what the
// client asked of it (max_age, prompt=login; acr_values and an essential acr): a
// ceremony asks before it lets a login session stand for a new login.
func (a *Authority) Satisfies(in *Interaction, p *Person) bool {
	r := &in.Request
	return in.fresh(p, a.now()) && a.strong(r, p)
}

// strong reports whether a login reaches what a request asks for. Of acr_values
// that nobody can reach here none counts: they are a wish (OpenID Connect Core,
// section 3.1.2.1), where an essential acr is a demand.
func (a *Authority) strong(r *Request, p *Person) bool {
	if len(r.EssentialACR) > 0 && !a.reaches(p.ACR, r.EssentialACR) {
		return false
	}
	within := slices.ContainsFunc(r.ACRValues, func(acr string) bool { return a.rank(acr) >= 0 })
	return !within || a.reaches(p.ACR, r.ACRValues)
}

// fresh reports whether a login is recent enough. One made since the interaction
// began always is.
func (in *Interaction) fresh(p *Person, now time.Time) bool {
	r := &in.Request
	if !p.AuthTime.Before(in.Created.Truncate(time.Second)) {
		return true
	}
	return !r.Prompts("login") && (r.MaxAge == nil || !p.AuthTime.Before(now.Add(-time.Duration(*r.MaxAge)*time.Second)))
}

// Authenticated tells of a check of a person's credentials, asks the engine, and
// keeps the answer with the interaction: with Allow there is an Offer to consent
// to, with StepUp a Challenge to meet before this is called again. Deny ends in
// AccessDenied. Of a failed check (Result Failure) the answer says how the engine
// sees it; it opens nothing.
//
// Where the engine gives no answer, the policy's table of faults does: StepUp to any
// class but the weakest, Allow to who has just reached one, or an *Error
// TemporarilyUnavailable.
func (a *Authority) Authenticated(ctx context.Context, in *Interaction, l *Login) (engine.Outcome, error) {
	if l.Person.Subject == "" || a.Clients().Find(l.Person.Subject) != nil || strings.HasPrefix(l.Person.Subject, "client:") {
		return engine.Deny, nil // no person may be taken for a client (RFC 9700, section 4.15)
	}
	s := &in.state
	q := &question{
		stage: Authenticated, client: in.Client, subject: l.Person.Subject, person: &l.Person, login: l, redirect: s.Request.RedirectURI,
		scopes: s.Request.Scopes, details: s.Request.Details, previous: s.Decision, origin: &l.Origin,
	}
	if l.Result == signals.Success {
		q.habits = a.habitsOf(ctx, q.subject, q.client.ID)
	}
	a.challenged(s, l)
	v := a.approve(ctx, q)
	if l.Result != signals.Success {
		return v.outcome, nil
	}
	next := *s
	next.Person, next.Challenge, next.ChallengedBy, next.Approved = l.Person, nil, "", nil
	out, err := a.weigh(&next, v)
	if err != nil {
		return engine.Deny, err
	}
	if err := a.keep(ctx, in, &next); err != nil {
		return engine.Deny, err
	}
	return out, nil
}

// challenged tells how a challenge that was open went by a check of credentials.
func (a *Authority) challenged(s *answering, l *Login) {
	switch {
	case s.Challenge == nil || l.Person.Subject != s.Person.Subject:
	case l.Result == signals.Failure:
		a.conclude(s.ChallengedBy, signals.StepUpFailed)
	case l.Result == signals.Success && l.Person.proves(s.Challenge):
		a.conclude(s.ChallengedBy, signals.StepUpPassed)
	}
}

// weigh joins the engine's answer about the person with that about the client.
func (a *Authority) weigh(s *answering, v *verdict) (engine.Outcome, error) {
	if v.decision != "" {
		s.Decision = v.decision
	}
	switch {
	case v.outcome == engine.Deny && v.fault != nil:
		return 0, v.open()
	case v.outcome == engine.Deny:
		return engine.Deny, nil
	case v.outcome == engine.StepUp:
		s.Challenge, s.ChallengedBy = &v.challenge, v.decision
		return engine.StepUp, nil
	case s.Carried != nil && !s.Person.proves(s.Carried):
		s.Challenge, s.ChallengedBy = s.Carried, s.CarriedBy
		return engine.StepUp, nil
	case s.Carried != nil:
		a.conclude(s.CarriedBy, signals.StepUpPassed)
	}
	s.Approved = v.approval.rest()
	return engine.Allow, nil
}

// keep writes an interaction's next state.
func (a *Authority) keep(ctx context.Context, in *Interaction, next *answering) error {
	change, err := in.record.becomes(next, in.record.deadline)
	if err != nil {
		return a.broke("keep the interaction", err)
	}
	if err := a.o.Store.Swap(ctx, change); err != nil {
		if errors.Is(err, store.ErrConflict) || errors.Is(err, store.ErrExpired) {
			return ErrGone
		}
		return a.broke("keep the interaction", err)
	}
	in.record.raw, in.state = change.Next, *next
	return a.show(in)
}

// broke logs a failure of the store or of the keys and returns what the client is told.
func (a *Authority) broke(doing string, err error) *Error {
	e := fault(doing, err)
	a.o.Log.Error("authority: "+doing, "error", err)
	return e
}

// Answer is how a person, or the ceremony for them, ends an interaction.
type Answer struct {
	Error   ErrorCode // "" for consent; else AccessDenied, LoginRequired, ConsentRequired, InteractionRequired, AccountSelection or UnmetAuthentication
	All     bool      // consent to everything offered; else to Scopes and Details
	Scopes  []string
	Details []int // indexes into Offer.Details
}

// Finish ends an interaction, once: it returns the code of what the person
// consented to, or an *Error for the client. Whatever was answered, the request URI
// is used up. The error is ErrGone where the interaction or another of the same
// request has ended before.
func (a *Authority) Finish(ctx context.Context, in *Interaction, answer Answer) (code string, err error) {
	changes := []store.Change{in.record.ends()}
	refused := a.answerable(in, answer)
	if refused == nil {
		approval := in.state.Approved.approval(Authenticated, in.Client.ID, in.Person.Subject)
		var issued store.Change
		if code, issued, refused = a.issueCode(approval, in, answer); refused == nil {
			changes = append(changes, issued)
		}
	}
	if err := a.end(ctx, in, changes); err != nil {
		return "", err
	}
	if answer.Error == "" && in.state.Approved != nil {
		a.withhold(ctx, in.Person.Subject, in.Client.ID, in.state.Approved.Removed)
	}
	if refused != nil {
		a.conclude(in.state.ChallengedBy, signals.Abandoned) // of a challenge that is open
		return "", refused
	}
	a.conclude(in.state.Approved.Decision, signals.OutcomeSuccess)
	return code, nil
}

// end makes changes together with the end of an interaction's request. Another load of
// its page may change the request meanwhile, which is no end.
func (a *Authority) end(ctx context.Context, in *Interaction, changes []store.Change) error {
	for range maxTries {
		request, err := a.read(ctx, in.state.Pushed, &pushed{})
		if errors.Is(err, ErrGone) {
			return ErrGone
		}
		if err == nil {
			err = a.o.Store.Swap(ctx, append(changes, request.ends())...)
		}
		if err == nil || !errors.Is(err, store.ErrConflict) {
			if err != nil {
				return a.broke("end the interaction", err)
			}
			return nil
		}
	}
	return ErrGone
}

// answerable returns why an answer gives no code, or nil.
func (a *Authority) answerable(in *Interaction, answer Answer) *Error {
	s := &in.state
	switch {
	case answer.Error != "":
		if !slices.Contains(endings[:], answer.Error) {
			return refuse(ServerError, "the interaction ended in an unknown way")
		}
		return refuse(answer.Error, "the request was not granted")
	case s.Person.Subject == "":
		return refuse(LoginRequired, "nobody has logged in")
	case s.Challenge != nil:
		return refuse(InteractionRequired, "a stronger authentication is needed")
	case s.Approved == nil:
		return refuse(AccessDenied, "the request is refused")
	case !in.fresh(&s.Person, a.now()):
		return refuse(LoginRequired, "the login is too old")
	case !a.strong(&in.Request, &s.Person):
		return refuse(UnmetAuthentication, "the authentication context asked for was not reached") // RFC 9470, section 5
	}
	return nil
}

// endings are the errors that an answer may end an interaction with.
var endings = [...]ErrorCode{AccessDenied, LoginRequired, ConsentRequired, InteractionRequired, AccountSelection, UnmetAuthentication, TemporarilyUnavailable}
