// Package redis answers: what would the state of an attempt cost in Redis?
//
// [Open] starts a server of one core. [Server.Fold] recalls and folds attempts by one
// round trip each: a Lua script that is called with the keys of the attempt's
// entities and returns what was remembered of them. [Scripts] are the ways that were
// tried; package figures measures them beside features/history and takes the best.
//
// The scripts keep less than history does, which favours Redis: of each of nine
// entities attempts and failures over four spans, successes, when it was first seen,
// and of seven the distinct users (of a user the addresses) over four spans. Neither
// what is usual for a user (values and places, hours, gaps, amounts), nor what a pair
// or a client has besides, nor the five counters of values, nor sums over all users.
// Memory is bounded by Redis's own eviction, so that no script sets a deadline for an
// entity. Nothing is written to disk.
package redis

import (
	"context"
	"crypto/tls"
	_ "embed"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/redis/rueidis"

	"github.com/waryauth/wary/features"
	"github.com/waryauth/wary/signals"
)

// Script is one way of keeping state.
type Script struct{ Name, Source string }

var (
	//go:embed packed.lua
	packed string
	//go:embed bitfield.lua
	bitfield string
	//go:embed hash.lua
	hash string
)

// Scripts returns the ways that were tried.
func Scripts() []Script {
	return []Script{{"packed", packed}, {"bitfield", bitfield}, {"hash", hash}}
}

// Server is a Redis of its own with one connection to it, over a Unix socket.
type Server struct {
	cmd    *exec.Cmd
	client rueidis.Client
	sha    string
	batch  []rueidis.Completed
}

// Found reports whether there is a redis-server to be started.
func Found() bool {
	_, err := exec.LookPath("redis-server")
	return err == nil
}

// Open starts a server whose socket is in a folder that exists, on a core, or
// anywhere if that is negative. It must be closed, and ends with the context.
func Open(ctx context.Context, dir string, core int) (*Server, error) {
	socket := filepath.Join(dir, "redis.sock")
	words := []string{"redis-server", "--port", "0", "--unixsocket", socket, "--dir", dir, "--save", "", "--appendonly", "no",
		"--maxmemory", "8gb", "--maxmemory-policy", "allkeys-lru", "--loglevel", "warning"}
	if core >= 0 {
		words = append([]string{"taskset", "-c", strconv.Itoa(core)}, words...)
	}
	s := &Server{cmd: exec.CommandContext(ctx, words[0], words[1:]...)}
	s.cmd.WaitDelay = 5 * time.Second
	if err := s.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start redis-server: %w", err)
	}
	var err error
	for range 100 {
		if s.client, err = connect(socket); err == nil {
			return s, nil
		}
		select {
		case <-ctx.Done():
			return nil, errors.Join(ctx.Err(), s.Close())
		case <-time.After(50 * time.Millisecond):
		}
	}
	return nil, errors.Join(fmt.Errorf("connect to redis-server: %w", err), s.Close())
}

func connect(socket string) (rueidis.Client, error) {
	return rueidis.NewClient(rueidis.ClientOption{
		InitAddress: []string{socket}, DisableCache: true, ForceSingleClient: true, PipelineMultiplex: -1,
		DialCtxFn: func(ctx context.Context, _ string, d *net.Dialer, _ *tls.Config) (net.Conn, error) {
			return d.DialContext(ctx, "unix", socket)
		},
	})
}

// Close ends the server.
func (s *Server) Close() error {
	if s.client != nil {
		s.client.Close()
	}
	if err := s.cmd.Process.Kill(); err != nil {
		return err
	}
	_ = s.cmd.Wait() // it was killed
	return nil
}

// Use forgets all that is remembered and loads a script for what follows.
func (s *Server) Use(ctx context.Context, script *Script) error {
	if err := s.client.Do(ctx, s.client.B().Flushall().Sync().Build()).Error(); err != nil {
		return fmt.Errorf("empty redis: %w", err)
	}
	var err error
	if s.sha, err = s.client.Do(ctx, s.client.B().ScriptLoad().Script(script.Source).Build()).ToString(); err != nil {
		return fmt.Errorf("load script %s: %w", script.Name, err)
	}
	return nil
}

// Kinds of entity: the first are those with members.
const (
	user = iota
	address
	subnet
	asn
	device
	print
	client
	userClient
	userAddress
	entities
	withMembers = userClient
)

// Fold recalls and folds attempts, which are sent at once: as many as are pipelined.
// Remembered, unless it is nil, is called with what the script answers to each.
func (s *Server) Fold(ctx context.Context, ts []features.Trace, remembered func(i int, m rueidis.RedisMessage) error) error {
	s.batch = s.batch[:0]
	for i := range ts {
		s.batch = append(s.batch, s.command(&ts[i]))
	}
	for i, answer := range s.client.DoMulti(ctx, s.batch...) {
		m, err := answer.ToMessage()
		if err == nil && remembered != nil {
			err = remembered(i, m)
		}
		if err != nil {
			return fmt.Errorf("fold in redis: %w", err)
		}
	}
	return nil
}

// command is the one call of an attempt. Keys are nine bytes: a hash and a kind.
func (s *Server) command(t *features.Trace) rueidis.Completed {
	keys := make([]string, 0, entities)
	args := make([]string, 0, 3+2*withMembers)
	args = append(args, "", strconv.FormatInt(t.Time/60_000, 10), "0")
	if t.Result == signals.Failure {
		args[2] = "1"
	}
	var b [9]byte
	for kind, k := range [entities]features.Key{t.User, t.Address, t.Subnet, t.ASN, t.Device, t.Fingerprint, t.Client, t.UserClient, t.UserAddress} {
		if k == 0 {
			continue
		}
		for i := range 8 {
			b[i] = byte(k >> (8 * i))
		}
		b[8] = byte(kind)
		keys = append(keys, string(b[:]))
		if kind < withMembers {
			member := t.Typed
			if kind == user {
				member = t.Address
			}
			args = append(args, numerals[member>>60], numerals[member>>57&7])
		}
	}
	args[0] = strconv.Itoa((len(args) - 3) / 2)
	return s.client.B().Evalsha().Sha1(s.sha).Numkeys(int64(len(keys))).Key(keys...).Arg(args...).Build()
}

// numerals are the numbers below 16, by which a member's bit of 128 is told: its byte,
// and its bit in that.
var numerals = [16]string{"0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "11", "12", "13", "14", "15"}

// Used returns how much processor time the server's one thread that works has used.
func (s *Server) Used() (time.Duration, error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/schedstat", s.cmd.Process.Pid))
	if err != nil {
		return 0, err
	}
	words := strings.Fields(string(b))
	if len(words) == 0 {
		return 0, errors.New("redis: no processor time is told")
	}
	ns, err := strconv.ParseInt(words[0], 10, 64)
	return time.Duration(ns), err
}

// Memory returns how many bytes the server holds, and how many keys.
func (s *Server) Memory(ctx context.Context) (bytes, keys int64, err error) {
	info, err := s.client.Do(ctx, s.client.B().Info().Section("memory").Build()).ToString()
	if err != nil {
		return 0, 0, err
	}
	for line := range strings.Lines(info) {
		if text, ok := strings.CutPrefix(line, "used_memory:"); ok {
			bytes, err = strconv.ParseInt(strings.TrimSpace(text), 10, 64)
		}
	}
	if err != nil {
		return 0, 0, err
	}
	keys, err = s.client.Do(ctx, s.client.B().Dbsize().Build()).AsInt64()
	return bytes, keys, err
}
