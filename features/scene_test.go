package features

import (
	"math"
	"net/netip"
	"testing"
	"time"

	"github.com/waryauth/wary/signals"
	"github.com/waryauth/wary/signals/typing"
)

// now is half a minute into a minute, half an hour and half a minute into an
// hour, on a Tuesday.
var now = time.Date(2026, 3, 10, 12, 30, 30, 0, time.UTC)

// What is left at now of the bucket before, by hand: 30 s of 60; 1,830 s of an
// hour; 45,030 s of a day; and of the 30 days that began on 8 March (day 20,520
// since 1970) two days and those 45,030 s.
const (
	leftMinute = 1 - 30.0/60
	leftHour   = 1 - 1830.0/3600
	leftDay    = 1 - 45030.0/86400
	leftMonth  = 1 - (2*86400+45030.0)/(30*86400)
)

const (
	day  = 24 * time.Hour
	none = -12345 // wanted of a feature that is missing
)

// scene is an attempt and what happened before it.
type scene struct {
	a     signals.Attempt
	o     signals.Observation
	past  []deed
	told  []telling
	fed   map[int]float64  // external features
	last  func(p *Profile) // changes what was recalled
	table *typing.Table
}

type deed struct {
	trace Trace
	fold  string // attempt, succeed, fail, newcomer
}

// telling is an event of a user or a client, so long ago.
type telling struct {
	of  Key
	e   signals.EventType
	ago time.Duration
}

type edit func(a *signals.Attempt, o *signals.Observation)

var hasher = NewHasher(0x0706050403020100, 0x0f0e0d0c0b0a0908)

// atHome is Anna's usual login, in Berlin.
func atHome() *scene {
	s := &scene{}
	a, o := &s.a, &s.o
	a.Time, a.Action, a.Subject = now, signals.Login, "anna"
	a.Client.ID = "tpp-1"
	a.Headers.UserAgent, a.Headers.AcceptLanguage = "Firefox on Linux", "de-DE,de;q=0.9"
	a.Device.ID, a.Device.Fingerprint = "laptop", "f1"
	a.Authentication.Result, a.Authentication.Method = signals.Success, signals.Password
	o.Address.IP = netip.MustParseAddr("203.0.113.7")
	o.Network = signals.Network{ASN: 64500, Connection: signals.CableDSL, Known: true}
	o.Place = signals.Place{Country: signals.Country{'D', 'E'}, Region: 10, City: 100, Latitude: 52.5, Longitude: 13.5, AccuracyKM: 20,
		Located: true, TimezoneMin: 60, TimezoneSet: true, InEU: true}
	o.Agent = signals.Agent{Class: signals.Desktop, Browser: "Firefox", BrowserMajor: 130, BrowserVersion: "130.0", OS: "Linux", OSVersion: "6"}
	return s
}

func (s *scene) edit(e edit) *scene {
	e(&s.a, &s.o)
	return s
}

// trace describes an attempt like the scene's own as it stands, but earlier.
func (s *scene) trace(ago time.Duration, outcome Outcome, edits []edit) Trace {
	a, o := s.a, s.o
	a.Time = now.Add(-ago)
	for _, e := range edits {
		e(&a, &o)
	}
	var t Trace
	Describe(&t, &a, &o, hasher)
	DescribeTyping(&t, &a, &o, s.table, hasher)
	t.Outcome = outcome
	return t
}

func (s *scene) did(fold string, t Trace) { s.past = append(s.past, deed{t, fold}) }

// succeeded remembers a login that was allowed and taught.
func (s *scene) succeeded(ago time.Duration, edits ...edit) *scene {
	t := s.trace(ago, Allowed, edits)
	s.did("attempt", t)
	s.did("succeed", t)
	return s
}

// failed remembers a login with a wrong password.
func (s *scene) failed(ago time.Duration, edits ...edit) *scene {
	s.did("attempt", s.trace(ago, Allowed, append(edits, result(signals.Failure))))
	return s
}

func (s *scene) tried(ago time.Duration, outcome Outcome, edits ...edit) *scene {
	s.did("attempt", s.trace(ago, outcome, edits))
	return s
}

