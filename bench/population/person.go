package population

import (
	"math"
	"net/netip"
	"time"

	"github.com/waryauth/wary/signals"
)

// person is an account and whoever it belongs to.
type person struct {
	subject   string
	languages string
	home      int32 // city
	line      *line // connection at home, shared by a household
	carrier   int32 // network of the phone
	cell      int32 // block of the carrier, -1 for any
	work      *source
	exit      int32   // network of a VPN, -1 without
	rate      float64 // logins a day
	peak      float64 // hour of day, local
	slips     float64 // chance of a wrong password
	method    signals.Method
	proves    bool // a second factor with every password
	devices   []*device
	private   bool // keeps no cookies
	agrees    bool // that the rhythm of typing is looked at
	asked     bool // confirms a password on the phone
	hands     hands
	text      []byte  // typed at a login
	fills     float64 // chance that a browser fills the form instead
	consents  []consent
	scraper   *source // a program of their own that fetches balances
	robot     *device
	trip      trip
	set       int     // day the credential was set
	spends    float64 // median amount
	payees    int32
	newPhone  int // until this day a device is new, and its owner may have to recover the account
	failures  int // since the last success
	taken     bool
}

// line is an internet connection at home. Providers move its address now and
// then; in IPv6 the last half changes daily.
type line struct {
	network int32
	city    int32
	ip      source
	lease   float64 // mean days with one address
	until   int     // day of the next address
	day     int
}

// trip is a stay elsewhere. Whoever is on the way, between leaving and arriving, is
// nowhere. Times are Unix milliseconds.
type trip struct {
	leaves, arrives int64
	returns, back   int64
	city            int32
	stay            source // the network of the place
}

// consent is what a person has given a client.
type consent struct {
	client *client
	until  int     // day
	daily  float64 // unattended calls a day
}

// crowd are tables that people are drawn from.
type crowd struct {
	models, programs, hours, weekdays cumulated
	offices                           map[int32][]source // by city, the first are the largest
}

// hourShares are the shares of logins by local hour: those of the RBA data set's
// statistics at 00 h and 09 h, and an even way between night, morning and evening.
var hourShares = [24]float64{
	1.35, 0.8, 0.5, 0.45, 0.6, 1.2, 2.7, 4.4, 5.4, 5.6, 5.6, 5.5,
	5.6, 5.5, 5.4, 5.3, 5.3, 5.4, 5.5, 5.8, 6.0, 5.8, 4.6, 2.7,
}

// weekdayShares count from Sunday.
var weekdayShares = [7]float64{12.9, 14.9, 15.4, 15.1, 14.9, 14.3, 12.5}

func (r *run) makePeople() {
	c := &r.crowd
	c.hours, c.weekdays = weights(hourShares[:]...), weights(weekdayShares[:]...)
	for i := range models {
		c.models = c.models.add(models[i].share)
	}
	for i := range programs {
		c.programs = c.programs.add(programs[i].share)
	}
	c.offices = map[int32][]source{}
	home := r.world.countryOf(r.Home)
	last := map[int32]*line{} // the newest line in each city
	for i := range r.Users {
		country := home
		if home < 0 || r.chance(0.15) {
			country = r.country()
		}
		r.people = append(r.people, r.newPerson(i, country, last))
	}
}

func (r *run) newPerson(i int, country int32, last map[int32]*line) *person {
	p := &person{
		subject:   "psu-" + r.token(),
		languages: r.world.countries[country].languages,
		home:      r.cityOf(country),
		carrier:   r.networkOf(country, mobile),
		cell:      int32(r.IntN(len(r.world.networks)) % 4),
		exit:      -1,
		rate:      min(r.logNormal(2.0/7, 1.17), 6),
		peak:      r.localHour(),
		slips:     min(r.logNormal(0.24, 0.5), 0.8),
		method:    signals.Password,
		spends:    r.logNormal(60, 0.8),
		set:       -int(r.logNormal(250, 1)),
	}
	if r.chance(0.08) {
		p.languages = r.world.countries[r.country()].languages // an expatriate
	}
	p.line = last[p.home]
	if p.line == nil || r.chance(0.6) { // otherwise of the household next before
		p.line = r.newLine(country, p.home)
		p.home = p.line.city
		last[p.home] = p.line
	}
	if r.chance(0.55) {
		p.work = r.office(country, p.home)
	}
	if len(r.world.exits) > 0 && r.chance(0.05) {
		p.exit = choose(r, r.world.exits)
	}
	switch u := r.Float64(); {
	case u < 0.10:
		p.method = signals.Passkey
	case u < 0.25:
		p.method = signals.Biometric
	default:
		p.proves = r.chance(0.3)
		p.asked = p.proves && r.chance(0.4)
	}
	p.agrees, p.hands, p.text, p.fills = r.chance(0.8), r.newHands(), r.newText(), 0.06
	if r.chance(0.58) {
		p.fills = 0.92
	}
	p.private = r.chance(0.06)
	p.equip(r)
	r.household(p)
	r.subscribe(p, 0)
	if r.chance(0.025) && len(r.world.servers) > 0 {
		at := r.anywhere(r.world.servers, p.home)
		p.scraper, p.robot = &at, r.newDevice(r.program(), 0)
	}
	return p
}

