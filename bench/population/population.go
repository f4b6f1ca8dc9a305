// Package population answers: who tries to get in, and who of them means harm?
//
// [New] makes a [Simulation] of people with habits, devices and homes, of third
// parties that act for them, and of attackers, over the address space of a
// [World]; [Simulation.Attempts] streams their attempts with the labels that a
// bank would give them in the end. The same Options give the same attempts.
//
// [Rows] sends attempts through signals, features and features/history exactly
// as the engine does; bench/evaluation says how well a score tells them apart.
package population

import (
	"cmp"
	"iter"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/waryauth/wary/signals"
	"github.com/waryauth/wary/signals/typing"
)

// Family is what an attempt is part of: ordinary life or a way of attack.
type Family uint8

// Families.
const (
	Ordinary     Family = iota
	Stuffing            // stolen pairs of name and password tried in bulk, most of them wrong or of nobody
	Spraying            // a few common passwords tried on many accounts
	Targeted            // one victim's password; the victim's country, kind of browser and a new device
	VeryTargeted        // the same, from the victim's own city and provider with a copy of the user agent
	StolenToken         // a refresh token used from elsewhere
	ConsentPhish        // people talked into granting access to a new client
	RogueClient         // a client that was honest asks many for more than it used to
	SIMSwap             // the phone number is taken over, then the account recovered
	PushFatigue         // confirmations asked for until one is given
	Malware             // a program on the victim's own device, or whoever controls it from afar
	FamilyCount  = iota // number of families
)

// familyNames are the names in tables and labels.
var familyNames = [FamilyCount]string{
	"ordinary", "stuffing", "spraying", "targeted", "very_targeted",
	"stolen_token", "consent_phishing", "rogue_client", "sim_swap", "push_fatigue", "malware",
}

func (f Family) String() string {
	if int(f) < len(familyNames) {
		return familyNames[f]
	}
	return "unknown"
}

// Labelled is an attempt and the truth about it.
type Labelled struct {
	Attempt signals.Attempt
	Family  Family
	// Fraud: an attacker made the attempt, or (ConsentPhish) reaps it. Failed
	// guesses are fraud too.
	Fraud bool
	// Takeover: the attempt is fraud and its check succeeded: letting it pass
	// gives the attacker access.
	Takeover     bool
	Unattended   bool          // a client's server makes it, without the person
	Campaign     int           // number of the attack campaign, 0 for ordinary attempts
	UserIndex    int           // of the account, -1 where the name is of none
	LabelDelay   time.Duration // from the attempt until the label is known
	Label        bool          // what is then reported as fraud: Fraud, but for Options.LabelNoise
	StepUpPassed bool          // whoever made it would pass a challenge of possession
}

// Reports says what the simulated caller tells of an attempt. What is not
// reported stays missing, for honest people and attackers alike.
type Reports uint16

// Parts of an attempt that a caller may report.
const (
	ReportDevice     Reports = 1 << iota // device id
	ReportClock                          // time zone of the device
	ReportTelemetry                      // fingerprint, screen, hardware, touch
	ReportBehaviour                      // pointer, form, motion
	ReportHints                          // client hints
	ReportTLS                            // JA4
	ReportKeys                           // key_bound, attested, DPoP thumbprint and binding
	ReportClient                         // the third party, its declarations and redirect URI
	ReportSession                        // session times, amr, user_present
	ReportCredential                     // method, age and failures of the credential
	ReportLanguage
	ReportConsent
	ReportPosition         // where the person allowed it
	ReportRTT              // 4 % of attempts
	ReportTyping           // the rhythm of what is typed, of those who agree
	ReportOwn              // the id of a client for the caller's own pages too
	ReportAll      Reports = 1<<iota - 1
)

// Options of a simulation. The zero value of each has a default.
type Options struct {
	Seed    uint64
	Users   int       // default 10,000
	Days    int       // default 90
	Start   time.Time // default 2026-06-01; at midnight UTC
	Clients int       // third parties, default 24
	// Campaigns a day by family, at 10,000 users. Default: DefaultCampaigns. Real
	// takeovers are far rarer than these: whoever trains corrects for it.
	Campaigns *[FamilyCount]float64
	World     *World  // default SyntheticWorld(1)
	Home      string  // country (ISO 3166-1) of 85 % of the users; default: spread over the world
	Reports   Reports // default ReportAll
	// Labels that are wrong; they change nothing else.
	LabelNoise LabelNoise
	// Unless nil, everybody types like one of these instead of like the parametric
	// stand-in. For tests and evaluation: nothing that ships is grown from recordings.
	Typists []Recording
}

// LabelNoise says how many labels are wrong.
type LabelNoise struct {
	Missed   float64 // share of the attempts of attackers that nobody ever reports
	Mistaken float64 // share of the honest successes that are reported as fraud
}

