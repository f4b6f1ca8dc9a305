package population

import (
	"github.com/waryauth/wary/signals"
)

// mule is the first number of payees that attackers send money to.
const mule = 1 << 20

// planAttacks plans the campaigns that begin on a day, each to its end.
func (r *run) planAttacks(day int) {
	scale := float64(r.Users) / 10_000
	for f := Stuffing; int(f) < FamilyCount; f++ {
		for range r.poisson(r.Campaigns[f] * scale) {
			r.attacks++
			c := campaign{run: r, family: f, number: int32(r.attacks), day: day}
			c.at = r.midnight(day) + int64(r.Float64()*msPerDay)
			c.payee = mule + int32(r.attacks)
			c.careful = r.chance(0.5)
			c.hands, c.hush = r.newHands(), c.careful && r.chance(0.5)
			c.plan()
		}
	}
}

// campaign is one attack under way: many attempts with one infrastructure.
type campaign struct {
	*run
	family    Family
	number    int32
	day       int
	at        int64
	payee     int32
	careful   bool // hides where it comes from and what it runs on
	hands     hands
	hush      bool // keeps pages from measuring how one types
	addresses []source
	devices   []*device
}

func (c *campaign) plan() {
	switch c.family {
	case Stuffing:
		c.planGuesses(int(min(c.logNormal(700, 1.1), 20_000)), c.between(0.2, 0.7), c.logNormal(0.006, 0.8))
	case Spraying:
		c.planGuesses(int(min(c.logNormal(350, 0.9), 8_000)), c.between(0, 0.25), c.logNormal(0.003, 0.8))
	case Targeted, VeryTargeted:
		c.planTargeted()
	case StolenToken:
		c.planStolenTokens()
	case ConsentPhish:
		c.planConsentPhishing()
	case RogueClient:
		c.planRogueClient()
	case SIMSwap:
		c.planSIMSwap()
	case PushFatigue:
		c.planPushFatigue()
	case Malware:
		c.planMalware()
	}
}

// event returns an attempt of the campaign.
func (c *campaign) event(at int64, person int32, action signals.Action, result signals.Result) event {
	return event{at: at, person: person, action: action, result: result, family: c.family, campaign: c.number, method: signals.Password}
}

// attack returns an attempt that the attackers make themselves, with a device.
func (c *campaign) attack(at int64, person int32, action signals.Action, result signals.Result, from source, d *device) event {
	e := c.event(at, person, action, result)
	e.from, e.device, e.typist = from, d, c.hands.on(d)
	if c.hush {
		e.marks |= hushed
	}
	return e
}

// victim draws an account that no campaign has taken yet.
func (c *campaign) victim() int32 {
	for range 20 {
		if i := c.IntN(len(c.people)); !c.people[i].taken {
			return int32(i)
		}
	}
	return int32(c.IntN(len(c.people)))
}

// near draws an address of a proxy in somebody's home of a country.
func (c *campaign) near(country int32) source {
	use := residential
	if c.chance(0.2) {
		use = mobile
	}
	_, at := c.lodge(country, use, c.cityOf(country))
	return at
}

// arm gives a campaign of guesses its addresses and what it runs.
func (c *campaign) arm(guesses int) {
	n := 1
	if c.chance(0.75) {
		n = max(1, int(float64(guesses)/c.logNormal(40, 1.2)))
	}
	first := c.lair()
	kind := c.chance(0.4) // of one network, or mixed
	for i := range min(n, 2000) {
		at := first
		if i > 0 && !kind {
			at = c.lair()
		} else if i > 0 {
			at = source{sibling(c.run, first), first.city}
		}
		c.addresses = append(c.addresses, at)
	}
	m := c.program()
	if c.careful {
		m = c.modelOf(signals.Desktop)
	}
	for range 1 + c.IntN(4) {
		c.devices = append(c.devices, c.newDevice(m, c.day))
	}
}

// planGuesses plans stuffing or spraying: many accounts, most guesses wrong.
func (c *campaign) planGuesses(n int, unknown, hits float64) {
	c.arm(n)
	every := c.logNormal(4, 1.6) * 1000 // ms between guesses, from a burst to low and slow
	hits = min(max(hits, 0.001), 0.02)
	at := float64(c.at)
	var through *client // the guesses come by way of a third party's page
	if c.chance(0.3) && len(c.clients) > 0 {
		through = choose(c.run, c.clients)
		c.run.stuffed = through
	}
	for range n {
		at += every * c.ExpFloat64()
		person := int32(-1)
		if !c.chance(unknown) {
			person = int32(c.IntN(len(c.people)))
		}
		result := signals.Failure
		if person >= 0 && c.people[person].method == signals.Password && c.chance(hits/(1-unknown)) {
			result = signals.Success
		}
		from, d := choose(c.run, c.addresses), choose(c.run, c.devices)
		if c.careful && c.chance(0.7) { // a new identity for every guess
			d = c.newDevice(d.model, c.day)
		}
		e := c.attack(int64(at), person, signals.Login, result, from, d)
		e.by(through)
		e.marks |= scripted
		c.run.plan(e)
		if result == signals.Success {
			c.people[person].taken = true
			c.loot(e)
		}
	}
}

