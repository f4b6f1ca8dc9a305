package population

import (
	"math"
	"net/netip"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/waryauth/wary/signals"
)

// take returns the first n attempts, all where n is 0, with numbers in the place of
// what is missing of a rhythm: NaN is unlike itself.
func take(s *Simulation, n int) (list []Labelled) {
	for l := range s.Attempts() {
		for i, x := range l.Attempt.Behaviour.Keys.Rhythm {
			if x != x {
				l.Attempt.Behaviour.Keys.Rhythm[i] = -1e9
			}
		}
		if list = append(list, l); len(list) == n {
			break
		}
	}
	return list
}

func TestDeterministic(t *testing.T) {
	o := Options{Seed: 7, Users: 400, Days: 20, World: SyntheticWorld(3)}
	s := New(o)
	first := take(s, 0)
	if again := take(s, 0); !reflect.DeepEqual(first, again) {
		t.Error("a simulation run twice gives two different streams")
	}
	if again := take(New(Options{Seed: 7, Users: 400, Days: 20, World: SyntheticWorld(3)}), 0); !reflect.DeepEqual(first, again) {
		t.Error("the same options, world made anew, give another stream")
	}
	o.Seed = 8
	if other := take(New(o), 0); reflect.DeepEqual(first[:100], other[:100]) {
		t.Error("another seed gives the same stream") // the control
	}
}

func TestStream(t *testing.T) {
	campaigns := DefaultCampaigns
	for f := range campaigns {
		campaigns[f] *= 6
	}
	o := New(Options{Seed: 2, Users: 1200, Days: 30, Campaigns: &campaigns}).Options()
	var last time.Time
	ids := map[string]bool{}
	families := [FamilyCount]int{}
	rhythms := map[[20]float32]bool{}
	for l := range New(o).Attempts() {
		a := &l.Attempt
		if a.Time.Before(last) {
			t.Fatalf("attempt at %s after one at %s", a.Time, last)
		}
		last = a.Time
		if a.Time.Before(o.Start) || !a.Time.Before(o.Start.AddDate(0, 0, o.Days)) {
			t.Fatalf("attempt at %s, outside the simulation", a.Time)
		}
		if ids[a.ID] {
			t.Fatalf("attempt id %s twice", a.ID)
		}
		ids[a.ID] = true
		families[l.Family]++
		checkLabels(t, &l)
		if _, err := netip.ParseAddr(a.Network.IP); err != nil {
			t.Fatalf("%s: %v", l.Family, err)
		}
		if k := &a.Behaviour.Keys; k.RhythmSet && !l.Fraud {
			r := [20]float32(k.Rhythm[51:71])
			if rhythms[r] {
				t.Fatal("a rhythm twice")
			}
			rhythms[r] = true
			if x := k.Rhythm[0]; x == x {
				t.Fatalf("field 0 of a password's rhythm is told: %g", x)
			}
		}
	}
	for f, n := range families {
		if n == 0 {
			t.Errorf("no attempt of family %s", Family(f))
		}
	}
	if len(rhythms) == 0 {
		t.Error("nobody typed")
	}
}

func checkLabels(t *testing.T, l *Labelled) {
	t.Helper()
	a := &l.Attempt
	succeeded := a.Authentication.Result == signals.Success
	switch {
	case l.Fraud != (l.Family != Ordinary), l.Fraud != (l.Campaign > 0):
		t.Fatalf("%s: fraud %v, campaign %d", l.Family, l.Fraud, l.Campaign)
	case l.Takeover != (l.Fraud && succeeded):
		t.Fatalf("%s: takeover %v, fraud %v, result %s", l.Family, l.Takeover, l.Fraud, a.Authentication.Result)
	case (l.UserIndex < 0) == a.Known():
		t.Fatalf("user %d, known %v", l.UserIndex, a.Known())
	case l.UserIndex < 0 && succeeded:
		t.Fatal("a name of nobody succeeded")
	case l.Unattended == a.UserPresent.Or(true):
		t.Fatalf("unattended %v, user_present %v", l.Unattended, a.UserPresent)
	case l.Label != l.Fraud:
		t.Fatalf("%s is labelled %v", l.Family, l.Label)
	case l.LabelDelay <= 0:
		t.Fatalf("label known %s after the attempt", l.LabelDelay)
	}
}

