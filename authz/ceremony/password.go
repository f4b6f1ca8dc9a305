package ceremony

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync/atomic"
	"unicode/utf8"

	"golang.org/x/crypto/argon2"
	"golang.org/x/text/secure/precis"
)

// cost is what a password hash costs: argon2id, RFC 9106.
type cost struct {
	memory  uint32 // KiB
	passes  uint32
	threads uint8
}

// costOfNew is the cost of new hashes: the least that the OWASP Password Storage
// Cheat Sheet recommends of argon2id (19 MiB, two passes, one lane). Of its choices,
// all equal in strength, this one holds the least memory for each of the logins
// that are under way at once.
func costOfNew() cost { return cost{memory: 19 << 10, passes: 2, threads: 1} }

// Limits of the cost that an account may have: never below that of new hashes; above,
// no more than RFC 9106 (section 4) recommends second, 64 MiB and three passes, and
// some room.
const (
	maxMemory  = 256 << 10
	maxPasses  = 10
	maxThreads = 8
)

const (
	saltBytes   = 16 // RFC 9106, section 3.1
	hashBytes   = 32
	minPassword = 8 // characters; NIST SP 800-63B-4, section 3.1.1.2, where it is not the only factor
	maxPassword = 512
)

// passwordHash is a password at rest.
type passwordHash struct {
	cost
	salt, sum []byte
}

// parseHash reads the PHC string format: $argon2id$v=19$m=19456,t=2,p=1$salt$hash.
func parseHash(text string) (passwordHash, error) {
	var h passwordHash
	parts := strings.Split(text, "$")
	if len(parts) != 6 || parts[0] != "" || parts[1] != "argon2id" || parts[2] != "v=19" {
		return h, errors.New("is no argon2id hash: $argon2id$v=19$m=,t=,p=$salt$hash is its form")
	}
	n, err := fmt.Sscanf(parts[3], "m=%d,t=%d,p=%d", &h.memory, &h.passes, &h.threads)
	if err != nil || n != 3 || parts[3] != fmt.Sprintf("m=%d,t=%d,p=%d", h.memory, h.passes, h.threads) {
		return h, errors.New("has parameters other than m, t and p")
	}
	least := costOfNew()
	if h.memory < least.memory || h.memory > maxMemory || h.passes < least.passes || h.passes > maxPasses || h.threads < 1 || h.threads > maxThreads {
		return h, fmt.Errorf("has a cost out of range: m must be %d to %d, t %d to %d, p 1 to %d", least.memory, maxMemory, least.passes, maxPasses, maxThreads)
	}
	strict := base64.RawStdEncoding.Strict()
	if h.salt, err = strict.DecodeString(parts[4]); err != nil || len(h.salt) < saltBytes || len(h.salt) > 64 {
		return h, fmt.Errorf("has a salt that is not %d to 64 bytes in base64 without padding", saltBytes)
	}
	if h.sum, err = strict.DecodeString(parts[5]); err != nil || len(h.sum) != hashBytes {
		return h, fmt.Errorf("has a hash that is not %d bytes in base64 without padding", hashBytes)
	}
	return h, nil
}

func (h passwordHash) String() string {
	b64 := base64.RawStdEncoding
	return fmt.Sprintf("$argon2id$v=19$m=%d,t=%d,p=%d$%s$%s", h.memory, h.passes, h.threads, b64.EncodeToString(h.salt), b64.EncodeToString(h.sum))
}

// newHash hashes a new password.
func newHash(password string) (passwordHash, error) {
	clear, err := prepare(password)
	if err != nil {
		return passwordHash{}, err
	}
	if n := len([]rune(string(clear))); n < minPassword {
		return passwordHash{}, fmt.Errorf("a password has at least %d characters, this has %d", minPassword, n)
	}
	h := passwordHash{cost: costOfNew(), salt: make([]byte, saltBytes)}
	rand.Read(h.salt) // never fails (crypto/rand, Go 1.24)
	h.sum = h.of(clear)
	return h, nil
}

var errNoPassword = errors.New("a password has 1 to 512 bytes of UTF-8 without control characters")

// prepare brings a password to the form that is hashed, so that it is the same from
// every keyboard (RFC 8265, section 4: OpaqueString).
func prepare(password string) ([]byte, error) {
	if password == "" || len(password) > maxPassword || !utf8.ValidString(password) {
		return nil, errNoPassword
	}
	clear, err := precis.OpaqueString.Bytes([]byte(password))
	if err != nil {
		return nil, errNoPassword
	}
	return clear, nil
}

// of returns the sum of a prepared password with this hash's salt and cost.
func (h *passwordHash) of(clear []byte) []byte {
	return argon2.IDKey(clear, h.salt, h.passes, h.memory, h.threads, hashBytes)
}

// hasher computes hashes, as many at once as there are processors: each holds its
// memory while it runs. More wait, up to a bound.
type hasher struct {
	running chan struct{}
	waiting atomic.Int64 // or running
	runs    atomic.Int64 // computed so far
}

// maxWaiting bounds those who wait for a hash: at 20 to 40 ms each on every
// processor, the last waits a few seconds.
const maxWaiting = 128

var errBusy = errors.New("too many logins at once")

func newHasher() *hasher { return &hasher{running: make(chan struct{}, runtime.GOMAXPROCS(0))} }

// matches reports whether a password is the one of a hash. A password that can be
// nobody's is hashed as well. The error is errBusy, or the context's.
func (k *hasher) matches(ctx context.Context, h *passwordHash, password string) (bool, error) {
	if k.waiting.Add(1) > maxWaiting {
		k.waiting.Add(-1)
		return false, errBusy
	}
	defer k.waiting.Add(-1)
	select {
	case k.running <- struct{}{}:
		defer func() { <-k.running }()
	case <-ctx.Done():
		return false, ctx.Err()
	}
	clear, err := prepare(password)
	if err != nil {
		clear = []byte{0} // no password: OpaqueString has no control characters
	}
	k.runs.Add(1)
	return subtle.ConstantTimeCompare(h.of(clear), h.sum) == 1, nil
}