// door lets an attacker come by a third party's page now and then, as the person does:
// by the one that guesses came through last, where the noise is, or by one that the
// person has given a consent.
func (c *campaign) door(e *event) {
	switch p := c.people[e.person]; {
	case !c.chance(0.25):
	case c.stuffed != nil && c.chance(0.5):
		e.by(c.stuffed)
	case len(p.consents) > 0:
		e.by(choose(c.run, p.consents).client)
	}
}

// by makes it an attempt by way of a client's page; nil is the bank's own.
func (e *event) by(through *client) {
	if e.client = through; through != nil {
		e.action = signals.Authorize
	}
}

// loot plans what follows a login that came through.
func (c *campaign) loot(e event) {
	e.marks &^= scripted | recovering | fresh
	for range c.IntN(3) {
		e.at += int64(c.logNormal(6, 0.8) * msPerMinute)
		e.action = signals.AccountChange
		if c.chance(0.7) {
			e.action, e.payee = signals.Payment, c.payee
			e.amount = float32(c.logNormal(700, 0.8))
		}
		c.run.plan(e)
	}
}

// planTargeted plans takeovers of a few chosen accounts whose passwords are
// known.
func (c *campaign) planTargeted() {
	for range 1 + c.poisson(3) {
		i := c.victim()
		p := c.people[i]
		p.taken = true
		c.at += int64(c.logNormal(3, 1) * msPerHour)
		from, d := c.disguise(p)
		e := c.attack(c.at, i, signals.Login, signals.Success, from, d)
		c.door(&e)
		if p.proves && c.chance(0.3) {
			e.marks |= secondProof // talked out of the victim
			if p.asked {
				e.method = signals.Push
			}
		}
		for range c.poisson(0.3) {
			f := e
			f.result, f.at = signals.Failure, f.at-int64(c.between(10, 90)*1000)
			c.run.plan(f)
		}
		c.run.plan(e)
		c.loot(e)
	}
}

// disguise returns an address and a device that resemble the victim's: the
// country and the kind of browser, or the provider, the city and the user agent.
func (c *campaign) disguise(p *person) (source, *device) {
	theirs := p.devices[0]
	d := c.newDevice(theirs.model, c.day)
	country := c.world.cities[p.home].country
	if c.family == VeryTargeted {
		d.lag = theirs.lag
		if c.careful {
			// All that a page can see, as stolen with the cookies.
			copied := *theirs
			copied.keyed = false
			d = &copied
		}
		return c.run.draw(p.line.network, p.home), d
	}
	if theirs.model.class == signals.Mobile && c.chance(0.5) {
		d = c.newDevice(c.modelOf(theirs.model.class), c.day)
	}
	at := c.near(country)
	if !c.careful && c.chance(0.3) && len(c.world.exits) > 0 {
		at = c.anywhere(c.world.exits, p.home)
	}
	return at, d
}

// planStolenTokens plans refresh tokens of one client used from elsewhere. Who took them
// from the client's own server may have its key too, and then the binding is good; with
// care, also what its program looks like.
func (c *campaign) planStolenTokens() {
	bad, holders := c.heldClient()
	if len(holders) == 0 {
		return
	}
	from, robot := c.lair(), c.newDevice(c.program(), c.day)
	keyed := bad.bound && c.chance(0.45)
	if keyed && c.careful {
		robot = bad.robot
	}
	for range 2 + c.poisson(8) {
		i := choose(c.run, holders)
		c.at += int64(c.logNormal(60, 1.2) * 1000)
		e := c.event(c.at, i, signals.Refresh, signals.Success)
		e.method = 0
		e.client, e.from, e.device = bad, from, robot
		e.marks = unattended
		if bad.bound && !keyed {
			e.marks |= unbound
			if c.chance(0.8) {
				e.result = signals.Failure // the binding is checked
			}
		}
		c.run.plan(e)
	}
}

// lured returns a person's own authorization of a client, at a moment of the days after
// the campaign began that the person is used to, and proven as always.
func (c *campaign) lured(i int32, bad *client, days int) event {
	p, day := c.people[i], c.day+c.IntN(days)
	at := c.moment(p, day)
	if at < c.at {
		at += msPerDay
	}
	d := p.devices[0]
	if p.private {
		d = c.anonymous(d, day)
	}
	e := c.event(at, i, signals.Authorize, signals.Success)
	e.client, e.device, e.from, e.marks = bad, d, c.connect(p, d, day, at), passes
	p.prove(&e)
	return e
}

