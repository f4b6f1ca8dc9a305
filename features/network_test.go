package features

import (
	"strconv"
	"time"

	"github.com/waryauth/wary/signals"
)

// crowd is five subjects at the times by which windows are told apart: this
// minute, the one before, the hour before, yesterday, ten days ago. Those at 1, 3
// and 5 fail. Everything but the subject is as at home.
func crowd() *scene {
	s := atHome()
	for i, ago := range []time.Duration{10 * time.Second, time.Minute, 45 * time.Minute, 20 * time.Hour, 10 * day} {
		one := []edit{subject("user " + strconv.Itoa(i)), device("device " + strconv.Itoa(i))}
		if i%2 == 0 {
			s.failed(ago, one...)
		} else {
			s.tried(ago, Allowed, one...)
		}
	}
	return s
}

func device(id string) edit {
	return func(a *signals.Attempt, _ *signals.Observation) { a.Device.ID = id }
}

// usersOf is what a crowd's distinct subjects are over each span.
func usersOf(first int) map[int]float64 {
	slid := func(cur, both, left float64) float64 {
		return linear(registers, cur) + left*(linear(registers, both)-linear(registers, cur))
	}
	return map[int]float64{
		first: slid(1, 2, leftMinute), first + 1: slid(2, 3, leftHour), first + 2: slid(3, 4, leftDay), first + 3: slid(4, 5, leftMonth),
	}
}

func join(ms ...map[int]float64) map[int]float64 {
	all := map[int]float64{}
	for _, m := range ms {
		for k, v := range m {
			all[k] = v
		}
	}
	return all
}

func networkExamples() []example {
	other := func(_ *signals.Attempt, o *signals.Observation) { o.Network.ASN = 64501 }
	return []example{
		{"unknown at a fresh address", atHome(), map[int]float64{
			NetIPNewForUser: none, NetSubnet24NewForUser: none, NetASNNewForUser: none, NetIPShareUser: none, NetASNShareUser: none, NetKindShareUser: none,
			NetIPAgeDays: 0, NetIPInternalFailRate: 0, NetUsersPerIP1h: 0, NetUsersPerASN1h: 0, NetUsersPerSubnet1h: 0, NetDevicesPerIP1h: 0,
			NetIsTor: 0, NetIsVPN: 0, NetIsProxy: 0, NetIsResidentialProxy: 0, NetIsAnonymizer: 0, NetIsHosting: 0, NetIsPrivateRelay: 0,
			NetIsMobileCarrier: 0, NetIsSatellite: 0, NetIsPrivateRange: 0, NetRTTMS: none, NetTLSJA4NewForUser: none, NetXFFHops: 0, NetXFFPrivateOrSpoofed: 0,
			NetIPShareGlobal: none, NetASNShareGlobal: none,
		}},
		// Three successes here and one at a neighbour's address in another system.
		{"mostly here", atHome().succeeded(3*day).succeeded(2*day).succeeded(day, ja4("t1")).succeeded(12*time.Hour, address("203.0.113.8"), other).edit(ja4("t2")), map[int]float64{
			NetIPNewForUser: 0, NetSubnet24NewForUser: 0, NetASNNewForUser: 0, NetIPShareUser: 0.75, NetASNShareUser: 0.75, NetIPShareGlobal: 0.75,
			NetASNShareGlobal: 0.75, NetKindShareUser: 1, NetIPAgeDays: 3, NetTLSJA4NewForUser: 1,
			NetIPOnceShareUser: 0.25, NetSubnetOnceShareUser: 0, NetASNOnceShareUser: 0.25,
		}},
		// Twelve addresses in turn and the first again: the eight that are remembered came once.
		{"never twice at one address", wanderer(), map[int]float64{NetIPOnceShareUser: 1, NetSubnetOnceShareUser: 1, NetASNOnceShareUser: 0}},
		{"from a VPN in a new network", atHome().succeeded(day, ja4("t1")).edit(address("198.51.100.9")).edit(other).edit(ja4("t1")).edit(func(_ *signals.Attempt, o *signals.Observation) {
			o.Network.VPN, o.Network.Hosting = true, true
			o.Address.Hops, o.Address.Spoofed = 3, true
		}), map[int]float64{
			NetIPNewForUser: 1, NetSubnet24NewForUser: 1, NetASNNewForUser: 1, NetIPShareUser: 0, NetASNShareUser: 0, NetKindShareUser: 0, NetIPShareGlobal: 0,
			NetIsVPN: 1, NetIsAnonymizer: 1, NetIsHosting: 1, NetXFFHops: 3, NetXFFPrivateOrSpoofed: 1, NetTLSJA4NewForUser: 0,
		}},
		{"every kind of anonymizer", atHome().edit(func(a *signals.Attempt, o *signals.Observation) {
			o.Network = signals.Network{ASN: 1, Known: true, Tor: true, Proxy: true, Residential: true, Relay: true, Private: true, Connection: signals.Cellular}
			a.Network.RTTMS = signals.Some(32.5)
		}), map[int]float64{
			NetIsTor: 1, NetIsProxy: 1, NetIsResidentialProxy: 1, NetIsPrivateRelay: 1, NetIsPrivateRange: 1, NetIsMobileCarrier: 1, NetRTTMS: 32.5,
		}},
		{"nothing known of the address", atHome().edit(func(a *signals.Attempt, o *signals.Observation) {
			*o = signals.Observation{}
			a.Network.RTTMS = signals.Some(1.0)
		}), map[int]float64{
			NetIsTor: none, NetIsHosting: none, NetIsMobileCarrier: none, NetIsPrivateRange: none, NetIPAgeDays: none, NetUsersPerIP1h: none, NetIPOnceShareUser: none,
			NetUsersPerASN1h: none, NetUsersPerSubnet1h: none, NetIPInternalFailRate: none, NetRTTMS: 1, GeoLocationMissing: 1,
		}},
		{"from a satellite", atHome().edit(func(_ *signals.Attempt, o *signals.Observation) { o.Network.Connection = signals.Satellite }), map[int]float64{NetIsSatellite: 1}},
		{"a crowd at the address", crowd(), join(usersOf(NetUsersPerIP1m), usersOf(NetUsersPerASN1m), map[int]float64{
			NetUsersPerSubnet1h: usersOf(0)[1],
			NetDevicesPerIP1h:   linear(32, 2) + leftHour*(linear(32, 3)-linear(32, 2)),
			// Two failures today, none yesterday; three attempts today, one yesterday.
			NetIPInternalFailRate: 2 / (3 + leftDay + 4), NetIPAgeDays: 10,
		})},
	}
}

// wanderer succeeded at a dozen addresses, each in a network of its own.
func wanderer() *scene {
	s := atHome()
	for i := range 12 {
		s.succeeded(time.Duration(12-i)*day, address("203.0."+strconv.Itoa(i)+".7"))
	}
	return s.edit(address("203.0.0.7"))
}

func ja4(s string) edit {
	return func(a *signals.Attempt, _ *signals.Observation) { a.Network.JA4 = s }
}
