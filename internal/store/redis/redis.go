// Package redis answers: has this been taken already, on any of our machines?
//
// It keeps a [store.Store] in a Redis or Valkey server of version 6.2 or newer, by
// rueidis. Get is one MGET, Swap one Lua script: both run at one moment on the
// server, whose clock alone decides what is absent. A new deadline that has passed
// by either clock is refused.
//
// In a cluster all keys of one call must lie in one slot. Keys of one call are
// about different things here (a code, its grant, its proof), so every key
// carries the same hash tag, in Options.Prefix, and a cluster keeps all of Wary's
// values on one of its shards. Open refuses a prefix without a tag.
//
// What a crash may lose is the server's to say. With "appendonly yes" a change
// that was acknowledged survives a kill of the server; with "appendfsync always"
// also a loss of power, with "everysec" that may take the last second. A replica
// that takes over lacks what it had not received: a code redeemed in that moment
// could be redeemed again. "min-replicas-to-write" narrows that and does not
// close it; whoever cannot accept it uses one server and waits for it. Open
// refuses a server that evicts (a mark that was evicted can be taken twice), and
// unless Options.Volatile says so one that forgets everything at a restart.
package redis

import (
	"context"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/redis/rueidis"
	"github.com/waryauth/wary/internal/store"
)

// Options of a store. Without Addresses nothing can be opened; all else has a
// default.
type Options struct {
	Addresses []string // host:port, or the path of a Unix socket; several nodes of one cluster
	Username  string
	Password  string
	TLS       *tls.Config   // nil: none
	Prefix    string        // of every key, with a hash tag; default "{wary}:"
	Timeout   time.Duration // of a call whose context ends later or never; default 2 s
	Volatile  bool          // accept a server that forgets at a restart
}

// Store is a connection to a server or a cluster.
type Store struct {
	client  rueidis.Client
	swap    *rueidis.Lua
	prefix  string
	timeout time.Duration
}

// script compares all keys with what the caller expects, then changes them. A
// stored value is its deadline, eight bytes, and its data. For every key come three
// arguments: the data expected ("" for none), the value to store ("" for none),
// its deadline in milliseconds ("" for none). It answers 1, or 0 for a
// conflict, or -1 for a deadline that has passed. PXAT with a moment that has
// passed would only remove the key.
const script = `
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
for i, key in ipairs(KEYS) do
	local held = redis.call('GET', key)
	if (held and string.sub(held, 9) or '') ~= ARGV[3*i-2] then return 0 end
end
for i = 1, #KEYS do
	local deadline = ARGV[3*i]
	if deadline ~= '' and tonumber(deadline) <= now then return -1 end
end
for i, key in ipairs(KEYS) do
	local value, deadline = ARGV[3*i-1], ARGV[3*i]
	if value == '' then
		redis.call('DEL', key)
	elseif deadline == '' then
		redis.call('SET', key, value)
	else
		redis.call('SET', key, value, 'PXAT', deadline)
	end
end
return 1`

// Open connects, and asks every node how it keeps what it is given.
func Open(ctx context.Context, o Options) (*Store, error) {
	if o.Prefix == "" {
		o.Prefix = "{wary}:"
	}
	if o.Timeout == 0 {
		o.Timeout = 2 * time.Second
	}
	if !tagged(o.Prefix) {
		return nil, fmt.Errorf("open store: the prefix %q has no hash tag: in a cluster the keys of one call must share a slot", o.Prefix)
	}
	client, err := rueidis.NewClient(rueidis.ClientOption{
		InitAddress:  o.Addresses,
		Username:     o.Username,
		Password:     o.Password,
		TLSConfig:    o.TLS,
		DialCtxFn:    dial,
		Dialer:       net.Dialer{Timeout: o.Timeout},
		DisableCache: true, // what was cached may have been taken
	})
	if err != nil {
		return nil, fmt.Errorf("open store: %w", err)
	}
	s := &Store{client: client, swap: rueidis.NewLuaScript(script), prefix: o.Prefix, timeout: o.Timeout}
	ctx, cancel := context.WithTimeout(ctx, o.Timeout)
	defer cancel()
	for address, node := range client.Nodes() {
		if err := checkNode(ctx, node, o.Volatile); err != nil {
			client.Close()
			return nil, fmt.Errorf("open store: %s: %w", address, err)
		}
	}
	return s, nil
}