// planConsentPhishing plans a new client that talks many people into a grant. The
// people are at home on their own devices.
func (c *campaign) planConsentPhishing() {
	bad := c.newClient("app-"+c.token()[:6], 0)
	bad.method, bad.bound, bad.declares, bad.scopes = signals.ClientSecret, false, c.careful, wider(c.run, informationScopes[2])
	if c.careful {
		bad.method, bad.scopes = signals.PrivateKeyJWT, informationScopes[c.IntN(len(informationScopes))]
	}
	for range 5 + c.poisson(10) {
		e := c.lured(int32(c.IntN(len(c.people))), bad, 2)
		c.run.plan(e)
		e.at += int64(c.logNormal(15, 0.6) * 1000)
		e.action = signals.ConsentGrant
		c.run.plan(e)
		c.planServer(e, e.at+int64(c.between(200, 3000)), signals.TokenRequest)
		for range c.poisson(2) {
			c.planServer(e, e.at+int64(c.logNormal(30, 1)*msPerMinute), signals.Refresh)
		}
	}
}

// planRogueClient plans an honest client that has been taken over: it asks its
// users for more than before, at another redirect URI.
func (c *campaign) planRogueClient() {
	bad, holders := c.heldClient()
	from := c.lair()
	c.Shuffle(len(holders), func(i, j int) { holders[i], holders[j] = holders[j], holders[i] })
	for _, i := range holders[:min(len(holders), 20)] {
		if !c.chance(0.6) {
			continue
		}
		e := c.lured(i, bad, 4)
		e.marks |= moreScopes
		if !c.careful {
			e.marks |= elsewhere
		}
		c.run.plan(e)
		e.at += int64(c.logNormal(15, 0.6) * 1000)
		e.action = signals.ConsentGrant
		c.run.plan(e)
		t := e
		t.at, t.action, t.from, t.device, t.method = e.at+int64(c.between(200, 3000)), signals.TokenRequest, from, bad.robot, 0
		t.marks = unattended | moreScopes | passes
		c.run.plan(t)
	}
}

// heldClient draws a client that some hold a consent of, and those people.
func (c *campaign) heldClient() (*client, []int32) {
	var bad *client
	for range 10 {
		if i := c.IntN(len(c.people)); len(c.people[i].consents) > 0 {
			bad = choose(c.run, c.people[i].consents).client
		}
	}
	var holders []int32
	for i, p := range c.people {
		for _, k := range p.consents {
			if bad != nil && k.client == bad && k.until > c.day {
				holders = append(holders, int32(i))
			}
		}
	}
	return bad, holders
}

// planSIMSwap plans accounts recovered with a phone number that was taken over.
func (c *campaign) planSIMSwap() {
	for range 1 + c.poisson(1) {
		i := c.victim()
		p := c.people[i]
		p.taken = true
		c.at += int64(c.logNormal(5, 1) * msPerHour)
		country := c.world.cities[p.home].country
		from := c.run.draw(c.networkOf(country, mobile), c.cityOf(country))
		e := c.attack(c.at, i, signals.Login, signals.Success, from, c.newDevice(c.modelOf(signals.Mobile), c.day))
		e.method = signals.SMS
		c.door(&e)
		e.marks |= recovering | fresh | passes
		for range c.poisson(0.8) {
			f := e
			f.result, f.method, f.marks, f.at = signals.Failure, signals.Password, e.marks&hushed, f.at-int64(c.between(60, 600)*1000)
			c.run.plan(f)
		}
		c.run.plan(e)
		c.loot(e)
	}
}

// planPushFatigue plans confirmations asked for again and again until one is given,
// of people whose phone is asked: some are asked at every login, others only when
// they do not come by the app.
func (c *campaign) planPushFatigue() {
	for range 1 + c.poisson(2) {
		i := c.victim()
		p := c.people[i]
		for tries := 0; !p.asked && p.method != signals.Biometric && tries < 50; tries++ {
			i = c.victim()
			p = c.people[i]
		}
		c.at += int64(c.logNormal(4, 1) * msPerHour)
		from := c.near(c.world.cities[p.home].country)
		if !c.careful {
			from = c.lair()
		}
		e := c.attack(c.at, i, signals.Login, signals.Failure, from, c.newDevice(c.modelOf(0), c.day))
		e.method = signals.Push
		c.door(&e)
		for range 2 + c.poisson(8) {
			c.run.plan(e)
			e.at += int64(c.logNormal(70, 0.7) * 1000)
		}
		if !c.chance(0.35) {
			continue
		}
		p.taken = true
		e.result = signals.Success
		e.marks |= passes | secondProof
		c.run.plan(e)
		c.loot(e)
	}
}