// DefaultCampaigns are the campaigns a day at 10,000 users: enough of each family to
// learn it from in 75 days, some hundreds of takeovers. The guesses of the first two
// are as many as leave programs their published share of all attempts.
var DefaultCampaigns = [FamilyCount]float64{
	Stuffing: 0.5, Spraying: 0.25, Targeted: 2, VeryTargeted: 1.6, StolenToken: 0.8,
	ConsentPhish: 0.4, RogueClient: 0.6, SIMSwap: 1.5, PushFatigue: 2, Malware: 1.2,
}

// Simulation is a population that can be run, each time anew.
type Simulation struct{ o Options }

// New returns the simulation of o.
func New(o Options) *Simulation {
	o.Users = cmp.Or(o.Users, 10_000)
	o.Days = cmp.Or(o.Days, 90)
	o.Clients = cmp.Or(o.Clients, 24)
	o.Reports = cmp.Or(o.Reports, ReportAll)
	if o.Start.IsZero() {
		o.Start = time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC)
	}
	o.Start = o.Start.UTC().Truncate(24 * time.Hour)
	if o.World == nil {
		o.World = SyntheticWorld(1)
	}
	if o.Campaigns == nil {
		o.Campaigns = &DefaultCampaigns
	}
	return &Simulation{o}
}

// Options returns the options with their defaults filled in.
func (s *Simulation) Options() Options { return s.o }

// Attempts yields the attempts of all days in the order of their time. Each
// time it starts over. The strings and lists of what it yields may be kept.
func (s *Simulation) Attempts() iter.Seq[Labelled] {
	return func(yield func(Labelled) bool) {
		r := newRun(&s.o)
		for day := range s.o.Days {
			for _, e := range r.events(day) {
				if !yield(r.attempt(&e)) {
					return
				}
			}
		}
	}
}

// run is a simulation under way. Everything random in it is drawn from one
// source in a fixed order.
type run struct {
	*Options
	*rand.Rand
	world    *World
	people   []*person
	crowd    crowd
	clients  []*client
	stuffed  *client // that guesses came through last, nil without any
	own      *client // the bank's own pages, nil where they have no id
	agents   map[agentKey]string
	attacks  int     // campaigns so far
	today    int64   // beginning of the day under way
	pending  []event // not yet told
	sequence int32
	mistakes *rand.Rand   // of labels, a source of its own
	den      int32        // country where attackers are at home
	keys     []typing.Key // scratch
}

// event is an attempt to come.
type event struct {
	at       int64 // Unix milliseconds
	sequence int32 // in which it was planned
	from     source
	device   *device
	client   *client // third party, nil for the bank's own pages
	typist   *hand   // nil: the person's own
	person   int32   // -1: nobody's name
	campaign int32
	payee    int32 // 0 none
	amount   float32
	family   Family
	action   signals.Action
	result   signals.Result
	method   signals.Method
	marks    mark
}

// mark is what is particular about an event.
type mark uint16

const (
	unattended  mark = 1 << iota // made by the client's server
	recovering                   // account recovery under way
	scripted                     // a program fills the form
	moreScopes                   // asks for more than the client used to
	secondProof                  // a second factor was shown with the password
	fresh                        // of the credential: just set
	passes                       // a challenge of possession would be passed
	unbound                      // the token is bound to no key, or to another
	elsewhere                    // the redirect URI is another than it used to be
	remote                       // the device is controlled from afar
	hushed                       // the page is kept from measuring how one types
)

// events returns what happens on a day in order of time, and keeps what was
// planned on it for later.
func (r *run) events(day int) []event {
	end := r.midnight(day + 1)
	r.today = r.midnight(day)
	for i := range r.people {
		r.planPerson(int32(i), day)
	}
	r.planClients(day)
	r.planAttacks(day)
	slices.SortFunc(r.pending, func(a, b event) int {
		return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(a.sequence, b.sequence))
	})
	n, _ := slices.BinarySearchFunc(r.pending, end, func(e event, end int64) int { return cmp.Compare(e.at, end) })
	today := slices.Clone(r.pending[:n])
	r.pending = slices.Delete(r.pending, 0, n)
	return today
}

// midnight returns the beginning of a day in Unix milliseconds.
func (r *run) midnight(day int) int64 { return r.Start.UnixMilli() + int64(day)*msPerDay }

const (
	msPerMinute = 60_000
	msPerHour   = 60 * msPerMinute
	msPerDay    = 24 * msPerHour
)

// plan adds an event; what would lie before the day under way is left out: it
// has been told.
func (r *run) plan(e event) {
	if e.at < r.today {
		return
	}
	r.sequence++
	e.sequence = r.sequence
	r.pending = append(r.pending, e)
}

func newRun(o *Options) *run {
	r := &run{
		Options: o, world: o.World,
		Rand:     rand.New(rand.NewPCG(o.Seed, 0x706f70756c617465)),
		agents:   map[agentKey]string{},
		mistakes: rand.New(rand.NewPCG(o.Seed, 0x6d697374616b6573)),
	}
	r.den = r.newDen()
	r.makeClients()
	r.makePeople()
	return r
}
