package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"runtime"
	"slices"
	"strconv"
	"time"

	"github.com/waryauth/wary/bench/redis"
	"github.com/waryauth/wary/features"
	"github.com/waryauth/wary/features/history"
	"github.com/waryauth/wary/signals"
)

// state measures memory in a child on one core, and then in Redis, on that core, what
// the same attempts cost there.
func state(ctx context.Context, r *run) (map[string]float64, error) {
	entities := 1_000_000
	if r.quick {
		entities /= 10
	}
	values, err := r.results(ctx, serverCore, "state", strconv.Itoa(entities))
	if err != nil {
		return values, err
	}
	if !redis.Found() {
		r.note("state: there is no redis-server to compare with: scripts/deps.sh redis")
		return values, nil
	}
	theirs, err := r.results(ctx, clientCore, "redis", r.dir, strconv.Itoa(entities))
	own, alone, both := values[ownPerSecond], theirs[redisPerSecond], theirs[redisAndClientPerSecond]
	if err == nil && alone > 0 {
		r.note("state against the best script: %.1f times its attempts per second and core, Redis's core alone counted; %.1f with the client's", own/alone, own/both)
		values["state_vs_redis_script"] = own / alone
	}
	return values, err
}

// What children tell besides figures: attempts per second and core.
const (
	ownPerSecond            = "own_attempts_per_second"
	redisPerSecond          = "redis_attempts_per_second"
	redisAndClientPerSecond = "redis_and_client_attempts_per_second"
)

// Attempts are timed so many as one; their median is told. Everyone attempts once
// before, and this many are timed.
const (
	timedTogether = 1000
	timed         = 200 * timedTogether
)

// stateChild ENTITIES fills a store and prints how much memory an entity takes, how
// long a forced collection then lasts, and how many attempts a second are recalled and
// folded.
func stateChild(args []string) error {
	if len(args) != 1 {
		return errors.New("state: want a number of entities")
	}
	entities, err := strconv.Atoi(args[0])
	if err != nil {
		return err
	}
	s := history.New(history.Options{MaxEntities: 2 * entities}) // each kind has its share of the room
	people := peopleOf(entities)
	ts := make([]features.Trace, timedTogether)
	for n := 0; n < people; n += len(ts) {
		lives(ts, n, people)
		for i := range ts {
			s.Touch(&ts[i])
			s.AttemptSucceed(&ts[i])
		}
	}
	held := s.Len()
	forced := time.Hour
	for range 5 {
		before := time.Now()
		runtime.GC()
		forced = min(forced, time.Since(before))
	}
	var p features.Profile
	var each []float64
	for n := range timed / timedTogether {
		lives(ts, people+n*timedTogether, people)
		before := used()
		for i := range ts {
			s.Recall(&p, &ts[i])
			s.AttemptSucceed(&ts[i])
		}
		each = append(each, float64((used()-before).Nanoseconds())/timedTogether)
	}
	ns := median(each)
	n := held.Users + held.Shared + held.Pairs + held.Values
	fmt.Printf("# state: %d entities, %d evicted, %.0f attempts recalled and folded per second and core (%.2f us)\n", n, held.Evicted, 1e9/ns, ns/1e3)
	fmt.Println(ownPerSecond, 1e9/ns)
	fmt.Println("state_bytes_per_entity", float64(held.Bytes)/float64(n))
	if entities == 1_000_000 {
		fmt.Println("forced_gc_ms_at_1000000_entities", float64(forced.Microseconds())/1e3)
	}
	runtime.KeepAlive(s)
	return nil
}

// pipelined is how many attempts are on their way to Redis at once.
const pipelined = 64