// A caller that reports little says the same of everybody.
func TestReports(t *testing.T) {
	told := func(r Reports) (devices, languages, clocks int) {
		for l := range New(Options{Seed: 4, Users: 300, Days: 10, Reports: r}).Attempts() {
			a := &l.Attempt
			if a.Device.ID != "" {
				devices++
			}
			if a.Headers.AcceptLanguage != "" {
				languages++
			}
			if a.Device.TimezoneOffsetMin.Set {
				clocks++
			}
		}
		return devices, languages, clocks
	}
	if d, l, c := told(ReportLanguage); d != 0 || l == 0 || c != 0 {
		t.Errorf("languages alone reported: %d devices, %d languages, %d clocks", d, l, c)
	}
	if d, l, c := told(ReportAll); d == 0 || l == 0 || c == 0 {
		t.Errorf("all reported: %d devices, %d languages, %d clocks", d, l, c)
	}
}

// stats are what the published figures are compared with.
type stats struct {
	sittings         map[int]float64 // successful logins by user
	tries, successes float64         // of known people's logins
	classes          [6]float64      // of attempts by a person's device
	weekdays         [7]float64
	hours            [24]float64
	rtt              []float64
	present, bots    float64 // attempts of devices, and those of programs
	attempts         float64
	delays           []float64 // days until a label is known
	users            map[netip.Addr]map[int]bool
	calls            map[[3]int]int // unattended, by user, client and day
	guesses, hits    float64        // of stuffing
	hidden           map[int]bool   // users behind a VPN that the anonymizer file knows
	start            time.Time
	locator          signals.Locator
	agents           *signals.Agents
	clients          map[string]int
}

func (s *stats) add(l *Labelled) {
	a := &l.Attempt
	s.attempts++
	s.delays = append(s.delays, l.LabelDelay.Hours()/24)
	if a.Network.RTTMS.Set {
		s.rtt = append(s.rtt, a.Network.RTTMS.Value)
	}
	success := a.Authentication.Result == signals.Success
	if l.Family == Stuffing && a.Action != signals.Payment && a.Action != signals.AccountChange {
		s.guesses++
		if success {
			s.hits++
		}
	}
	if l.Unattended {
		if _, ok := s.clients[a.Client.ID]; !ok {
			s.clients[a.Client.ID] = len(s.clients)
		}
		if l.Family == Ordinary && a.Action == signals.Refresh {
			s.calls[[3]int{l.UserIndex, s.clients[a.Client.ID], int(a.Time.Unix() / 86_400)}]++
		}
		return
	}
	var g signals.Agent
	s.agents.Describe(&g, &a.Headers)
	s.present++
	if g.Class == signals.Bot {
		s.bots++
	}
	if l.Fraud { // attackers are more than in any published set: of devices they tell nothing
		return
	}
	s.classes[g.Class]++
	s.addOrdinary(l, success)
}

func (s *stats) addOrdinary(l *Labelled, success bool) {
	a := &l.Attempt
	ip := netip.MustParseAddr(a.Network.IP)
	if s.users[ip] == nil {
		s.users[ip] = map[int]bool{}
	}
	s.users[ip][l.UserIndex] = true
	o := signals.Observation{Address: signals.Address{IP: ip}}
	s.locator.Locate(&o, a.Time)
	if o.Network.VPN {
		s.hidden[l.UserIndex] = true
	}
	if a.Action != signals.Login && a.Action != signals.Authorize {
		return
	}
	s.tries++
	if success {
		s.successes++
		s.sittings[l.UserIndex]++
	}
	if d := a.Device.TimezoneOffsetMin; d.Set {
		local := a.Time.Add(time.Duration(d.Value) * time.Minute)
		s.weekdays[local.Weekday()]++
		s.hours[local.Hour()]++
	}
}

