package features

import (
	"math/bits"

	"github.com/waryauth/wary/signals"
)

func extractVelocity(v *Vector, x *input) {
	t := x.t
	if x.subject {
		userCounts(v, VelUserAttempts1m, x.p.User.lookAt(&x.now))
		velocityUser(v, x)
		velocityPairs(v, x)
	}
	if t.Address != 0 {
		counts(v, VelIPAttempts1m, x.p.Address.lookAt(&x.now))
		velocityAddress(v, x)
	}
	if t.Device != 0 {
		counts(v, VelDeviceAttempts1m, x.p.Device.lookAt(&x.now))
	}
	if t.ASN != 0 {
		counts(v, VelASNAttempts1m, x.p.ASN.lookAt(&x.now))
	}
	if t.Client != 0 {
		counts(v, VelClientAttempts1m, x.p.Client.Shared.lookAt(&x.now))
	}
	v[VelGlobalFailRate1h] = share(x.p.Totals.Failures.Estimate(&x.now, Hour), x.p.Totals.Attempts.Estimate(&x.now, Hour))
}

// counts writes attempts and then failures over every span, at eight features
// in a row.
func counts(v *Vector, first int, c sharedAt) {
	for i := range Spans {
		v[first+i], v[first+Spans+i] = c.attempts(Span(i)), c.failures(Span(i))
	}
}

func userCounts(v *Vector, first int, u userAt) {
	for i, w := range u.tries() {
		v[first+i] = u.estimate(Span(i), w.cur.attempts, w.prev.attempts)
		v[first+Spans+i] = u.estimate(Span(i), w.cur.failures, w.prev.failures)
	}
}

func velocityUser(v *Vector, x *input) {
	u := &x.p.User
	is := u.lookAt(&x.now)
	if n := min(int(u.checks), 10); n > 0 {
		failed := bits.OnesCount16(u.results & (1<<n - 1))
		v[VelUserFailRatio10] = float32(failed) / float32(n)
	}
	streak := min(bits.TrailingZeros16(^u.results), int(u.checks))
	v[VelUserFailStreak] = float32(streak)
	if x.t.Result == signals.Success {
		v[VelUserFailThenSuccess] = one(streak >= 3)
	}
	v[VelFailIPsPerUser1h] = is.failingHour()
	v[VelIPsPerUser1h] = is.addressesHour()
	v[VelIPsPerUser24h] = is.addressesDay()
	v[VelASNsPerUser24h] = is.asnsDay()
	v[VelDevicesPerUser1h] = is.devicesHour()
	v[VelMFAPrompts1h] = is.stepUpsHour()
	v[VelMFADenials24h] = is.stepUpFailuresDay()
	if u.LastAttempt > 0 {
		v[VelInterarrivalS] = float32(max(x.now.ms-u.LastAttempt, 0)) / 1000
	}
	if x.history && u.gap.n >= 2 {
		v[VelInterarrivalZ] = u.gap.z(logSeconds(x.now.ms-u.LastSuccess), 0.5)
	}
	v[VelBurstRatio] = burst(v[VelUserAttempts1m], v[VelUserAttempts1h])
}

// burst compares the rate of the last minute with that of the last hour.
func burst(minute, hour float32) float32 { return share(60*minute, hour) }

func velocityPairs(v *Vector, x *input) {
	if x.t.Address != 0 {
		v[VelUserIPAttempts1h] = x.p.Here.attemptsHour(&x.now)
		v[VelUserIPFailures1h] = x.p.Here.failuresHour(&x.now)
	}
	if x.t.Client != 0 {
		v[VelUserClientAttempts1h] = x.p.Pair.attemptsHour(&x.now)
		v[VelUserClientAttempts24h] = x.p.Pair.attemptsDay(&x.now)
		v[VelUserClientFailures24h] = x.p.Pair.failuresDay(&x.now)
	}
}

func velocityAddress(v *Vector, x *input) {
	s, subnet := x.p.Address.lookAt(&x.now), x.p.Subnet.lookAt(&x.now)
	v[VelSubnetAttempts1h] = subnet.attempts(Hour)
	v[VelSubnetFailures1h] = subnet.failures(Hour)
	v[VelIPUnknownUsers1h] = s.unknown()
	v[VelIPUserRatio1h] = min(share(s.users(Hour), v[VelIPAttempts1h]), 1)
	v[VelIPBurstRatio] = burst(v[VelIPAttempts1m], v[VelIPAttempts1h])
}
