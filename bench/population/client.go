package population

import (
	"slices"
	"strconv"

	"github.com/waryauth/wary/signals"
)

// client is a third party: an account information or payment initiation
// provider with servers of its own.
type client struct {
	id         string
	redirect   string
	method     signals.AuthMethod
	scopes     []string
	wider      []string // what it asks for once it has grown, or gone bad
	grows      int      // day from which it asks for more, -1 never
	fame       int      // last day of the stir of its launch
	addresses  []source
	robot      *device
	popularity float64
	declares   bool // tells of the person's device
	bound      bool // its tokens are bound to a key
	moves      bool // to another redirect URI when it grows
}

var (
	informationScopes = [...][]string{
		{"openid", "accounts"},
		{"openid", "accounts", "balances"},
		{"openid", "accounts", "balances", "transactions"},
		{"openid", "accounts", "transactions", "offline_access"},
		{"openid", "accounts", "balances", "transactions", "profile", "offline_access"},
		{"openid", "accounts", "balances", "transactions", "payments", "profile", "offline_access"},
	}
	paymentScopes = []string{"openid", "payments"}
	bankScopes    = []string{"openid", "accounts", "transactions", "payments"}
	widerScopes   = []string{"openid", "accounts", "balances", "transactions", "payments", "beneficiaries", "offline_access", "profile"}
)

func (r *run) makeClients() {
	if r.reports(ReportOwn) {
		r.own = &client{id: "own", redirect: "https://bank.example/cb", method: signals.PrivateKeyJWT, scopes: bankScopes}
	}
	for i := range r.Clients {
		r.clients = append(r.clients, r.newClient("tpp-"+strconv.Itoa(i+1), 1/float64(i+1)))
	}
}

func (r *run) newClient(id string, popularity float64) *client {
	c := &client{
		id: id, redirect: "https://" + id + ".example/cb", method: signals.PrivateKeyJWT,
		scopes: informationScopes[r.IntN(len(informationScopes))], popularity: popularity,
		declares: r.chance(0.7), bound: r.chance(0.7), grows: -1, fame: -1,
		robot: r.newDevice(&programs[1+r.IntN(4)], 0),
	}
	switch u := r.Float64(); {
	case u < 0.25:
		c.method = signals.TLSClientAuth
	case u < 0.45:
		c.method = signals.ClientSecret
	}
	if r.chance(0.25) {
		c.scopes = paymentScopes
	}
	c.wider = wider(r, c.scopes)
	if len(r.world.servers) > 0 {
		net := choose(r, r.world.servers)
		for range 1 + r.IntN(4) {
			c.addresses = append(c.addresses, r.draw(net, 0))
		}
	}
	return c
}

// server returns the address of one of the client's machines. Now and then it
// moves one to another company.
func (c *client) server(r *run) source {
	if len(c.addresses) == 0 {
		return source{}
	}
	i := r.IntN(len(c.addresses))
	if r.chance(1.0 / 20_000) {
		c.addresses[i] = r.anywhere(r.world.servers, 0)
	}
	return c.addresses[i]
}

// wider returns scopes with one to three added.
func wider(r *run, scopes []string) []string {
	more := slices.Clone(scopes)
	for n := 1 + r.IntN(3); n > 0 && len(more) < len(widerScopes); {
		if s := choose(r, widerScopes); !slices.Contains(more, s) {
			more, n = append(more, s), n-1
		}
	}
	return more
}

// planClients lets third parties change: now and then comes a new one, some with
// a stir, and now and then one begins to ask its users for more.
func (r *run) planClients(day int) {
	if day > 0 && r.chance(1.0/15) {
		c := r.newClient("tpp-"+strconv.Itoa(len(r.clients)+1), 0.15)
		if r.chance(0.5) {
			c.fame = day + 2 + r.IntN(10)
		}
		r.clients = append(r.clients, c)
	}
	if len(r.clients) > 0 && r.chance(1.0/15) {
		if c := choose(r, r.clients); c.grows < 0 {
			c.grows = day
			c.moves = r.chance(0.4)
		}
	}
}

// subscribe gives a newcomer, one in eight, a client to begin with.
func (r *run) subscribe(p *person, day int) {
	if r.chance(0.12) {
		p.subscribeTo(r, day)
		if n := len(p.consents); n > 0 {
			p.consents[n-1].until = day + r.IntN(90)
		}
	}
}

// subscribeTo makes a person want a client; the consent is given at the next
// visit.
func (p *person) subscribeTo(r *run, day int) {
	if len(r.clients) == 0 || len(p.consents) >= 4 {
		return
	}
	var w cumulated
	for _, c := range r.clients {
		popularity := c.popularity
		if day <= c.fame {
			popularity += 6
		}
		w = w.add(popularity)
	}
	c := r.clients[r.pick(w)]
	for i := range p.consents {
		if p.consents[i].client == c {
			return
		}
	}
	p.consents = append(p.consents, consent{client: c, until: day, daily: r.between(0.3, 4)})
}

// wants returns the client that a visit is for: one whose consent has ended, or
// a payment through one.
func (r *run) wants(p *person, day int) *client {
	for i := range p.consents {
		if c := &p.consents[i]; day >= c.until || r.chance(0.02) {
			return c.client
		}
	}
	return nil
}