// equip gives a person one to three devices, of which the first is used most.
func (p *person) equip(r *run) {
	n := 1 + r.poisson(0.7)
	for i := range min(n, 3) {
		m := r.modelOf(0)
		if i > 0 && m.class == p.devices[0].model.class {
			m = r.modelOf(0)
		}
		d := r.newDevice(m, -r.IntN(400))
		d.keyed = p.method != signals.Password || d.handheld() && r.chance(0.4)
		p.devices = append(p.devices, d)
	}
}

// household lets a person use a device of whoever shares the line.
func (r *run) household(p *person) {
	if n := len(r.people); n > 0 && r.people[n-1].line == p.line && r.chance(0.2) {
		p.devices = append(p.devices, r.people[n-1].devices[0])
	}
}

func (r *run) newLine(country, city int32) *line {
	net, at := r.lodge(country, residential, city)
	l := &line{network: net, city: at.city}
	switch u := r.Float64(); {
	case u < 0.15:
		l.lease = 1
	case u < 0.5:
		l.lease = 25
	default:
		l.lease = 200
	}
	l.renew(r, -1)
	return l
}

func (l *line) renew(r *run, day int) {
	l.ip = r.draw(l.network, l.city)
	l.day, l.until = day, day+1+int(l.lease*r.ExpFloat64())
}

// address returns the line's address on a day.
func (l *line) address(r *run, day int) source {
	if day >= l.until {
		l.renew(r, day)
	}
	if day > l.day && l.ip.ip.Is6() {
		b := l.ip.ip.As16()
		for i := 8; i < 16; i++ {
			b[i] = byte(r.Uint64())
		}
		l.ip.ip, l.day = netip.AddrFrom16(b), day
	}
	return l.ip
}

// office draws a place of work in a city: few with many people, many with few.
func (r *run) office(country, city int32) *source {
	c := &r.crowd
	list := c.offices[city]
	if i := r.skewed(2 * (len(list) + 1)); i < len(list) && r.chance(0.9) {
		return &list[i]
	}
	at := r.draw(r.networkOf(country, corporate), city)
	c.offices[city] = append(list, at)
	return &at
}

// localHour draws an hour by the shape of the whole population.
func (r *run) localHour() float64 { return float64(r.pick(r.crowd.hours)) + r.Float64() }

// planPerson plans a person's day.
func (r *run) planPerson(i int32, day int) {
	p := r.people[i]
	r.live(p, day)
	weekday := int((r.Start.Unix()/86_400 + int64(day) + 4) % 7)
	for range r.poisson(p.rate * weekdayShares[weekday] * 7 / 105) {
		r.planVisit(i, day, r.moment(p, day))
	}
	r.planUnattended(i, day)
	if p.scraper != nil && r.chance(0.6) {
		at := r.midnight(day) + int64(r.between(3, 6)*msPerHour)
		r.plan(event{at: at, from: *p.scraper, device: p.robot, person: i, action: signals.Login, result: signals.Success, method: p.method, marks: scripted})
	}
}

