//go:build linux

package history

import (
	"os"
	"runtime"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"
	"unsafe"

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
// attempt and a success. Times are of the processor.
func BenchmarkScale(b *testing.B) {
	entities := scale(b)
	s := New(Options{MaxEntities: 2 * entities})
	people := world(entities, func(t *features.Trace) { s.Touch(t); s.AttemptSucceed(t) })
	var p features.Profile
	logins(b, people, way{"store", func(t *features.Trace) { s.Recall(&p, t); s.AttemptSucceed(t) }})
	st := s.Len()
	n := st.Users + st.Shared + st.Pairs + st.Accounts + st.Values
	b.ReportMetric(float64(n), "entities")
	b.ReportMetric(float64(st.Bytes)/float64(n), "B/entity")
	forced(b)
	before := time.Now()
	image := s.Freeze()
	b.ReportMetric(time.Since(before).Seconds()*1000, "ms-freeze")
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	used, size := processor(), counter(0)
	if err := image.Write(&size); err != nil {
		b.Fatal(err)
	}
	image.Close()
	b.ReportMetric((processor() - used).Seconds(), "s-snapshot")
	b.ReportMetric(float64(size)/1e9, "GB-snapshot")
	runtime.KeepAlive(s)
}

// counter counts what is written.
type counter int64

func (c *counter) Write(p []byte) (int, error) {
	*c += counter(len(p))
	return len(p), nil
}

// BenchmarkBeside holds the store beside its peers, in turn, so that what else the
// machine does meets all alike: a map of pointers to the same records under one lock,
// and the floor, as many independent reads of random lines of as much memory. Of 10
// million entities it takes 12 GB.
func BenchmarkBeside(b *testing.B) {
	entities := scale(b)
	s := New(Options{MaxEntities: 2 * entities})
	people := world(entities, func(t *features.Trace) { s.Touch(t); s.AttemptSucceed(t) })
	peer := newPointers(func(_ string, k features.Key) features.Key { return k })
	world(entities, peer.fold)
	floor := &slab{}
	floor.reserve(newMemory(&[kinds]int{4, 4, 4, 4, 4, 4}), 256, entities)
	for i := range uint32(entities) {
		floor.take()
		slabBytes(floor, i)[0] = 1
	}
	var p features.Profile
	sum := uint64(0)
	all := logins(b, people,
		way{"store", func(t *features.Trace) { s.Recall(&p, t); s.AttemptSucceed(t) }},
		way{"pointers", func(t *features.Trace) { peer.recall(&p, t); peer.fold(t) }},
		way{"floor", func(t *features.Trace) {
			for _, k := range [...]features.Key{t.User, t.Address, t.Subnet, t.ASN, t.Device, t.Fingerprint, t.Client, t.UserClient, t.UserAddress, t.Country, t.Agent, t.Browser, t.OS, t.Class} {
				sum += uint64(slabBytes(floor, uint32(uint64(k)%uint64(entities)))[0])
			}
		}})
	if sum == 0 {
		b.Error("nothing was read")
	}
	b.ReportMetric(all[1]/all[0], "pointers/store")
	b.ReportMetric(all[0]/all[2], "store/floor")
	runtime.KeepAlive(s)
}

// BenchmarkPointers is the collector's view of the peer, and the peer by name, as one
// would write it first.
func BenchmarkPointers(b *testing.B) {
	b.Run("keys", func(b *testing.B) { alone(b, func(_ string, k features.Key) features.Key { return k }) })
	b.Run("names", func(b *testing.B) { alone(b, name) })
}

func alone[K comparable](b *testing.B, key func(string, features.Key) K) {
	s := newPointers(key)
	people := world(scale(b), s.fold)
	var p features.Profile
	logins(b, people, way{"pointers", func(t *features.Trace) { s.recall(&p, t); s.fold(t) }})
	forced(b)
	runtime.KeepAlive(s)
}

// way is one way of keeping state.
type way struct {
	name  string
	login func(*features.Trace)
}

// logins runs logins of random people through every way in turn and returns the
// median processor time of each, over batches.
func logins(b *testing.B, people int, ways ...way) []float64 {
	const batch = 1000 // traces are made outside the time
	ts := make([]features.Trace, batch)
	each := make([][]float64, len(ways))
	done, x := 0, uint64(88172645463325252)
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	for b.Loop() {
		if done%batch == 0 {
			for w := range ways {
				for i := range ts {
					x ^= x << 13
					x ^= x >> 7
					x ^= x << 17
					login(&ts[i], int(x%uint64(people)), people, 3+int(x>>40%4))
				}
				before := processor()
				for i := range ts {
					ways[w].login(&ts[i])
				}
				each[w] = append(each[w], float64((processor()-before).Nanoseconds())/batch)
			}
		}
		done++
	}
	medians := make([]float64, len(ways))
	for w := range ways {
		slices.Sort(each[w])
		medians[w] = each[w][len(each[w])/2]
		b.ReportMetric(medians[w], "cpu-ns/"+ways[w].name)
		b.ReportMetric(each[w][len(each[w])/10], "cpu-ns/"+ways[w].name+"-p10")
	}
	return medians
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

func newPointers[K comparable](key func(string, features.Key) K) *pointers[K] {
	return &pointers[K]{key: key, users: map[K]*features.User{}, shared: map[K]room[crowd]{}, clients: map[K]room[party]{},
		pairs: map[K]*features.Pair{}, accounts: map[K]*features.Account{}, values: map[K]*uint32{}}
}

// crowd and party are a shared entity and a client with their members inline. One
// is made with room for few, and made anew when it may need all.
type (
	crowd struct {
		features.Shared
		features.Members
	}
	party struct {
		features.Party
		features.Members
	}
	fewCrowd struct {
		features.Shared
		_ [features.ListedBytes / 4]uint32
	}
	fewParty struct {
		features.Party
		_ [features.ListedBytes / 8]uint64
	}
)

// room is a pointer to a whole record, or to the beginning of one.
type room[T any] struct {
	of    *T
	whole bool
}

// roomy returns the record of a key: Few of it, or whole once it is crowded.
func roomy[Few any, K comparable, T any](in map[K]room[T], k K, crowded func(*T) bool) *T {
	r := in[k]
	switch {
	case r.of == nil:
		r.of = (*T)(unsafe.Pointer(new(Few)))
		in[k] = r
	case !r.whole && crowded(r.of):
		whole := new(T)
		*(*Few)(unsafe.Pointer(whole)) = *(*Few)(unsafe.Pointer(r.of))
		r = room[T]{whole, true}
		in[k] = r
	}
	return r.of
}

// pointers is the memory one would write first.
type pointers[K comparable] struct {
	mu       sync.RWMutex
	key      func(string, features.Key) K
	users    map[K]*features.User
	shared   map[K]room[crowd]
	clients  map[K]room[party]
	pairs    map[K]*features.Pair
	accounts map[K]*features.Account
	values   map[K]*uint32
	totals   features.Totals
}

func (s *pointers[K]) recall(p *features.Profile, t *features.Trace) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	get(&p.User, s.users, s.key("user:", t.User))
	s.head(&p.Address, s.key("address:", t.Address))
	s.head(&p.Subnet, s.key("subnet:", t.Subnet))
	s.head(&p.ASN, s.key("asn:", t.ASN))
	s.head(&p.Device, s.key("device:", t.Device))
	s.head(&p.Print, s.key("print:", t.Fingerprint))
	if c := s.clients[s.key("client:", t.Client)]; c.of != nil {
		p.Client = c.of.Party
	}
	get(&p.Pair, s.pairs, s.key("pair:", t.UserClient))
	get(&p.Here, s.pairs, s.key("pair:", t.UserAddress))
	get(&p.Account, s.accounts, s.key("account:", t.User))
	get(&p.Registration, s.accounts, s.key("account:", t.Client))
	get(&p.Country, s.values, s.key("value:", t.Country))
	get(&p.Agent, s.values, s.key("value:", t.Agent))
	get(&p.Browser, s.values, s.key("value:", t.Browser))
	get(&p.OS, s.values, s.key("value:", t.OS))
	get(&p.Class, s.values, s.key("value:", t.Class))
	p.Totals = s.totals
}

func (s *pointers[K]) head(to *features.Shared, k K) {
	if r := s.shared[k]; r.of != nil {
		*to = r.of.Shared
	} else {
		*to = features.Shared{}
	}
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
		if k == 0 {
			continue
		}
		r := roomy[fewCrowd](s.shared, s.key([...]string{"address:", "asn:", "subnet:", "device:", "print:", "payee:"}[i], k), (*crowd).Crowded)
		r.Attempt(t, &m, &r.Members)
		r.Succeed(t, &m)
	}
	c := roomy[fewParty](s.clients, s.key("client:", t.Client), (*party).Crowded)
	c.Attempt(t, &m, 0, &c.Members)
	c.Succeed(t, &m)
	for _, k := range [...]features.Key{t.Country, t.Agent, t.Browser, t.OS, t.Class} {
		*made(s.values, s.key("value:", k))++
	}
	s.totals.Attempt(t, &m, 0)
}
