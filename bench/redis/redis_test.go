package redis

import (
	"context"
	"encoding/binary"
	"fmt"
	"math/bits"
	"math/rand/v2"
	"strconv"
	"testing"
	"time"

	"github.com/redis/rueidis"

	"github.com/waryauth/wary/features"
	"github.com/waryauth/wary/signals"
)

var widths = [4]int64{1, 60, 1440, 43_200} // minutes

// event is an attempt as the oracle keeps it.
type event struct {
	minute int64
	failed bool
	member features.Key
}

// TestScripts folds random attempts and holds what each script remembers of every
// entity to what all attempts before say: a script that does less work than it tells
// would be no measure.
func TestScripts(t *testing.T) {
	if !Found() {
		t.Skip("there is no redis-server: scripts/deps.sh redis")
	}
	s, err := Open(t.Context(), t.TempDir(), -1)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	for _, script := range Scripts() {
		t.Run(script.Name, func(t *testing.T) {
			if err := s.Use(t.Context(), &script); err != nil {
				t.Fatal(err)
			}
			r := rand.New(rand.NewPCG(5, 6))
			h := features.NewHasher(1, 2)
			past := map[string][]event{}
			now := int64(29_833_333)
			for range 40 {
				ts := make([]features.Trace, 8)
				for i := range ts {
					now += []int64{0, 0, 1, 59, 1440, 50_000}[r.IntN(6)]
					ts[i] = attempt(h, r.IntN(6), now)
					if r.IntN(3) == 0 {
						ts[i].Result = signals.Failure
					}
				}
				if err := s.Fold(t.Context(), ts, func(i int, m rueidis.RedisMessage) error { return check(&ts[i], m, past, script.Name) }); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}

func attempt(h features.Hasher, n int, minute int64) features.Trace {
	key := func(kind features.Kind, n int) features.Key { return h.Number(kind, uint64(n+1)) }
	tr := features.Trace{
		Time: minute * 60_000, User: key(features.KindUser, n), Typed: key(features.KindUser, n), Address: key(features.KindAddress, n%4),
		Subnet: key(features.KindSubnet, n%2), ASN: key(features.KindASN, 0), Device: key(features.KindDevice, n), Fingerprint: key(features.KindFingerprint, n%3),
		Client: key(features.KindClient, n%2), Result: signals.Success,
	}
	tr.UserClient, tr.UserAddress = h.Pair(tr.User, tr.Client), h.Pair(tr.User, tr.Address)
	return tr
}

// check compares what is remembered with the past, and then adds to it.
func check(t *features.Trace, m rueidis.RedisMessage, past map[string][]event, script string) error {
	records, err := m.ToArray()
	if err != nil || len(records) != entities {
		return fmt.Errorf("%d records, error %w", len(records), err)
	}
	for kind, k := range [entities]features.Key{t.User, t.Address, t.Subnet, t.ASN, t.Device, t.Fingerprint, t.Client, t.UserClient, t.UserAddress} {
		id := fmt.Sprint(kind, k)
		if err := checkRecord(&records[kind], kind, past[id], script, t.Time/60_000); err != nil {
			return fmt.Errorf("entity %d after %d attempts: %w", kind, len(past[id]), err)
		}
		member := t.Typed
		if kind == user {
			member = t.Address
		}
		past[id] = append(past[id], event{t.Time / 60_000, t.Result == signals.Failure, member})
	}
	return nil
}

func checkRecord(m *rueidis.RedisMessage, kind int, past []event, script string, now int64) error {
	if script == "hash" {
		return checkHash(m, past, now)
	}
	s, err := m.ToString()
	if len(past) == 0 {
		if !rueidis.IsRedisNil(err) {
			return fmt.Errorf("not nothing: %q, error %w", s, err)
		}
		return nil
	}
	if err != nil {
		return err
	}
	number := binary.LittleEndian.Uint32
	if script == "bitfield" {
		number = binary.BigEndian.Uint32
	}
	b, newest := []byte(s), past[len(past)-1].minute
	for i, width := range widths {
		var want [4]uint32
		var members [2][2]uint64
		for _, e := range past {
			switch e.minute / width {
			case newest / width:
				want[0]++
				want[1] += one(e.failed)
				members[0][e.member>>63] |= 1 << (e.member >> 57 & 63)
			case newest/width - 1:
				want[2]++
				want[3] += one(e.failed)
				members[1][e.member>>63] |= 1 << (e.member >> 57 & 63)
			}
		}
		for j := range want {
			if got := number(b[12+16*i+4*j:]); got != want[j] {
				return fmt.Errorf("span %d, count %d: %d, want %d", i, j, got, want[j])
			}
		}
		for j := range members {
			if kind >= withMembers {
				continue
			}
			got := 0
			for _, x := range b[76+32*i+16*j:][:16] {
				got += bits.OnesCount8(x)
			}
			if want := bits.OnesCount64(members[j][0]) + bits.OnesCount64(members[j][1]); got != want {
				return fmt.Errorf("span %d, members %d: %d, want %d", i, j, got, want)
			}
		}
	}
	return nil
}

func checkHash(m *rueidis.RedisMessage, past []event, now int64) error {
	fields, err := m.AsStrMap()
	if err != nil {
		return err
	}
	for i, width := range widths {
		var want uint32
		for _, e := range past {
			want += one(e.minute/width == now/width)
		}
		got, _ := strconv.Atoi(fields[fmt.Sprintf("a%d:%d", i+1, now/width)]) // none is 0
		if got != int(want) {
			return fmt.Errorf("span %d: %d attempts, want %d", i, got, want)
		}
	}
	return nil
}

func one(b bool) uint32 {
	if b {
		return 1
	}
	return 0
}

// BenchmarkFold is an attempt by each script, so many at once, among 20,000 people.
func BenchmarkFold(b *testing.B) {
	if !Found() {
		b.Skip("there is no redis-server: scripts/deps.sh redis")
	}
	s, err := Open(context.Background(), b.TempDir(), -1)
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	h := features.NewHasher(1, 2)
	for _, script := range Scripts() {
		for _, depth := range []int{1, 16, 64} {
			b.Run(fmt.Sprintf("%s/%d", script.Name, depth), func(b *testing.B) {
				if err := s.Use(context.Background(), &script); err != nil {
					b.Fatal(err)
				}
				ts := make([]features.Trace, depth)
				n := 0
				var before time.Duration
				for b.Loop() {
					for i := range ts {
						ts[i] = attempt(h, n*7919%20_000, 29_833_333+int64(n/1000))
						n++
					}
					if err := s.Fold(context.Background(), ts, nil); err != nil {
						b.Fatal(err)
					}
					if n == depth {
						before, _ = s.Used()
					}
				}
				after, err := s.Used()
				if err != nil {
					b.Fatal(err)
				}
				b.ReportMetric(float64((after-before).Nanoseconds())/float64(n), "redis-ns/attempt")
			})
		}
	}
}
