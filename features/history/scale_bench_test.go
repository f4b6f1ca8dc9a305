//go:build linux

package history

import (
	"io"
	"os"
	"runtime"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/waryauth/wary/features"
	"github.com/waryauth/wary/signals"
)

// scale is how many records the benchmarks of this file hold: WARY_ENTITIES, of
// which 10,000,000 take 4 GB, or few enough to be quick.
func scale(b *testing.B) int {
	if s := os.Getenv("WARY_ENTITIES"); s != "" {
		n, err := strconv.Atoi(s)
		if err != nil {
			b.Fatal(err)
		}
		return n
	}
	return 200_000
}

// login is one of many of person n among so many: on a device of their own, from
// home or, in one of three, from elsewhere. Of four records one is a user's, of ten
// three are pairs.
func login(t *features.Trace, n, people, turn int) {
	key := func(k features.Kind, n int) features.Key { return hasher.Number(k, uint64(n+1)) }
	place := n / 2
	if (n+turn)%3 == 0 {
		place = (n*7919 + turn) % (people/2 + 1)
	}
	*t = features.Trace{
		Time: 1_790_000_000_000 + int64(turn)*86_400_000 + int64(n%80_000)*1000,
		User: key(features.KindUser, n), Device: key(features.KindDevice, n), Fingerprint: key(features.KindFingerprint, n/4),
		Address: key(features.KindAddress, place), Subnet: key(features.KindSubnet, place/100), ASN: key(features.KindASN, place%5000),
		Country: key(features.KindCountry, place%60), Region: uint32(place%900) + 1, City: uint32(place%9000) + 1,
		Agent: key(features.KindAgent, n%3000+turn), Browser: key(features.KindBrowser, n%200+turn), OS: key(features.KindOS, n%40), Class: key(features.KindClass, n%3),
		Language: key(features.KindLanguage, n%90), TLS: key(features.KindTLS, n%500+turn/2), Screen: key(features.KindScreen, n%70), Hardware: key(features.KindHardware, n%700),
		Client: key(features.KindClient, n%300), OffsetMin: 60, LocalMin: 60, Flags: features.Located,
		Latitude: float32(place%120 - 60), Longitude: float32(place%300 - 150), AccuracyKM: 20, AmountMinor: -1,
		Action: signals.Login, Result: signals.Success, Outcome: features.Allowed,
	}
	t.Typed = t.User
	t.UserAddress = hasher.Pair(t.User, t.Address)
	if n%5 == 0 {
		t.UserClient = hasher.Pair(t.User, t.Client)
	}
}

// world is a store, or another that keeps the same records, after three logins of
// each person.
func world(entities int, fold func(*features.Trace)) (people int) {
	people = entities / 5
	const turns, after = 3, 1000 // people come one after the other, and back
	var t features.Trace
	for n := range people + turns*after {
		for turn := range turns {
			if who := n - turn*after; who >= 0 && who < people {
				login(&t, who, people, turn)
				fold(&t)
			}
		}
	}
	return people
}

// BenchmarkScale is one login at random among many: recalled, and folded as an
// attempt and a success. The peers are maps of pointers to the same records under
// one lock, and the floor: as many independent reads of random lines of as much
// memory. Times are of the processor.
func BenchmarkScale(b *testing.B) {
	entities := scale(b)
	b.Run("store", func(b *testing.B) {
		s := New(Options{MaxEntities: 2 * entities})
		people := world(entities, func(t *features.Trace) { s.Touch(t); s.AttemptSucceed(t) })
		var p features.Profile
		logins(b, people, func(t *features.Trace) { s.Recall(&p, t); s.AttemptSucceed(t) })
		st := s.Len()
		n := st.Users + st.Shared + st.Pairs + st.Values
		b.ReportMetric(float64(n), "entities")
		b.ReportMetric(float64(st.Bytes)/float64(n), "B/entity")
		forced(b)
		before := time.Now()
		image := s.Freeze()
		b.ReportMetric(time.Since(before).Seconds()*1000, "ms-freeze")
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		used := processor()
		if err := image.Write(io.Discard); err != nil {
			b.Fatal(err)
		}
		image.Close()
		b.ReportMetric((processor() - used).Seconds(), "s-snapshot")
		runtime.KeepAlive(s)
	})
	b.Run("pointers", func(b *testing.B) { peer(b, entities, func(_ string, k features.Key) features.Key { return k }) })
	b.Run("pointers by name", func(b *testing.B) { peer(b, entities, name) })
	b.Run("floor", func(b *testing.B) {
		slab := &slab{}
		slab.reserve(newMemory(&[kinds]int{4, 4, 4, 4, 4}), 256, entities)
		var zeros [256]byte
		for i := range uint32(entities) {
			slab.take()
			copy(slabBytes(slab, i), zeros[:])
		}
		sum := uint64(0)
		logins(b, entities/5, func(t *features.Trace) {
			for _, k := range [...]features.Key{t.User, t.Address, t.Subnet, t.ASN, t.Device, t.Fingerprint, t.Client, t.UserClient, t.UserAddress, t.Country, t.Agent, t.Browser, t.OS, t.Class} {
				sum += uint64(slabBytes(slab, uint32(uint64(k)%uint64(entities)))[0])
			}
		})
		if sum != 0 {
			b.Error("memory was not zero")
		}
	})
}

