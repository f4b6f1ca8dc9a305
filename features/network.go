package features

import "github.com/waryauth/wary/signals"

func extractNetwork(v *Vector, x *input) {
	networkHistory(v, x)
	networkKind(v, x)
	networkUse(v, x)

	n := &x.a.Network
	v[NetXFFHops] = float32(x.o.Address.Hops)
	v[NetXFFPrivateOrSpoofed] = one(x.o.Address.Spoofed)
	v[NetRTTMS] = number(n.RTTMS)
}

// networkHistory compares the network with those where the user has succeeded.
func networkHistory(v *Vector, x *input) {
	if !x.history {
		return
	}
	u, t := &x.p.User, x.t
	address, asn := short(t.Address), short(t.ASN)
	v[NetIPNewForUser] = strange(u.of(ofAddress), address)
	v[NetSubnet24NewForUser] = strange(u.of(ofSubnet), short(t.Subnet))
	v[NetASNNewForUser] = strange(u.of(ofASN), asn)
	v[NetIPShareUser] = usual(u.of(ofAddress), address, u.Successes)
	v[NetASNShareUser] = usual(u.of(ofASN), asn, u.Successes)
	v[NetKindShareUser] = share(float32(u.kinds[kindOf(t.Flags)]), float32(u.Successes))
	v[NetIPOnceShareUser] = once(u.of(ofAddress), u.Successes)
	v[NetSubnetOnceShareUser] = once(u.of(ofSubnet), u.Successes)
	v[NetASNOnceShareUser] = once(u.of(ofASN), u.Successes)
	v[NetTLSJA4NewForUser] = strange(u.of(ofTLS), short(t.TLS))
}

// networkKind says what the address is used for.
func networkKind(v *Vector, x *input) {
	n := &x.o.Network
	if n.Known {
		v[NetIsTor] = one(n.Tor)
		v[NetIsVPN] = one(n.VPN)
		v[NetIsProxy] = one(n.Proxy)
		v[NetIsResidentialProxy] = one(n.Residential)
		v[NetIsAnonymizer] = one(x.t.Flags&Anonymous != 0)
		v[NetIsHosting] = one(n.Hosting)
		v[NetIsPrivateRelay] = one(n.Relay)
	}
	if n.Connection != 0 {
		v[NetIsMobileCarrier] = one(n.Connection == signals.Cellular)
		v[NetIsSatellite] = one(n.Connection == signals.Satellite)
	}
	if x.t.Address != 0 {
		v[NetIsPrivateRange] = one(n.Private)
	}
}

// imagined successes keep the rate of an entity that was hardly seen near none.
const imagined = 4

// networkUse says what others do at the address and its network.
func networkUse(v *Vector, x *input) {
	t, successes := x.t, float32(x.p.Totals.Successes)
	if t.Address != 0 {
		s := x.p.Address.lookAt(&x.now)
		v[NetIPShareGlobal] = share(float32(s.Successes), successes)
		v[NetIPAgeDays] = x.agedDays(s.first)
		v[NetIPInternalFailRate] = s.failures(Day) / (s.attempts(Day) + imagined)
		v[NetDevicesPerIP1h] = s.devices()
		v[NetUsersPerSubnet1h] = x.p.Subnet.lookAt(&x.now).users(Hour)
		distinct(v, NetUsersPerIP1m, s)
	}
	if t.ASN != 0 {
		s := x.p.ASN.lookAt(&x.now)
		v[NetASNShareGlobal] = share(float32(s.Successes), successes)
		distinct(v, NetUsersPerASN1m, s)
	}
}

// distinct writes the distinct users of an entity over every span, at four
// features in a row.
func distinct(v *Vector, first int, s sharedAt) {
	for i := range Spans {
		v[first+i] = s.users(Span(i))
	}
}
