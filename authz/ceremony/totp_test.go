package ceremony

import (
	"encoding/base32"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/waryauth/wary/internal/store/bolt"
)

// rfc6238 holds the SHA-1 rows of RFC 6238, appendix B, the last six of eight digits.
var rfc6238 = []struct {
	at   int64
	code string
}{{59, "287082"}, {1111111109, "081804"}, {1111111111, "050471"}, {1234567890, "005924"}, {2000000000, "279037"}, {20000000000, "353130"}}

func appOfRFC() app {
	return app{subject: "p-x", secret: base32.StdEncoding.EncodeToString([]byte("12345678901234567890"))}
}

func TestCodesOfRFC6238(t *testing.T) {
	p := appOfRFC()
	for _, r := range rfc6238 {
		f := func(typed string, seconds int64, want bool) {
			t.Helper()
			step, err := p.step(typed, time.Unix(r.at+seconds, 0))
			if err != nil {
				t.Fatal(err)
			}
			if want != (step == uint64(r.at/30)) {
				t.Errorf("%q, %d s after %d: step %d", typed, seconds, r.at, step)
			}
		}
		f(r.code, 0, true)
		f(" "+r.code[:3]+" "+r.code[3:]+" ", 0, true)
		f(r.code, -30, true)
		f(r.code, 30, true)
		f(r.code, 60, false)
		if r.at > 60 { // time begins in 1970
			f(r.code, -60, false)
		}
		f(r.code[:5], 0, false)
		f("0"+r.code, 0, false)
		f("", 0, false)
		f(strings.Map(func(d rune) rune { return '\uff10' + d - '0' }, r.code), 0, false)
	}
}

func TestACodeWorksOnce(t *testing.T) {
	now := time.Unix(1111111111, 0)
	s, err := bolt.Open(filepath.Join(t.TempDir(), "store"), bolt.Options{NoSync: true, Now: func() time.Time { return now }})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	p := appOfRFC()
	var taken atomic.Int64
	var all sync.WaitGroup
	for range 32 {
		all.Go(func() {
			ok, err := p.use(t.Context(), s, "050471", now)
			if err != nil {
				t.Error(err)
			}
			if ok {
				taken.Add(1)
			}
		})
	}
	all.Wait()
	if n := taken.Load(); n != 1 {
		t.Errorf("one code was taken %d times", n)
	}
	f := func(code string, want bool) {
		t.Helper()
		ok, err := p.use(t.Context(), s, code, now)
		if err != nil {
			t.Fatal(err)
		}
		if ok != want {
			t.Errorf("%s: %v", code, ok)
		}
	}
	f("081804", false) // the step before the one that was used
	p.subject = "p-y"  // the control: of another account it is good
	f("081804", true)
	f("050471", true)
	f("050471", false)
}

func TestSecretsAreSealedForTheirAccount(t *testing.T) {
	seal, err := newSeal([32]byte{1})
	if err != nil {
		t.Fatal(err)
	}
	sealed, url, err := newTOTP(seal, "Bank", "alice", "p-a")
	if err != nil {
		t.Fatal(err)
	}
	p, err := unseal(seal, &account{subject: "p-a", totp: sealed})
	if err != nil || !strings.Contains(url, "secret="+p.secret) || len(p.secret) != 32 { // 20 bytes in base32
		t.Errorf("unsealed %+v, %v; the URL is %s", p, err, url)
	}
	if !isSealed(sealed) || isSealed(p.secret) {
		t.Error("isSealed tells the sealed from the clear wrongly")
	}
	if _, err := unseal(seal, &account{subject: "p-b", totp: sealed}); err == nil {
		t.Error("another account's secret was unsealed")
	}
	other, err := newSeal([32]byte{2})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := unseal(other, &account{subject: "p-a", totp: sealed}); err == nil {
		t.Error("unsealed with another key")
	}
	if _, err := newSeal([32]byte{}); err == nil {
		t.Error("a seal without a secret")
	}
}