// live moves a person's life on by a day: new devices, cleared cookies, trips.
func (r *run) live(p *person, day int) {
	for i, d := range p.devices {
		switch {
		case r.chance(1.0 / 700):
			p.newPhone = day + 3
			m := d.model
			if r.chance(0.3) {
				m = r.modelOf(m.class)
			}
			keyed := d.keyed
			p.devices[i] = r.newDevice(m, day)
			p.devices[i].keyed = keyed && r.chance(0.5)
		case r.chance(1.0 / 150):
			kept := *d
			kept.keyed = d.keyed && p.method != signals.Password
			r.identify(&kept, day)
			p.devices[i] = &kept
		}
	}
	if r.chance(1.0 / 2500) { // moves house
		country := r.world.cities[p.home].country
		p.line = r.newLine(country, p.home)
		p.home = p.line.city
	}
	switch {
	case r.midnight(day) < p.trip.back:
	case r.chance(3.0 / 365):
		r.depart(p, day, 2+r.poisson(5))
	case r.chance(1.0 / 4000): // moves away for good, as far as these days go
		r.depart(p, day, 1000)
	}
}

func (r *run) depart(p *person, day, days int) {
	country := r.world.cities[p.home].country
	if r.chance(0.4) {
		country = r.country()
	}
	use := residential
	if r.chance(0.3) {
		use = corporate
	}
	_, stay := r.lodge(country, use, r.cityOf(country))
	t := trip{leaves: r.midnight(day) + int64(r.Float64()*msPerDay), city: stay.city, stay: stay}
	way := r.journey(p.home, stay.city)
	t.arrives = t.leaves + way
	t.returns = t.arrives + int64(days)*msPerDay
	t.back = t.returns + way
	p.trip = t
}

// journey returns how long the way between two cities takes, in milliseconds: two
// hours and as long as an airliner flies.
func (r *run) journey(a, b int32) int64 {
	const cruising = 850 // km/h
	return int64((2 + distanceKM(&r.world.cities[a], &r.world.cities[b])/cruising) * msPerHour)
}

// moment draws a time of a day as the person is used to it, by the clock of
// where the person is.
func (r *run) moment(p *person, day int) int64 {
	hour := r.localHour()
	if r.chance(0.6) {
		hour = math.Mod(p.peak+1.5*r.NormFloat64()+24, 24)
	}
	at := r.midnight(day) + int64(hour*msPerHour)
	at -= int64(r.offset(p.place(r.midnight(day)+msPerDay/2), at)) * msPerMinute
	if at < r.midnight(day) {
		at += msPerDay // east of Greenwich the day began before
	}
	return at
}

// place returns the city where the person is.
func (p *person) place(at int64) int32 {
	if at >= p.trip.arrives && at < p.trip.returns {
		return p.trip.city
	}
	return p.home
}

// onTheWay reports whether the person is between two places.
func (p *person) onTheWay(at int64) bool {
	t := &p.trip
	return at >= t.leaves && at < t.arrives || at >= t.returns && at < t.back
}

// offset returns a city's minutes east of UTC.
func (r *run) offset(city int32, at int64) int {
	_, seconds := time.UnixMilli(at).In(r.world.cities[city].zone).Zone()
	return seconds / 60
}

// connect draws how a device is connected at a time.
func (r *run) connect(p *person, d *device, day int, at int64) source {
	city := p.place(at)
	hour := int(at/msPerHour+int64(r.offset(city, at))/60) % 24
	weekday := int((at/msPerDay + 4) % 7)
	phone := d.model.class == signals.Mobile
	switch {
	case p.exit >= 0 && d == p.devices[0] && r.chance(0.6):
		return r.draw(p.exit, city)
	case len(r.world.relays) > 0 && d.model.engine == safariPhone && d.cores == 16:
		return r.anywhere(r.world.relays, city)
	case r.chance(0.03): // a friend's, a café's
		_, there := r.lodge(r.world.cities[city].country, residential, city)
		return source{there.ip, city}
	case phone && r.chance(0.38):
		return r.cellular(p, city)
	case city != p.home:
		return p.trip.stay
	case p.work != nil && hour >= 8 && hour < 18 && weekday >= 1 && weekday <= 5 && r.chance(0.4):
		return *p.work
	}
	return p.line.address(r, day)
}

// cellular returns an address of the person's carrier, used in a city: abroad too,
// since carriers take their roaming users home first.
func (r *run) cellular(p *person, city int32) source {
	n := &r.world.networks[p.carrier]
	b := &n.blocks[int(p.cell)%len(n.blocks)]
	if r.chance(0.1) {
		b = &n.blocks[r.IntN(len(n.blocks))]
	}
	return source{r.host(b, mobile), city}
}