func quantile(list []float64, q float64) float64 {
	slices.Sort(list)
	return list[int(q*float64(len(list)-1))]
}

// The targets are published: ../shared/specs/population.md.
func TestPublishedFigures(t *testing.T) {
	t.Parallel()
	const users, days = 10_000, 42
	o := New(Options{Seed: 1, Users: users, Days: days, Home: "GB"}).Options()
	s := stats{
		sittings: map[int]float64{}, users: map[netip.Addr]map[int]bool{}, calls: map[[3]int]int{}, hidden: map[int]bool{}, clients: map[string]int{},
		start: o.Start, locator: o.World.Locator, agents: signals.NewAgents(4096),
	}
	for l := range New(o).Attempts() {
		s.add(&l)
	}
	near := func(what string, got, want, tolerance float64) {
		t.Helper()
		t.Logf("%s: %.4g (published %.4g)", what, got, want)
		if math.Abs(got-want) > tolerance {
			t.Errorf("%s: %.4g, want %.4g within %.4g", what, got, want, tolerance)
		}
	}
	var weekly []float64
	for i := range users {
		weekly = append(weekly, s.sittings[i]*7/days)
	}
	median := quantile(weekly, 0.5)
	near("logins a week, median", median, 2, 1)
	near("logins, p90 over median", quantile(weekly, 0.9)/median, 4.5, 1)
	near("success of known people", s.successes/s.tries, 0.727, 0.03)
	people := s.classes[signals.Mobile] + s.classes[signals.Desktop] + s.classes[signals.Tablet]
	near("mobile of what is no bot", s.classes[signals.Mobile]/people, 0.61/0.905, 0.05)
	near("desktop", s.classes[signals.Desktop]/people, 0.25/0.905, 0.05)
	near("tablet", s.classes[signals.Tablet]/people, 0.045/0.905, 0.02)
	near("bots", s.bots/s.present, 0.065, 0.03)
	near("attempts with a round-trip time", float64(len(s.rtt))/s.attempts, 0.04, 0.003)
	near("round-trip time, lower quartile", quantile(s.rtt, 0.25), 473, 10)
	near("round-trip time, median", quantile(s.rtt, 0.5), 540, 15)
	near("round-trip time, upper quartile", quantile(s.rtt, 0.75), 680, 25)
	all := 0.0
	for _, n := range s.weekdays {
		all += n
	}
	near("Tuesday", s.weekdays[time.Tuesday]/all, 0.154, 0.01)
	near("Saturday", s.weekdays[time.Saturday]/all, 0.125, 0.01)
	near("hour 00", s.hours[0]/all, 1908.0/141_000, 0.006)
	near("hour 09", s.hours[9]/all, 7902.0/141_000, 0.008)
	near("people behind a VPN", float64(len(s.hidden))/users, 0.055, 0.025)
	near("stuffing that fits", s.hits/s.guesses, 0.0105, 0.0095)
	// Days, log-normal: half within three, and a deviation of the logarithm of one.
	near("delay of labels, median", quantile(s.delays, 0.5), 3, 0.1)
	near("delay of labels, p84 over median", quantile(s.delays, 0.8413)/quantile(s.delays, 0.5), math.E, 0.1)
	checkCrowds(t, &s)
	for k, n := range s.calls {
		if n > 4 {
			t.Fatalf("user %d: %d unattended calls of a client in a day, four are allowed", k[0], n)
		}
	}
}

