package population

import "github.com/waryauth/wary/signals"

// planVisit plans one sitting: perhaps wrong passwords, the login, and what the
// person came for.
func (r *run) planVisit(i int32, day int, at int64) {
	p := r.people[i]
	if p.onTheWay(at) {
		return
	}
	d := p.devices[0]
	if len(p.devices) > 1 && r.chance(0.3) {
		d = p.devices[1+r.IntN(len(p.devices)-1)]
	}
	switch {
	case p.private:
		d = r.anonymous(d, day)
	case r.chance(0.008), p.place(at) != p.home && r.chance(0.05): // somebody else's
		d = r.newDevice(r.modelOf(0), day)
		d.speaks = r.world.countries[r.world.cities[p.place(at)].country].languages
	}
	e := event{at: at, from: r.connect(p, d, day, at), device: d, person: i, action: signals.Login, marks: passes}
	p.prove(&e)
	if r.chance(0.03) {
		e.marks &^= passes // the phone is elsewhere
	}
	if c := r.wants(p, day); c != nil {
		e.client, e.action = c, signals.Authorize
		if c.grows >= 0 {
			e.marks |= moreScopes
		}
		if c.grows >= 0 && c.moves {
			e.marks |= elsewhere
		}
	}
	if !r.planSlips(p, &e, day) {
		return
	}
	e.result = signals.Success
	r.plan(e)
	r.planErrand(p, e, day)
}

// prove lets a person log in as the person always does.
func (p *person) prove(e *event) {
	e.method = p.method
	if p.proves {
		e.marks |= secondProof
	}
	if p.asked {
		e.method = signals.Push
	}
}

// anonymous returns a device as it shows itself in a private window.
func (r *run) anonymous(d *device, day int) *device {
	a := *d
	a.keyed = false
	r.identify(&a, day)
	return &a
}

// planSlips plans wrong passwords before a login and reports whether the person
// gets in at all.
func (r *run) planSlips(p *person, e *event, day int) bool {
	if p.method != signals.Password {
		return true
	}
	slips := 0
	for chance := p.slips; r.chance(chance) && slips < 6; chance = 0.45 {
		f := *e
		f.result, f.method, f.marks = signals.Failure, signals.Password, f.marks&^secondProof
		r.plan(f)
		e.at += int64(r.logNormal(14, 0.7) * 1000)
		slips++
	}
	switch {
	case slips >= 3 && r.chance(0.5), day < p.newPhone && r.chance(0.3):
		e.at += int64(r.logNormal(120, 0.6) * 1000)
		e.marks |= recovering | fresh
		e.method = signals.EmailLink
		if r.chance(0.5) {
			e.method = signals.SMS
		}
		p.set = day
	case slips > 0 && r.chance(0.12):
		return false // gives up
	case p.asked && r.chance(0.05): // the phone lies in another room
		f := *e
		f.result = signals.Failure
		r.plan(f)
		e.at += int64(r.logNormal(75, 0.5) * 1000)
	}
	return true
}

// planErrand plans what follows a login.
func (r *run) planErrand(p *person, e event, day int) {
	e.marks &^= recovering | fresh
	after := func(minutes float64) int64 { return e.at + int64(r.logNormal(minutes, 0.6)*msPerMinute) }
	switch u := r.Float64(); {
	case e.action == signals.Authorize:
		r.planGrant(p, e, day)
	case u < 0.16:
		r.planPayment(p, e, after(2))
	case u < 0.17:
		e.at, e.action = after(3), signals.AccountChange
		r.plan(e)
	case u < 0.19:
		p.subscribeTo(r, day)
	}
}

func (r *run) planPayment(p *person, e event, at int64) {
	e.at, e.action = at, signals.Payment
	e.amount = float32(r.logNormal(p.spends, 0.9))
	e.payee = 1 + int32(r.IntN(int(p.payees)+1))
	if p.payees < 3 || r.chance(0.12) {
		p.payees++
		e.payee = p.payees
	}
	r.plan(e)
}

// planGrant plans the consent after an authorization and the client's own call
// to redeem the code.
func (r *run) planGrant(p *person, e event, day int) {
	e.at += int64(r.logNormal(25, 0.7) * 1000)
	e.action = signals.ConsentGrant
	r.plan(e)
	r.planServer(e, e.at+int64(r.between(200, 3000)), signals.TokenRequest)
	for i := range p.consents {
		if c := &p.consents[i]; c.client == e.client {
			c.until = day + 90
		}
	}
}

// planServer plans a call of the client's own server.
func (r *run) planServer(e event, at int64, action signals.Action) {
	e.at, e.action, e.result = at, action, signals.Success
	e.from, e.device, e.method = e.client.server(r), e.client.robot, 0
	e.marks = e.marks&(passes|moreScopes) | unattended
	r.plan(e)
}

// planUnattended plans the refreshes of a person's clients.
func (r *run) planUnattended(i int32, day int) {
	p := r.people[i]
	for _, c := range p.consents {
		if day >= c.until {
			continue
		}
		for range min(r.poisson(c.daily), 4) {
			at := r.midnight(day) + int64(r.Float64()*msPerDay)
			r.planServer(event{person: i, client: c.client}, at, signals.Refresh)
		}
	}
}