// logins runs f for logins of random people and reports processor time: the median
// of batches, and that of undisturbed ones.
func logins(b *testing.B, people int, f func(*features.Trace)) {
	const batch = 1000 // traces are made outside the time
	ts := make([]features.Trace, batch)
	var each []float64
	done, x := 0, uint64(88172645463325252)
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	for b.Loop() {
		if done%batch == 0 {
			for i := range ts {
				x ^= x << 13
				x ^= x >> 7
				x ^= x << 17
				login(&ts[i], int(x%uint64(people)), people, 3+int(x>>40%4))
			}
			before := processor()
			for i := range ts {
				f(&ts[i])
			}
			each = append(each, float64((processor()-before).Nanoseconds())/batch)
		}
		done++
	}
	slices.Sort(each)
	b.ReportMetric(each[len(each)/2], "cpu-ns/login")
	b.ReportMetric(each[len(each)/10], "cpu-ns/login-p10")
}

// forced reports how long a collection lasts, the best of three.
func forced(b *testing.B) {
	best := time.Hour
	runtime.GC()
	for range 3 {
		before := time.Now()
		runtime.GC()
		best = min(best, time.Since(before))
	}
	b.ReportMetric(best.Seconds()*1000, "ms-GC")
}

// name is what a first version would have for a key.
func name(kind string, k features.Key) string {
	var b [32]byte
	return string(strconv.AppendUint(append(b[:0], kind...), uint64(k), 36))
}

func peer[K comparable](b *testing.B, entities int, key func(string, features.Key) K) {
	s := &pointers[K]{key: key, users: map[K]*features.User{}, shared: map[K]*features.Shared{}, clients: map[K]*features.Party{},
		pairs: map[K]*features.Pair{}, values: map[K]*uint32{}}
	people := world(entities, s.fold)
	var p features.Profile
	logins(b, people, func(t *features.Trace) { s.recall(&p, t); s.fold(t) })
	forced(b)
	runtime.KeepAlive(s)
}

// pointers is the memory one would write first.
type pointers[K comparable] struct {
	mu      sync.RWMutex
	key     func(string, features.Key) K
	users   map[K]*features.User
	shared  map[K]*features.Shared
	clients map[K]*features.Party
	pairs   map[K]*features.Pair
	values  map[K]*uint32
	totals  features.Totals
}

func (s *pointers[K]) recall(p *features.Profile, t *features.Trace) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	get(&p.User, s.users, s.key("user:", t.User))
	get(&p.Address, s.shared, s.key("address:", t.Address))
	get(&p.Subnet, s.shared, s.key("subnet:", t.Subnet))
	get(&p.ASN, s.shared, s.key("asn:", t.ASN))
	get(&p.Device, s.shared, s.key("device:", t.Device))
	get(&p.Print, s.shared, s.key("print:", t.Fingerprint))
	get(&p.Client, s.clients, s.key("client:", t.Client))
	get(&p.Pair, s.pairs, s.key("pair:", t.UserClient))
	get(&p.Here, s.pairs, s.key("pair:", t.UserAddress))
	get(&p.Country, s.values, s.key("value:", t.Country))
	get(&p.Agent, s.values, s.key("value:", t.Agent))
	get(&p.Browser, s.values, s.key("value:", t.Browser))
	get(&p.OS, s.values, s.key("value:", t.OS))
	get(&p.Class, s.values, s.key("value:", t.Class))
	p.Totals = s.totals
}

func get[K comparable, T any](to *T, from map[K]*T, k K) {
	if r := from[k]; r != nil {
		*to = *r
	} else {
		*to = *new(T)
	}
}

func made[K comparable, T any](in map[K]*T, k K) *T {
	r := in[k]
	if r == nil {
		r = new(T)
		in[k] = r
	}
	return r
}

// fold folds an attempt that succeeded.
func (s *pointers[K]) fold(t *features.Trace) {
	s.mu.Lock()
	defer s.mu.Unlock()
	m := features.MomentOf(t.Time)
	u := made(s.users, s.key("user:", t.User))
	u.Attempt(t, &m)
	u.Succeed(t, &m)
	for _, k := range [...]features.Key{t.UserAddress, t.UserClient} {
		if k != 0 {
			p := made(s.pairs, s.key("pair:", k))
			p.Attempt(t, &m)
			p.Succeed(t, &m)
		}
	}
	for i, k := range sharedKeys(t) {
		r := made(s.shared, s.key([...]string{"address:", "asn:", "subnet:", "device:", "print:"}[i], k))
		r.Attempt(t, &m)
		r.Succeed(t, &m)
	}
	c := made(s.clients, s.key("client:", t.Client))
	c.Attempt(t, &m, false)
	c.Succeed(t, &m)
	for _, k := range [...]features.Key{t.Country, t.Agent, t.Browser, t.OS, t.Class} {
		*made(s.values, s.key("value:", k))++
	}
	s.totals.Attempt(t, &m)
}