func result(r signals.Result) edit {
	return func(a *signals.Attempt, _ *signals.Observation) { a.Authentication.Result = r }
}

func subject(name string) edit {
	return func(a *signals.Attempt, _ *signals.Observation) { a.Subject = name }
}

func action(is signals.Action) edit {
	return func(a *signals.Attempt, _ *signals.Observation) { a.Action = is }
}

func when(is time.Time) edit { return func(a *signals.Attempt, _ *signals.Observation) { a.Time = is } }

func unattended(a *signals.Attempt, _ *signals.Observation) { a.UserPresent = signals.Some(false) }

func address(ip string) edit {
	return func(_ *signals.Attempt, o *signals.Observation) { o.Address.IP = netip.MustParseAddr(ip) }
}

func at(country string, latitude, longitude, accuracy float64) edit {
	return func(_ *signals.Attempt, o *signals.Observation) {
		p := &o.Place
		p.Country, p.Latitude, p.Longitude, p.AccuracyKM = signals.Country{country[0], country[1]}, latitude, longitude, accuracy
	}
}

// profile is recall, written the slow and obvious way: every past trace is folded
// into each record whose key it shares with the attempt.
func (s *scene) profile(now *Trace) *Profile {
	p := &Profile{}
	var client Members
	shared := []struct {
		record  *Shared
		key     func(*Trace) Key
		members Members
	}{
		{record: &p.Address, key: func(t *Trace) Key { return t.Address }}, {record: &p.Subnet, key: func(t *Trace) Key { return t.Subnet }},
		{record: &p.ASN, key: func(t *Trace) Key { return t.ASN }}, {record: &p.Device, key: func(t *Trace) Key { return t.Device }},
		{record: &p.Print, key: func(t *Trace) Key { return t.Fingerprint }}, {record: &p.Payee, key: func(t *Trace) Key { return t.Payee }},
	}
	values := []struct {
		n     *uint32
		total *uint64
		key   func(*Trace) Key
	}{
		{&p.Country, &p.Totals.Countries, func(t *Trace) Key { return t.Country }}, {&p.Agent, &p.Totals.Agents, func(t *Trace) Key { return t.Agent }},
		{&p.Browser, &p.Totals.Browsers, func(t *Trace) Key { return t.Browser }}, {&p.OS, &p.Totals.Systems, func(t *Trace) Key { return t.OS }},
		{&p.Class, &p.Totals.Classes, func(t *Trace) Key { return t.Class }},
		{new(uint32), &p.Totals.Addresses, func(t *Trace) Key { return t.Address }}, {new(uint32), &p.Totals.ASNs, func(t *Trace) Key { return t.ASN }},
		{new(uint32), &p.Totals.Users, func(t *Trace) Key { return t.User }},
	}
	seen, pairs := map[Key]bool{}, map[Key]*Pair{}
	for i := range s.past {
		t, fold := &s.past[i].trace, s.past[i].fold
		m := MomentOf(t.Time)
		var tie Tie
		if t.UserClient != 0 {
			if pairs[t.UserClient] == nil {
				pairs[t.UserClient] = &Pair{}
			}
			pair := pairs[t.UserClient]
			tie = pair.TieOf(t)
			map[string]func(*Trace, *Moment){"attempt": pair.Attempt, "succeed": pair.Succeed, "fail": pair.Fail}[fold](t, &m)
		}
		if t.User == now.User && t.User != 0 {
			map[string]func(*Trace, *Moment){"attempt": p.User.Attempt, "succeed": p.User.Succeed, "fail": p.User.Fail}[fold](t, &m)
		}
		for i := range shared {
			r := &shared[i]
			if k := r.key(t); k == r.key(now) && k != 0 {
				map[string]func(){"attempt": func() { r.record.Attempt(t, &m, &r.members) }, "succeed": func() { r.record.Succeed(t, &m) },
					"fail": func() { r.record.Fail(t, &m, &r.members) }}[fold]()
			}
		}
		if t.Client == now.Client && t.Client != 0 {
			map[string]func(){"attempt": func() { p.Client.Attempt(t, &m, tie, &client) }, "succeed": func() { p.Client.Succeed(t, &m) },
				"fail": func() { p.Client.Fail(t, &m, &client) }}[fold]()
		}
		for _, r := range []struct {
			record     *Pair
			key, equal Key
		}{{&p.Pair, t.UserClient, now.UserClient}, {&p.Here, t.UserAddress, now.UserAddress}} {
			if r.key == r.equal && r.key != 0 {
				map[string]func(*Trace, *Moment){"attempt": r.record.Attempt, "succeed": r.record.Succeed, "fail": r.record.Fail}[fold](t, &m)
			}
		}
		switch fold {
		case "attempt":
			p.Totals.Attempt(t, &m, tie)
		case "fail":
			p.Totals.Fail(t, &m)
		case "succeed":
			if t.Flags&Unattended != 0 {
				continue
			}
			p.Totals.Successes++
			for _, v := range values {
				k := v.key(t)
				if k != 0 && !seen[k] {
					*v.total++
					seen[k] = true
				}
				if k == v.key(now) && k != 0 {
					*v.n++
				}
			}
		}
	}
	for _, e := range s.told {
		m := MomentOf(s.a.Time.Add(-e.ago).UnixMilli())
		switch e.of {
		case now.User:
			p.Account.Event(e.e, &m)
		case now.Client:
			p.Registration.Event(e.e, &m)
		}
	}
	return p
}