// redisChild DIR ENTITIES has Redis, on the server's core, remember the same attempts
// by each script, and prints how many a second and core the best recalls and folds.
func redisChild(args []string) error {
	if len(args) != 2 {
		return errors.New("redis: want a folder and a number of entities")
	}
	entities, err := strconv.Atoi(args[1])
	if err != nil {
		return err
	}
	core := anywhere
	if pinnable() {
		core = serverCore
	}
	ctx, cancel := context.WithTimeout(context.Background(), longest)
	defer cancel()
	s, err := redis.Open(ctx, args[0], core)
	if err != nil {
		return err
	}
	defer s.Close()
	best := math.Inf(1)
	var with float64
	for i, script := range redis.Scripts() {
		n := entities
		if i > 0 {
			n /= 20 // they are many times slower, and not faster with more
		}
		server, client, err := redisOne(ctx, s, &script, n)
		if err != nil {
			return err
		}
		if server < best {
			best, with = server, server+client
		}
	}
	fmt.Println(redisPerSecond, 1e9/best)
	fmt.Println(redisAndClientPerSecond, 1e9/with)
	return nil
}

// redisOne returns the processor time of an attempt, in nanoseconds, of the server and
// of this client.
func redisOne(ctx context.Context, s *redis.Server, script *redis.Script, entities int) (server, client float64, err error) {
	if err := s.Use(ctx, script); err != nil {
		return 0, 0, err
	}
	people := peopleOf(entities)
	ts := make([]features.Trace, timedTogether)
	var servers, clients []float64
	for n := 0; n < people+timed/10; n += len(ts) {
		lives(ts, n, people)
		mine, theirs := used(), time.Duration(0)
		if theirs, err = s.Used(); err != nil {
			return 0, 0, err
		}
		for i := 0; i < len(ts); i += pipelined {
			if err := s.Fold(ctx, ts[i:min(i+pipelined, len(ts))], nil); err != nil {
				return 0, 0, err
			}
		}
		now, err := s.Used()
		if err != nil {
			return 0, 0, err
		}
		if n >= people {
			servers = append(servers, float64((now-theirs).Nanoseconds())/timedTogether)
			clients = append(clients, float64((used()-mine).Nanoseconds())/timedTogether)
		}
	}
	bytes, keys, err := s.Memory(ctx)
	server, client = median(servers), median(clients)
	fmt.Printf("# redis, script %s: %d keys of %.0f bytes, %.0f attempts per second and core (%.2f us, and the client %.2f us)\n",
		script.Name, keys, float64(bytes)/float64(max(keys, 1)), 1e9/server, server/1e3, client/1e3)
	return server, client, err
}

func median(x []float64) float64 {
	slices.Sort(x)
	return x[len(x)/2]
}

// peopleOf returns of how many people the entities are: see lifeOf.
func peopleOf(entities int) int { return entities * 100 / 476 / timedTogether * timedTogether }

// lives fills attempts from the n-th on, of people one after the other first and then
// of random ones.
func lives(ts []features.Trace, n, people int) {
	h := features.NewHasher(1, 2)
	for i := range ts {
		who := n + i
		if who >= people {
			who = int(uint64(h.Number(features.KindUser, uint64(who))) % uint64(people))
		}
		lifeOf(&ts[i], h, who, n/people)
	}
}

// lifeOf is a login of person n on some day, on a device and at an address of their
// own or a neighbour's: of nine entities that it names, a person has 4.76 to themself.
func lifeOf(t *features.Trace, h features.Hasher, n, day int) {
	key := func(kind features.Kind, n int) features.Key { return h.Number(kind, uint64(n+1)) }
	*t = features.Trace{
		Time: 1_790_000_000_000 + int64(day)*86_400_000 + int64(n%80_000)*1000,
		User: key(features.KindUser, n), Typed: key(features.KindUser, n), Device: key(features.KindDevice, n), Fingerprint: key(features.KindFingerprint, n/4),
		Address: key(features.KindAddress, n/2), Subnet: key(features.KindSubnet, n/200), ASN: key(features.KindASN, n%5000), Client: key(features.KindClient, n%300),
		Country: key(features.KindCountry, n%60), Agent: key(features.KindAgent, n%3000), Browser: key(features.KindBrowser, n%200), OS: key(features.KindOS, n%40),
		Class: key(features.KindClass, n%3), Language: key(features.KindLanguage, n%90), Screen: key(features.KindScreen, n%70),
		OffsetMin: features.NoOffset, LocalMin: features.NoOffset, AmountMinor: -1, Action: signals.Login, Result: signals.Success, Outcome: features.Allowed,
	}
	t.UserAddress, t.UserClient = h.Pair(t.User, t.Address), h.Pair(t.User, t.Client)
}
