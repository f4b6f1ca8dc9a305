package main

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// openConnections is what `wary load` uses.
const openConnections = 64

// openLoop sends at two rates whether or not answers come, server and client
// anywhere on the machine. A latency counts from the time the request was due. Of
// some rounds the one with the best 99th percentile counts, whole.
func openLoop(ctx context.Context, r *run) (values map[string]float64, err error) {
	rounds, each := 4, 3*time.Second
	if r.quick {
		rounds, each = 1, time.Second
	}
	s, err := r.openSide(ctx, "wary", anywhere)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, s.process.end()) }()
	client, _, err := spawn(ctx, anywhere, "caller", r.geo)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, client.end()) }()
	if _, err := client.number("closed %s %d %d", s.address, each.Milliseconds(), connections); err != nil {
		return nil, fmt.Errorf("warm: %w", err)
	}
	values = map[string]float64{}
	var errs []error
	for _, rate := range []int{10_000, 20_000} {
		best, err := bestOpen(client, s.address, rate, rounds, each)
		if err != nil {
			errs = append(errs, fmt.Errorf("%d a second: %w", rate, err))
			continue
		}
		r.note("open loop at %d a second, ms: p50 %.3f p99 %.3f p99.9 %.3f max %.3f", rate, best[0]/1e3, best[1]/1e3, best[2]/1e3, best[3]/1e3)
		values[fmt.Sprintf("p99_ms_at_%d_per_s", rate)] = best[1] / 1e3
		values[fmt.Sprintf("p999_ms_at_%d_per_s", rate)] = best[2] / 1e3
	}
	return values, errors.Join(errs...)
}

// bestOpen returns the percentiles of the best round, in microseconds.
func bestOpen(client *process, address string, rate, rounds int, each time.Duration) (best [4]float64, err error) {
	for range rounds {
		answer, err := client.ask("open %s %d %d %d", address, each.Milliseconds(), openConnections, rate)
		if err != nil {
			return best, err
		}
		var p [4]float64
		if _, err := fmt.Sscan(answer, &p[0], &p[1], &p[2], &p[3]); err != nil {
			return best, err
		}
		if best[1] == 0 || p[1] < best[1] {
			best = p
		}
	}
	return best, nil
}
