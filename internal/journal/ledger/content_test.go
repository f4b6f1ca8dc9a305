package ledger

import (
	"math/big"
	"math/rand/v2"
	"testing"

	"github.com/dchest/siphash"
)

// plainContent is the polynomial as its definition has it, in big numbers.
func plainContent(point uint64, b []byte) uint64 {
	p := big.NewInt(fieldPrime)
	k := new(big.Int).SetUint64(point)
	sum := new(big.Int)
	add := func(coefficient *big.Int) { sum.Mod(sum.Add(sum.Mul(sum, k), coefficient), p) }
	for at := 0; at < len(b); at += 7 {
		coefficient := new(big.Int)
		for i := min(at+7, len(b)) - 1; i >= at; i-- { // little-endian
			coefficient.Add(coefficient.Lsh(coefficient, 8), big.NewInt(int64(b[i])))
		}
		add(coefficient)
	}
	add(big.NewInt(int64(len(b))))
	return sum.Uint64()
}

func TestContentHash(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for _, secret := range []uint64{0, 1, fieldPrime - 3, fieldPrime, 1<<64 - 1, r.Uint64()} {
		h := NewContent(secret)
		for n := range 200 {
			b := make([]byte, n)
			for i := range b {
				b[i] = byte(r.Uint32())
				if secret == 1<<64-1 {
					b[i] = 0xff // the greatest coefficients
				}
			}
			if got, want := h.Of(b), plainContent(h.point[1], b); got != want {
				t.Fatalf("point %d, %d bytes: %d, want %d", h.point[1], n, got, want)
			}
		}
	}
}

// TestContentHashSees: any byte, the length, and the secret make a difference.
func TestContentHashSees(t *testing.T) {
	h := NewContent(12345)
	b := make([]byte, 300)
	seen := map[uint64]bool{h.Of(b): true}
	for i := range b {
		b[i] = 1
		seen[h.Of(b)] = true
		b[i] = 0
		seen[h.Of(b[:i])] = true
	}
	if len(seen) != 601 {
		t.Errorf("%d different hashes of 601 documents", len(seen))
	}
	b[0] = 1 // of nothing but zeros only the length is left
	other := NewContent(12346)
	if other.Of(b) == h.Of(b) {
		t.Error("the secret makes no difference")
	}
}

func BenchmarkContent(b *testing.B) {
	body := make([]byte, 2000)
	h := NewContent(12345)
	b.Run("polynomial", func(b *testing.B) {
		for b.Loop() {
			h.Of(body)
		}
	})
	b.Run("siphash", func(b *testing.B) {
		for b.Loop() {
			siphash.Hash(1, 2, body)
		}
	})
}
