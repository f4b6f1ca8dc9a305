package population

import (
	"iter"
	"math"

	"github.com/waryauth/wary/features"
	"github.com/waryauth/wary/features/history"
	"github.com/waryauth/wary/signals"
	"github.com/waryauth/wary/signals/typing"
)

// Row is an attempt as a model sees it, and the truth.
type Row struct {
	Vector   features.Vector
	At       int64 // Unix milliseconds
	User     int32 // -1: nobody's name
	Campaign int32
	Family   Family
	Action   signals.Action
	Fraud    bool
	Takeover bool
	Label    bool // what is reported in the end: Fraud, but for Options.LabelNoise
	Success  bool // the check of the credential succeeded
	Present  bool // the person's own device made the attempt
	Entry    bool // the first success of its campaign on the account
}

// Rows sends the attempts of a simulation through signals, features and
// features/history as the engine does, one row each, with the given lookups
// missing. The row is valid until the next.
//
// Memory learns from every success, an attacker's too: nobody has caught them
// yet. Nothing is challenged or denied, so what the engine remembers of its own
// decisions stays empty, and a model trained on these rows does not use it.
func Rows(s *Simulation, missing signals.Missing) iter.Seq[*Row] {
	return func(yield func(*Row) bool) {
		p := NewObserver(s.o.World.Locator, missing, s.o.Users)
		for batch := range s.ahead() {
			for i := range batch {
				if !yield(p.See(&batch[i])) {
					return
				}
			}
		}
	}
}

// ahead yields the attempts in batches, which a goroutine of its own simulates while
// the ones before are looked at: half of the time where there are two processors. A
// batch is valid until the next.
func (s *Simulation) ahead() iter.Seq[[]Labelled] {
	const size, batches = 256, 4
	return func(yield func([]Labelled) bool) {
		full, empty, done := make(chan []Labelled, batches), make(chan []Labelled, batches), make(chan struct{})
		for range batches {
			empty <- make([]Labelled, 0, size)
		}
		defer close(done)
		go s.simulate(full, empty, done)
		for batch := range full {
			if !yield(batch) {
				return
			}
			empty <- batch[:0]
		}
	}
}

// simulate fills empty batches until the simulation ends or done is closed.
func (s *Simulation) simulate(full chan<- []Labelled, empty <-chan []Labelled, done <-chan struct{}) {
	defer close(full)
	batch := <-empty
	for l := range s.Attempts() {
		if batch = append(batch, l); len(batch) < cap(batch) {
			continue
		}
		full <- batch // there is room: no more batches are about than it holds
		select {
		case batch = <-empty:
		case <-done:
			return
		}
	}
	full <- batch
}

// Observer is the engine's path from attempt to vector, with a memory of its own. It
// learns a typing table from what was accepted in the first days.
type Observer struct {
	row     Row
	locator signals.Locator
	missing signals.Missing
	agents  *signals.Agents
	hasher  features.Hasher
	state   *history.Store
	table   *typing.Table // learnt from the first days
	rhythms rhythms

	observation signals.Observation
	trace       features.Trace
	profile     features.Profile
	entered     map[entrance]bool
}

// entrance is a campaign's way into an account.
type entrance struct{ campaign, user int32 }

// NewObserver returns an observer that has seen nothing. users is about how many
// there will be; locator may be nil where everything is missing.
func NewObserver(locator signals.Locator, missing signals.Missing, users int) *Observer {
	return &Observer{
		locator: locator,
		missing: missing,
		entered: map[entrance]bool{},
		agents:  signals.NewAgents(4096),
		hasher:  features.NewHasher(0x6f627365, 0x726f7773),
		// 40 records a user, addresses and pairs included, stay far from eviction.
		state: history.New(history.Options{MaxEntities: max(users*150, 2_000_000)}),
	}
}

// See makes the row of an attempt, then remembers the attempt. Attempts come in
// the order of their time. The row is valid until the next.
func (p *Observer) See(l *Labelled) *Row {
	a, o, t, row := &l.Attempt, &p.observation, &p.trace, &p.row
	address, err := signals.Proxies{}.Client(a.Network.IP, nil)
	if err != nil { // an unmade address: the world has none for this attempt
		address = signals.Address{}
	}
	*o = signals.Observation{Address: address}
	if p.locator != nil {
		p.locator.Locate(o, a.Time)
	}
	p.blind(o)
	p.agents.Describe(&o.Agent, &a.Headers)
	features.Describe(t, a, o, p.hasher)
	features.DescribeTyping(t, a, o, p.table, p.hasher)
	if table := p.rhythms.learn(t, a); table != nil {
		p.table = table
	}
	p.state.Recall(&p.profile, t)
	features.Extract(&row.Vector, a, o, t, &p.profile)

	row.At, row.User, row.Campaign, row.Family, row.Action = t.Time, int32(l.UserIndex), int32(l.Campaign), l.Family, a.Action
	row.Fraud, row.Takeover, row.Label = l.Fraud, l.Takeover, l.Label
	row.Success = a.Authentication.Result == signals.Success
	row.Present = !l.Unattended

	if row.Entry = false; row.Takeover {
		way := entrance{row.Campaign, row.User}
		row.Entry = !p.entered[way]
		p.entered[way] = true
	}

	t.Outcome = features.Allowed
	p.state.Attempt(t)
	if row.Success && t.User != 0 {
		p.state.Succeed(t)
	}
	return row
}

// Observation returns what the last attempt showed by itself. It is valid until the
// next.
func (p *Observer) Observation() *signals.Observation { return &p.observation }

// blind hides what the missing files would have said.
func (p *Observer) blind(o *signals.Observation) {
	o.Missing |= p.missing
	if p.missing&signals.MissingPlace != 0 {
		o.Place = signals.Place{}
	}
	n := &o.Network
	if p.missing&signals.MissingNetwork != 0 {
		n.ASN = 0
	}
	if p.missing&signals.MissingAnonymity != 0 {
		*n = signals.Network{ASN: n.ASN, Private: n.Private}
	}
}

// Judged reports whether a score is judged by the row: an honest success with
// the person present, who could be challenged, or the first success of a campaign
// on an account. After that one, memory has learnt the attacker's ways, which the
// engine's would not have where the first was challenged.
func (r *Row) Judged() bool {
	return r.Entry || !r.Fraud && r.Success && r.Present
}

// NewNetwork scores a row by one rule: the network is new for the user.
func NewNetwork(r *Row) float64 { return ruled(r.Vector[features.NetASNNewForUser]) }

// FreemanScore scores a row by the published risk-based authentication alone
// (logarithm). Where it says nothing, on a first login and without a person, it
// is below every score.
func FreemanScore(r *Row) float64 { return ruled(r.Vector[features.HisFreemanScore]) }

func ruled(x float32) float64 {
	if math.IsNaN(float64(x)) {
		return -1e9
	}
	return float64(x)
}