// checkCrowds holds the addresses that many people share to their published
// numbers: 49,009 with 10 to 99 users, 9,221 with 100 to 999, 1,071 with more.
func checkCrowds(t *testing.T, s *stats) {
	t.Helper()
	var crowds [4]float64
	for _, users := range s.users {
		crowds[min(int(math.Log10(float64(len(users)))), 3)]++
	}
	t.Logf("addresses with 1-9, 10-99, 100-999, 1000 users or more: %v", crowds)
	// Those with a thousand are few, 1,071 to 9,221, and need more people than these.
	ratio := crowds[1] / max(crowds[2], 1)
	if want := 49_009.0 / 9_221; ratio < want/3 || ratio > want*3 {
		t.Errorf("%.0f addresses with 10-99 users to one with 100-999, published are %.2g", ratio, want)
	}
}

// Two databases of addresses differ by more than 1,000 km for 15 to 30 % of
// them: so do the truth and what the engine reads.
func TestTruthIsElsewhere(t *testing.T) {
	w := SyntheticWorld(5)
	off, all := 0.0, 0.0
	for _, n := range w.networks {
		if n.use > corporate {
			continue
		}
		for _, b := range n.blocks {
			o := signals.Observation{Address: signals.Address{IP: b.prefix.Addr().Next()}}
			w.Locator.Locate(&o, time.Unix(0, 0))
			if !o.Place.Located || o.Network.ASN != n.asn {
				t.Fatalf("block %s: located %v in network %d, want %d", b.prefix, o.Place.Located, o.Network.ASN, n.asn)
			}
			all++
			if distanceKM(&w.cities[b.city], &city{latitude: o.Place.Latitude, longitude: o.Place.Longitude}) > 1000 {
				off++
			}
		}
	}
	if share := off / all; share < 0.15 || share > 0.30 {
		t.Errorf("%.3f of %.0f blocks are more than 1,000 km off, want 0.15 to 0.30", share, all)
	}
	o := signals.Observation{Address: signals.Address{IP: netip.MustParseAddr("10.1.2.3")}}
	w.Locator.Locate(&o, time.Unix(0, 0))
	if !o.Network.Private || o.Place.Located {
		t.Errorf("10.1.2.3: %+v", o) // the control: not every address has a place
	}
}

// Honest people travel, and no faster than an airliner: where they truly are never
// leaps, whatever the engine's database says of their addresses.
func TestPeopleTravel(t *testing.T) {
	r := newRun(&New(Options{Seed: 11, Users: 1500, Days: 60, Campaigns: new([FamilyCount]float64)}).o)
	last := map[int32]event{}
	journeys, leaps := 0, 0
	for day := range r.Days {
		for _, e := range r.events(day) {
			if e.marks&(unattended|scripted) != 0 {
				continue
			}
			before, known := last[e.person]
			last[e.person] = e
			if known && leapt(r.world, &before, &e) {
				leaps++
			}
			if !known || before.from.city == e.from.city {
				continue
			}
			km := distanceKM(&r.world.cities[before.from.city], &r.world.cities[e.from.city])
			journeys++
			if hours := float64(e.at-before.at) / msPerHour; km > 950*hours {
				t.Fatalf("user %d went %.0f km in %.2f hours", e.person, km, hours)
			}
		}
	}
	if journeys < 100 || leaps < 100 { // the control: databases make people leap
		t.Errorf("only %d journeys, and %d leaps where the database says", journeys, leaps)
	}
}

// leapt reports whether whoever was at one place could not be at the next, by what the
// engine's database says.
func leapt(w *World, before, e *event) bool {
	var o [2]signals.Observation
	for i, at := range []*event{before, e} {
		o[i].Address.IP = at.from.ip
		w.Locator.Locate(&o[i], time.UnixMilli(at.at))
	}
	km := distanceKM(&city{latitude: o[0].Place.Latitude, longitude: o[0].Place.Longitude}, &city{latitude: o[1].Place.Latitude, longitude: o[1].Place.Longitude})
	return o[0].Place.Located && o[1].Place.Located && km > 950*float64(e.at-before.at)/msPerHour && km > 50
}