// tagged reports whether Redis hashes only a part of a key with this prefix.
func tagged(prefix string) bool {
	_, tag, _ := strings.Cut(prefix, "{")
	tag, _, closed := strings.Cut(tag, "}")
	return closed && tag != ""
}

func dial(ctx context.Context, address string, d *net.Dialer, c *tls.Config) (net.Conn, error) {
	network := "tcp"
	if strings.HasPrefix(address, "/") {
		network = "unix"
	}
	if c == nil {
		return d.DialContext(ctx, network, address)
	}
	return (&tls.Dialer{NetDialer: d, Config: c}).DialContext(ctx, network, address)
}

func checkNode(ctx context.Context, node rueidis.Client, volatile bool) error {
	info, err := node.Do(ctx, node.B().Info().Build()).ToString()
	if err != nil {
		return err
	}
	settings := map[string]string{}
	for line := range strings.Lines(info) {
		if name, value, ok := strings.Cut(strings.TrimSpace(line), ":"); ok {
			settings[name] = value
		}
	}
	if policy := settings["maxmemory_policy"]; policy != "noeviction" {
		return fmt.Errorf("maxmemory-policy is %q: what is evicted can be taken twice; it must be noeviction", policy)
	}
	if settings["aof_enabled"] != "1" && !volatile {
		return errors.New("appendonly is off: a restart forgets what was taken")
	}
	return nil
}

// Get implements store.Store.
func (s *Store) Get(ctx context.Context, keys ...string) ([]store.Value, error) {
	if err := store.CheckKeys(keys); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	names := make([]string, len(keys))
	for i, k := range keys {
		names[i] = s.prefix + k
	}
	held, err := s.client.Do(ctx, s.client.B().Mget().Key(names...).Build()).ToArray()
	if err != nil {
		return nil, told("get from store", err)
	}
	out := make([]store.Value, len(keys))
	for i := range min(len(held), len(out)) {
		if held[i].IsNil() {
			continue
		}
		stored, err := held[i].AsBytes()
		if err != nil {
			return nil, told("get from store", err)
		}
		if out[i], err = decode(stored); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// Swap implements store.Store.
func (s *Store) Swap(ctx context.Context, changes ...store.Change) error {
	if err := store.CheckChanges(changes, time.Now()); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	names := make([]string, 0, len(changes))
	args := make([]string, 0, 3*len(changes))
	for _, c := range changes {
		names = append(names, s.prefix+c.Key)
		args = append(args, string(c.Prev), encode(c), until(c))
	}
	// A script that was sent is never sent again: after a lost answer the second
	// try would find its own change and call it a conflict.
	answer, err := s.swap.Exec(ctx, s.client, names, args).AsInt64()
	switch {
	case err != nil:
		return told("swap in store", err)
	case answer == 0:
		return store.ErrConflict
	case answer == -1:
		return store.ErrExpired
	}
	return nil
}

// Close implements store.Store.
func (s *Store) Close() error {
	s.client.Close()
	return nil
}

func told(verb string, err error) error {
	if errors.Is(err, rueidis.ErrClosing) {
		return store.ErrClosed
	}
	return fmt.Errorf("%s: %w", verb, err)
}

func encode(c store.Change) string {
	if len(c.Next) == 0 {
		return ""
	}
	out := binary.BigEndian.AppendUint64(make([]byte, 0, 8+len(c.Next)), uint64(c.Deadline))
	return string(append(out, c.Next...))
}

func until(c store.Change) string {
	if len(c.Next) == 0 || c.Deadline == store.Forever {
		return ""
	}
	return strconv.FormatInt(int64(c.Deadline), 10)
}

func decode(stored []byte) (store.Value, error) {
	if len(stored) <= 8 {
		return store.Value{}, errors.New("get from store: a value that this program did not write")
	}
	return store.Value{
		Data:     append([]byte(nil), stored[8:]...),
		Deadline: store.Deadline(binary.BigEndian.Uint64(stored)),
	}, nil
}
