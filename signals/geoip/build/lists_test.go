package build

import (
	"errors"
	"net/netip"
	"strings"
	"testing"
)

// What is read is well formed, and reading it again from its own text changes nothing.
func FuzzReadNetworks(f *testing.F) {
	for _, seed := range []string{"1.2.3.4", "1.2.3.0/24\n2a00::/32 # x\n", "a,b\nx,\"1.2.3.4\",y", "\ufeff1.2.3.4\r\n", "::ffff:1.2.3.4", "0.0.0.0/0", "fe80::1%x", ",,,\n,"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, list string) {
		var networks []netip.Prefix
		err := readNetworks(strings.NewReader(list), func(p netip.Prefix) error {
			if !p.IsValid() || p != p.Masked() || p.Bits() < 8 || p.Addr().Zone() != "" || p.Addr().Is4In6() {
				t.Errorf("read %v", p)
			}
			networks = append(networks, p)
			return nil
		})
		if err != nil {
			return
		}
		for _, p := range networks {
			if err := readNetworks(strings.NewReader(p.String()), func(again netip.Prefix) error {
				if again != p {
					t.Errorf("%v became %v", p, again)
				}
				return nil
			}); err != nil {
				t.Error(err)
			}
		}
	})
}

func FuzzReadASN(f *testing.F) {
	for _, seed := range []string{"1.0.0.0,1.0.0.255,13335,\"Cloudflare, Inc.\"\n", "2001::,2001::1,1,x", "a,b,c,d", "1.0.0.1,1.0.0.0,1,x", "1.0.0.0,::1,1,x", "\"", "1.0.0.0,1.0.0.0,0,x"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, list string) {
		stop := errors.New("stop")
		_ = readASN(strings.NewReader(list), func(r asnRange) error { // an error is a right answer to most input
			if r.first.Is4() != r.last.Is4() || r.last.Less(r.first) || r.number == 0 || len(r.organization) > maxOrganization {
				t.Errorf("read %+v", r)
				return stop
			}
			return nil
		})
	})
}

func FuzzReadNumbers(f *testing.F) {
	for _, seed := range []string{"AS64500 # x\n64501,\"y\"\n", "ASN,Entity\n\"20248\",\"Z\"", "0", "4294967296", "as1", "-1", "+1"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, list string) {
		_ = readNumbers(strings.NewReader(list), func(number uint32) { // an error is a right answer to most input
			if number == 0 {
				t.Error("read AS0")
			}
		})
	})
}
