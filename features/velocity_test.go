package features

import (
	"math"
	"time"

	"github.com/waryauth/wary/signals"
)

// countsOf is what a crowd's attempts and failures are over each span: attempts
// in every bucket, failures in the first, third and fifth.
func countsOf(first int) map[int]float64 {
	return map[int]float64{
		first: 1 + leftMinute, first + 1: 2 + leftHour, first + 2: 3 + leftDay, first + 3: 4 + leftMonth,
		first + 4: 1, first + 5: 1 + leftHour, first + 6: 2, first + 7: 2 + leftMonth,
	}
}

// mine makes a crowd of Anna alone.
func mine(s *scene) *scene {
	for i := range s.past {
		t := &s.past[i].trace
		t.User, t.Typed = hasher.Key(KindUser, "anna"), hasher.Key(KindUser, "anna")
		t.UserClient, t.UserAddress = hasher.Pair(t.User, t.Client), hasher.Pair(t.User, t.Address)
	}
	return s
}

func velocityExamples() []example {
	unknown := func(a *signals.Attempt, _ *signals.Observation) { a.SubjectKnown = signals.Some(false) }
	minute1, hour1 := 1+leftMinute, 2+leftHour
	return []example{
		{"a crowd tries", crowdOn("laptop"), join(countsOf(VelIPAttempts1m), countsOf(VelDeviceAttempts1m), countsOf(VelASNAttempts1m), countsOf(VelClientAttempts1m), map[int]float64{
			VelSubnetAttempts1h: hour1, VelSubnetFailures1h: 1 + leftHour, VelUserAttempts1h: 0, VelUserIPAttempts1h: 0,
			VelIPUserRatio1h: 1, VelIPBurstRatio: 60 * minute1 / hour1, VelGlobalFailRate1h: (1 + leftHour) / hour1,
			VelIPUnknownUsers1h: 0, VelInterarrivalS: none, VelUserFailRatio10: none, VelBurstRatio: none, VelUserFailStreak: 0,
		})},
		{"one user tries", mine(crowd()), join(countsOf(VelUserAttempts1m), map[int]float64{
			VelUserIPAttempts1h: hour1, VelUserIPFailures1h: 1 + leftHour, VelUserClientAttempts1h: hour1, VelUserClientAttempts24h: 3 + leftDay,
			VelUserClientFailures24h: 2, VelBurstRatio: 60 * minute1 / hour1, VelUserFailRatio10: 3.0 / 5, VelInterarrivalS: 10,
			VelDevicesPerUser1h: linear(32, 2) + leftHour*(linear(32, 3)-linear(32, 2)), VelIPsPerUser1h: linear(32, 1), VelIPsPerUser24h: linear(32, 1),
			VelASNsPerUser24h: linear(32, 1), VelFailIPsPerUser1h: linear(32, 1), VelIPUserRatio1h: linear(registers, 1) / hour1,
		})},
		{"nothing before", atHome(), map[int]float64{
			VelIPUserRatio1h: none, VelIPBurstRatio: none, VelGlobalFailRate1h: none, VelUserAttempts30d: 0, VelIPFailures30d: 0, VelMFAPrompts1h: 0, VelMFADenials24h: 0,
			VelIPsPerUser1h: 0, VelIPsPerUser24h: 0, VelASNsPerUser24h: 0, VelFailIPsPerUser1h: 0, VelUserFailThenSuccess: 0, VelDevicesPerUser1h: 0,
		}},
		{"nobody, from nowhere", (&scene{}).edit(func(a *signals.Attempt, _ *signals.Observation) { a.Time, a.Subject = now, "x" }).edit(unknown), map[int]float64{
			VelUserAttempts1h: none, VelIPAttempts1h: none, VelDeviceAttempts1h: none, VelASNAttempts1h: none, VelClientAttempts1h: none, VelSubnetAttempts1h: none,
			VelUserIPAttempts1h: none, VelUserClientAttempts1h: none, VelUserFailStreak: none, VelUserFailThenSuccess: none, HisNLogins: none,
		}},
		// The order of deeds is that of time: old to new.
		{"success after four failures from two addresses", atHome().failed(4*time.Minute, address("198.51.100.1")).failed(3 * time.Minute).failed(2 * time.Minute).failed(time.Minute), map[int]float64{
			VelUserFailStreak: 4, VelUserFailThenSuccess: 1, VelUserFailRatio10: 1, VelFailIPsPerUser1h: linear(32, 2), VelIPsPerUser1h: linear(32, 2),
		}},
		{"a success breaks the row", atHome().failed(3 * time.Minute).succeeded(2 * time.Minute).failed(time.Minute), map[int]float64{
			VelUserFailStreak: 1, VelUserFailThenSuccess: 0, VelUserFailRatio10: 2.0 / 3,
		}},
		{"failing now", atHome().failed(time.Minute).edit(result(signals.Failure)), map[int]float64{VelUserFailThenSuccess: none, VelUserFailStreak: 1}},
		{"subjects that do not exist", atHome().failed(time.Minute, subject("x"), unknown).failed(time.Minute, subject("y"), unknown), map[int]float64{
			VelIPUnknownUsers1h: 2, VelUserAttempts1h: 0, VelIPFailures1h: 2,
		}},
		{"many challenges, two refused", challenged(), map[int]float64{
			VelMFAPrompts1h: 3, VelMFADenials24h: 2, HisPastStepUps30d: 3, HisPastStepUpPassRate: 1.0 / 3, VelUserFailures1h: 2,
		}},
		{"challenges passed", passed(), map[int]float64{HisPastStepUpPassRate: 1, HisNLogins: 2, VelMFADenials24h: 0}},
		{"many networks", atHome().tried(3*time.Minute, Allowed, address("198.51.100.1"), func(_ *signals.Attempt, o *signals.Observation) { o.Network.ASN = 2 }).
			tried(20*time.Hour, Allowed, address("198.51.100.2"), func(_ *signals.Attempt, o *signals.Observation) { o.Network.ASN = 3 }), map[int]float64{
			VelIPsPerUser1h:   linear(32, 1),
			VelIPsPerUser24h:  linear(32, 1) + leftDay*(linear(32, 2)-linear(32, 1)),
			VelASNsPerUser24h: linear(32, 1) + leftDay*(linear(32, 2)-linear(32, 1)),
		}},
		// Gaps of e and e^3 days (in seconds) after each other have logarithms 2
		// apart: their mean is in the middle, their deviation 1. A gap of e^4 days is
		// two deviations above.
		{"late by its own measure", atHome().succeeded(days(math.E + e3 + e4)).succeeded(days(e3 + e4)).succeeded(days(e4)), map[int]float64{
			VelInterarrivalZ: 2, HisTypicalGapDays: e3 / math.E, HisDaysSinceLastLogin: e4,
		}},
		{"early by its own measure", atHome().succeeded(days(math.E + e3 + 1)).succeeded(days(e3 + 1)).succeeded(days(1)), map[int]float64{VelInterarrivalZ: -2}},
	}
}

const e3, e4 = math.E * math.E * math.E, math.E * math.E * math.E * math.E

func days(n float64) time.Duration { return time.Duration(n * float64(day)) }

// challenged is three challenges: one passed, one failed, one refused.
func challenged() *scene {
	s := atHome()
	for i, end := range []string{"succeed", "fail", "fail"} {
		t := s.trace(time.Duration(3-i)*time.Minute, SteppedUp, nil)
		s.did("attempt", t)
		s.did(end, t)
	}
	return s
}

// passed is a challenge passed by an outcome, and one by an attempt that resumed.
func passed() *scene {
	s := atHome()
	t := s.trace(time.Hour, SteppedUp, nil)
	s.did("attempt", t)
	s.did("succeed", t)
	t = s.trace(time.Minute, Allowed, nil)
	t.Resumed = true
	s.did("attempt", t)
	s.did("succeed", t)
	return s
}
