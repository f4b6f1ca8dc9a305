package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// The core of the servers, and the core of their client.
const (
	serverCore = 1
	clientCore = 0
)

// connections of the closed-loop client: enough that the server is never idle for
// want of one request.
const connections = 16

// side is one server of a comparison.
type side struct {
	kind    string
	process *process
	address string
	perCore float64 // best round: requests per second of processor time
}

// openSide starts a server in a folder of its own.
func (r *run) openSide(ctx context.Context, kind string, core int) (*side, error) {
	dir, err := os.MkdirTemp(r.dir, kind+"-")
	if err != nil {
		return nil, err
	}
	profile := ""
	if kind == "wary" && core != anywhere && r.profile != "" {
		if profile, err = filepath.Abs(r.profile); err != nil {
			return nil, err
		}
	}
	p, address, err := spawn(ctx, core, "server", kind, dir, r.geo, profile)
	if err != nil {
		return nil, err
	}
	return &side{kind: kind, process: p, address: address}, nil
}

// loopback sends the same bytes over loopback to Wary, the bare echo and the naive
// build, in turns, a server on one core and the client on the other, and counts
// requests by the processor time that the server used: what else runs on the
// machine does not count, and of each server's rounds the best does.
func loopback(ctx context.Context, r *run) (values map[string]float64, err error) {
	rounds, each := 7, 700*time.Millisecond
	if r.quick {
		rounds, each = 2, 300*time.Millisecond
	}
	client, bytes, err := spawn(ctx, clientCore, "caller", r.geo)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, client.end()) }()
	sides := []*side{{kind: "wary"}, {kind: "echo"}, {kind: "naive"}}
	for i, s := range sides {
		if sides[i], err = r.openSide(ctx, s.kind, serverCore); err != nil {
			return nil, err
		}
		defer func() { err = errors.Join(err, sides[i].process.end()) }()
		if _, err := client.number("closed %s %d %d", sides[i].address, 4*each.Milliseconds(), connections); err != nil {
			return nil, fmt.Errorf("warm %s: %w", s.kind, err)
		}
	}
	for range rounds {
		for _, s := range sides {
			if err := s.round(client, each); err != nil {
				return nil, fmt.Errorf("%s: %w", s.kind, err)
			}
		}
	}
	wary, echo, naive := sides[0].perCore, sides[1].perCore, sides[2].perCore
	var told []string
	for _, s := range sides {
		told = append(told, fmt.Sprintf("%s %.0f (%.1f us)", s.kind, s.perCore, 1e6/s.perCore))
	}
	r.note("loopback: requests per second and core, bodies of %s bytes, pinned %t: %s", bytes, pinnable(), strings.Join(told, ", "))
	return map[string]float64{"loopback_vs_echo": ratio(wary, echo), "loopback_vs_naive": ratio(wary, naive)}, nil
}

// round lets the client call for a time and keeps the best.
func (s *side) round(client *process, each time.Duration) error {
	before, err := s.process.number("used")
	if err != nil {
		return err
	}
	n, err := client.number("closed %s %d %d", s.address, each.Milliseconds(), connections)
	if err != nil {
		return err
	}
	after, err := s.process.number("used")
	if err != nil {
		return err
	}
	if spent := after - before; spent > 0 {
		s.perCore = max(s.perCore, n/spent*1e6)
	}
	return nil
}
