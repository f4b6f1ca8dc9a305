package features

import (
	"math/bits"

	"github.com/waryauth/wary/signals"
)

func extractVelocity(v *Vector, x *input) {
	t := x.t
	if x.subject {
		counts(v, VelUserAttempts1m, &x.p.User.attempts, &x.p.User.failures, &x.now)
		velocityUser(v, x)
		velocityPairs(v, x)
	}
	if t.Address != 0 {
		counts(v, VelIPAttempts1m, &x.p.Address.attempts, &x.p.Address.failures, &x.now)
		velocityAddress(v, x)
	}
	if t.Device != 0 {
		counts(v, VelDeviceAttempts1m, &x.p.Device.attempts, &x.p.Device.failures, &x.now)
	}
	if t.ASN != 0 {
		counts(v, VelASNAttempts1m, &x.p.ASN.attempts, &x.p.ASN.failures, &x.now)
	}
	if t.Client != 0 {
		counts(v, VelClientAttempts1m, &x.p.Client.attempts, &x.p.Client.failures, &x.now)
	}
	v[VelGlobalFailRate1h] = share(x.p.Totals.Failures.Estimate(&x.now, Hour), x.p.Totals.Attempts.Estimate(&x.now, Hour))
}

// counts writes attempts and then failures over every span, at eight features
// in a row.
func counts(v *Vector, first int, attempts, failures *[Spans]Window, now *Moment) {
	for i := range attempts {
		v[first+i] = attempts[i].Estimate(now, Span(i))
		v[first+Spans+i] = failures[i].Estimate(now, Span(i))
	}
}

func velocityUser(v *Vector, x *input) {
	u := &x.p.User
	if n := min(int(u.checks), 10); n > 0 {
		failed := bits.OnesCount16(u.results & (1<<n - 1))
		v[VelUserFailRatio10] = float32(failed) / float32(n)
	}
	streak := min(bits.TrailingZeros16(^u.results), int(u.checks))
	v[VelUserFailStreak] = float32(streak)
	if x.t.Result == signals.Success {
		v[VelUserFailThenSuccess] = one(streak >= 3)
	}
	v[VelFailIPsPerUser1h] = u.failingAddresses.Estimate(&x.now, Hour)
	v[VelIPsPerUser1h] = u.addressesHour.Estimate(&x.now, Hour)
	v[VelIPsPerUser24h] = u.addressesDay.Estimate(&x.now, Day)
	v[VelASNsPerUser24h] = u.asnsDay.Estimate(&x.now, Day)
	v[VelDevicesPerUser1h] = u.devicesHour.Estimate(&x.now, Hour)
	v[VelMFAPrompts1h] = u.stepUpsHour.Estimate(&x.now, Hour)
	v[VelMFADenials24h] = u.stepUpFailures.Estimate(&x.now, Day)
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
		v[VelUserIPAttempts1h] = x.p.Here.attemptsHour.Estimate(&x.now, Hour)
		v[VelUserIPFailures1h] = x.p.Here.failuresHour.Estimate(&x.now, Hour)
	}
	if x.t.Client != 0 {
		v[VelUserClientAttempts1h] = x.p.Pair.attemptsHour.Estimate(&x.now, Hour)
		v[VelUserClientAttempts24h] = x.p.Pair.attemptsDay.Estimate(&x.now, Day)
		v[VelUserClientFailures24h] = x.p.Pair.failuresDay.Estimate(&x.now, Day)
	}
}

func velocityAddress(v *Vector, x *input) {
	s := &x.p.Address
	v[VelSubnetAttempts1h] = x.p.Subnet.attempts[Hour].Estimate(&x.now, Hour)
	v[VelSubnetFailures1h] = x.p.Subnet.failures[Hour].Estimate(&x.now, Hour)
	v[VelIPUnknownUsers1h] = s.unknown.Estimate(&x.now, Hour)
	v[VelIPUserRatio1h] = min(share(s.users[Hour].Estimate(&x.now, Hour), v[VelIPAttempts1h]), 1)
	v[VelIPBurstRatio] = burst(v[VelIPAttempts1m], v[VelIPAttempts1h])
}
