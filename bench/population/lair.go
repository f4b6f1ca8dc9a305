package population

// Shares of the places where campaigns begin. The takeovers of the RBA data set come
// together: 79 of 141 from one country, 18, 16 and 15 from three autonomous systems,
// 54.6 % from addresses on lists of attackers. VPNs and Tor come out elsewhere than in
// the attackers' country, and some machines are rented abroad: the country's share is
// therefore more than 79 of 141. A few networks stand out because a country has few
// that rent machines.
const (
	fromDen     = 0.78
	rentedHere  = 0.6
	fromServers = 0.40
	fromExits   = 0.14
	fromTor     = 0.06
)

// newDen draws the country where attackers are at home: one with machines for rent.
func (r *run) newDen() int32 {
	if len(r.world.servers) == 0 {
		return r.country()
	}
	return r.world.networks[choose(r, r.world.servers)].country
}

// lair draws where a campaign's machines are.
func (c *campaign) lair() source {
	w := c.world
	country, servers := w.cities[c.IntN(len(w.cities))].country, w.servers
	if c.chance(fromDen) {
		country = c.den
		if c.chance(rentedHere) {
			servers = w.countries[country].networks[hosting]
		}
	}
	city := c.cityOf(country)
	switch u := c.Float64(); {
	case u < fromServers && len(servers) > 0:
		return c.anywhere(servers, city)
	case u < fromServers+fromExits && len(w.exits) > 0:
		return c.anywhere(w.exits, city)
	case u < fromServers+fromExits+fromTor && len(w.tor) > 0:
		return c.anywhere(w.tor, city)
	}
	_, at := c.lodge(country, residential, city)
	return at
}