func (s *scene) tell(of Key, e signals.EventType, ago time.Duration) *scene {
	s.told = append(s.told, telling{of, e, ago})
	return s
}

func (s *scene) vector() *Vector {
	var t Trace
	Describe(&t, &s.a, &s.o, hasher)
	DescribeTyping(&t, &s.a, &s.o, s.table, hasher)
	p := s.profile(&t)
	if s.last != nil {
		s.last(p)
	}
	v := &Vector{}
	Extract(v, &s.a, &s.o, &t, p)
	for i, x := range s.fed {
		Feed(v, i, x)
	}
	return v
}

// example is a scene and the features it must have, computed by hand.
type example struct {
	name  string
	scene *scene
	want  map[int]float64
}

func examples() []example {
	var all []example
	for _, family := range []func() []example{geoExamples, networkExamples, deviceExamples, velocityExamples,
		baselineExamples, sessionExamples, typingExamples, intentExamples, clientExamples, partyExamples, accountExamples, feedExamples} {
		all = append(all, family()...)
	}
	return all
}

func TestExtract(t *testing.T) {
	for _, e := range examples() {
		t.Run(e.name, func(t *testing.T) {
			v := e.scene.vector()
			for i, want := range e.want {
				got := float64(v[i])
				switch {
				case want == none && !math.IsNaN(got):
					t.Errorf("%s is %v, want it missing", Schema[i].Name, got)
				case want != none && !(math.Abs(got-want) <= 1e-4*math.Max(math.Abs(want), 1)):
					t.Errorf("%s is %v, want %v", Schema[i].Name, got, want)
				}
			}
		})
	}
}

// TestEveryFeatureIsWritten finds a feature that no example holds to a value, or
// that never varies.
func TestEveryFeatureIsWritten(t *testing.T) {
	held := [Width]bool{}
	values := [Width]map[float32]bool{}
	for _, e := range examples() {
		for i, want := range e.want {
			held[i] = held[i] || want != none
		}
		for i, f := range e.scene.vector() {
			if values[i] == nil {
				values[i] = map[float32]bool{}
			}
			if !math.IsNaN(float64(f)) {
				values[i][f] = true
			}
			if math.IsInf(float64(f), 0) {
				t.Errorf("%s is infinite in %q", Schema[i].Name, e.name)
			}
		}
	}
	for i := range Schema {
		if !held[i] {
			t.Errorf("no example says what %s must be", Schema[i].Name)
		}
		if len(values[i]) < 2 {
			t.Errorf("%s never varies", Schema[i].Name)
		}
	}
}

// linear is what linear counting answers for n keys in so many bits, none of
// them sharing a bit: -m ln(1-n/m).
func linear(bits, n float64) float64 { return -bits * math.Log(1-n/bits) }
