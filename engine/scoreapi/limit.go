package scoreapi

import (
	"sync/atomic"
	"time"
)

// limiter is the generic cell rate algorithm: one number, the time at which the
// bucket would be empty again (theoretical arrival time), moved by compare and swap.
type limiter struct {
	interval  int64 // nanoseconds a request costs; 0 is unlimited
	tolerance int64 // how far the arrival time may run ahead
	arrival   atomic.Int64
}

// Bounds of a limiter, within which its arithmetic cannot overflow.
const (
	leastRate = 1e-3 // requests a second
	mostRate  = 1e6
	mostBurst = 1_000_000
)

// newLimiter returns a limiter of rate requests a second and bursts of burst
// (default: one second's worth). A rate of 0 is unlimited.
func newLimiter(rate float64, burst int) *limiter {
	if rate <= 0 {
		return &limiter{}
	}
	if burst <= 0 {
		burst = max(int(rate), 1)
	}
	interval := int64(float64(time.Second) / rate)
	return &limiter{interval: interval, tolerance: interval * int64(burst)}
}

// take takes n requests' worth, or says how long to wait; now is in nanoseconds. A
// batch larger than the burst passes when the bucket is full, and is paid back.
func (l *limiter) take(n int64, now int64) (wait time.Duration) {
	if l.interval == 0 {
		return 0
	}
	for {
		old := l.arrival.Load()
		next := max(old, now) + n*l.interval
		if ahead := next - now; ahead > l.tolerance && old > now {
			return time.Duration(ahead - l.tolerance)
		}
		if l.arrival.CompareAndSwap(old, next) {
			return 0
		}
	}
}
